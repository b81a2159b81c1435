"""Algorithm 1: what a batch holds, and what learns (Sections III-B, III-C, III-D and IV-B2)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.training import CHOICES, SETTINGS, fit, make_net, make_task

from qrlib import classifiers, distortions, weights
from qrlib.distortions import Distortion
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.training.batches import distort_by_id
from qrlib.training.recovery import RecoveryTask, learning_part, train_recovery
from qrlib.utils.errors import QrlibError

# What a batch holds.


@pytest.fixture
def steps(monkeypatch):
    """What each step is given: inputs, targets, labels, and whether it trains."""
    given = []
    losses = RecoveryTask.losses

    def noted(self, inputs, targets, labels):
        given.append((inputs, targets, labels, self.net.training))
        return losses(self, inputs, targets, labels)

    monkeypatch.setattr(RecoveryTask, "losses", noted)
    return given


@pytest.mark.slow
def test_a_batch_is_half_clean_and_half_distorted_alike(splits, tmp_path, steps):
    """One distortion and level a batch."""
    blurs = [Distortion("blur", 1, 1.0), Distortion("blur", 5, 3.0)]
    fit(make_task(choices={"blur": blurs}), splits, tmp_path / "r", replace(SETTINGS, epochs=4))
    training = [step for step in steps if step[3]]
    assert (len(training), len(steps)) == (12, 16)  # 24 images, batches of 8, 4 epochs
    drawn = set()
    for inputs, targets, labels, _ in training:
        assert inputs.shape == targets.shape == (16, 3, 32, 32)
        assert torch.equal(inputs[:8], targets[:8])  # clean in, clean out
        assert torch.equal(targets[8:], targets[:8])  # distorted in, the same clean image out
        assert torch.equal(labels[:8], labels[8:])
        expected = [distortions.gaussian_blur(targets[8:], blur.sigma) for blur in blurs]
        alike = [torch.allclose(inputs[8:], images, atol=1e-6) for images in expected]
        assert sum(alike) == 1
        drawn.add(alike.index(True))
    assert drawn == {0, 1}


def test_pretraining_sees_clean_images_alone(splits, tmp_path, steps):
    fit(make_task(choices={}), splits, tmp_path / "r", replace(SETTINGS, epochs=1))
    assert [len(step[0]) for step in steps if step[3]] == [8, 8, 8]
    for inputs, targets, *_ in steps:
        assert torch.equal(inputs, targets)


def test_validation_distortion_follows_the_id():
    ids = [f"image-{i}" for i in range(60)]
    images = torch.rand(60, 3, 32, 32)
    whole = distort_by_id(images, ids, CHOICES)
    assert torch.equal(whole, distort_by_id(images, ids, CHOICES))
    some = [41, 3, 17]
    again = distort_by_id(images[some], [ids[i] for i in some], CHOICES)
    torch.testing.assert_close(again, whole[some], atol=1e-6, rtol=0)
    drawn = torch.zeros(60, dtype=torch.int)
    for kind in CHOICES.values():  # each image has one of all kinds and levels, and each is there
        for distortion in kind:
            expected = distortions.distort_for_evaluation(images, ids, distortion)
            alike = (expected - whole).abs().amax((1, 2, 3)) < 1e-6
            assert alike.any()
            drawn += alike
    assert (drawn == 1).all()


# What learns.

#: way -> restorer, classifiers, tuned
WAYS = {
    "recnet": (True, (), None),
    "qrnet": (True, ("a",), None),
    "mqrnet": (True, ("a", "b"), None),
    "fine-tuned": (False, ("a",), "a"),
    "end to end": (True, ("a",), "a"),
}


def networks(way, convs=1):
    """Restorer, classifiers, loss, and the name of the classifier that is tuned."""
    restores, names, tuned = WAYS[way]
    torch.manual_seed(2)
    made = {"a": ("small_vgg", {"head_width": 8}), "b": ("small_resnet", {})}
    used = {
        name: classifiers.build(made[name][0], 3, weights=None, image_size=32, **made[name][1])
        for name in names
    }
    if restores:
        return QRNet(convs), used, RecoveryLoss(dict.fromkeys(used, 0.01)), tuned
    return None, used, RecoveryLoss({"a": 1.0}, quality_weight=0.0), tuned


def train(restorer, splits, folder, settings=SETTINGS, **options):
    names = ("name", "fingerprint", "validation_images")
    loop = {"name": "test", "fingerprint": {}} | {n: options.pop(n) for n in names if n in options}
    defaults = {"loss": RecoveryLoss(), "classifiers": {}, "choices": CHOICES, "seed": 0}
    task = RecoveryTask(
        restorer, **{"learning_rate": settings.learning_rate, **defaults, **options}
    )
    return train_recovery(task, splits, folder, settings, **loop)


@pytest.mark.parametrize("convs", [1, 2])
@pytest.mark.parametrize("way", WAYS)
def test_gradients_reach_what_learns_and_nothing_else(way, convs):
    restorer, used, loss, tuned = networks(way, convs)
    task = RecoveryTask(
        restorer, loss, used, CHOICES, learning_rate=1e-3, seed=0, tuned=tuned, tuning_rate=1e-4
    )
    task.train()
    images, targets = torch.rand(2, 4, 3, 32, 32)
    parts = task.losses(images, targets, torch.tensor([0, 1, 2, 0]))
    parts["loss"].backward()
    assert set(parts) == {"loss", *used} | ({"quality"} if restorer else set())
    learning = list(restorer.parameters()) if restorer else []
    if tuned:
        learning += list(used[tuned].head.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learning)
    chosen = {id(p) for p in learning}
    for classifier in used.values():
        assert all(p.grad is None for p in classifier.parameters() if id(p) not in chosen)
    groups = task.configure_optimizers().param_groups
    assert {id(p) for group in groups for p in group["params"]} == chosen
    rates = [1e-3] * bool(restorer) + [1e-4] * bool(tuned)
    assert [group["lr"] for group in groups] == rates


@pytest.mark.slow
def test_both_classifiers_of_mqrnet_move_the_restorer():
    """Equation 5: the gradient is the sum of those of the parts."""
    gradients = []
    for a, b in ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)):
        restorer, used, _, _ = networks("mqrnet")
        loss = RecoveryLoss({"a": a, "b": b})
        task = RecoveryTask(restorer.eval(), loss, used, CHOICES, learning_rate=1e-3, seed=0)
        torch.manual_seed(0)
        images, targets = torch.rand(2, 4, 3, 32, 32)
        task.losses(images, targets, torch.tensor([0, 1, 2, 0]))["loss"].backward()
        gradients.append(restorer.last.weight.grad)
    plain, first, second, both = gradients
    assert not torch.allclose(first, plain)
    assert not torch.allclose(second, plain)
    torch.testing.assert_close(both - plain, first + second - 2 * plain, atol=1e-6, rtol=1e-4)


def test_without_labels_the_aim_is_what_the_classifier_answers_for_clean_images():
    """The loss is that of these answers as labels, least where both images get the same answer."""
    restorer, used, _, _ = networks("qrnet")
    ((name, judge),) = used.items()
    loss, rest = RecoveryLoss({name: 1.0}, quality_weight=0), {"learning_rate": 1e-3, "seed": 0}
    task = RecoveryTask(restorer.eval(), loss, used, CHOICES, aims="answers", **rest)
    torch.manual_seed(0)
    images, targets = torch.rand(2, 4, 3, 32, 32)
    answers = judge(targets).softmax(1).detach()
    wanted = -(answers * judge(restorer(images)).log_softmax(1)).sum(1).mean()
    for labels in (torch.tensor([0, 1, 2, 0]), torch.tensor([2, 2, 2, 2])):  # never looked at
        torch.testing.assert_close(task.losses(images, targets, labels)["loss"], wanted)
    entropy = -(answers * answers.log()).sum(1).mean()
    task.restore = lambda inputs: targets
    torch.testing.assert_close(task.losses(images, targets, labels)["loss"], entropy)
    assert entropy < wanted


def test_stability_training_aims_at_the_label_and_at_the_answer_for_the_clean_image():
    _, used, _, _ = networks("fine-tuned")
    ((name, judge),) = used.items()
    loss = RecoveryLoss({name: 1.0}, quality_weight=0)
    rest = {"learning_rate": 1e-3, "seed": 0, "tuned": name, "aims": "stable"}
    task = RecoveryTask(None, loss, used, CHOICES, **rest)
    judge.eval()  # no dropout
    images, labels = torch.rand(8, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    logits = judge(images)
    right = torch.nn.functional.cross_entropy(logits[:4], labels)
    near = -(logits[:4].softmax(1) * logits[4:].log_softmax(1)).sum(1).mean()
    found = task.losses(images, images, torch.cat([labels, 2 - labels]))["loss"]
    torch.testing.assert_close(found, (right + near) / 2)
    for unfit in ({"restorer": QRNet()}, {"micro_batches": 2}):
        given = {"restorer": None, "classifiers": used, "loss": loss, "choices": CHOICES, **rest}
        with pytest.raises(QrlibError, match=r"set recovery.micro_batches to 1"):
            RecoveryTask(**given | unfit)


@pytest.mark.slow
def test_the_classifier_is_used_and_never_changed(splits, tmp_path, classifier):
    before = weights.state_hash(classifier)
    modes = []
    classifier.register_forward_hook(
        lambda module, args, out: modes.append(
            (module.backbone.training, module.head.training, args[0].requires_grad)
        )
    )
    task = make_task(classifier)
    row = fit(task, splits, tmp_path / "r").rows[0]
    assert weights.state_hash(classifier) == before
    # gradients in training alone, dropout never
    assert set(modes) == {(False, False, True), (False, False, False)}
    assert not any("classifier" in key for key in task.state_dict())
    for part in ("train", "val"):
        total = row[f"{part}_quality"] + 0.01 * row[f"{part}_c"]
        assert row[f"{part}_loss"] == pytest.approx(total, rel=1e-4)


@pytest.mark.slow
def test_dropout_acts_in_training_also_from_a_restored_network(splits, tmp_path):
    net = make_net()
    train(net, splits, tmp_path / "p", choices={})
    assert not net.training
    modes = []
    net.decoder[0][2].register_forward_hook(
        lambda module, args, out: modes.append((module.training, torch.is_grad_enabled()))
    )
    train(net, splits, tmp_path / "r")
    assert set(modes) == {(True, True), (False, False)}  # training with, validation without
    assert not net.training


@pytest.mark.parametrize("way", ["fine-tuned", "end to end"])
@pytest.mark.slow
def test_tuning_changes_the_head_and_not_the_convolutions(way, splits, tmp_path):
    restorer, used, loss, tuned = networks(way)
    backbone, head = (weights.state_hash(part) for part in (used["a"].backbone, used["a"].head))
    modes = []
    used["a"].register_forward_hook(
        lambda module, args, out: modes.append(
            (torch.is_grad_enabled(), module.backbone.training, module.head.training)
        )
    )
    options = {"loss": loss, "tuned": tuned, "tuning_rate": 1e-3}
    train(restorer, splits, tmp_path / "run", classifiers=used, **options)
    assert weights.state_hash(used["a"].backbone) == backbone
    assert weights.state_hash(used["a"].head) != head
    assert set(modes) == {(True, False, True), (False, False, False)}  # dropout in training alone
    assert not any(p.requires_grad for p in used["a"].parameters())

    # A finished run gives both back to fresh networks.
    other, again, _, _ = networks(way)
    train(other, splits, tmp_path / "run", classifiers=again, **options)
    assert weights.state_hash(again["a"]) == weights.state_hash(used["a"])
    if restorer is not None:
        assert weights.state_hash(other) == weights.state_hash(restorer)


def test_kept_features_train_the_same_head(splits, tmp_path):
    """The images that come again pass through the backbone once, whatever the number of epochs."""
    curves, passed = [], []
    for keep in (False, True):
        _, used, loss, tuned = networks("fine-tuned")
        count = [0]
        used["a"].backbone.register_forward_hook(
            lambda module, args, out, count=count: count.__setitem__(0, count[0] + len(args[0]))
        )
        history = train(
            None, splits, tmp_path / str(keep), replace(SETTINGS, epochs=2),
            loss=loss, classifiers=used, tuned=tuned, keep_features=keep,
        )  # fmt: skip
        curves.append(history.frame.drop(columns="seconds").to_numpy(dtype=float))
        passed.append(count[0])
    torch.testing.assert_close(*map(torch.tensor, curves), rtol=1e-4, atol=1e-6)
    images, validation = len(splits.train), len(splits.validation)
    assert passed[0] == 2 * (2 * images + 2 * validation)
    assert passed[1] <= 2 * images + images + 2 * validation


def test_what_cannot_learn_is_refused():
    with pytest.raises(QrlibError, match="nothing would learn"):
        learning_part(None, None)
    _, used, loss, _ = networks("qrnet")
    with pytest.raises(QrlibError, match="unknown classifier to tune 'x'"):
        RecoveryTask(None, loss, used, {}, learning_rate=1e-3, seed=0, tuned="x")
