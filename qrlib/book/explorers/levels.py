"""Accuracy at every level of both distortions, all methods of a profile (Figures 4 to 6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from qrlib.book.explorers.base import Curves
from qrlib.book.explorers.markup import looks_of, methods
from qrlib.records import selection
from qrlib.records.selection import ONLY, Selection
from qrlib.report import captions, labels, render, tables


class Levels(Curves):
    """Lines of `qrlib.report.figures.plots.level_curves`, switched on and off, with the values at a cursor.

    Args:
        shown: the methods that are switched on at first; default: those of Figure 4.

    Its cursor is at a level; 0 is clean.
    """

    def __init__(
        self,
        results: pd.DataFrame,
        choice: Selection = ONLY,
        *,
        shown: Iterable[str] = tuple(tables.TABLE2_METHODS),
    ) -> None:
        data = tables.levels(results, choice)
        there = methods(data["restorer"])
        looks = looks_of(there)
        series = []
        for method in there:
            lines = {}
            for kind in labels.DISTORTIONS:
                restorer = selection.restorer_of(method, kind)
                rows = data[(data["restorer"] == restorer) & (data["distortion"] == kind)]
                if len(rows):
                    lines[kind] = _line(rows.sort_values("level"))
            line = {"key": method, "name": labels.method(method), "look": looks[method]}
            series.append(line | {"lines": lines})
        view = {
            "key": "levels", "name": "accuracy by level", "rows": "method", "ylabel": "accuracy",
            "ylim": [0, 1], "digits": 3, "best": "highest", "seeds": "dots",
            "panels": [_panel(data, kind) for kind in labels.DISTORTIONS],
            "series": series,
            "level": {kind: _clean(data, kind) for kind in labels.DISTORTIONS},
        }  # fmt: skip
        lacking = [labels.method(method) for method in shown if method not in there]
        content = {"views": [view], "cursor": "Level", "missing": lacking}
        on = [method for method in shown if method in there]
        super().__init__(data=content, shown=on, view=view["key"], at=3)
        self.frame = data
        dots = captions.dots(data["seeds"])
        note = "Bands and ± are one standard error; in brackets is the number of seeds."
        self.note = f"{note} {dots}".strip()
        self.finding = captions.levels(results, there, choice)


def _line(rows: pd.DataFrame) -> dict[str, Any]:
    """One method in one panel: mean, its standard error, single seeds, and the values as text."""
    seeds = list(zip(*rows["values"], strict=True))
    ours = rows.to_dict("records")
    texts = [render.format_ours(r["ours"], r["standard_error"], r["seeds"]) for r in ours]
    values, errors = ([r[column] for r in ours] for column in ("ours", "standard_error"))
    line = {"mean": values, "errors": errors, "values": values, "texts": texts}
    return line | {"seeds": [list(s) for s in seeds]}


def _panel(data: pd.DataFrame, kind: str) -> dict[str, Any]:
    sigmas = sorted(set(data[data["distortion"] == kind]["strength"]))
    shown = ["0", *(f"{round(sigma, 2):g}" for sigma in sigmas[1:])]
    return {
        "key": kind,
        "title": labels.DISTORTIONS[kind],
        "xlabel": labels.sigma_axis(kind),
        "xs": sigmas,
        "labels": shown,
        "heads": [f"clean ({kind})", *(f"{kind} σ\u00a0=\u00a0{sigma}" for sigma in shown[1:])],
        "steps": ["0, clean", *(f"{i} of {len(shown) - 1}" for i in range(1, len(shown)))],
    }


def _clean(data: pd.DataFrame, kind: str) -> dict[str, Any] | None:
    """The classifier on clean images without a restorer, as a level line."""
    own = data[(data["restorer"] == "none") & (data["distortion"] == kind) & (data["level"] == 0)]
    if own.empty:
        return None
    return {"value": float(own["ours"].iloc[0]), "text": "clean, unrestored"}
