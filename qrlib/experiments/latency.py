"""Milliseconds to classify a distorted image in several ways (Sections IV-B1 and IV-B2)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from qrlib.utils import memory


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


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
