"""What a job of the graph asks a cluster for: GPUs, memory and time, from what recorded runs took.

A limit that is too low ends a job, one that is far too high makes it wait: so a job asks for what the
same run took when it was recorded, times a factor for safety.  One that was never recorded asks for what
the profile's most demanding recorded run took.  Where nothing was recorded, the time is the paper's:
167 s an epoch with QRNet at 224 pixels (Section IV-B1) on a GPU that nobody should have to go below,
scaled by images and pixels, for as many epochs as the profile allows.

A job that was ended by a limit is tried again with twice as much (`cluster/*/config.yaml`, `retries`),
and goes on from its last whole epoch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qrlib import paper
from qrlib.experiments.profiles import PAPER_SIZE, Profile
from qrlib.utils import files, paths

#: Of the seconds of a recorded run, since machines differ and share disks and memory with others.
TIME_FACTOR = 3.0
#: Minutes for what no record counts, such as starting, importing over a network, packing images.
TIME_MARGIN = 15
#: Of the peak memory of a recorded run.
MEMORY_FACTOR = 1.5
#: MB for papermill, Snakemake and the page cache of packed images, which run beside the kernel.
MEMORY_MARGIN = 1_500
#: MB where nothing was recorded, on a processor.
MEMORY_UNKNOWN, MEMORY_UNKNOWN_GPU = 8_000, 32_000
#: Kinds of records that training and evaluation leave; a timing or a convention is no measure of them.
_KINDS = ("classifier", "recovery", "evaluation")
#: Images that an epoch trains on: 101 classes of Caltech101, of which the paper timed one, and 256 of
#: Caltech256; a fifth of all is for testing, and a fifth of the rest for validation.
_IMAGES = {"caltech101": 5_552, "caltech256": round(0.64 * 29_780)}


@dataclasses.dataclass(frozen=True)
class Needs:
    """What one job asks for.

    Attributes:
        minutes: limit of its time.
        memory_mb: limit of its memory, without the GPU's.
        gpus: how many.
        source: where the numbers are from, for people.
    """

    minutes: int
    memory_mb: int
    gpus: int
    source: str


def of_job(profile: Profile, records: Sequence[str]) -> Needs:
    """What the job that writes these records asks for.

    Args:
        records: names; the first is the training's, the others are of the evaluations after it, which
            share one pass over the images.

    Raises:
        QrlibError: a record is damaged.
    """
    there = [_provenance(profile, name) for name in records]
    if all(there):
        source = f"record {records[0]}"
        seconds = there[0]["seconds"] + max((p["seconds"] for p in there[1:]), default=0.0)
    else:
        there = [p for name in _recorded(profile) if (p := _provenance(profile, name))]
        if not there:
            return _unrecorded(profile)
        source = f"the longest of {len(there)} records of {profile.name}"
        seconds = 2 * max(p["seconds"] for p in there)  # a training, and its evaluation
    memory = max(p.get("peak_memory_mb") or 0 for p in there)
    on_gpu = not str(there[0]["device"]).startswith("CPU")
    return Needs(
        minutes=math.ceil(TIME_FACTOR * seconds / 60) + TIME_MARGIN,
        memory_mb=_memory(memory) if memory else _unknown_memory(on_gpu),
        gpus=profile.devices if on_gpu else 0,
        source=source,
    )


def _unrecorded(profile: Profile) -> Needs:
    """The paper's time for a profile of the paper's size; a day for a smaller one on a processor."""
    if profile.data.image_size < PAPER_SIZE:
        return Needs(24 * 60, _unknown_memory(False), 0, "no record: a day")
    epochs = profile.recovery.epochs + profile.recovery.pretrain_epochs
    images = _IMAGES.get(profile.data.dataset, _IMAGES["caltech101"]) / _IMAGES["caltech101"]
    pixels = (profile.data.image_size / PAPER_SIZE) ** 2
    epoch = float(paper.setting("training epoch, QRNet with VGG16, Caltech101"))
    minutes = math.ceil(epochs * images * pixels * epoch / 60) + TIME_MARGIN
    source = f"no record: {epochs} epochs as long as the paper's"
    return Needs(minutes, _unknown_memory(True), profile.devices, source)


def _memory(peak: float) -> int:
    return math.ceil(MEMORY_FACTOR * peak) + MEMORY_MARGIN


def _unknown_memory(on_gpu: bool) -> int:
    return MEMORY_UNKNOWN_GPU if on_gpu else MEMORY_UNKNOWN


def _folder(profile: Profile) -> Path:
    return paths.results(profile.name) / "records"


def _recorded(profile: Profile) -> list[str]:
    return sorted(file.stem for file in _folder(profile).glob("*.json"))


def _provenance(profile: Profile, name: str) -> dict[str, Any]:
    """Where a record is from; nothing if there is none.  Read without its schema, which costs a
    second of a process that starts for each job."""
    path = _folder(profile) / f"{name}.json"
    if not path.exists():
        return {}
    record = files.read_json(path, "record")
    provenance = record.get("provenance", {}) if isinstance(record, dict) else {}
    known = record.get("kind") in _KINDS and {"seconds", "device"} <= set(provenance)
    return provenance if known else {}
