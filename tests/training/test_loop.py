"""Algorithm 1 and the loop: what a batch holds, what learns, and what interruption changes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from torch import nn

from qrlib import classifiers, data, distortions, weights
from qrlib.distortions import Distortion
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.training import loop
from qrlib.training.batches import BatchSampler, mix
from qrlib.training.classifier import ClassifierTask, _through_backbone, fit_classifier
from qrlib.training.loop import LoopSettings
from qrlib.training.recovery import RecoveryTask, distort_by_id, train_recovery
from qrlib.utils.errors import QrlibError

SCALE = 32 / 224
SETTINGS = LoopSettings(epochs=3, batch_size=8, precision="32-true")


@pytest.fixture
def splits():
    return data.load("photographs", 32, classes=3, per_class=8)


@pytest.fixture
def classifier():
    torch.manual_seed(3)
    return classifiers.build("small_vgg", 3, weights=None, image_size=32, head_width=8)


def make_net(seed=0):
    torch.manual_seed(seed)
    return QRNet(1)


def make_task(classifier=None, net=None, choices=None, learning_rate=1e-3):
    used = {"c": classifier} if classifier is not None else {}
    return RecoveryTask(
        net or make_net(),
        RecoveryLoss({name: 0.01 for name in used}),
        used,
        distortions.levels(blur_scale=SCALE) if choices is None else choices,
        learning_rate=learning_rate,
        seed=1,
    )


def fit(task, splits, folder, settings=SETTINGS, fingerprint=None):
    return loop.fit(
        task, splits.train, splits.validation, folder, settings,
        name="test", fingerprint=fingerprint or {"a": 1},
    )  # fmt: skip


def without_times(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history.rows]


def equal_weights(first, second):
    one, two = first.state_dict(), second.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


# Algorithm 1.


class Watch(RecoveryTask):
    """Keeps what each step is given and does."""

    def losses(self, inputs, targets, labels):
        self.__dict__.setdefault("calls", []).append((inputs, targets, labels, self.net.training))
        return super().losses(inputs, targets, labels)


def watched(splits, folder, monkeypatch, classifier=None, choices=None, epochs=2):
    applied = []
    call = Distortion.__call__

    def record(self, images, generator=None):
        applied.append(self)
        return call(self, images, generator)

    monkeypatch.setattr(Distortion, "__call__", record)
    used = {"c": classifier} if classifier is not None else {}
    task = Watch(
        make_net(), RecoveryLoss({n: 0.01 for n in used}), used,
        distortions.levels(blur_scale=SCALE) if choices is None else choices,
        learning_rate=1e-3, seed=1,
    )  # fmt: skip
    fit(task, splits, folder, LoopSettings(epochs=epochs, batch_size=8, precision="32-true"))
    training = [call for call in task.__dict__["calls"] if call[3]]
    validation = [call for call in task.__dict__["calls"] if not call[3]]
    return task, training, validation, applied


def test_a_batch_is_half_clean_and_half_distorted_alike(splits, tmp_path, monkeypatch):
    _, training, validation, applied = watched(splits, tmp_path / "r", monkeypatch, epochs=5)
    assert len(training) == 15  # 24 images, batches of 8, 5 epochs
    used = iter([d for d in applied if d.kind != "clean"])
    seen = set()
    for inputs, targets, labels, _ in training:
        assert inputs.shape == targets.shape == (16, 3, 32, 32)
        assert torch.equal(inputs[:8], targets[:8])  # clean in, clean out
        assert torch.equal(targets[8:], targets[:8])  # distorted in, the same clean image out
        assert torch.equal(labels[:8], labels[8:])
        changed = (inputs[8:] - targets[8:]).abs().amax((1, 2, 3))
        assert (changed > 0.01).all()
        seen.add(next(d for d in used if d is not None))
    assert len(seen) > 5
    assert len(validation) == 5


def test_one_distortion_and_level_a_batch(splits, tmp_path, monkeypatch):
    only = {"blur": [Distortion("blur", 1, 1.0), Distortion("blur", 5, 3.0)]}
    _, training, _, _ = watched(splits, tmp_path / "r", monkeypatch, choices=only, epochs=4)
    which = []
    for inputs, targets, _, _ in training:
        matches = [
            torch.allclose(inputs[8:], distortions.gaussian_blur(targets[8:], d.sigma), atol=1e-6)
            for d in only["blur"]
        ]
        assert sum(matches) == 1
        which.append(matches.index(True))
    assert set(which) == {0, 1}


def test_pretraining_sees_clean_images_alone(splits, tmp_path, monkeypatch):
    _, training, validation, applied = watched(
        splits, tmp_path / "r", monkeypatch, choices={}, epochs=1
    )
    assert applied == []
    for inputs, targets, _, _ in training + validation:
        assert torch.equal(inputs, targets)
    assert {len(call[0]) for call in training} == {8}


def test_dropout_acts_in_training_also_from_a_restored_network(splits, tmp_path):
    net = make_net()
    train_recovery(
        net, splits, tmp_path / "p", SETTINGS, loss=RecoveryLoss(), classifiers={}, choices={},
        seed=0, name="p", fingerprint={},
    )  # fmt: skip
    assert not net.training
    net.decoder[0][2].register_forward_hook(
        lambda module, args, out: modes.append((module.training, torch.is_grad_enabled()))
    )
    modes = []
    train_recovery(
        net, splits, tmp_path / "r", SETTINGS, loss=RecoveryLoss(), classifiers={},
        choices=distortions.levels(blur_scale=SCALE), seed=0, name="r", fingerprint={},
    )  # fmt: skip
    assert set(modes) == {(True, True), (False, False)}  # training with, validation without
    assert not net.training


def test_the_classifier_is_used_and_never_changed(splits, tmp_path, classifier):
    before = weights.state_hash(classifier)
    modes = []
    classifier.register_forward_hook(
        lambda module, args, out: modes.append(
            (module.backbone.training, module.head.training, args[0].requires_grad)
        )
    )
    task = make_task(classifier)
    start = {k: v.clone() for k, v in task.net.state_dict().items()}
    history = fit(task, splits, tmp_path / "r")
    assert weights.state_hash(classifier) == before
    assert {mode[:2] for mode in modes} == {(False, False)}
    assert {mode[2] for mode in modes} == {True, False}  # gradients in training only
    assert all(p.grad is None for p in classifier.parameters())
    assert not any("classifier" in key for key in task.state_dict())
    assert any(not torch.equal(start[k], v) for k, v in task.net.state_dict().items())
    row = history.rows[0]
    assert row["train_loss"] == pytest.approx(
        row["train_quality"] + 0.01 * row["train_c"], rel=1e-4
    )
    assert row["val_loss"] == pytest.approx(row["val_quality"] + 0.01 * row["val_c"], rel=1e-4)


def test_the_classifier_decides_what_is_learnt(splits, tmp_path, classifier):
    one, two = make_task(classifier), make_task()
    fit(one, splits, tmp_path / "one")
    fit(two, splits, tmp_path / "two")
    assert not equal_weights(one.net, two.net)


def test_gradient_of_one_step_reaches_the_restorer_only(classifier):
    task = make_task(classifier)
    images = torch.rand(4, 3, 32, 32)
    parts = task.losses(images, images, torch.tensor([0, 1, 2, 0]))
    parts["c"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in task.net.parameters())
    assert all(p.grad is None for p in classifier.parameters())
    own = {id(p) for p in task.net.parameters()}
    optimised = {id(p) for g in task.configure_optimizers().param_groups for p in g["params"]}
    assert optimised == own


def test_validation_distortion_follows_the_id():
    choices = distortions.levels(blur_scale=SCALE)
    ids = [f"image-{i}" for i in range(60)]
    images = torch.rand(60, 3, 32, 32)
    whole = distort_by_id(images, ids, choices)
    assert torch.equal(whole, distort_by_id(images, ids, choices))
    some = [41, 3, 17]
    again = distort_by_id(images[some], [ids[i] for i in some], choices)
    torch.testing.assert_close(again, whole[some], atol=1e-6, rtol=0)
    assert ((whole - images).abs().amax((1, 2, 3)) > 0.001).all()
    flat = [d for options in choices.values() for d in options]
    found = set()
    for name, image, distorted in zip(ids, images, whole, strict=True):
        matches = [
            number
            for number, d in enumerate(flat)
            if torch.allclose(
                distortions.distort_for_evaluation(image[None], [name], d)[0], distorted, atol=1e-6
            )
        ]
        assert len(matches) == 1
        found.update(matches)
    assert found == set(range(10))  # every kind and level


# The loop.


def test_settings_are_the_papers():
    settings = LoopSettings()
    assert (settings.epochs, settings.patience, settings.batch_size) == (200, 5, 32)
    optimiser = make_task(learning_rate=settings.learning_rate).configure_optimizers()
    assert isinstance(optimiser, torch.optim.Adam)
    assert optimiser.param_groups[0]["lr"] == 1e-3


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_learning_rate_follows_the_schedule(splits, tmp_path, schedule):
    task, rates = make_task(), []
    step = task.training_step

    def noted(*args):
        rates.append(task.optimizers().param_groups[0]["lr"])
        return step(*args)

    task.training_step = noted
    settings = LoopSettings(epochs=3, batch_size=8, precision="32-true", schedule=schedule)
    fit(task, splits, tmp_path / "r", settings)
    steps = np.arange(9)  # three epochs of three
    shares = (1 + np.cos(np.pi * steps / 9)) / 2 if schedule == "cosine" else np.ones(9)
    np.testing.assert_allclose(rates, 1e-3 * shares, rtol=1e-6)


class Scripted(loop.Task):
    """One weight that counts epochs, and validation losses from a list."""

    def __init__(self, losses):
        super().__init__()
        self.net = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.net.weight)
        self.learning_rate, self.seed, self.script = 0.0, 0, losses

    def training_step(self, batch, index):
        loss = self.net(torch.ones(1, 1)).sum() * 0
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        nn.init.constant_(self.net.weight, self.current_epoch + 1)

    def validation_step(self, batch, index):
        value = torch.tensor(float(self.script[self.current_epoch]))
        self.log("val_loss", value, on_step=False, on_epoch=True, batch_size=1)


def scripted(losses, splits, folder, **settings):
    task = Scripted(losses)
    options = {"epochs": len(losses), "batch_size": 8, "precision": "32-true", **settings}
    return task, fit(task, splits, folder, LoopSettings(**options))


def test_best_weights_are_those_of_the_lowest_validation_loss(splits, tmp_path):
    task, history = scripted([5, 3, 4, 2, 2, 6], splits, tmp_path / "r")
    assert [row["val_loss"] for row in history.rows] == [5, 3, 4, 2, 2, 6]
    assert [row["epoch"] for row in history.rows] == [1, 2, 3, 4, 5, 6]
    assert history.best_epoch == 4
    assert task.net.weight.item() == 4
    assert not task.net.training
    assert history.frame["val_loss"].idxmin() == 3


def test_early_stopping_after_patience(splits, tmp_path):
    task, history = scripted([5, 3, 4, 4, 4, 1, 1], splits, tmp_path / "r", patience=3)
    assert len(history.rows) == 5
    assert (history.best_epoch, task.net.weight.item()) == (2, 2)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_validation_loss_that_is_no_number_stops_the_run(splits, tmp_path, value):
    with pytest.raises(QrlibError, match="epoch 2 ended with .*val_loss (nan|inf)"):
        scripted([5, value, 1], splits, tmp_path / "r")


def test_a_training_loss_that_is_no_number_names_the_step(splits, tmp_path):
    task = make_task()
    steps = []
    losses = task.losses

    def broken(*args):
        parts = losses(*args)
        steps.append(1)
        return {**parts, "loss": parts["loss"] * float("nan")} if len(steps) == 5 else parts

    task.losses = broken
    with pytest.raises(QrlibError, match=r"the loss is nan at step 3 \(epoch 2, batch 1: 8 images"):
        fit(task, splits, tmp_path / "r")


def test_a_finished_run_is_not_trained_again(splits, tmp_path, monkeypatch):
    first = make_task()
    history = fit(first, splits, tmp_path / "r")
    assert not (tmp_path / "r" / "last.ckpt").exists()

    def never(*args):
        raise AssertionError("trained again")

    monkeypatch.setattr(RecoveryTask, "training_step", never)
    second = make_task(net=make_net(7))
    assert fit(second, splits, tmp_path / "r") == history
    assert equal_weights(first.net, second.net)
    assert not second.net.training


def test_another_fingerprint_starts_anew(splits, tmp_path, capsys):
    fit(make_task(), splits, tmp_path / "r")
    (tmp_path / "r" / "old").write_text("x")
    capsys.readouterr()
    task = make_task(net=make_net(7))
    history = fit(task, splits, tmp_path / "r", fingerprint={"a": 2})
    assert "starting anew" in capsys.readouterr().out
    assert history.resumed == 0
    assert not (tmp_path / "r" / "old").exists()
    alone = make_task(net=make_net(7))
    assert without_times(fit(alone, splits, tmp_path / "s")) == without_times(history)
    assert equal_weights(alone.net, task.net)


def test_a_run_is_repeatable(splits, tmp_path, classifier):
    one, two = make_task(classifier), make_task(classifier)
    first = fit(one, splits, tmp_path / "one")
    torch.rand(7)  # the state of torch's own generator does not matter
    second = fit(two, splits, tmp_path / "two")
    assert without_times(first) == without_times(second)
    assert equal_weights(one.net, two.net)


class Killed(Exception):
    """Stands for a crash."""


def kill_at(task, step, at="training_step"):
    """Make the task die in its `step`-th training step."""
    count = []
    original = getattr(task, at)

    def dying(*args):
        count.append(1)
        if len(count) == step:
            raise Killed
        return original(*args)

    setattr(task, at, dying)
    return task


@pytest.mark.parametrize(
    ("precision", "steps", "schedule"),
    [
        *(("32-true", steps, "constant") for steps in [(2,), (4,), (6,), (5, 3), (8, 1, 1)]),
        ("32-true", (5, 3), "cosine"),
        ("bf16-mixed", (5, 3), "constant"),  # once: a minute where the processor has no bf16
    ],
)
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    splits, tmp_path, classifier, precision, steps, schedule
):
    """Three epochs of three steps, killed in the given steps, each counted from the start again."""
    settings = LoopSettings(epochs=3, batch_size=8, precision=precision, schedule=schedule)
    whole = make_task(classifier)
    expected = fit(whole, splits, tmp_path / "whole", settings)
    for step in steps:
        task = kill_at(make_task(classifier), step)
        with pytest.raises(Killed):
            fit(task, splits, tmp_path / "r", settings)
    resumed = make_task(classifier)
    history = fit(resumed, splits, tmp_path / "r", settings)
    assert without_times(history) == without_times(expected)
    assert history.best_epoch == expected.best_epoch
    assert equal_weights(whole.net, resumed.net)
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == ["best.safetensors", "state.json"]


def test_resuming_counts_and_adds_up_the_time(splits, tmp_path):
    with pytest.raises(Killed):
        fit(kill_at(make_task(), 4), splits, tmp_path / "r")
    steps = []
    task = make_task()
    step = task.training_step
    task.training_step = lambda *args: (steps.append(1), step(*args))[1]
    history = fit(task, splits, tmp_path / "r")
    assert len(steps) == 6  # the first epoch is not trained again
    assert history.resumed == 1
    assert history.seconds == pytest.approx(sum(r["seconds"] for r in history.rows), abs=0.05)


@pytest.mark.parametrize("losses", [[5, 3, 4], [5, 6, 7, 8, 9]])
def test_killed_between_the_last_epoch_and_the_end(splits, tmp_path, monkeypatch, losses):
    """After the last epoch, or after early stopping with patience 2: nothing is left to train."""
    write_json = loop.files.write_json

    def dying(path, value):
        if value.get("finished"):
            raise Killed
        write_json(path, value)

    monkeypatch.setattr(loop.files, "write_json", dying)
    with pytest.raises(Killed):
        scripted(losses, splits, tmp_path / "r", patience=2)
    monkeypatch.undo()

    def never(*args):
        raise AssertionError("trained again")

    monkeypatch.setattr(Scripted, "training_step", never)
    task, history = scripted(losses, splits, tmp_path / "r", patience=2)
    assert [row["val_loss"] for row in history.rows] == losses[:3]
    assert task.net.weight.item() == history.best_epoch


def test_early_stopping_counts_across_an_interruption(splits, tmp_path):
    losses = [5, 3, 4, 4, 4, 1]
    settings = LoopSettings(epochs=6, patience=3, batch_size=8, precision="32-true")
    with pytest.raises(Killed):
        fit(kill_at(Scripted(losses), 10), splits, tmp_path / "r", settings)
    task = Scripted(losses)
    history = fit(task, splits, tmp_path / "r", settings)
    assert [row["val_loss"] for row in history.rows] == losses[:5]
    assert (history.best_epoch, task.net.weight.item()) == (2, 2)


def test_a_moved_folder_is_resumed_and_stays_tidy(splits, tmp_path):
    with pytest.raises(Killed):
        fit(kill_at(make_task(), 4), splits, tmp_path / "r")
    (tmp_path / "r").rename(tmp_path / "s")
    with pytest.raises(Killed):
        fit(kill_at(make_task(), 4), splits, tmp_path / "s")
    names = {p.name for p in (tmp_path / "s").iterdir()}
    assert names == {"best.safetensors", "last.ckpt", "state.json"}
    assert fit(make_task(), splits, tmp_path / "s").resumed == 2


@pytest.mark.parametrize("keep", [0, 1000, 20_000])
def test_a_damaged_checkpoint_is_named(splits, tmp_path, keep):
    with pytest.raises(Killed):
        fit(kill_at(make_task(), 4), splits, tmp_path / "r")
    checkpoint = tmp_path / "r" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:keep])
    with pytest.raises(QrlibError, match=r"checkpoint .*last\.ckpt is damaged.*delete it"):
        fit(make_task(), splits, tmp_path / "r")
    checkpoint.unlink()  # the way out that the message names
    assert fit(make_task(), splits, tmp_path / "r").resumed == 0


def test_damaged_run_state_and_weights_are_named(splits, tmp_path):
    fit(make_task(), splits, tmp_path / "r")
    best = tmp_path / "r" / "best.safetensors"
    whole = best.read_bytes()
    best.write_bytes(whole[:100])
    with pytest.raises(QrlibError, match=r"weights of the finished run r are damaged; delete"):
        fit(make_task(), splits, tmp_path / "r")
    best.write_bytes(whole)
    state = tmp_path / "r" / "state.json"
    told = json.loads(state.read_text())
    without = {**told["history"]}
    del without["rows"]
    for damage in ("{", "[]", "7", "{}", {**told, "fingerprint": 1}, {**told, "history": None},
                   {**told, "history": without}):  # fmt: skip
        state.write_text(damage if isinstance(damage, str) else json.dumps(damage))
        with pytest.raises(QrlibError, match=r"run state .*state\.json is damaged.*; delete"):
            fit(make_task(), splits, tmp_path / "r")
    state.write_text(json.dumps(told))
    assert fit(make_task(), splits, tmp_path / "r").best_epoch == told["history"]["best_epoch"]


def test_a_full_disk_keeps_the_last_checkpoint(splits, tmp_path, monkeypatch):
    replace, count = os.replace, []

    def filling(source, target):
        if str(target).endswith("last.ckpt"):
            count.append(1)
            if len(count) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", filling)
    with pytest.raises(QrlibError, match=r"disk full while writing .*last\.ckpt"):
        fit(make_task(), splits, tmp_path / "r")
    monkeypatch.undo()
    resumed, whole = make_task(), make_task()
    history = fit(resumed, splits, tmp_path / "r")
    assert history.resumed == 1
    assert without_times(history) == without_times(fit(whole, splits, tmp_path / "whole"))
    assert equal_weights(resumed.net, whole.net)


CHILD = """
import sys, time, pathlib, torch
from qrlib import data, distortions
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.training import loop
from qrlib.training.loop import LoopSettings
from qrlib.training.recovery import RecoveryTask
torch.set_num_threads(1)
splits = data.load("photographs", 32, classes=3, per_class=8)
torch.manual_seed(0)
task = RecoveryTask(QRNet(1), RecoveryLoss(), {{}}, distortions.levels(blur_scale=32 / 224),
                    learning_rate=1e-3, seed=1)
