"""What of the paper's claims can be judged: which numbers there are, and which lack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from qrlib import selection, timings
from qrlib.errors import QrlibError

TIMES = ("milliseconds_per_image", "seconds_per_epoch")
#: Metric -> its words and its digits.
WORDS = {
    "accuracy": ("accuracy", 3),
    "psnr": ("PSNR", 2),
    "ssim": ("SSIM", 3),
    "milliseconds_per_image": ("ms an image", 2),
    "seconds_per_epoch": ("s an epoch", 1),
}
#: Metric, whether under the unseen classifier, restorer.
Need = tuple[str, bool, str]


class Evidence:
    """Results of one profile, and what of them there is.

    Args:
        results: frame of `qrlib.store.read`.
        times: frame of ``qrlib.store.read(profile, kind="timing")``, if there is one.
        training: ``qrlib.store.read_records(profile, "recovery")``, for the seconds of an epoch.
        unseen: the classifier that no restorer was trained with; default: the one beside the chosen
            classifier that judged MQRNet.
        choice: profile, dataset, classifier, as in `qrlib.selection.select`.

    Raises:
        QrlibError: as `qrlib.selection.select`; several classifiers could be the unseen one; times or
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
        profile = self._choice["profile"]
        others = set() if times is None else set(times["profile"])
        others |= {record.get("profile", profile) for record in training}
        if others - {profile}:
            raise QrlibError(
                f"times or trainings of {', '.join(sorted(others - {profile}))} beside results of "
                f"{profile}: pass those of one profile"
            )
        self.dataset = self._choice["dataset"]
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
