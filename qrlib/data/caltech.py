"""Caltech101 and Caltech256, in the folders that torchvision reads and downloads."""

from __future__ import annotations

import contextlib
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qrlib.data import embedded, packed
from qrlib.data.splits import stratified
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError

#: name -> folder below the data root, class that is no class (clutter), torchvision's downloader.
LAYOUTS = {
    "caltech101": ("caltech101/101_ObjectCategories", "BACKGROUND_Google", "Caltech101"),
    "caltech256": ("caltech256/256_ObjectCategories", "257.clutter", "Caltech256"),
}
SUFFIXES = (".jpg", ".jpeg", ".png")


def load(
    dataset: str,
    image_size: int,
    resize: str,
    split_seed: int,
    classes: int | None,
    per_class: int | None,
) -> packed.Splits:
    """See `qrlib.data.load`."""
    root, listing = embedded.find() if dataset == embedded.NAME else find(dataset)
    chosen = choose_subset(listing, classes, per_class)
    ids = [f"{name}/{file}" for name, files in chosen.items() for file in files]
    labels = [name for name, files in chosen.items() for _ in files]
    parts = stratified(ids, labels, split_seed)  # before the packing: a bad class costs no time
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


def find(dataset: str) -> tuple[Path, dict[str, list[str]]]:
    """The folder of classes, and class -> file names, both sorted; downloaded if not there."""
    folder, clutter, _ = LAYOUTS[dataset]
    root = paths.data() / folder
    if not root.is_dir():
        _download(dataset)
    listing: dict[str, list[str]] = {}
    for directory in sorted(p for p in root.iterdir() if p.is_dir() and p.name != clutter):
        images = sorted(p for p in directory.iterdir() if p.suffix.lower() in SUFFIXES)
        if not images:
            raise QrlibError(f"class folder {directory} holds no image; fill it or remove it")
        for path in images:
            _check(path)
        listing[directory.name] = [path.name for path in images]
    if len(listing) < 2:
        raise QrlibError(f"{root} holds {len(listing)} class folder(s); at least 2 are needed")
    return root, listing


def _check(path: Path) -> None:
    if not path.is_file():  # a pipe would be waited for; a link may lead nowhere
        raise QrlibError(f"{path} is no file; remove it, or mend what it links to")
    try:
        f"{path.parent.name}/{path.name}".encode()
    except UnicodeEncodeError:
        raise QrlibError(
            f"the name {str(path)!a} is not in UTF-8, so that no record could tell it; rename it"
        ) from None


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

    folder, _, downloader = LAYOUTS[dataset]
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
