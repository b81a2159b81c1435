"""What restoring costs and wins: accuracy on clean images, the share won back, methods side by side.

`results` and `choice` are as in `qrlib.report.tables`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from qrlib.records.selection import (
    common_means,
    restorer_of,
    seed_means,
    select,
    sources,
    summary,
)
from qrlib.report.render import Rendered, grid, name, over, signed


def clean_accuracy(
    results: pd.DataFrame, *, restorers: Iterable[str] = (), **choice: Any
) -> pd.DataFrame:
    """Accuracy of every restorer on clean images: what restoring costs where nothing is amiss.

    Args:
        restorers: which ones; default: all that the chosen classifier judged.

    Returns:
        Columns restorer, ours, spread, seeds, values, n, profile, records, change (ours minus that of
        "none").
    """
    restorers = tuple(restorers)
    selected = select(results, restorers=["none", *restorers], **choice)
    plain = seed_means(selected, "none", "clean").mean()
    rows = []
    for restorer in dict.fromkeys(restorers or selected["restorer"]):
        ours = summary(seed_means(selected, restorer, "clean"))
        extra = sources(selected, ["none", restorer]) | {"change": ours["ours"] - plain}
        rows.append({"restorer": restorer} | ours | extra)
    return pd.DataFrame(rows)


def render_clean(clean: pd.DataFrame, file: str) -> Rendered:
    """A frame of `clean_accuracy` for reading; `file` as in `qrlib.report.sources.line`."""
    rows = [
        [
            name(row["restorer"]),
            f"{row['ours']:.3f}" + (f" ± {row['spread']:.3f}" if row["seeds"] > 1 else ""),
            signed(row["change"]) if row["restorer"] != "none" else "",
        ]
        for row in clean.to_dict("records")
    ]
    trained = clean.loc[clean["restorer"] != "none", "seeds"]
    caption = f"{clean['n'].iloc[0]} test images, {over(trained)}. Change: against no restoration."
    return grid(["", "accuracy on clean images", "change"], rows, caption, file, data=clean)


def loss_won_back(
    results: pd.DataFrame, *, restorers: Iterable[str] = (), **choice: Any
) -> pd.DataFrame:
    """Which share of the accuracy that a distortion costs each restorer wins back.

    (restored - none) / (none on clean images - none), accuracies averaged over the five levels: 0
    is no gain, 1 is as good as undistorted, below 0 is harm.  Ours, not the paper's.

    Args:
        restorers: which ones; default: all that the chosen classifier judged.

    Returns:
        Columns restorer, distortion, ours, spread, seeds, values, n, profile, records.  NaN where
        nothing was lost.
    """
    restorers = tuple(restorers)
    selected = select(results, restorers=["none", *restorers], **choice)
    clean = seed_means(selected, "none", "clean").mean()
    rows = []
    for restorer in dict.fromkeys(restorers or selected["restorer"]):
        for distortion in ("noise", "blur"):
            mine = selected[selected["distortion"] == distortion]
            if restorer == "none" or restorer not in set(mine["restorer"]):
                continue
            none = seed_means(selected, "none", distortion).mean()
            lost = clean - none if clean > none else float("nan")
            share = (seed_means(selected, restorer, distortion) - none) / lost
            row = {"restorer": restorer, "distortion": distortion} | summary(share)
            rows.append(row | sources(selected, ["none", restorer]))
    return pd.DataFrame(rows)


def beside_each_other(
    results: pd.DataFrame,
    methods: Mapping[str, str],
    distortions: Sequence[str] = ("noise", "blur", "average"),
    **choice: Any,
) -> pd.DataFrame:
    """Methods side by side, over the seeds that all of them have.

    Args:
        methods, distortions, choice: as in `qrlib.records.selection.common_means`.

    Returns:
        One cell a row: method (its label), distortion, ours (mean over seeds), seeds (the seeds
        themselves), n, profile, records.
    """
    means, seeds = common_means(results, methods, distortions, **choice)
    selected = select(results, **choice)
    wanted = selected[selected["seed"].isin(seeds) | (selected["restorer"] == "none")]
    rows = []
    for label, method in methods.items():
        for distortion in distortions:
            kinds = ("noise", "blur") if distortion in ("average", "clean") else (distortion,)
            row = {"method": label, "distortion": distortion, "ours": means.loc[label, distortion]}
            row |= {"seeds": tuple(seeds)}
            rows.append(row | sources(wanted, [restorer_of(method, kind) for kind in kinds]))
    return pd.DataFrame(rows)
