"""Where batches come from makes no difference to what is learned."""

import pytest
import torch

from qrlib import data, distortions
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.training import batches, loop, recovery
from qrlib.training.loop import LoopSettings
from qrlib.utils import memory

CPU = torch.device("cpu")


@pytest.fixture
def splits():
    return data.load("photographs", 32, classes=3, per_class=8)


def as_lists(found):
    return [(images.tolist(), labels.tolist(), ids) for images, labels, ids in found]


def test_from_a_devices_memory_come_the_same_batches(splits):
    from_store = batches.loader(splits.train, 4, seed=3)
    resident = batches.loader(batches.Resident(splits.train, CPU), 4, seed=3)
    assert as_lists(resident) == as_lists(from_store)


def test_read_ahead_come_the_same_batches_in_every_epoch(splits):
    here = batches.loader(splits.train, 4, seed=3)
    ahead = batches.loader(splits.train, 4, seed=3, workers=1)
    for epoch in (0, 1):
        here.sampler.set_epoch(epoch)
        ahead.sampler.set_epoch(epoch)
        assert as_lists(ahead) == as_lists(here)


def train(splits, folder):
    torch.manual_seed(0)
    task = recovery.RecoveryTask(
        QRNet(1), RecoveryLoss(), {}, distortions.levels(blur_scale=32 / 224),
        learning_rate=1e-3, seed=1,
    )  # fmt: skip
    settings = LoopSettings(epochs=2, batch_size=4, precision="32-true")
    history = loop.fit(
        task, splits.train, splits.validation, folder, settings, name="test", fingerprint={}
    )
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history.rows]
    return rows, task.net.state_dict()


def test_training_from_a_devices_memory_learns_the_same(splits, tmp_path, monkeypatch):
    """The way of a GPU, gone on the CPU: images and distorted validation images stay there."""
    made, resident = [], []
    distort, place = recovery.distort_by_id, batches.Resident.__init__

    def counted(*args):
        made.append(args)
        return distort(*args)

    def noted(self, split, device):
        resident.append(split)
        place(self, split, device)

    monkeypatch.setattr(recovery, "distort_by_id", counted)
    monkeypatch.setattr(batches.Resident, "__init__", noted)
    expected, weights = train(splits, tmp_path / "mapped")
    assert not resident
    number = -(-len(splits.validation) // 4)
    assert len(made) == 2 * number  # each epoch

    made.clear()
    monkeypatch.setattr(memory, "fits", lambda size, device: True)
    rows, learned = train(splits, tmp_path / "resident")
    assert resident == [splits.train, splits.validation]
    assert len(made) == number  # once
    assert rows == expected
    assert all(torch.equal(learned[name], weights[name]) for name in weights)


@pytest.mark.parametrize(("size", "there"), [(250, True), (251, False)])
def test_a_gpu_keeps_what_takes_a_quarter_of_its_free_memory(monkeypatch, size, there):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 10_000))
    assert memory.fits(size, torch.device("cuda", 0)) is there
    assert memory.fits(size, CPU) is False
