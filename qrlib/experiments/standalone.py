"""Runs that hold several ways to recognise an image against each other, on the same images.

Unseen corruptions: what restorers do to images that they never learned from.  Attacks: whether they undo
adversarial images.  Adaptation: a classifier that estimates its batch statistics anew, in place of a restorer
and behind one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from qrlib import attacks, corruptions, data, distortions, evaluation, weights
from qrlib.experiments import standalone_plan, train
from qrlib.experiments.settings import Profile
from qrlib.experiments.variants import Part
from qrlib.inference.adaptation import adapt
from qrlib.records import per_image, store
from qrlib.training.device import device_name
from qrlib.utils.errors import QrlibError

#: From how many images at once batch statistics are estimated.
BATCHES = (1, 8, 32, 256)
#: Clean training images whose statistics those of distorted ones are brought to.
CLEAN_IMAGES = 512


@dataclass(frozen=True)
class MixedStream(distortions.Distortion):
    """A third of the images stays clean, a third gets noise, a third is blurred, all at one level.

    What an image gets, and its noise, depends on its content and the level alone.

    Attributes:
        kind: "mixed".
        sigma: of the noise.
        blur_sigma: of the blur, in pixels.
    """

    blur_sigma: float

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Distort (B, 3, H, W) images in [0, 1]; `generator` has no effect."""
        return torch.cat([self._distort(image) for image in images.split(1)])

    def _distort(self, image: Tensor) -> Tensor:
        content = (image * 255).round().byte().cpu().numpy().tobytes()
        digest = hashlib.sha256(f"mixed|{self.level}|".encode() + content).digest()
        if digest[0] % 3 == 0:
            return image
        if digest[0] % 3 == 1:
            return distortions.blur(image, self.blur_sigma)
        noise = torch.Generator().manual_seed(int.from_bytes(digest[1:8], "big"))
        return distortions.add_noise(image, self.sigma, noise)


class _Restored(nn.Module):
    """A restorer before a classifier; it computes in float32, whatever the classifier does."""

    def __init__(self, restorer: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.restorer, self.classifier = restorer, classifier

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            restored = self.restorer(images)
        logits: Tensor = self.classifier(restored)
        return logits


class _InBatches(nn.Module):
    """A network that is given so many images at once, whatever comes."""

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        self.network, self.count = network, count

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self.network(part) for part in images.split(self.count)])


def choose_images(profile: Profile, test: data.Split) -> data.Split:
    """The profile's `standalone_images` of the test images, each class with its share of them.

    Raises:
        QrlibError: there are not so many.
    """
    count = profile.standalone_images
    if count is not None and count > len(test):
        raise QrlibError(
            f"standalone_images is {count}, but there are {len(test)} test images: take fewer, or leave the "
            "setting out for all"
        )
    return test.spread(count)


def evaluate_corruptions(profile: Profile) -> Path:
    """Accuracy without a restorer and behind RecNet and QRNet on every corruption; the record's path.

    An image is corrupted once, for all of them.  Networks that are missing are trained first.

    Raises:
        QrlibError: as `choose_images`, and as `qrlib.evaluation.evaluate`.
    """
    run = _Run(profile, "corruptions")
    cases = [
        corruptions.corruption(kind, severity)
        for kind in corruptions.CORRUPTIONS
        for severity in corruptions.SEVERITIES
    ]
    check = run.check(cases)
    return run.write(run.evaluate(None, run.networks, cases), check)


def evaluate_attacks(profile: Profile) -> Path:
    """Accuracy without a restorer and behind RecNet and QRNet on adversarial images; the record's path.

    An attacker who knows the classifier alone makes the same images for all; an informed one knows the
    restorer too.  Networks that are missing are trained first.

    Raises:
        QrlibError: as `choose_images`, and as `qrlib.evaluation.evaluate`.
    """
    run = _Run(profile, "attacks")
    precision = profile.evaluation_precision
    cases = [
        attacks.attack(kind, epsilon, run.classifier, precision)
        for kind in ("fgsm", "pgd")
        for epsilon in attacks.EPSILONS
    ]
    check = run.check(cases)
    rows = run.evaluate(None, run.networks, cases)
    for name, restorer in run.restorers.items():
        if restorer is None:  # there is none to know: the images are those of PGD
            same = [row for row in rows if (row["restorer"], row["distortion"]) == (name, "pgd")]
            rows += [{**row, "distortion": "informed_pgd"} for row in same]
            continue
        # The attacker's restorer computes as its classifier does; the defender's in float32.
        whole = nn.Sequential(restorer, run.classifier)
        informed = [
            attacks.attack("informed_pgd", epsilon, whole, precision)
            for epsilon in attacks.EPSILONS
        ]
        attacked = run.evaluate(None, {name: run.networks[name]}, informed)
        rows += [row for row in attacked if row["distortion"] != "clean"]
    return run.write(rows, check)


