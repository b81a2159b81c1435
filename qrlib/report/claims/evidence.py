"""The numbers that claims are about: which there are and which lack, each a seed, and their errors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from qrlib import paper
from qrlib.records import bitmask, selection
from qrlib.records.selection import LEVELS
from qrlib.report import render, timings
from qrlib.utils.errors import QrlibError

TIMES = ("milliseconds_per_image", "seconds_per_epoch")
#: Metric -> its words and its digits.
WORDS = {
    "accuracy": ("accuracy", 3),
    "psnr": ("PSNR", 2),
    "ssim": ("SSIM", 3),
    "milliseconds_per_image": ("ms an image", 2),
    "seconds_per_epoch": ("s an epoch", 1),
}
#: Standard deviation over images of a restorer's change, dB and SSIM.
SPREAD = {"psnr": 4.0, "ssim": 0.1}
#: Metric, whether under the unseen classifier, restorer.
Need = tuple[str, bool, str]


class Evidence:
    """Results of one profile, and what of them there is.

    Args:
        results: frame of `qrlib.records.store.read`, best with its images, whose differences have smaller
            errors than those of two means.
        times: frame of ``qrlib.records.store.read(profile, kind="timing")``, if there is one.
        training: ``qrlib.records.store.read_records(profile, "recovery")``, for the seconds of an epoch.
        unseen: the classifier that no restorer was trained with; default: the one beside the chosen
            classifier that judged MQRNet.
        choice: profile, dataset, classifier, as in `qrlib.records.selection.select`.

    Raises:
        QrlibError: as `qrlib.records.selection.select`; several classifiers could be the unseen one; times or
            trainings of another profile.
    """

    def __init__(
        self,
        results: pd.DataFrame,
        *,
        times: pd.DataFrame | None = None,
        training: Sequence[Mapping[str, Any]] = (),
        unseen: str | None = None,
        **choice: Any,
    ):
        main = selection.select(results, **choice)
        self._results, self._times, self._training = results, times, training
        self._choice = {key: str(main[key].iloc[0]) for key in ("profile", "dataset", "classifier")}
        self._rows: dict[tuple[str, bool], pd.DataFrame | None] = {("accuracy", False): main}
        self._means: dict[tuple[str, bool, str, str, tuple[int, ...]], pd.Series] = {}
        profile = self._choice["profile"]
        others = set() if times is None else set(times["profile"])
        others |= {record.get("profile", profile) for record in training}
        if others - {profile}:
            raise QrlibError(
                f"times or trainings of {', '.join(sorted(others - {profile}))} beside results of "
                f"{profile}: pass those of one profile"
            )
        self.profile, self.dataset = self._choice["profile"], self._choice["dataset"]
        self.n = int(main["n"].iloc[0])
        self.unseen = unseen or self._find_unseen()

    def _find_unseen(self) -> str | None:
        rows = self._results
        for key in ("profile", "dataset"):
            rows = rows[rows[key] == self._choice[key]]
        judges = set(rows.loc[rows["restorer"] == "mqrnet-multiple", "classifier"])
        found = sorted(map(str, judges - {self._choice["classifier"]}))
        if len(found) > 1:
            raise QrlibError(
                f"MQRNet was judged by several classifiers ({', '.join(found)}): choose the one that "
                "it was not trained with by unseen="
            )
        return found[0] if found else None

    def rows(self, metric: str, unseen: bool = False) -> pd.DataFrame | None:
        """The rows of a metric, under the unseen classifier or the chosen one; None: no such rows."""
        if (metric, unseen) not in self._rows:
            self._rows[metric, unseen] = self._select(metric, unseen)
        return self._rows[metric, unseen]

    def means(
        self, metric: str, unseen: bool, method: str, distortion: str, levels: tuple[int, ...]
    ) -> pd.Series:
        """Means over levels, one value a seed; the rows must be there."""
        asked = (metric, unseen, method, distortion, levels)
        if asked not in self._means:  # claims share most of their numbers
            rows = self.rows(metric, unseen)
            assert rows is not None
            self._means[asked] = selection.seed_means(rows, method, distortion, levels)
        return self._means[asked]

    def _select(self, metric: str, unseen: bool) -> pd.DataFrame | None:
        if metric == "seconds_per_epoch":
            return self._epochs()
        frame = self._times if metric in TIMES else self._results
        choice = self._choice | ({"classifier": self.unseen or ""} if unseen else {})
        if frame is None or (unseen and self.unseen is None):
            return None
        mine = frame["metric"] == metric
        for key, value in choice.items():
            mine &= frame[key] == value
        return selection.select(frame, metric=metric, **choice) if mine.any() else None

    def _epochs(self) -> pd.DataFrame | None:
        main = self._rows["accuracy", False]
        wanted = ("qrnet-multiple", "end_to_end-multiple")
        names = {str(record["name"]) for record in self._training}
        there = [
            restorer
            for restorer in wanted
            if main is not None
            and restorer in set(main["restorer"])
            and any(name.startswith(f"{restorer}-{self._choice['classifier']}-") for name in names)
        ]
        if not there or main is None:
            return None
        found = timings.of_training(self._training, there, main)
        return selection.select(found, metric="seconds_per_epoch")

    def lacks(self, needs: Iterable[Need]) -> list[str]:
        """Which of the needs have no rows, in words."""
        gone = []
        for metric, unseen, restorer in needs:
            rows = self.rows(metric, unseen)
            if rows is None or restorer not in set(rows["restorer"]):
                what = "" if metric == "accuracy" else f" ({WORDS[metric][0]})"
                gone.append(restorer + what + (" under an unseen classifier" if unseen else ""))
        return list(dict.fromkeys(gone))

    def records(self, needs: Iterable[Need]) -> tuple[str, ...]:
        """The files that hold the rows of these needs."""
        found: set[str] = set()
        for metric, unseen, restorer in needs:
            rows = self.rows(metric, unseen)
            if rows is not None:
                found |= set(rows.loc[rows["restorer"] == restorer, "record"])
        return tuple(sorted(found))


@dataclass(frozen=True)
class Side:
    """A number: of a method on "clean", "noise", "blur" or their "average", mean over levels.

    Attributes:
        method: key of `qrlib.paper.METHODS`, or a restorer.
        metric: key of `WORDS`.
        over: if given, the number is the gain over this method.
        unseen: whether under the classifier that no restorer was trained with.
    """

    method: str
    distortion: str
    levels: tuple[int, ...] = LEVELS
    metric: str = "accuracy"
    over: str = ""
    unseen: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.method, self.over) if self.over else (self.method,)

    @property
    def untrained(self) -> bool:
        """Whether it is the same for every seed."""
        return set(self.parts) == {"none"}

    def needs(self) -> Iterator[Need]:
        """The rows without which it cannot be measured."""
        for method in self.parts:
            for kind in self.kinds:
                yield self.metric, self.unseen, selection.restorer_of(method, kind)

    def printed(self, dataset: str) -> float | None:
        """The paper's number, or None where it prints none (clean images; single levels)."""
        found = [self._printed(dataset, method) for method in self.parts]
        if any(value is None for value in found):
            return None
        return found[0] - found[1] if self.over else found[0]  # type: ignore[operator]

    def _printed(self, dataset: str, method: str) -> float | None:
        if self.metric in TIMES:
            restorer = selection.restorer_of(method, self.distortion)
            for metric, timed, name in timings.TIMED.values():
                if name and (metric, timed) == (self.metric, restorer):
                    return float(paper.setting(name))
            return None
        if self.unseen or self.levels != LEVELS:
            return None
        return paper.find(dataset, self.distortion, method, self.metric)

    def measured(self, evidence: Evidence) -> pd.Series:
        """Ours, one value a seed."""
        values = [self._measured(evidence, method) for method in self.parts]
        if len(values) == 1:
            return values[0]
        one, other = paired(values[0], values[1], [method == "none" for method in self.parts])
        return one - other

    def _measured(self, evidence: Evidence, method: str) -> pd.Series:
        if self.metric in TIMES:
            rows = evidence.rows(self.metric, self.unseen)
            assert rows is not None  # asked only if nothing lacks
            return self._times(rows, method)["value"]
        return evidence.means(self.metric, self.unseen, method, self.distortion, self.levels)

    def _times(self, rows: pd.DataFrame, method: str) -> pd.DataFrame:
        restorer = selection.restorer_of(method, self.distortion)
        return timings.of(rows, self.metric, restorer).set_index("seed")

    def variance(self, evidence: Evidence) -> float:
        """Of the mean over seeds, by the rule of `qrlib.report.claims.rule`."""
        rows = evidence.rows(self.metric, self.unseen)
        assert rows is not None
        n = int(rows["n"].iloc[0])
        total = 0.0
        for method in self.parts:
            if self.metric == "accuracy":
                shares = [
                    selection.by_seed(rows, method, kind, self.at(kind)).mean()
                    for kind in self.kinds
                ]
                total += error_of_mean(pd.concat(shares), n) ** 2
            elif self.metric in TIMES:
                errors = self._times(rows, method)["error"]
                total += float((errors**2).sum(skipna=False)) / len(errors) ** 2
            else:
                total += SPREAD[self.metric] ** 2 / (2 * n)
        return total

    def outcomes(self, evidence: Evidence, seeds: pd.Index) -> np.ndarray | None:
        """The share of levels at which each test image is recognised, mean over seeds: (n,).

        Of a gain, the difference of two such shares.  None where records do not tell.
        """
        rows = evidence.rows(self.metric, self.unseen)
        assert rows is not None
        if self.metric != "accuracy" or "right" not in rows:
            return None
        total = np.zeros(int(rows["n"].iloc[0]))
        for method, sign in zip(self.parts, (1, -1), strict=False):
            for kind in self.kinds:
                here = selection.rows_of(rows, method, kind, self.at(kind))
                if method != "none":
                    here = here[here["seed"].isin(seeds)]
                if here["right"].isna().any():
                    return None
                seen = [bitmask.unpack(text, len(total)) for text in here["right"]]
                total += sign * np.mean(seen, axis=0) / len(self.kinds)
        return total

    @property
    def kinds(self) -> tuple[str, ...]:
        """The distortions that it is a mean of."""
        return ("noise", "blur") if self.distortion == "average" else (self.distortion,)

    def at(self, kind: str) -> tuple[int, ...]:
        """The levels that it is a mean of; clean images have level 0."""
        return (0,) if kind == "clean" else self.levels

    @property
    def place(self) -> str:
        """What it is measured on, in words; "" for times, which are of one setting."""
        if self.metric in TIMES:
            return ""
        words = self.distortion
        if self.levels != LEVELS:
            words += f" {'level' if len(self.levels) == 1 else 'levels'} "
            words += " and ".join(map(str, self.levels))
        return words + (", unseen classifier" if self.unseen else "")

    @property
    def who(self) -> str:
        """Whose it is, in words."""
        words = [render.name(method) for method in self.parts]
        return f"gain of {words[0]} over {words[1]}" if self.over else words[0]


def error_of_mean(shares: pd.Series | np.ndarray, n: int) -> float:
    """The most that one standard error of a mean of accuracies on the same n images can be.

    It is reached where every image is recognised at all levels or at none that differ: their errors
    then add up.  Were the levels independent, it would be smaller by the root of their number.

    >>> error_of_mean(np.array([0.5, 0.5]), 100)
    0.05
    >>> round(error_of_mean(np.array([0.9, 0.1]), 100), 2)  # and not that of one share of 0.5
    0.03
    """
    return float(np.sqrt(shares * (1 - shares)).mean() / math.sqrt(n))


def paired(left: pd.Series, right: pd.Series, untrained: Sequence[bool]) -> list[pd.Series]:
    """Both on the seeds that both have; an untrained side has its one value at every seed."""
    if untrained[0] and not untrained[1]:
        left = pd.Series(left.mean(), index=right.index)
    elif untrained[1] and not untrained[0]:
        right = pd.Series(right.mean(), index=left.index)
    both = left.index.intersection(right.index)
    return [left[both], right[both]]
