"""Tables 1 to 5 and the data behind Figures 4 to 7: the paper's printed numbers beside ours.

`results` is the frame of `qrlib.records.store.read(profile)`.  Profiles, data sets and classifiers are not
mixed: where a frame holds several, `profile=`, `dataset=` and `classifier=` choose, as in
`qrlib.records.selection.select`; a notebook passes ``**profile.choice``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import pandas as pd

from qrlib import paper
from qrlib.records.selection import LEVELS as LEVELS
from qrlib.records.selection import by_seed, seed_means, sources, summary
from qrlib.records.selection import restorer_of as restorer_of
from qrlib.records.selection import restorers_of as restorers_of
from qrlib.records.selection import select as select
from qrlib.report.gains import beside_each_other as beside_each_other
from qrlib.report.gains import clean_accuracy as clean_accuracy
from qrlib.report.gains import loss_won_back as loss_won_back
from qrlib.report.gains import render_clean as render_clean
from qrlib.report.render import NAMES
from qrlib.report.render import grid as grid  # where tables are made, they can be shown
from qrlib.report.render import render as render
from qrlib.utils.errors import QrlibError


def _named(*methods: str) -> dict[str, str]:
    return {method: NAMES[method] for method in methods}


#: Method -> how we call it, in the order of Table 2's columns.
METHODS = _named("none", "recnet-single", "recnet-multiple", "qrnet")
#: The same for Table 4 and Figure 5.
METHODS4 = _named("none", "finetuned-single", "finetuned-multiple", "end-to-end")
#: The lines of Figure 6, under a classifier that no restorer was trained with.
METHODS6 = _named("none", "qrnet", "mqrnet")
#: The lines of Figure 7.  Where the paper says "RecNet" and not which, this is the one that was trained
#: as QRNet is, on both distortions.
METHODS7 = _named("none", "recnet-multiple", "qrnet")
_AVERAGED = ("noise", "blur", "average")


def table1(layers: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Table 1: the printed layers beside those that `qrlib.models.layer_table` reads off a model.

    Returns:
        One layer a row: "#", then layer, channels, filter and stride, each as "paper ..." and
        "ours ...", and agreement ("same" or "different"; a row that one side lacks is different).
    """
    names = ("layer", "channels", "filter", "stride")
    rows = []
    for i, (printed, ours) in enumerate(zip_longest(paper.TABLE1, layers), start=1):
        theirs = ["" if printed is None else getattr(printed, name) for name in names]
        mine = ["" if ours is None else str(ours[name]) for name in names]
        row: dict[str, object] = {"#": i}
        for name, one, other in zip(names, theirs, mine, strict=True):
            row |= {f"paper {name}": one, f"ours {name}": other}
        rows.append(row | {"agreement": "same" if theirs == mine else "different"})
    return pd.DataFrame(rows)


def _beside(
    results: pd.DataFrame,
    table: int,
    methods: Iterable[str],
    rows: Iterable[str],
    metric: str,
    comparable: bool,
    paper_dataset: str | None,
    choice: Mapping[str, Any],
) -> pd.DataFrame:
    """The cells of one printed table beside ours; see `table2` for the columns."""
    methods = list(methods)
    selected = select(results, metric=metric, restorers=restorers_of(methods), **choice)
    dataset = str(selected["dataset"].iloc[0])
    theirs = paper_dataset or paper.DATASETS.get(dataset, "Caltech101")
    if comparable and theirs != paper.DATASETS.get(dataset):
        raise QrlibError(
            f"results on {dataset} are not comparable with the paper's on {theirs}: a difference "
            "needs the same data set, so pass comparable=False"
        )
    cells = []
    for row in rows:
        for method in methods:
            kinds = ("noise", "blur") if row == "average" else (row,)
            records = set()
            for kind in kinds:
                mine = selected["restorer"] == restorer_of(method, kind)
                records |= set(selected[mine & (selected["distortion"] == kind)]["record"])
            printed = paper.printed(table, theirs, row, method, metric)
            ours = summary(seed_means(selected, method, row))
            cells.append(
                {
                    "row": row,
                    "column": method,
                    "metric": metric,
                    "paper": printed,
                    **ours,
                    "n": int(selected["n"].iloc[0]),
                    "difference": ours["ours"] - printed if comparable else float("nan"),
                    "dataset": dataset,
                    "paper_dataset": theirs,
                    "profile": str(selected["profile"].iloc[0]),
                    "records": tuple(sorted(records)),
                }
            )
    return pd.DataFrame(cells)


def table2(
    results: pd.DataFrame,
    *,
    comparable: bool = False,
    paper_dataset: str | None = None,
    **choice: Any,
) -> pd.DataFrame:
    """Table 2: accuracy with each restorer in front of the classifier, paper and ours.

    The accuracy on a distortion is the mean over its five levels; `average` is the mean of noise
    and blur, taken a seed at a time.

    Args:
        comparable: True if the profile has the paper's setting; only then there are differences.
        paper_dataset: whose printed numbers stand beside ours ("Caltech101" or "Caltech256");
            default: our own data set's, and Caltech101's if the paper does not have ours.
        choice: profile, dataset, classifier, as in `select`.

    Returns:
        One cell a row: row ("noise", "blur", "average"), column (key of `METHODS`), metric, paper,
        ours (mean over seeds), spread (sample standard deviation over seeds, NaN for one), seeds,
        values (one a seed), n, difference (ours - paper, NaN unless comparable), dataset,
        paper_dataset, profile, records (the files behind ours).
    """
    return _beside(results, 2, METHODS, _AVERAGED, "accuracy", comparable, paper_dataset, choice)


