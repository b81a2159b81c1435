"""OpenCV, an image at a time, on the CPU, in float32."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.contest import Ready
from benchmarks.contestants import batch
from benchmarks.settings import Settings
from qrlib.distortions import kernel_size


def blur(settings: Settings, *, sigma: float) -> Ready:
    cv2.setNumThreads(settings.threads)
    images = batch.images(settings)
    pictures = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())  # (B, S, S, 3)
    size = (kernel_size(sigma),) * 2

    def run() -> np.ndarray:
        return np.stack([cv2.GaussianBlur(picture, size, sigma) for picture in pictures])

    found = run().transpose(0, 3, 1, 2)
    return Ready(run, difference=batch.difference(found, images, sigma))


def noise(settings: Settings, *, sigma: float) -> Ready:
    cv2.setNumThreads(settings.threads)
    pictures = np.ascontiguousarray(batch.images(settings).permute(0, 2, 3, 1).numpy())
    zero, level = np.zeros(3), np.full(3, sigma / 255)

    def run() -> None:
        noise = np.empty_like(pictures)
        for row, picture in zip(noise, pictures, strict=True):
            cv2.randn(row, zero, level)
            cv2.add(row, picture, dst=row)
        np.clip(noise, 0, 1, out=noise)

    return Ready(run)
