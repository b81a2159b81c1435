"""Restore first, then train the classifier on restored images: S->T, and what else can be trained and tested.

The peer is Lin et al., *FG-NIC* (IEEE Signal Processing Letters 2021), Table III of its supplement.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from qrlib.records import selection
from qrlib.report import labels, option_tables, render, sources
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
#: A classifier of clean images and FG-NIC's own network, which guides it.
FG_NIC_ITSELF = (89.85, 87.76, 84.68, 80.49, 75.39)
#: What the table calls that, and QRNet before a classifier of clean images beside it.
QRNET = ("clean", "with QRNet (with FG-NIC)")


def arrangements(
    distortions: str, restorers: Sequence[str]
) -> dict[tuple[str, str], dict[str, str]]:
    """What the classifier learned, what it is tested on -> restorer of the images -> whose results these are.

    The restorer is "" where none takes part.
    """

    def each(method: str) -> dict[str, str]:
        return {name: method.format(name) + f"-{distortions}" for name in restorers}

    return {
        ("clean", "distorted"): {"": "none"},
        ("clean", "restored"): each("{}"),
        ("distorted", "distorted"): {"": f"finetuned-{distortions}"},
        ("distorted", "restored"): each("{}_before_finetuned"),
        ("restored", "distorted"): each("{}_finetuned_bare"),
        ("restored", "restored"): each("{}_finetuned"),
    }


ARRANGEMENTS = arrangements("multiple", ("recnet", "qrnet"))
RETRAINED = tuple(ARRANGEMENTS["restored", "restored"].values())
#: The lines of the figure, as far as they were run.
LINES = ("none", "recnet-multiple", "qrnet", "finetuned-multiple", "end-to-end", *RETRAINED)
#: No sentence of the paper; judged as its claims are.
CLAIMS = (
    *(
        Claim(
            f"{name.lower()}-then-retrain",
            f"A classifier trained on {name}'s images, and shown those, is better than one trained on "
            "distorted images.",
            "not in the paper",
            tuple(beats(method, "finetuned-multiple", d) for d in labels.DISTORTIONS),
        )
        for name, method in zip(("RecNet", "QRNet"), RETRAINED, strict=True)
    ),
    Claim(
        "one-after-the-other",
        "QRNet first and the classifier's layers after it is better than both at once (end to end).",
        "not in the paper",
        tuple(beats("qrnet_finetuned-multiple", "end-to-end", d) for d in labels.DISTORTIONS),
    ),
)
#: The same in FG-NIC's setting, where there is noise alone, and whether restoring helps at all.
DENOISING = (
    Claim(
        "denoised-then-retrain",
        "Trained on restored images and tested on them, ResNet-50 is better than trained and tested on "
        "noisy ones.",
        "FG-NIC, Table III of the supplement",
        (beats("recnet_finetuned-noise", "finetuned-noise", "noise"),),
    ),
    Claim(
        "denoised-before-clean",
        "Restoring helps a ResNet-50 that learned clean images.",
        "FG-NIC, Table III of the supplement",
        (beats("recnet-noise", "none", "noise"),),
    ),
    Claim(
        "denoised-with-advice",
        "For a ResNet-50 that learned clean images QRNet, which had its advice, restores better than RecNet.",
        "not in FG-NIC",
        (beats("qrnet-noise", "recnet-noise", "noise"),),
    ),
    Claim(
        "denoised-for-itself",
        "A ResNet-50 that learned restored images needs them: noisy ones it recognises worse.",
        "FG-NIC, Table III of the supplement",
        (beats("recnet_finetuned-noise", "recnet_finetuned_bare-noise", "noise"),),
    ),
)


def in_short(evidence: Evidence) -> list[str]:
    """What each way of S->T is against fine-tuning without a restorer, a sentence each, in Markdown."""
    said = []
    for name, method in zip(("RecNet", "QRNet"), RETRAINED, strict=True):
        told = option_tables.against_in_words(evidence, method, "finetuned-multiple")
        if not told:
            continue
        said.append(f"Behind {name}, against fine-tuning without it: {told}.")
        bare = f"{name.lower()}_finetuned_bare-multiple"
        needed = [Side(way, d) for way in (method, bare) for d in labels.DISTORTIONS]
        if evidence.lacks(need for side in needed for need in side.needs()):
            continue
        fall = [
            f"{Side(bare, d).measured(evidence).mean():.3f} under {d} instead of "
            f"{Side(method, d).measured(evidence).mean():.3f}"
            for d in labels.DISTORTIONS
        ]
        said.append(f"Without {name} these layers have {labels.joined(fall)}.")
    return said


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
                row |= {"distortion": distortion} | _measured(evidence, side)
                # Its restorer learned pixels alone, as RecNet did.
                printed = distortion == "noise" and images != "qrnet"
                peer = fmean(FG_NIC[trained, tested]) / 100 if printed else math.nan
                rows.append(row | {"fg_nic": peer})
    return pd.DataFrame(rows)


def at_its_strengths(evidence: Evidence) -> pd.DataFrame:
    """FG-NIC's Table III, in its own setting: every arrangement at each strength of noise.

    Args:
        evidence: of a profile with the part `denoising`.

    Returns:
        One arrangement and level a row: trained, tested, level, strength (sigma, of 255), ours,
        standard_error (both NaN where it was not run), fg_nic, n, profile, records.
    """
    ways = {way: next(iter(x.values())) for way, x in arrangements("noise", ("recnet",)).items()}
    ways |= {QRNET: "qrnet-noise"}
    noise = evidence.present("accuracy").query("distortion == 'noise'")
    strengths = noise.groupby("level")["strength"].first()
    rows = []
    for (trained, tested), method in ways.items():
        theirs = FG_NIC.get((trained, tested), FG_NIC_ITSELF)
        for level, printed in zip(selection.LEVELS, theirs, strict=True):
            side = Side(method, "noise", (level,))
            row: dict[str, Any] = {"trained": trained, "tested": tested, "level": level}
            row |= {"strength": strengths[level]} | _measured(evidence, side)
            rows.append(row | {"fg_nic": printed / 100})
    return pd.DataFrame(rows)


def _measured(evidence: Evidence, side: Side) -> dict[str, Any]:
    """A number with its error and where it is from; NaN where it was not run."""
    source = {"n": evidence.n, "profile": evidence.profile}
    if evidence.lacks(side.needs()):
        return {"ours": math.nan, "standard_error": math.nan, **source, "records": ()}
    error = math.sqrt(side.variance(evidence))
    records = evidence.records(side.needs())
    return {
        "ours": side.measured(evidence).mean(),
        "standard_error": error,
        **source,
        "records": records,
    }


def in_words(frame: pd.DataFrame) -> str:
    """How far the order of the six ways is FG-NIC's: a frame of `at_its_strengths` in a sentence."""
    means = frame.groupby(["trained", "tested"], sort=False)[["ours", "fg_nic"]].mean().drop(QRNET)
    pairs = list(itertools.combinations(means.to_numpy().tolist(), 2))
    alike = sum((a[0] - b[0]) * (a[1] - b[1]) > 0 for a, b in pairs)
    first, theirs = (
        "trained on {} and tested on {} images".format(*means[column].idxmax())
        for column in ("ours", "fg_nic")
    )
    return (
        f"Averaged over the strengths, ResNet-50 {first} is the best of the six"
        + (", as with FG-NIC" if first == theirs else f"; with FG-NIC it is that {theirs}")
        + f". Of {len(pairs)} pairs of ways, {alike} stand in the same order as FG-NIC's."
    )


