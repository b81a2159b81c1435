"""An index of quality for classifiers: what foretells whether an image is recognised.

The paper leaves it to later work.  Nothing is computed but from records that keep each test image.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from qrlib.records import per_image, selection
from qrlib.records.selection import ONLY, Selection
from qrlib.report import labels, render, sources

#: What may foretell whether an image is recognised -> whether one needs the clean image to know it.
MEASURES = {
    "confidence": False, "entropy": False, "feature_distance": True, "psnr": True, "ssim": True,
}  # fmt: skip
#: An AUC below this is said to foretell hardly anything.
POOR = 0.7
#: Those of which less is better.
FALLING = ("entropy", "feature_distance")
WORDS = {
    "confidence": "the classifier's confidence",
    "entropy": "entropy of the answer (low is good)",
    "feature_distance": "distance of the features (low is good)",
    "psnr": "PSNR",
    "ssim": "SSIM",
}


def foretelling(results: pd.DataFrame, choice: Selection = ONLY, *, method: str) -> pd.DataFrame:
    """How well a number of one image foretells whether the classifier recognises it.

    The area under the ROC curve (AUC): of two images of which it recognises one, how often the
    recognised one has the higher number, or the lower one of a measure in `FALLING`.  1/2 is chance.

    Args:
        results: with their images.

    Returns:
        One measure and distortion a row: measure, distortion, within (mean of the AUC at each level),
        standard_error (of within), across (AUC of all levels together), n, profile, records.  Empty where
        the records do not keep the images, or each level's answers are all right or all wrong.
    """
    restorer = {d: selection.restorer_of(method, d) for d in labels.DISTORTIONS}
    metrics = {m: selection.select(results, choice, metric=m) for m in ("accuracy", "psnr", "ssim")}
    rows = []
    for distortion, name in restorer.items():
        one = {
            metric: frame[(frame["restorer"] == name) & (frame["distortion"] == distortion)]
            .sort_values(["seed", "level"])
            .to_dict("records")
            for metric, frame in metrics.items()
        }
        for measure in MEASURES:
            metric, column = (
                (measure, "images") if measure in ("psnr", "ssim") else ("accuracy", measure)
            )
            if not one[metric] or any(pd.isna(row[column]) for row in one[metric]):
                continue
            n = int(one[metric][0]["n"])
            sign = -1 if measure in FALLING else 1
            values = [
                sign * per_image.unpack_values(row[column], n, measure) for row in one[metric]
            ]
            right = [per_image.unpack_truth(row["right"], n) for row in one["accuracy"]]
            each = [auc(v, r) for v, r in zip(values, right, strict=True) if 0 < r.sum() < n]
            if not each:  # all right or all wrong: nothing to foretell
                continue
            rows.append(
                {
                    "measure": measure,
                    "distortion": distortion,
                    "within": np.mean([area for area, _ in each]),
                    # All levels show the same images: at most the mean of their errors.
                    "standard_error": np.mean([error for _, error in each]),
                    "across": auc(np.concatenate(values), np.concatenate(right))[0],
                    **selection.source_columns(metrics[metric], [name]),
                }
            )
    return pd.DataFrame(rows)


def auc(values: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve, and its standard error after Hanley and McNeil (1982).

    Args:
        values: (N,) numbers; equal ones count half.
        right: (N,) truth values, not all alike.

    >>> area, error = auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    >>> area
    0.75
    """
    yes, no = int(right.sum()), int((~right).sum())
    ranks = pd.Series(values).rank().to_numpy()[right].sum()
    area = float(ranks - yes * (yes + 1) / 2) / (yes * no)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (yes - 1) * (q1 - area**2) + (no - 1) * (q2 - area**2)
    return area, math.sqrt(variance / (yes * no))


def table(results: pd.DataFrame, choice: Selection = ONLY) -> pd.DataFrame:
    """`foretelling` for images as they are and restored by QRNet, which the column method tells apart."""
    frames = [foretelling(results, choice, method=m).assign(method=m) for m in ("none", "qrnet")]
    return pd.concat(frames, ignore_index=True)


def in_words(frame: pd.DataFrame) -> str:
    """Which measure of a frame of `table` says most, and how much PSNR and SSIM say, as sentences."""
    return f"{_most(frame)} {_of_images(frame)}".rstrip()


def _of_images(frame: pd.DataFrame) -> str:
    rows = frame[frame["measure"].isin(("psnr", "ssim"))]
    if rows.empty:
        return ""
    low, high = rows["within"].min(), rows["within"].max()
    names = labels.joined(WORDS[measure] for measure in rows["measure"].unique())
    if high < POOR:
        return f"{names} hardly foretell recognition ({low:.2f} to {high:.2f})."
    return f"{names} have an AUC of {low:.2f} to {high:.2f}."


def _most(frame: pd.DataFrame) -> str:
    best = frame.loc[frame.groupby(["method", "distortion"], sort=False)["within"].idxmax()]
    if best["measure"].nunique() == 1:
        low, high = best["within"].min(), best["within"].max()
        return (
            f"{_capital(WORDS[best['measure'].iloc[0]])} says most (AUC {low:.2f} to {high:.2f})."
        )
    said = [
        f"{WORDS[row['measure']]} under {row['distortion']}, {labels.method(row['method'])} ({row['within']:.2f})"
        for row in best.to_dict("records")
    ]
    return f"Says most: {'; '.join(said)}."


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def render_table(frame: pd.DataFrame, file: str) -> render.Rendered:
    """A frame of `table` for reading; `file` as in `qrlib.report.sources.line`."""
    cells = frame.set_index(["measure", "distortion", "method"])
    columns = [(d, m) for d in labels.DISTORTIONS for m in dict.fromkeys(frame["method"])]
    rows = []
    for measure in dict.fromkeys(frame["measure"]):
        line = [WORDS[measure], "yes" if MEASURES[measure] else "no"]
        for column in columns:
            key = (measure, *column)
            cell = cells.loc[key] if key in cells.index else None
            errors = (
                cell is not None
                and f"{cell['within']:.3f}\u00a0±\u00a0{cell['standard_error']:.3f}"
            )
            line.append(errors or "–")
        rows.append(line)
    caption = (
        f"{frame['n'].iloc[0]:,} test images. Take one recognised image and one that is not, at the same level. The "
        "table says how often the number is better for the recognised one: 1 is always, 0.5 is chance. Mean over "
        "levels, ± one standard error."
    )
    headings = ["", "needs the clean image", *(f"{d}, {labels.method(m)}" for d, m in columns)]
    return render.grid(headings, rows, caption, file, data=frame, up=sources.OF_ALL)
