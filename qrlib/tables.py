"""Tables 1, 2, 3 and 5: the paper's printed numbers beside ours.

`results` is the tidy frame of `qrlib.store.read(profile)`, one measured number a row: profile,
dataset, restorer, classifier, distortion ("clean", "noise", "blur"), level (0 for clean, 1 to 5),
strength (sigma), seed, metric, value, n (test images), record (the file it comes from).  What a
table may not mix (profiles, data sets, classifiers) is refused unless an argument of the same name
chooses one.  Only this module averages results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import pandas as pd

from qrlib import reference
from qrlib.errors import QrlibError
from qrlib.rendering import Rendered, format_ours, grid

LEVELS = (1, 2, 3, 4, 5)
FIELDS = "profile dataset classifier restorer distortion level strength seed metric value n record"

#: Method -> how we call it in tables and figures, in the order of Table 2's columns.
METHODS = {
    "none": "no restoration",
    "recnet-single": "RecNet (single)",
    "recnet-multiple": "RecNet (multiple)",
    "qrnet": "QRNet",
}
_ROWS = {"noise": "Gaussian noise", "blur": "Gaussian blur", "average": "average"}


def restorer_of(method: str, distortion: str) -> str:
    """Our restorer for a method of the paper; any other name stands for itself.

    >>> restorer_of("recnet-single", "blur"), restorer_of("mqrnet-multiple", "blur")
    ('recnet-blur', 'mqrnet-multiple')
    """
    return reference.METHODS.get(method, {}).get(distortion, method)


def select(
    results: pd.DataFrame,
    *,
    metric: str = "accuracy",
    profile: str | None = None,
    dataset: str | None = None,
    classifier: str | None = None,
    restorers: Iterable[str] = (),
) -> pd.DataFrame:
    """The rows of one metric, profile, data set and classifier, checked.

    Args:
        profile, dataset, classifier: which one; needed only where `results` hold several.
        restorers: names that must be there.

    Raises:
        QrlibError: columns lack; nothing is left; several profiles, data sets or classifiers; a
            restorer lacks; a number stands twice; test sets or strengths differ between rows.
    """
    lacking = [name for name in FIELDS.split() if name not in results.columns]
    if lacking:
        raise QrlibError(
            f"results lack the column(s) {', '.join(lacking)}: pass what qrlib.store.read returns"
        )
    rows = results[results["metric"] == metric]
    for name, wanted in (("profile", profile), ("dataset", dataset), ("classifier", classifier)):
        found = sorted(map(str, rows[name].unique()))
        if wanted is not None:
            rows = rows[rows[name] == wanted]
            if rows.empty:
                there = ", ".join(found) or "none"
                raise QrlibError(f"no {metric} results with {name} {wanted!r}; there are: {there}")
        elif len(found) > 1:
            raise QrlibError(
                f"results mix {name}s, and one table shows one: choose {name}= from "
                f"{', '.join(found)}"
            )
    if rows.empty:
        raise QrlibError(f"no {metric} results: make them with `python -m qrlib run PROFILE`")
    absent = [name for name in restorers if name not in set(rows["restorer"])]
    if absent:
        raise QrlibError(f"no {metric} results of {', '.join(absent)}: {_make(rows)}")
    twice = rows[rows.duplicated(["restorer", "distortion", "level", "seed"], keep=False)]
    if not twice.empty:
        first = twice.iloc[0]
        raise QrlibError(
            f"{metric} of {first['restorer']} on {first['distortion']} level {first['level']}, "
            f"seed {first['seed']} is there more than once: remove the outdated record of "
            f"{', '.join(sorted(set(twice['record'])))}"
        )
    for field, keys in (("n", ["metric"]), ("strength", ["distortion", "level"])):
        for where, group in rows.groupby(keys):
            found = sorted(map(str, group[field].unique()))
            if len(found) > 1:
                raise QrlibError(
                    f"results of {' '.join(map(str, where))} differ in {field} "
                    f"({', '.join(found)}): evaluate all restorers again in one setting"
                )
    return rows


def _make(rows: pd.DataFrame) -> str:
    return f"make them with `python -m qrlib run {rows['profile'].iloc[0]}`"


def by_seed(
    selected: pd.DataFrame, method: str, distortion: str, levels: Sequence[int] = LEVELS
) -> pd.DataFrame:
    """The values of one method on one distortion, one row a seed and one column a level.

    Level 0 is the clean images, whatever the distortion.

    Raises:
        QrlibError: a level lacks for some seed; the message names restorer, seed and levels.
    """
    restorer = restorer_of(method, distortion)
    wanted = selected["distortion"].isin([distortion, "clean"]) & selected["level"].isin(levels)
    rows = selected[(selected["restorer"] == restorer) & wanted]
    if rows.empty:
        raise QrlibError(f"no results of {restorer} on {distortion}: {_make(selected)}")
    wide = rows.pivot(index="seed", columns="level", values="value").reindex(columns=list(levels))
    for seed, row in wide.iterrows():
        gaps = [str(level) for level in levels if pd.isna(row[level])]
        if gaps:
            raise QrlibError(
                f"results of {restorer} on {distortion}, seed {seed} lack level {', '.join(gaps)}, "
                f"and a mean is taken over all of {', '.join(map(str, levels))}: {_make(selected)}"
            )
    return wide


def seed_means(
    selected: pd.DataFrame, method: str, distortion: str, levels: Sequence[int] = LEVELS
) -> pd.Series:
    """Mean over levels, one value a seed.  "average" is the mean of noise and blur of one seed.

    "clean" takes the clean images.  Of RecNet (single) the two networks of one seed make a pair; a
    seed that only one of them has is left out.
    """
    if distortion == "clean":
        return by_seed(selected, method, "clean", (0,)).mean(axis=1)
    if distortion != "average":
        return by_seed(selected, method, distortion, levels).mean(axis=1)
    noise, blur = (seed_means(selected, method, name, levels) for name in ("noise", "blur"))
    both = noise.index.intersection(blur.index)
    if both.empty:
        raise QrlibError(
            f"{method} has no seed with results on noise and on blur (noise: {list(noise.index)}, "
            f"blur: {list(blur.index)}), which its average needs: {_make(selected)}"
        )
    return (noise[both] + blur[both]) / 2


def _summary(values: pd.Series) -> dict[str, Any]:
    """Mean and sample standard deviation (NaN for one) over seeds, number of seeds, the values."""
    return {
        "ours": values.mean(),
        "spread": values.std(ddof=1),
        "seeds": len(values),
        "values": tuple(values),
    }


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
    needed = [restorer_of(method, d) for method in methods for d in ("noise", "blur")]
    selected = select(results, metric=metric, restorers=dict.fromkeys(needed), **choice)
    dataset = str(selected["dataset"].iloc[0])
    theirs = paper_dataset or reference.DATASETS.get(dataset, "Caltech101")
    if comparable and theirs != reference.DATASETS.get(dataset):
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
            paper = reference.printed(table, theirs, row, method, metric)
            ours = _summary(seed_means(selected, method, row))
            cells.append(
                {
                    "row": row,
                    "column": method,
                    "metric": metric,
                    "paper": paper,
                    **ours,
                    "n": int(selected["n"].iloc[0]),
                    "difference": ours["ours"] - paper if comparable else float("nan"),
                    "dataset": dataset,
                    "paper_dataset": theirs,
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
        paper_dataset, records (the files behind ours).
    """
    rows = ("noise", "blur", "average")
    return _beside(results, 2, METHODS, rows, "accuracy", comparable, paper_dataset, choice)


