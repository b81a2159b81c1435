"""Doing what an experiment says: data, training, evaluation, records.  The notebooks call these.

Each function makes what is missing before it (data, classifier, pretrained network), so that each
notebook also runs alone, and uses what is there already.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import torch

from qrlib import (
    classifiers,
    conventions,
    data,
    distortions,
    evaluation,
    experiments,
    paths,
    provenance,
    store,
    weights,
)
from qrlib.errors import QrlibError
from qrlib.experiments import Experiment
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.training.classifier import train_classifier as _train_classifier
from qrlib.training.loop import History, LoopSettings, device_name
from qrlib.training.recovery import pretrain_recovery, train_recovery


def choices(experiment: Experiment) -> dict[str, list[distortions.Distortion]]:
    """D and P_d of Algorithm 1 for this experiment; empty where it trains on clean images."""
    if experiment.distortions == "clean":
        return {}
    return distortions.levels(experiment.distortions, blur_scale=experiment.profile.data.blur_scale)


def load_data(experiment: Experiment) -> data.Splits:
    """The profile's images; their manifest is kept beside the records."""
    splits = data.load(**dataclasses.asdict(experiment.profile.data))
    splits.write_manifest(paths.results(experiment.profile.name))
    return splits


def train_classifier(
    experiment: Experiment, splits: data.Splits
) -> tuple[classifiers.Classifier, History, Path]:
    """The classifier, trained on clean images or loaded, its history, and its record's path."""
    settings = experiment.profile.classifier
    torch.manual_seed(settings.seed)
    classifier = classifiers.build(
        settings.name,
        len(splits.classes),
        weights=settings.weights,
        image_size=experiment.profile.data.image_size,
        head_width=settings.head_width,
    ).set_trainable(settings.trainable)
    name = experiment.classifier_run
    config = experiment.config("classifier")
    history = _train_classifier(
        classifier,
        splits,
        paths.runs(experiment.profile.name) / name,
        _loop(experiment, settings, settings.epochs),
        seed=settings.seed,
        name=name,
        fingerprint=_fingerprint("classifier", config, splits, {"backbone": classifier.source}),
    )
    record = _record(
        experiment, "classifier", name, config, splits, classifier, history,
        {"weights": classifier.source, "trainable": settings.trainable},
    )  # fmt: skip
    return classifier.set_trainable("frozen"), history, record


def train_restorer(
    experiment: Experiment, splits: data.Splits, classifier: classifiers.Classifier | None = None
) -> tuple[QRNet, History, Path]:
    """The experiment's network, trained or loaded, its history, and its record's path.

    Variants other than "pretrained" start from the pretrained network of the same seed.
    """
    profile, settings = experiment.profile, experiment.profile.recovery
    if experiment.variant == "none":
        raise QrlibError("variant 'none' has no network to train; choose another")
    torch.manual_seed(experiment.seed)
    net = QRNet(dropout=settings.dropout)
    name = experiment.recovery_run
    folder = paths.runs(profile.name) / name
    config = experiment.config("recovery")
    if experiment.variant == "pretrained":
        history = pretrain_recovery(
            net,
            splits,
            folder,
            _loop(experiment, settings, settings.pretrain_epochs),
            seed=experiment.seed,
            name=name,
            fingerprint=_fingerprint("recovery", config, splits, {}),
        )
    else:
        start = dataclasses.replace(experiment, variant="pretrained", distortions="clean")
        net = train_restorer(start, splits)[0]
        used: dict[str, classifiers.Classifier] = {}
        if experiments.VARIANTS[experiment.variant].uses_classifier:
            used = {profile.classifier.name: classifier or train_classifier(experiment, splits)[0]}
        history = train_recovery(
            net,
            splits,
            folder,
            _loop(experiment, settings, settings.epochs),
            loss=RecoveryLoss({n: settings.classification_weight for n in used}),
            classifiers=used,
            choices=choices(experiment),
            seed=experiment.seed,
            name=name,
            fingerprint=_fingerprint(
                "recovery",
                config,
                splits,
                {
                    "start": weights.state_hash(net),
                    **{n: weights.state_hash(c) for n, c in used.items()},
                },
            ),
        )
    record = _record(
        experiment, "recovery", name, config, splits, net, history,
        {"variant": experiment.variant, "meaning": experiments.VARIANTS[experiment.variant].meaning},
    )  # fmt: skip
    if profile.ship_weights and experiment.variant == "qrnet":
        ship_weights(experiment, net)
    return net, history, record


