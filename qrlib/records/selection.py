"""Which results enter a table, and their means over levels and seeds.

`results` is the tidy frame of `qrlib.records.store.read(profile)`, one measured number a row: profile,
dataset, restorer, classifier, distortion ("clean", "noise", "blur"), level (0 for clean, 1 to 5),
strength (sigma), seed, metric, value, n (test images), record (the file it comes from).  What a
table may not mix (profiles, data sets, classifiers) is refused unless a `Selection` chooses one.
Only this module averages results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qrlib import paper
from qrlib.utils.errors import QrlibError

LEVELS = (1, 2, 3, 4, 5)


def restorer_of(method: str, distortion: str) -> str:
    """Our restorer for a method of the paper; any other name stays as it is.

    >>> restorer_of("recnet-single", "blur"), restorer_of("mqrnet-multiple", "blur")
    ('recnet-blur', 'mqrnet-multiple')
    """
    return paper.METHODS.get(method, {}).get(distortion, method)


def restorers_of(methods: Iterable[str]) -> tuple[str, ...]:
    """Our restorers for methods, on noise and on blur.

    >>> restorers_of(["none", "recnet-single", "qrnet"])
    ('none', 'recnet-noise', 'recnet-blur', 'qrnet-multiple')
    """
    names = [restorer_of(method, d) for method in methods for d in ("noise", "blur")]
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Selection:
    """Whose results a table shows; None where `results` hold only one."""

    profile: str | None = None
    dataset: str | None = None
    classifier: str | None = None


#: For results of one profile, data set and classifier.
ONLY = Selection()


def select(
    results: pd.DataFrame,
    choice: Selection = ONLY,
    *,
    metric: str = "accuracy",
    restorers: Iterable[str] = (),
) -> pd.DataFrame:
    """The rows of one metric, profile, data set and classifier, checked.

    Args:
        restorers: names that must be there.

    Raises:
        QrlibError: nothing is left; several profiles, data sets or classifiers; a restorer has no
            results; a number is there twice; test sets or strengths differ between rows.
    """
    rows = results[results["metric"] == metric]
    for name, wanted in vars(choice).items():
        present = sorted(map(str, rows[name].unique()))
        if wanted is not None:
            rows = rows[rows[name] == wanted]
            if rows.empty:
                there = ", ".join(present) or "none"
                raise QrlibError(f"no {metric} results with {name} {wanted!r}; there are: {there}")
        elif len(present) > 1:
            raise QrlibError(
                f"results mix {name}s, and one table shows one: choose with Selection({name}=...) "
                f"from {', '.join(present)}"
            )
    if rows.empty:
        raise QrlibError(f"no {metric} results: make them with `python -m qrlib run PROFILE`")
    absent = [name for name in restorers if name not in set(rows["restorer"])]
    if absent:
        judge = rows["classifier"].iloc[0]
        raise QrlibError(
            f"no {metric} results of {', '.join(absent)}, judged by {judge}: {how_to_make(rows)}"
        )
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
            values = sorted(map(str, group[field].unique()))
            if len(values) > 1:
                raise QrlibError(
                    f"results of {' '.join(map(str, where))} differ in {field} "
                    f"({', '.join(values)}): evaluate all restorers again in one setting"
                )
    return rows


def restorers_run(
    results: pd.DataFrame,
    methods: Iterable[str],
    choice: Selection = ONLY,
    *,
    metric: str = "accuracy",
) -> tuple[str, ...]:
    """Those of `restorers_of` that have results; of a method for one distortion each, one may be missing."""
    there = set(select(results, choice, metric=metric)["restorer"])
    return tuple(name for name in restorers_of(methods) if name in there)


def with_results(
    results: pd.DataFrame, methods: Iterable[str], choice: Selection = ONLY
) -> tuple[str, ...]:
    """Those of some methods that have results, on noise or on blur; a table calls the others "not run"."""
    there = {*restorers_run(results, methods := tuple(methods), choice)}
    return tuple(method for method in methods if there & {*restorers_of([method])})


def how_to_make(rows: pd.DataFrame) -> str:
    """The command that makes what is missing among selected rows."""
    return f"make them with `python -m qrlib run {rows['profile'].iloc[0]}`"


def method_rows(
    selected: pd.DataFrame, method: str, distortion: str, levels: Sequence[int]
) -> pd.DataFrame:
    """The rows of one method on one distortion at some levels; level 0 is the clean images."""
    wanted = selected["distortion"].isin([distortion, "clean"]) & selected["level"].isin(levels)
    return selected[(selected["restorer"] == restorer_of(method, distortion)) & wanted]


def by_seed(
    selected: pd.DataFrame, method: str, distortion: str, levels: Sequence[int] = LEVELS
) -> pd.DataFrame:
    """The values of one method on one distortion, one row a seed and one column a level.

    Level 0 is the clean images, whatever the distortion.

    Raises:
        QrlibError: a seed has no value for a level; the message names restorer, seed and levels.
    """
    restorer = restorer_of(method, distortion)
    rows = method_rows(selected, method, distortion, levels)
    if rows.empty:
        which = "" if levels in (LEVELS, (0,)) else f" at level {', '.join(map(str, levels))}"
        raise QrlibError(
            f"no results of {restorer} on {distortion}{which}: {how_to_make(selected)}"
        )
    wide = rows.pivot(index="seed", columns="level", values="value").reindex(columns=list(levels))
    for seed, row in wide.iterrows():
        gaps = [str(level) for level in levels if pd.isna(row[level])]
        if gaps:
            raise QrlibError(
                f"results of {restorer} on {distortion}, seed {seed} have no level {', '.join(gaps)}, "
                f"and a mean is taken over all of {', '.join(map(str, levels))}: {how_to_make(selected)}"
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
            f"blur: {list(blur.index)}), which its average needs: {how_to_make(selected)}"
        )
    return (noise[both] + blur[both]) / 2


def mean_and_spread(values: pd.Series) -> dict[str, Any]:
    """Mean and sample standard deviation (NaN for one) over seeds, number of seeds, the values."""
    return {
        "ours": values.mean(),
        "spread": values.std(ddof=1),
        "seeds": len(values),
        "values": tuple(values),
    }


def source_columns(selected: pd.DataFrame, restorers: Sequence[str]) -> dict[str, Any]:
    """What a number of some restorers was made from: n (test images), profile, records (files)."""
    records = selected.loc[selected["restorer"].isin(restorers), "record"]
    return {
        "n": int(selected["n"].iloc[0]),
        "profile": str(selected["profile"].iloc[0]),
        "records": tuple(sorted(set(records))),
    }


def on_common_seeds(
    selected: pd.DataFrame, methods: Mapping[str, str], distortions: Sequence[str]
) -> tuple[dict[str, pd.DataFrame], list[int]]:
    """Methods (by label) over the seeds that all of them have; the one run of "none" is for all seeds.

    Returns:
        Label -> means over levels, a row a seed and a column a distortion; and the seeds.

    Raises:
        QrlibError: the methods have no seed in common.
    """
    means = {
        label: pd.DataFrame({d: seed_means(selected, method, d) for d in distortions}).dropna()
        for label, method in methods.items()
    }
    trained = [set(means[label].index) for label, method in methods.items() if method != "none"]
    seeds = sorted(set.intersection(*trained)) if trained else [0]
    if not seeds:
        each = "; ".join(f"{label}: {list(frame.index)}" for label, frame in means.items())
        raise QrlibError(f"no seed in common ({each}): {how_to_make(selected)}")
    return {
        label: frame if methods[label] == "none" else frame.loc[seeds]
        for label, frame in means.items()
    }, seeds


def training_record(
    records: Sequence[Mapping[str, Any]], restorer: str, classifier: str, seed: int
) -> Mapping[str, Any]:
    """The record of a restorer that learned from a classifier; `QrlibError` if it is not there."""
    name = f"{restorer}-{classifier}-seed{seed}"
    for record in records:
        if record["name"] == name:
            return record
    raise QrlibError(
        f"no training record {name}: its losses and times stand in no other; train it with "
        "`python -m qrlib run PROFILE`"
    )
