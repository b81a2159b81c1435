"""SSIM with the window, the border and the data range that a convention names (`qrlib.experiments.conventions`).

`qrlib.metrics.ssim` is the project's own SSIM.  This one computes the variants of it that papers
and libraries use, and computes what they share once.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

WINDOWS = ("gaussian", "uniform")
BORDERS = ("inner", "whole")


def grey(images: Tensor) -> Tensor:
    """Luma of ITU-R BT.601: (B, 3, H, W) -> (B, 1, H, W)."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


class Target:
    """Clean images with their local means, to compare others with.

    Args:
        images: (B, C, H, W) in [0, 1], at least as large as the window.
        window: "gaussian", 11 pixels with sigma 1.5 (Wang et al. 2004); or "uniform", 7 pixels, with the
            sample covariance, scikit-image's default.
        border: "inner" takes the pixels whose window lies inside the image, "whole" all of them, the
            image mirrored around its border.
    """

    def __init__(self, images: Tensor, window: str = "gaussian", border: str = "inner"):
        x = torch.arange(-5.0, 6.0) if window == "gaussian" else torch.zeros(7)
        weights = torch.exp(-(x**2) / (2 * 1.5**2))
        self.weights = weights / weights.sum()
        # The sample covariance divides by one less than the number of pixels in the window.
        self.factor = 49 / 48 if window == "uniform" else 1.0
        self.reach = len(weights) // 2 if border == "whole" else 0
        self.images = self._framed(images)
        self.mean, self.square = self._means(self.images, self.images**2)

    def ssim(self, images: Tensor, data_ranges: Iterable[float] = (1.0,)) -> list[Tensor]:
        """Structural similarity of each image, (B,), for each data range; K1 = 0.01, K2 = 0.03."""
        images = self._framed(images)
        mean, square, product = self._means(images, images**2, images * self.images)
        both, squares = mean * self.mean, mean**2 + self.mean**2
        covariance = (product - both) * self.factor
        variances = (square + self.square - squares) * self.factor
        found = []
        for data_range in data_ranges:
            c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
            top = (2 * both + c1) * (2 * covariance + c2)
            found.append((top / ((squares + c1) * (variances + c2))).mean((1, 2, 3)))
        return found

    def _framed(self, images: Tensor) -> Tensor:
        return F.pad(images, [self.reach] * 4, "reflect") if self.reach else images

    def _means(self, *images: Tensor) -> tuple[Tensor, ...]:
        """Means under the window, where it lies inside, of several (B, C, H, W) in one convolution."""
        joined = torch.cat(images, 1).contiguous(memory_format=torch.channels_last)
        column = self.weights.view(1, 1, -1, 1).repeat(joined.shape[1], 1, 1, 1)
        rows = F.conv2d(joined, column, groups=len(column))
        means = F.conv2d(rows, column.transpose(2, 3).contiguous(), groups=len(column))
        return means.contiguous().chunk(len(images), 1)
