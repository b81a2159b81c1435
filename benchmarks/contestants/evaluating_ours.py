"""This project's evaluation: one restorer and classifier, several levels of distortion, all metrics."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from benchmarks.contest import Ready
from benchmarks.contestants.torch_device import device_of, waiting
from benchmarks.corpus import open_corpus
from benchmarks.settings import Settings
from qrlib import classifiers, distortions, evaluation
from qrlib.models import QRNet
from qrlib.utils import memory


def levels(settings: Settings, *, count: int, **changes: Any) -> Ready:
    """The validation images, clean, and at `count` levels of noise and as many of blur."""
    memory.keep_freed_memory()  # as `qrlib.experiments.train.load_data` does for a run
    settings = dataclasses.replace(settings, **changes)
    device = device_of(settings)
    corpus = open_corpus(settings)
    torch.manual_seed(0)
    judge = classifiers.build(
        settings.classifier, corpus.classes, weights=None, image_size=settings.size
    )
    kinds = distortions.levels("multiple", blur_scale=settings.size / 224).values()
    cases = [case for kind in kinds for case in kind[:count]]
    net = QRNet()

    def run() -> None:
        evaluation.evaluate(
            net, {"classifier": judge}, corpus.validation.packed, cases, batch_size=settings.batch
        )

    return Ready(run, work={"images": len(corpus.validation)}, device=waiting(device))
