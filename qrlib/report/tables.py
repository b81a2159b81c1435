"""Tables 1 to 5 and the data behind Figures 4 to 7: the paper's printed numbers beside ours.

`results` is the frame of `qrlib.records.store.read(profile)`.  Profiles, data sets and classifiers are not
mixed: where a frame holds several, `choice` chooses, as in `qrlib.records.selection.select`; a notebook
passes ``profile.choice``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd

from qrlib import paper
from qrlib.records import per_image, selection
from qrlib.records.selection import LEVELS, ONLY, Selection, by_seed, restorer_of, source_columns
from qrlib.records.uncertainty import standard_error_of_mean, standard_error_over_seeds
from qrlib.report import labels
from qrlib.utils.errors import QrlibError


def _named(*methods: str) -> dict[str, str]:
    return {method: labels.METHODS[method] for method in methods}


#: Method -> how we call it, in the order of Table 2's columns.
TABLE2_METHODS = _named("none", "recnet-single", "recnet-multiple", "qrnet")
#: The same for Table 4 and Figure 5.
TABLE4_METHODS = _named("none", "finetuned-single", "finetuned-multiple", "end-to-end")
#: The lines of Figure 6, under a classifier that no restorer was trained with.
FIGURE6_METHODS = _named("none", "qrnet", "mqrnet")
#: The lines of Figure 7.  Where the paper says "RecNet" and not which, this is the one that was trained
#: as QRNet is, on both distortions.
FIGURE7_METHODS = _named("none", "recnet-multiple", "qrnet")


def table1(layers: Sequence[paper.Layer]) -> pd.DataFrame:
    """Table 1: the printed layers beside those that `qrlib.report.layers.layers` reads off a model.

    Returns:
        One layer a row: "#", then layer, channels, filter and stride, each as "paper ..." and
        "ours ...", and agreement ("same" or "different"; a row that only one side has is different).
    """
    rows = []
    for i, (printed, ours) in enumerate(zip_longest(paper.TABLE1, layers), start=1):
        row: dict[str, object] = {"#": i}
        for name in ("layer", "channels", "filter", "stride"):
            row |= {
                f"paper {name}": getattr(printed, name, ""),
                f"ours {name}": getattr(ours, name, ""),
            }
        rows.append(row | {"agreement": "same" if printed == ours else "different"})
    return pd.DataFrame(rows)


def _beside_paper(
    results: pd.DataFrame,
    choice: Selection,
    table: int,
    methods: Iterable[str],
    comparable: bool,
    paper_dataset: str | None = None,
    metric: str = "accuracy",
    rows: Sequence[str] = ("noise", "blur", "average"),
) -> pd.DataFrame:
    """The cells of one printed table beside ours; see `table2` for the columns."""
    methods = list(methods)
    there = selection.restorers_run(results, methods, choice, metric=metric)
    selected = selection.select(results, choice, metric=metric, restorers=["none", *there])
    dataset = str(selected["dataset"].iloc[0])
    beside = paper_dataset or paper.DATASETS.get(dataset, "Caltech101")
    if comparable and beside != paper.DATASETS.get(dataset):
        raise QrlibError(
            f"results on {dataset} are not comparable with the paper's on {beside}: a difference "
            "needs the same data set, so pass comparable=False"
        )
    cells = []
    for row in rows:
        kinds = ("noise", "blur") if row == "average" else (row,)
        for method in methods:
            pairs = pd.DataFrame(
                {"restorer": [restorer_of(method, kind) for kind in kinds], "distortion": kinds}
            )
            printed = paper.printed(table, beside, row, method, metric)
            ours, error, behind = (
                selection.mean_and_spread(pd.Series(dtype=float)),
                math.nan,
                selected[:0],
            )
            if {*pairs["restorer"]} <= {*there}:
                behind = selected.merge(pairs)
                means = selection.seed_means(selected, method, row)
                ours = selection.mean_and_spread(means)
                if metric == "accuracy":
                    shares = [x for kind in kinds for x in by_seed(selected, method, kind).mean()]
                    error = _error(shares, selected["n"].iloc[0], means)
                else:
                    error = _error_of_quality(behind, metric, means)
            cells.append(
                {
                    "table": table, "row": row, "column": method, "metric": metric, "paper": printed,
                    **ours, "standard_error": error, "n": int(selected["n"].iloc[0]),
                    "difference": ours["ours"] - printed if comparable else float("nan"),
                    "dataset": dataset, "paper_dataset": beside,
                    "profile": str(selected["profile"].iloc[0]),
                    "records": tuple(sorted(set(behind["record"]))),
                }
            )  # fmt: skip
    return pd.DataFrame(cells)


def _error(shares: Sequence[float], n: int, means: Iterable[float]) -> float:
    """One standard error of an accuracy's mean over levels and seeds: of the test images, and of the seeds."""
    return math.hypot(standard_error_of_mean(shares, n), standard_error_over_seeds(list(means)))


def _error_of_quality(rows: pd.DataFrame, metric: str, means: Iterable[float]) -> float:
    """The same of PSNR or SSIM; NaN where the rows do not tell of each image."""
    if "images" not in rows or rows["images"].isna().any():
        return math.nan
    n = int(rows["n"].iloc[0])
    each = np.mean([per_image.unpack(text, n, metric) for text in rows["images"]], axis=0)
    return math.hypot(each.std(ddof=1) / math.sqrt(n), standard_error_over_seeds(list(means)))


