"""This project's own training: `qrlib.training.loop.fit` with a `RecoveryTask`, as its runs do it."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.contest import Ready
from benchmarks.contestants.stopwatch import Epochs, Stopwatch
from benchmarks.contestants.torch_device import device_of, waiting
from benchmarks.corpus import Part, open_corpus
from benchmarks.settings import Settings
from qrlib import classifiers, distortions
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.training.device import resolve_precision
from qrlib.training.loop import LoopSettings, Task, fit
from qrlib.training.recovery import RecoveryTask
from qrlib.training.sampling import Sampling
from qrlib.utils import memory

#: Weight of the classification loss (Section IV-A).
LAMBDA = 0.01
#: More epochs than anyone waits for.
FOREVER = 10**6


class _Watched(RecoveryTask):
    """The task as it is; its hooks tell when an epoch begins and a step is over."""

    epochs: Epochs

    def on_train_epoch_start(self) -> None:
        self.epochs.wait()
        super().on_train_epoch_start()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        super().on_train_batch_end(outputs, batch, batch_idx)
        self.epochs.step()


def _task(
    kind: type[RecoveryTask],
    settings: Settings,
    nets: dict[str, Any],
    *,
    distort: bool,
    seed: int,
    share: float = 1.0,
):
    torch.manual_seed(seed)
    return kind(
        QRNet(),
        RecoveryLoss({name: LAMBDA for name in nets}),
        nets,
        distortions.levels("multiple", blur_scale=settings.size / 224) if distort else {},
        learning_rate=1e-3,
        seed=seed,
        sampling=Sampling(share, settings.size // 2 if share < 1 else None),
    )


def _classifiers(settings: Settings, classes: int, count: int) -> dict[str, classifiers.Classifier]:
    torch.manual_seed(0)
    return {
        f"{settings.classifier}-{i}": classifiers.build(
            settings.classifier, classes, weights=None, image_size=settings.size
        )
        for i in range(count)
    }


def _fit(task: Task, train: Part, validation: Part, settings: Settings, epochs: int) -> None:
    memory.keep_freed_memory()  # as `qrlib.experiments.train.load_data` does for a run
    with tempfile.TemporaryDirectory() as folder:
        loop = LoopSettings(epochs=epochs, patience=epochs, batch_size=settings.batch)
        fit(
            task, train.packed, validation.packed, Path(folder) / "run", loop,
            name="benchmark", fingerprint={},
        )  # fmt: skip


def epoch(
    settings: Settings,
    *,
    count: int = 1,
    distort: bool = True,
    share: float = 1.0,
    **changes: Any,
) -> Ready:
    """Epochs of Algorithm 1 by `fit`: its own data supply, precision, optimiser, metrics, checkpoints.

    Args:
        count: of classifiers.
        distort: False leaves the distortion out: batches that are ready, see `update`.
        share: how much of a batch the classifier sees; of the rest a tile of half the side is restored.
        changes: of the settings.
    """
    settings = dataclasses.replace(settings, **changes)
    device = device_of(settings)
    corpus = open_corpus(settings)
    nets = _classifiers(settings, corpus.classes, count)
    task = _task(_Watched, settings, nets, distort=distort, seed=0, share=share)
    stopwatch = Stopwatch(waiting(device).synchronise)
    task.epochs = Epochs(stopwatch, len(corpus.train) // settings.batch)

    def train() -> None:
        _fit(task, corpus.train, corpus.validation, settings, FOREVER)

    task.epochs.start(train)
    return Ready(
        task.epochs.run,
        True,
        work={"images": len(corpus.train), "validation": len(corpus.validation)},
        note=resolve_precision(LoopSettings().precision),
        device=waiting(device),
    )


def update(settings: Settings) -> Ready:
    """Steps on ready batches of as many images as a step has with the distorted ones."""
    ready = epoch(settings, distort=False, batch=2 * settings.batch)
    return dataclasses.replace(ready, run=lambda: {"step": ready.run()["step"]})


def seeds(settings: Settings, *, count: int, **changes: Any) -> Ready:
    """One epoch of each of several seeds, which share the images and the classifier."""
    settings = dataclasses.replace(settings, **changes)
    device = device_of(settings)
    corpus = open_corpus(settings)
    nets = _classifiers(settings, corpus.classes, 1)

    def run() -> None:
        for seed in range(count):
            task = _task(RecoveryTask, settings, nets, distort=True, seed=seed)
            _fit(task, corpus.train, corpus.validation, settings, 1)

    return Ready(run, work={"images": count * len(corpus.train)}, device=waiting(device))
