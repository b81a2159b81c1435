"""What the project wants to reach in speed and memory, checked against a benchmark's result."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qrlib import speed, speed_tables
from qrlib.report.render import Rendered

#: A photograph's restoring counts as linear in its pixels if it grows as their power within this of 1.
LINEAR = 0.1
#: The training part of Caltech101 at the paper's size and batch, which the GPU's epoch is of.
EPOCH = {"size": 224, "batch": 32, "classifier": "vgg16", "corpus": "caltech101", "images": None}


@dataclass(frozen=True)
class Goal:
    """A number and its bound.

    Attributes:
        what: what is wanted, with the bound.
        found: the number, NaN where it was not measured.
        bound: it is to be at least that, or with `most` at most that.
        unit: after the number; "s" and "B" are made readable.
    """

    what: str
    found: float
    bound: float
    most: bool = False
    unit: str = ""

    @property
    def verdict(self) -> str:
        """ "reached", "missed" or "not measured"."""
        if math.isnan(self.found):
            return "not measured"
        reached = self.found <= self.bound if self.most else self.found >= self.bound
        return "reached" if reached else "missed"


def goals(result: Mapping[str, Any]) -> Iterator[Goal]:
    """The goals for the kind of device that a result is of."""
    yield from _training(result)
    if result["settings"]["device"] == "cpu":
        yield from _blur(result)
        yield from _photo(result)


def _training(result: Mapping[str, Any]) -> Iterator[Goal]:
    training = speed.contest(result, "step", "training")
    update = speed.contest(result, "step", "update")
    if result["settings"]["device"] == "cpu":
        plain = _ratio(training, "plain PyTorch", "step")
        yield Goal("a training step at least 2 times as fast as the plain PyTorch recipe", plain, 2)
        keras = _ratio(update, "Keras 3", "step")
        yield Goal("an update on a ready batch faster than Keras 3", keras, 1)
        return
    asked = all(result["settings"][name] == value for name, value in EPOCH.items())
    epoch = speed.median_of(training, "ours", "epoch") if asked else math.nan
    yield Goal("an epoch of Caltech101 at 224 pixels in at most 4 s", epoch, 4, True, "s")
    plain = _ratio(training, "plain PyTorch", "epoch")
    yield Goal("an epoch at least 8 times as fast as the plain PyTorch recipe", plain, 8)
    found = speed_tables.floors(result).get("epoch")
    over = found["ours"] / (found["compute"] + found["traffic"]) if found else math.nan
    yield Goal(
        "an epoch at most 4 times its floor, operations and traffic one after the other",
        over,
        4,
        True,
    )


def _blur(result: Mapping[str, Any]) -> Iterator[Goal]:
    wide, narrow = (speed.contest(result, "distort", f"blur, sigma {sigma}") for sigma in (10, 2))
    yield Goal(
        "blur at sigma 10 at least 5 times as fast as torchvision", _ratio(wide, "torchvision"), 5
    )
    yield Goal("blur at sigma 2 no slower than scikit-image", _ratio(narrow, "scikit-image"), 1)


def _photo(result: Mapping[str, Any]) -> Iterator[Goal]:
    grown = speed.contest(result, "photo", "megapixels")
    sizes = [one for one in (grown["contestants"] if grown else ()) if one["times"]]
    large = [one["memory"] for one in sizes if one["amount"] == 24 and one["memory"]]
    yield Goal(
        "a photograph of 24 megapixels restored in at most 1.5 GB",
        float(large[0]) if large else math.nan, 1.5e9, True, "B",
    )  # fmt: skip
    medians = [speed.median_of(grown, one["name"]) for one in sizes]
    power = (
        speed.exponent([one["amount"] for one in sizes], medians) if len(sizes) > 1 else math.nan
    )
    yield Goal(
        f"time linear in pixels: it grows as their power 1 within {LINEAR}",
        abs(power - 1), LINEAR, True,
    )  # fmt: skip
    seams = speed.contest(result, "photo", "photo of")
    found = next(
        (one["difference"] for one in (seams["contestants"] if seams else ())
         if one["difference"] is not None), math.nan,
    )  # fmt: skip
    yield Goal("tiles within 1e-3 of the whole image", found, 1e-3, True)


def _ratio(contest: Mapping[str, Any] | None, other: str, what: str = "") -> float:
    """How many times as long another takes as we do; NaN where one was not measured."""
    theirs, ours = (speed.times_of(contest, name, what) for name in (other, "ours"))
    return speed.ratio(theirs, ours) if theirs and ours else math.nan


def table(results: Iterable[Mapping[str, Any]]) -> Rendered:
    """The goals with what was found, a machine a column; empty where a machine has other goals."""
    found = {
        result["machine"]["device"]: {goal.what: goal for goal in goals(result)}
        for result in results
    }
    rows = [
        [what, *(_cell(of.get(what)) for of in found.values())]
        for what in dict.fromkeys(what for of in found.values() for what in of)
    ]
    caption = "What was to be reached, and what was found."
    return speed_tables.table(["goal", *found], rows, caption, "speed-goals")


def _cell(goal: Goal | None) -> str:
    """ "2.12: reached", "not measured"."""
    return ": ".join(filter(None, (_number(goal), goal.verdict))) if goal else ""


def _number(goal: Goal) -> str:
    if math.isnan(goal.found):
        return ""
    if goal.unit == "s":
        return speed_tables.seconds(goal.found)
    if goal.unit == "B":
        return speed_tables.size(goal.found)
    return f"{goal.found:.2f}" if goal.found >= 0.01 else f"{goal.found:.0e}"
