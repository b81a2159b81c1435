"""A small network to train in a second, and how runs are compared."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import torch

from qrlib import distortions
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.training import loop
from qrlib.training.loop import LoopSettings
from qrlib.training.recovery import RecoveryTask

#: Noise and blur for images of 32 pixels.
CHOICES = distortions.levels(blur_scale=32 / 224)
#: With the 24 training images of the fixture `splits` three epochs of three steps.
SETTINGS = LoopSettings(epochs=3, batch_size=8, precision="32-true")


class Killed(Exception):
    """Stands for a crash."""


def make_net(seed: int = 0, dropout: float = 0.2) -> QRNet:
    torch.manual_seed(seed)
    return QRNet(1, dropout=dropout)


def make_task(classifier=None, net=None, choices=CHOICES, **options) -> RecoveryTask:
    """RecNet's task, or with a classifier QRNet's; `options` are the task's own."""
    used = {} if classifier is None else {"c": classifier}
    loss = RecoveryLoss(dict.fromkeys(used, 0.01))
    options = {"learning_rate": 1e-3, "seed": 1, **options}
    return RecoveryTask(net or make_net(), loss, used, choices, **options)


def fit(task, splits, folder, settings=SETTINGS, fingerprint=None) -> loop.History:
    return loop.fit(
        task, splits.train, splits.validation, Path(folder), settings,
        name="test", fingerprint=fingerprint or {"a": 1},
    )  # fmt: skip


def before_step(task, step, act):
    """The task, which does `act()` before its `step`-th training step."""
    train, steps = task.training_step, []

    def watched(*arguments):
        steps.append(1)
        if len(steps) == step:
            act()
        return train(*arguments)

    task.training_step = watched
    return task


def kill_at(task, step):
    """The task, which dies in its `step`-th training step."""

    def die():
        raise Killed

    return before_step(task, step, die)


def make_blur_task() -> RecoveryTask:
    """A task that several processes do as one does.

    QRNet normalises no batches, so nothing but the mean of the gradients passes between processes.
    Dropout and noise draw from a generator of each process, on purpose: else all would drop and add
    the same.  So this one has blur alone, which draws nothing a pixel, and no dropout.
    """
    return make_task(net=make_net(dropout=0.0), choices={"blur": CHOICES["blur"]})


def fit_in_process(splits, folder, settings) -> None:
    """What a process of its own does: train the task above."""
    torch.set_num_threads(1)
    fit(make_blur_task(), splits, folder, settings)


def kill_process_at(splits, folder, step) -> None:
    """The same, until the process is killed outright in a step."""
    torch.set_num_threads(1)
    fit(
        before_step(make_task(), step, lambda: os.kill(os.getpid(), signal.SIGKILL)), splits, folder
    )


def without_times(history) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history.rows]


def assert_same_run(task, history, other_task, other_history) -> None:
    """Both learned the same, but for the time it took."""
    assert without_times(history) == without_times(other_history)
    assert history.best_epoch == other_history.best_epoch
    assert equal_weights(task.net, other_task.net)


def equal_weights(first, second) -> bool:
    one, two = first.state_dict(), second.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)
