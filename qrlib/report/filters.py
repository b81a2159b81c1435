"""Is a trained network needed at all?  Filters that learn nothing, beside RecNet and QRNet.

Not in the paper.  Differences are judged as claims are (`qrlib.report.claims.rule`), image by image.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from qrlib.experiments.variants import PARTS
from qrlib.records import selection
from qrlib.records.selection import Selection, by_seed, source_columns
from qrlib.records.uncertainty import standard_error_of_mean
from qrlib.report import labels, render
from qrlib.report.claims.comparisons import beats
from qrlib.report.claims.rule import Claim

#: Their restorers' names, such as "wiener-blur".
FILTERS = tuple("-".join(network) for network in PARTS["classical"])
NETWORKS = ("recnet-multiple", "qrnet-multiple")


def table(results: pd.DataFrame, choice: Selection, tried: Sequence[str]) -> pd.DataFrame:
    """Filters beside the networks that learned both distortions.

    Args:
        results, choice: as in `qrlib.records.selection.select`.
        tried: the filters that have results.

    Returns:
        One restorer on one distortion a row: restorer, distortion, ours (accuracy, mean over levels and
        seeds), error (standard error over test images), psnr (dB), n, profile, records.
    """
    shown = ["none", *tried, *NETWORKS]
    accuracies = selection.select(results, choice, restorers=shown)
    qualities = selection.select(results, choice, metric="psnr", restorers=shown)
    measured = set(zip(accuracies["restorer"], accuracies["distortion"], strict=True))
    rows = []
    for restorer in shown:
        for distortion in labels.DISTORTIONS:
            if (restorer, distortion) not in measured:
                continue
            levels = by_seed(accuracies, restorer, distortion).mean()
            source = source_columns(accuracies, [restorer])
            row = {"restorer": restorer, "distortion": distortion, "ours": levels.mean()}
            row |= {"error": standard_error_of_mean(list(levels), int(source["n"]))}
            row |= {"psnr": by_seed(qualities, restorer, distortion).mean().mean()}
            rows.append(row | source)
    return pd.DataFrame(rows)


def claims(tried: Sequence[str]) -> tuple[Claim, ...]:
    """For each distortion that has filters: whether one helps, and whether QRNet is better than all of them."""
    made = []
    for distortion in labels.DISTORTIONS:
        own = [name for name in tried if name.endswith(f"-{distortion}")]
        if not own:
            continue
        names = labels.joined(labels.method(name) for name in own)
        made += [
            Claim(
                f"filter-helps-{distortion}",
                f"Under {distortion} at least one filter that is told everything is better than none ({names}).",
                "not in the paper",
                tuple(beats(name, "none", distortion) for name in own),
                one_suffices=True,
            ),
            Claim(
                f"network-beats-filter-{distortion}",
                f"Under {distortion} QRNet, which is told nothing, is better than such a filter ({names}).",
                "not in the paper",
                tuple(beats("qrnet", name, distortion) for name in own),
            ),
        ]
    return tuple(made)


def render_table(frame: pd.DataFrame, file: str) -> render.Rendered:
    """A frame of `table` for reading: a restorer a line, a pair of columns a distortion."""
    cells = {(row["restorer"], row["distortion"]): row for row in frame.to_dict("records")}
    rows = []
    for restorer in dict.fromkeys(frame["restorer"]):
        line = [labels.method(restorer)]
        for distortion in labels.DISTORTIONS:
            cell = cells.get((restorer, distortion))
            line.append(f"{cell['ours']:.3f} ± {cell['error']:.3f}" if cell else "–")
            line.append(f"{cell['psnr']:.2f}" if cell else "–")
        rows.append(line)
    headings = ["", *(f"{d}, {what}" for d in labels.DISTORTIONS for what in ("accuracy", "PSNR"))]
    caption = (
        f"Means over five levels; {frame['n'].iloc[0]} test images, ± one standard error; PSNR in dB. The "
        "filters know the distortion, its level and the blur's kernel; the networks do not. Each filter has the "
        "strength that serves accuracy best, which need not be the best for PSNR."
    )
    return render.grid(headings, rows, caption, file, data=frame)
