"""A large photograph restored by `qrlib.inference.recover`: file to file, and in tiles beside all at once."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import skimage
import torch
from PIL import Image

from benchmarks.contest import Ready
from benchmarks.contestants.torch_device import device_of, waiting
from benchmarks.settings import Settings
from qrlib.inference import recover
from qrlib.models import load_qrnet, shipped_profile


def _photo(megapixels: float) -> np.ndarray:
    """(H, W, 3) uint8, three to two: a photograph of scikit-image's repeated."""
    height = round((megapixels * 1e6 * 2 / 3) ** 0.5)
    width = round(megapixels * 1e6 / height)
    source = skimage.data.astronaut()
    repeats = (-(-height // source.shape[0]), -(-width // source.shape[1]), 1)
    return np.ascontiguousarray(np.tile(source, repeats)[:height, :width])


def file(settings: Settings, *, megapixels: float) -> Ready:
    """`python -m qrlib recover` on a JPEG file of so many megapixels."""
    device = device_of(settings)
    folder = Path(tempfile.mkdtemp(prefix="benchmark-photo-"))
    source, target = folder / "photo.jpg", folder / "restored.png"
    Image.fromarray(_photo(megapixels)).save(source, quality=95)
    net = shipped_profile()

    def run() -> None:
        recover.recover_file(source, target, profile=net, overwrite=True)

    return Ready(run, work={"pixels": megapixels * 1e6}, device=waiting(device))


def _images(megapixels: float) -> torch.Tensor:
    return torch.from_numpy(_photo(megapixels)).permute(2, 0, 1)[None].float() / 255


def tiled(settings: Settings, *, megapixels: float) -> Ready:
    """`recover` in tiles of its own size."""
    device = device_of(settings)
    net = load_qrnet()
    images = _images(megapixels)
    return Ready(lambda: recover.recover(images, net), device=waiting(device))


def whole(settings: Settings, *, megapixels: float) -> Ready:
    """The network on the whole image at once; the difference is that to the tiles."""
    device = device_of(settings)
    net = load_qrnet()
    images = _images(megapixels)
    side = -(-max(images.shape[2:]) // recover.STEP) * recover.STEP

    def run() -> torch.Tensor:
        return recover.recover(images, net, tile=side)

    difference = float((run() - recover.recover(images, net)).abs().max())
    return Ready(run, difference=difference, device=waiting(device))
