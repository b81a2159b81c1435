"""Gaussian noise and Gaussian blur, the two distortions of the paper (Section IV-A).

All functions take images of shape (B, C, H, W), float32, in [0, 1], on any device, and return the
same shape and range.  Strengths are the paper's: the noise's standard deviation on the 0..255 scale,
the blur's standard deviation in pixels.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qrlib.utils.errors import QrlibError, choose

#: The five evaluation levels of each distortion, for images of 224 pixels (Section IV-A).
NOISE_SIGMAS = (20.0, 40.0, 60.0, 80.0, 100.0)
BLUR_SIGMAS = (2.0, 4.0, 6.0, 8.0, 10.0)
KINDS = ("noise", "blur")


def gaussian_noise(
    images: Tensor, sigma: float, *, generator: torch.Generator | None = None
) -> Tensor:
    """Add white Gaussian noise to every pixel and channel, then clip to [0, 1].

    Clipping is our choice: the paper does not say, and an 8-bit photograph cannot hold anything
    else.  The noise is drawn on the generator's device.

    Args:
        images: (B, C, H, W), float, in [0, 1].
        sigma: standard deviation on the 0..255 scale (the paper uses 20 to 100); >= 0.
        generator: source of the noise; the same seed gives the same noise.

    Raises:
        QrlibError: wrong shape, type or range, or a negative sigma.
    """
    _check_images(images)
    _check_sigma(sigma)
    return add_noise(images, sigma, generator)


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur with a Gaussian cut off at the paper's kernel of 4 * sigma - 1 pixels.

    Equals ``cv2.GaussianBlur(image, (k, k), sigma)`` with OpenCV's default border, which mirrors
    without repeating the edge pixel ("reflect").

    Args:
        images: (B, C, H, W), float, in [0, 1]; H and W larger than the kernel's radius.
        sigma: standard deviation in pixels (the paper uses 2 to 10); > 0.

    Raises:
        QrlibError: wrong shape, type or range, sigma <= 0, or an image too small to mirror.
    """
    _check_images(images)
    _check_sigma(sigma)
    if sigma == 0:
        raise QrlibError("blur sigma must be above 0; leave the image as it is instead")
    return blur(images, sigma)


def kernel_size(sigma: float) -> int:
    """The paper's kernel, 4 * sigma - 1, as the nearest odd number of at least 3.

    >>> [kernel_size(s) for s in BLUR_SIGMAS]
    [7, 15, 23, 31, 39]
    """
    return 2 * max(1, round(2 * sigma - 1)) + 1


def gaussian_kernel(sigma: float) -> np.ndarray:
    """The 1-D kernel, shape (kernel_size(sigma),), float64, summing to 1."""
    radius = kernel_size(sigma) // 2
    x = np.arange(-radius, radius + 1)
    kernel = np.exp(-(x**2) / (2.0 * sigma**2))
    return kernel / kernel.sum()


@functools.lru_cache(maxsize=256)
def blur_matrix(size: int, sigma: float, device: torch.device | None = None) -> Tensor:
    """The blur of one image line as a banded matrix (size, size), border folded in.

    Two products with such matrices blur an image, at a cost that does not grow with sigma.  float32
    on purpose: in bfloat16 the result is off by 5e-3.
    """
    kernel = gaussian_kernel(sigma)
    radius = len(kernel) // 2
    matrix = np.zeros((size, size))
    for row in range(size):
        for offset, weight in zip(range(-radius, radius + 1), kernel, strict=True):
            column = abs(row + offset)  # mirror at the first pixel ...
            if column >= size:
                column = 2 * (size - 1) - column  # ... and at the last
            matrix[row, column] += weight
    with torch.inference_mode(False):  # cached: must serve later where gradients are taken
        return torch.from_numpy(matrix).float().to(device)


def add_noise(images: Tensor, sigma: float, generator: torch.Generator | None) -> Tensor:
    """`gaussian_noise` without its checks, for inner loops (they would stall a GPU)."""
    device = generator.device if generator is not None else images.device
    noise = torch.randn(images.shape, generator=generator, device=device, dtype=images.dtype)
    return noise.to(images.device).mul_(sigma / 255).add_(images).clamp_(0, 1)


