"""Training on several devices through Lightning's DDP is training with the same batch on one."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from qrlib import data, distortions
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.training import loop
from qrlib.training.loop import LoopSettings
from qrlib.training.recovery import RecoveryTask

#: Sums of gradients are rounded in another order; Adam's division by their size makes more of it.
TOLERANCE = 1e-4


def make(devices: int, kind: str = "blur"):
    """A small QRNet's task, images and settings.

    QRNet normalises no batches, so nothing but the mean of the gradients passes between processes.
    Dropout and noise draw from a generator of each process, on purpose: else all would drop and add the
    same.  So what is compared has blur alone, which draws nothing a pixel, and no dropout.
    """
    splits = data.load("photographs", 32, classes=3, per_class=9)
    torch.manual_seed(0)
    choices = {kind: distortions.levels(blur_scale=32 / 224)[kind]}
    net = QRNet(1, dropout=0.0)
    task = RecoveryTask(net, RecoveryLoss({}), {}, choices, learning_rate=1e-3, seed=1)
    return task, splits, LoopSettings(
        epochs=3, batch_size=6, precision="32-true", devices=devices
    )  # fmt: skip


CHILD = """
import pathlib, sys, torch
sys.path.insert(0, {tests!r})
from test_device import make
from qrlib.training import loop
torch.set_num_threads(1)
task, splits, settings = make(devices=2)
loop.fit(task, splits.train, splits.validation, pathlib.Path(sys.argv[1]), settings,
         name="two", fingerprint={{"a": 1}})
"""


@pytest.mark.slow
def test_two_processes_give_the_loss_curve_of_one(tmp_path):
    task, splits, settings = make(devices=1)
    # A last batch that the processes cannot share evenly is the hard case of the validation.
    assert len(splits.validation) % settings.batch_size % 2 == 1
    one = loop.fit(
        task, splits.train, splits.validation, tmp_path / "one", settings,
        name="one", fingerprint={"a": 1},
    )  # fmt: skip
    folder = tmp_path / "two"
    subprocess.run(
        [sys.executable, "-c", CHILD.format(tests=os.path.dirname(__file__)), str(folder)],
        check=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    other, _, _ = make(devices=1)
    two = loop.restore(other.net, folder, {"a": 1})
    assert two is not None
    assert [row["epoch"] for row in two.rows] == [1, 2, 3]
    for name in ("train_loss", "val_loss"):
        curves = [[row[name] for row in history.rows] for history in (one, two)]
        np.testing.assert_allclose(curves[1], curves[0], rtol=TOLERANCE, err_msg=name)
        assert curves[0][0] - curves[0][-1] > 20 * TOLERANCE * curves[0][0]  # it does learn
    assert two.best_epoch == one.best_epoch
    assert two.resumed == 0
    assert not (folder / "last.ckpt").exists()
