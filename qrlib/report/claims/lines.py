"""What claims about Figure 7 compare: lines of accuracy against PSNR or SSIM, one point a level."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from qrlib.records import selection
from qrlib.records.uncertainty import standard_error_of_difference, standard_error_of_mean
from qrlib.report import labels
from qrlib.report.claims.comparisons import Compared, no_common_seed
from qrlib.report.claims.evidence import Evidence, Need

#: At how many points of a shared range of quality two lines are compared.
GRID = 101
#: The least share of the narrower line's range that two lines must have in common.
OVERLAP = 0.25


def _lines(evidence: Evidence, method: str, distortion: str, quality: str) -> list[pd.DataFrame]:
    """Quality and accuracy, one row a seed and one column a level, on the seeds that have both."""
    frames = [
        selection.by_seed(evidence.present(metric), method, distortion)
        for metric in (quality, "accuracy")
    ]
    both = frames[0].index.intersection(frames[1].index)
    return [frame.loc[both] for frame in frames]


def _needs(method: str, distortion: str, quality: str) -> Iterator[Need]:
    restorer = selection.restorer_of(method, distortion)
    yield "accuracy", False, restorer
    yield quality, False, restorer


@dataclass(frozen=True)
class AtEqualQuality(Compared):
    """Accuracies of two methods where their images have the same PSNR or SSIM.

    Both lines are interpolated between their levels and compared at `GRID` points, evenly spaced over
    the range of quality that they share.  ">" compares the means of these accuracies; "similar" and
    "differs" the mean of their distances, so that lines that cross are not alike.  By chance alone a
    mean distance is larger than 0, by less than one error.

    They can be compared where the shared range is at least `OVERLAP` of the narrower one; a seed at
    which it is less is left out.
    """

    left: str
    right: str
    distortion: str
    quality: str
    relation: str = ">"
    margin: float = 0.0

    def needs(self) -> Iterator[Need]:
        for method in (self.left, self.right):
            yield from _needs(method, self.distortion, self.quality)

    def hindrance(self, evidence: Evidence) -> str:
        """That no seed's lines share enough of a range."""
        if self._accuracies(evidence):
            return ""
        left, right = (labels.method(method) for method in (self.left, self.right))
        return (
            f"the {labels.METRICS[self.quality][0]} ranges of {left} and {right} overlap by less than "
            f"{OVERLAP:.0%} ({self.distortion})"
        )

    def measured(self, evidence: Evidence) -> tuple[pd.Series, pd.Series]:
        """Mean accuracies over the shared range."""
        lines = self._accuracies(evidence)
        means = pd.DataFrame({seed: pair.mean(axis=1) for seed, pair in lines.items()}).T
        return means[0], means[1]

    def distance(self, evidence: Evidence) -> pd.Series:
        """Mean distance of the accuracies over the shared range."""
        lines = self._accuracies(evidence)
        return pd.Series({seed: np.abs(a - b).mean() for seed, (a, b) in lines.items()})

    def _accuracies(self, evidence: Evidence) -> dict[int, np.ndarray]:
        """Both lines' accuracies at the points of the shared range, (2, GRID); of seeds that have one."""
        q1, a1 = _lines(evidence, self.left, self.distortion, self.quality)
        q2, a2 = _lines(evidence, self.right, self.distortion, self.quality)
        if self.left == "none":
            q1, a1 = (_repeated(frame, q2.index) for frame in (q1, a1))
        elif self.right == "none":
            q2, a2 = (_repeated(frame, q1.index) for frame in (q2, a2))
        both = q1.index.intersection(q2.index)
        if both.empty:
            raise no_common_seed([self.left, self.right], [q1, q2])
        lines = {}
        for seed in both:
            x1, x2 = q1.loc[seed].to_numpy(), q2.loc[seed].to_numpy()
            low, high = max(x1.min(), x2.min()), min(x1.max(), x2.max())
            if high - low >= OVERLAP * min(np.ptp(x1), np.ptp(x2)):
                x = np.linspace(low, high, GRID)
                pair = [_broken_line(x, x1, a1.loc[seed]), _broken_line(x, x2, a2.loc[seed])]
                lines[seed] = np.stack(pair)
        return lines

    def standard_error(self, evidence: Evidence) -> float:
        lines = np.mean(list(self._accuracies(evidence).values()), axis=0)  # (2, GRID)
        return math.hypot(*(standard_error_of_mean(line, evidence.n) for line in lines))

    def words(self) -> tuple[str, str]:
        left, right = (labels.method(method) for method in (self.left, self.right))
        place = f"accuracy at equal {labels.METRICS[self.quality][0]}, {self.distortion}"
        return place, self._related(left, right)


def _broken_line(x: np.ndarray, xs: np.ndarray, ys: pd.Series) -> np.ndarray:
    """The line through (xs, ys), in any order, at x."""
    order = np.argsort(xs)
    return np.interp(x, xs[order], ys.to_numpy()[order])


def _repeated(frame: pd.DataFrame, seeds: pd.Index) -> pd.DataFrame:
    """The one run of what is not trained, for every seed."""
    return pd.DataFrame([frame.mean()] * len(seeds), index=seeds)


@dataclass(frozen=True)
class Bend(Compared):
    """How far a method's line leaves the straight one between its ends, where it does most.

    Left is the accuracy there, right that of the straight line at the same quality.
    """

    method: str
    distortion: str
    quality: str
    margin: float
    relation: str = "differs"

    def needs(self) -> Iterator[Need]:
        yield from _needs(self.method, self.distortion, self.quality)

    def hindrance(self, evidence: Evidence) -> str:
        """That the line has one quality at both ends."""
        quality, _ = _lines(evidence, self.method, self.distortion, self.quality)
        if (quality.iloc[:, 0] != quality.iloc[:, -1]).all():
            return ""
        name, words = labels.method(self.method), labels.METRICS[self.quality][0]
        return (
            f"{name} has the same {words} at the lowest and the highest level of {self.distortion}"
        )

    def measured(self, evidence: Evidence) -> tuple[pd.Series, pd.Series]:
        """At the level that lies farthest from the straight line in the mean over seeds."""
        quality, accuracy = _lines(evidence, self.method, self.distortion, self.quality)
        first, last = quality.columns[0], quality.columns[-1]
        slope = (accuracy[last] - accuracy[first]) / (quality[last] - quality[first])
        straight = quality.sub(quality[first], axis=0).mul(slope, axis=0)
        straight = straight.add(accuracy[first], axis=0)
        farthest = (accuracy - straight).mean().abs().idxmax()
        return accuracy[farthest], straight[farthest]

    def standard_error(self, evidence: Evidence) -> float:
        left, right = self.measured(evidence)
        straight = min(1.0, max(0.0, right.mean()))
        return standard_error_of_difference(left.mean(), straight, evidence.n)

    def words(self) -> tuple[str, str]:
        place = f"accuracy against {labels.METRICS[self.quality][0]}, {self.distortion}"
        return place, self._related(labels.method(self.method), "a straight line")
