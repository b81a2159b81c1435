"""What the paper leaves open about its distorted images, measured: PSNR and SSIM under each convention.

Table 5 prints the mean PSNR and SSIM of the *distorted* images.  No network takes part in them: they
depend on the photographs and on conventions that the paper does not state.  So the conventions that
give the printed numbers can be told from those that do not.  This module computes the means;
`qrlib.report.table5_conventions` holds them against Table 5.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.filters import gaussian
from skimage.metrics import structural_similarity
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from qrlib import data, distortions, metrics
from qrlib.data import caltech, decoding, packed
from qrlib.distortions import Distortion
from qrlib.utils.errors import QrlibError

#: Field of `Convention` -> its values and what they mean, listed in the source; the first of each is
#: ours.
#:
#: :meta hide-value:
CHOICES: dict[str, dict[Any, str]] = {
    "resize": {
        "squash": "the whole image squashed, bilinear, antialiased (Pillow)",
        "nearest": "squashed by nearest neighbour (the default of Keras' image loaders)",
        "bilinear": "squashed, bilinear between four pixels, not antialiased (OpenCV)",
        "crop": "the largest square in the middle, bilinear, antialiased (Pillow)",
        "original": "not resized",
    },
    "noise": {"clipped": "clipped to [0, 1]", "unclipped": "not clipped"},
    "depth": {"float": "floating point", "8 bits": "distorted images rounded to 8 bits"},
    "border": {
        "mirror": "mirrored without the edge pixel (OpenCV's default)",
        "edge": "the edge pixel repeated",
        "symmetric": "mirrored with the edge pixel (SciPy's default)",
        "zero": "black",
    },
    "kernel": {"cut": "4 sigma - 1 pixels, as printed", "wide": "cut at 4 sigma (SciPy's default)"},
    "channels": {"rgb": "on the three channels", "grey": "on the luma of ITU-R BT.601"},
    "window": {
        "gaussian": "SSIM: Gaussian, 11 pixels, sigma 1.5 (Wang et al. 2004)",
        "uniform": "SSIM: uniform, 7 pixels, sample covariance (scikit-image's default)",
    },
    "data_range": {
        1.0: "SSIM: the range of images in [0, 1]",
        2.0: "SSIM: 2, what scikit-image assumed of floating-point images not told otherwise",
    },
    "ssim_border": {
        "inner": "SSIM: pixels whose window lies inside the image",
        "whole": "SSIM: all pixels, the image mirrored around its border",
    },
    "psnr_mean": {
        "images": "mean of the images' PSNR",
        "mse": "PSNR of the images' mean squared error",
    },
}


@dataclasses.dataclass(frozen=True)
class Convention:
    """One way to distort images and to measure them; the fields are the keys of `CHOICES`.

    >>> Convention(resize="nearest", data_range=2.0).name
    'resize nearest, data range 2'
    """

    resize: str = "squash"
    noise: str = "clipped"
    depth: str = "float"
    border: str = "mirror"
    kernel: str = "cut"
    channels: str = "rgb"
    window: str = "gaussian"
    data_range: float = 1.0
    ssim_border: str = "inner"
    psnr_mean: str = "images"

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that differ from ours."""
        values = dataclasses.asdict(self).items()
        return {field: value for field, value in values if value != next(iter(CHOICES[field]))}

    @property
    def name(self) -> str:
        each = (
            f"{f} {v:g}" if isinstance(v, float) else f"{f} {v}" for f, v in self.changes.items()
        )
        return ", ".join(each).replace("_", " ") or "ours"

    @property
    def factor(self) -> str:
        return " and ".join(self.changes).replace("_", " ") or "none"

    def treatment(self, kind: str) -> tuple[str, ...]:
        """What decides the pixels of an image distorted by noise or blur."""
        if kind == "noise":
            return self.noise, self.depth
        return self.border, self.kernel, self.depth


OURS = Convention()


