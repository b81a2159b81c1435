"""What an image goes through until it is classified, and how many milliseconds that takes (Sections IV-B1, IV-B2).

Networks here are as they are initialised: what they learned changes no time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from qrlib import classifiers, distortions
from qrlib.classical import FILTERS, ClassicalRestorer
from qrlib.experiments.experiment import Experiment
from qrlib.experiments.settings import Profile
from qrlib.models import QRNet
from qrlib.training.detector import Detector
from qrlib.utils import memory

#: The level at which images are timed, the middle one.
LEVEL = 3


@torch.no_grad()
def milliseconds_per_image(
    ways: Mapping[str, Sequence[nn.Module]], images: Tensor, *, repeats: int = 5
) -> dict[str, list[float]]:
    """Time images one at a time, float32, all ways in turns.

    The ways are interleaved image by image, so that what else the machine does weighs on all alike;
    the median over images is little moved by the odd slow one.

    Args:
        ways: name -> the networks that an image goes through, such as a restorer and a classifier.
        images: (N, 3, H, W) in [0, 1], distorted; the copy to the device is not counted.

    Returns:
        Name -> medians over the images, one a repeat.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for net in (net for networks in ways.values() for net in networks):
        memory.channels_last(net.to(device)).eval()
    medians: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        times: dict[str, list[float]] = {name: [] for name in ways}
        for image in images.to(device).split(1):
            image = image.contiguous(memory_format=torch.channels_last)
            for name, networks in ways.items():
                _wait(device)
                started = time.perf_counter()
                seen = image
                for net in networks:
                    seen = net(seen)
                seen.argmax(1)
                _wait(device)
                times[name].append(time.perf_counter() - started)
        if turn:  # the first turn warms up
            for name, values in times.items():
                medians[name].append(1000 * statistics.median(values))
    return medians


def stages(x: Experiment, judge: nn.Module) -> list[nn.Module]:
    """What an image goes through, one after the other, the classifier `judge` last.

    Of several restorers, among which a detector chooses, it goes through one; of several sets of the classifier's
    last layers too.  A filter has the middle one of its strengths.
    """
    if x.variant.classical:
        strengths = FILTERS[x.variant_name].strengths
        case = distortions.levels(x.distortions, **x.profile.strengths)[x.distortions][LEVEL - 1]
        restorer = ClassicalRestorer(x.variant_name, {LEVEL: strengths[len(strengths) // 2]})
        return [restorer.told(case), judge]
    before = [untrained(network) for network in networks(x)]
    looks = [_Look(net) for net in before if isinstance(net, Detector)]
    looks += [_Look(judge)] if x.variant.averages else []
    return [*looks, *[net for net in before if isinstance(net, QRNet)][:1], judge]


def networks(x: Experiment) -> list[Experiment]:
    """The experiments whose networks stand beside or before the classifier, each once."""
    if x.detector is not None:
        return [x.detector, *(n for route in x.routes.values() for n in networks(route))]
    if x.variant.frozen_start and x.start is not None:
        return [x.start]
    return [x] if "restorer" in x.variant.learns else []


def untrained(x: Experiment) -> nn.Module:
    """A network of the shapes of the restorer or detector that an experiment trains."""
    if x.detects:
        levels = distortions.levels("multiple", **x.profile.strengths)
        return Detector(levels, x.profile.data.image_size).eval()
    return QRNet(x.variant.convs_per_block).eval()


def classifier(profile: Profile) -> nn.Module:
    """One of the shapes of a profile's, but for its two classes."""
    settings = profile.classifier
    return classifiers.build(
        settings.name,
        2,
        weights=None,
        image_size=profile.data.image_size,
        head_width=settings.head_width,
        input_size=settings.input_size,
    ).eval()


class _Look(nn.Module):
    """Asks a network about images, and hands them on as they are."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        if isinstance(self.network, Detector):
            self.network.kinds(images)  # on a GPU this waits, as where it chooses
        else:
            self.network(images)
        return images


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