def render_table(
    frame: pd.DataFrame, classifier: str, file: str, *, up: str = sources.OF_PROFILE
) -> render.Rendered:
    """A frame of `table` for reading; `file` and `up` as in `qrlib.report.sources.line`."""
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
        "learn from), ResNet-50, DnCNN and stronger noise (σ of 25.5 to 127.5): compare orders, not numbers."
    )
    headings = ["trained on", "tested on", "clean", *labels.DISTORTIONS, "FG-NIC, noise"]
    return render.grid(headings, rows, caption, file, data=frame, up=up)


def render_strengths(frame: pd.DataFrame, file: str) -> render.Rendered:
    """A frame of `at_its_strengths` for reading: ours, and FG-NIC's beside it in brackets."""
    rows = []
    for (trained, tested), cells in frame.groupby(["trained", "tested"], sort=False):
        line = [trained, tested]
        for cell in cells.to_dict("records"):
            ours = render.NOT_RUN if math.isnan(cell["ours"]) else f"{cell['ours']:.3f}"
            line.append(f"{ours} ({cell['fg_nic']:.3f})")
        rows.append(line)
    error = frame["standard_error"].max()
    caption = (
        f"Accuracy of ResNet-50 on {frame['n'].iloc[0]:,} test images at noise of each σ, ours and, in "
        f"brackets, FG-NIC's as printed. Ours has a standard error of at most {error:.3f}. Restored: by "
        "RecNet here, by DnCNN there. The last row has each paper's own network. Here the last layers of "
        "ResNet-50 learn, there all."
    )
    strengths = frame["strength"].unique()
    headings = ["trained on", "tested on", *(f"σ = {strength:g}" for strength in strengths)]
    return render.grid(headings, rows, caption, file, data=frame, up=sources.OF_ALL)
