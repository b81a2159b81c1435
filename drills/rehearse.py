"""The paper's setting in small: every network of the profile caltech101, at 224 pixels, for a few steps.

    QRLIB_DATA=... QRLIB_WEIGHTS=... .venv/bin/python drills/rehearse.py      (half an hour on a core)

What a GPU will run for hours, with few images of few classes, small batches, one epoch and one seed.
All else is that profile's: the size, the ImageNet backbones, the heads, every part of the paper.  Every
run has to end, every loss has to be a number, and the results pages have to be made of the records.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from pathlib import Path

import common
import records
import yaml

PROFILE = "caltech101"
NAME = "rehearsal"
FEW = {"epochs": 1, "batch_size": 4}
CHANGES = {
    "data": {"classes": 3, "per_class": 8},
    "classifier": FEW,
    "second_classifier": FEW,
    "unseen_classifier": FEW,
    "recovery": {**FEW, "pretrain_epochs": 1},
}
PAGES = {"recovery", "end_to_end", "classifier_change", "image_quality"}
#: Settings of the profile's classifiers that it leaves at their defaults have to be named.
NAMES = {"second_classifier": "inception_v3", "unseen_classifier": "resnet50"}


def profile(path: Path) -> dict:
    """The profile's settings with the changes."""
    settings = yaml.safe_load(path.read_text("utf-8"))
    for section, changes in CHANGES.items():
        known = {"name": NAMES[section]} if section in NAMES else {}
        settings[section] = known | settings.get(section, {}) | changes
    return settings | {"seeds": [0], "comparable": False, "ship_weights": False}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the outcome to this file")
    options = parser.parse_args()
    places = {name: os.environ.get(name, "") for name in ("QRLIB_DATA", "QRLIB_WEIGHTS")}
    if not all(places.values()):
        sys.exit(f"set {' and '.join(places)}: the rehearsal takes the real images and backbones")
    work = Path(tempfile.mkdtemp(prefix="qrlib-rehearsal-"))
    project = common.checkout(work / "project")
    settings = profile(project / "profiles" / f"{PROFILE}.yaml")
    (project / "profiles" / f"{NAME}.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    seconds = common.run(project, "run", NAME, "--cores", "1", **places)
    made = records.read(project / "results" / NAME / "records")
    losses = {
        name: [x for epoch in record["training"]["epochs"] for k, x in epoch.items() if "_" in k]
        for name, record in made.items()
        if record["kind"] in ("classifier", "recovery")
    }
    broken = [name for name, values in losses.items() if not all(map(math.isfinite, values))]
    pages = {p.stem for p in (project / "book" / "_executed" / NAME).glob("*.ipynb")}
    lacking = sorted(PAGES - pages)
    trained = sorted(Path(name).stem for name in losses)
    memory = max(record["provenance"]["peak_memory_mb"] for record in made.values())
    good = bool(trained) and not broken and not lacking
    print(f"{len(trained)} networks trained, {len(made)} records, {len(broken)} with losses that are no "
          f"number, {len(lacking)} pages lacking: {'good' if good else 'NOT GOOD'}")  # fmt: skip
    outcome = {"drill": "rehearsal", "good": good, "profile": PROFILE, "changes": CHANGES,
               "trained": trained, "records": len(made), "lacking pages": lacking, "broken": broken,
               "peak memory, MB": memory, "seconds": seconds,
               **common.circumstances(project)}  # fmt: skip
    return common.end(outcome, options.out, work, good)


if __name__ == "__main__":
    sys.exit(main())
