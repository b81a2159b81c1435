"""Measuring what an experiment trained: accuracy and image quality, times; and their records."""

from __future__ import annotations

import dataclasses
import math
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from qrlib import classifiers, data, distortions, evaluation, weights
from qrlib.experiments import conventions, latency, plan, samples, train
from qrlib.experiments.experiment import Experiment
from qrlib.records import per_image, provenance, store, uncertainty
from qrlib.training.detector import Routed, RoutedClassifier, shares_found
from qrlib.training.device import device_name
from qrlib.utils import paths


def evaluate(
    experiment: Experiment,
    splits: data.Splits,
    restorer: torch.nn.Module | None,
    judges: Mapping[str, classifiers.Classifier],
    training: dict[str, Any] | None = None,
) -> tuple[list[dict[str, Any]], list[Path]]:
    """Results of one restorer with its classifiers on the test images, and their records' paths.

    A restorer is evaluated on the distortions it was trained for, and on clean images; there is one
    record for each classifier.

    Args:
        judges: what `qrlib.experiments.train.obtain_classifiers` returns, tuned by `obtain_restorer` if
            the experiment says so.
    """
    profile = experiment.profile
    levels = distortions.levels(experiment.evaluated_on, **profile.strengths)
    cases = [case for group in levels.values() for case in group]
    networks = {role: judges[role] for role in experiment.judges}
    # In bfloat16 close calls need the image again, so that no other head can take what is kept.
    shared = profile.evaluation_precision == "32-true" and plan.shown_to_others(experiment)
    keep = None
    if not experiment.variant.classical:  # which has no weights to be told apart by
        code = ["evaluation"]
        code += ["detector"] if experiment.variant.routes else []
        code += ["heads"] if experiment.variant.averages else []
        of = [*map(plan.code_hash, code), splits.manifest_hash, torch.__version__]
        keep = paths.runs(profile.name) / "evaluations" / provenance.config_hash(of)
        # One of its own where it goes at the end: another classifier's may be at work.
        keep /= experiment.shown_by if shared else experiment.evaluation_run
    started = time.monotonic()
    precision, precision_check = profile.evaluation_precision, None
    if precision != "32-true":  # first: a refusal costs minutes, an evaluation hours
        precision_check = evaluation.check_precision(
            restorer, networks, splits.test, cases, precision=precision
        )
    measured = evaluation.evaluate(
        restorer,
        networks,
        splits.test,
        cases,
        batch_size=profile.evaluation_batch,
        precision=precision,
        name=experiment.evaluation_run.removesuffix("-" + experiment.classifier.name),
        keep=keep,
    )
    seconds = time.monotonic() - started
    for row in measured:
        known = {column: row.pop(column) for column in evaluation.KNOWN if column in row}
        row |= per_image.pack(row.pop("each"), row["metric"], **known)
    if experiment.variant.classical or isinstance(restorer, Routed):
        # Clean images that it leaves as they are have no PSNR, nor has their mean.
        measured = [row for row in measured if (row["metric"], row["level"]) != ("psnr", 0)]
    router = restorer if isinstance(restorer, Routed) else judges.get("classifier")
    if isinstance(router, (Routed, RoutedClassifier)):
        every = [distortions.CLEAN, *cases]
        batch = profile.evaluation_batch
        shares = shares_found(router.detector, splits.test, every, batch_size=batch)
        found = {(case.kind, case.level): share for case, share in zip(every, shares, strict=True)}
        for row in measured:
            if row["metric"] == "accuracy":
                row["found"] = found[row["distortion"], row["level"]]
    results, written = [], []
    for role in experiment.judges:
        by = experiment.judged_by(role)
        who = {"dataset": splits.dataset, "restorer": by.restorer, "seed": by.seed}
        who["classifier"] = by.classifier.name
        rows = [{**row, **who} for row in measured if row["classifier"] == role]
        hashes = {by.classifier.name: weights.state_hash(judges[role])}
        if restorer is not None:
            hashes[by.restorer] = weights.state_hash(restorer)
        sheet = None
        if by.role == "classifier" and by.restorer in plan.SAMPLED:
            path = paths.results(profile.name) / "samples" / f"{by.evaluation_run}.webp"
            shown = (restorer, judges[role], splits.test, splits.classes, cases, path)
            sheet = samples.write_sheet(*shown)
        record = store.new_record(
            "evaluation",
            by.evaluation_run,
            profile.name,
            by.config("evaluation"),
            train.provenance_of("evaluation", splits, hashes, seconds, device_name()),
            results=rows,
            training=training,
            samples=sheet,
            precision_check=precision_check,
        )
        results += rows
        written.append(store.write(record))
    if keep is not None and not shared:
        shutil.rmtree(keep)
    return results, written


