"""Photographs under noise and blur, level by level (Section IV-A)."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
import traitlets
from torch import Tensor

from qrlib import distortions, metrics
from qrlib.book.explorers.base import Explorer, script
from qrlib.report import labels
from qrlib.report.data_uris import encode_image

#: Words for each distortion on a control and in a sentence, and the unit of its sigma.
KINDS = {
    kind: {"name": kind, "title": title, "unit": labels.SIGMA_UNITS[kind]}
    for kind, title in labels.DISTORTIONS.items()
}
# WebP halves the resolution of colour and takes a third of the noise with it; JPEG need not.
NOISY: dict[str, Any] = {"kind": "jpeg", "quality": 65, "subsampling": 0, "optimize": True}
SMOOTH: dict[str, Any] = {"kind": "webp", "quality": 88, "method": 6}


class Distorted(Explorer):
    """Choose a photograph, a distortion and a level; it shows PSNR and SSIM.

    Args:
        photographs: what each is called -> its pixels, (1, 3, H, W) in [0, 1].
        alts: what each shows, in the same order.
        seed: of the noise; the same on every level, as on the page.

    Attributes:
        image: position of the photograph.
        kind: "noise" or "blur".
        level: 1 to 5; 0 is clean.
    """

    _esm = script("common.js", "distorted.js")
    image = traitlets.Int(0).tag(sync=True)
    kind = traitlets.Enum(list(KINDS), "noise").tag(sync=True)
    level = traitlets.Int(3, min=0, max=5).tag(sync=True)

    def __init__(self, photographs: dict[str, Tensor], alts: list[str], seed: int = 0) -> None:
        levels = distortions.levels()
        kinds: list[dict[str, Any]] = [
            {"key": kind, **words, "sigmas": [d.sigma for d in levels[kind]]}
            for kind, words in KINDS.items()
        ]
        images: list[dict[str, Any]] = [
            {"name": name, "alt": alt, "clean": _picture(clean, **SMOOTH)}
            | {kind: _shown(clean, levels[kind], seed) for kind in KINDS}
            for (name, clean), alt in zip(photographs.items(), alts, strict=True)
        ]
        super().__init__(data={"images": images, "kinds": kinds})
        self.frame = pd.DataFrame(
            {"photograph": image["name"], "distortion": kind, "level": level, "sigma": d.sigma}
            | {metric: image[kind][metric][level - 1] for metric in ("psnr", "ssim")}
            for image in images
            for kind in KINDS
            for level, d in enumerate(levels[kind], start=1)
        )


def _shown(clean: Tensor, levels: list[distortions.Distortion], seed: int) -> dict[str, Any]:
    """A photograph at every level of one distortion, with what is measured on its exact pixels."""
    images = [level(clean, torch.Generator().manual_seed(seed)) for level in levels]
    options = NOISY if levels[0].kind == "noise" else SMOOTH
    return {
        "shown": [_picture(image, **options) for image in images],
        "psnr": [metrics.psnr(image, clean).item() for image in images],
        "ssim": [metrics.ssim(image, clean).item() for image in images],
    }


def _picture(image: Tensor, kind: str, **options: Any) -> str:
    return encode_image(image[0].permute(1, 2, 0).numpy(), kind, **options)
