"""The split of Section IV-A: 80/20 for training and testing, then 20 % of training for validation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from qrlib.utils.errors import QrlibError

PARTS = ("train", "validation", "test")


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


def stratified(
    ids: Sequence[str], labels: Sequence[str], seed: int, learned_per_class: int | None = None
) -> dict[str, list[int]]:
    """Divide each class in the paper's proportions, in an order that only names and seed decide.

    Images are ordered by the SHA-256 of seed and id, so that the split is the same on every platform
    and with every library version.  Every part gets at least one image of each class.

    Args:
        ids: a unique name for each image.
        labels: the class of each image.
        learned_per_class: this many images of each class train and validate, at 80/20, and all others
            test, as is usual with Caltech101; None: the paper's proportions.

    Returns:
        part -> positions in `ids`, ascending.

    Raises:
        QrlibError: a class with fewer than three images, or none beside those that are learned.
    """
    by_class: dict[str, list[int]] = {}
    for position, label in enumerate(labels):
        by_class.setdefault(label, []).append(position)
    parts: dict[str, list[int]] = {part: [] for part in PARTS}
    for label, members in by_class.items():
        if len(members) < 3:
            raise QrlibError(
                f"class {label!r} has {len(members)} image(s); a split into training, validation "
                "and test needs at least 3: add images or remove the class"
            )
        members = sorted(
            members, key=lambda i: hashlib.sha256(f"{seed}|{ids[i]}".encode()).digest()
        )
        if learned_per_class is None:
            tests = max(1, round(0.2 * len(members)))
        else:
            tests = len(members) - learned_per_class
            if tests < 1:
                raise QrlibError(
                    f"class {label!r} has {len(members)} images, and data.learned_per_class "
                    f"{learned_per_class} leaves none to test: take at most {len(members) - 1}"
                )
        validations = max(1, round(0.2 * (len(members) - tests)))
        parts["test"] += members[:tests]
        parts["validation"] += members[tests : tests + validations]
        parts["train"] += members[tests + validations :]
    return {part: sorted(members) for part, members in parts.items()}
