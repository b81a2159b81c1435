"""What learns and what does not in each way of training (Sections III-B, III-C and IV-B2)."""

from __future__ import annotations

import pytest
import torch

from qrlib import classifiers, data, distortions, weights
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.training.loop import LoopSettings
from qrlib.training.recovery import RecoveryTask, learning_part, train_recovery
from qrlib.utils.errors import QrlibError

CHOICES = distortions.levels(blur_scale=32 / 224)
SETTINGS = LoopSettings(epochs=2, batch_size=8, precision="32-true")
#: way -> restorer, classifiers, tuned
WAYS = {
    "recnet": (True, (), None),
    "qrnet": (True, ("a",), None),
    "mqrnet": (True, ("a", "b"), None),
    "fine-tuned": (False, ("a",), "a"),
    "end to end": (True, ("a",), "a"),
}


@pytest.fixture
def splits():
    return data.load("photographs", 32, classes=3, per_class=8)


def networks(way, convs=1):
    restores, names, tuned = WAYS[way]
    torch.manual_seed(2)
    made = {"a": ("small_vgg", {"head_width": 8}), "b": ("small_resnet", {})}
    used = {
        name: classifiers.build(made[name][0], 3, weights=None, image_size=32, **made[name][1])
        for name in names
    }
    loss = RecoveryLoss(dict.fromkeys(used, 0.01)) if restores else RecoveryLoss(
        {"a": 1.0}, quality_weight=0.0
    )  # fmt: skip
    return (QRNet(convs) if restores else None), used, loss, tuned


def one_step(way, convs=1):
    """Gradients of one batch, as in `training_step`."""
    restorer, used, loss, tuned = networks(way, convs)
    task = RecoveryTask(
        restorer, loss, used, CHOICES, learning_rate=1e-3, seed=0, tuned=tuned, tuning_rate=1e-4
    )
    task.train()
    images = torch.rand(4, 3, 32, 32)
    parts = task.losses(images, torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 0]))
    parts["loss"].backward()
    return task, restorer, used, tuned, parts


@pytest.mark.parametrize("convs", [1, 2])
@pytest.mark.parametrize("way", WAYS)
def test_gradients_reach_what_learns_and_nothing_else(way, convs):
    task, restorer, used, tuned, parts = one_step(way, convs)
    learning = list(restorer.parameters()) if restorer else []
    if tuned:
        learning += list(used[tuned].head.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learning)
    chosen = {id(p) for p in learning}
    for classifier in used.values():
        assert all(p.grad is None for p in classifier.parameters() if id(p) not in chosen)
    optimised = [p for g in task.configure_optimizers().param_groups for p in g["params"]]
    assert {id(p) for p in optimised} == chosen
    expected = {"loss", *used} | ({"quality"} if restorer else set())
    assert set(parts) == expected


def test_each_part_has_its_learning_rate():
    groups = one_step("end to end")[0].configure_optimizers().param_groups
    assert [group["lr"] for group in groups] == [1e-3, 1e-4]
    assert [g["lr"] for g in one_step("fine-tuned")[0].configure_optimizers().param_groups] == [
        1e-4
    ]


