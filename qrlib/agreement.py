"""How near each measured convention comes to the paper's Table 5 (`qrlib.conventions`).

The distance of two means is given in standard errors of their difference.  The paper's test images
are another draw from the same data set, so its mean is taken to be as uncertain as ours: the error of
the difference is sqrt(2) times the error of our mean.  A mean over levels is of the same images at
each level, and gets the mean of the levels' errors, which is at most too large.
"""

from __future__ import annotations

import math

import pandas as pd

from qrlib import reference
from qrlib.errors import QrlibError
from qrlib.rendering import Rendered, grid

#: The numbers that Table 5 prints of distorted images, in the order of our columns.
NUMBERS = (("noise", "psnr"), ("noise", "ssim"), ("blur", "psnr"), ("blur", "ssim"))
#: Two means nearer than this, in standard errors of their difference, are said to agree.
AGREE = 2.0
#: A factor that moves no mean by more than this cannot be told from ours by Table 5.
UNDECIDED = 1.0


def compare(rows: pd.DataFrame) -> pd.DataFrame:
    """Each convention's four means over the levels, beside the printed ones.

    Args:
        rows: frame of `qrlib.store.read_conventions`.

    Returns:
        Columns convention, factor, distortion, metric, value, error, n, paper, gap (value - paper) and
        distance (the gap's size in standard errors of the difference); four rows a convention, ours
        first.

    Raises:
        QrlibError: a number lacks for a convention.
    """
    found = []
    for name, mine in rows.groupby("convention", sort=False):
        for distortion, metric in NUMBERS:
            levels = mine[(mine["distortion"] == distortion) & (mine["metric"] == metric)]
            if levels.empty:
                raise QrlibError(
                    f"convention {name!r} has no {metric} of {distortion}: measure again"
                )
            paper = reference.printed(5, "Caltech101", distortion, "none", metric)
            value, error = levels["value"].mean(), levels["error"].mean()
            found.append(
                {
                    "convention": name,
                    "factor": levels["factor"].iloc[0],
                    "distortion": distortion,
                    "metric": metric,
                    "value": value,
                    "error": error,
                    "n": int(levels["n"].iloc[0]),
                    "paper": paper,
                    "gap": value - paper,
                    "distance": abs(value - paper) / (math.sqrt(2) * error),
                }
            )
    return pd.DataFrame(found)


def distances(compared: pd.DataFrame) -> pd.Series:
    """Convention -> the largest of its four distances, nearest first; `compared` from `compare`."""
    return compared.groupby("convention", sort=False)["distance"].max().sort_values(kind="stable")


def table(compared: pd.DataFrame, caption: str) -> Rendered:
    """The printed numbers, then every convention with its four means and its distance."""
    first = compared.drop_duplicates(["distortion", "metric"])["paper"]
    rows = [["paper, Table 5", *map(_digits, first, [m for _, m in NUMBERS]), ""]]
    for name, distance in distances(compared).items():
        mine = compared[compared["convention"] == name]
        rows.append([str(name), *map(_digits, mine["value"], mine["metric"]), f"{distance:.1f}"])
    headings = ["convention", *(f"{d} {m.upper()}" for d, m in NUMBERS), "distance"]
    return grid(headings, rows, caption)


def shifts(compared: pd.DataFrame) -> pd.Series:
    """Convention -> the largest move of a mean away from ours, in standard errors of a difference."""
    ours = compared[compared["convention"] == "ours"].set_index(["distortion", "metric"])["value"]
    if ours.empty:
        raise QrlibError("the measured conventions lack 'ours', from which shifts are counted")
    moved = compared.set_index(["convention", "distortion", "metric"])
    away = (moved["value"] - ours).abs() / (math.sqrt(2) * moved["error"])
    return away.groupby("convention", sort=False).max()


def conclusion(compared: pd.DataFrame, comparable: bool) -> list[str]:
    """What the numbers say, a sentence each.

    Args:
        comparable: whether the images are those of Table 5 (`qrlib.profiles.Profile.comparable`).
    """
    sentences = []
    if not comparable:
        sentences.append(
            "These are not the images of Table 5: what follows shows how the comparison is made, and "
            "says nothing about the paper."
        )
    ranked = distances(compared)
    nearest = str(ranked.index[0])
    agreeing = [str(name) for name, distance in ranked.items() if distance <= AGREE]
    sentences.append(
        f"{len(ranked)} conventions were measured. Ours is {_farthest(compared, 'ours')}"
    )
    sentences.append(f"The nearest to Table 5 is “{nearest}”, {_farthest(compared, nearest)}")
    sentences.append(
        f"All four numbers agree, to within {AGREE:g} standard errors of the difference, under "
        f"{_listed(agreeing)}."
    )
    sentences += [_alone(compared, distortion, metric) for distortion, metric in NUMBERS]
    moves = shifts(compared)
    still = [str(n) for n, move in moves.items() if move <= UNDECIDED and n != "ours"]
    sentences.append(
        f"Moved from ours by at most {UNDECIDED:g} standard error in every number, and so not to be "
        f"decided by Table 5: {_listed(still)}."
    )
    return sentences


def _farthest(compared: pd.DataFrame, name: str) -> str:
    mine = compared[compared["convention"] == name]
    row = mine.loc[mine["distance"].idxmax()]
    value, paper = (_digits(row[key], row["metric"]) for key in ("value", "paper"))
    return (
        f"farthest off in {row['metric'].upper()} under {row['distortion']}: {value} where "
        f"{paper} is printed, a distance of {row['distance']:.1f}."
    )


def _alone(compared: pd.DataFrame, distortion: str, metric: str) -> str:
    """What one number says of ours and of the single changes that matter to it."""
    here = compared[(compared["distortion"] == distortion) & (compared["metric"] == metric)]
    ours = here[here["convention"] == "ours"].iloc[0]
    moved = here[~here["factor"].str.contains(" and ") & (here["value"] != ours["value"])]
    agrees = ours["distance"] <= AGREE
    other = moved[(moved["distance"] > AGREE) if agrees else (moved["distance"] <= AGREE)]
    changes = _listed(other["convention"].tolist())
    start = f"{distortion.capitalize()} {metric.upper()} by itself"
    if agrees:
        return f"{start} agrees under ours; one change alone that ends this: {changes}."
    return f"{start} does not agree under ours; one change alone that mends this: {changes}."


def _listed(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names) or "none"


def _digits(value: float, metric: str) -> str:
    """As many digits as Table 5 has."""
    return f"{value:.2f}" if metric == "psnr" else f"{value:.3f}"
