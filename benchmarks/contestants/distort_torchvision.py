"""torchvision's transforms (v2), a batch at a time, on the device."""

from __future__ import annotations

from torchvision.transforms.v2 import functional as transforms

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
        return transforms.gaussian_blur(images, [kernel, kernel], [sigma, sigma])

    return Ready(run, difference=batch.difference(run(), images, sigma), device=waiting(device))


def noise(settings: Settings, *, sigma: float) -> Ready:
    device = device_of(settings)
    images = batch.images(settings).to(device)
    return Ready(
        lambda: transforms.gaussian_noise(images, mean=0.0, sigma=sigma / 255, clip=True),
        device=waiting(device),
    )
