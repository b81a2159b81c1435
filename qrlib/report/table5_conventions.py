"""How near each measured convention comes to the paper's Table 5 (`qrlib.experiments.conventions`).

The distance of two means is given in standard errors of their difference.  Ours is a mean over n test
images, the paper's over a fifth of Caltech101 that another split drew; both drew without replacement
from the same images, which makes each more certain by the share drawn (finite-population correction).
A mean over levels is of the same images at each level, and gets the mean of the levels' errors, as if
they moved together.  Where they do not, the true error is smaller and the true distance larger.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from qrlib import paper
from qrlib.records import uncertainty
from qrlib.report import labels, sources
from qrlib.report.render import Rendered, grid

#: The numbers that Table 5 prints of distorted images, in the order of our columns.
NUMBERS = (("noise", "psnr"), ("noise", "ssim"), ("blur", "psnr"), ("blur", "ssim"))
#: Images of Caltech101 without its background class, as torchvision distributes it.
IMAGES = 8_677
#: Four means agree if none is farther off than this, about 2.49 standard errors of a difference. The
#: right convention would pass 19 times in 20 (Šidák's correction for four numbers).
AGREE = uncertainty.critical_z(len(NUMBERS))
#: A factor that moves no mean by more than this cannot be told from ours by Table 5.
UNDECIDED = 1.0
ANOTHER_SETTING = (
    "These are not the images of Table 5. What follows shows how the comparison works, and says "
    "nothing about the paper."
)


def compare(rows: pd.DataFrame) -> pd.DataFrame:
    """Each convention's four means over the levels (`qrlib.records.store.read_conventions`), beside the printed.

    Returns:
        Columns convention, factor, distortion, metric, value, error, n, paper, gap (value - paper),
        standard_error (of the gap), distance (the gap's size in those errors), profile and record; four
        rows a convention, ours first.
    """
    compared = []
    for name, convention in rows.groupby("convention", sort=False):
        for distortion, metric in NUMBERS:
            levels = convention[
                (convention["distortion"] == distortion) & (convention["metric"] == metric)
            ]
            first = levels.iloc[0]
            printed = paper.printed(5, "Caltech101", distortion, "none", metric)
            value, error = levels["value"].mean(), levels["error"].mean()
            standard_error = standard_error_of_gap(error, int(first["n"]))
            compared.append(
                {
                    "convention": name, "factor": first["factor"], "distortion": distortion,
                    "metric": metric, "value": value, "error": error, "n": first["n"],
                    "paper": printed, "gap": value - printed, "standard_error": standard_error,
                    "distance": abs(value - printed) / standard_error,
                    "profile": first["profile"], "record": first["record"],
                }
            )  # fmt: skip
    return pd.DataFrame(compared)


def standard_error_of_gap(error: float, n: int) -> float:
    """Between our mean over n images, whose standard error is `error`, and the paper's.

    Both drew without replacement from the same images: each part has its finite-population correction.
    """
    printed_n = paper.setting("test share") * IMAGES
    ours, printed = (
        uncertainty.finite_population_correction(size, IMAGES) for size in (n, printed_n)
    )
    return error * math.sqrt(ours + printed * n / printed_n)


def distances(compared: pd.DataFrame) -> pd.Series:
    """Convention -> the largest of its four distances, nearest first; `compared` from `compare`."""
    return compared.groupby("convention", sort=False)["distance"].max().sort_values(kind="stable")


def table(
    compared: pd.DataFrame, caption: str, file: str, *, up: str = sources.OF_PROFILE
) -> Rendered:
    """The printed numbers, then every convention with its four means and its distance."""
    first = compared.drop_duplicates(["distortion", "metric"])["paper"]
    rows = [["paper, Table 5", *map(_digits, first, [m for _, m in NUMBERS]), ""]]
    for name, distance in distances(compared).items():
        own = compared[compared["convention"] == name]
        rows.append([str(name), *map(_digits, own["value"], own["metric"]), f"{distance:.1f}"])
    headings = ["convention", *(f"{d} {m.upper()}" for d, m in NUMBERS), "distance"]
    return grid(headings, rows, caption, file, data=compared, up=up)


def shifts(compared: pd.DataFrame) -> pd.Series:
    """Convention -> the largest move of a mean away from ours, in standard errors of a difference."""
    ours = compared[compared["convention"] == "ours"].set_index(["distortion", "metric"])["value"]
    moved = compared.set_index(["convention", "distortion", "metric"])
    away = (moved["value"] - ours).abs() / moved["standard_error"]
    return away.groupby("convention", sort=False).max()


def conclusion(compared: pd.DataFrame, comparable: bool) -> list[str]:
    """What the numbers say, a sentence each; `comparable`: whether the images are those of Table 5."""
    ranked = distances(compared)
    nearest = str(ranked.index[0])
    moves = shifts(compared)
    return [
        *(() if comparable else (ANOTHER_SETTING,)),
        f"{len(ranked)} conventions were measured. Ours is {_farthest(compared, 'ours')}",
        f"The nearest to Table 5 is “{nearest}”, {_farthest(compared, nearest)}",
        f"All four numbers agree within {AGREE:.1f} standard errors of the difference under "
        f"{_quoted(ranked.index[ranked <= AGREE])}.",
        *(_alone(compared, distortion, metric) for distortion, metric in NUMBERS),
        f"These move every number by at most {UNDECIDED:g} standard error from ours, so Table 5 cannot "
        f"decide about them: {_quoted(moves.index[moves <= UNDECIDED].drop('ours'))}.",
    ]


def in_short(compared: pd.DataFrame) -> str:
    """The finding in two sentences of Markdown, for the first page."""
    ranked = distances(compared)
    nearest = str(ranked.index[0])
    return (
        f"**A part of Table 5 needs no training.** PSNR and SSIM of the distorted images agree with the "
        f"printed ones, all four within {ranked.iloc[0]:.1f} standard errors, under one of {len(ranked)} "
        f"conventions: “{nearest}”. We found it by searching, so it is consistent with the paper, but it "
        "is no proof. [More](_executed/left_open.html)."
    )


def _farthest(compared: pd.DataFrame, name: str) -> str:
    own = compared[compared["convention"] == name]
    row = own.loc[own["distance"].idxmax()]
    value, printed = (_digits(row[key], row["metric"]) for key in ("value", "paper"))
    return (
        f"farthest off in {row['metric'].upper()} under {row['distortion']}: {value} where "
        f"{printed} is printed, a distance of {row['distance']:.1f}."
    )


def _alone(compared: pd.DataFrame, distortion: str, metric: str) -> str:
    """What one number says of ours and of the single changes that matter to it."""
    rows = compared[(compared["distortion"] == distortion) & (compared["metric"] == metric)]
    ours = rows[rows["convention"] == "ours"].iloc[0]
    moved = rows[~rows["factor"].str.contains(" and ") & (rows["value"] != ours["value"])]
    agrees = ours["distance"] <= AGREE
    other = moved[(moved["distance"] > AGREE) if agrees else (moved["distance"] <= AGREE)]
    start = f"{distortion.capitalize()} {metric.upper()} by itself"
    verdict, change = ("agrees", "end") if agrees else ("does not agree", "mend")
    return (
        f"{start} {verdict} under ours. Single changes that {change} this: "
        f"{_quoted(other['convention'])}."
    )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"“{name}”" for name in names) or "none"


def _digits(value: float, metric: str) -> str:
    """As many digits as Table 5 has."""
    return f"{value:.{labels.METRICS[metric][1]}f}"
