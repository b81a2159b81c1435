"""PSNR and SSIM of each image (Section IV-D), on RGB images in [0, 1] (data range 1).

SSIM is that of Wang et al. 2004: an 11x11 Gaussian window with sigma 1.5, K1 = 0.01, K2 = 0.03, averaged
over the three channels and over the pixels whose window lies inside the image; it equals scikit-image's
with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``.
"""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from qrlib.utils.errors import QrlibError

#: dB; what 8 bits can tell apart ends at 48, so no restored photograph comes near.
MOST_PSNR = 100.0


def psnr(images: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of each image: (B, 3, H, W) in [0, 1] twice -> (B,).

    Identical images, such as a flat one and its blur, count as `MOST_PSNR`: infinity has no mean.
    """
    each = peak_signal_noise_ratio(images, target, data_range=1.0, reduction="none", dim=(1, 2, 3))
    return each.clamp(max=MOST_PSNR)


def ssim(images: Tensor, target: Tensor) -> Tensor:
    """Structural similarity of each image: (B, 3, H, W) in [0, 1] twice -> (B,).

    Raises:
        QrlibError: images smaller than the window of 11 pixels.
    """
    if min(images.shape[-2:]) < 11:
        raise QrlibError(
            f"SSIM needs images of at least 11x11 pixels, not {tuple(images.shape[-2:])}"
        )
    # torchmetrics' own mean takes in the border, where the window hangs over a mirrored edge.  Its
    # convolutions, a channel each, take twice as long on channels-last images.
    _, each = structural_similarity_index_measure(
        images.contiguous(),
        target.contiguous(),
        data_range=1.0,
        sigma=1.5,
        return_full_image=True,
    )  # (B, 3, H, W)
    return each[..., 5:-5, 5:-5].mean((1, 2, 3))
