"""Conventions: ours is the project's, each other one is that of the library it names."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from qrlib import data, distortions, metrics
from qrlib.experiments import conventions, evaluate, plan
from qrlib.experiments.conventions import OURS, Convention
from qrlib.records import store
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError

LEVELS = distortions.levels()
CASES = [*LEVELS["noise"][::2], *LEVELS["blur"][:3]]
BORDERS = {
    "mirror": cv2.BORDER_REFLECT_101,
    "edge": cv2.BORDER_REPLICATE,
    "symmetric": cv2.BORDER_REFLECT,
    "zero": cv2.BORDER_CONSTANT,
}


@pytest.fixture
def clean(photograph):
    return photograph[None]  # (1, 3, 67, 91)


@pytest.fixture
def splits():
    return data.load("caltech101-small", 32, classes=4, per_class=16)


def flat(images):
    """(1, 3, H, W) as (H, W, 3)."""
    return np.ascontiguousarray(images[0].permute(1, 2, 0).numpy())


# --- distorting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("case", LEVELS["blur"], ids=lambda c: f"blur{c.level}")
def test_borders_are_opencvs(clean, border, case):
    shown = conventions.distort(clean, "a", case, Convention(border=border))
    size = distortions.kernel_size(case.sigma)
    expected = cv2.GaussianBlur(flat(clean), (size, size), case.sigma, borderType=BORDERS[border])
    np.testing.assert_allclose(flat(shown), expected, atol=2e-6)


@pytest.mark.parametrize("border", BORDERS)
def test_the_wide_kernel_reaches_four_sigma(clean, border):
    case = LEVELS["blur"][1]
    shown = conventions.distort(clean, "a", case, Convention(kernel="wide", border=border))
    size = 2 * round(4 * case.sigma) + 1
    expected = cv2.GaussianBlur(flat(clean), (size, size), case.sigma, borderType=BORDERS[border])
    np.testing.assert_allclose(flat(shown), expected, atol=2e-6)


def test_eight_bits_are_those_of_an_image_file(clean):
    for case in CASES:
        shown = conventions.distort(clean, "a", case, Convention(depth="8 bits"))
        ours = conventions.distort(clean, "a", case, OURS)
        stored = np.rint(ours.numpy() * 255).astype(np.uint8)
        np.testing.assert_array_equal(shown.numpy() * 255, stored)


@pytest.mark.parametrize("case", LEVELS["noise"], ids=lambda c: f"noise{c.level}")
def test_unclipped_noise_has_the_psnr_of_its_sigma(case):
    grey = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    unclipped = Convention(noise="unclipped")
    shown = conventions.distort(grey, "a", case, unclipped)
    # PSNR of n draws has a standard deviation of 10/ln(10) sqrt(2/n) dB: here 0.028.
    expected = 20 * math.log10(255 / case.sigma)
    assert metrics.psnr(shown, grey).item() == pytest.approx(expected, abs=0.12)
    assert torch.equal(shown, conventions.distort(grey, "a", case, unclipped))
    assert not torch.equal(shown, conventions.distort(grey, "b", case, unclipped))
    assert shown.min() < 0
    assert shown.max() > 1


# --- resizing ------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path, photograph):
    path = tmp_path / "image.png"
    Image.fromarray((photograph * 255).byte().permute(1, 2, 0).numpy()).save(path)
    return path


def test_resizing_is_that_of_the_libraries(file):
    image = Image.open(file)
    original = np.asarray(image)

    def read(resize):
        return flat(conventions.read_pixels(file, 40, resize)) * 255

    np.testing.assert_allclose(read("original"), original, atol=1e-4)
    nearest = np.asarray(image.resize((40, 40), Image.Resampling.NEAREST))
    np.testing.assert_allclose(read("nearest"), nearest, atol=1e-4)
    bilinear = cv2.resize(original.astype(np.float32), (40, 40), interpolation=cv2.INTER_LINEAR)
    assert np.abs(read("bilinear") - bilinear).max() <= 0.501  # rounded to 8 bits
    middle = image.crop((12, 0, 79, 67)).resize((40, 40), Image.Resampling.BILINEAR)
    # Pillow's filter reaches over the sides of the box; one column further in all is the same.
    assert np.abs(read("crop") - np.asarray(middle))[:, 2:-2].max() <= 1.001


def test_a_grey_file_gets_three_channels(tmp_path):
    Image.fromarray(np.full((20, 30), 51, np.uint8)).save(tmp_path / "grey.png")
    for resize in ("nearest", "bilinear", "crop", "original"):
        pixels = conventions.read_pixels(tmp_path / "grey.png", 16, resize)
        assert pixels.shape == ((1, 3, 20, 30) if resize == "original" else (1, 3, 16, 16))
        torch.testing.assert_close(pixels, torch.full_like(pixels, 0.2))


# --- SSIM ----------------------------------------------------------------------------------------


def test_ssim_of_the_whole_image_is_torchmetrics_own_mean(clean):
    shown = distortions.distort_for_evaluation(clean, ["a"], LEVELS["blur"][0])
    whole = conventions.ssim(shown, clean, border="whole")
    _, each = structural_similarity_index_measure(
        shown, clean, data_range=1.0, sigma=1.5, return_full_image=True
    )
    assert whole == pytest.approx(each.mean().item(), abs=2e-5)
    assert whole != pytest.approx(metrics.ssim(shown, clean).item(), abs=1e-4)


def test_ssim_of_grey_images_is_scikit_images_on_opencvs_grey(clean):
    shown = distortions.distort_for_evaluation(clean, ["a"], LEVELS["noise"][1])
    pair = [cv2.cvtColor(flat(x), cv2.COLOR_RGB2GRAY) for x in (shown, clean)]
    for image, expected in zip((shown, clean), pair, strict=True):
        np.testing.assert_allclose(conventions.grey(image)[0, 0], expected, atol=1e-6)
    found = conventions.ssim(conventions.grey(shown), conventions.grey(clean), "uniform", 2.0)
    assert found == pytest.approx(structural_similarity(*pair, data_range=2.0), abs=2e-5)


# --- conventions ---------------------------------------------------------------------------------


def test_each_choice_is_tried_alone_and_the_library_defaults_together():
    every = conventions.conventions()
    names = [c.name for c in every]
    assert every[0] == OURS
    assert (OURS.name, OURS.factor, OURS.changes) == ("ours", "none", {})
    assert len(names) == len(set(names))
    for field, values in conventions.CHOICES.items():
        ours, *others = values
        assert getattr(OURS, field) == ours
        assert {Convention(**{field: value}) for value in others} <= set(every)
    assert Convention(resize="nearest", window="uniform", data_range=2.0) in every
    assert {f.name for f in dataclasses.fields(Convention)} == set(conventions.CHOICES)


def test_test_images_are_chosen_once():
    assert conventions.choose_images(5, None) == [0, 1, 2, 3, 4]
    chosen = conventions.choose_images(100, 20)
    assert chosen == conventions.choose_images(100, 20) == sorted(set(chosen))
    assert len(chosen) == 20
    assert chosen != conventions.choose_images(100, 20, seed=1)
    for wrong in (1, 101, 2.0, True):
        with pytest.raises(QrlibError, match="between 2 and 100, or be None for all"):
            conventions.choose_images(100, wrong)


@pytest.mark.slow
def test_measured_means_of_ours_are_those_of_the_evaluation(splits):
    rows = conventions.measure(splits, conventions.available(splits), blur_scale=32 / 224)
    cases = [c for each in distortions.levels(blur_scale=32 / 224).values() for c in each]
    clean, _, ids = splits.test[range(len(splits.test))]
    clean = clean.float() / 255
    found = {
        (r["distortion"], r["level"], r["metric"]): r for r in rows if r["convention"] == "ours"
    }
    assert len(found) == 20
    for case in cases:
        shown = distortions.distort_for_evaluation(clean, ids, case)
        for metric, tolerance in (("psnr", 1e-4), ("ssim", 2e-5)):
            each = getattr(metrics, metric)(shown, clean).double()
            row = found[case.kind, case.level, metric]
            assert row["value"] == pytest.approx(each.mean().item(), abs=tolerance)
            error = each.std().item() / len(each) ** 0.5
            assert row["error"] == pytest.approx(error, rel=1e-2, abs=1e-5)
            assert row["n"] == len(each)
            assert row["strength"] == case.sigma


def test_psnr_of_the_mean_error(splits):
    wanted = [OURS, Convention(psnr_mean="mse")]
    rows = conventions.measure(splits, wanted, blur_scale=32 / 224, images=6)
    clean, _, ids = splits.test[conventions.choose_images(len(splits.test), 6)]
    clean = clean.float() / 255
    case = LEVELS["noise"][4]
    shown = distortions.distort_for_evaluation(clean, ids, case)
    expected = -10 * torch.log10(((shown - clean) ** 2).double().mean()).item()
    (row,) = (
        r for r in rows
        if (r["convention"], r["distortion"], r["level"], r["metric"])
        == ("psnr mean mse", "noise", 5, "psnr")
    )  # fmt: skip
    assert row["value"] == pytest.approx(expected, abs=1e-4)
    assert row["n"] == 6
    # The relative error of a mean, in dB: checked against drawing the six images again and again.
    mse = ((shown - clean) ** 2).double().mean((1, 2, 3)).numpy()
    draws = np.random.default_rng(0).choice(mse, (20000, 6)).mean(1)
    assert row["error"] == pytest.approx(np.std(-10 * np.log10(draws)) * (6 / 5) ** 0.5, rel=0.1)


def test_files_are_resized_where_there_are_files(tmp_path, photograph, small_caltech):
    root = tmp_path / "data" / "caltech101" / "101_ObjectCategories"
    image = Image.fromarray((photograph * 255).byte().permute(1, 2, 0).numpy())
    for name in "ab":
        (root / name).mkdir(parents=True)
        for i in range(10):
            image.rotate(9 * i).save(root / name / f"image_{i:04d}.jpg", quality=95)
    splits = data.load("caltech101", 48, resize="nearest")
    squashed = data.load("caltech101", 48, resize="squash").test[[0]][0].float() / 255
    assert torch.equal(
        conventions._clean(splits, 0, "squash"), squashed
    )  # whatever the profile has
    assert conventions.available(splits) == conventions.conventions()
    chosen = [OURS, Convention(resize="original"), Convention(resize="nearest")]
    frame = pd.DataFrame(conventions.measure(splits, chosen, blur_scale=48 / 224))
    strongest = frame[(frame["distortion"] == "blur") & (frame["level"] == 5)]
    assert strongest.groupby("convention")["strength"].first().to_dict() == {
        "ours": 10 * 48 / 224, "resize nearest": 10 * 48 / 224, "resize original": 10.0,
    }  # fmt: skip
    psnr = frame[frame["metric"] == "psnr"].groupby(["convention", "distortion"])["value"].mean()
    assert psnr["resize nearest", "blur"] < psnr["ours", "blur"]  # aliasing is lost in the blur


def test_images_that_come_resized_have_no_other_files(splits):
    assert all(c.resize == "squash" for c in conventions.available(splits))
    with pytest.raises(QrlibError, match="caltech101-small has no files to resize"):
        conventions.measure(splits, [Convention(resize="nearest")], images=2)


# --- record -----------------------------------------------------------------------


@pytest.mark.slow
def test_the_record(splits):
    experiment = plan.open_experiment("smoke", variant="none")
    rows, path = evaluate.measure_conventions(experiment, splits, images=4)
    name = "conventions-4-images"  # which replaces no record of all images
    assert path == paths.results("smoke") / "records" / f"{name}.json"
    with pytest.raises(QrlibError, match="no measured conventions yet"):
        store.read_conventions("smoke")
    record = store.read_record("smoke", name)
    assert (record["kind"], record["results"], record["conventions"]) == ("conventions", [], rows)
    assert record["config"]["images"] == 4
    assert record["config"]["conventions"]["border zero"]["border"] == "zero"
    assert record["provenance"]["manifest"] == splits.manifest_hash
    assert record["provenance"]["code"] == plan.code_hash("conventions")
    read = store.read_conventions("smoke", name)
    assert set(read.pop("profile")) == {"smoke"}
    assert set(read.pop("record")) == {f"{name}.json"}
    pd.testing.assert_frame_equal(read, pd.DataFrame(rows))
    with pytest.raises(QrlibError, match="'smoke' has no evaluation yet"):
        store.read("smoke")  # nothing of it is a result of a restorer
    for change in (
        {"conventions": []},
        {"kind": "evaluation"},
        {"conventions": [{**rows[0], "metric": "accuracy"}]},
        {"conventions": [{k: v for k, v in rows[0].items() if k != "error"}]},
    ):
        with pytest.raises(QrlibError, match="breaks the schema"):
            store.write({**record, **change})
    with pytest.raises(QrlibError, match="breaks the schema"):
        store.write({k: v for k, v in record.items() if k != "conventions"})


def test_nothing_measured_says_how_to_measure():
    with pytest.raises(QrlibError, match="'smoke' has no measured conventions yet; run `papermill"):
        store.read_conventions("smoke")
