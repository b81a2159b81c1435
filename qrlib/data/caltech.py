"""Caltech101 and Caltech256, in the folders that torchvision reads and downloads."""

from __future__ import annotations

import contextlib
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from qrlib.data import embedded, packed
from qrlib.data.splits import stratified
from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError


class Layout(NamedTuple):
    """A data set as it is published."""

    folder: str  # below the data root
    clutter: str  # the class that is none
    downloader: str  # torchvision's
    class_name: str  # what else is in the folder was left there by systems and tools
    image_name: str  # without its ending
    classes: int
    images: int


LAYOUTS = {
    "caltech101": Layout(
        "caltech101/101_ObjectCategories", "BACKGROUND_Google", "Caltech101",
        r"[A-Za-z][\w-]*", r"image_\d+", 101, 8_677,
    ),
    "caltech256": Layout(
        "caltech256/256_ObjectCategories", "257.clutter", "Caltech256",
        r"\d{3}\.[\w-]+", r"\d{3}_\d+", 256, 29_780,
    ),
}  # fmt: skip
SUFFIXES = (".jpg", ".jpeg", ".png")


def load(
    dataset: str,
    image_size: int,
    resize: str,
    split_seed: int,
    classes: int | None,
    per_class: int | None,
    learned_per_class: int | None,
) -> packed.Splits:
    """See `qrlib.data.load`."""
    whole = dataset != embedded.NAME
    root, listing = find(dataset, classes, per_class) if whole else embedded.find()
    chosen = choose_subset(listing, classes, per_class)
    ids = [f"{name}/{file}" for name, files in chosen.items() for file in files]
    labels = [name for name, files in chosen.items() for _ in files]
    parts = stratified(
        ids, labels, split_seed, learned_per_class
    )  # before the packing: a bad class costs no time
    # Sizes stand for content: a replaced file changes the store's name.
    content = packed.text_hash(f"{i} {(root / i).stat().st_size}" for i in ids)
    images = packed.pack(
        f"{dataset}-{image_size}px-{resize}-{content}",
        {"dataset": dataset, "image_size": image_size, "resize": resize, "content": content},
        len(ids),
        lambda i: packed.read_image(root / ids[i], image_size, resize),
    )
    names = list(chosen)
    number = {name: i for i, name in enumerate(names)}
    splits = {
        part: packed.Split(images, rows, [number[labels[i]] for i in rows], [ids[i] for i in rows])
        for part, rows in parts.items()
    }
    manifest = {
        "dataset": dataset,
        "image_size": image_size,
        "resize": resize,
        "split_seed": split_seed,
        "content": content,
        "classes": names,
        **{part: [ids[i] for i in rows] for part, rows in parts.items()},
    }
    return packed.Splits(dataset, names, manifest=manifest, **splits)


def folder_of(dataset: str) -> Path:
    """Where the folders of classes lie."""
    return paths.data() / LAYOUTS[dataset].folder


def find(
    dataset: str, classes: int | None = None, per_class: int | None = None
) -> tuple[Path, dict[str, list[str]]]:
    """The folder of classes, and class -> file names, both sorted; downloaded if not there.

    Args:
        classes, per_class: as in `qrlib.data.load`; where they ask for fewer than the data set has, it
            need not be whole.

    Raises:
        QrlibError: files that are not the data set's; fewer or more classes or images than it has.
    """
    layout, root = LAYOUTS[dataset], folder_of(dataset)
    if not root.is_dir():
        _download(dataset)
    listing: dict[str, list[str]] = {}
    for directory in files.visible(root, "*"):
        a_class = re.fullmatch(layout.class_name, directory.name) and directory.is_dir()
        if not a_class or directory.name.casefold() == layout.clutter.casefold():
            continue
        images = [p for p in files.visible(directory, "*") if p.suffix.lower() in SUFFIXES]
        if not images:
            raise QrlibError(f"class folder {directory} holds no image; fill it or remove it")
        for i, path in enumerate(images):
            _check(path, layout)
            if i and path.stem == images[i - 1].stem:
                raise QrlibError(f"{path} and {images[i - 1].name} have one name: remove the copy")
        listing[directory.name] = [path.name for path in images]
    count = sum(map(len, listing.values()))
    few = classes is None and len(listing) != layout.classes
    if few or (classes is per_class is None and count != layout.images):
        raise QrlibError(
            f"{root} holds {len(listing):,} classes and {count:,} images, but {dataset} has "
            f"{layout.classes:,} and {layout.images:,}: unpack it again, or ask for fewer with "
            "data.classes and data.per_class"
        )
    return root, listing


def _check(path: Path, layout: Layout) -> None:
    if not path.is_file():  # a pipe would be waited for; a link may lead nowhere
        raise QrlibError(f"{path} is no file; remove it, or mend what it links to")
    if not re.fullmatch(layout.image_name, path.stem, re.ASCII):
        raise QrlibError(
            f"{str(path)!a} is not a name of {layout.downloader}, but perhaps of a copy: remove it"
        )


def choose_subset(
    listing: dict[str, list[str]], classes: int | None, per_class: int | None
) -> dict[str, list[str]]:
    """`classes` classes evenly spread over the list, and the first `per_class` images of each."""
    names = list(listing)
    if classes is not None:
        if not 2 <= classes <= len(names):
            raise QrlibError(f"classes must lie between 2 and {len(names)}, not {classes}")
        names = [names[i * len(names) // classes] for i in range(classes)]
    return {name: listing[name][:per_class] for name in names}


def _download(dataset: str) -> None:
    import torchvision

    folder, _, downloader, *_ = LAYOUTS[dataset]
    root = paths.data()
    print(f"{dataset} is not in {root}: downloading it through torchvision")
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Apart, so that what was unpacked in part is never taken for the whole.
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as temporary:
            with _safe_extraction():
                getattr(torchvision.datasets, downloader)(temporary, download=True)
            (root / folder).parent.mkdir(exist_ok=True)
            if not (root / folder).is_dir():  # another process may have been faster
                os.replace(Path(temporary) / folder, root / folder)
    except Exception as error:  # no network, no gdown, bad checksum: the way out is the same
        raise QrlibError(
            f"{dataset} is neither in {root / folder} nor could torchvision download it "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}); "
            f"unpack it there, or set QRLIB_DATA to the folder that holds {folder}"
        ) from error


@contextlib.contextmanager
def _safe_extraction() -> Iterator[None]:
    """Members of an archive stay below its folder, also by links (PEP 706); torchvision does not ask."""
    before = vars(tarfile.TarFile).get("extraction_filter")
    tarfile.TarFile.extraction_filter = staticmethod(tarfile.data_filter)
    try:
        yield
    finally:
        tarfile.TarFile.extraction_filter = before