def test_both_classifiers_of_mqrnet_move_the_restorer():
    """Equation 5: the gradient is the sum of those of the parts."""
    grads = {}
    for lambdas in (
        {"a": 0.0, "b": 0.0},
        {"a": 0.5, "b": 0.0},
        {"a": 0.0, "b": 0.5},
        {"a": 0.5, "b": 0.5},
    ):
        restorer, used, _, _ = networks("mqrnet")
        task = RecoveryTask(
            restorer.eval(), RecoveryLoss(lambdas), used, CHOICES, learning_rate=1e-3, seed=0
        )
        torch.manual_seed(0)
        images, targets = torch.rand(2, 4, 3, 32, 32)
        task.losses(images, targets, torch.tensor([0, 1, 2, 0]))["loss"].backward()
        grads[tuple(lambdas.values())] = restorer.last.weight.grad
    plain, one, other, both = grads.values()
    assert not torch.allclose(one, plain)
    assert not torch.allclose(other, plain)
    torch.testing.assert_close(both - plain, (one - plain) + (other - plain), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("way", ["fine-tuned", "end to end"])
def test_tuning_changes_the_head_and_not_the_convolutions(way, splits, tmp_path):
    restorer, used, loss, tuned = networks(way)
    backbone = weights.state_hash(used["a"].backbone)
    head = weights.state_hash(used["a"].head)
    modes = []
    used["a"].register_forward_hook(
        lambda module, args, out: modes.append(
            (torch.is_grad_enabled(), module.backbone.training, module.head.training)
        )
    )
    options = {
        "loss": loss, "classifiers": used, "choices": CHOICES, "seed": 0, "name": way,
        "fingerprint": {}, "tuned": tuned, "tuning_rate": 1e-3,
    }  # fmt: skip
    train_recovery(restorer, splits, tmp_path / "run", SETTINGS, **options)
    assert weights.state_hash(used["a"].backbone) == backbone
    assert weights.state_hash(used["a"].head) != head
    assert set(modes) == {(True, False, True), (False, False, False)}  # dropout in training alone
    assert not any(p.requires_grad for p in used["a"].parameters())

    # A finished run gives both back to fresh networks.
    other, again, _, _ = networks(way)
    train_recovery(other, splits, tmp_path / "run", SETTINGS, **{**options, "classifiers": again})
    assert weights.state_hash(again["a"]) == weights.state_hash(used["a"])
    if restorer is not None:
        assert weights.state_hash(other) == weights.state_hash(restorer)


def test_fine_tuning_learns_what_the_distortion_took(tmp_path):
    """More right answers on distorted training images after it than before."""
    splits = data.load("photographs", 32, classes=3, per_class=8)
    _, used, loss, tuned = networks("fine-tuned")
    images, labels, _ = splits.train[range(len(splits.train))]
    noisy = distortions.gaussian_noise(images / 255, 40, generator=torch.Generator().manual_seed(0))

    def loss_on_noise():
        with torch.no_grad():
            return torch.nn.functional.cross_entropy(used["a"].eval()(noisy), labels).item()

    before = loss_on_noise()
    train_recovery(
        None, splits, tmp_path / "run", LoopSettings(epochs=8, batch_size=8, precision="32-true"),
        loss=loss, classifiers=used, choices={"noise": CHOICES["noise"]}, seed=0, name="tune",
        fingerprint={}, tuned=tuned,
    )  # fmt: skip
    assert loss_on_noise() < before


def test_kept_features_train_the_same_head(splits, tmp_path):
    """The images that come again pass through the backbone once, whatever the number of epochs."""
    curves, passed = [], []
    for keep in (False, True):
        _, used, loss, tuned = networks("fine-tuned")
        count = [0]
        used["a"].backbone.register_forward_hook(
            lambda module, args, out, count=count: count.__setitem__(0, count[0] + len(args[0]))
        )
        history = train_recovery(
            None, splits, tmp_path / str(keep), SETTINGS, loss=loss, classifiers=used,
            choices=CHOICES, seed=0, name="tune", fingerprint={}, tuned=tuned, keep_features=keep,
        )  # fmt: skip
        curves.append(history.frame.drop(columns="seconds").to_numpy(dtype=float))
        passed.append(count[0])
    torch.testing.assert_close(*map(torch.tensor, curves), rtol=1e-4, atol=1e-6)
    train, validation = len(splits.train) // 8 * 8, len(splits.validation)
    assert passed[0] == 2 * (2 * train + 2 * validation)
    assert passed[1] <= 2 * train + len(splits.train) + 2 * validation


def test_what_cannot_learn_is_refused():
    with pytest.raises(QrlibError, match="nothing would learn"):
        learning_part(None, None)
    _, used, loss, _ = networks("qrnet")
    with pytest.raises(QrlibError, match="unknown classifier to tune 'x'"):
        RecoveryTask(None, loss, used, {}, learning_rate=1e-3, seed=0, tuned="x")
