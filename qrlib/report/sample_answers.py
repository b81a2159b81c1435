"""What the classifier answered on the test images that evaluations kept as sheets of samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from qrlib.experiments.settings import Profile
from qrlib.records import selection, store


def samples_entry(profile: Profile, method: str) -> dict[str, Any] | None:
    """What a method's record says of its sheet, for `qrlib.experiments.samples.read_sheet`.

    Of several seeds it is the first, of two networks that for noise.  None where there is no such record.
    """
    restorer = selection.restorer_of(method, "noise")
    seed = "" if restorer == "none" else f"-seed{profile.seeds[0]}"
    name = f"evaluation-{restorer}-{profile.classifier.name}{seed}"
    if not store.path(profile.name, name).is_file():
        return None
    return store.read_record(profile.name, name).get("samples")


def recognised(entry: Mapping[str, Any]) -> np.ndarray:
    """Which images of a sheet are recognised in which case: (images, cases), bool."""
    return np.array(
        [
            [answer["answer"] == label for answer in row]
            for label, row in zip(entry["labels"], entry["answers"], strict=True)
        ]
    )


def lost_and_recovered(
    clean: np.ndarray, distorted: np.ndarray, restored: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Images that a distortion takes away from the classifier, and those of them that a restorer gives back.

    >>> lost_and_recovered(*np.array([[1, 1, 1, 0], [0, 0, 1, 0], [1, 0, 1, 1]], bool))
    (array([ True,  True, False, False]), array([ True, False, False, False]))
    """
    lost = clean & ~distorted
    return lost, lost & restored


def first_example(
    plain: Mapping[str, Any], restored: Mapping[str, Any], level: int
) -> tuple[int, int]:
    """Which image and case of a sheet show what a restorer is for, by position.

    The first image that is recognised clean, not when distorted, and again when it has been restored, at
    this level rather than at another; else the first that is recognised clean; else the first.

    Args:
        plain, restored: the `samples` of records, without and with the restorer.
    """
    levels = [case["level"] for case in plain["cases"]]
    before, after = recognised(plain), recognised(restored)  # (images, cases)
    clean = before[:, levels.index(0)]
    distorted = [case for case, its in enumerate(levels) if its]
    distorted.sort(key=lambda case: abs(levels[case] - level))
    for case in distorted:
        _, recovered = lost_and_recovered(clean, before[:, case], after[:, case])
        if recovered.any():
            return int(recovered.argmax()), case
    return int(clean.argmax()), distorted[0]


def table(entries: Mapping[str, Mapping[str, Any]], profile: Profile) -> pd.DataFrame:
    """What the classifier said of every tile of the methods' sheets, one a row.

    Returns:
        Columns method, image (its name in the data set), label, distortion, level, strength, answer,
        confidence, right, profile, record.
    """
    return pd.DataFrame(
        {
            "method": method,
            "image": image,
            "label": label,
            **case,
            **answer,
            "right": answer["answer"] == label,
            "profile": profile.name,
            "record": f"{Path(entry['file']).stem}.json",
        }
        for method, entry in entries.items()
        for image, label, row in zip(entry["ids"], entry["labels"], entry["answers"], strict=True)
        for case, answer in zip(entry["cases"], row, strict=True)
    )
