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
