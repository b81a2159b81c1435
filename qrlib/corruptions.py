"""Damage that no restorer learned from: the corruptions of ImageNet-C, and both distortions at once.

Hendrycks and Dietterich, *Benchmarking Neural Network Robustness to Common Corruptions and Perturbations*
(ICLR 2019), made ImageNet-C of 15 corruptions at severities 1 to 5.  Here are 14 of them, by their
definitions and with their parameters; frost is left out, for it is painted with photographs whose licences
we do not know.  The parameters are in pixels of images of 224; at other sizes they are not changed, so small
images suffer more.  Unlike those of ImageNet-C, our images are not stored as JPEG files at the end.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from qrlib.distortions import BLUR_SIGMAS, NOISE_SIGMAS, Distortion, blur
from qrlib.utils.errors import QrlibError, choose

Picture = NDArray[np.float32]  # (H, W, 3) in [0, 1]
Corrupt = Callable[[Picture, Any, np.random.Generator], NDArray[Any]]

#: The severities that are tried, of 1 to 5.
SEVERITIES = (1, 3, 5)
#: The side for which the blur's sigmas of the paper are meant.
_SIDE = 224


@dataclass(frozen=True)
class Corruption(Distortion):
    """One of `CORRUPTIONS` at one severity; make it with `corruption`.

    What is random in it depends on the picture, the kind and the severity alone: every restorer sees the
    same pixels, whatever the device, the batch, or the order.

    Attributes:
        kind: key of `CORRUPTIONS`.
        level: the severity, 1 to 5.
        sigma: the severity again, which records keep as strength.
    """

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Corrupt (B, 3, H, W) images in [0, 1]; `generator` has no effect."""
        corrupt, parameters = CORRUPTIONS[self.kind]
        pictures = images.float().permute(0, 2, 3, 1).cpu().numpy()
        batch = np.stack([corrupt(x, parameters[self.level - 1], self._rng(x)) for x in pictures])
        corrupted = torch.from_numpy(batch.astype(np.float32)).permute(0, 3, 1, 2)
        return corrupted.clamp(0, 1).to(images.device)

    def _rng(self, picture: Picture) -> np.random.Generator:
        content = _bytes(picture).tobytes() + f"{self.kind}|{self.level}".encode()
        return np.random.default_rng(list(hashlib.sha256(content).digest()))


def corruption(kind: str, severity: int) -> Corruption:
    """A corruption by name.

    Raises:
        QrlibError: an unknown name, or a severity that is not 1, 2, 3, 4 or 5.
    """
    choose("corruption", kind, CORRUPTIONS)
    if severity not in range(1, 6):
        raise QrlibError(f"the severity of {kind} must be 1, 2, 3, 4 or 5, not {severity!r}")
    return Corruption(kind, severity, float(severity))


def _bytes(picture: Picture) -> NDArray[np.uint8]:
    return np.rint(picture * 255).astype(np.uint8)


def _gaussian_noise(picture: Picture, sigma: float, rng: np.random.Generator) -> NDArray[Any]:
    return picture + rng.normal(0, sigma, picture.shape)


def _shot_noise(picture: Picture, photons: float, rng: np.random.Generator) -> NDArray[Any]:
    return rng.poisson(picture * photons) / photons


def _impulse_noise(picture: Picture, share: float, rng: np.random.Generator) -> NDArray[Any]:
    """A share of the values, channel by channel, becomes 0 or 1."""
    from skimage.util import random_noise

    return random_noise(picture, "s&p", rng=rng, amount=share)


def _shifted_mean(
    picture: NDArray[Any],
    shifts: NDArray[np.int_],
    weights: NDArray[Any],
    edge: str,
) -> NDArray[Any]:
    """The weighted mean of a picture shifted by (N, 2) pixels; `edge` is a mode of np.pad."""
    reach = int(np.abs(shifts).max())
    height, width = picture.shape[:2]
    padded = np.pad(picture, [(reach, reach)] * 2 + [(0, 0)] * (picture.ndim - 2), edge)  # type: ignore[call-overload]
    return sum(  # type: ignore[no-any-return]
        weight * padded[reach + y : reach + y + height, reach + x : reach + x + width]
        for (y, x), weight in zip(shifts, (weights / weights.sum()).tolist(), strict=True)
    )


def _defocus_blur(
    picture: Picture, lens: tuple[int, float], rng: np.random.Generator
) -> NDArray[Any]:
    """A disc of a radius, its edge softened by a sigma."""
    from skimage.filters import gaussian

    radius, soft = lens
    reach = radius + 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = gaussian((x**2 + y**2 <= radius**2).astype(float), soft)
    seen = disc > 1e-3
    return _shifted_mean(picture, np.argwhere(seen) - reach, disc[seen], "reflect")


