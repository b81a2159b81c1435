"""Restore first, then train the classifier on restored images: S->T, and what else can be trained and tested.

The peer is Lin et al., *FG-NIC* (IEEE Signal Processing Letters 2021), Table III of its supplement.
"""

from __future__ import annotations

import math
from statistics import fmean
from typing import Any

import pandas as pd

from qrlib.report import labels, render
from qrlib.report.claims.comparisons import beats
from qrlib.report.claims.evidence import Evidence, Side
from qrlib.report.claims.rule import Claim

#: Printed accuracies in percent, by what the classifier learned and what it is tested on, at noise of
#: .1, .2, .3, .4 and .5 of 1.  Caltech101, ResNet-50; the restorer is DnCNN with L1 loss.
FG_NIC = {
    ("clean", "distorted"): (83.87, 56.95, 27.13, 10.95, 5.50),
    ("clean", "restored"): (92.03, 84.83, 70.16, 50.17, 31.18),
    ("distorted", "distorted"): (89.62, 87.92, 86.23, 84.50, 82.04),
    ("distorted", "restored"): (89.85, 87.90, 82.16, 73.98, 62.19),
    ("restored", "distorted"): (84.18, 64.52, 36.82, 15.53, 5.85),
    ("restored", "restored"): (91.89, 89.86, 87.84, 85.39, 82.64),
}
#: What the classifier learned, what it is tested on -> restorer of the images -> whose results these are;
#: "" where no restorer takes part.
ARRANGEMENTS = {
    ("clean", "distorted"): {"": "none"},
    ("clean", "restored"): {"recnet": "recnet-multiple", "qrnet": "qrnet-multiple"},
    ("distorted", "distorted"): {"": "finetuned-multiple"},
    ("distorted", "restored"): {r: f"{r}_before_finetuned-multiple" for r in ("recnet", "qrnet")},
    ("restored", "distorted"): {r: f"{r}_finetuned_bare-multiple" for r in ("recnet", "qrnet")},
    ("restored", "restored"): {r: f"{r}_finetuned-multiple" for r in ("recnet", "qrnet")},
}
RETRAINED = tuple(ARRANGEMENTS["restored", "restored"].values())
#: The lines of the figure, as far as they were run.
LINES = ("none", "recnet-multiple", "qrnet", "finetuned-multiple", *RETRAINED)
#: No sentence of the paper; judged as its claims are.
CLAIMS = tuple(
    Claim(
        f"{restorer}-then-retrain",
        f"A classifier trained on {name}'s images, and shown those, is better than one trained on "
        "distorted images.",
        "not in the paper",
        tuple(beats(method, "finetuned-multiple", d) for d in labels.DISTORTIONS),
    )
    for restorer, name, method in zip(
        ("recnet", "qrnet"), ("RecNet", "QRNet"), RETRAINED, strict=True
    )
)


def table(evidence: Evidence) -> pd.DataFrame:
    """Every arrangement on clean, noisy and blurred images, ours and FG-NIC's.

    Returns:
        One arrangement and distortion a row: trained, tested, images (restorer of the images, ""
        for none), distortion, ours (mean over levels and seeds), standard_error (both NaN where it
        was not run), fg_nic (accuracy, mean over its five strengths of noise; NaN elsewhere), n,
        profile, records.
    """
    rows = []
    for (trained, tested), methods in ARRANGEMENTS.items():
        for images, method in methods.items():
            for distortion in ("clean", *labels.DISTORTIONS):
                side = Side(method, distortion)
                row: dict[str, Any] = {"trained": trained, "tested": tested, "images": images}
                row |= {"distortion": distortion, "ours": math.nan, "standard_error": math.nan}
                if there := not evidence.lacks(side.needs()):
                    row["ours"] = side.measured(evidence).mean()
                    row["standard_error"] = math.sqrt(side.variance(evidence))
                # Its restorer learned pixels alone, as RecNet did.
                printed = distortion == "noise" and images != "qrnet"
                peer = fmean(FG_NIC[trained, tested]) / 100 if printed else math.nan
                source = {"n": evidence.n, "profile": evidence.profile}
                records = evidence.records(side.needs()) if there else ()
                rows.append(row | {"fg_nic": peer} | source | {"records": records})
    return pd.DataFrame(rows)


def render_table(frame: pd.DataFrame, classifier: str, file: str) -> render.Rendered:
    """A frame of `table` for reading; `file` as in `qrlib.report.sources.line`."""
    rows = []
    arrangements = frame.groupby(["trained", "tested", "images"], sort=False)
    for (trained, tested, images), cells in arrangements:
        by = f" by {labels.method(f'{images}-multiple')}" if images else ""
        line = [f"{words}{by if words == 'restored' else ''}" for words in (trained, tested)]
        for cell in cells.to_dict("records"):
            known = not math.isnan(cell["ours"])
            text = f"{cell['ours']:.3f}\u00a0±\u00a0{cell['standard_error']:.3f}"  # in one line
            line.append(text if known else render.NOT_RUN)
        peer = cells["fg_nic"].max()
        rows.append([*line, "–" if math.isnan(peer) else f"{peer:.3f}"])
    caption = (
        f"Accuracy of {labels.classifier(classifier)} on {frame['n'].iloc[0]:,} test images, averaged over "
        "the five levels of a distortion; ± one standard error of the choice of test images. FG-NIC: as "
        "printed, mean over its five strengths. It has another split of Caltech101 (30 images a class to "
        "learn from), ResNet-50, DnCNN and stronger noise (σ of 25 to 128): compare orders, not numbers."
    )
    headings = ["trained on", "tested on", "clean", *labels.DISTORTIONS, "FG-NIC, noise"]
    return render.grid(headings, rows, caption, file, data=frame)
