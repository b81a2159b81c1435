"""What a claim compares: numbers of methods (`qrlib.report.claims.evidence.Side`).

Each kind of comparison measures two numbers a seed and their error; `qrlib.report.claims.rule` judges them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qrlib.records.selection import LEVELS
from qrlib.report import labels, timings
from qrlib.report.claims.evidence import TIMES, Evidence, Need, Side, paired
from qrlib.utils.errors import QrlibError

#: The upper two of five levels; the paper speaks of high levels without saying which.
HIGH = (4, 5)
#: Accuracies no farther apart than this are our reading of "similar" and "slightly less", and those
#: farther apart of "different" and "poor".
SIMILAR = 0.03


class Compared(ABC):
    """What can be judged: two numbers a seed, left and right, an error, and a relation between them.

    Attributes:
        relation: ">", "similar" or "differs".
        margin: by how much; of a time, which share of right.
    """

    relation: str
    margin: float

    @property
    def metric(self) -> str:
        """Of left and right."""
        return "accuracy"

    @abstractmethod
    def needs(self) -> Iterator[Need]:
        """The rows without which it cannot be measured."""

    def printed(self, dataset: str) -> tuple[float, float] | None:
        """The paper's two numbers; of Figure 7 it prints none."""
        return None

    def hindrance(self, evidence: Evidence) -> str:
        """Why complete results still cannot be compared; "" if they can."""
        return ""

    @abstractmethod
    def measured(self, evidence: Evidence) -> tuple[pd.Series, pd.Series]:
        """Left and right, seed by seed."""

    def distance(self, evidence: Evidence) -> pd.Series:
        """Between left and right, seed by seed."""
        left, right = self.measured(evidence)
        return (left - right).abs()

    @abstractmethod
    def standard_error(self, evidence: Evidence) -> float:
        """Of the difference of left and right, without what seeds add."""

    @abstractmethod
    def words(self) -> tuple[str, str]:
        """Where it is measured, and the relation."""

    def _related(self, left: str, right: str) -> str:
        """The relation in words, with the margin where there is one."""
        sign = {">": ">", "similar": "≈", "differs": "≠"}[self.relation]
        size = f"{abs(self.margin):.0%}" if self.metric in TIMES else f"{abs(self.margin):g}"
        before = {
            ">": "−" if self.margin > 0 else "+",
            "similar": "within",
            "differs": "by more than",
        }[self.relation]
        return f"{left} {sign} {right}" + (f" {before} {size}" if self.margin else "")


def no_common_seed(
    methods: Sequence[str], values: Sequence[pd.Series | pd.DataFrame]
) -> QrlibError:
    left, right = (f"{m} (seeds {list(v.index)})" for m, v in zip(methods, values, strict=True))
    return QrlibError(
        f"{left} and {right} have no seed in common, and claims compare seed by seed: run one with a "
        "seed of the other"
    )


@dataclass(frozen=True)
class Comparison(Compared):
    """Numbers of two methods."""

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
        left, right = self.left.printed(dataset), self.right.printed(dataset)
        return None if left is None or right is None else (left, right)

    def hindrance(self, evidence: Evidence) -> str:
        """Why times cannot be compared; results on the same images always can."""
        rows = evidence.rows(self.metric)
        if self.metric not in TIMES or rows is None:
            return ""
        return timings.hindrance(rows, self.metric, (restorer for *_, restorer in self.needs()))

    def measured(self, evidence: Evidence) -> tuple[pd.Series, pd.Series]:
        left, right = self.left.measured(evidence), self.right.measured(evidence)
        on_left, on_right = paired(left, right, [self.left.untrained, self.right.untrained])
        if on_left.empty:
            raise no_common_seed([self.left.method, self.right.method], [left, right])
        return on_left, on_right

    def standard_error(self, evidence: Evidence) -> float:
        seeds = self.measured(evidence)[0].index
        left, right = (side.image_means(evidence, seeds) for side in (self.left, self.right))
        if left is None or right is None:
            return math.sqrt(self.left.variance(evidence) + self.right.variance(evidence))
        return float((left - right).std(ddof=1) / math.sqrt(len(left)))

    def words(self) -> tuple[str, str]:
        left, right = self.left.label, self.right.label
        metric, place = labels.METRICS[self.metric][0], self.left.place
        if place == self.right.place:
            return ", ".join(filter(None, (metric, place))), self._related(left, right)
        return metric, self._related(f"{left} ({place})", f"{right} ({self.right.place})")


def beats(
    better: str,
    worse: str,
    distortion: str,
    levels: tuple[int, ...] = LEVELS,
    margin: float = 0.0,
    **side: Any,
) -> Comparison:
    """One method > another, on one distortion; `side` as the fields of `Side`."""
    left, right = (Side(method, distortion, levels, **side) for method in (better, worse))
    return Comparison(left, right, margin)
