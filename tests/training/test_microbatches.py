"""Too little memory, a loss that is no number, a reader that dies: what the loop does about them."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing import resource_sharer

import numpy as np
import pytest
import torch
from torch import nn

from qrlib import data, distortions
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.training import batches, loop
from qrlib.training.loop import LoopSettings
from qrlib.training.microbatches import in_parts
from qrlib.training.recovery import RecoveryTask
from qrlib.utils import memory
from qrlib.utils.errors import QrlibError

SETTINGS = LoopSettings(epochs=2, batch_size=8, precision="32-true")


@pytest.fixture
def splits():
    return data.load("photographs", 32, classes=3, per_class=8)


def make_task(
    room: int | None = None, dropout: float = 0.0, micro_batches: int = 1
) -> RecoveryTask:
    """A task on a device that has room for so many images at once, clean and distorted."""
    torch.manual_seed(0)
    task = RecoveryTask(
        QRNet(1, dropout=dropout), RecoveryLoss({}), {}, distortions.levels(blur_scale=32 / 224),
        learning_rate=1e-3, seed=1, micro_batches=micro_batches,
    )  # fmt: skip
    if room is not None:
        whole = task.losses

        def limited(inputs, *more):
            if len(inputs) > room:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return whole(inputs, *more)

        task.losses = limited
    return task


def fit(task, splits, folder, settings=SETTINGS):
    return loop.fit(task, splits.train, splits.validation, folder, settings,
                    name="test", fingerprint={"a": 1})  # fmt: skip


# Parts of a batch.


@pytest.mark.parametrize("parts", [2, 3, 7, 99])
def test_parts_give_the_means_and_gradients_of_the_whole(parts):
    torch.manual_seed(0)
    net, images, targets = nn.Conv2d(3, 4, 3), torch.rand(7, 3, 9, 8), torch.rand(7, 4, 7, 6)

    def means(inputs, wanted):
        return {"loss": (net(inputs) - wanted).abs().mean(), "mean": net(inputs).mean()}

    whole = in_parts(means, 1, images, targets)
    whole["loss"].backward()
    expected = net.weight.grad.clone()
    net.zero_grad()
    found = in_parts(means, parts, images, targets)
    found["loss"].backward()
    assert found.keys() == whole.keys()
    for name in whole:
        torch.testing.assert_close(found[name], whole[name])
    torch.testing.assert_close(net.weight.grad, expected)


def test_one_part_at_a_time_is_in_memory():
    """The images that activations are kept of, at most, from the first forward to the last backward."""
    held, most = [0], [0]

    class Activation(torch.autograd.Function):
        @staticmethod
        def forward(context, inputs):
            context.save_for_backward(inputs)
            held[0] += len(inputs)
            most[0] = max(most[0], held[0])
            return inputs * 2

        @staticmethod
        def backward(context, gradient):
            (inputs,) = context.saved_tensors  # here `checkpoint` computes them again
            held[0] -= len(inputs)
            return gradient * 2

    weight = torch.ones(1, requires_grad=True)

    def means(inputs):
        return {"loss": Activation.apply(inputs * weight).mean()}

    in_parts(means, 1, torch.rand(8, 3))["loss"].backward()
    assert (held[0], most[0]) == (0, 8)
    most[0] = 0
    total = in_parts(means, 4, torch.rand(8, 3))["loss"]
    held[0] = most[0] = 0  # what the forward pass kept was let go
    total.backward()
    assert most[0] == 2


def test_micro_batches_train_the_same_network(splits, tmp_path):
    whole, small = (
        fit(make_task(micro_batches=parts), splits, tmp_path / str(parts)) for parts in (1, 4)
    )
    for name in ("train_loss", "val_loss"):
        curves = [[row[name] for row in history.rows] for history in (small, whole)]
        np.testing.assert_allclose(*curves, rtol=1e-4, err_msg=name)


def test_too_little_memory_names_the_setting(splits, tmp_path):
    with pytest.raises(
        QrlibError, match=r"too little memory for test .*raise recovery.micro_batches"
    ):
        fit(make_task(room=8), splits, tmp_path / "r")
    fit(make_task(room=8, micro_batches=2), splits, tmp_path / "r")  # 16 images a step


def test_other_errors_are_not_taken_for_it(splits, tmp_path):
    task = make_task()
    task.losses = lambda *_: (_ for _ in ()).throw(RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        fit(task, splits, tmp_path / "r")


def test_what_counts_as_too_little_memory():
    assert memory.ran_out(torch.OutOfMemoryError("CUDA out of memory"))
    assert memory.ran_out(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert memory.ran_out(Exception("-- Process 1 terminated:\ntorch.OutOfMemoryError: CUDA"))
    assert not memory.ran_out(RuntimeError("shapes do not match"))


# A loss that is no number.


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
    steps = len(splits.train) // SETTINGS.batch_size
    with pytest.raises(QrlibError) as caught:
        fit(broken(make_task(), steps + 1), splits, tmp_path / "r")
    said = str(caught.value)
    assert f"the loss is nan at step {steps + 1} (epoch 2, batch 2: 8 images, " in said
    assert any(name in said for name in splits.train.ids)
    checkpoint = tmp_path / "r" / "last.ckpt"
    assert f"the last good checkpoint is {checkpoint}, after epoch 1" in said
    state = torch.load(checkpoint, weights_only=True)
    assert all(torch.isfinite(v).all() for v in state["state_dict"].values())


def test_before_the_first_checkpoint_it_says_that_there_is_none(splits, tmp_path):
    with pytest.raises(QrlibError, match="there is no checkpoint yet; lower the learning rate"):
        fit(broken(make_task(), 0), splits, tmp_path / "r")


def test_a_gpu_finds_out_at_the_end_of_the_epoch_and_names_the_same(splits, tmp_path, monkeypatch):
    monkeypatch.setattr(RecoveryTask, "immediate", False)  # as on a GPU, which should not wait
    steps = len(splits.train) // SETTINGS.batch_size
    said = rf"epoch 2 ended with .*nan.*, first at step {steps + 1} \(batch 2\); the last good "
    with pytest.raises(QrlibError, match=said + r"checkpoint is .*last\.ckpt, after epoch 1"):
        fit(broken(make_task(), steps + 1), splits, tmp_path / "r")


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


def fit_ahead(splits, deadly, folder):
    return loop.fit(make_task(), deadly, splits.validation, folder, SETTINGS,
                    name="test", fingerprint={"a": 1})  # fmt: skip


def test_a_reader_that_dies_is_named_and_the_next_run_goes_on(splits, tmp_path, ahead):
    expected = fit(make_task(), splits, tmp_path / "one")
    steps = len(splits.train) // SETTINGS.batch_size
    deadly = Deadly(splits.train, tmp_path / "read", steps + 2)  # in the second epoch
    with pytest.raises(
        QrlibError, match=r"ahead for test died \(DataLoader worker .*run again: it"
    ):
        fit_ahead(splits, deadly, tmp_path / "two")
    assert (tmp_path / "two" / "last.ckpt").exists()
    history = fit_ahead(splits, deadly, tmp_path / "two")
    assert history.resumed == 1
    losses = [[row["val_loss"] for row in h.rows] for h in (expected, history)]
    assert losses[0] == losses[1]


def test_an_error_inside_a_reader_stays_what_it_is(splits, tmp_path, ahead):
    deadly = Deadly(splits.train, tmp_path / "read", 2, ValueError("the store is damaged"))
    with pytest.raises(ValueError, match="the store is damaged"):
        fit_ahead(splits, deadly, tmp_path / "two")


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
    losses = [[row["val_loss"] for row in h.rows] for h in (expected, history)]
    assert losses[0] == losses[1]
