"""What the machine reaches: a large matrix product, a copy in memory.  No contestants, but the floor."""

from __future__ import annotations

import torch

from benchmarks.contest import Ready
from benchmarks.contestants.torch_device import device_of, waiting
from benchmarks.settings import Settings
from qrlib.training.device import resolve_precision
from qrlib.utils import memory

#: Side of the matrices, and bytes of the copied block.
SIDES = {"cpu": 3072, "cuda": 8192}
BYTES = {"cpu": 1 << 28, "cuda": 1 << 32}


def product(settings: Settings) -> Ready:
    """Two square matrices, in the precision that training computes with here."""
    memory.keep_freed_memory()
    device = device_of(settings)
    precision = resolve_precision("auto")
    kind = torch.bfloat16 if precision.startswith("bf16") else torch.float32
    side = SIDES[device.type]
    one, other = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    out = torch.empty_like(one)
    repeats = 1 if device.type == "cpu" else 20

    def run() -> None:
        for _ in range(repeats):
            torch.mm(one, other, out=out)

    return Ready(
        run, work={"flop": repeats * 2.0 * side**3}, note=precision, device=waiting(device)
    )


def copy(settings: Settings) -> Ready:
    """A block larger than any cache: read once, written once."""
    device = device_of(settings)
    source = torch.ones(BYTES[device.type] // 4, device=device)
    target = torch.zeros_like(source)
    return Ready(
        lambda: target.copy_(source),
        work={"bytes": 2.0 * BYTES[device.type]},
        device=waiting(device),
    )
