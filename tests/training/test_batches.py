"""Which images a batch holds; where they come from makes no difference to what is learned."""

import pytest
import torch
from support.training import assert_same_run, fit, make_task

from qrlib.training import batches, recovery
from qrlib.training.batches import BatchSampler, mix
from qrlib.training.loop import LoopSettings
from qrlib.utils import memory
from qrlib.utils.errors import QrlibError

CPU = torch.device("cpu")


def as_lists(loader):
    return [(images.tolist(), labels.tolist(), ids) for images, labels, ids in loader]


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


@pytest.mark.slow
def test_training_from_a_devices_memory_learns_the_same(splits, tmp_path, monkeypatch):
    """The way of a GPU, gone on the CPU: images and distorted validation images stay there."""
    settings = LoopSettings(epochs=2, batch_size=4, precision="32-true")
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
    task, other = make_task(), make_task()
    history = fit(task, splits, tmp_path / "mapped", settings)
    assert not resident
    number = -(-len(splits.validation) // settings.batch_size)
    assert len(made) == settings.epochs * number

    made.clear()
    monkeypatch.setattr(memory, "fits", lambda size, device: True)
    other_history = fit(other, splits, tmp_path / "resident", settings)
    assert resident == [splits.train, splits.validation]
    assert len(made) == number  # once
    assert_same_run(task, history, other, other_history)


@pytest.mark.parametrize(("size", "there"), [(250, True), (251, False)])
def test_a_gpu_keeps_what_takes_a_quarter_of_its_free_memory(monkeypatch, size, there):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 10_000))
    assert memory.fits(size, torch.device("cuda", 0)) is there
    assert memory.fits(size, CPU) is False


# Which images a batch holds.


def test_every_image_at_most_once_an_epoch():
    sampler = BatchSampler(21, 4, seed=5)
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        positions = list(sampler)
        assert [len(batch) for batch in positions] == [4] * len(sampler) == [4] * 5
        flat = [i for batch in positions for i in batch]
        assert len(set(flat)) == 20
        assert set(flat) <= set(range(21))
        epochs.append(flat)
    assert epochs[0] != epochs[1] != epochs[2]


def test_order_follows_seed_and_epoch_alone():
    def order(seed, epoch):
        sampler = BatchSampler(21, 4, seed=seed)
        sampler.set_epoch(epoch)
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
