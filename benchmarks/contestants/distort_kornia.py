"""Kornia, a batch at a time, on the device; its blur is two convolutions, along rows and columns."""

from __future__ import annotations

import kornia

from benchmarks.contest import Ready
from benchmarks.contestants import batch
from benchmarks.contestants.torch_device import device_of, waiting
from benchmarks.settings import Settings
from qrlib.distortions import kernel_size


def blur(settings: Settings, *, sigma: float) -> Ready:
    device = device_of(settings)
    images = batch.images(settings).to(device)
    kernel = kernel_size(sigma)

    def run():
        return kornia.filters.gaussian_blur2d(images, (kernel, kernel), (sigma, sigma))

    return Ready(run, difference=batch.difference(run(), images, sigma), device=waiting(device))


def noise(settings: Settings, *, sigma: float) -> Ready:
    device = device_of(settings)
    images = batch.images(settings).to(device)
    add = kornia.augmentation.RandomGaussianNoise(std=sigma / 255, p=1.0)
    return Ready(lambda: add(images).clamp(0, 1), device=waiting(device))
