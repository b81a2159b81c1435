"""The images that all train on: files on disk, as a recipe finds them, and their labels."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

from benchmarks.settings import Settings
from qrlib.data import Split, caltech, load, packed
from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError

SKIMAGE = importlib.metadata.version("scikit-image")
#: What scikit-image carries; see the README.txt of its data folder for sources and licences.
PHOTOGRAPHS = (
    "astronaut.png brick.png camera.png chelsea.png coffee.png coins.png grass.png gravel.png "
    "hubble_deep_field.jpg ihc.png moon.png motorcycle_left.png page.png retina.jpg rocket.jpg text.png"
).split()
#: Width and height of the pictures cut from them: about those of Caltech101.
PICTURE = (300, 200)
QUALITY = 90


@dataclass(frozen=True)
class Part:
    """Files, their labels, and the same images packed: what this project trains from."""

    files: list[Path]
    labels: list[int]
    packed: Split

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True)
class Corpus:
    classes: int
    train: Part
    validation: Part


def open_corpus(settings: Settings) -> Corpus:
    """The images of the settings; made or packed first where that has not been done.

    Raises:
        QrlibError: Caltech101 is not there, or has fewer images than asked for.
    """
    if settings.corpus == "caltech101":
        splits = load("caltech101", settings.size)
        root, _ = caltech.find("caltech101")
        parts = [
            _head([root / name for name in split.ids], split, count)
            for split, count in (
                (splits.train, settings.images),
                (splits.validation, settings.validation),
            )
        ]
        return Corpus(len(splits.classes), *parts)
    images, validation = settings.images or 2048, settings.validation or 512
    names, labels = _cut(images + validation)
    header = {"dataset": "pictures", "image_size": settings.size, "resize": "squash"}
    header["content"] = packed.text_hash([SKIMAGE, *map(str, PICTURE), *(p.name for p in names)])
    array = packed.pack(
        f"pictures-{settings.size}px-{header['content']}",
        header,
        len(names),
        lambda i: packed.read_image(names[i], settings.size, "squash"),
    )
    ids = [path.name for path in names]

    def part(rows: range) -> Part:
        chosen = slice(rows.start, rows.stop)
        split = Split(array, rows, labels[chosen], ids[chosen])
        return Part(names[chosen], labels[chosen], split)

    return Corpus(len(PHOTOGRAPHS), part(range(images)), part(range(images, len(names))))


def _head(paths_: list[Path], split: Split, count: int | None) -> Part:
    """The first `count` of a split, in an order that mixes the classes."""
    if count is not None and count > len(split):
        raise QrlibError(f"there are {len(split)} images, not {count}; ask for fewer")
    order = np.random.Generator(np.random.Philox(key=0)).permutation(len(split))[:count]
    labels = [int(split.labels[i]) for i in order]
    rows = [int(split.rows[i]) for i in order]
    chosen = Split(split.images, rows, labels, [split.ids[i] for i in order])
    return Part([paths_[i] for i in order], labels, chosen)


def photograph(number: int) -> Image.Image:
    """One of `PHOTOGRAPHS`, again and again, in RGB."""
    path = Path(skimage.__file__).parent / "data" / PHOTOGRAPHS[number % len(PHOTOGRAPHS)]
    with Image.open(path) as image:
        return image.convert("RGB")


def _cut(count: int) -> tuple[list[Path], list[int]]:
    """JPEG files cut from `PHOTOGRAPHS`, made once; and which each is of."""
    folder = paths.cache() / f"benchmark-pictures-{SKIMAGE}-{count}"
    width, height = PICTURE
    labels = [i % len(PHOTOGRAPHS) for i in range(count)]
    names = [folder / f"{i:05d}.jpg" for i in range(count)]
    if not folder.is_dir():
        rng = np.random.Generator(np.random.Philox(key=count))
        opened: dict[int, Image.Image] = {}
        with files.replacing(folder) as temporary:
            temporary.mkdir(parents=True)
            for path, label in zip(names, labels, strict=True):
                if label not in opened:
                    opened[label] = photograph(label)
                source = opened[label]
                side = min(source.width / width, source.height / height, 1.0)
                box = (int(side * width), int(side * height))
                left = int(rng.integers(source.width - box[0] + 1))
                top = int(rng.integers(source.height - box[1] + 1))
                cut = source.crop((left, top, left + box[0], top + box[1])).resize(PICTURE)
                cut.save(temporary / path.name, quality=QUALITY)
    return names, labels
