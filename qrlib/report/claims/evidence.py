"""The numbers that claims are about, seed by seed: which there are, which are missing, and their errors."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from qrlib import paper
from qrlib.experiments import standalone_plan
from qrlib.records import per_image, selection
from qrlib.records.selection import LEVELS, ONLY, Selection
from qrlib.records.uncertainty import standard_error_of_mean
from qrlib.report import labels, timings

TIMES = ("milliseconds_per_image", "seconds_per_epoch")
#: Standard deviation over images of a restorer's change, dB and SSIM, where a record does not tell of each image.
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
        unseen: the classifier that no restorer was trained with.

    Attributes:
        profile, dataset, classifier: whose accuracies these are.
        n: how many test images there are.
        rows: the rows of a metric, under the unseen classifier or the chosen one; None: no such rows.
        means: means over levels of a metric, unseen or not, method, distortion and levels; one value a
            seed.  The rows must be there.

    Raises:
        QrlibError: as `qrlib.records.selection.select`.
    """

    def __init__(
        self,
        results: pd.DataFrame,
        choice: Selection = ONLY,
        *,
        times: pd.DataFrame | None = None,
        training: Sequence[Mapping[str, Any]] = (),
        unseen: str | None = None,
    ):
        self._results, self._times, self._training = results, times, training
        self._accuracies = selection.select(results, choice)
        first = self._accuracies.iloc[0]
        self.profile, self.dataset, self.n = first["profile"], first["dataset"], int(first["n"])
        self.classifier = first["classifier"]
        self._choice = Selection(self.profile, self.dataset, self.classifier)
        self.unseen = unseen
        # Claims share most of their numbers.
        self.rows = functools.cache(self._rows)
        self.means = functools.cache(self._means)

    def _rows(self, metric: str, unseen: bool = False) -> pd.DataFrame | None:
        frame = self._times if metric in TIMES else self._results
        if metric == "seconds_per_epoch":
            frame = self._training_times()
        choice = replace(self._choice, classifier=self.unseen) if unseen else self._choice
        if frame is None or choice.classifier is None:
            return None
        there = frame["metric"] == metric
        for key, value in vars(choice).items():
            there &= frame[key] == value
        return selection.select(frame, choice, metric=metric) if there.any() else None

    def present(self, metric: str, unseen: bool = False) -> pd.DataFrame:
        """The rows of a metric, which are known to be there."""
        rows = self.rows(metric, unseen)
        assert rows is not None
        return rows

    def _means(
        self, metric: str, unseen: bool, method: str, distortion: str, levels: tuple[int, ...]
    ) -> pd.Series:
        return selection.seed_means(self.present(metric, unseen), method, distortion, levels)

    def _training_times(self) -> pd.DataFrame | None:
        names = [str(record["name"]) for record in self._training]
        restorers = [
            restorer
            for restorer in ("qrnet-multiple", "end_to_end-multiple")
            if restorer in set(self._accuracies["restorer"])
            and any(name.startswith(f"{restorer}-{self._choice.classifier}-") for name in names)
        ]
        if not restorers:
            return None
        return timings.training_times(self._training, restorers, self._accuracies)

    def lacks(self, needs: Iterable[Need]) -> list[str]:
        """What has no rows, in words."""
        lacking = []
        for metric, unseen, restorer in needs:
            rows = self.rows(metric, unseen)
            if rows is None or restorer not in set(rows["restorer"]):
                what = "" if metric == "accuracy" else f" ({labels.METRICS[metric][0]})"
                lacking.append(
                    labels.method(restorer)
                    + what
                    + (" under an unseen classifier" if unseen else "")
                )
        return list(dict.fromkeys(lacking))

    def records(self, needs: Iterable[Need]) -> tuple[str, ...]:
        """The files that hold the rows of these needs."""
        files: set[str] = set()
        for metric, unseen, restorer in needs:
            rows = self.rows(metric, unseen)
            if rows is not None:
                files |= set(rows.loc[rows["restorer"] == restorer, "record"])
        return tuple(sorted(files))


