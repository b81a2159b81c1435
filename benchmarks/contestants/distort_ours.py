"""This project's noise and blur, as its training loop calls them: a batch at a time, on the device."""

from __future__ import annotations

import torch

from benchmarks.contest import Ready
from benchmarks.contestants import batch
from benchmarks.contestants.torch_device import device_of, waiting
from benchmarks.settings import Settings
from qrlib import distortions
from qrlib.utils import memory


def blur(settings: Settings, *, sigma: float) -> Ready:
    memory.keep_freed_memory()
    device = device_of(settings)
    images = batch.images(settings).to(device)
    result = distortions.blur(images, sigma)
    return Ready(
        lambda: distortions.blur(images, sigma),
        difference=batch.difference(result, images, sigma),
        device=waiting(device),
    )


def noise(settings: Settings, *, sigma: float) -> Ready:
    memory.keep_freed_memory()
    device = device_of(settings)
    images = batch.images(settings).to(device)
    generator = torch.Generator(device).manual_seed(0)
    return Ready(lambda: distortions.add_noise(images, sigma, generator), device=waiting(device))
