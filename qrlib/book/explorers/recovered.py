"""Restored test images with the classifier's answers (Figures 1 and 8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import traitlets

from qrlib.book.explorers.base import Explorer, script
from qrlib.experiments import samples
from qrlib.experiments.profiles import Profile
from qrlib.report import captions, labels, render, sheets, tables
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError

#: Bytes of one method's sheet in a page; a larger one is compressed again.
MOST = 500_000


class Recovered(Explorer):
    """Choose a test image, a distortion, a level and a restorer; the answers stand underneath.

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
        method: key of `qrlib.report.tables.METHODS7`.
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
                missing.append(f"images restored by {render.name(method)}" if method != "none"
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
            shown[method] = {"name": render.name(method), "src": src, "answers": answers}
            told[method] = entry
        data: dict[str, Any] = {
            "sheets": shown,
            "methods": [method for method in shown if method != "none"],
            "missing": missing,
            "labels": first.get("labels", []),
            "cases": first.get("cases", []),
            "words": _words(first, shown),
            "classifier": labels.classifier(profile.classifier.name),
        }
        method = (data["methods"] or [""])[-1]
        super().__init__(data=data, method=method, **_start(data, method))
        self.frame = sheets.answers(told, profile)
        if "none" in told and "qrnet" in told:
            self.finding = captions.won(told["none"], told["qrnet"], "qrnet")


def _words(first: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, str]:
    """Classes of the sheets, as labels or as answers -> what readers call them."""
    answers = (found for one in shown.values() for row in one["answers"] for found in row)
    classes = {*first.get("labels", []), *(found["answer"] for found in answers)}
    return {text: labels.label(text) for text in sorted(classes)}


def _start(data: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Image, distortion and level to begin with; nothing where the sheets lack.

    The first image that is recognised clean, not when distorted, and again when `method` has restored
    it, of the first distortion and level where there is such a one; else the first that is recognised
    clean; else the first.
    """
    sheets_, cases = data["sheets"], data["cases"]
    if not {"none", method} <= set(sheets_):
        return {}

    def right(of: str, image: int, case: int) -> bool:
        return bool(sheets_[of]["answers"][image][case]["answer"] == data["labels"][image])

    clean = next(j for j, case in enumerate(cases) if not case["level"])
    distorted = sorted(
        (j for j, case in enumerate(cases) if case["level"]),
        key=lambda j: abs(cases[j]["level"] - samples.LEVELS[0]),
    )
    known = [i for i in range(len(data["labels"])) if right("none", i, clean)]
    won = [
        (i, j) for j in distorted for i in known if not right("none", i, j) and right(method, i, j)
    ]
    image, case = (won or [((known or [0])[0], distorted[0])])[0]
    return {
        "image": image,
        "distortion": cases[case]["distortion"],
        "level": cases[case]["level"],
    }


def _sheet(entry: dict[str, Any], profile: Profile) -> str:
    """The sheet's own file, or the same picture in fewer bytes."""
    folder = paths.results(profile.name)
    tiles = samples.read(entry, folder)  # refuses a file that is not the record's
    content = (folder / entry["file"]).read_bytes()
    if len(content) <= MOST:
        return sheets.data_uri(content, "webp")
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in tiles])
    return sheets.encode(sheet, "webp", quality=max(20, 75 * MOST // len(content)), method=6)
