"""When two sets of records are the same, and what of a record is of its moment alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: Of a record's provenance: how long and how much it took, and how the checkout stood.
MOMENT = ("seconds", "peak_memory_mb", "git_commit", "git_dirty")


def lasting(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what differs between two runs of the same: times, memory, interruptions.

    Settings, code, versions, data, weights (by their hashes), every loss of every epoch and every result
    stay, and have to be equal to the last digit.  A timing keeps what was timed, not the times.
    """
    record = json.loads(json.dumps(record))
    for name in MOMENT:
        record["provenance"].pop(name, None)
    training = record["training"] or {}
    training.pop("resumed", None)
    for epoch in training.get("epochs", []):
        epoch.pop("seconds", None)
    if record["kind"] == "timing":
        record["training"] = None
        for row in record["results"]:
            row.pop("value"), row.pop("error", None)
    return record


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """All records of a folder, by file name."""
    return {
        path.name: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))
    }


def differences(expected: Path, found: Path) -> list[str]:
    """What differs between two folders of records; nothing if they are the same."""
    ours, theirs = read(expected), read(found)
    said = [f"{name}: only in {expected}" for name in ours.keys() - theirs.keys()]
    said += [f"{name}: only in {found}" for name in theirs.keys() - ours.keys()]
    for name in sorted(ours.keys() & theirs.keys()):
        said += _between(lasting(ours[name]), lasting(theirs[name]), name)
    return said


def _between(one: Any, other: Any, where: str) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [d for k in keys for d in _between(one.get(k), other.get(k), f"{where}/{k}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [d for i, (a, b) in enumerate(zip(one, other, strict=True))
                for d in _between(a, b, f"{where}/{i}")]  # fmt: skip
    return [] if one == other else [f"{where}: {one!r} and {other!r}"]
