"""A detector of distortions, and a network for each that it may find.

Not in the paper, where RecNet (single) and fine-tuning (single) have to be told whether an image is noisy or
blurred.  That a small network can tell is an idea of MixQualNet (see the book's page on related work), whose
mixture of classifiers weights all their answers; here the most likely one alone answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from qrlib import classifiers
from qrlib.classifiers import Classifier
from qrlib.data import Split, Splits
from qrlib.distortions import CLEAN, Distortion, distort_for_evaluation, sample
from qrlib.losses import classification_loss
from qrlib.training.batches import mix
from qrlib.training.loop import History, LoopSettings, fit
from qrlib.training.restored import parts
from qrlib.training.task import Task
from qrlib.utils import memory

#: What a detector is made of: convolutions that take images of any size, 0.3 GFLOP at 224 pixels.
ARCHITECTURE = "small_inception"


class Detector(nn.Module):
    """Images (B, 3, H, W) in [0, 1] -> logits (B, C) of how they were distorted.

    Attributes:
        cases: the C distortions that it tells apart, the first of them `qrlib.distortions.CLEAN`.
    """

    def __init__(self, choices: Mapping[str, Sequence[Distortion]], image_size: int) -> None:
        super().__init__()
        self.cases = [CLEAN, *(case for group in choices.values() for case in group)]
        self.net = classifiers.build(
            ARCHITECTURE, len(self.cases), weights=None, image_size=image_size
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(images)
        return logits

    def kinds(self, images: Tensor) -> list[str]:
        """The kind of each of (B, 3, H, W): "clean", "noise" or "blur"; found in float32 wherever it is."""
        with torch.autocast(images.device.type, enabled=False):
            return [self.cases[i].kind for i in self(images.float()).argmax(1).tolist()]

    def rows(self, images: Tensor) -> dict[str, list[int]]:
        """Kind -> the positions of the images that have it, in order."""
        rows: dict[str, list[int]] = {}
        for row, kind in enumerate(self.kinds(images)):
            rows.setdefault(kind, []).append(row)
        return rows


class Routed(nn.Module):
    """Restores each image by the network for the kind that a detector finds; clean images stay as they are.

    Images (B, 3, H, W) in [0, 1] -> the same shape and range.

    Args:
        restorers: kind of distortion -> images to images.
    """

    def __init__(self, detector: Detector, restorers: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.detector = detector
        self.restorers = nn.ModuleDict(restorers)

    def forward(self, images: Tensor) -> Tensor:
        restored = images.clone()
        for kind, rows in self.detector.rows(images).items():
            if kind in self.restorers:
                restored[rows] = self.restorers[kind](images[rows]).to(images.dtype)
        return restored


class RoutedClassifier(Classifier):
    """A classifier with other fully connected layers for each kind that a detector finds.

    Images (B, 3, H, W) in [0, 1] -> logits (B, K).  Backbone, and head for clean images, are those of
    `classifier` itself.

    Args:
        heads: kind of distortion -> features (B, F) to logits (B, K).
    """

    def __init__(
        self, detector: Detector, classifier: Classifier, heads: Mapping[str, nn.Module]
    ) -> None:
        super().__init__(*parts(classifier))
        self.detector = detector
        self.heads = nn.ModuleDict(heads)

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(images)
        logits: Tensor = self.head(features)
        for kind, rows in self.detector.rows(images).items():
            if kind in self.heads:
                logits[rows] = self.heads[kind](features[rows])
        return logits


class DetectorTask(Task):
    """Cross-entropy of the distortion; each image has one, drawn as in Algorithm 1 with clean as a third kind."""

    less_memory = "make recovery.batch_size smaller"

    def __init__(self, net: Detector, *, learning_rate: float, seed: int) -> None:
        super().__init__()
        self.net = memory.channels_last(net)
        self.cases = net.cases
        self.choices: dict[str, list[Distortion]] = {}
        for case in self.cases:
            self.choices.setdefault(case.kind, []).append(case)
        self.learning_rate = learning_rate
        self.seed = seed

    def training_step(self, batch: tuple[Tensor, Tensor, list[str]], index: int) -> Tensor:
        images, _, ids = batch
        step = mix(self.seed, "step", self.current_epoch, index, self.global_rank)
        draws = torch.Generator().manual_seed(step)
        noise = torch.Generator(self.device).manual_seed(mix(step, "noise"))
        drawn = [sample(self.choices, draws) for _ in ids]
        clean = images.float() / 255
        shown = [case(image[None], noise) for case, image in zip(drawn, clean, strict=True)]
        loss = self._step("train", torch.cat(shown), drawn)
        self.check_finite(loss, index, ids)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor, list[str]], index: int) -> None:
        images, _, ids = batch
        # By the image's id for good: the same in every epoch.
        seeds = [mix(name, "validation") for name in ids]
        drawn = [sample(self.choices, torch.Generator().manual_seed(seed)) for seed in seeds]
        clean = images.float() / 255
        shown = [
            distort_for_evaluation(image[None], [name], case)
            for case, image, name in zip(drawn, clean, ids, strict=True)
        ]
        self._step("val", torch.cat(shown), drawn)

    def _step(self, part: str, images: Tensor, cases: list[Distortion]) -> Tensor:
        logits = self.net(images.contiguous(memory_format=torch.channels_last))
        aims = torch.tensor([self.cases.index(case) for case in cases], device=logits.device)
        loss = classification_loss(logits, aims)
        found = [self.cases[i].kind for i in logits.argmax(1).tolist()]
        right = [kind == case.kind for kind, case in zip(found, cases, strict=True)]
        self.log_dict(
            {f"{part}_loss": loss, f"{part}_kind_accuracy": sum(right) / len(right)},
            on_step=False,
            on_epoch=True,
            batch_size=float(len(cases)),  # type: ignore[arg-type]  # see `recovery`
            sync_dist=self.trainer.num_devices > 1,
        )
        return loss


def fit_detector(
    detector: Detector,
    splits: Splits,
    folder: Path,
    settings: LoopSettings,
    *,
    seed: int,
    name: str,
    fingerprint: dict[str, Any],
    validation_images: int | None = None,
) -> History:
    """Train a detector; leaves it with its best weights, in eval mode, on the CPU.

    Args:
        validation_images: how many judge each epoch, spread evenly over the classes; None: all.
    """
    task = DetectorTask(detector, learning_rate=settings.learning_rate, seed=seed)
    validation = splits.validation.spread(validation_images)
    return fit(task, splits.train, validation, folder, settings, name=name, fingerprint=fingerprint)


@torch.no_grad()
def shares_found(
    detector: Detector, split: Split, cases: Sequence[Distortion], *, batch_size: int
) -> Iterator[dict[str, float]]:
    """For each case, kind -> the share of images of the split in which the detector finds it."""
    device = next(detector.parameters()).device
    for case in cases:
        kinds: list[str] = []
        for start in range(0, len(split), batch_size):
            pixels, _, ids = split[range(start, min(start + batch_size, len(split)))]
            shown = distort_for_evaluation(pixels.to(device).float() / 255, ids, case)
            kinds += detector.kinds(shown)
        yield {kind: kinds.count(kind) / len(kinds) for kind in sorted(set(kinds))}
