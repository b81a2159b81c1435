"""The weight lambda of the classification loss (equation 4): what trying others gave.

Section IV-A says that 0.1, 0.01 and 0.001 gave similar results on the validation data, and prints no
number.  Here are both parts of each network's validation loss, in the epoch that was kept, and its
accuracy on the test images, which chose nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from qrlib.records import selection
from qrlib.records.selection import ONLY, Selection
from qrlib.records.uncertainty import standard_error_of_mean, standard_error_over_seeds
from qrlib.report import labels, option_tables, sources
from qrlib.report.claims.evidence import Evidence
from qrlib.report.render import Rendered, grid
from qrlib.utils.errors import QrlibError

#: Restorers that say their lambda in their name; the profile's own QRNet is the other one.
NAMED = re.compile(r"qrnet_lambda_(\d+(?:\.\d+)?)-multiple")
OWN = "qrnet-multiple"


def table(
    results: pd.DataFrame, records: Sequence[Mapping[str, Any]], choice: Selection = ONLY
) -> pd.DataFrame:
    """Validation loss and test accuracy for every lambda that was tried.

    All rows are means over the same seeds: those that every lambda has.

    Args:
        records: the training records, ``qrlib.records.store.read_records(profile, "recovery")``.

    Returns:
        One lambda a row, falling: weight (lambda), restorer, val_quality (L1, mean over pixels and
        channels), val_classification (cross-entropy), val_accuracy (clean and distorted images alike),
        val_loss (quality + lambda * classification, which is not comparable between rows), best_epochs
        (one a seed), noise, blur, average (test accuracies), noise_values, blur_values, average_values
        (one a seed), seeds (the seeds themselves), n (test images), profile, records (of the trainings
        and of the evaluations).
        Standard errors: val_quality_error and val_classification_error (of seeds, NaN for one),
        noise_error, blur_error and average_error (of test images, and of seeds).

    Raises:
        QrlibError: as `qrlib.records.selection.select`; no lambda but the profile's was tried; no seed that
            all have; a training record is missing.
    """
    selected = selection.select(results, choice, restorers=[OWN])
    others = [name for name in dict.fromkeys(selected["restorer"]) if NAMED.fullmatch(name)]
    if not others:
        raise QrlibError(
            "no results of qrnet_lambda_*-multiple: a sweep needs QRNet trained with other weights "
            f"of the classification loss; {selection.how_to_make(selected)}"
        )
    kinds = ("noise", "blur", "average")
    restorers = {name: name for name in (OWN, *others)}
    accuracies, seeds = selection.on_common_seeds(selected, restorers, kinds)
    judge = str(selected["classifier"].iloc[0])
    rows = []
    for name, values in accuracies.items():
        trained = [selection.training_record(records, name, judge, seed) for seed in seeds]
        losses = pd.DataFrame(_best(record, judge) for record in trained)
        weight = _weight(name, trained[0])
        evaluated = selected[selected["seed"].isin(seeds)]
        source = selection.source_columns(evaluated, [name])
        source["records"] = (*(f"{record['name']}.json" for record in trained), *source["records"])
        row = {"weight": weight, "restorer": name, **losses.mean().drop("epoch")}
        row |= {"best_epochs": tuple(losses["epoch"].astype(int))}
        for part in ("val_quality", "val_classification"):
            row[f"{part}_error"] = standard_error_over_seeds(list(losses[part])) or math.nan
        shares = {kind: selection.by_seed(evaluated, name, kind).mean() for kind in kinds[:2]}
        shares["average"] = pd.concat(shares.values())
        for kind in kinds:
            of_seeds = standard_error_over_seeds(list(values[kind]))
            error = math.hypot(standard_error_of_mean(shares[kind], source["n"]), of_seeds)
            row |= {kind: values[kind].mean(), f"{kind}_values": tuple(values[kind])}
            row |= {f"{kind}_error": error}
        rows.append(row | {"seeds": tuple(seeds)} | source)
    return pd.DataFrame(rows).sort_values("weight", ascending=False, ignore_index=True)


def _weight(name: str, record: Mapping[str, Any]) -> float:
    if named := NAMED.fullmatch(name):
        return float(named[1])
    return float(record["config"]["recovery"]["classification_weight"])


def _best(record: Mapping[str, Any], classifier: str) -> dict[str, float]:
    """Epoch and validation losses of the epoch whose weights were kept."""
    epochs = {row["epoch"]: row for row in record["training"]["epochs"]}
    best = epochs[record["training"]["best_epoch"]]
    return {
        "epoch": best["epoch"],
        "val_quality": best["val_quality"],
        "val_classification": best[f"val_{classifier}"],
        "val_accuracy": best[f"val_{classifier}_accuracy"],
        "val_loss": best["val_loss"],
    }


def in_words(evidence: Evidence) -> list[str]:
    """Every other lambda against the profile's own, on test images, a sentence each, the largest first."""
    there = set(evidence.present("accuracy")["restorer"])
    weights = {name: float(found[1]) for name in there if (found := NAMED.fullmatch(name))}
    return [
        f"λ = {weight:g}, against our λ: {option_tables.against_in_words(evidence, name, OWN)}."
        for name, weight in sorted(weights.items(), key=lambda item: -item[1])
    ]


def render(table: pd.DataFrame, file: str, *, up: str = sources.OF_ALL) -> Rendered:
    """A frame of `table` for reading; `file` and `up` as in `qrlib.report.sources.line`."""
    headings = ["lambda", "validation, L1", "validation, cross-entropy", "validation, accuracy"]
    headings += ["accuracy, noise", "accuracy, blur", "accuracy, average"]
    shown = ("val_classification", "val_accuracy", "noise", "blur", "average")
    rows = [
        [f"{row['weight']:g}", f"{row['val_quality']:.4f}", *(f"{row[key]:.3f}" for key in shown)]
        for row in table.to_dict("records")
    ]
    seeds = table["seeds"].iloc[0]
    caption = (
        f"{'Means over' if len(seeds) > 1 else 'From'} {labels.seeds(seeds)}. Validation: the kept epoch "
        f"on validation images, clean and distorted alike; the rest: {table['n'].iloc[0]} test images. "
        "The paper prints no numbers."
    )
    return grid(headings, rows, caption, file, data=table, up=up)
