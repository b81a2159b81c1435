"""What a claim compares: numbers of methods (`qrlib.report.claims.evidence.Side`), and lines of Figure 7.

Each kind of comparison measures two numbers a seed and their error; `qrlib.report.claims.rule` judges them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from qrlib.records import selection
from qrlib.records.selection import LEVELS
from qrlib.report import render, timings
from qrlib.report.claims.evidence import TIMES, WORDS, Evidence, Need, Side, error_of_mean, paired
from qrlib.report.claims.rule import allowance, sign, standard_error
from qrlib.utils.errors import QrlibError

#: The upper two of five levels; the paper speaks of high levels without saying which.
HIGH = (4, 5)
#: Accuracies no farther apart than this are our reading of "similar" and "slightly less", and those
#: farther apart of "different" and "poor".
SIMILAR = 0.03
#: At how many points of a shared range of quality two lines are compared.
GRID = 101
#: The least share of the narrower line's range that two lines must have in common.
OVERLAP = 0.25


def _no_seed(methods: Sequence[str], found: Sequence[pd.Series | pd.DataFrame]) -> QrlibError:
    one, other = (
        f"{m} (seeds {list(values.index)})" for m, values in zip(methods, found, strict=True)
    )
    return QrlibError(
        f"{one} and {other} have no seed in common, and claims compare seed by seed: run one with a "
        "seed of the other"
    )


@dataclass(frozen=True)
class Comparison:
    """Two sides in a relation (">", "similar" or "differs"); a margin of a time is a share of right."""

    left: Side
    right: Side
    margin: float = 0.0
    relation: str = ">"

    @property
    def metric(self) -> str:
        return self.left.metric

    def needs(self) -> Iterator[Need]:
        yield from self.left.needs()
        yield from self.right.needs()

    def printed(self, dataset: str) -> tuple[float, float] | None:
        one, two = self.left.printed(dataset), self.right.printed(dataset)
        return None if one is None or two is None else (one, two)

    def hindrance(self, evidence: Evidence) -> str:
        """What stands against comparing times; nothing hinders results on the same images."""
        rows = evidence.rows(self.metric)
        if self.metric not in TIMES or rows is None:
            return ""
        return timings.hindrance(rows, self.metric, (need[2] for need in self.needs()))

    def measured(self, evidence: Evidence) -> tuple[pd.Series, pd.Series]:
        """Both sides, seed by seed."""
        left, right = self.left.measured(evidence), self.right.measured(evidence)
        one, two = paired(left, right, [self.left.untrained, self.right.untrained])
        if one.empty:
            raise _no_seed([self.left.method, self.right.method], [left, right])
        return one, two

    def apart(self, evidence: Evidence) -> pd.Series:
        """Distance of the two numbers."""
        left, right = self.measured(evidence)
        return (left - right).abs()

    def error(self, evidence: Evidence) -> float:
        seeds = self.measured(evidence)[0].index
        left, right = (side.outcomes(evidence, seeds) for side in (self.left, self.right))
        if left is None or right is None:
            return math.sqrt(self.left.variance(evidence) + self.right.variance(evidence))
        return float((left - right).std(ddof=1) / math.sqrt(len(left)))

    def words(self) -> tuple[str, str]:
        """Where it is measured, and the relation."""
        left, right = self.left.who, self.right.who
        metric, place = WORDS[self.metric][0], self.left.place
        if place == self.right.place:
            where = ", ".join(filter(None, (metric, place)))
        else:
            where = metric
            left, right = f"{left} ({place})", f"{right} ({self.right.place})"
        return where, f"{left} {sign(self)} {right}{allowance(self)}"


def beats(
    one: str, other: str, distortion: str, levels: tuple[int, ...] = LEVELS, **side: Any
) -> Comparison:
    """One method > another, on one distortion; `side` as the fields of `Side`."""
    left, right = (Side(method, distortion, levels, **side) for method in (one, other))
    return Comparison(left, right)


def _lines(evidence: Evidence, method: str, distortion: str, quality: str) -> list[pd.DataFrame]:
    """Quality and accuracy, one row a seed and one column a level, on the seeds that have both."""
    frames = []
    for metric in (quality, "accuracy"):
        rows = evidence.rows(metric)
        assert rows is not None  # asked only if nothing lacks
        frames.append(selection.by_seed(rows, method, distortion))
    both = frames[0].index.intersection(frames[1].index)
    return [frame.loc[both] for frame in frames]


def _needs(method: str, distortion: str, quality: str) -> Iterator[Need]:
    restorer = selection.restorer_of(method, distortion)
    yield "accuracy", False, restorer
    yield quality, False, restorer


@dataclass(frozen=True)
class AtEqualQuality:
    """Accuracies of two methods where their images have the same PSNR or SSIM.

    Both lines are interpolated between their levels and compared at `GRID` points, evenly spaced over
    the range of quality that they share.  ">" compares the means of these accuracies; "similar" and
    "differs" the mean of their distances, so that lines that cross are not alike.  By chance alone a
    mean distance is larger than 0, by less than one error.

    They can be compared where the shared range is at least `OVERLAP` of the narrower one; a seed at
    which it is less is left out.
    """

    one: str
    other: str
    distortion: str
    quality: str
    relation: str = ">"
    margin: float = 0.0
    metric: str = "accuracy"

    def needs(self) -> Iterator[Need]:
        for method in (self.one, self.other):
            yield from _needs(method, self.distortion, self.quality)

    def printed(self, dataset: str) -> None:
        """The paper prints no numbers of Figure 7."""

    def hindrance(self, evidence: Evidence) -> str:
        """That no seed's lines share enough of a range."""
        if self._accuracies(evidence):
            return ""
        names = [render.name(method) for method in (self.one, self.other)]
        return (
            f"{names[0]} and {names[1]} share less than {OVERLAP:.0%} of a range of "
            f"{WORDS[self.quality][0]} ({self.distortion})"
        )

    def measured(self, evidence: Evidence) -> tuple[pd.Series, pd.Series]:
        """Mean accuracies over the shared range, one value a seed."""
        found = self._accuracies(evidence)
        means = {seed: [line.mean() for line in lines] for seed, lines in found.items()}
        both = pd.DataFrame.from_dict(means, orient="index", columns=[0, 1])
        return both[0], both[1]

    def apart(self, evidence: Evidence) -> pd.Series:
        """Mean distance of the accuracies over the shared range."""
        found = self._accuracies(evidence)
        return pd.Series({seed: np.abs(one - two).mean() for seed, (one, two) in found.items()})

    def _accuracies(self, evidence: Evidence) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Both lines' accuracies at the points of the shared range; only of seeds that have one."""
        q1, a1 = _lines(evidence, self.one, self.distortion, self.quality)
        q2, a2 = _lines(evidence, self.other, self.distortion, self.quality)
        if self.one == "none":
            q1, a1 = (_repeated(frame, q2.index) for frame in (q1, a1))
        elif self.other == "none":
            q2, a2 = (_repeated(frame, q1.index) for frame in (q2, a2))
        both = q1.index.intersection(q2.index)
        if both.empty:
            raise _no_seed([self.one, self.other], [q1, q2])
        found = {}
        for seed in both:
            x1, x2 = q1.loc[seed].to_numpy(), q2.loc[seed].to_numpy()
            low, high = max(x1.min(), x2.min()), min(x1.max(), x2.max())
            if high - low >= OVERLAP * min(np.ptp(x1), np.ptp(x2)):
                x = np.linspace(low, high, GRID)
                lines = (_broken_line(x, x1, a1.loc[seed]), _broken_line(x, x2, a2.loc[seed]))
                found[seed] = lines
        return found

    def error(self, evidence: Evidence) -> float:
        lines = zip(*self._accuracies(evidence).values(), strict=True)
        return math.hypot(*(error_of_mean(np.mean(line, axis=0), evidence.n) for line in lines))

    def words(self) -> tuple[str, str]:
        """Where it is measured, and the relation."""
        names = [render.name(method) for method in (self.one, self.other)]
        where = f"accuracy at equal {WORDS[self.quality][0]}, {self.distortion}"
        return where, f"{names[0]} {sign(self)} {names[1]}{allowance(self)}"


