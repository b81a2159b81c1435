"""Where a step's time goes furthest: all of a batch before the classifier, or a random part of it.

What a day of two cores can hold rests on this (`qrlib.training.sampling`), so it is measured: networks
that differ in nothing but the sample are trained for the same amount of arithmetic, and their
validation images are asked after each epoch.  Test images take no part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from qrlib.experiments.settings import Profile
from qrlib.experiments.variants import PARTS, VARIANTS
from qrlib.records import selection
from qrlib.report import labels, sources
from qrlib.report.render import Rendered, grid, mean_and_spread


def courses(records: Sequence[Mapping[str, Any]], profile: Profile) -> pd.DataFrame:
    """What each way of sampling had reached after each epoch, by the training records of a profile.

    Returns:
        One epoch of one seed a row: method (a variant), label, share, tile (side in pixels, 0: whole
        images), seed, epoch, minutes (the fastest epoch's, times their number), val_quality (L1),
        val_classification (cross entropy), val_accuracy (clean and distorted images alike), profile, record.
    """
    judge = profile.classifier.name
    rows = []
    for method, distortions in PARTS["sampling"]:
        for seed in profile.other_seeds:
            restorer = f"{method}-{distortions}"
            record = selection.training_record(records, restorer, judge, seed)
            settings = record["config"]["recovery"]
            # Other work ran beside some epochs, and slowed them.
            fastest = min(epoch["seconds"] for epoch in record["training"]["epochs"]) / 60
            for epoch in record["training"]["epochs"]:
                rows.append(
                    {
                        "method": method, "label": name(method),
                        "share": VARIANTS[method].share, "tile": settings.get("crop") or 0,
                        "seed": seed, "epoch": epoch["epoch"], "minutes": epoch["epoch"] * fastest,
                        "val_quality": epoch["val_quality"],
                        "val_classification": epoch[f"val_{judge}"],
                        "val_accuracy": epoch[f"val_{judge}_accuracy"],
                        "profile": profile.name, "record": f"{record['name']}.json",
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def name(method: str) -> str:
    """
    >>> name("qrnet_share_1"), name("qrnet_share_0.25_tiles"), name("qrnet_share_0.125")
    ('all of the batch', '1/4, the rest as tiles', '1/8, the rest whole')
    """
    variant = VARIANTS[method]
    assert variant.share is not None
    if variant.share == 1:
        return "all of the batch"
    return f"1/{1 / variant.share:g}, the rest {'as tiles' if variant.tiles else 'whole'}"


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """Of each seed the last epoch, where the rate has fallen to 0."""
    return table.loc[table.groupby(["method", "seed"], sort=False)["epoch"].idxmax()]


def in_short(table: pd.DataFrame) -> str:
    """Which way ends nearest to the clean images, and which farthest: a frame of `courses` in a sentence."""
    means = ends(table).groupby("label")["val_quality"].mean()
    best, worst = means.idxmin(), means.idxmax()
    return (
        f"L1 ends lowest where the classifier sees {best} ({means[best]:.3f}), and highest where it sees "
        f"{worst} ({means[worst]:.3f})."
    )


def render(table: pd.DataFrame, profile: Profile) -> Rendered:
    """A frame of `courses` for reading."""
    last = ends(table)
    rows = []
    for label, seeds in last.groupby("label", sort=False):
        cells = [
            mean_and_spread(seeds[key].mean(), seeds[key].std(), digits)
            for key, digits in (
                ("minutes", 1), ("val_quality", 4), ("val_classification", 3), ("val_accuracy", 3),
            )
        ]  # fmt: skip
        rows.append([str(label), f"{seeds['epoch'].iloc[0]:g}", *cells])
    headings = ["the classifier sees", "epochs", "minutes", "L1", "cross-entropy", "accuracy"]
    caption = (
        f"Validation images at the end of equal work, {profile.label}; "
        f"{labels.seeds(tuple(sorted(set(last['seed']))))}. Minutes: the fastest epoch's times their number, as "
        "other work ran beside some."
    )
    file = f"sampling-{profile.name}"
    return grid(headings, rows, caption, file, data=table, up=sources.OF_ALL)