def measure_timings(experiment: Experiment, splits: data.Splits) -> Path:
    """The times of Sections IV-B1 and IV-B2 on this machine: an epoch of training, an image to classify.

    The epoch's is the median of those in the training's record, which has to be there.  An image is timed in
    every way of `plan.timed_ways`, with networks that learned nothing.
    """
    profile = experiment.profile
    trained = store.read_record(profile.name, experiment.recovery_run)
    judge = latency.classifier(profile)
    ways = {name: latency.stages(x, judge) for name, x in plan.timed_ways(profile).items()}
    case = distortions.levels("noise", **profile.strengths)["noise"][latency.LEVEL - 1]
    images, _, ids = splits.test[range(min(20, len(splits.test)))]
    shown = distortions.distort_for_evaluation(images.float() / 255, ids, case)
    started = time.monotonic()
    milliseconds = latency.milliseconds_per_image(ways, shown)
    who = {
        "dataset": splits.dataset, "classifier": experiment.classifier.name, "seed": experiment.seed,
        "distortion": case.kind, "level": case.level, "strength": case.sigma,
    }  # fmt: skip
    per_image = {"metric": "milliseconds_per_image", "n": len(shown), **who}
    results = [
        {"restorer": name, **_median(times), **per_image} for name, times in milliseconds.items()
    ]
    epochs = [row["seconds"] for row in trained["training"]["epochs"]]
    results.append(
        {
            "restorer": experiment.restorer, "metric": "seconds_per_epoch", **who, **_median(epochs),
            "n": trained["training"]["images"]["train"],
        }
    )  # fmt: skip
    seconds = time.monotonic() - started
    record = store.new_record(
        "timing",
        experiment.timing_run,
        profile.name,
        experiment.config("evaluation"),
        train.provenance_of("timing", splits, {}, seconds, device_name())
        | {"epochs_on": trained["provenance"]["device"]},
        results=results,
    )
    return store.write(record)


def _median(repeats: Sequence[float]) -> dict[str, float]:
    """Median of repeated times, and its error where there are enough to tell."""
    error = uncertainty.standard_error_of_median(repeats)
    known = {} if math.isnan(error) else {"error": error}
    return {"value": statistics.median(repeats), **known}


def measure_conventions(
    experiment: Experiment, splits: data.Splits, images: int | None = None
) -> tuple[list[dict[str, Any]], Path]:
    """PSNR and SSIM of distorted test images under each convention, and their record's path.

    A record of some images has their number in its name, and replaces none of all.

    Args:
        experiment: any of the profile; no network takes part.
        images: how many test images; None takes all.
    """
    profile = experiment.profile
    chosen = conventions.available(splits)
    started = time.monotonic()
    rows = conventions.measure(splits, chosen, blur_scale=profile.data.blur_scale, images=images)
    seconds = time.monotonic() - started
    config = {
        "data": profile.data.model_dump(),
        "images": images,
        "seed": 0,  # of their choice at random
        "conventions": {c.name: dataclasses.asdict(c) for c in chosen},
    }
    device = f"CPU ({torch.get_num_threads()} threads)"  # the GPU takes no part
    origin = train.provenance_of("conventions", splits, {}, seconds, device)
    name = "conventions" if images is None else f"conventions-{images}-images"
    record = store.new_record("conventions", name, profile.name, config, origin, conventions=rows)
    return rows, store.write(record)
