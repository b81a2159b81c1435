"""Restored test images with the classifier's answers (Figures 1 and 8)."""

from __future__ import annotations

import bisect
from typing import Any

import numpy as np
import traitlets

from qrlib.book.explorers.base import Explorer, script
from qrlib.experiments import samples
from qrlib.experiments.settings import Profile
from qrlib.report import captions, labels, sample_answers
from qrlib.report.data_uris import data_uri, encode_image
from qrlib.report.tables import FIGURE7_METHODS
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError

#: Bytes of one method's sheet in a page; a larger one is compressed again.
MOST = 500_000
#: The best with which it is small enough is taken.
QUALITIES = range(20, 95, 5)


class Recovered(Explorer):
    """Choose a test image, a distortion, a level and a restorer; the answers are underneath.

    The tiles are those of the sheets beside the records, so that what is seen is what was classified.
    At first it shows an image that a distortion takes away from the classifier and the restorer gives
    back, if there is one, at the middle level if there is one there.

    Args:
        profile: whose records; of several seeds the first.

    Raises:
        QrlibError: a sheet that is not its record's, or made from other images than the rest.

    Attributes:
        image: position of the test image.
        distortion: "noise" or "blur".
        level: one of those on the sheets; 0 is clean.
        method: key of `qrlib.report.tables.FIGURE7_METHODS`.
    """

    _esm = script("common.js", "recovered.js")
    image = traitlets.Int(0).tag(sync=True)
    distortion = traitlets.Unicode("noise").tag(sync=True)
    level = traitlets.Int(samples.LEVELS[0]).tag(sync=True)
    method = traitlets.Unicode("qrnet").tag(sync=True)

    def __init__(self, profile: Profile) -> None:
        entries, missing = {}, []
        for method, name in FIGURE7_METHODS.items():
            entry = sample_answers.samples_entry(profile, method)
            if entry is not None:
                entries[method] = entry
            elif method == "none":
                missing.append("images as they were distorted")
            else:
                missing.append(f"images restored by {name}")
        first: dict[str, Any] = next(iter(entries.values()), {})
        for entry in entries.values():
            if any(entry[key] != first[key] for key in ("ids", "cases")):
                raise QrlibError(
                    f"sheet {entry['file']} of {profile.name} is made from other images than "
                    f"{first['file']}: evaluate all restorers again in one setting"
                )
        self.frame = sample_answers.table(entries, profile)
        classes = {*self.frame["label"], *self.frame["answer"]} if entries else set()
        data: dict[str, Any] = {
            "sheets": {
                method: {
                    "name": FIGURE7_METHODS[method],
                    "src": _sheet(entry, profile),
                    "answers": entry["answers"],
                }
                for method, entry in entries.items()
            },
            "methods": [method for method in entries if method != "none"],
            "missing": missing,
            "labels": first.get("labels", []),
            "cases": first.get("cases", []),
            "words": {text: labels.image_class(text) for text in sorted(classes)},
            "classifier": labels.classifier(profile.classifier.name),
        }
        start: dict[str, Any] = {"method": (data["methods"] or [""])[-1]}
        if {"none", start["method"]} <= set(entries):
            plain, restored = entries["none"], entries[start["method"]]
            image, number = sample_answers.first_example(plain, restored, samples.LEVELS[0])
            case = first["cases"][number]
            start |= {"image": image, "distortion": case["distortion"], "level": case["level"]}
        super().__init__(data=data, **start)
        if {"none", "qrnet"} <= set(entries):
            self.finding = captions.changed_answers(entries["none"], entries["qrnet"], "qrnet")


def _sheet(entry: dict[str, Any], profile: Profile) -> str:
    """The sheet's own file, or the same picture in fewer bytes."""
    folder = paths.results(profile.name)
    tiles = samples.read_sheet(entry, folder)  # refuses a file that is not the record's
    content = (folder / entry["file"]).read_bytes()
    if len(content) <= MOST:
        return data_uri(content, "image/webp")
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in tiles])

    # WebP keeps colours at half the size, and with them less of the noise than was classified.
    exact = profile.data.image_size <= samples.EXACT_SIDE
    kind = "jpeg" if exact else "webp"
    options = {"subsampling": 0, "optimize": True} if exact else {"method": 6}

    def compressed(quality: int) -> str:
        return encode_image(sheet, kind, quality=quality, **options)

    larger = bisect.bisect(QUALITIES, MOST, key=lambda quality: len(compressed(quality)) * 3 // 4)
    return compressed(QUALITIES[max(0, larger - 1)])
