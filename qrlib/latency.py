"""Milliseconds to classify a distorted image, with a restorer and without (Section IV-B1)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from qrlib import memory


@torch.no_grad()
def milliseconds_per_image(
    restorer: nn.Module, classifier: nn.Module, images: Tensor, *, repeats: int = 5
) -> dict[str, float]:
    """Time images one at a time, float32, with and without the restorer in turns.

    The turns are interleaved, so that what else the machine does weighs on both alike; the median
    over images and repeats is little moved by the odd slow one.

    Args:
        images: (N, 3, H, W) in [0, 1], distorted; the copy to the device is not counted.

    Returns:
        {"none": ms for the classifier alone, "restored": ms for restorer and classifier}.
    """
    memory.keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    memory.channels_last(restorer.to(device)).eval()
    memory.channels_last(classifier.to(device)).eval()
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "none": classifier,
        "restored": lambda image: classifier(restorer(image)),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for image in images.to(device).split(1):
            image = image.contiguous(memory_format=torch.channels_last)
            for name, way in ways.items():
                _wait(device)
                started = time.perf_counter()
                way(image).argmax(1)
                _wait(device)
                if turn:  # the first turn warms up
                    times[name].append(time.perf_counter() - started)
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
