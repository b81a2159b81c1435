"""Restored test images with the classifier's answers (Figures 1 and 8)."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from qrlib import findings, paths, rendering, samples, sheets, tables
from qrlib.errors import QrlibError
from qrlib.explorers.base import Explorer, script
from qrlib.profiles import Profile

#: Bytes of one method's sheet in a page; a larger one is compressed again.
MOST = 400_000


class Recovered(Explorer):
    """Choose a test image, a distortion, a level and a restorer; the answers stand underneath.

    The tiles are those of the sheets beside the records, so that what is seen is what was classified.

    Args:
        profile: whose records; of several seeds the first.

    Raises:
        QrlibError: a sheet that is not its record's, or made from other images than the rest.

    Attributes:
        image: position of the test image.
        distortion: "noise" or "blur".
        level: one of those on the sheets; 0 is clean.
        method: key of `qrlib.tables.METHODS7`.
    """

    _esm = script("common.js", "recovered.js")
    image = traitlets.Int(0).tag(sync=True)
    distortion = traitlets.Unicode("noise").tag(sync=True)
    level = traitlets.Int(samples.LEVELS[0]).tag(sync=True)
    method = traitlets.Unicode("qrnet").tag(sync=True)

    def __init__(self, profile: Profile) -> None:
        shown: dict[str, Any] = {}
        told: dict[str, dict[str, Any]] = {}
        missing = []
        first: dict[str, Any] = {}
        for method in tables.METHODS7:
            entry = sheets.described(profile, method)
            if entry is None:
                missing.append(f"images restored by {rendering.name(method)}" if method != "none"
                               else "images as they were distorted")  # fmt: skip
                continue
            first = first or entry
            if any(entry[name] != first[name] for name in ("ids", "cases")):
                raise QrlibError(
                    f"sheet {entry['file']} of {profile.name} is made from other images than "
                    f"{first['file']}: evaluate all restorers again in one setting"
                )
            src = _sheet(entry, profile)
            answers = entry["answers"]
            shown[method] = {"name": rendering.name(method), "src": src, "answers": answers}
            told[method] = entry
        data: dict[str, Any] = {
            "sheets": shown,
            "methods": [method for method in shown if method != "none"],
            "missing": missing,
            "labels": first.get("labels", []),
            "cases": first.get("cases", []),
            "classifier": profile.classifier.name,
        }
        super().__init__(data=data, method=(data["methods"] or [""])[-1])
        self.frame = sheets.answers(told, profile)
        if "none" in told and "qrnet" in told:
            self.finding = findings.won(told["none"], told["qrnet"], "qrnet")


def _sheet(entry: dict[str, Any], profile: Profile) -> str:
    """The sheet's own file, or the same picture in fewer bytes."""
    folder = paths.results(profile.name)
    tiles = samples.read(entry, folder)  # refuses a file that is not the record's
    content = (folder / entry["file"]).read_bytes()
    if len(content) <= MOST:
        return sheets.data_uri(content, "webp")
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in tiles])
    return sheets.encode(sheet, "webp", quality=max(20, 75 * MOST // len(content)), method=6)
