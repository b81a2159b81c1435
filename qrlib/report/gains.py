"""What restoring costs and wins: accuracy on clean images, the share won back, methods side by side.

`results` and `choice` are as in `qrlib.records.selection.select`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from qrlib.records import selection
from qrlib.records.selection import ONLY, Selection, mean_and_spread, seed_means, source_columns
from qrlib.report import labels, render


def clean_accuracy(
    results: pd.DataFrame, choice: Selection = ONLY, *, restorers: Iterable[str] = ()
) -> pd.DataFrame:
    """Accuracy on clean images: what restoring costs where nothing is amiss; default: of all restorers.

    Returns:
        Columns restorer, ours, spread, seeds, values, n, profile, records, change (against "none").
    """
    restorers = tuple(restorers)
    selected = selection.select(results, choice, restorers=["none", *restorers])
    plain = seed_means(selected, "none", "clean").mean()
    rows = []
    for restorer in dict.fromkeys(restorers or selected["restorer"]):
        ours = mean_and_spread(seed_means(selected, restorer, "clean"))
        change = {"change": ours["ours"] - plain}
        row = {"restorer": restorer} | ours | source_columns(selected, ["none", restorer])
        rows.append(row | change)
    return pd.DataFrame(rows)


def render_clean(clean: pd.DataFrame, file: str) -> render.Rendered:
    """A frame of `clean_accuracy` for reading; `file` as in `qrlib.report.sources.line`."""
    rows = [
        [
            labels.method(row["restorer"]),
            render.mean_and_spread(row["ours"], row["spread"]),
            render.signed(row["change"]) if row["restorer"] != "none" else "",
        ]
        for row in clean.to_dict("records")
    ]
    trained = render.spread_note(clean.loc[clean["restorer"] != "none", "seeds"])
    caption = f"{clean['n'].iloc[0]} test images, {trained}. Change: against no restoration."
    headings = ["", "accuracy on clean images", "change"]
    return render.grid(headings, rows, caption, file, data=clean)


def loss_won_back(
    results: pd.DataFrame, choice: Selection = ONLY, *, restorers: Iterable[str] = ()
) -> pd.DataFrame:
    """Which share of the accuracy that a distortion costs each restorer wins back.

    (restored - none) / (none on clean images - none), accuracies averaged over the five levels: 0
    is no gain, 1 is as good as undistorted, below 0 is harm.  Ours, not the paper's.

    Returns:
        Columns restorer, distortion, ours, spread, seeds, values, n, profile, records.  NaN where
        nothing was lost.
    """
    restorers = tuple(restorers)
    selected = selection.select(results, choice, restorers=["none", *restorers])
    clean = seed_means(selected, "none", "clean").mean()
    measured = set(zip(selected["restorer"], selected["distortion"], strict=True))
    rows = []
    for restorer in dict.fromkeys(restorers or selected["restorer"]):
        for distortion in ("noise", "blur"):
            if restorer == "none" or (restorer, distortion) not in measured:
                continue
            none = seed_means(selected, "none", distortion).mean()
            lost = clean - none if clean > none else float("nan")
            share = (seed_means(selected, restorer, distortion) - none) / lost
            row = {"restorer": restorer, "distortion": distortion} | mean_and_spread(share)
            rows.append(row | source_columns(selected, ["none", restorer]))
    return pd.DataFrame(rows)


def beside_each_other(
    results: pd.DataFrame,
    methods: Mapping[str, str],
    choice: Selection = ONLY,
    *,
    distortions: Sequence[str] = ("noise", "blur", "average"),
) -> pd.DataFrame:
    """Methods side by side, over the seeds that all of them have.

    Returns:
        One cell a row: method (its label), distortion, ours (mean over seeds), seeds (the seeds
        themselves), n, profile, records.
    """
    selected = selection.select(results, choice, restorers=selection.restorers_of(methods.values()))
    means, seeds = selection.on_common_seeds(selected, methods, distortions)
    on_seeds = selected[selected["seed"].isin(seeds) | (selected["restorer"] == "none")]
    rows = []
    for label, method in methods.items():
        for distortion in distortions:
            kinds = ("noise", "blur") if distortion in ("average", "clean") else (distortion,)
            row = {"method": label, "distortion": distortion}
            row |= {"ours": means[label][distortion].mean()} | {"seeds": tuple(seeds)}
            rows.append(
                row | source_columns(on_seeds, [selection.restorer_of(method, k) for k in kinds])
            )
    return pd.DataFrame(rows)
