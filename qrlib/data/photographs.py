"""The quick profile's data: crops of the photographs that scikit-image carries.

"Which photograph is this a piece of?"  Real pixels, labels for nothing, nothing to download.  Training,
validation and test crops come from strips of a photograph that do not overlap.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from PIL import Image

from qrlib.data import packed
from qrlib.data.splits import PARTS
from qrlib.utils.errors import QrlibError

VERSION = importlib.metadata.version("scikit-image")
#: Files in scikit-image's data folder; see that package's README.txt for sources and licences.
FILES = (
    "astronaut.png brick.png camera.png chelsea.png coffee.png coins.png grass.png gravel.png "
    "hubble_deep_field.jpg ihc.png moon.png motorcycle_left.png page.png retina.jpg rocket.jpg text.png"
).split()
#: A photograph's longer side is cut into strips a little wider than a crop, which the parts take in
#: turn: each part sees something of everything in the picture, and no pixel is in two parts.
STRIPS = ("train", "test", "train", "validation", "train")
#: Crops of one photograph, where the caller does not say.
TRAIN_CROPS = 160
#: Validation and test crops, as shares of the training crops.
SHARES = {"train": 1.0, "validation": 0.15, "test": 0.25}


def load(
    image_size: int, split_seed: int, classes: int | None, per_class: int | None
) -> packed.Splits:
    """See `qrlib.data.load`; `per_class` is the number of training crops of each photograph."""
    files = FILES
    if classes is not None:
        if not 2 <= classes <= len(FILES):
            raise QrlibError(f"classes must lie between 2 and {len(FILES)}, not {classes}")
        files = [FILES[i * len(FILES) // classes] for i in range(classes)]
    train_crops = TRAIN_CROPS if per_class is None else per_class
    crops = {
        part: [
            crop
            for number, file in enumerate(files)
            for crop in _crops(file, number, part, image_size, split_seed, train_crops)
        ]
        for part in PARTS
    }
    flat = [crop for part in PARTS for crop in crops[part]]
    ids = [f"{file}@{x},{y}" for file, x, y, _ in flat]
    photographs = {file: _open(file) for file in files}

    def read(i: int) -> np.ndarray:
        file, x, y, _ = flat[i]
        return photographs[file][:, y : y + image_size, x : x + image_size]

    content = packed.text_hash([VERSION, *ids])
    images = packed.pack(
        f"photographs-{image_size}px-{content}",
        {"dataset": "photographs", "image_size": image_size, "resize": "crop", "content": content},
        len(flat),
        read,
    )
    splits, start = {}, 0
    for part in PARTS:
        rows = range(start, start + len(crops[part]))
        splits[part] = packed.Split(
            images, rows, [flat[i][3] for i in rows], [ids[i] for i in rows]
        )
        start += len(crops[part])
    manifest: dict[str, Any] = {
        "dataset": "photographs",
        "image_size": image_size,
        "split_seed": split_seed,
        "content": content,
        "classes": [Path(f).stem for f in files],
        **{part: splits[part].ids for part in PARTS},
    }
    return packed.Splits("photographs", manifest["classes"], manifest=manifest, **splits)


def strips_of(length: int, size: int) -> list[tuple[str, int, int]]:
    """(part, first pixel, last pixel + 1) of the strips along a side; neighbours of one part joined.

    >>> strips_of(390, 64)[:3]
    [('train', 0, 65), ('test', 65, 130), ('train', 130, 195)]
    """
    count = length // size
    edges = [i * length // count for i in range(count + 1)] if count else []
    strips: list[tuple[str, int, int]] = []
    for i in range(count):
        part = STRIPS[i % len(STRIPS)]
        if strips and strips[-1][0] == part:
            strips[-1] = (part, strips[-1][1], edges[i + 1])
        else:
            strips.append((part, edges[i], edges[i + 1]))
    return strips


def _open(file: str) -> np.ndarray:
    path = Path(skimage.__file__).parent / "data" / file
    if not path.is_file():
        raise QrlibError(
            f"scikit-image {VERSION} carries no {file}; install the version in the lock file"
        )
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)  # (3, H, W)


def _crops(
    file: str, number: int, part: str, size: int, seed: int, train_crops: int
) -> list[tuple[str, int, int, int]]:
    """Random positions (file, x, y, label) inside the part's strips."""
    _, height, width = _open(file).shape
    length = max(height, width)
    strips = strips_of(length, size)
    ranges = np.array([(low, high) for owner, low, high in strips if owner == part])
    if not len(ranges) or min(height, width) < size:
        raise QrlibError(f"{file} is too small for {part} crops of {size} pixels; use fewer pixels")
    rng = np.random.Generator(np.random.Philox(key=[seed, number * len(PARTS) + PARTS.index(part)]))
    count = max(1, round(SHARES[part] * train_crops))
    strip = ranges[rng.integers(len(ranges), size=count)]  # (count, 2)
    x_range = strip if width >= height else np.tile([0, width], (count, 1))
    y_range = np.tile([0, height], (count, 1)) if width >= height else strip

    def place(low_high: np.ndarray) -> np.ndarray:
        room = low_high[:, 1] - low_high[:, 0] - size + 1
        return low_high[:, 0] + np.floor(rng.random(count) * room).astype(int)

    x, y = place(x_range), place(y_range)
    return [(file, int(a), int(b), number) for a, b in zip(x, y, strict=True)]