def table2(
    results: pd.DataFrame, choice: Selection = ONLY, *, comparable: bool = False
) -> pd.DataFrame:
    """Table 2: accuracy with each restorer in front of the classifier, paper and ours.

    The accuracy on a distortion is the mean over its five levels; `average` is the mean of noise
    and blur, taken a seed at a time.

    Args:
        comparable: True if the profile has the paper's setting; only then there are differences.

    Returns:
        One cell a row: table, row ("noise", "blur", "average"), column (key of `TABLE2_METHODS`),
        metric, paper, ours (mean over seeds, NaN of a method that was not run), spread (sample standard
        deviation over seeds, NaN for one), seeds, values (one a seed), standard_error (of test images, and of
        seeds), n, difference (ours - paper, NaN unless comparable), dataset, paper_dataset, profile, records
        (the files behind ours).
    """
    return _beside_paper(results, choice, 2, TABLE2_METHODS, comparable)


def table3(
    results: pd.DataFrame, choice: Selection = ONLY, *, comparable: bool = False
) -> pd.DataFrame:
    """Table 3: accuracy with small QRNet.  Arguments and columns as in `table2`.

    The paper prints it for Caltech101 only; beside another data set there are no differences.
    """
    comparable = comparable and _of_caltech101(results, choice)
    return _beside_paper(results, choice, 3, ["small_qrnet"], comparable, "Caltech101")


def _of_caltech101(results: pd.DataFrame, choice: Selection) -> bool:
    return ({choice.dataset} if choice.dataset else set(results["dataset"])) == {"caltech101"}


def table4(
    results: pd.DataFrame, choice: Selection = ONLY, *, comparable: bool = False
) -> pd.DataFrame:
    """Table 4: accuracy where the classifier's fully connected layers learned as well; as `table2`."""
    return _beside_paper(results, choice, 4, TABLE4_METHODS, comparable)


def table5(
    results: pd.DataFrame, choice: Selection = ONLY, *, comparable: bool = False
) -> pd.DataFrame:
    """Table 5: PSNR (dB) and SSIM without and with QRNet.  Arguments and columns as in `table2`.

    A standard error needs `results` with images, else it is NaN.
    The paper prints it for Caltech101 only; beside another data set there are no differences.
    """
    comparable = comparable and _of_caltech101(results, choice)
    methods, rows = ("none", "qrnet"), ("noise", "blur")
    parts = [
        _beside_paper(results, choice, 5, methods, comparable, "Caltech101", metric, rows)
        for metric in ("psnr", "ssim")
    ]
    return pd.concat(parts, ignore_index=True)


def levels(
    results: pd.DataFrame, choice: Selection = ONLY, *, restorers: Iterable[str] = ()
) -> pd.DataFrame:
    """The data behind Figures 4, 5 and 6: accuracy at every level; default: of all restorers.

    Returns:
        Columns restorer, distortion, level (0 is clean, listed under noise and under blur),
        strength (sigma, 0 for clean), ours, spread, seeds, values, n, profile, records, standard_error.
    """
    restorers = tuple(restorers)
    selected = selection.select(results, choice, restorers=restorers)
    strengths = _strengths(selected)
    measured = set(zip(selected["restorer"], selected["distortion"], strict=True))
    rows = []
    for restorer in dict.fromkeys(restorers or selected["restorer"]):
        for distortion in ("noise", "blur"):
            if (restorer, distortion) not in measured:
                continue  # a restorer of one distortion need not be evaluated on the other
            for level, values in by_seed(selected, restorer, distortion, (0, *LEVELS)).items():
                row = {"restorer": restorer, "distortion": distortion, "level": level}
                row |= {"strength": strengths.get((distortion, level), 0.0)}
                row |= selection.mean_and_spread(values) | source_columns(selected, [restorer])
                rows.append(row | {"standard_error": _error([row["ours"]], row["n"], values)})
    return pd.DataFrame(rows)


def _strengths(selected: pd.DataFrame) -> dict[Any, float]:
    """Sigma of each distortion and level that there is."""
    return selected.groupby(["distortion", "level"])["strength"].first().astype(float).to_dict()


def quality(results: pd.DataFrame, choice: Selection = ONLY) -> pd.DataFrame:
    """The data behind Figure 7: image quality and accuracy at every level, of its methods that were run.

    Returns:
        Columns method, restorer, distortion, level, strength, psnr (dB), ssim, accuracy (means over
        seeds), psnr_values, ssim_values, accuracy_values (one a seed, in the same order), seeds, n,
        profile, records, standard_error (of accuracy).
    """
    methods = list(selection.with_results(results, FIGURE7_METHODS, choice))
    metrics = ("psnr", "ssim", "accuracy")
    needed = selection.restorers_of(methods)
    selected = {m: selection.select(results, choice, metric=m, restorers=needed) for m in metrics}
    accuracy = selected["accuracy"]
    strengths = _strengths(accuracy)
    rows = []
    for method in methods:
        for distortion in ("noise", "blur"):
            restorer = restorer_of(method, distortion)
            values = {m: by_seed(selected[m], method, distortion) for m in metrics}
            for level in LEVELS:
                row: dict[str, Any] = {"method": method, "restorer": restorer}
                row |= {"distortion": distortion, "level": level}
                row |= {"strength": strengths[distortion, level]}
                row |= {m: values[m][level].mean() for m in metrics}
                row |= {f"{m}_values": tuple(values[m][level]) for m in metrics}
                row |= {"seeds": len(values["accuracy"])} | source_columns(accuracy, [restorer])
                error = _error([row["accuracy"]], row["n"], row["accuracy_values"])
                rows.append(row | {"standard_error": error})
    return pd.DataFrame(rows)