def _broken_line(x: np.ndarray, xs: np.ndarray, ys: pd.Series) -> np.ndarray:
    """The line through (xs, ys), in any order, at x."""
    order = np.argsort(xs)
    return np.interp(x, xs[order], ys.to_numpy()[order])


def _repeated(frame: pd.DataFrame, seeds: pd.Index) -> pd.DataFrame:
    """The one run of what is not trained, for every seed."""
    return pd.DataFrame([frame.mean()] * len(seeds), index=seeds)


@dataclass(frozen=True)
class Bend:
    """How far a method's line leaves the straight one between its ends, where it does most.

    Left is the accuracy there, right that of the straight line at the same quality.
    """

    method: str
    distortion: str
    quality: str
    margin: float
    relation: str = "differs"
    metric: str = "accuracy"

    def needs(self) -> Iterator[Need]:
        yield from _needs(self.method, self.distortion, self.quality)

    def printed(self, dataset: str) -> None:
        """The paper prints no numbers of Figure 7."""

    def hindrance(self, evidence: Evidence) -> str:
        """That the line has one quality at both ends."""
        quality, _ = _lines(evidence, self.method, self.distortion, self.quality)
        if (quality.iloc[:, 0] != quality.iloc[:, -1]).all():
            return ""
        name, words = render.name(self.method), WORDS[self.quality][0]
        return f"{name} has one {words} at its lowest and its highest level of {self.distortion}"

    def measured(self, evidence: Evidence) -> tuple[pd.Series, pd.Series]:
        """At the level that lies farthest from the straight line in the mean over seeds."""
        quality, accuracy = _lines(evidence, self.method, self.distortion, self.quality)
        first, last = quality.columns[0], quality.columns[-1]
        slope = (accuracy[last] - accuracy[first]) / (quality[last] - quality[first])
        straight = quality.sub(quality[first], axis=0).mul(slope, axis=0)
        straight = straight.add(accuracy[first], axis=0)
        farthest = (accuracy - straight).mean().abs().idxmax()
        return accuracy[farthest], straight[farthest]

    def apart(self, evidence: Evidence) -> pd.Series:
        """How far that level is from the straight line."""
        left, right = self.measured(evidence)
        return (left - right).abs()

    def error(self, evidence: Evidence) -> float:
        left, right = self.measured(evidence)
        return standard_error(left.mean(), min(1.0, max(0.0, right.mean())), evidence.n)

    def words(self) -> tuple[str, str]:
        """Where it is measured, and the relation."""
        where = f"accuracy against {WORDS[self.quality][0]}, {self.distortion}"
        name = render.name(self.method)
        return where, f"{name} {sign(self)} a straight line{allowance(self)}"
