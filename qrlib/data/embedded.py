"""The data set that comes with the repository: a small part of Caltech101, for quick runs and tests.

The ten classes of most images but those of people's faces, and the first 80 images of each, squashed
to 128 pixels: 4 MB in ``data/caltech101-small``.  Made from the whole set (QRLIB_DATA) by

    python -m qrlib.data.embedded
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from PIL import Image

from qrlib.data import packed
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError

NAME = "caltech101-small"
CLASSES, IMAGES, SIDE, QUALITY = 10, 80, 128, 87
#: One line an image, as sha256sum writes and checks them: what is not named here is not part of it.
CHECKSUMS = "SHA256SUMS"


def folder() -> Path:
    """Where the images lie, by class."""
    return paths.root() / "data" / NAME


def find() -> tuple[Path, dict[str, list[str]]]:
    """The folder of classes, and class -> file names, both sorted.

    Raises:
        QrlibError: an image or the list of checksums is missing or changed, or a class was added.
    """
    root = folder()
    way_out = f"restore data/{NAME} as it was (`git checkout -- data/{NAME}`, or unpack it again)"
    try:
        lines = (root / CHECKSUMS).read_text("ascii").splitlines()
        expected = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError) as error:
        raise QrlibError(f"{root / CHECKSUMS} cannot be read ({error}): {way_out}") from error
    listing: dict[str, list[str]] = {}
    wrong = []
    for name, digest in sorted(expected.items()):
        path = root / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(name)
        listing.setdefault(path.parent.name, []).append(path.name)
    if wrong:
        raise QrlibError(
            f"{len(wrong)} of the {len(expected)} images in {root} are missing or changed, first "
            f"{wrong[0]}: {way_out}"
        )
    for path in sorted(p for p in root.iterdir() if p.is_dir() and p.name[0] != "."):
        if path.name not in listing:
            raise QrlibError(
                f"{path} is no class of {NAME}, which always is the same: remove it, and give a "
                "data set of your own the layout of Caltech101 (QRLIB_DATA)"
            )
    return root, listing


def make(source: Path, listing: dict[str, list[str]], target: Path) -> None:
    """Write images and checksums; `source` and `listing` are what `qrlib.data.caltech.find` returns."""
    largest = sorted(
        (name for name in listing if not name.startswith("Faces")), key=lambda n: -len(listing[n])
    )
    lines = []
    for name in sorted(largest[:CLASSES]):
        (target / name).mkdir(parents=True, exist_ok=True)
        for file in listing[name][:IMAGES]:
            pixels = packed.read_image(source / name / file, SIDE, "squash").transpose(1, 2, 0)
            path = target / name / file
            Image.fromarray(pixels).save(path, "jpeg", quality=QUALITY, optimize=True)
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}/{file}")
    (target / CHECKSUMS).write_text("\n".join(lines) + "\n", "ascii")


if __name__ == "__main__":
    from qrlib.data import caltech

    make(*caltech.find("caltech101"), folder())