def _glass_blur(
    picture: Picture, glass: tuple[float, int, int], rng: np.random.Generator
) -> NDArray[Any]:
    """Every pixel in turn takes the colour of one near it, between two slight blurs.

    The paper says that pixels are shuffled; the code that made ImageNet-C copies, and so do we.
    """
    from skimage.filters import gaussian

    sigma, reach, rounds = glass
    height, width = picture.shape[:2]
    order = list(range(height * width))
    for _ in range(rounds):
        shifts = rng.integers(-reach, reach, (height, width, 2)) @ (width, 1)
        steps = shifts.ravel().tolist()
        for row in range(height - reach - 1, reach, -1):
            for here in range(row * width + width - reach - 1, row * width + reach, -1):
                order[here] = order[here + steps[here]]
    soft = gaussian(picture, sigma, channel_axis=-1)
    return gaussian(soft.reshape(-1, 3)[order].reshape(picture.shape), sigma, channel_axis=-1)


def _along(
    picture: NDArray[Any], radius: int, sigma: float, degrees: float, edge: str = "edge"
) -> NDArray[Any]:
    """Motion into one direction: half of a Gaussian, 2 * radius + 1 pixels long."""
    steps = np.arange(2 * radius + 1)
    angle = np.deg2rad(degrees)
    shifts = np.rint(np.outer(steps, (np.sin(angle), np.cos(angle)))).astype(int)
    return _shifted_mean(picture, shifts, np.exp(-(steps**2) / (2 * sigma**2)), edge)


def _motion_blur(
    picture: Picture, motion: tuple[int, float], rng: np.random.Generator
) -> NDArray[Any]:
    return _along(picture, *motion, rng.uniform(-45, 45))


def _enlarged(picture: NDArray[Any], factor: float) -> NDArray[Any]:
    """The middle of bytes (H, W, 3) or floats (H, W), as large as the whole was, bilinear."""
    height, width = picture.shape[:2]
    y, x = (height - height / factor) / 2, (width - width / factor) / 2
    image, box = Image.fromarray(picture), (x, y, width - x, height - y)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box))


def _zoom_blur(
    picture: Picture, zoom: tuple[float, float], rng: np.random.Generator
) -> NDArray[Any]:
    """The mean of the picture and of all that a zoom sees: from 1 to below `stop`, in steps."""
    stop, step = zoom
    layers = [_enlarged(_bytes(picture), factor) for factor in np.arange(1, stop, step)]
    return np.mean([picture * 255, *layers], axis=0) / 255


def _snow(picture: Picture, snow: Sequence[float], rng: np.random.Generator) -> NDArray[Any]:
    """A whiter picture, with flakes that fall down, and again upside down."""
    mean, spread, size, least, radius, sigma, kept = snow
    flakes = rng.normal(mean, spread, picture.shape[:2]).astype(np.float32)
    flakes = _enlarged(flakes, size)
    flakes = np.where(flakes < least, 0, flakes).clip(0, 1)
    flakes = _along(flakes, int(radius), sigma, rng.uniform(-135, -45))[..., None]
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    white = np.maximum(picture, grey[..., None] * 1.5 + 0.5)
    return kept * picture + (1 - kept) * white + flakes + flakes[::-1, ::-1]


def _clouds(side: int, decay: float, rng: np.random.Generator) -> NDArray[Any]:
    """Diamond-square heights from 0 to 1, (side, side), a power of two; opposite edges fit together.

    From one grid to the next, twice as fine, the random part falls by decay squared.
    """
    heights, step, size = np.zeros((side, side)), side, 1.0

    def about(total: NDArray[Any]) -> NDArray[Any]:
        return total / 4 + size * rng.uniform(-1, 1, total.shape)

    while step > 1:
        half = step // 2
        corners, middles = heights[::step, ::step], heights[half::step, half::step]
        pairs = corners + np.roll(corners, -1, 0)
        middles[:] = about(pairs + np.roll(pairs, -1, 1))
        for turned in (heights, heights.T):
            corners, middles = turned[::step, ::step], turned[half::step, half::step]
            ends = corners + np.roll(corners, -1, 1)
            turned[::step, half::step] = about(ends + middles + np.roll(middles, 1, 0))
        step, size = half, size / decay**2
    return (heights - heights.min()) / np.ptp(heights)