def table3(results: pd.DataFrame, *, comparable: bool = False, **choice: Any) -> pd.DataFrame:
    """Table 3: accuracy with small QRNet.  Arguments and columns as in `table2`."""
    rows = ("noise", "blur", "average")
    return _beside(results, 3, ["small_qrnet"], rows, "accuracy", comparable, "Caltech101", choice)


def table5(results: pd.DataFrame, *, comparable: bool = False, **choice: Any) -> pd.DataFrame:
    """Table 5: PSNR (dB) and SSIM without and with QRNet.  Arguments and columns as in `table2`."""
    methods, rows = ("none", "qrnet"), ("noise", "blur")
    parts = [
        _beside(results, 5, methods, rows, metric, comparable, "Caltech101", choice)
        for metric in ("psnr", "ssim")
    ]
    return pd.concat(parts, ignore_index=True)


def table1(layers: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Table 1: the printed layers beside those that `qrlib.models.layer_table` reads off a model.

    Returns:
        One layer a row: "#", then layer, channels, filter and stride, each as "paper ..." and
        "ours ...", and agreement ("same" or "different"; a row that one side lacks is different).
    """
    names = ("layer", "channels", "filter", "stride")
    rows = []
    for i, (paper, ours) in enumerate(zip_longest(reference.TABLE1, layers), start=1):
        theirs = ["" if paper is None else getattr(paper, name) for name in names]
        mine = ["" if ours is None else str(ours[name]) for name in names]
        row: dict[str, object] = {"#": i}
        for name, one, other in zip(names, theirs, mine, strict=True):
            row |= {f"paper {name}": one, f"ours {name}": other}
        rows.append(row | {"agreement": "same" if theirs == mine else "different"})
    return pd.DataFrame(rows)


def levels(results: pd.DataFrame, **choice: Any) -> pd.DataFrame:
    """The data behind Figure 4: accuracy of every restorer at every level of each distortion.

    Returns:
        Columns restorer, distortion, level (0 is clean, standing under noise and under blur),
        strength (sigma, 0 for clean), ours, spread, seeds, values, n.
    """
    selected = select(results, **choice)
    rows = []
    for restorer in dict.fromkeys(selected["restorer"]):
        for distortion in ("noise", "blur"):
            mine = selected[selected["distortion"] == distortion]
            if restorer not in set(mine["restorer"]):
                continue  # a restorer of one distortion need not be evaluated on the other
            wide = by_seed(selected, restorer, distortion, (0, *LEVELS))
            sigma = mine.groupby("level")["strength"].first().to_dict() | {0: 0.0}
            for level in wide.columns:
                keys = {"restorer": restorer, "distortion": distortion, "level": level}
                keys |= {"strength": float(sigma[level])}
                rows.append(keys | _summary(wide[level]) | {"n": int(selected["n"].iloc[0])})
    return pd.DataFrame(rows)


def clean_accuracy(results: pd.DataFrame, **choice: Any) -> pd.DataFrame:
    """Accuracy of every restorer on clean images: what restoring costs where nothing is amiss.

    Returns:
        Columns restorer, ours, spread, seeds, values, n, change (ours minus that of "none").
    """
    selected = select(results, restorers=["none"], **choice)
    plain = seed_means(selected, "none", "clean").mean()
    rows = []
    for restorer in dict.fromkeys(selected["restorer"]):
        ours = _summary(seed_means(selected, restorer, "clean"))
        extra = {"n": int(selected["n"].iloc[0]), "change": ours["ours"] - plain}
        rows.append({"restorer": restorer} | ours | extra)
    return pd.DataFrame(rows)


def loss_won_back(results: pd.DataFrame, **choice: Any) -> pd.DataFrame:
    """Which share of the accuracy that a distortion costs each restorer wins back.

    (restored - none) / (none on clean images - none), accuracies averaged over the five levels: 0
    is no gain, 1 is as good as undistorted, below 0 is harm.  Ours, not the paper's.

    Returns:
        Columns restorer, distortion, ours, spread, seeds, values.  NaN where nothing was lost.
    """
    selected = select(results, restorers=["none"], **choice)
    clean = seed_means(selected, "none", "clean").mean()
    rows = []
    for restorer in dict.fromkeys(selected["restorer"]):
        for distortion in ("noise", "blur"):
            mine = selected[selected["distortion"] == distortion]
            if restorer == "none" or restorer not in set(mine["restorer"]):
                continue
            none = seed_means(selected, "none", distortion).mean()
            lost = clean - none if clean > none else float("nan")
            share = (seed_means(selected, restorer, distortion) - none) / lost
            rows.append({"restorer": restorer, "distortion": distortion} | _summary(share))
    return pd.DataFrame(rows)


def render(table: pd.DataFrame, *, label: str = "ours", paper_label: str = "") -> Rendered:
    """A frame of `table2`, `table3` or `table5` for reading, paper beside ours.

    The column of differences is there only if the frame was made with comparable=True.

    Args:
        label: heading of our numbers, which names the profile and its setting.
        paper_label: heading of the printed numbers; default "paper (DATASET)".
    """
    differ = bool(table["difference"].notna().any())
    paper_label = paper_label or f"paper ({table['paper_dataset'].iloc[0]})"
    rows = []
    for cell in table.to_dict("records"):
        digits = 2 if cell["metric"] == "psnr" else 3
        metric = "" if cell["metric"] == "accuracy" else f"{cell['metric'].upper()}, "
        ours = format_ours(cell["ours"], cell["spread"], cell["seeds"], digits)
        row = [metric + _ROWS[cell["row"]], METHODS.get(cell["column"], "small QRNet")]
        row += [f"{cell['paper']:.{digits}f}", ours]
        rows.append(row + ([f"{cell['difference']:+.{digits}f}"] if differ else []))
    headings = ["distortion", "method", paper_label, label, *(["ours - paper"] if differ else [])]
    caption = (
        f"Ours: mean ± standard deviation over seeds (seeds); {table['n'].iloc[0]} test images."
    )
    if not differ:
        caption += " Another setting than the paper's: not comparable number by number."
    return grid(headings, rows, caption)


def table2_styled(
    results: pd.DataFrame, *, label: str = "ours", paper_label: str = "", **options: Any
) -> Rendered:
    """`table2` (with its `options`) rendered by `render`."""
    return render(table2(results, **options), label=label, paper_label=paper_label)


def render_markdown(table: pd.DataFrame, *, label: str = "ours", paper_label: str = "") -> str:
    """`render` as Markdown text."""
    return render(table, label=label, paper_label=paper_label).markdown
