"""What restorers do to images that they never learned from: clean ones, and `qrlib.corruptions`."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor, nn

from qrlib import corruptions, data, evaluation, weights
from qrlib.experiments import plan, train
from qrlib.experiments.profiles import Profile
from qrlib.records import per_image, store
from qrlib.training.device import device_name
from qrlib.utils.errors import QrlibError


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


def choose_images(profile: Profile, test: data.Split) -> data.Split:
    """The profile's `corruption_images` of the test images, each class with its share of them.

    Raises:
        QrlibError: there are not so many.
    """
    count = profile.corruption_images
    if count is not None and count > len(test):
        raise QrlibError(
            f"corruption_images is {count}, but there are {len(test)} test images: take fewer, or leave the "
            "setting out for all"
        )
    return test.spread(count)


def evaluate_corruptions(profile: Profile) -> Path:
    """Accuracy without a restorer and behind RecNet and QRNet on every corruption; the record's path.

    An image is corrupted once, for all of them.  Networks that are missing are trained first.

    Raises:
        QrlibError: as `choose_images`, and as `qrlib.evaluation.evaluate`.
    """
    none, *restored = plan.corrupted(profile)
    splits = train.load_data(none)
    images = choose_images(profile, splits.test)
    classifier = train.obtain_classifier(none, splits)[0]
    networks: dict[str, nn.Module] = {none.restorer: classifier}
    hashes = {none.classifier.name: weights.state_hash(classifier)}
    for x in restored:
        restorer = train.obtain_restorer(x, splits, {"classifier": classifier})[0]
        assert restorer is not None
        networks[x.restorer] = _Restored(restorer, classifier)
        hashes[x.restorer] = weights.state_hash(restorer)
    cases = [
        corruptions.corruption(kind, severity)
        for kind in corruptions.CORRUPTIONS
        for severity in corruptions.SEVERITIES
    ]
    started = time.monotonic()
    precision = profile.evaluation_precision
    check = None
    if precision != "32-true":
        check = evaluation.check_precision(None, networks, images, cases, precision=precision)
    measured = evaluation.evaluate(
        None,
        networks,
        images,
        cases,
        batch_size=profile.evaluation_batch,
        precision=precision,
        name="corruptions",
    )
    seeds = {x.restorer: x.seed for x in (none, *restored)}
    results = []
    for row in measured:
        if row["metric"] == "accuracy":  # the others are of the corrupted image, before a restorer
            kept = per_image.pack(row.pop("each"), row.pop("confidence"), "accuracy")
            name = row["classifier"]
            who = {"dataset": splits.dataset, "restorer": name, "classifier": classifier.name}
            results.append({**row, **kept, **who, "seed": seeds[name]})
    seconds = time.monotonic() - started
    record = store.new_record(
        "corruptions",
        plan.CORRUPTIONS_RUN,
        profile.name,
        restored[-1].config("corruptions"),
        train.provenance_of("corruptions", splits, hashes, seconds, device_name()),
        results=results,
        precision_check=check,
    )
    return store.write(record)