@dataclass(frozen=True)
class Side:
    """A number: of a method on "clean", "noise", "blur" or their "average", mean over levels.

    Attributes:
        method: key of `qrlib.paper.METHODS`, or a restorer.
        metric: key of `qrlib.report.labels.METRICS`.
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
    def methods(self) -> tuple[str, ...]:
        """The method, and what it gains over."""
        return (self.method, self.over) if self.over else (self.method,)

    @property
    def untrained(self) -> bool:
        """Whether it is the same for every seed."""
        return all(map(_untrained, self.methods))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The distortions that it is a mean of."""
        return ("noise", "blur") if self.distortion == "average" else (self.distortion,)

    def needs(self) -> Iterator[Need]:
        """The rows without which it cannot be measured."""
        for method in self.methods:
            for kind in self.kinds:
                yield self.metric, self.unseen, selection.restorer_of(method, kind)

    def printed(self, dataset: str) -> float | None:
        """The paper's number, or None where it prints none (clean images; single levels)."""
        numbers = [self._printed(dataset, method) for method in self.methods]
        if None in numbers:
            return None
        return numbers[0] - numbers[1] if self.over else numbers[0]  # type: ignore[operator]

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
        values = [self._measured(evidence, method) for method in self.methods]
        if not self.over:
            return values[0]
        restored, base = paired(values[0], values[1], [*map(_untrained, self.methods)])
        return restored - base

    def _measured(self, evidence: Evidence, method: str) -> pd.Series:
        if self.metric in TIMES:
            return self._times(evidence, method)["value"]
        return evidence.means(self.metric, self.unseen, method, self.distortion, self.levels)

    def _times(self, evidence: Evidence, method: str) -> pd.DataFrame:
        rows = evidence.present(self.metric, self.unseen)
        restorer = selection.restorer_of(method, self.distortion)
        return timings.restorer_times(rows, self.metric, restorer).set_index("seed")

    def variance(self, evidence: Evidence) -> float:
        """Of the mean over seeds, by the rule of `qrlib.report.claims.rule`."""
        rows = evidence.present(self.metric, self.unseen)
        n = int(rows["n"].iloc[0])
        total = 0.0
        for method in self.methods:
            if self.metric == "accuracy":
                shares = [
                    selection.by_seed(rows, method, kind, self._levels(kind)).mean()
                    for kind in self.kinds
                ]
                total += standard_error_of_mean(pd.concat(shares), n) ** 2
            elif self.metric in TIMES:
                errors = self._times(evidence, method)["error"]
                total += float((errors**2).sum(skipna=False)) / len(errors) ** 2
            else:
                total += SPREAD[self.metric] ** 2 / (2 * n)
        return total

    def image_means(self, evidence: Evidence, seeds: pd.Index) -> np.ndarray | None:
        """The metric of each test image, mean over levels and seeds: (n,).

        Of accuracy that is the share of levels at which the image is recognised; of a gain, the difference
        of two such means.  None where records do not tell.
        """
        rows = evidence.present(self.metric, self.unseen)
        column = "right" if self.metric == "accuracy" else "images"
        if self.metric in TIMES or column not in rows:
            return None
        n = int(rows["n"].iloc[0])
        total = np.zeros(n)
        for method, sign in zip(self.methods, (1, -1), strict=False):
            for kind in self.kinds:
                own = selection.method_rows(rows, method, kind, self._levels(kind))
                if not _untrained(method):
                    own = own[own["seed"].isin(seeds)]
                if own[column].isna().any():
                    return None
                images = [per_image.unpack(text, n, self.metric) for text in own[column]]
                total += sign * np.mean(images, axis=0) / len(self.kinds)
        return total

    def _levels(self, kind: str) -> tuple[int, ...]:
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
            words += labels.joined(map(str, self.levels))
        return words + (", unseen classifier" if self.unseen else "")

    @property
    def label(self) -> str:
        """Whose it is, in words."""
        names = [labels.method(method) for method in self.methods]
        return f"gain of {names[0]} over {names[1]}" if self.over else names[0]


def _untrained(method: str) -> bool:
    """Whether a method is the same for every seed: the classifier alone, also where it is adapted."""
    return standalone_plan.way(method)[0] == "none"


def paired(left: pd.Series, right: pd.Series, untrained: Sequence[bool]) -> list[pd.Series]:
    """Both on the seeds that both have; an untrained side has its one value at every seed."""
    if untrained[0] and not untrained[1]:
        left = pd.Series(left.mean(), index=right.index)
    elif untrained[1] and not untrained[0]:
        right = pd.Series(right.mean(), index=left.index)
    both = left.index.intersection(right.index)
    return [left[both], right[both]]
