"""Images decoded and resized once into one uint8 array on disk, mapped into memory when used."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from tqdm import tqdm

from qrlib.data import decoding
from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError, choose

FORMAT = 1
RESIZES = ("squash", "nearest", "crop")
#: Files of some kilobytes can claim to hold gigabytes; several are decoded at a time.
MAX_PIXELS = 1 << 26

Result = TypeVar("Result")


class Split:
    """Some images of a packed store: index it with a list of positions to get a batch.

    ``split[[0, 5]]`` is (images uint8 (B, 3, S, S), labels int64 (B,), ids list of B strings).
    """

    def __init__(
        self, images: np.ndarray, rows: Sequence[int], labels: Sequence[int], ids: list[str]
    ):
        self.images = images  # (N, 3, S, S) uint8, the whole store
        self.rows = np.asarray(rows, dtype=np.int64)
        self.labels = torch.as_tensor(np.asarray(labels, dtype=np.int64))
        self.ids = ids

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, positions: Sequence[int]) -> tuple[Tensor, Tensor, list[str]]:
        images = torch.from_numpy(self.images[self.rows[list(positions)]])
        return images, self.labels[list(positions)], [self.ids[i] for i in positions]

    def spread(self, count: int | None) -> Split:
        """`count` images, the same at each call, each class with its share of them; None: all."""
        if count is None or count >= len(self):
            return self
        by_class = np.argsort(self.labels.numpy(), kind="stable")
        return self._part(np.sort(by_class[np.arange(count) * len(self) // count]))

    def shuffled(self, seed: int) -> Split:
        """The same images in an order that the seed decides."""
        return self._part(np.random.default_rng(seed).permutation(len(self)))

    def _part(self, positions: np.ndarray) -> Split:
        ids = [self.ids[i] for i in positions]
        return Split(
            self.images, self.rows[positions].tolist(), self.labels[positions].tolist(), ids
        )


@dataclass(frozen=True)
class Splits:
    """The three parts of a data set, and the manifest that says which image is in which."""

    dataset: str
    classes: list[str]
    train: Split
    validation: Split
    test: Split
    manifest: dict[str, Any] = field(repr=False)

    @property
    def manifest_hash(self) -> str:
        """SHA-256 of the manifest; same hash, same images in the same parts."""
        return hashlib.sha256(json.dumps(self.manifest, sort_keys=True).encode()).hexdigest()

    def write_manifest(self, folder: Path) -> Path:
        """Save the manifest as ``split-<hash>.json``."""
        path = folder / f"split-{self.manifest_hash[:12]}.json"
        if not path.exists():
            files.write_json(path, self.manifest)
        return path


def resize_image(image: Image.Image, size: int, resize: str) -> np.ndarray:
    """A square RGB image as uint8 (3, size, size).

    "squash" scales each side by its own factor, which keeps the whole object, antialiased bilinear.
    "nearest" does so by nearest neighbour, the default of Keras' image loaders, with which the paper's
    Table 5 agrees.  "crop" keeps the shape and cuts the centre, antialiased bilinear.
    Grey images get three equal channels; transparency is laid over white.

    Raises:
        QrlibError: a size below 1.
        ValueError: 16 or 32 bits a pixel.
    """
    if size < 1:
        raise QrlibError(f"an image needs a side of at least 1 pixel, not {size}")
    if image.mode.startswith(("I", "F")):  # Pillow would cut what is above 255
        raise ValueError("16 or 32 bits a pixel; convert it to 8")
    image = decoding.upright(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    image = image.convert("RGB")
    if resize == "crop":
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    else:
        filters = {"squash": Image.Resampling.BILINEAR, "nearest": Image.Resampling.NEAREST}
        image = image.resize((size, size), filters[resize])
    return np.asarray(image).transpose(2, 0, 1)


def read_image(path: Path, size: int, resize: str) -> np.ndarray:
    """Decode and resize one file, as `resize_image` does; an unreadable one is named."""
    return decode(path, lambda image: resize_image(image, size, resize))


def decode(path: Path, use: Callable[[Image.Image], Result]) -> Result:
    """Open an image of a data set for `use`; one that cannot be read, or used, is named.

    Raises:
        QrlibError: a file that is no image, is damaged, or has more than `MAX_PIXELS` pixels.
        PermissionError: it may not be read.
    """
    try:
        with decoding.opened(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width}x{image.height} pixels, more than {MAX_PIXELS:,}")
            return use(image)
    except PermissionError:
        raise
    except Exception as error:  # on damaged files Pillow's decoders raise whatever happens to them
        raise QrlibError(
            f"cannot read image {path} ({error}); replace or remove that file and run again"
        ) from error


def pack(
    name: str,
    header: dict[str, Any],
    count: int,
    read: Callable[[int], np.ndarray],
) -> np.ndarray:
    """Open the packed store `name`, making it first if it is not there.

    Args:
        name: folder in the cache; `header` should be part of it.
        header: settings that decide the pixels (data set, image_size, resize, ids...); checked
            against those in an existing store.
        count: number of images.
        read: position -> uint8 (3, S, S).  Called from several threads.

    Returns:
        (count, 3, S, S) uint8, mapped read-only from disk.
    """
    choose("resize", header["resize"], RESIZES)
    folder = paths.cache() / name
    header = {"format": FORMAT, **header}
    if not folder.exists():
        size = header["image_size"]
        with files.replacing(folder) as temporary:
            temporary.mkdir()
            images = np.lib.format.open_memmap(
                temporary / "images.npy", "w+", np.uint8, (count, 3, size, size)
            )
            if hasattr(os, "posix_fallocate"):  # a full disk is met here, not as a crash half-way
                with (temporary / "images.npy").open("r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, file.seek(0, os.SEEK_END))
            with concurrent.futures.ThreadPoolExecutor() as pool:
                done = pool.map(read, range(count))
                for i, image in enumerate(
                    tqdm(done, f"packing {header['dataset']}", count, leave=False, mininterval=5)
                ):
                    images[i] = image
            images.flush()
            written = {**header, "sha256": files.file_hash(temporary / "images.npy")}
            files.write_json(temporary / "header.json", written)
    return _open(folder, header, count)


def _open(folder: Path, header: dict[str, Any], count: int) -> np.ndarray:
    way_out = f"delete {folder} to have it packed again"
    there = files.read_json(folder / "header.json", "packed store's header")
    if not isinstance(there, dict):
        raise QrlibError(f"packed store {folder.name} has a damaged header; {way_out}")
    stored = there.pop("sha256", None)  # earlier ones have none
    for key in sorted(header.keys() | there.keys()):
        if there.get(key) != header.get(key):
            raise QrlibError(
                f"packed store {folder.name} was made with {key} = {_short(there.get(key))}, but "
                f"{_short(header.get(key))} is asked for; {way_out}"
            )
    try:
        images = np.lib.format.open_memmap(folder / "images.npy", mode="r")
    except PermissionError:
        raise  # nothing is wrong with the file
    except Exception as error:  # a damaged header is parsed as Python's literals are
        raise QrlibError(f"packed store {folder.name} is damaged ({error}); {way_out}") from error
    side = header["image_size"]
    if images.shape != (count, 3, side, side) or images.dtype != np.uint8:
        what = f"an array of {images.shape}, {images.dtype}"
        raise QrlibError(f"packed store {folder.name} holds {what}; {way_out}")
    if stored not in (None, files.file_hash(folder / "images.npy")):
        raise QrlibError(f"packed store {folder.name} is damaged (its hash is another); {way_out}")
    return images


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."


def text_hash(lines: Iterable[str]) -> str:
    """Short SHA-256 of some lines."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