def conventions() -> list[Convention]:
    """Ours, each factor changed alone, and resizing crossed with SSIM's window and data range.

    Those three move the numbers most, and each has a default in a library of the paper's time.
    """
    alone = [
        Convention(**{field: value})
        for field, values in CHOICES.items()
        for value in list(values)[1:]
    ]
    crossed = [
        Convention(resize=resize, window=window, data_range=data_range)
        for resize in CHOICES["resize"]
        for window in CHOICES["window"]
        for data_range in CHOICES["data_range"]
    ]
    return list(dict.fromkeys([OURS, *alone, *crossed]))


def available(splits: data.Splits) -> list[Convention]:
    """The conventions that a data set allows: images that come resized have no other size."""
    resizable = splits.dataset in caltech.LAYOUTS
    return [c for c in conventions() if resizable or c.resize == "squash"]


def read_pixels(path: Path, size: int, resize: str) -> Tensor:
    """A photograph as (1, 3, H, W) in [0, 1], resized from its file to `size` pixels a side.

    Args:
        resize: a value of `CHOICES["resize"]`; "original" ignores `size`.
    """
    image = packed.decode(path, lambda opened: decoding.upright(opened).convert("RGB"))
    if resize in packed.RESIZES:
        pixels = packed.resize_image(image, size, resize)  # (3, H, W)
    else:
        pixels = np.asarray(image).transpose(2, 0, 1)
    images = torch.from_numpy(pixels.copy())[None].float()
    if resize == "bilinear":  # rounded, as an 8-bit image is by OpenCV
        images = F.interpolate(images, (size, size), mode="bilinear", align_corners=False).round()
    return images / 255


#: SciPy's names of `CHOICES["border"]`.
_SCIPY_MODES = {"mirror": "mirror", "edge": "nearest", "symmetric": "reflect", "zero": "constant"}


def distort(images: Tensor, name: str, distortion: Distortion, convention: Convention) -> Tensor:
    """One image (1, 3, H, W) distorted under a convention; `name` seeds the noise.

    Under our convention this is `qrlib.distortions.distort_for_evaluation`.  Unclipped noise is of
    the same strength, from other draws.
    """
    if distortion.kind == "noise" and convention.noise == "unclipped":
        digest = hashlib.sha256(f"{name}|unclipped|{distortion.level}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little"))
        shown = images + torch.randn(images.shape, generator=generator) * (distortion.sigma / 255)
    elif distortion.kind == "blur" and (convention.kernel, convention.border) != ("cut", "mirror"):
        radius = distortions.kernel_size(distortion.sigma) // 2
        blurred = gaussian(
            images[0].numpy(),
            distortion.sigma,
            mode=_SCIPY_MODES[convention.border],
            truncate=4.0 if convention.kernel == "wide" else radius / distortion.sigma,
            channel_axis=0,
        )
        shown = torch.from_numpy(blurred)[None]
    else:
        shown = distortions.distort_for_evaluation(images, [name], distortion)
    return (shown * 255).round() / 255 if convention.depth == "8 bits" else shown


