"""scikit-image, an image at a time, on the CPU."""

from __future__ import annotations

import numpy as np
import skimage

from benchmarks.contest import Ready
from benchmarks.contestants import batch
from benchmarks.settings import Settings
from qrlib.distortions import kernel_size


def blur(settings: Settings, *, sigma: float) -> Ready:
    images = batch.images(settings)
    pictures = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())  # (B, S, S, 3)
    radius = kernel_size(sigma) // 2

    def run() -> np.ndarray:
        return np.stack(
            [
                skimage.filters.gaussian(
                    picture, sigma, mode="mirror", truncate=radius / sigma, channel_axis=-1
                )
                for picture in pictures
            ]
        )

    found = run().transpose(0, 3, 1, 2)
    return Ready(run, difference=batch.difference(found, images, sigma))


def noise(settings: Settings, *, sigma: float) -> Ready:
    pictures = batch.images(settings).permute(0, 2, 3, 1).numpy()
    variance = (sigma / 255) ** 2
    rng = np.random.default_rng(0)

    def run() -> None:
        np.stack(
            [skimage.util.random_noise(p, "gaussian", rng=rng, var=variance) for p in pictures]
        )

    return Ready(run)
