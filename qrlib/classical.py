"""Classical restorers to compare with the networks: is a trained classifier's gradient needed at all?

They learn nothing but one number, their strength, and are told more than QRNet is: which distortion it
was, for non-local means the sigma of the noise, and for blur the true kernel.  All are scikit-image's;
edges are mirrored, as in `qrlib.distortions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qrlib.distortions import Distortion, gaussian_kernel
from qrlib.utils.errors import QrlibError, choose

Image = NDArray[np.float32]  # (H, W, 3) in [0, 1]
Restore = Callable[[Image, float, Distortion], Image]


@dataclass(frozen=True)
class Filter:
    """One classical restorer.

    Attributes:
        distortion: "noise" or "blur", what it is made for.
        strengths: those that are tried, weakest first; `meaning` says what they are.
        restore: image, strength and the distortion that it undoes -> image.
    """

    distortion: str
    meaning: str
    strengths: tuple[float, ...]
    restore: Restore


def _gaussian(image: Image, strength: float, distortion: Distortion) -> Image:
    from skimage.filters import gaussian

    return gaussian(image, strength, mode="mirror", channel_axis=-1)


def _total_variation(image: Image, strength: float, distortion: Distortion) -> Image:
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(image, strength, channel_axis=-1)


def _non_local_means(image: Image, strength: float, distortion: Distortion) -> Image:
    from skimage.restoration import denoise_nl_means

    sigma = distortion.sigma / 255
    options = {"patch_size": 5, "patch_distance": 6, "fast_mode": True}
    return denoise_nl_means(image, h=strength * sigma, sigma=sigma, channel_axis=-1, **options)


def _deconvolve(
    deconvolution: Callable[[Image, Image], Image], image: Image, distortion: Distortion
) -> Image:
    """Apply a deconvolution to each channel of an image that goes on beyond its edges as a mirror."""
    line = gaussian_kernel(distortion.sigma)
    kernel = np.outer(line, line)
    # Deconvolution takes an image for periodic: what it does at the edges is cut off again.
    margin = min(2 * len(line), min(image.shape[:2]) - 1)
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    channels = [deconvolution(padded[..., c], kernel) for c in range(image.shape[2])]
    return np.stack(channels, -1)[margin:-margin, margin:-margin]


def _wiener(image: Image, strength: float, distortion: Distortion) -> Image:
    from skimage.restoration import wiener

    return _deconvolve(lambda x, kernel: wiener(x, kernel, strength), image, distortion)


#: The weakest strength hardly changes an image, so that validation images may choose that a filter does nothing.
#: Not of non-local means: towards 0 it still averages patches that differ by no more than their noise.
FILTERS = {
    "gaussian_filter": Filter(
        "noise", "sigma in pixels", (0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0), _gaussian
    ),
    "total_variation": Filter(
        "noise", "weight", (0.002, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6), _total_variation
    ),
    "non_local_means": Filter(
        "noise",
        "cut-off in sigmas of the noise",
        (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0),
        _non_local_means,
    ),
    "wiener": Filter("blur", "regularisation", (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0), _wiener),
}


class ClassicalRestorer(nn.Module):
    """One of `FILTERS` with a strength for each level; learns nothing.

    Args:
        name: key of `FILTERS`.
        strengths: level -> strength, see `Filter.meaning`.
    """

    def __init__(self, name: str, strengths: Mapping[int, float]) -> None:
        super().__init__()
        self.filter = FILTERS[choose("classical restorer", name, FILTERS)]
        for level, strength in strengths.items():
            if not strength > 0:
                raise QrlibError(f"the strength of {name} at level {level} must be above 0")
        self.strengths = dict(strengths)
        # As a buffer, so that a hash of what it consists of has them.
        self.register_buffer("values", torch.tensor(list(strengths.values())))

    def told(self, distortion: Distortion) -> nn.Module:
        """What restores images of this distortion; clean ones stay as they are.

        Raises:
            QrlibError: another kind of distortion than the filter's, or a level without a strength.
        """
        if distortion.kind == "clean":
            return nn.Identity()
        if distortion.kind != self.filter.distortion or distortion.level not in self.strengths:
            raise QrlibError(
                f"this filter undoes {self.filter.distortion} at levels "
                f"{', '.join(map(str, self.strengths))}, not {distortion.kind} at {distortion.level}"
            )
        return _Told(self.filter.restore, self.strengths[distortion.level], distortion)


class _Told(nn.Module):
    """A filter at one strength for one distortion: (B, 3, H, W) in [0, 1] -> the same, in float32."""

    def __init__(self, restore: Restore, strength: float, distortion: Distortion) -> None:
        super().__init__()
        self.restore, self.strength, self.distortion = restore, strength, distortion

    def forward(self, images: Tensor) -> Tensor:
        pictures = images.float().permute(0, 2, 3, 1).contiguous().cpu().numpy()
        restored = [self.restore(x, self.strength, self.distortion) for x in pictures]
        batch = torch.from_numpy(np.stack(restored).astype(np.float32)).permute(0, 3, 1, 2)
        return batch.clamp(0, 1).to(images.device)
