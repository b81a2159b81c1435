"""Measuring what an experiment trained: accuracy and image quality, times; and their records."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from qrlib import classifiers, data, distortions, evaluation, weights
from qrlib.experiments import conventions, latency, plan, samples, train
from qrlib.experiments.plan import Experiment
from qrlib.models import QRNet
from qrlib.records import bitmask, store, uncertainty
from qrlib.training.device import device_name
from qrlib.utils import paths


def evaluate(
    experiment: Experiment,
    splits: data.Splits,
    restorer: QRNet | None,
    judges: Mapping[str, classifiers.Classifier],
) -> tuple[list[dict[str, Any]], list[Path]]:
    """Results of one restorer with its classifiers on the test images, and their records' paths.

    A restorer is evaluated on the distortions it was trained for, and on clean images; there is one
    record for each classifier.

    Args:
        judges: what `qrlib.experiments.train.open_classifiers` returns, tuned by `train` if the experiment says so.
    """
    profile = experiment.profile
    kinds = "multiple" if experiment.variant == "none" else experiment.distortions
    levels = distortions.levels(kinds, blur_scale=profile.data.blur_scale)
    cases = [case for group in levels.values() for case in group]
    started = time.monotonic()
    found = evaluation.evaluate(
        restorer,
        {role: judges[role] for role in experiment.judges},
        splits.test,
        cases,
        batch_size=profile.evaluation_batch,
        precision=profile.evaluation_precision,
        name=experiment.evaluation_run.removesuffix("-" + experiment.classifier.name),
    )
    check = {}
    if profile.evaluation_precision != "32-true":
        check["precision_check"] = evaluation.check_precision(
            restorer,
            {role: judges[role] for role in experiment.judges},
            splits.test,
            cases,
            precision=profile.evaluation_precision,
        )
    seconds = time.monotonic() - started
    for row in found:
        if "right" in row:
            row["right"] = bitmask.pack(row["right"])
    results, written = [], []
    for role in experiment.judges:
        by = experiment.judged_by(role)
        who = {"dataset": splits.dataset, "restorer": by.restorer, "seed": by.seed}
        who["classifier"] = by.classifier.name
        rows = [{**row, **who} for row in found if row["classifier"] == role]
        hashes = {by.classifier.name: weights.state_hash(judges[role])}
        if restorer is not None:
            hashes[by.restorer] = weights.state_hash(restorer)
        record = {
            "schema": store.SCHEMA,
            "kind": "evaluation",
            "name": by.evaluation_run,
            "profile": profile.name,
            "config": by.config("evaluation"),
            "provenance": train.provenance_of("evaluation", splits, hashes, seconds, device_name()),
            "results": rows,
            "training": None,
            **check,
        }
        if by.role == "classifier" and by.restorer in plan.SAMPLED:
            record["samples"] = samples.take(
                restorer,
                judges[role],
                splits.test,
                splits.classes,
                samples.cases(cases),
                paths.results(profile.name) / "samples" / f"{by.evaluation_run}.webp",
            )
        results += rows
        written.append(store.write(record))
    return results, written


def measure_timings(experiment: Experiment, splits: data.Splits) -> Path:
    """The times of Sections IV-B1 and IV-B2 on this machine: an epoch of training, an image to classify.

    The epoch's is the median of those in the training's record, which has to be there.  Where the
    profile trains QRNet end to end, that is timed as well, in turns with the others; it is trained
    now if it was not yet.
    """
    profile = experiment.profile
    trained = store.read_record(profile.name, experiment.recovery_run)
    judges = train.open_classifiers(experiment, splits)
    restorer = train.train(experiment, splits, judges)[0]
    assert restorer is not None
    classifier = judges["classifier"]
    ways: dict[str, list[torch.nn.Module]] = {
        "none": [classifier],
        experiment.restorer: [restorer, classifier],
    }
    hashes = {
        experiment.classifier.name: weights.state_hash(classifier),
        experiment.restorer: weights.state_hash(restorer),
    }
    if beside := plan.timed_beside(experiment):
        own = train.open_classifiers(beside, splits)  # its fully connected layers are tuned
        network = train.train(beside, splits, own)[0]
        assert network is not None
        ways[beside.restorer] = [network, own["classifier"]]
        hashes[beside.restorer] = weights.state_hash(network)
        hashes[f"{beside.classifier.name}, tuned"] = weights.state_hash(own["classifier"])
    case = distortions.levels("noise")["noise"][2]
    images, _, ids = splits.test[range(min(20, len(splits.test)))]
    shown = distortions.distort_for_evaluation(images.float() / 255, ids, case)
    started = time.monotonic()
    found = latency.milliseconds_per_image(ways, shown)
    who = {
        "dataset": splits.dataset, "classifier": experiment.classifier.name, "seed": experiment.seed,
        "distortion": case.kind, "level": case.level, "strength": case.sigma,
    }  # fmt: skip
    per_image = {"metric": "milliseconds_per_image", "n": len(shown), **who}
    results = [{"restorer": name, **_median(times), **per_image} for name, times in found.items()]
    epochs = [row["seconds"] for row in trained["training"]["epochs"]]
    results.append(
        {
            "restorer": experiment.restorer, "metric": "seconds_per_epoch", **who, **_median(epochs),
            "n": trained["training"]["images"]["train"],
        }
    )  # fmt: skip
    seconds = time.monotonic() - started
    return store.write(
        {
            "schema": store.SCHEMA,
            "kind": "timing",
            "name": experiment.timing_run,
            "profile": profile.name,
            "config": experiment.config("evaluation"),
            "provenance": train.provenance_of("timing", splits, hashes, seconds, device_name())
            | {"epochs_on": trained["provenance"]["device"]},
            "results": results,
            "training": None,
        }
    )


def _median(repeats: Sequence[float]) -> dict[str, float]:
    """Median of repeated times, and its error where there are enough to tell."""
    error = uncertainty.standard_error_of_median(repeats)
    known = {} if math.isnan(error) else {"error": error}
    return {"value": statistics.median(repeats), **known}


def measure_conventions(
    experiment: Experiment, splits: data.Splits, images: int | None = None, seed: int = 0
) -> tuple[list[dict[str, Any]], Path]:
    """PSNR and SSIM of distorted test images under each convention, and their record's path.

    Args:
        experiment: any of the profile; no network takes part.
        images: how many test images; None takes all.
        seed: of their choice at random.
    """
    profile = experiment.profile
    chosen = conventions.available(splits)
    started = time.monotonic()
    rows = conventions.measure(
        splits, chosen, blur_scale=profile.data.blur_scale, images=images, seed=seed
    )
    seconds = time.monotonic() - started
    record = {
        "schema": store.SCHEMA,
        "kind": "conventions",
        "name": "conventions",
        "profile": profile.name,
        "config": {
            "data": profile.data.model_dump(),
            "images": images,
            "seed": seed,
            "conventions": {c.name: dataclasses.asdict(c) for c in chosen},
        },
        "provenance": train.provenance_of(
            "conventions", splits, {}, seconds, f"CPU ({torch.get_num_threads()} threads)"
        ),
        "results": [],
        "conventions": rows,
        "training": None,
    }
    return rows, store.write(record)
