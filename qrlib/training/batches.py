"""Batches in an order that seed and epoch alone decide, on any number of processes and devices.

For validation: the distortion of each image, which its name alone decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
import torch.distributed
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from qrlib.distortions import Distortion, distort_for_evaluation
from qrlib.utils import memory
from qrlib.utils.errors import QrlibError


def mix(*parts: object) -> int:
    """A 63-bit seed from several values, the same everywhere.

    >>> mix(0, "noise") == mix(0, "noise") != mix(1, "noise")
    True
    """
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


class BatchSampler(Sampler[list[int]]):
    """Lists of positions; Lightning calls `set_epoch` before each epoch.

    With several processes each takes its share of every batch, so that `batch_size` is the size that
    the optimiser sees.  A training epoch drops the last images that fill no batch, others each epoch.
    """

    def __init__(self, length: int, batch_size: int, *, seed: int | None) -> None:
        self.length = length
        self.batch_size = batch_size
        self.seed = seed  # None: in order, nothing dropped
        self.epoch = 0
        if seed is not None and length < batch_size:
            raise QrlibError(
                f"batch_size {batch_size} is larger than the training set of {length}; make it smaller"
            )

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        if self.seed is not None:
            return self.length // self.batch_size
        return -(-self.length // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        rank, world = 0, 1
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        order = np.arange(self.length)
        if self.seed is not None:
            order = np.random.Generator(
                np.random.Philox(key=mix(self.seed, self.epoch))
            ).permutation(order)
        for i in range(len(self)):
            batch = order[i * self.batch_size : (i + 1) * self.batch_size]
            share = batch[rank::world]
            yield (share if len(share) else batch[:1]).tolist()


class Resident:
    """A split in the memory of a device: the same batches, without a copy from the host for each."""

    def __init__(self, split: Any, device: torch.device) -> None:
        images, labels, self.ids = split[range(len(split))]
        self.images = images.to(device)
        self.labels = labels.to(device)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, positions: Sequence[int]) -> tuple[Tensor, Tensor, list[str]]:
        rows = torch.as_tensor(positions)
        if self.images.is_cuda:  # from pinned memory the copy makes nobody wait
            rows = rows.pin_memory().to(self.images.device, non_blocking=True)
        return self.images[rows], self.labels[rows], [self.ids[i] for i in positions]


def loader(split: Any, batch_size: int, *, seed: int | None = None, workers: int = 0) -> DataLoader:
    """Batches of a split (anything that takes a list of positions); shuffled when a seed is given.

    Args:
        workers: processes that read ahead, into memory that a GPU copies from without waiting.
    """
    return DataLoader(
        split,
        batch_size=None,
        sampler=BatchSampler(len(split), batch_size, seed=seed),
        # A loader draws a number each epoch: not from the generator that dropout draws from, since a
        # resumed run starts its loader at another moment.
        generator=torch.Generator(),
        num_workers=workers,
        pin_memory=workers > 0 and torch.cuda.is_available(),
        persistent_workers=workers > 0,
    )


class Batches(lightning.LightningDataModule):
    """What Lightning trains on: from the device's memory where a split fits, else read ahead.

    On the CPU the packed store is mapped into memory, and nothing is copied.

    Args:
        train, validation: as `qrlib.data.Split`.
        batch_size: images a step, of all processes together.
        seed: of the training order.
    """

    def __init__(self, train: Any, validation: Any, batch_size: int, *, seed: int) -> None:
        super().__init__()
        self.train = train
        self.validation = validation
        self.batch_size = batch_size
        self.seed = seed

    @property
    def steps(self) -> int:
        """In an epoch."""
        return len(BatchSampler(len(self.train), self.batch_size, seed=self.seed))

    def train_dataloader(self) -> DataLoader:
        return self._loader(self.train, self.seed)

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.validation, None)

    def _loader(self, split: Any, seed: int | None) -> DataLoader:
        # Asked for here and not before: this process may be one of several, with a GPU each.
        device = self.trainer.strategy.root_device  # type: ignore[union-attr]
        images, _, _ = split[range(1)]
        if memory.fits(images.nbytes * len(split), device):
            return loader(Resident(split, device), self.batch_size, seed=seed)
        workers = 2 if device.type == "cuda" else 0
        ahead = loader(split, self.batch_size, seed=seed, workers=workers)
        # Of a run that goes on, readers take the first batches before Lightning says which epoch it is.
        done = self.trainer.fit_loop.epoch_progress.current.processed  # type: ignore[union-attr]
        ahead.sampler.set_epoch(done)  # type: ignore[attr-defined]
        return ahead


def distort_by_id(images: Tensor, ids: list[str], choices: dict[str, list[Distortion]]) -> Tensor:
    """Give every validation image one distortion, kind and level decided by its id for good."""
    flat = [(kind, d) for kind, options in choices.items() for d in options]
    groups: dict[int, list[int]] = {}
    for position, name in enumerate(ids):
        groups.setdefault(mix(name, "validation") % len(flat), []).append(position)
    result = torch.empty_like(images)
    for number, members in groups.items():
        chosen = distort_for_evaluation(images[members], [ids[i] for i in members], flat[number][1])
        result[members] = chosen
    return result
