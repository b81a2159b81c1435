"""The printed numbers of Tables 2 to 4 beside ours, every seed a dot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import traitlets

from qrlib.book.explorers.base import Explorer, script
from qrlib.book.explorers.markup import looks_of
from qrlib.experiments import coverage
from qrlib.experiments.profiles import Profile
from qrlib.records import store
from qrlib.report import captions, labels, render, tables

#: The tables that print accuracies, by part of a profile, each with its name and its function.
TABLES: dict[str, tuple[str, Callable[..., pd.DataFrame]]] = {
    "table2": ("Table 2: restorers", tables.table2),
    "table3": ("Table 3: small QRNet", tables.table3),
    "table4": ("Table 4: classifier trained as well", tables.table4),
}


class Printed(Explorer):
    """A row a method: the printed accuracy, ours, and each seed; several settings and tables to choose.

    Args:
        shown: profiles, each with the records of at least Table 2.

    Attributes:
        setting: name of the profile.
        table: key of `TABLES`.
        seeds: whether single seeds are drawn.
    """

    _esm = script("common.js", "chart.js", "printed.js")
    setting = traitlets.Unicode("").tag(sync=True)
    table = traitlets.Unicode("table2").tag(sync=True)
    seeds = traitlets.Bool(True).tag(sync=True)

    def __init__(self, shown: Sequence[Profile]) -> None:
        made = {profile.name: _tables(profile) for profile in shown}
        settings = [_setting(profile, made[profile.name]) for profile in shown]
        there = [
            [key, TABLES[key][0]] for key in TABLES if any(key in s["tables"] for s in settings)
        ]
        missing = [] if settings else ["any evaluation"]
        data = {"settings": settings, "tables": there, "missing": missing}
        super().__init__(data=data, setting=settings[0]["key"] if settings else "")
        frames = [t.assign(table=part) for ts in made.values() for part, t in ts.items()]
        self.frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
        brackets = "Brackets hold how many seeds."
        self.note = f"{brackets} {captions.dots(self.frame['seeds'])}".strip() if frames else ""
        self.finding = " ".join(
            f"{p.title}, Table 2: {captions.average(made[p.name]['table2'])}" for p in shown
        )


def _tables(profile: Profile) -> dict[str, pd.DataFrame]:
    """All tables that a profile has the records of, by part."""
    results = store.read(profile.name)
    return {
        part: function(results, profile.choice, comparable=profile.comparable)
        for part, (_, function) in TABLES.items()
        if not coverage.missing(profile, part)
    }


def _setting(profile: Profile, made: dict[str, pd.DataFrame]) -> dict[str, Any]:
    dataset = [table["paper_dataset"].iloc[0] for table in made.values()][-1]
    return {
        "key": profile.name,
        "name": profile.title,
        "label": f"Ours: {profile.label}.",
        "paper": f"paper ({dataset})" + ("" if profile.comparable else ", another setting"),
        "tables": {
            part: {"groups": _groups(table), "finding": captions.average(table)}
            for part, table in made.items()
        },
    }


def _groups(table: pd.DataFrame) -> list[dict[str, Any]]:
    looks = looks_of(table["column"])
    return [
        {
            "key": row,
            "name": labels.DISTORTIONS.get(row, "average of both"),
            "cells": [_cell(cell, looks[cell["column"]]) for cell in cells.to_dict("records")],
        }
        for row, cells in table.groupby("row", sort=False)
    ]


def _cell(cell: dict[str, Any], look: dict[str, str]) -> dict[str, Any]:
    name = labels.method(cell["column"])
    values = list(cell["values"])
    seeds = f" (seeds: {', '.join(f'{value:.3f}' for value in values)})" if len(values) > 1 else ""
    where = "average" if cell["row"] == "average" else f"under {cell['row']}"
    return {
        "key": cell["column"],
        "name": name,
        "look": look,
        "paper": cell["paper"],
        "ours": cell["ours"],
        "values": values,
        "text": render.format_ours(cell["ours"], cell["spread"], cell["seeds"]),
        "says": f"{name}, {where}: paper {cell['paper']:.3f}, ours {cell['ours']:.3f}{seeds}.",
    }
