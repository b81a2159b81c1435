"""Noise and blur of a batch: of this project, torchvision and Kornia a batch at a time, on the device;
of scikit-image and OpenCV an image at a time, on the CPU, in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import corpus
from benchmarks.contest import Ready
from benchmarks.contestants.torch_device import device_of, waiting
from benchmarks.settings import Settings
from qrlib import distortions
from qrlib.utils import memory


def batch(settings: Settings) -> Tensor:
    """(B, 3, S, S) in [0, 1], float32, on the CPU: pieces of photographs."""
    count, size = settings.distort
    rng = np.random.Generator(np.random.Philox(key=0))
    pieces = []
    for i in range(count):
        picture = np.asarray(corpus.photograph(i)).transpose(2, 0, 1)  # (3, H, W)
        repeats = [1, *(-(-size // side) for side in picture.shape[1:])]
        picture = np.tile(picture, repeats)  # those smaller than a piece
        top, left = (int(rng.integers(side - size + 1)) for side in picture.shape[1:])
        pieces.append(picture[:, top : top + size, left : left + size])
    return torch.from_numpy(np.stack(pieces)).float() / 255


def difference(blurred: Tensor, images: Tensor, sigma: float) -> float:
    """Largest difference of a blurred batch (B, 3, S, S) to OpenCV's definition of the paper's blur,
    by the kernel itself in float64, at some of the images."""
    kernel = torch.from_numpy(distortions.gaussian_kernel(sigma))  # (k,)
    radius = len(kernel) // 2
    padded = torch.nn.functional.pad(images[:2].cpu().double(), [radius] * 4, mode="reflect")
    across = padded.unfold(3, len(kernel), 1) @ kernel
    expected = across.unfold(2, len(kernel), 1) @ kernel
    return float((blurred[:2].cpu().double() - expected).abs().max())


def ours(settings: Settings, *, kind: str, sigma: float) -> Ready:
    """As the training loop calls them."""
    memory.keep_freed_memory()
    generator = torch.Generator(settings.device).manual_seed(0)
    work = {
        "blur": lambda images: distortions.blur(images, sigma),
        "noise": lambda images: distortions.add_noise(images, sigma, generator),
    }
    return _whole_batch(settings, kind, sigma, work[kind])


def torchvision(settings: Settings, *, kind: str, sigma: float) -> Ready:
    from torchvision.transforms.v2.functional import gaussian_blur, gaussian_noise

    size = [distortions.kernel_size(sigma)] * 2
    work = {
        "blur": lambda images: gaussian_blur(images, size, [sigma, sigma]),
        "noise": lambda images: gaussian_noise(images, mean=0.0, sigma=sigma / 255, clip=True),
    }
    return _whole_batch(settings, kind, sigma, work[kind])


def kornia(settings: Settings, *, kind: str, sigma: float) -> Ready:
    """Its blur is two convolutions, along rows and columns."""
    import kornia

    size = (distortions.kernel_size(sigma),) * 2
    add_noise = kornia.augmentation.RandomGaussianNoise(std=sigma / 255, p=1.0)
    work = {
        "blur": lambda images: kornia.filters.gaussian_blur2d(images, size, (sigma, sigma)),
        "noise": lambda images: add_noise(images).clamp(0, 1),
    }
    return _whole_batch(settings, kind, sigma, work[kind])


def skimage(settings: Settings, *, kind: str, sigma: float) -> Ready:
    import skimage

    # The paper's kernel and border.
    kernel = {"truncate": distortions.kernel_size(sigma) // 2 / sigma, "mode": "mirror"}
    variance, rng = (sigma / 255) ** 2, np.random.default_rng(0)
    work = {
        "blur": lambda image: skimage.filters.gaussian(image, sigma, channel_axis=-1, **kernel),
        "noise": lambda image: skimage.util.random_noise(image, "gaussian", rng=rng, var=variance),
    }
    return _each_image(settings, kind, sigma, work[kind])


def opencv(settings: Settings, *, kind: str, sigma: float) -> Ready:
    import cv2

    cv2.setNumThreads(settings.threads)
    size = (distortions.kernel_size(sigma),) * 2
    zero, level = np.zeros(3), np.full(3, sigma / 255)

    def add_noise(image: np.ndarray) -> np.ndarray:
        noisy = cv2.add(cv2.randn(np.empty_like(image), zero, level), image)
        return np.clip(noisy, 0, 1, out=noisy)

    work = {"blur": lambda image: cv2.GaussianBlur(image, size, sigma), "noise": add_noise}
    return _each_image(settings, kind, sigma, work[kind])


def _whole_batch(
    settings: Settings, kind: str, sigma: float, distort: Callable[[Tensor], Tensor]
) -> Ready:
    device = device_of(settings)
    images = batch(settings).to(device)
    checked = difference(distort(images), images, sigma) if kind == "blur" else None
    return Ready(lambda: distort(images), difference=checked, device=waiting(device))


def _each_image(
    settings: Settings, kind: str, sigma: float, distort: Callable[[Any], Any]
) -> Ready:
    images = batch(settings)
    pictures = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())  # (B, S, S, 3)

    def run() -> np.ndarray:
        return np.stack([distort(picture) for picture in pictures])

    blurred = torch.from_numpy(run()).permute(0, 3, 1, 2)
    return Ready(run, difference=difference(blurred, images, sigma) if kind == "blur" else None)