def evaluate(
    experiment: Experiment,
    splits: data.Splits,
    restorer: QRNet | None,
    classifier: classifiers.Classifier,
) -> tuple[list[dict[str, Any]], Path]:
    """Results of one restorer with one classifier on the test images, and their record's path.

    A restorer is evaluated on the distortions it was trained for, and on clean images.
    """
    profile = experiment.profile
    kinds = experiment.distortions if restorer is not None else "multiple"
    cases = distortions.levels(
        "multiple" if kinds == "clean" else kinds, blur_scale=profile.data.blur_scale
    )
    started = time.monotonic()
    rows = evaluation.evaluate(
        restorer,
        classifier,
        splits.test,
        [case for levels in cases.values() for case in levels],
        batch_size=profile.evaluation_batch,
        name=experiment.evaluation_run,
    )
    who = {
        "dataset": splits.dataset,
        "restorer": experiment.restorer,
        "classifier": classifier.name,
        "seed": experiment.seed,
    }
    results = [{**who, **row} for row in rows]
    hashes = {classifier.name: weights.state_hash(classifier)}
    if restorer is not None:
        hashes[experiment.restorer] = weights.state_hash(restorer)
    record = {
        "schema": store.SCHEMA,
        "kind": "evaluation",
        "name": experiment.evaluation_run,
        "profile": profile.name,
        "config": experiment.config("evaluation"),
        "provenance": _provenance(
            "evaluation", splits, hashes, time.monotonic() - started, device_name()
        ),
        "results": results,
        "training": None,
    }
    return results, store.write(record)


def measure_conventions(
    experiment: Experiment, splits: data.Splits, images: int | None = None, seed: int = 0
) -> tuple[list[dict[str, Any]], Path]:
    """PSNR and SSIM of distorted test images under each convention, and their record's path.

    Args:
        experiment: any of the profile; no network takes part.
        images, seed: how many test images, chosen at random; None takes all.
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
            "data": dataclasses.asdict(profile.data),
            "images": images,
            "seed": seed,
            "conventions": {c.name: dataclasses.asdict(c) for c in chosen},
        },
        "provenance": _provenance(
            "conventions", splits, {}, seconds, f"CPU ({torch.get_num_threads()} threads)"
        ),
        "results": [],
        "conventions": rows,
        "training": None,
    }
    return rows, store.write(record)


def ship_weights(experiment: Experiment, net: QRNet) -> Path:
    """Copy a restorer's weights to where `qrlib.load_qrnet` looks for them."""
    folder = paths.results(experiment.profile.name) / "weights"
    variant = experiment.variant if experiment.distortions == "multiple" else experiment.restorer
    path = folder / f"{variant}-seed{experiment.seed}.safetensors"
    weights.write(
        net.state_dict(),
        path,
        {"profile": experiment.profile.name, "record": experiment.recovery_run},
    )
    return path


def _fingerprint(
    kind: str, config: dict[str, Any], splits: data.Splits, parts: dict[str, str]
) -> dict[str, Any]:
    return {
        "config": config,
        "code": experiments.code(kind),
        "manifest": splits.manifest_hash,
        **parts,
    }


def _provenance(
    kind: str, splits: data.Splits, hashes: dict[str, str], seconds: float, device: str
) -> dict[str, Any]:
    return {
        **provenance.describe(device),
        "code": experiments.code(kind),
        "seconds": round(seconds, 2),
        "peak_memory_mb": provenance.peak_memory_mb(),
        "manifest": splits.manifest_hash,
        "weights": hashes,
    }


def _record(
    experiment: Experiment,
    kind: str,
    name: str,
    config: dict[str, Any],
    splits: data.Splits,
    net: torch.nn.Module,
    history: History,
    extra: dict[str, Any],
) -> Path:
    target = store.path(experiment.profile.name, name)
    hashes = {name: weights.state_hash(net)}
    if target.exists():
        there = store.read_record(experiment.profile.name, name)
        if there["provenance"]["weights"] == hashes and there["config"] == config:
            return target  # the run that trained these weights wrote it
    return store.write(
        {
            "schema": store.SCHEMA,
            "kind": kind,
            "name": name,
            "profile": experiment.profile.name,
            "config": config,
            "provenance": _provenance(kind, splits, hashes, history.seconds, history.device),
            "results": [],
            "training": {
                **extra,
                "epochs": history.rows,
                "best_epoch": history.best_epoch,
                "precision": history.precision,
                "resumed": history.resumed,
                "parameters": sum(p.numel() for p in net.parameters()),
                "images": {p: len(getattr(splits, p)) for p in ("train", "validation", "test")},
            },
        }
    )


def _loop(experiment: Experiment, settings: Any, epochs: int) -> LoopSettings:
    return LoopSettings(
        epochs=epochs,
        patience=settings.patience,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        precision=experiment.profile.precision,
        devices=experiment.profile.devices,
    )