def table3(results: pd.DataFrame, *, comparable: bool = False, **choice: Any) -> pd.DataFrame:
    """Table 3: accuracy with small QRNet.  Arguments and columns as in `table2`.

    The paper prints it for Caltech101 alone; beside another data set there are no differences.
    """
    method, theirs = ["small_qrnet"], "Caltech101"
    comparable = comparable and _of_caltech101(results, choice)
    return _beside(results, 3, method, _AVERAGED, "accuracy", comparable, theirs, choice)


def _of_caltech101(results: pd.DataFrame, choice: Mapping[str, Any]) -> bool:
    chosen = choice.get("dataset")
    return (set(results["dataset"]) if chosen is None else {chosen}) == {"caltech101"}


def table4(
    results: pd.DataFrame,
    *,
    comparable: bool = False,
    paper_dataset: str | None = None,
    **choice: Any,
) -> pd.DataFrame:
    """Table 4: accuracy where the classifier's fully connected layers were trained as well.

    The columns are keys of `METHODS4`; arguments and columns as in `table2`.
    """
    return _beside(results, 4, METHODS4, _AVERAGED, "accuracy", comparable, paper_dataset, choice)


def table5(results: pd.DataFrame, *, comparable: bool = False, **choice: Any) -> pd.DataFrame:
    """Table 5: PSNR (dB) and SSIM without and with QRNet.  Arguments and columns as in `table2`.

    The paper prints it for Caltech101 alone; beside another data set there are no differences.
    """
    comparable = comparable and _of_caltech101(results, choice)
    methods, rows = ("none", "qrnet"), ("noise", "blur")
    parts = [
        _beside(results, 5, methods, rows, metric, comparable, "Caltech101", choice)
        for metric in ("psnr", "ssim")
    ]
    return pd.concat(parts, ignore_index=True)


def levels(
    results: pd.DataFrame, *, restorers: Iterable[str] | None = None, **choice: Any
) -> pd.DataFrame:
    """The data behind Figures 4, 5 and 6: accuracy at every level of each distortion.

    Args:
        restorers: which ones; default: all that the chosen classifier judged.

    Returns:
        Columns restorer, distortion, level (0 is clean, standing under noise and under blur),
        strength (sigma, 0 for clean), ours, spread, seeds, values, n, profile, records.
    """
    selected = select(results, restorers=restorers or (), **choice)
    rows = []
    for restorer in dict.fromkeys(restorers or selected["restorer"]):
        for distortion in ("noise", "blur"):
            mine = selected[selected["distortion"] == distortion]
            if restorer not in set(mine["restorer"]):
                continue  # a restorer of one distortion need not be evaluated on the other
            wide = by_seed(selected, restorer, distortion, (0, *LEVELS))
            sigma = mine.groupby("level")["strength"].first().to_dict() | {0: 0.0}
            for level in wide.columns:
                keys = {"restorer": restorer, "distortion": distortion, "level": level}
                keys |= {"strength": float(sigma[level])}
                rows.append(keys | summary(wide[level]) | sources(selected, [restorer]))
    return pd.DataFrame(rows)


def quality(
    results: pd.DataFrame, *, methods: Iterable[str] = tuple(METHODS7), **choice: Any
) -> pd.DataFrame:
    """The data behind Figure 7: image quality and accuracy at every level of each distortion.

    Args:
        methods: keys of `METHODS7`, or names of restorers.

    Returns:
        Columns method, restorer, distortion, level, strength, psnr (dB), ssim, accuracy (means over
        seeds), psnr_values, ssim_values, accuracy_values (one a seed, in the same order), seeds, n,
        profile, records.

    Raises:
        QrlibError: as `qrlib.records.selection.select`; a metric lacks for a restorer, level or seed.
    """
    methods = list(methods)
    metrics = ("psnr", "ssim", "accuracy")
    needed = restorers_of(methods)
    chosen = {m: select(results, metric=m, restorers=needed, **choice) for m in metrics}
    accuracy = chosen["accuracy"]
    rows = []
    for method in methods:
        for distortion in ("noise", "blur"):
            wide = {m: by_seed(chosen[m], method, distortion) for m in metrics}
            seeds = {m: list(frame.index) for m, frame in wide.items()}
            if not seeds["psnr"] == seeds["ssim"] == seeds["accuracy"]:
                raise QrlibError(
                    f"results of {restorer_of(method, distortion)} on {distortion} have other seeds "
                    f"for PSNR {seeds['psnr']}, SSIM {seeds['ssim']} and accuracy "
                    f"{seeds['accuracy']}: evaluate it again"
                )
            mine = accuracy[accuracy["distortion"] == distortion]
            sigma = mine.groupby("level")["strength"].first()
            for level in LEVELS:
                row: dict[str, Any] = {
                    "method": method,
                    "restorer": restorer_of(method, distortion),
                }
                row |= {"distortion": distortion, "level": level, "strength": float(sigma[level])}
                row |= {m: wide[m][level].mean() for m in metrics}
                row |= {f"{m}_values": tuple(wide[m][level]) for m in metrics}
                row |= {"seeds": len(seeds["accuracy"])}
                rows.append(row | sources(accuracy, [row["restorer"]]))
    return pd.DataFrame(rows)