def evaluate_adaptation(profile: Profile) -> Path:
    """Accuracy with batch statistics estimated anew from 1, 8, 32 and 256 images; the record's path.

    Of images that QRNet restored and of images as they are, at each level of each distortion, and of a
    `MixedStream`.  All computes in float32, for an answer depends on the other images of its batch.
    Networks that are missing are trained first.

    Raises:
        QrlibError: the classifier has no batch normalisation; as `choose_images`, and as
            `qrlib.evaluation.evaluate`.
    """
    run = _Run(profile, "adaptation")
    run.images = run.images.shuffled(0)  # a batch of one class would have its statistics
    adapted = adapt(run.classifier, clean_batches(run.splits, profile.evaluation_batch))
    levels = distortions.levels("multiple", blur_scale=profile.data.blur_scale)
    cases = [case for group in levels.values() for case in group]
    for noise, blur in zip(*levels.values(), strict=True):
        cases.append(MixedStream("mixed", noise.level, noise.sigma, blur.sigma))
    batch, most = profile.evaluation_batch, min(max(BATCHES), len(run.images))
    rows = []
    for name, restorer in run.restorers.items():
        networks = {name: _InBatches(run.classifier, batch)}
        for count in sorted({min(count, most) for count in BATCHES}):
            networks[standalone_plan.adapted(name, count)] = _InBatches(adapted, count)
        before = None if restorer is None else _InBatches(restorer, batch)
        rows += run.evaluate(before, networks, cases, most, "32-true")
    return run.write(rows, None)


def clean_batches(splits: data.Splits, batch_size: int) -> Iterator[Tensor]:
    """The training images by which a classifier is adapted: `CLEAN_IMAGES`, each class with its share."""
    images = splits.train.spread(CLEAN_IMAGES).shuffled(0)
    for start in range(0, len(images), batch_size):
        yield images[range(start, min(start + batch_size, len(images)))][0].float() / 255


class _Run:
    """One of `variants.STANDALONE`: its images, its classifier, its restorers by name, and its record."""

    def __init__(self, profile: Profile, part: Part) -> None:
        self.part = part
        none, *restored = self.experiments = standalone_plan.experiments(profile, part)
        self.splits = train.load_data(none)
        self.images = choose_images(profile, self.splits.test)
        self.classifier = train.obtain_classifier(none, self.splits)[0]
        self.restorers: dict[str, nn.Module | None] = {none.restorer: None}
        self.hashes = {none.classifier.name: weights.state_hash(self.classifier)}
        for x in restored:
            # It may have learned from the same classifier, which need not be loaded twice.
            judges = {"classifier": self.classifier} if x.role == "classifier" else None
            restorer = train.obtain_restorer(x, self.splits, judges)[0]
            assert restorer is not None
            self.restorers[x.restorer] = restorer
            self.hashes[x.restorer] = weights.state_hash(restorer)
        self.networks = {
            name: self.classifier if restorer is None else _Restored(restorer, self.classifier)
            for name, restorer in self.restorers.items()
        }
        self.started = time.monotonic()

    def evaluate(
        self,
        restorer: nn.Module | None,
        networks: Mapping[str, nn.Module],
        cases: Sequence[distortions.Distortion],
        batch_size: int | None = None,
        precision: str | None = None,
    ) -> list[dict[str, Any]]:
        """The accuracies, as the record's results; `networks` go by the restorer's name in records.

        What is None is the profile's.
        """
        profile = self.experiments[0].profile
        seeds = {x.restorer: x.seed for x in self.experiments}
        rows = []
        for row in evaluation.evaluate(
            restorer,
            networks,
            self.images,
            cases,
            batch_size=batch_size or profile.evaluation_batch,
            precision=precision or profile.evaluation_precision,
            name=self.part,
        ):
            if row["metric"] == "accuracy":
                known = {column: row.pop(column) for column in evaluation.KNOWN if column in row}
                kept = per_image.pack(row.pop("each"), "accuracy", confidence=known["confidence"])
                way = row["classifier"]
                who = {"dataset": self.splits.dataset, "restorer": way}
                who |= {
                    "classifier": self.classifier.name,
                    "seed": seeds[standalone_plan.way(way)[0]],
                }
                rows.append({**row, **kept, **who})
        return rows

    def check(self, cases: Sequence[distortions.Distortion]) -> dict[str, Any] | None:
        """The profile's precision held against float32; None where it is float32."""
        precision = self.experiments[0].profile.evaluation_precision
        if precision == "32-true":
            return None
        return evaluation.check_precision(
            None, self.networks, self.images, cases, precision=precision
        )

    def write(self, rows: list[dict[str, Any]], check: dict[str, Any] | None) -> Path:
        profile = self.experiments[0].profile
        seconds = time.monotonic() - self.started
        record = store.new_record(
            self.part,
            self.part,
            profile.name,
            self.experiments[-1].config(self.part),
            train.provenance_of(self.part, self.splits, self.hashes, seconds, device_name()),
            results=rows,
            precision_check=check,
        )
        return store.write(record)


RUNS = {
    "corruptions": evaluate_corruptions,
    "attacks": evaluate_attacks,
    "adaptation": evaluate_adaptation,
}
