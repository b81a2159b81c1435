"""Conventions: ours is the project's, each other one is that of the library it names."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity
from support.frames import unpadded
from torchmetrics.functional.image import structural_similarity_index_measure

from qrlib import data, distortions, metrics, paper
from qrlib.experiments import conventions, evaluate, plan, profiles, ssim_variants
from qrlib.experiments.conventions import OURS, Convention
from qrlib.records import store
from qrlib.report import table5_conventions
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
    return data.load("photographs", 32, resize="crop", classes=4, per_class=16)


def flat(images):
    """(1, 3, H, W) as (H, W, 3)."""
    return np.ascontiguousarray(images[0].permute(1, 2, 0).numpy())


# --- distorting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.kind}{c.level}")
def test_our_convention_is_what_everything_else_is_evaluated_on(clean, case):
    shown = conventions.distort(clean, "a", case, OURS)
    assert torch.equal(shown, distortions.distort_for_evaluation(clean, ["a"], case))


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


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.kind}{c.level}")
def test_ssim_under_our_convention_is_the_projects(clean, case):
    shown = distortions.distort_for_evaluation(clean, ["a"], case)
    (ours,) = ssim_variants.Target(clean).ssim(shown)
    torch.testing.assert_close(ours, metrics.ssim(shown, clean), atol=2e-5, rtol=0)


@pytest.mark.parametrize("data_range", [1.0, 2.0])
@pytest.mark.parametrize("window", ssim_variants.WINDOWS)
def test_ssim_is_scikit_images(clean, window, data_range):
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    for case in CASES:
        shown = distortions.distort_for_evaluation(clean, ["a"], case)
        both, one = ssim_variants.Target(clean, window).ssim(shown, [data_range, 1.0])
        expected = structural_similarity(
            flat(shown), flat(clean), channel_axis=2, data_range=data_range,
            **(gaussian if window == "gaussian" else {}),
        )  # fmt: skip
        assert both.item() == pytest.approx(expected, abs=2e-5)
        assert (both.item() == one.item()) == (data_range == 1.0)


def test_ssim_of_the_whole_image_is_torchmetrics_own_mean(clean):
    shown = distortions.distort_for_evaluation(clean, ["a"], LEVELS["blur"][0])
    (whole,) = ssim_variants.Target(clean, border="whole").ssim(shown)
    _, each = structural_similarity_index_measure(
        shown, clean, data_range=1.0, sigma=1.5, return_full_image=True
    )
    assert whole.item() == pytest.approx(each.mean().item(), abs=2e-5)
    assert whole.item() != pytest.approx(metrics.ssim(shown, clean).item(), abs=1e-4)


def test_ssim_of_grey_images_is_scikit_images_on_opencvs_grey(clean):
    shown = distortions.distort_for_evaluation(clean, ["a"], LEVELS["noise"][1])
    pair = [cv2.cvtColor(flat(x), cv2.COLOR_RGB2GRAY) for x in (shown, clean)]
    for image, expected in zip((shown, clean), pair, strict=True):
        np.testing.assert_allclose(ssim_variants.grey(image)[0, 0], expected, atol=1e-6)
    (found,) = ssim_variants.Target(ssim_variants.grey(clean), "uniform").ssim(
        ssim_variants.grey(shown)
    )
    assert found.item() == pytest.approx(structural_similarity(*pair, data_range=1.0), abs=2e-5)


def test_an_image_equals_itself_and_batches_are_kept_apart(clean):
    other = clean.flip(3)
    for window in ssim_variants.WINDOWS:
        target = ssim_variants.Target(torch.cat([clean, other]), window)
        (found,) = target.ssim(torch.cat([clean, clean]))
        assert found[0].item() == pytest.approx(1, abs=1e-5)
        (alone,) = ssim_variants.Target(other, window).ssim(clean)
        assert found[1].item() == pytest.approx(alone.item(), abs=1e-5)


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


def test_an_unknown_choice_lists_the_valid_ones():
    with pytest.raises(QrlibError, match="border must be one of 'mirror', 'edge'.*not 'wrap'"):
        Convention(border="wrap")


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


def test_files_are_resized_where_there_are_files(monkeypatch, tmp_path, photograph):
    root = tmp_path / "data" / "caltech101" / "101_ObjectCategories"
    image = Image.fromarray((photograph * 255).byte().permute(1, 2, 0).numpy())
    for name in "ab":
        (root / name).mkdir(parents=True)
        for i in range(10):
            image.rotate(9 * i).save(root / name / f"{i}.jpg", quality=95)
    splits = data.load("caltech101", 48)
    assert conventions.available(splits) == conventions.conventions()
    chosen = [OURS, Convention(resize="original"), Convention(resize="nearest")]
    frame = pd.DataFrame(conventions.measure(splits, chosen, blur_scale=48 / 224))
    strongest = frame[(frame["distortion"] == "blur") & (frame["level"] == 5)]
    assert strongest.groupby("convention")["strength"].first().to_dict() == {
        "ours": 10 * 48 / 224, "resize nearest": 10 * 48 / 224, "resize original": 10.0,
    }  # fmt: skip
    psnr = frame[frame["metric"] == "psnr"].groupby(["convention", "distortion"])["value"].mean()
    assert psnr["resize nearest", "blur"] < psnr["ours", "blur"]  # aliasing is lost in the blur


def test_photographs_have_no_files_to_resize(splits):
    assert all(c.resize == "profile" for c in conventions.available(splits))
    with pytest.raises(QrlibError, match="photographs has no files to resize"):
        conventions.measure(splits, [Convention(resize="nearest")], images=2)


# --- record and comparison -----------------------------------------------------------------------


@pytest.mark.slow
def test_the_record(splits):
    experiment = plan.open_experiment("smoke", variant="none")
    rows, path = evaluate.measure_conventions(experiment, splits, images=4)
    assert path == paths.results("smoke") / "records" / "conventions.json"
    record = store.read_record("smoke", "conventions")
    assert (record["kind"], record["results"], record["conventions"]) == ("conventions", [], rows)
    assert record["config"]["images"] == 4
    assert record["config"]["conventions"]["border zero"]["border"] == "zero"
    assert record["provenance"]["manifest"] == splits.manifest_hash
    assert record["provenance"]["code"] == plan.code("conventions")
    read = store.read_conventions("smoke")
    assert set(read.pop("profile")) == {"smoke"}
    assert set(read.pop("record")) == {"conventions.json"}
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
    with pytest.raises(QrlibError, match="no records of profile 'smoke'"):
        store.read_conventions("smoke")


def measured(**means):
    """Rows of conventions with given (noise PSNR, noise SSIM, blur PSNR, blur SSIM), two levels."""
    rows = [
        {
            "convention": name.replace("_", " "),
            "factor": "none" if name == "ours" else name.replace("_", " "),
            "distortion": distortion, "level": level, "strength": 1.0, "metric": metric,
            "value": value + shift, "error": error * (1 if metric == "psnr" else 0.05), "n": 100,
            "profile": "smoke", "record": "conventions.json",
        }
        for name, values in means.items()
        for (distortion, metric), value in zip(table5_conventions.NUMBERS, values, strict=True)
        for level, shift, error in ((1, 0.5, 0.08), (2, -0.5, 0.12))
    ]  # fmt: skip
    return pd.DataFrame(rows)


PRINTED = [paper.printed(5, "Caltech101", d, "none", m) for d, m in table5_conventions.NUMBERS]


def test_distances_are_in_errors_of_the_difference():
    off = [PRINTED[0] + 0.3, PRINTED[1], PRINTED[2], PRINTED[3] - 0.02]
    frame = table5_conventions.compare(measured(ours=off, the_papers=PRINTED))
    mine = frame[frame["convention"] == "ours"]
    np.testing.assert_allclose(mine["value"], off)
    np.testing.assert_allclose(mine["gap"], [0.3, 0, 0, -0.02], atol=1e-9)
    # 100 images of 8,677, and a fifth of them, each drawn without replacement.
    paired = (1 - 100 / 8677 + 0.8 * 100 / (0.2 * 8677)) ** 0.5
    expected = [0.3 / (0.1 * paired), 0, 0, 0.02 / (0.005 * paired)]
    np.testing.assert_allclose(mine["distance"], expected, atol=1e-9)
    ranked = table5_conventions.distances(frame)
    assert list(ranked.index) == ["the papers", "ours"]
    assert ranked["ours"] == pytest.approx(0.02 / (0.005 * paired))
    assert table5_conventions.shifts(frame)["the papers"] == pytest.approx(ranked["ours"])
    text = unpadded(table5_conventions.table(frame, "Four numbers.", "conventions-smoke"))
    assert "| paper, Table 5 | 15.29 | 0.330 | 19.77 | 0.656 | |" in text
    assert text.index("| the papers | 15.29") < text.index("| ours | 15.59 | 0.330")


@pytest.mark.slow
def test_the_error_of_a_difference_is_that_of_two_draws_without_replacement():
    chance = np.random.default_rng(0)
    images = chance.normal(size=table5_conventions.IMAGES)
    share = round(paper.setting("test share") * table5_conventions.IMAGES)
    drawn = [
        chance.permutation(images)[:1000].mean() - chance.permutation(images)[:share].mean()
        for _ in range(4000)
    ]
    doubt = table5_conventions.standard_error_of_gap(images.std() / 1000**0.5, 1000)
    assert doubt == pytest.approx(np.std(drawn), rel=0.05)  # four standard errors of 4,000 draws
    assert statistics.NormalDist().cdf(table5_conventions.AGREE) == pytest.approx(
        (1 + 0.95**0.25) / 2
    )


def test_the_conclusion_follows_the_numbers():
    near, far = list(PRINTED), [PRINTED[0] - 2, PRINTED[1] - 0.1, PRINTED[2], PRINTED[3]]
    right = table5_conventions.compare(measured(ours=near, clipping=far, rounding=near))
    wrong = table5_conventions.compare(measured(ours=far, clipping=near, rounding=far))
    right_text, wrong_text = (
        " ".join(table5_conventions.conclusion(f, True)) for f in (right, wrong)
    )
    assert "under “ours”, “rounding”." in right_text
    assert "under “clipping”." in wrong_text
    assert (
        "Noise PSNR by itself agrees under ours; one change alone that ends this: “clipping”"
        in (right_text)
    )
    assert "does not agree under ours; one change alone that mends this: “clipping”" in wrong_text
    assert "nearest to Table 5 is “clipping”" in wrong_text
    for text in (right_text, wrong_text):
        assert "not to be decided by Table 5: “rounding”." in text
        assert "not the images of Table 5" not in text
    assert table5_conventions.conclusion(right, False)[0].startswith(
        "These are not the images of Table 5"
    )
    none = table5_conventions.compare(measured(ours=far))
    assert "difference, under none." in " ".join(table5_conventions.conclusion(none, True))


def test_a_number_that_lacks_is_named():
    rows = measured(ours=PRINTED)
    with pytest.raises(QrlibError, match="'ours' has no ssim of blur"):
        table5_conventions.compare(
            rows[(rows["distortion"] != "blur") | (rows["metric"] != "ssim")]
        )
    with pytest.raises(QrlibError, match="lack 'ours'"):
        table5_conventions.shifts(table5_conventions.compare(measured(another=PRINTED)))


# --- the committed measurement -------------------------------------------------------------------


def test_the_papers_setting_is_the_papers():
    profile = profiles.load("caltech101")
    assert (profile.data.dataset, profile.data.image_size, profile.comparable) == (
        "caltech101", 224, True,
    )  # fmt: skip
    for name in ("learning rate", "batch size", "dropout", "lambda"):
        field = {"lambda": "classification_weight"}.get(name, name.replace(" ", "_"))
        assert getattr(profile.recovery, field) == paper.setting(name)
    assert profile.recovery.epochs == paper.setting("epochs at most")
    assert profile.recovery.patience == paper.setting("early stopping patience")
    assert (profile.classifier.name, profile.classifier.weights) == ("vgg16", "imagenet")


def test_the_committed_record(monkeypatch):
    monkeypatch.delenv("QRLIB_RESULTS")
    record = store.read_record("caltech101", "conventions")
    assert record["provenance"]["git_dirty"] is False
    assert set(record["config"]["conventions"]) == {c.name for c in conventions.conventions()}
    frame = table5_conventions.compare(store.read_conventions("caltech101"))
    ranked = table5_conventions.distances(frame)
    # Unclipped noise has one PSNR whatever the image: the mean over levels is known.
    expected = np.mean([20 * math.log10(255 / s) for s in distortions.NOISE_SIGMAS])
    unclipped = frame[(frame["convention"] == "noise unclipped") & (frame["metric"] == "psnr")]
    assert unclipped["value"].iloc[0] == pytest.approx(expected, abs=0.005)
    assert ranked["noise unclipped"] > 10
    # What the conventions page reports: one convention agrees with all four printed numbers.
    assert ranked.iloc[0] <= table5_conventions.AGREE < ranked.iloc[1]


def test_the_committed_page_says_what_follows_from_the_committed_record(monkeypatch):
    monkeypatch.delenv("QRLIB_RESULTS")
    found = table5_conventions.conclusion(
        table5_conventions.compare(store.read_conventions("caltech101")), True
    )
    page = json.loads((paths.results("caltech101") / "notebooks/conventions.ipynb").read_text())
    outputs = [out for cell in page["cells"] for out in cell.get("outputs", [])]
    shown = "".join("".join(out.get("data", {}).get("text/markdown", "")) for out in outputs)
    assert len(found) > 2
    assert [sentence for sentence in found if sentence not in shown] == []
