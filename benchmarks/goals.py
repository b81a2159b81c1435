"""What the project wants to reach in speed and memory, checked against a benchmark's result."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks import tables
from benchmarks.contest import OURS
from benchmarks.results import Result, growth_exponent
from qrlib.report.render import Rendered

#: A photograph's restoring counts as linear in its pixels if it grows as their power within this of 1.
LINEAR = 0.1
#: The training part of Caltech101 at the paper's size and batch, which the GPU's epoch is of.
EPOCH = {"size": 224, "batch": 32, "classifier": "vgg16", "corpus": "caltech101", "images": None}
#: Unit -> how a table writes a number of it.
_WRITTEN = {
    "s": tables.format_seconds,
    "B": tables.format_bytes,
    "": lambda value: f"{value:.2f}" if value >= 0.01 else f"{value:.1g}",
}


@dataclass(frozen=True)
class Goal:
    """A number and its bound.

    Attributes:
        what: what is wanted, with the bound.
        value: the number, NaN where it was not measured.
        bound: it is to be at least that, or with `most` at most that.
        unit: of the number: "s", "B" or "" for none.
    """

    what: str
    value: float
    bound: float
    most: bool = False
    unit: str = ""

    @property
    def verdict(self) -> str:
        """ "reached", "missed" or "not measured"."""
        if math.isnan(self.value):
            return "not measured"
        reached = self.value <= self.bound if self.most else self.value >= self.bound
        return "reached" if reached else "missed"

    def __str__(self) -> str:
        """ "2.12: reached", "not measured"."""
        if math.isnan(self.value):
            return self.verdict
        return f"{_WRITTEN[self.unit](self.value)}: {self.verdict}"


def goals(result: Result) -> Iterator[Goal]:
    """The goals for the kind of device that a result is of."""
    if result.settings.device == "cpu":
        yield from _cpu(result)
    else:
        yield from _gpu(result)


def _gpu(result: Result) -> Iterator[Goal]:
    training = result.contest("step", "training")
    asked = all(getattr(result.settings, name) == value for name, value in EPOCH.items())
    epoch = training.median(OURS, "epoch") if asked else math.nan
    yield Goal("an epoch of Caltech101 at 224 pixels in at most 4 s", epoch, 4, True, "s")
    plain = training.ratio("plain PyTorch", OURS, "epoch")
    yield Goal("an epoch at least 8 times as fast as the plain PyTorch recipe", plain, 8)
    floor = tables.floors(result).get("epoch")
    over = floor["ours"] / (floor["compute"] + floor["traffic"]) if floor else math.nan
    what = "an epoch at most 4 times its floor, operations and traffic one after the other"
    yield Goal(what, over, 4, True)


def _cpu(result: Result) -> Iterator[Goal]:
    plain = result.contest("step", "training").ratio("plain PyTorch", OURS, "step")
    yield Goal("a training step at least 2 times as fast as the plain PyTorch recipe", plain, 2)
    keras = result.contest("step", "update").ratio("Keras 3", OURS, "step")
    yield Goal("an update on a ready batch faster than Keras 3", keras, 1)
    wide = result.contest("distort", "blur, sigma 10").ratio("torchvision", OURS)
    yield Goal("blur at sigma 10 at least 5 times as fast as torchvision", wide, 5)
    narrow = result.contest("distort", "blur, sigma 2").ratio("scikit-image", OURS)
    yield Goal("blur at sigma 2 no slower than scikit-image", narrow, 1)
    growth = result.contest("photo", "megapixels")
    sizes = [(c.amount, c.memory, growth.median(c.name)) for c in growth.contestants if c.times]
    large = next((float(m) for amount, m, _ in sizes if amount == 24 and m), math.nan)
    yield Goal("a photograph of 24 megapixels restored in at most 1.5 GB", large, 1.5e9, True, "B")
    power = growth_exponent([a for a, *_ in sizes if a], [median for *_, median in sizes])
    what = f"time grows with the pixels of a photograph to the power 1, within {LINEAR}"
    yield Goal(what, abs(power - 1), LINEAR, True)
    seams = result.contest("photo", "photo of").contestants
    difference = next((c.difference for c in seams if c.difference is not None), math.nan)
    yield Goal(
        "a photograph restored in tiles differs from the whole one by at most 0.001",
        difference,
        1e-3,
        True,
    )


def table(results: Iterable[Result]) -> Rendered:
    """The goals with what was measured, a machine a column; empty where a machine has other goals."""
    columns = {r.machine.device: {goal.what: str(goal) for goal in goals(r)} for r in results}
    wanted = dict.fromkeys(what for column in columns.values() for what in column)
    rows = [[what, *(column.get(what, "") for column in columns.values())] for what in wanted]
    caption = "Our own goals, and what was measured on each machine."
    return tables.table(["goal", *columns], rows, caption, "speed-goals")
