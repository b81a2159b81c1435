"""A loss that is no number, a reader that dies, a clock that is set back: what the loop does about them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from multiprocessing import resource_sharer

import pytest
import torch
from support.training import fit, make_task, without_times

from qrlib.training import batches, loop
from qrlib.training.recovery import RecoveryTask
from qrlib.utils.errors import QrlibError

STEPS = 3  # an epoch


def broken(task, at):
    """The task with a loss that is NaN at the step `at`, from 0."""
    step, steps = task.losses, []

    def losses(*arguments):
        parts = step(*arguments)
        if torch.is_grad_enabled():
            steps.append(1)
            if len(steps) == at + 1:
                return {name: value * float("nan") for name, value in parts.items()}
        return parts

    task.losses = losses
    return task


def test_a_loss_that_is_no_number_names_step_batch_and_checkpoint(splits, tmp_path):
    checkpoint = tmp_path / "r" / "last.ckpt"
    with pytest.raises(QrlibError) as caught:
        fit(broken(make_task(), STEPS + 1), splits, tmp_path / "r")
    message = str(caught.value)
    assert f"the loss is nan at step {STEPS + 1} (epoch 2, batch 2: 8 images, " in message
    assert any(name in message for name in splits.train.ids)
    assert f"the last good checkpoint is {checkpoint}, after epoch 1" in message
    state = torch.load(checkpoint, weights_only=True)
    assert all(torch.isfinite(v).all() for v in state["state_dict"].values())


def test_before_the_first_checkpoint_it_says_that_there_is_none(splits, tmp_path):
    with pytest.raises(QrlibError, match="there is no checkpoint yet; lower the learning rate"):
        fit(broken(make_task(), 0), splits, tmp_path / "r")


@pytest.mark.slow
def test_a_gpu_finds_out_at_the_end_of_the_epoch_and_names_the_same(splits, tmp_path, monkeypatch):
    monkeypatch.setattr(RecoveryTask, "immediate", False)  # as on a GPU, which should not wait
    expected = rf"epoch 2 ended with .*nan.*, first at step {STEPS + 1} \(batch 2\); the last good "
    with pytest.raises(QrlibError, match=expected + r"checkpoint is .*last\.ckpt, after epoch 1"):
        fit(broken(make_task(), STEPS + 1), splits, tmp_path / "r")


# A process that reads ahead and dies.


class Deadly:
    """A split whose reader is killed, as by a system without memory, at the nth batch of all.

    Given an error, it is raised there instead.
    """

    def __init__(self, split, mark, at, error=None):
        self.split, self.mark, self.at, self.error = split, mark, at, error

    def __len__(self):
        return len(self.split)

    def __getitem__(self, positions):
        if torch.utils.data.get_worker_info() is not None:
            with self.mark.open("a") as file:
                file.write("x")
            if self.mark.stat().st_size == self.at:
                if self.error:
                    raise self.error
                os.kill(os.getpid(), signal.SIGKILL)
        return self.split[positions]


@pytest.fixture
def ahead(monkeypatch):
    """A reader of its own for each training split, as on a GPU."""
    plain = batches.loader
    monkeypatch.setattr(
        batches, "loader",
        lambda split, size, *, seed=None, workers=0: plain(
            split, size, seed=seed, workers=int(isinstance(split, Deadly))
        ),
    )  # fmt: skip


@pytest.mark.slow
def test_a_reader_that_dies_is_named_and_the_next_run_goes_on(splits, tmp_path, ahead):
    expected = fit(make_task(), splits, tmp_path / "one")
    # killed in the second epoch
    deadly = replace(splits, train=Deadly(splits.train, tmp_path / "read", STEPS + 2))
    with pytest.raises(
        QrlibError, match=r"ahead for test died \(DataLoader worker .*run again: it"
    ):
        fit(make_task(), deadly, tmp_path / "two")
    assert (tmp_path / "two" / "last.ckpt").exists()
    history = fit(make_task(), deadly, tmp_path / "two")
    assert history.resumed == 1
    assert without_times(history) == without_times(expected)


def test_an_error_inside_a_reader_stays_what_it_is(splits, tmp_path, ahead):
    error = ValueError("the store is damaged")
    deadly = replace(splits, train=Deadly(splits.train, tmp_path / "read", 2, error))
    with pytest.raises(ValueError, match="the store is damaged"):
        fit(make_task(), deadly, tmp_path / "two")


def test_a_death_in_one_of_several_processes_is_found_in_what_they_say(
    splits, tmp_path, monkeypatch
):
    said = (
        "-- Process 0 terminated with the following error:\nTraceback ...\n"
        "RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed. "
    )
    monkeypatch.setattr(loop, "_fit", lambda *_: (_ for _ in ()).throw(RuntimeError(said)))
    with pytest.raises(
        QrlibError, match=r"\(DataLoader worker \(pid 7\) is killed by signal: Killed\)"
    ):
        fit(make_task(), splits, tmp_path / "r")


@pytest.mark.parametrize("kind", [EOFError, ConnectionRefusedError, FileNotFoundError])
def test_a_reader_may_go_before_its_batch_is_fetched(splits, tmp_path, monkeypatch, kind):
    def refused(*_):
        raise kind

    monkeypatch.setattr(resource_sharer._ResourceSharer, "get_connection", staticmethod(refused))
    monkeypatch.setattr(loop, "_fit", lambda *_: resource_sharer.DupFd(0).detach())
    with pytest.raises(QrlibError, match=f"did not hand over its batch: {kind.__name__}"):
        fit(make_task(), splits, tmp_path / "r")


def test_an_end_of_a_file_elsewhere_is_no_death(splits, tmp_path, monkeypatch):
    def ends(*_):
        raise EOFError("the file ends")

    monkeypatch.setattr(loop, "_fit", ends)
    with pytest.raises(EOFError, match="the file ends"):
        fit(make_task(), splits, tmp_path / "r")


# The clock.


@pytest.mark.slow
def test_a_clock_that_goes_backwards_changes_nothing(splits, tmp_path, monkeypatch):
    now = time.time()

    def backwards() -> float:
        nonlocal now
        now -= 3600
        return now

    expected = fit(make_task(), splits, tmp_path / "one")
    monkeypatch.setattr(time, "time", backwards)
    history = fit(make_task(), splits, tmp_path / "two")
    assert all(row["seconds"] >= 0 for row in history.rows)
    assert 0 <= history.seconds < 600
    assert without_times(history) == without_times(expected)
