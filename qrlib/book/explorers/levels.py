"""Accuracy at every level of both distortions, all methods of a profile (Figures 4 to 6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from qrlib.book.explorers.base import Curves
from qrlib.book.explorers.markup import looks_of, methods
from qrlib.records import selection
from qrlib.report import captions, render, tables
from qrlib.report.figures import plots

#: What stands over a column of values, by distortion.
_HEADS = {"noise": "noise σ\u00a0=\u00a0{}", "blur": "blur σ\u00a0=\u00a0{}"}


class Levels(Curves):
    """Lines of `qrlib.report.figures.plots.level_curves`, switched on and off, with the values where a cursor stands.

    Args:
        results: frame of `qrlib.records.store.read`.
        shown: the methods that are switched on at first; default: those of Figure 4.
        choice: profile, dataset, classifier, as in `qrlib.records.selection.select`.

    Its cursor stands at a level; 0 is clean.
    """

    def __init__(
        self,
        results: pd.DataFrame,
        *,
        shown: Iterable[str] = tuple(tables.METHODS),
        **choice: Any,
    ) -> None:
        data = tables.levels(results, **choice)
        there = methods(data["restorer"])
        looks = looks_of(there)
        series = []
        for method in there:
            lines = {}
            for kind in plots.TITLES:
                restorer = selection.restorer_of(method, kind)
                rows = data[(data["restorer"] == restorer) & (data["distortion"] == kind)]
                if len(rows):
                    lines[kind] = _line(rows.sort_values("level"))
            one = {"key": method, "name": render.name(method), "look": looks[method]}
            series.append(one | {"lines": lines})
        view = {
            "key": "levels",
            "name": "accuracy by level",
            "rows": "method",
            "ylabel": "accuracy",
            "ylim": [0, 1],
            "digits": 3,
            "best": "highest",
            "seeds": "dots",
            "panels": [_panel(data, kind) for kind in plots.TITLES],
            "series": series,
            "level": {kind: _clean(data, kind) for kind in plots.TITLES},
        }
        wanted = [method for method in shown if method in there]
        lacking = [render.name(method) for method in shown if method not in there]
        content = {"views": [view], "cursor": "Level", "missing": lacking}
        super().__init__(data=content, shown=wanted, view=view["key"], at=3)
        self.frame, self.note = data, captions.dots(data["seeds"])
        if self.note:
            self.note += " Values are means ± standard deviations over seeds (their number)."
        self.finding = captions.levels(results, there, **choice)


def _line(rows: pd.DataFrame) -> dict[str, Any]:
    """One method in one panel: mean, single seeds, and the values as text."""
    seeds = list(zip(*rows["values"], strict=True))
    ours = rows.to_dict("records")
    texts = [render.format_ours(r["ours"], r["spread"], r["seeds"]) for r in ours]
    values = [r["ours"] for r in ours]
    return {"mean": values, "values": values, "seeds": [list(s) for s in seeds], "texts": texts}


def _panel(data: pd.DataFrame, kind: str) -> dict[str, Any]:
    sigmas = sorted(set(data[data["distortion"] == kind]["strength"]))
    shown = ["0", *(f"{round(sigma, 2):g}" for sigma in sigmas[1:])]
    return {
        "key": kind,
        "title": plots.TITLES[kind],
        "xlabel": plots.AXES[kind],
        "xs": sigmas,
        "labels": shown,
        "heads": [f"clean ({kind})", *(_HEADS[kind].format(sigma) for sigma in shown[1:])],
        "steps": ["0, clean", *(f"{i} of {len(shown) - 1}" for i in range(1, len(shown)))],
    }


def _clean(data: pd.DataFrame, kind: str) -> dict[str, Any] | None:
    """The classifier on clean images without a restorer, as a level line."""
    here = data[(data["restorer"] == "none") & (data["distortion"] == kind) & (data["level"] == 0)]
    if here.empty:
        return None
    return {"value": float(here["ours"].iloc[0]), "text": "clean, unrestored"}