step = task.training_step
task.training_step = lambda *a: (time.sleep({pause}), step(*a))[1]
settings = LoopSettings(epochs={epochs}, batch_size=8, precision="32-true")
history = loop.fit(task, splits.train, splits.validation, pathlib.Path(sys.argv[1]), settings,
                   name="child", fingerprint={{"a": 1}})
"""


@pytest.mark.slow
def test_a_process_killed_outright_is_resumed(splits, tmp_path):
    folder = tmp_path / "r"
    code = CHILD.format(pause=0.3, epochs=4)
    child = subprocess.Popen([sys.executable, "-c", code, str(folder)])
    deadline = time.monotonic() + 120
    while not (folder / "last.ckpt").exists():
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.2)  # into the second or third epoch
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not json.loads((folder / "state.json").read_text())["finished"]
    settings = LoopSettings(epochs=4, batch_size=8, precision="32-true")
    resumed, whole = make_task(), make_task()
    history = fit(resumed, splits, folder, settings)
    assert history.resumed == 1
    expected = fit(whole, splits, tmp_path / "whole", settings)
    assert without_times(history) == without_times(expected)
    assert equal_weights(resumed.net, whole.net)


# Classifier training.


def test_classifier_learns_clean_images(splits, tmp_path, classifier):
    settings = LoopSettings(epochs=4, batch_size=8, precision="32-true")
    run = {"seed": 0, "name": "c", "fingerprint": {}}
    history = fit_classifier(classifier, splits, tmp_path / "c", settings, **run)
    assert not any(m.training for m in classifier.modules() if m is not classifier)
    assert {"train_loss", "val_loss", "train_accuracy", "val_accuracy"} <= set(history.rows[0])
    assert history.rows[-1]["train_loss"] < history.rows[0]["train_loss"]
    torch.manual_seed(9)
    other = classifiers.build("small_vgg", 3, weights=None, image_size=32, head_width=8)
    again = fit_classifier(other, splits, tmp_path / "c", settings, **run)
    assert again == history
    assert weights.state_hash(other) == weights.state_hash(classifier)


def head_run(classifier, splits, folder):
    settings = LoopSettings(epochs=2, batch_size=8, precision="32-true")
    return fit_classifier(classifier, splits, folder, settings, seed=0, name="c", fingerprint={})


def test_fully_connected_training_changes_the_head_alone(splits, tmp_path, classifier):
    classifier.set_trainable("fully_connected")
    before = {k: v.clone() for k, v in classifier.state_dict().items()}
    modes = []
    classifier.head[2].register_forward_hook(lambda m, args, out: modes.append(m.training))
    head_run(classifier, splits, tmp_path / "c")
    for key, value in classifier.state_dict().items():
        assert torch.equal(value, before[key]) == key.startswith("backbone."), key
    assert set(modes) == {True, False}  # dropout acts in training
    stored = weights.read(tmp_path / "c" / "best.safetensors")[0]
    assert stored.keys() == classifier.head.state_dict().keys()


def test_a_classifier_trained_by_its_features_can_guide_a_restorer(splits, tmp_path, classifier):
    head_run(classifier.set_trainable("fully_connected"), splits, tmp_path / "c")
    task = make_task(classifier)
    before = weights.state_hash(classifier)
    fit(task, splits, tmp_path / "r", LoopSettings(epochs=1, batch_size=8, precision="32-true"))
    assert weights.state_hash(classifier) == before


def test_features_give_the_logits_of_the_whole_model(splits, tmp_path, classifier):
    classifier.set_trainable("fully_connected")
    seen = _through_backbone(classifier, splits.train, "32-true")
    features, labels, ids = seen[[5, 0, 11]]
    images, expected_labels, expected_ids = splits.train[[5, 0, 11]]
    assert torch.equal(labels, expected_labels)
    assert ids == expected_ids
    assert len(seen) == len(splits.train)
    classifier.eval()
    with torch.no_grad():
        whole = classifier(images.float() / 255)
        torch.testing.assert_close(classifier.head(features), whole, atol=1e-5, rtol=1e-5)


def test_fully_connected_training_equals_training_through_the_backbone(
    splits, tmp_path, classifier
):
    """The short way and the long way round: the same numbers but for rounding."""
    classifier.set_trainable("fully_connected")
    start = {k: v.clone() for k, v in classifier.state_dict().items()}
    short = head_run(classifier, splits, tmp_path / "short")
    classifier.load_state_dict(start)
    classifier.train()
    task = ClassifierTask(classifier, learning_rate=1e-3, seed=0)
    settings = LoopSettings(epochs=2, batch_size=8, precision="32-true")
    long = fit(task, splits, tmp_path / "long", settings)
    for one, two in zip(short.rows, long.rows, strict=True):
        assert one["train_loss"] == pytest.approx(two["train_loss"], rel=1e-4)
        assert one["val_loss"] == pytest.approx(two["val_loss"], rel=1e-4)


# Batches.


def test_every_image_at_most_once_an_epoch():
    sampler = BatchSampler(21, 4, seed=5)
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler) == 5
        assert {len(batch) for batch in batches} == {4}
        flat = [i for batch in batches for i in batch]
        assert len(set(flat)) == 20
        assert set(flat) <= set(range(21))
        epochs.append(flat)
    assert epochs[0] != epochs[1] != epochs[2]


def test_order_follows_seed_and_epoch_alone():
    def order(seed, epoch):
        sampler = BatchSampler(21, 4, seed=seed)
        sampler.set_epoch(epoch)
        np.random.default_rng().random()
        return list(sampler)

    assert order(5, 2) == order(5, 2)
    assert order(5, 2) != order(6, 2)
    assert order(5, 2) != order(5, 3)


def test_without_a_seed_all_images_come_in_order():
    assert list(BatchSampler(5, 2, seed=None)) == [[0, 1], [2, 3], [4]]


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(QrlibError, match="batch_size 9 is larger than the training set of 8"):
        BatchSampler(8, 9, seed=0)


@pytest.mark.parametrize("world", [2, 3, 4])
@pytest.mark.parametrize("seed", [0, None])
def test_shares_of_the_processes_make_the_batch(monkeypatch, world, seed):
    whole = list(BatchSampler(26, 8, seed=seed))
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: world)
    shares = []
    for rank in range(world):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        shares.append(list(BatchSampler(26, 8, seed=seed)))
    assert {len(share) for share in shares} == {len(whole)}
    for batch, *parts in zip(whole, *shares, strict=True):
        assert all(parts)
        flat = [i for part in parts for i in part]
        assert set(flat) == set(batch)
        if len(batch) >= world:
            assert len(flat) == len(batch)


def test_mix_is_the_same_for_good():
    assert mix(0, "noise") == 6505244130947626027
    assert 0 <= mix("x") < 2**63
    assert len({mix(a, b) for a in range(20) for b in range(20)}) == 400
