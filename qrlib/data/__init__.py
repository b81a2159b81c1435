"""Data sets, their splits, and the packed image store (Section IV-A)."""

from __future__ import annotations

from qrlib.data import caltech, embedded
from qrlib.data.packed import Split, Splits
from qrlib.utils.errors import choose

DATASETS = (*caltech.LAYOUTS, embedded.NAME)

__all__ = ["DATASETS", "Split", "Splits", "load"]


def load(
    dataset: str,
    image_size: int,
    *,
    resize: str = "squash",
    split_seed: int = 0,
    classes: int | None = None,
    per_class: int | None = None,
    learned_per_class: int | None = None,
) -> Splits:
    """Training, validation and test images of a data set, packed once and reused afterwards.

    Args:
        dataset: one of `DATASETS`.
        image_size: side of the square images, in pixels.
        resize: "squash", "nearest" or "crop"; see `qrlib.data.packed.resize_image`.
        split_seed: seed of the 80/20 and 20 % split; the paper divides once.
        classes: keep this many classes, evenly spread over the alphabet; None keeps all.
        per_class: at most this many images a class, before the split; None keeps all.
        learned_per_class: this many of each class train and validate, and all others test; None: the
            paper's proportions.

    Raises:
        QrlibError: unknown data set, missing or unreadable files, too few images in a class.
    """
    choose("dataset", dataset, DATASETS)
    return caltech.load(
        dataset, image_size, resize, split_seed, classes, per_class, learned_per_class
    )
