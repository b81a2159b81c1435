"""Training on several devices through Lightning's DDP is training with the same batch on one."""

import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
from support.training import SETTINGS, fit, fit_in_process, make_blur_task

from qrlib import data
from qrlib.training import loop

#: Sums of gradients are rounded in another order; Adam's division by their size makes more of it.
TOLERANCE = 3e-4


@pytest.mark.slow
def test_two_processes_give_the_loss_curve_of_one(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    splits = data.load("caltech101-small", 32, classes=3, per_class=17)
    settings = replace(SETTINGS, batch_size=6)
    # A last batch that the processes cannot share evenly is the hard case of the validation.
    assert len(splits.validation) % settings.batch_size % 2 == 1
    task = make_blur_task()
    one = fit(task, splits, tmp_path / "one", settings)
    child = multiprocessing.get_context("spawn").Process(
        target=fit_in_process, args=(splits, tmp_path / "two", replace(settings, devices=2))
    )
    child.start()
    child.join(300)
    assert child.exitcode == 0
    two = loop.restore(task.net, tmp_path / "two", {"a": 1})
    assert two is not None
    assert [row["epoch"] for row in two.rows] == [1, 2, 3]
    for name in ("train_loss", "val_loss"):
        curves = [[row[name] for row in history.rows] for history in (one, two)]
        np.testing.assert_allclose(curves[1], curves[0], rtol=TOLERANCE, err_msg=name)
        assert curves[0][0] - curves[0][-1] > 20 * TOLERANCE * curves[0][0]  # it does learn
    assert two.best_epoch == one.best_epoch
    assert two.resumed == 0
    assert not (tmp_path / "two" / "last.ckpt").exists()