def _fog(picture: Picture, fog: tuple[float, float], rng: np.random.Generator) -> NDArray[Any]:
    """Clouds over a picture that keeps its greatest value."""
    density, decay = fog
    height, width = picture.shape[:2]
    clouds = _clouds(1 << (max(height, width) - 1).bit_length(), decay, rng)
    bright = picture.max()
    fogged = picture + density * clouds[:height, :width, None]
    return fogged * bright / max(bright + density, 1e-9)


def _brightness(picture: Picture, more: float, rng: np.random.Generator) -> NDArray[Any]:
    """A higher value in HSV; hue and saturation stay."""
    from skimage.color import hsv2rgb, rgb2hsv

    hsv = rgb2hsv(picture)
    hsv[..., 2] = (hsv[..., 2] + more).clip(0, 1)
    return hsv2rgb(hsv)


def _contrast(picture: Picture, kept: float, rng: np.random.Generator) -> NDArray[Any]:
    mean = picture.mean((0, 1))
    return (picture - mean) * kept + mean


def _elastic_transform(
    picture: Picture, rubber: tuple[float, float, float], rng: np.random.Generator
) -> NDArray[Any]:
    """Three points are pulled apart, and every pixel by a smooth random field."""
    from skimage.filters import gaussian
    from skimage.transform import warp

    strength, sigma, pull = rubber
    shape = picture.shape[:2]
    third = min(shape) // 3
    points = np.array(shape) // 2 + third * np.array([[1, 1], [1, -1], [-1, -1]])
    pulled = points + rng.uniform(-pull, pull, points.shape)
    back = np.linalg.solve(np.c_[pulled, np.ones(3)], points)  # (3, 2)
    field = [
        strength * gaussian(rng.uniform(-1, 1, shape), sigma, mode="reflect", truncate=3)
        for _ in shape
    ]
    places = np.stack([*(np.mgrid[: shape[0], : shape[1]] + field), np.ones(shape)], -1) @ back
    channels = [
        warp(picture[..., i], np.moveaxis(places, -1, 0), order=1, mode="reflect") for i in range(3)
    ]
    return np.stack(channels, -1)


def _pixelate(picture: Picture, share: float, rng: np.random.Generator) -> NDArray[Any]:
    height, width = picture.shape[:2]
    small = Image.fromarray(_bytes(picture)).resize(
        (int(width * share), int(height * share)), Image.Resampling.BOX
    )
    return np.asarray(small.resize((width, height), Image.Resampling.NEAREST)) / 255


def _jpeg_compression(picture: Picture, quality: int, rng: np.random.Generator) -> NDArray[Any]:
    file = io.BytesIO()
    Image.fromarray(_bytes(picture)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)) / 255


def _noise_upon_blur(
    picture: Picture, sigmas: tuple[float, float], rng: np.random.Generator
) -> NDArray[Any]:
    """Both distortions of the paper at one level, the blur scaled with the image as elsewhere."""
    noise, of_224 = sigmas
    image = torch.from_numpy(picture).permute(2, 0, 1)[None]
    blurred = blur(image, of_224 * len(picture) / _SIDE)[0].permute(1, 2, 0).numpy()
    return _gaussian_noise(blurred.clip(0, 1), noise / 255, rng)


#: Name -> the function, and its parameters at severities 1 to 5.
CORRUPTIONS: dict[str, tuple[Corrupt, Sequence[Any]]] = {
    "gaussian_noise": (_gaussian_noise, (0.08, 0.12, 0.18, 0.26, 0.38)),
    "shot_noise": (_shot_noise, (60, 25, 12, 5, 3)),
    "impulse_noise": (_impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27)),
    "defocus_blur": (_defocus_blur, ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))),
    "glass_blur": (_glass_blur, ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))),
    "motion_blur": (_motion_blur, ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))),
    "zoom_blur": (
        _zoom_blur, ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    ),
    "snow": (
        _snow,
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7), (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    "fog": (_fog, ((1.5, 2), (2.0, 2), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))),
    "brightness": (_brightness, (0.1, 0.2, 0.3, 0.4, 0.5)),
    "contrast": (_contrast, (0.4, 0.3, 0.2, 0.1, 0.05)),
    "elastic_transform": (
        _elastic_transform,
        (
            (488, 170.8, 24.4), (488, 19.52, 48.8), (12.2, 2.44, 4.88), (17.08, 2.44, 4.88),
            (29.28, 2.44, 4.88),
        ),
    ),
    "pixelate": (_pixelate, (0.6, 0.5, 0.4, 0.3, 0.25)),
    "jpeg_compression": (_jpeg_compression, (25, 18, 15, 10, 7)),
    "noise_upon_blur": (_noise_upon_blur, tuple(zip(NOISE_SIGMAS, BLUR_SIGMAS, strict=True))),
}  # fmt: skip
