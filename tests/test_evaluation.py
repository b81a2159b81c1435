"""PSNR and SSIM against scikit-image, and the rows that an evaluation gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

from qrlib import classifiers, data, distortions
from qrlib.evaluation import check_precision, evaluate
from qrlib.metrics import psnr, ssim
from qrlib.models import QRNet
from qrlib.utils.errors import QrlibError

#: Measured: 3.1e-6 on photographs; 3.6e-4 on a bright flat patch with faint noise, where float32 loses
#: the variance (in float64 both agree to 1e-12).
SSIM_TOLERANCE = 1e-5
FLAT_TOLERANCE = 1e-3


def pairs(photograph):
    """Image and worse image, from nearly equal to unrecognisable; also flat ones."""
    clean = photograph[None]
    generator = torch.Generator().manual_seed(0)
    for sigma in (1.0, 20.0, 100.0):
        yield clean, distortions.gaussian_noise(clean, sigma, generator=generator)
    for sigma in (0.5, 2.0, 10.0):
        yield clean, distortions.gaussian_blur(clean, sigma)
    flat = torch.full_like(clean, 0.9)
    yield flat, distortions.gaussian_noise(flat, 2.0, generator=generator)
    yield torch.zeros_like(clean), torch.ones_like(clean)


def double(image):
    return image.permute(1, 2, 0).double().numpy()


def test_psnr_equals_scikit_image(photograph):
    for clean, worse in pairs(photograph):
        expected = peak_signal_noise_ratio(double(clean[0]), double(worse[0]), data_range=1.0)
        assert psnr(worse, clean).item() == pytest.approx(expected, abs=1e-4)


def test_ssim_equals_scikit_image(photograph):
    for clean, worse in pairs(photograph):
        expected = structural_similarity(
            double(clean[0]), double(worse[0]), gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, channel_axis=2, data_range=1.0,
        )  # fmt: skip
        assert ssim(worse, clean).item() == pytest.approx(
            expected, abs=FLAT_TOLERANCE if clean.amax() == clean.amin() else SSIM_TOLERANCE
        )
        exact = ssim(worse.double(), clean.double()).item()
        assert exact == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_measures_are_per_image(photograph, measure):
    clean = torch.stack([photograph, photograph.flip(-1), photograph * 0.5])
    worse = distortions.gaussian_noise(clean, 30.0, generator=torch.Generator().manual_seed(0))
    together = measure(worse, clean)
    assert together.shape == (3,)
    for i in range(3):
        alone = measure(worse[i : i + 1], clean[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=0)
    assert len(set(together.tolist())) == 3


def test_equal_images(photograph):
    assert ssim(photograph[None], photograph[None]).item() == pytest.approx(1, abs=1e-6)
    assert psnr(photograph[None], photograph[None]).item() == 100.0


def test_ssim_refuses_images_smaller_than_its_window():
    ssim(torch.rand(1, 3, 11, 11), torch.rand(1, 3, 11, 11))
    with pytest.raises(QrlibError, match=r"at least 11x11 pixels, not \(10, 40\)"):
        ssim(torch.rand(1, 3, 10, 40), torch.rand(1, 3, 10, 40))


@pytest.fixture(scope="module")
def cases():
    return [d for options in distortions.levels(blur_scale=32 / 224).values() for d in options]


@pytest.fixture
def test_split():
    return data.load("caltech101-small", 32, classes=3, per_class=25).test  # 15 images


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return classifiers.build("small_vgg", 3, weights=None, image_size=32, head_width=8)


def table(rows):
    return {(r["distortion"], r["level"], r["metric"]): r["value"] for r in rows}


def test_a_row_for_each_distortion_level_and_metric(test_split, classifier, cases):
    torch.manual_seed(0)
    rows = evaluate(QRNet(1), {"c": classifier}, test_split, cases, batch_size=8)
    assert len(rows) == len(table(rows)) == 11 * 3
    assert {r["n"] for r in rows} == {15}
    assert all(r["each"].shape == (15,) for r in rows)
    assert all(r["value"] == pytest.approx(r["each"].mean()) for r in rows)
    expected = {("clean", 0, 0.0)} | {(d.kind, d.level, d.sigma) for d in cases}
    assert {(r["distortion"], r["level"], r["strength"]) for r in rows} == expected
    assert all(0 <= r["value"] <= 1 for r in rows if r["metric"] == "accuracy")
    assert all(np.isfinite(r["value"]) for r in rows)


def test_values_by_hand(test_split, classifier, cases):
    """Without a restorer, image by image, from scikit-image and the classifier itself."""
    case = cases[1]
    rows = table(evaluate(None, {"c": classifier}, test_split, [case], batch_size=4))
    images, labels, ids = test_split[range(15)]
    clean = images.float() / 255
    worse = distortions.distort_for_evaluation(clean, ids, case)
    with torch.no_grad():
        right = (classifier.eval()(worse).argmax(1) == labels).double().mean().item()
    assert rows[case.kind, case.level, "accuracy"] == pytest.approx(right)
    expected = np.mean(
        [
            peak_signal_noise_ratio(double(a), double(b), data_range=1.0)
            for a, b in zip(clean, worse, strict=True)
        ]
    )
    assert rows[case.kind, case.level, "psnr"] == pytest.approx(expected, abs=1e-4)
    assert rows["clean", 0, "ssim"] == pytest.approx(1, abs=1e-6)


def test_accuracy_counts_right_answers(test_split, cases):
    class Oracle(nn.Module):
        """Knows the order of the images; wrong about each fourth."""

        def __init__(self, labels):
            super().__init__()
            self.answers = torch.where(torch.arange(15) % 4 == 0, (labels + 1) % 3, labels)
            self.at = 0

        def forward(self, images):
            answer = self.answers[self.at : self.at + len(images)]
            self.at += len(images)
            return nn.functional.one_hot(answer, 3).float()

    rows = evaluate(None, {"c": Oracle(test_split.labels)}, test_split, [], batch_size=4)
    assert table(rows)["clean", 0, "accuracy"] == pytest.approx(11 / 15)
    (row,) = [row for row in rows if row["metric"] == "accuracy"]
    assert list(row["each"]) == [i % 4 != 0 for i in range(15)]
    likely = np.array([np.e, 1, 1]) / (np.e + 2)
    assert row["confidence"] == pytest.approx(np.full(15, likely[0]))
    assert row["entropy"] == pytest.approx(np.full(15, -(likely @ np.log(likely)) / np.log(3)))
    assert "feature_distance" not in row  # it has no features


def test_the_feature_distance_is_from_what_the_classifier_sees_of_the_clean_image(
    test_split, classifier, cases
):
    rows = evaluate(None, {"c": classifier}, test_split, cases)
    case = cases[0]
    (row,) = [
        row
        for row in rows
        if (row["distortion"], row["level"], row["metric"]) == (case.kind, case.level, "accuracy")
    ]
    pixels, _, ids = test_split[range(len(test_split))]
    clean = pixels.float() / 255
    with torch.no_grad():
        seen = (
            classifier.features(clean),
            classifier.features(distortions.distort_for_evaluation(clean, ids, case)),
        )
    expected = 1 - nn.functional.cosine_similarity(*seen)
    assert row["feature_distance"] == pytest.approx(expected.numpy(), abs=1e-5)
    (untouched,) = [r for r in rows if (r["distortion"], r["metric"]) == ("clean", "accuracy")]
    assert "feature_distance" not in untouched


@pytest.mark.slow
def test_results_do_not_depend_on_the_batch_size(test_split, classifier, cases):
    torch.manual_seed(0)
    net = QRNet(1)
    first = table(evaluate(net, {"c": classifier}, test_split, cases, batch_size=15))
    second = table(evaluate(net, {"c": classifier}, test_split, cases, batch_size=4))
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert value == pytest.approx(second[key], abs=1e-4), key


def test_an_identity_restorer_is_no_restorer(test_split, classifier, cases):
    none = table(evaluate(None, {"c": classifier}, test_split, cases))
    identity = table(evaluate(nn.Identity(), {"c": classifier}, test_split, cases))
    assert identity.pop(("clean", 0, "psnr")) == 100.0  # left out without a restorer
    assert identity == none
    assert len(none) == 11 * 3 - 1


@pytest.mark.slow
def test_several_classifiers_see_the_same_restored_images(test_split, classifier, cases):
    """One pass for all: each gets what it would get alone, and the network runs once an image."""
    torch.manual_seed(1)
    other = classifiers.build("small_resnet", 3, weights=None, image_size=32)
    net = Counting(1)
    rows = evaluate(net, {"one": classifier, "two": other}, test_split, cases[:2])
    assert net.restored == 15 * 3
    for name, network in (("one", classifier), ("two", other)):
        mine = table([r for r in rows if r["classifier"] == name])
        assert mine == table(evaluate(net, {name: network}, test_split, cases[:2]))
    assert {r["classifier"] for r in rows} == {"one", "two"}
    with pytest.raises(QrlibError, match="at least one classifier"):
        evaluate(net, {}, test_split, cases)


class Counting(QRNet):
    """Counts the images that it restores."""

    restored = 0

    def forward(self, images):
        self.restored += len(images)
        return super().forward(images)


def plain(rows):
    return [{k: v.tolist() if hasattr(v, "tolist") else v for k, v in row.items()} for row in rows]


def test_an_evaluation_that_was_ended_goes_on_and_another_head_needs_no_image(
    test_split, classifier, cases, tmp_path
):
    net = Counting(1)
    once = plain(evaluate(net, {"c": classifier}, test_split, cases[:2], batch_size=4))
    net.restored = 0
    kept = {"batch_size": 4, "keep": tmp_path}
    assert plain(evaluate(net, {"c": classifier}, test_split, cases[:2], **kept)) == once
    assert net.restored == 15 * 3
    (folder,) = tmp_path.iterdir()
    (folder / "8.safetensors").unlink()
    net.restored = 0
    assert plain(evaluate(net, {"c": classifier}, test_split, cases[:2], **kept)) == once
    assert net.restored == 4 * 3

    net.restored = 0
    with torch.no_grad():
        for parameter in classifier.head.parameters():
            parameter.mul_(-1)
    other = plain(evaluate(net, {"d": classifier}, test_split, cases[:2], **kept))
    assert net.restored == 0
    exact = plain(evaluate(net, {"d": classifier}, test_split, cases[:2], batch_size=4))
    assert other == exact != once


@pytest.mark.parametrize("change", ["restorer", "backbone", "preprocessing", "cases", "batch_size"])
def test_what_was_kept_of_something_else_is_not_taken(
    test_split, classifier, cases, tmp_path, change
):
    net = Counting(1)
    evaluate(net, {"c": classifier}, test_split, cases[:1], batch_size=4, keep=tmp_path)
    net.restored, used, size = 0, cases[:1], 4
    if change in ("restorer", "backbone"):
        network = net if change == "restorer" else classifier.backbone
        with torch.no_grad():
            next(network.parameters()).mul_(2)
    elif change == "preprocessing":
        classifier.preprocessing = "caffe"
    elif change == "cases":
        used = cases[1:2]
    else:
        size = 5
    evaluate(net, {"c": classifier}, test_split, used, batch_size=size, keep=tmp_path)
    assert net.restored == 15 * 2


def test_answers_in_bfloat16_are_kept_with_the_head_that_gave_them(
    test_split, classifier, cases, tmp_path
):
    kept = {"batch_size": 4, "precision": "bf16-mixed", "keep": tmp_path}
    once = plain(evaluate(None, {"c": classifier}, test_split, cases[:1], **kept))
    assert plain(evaluate(None, {"c": classifier}, test_split, cases[:1], **kept)) == once
    with torch.no_grad():
        classifier.head[-1].bias[0] += 100
    rows = plain(evaluate(None, {"c": classifier}, test_split, cases[:1], **kept))
    assert rows != once
    assert len(list(tmp_path.iterdir())) == 2


def test_networks_are_left_in_eval_mode_and_unchanged(test_split, classifier, cases):
    from qrlib import weights

    net = QRNet(1).train()
    before = weights.state_hash(net), weights.state_hash(classifier)
    evaluate(net, {"c": classifier}, test_split, cases[:1])
    assert not net.training
    assert (weights.state_hash(net), weights.state_hash(classifier)) == before
    # what inference made must not stand in the way of training
    net.train()(torch.rand(1, 3, 16, 16)).mean().backward()
    distortions.gaussian_blur(torch.rand(1, 3, 32, 32, requires_grad=True), 1.0).sum().backward()


class Failing(nn.Module):
    """A restorer whose device fails."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, images):
        raise self.error


