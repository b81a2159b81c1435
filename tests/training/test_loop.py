"""The loop: early stopping and best weights, and what interruption changes."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.training import (
    SETTINGS,
    Killed,
    assert_same_run,
    before_step,
    equal_weights,
    fit,
    kill_at,
    kill_process_at,
    make_net,
    make_task,
)
from torch import nn

from qrlib.training import loop
from qrlib.training.loop import LoopSettings
from qrlib.training.recovery import RecoveryTask
from qrlib.utils.errors import QrlibError


def test_settings_are_the_papers():
    settings = LoopSettings()
    assert (settings.epochs, settings.patience, settings.batch_size) == (200, 5, 32)
    optimiser = make_task(learning_rate=settings.learning_rate).configure_optimizers()
    assert isinstance(optimiser, torch.optim.Adam)
    assert optimiser.param_groups[0]["lr"] == 1e-3


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.slow
def test_the_learning_rate_follows_the_schedule(splits, tmp_path, schedule):
    task, rates = make_task(), []
    step = task.training_step

    def noted(*args):
        rates.append(task.optimizers().param_groups[0]["lr"])
        return step(*args)

    task.training_step = noted
    fit(task, splits, tmp_path / "r", replace(SETTINGS, schedule=schedule))
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


def refuse_to_train(task_class, monkeypatch):
    def train(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(task_class, "training_step", train)


@pytest.mark.parametrize(
    ("losses", "patience", "epochs", "best"),
    [([5, 3, 4, 2, 2, 6], 5, 6, 4), ([5, 3, 4, 4, 4, 1, 1], 3, 5, 2)],
)
def test_weights_are_those_of_the_lowest_validation_loss(
    splits, tmp_path, losses, patience, epochs, best
):
    """Of two equal ones the first; without a lower one in `patience` epochs the run ends."""
    task, history = scripted(losses, splits, tmp_path / "r", patience=patience)
    assert [row["val_loss"] for row in history.rows] == losses[:epochs]
    assert [row["epoch"] for row in history.rows] == list(range(1, epochs + 1))
    assert history.best_epoch == task.net.weight.item() == best
    assert history.frame["val_loss"].idxmin() == best - 1
    assert not task.net.training


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_validation_loss_that_is_no_number_stops_the_run(splits, tmp_path, value):
    with pytest.raises(QrlibError, match="epoch 2 ended with .*val_loss (nan|inf)"):
        scripted([5, value, 1], splits, tmp_path / "r")


@pytest.mark.slow
def test_a_finished_run_is_not_trained_again(splits, tmp_path, monkeypatch):
    first, second = make_task(), make_task(net=make_net(7))
    history = fit(first, splits, tmp_path / "r")
    assert not (tmp_path / "r" / "last.ckpt").exists()
    refuse_to_train(RecoveryTask, monkeypatch)
    assert fit(second, splits, tmp_path / "r") == history
    assert equal_weights(first.net, second.net)
    assert not second.net.training


@pytest.mark.slow
def test_another_fingerprint_starts_anew(splits, tmp_path, capsys):
    fit(make_task(), splits, tmp_path / "r")
    (tmp_path / "r" / "old").write_text("x")
    capsys.readouterr()
    history = fit(make_task(net=make_net(7)), splits, tmp_path / "r", fingerprint={"a": 2})
    assert "starting anew" in capsys.readouterr().out
    assert history.resumed == 0
    assert not (tmp_path / "r" / "old").exists()


@pytest.mark.parametrize(
    ("precision", "schedule", "steps"),
    [
        ("32-true", "constant", (8, 1, 1)),
        ("32-true", "cosine", (2, 5)),  # the first before there is a checkpoint
        ("bf16-mixed", "constant", (5,)),  # slow without bfloat16
    ],
)
@pytest.mark.slow
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    splits, tmp_path, classifier, precision, schedule, steps
):
    """Three epochs of three steps, killed in the given steps, each counted from the start again."""
    settings = replace(SETTINGS, precision=precision, schedule=schedule)
    whole, resumed = make_task(classifier), make_task(classifier)
    expected = fit(whole, splits, tmp_path / "whole", settings)
    for step in steps:
        with pytest.raises(Killed):
            fit(kill_at(make_task(classifier), step), splits, tmp_path / "r", settings)
    history = fit(resumed, splits, tmp_path / "r", settings)
    assert_same_run(whole, expected, resumed, history)
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == ["best.safetensors", "state.json"]


@pytest.mark.slow
def test_a_process_killed_outright_is_resumed(splits, tmp_path):
    child = multiprocessing.get_context("spawn").Process(
        target=kill_process_at, args=(splits, tmp_path / "r", 5)
    )
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    resumed, whole = make_task(), make_task()
    history = fit(resumed, splits, tmp_path / "r")
    assert history.resumed == 1
    assert_same_run(whole, fit(whole, splits, tmp_path / "whole"), resumed, history)


@pytest.mark.slow
def test_resuming_counts_and_adds_up_the_time(splits, tmp_path):
    with pytest.raises(Killed):
        fit(kill_at(make_task(), 4), splits, tmp_path / "r")
    seventh = before_step(make_task(), 7, lambda: pytest.fail("the first epoch was trained again"))
    history = fit(seventh, splits, tmp_path / "r")
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
    refuse_to_train(Scripted, monkeypatch)
    task, history = scripted(losses, splits, tmp_path / "r", patience=2)
    assert [row["val_loss"] for row in history.rows] == losses[:3]
    assert task.net.weight.item() == history.best_epoch


def test_early_stopping_counts_across_an_interruption(splits, tmp_path):
    losses = [5, 3, 4, 4, 4, 1]
    settings = replace(SETTINGS, epochs=6, patience=3)
    with pytest.raises(Killed):
        fit(kill_at(Scripted(losses), 10), splits, tmp_path / "r", settings)
    task = Scripted(losses)
    history = fit(task, splits, tmp_path / "r", settings)
    assert [row["val_loss"] for row in history.rows] == losses[:5]
    assert (history.best_epoch, task.net.weight.item()) == (2, 2)


@pytest.mark.slow
def test_a_moved_folder_is_resumed_and_stays_tidy(splits, tmp_path):
    with pytest.raises(Killed):
        fit(kill_at(make_task(), 4), splits, tmp_path / "r")
    (tmp_path / "r").rename(tmp_path / "s")
    with pytest.raises(Killed):
        fit(kill_at(make_task(), 4), splits, tmp_path / "s")
    names = {p.name for p in (tmp_path / "s").iterdir()}
    assert names == {"best.safetensors", "last.ckpt", "state.json"}
    assert fit(make_task(), splits, tmp_path / "s").resumed == 2


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named(splits, tmp_path):
    with pytest.raises(Killed):
        fit(kill_at(make_task(), 4), splits, tmp_path / "r")
    checkpoint = tmp_path / "r" / "last.ckpt"
    with zipfile.ZipFile(checkpoint) as archive:
        largest = max(archive.infolist(), key=lambda part: part.file_size)
    content = checkpoint.read_bytes()
    flipped = bytearray(content)
    flipped[largest.header_offset + largest.file_size] ^= 1
    for damaged in (b"", content[:20_000], flipped):
        checkpoint.write_bytes(damaged)
        with pytest.raises(QrlibError, match=r"checkpoint .*last\.ckpt is damaged.*delete it"):
            fit(make_task(), splits, tmp_path / "r")
    checkpoint.unlink()  # the way out that the message names
    assert fit(make_task(), splits, tmp_path / "r").resumed == 0


@pytest.mark.slow
def test_damaged_run_state_and_weights_are_named(splits, tmp_path):
    fit(make_task(), splits, tmp_path / "r")
    best = tmp_path / "r" / "best.safetensors"
    whole = best.read_bytes()
    for damaged in (whole[:100], whole[:-1] + bytes([whole[-1] ^ 1])):  # cut, and one bit
        best.write_bytes(damaged)
        with pytest.raises(QrlibError, match=r"weights of the finished run r are damaged; delete"):
            fit(make_task(), splits, tmp_path / "r")
    best.write_bytes(whole)
    path = tmp_path / "r" / "state.json"
    state = json.loads(path.read_text())
    without = {**state["history"]}
    del without["rows"]
    for damage in ("{", "[]", "7", "{}", {**state, "fingerprint": 1}, {**state, "history": None},
                   {**state, "history": without}):  # fmt: skip
        path.write_text(damage if isinstance(damage, str) else json.dumps(damage))
        with pytest.raises(QrlibError, match=r"run state .*state\.json is damaged.*; delete"):
            fit(make_task(), splits, tmp_path / "r")
    path.write_text(json.dumps(state))
    assert fit(make_task(), splits, tmp_path / "r").best_epoch == state["history"]["best_epoch"]


@pytest.mark.slow
def test_a_full_disk_keeps_the_last_checkpoint(splits, tmp_path, monkeypatch):
    move, count = os.replace, []

    def filling(source, target):
        if str(target).endswith("last.ckpt"):
            count.append(1)
            if len(count) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        move(source, target)

    monkeypatch.setattr(os, "replace", filling)
    with pytest.raises(QrlibError, match=r"disk full while writing .*last\.ckpt"):
        fit(make_task(), splits, tmp_path / "r")
    monkeypatch.undo()
    assert fit(make_task(), splits, tmp_path / "r").resumed == 1
