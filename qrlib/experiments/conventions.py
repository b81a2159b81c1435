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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from skimage.filters import gaussian
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from qrlib import data, distortions, metrics
from qrlib.data import caltech, packed
from qrlib.distortions import Distortion
from qrlib.experiments.ssim_variants import Target, grey
from qrlib.utils.errors import QrlibError

#: Field of `Convention` -> its values and what they mean, listed in the source; the first of each is
#: ours.
#:
#: :meta hide-value:
CHOICES: dict[str, dict[Any, str]] = {
    "resize": {
        "profile": "as the profile says: the whole image squashed, bilinear, antialiased (Pillow)",
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

    resize: str = "profile"
    noise: str = "clipped"
    depth: str = "float"
    border: str = "mirror"
    kernel: str = "cut"
    channels: str = "rgb"
    window: str = "gaussian"
    data_range: float = 1.0
    ssim_border: str = "inner"
    psnr_mean: str = "images"

    def __post_init__(self) -> None:
        for field, value in dataclasses.asdict(self).items():
            if value not in CHOICES[field]:
                raise QrlibError(
                    f"convention {field} must be one of {', '.join(map(repr, CHOICES[field]))}, "
                    f"not {value!r}"
                )

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that differ from ours."""
        mine = dataclasses.asdict(self).items()
        return {field: value for field, value in mine if value != next(iter(CHOICES[field]))}

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
    """The conventions that a data set allows: crops of photographs have no other size."""
    resizable = splits.dataset in caltech.LAYOUTS
    return [c for c in conventions() if resizable or c.resize == "profile"]


def read_pixels(path: Path, size: int, resize: str) -> Tensor:
    """A photograph as (1, 3, H, W) in [0, 1], resized from its file to `size` pixels a side.

    Args:
        resize: a value of `CHOICES["resize"]` other than "profile"; "original" ignores `size`.
    """
    image = packed.decode(path, lambda opened: ImageOps.exif_transpose(opened).convert("RGB"))
    if resize == "crop":
        pixels = packed.resize_image(image, size, "crop")  # (3, H, W)
    elif resize == "nearest":
        pixels = _channels_first(image.resize((size, size), Image.Resampling.NEAREST))
    else:
        pixels = _channels_first(image)
    images = torch.from_numpy(pixels.copy())[None].float()
    if resize == "bilinear":  # rounded, as an 8-bit image is by OpenCV
        images = F.interpolate(images, (size, size), mode="bilinear", align_corners=False).round()
    return images / 255


def _channels_first(image: Image.Image) -> np.ndarray:
    return np.asarray(image).transpose(2, 0, 1)


def distort(images: Tensor, name: str, distortion: Distortion, convention: Convention) -> Tensor:
    """One image (1, 3, H, W) distorted under a convention; `name` seeds the noise.

    Under our convention this is `qrlib.distortions.distort_for_evaluation`.  Unclipped noise is of
    the same strength, from other draws.
    """
    if distortion.kind == "noise" and convention.noise == "unclipped":
        digest = hashlib.sha256(f"{name}|unclipped|{distortion.level}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little"))
        shown = images + torch.randn(images.shape, generator=generator) * (distortion.sigma / 255)
    elif distortion.kind == "blur" and convention.kernel == "wide":
        mode = {"edge": "nearest", "symmetric": "reflect", "zero": "constant"}  # SciPy's names
        blurred = gaussian(
            images[0].numpy(),
            distortion.sigma,
            mode=mode.get(convention.border, convention.border),
            channel_axis=0,
        )
        shown = torch.from_numpy(blurred)[None]
    elif distortion.kind == "blur" and convention.border != "mirror":
        # A frame of the wanted border, wider than the kernel reaches, is blurred along and cut off.
        radius = distortions.kernel_size(distortion.sigma) // 2
        name_of = {"zero": "constant"}.get(convention.border, convention.border)  # NumPy's
        sides = [(0, 0), (0, 0), (radius, radius), (radius, radius)]
        framed = torch.from_numpy(np.pad(images.numpy(), sides, mode=name_of))  # type: ignore[call-overload]
        shown = distortion(framed)[..., radius:-radius, radius:-radius]
    else:
        shown = distortions.distort_for_evaluation(images, [name], distortion)
    return (shown * 255).round() / 255 if convention.depth == "8 bits" else shown


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
    values = _values(splits, chosen, positions, blur_scale)
    rows = []
    for convention in chosen:
        for case in _cases(convention.resize, blur_scale):
            for metric in ("psnr", "ssim"):
                treatment = convention.treatment(case.kind)
                each = np.array(
                    values[convention.resize, case, treatment, _metric(convention, metric)]
                )
                value, error = _mean(each, convention.psnr_mean if metric == "psnr" else "images")
                rows.append(
                    {
                        "convention": convention.name,
                        "factor": convention.factor,
                        "distortion": case.kind,
                        "level": case.level,
                        "strength": case.sigma,
                        "metric": metric,
                        "value": value,
                        "error": error,
                        "n": len(each),
                    }
                )
    return rows


@torch.no_grad()
def _values(
    splits: data.Splits,
    chosen: Sequence[Convention],
    positions: Sequence[int],
    blur_scale: float,
) -> dict[tuple, list[float]]:
    """(resize, distortion, treatment, metric) -> a value an image; what conventions share, once."""
    values: dict[tuple, list[float]] = defaultdict(list)
    size = splits.test.images.shape[-1]
    by_resize = {r: [c for c in chosen if c.resize == r] for r in CHOICES["resize"]}
    root = caltech.find(splits.dataset)[0] if splits.dataset in caltech.LAYOUTS else None
    for position in tqdm(positions, "conventions", unit="img", leave=False, mininterval=10):
        pixels, _, (name,) = splits.test[[position]]
        for resize, here in by_resize.items():
            if not here:
                continue
            if resize == "profile":
                clean = pixels.float() / 255
            elif root is None:
                raise QrlibError(f"{splits.dataset} has no files to resize: use resize 'profile'")
            else:
                clean = read_pixels(root / name, size, resize)
            targets: dict[tuple, Target] = {}
            for case in _cases(resize, blur_scale):
                by_treatment: dict[tuple, list[Convention]] = defaultdict(list)
                for convention in here:
                    by_treatment[convention.treatment(case.kind)].append(convention)
                for treatment, same in by_treatment.items():
                    shown = distort(clean, name, case, same[0])
                    for metric, value in _measured(shown, clean, same, targets).items():
                        values[resize, case, treatment, metric].append(value)
    return values


def _measured(
    shown: Tensor, clean: Tensor, same: Sequence[Convention], targets: dict[tuple, Target]
) -> dict[tuple, float]:
    """The metrics of one distorted image that some conventions ask for; `targets` keeps the clean."""
    found: dict[tuple, float] = {}
    ranges: dict[tuple, list[float]] = defaultdict(list)
    for c in same:
        ranges[c.channels, c.window, c.ssim_border].append(c.data_range)
    for (channels, window, border), asked in ranges.items():
        pair = (shown, clean) if channels == "rgb" else (grey(shown), grey(clean))
        if ("psnr", channels) not in found:
            found["psnr", channels] = metrics.psnr(*pair).item()
        if (channels, window, border) not in targets:
            targets[channels, window, border] = Target(pair[1], window, border)
        asked = sorted(set(asked))
        each = targets[channels, window, border].ssim(pair[0], asked)
        for data_range, value in zip(asked, each, strict=True):
            found["ssim", channels, window, border, data_range] = value.item()
    return found


def _metric(convention: Convention, metric: str) -> tuple:
    c = convention
    if metric == "psnr":
        return "psnr", c.channels
    return "ssim", c.channels, c.window, c.ssim_border, c.data_range


def _cases(resize: str, blur_scale: float) -> list[Distortion]:
    scale = 1.0 if resize == "original" else blur_scale
    return [c for each in distortions.levels(blur_scale=scale).values() for c in each]


def _mean(each: np.ndarray, how: str) -> tuple[float, float]:
    """Mean and its standard error; "mse" averages the squared errors behind PSNR values."""
    if how == "images":
        return float(each.mean()), float(each.std(ddof=1) / len(each) ** 0.5)
    mse = 10 ** (-each / 10)
    error = (
        mse.std(ddof=1) / len(mse) ** 0.5 / mse.mean()
    )  # relative; d(10 log10 x) = 10/ln(10) dx/x
    return float(-10 * np.log10(mse.mean())), float(10 / np.log(10) * error)
