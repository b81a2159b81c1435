"""Batches in an order that seed and epoch alone decide, on any number of processes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch.utils.data import DataLoader, Sampler

from qrlib.errors import QrlibError


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


def loader(split: Any, batch_size: int, *, seed: int | None = None) -> DataLoader:
    """Batches of a split (anything that takes a list of positions); shuffled when a seed is given."""
    return DataLoader(
        split,
        batch_size=None,
        sampler=BatchSampler(len(split), batch_size, seed=seed),
        # A loader draws a number each epoch: not from the generator that dropout draws from, since a
        # resumed run starts its loader at another moment.
        generator=torch.Generator(),
    )