def grey(images: Tensor) -> Tensor:
    """Luma of ITU-R BT.601: (B, 3, H, W) -> (B, 1, H, W)."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


#: Of scikit-image's structural_similarity; K1 = 0.01 and K2 = 0.03 are its own.
_SSIM_OPTIONS: dict[str, dict[str, Any]] = {
    "gaussian": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    "uniform": {"win_size": 7},
}


def ssim(
    shown: Tensor,
    clean: Tensor,
    window: str = "gaussian",
    data_range: float = 1.0,
    border: str = "inner",
) -> float:
    """Structural similarity of two images (1, C, H, W) in [0, 1], at least as large as the window.

    Args:
        window, data_range, border: values of `CHOICES`, border of its "ssim_border".
    """
    reach = {"inner": 0, "whole": 5 if window == "gaussian" else 3}[border]
    pair = [
        np.pad(image[0].numpy(), [(0, 0), (reach, reach), (reach, reach)], mode="reflect")
        for image in (shown, clean)
    ]
    options = _SSIM_OPTIONS[window]
    return float(structural_similarity(*pair, channel_axis=0, data_range=data_range, **options))


def choose_images(count: int, images: int | None, seed: int = 0) -> list[int]:
    """Positions of `images` of `count` test images, at random without replacement; None: all."""
    if images is None:
        return list(range(count))
    if type(images) is not int or not 2 <= images <= count:
        raise QrlibError(f"images must lie between 2 and {count}, or be None for all: {images!r}")
    return sorted(np.random.default_rng(seed).choice(count, images, replace=False).tolist())


def measure(
    splits: data.Splits,
    chosen: Sequence[Convention],
    *,
    blur_scale: float = 1.0,
    images: int | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Mean PSNR and SSIM of distorted test images under each convention, in float32 on the CPU.

    Args:
        chosen: of `available`.
        blur_scale: see `qrlib.distortions.levels`; images of their original size are not scaled.
        images: how many test images, at random with `seed`; None takes all.

    Returns:
        One dict for each convention, distortion, level and metric: convention, factor, distortion,
        level, strength, metric ("psnr" in dB, "ssim"), value, error (standard error of the value,
        over images), n (images).
    """
    positions = choose_images(len(splits.test), images, seed)
    values: dict[tuple[Convention, Distortion], list[tuple[float, float]]] = defaultdict(list)
    for position in tqdm(positions, "conventions", unit="img", leave=False, mininterval=10):
        shared: dict[tuple, Any] = {}  # what several conventions have in common, computed once
        for convention in chosen:
            for case in _cases(convention.resize, blur_scale):
                pair = _psnr_and_ssim(splits, position, case, convention, shared)
                values[convention, case].append(pair)
    rows = []
    for (convention, case), pairs in values.items():
        means_of = {"psnr": convention.psnr_mean, "ssim": "images"}
        for each, (metric, how) in zip(np.array(pairs).T, means_of.items(), strict=True):
            value, error = _mean(each, how)
            rows.append(
                {
                    "convention": convention.name, "factor": convention.factor,
                    "distortion": case.kind, "level": case.level, "strength": case.sigma,
                    "metric": metric, "value": value, "error": error, "n": len(each),
                }
            )  # fmt: skip
    return rows


def _psnr_and_ssim(
    splits: data.Splits, position: int, case: Distortion, convention: Convention, shared: dict
) -> tuple[float, float]:
    """The two metrics of one test image; `shared` keeps what other conventions compute of it as well."""

    def once(compute: Callable[..., Any], *key: Any) -> Any:
        if key not in shared:
            shared[key] = compute()
        return shared[key]

    c, name = convention, splits.test.ids[position]
    clean = once(lambda: _clean(splits, position, c.resize), c.resize)
    treatment = (c.resize, case, c.treatment(case.kind))
    shown = once(lambda: distort(clean, name, case, c), *treatment)
    pair = (shown, clean) if c.channels == "rgb" else (grey(shown), grey(clean))
    psnr = once(lambda: metrics.psnr(pair[0], pair[1]).item(), *treatment, c.channels)
    options = (c.window, c.data_range, c.ssim_border)
    return psnr, once(lambda: ssim(pair[0], pair[1], *options), *treatment, c.channels, *options)


def _clean(splits: data.Splits, position: int, resize: str) -> Tensor:
    """One test image, (1, 3, H, W) in [0, 1], resized under a convention."""
    pixels, _, (name,) = splits.test[[position]]
    if splits.dataset not in caltech.LAYOUTS:
        if resize != "squash":
            raise QrlibError(f"{splits.dataset} has no files to resize: use resize 'squash'")
        return pixels.float() / 255
    return read_pixels(caltech.folder_of(splits.dataset) / name, pixels.shape[-1], resize)


def _cases(resize: str, blur_scale: float) -> list[Distortion]:
    scale = 1.0 if resize == "original" else blur_scale
    return [case for level in distortions.levels(blur_scale=scale).values() for case in level]


def _mean(each: np.ndarray, how: str) -> tuple[float, float]:
    """Mean and its standard error; "mse" averages the squared errors behind PSNR values."""
    if how == "images":
        return float(each.mean()), float(each.std(ddof=1) / len(each) ** 0.5)
    mse = 10 ** (-each / 10)
    relative_error = mse.std(ddof=1) / len(mse) ** 0.5 / mse.mean()
    # d(10 log10 x) = 10 / ln(10) dx / x
    return float(-10 * np.log10(mse.mean())), float(10 / np.log(10) * relative_error)