def blur(images: Tensor, sigma: float) -> Tensor:
    """`gaussian_blur` without its checks of values, for inner loops."""
    height, width = images.shape[-2:]
    need = kernel_size(sigma) // 2 + 1
    if min(height, width) < need:
        raise QrlibError(
            f"image of {height}x{width} pixels is too small for blur sigma {sigma:g}: its kernel of "
            f"{kernel_size(sigma)} needs at least {need}x{need} pixels"
        )
    with torch.autocast(images.device.type, enabled=False):
        rows = blur_matrix(height, sigma, images.device)
        columns = blur_matrix(width, sigma, images.device)
        return (rows @ images.float() @ columns.T).clamp_(0, 1).to(images.dtype)


@dataclass(frozen=True)
class Distortion:
    """One distortion at one strength: kind "noise", "blur" or "clean"; level 1..5, 0 for clean."""

    kind: str
    level: int
    sigma: float

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Distort (B, C, H, W) images in [0, 1]; their values are not checked."""
        if self.kind == "clean":
            return images
        if self.kind == "noise":
            return add_noise(images, self.sigma, generator)
        return blur(images, self.sigma)


CLEAN = Distortion("clean", 0, 0.0)


def levels(
    distortions: str = "multiple",
    *,
    blur_scale: float = 1.0,
    noise_sigmas: Sequence[float] = NOISE_SIGMAS,
    blur_sigmas: Sequence[float] = BLUR_SIGMAS,
) -> dict[str, list[Distortion]]:
    """The set D of Algorithm 1 with its parameters P_d.

    Args:
        distortions: "noise", "blur", or "multiple" for both.
        blur_scale: factor on the blur's sigma.  The paper's sigmas are for 224-pixel images; a
            profile with smaller images scales them with the image side, so that the same share of
            the picture is blurred.

    Returns:
        kind -> its distortions, weakest first.
    """
    choose("distortions", distortions, [*KINDS, "multiple"])
    if not blur_scale > 0:
        raise QrlibError(f"blur_scale must be above 0, not {blur_scale!r}")
    every = {
        "noise": [Distortion("noise", i, s) for i, s in enumerate(noise_sigmas, 1)],
        "blur": [Distortion("blur", i, s * blur_scale) for i, s in enumerate(blur_sigmas, 1)],
    }
    return every if distortions == "multiple" else {distortions: every[distortions]}


def sample(choices: dict[str, list[Distortion]], generator: torch.Generator) -> Distortion:
    """Lines 2 and 3 of Algorithm 1: a kind at random, then one of its levels at random."""
    kinds = list(choices)
    kind = kinds[int(torch.randint(len(kinds), (1,), generator=generator))]
    return choices[kind][int(torch.randint(len(choices[kind]), (1,), generator=generator))]


def distort_for_evaluation(images: Tensor, ids: Sequence[str], distortion: Distortion) -> Tensor:
    """Distort each image in a way that depends only on its id, so that every model sees the same.

    Noise comes from NumPy's Philox generator keyed by (id, level), on the CPU, whatever the device,
    the batch it is in, or the order of evaluation.

    Args:
        images: (B, C, H, W) in [0, 1].
        ids: B names that stay with the images.
    """
    if len(ids) != len(images):
        raise QrlibError(f"{len(images)} images need as many ids, not {len(ids)}")
    if distortion.kind != "noise":
        return distortion(images)
    noise = np.empty(images.shape, dtype=np.float32)
    for row, name in zip(noise, ids, strict=True):
        digest = hashlib.sha256(f"{name}|noise|{distortion.level}".encode()).digest()
        key = np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)
        np.random.Generator(np.random.Philox(key=key)).standard_normal(dtype=np.float32, out=row)
    noise *= distortion.sigma / 255
    return torch.from_numpy(noise).to(images.device).add_(images).clamp_(0, 1)


def _check_images(images: Tensor) -> None:
    if not isinstance(images, Tensor) or images.ndim != 4:
        shape = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise QrlibError(f"images must be a tensor of shape (B, C, H, W), not {shape}")
    if not images.is_floating_point():
        raise QrlibError(f"images must be floats in [0, 1], not {images.dtype}: divide by 255")
    if images.numel() == 0:
        raise QrlibError(f"images of shape {tuple(images.shape)} hold no pixel")
    low, high = (float(v) for v in torch.aminmax(images.detach()))
    if not (low >= 0 and high <= 1):
        raise QrlibError(f"images must lie in [0, 1]; these range from {low:g} to {high:g}")


def _check_sigma(sigma: float) -> None:
    if not (isinstance(sigma, (int, float)) and math.isfinite(sigma) and sigma >= 0):
        raise QrlibError(f"sigma must be a finite number of at least 0, not {sigma!r}")
