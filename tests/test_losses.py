"""Equations 1 to 5 against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

import qrlib
from qrlib import classifiers
from qrlib.losses import RecoveryLoss, classification_loss, quality_loss
from qrlib.utils.errors import QrlibError


def test_quality_loss_by_hand():
    """Equations 1 and 2, as a mean: (0.5 + 0.25 + 0 + 1) / 4."""
    restored = torch.tensor([0.5, 0.25, 1.0, 1.0]).view(1, 1, 2, 2)
    target = torch.tensor([0.0, 0.5, 1.0, 0.0]).view(1, 1, 2, 2)
    assert quality_loss(restored, target).item() == pytest.approx(0.4375)
    assert quality_loss(restored.repeat(3, 1, 1, 1), target.repeat(3, 1, 1, 1)).item() == (
        pytest.approx(0.4375)
    )  # a mean over images too


def test_classification_loss_by_hand():
    """Equation 3: probabilities 3/4 and 1/2 of the true class."""
    logits = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]])
    expected = -(math.log(0.75) + math.log(0.5)) / 2
    assert classification_loss(logits, torch.tensor([0, 1])).item() == pytest.approx(expected)


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.rand(4, 3, 8, 8), torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 1])


def test_no_classifier_is_the_l1_loss(batch):
    restored, target, _ = batch
    parts = RecoveryLoss()(restored, target)
    assert set(parts) == {"loss", "quality"}
    torch.testing.assert_close(parts["loss"], F.l1_loss(restored, target))


def test_equation_4(batch):
    restored, target, labels = batch
    logits = torch.randn(4, 3)
    parts = RecoveryLoss({"vgg16": 0.01})(restored, target, {"vgg16": logits}, labels)
    expected = F.l1_loss(restored, target) + 0.01 * F.cross_entropy(logits, labels)
    torch.testing.assert_close(parts["loss"], expected)
    torch.testing.assert_close(parts["vgg16"], F.cross_entropy(logits, labels))


def test_equation_5_is_the_sum(batch):
    restored, target, labels = batch
    weights = {"vgg16": 0.01, "resnet50": 0.1, "inception_v3": 0.0}
    logits = {name: torch.randn(4, 3) for name in weights}
    parts = RecoveryLoss(weights)(restored, target, logits, labels)
    single = sum(
        RecoveryLoss({n: w})(restored, target, {n: logits[n]}, labels)["loss"] - parts["quality"]
        for n, w in weights.items()
    )
    torch.testing.assert_close(parts["loss"], parts["quality"] + single)
    assert parts["loss"] > parts["quality"]


def test_lower_precision_is_summed_in_float32(batch):
    restored, target, _ = batch
    loss = quality_loss(restored.bfloat16(), target.bfloat16())
    assert loss.dtype == torch.float32


def test_names_that_do_not_match_are_refused(batch):
    restored, target, labels = batch
    loss = RecoveryLoss({"vgg16": 0.01})
    with pytest.raises(QrlibError, match=r"\['vgg16'\].*\['resnet50'\]"):
        loss(restored, target, {"resnet50": torch.zeros(4, 3)}, labels)
    with pytest.raises(QrlibError, match=r"logits of \[\]"):
        loss(restored, target)
    with pytest.raises(QrlibError, match="needs labels"):
        loss(restored, target, {"vgg16": torch.zeros(4, 3)})


@pytest.mark.parametrize("value", [-0.01, float("nan")])
def test_weights_below_zero_are_refused(value):
    with pytest.raises(QrlibError, match="'vgg16' must be at least 0"):
        RecoveryLoss({"vgg16": value})


def test_shapes_are_checked():
    with pytest.raises(QrlibError, match=r"\(1, 3, 8, 8\).*\(1, 3, 8, 9\)"):
        quality_loss(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 9))
    for logits, labels in (((2, 3), (3,)), ((2, 3, 4), (2,)), ((2, 3), (2, 3))):
        with pytest.raises(QrlibError, match="logits must be"):
            classification_loss(torch.zeros(logits), torch.zeros(labels, dtype=torch.long))
    with pytest.raises(QrlibError, match=r"probabilities \(B, K\), not \(2, 3\) and \(2,\)"):
        classification_loss(torch.zeros(2, 3), torch.zeros(2))  # labels as floats


def test_gradient_passes_through_a_frozen_classifier():
    torch.manual_seed(0)
    classifier = classifiers.build("small_vgg", 3, weights=None, image_size=16, head_width=8)
    classifier.set_trainable("frozen").train()
    restorer = qrlib.QRNet(1)
    restored = restorer(torch.rand(2, 3, 16, 16))
    logits = {"c": classifier(restored)}
    parts = RecoveryLoss({"c": 1.0})(restored, restored.detach(), logits, torch.tensor([0, 2]))
    assert parts["quality"].item() == 0  # what arrives at the restorer comes from the classifier
    parts["c"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in restorer.parameters())
    assert all(p.grad is None for p in classifier.parameters())


def test_without_the_quality_loss_it_is_the_cross_entropy():
    """Fine-tuning a classifier (Section IV-B2) has no restored image to compare."""
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    image = torch.rand(4, 3, 8, 8)
    parts = RecoveryLoss({"c": 1.0}, quality_weight=0)(image, image, {"c": logits}, labels)
    assert set(parts) == {"loss", "c"}
    assert parts["loss"].item() == pytest.approx(classification_loss(logits, labels).item())
    with pytest.raises(QrlibError, match="needs a classifier or a quality_weight"):
        RecoveryLoss(quality_weight=0)
    with pytest.raises(QrlibError, match="'quality' must be at least 0"):
        RecoveryLoss(quality_weight=-1)