def test_too_little_memory_names_the_setting_and_other_errors_pass_through(
    test_split, classifier, cases
):
    short = Failing(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(QrlibError, match="too little memory for 4 images of x .*evaluation_batch"):
        evaluate(short, {"c": classifier}, test_split, cases[:1], batch_size=4, name="x")
    with pytest.raises(RuntimeError, match="shapes differ"):
        evaluate(Failing(RuntimeError("shapes differ")), {"c": classifier}, test_split, cases[:1])


def test_bfloat16_is_held_against_float32(test_split, classifier, cases):
    torch.manual_seed(0)
    net = QRNet(1)
    rows = table(evaluate(net, {"c": classifier}, test_split, cases[:1], precision="bf16-mixed"))
    exact = table(evaluate(net, {"c": classifier}, test_split, cases[:1]))
    assert rows == exact, "a restorer computes in float32, and so do close calls"
    check = check_precision(
        net, {"c": classifier}, test_split, cases[:1], precision="bf16-mixed", decisions=20
    )
    assert check["decisions"] == 20
    assert check["agreement"] >= 0.995


def test_what_is_close_in_bfloat16_is_asked_again(test_split, cases):
    class Undecided(nn.Module):
        """The first class in float32, the second in bfloat16, by a nose or by much."""

        def __init__(self, lead):
            super().__init__()
            self.lead = lead

        def forward(self, images):
            fast = torch.is_autocast_enabled(images.device.type)
            return torch.tensor([0.0, self.lead if fast else -1.0, -9.0]).repeat(len(images), 1)

    def answers(lead, **precision):
        rows = evaluate(None, {"c": Undecided(lead)}, test_split, cases[:1], **precision)
        return [row["each"].tolist() for row in rows if row["metric"] == "accuracy"]

    assert answers(0.05, precision="bf16-mixed") == answers(0.05)
    assert answers(0.5, precision="bf16-mixed") != answers(0.5)


def test_a_precision_that_answers_otherwise_is_refused(test_split, cases):
    class Fickle(nn.Module):
        """One answer in float32, another in bfloat16."""

        def forward(self, images):
            fast = torch.is_autocast_enabled(images.device.type)
            return torch.eye(3)[int(fast)].expand(len(images), 3)

    with pytest.raises(QrlibError, match="of 30 answers in bf16-mixed, 0.00% .*32-true"):
        check_precision(None, {"c": Fickle()}, test_split, cases[:1], precision="bf16-mixed")
