"""The weight lambda of the classification loss (equation 4): what trying others gave.

Section IV-A says that 0.1, 0.01 and 0.001 gave similar results on the validation data, and prints no
number.  Here stand the two parts of each network's validation loss, of the epoch that was kept, and
beside them its accuracy on the test images, which chose nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from qrlib.records import selection
from qrlib.report import sources
from qrlib.report.labels import seeds as which_seeds
from qrlib.report.render import Rendered, grid
from qrlib.utils.errors import QrlibError

#: Restorers that say their lambda in their name; the profile's own QRNet is the other one.
NAMED = re.compile(r"qrnet_lambda_(\d+(?:\.\d+)?)-multiple")
OWN = "qrnet-multiple"


def table(
    results: pd.DataFrame, records: Sequence[Mapping[str, Any]], **choice: Any
) -> pd.DataFrame:
    """Validation loss and test accuracy for every lambda that was tried.

    All rows are means over the same seeds: those that every lambda has.

    Args:
        results: frame of `qrlib.records.store.read`.
        records: the training records, ``qrlib.records.store.read_records(profile, "recovery")``.
        choice: profile, dataset, classifier, as in `qrlib.records.selection.select`.

    Returns:
        One lambda a row, falling: weight (lambda), restorer, val_quality (L1, mean over pixels and
        channels), val_classification (cross entropy), val_loss (quality + lambda * classification,
        which is not comparable between rows), best_epochs (one a seed), noise, blur, average (test
        accuracies), noise_values, blur_values, average_values (one a seed), seeds (the seeds
        themselves), n (test images), profile, records (of the trainings and of the evaluations).

    Raises:
        QrlibError: as `qrlib.records.selection.select`; no lambda but the profile's was tried; no seed that
            all have; a training record lacks, or its parts do not make up its loss.
    """
    selected = selection.select(results, restorers=[OWN], **choice)
    names = [name for name in dict.fromkeys(selected["restorer"]) if NAMED.fullmatch(name)]
    if not names:
        raise QrlibError(
            "no results of qrnet_lambda_*-multiple: a sweep needs QRNet trained with other weights "
            f"of the classification loss; {selection.how_to_make(selected)}"
        )
    kinds = ("noise", "blur", "average")
    means = {
        name: {kind: selection.seed_means(selected, name, kind) for kind in kinds}
        for name in (OWN, *names)
    }
    seeds = sorted(set.intersection(*(set(m["average"].index) for m in means.values())))
    if not seeds:
        having = "; ".join(f"{name}: {list(m['average'].index)}" for name, m in means.items())
        raise QrlibError(f"no seed that every lambda was trained with ({having}): run one with all")
    rows = []
    for name, found in means.items():
        judge = str(selected["classifier"].iloc[0])
        trained = [selection.training_of(records, name, judge, seed) for seed in seeds]
        losses = pd.DataFrame(_best(record, judge) for record in trained)
        weight = _weight(name, trained[0])
        _check_parts(losses, weight, name)
        row: dict[str, Any] = {
            "weight": weight,
            "restorer": name,
            **losses.mean().drop("epoch").to_dict(),
        }
        row["best_epochs"] = tuple(losses["epoch"].astype(int))
        for kind in kinds:
            row |= {kind: found[kind][seeds].mean(), f"{kind}_values": tuple(found[kind][seeds])}
        judged = selected[(selected["restorer"] == name) & selected["seed"].isin(seeds)]
        row |= {"seeds": tuple(seeds), "n": int(selected["n"].iloc[0])}
        row |= {"profile": str(selected["profile"].iloc[0])}
        made = (f"{record['name']}.json" for record in trained)
        rows.append(row | {"records": (*made, *dict.fromkeys(judged["record"]))})
    return pd.DataFrame(rows).sort_values("weight", ascending=False, ignore_index=True)


def _weight(name: str, record: Mapping[str, Any]) -> float:
    named = NAMED.fullmatch(name)
    if named:
        return float(named[1])
    try:
        return float(record["config"]["recovery"]["classification_weight"])
    except (KeyError, TypeError, ValueError) as error:
        raise QrlibError(
            f"record {record['name']} does not tell the lambda it was trained with: train it again"
        ) from error


def _best(record: Mapping[str, Any], classifier: str) -> dict[str, float]:
    """Epoch and validation losses of the epoch whose weights were kept."""
    training = record["training"] or {}
    epochs, best = training.get("epochs", []), training.get("best_epoch")
    row: dict[str, Any] = next((r for r in epochs if r["epoch"] == best), {})
    lacking = [k for k in ("val_quality", f"val_{classifier}", "val_loss") if k not in row]
    if lacking:
        raise QrlibError(
            f"record {record['name']} has no {', '.join(lacking)} of its best epoch: train it again"
        )
    return {
        "epoch": row["epoch"],
        "val_quality": row["val_quality"],
        "val_classification": row[f"val_{classifier}"],
        "val_loss": row["val_loss"],
    }


def _check_parts(losses: pd.DataFrame, weight: float, name: str) -> None:
    """A network trained with another lambda than its name says would spoil the comparison."""
    whole = losses["val_quality"] + weight * losses["val_classification"]
    if ((whole - losses["val_loss"]).abs() > 1e-3 * losses["val_loss"]).any():
        raise QrlibError(
            f"the validation loss of {name} is not quality + {weight:g} * classification: it was "
            "trained with another lambda; remove its records and train it again"
        )


def render(found: pd.DataFrame, file: str, *, up: str = sources.OF_ALL) -> Rendered:
    """A frame of `table` for reading; `file` and `up` as in `qrlib.report.sources.line`."""
    headings = ["lambda", "validation, L1", "validation, cross entropy"]
    headings += ["accuracy, noise", "accuracy, blur", "accuracy, average"]
    rows = [
        [f"{row['weight']:g}", f"{row['val_quality']:.4f}", f"{row['val_classification']:.3f}"]
        + [f"{row[kind]:.3f}" for kind in ("noise", "blur", "average")]
        for row in found.to_dict("records")
    ]
    numbers = found["seeds"].iloc[0]
    means = "Means over " if len(numbers) > 1 else "From "
    caption = (
        f"{means}{which_seeds(numbers)}. Losses are those of the kept epoch on the validation images, "
        f"accuracies those of {found['n'].iloc[0]} test images. The paper prints no numbers."
    )
    return grid(headings, rows, caption, file, data=found, up=up)
