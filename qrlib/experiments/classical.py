"""Classical restorers before the classifier: the strength that validation images choose, then test images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from qrlib import classifiers, data, distortions, evaluation
from qrlib.classical import FILTERS, ClassicalRestorer
from qrlib.experiments import evaluate
from qrlib.experiments.experiment import Experiment
from qrlib.utils.errors import QrlibError

#: Validation images that choose a strength, spread over the classes.
CHOOSING = 200


def choose_strengths(
    experiment: Experiment, splits: data.Splits, judges: Mapping[str, classifiers.Classifier]
) -> pd.DataFrame:
    """Try every strength of a filter on validation images.

    Returns:
        One strength at one level a row: level, strength, accuracy, psnr (dB), n, chosen (whether it has
        the level's highest accuracy, the first of equals).

    Raises:
        QrlibError: the experiment is no classical restorer.
    """
    if not experiment.variant.classical:
        raise QrlibError(
            f"{experiment.variant_name} is no classical restorer; choose one of {', '.join(FILTERS)}"
        )
    chosen_filter = FILTERS[experiment.variant_name]
    profile = experiment.profile
    part = splits.validation.spread(min(CHOOSING, len(splits.validation)))
    levels = distortions.levels(experiment.distortions, **profile.strengths)
    rows = []
    for case in levels[experiment.distortions]:
        for strength in chosen_filter.strengths:
            measured = evaluation.evaluate(
                ClassicalRestorer(experiment.variant_name, {case.level: strength}),
                {"classifier": judges["classifier"]},
                part,
                [case],
                batch_size=profile.evaluation_batch,
                precision=profile.evaluation_precision,
                name=f"{experiment.restorer}, level {case.level}",
            )
            values = {row["metric"]: row["value"] for row in measured if row["level"] == case.level}
            row = {"level": case.level, "strength": strength, "n": len(part)}
            rows.append(row | {key: values[key] for key in ("accuracy", "psnr")})
    table = pd.DataFrame(rows)
    best = table.groupby("level")["accuracy"].idxmax()
    return table.assign(chosen=table.index.isin(best))


def evaluate_classical(
    experiment: Experiment,
    splits: data.Splits,
    judges: Mapping[str, classifiers.Classifier],
    tried: pd.DataFrame,
) -> tuple[list[dict[str, Any]], list[Path]]:
    """Results on test images with the strengths that `choose_strengths` tried, and their record's path."""
    chosen = tried[tried["chosen"]]
    strengths = dict(zip(chosen["level"], chosen["strength"], strict=True))
    restorer = ClassicalRestorer(experiment.variant_name, strengths)
    trials = {"strengths": tried.to_dict("records")}
    return evaluate.evaluate(experiment, splits, restorer, judges, training=trials)
