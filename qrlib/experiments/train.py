"""Doing what an experiment says: data, training, records.  The notebooks call these.

Each function first makes what it needs and what is missing (data, classifier, pretrained network), so
each notebook also runs by itself.  What is there already is used.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import nn

from qrlib import classifiers, data, distortions, weights
from qrlib.experiments import plan, shipped
from qrlib.experiments.experiment import Experiment
from qrlib.losses import RecoveryLoss
from qrlib.models import LearnedPower, QRNet
from qrlib.records import behaviour, provenance, store
from qrlib.training.classifier import fit_classifier
from qrlib.training.detector import Detector, Routed, RoutedClassifier, fit_detector
from qrlib.training.loop import History, LoopSettings
from qrlib.training.recovery import RecoveryTask, learning_part, train_recovery
from qrlib.training.restored import Averaged, BehindRestorer
from qrlib.training.sampling import Sampling
from qrlib.utils import memory, paths
from qrlib.utils.errors import QrlibError


def choices(experiment: Experiment) -> dict[str, list[distortions.Distortion]]:
    """D and P_d of Algorithm 1 for this experiment; empty where it trains on clean images."""
    if experiment.distortions == "clean":
        return {}
    return distortions.levels(experiment.distortions, **experiment.profile.strengths)


def load_data(experiment: Experiment) -> data.Splits:
    """The profile's images; their manifest is kept beside the records.

    What computes begins here, so that this also tells the process to keep memory that it frees.
    """
    memory.keep_freed_memory()
    paths.name_user()
    splits = data.load(**experiment.profile.data.model_dump())
    splits.write_manifest(paths.results(experiment.profile.name))
    return splits


def build_classifier(experiment: Experiment, splits: data.Splits) -> classifiers.Classifier:
    """The classifier that judges, with a new head."""
    settings = experiment.classifier
    return classifiers.build(
        settings.name,
        len(splits.classes),
        weights=settings.weights,
        image_size=experiment.profile.data.image_size,
        head_width=settings.head_width,
        input_size=settings.input_size,
        preprocessing=settings.preprocessing,
    ).set_trainable(settings.trainable)


def obtain_classifier(
    experiment: Experiment, splits: data.Splits
) -> tuple[classifiers.Classifier, History, Path]:
    """The classifier that judges, trained on clean images or loaded, its history, its record's path."""
    settings = experiment.classifier
    torch.manual_seed(settings.seed)
    classifier = build_classifier(experiment, splits)
    name = experiment.classifier_run
    config = experiment.config("classifier")
    history = fit_classifier(
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


def obtain_classifiers(
    experiment: Experiment, splits: data.Splits, *, judges: bool = True
) -> dict[str, classifiers.Classifier]:
    """The classifiers that an experiment learns from or is judged by, by role.

    Args:
        judges: False leaves out those that it is only judged by: a network that is only used needs none.
    """
    roles = dict.fromkeys((*experiment.variant.losses, *(experiment.judges if judges else ())))
    return {role: obtain_classifier(experiment.judged_by(role), splits)[0] for role in roles}


def obtain_restorer(
    experiment: Experiment,
    splits: data.Splits,
    judges: dict[str, classifiers.Classifier] | None = None,
) -> tuple[nn.Module | None, History, Path]:
    """The experiment's network, trained or loaded, its history, and its record's path.

    Args:
        judges: what `obtain_classifiers` returns; None: those that it learns from, and no others.  Where
            the classifier's fully connected layers learn too, they are left tuned in it; where a detector
            chooses them, or two answers are averaged, its classifier takes the other's place.

    Returns:
        None instead of a network if only the classifier learned, or a detector, or if two answers are
        averaged.  Where nothing learns, history and record are those of the run whose head judges, of the
        detector, or of the network of one of the two answers.
    """
    settings, variant = experiment.recovery, experiment.variant
    if not (variant.learns or variant.composed):
        raise QrlibError(
            f"variant {experiment.variant_name!r} has no network to train; choose another"
        )
    if experiment.detects:
        _, history, record = obtain_detector(experiment, splits)
        return None, history, record
    if experiment.detector is not None:
        detector, history, record = obtain_detector(experiment.detector, splits)
        routes = experiment.routes
        if variant.losses:  # of the classifiers whose heads are chosen
            judges = judges or obtain_classifiers(experiment, splits, judges=False)
            heads = {kind: _tuned_head(x, splits) for kind, x in routes.items()}
            judges["classifier"] = RoutedClassifier(detector, judges["classifier"], heads)
            return None, history, record
        networks = {x.recovery_run: _trained(x, splits) for x in routes.values()}
        restorers = {kind: networks[x.recovery_run] for kind, x in routes.items()}
        return Routed(detector, restorers), history, record
    if variant.averages:
        assert experiment.start is not None
        restorer, history, record = obtain_restorer(experiment.start, splits)
        assert restorer is not None
        judges = judges or obtain_classifiers(experiment, splits, judges=False)
        judges["classifier"] = Averaged(restorer, judges["classifier"])
        return None, history, record
    if paths.shipped() and shipped.is_shipped(experiment):
        return shipped.load(experiment)
    torch.manual_seed(experiment.seed)
    restorer, parts = None, {}
    if experiment.start is not None:
        # It may have learned from the same classifier, which need not be loaded twice.
        restorer = _trained(experiment.start, splits, judges if variant.frozen_start else None)
        parts["start"] = weights.state_hash(restorer)
    elif "restorer" in variant.learns:
        restorer = QRNet(variant.convs_per_block, dropout=settings.dropout)
    judges = judges or obtain_classifiers(experiment, splits, judges=False)
    if experiment.head is not None:
        return restorer, *obtain_restorer(experiment.head, splits, judges)[1:]
    used = {judges[role].name: judges[role] for role in variant.losses}
    parts |= {name: weights.state_hash(classifier) for name, classifier in used.items()}
    head = judges["classifier"].head if "head" in variant.learns else None
    if head is not None and variant.powers:
        first = next(layer for layer in head.modules() if isinstance(layer, nn.Linear))
        head = judges["classifier"].head = nn.Sequential(LearnedPower(first.in_features), head)
    name = experiment.recovery_run
    config = experiment.config("recovery")
    epochs = settings.pretrain_epochs if experiment.distortions == "clean" else settings.epochs
    tuning: dict[str, Any] = {}
    if head is not None:
        tuning["tuned"] = experiment.classifier.name
        tuning["tuning_rate"] = experiment.classifier.learning_rate
    learning = restorer
    if restorer is not None and variant.frozen_start:
        learning, used = None, {key: BehindRestorer(restorer, c) for key, c in used.items()}
    task = RecoveryTask(
        learning,
        loss(experiment),
        used,
        choices(experiment),
        learning_rate=settings.learning_rate,
        seed=experiment.seed,
        sampling=Sampling(settings.classifier_share, settings.crop),
        micro_batches=settings.micro_batches,
        aims=variant.aims,
        keep_features=settings.keep_features,
        **tuning,
    )
    history = train_recovery(
        task,
        splits,
        paths.runs(experiment.profile.name) / name,
        dataclasses.replace(_loop(experiment, settings, epochs), schedule=settings.schedule),
        name=name,
        fingerprint=_fingerprint(experiment.code, config, splits, parts),
        validation_images=settings.validation_images,
    )
    record = _record(
        experiment, "recovery", name, config, splits, learning_part(learning, head), history,
        {"variant": experiment.variant_name, "meaning": variant.meaning},
    )  # fmt: skip
    if experiment.profile.ship_weights and restorer is not None and shipped.is_shipped(experiment):
        shipped.write(experiment, restorer)
    return restorer, history, record


def _trained(
    experiment: Experiment,
    splits: data.Splits,
    judges: dict[str, classifiers.Classifier] | None = None,
) -> QRNet:
    """The network of an experiment that trains one."""
    network = obtain_restorer(experiment, splits, judges)[0]
    assert isinstance(network, QRNet)
    return network


def _tuned_head(experiment: Experiment, splits: data.Splits) -> nn.Module:
    """The fully connected layers that an experiment tunes."""
    judges = obtain_classifiers(experiment, splits, judges=False)
    obtain_restorer(experiment, splits, judges)
    return judges["classifier"].head


def obtain_detector(experiment: Experiment, splits: data.Splits) -> tuple[Detector, History, Path]:
    """The experiment's detector of distortions, trained or loaded, its history, its record's path."""
    settings = experiment.recovery
    torch.manual_seed(experiment.seed)
    detector = Detector(choices(experiment), experiment.profile.data.image_size)
    name, config = experiment.recovery_run, experiment.config("recovery")
    history = fit_detector(
        detector,
        splits,
        paths.runs(experiment.profile.name) / name,
        dataclasses.replace(
            _loop(experiment, settings, settings.epochs), schedule=settings.schedule
        ),
        seed=experiment.seed,
        name=name,
        fingerprint=_fingerprint(experiment.code, config, splits, {}),
        validation_images=settings.validation_images,
    )
    record = _record(
        experiment, "recovery", name, config, splits, detector, history,
        {"variant": experiment.variant_name, "meaning": experiment.variant.meaning},
    )  # fmt: skip
    return detector, history, record


def loss(experiment: Experiment) -> RecoveryLoss:
    """Equation 4 or 5; without a restorer only the cross-entropy."""
    if "restorer" not in experiment.variant.learns:
        return RecoveryLoss({experiment.classifier.name: 1.0}, quality_weight=0.0)
    names = [experiment.judged_by(role).classifier.name for role in experiment.variant.losses]
    return RecoveryLoss(
        dict.fromkeys(names, experiment.recovery.classification_weight),
        quality_weight=experiment.variant.quality_weight,
    )


def _fingerprint(
    code: str, config: dict[str, Any], splits: data.Splits, parts: dict[str, str]
) -> dict[str, Any]:
    return {
        "config": config,
        "code": plan.code_hash(code),
        "manifest": splits.manifest_hash,
        **parts,
    }


def provenance_of(
    kind: str, splits: data.Splits, hashes: dict[str, str], seconds: float, device: str
) -> dict[str, Any]:
    """Where a record comes from: code, machine, data and weights."""
    return {
        **provenance.describe(device),
        "code": plan.code_hash(kind),
        "behaviour": behaviour.VERSIONS[kind],
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
    net: nn.Module,
    history: History,
    extra: dict[str, Any],
) -> Path:
    target = store.path(experiment.profile.name, name)
    hashes = {name: weights.state_hash(net)}
    if target.exists():
        there = store.read_record(experiment.profile.name, name)
        same = there["provenance"]["weights"] == hashes and there["config"] == config
        if same and _is_of(there["training"]["epochs"], history.rows):
            return target  # the run that trained these weights wrote it
    training = {
        **extra,
        "epochs": history.rows,
        "best_epoch": history.best_epoch,
        "precision": history.precision,
        "resumed": history.resumed,
        "parameters": sum(p.numel() for p in net.parameters()),
        "images": {p: len(getattr(splits, p)) for p in ("train", "validation", "test")},
    }
    origin = provenance_of(kind, splits, hashes, history.seconds, history.device)
    if kind == "recovery":
        origin["code"] = plan.code_hash(experiment.code)
    return store.write(
        store.new_record(kind, name, experiment.profile.name, config, origin, training=training)
    )


def _is_of(rows: list[dict[str, Any]], history: list[dict[str, Any]]) -> bool:
    """Whether a record's epochs say nothing else than the run's own history."""
    return len(rows) == len(history) and all(
        row.get(key, value) == value
        for row, epoch in zip(rows, history, strict=True)
        for key, value in epoch.items()
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
