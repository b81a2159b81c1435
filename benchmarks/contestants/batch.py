"""The batch that blurs and noises work on, and the result they are held against."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.settings import Settings
from qrlib import distortions
from qrlib.data import photographs


def images(settings: Settings) -> Tensor:
    """(B, 3, S, S) in [0, 1], float32, on the CPU: pieces of photographs."""
    count, size = settings.distort
    rng = np.random.Generator(np.random.Philox(key=0))
    pieces = []
    for i in range(count):
        picture = photographs._open(photographs.FILES[i % len(photographs.FILES)])
        repeats = [1, *(-(-size // side) for side in picture.shape[1:])]
        picture = np.tile(picture, repeats)  # those smaller than a piece
        top, left = (int(rng.integers(side - size + 1)) for side in picture.shape[1:])
        pieces.append(picture[:, top : top + size, left : left + size])
    return torch.from_numpy(np.stack(pieces)).float() / 255


def difference(result: Any, given: Tensor, sigma: float) -> float:
    """Largest difference of a blurred batch (B, 3, S, S) to OpenCV's definition of the paper's blur,
    by the kernel itself in float64, at some of the images."""
    kernel = torch.from_numpy(distortions.gaussian_kernel(sigma))  # (k,)
    few = given[:2].cpu().double()
    radius = len(kernel) // 2
    padded = torch.nn.functional.pad(few, [radius] * 4, mode="reflect")
    across = padded.unfold(3, len(kernel), 1) @ kernel
    expected = across.unfold(2, len(kernel), 1) @ kernel
    found = torch.as_tensor(result)[:2].cpu().double()
    return float((found - expected).abs().max())
