"""Data sets, their splits, and the packed image store (Section IV-A)."""

from __future__ import annotations

from qrlib.data import caltech, embedded, packed
from qrlib.data.packed import Split, Splits
from qrlib.data.splits import choose_subset, stratified
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
    whole = dataset != embedded.NAME
    root, listing = caltech.find(dataset, classes, per_class) if whole else embedded.find()
    chosen = choose_subset(listing, classes, per_class)
    ids = [f"{name}/{file}" for name, files in chosen.items() for file in files]
    labels = [name for name, files in chosen.items() for _ in files]
    # Before the packing: a bad class costs no time.
    parts = stratified(ids, labels, split_seed, learned_per_class)
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
        part: Split(images, rows, [number[labels[i]] for i in rows], [ids[i] for i in rows])
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
    return Splits(dataset, names, manifest=manifest, **splits)
