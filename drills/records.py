"""Whether two folders of records hold the same: every number equal to the last digit.

    .venv/bin/python drills/records.py BEFORE/records AFTER/records

Says for each record what of it was compared and where it differs, then the counts in one line.  The
status is 1 if anything differs, or a record is in one folder alone.

Compared are results with their bits of right answers, every loss of every epoch, sizes of data and
networks, checksums of weights, data and pictures, and the settings that both have.  Left out are times,
what a run was interrupted by, and where it comes from: machine, versions, commit, hash of the code.
Modules may have other names.  Of a timing what was timed is compared, not how long it took.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

#: Of a record's provenance: what it was computed from, and came to.
CHECKSUMS = ("manifest", "weights")
_MODULE = re.compile(r"\bqrlib(\.\w+)+")
_ABSENT = object()


def lasting(record: dict[str, Any]) -> dict[str, Any]:
    """Of a record, what two runs of the same have in common."""
    record = json.loads(_MODULE.sub("qrlib", json.dumps(record)))
    del record["schema"]
    provenance, training = record["provenance"], record["training"] or {}
    record["provenance"] = {name: provenance.get(name) for name in CHECKSUMS}
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


def compare(before: dict[str, Any], after: dict[str, Any]) -> tuple[Counter[str], list[str]]:
    """Of two records what was compared, as kind of value -> count, and where they differ."""
    compared: Counter[str] = Counter()
    differences: list[str] = []

    def walk(one: Any, other: Any, where: str) -> None:
        if isinstance(one, dict) and isinstance(other, dict):
            keys = one.keys() | other.keys()
            if where == "":
                keys = one.keys()  # a part that only later code writes is no difference
            elif where.startswith("/config"):
                keys = one.keys() & other.keys()
            for key in sorted(keys):
                walk(one.get(key, _ABSENT), other.get(key, _ABSENT), f"{where}/{key}")
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            for index, pair in enumerate(zip(one, other, strict=True)):
                walk(*pair, f"{where}/{index}")
        else:
            number = isinstance(one, (int, float)) and not isinstance(one, bool)
            compared["numbers" if number else "other values"] += 1
            if repr(one) != repr(other):  # -0.0 is not 0.0, nor 1 1.0
                shown = ("nothing" if value is _ABSENT else repr(value) for value in (one, other))
                differences.append(f"{where}: {' and '.join(shown)}")

    walk(lasting(before), lasting(after), "")
    return compared, differences


def differences(expected: Path, found: Path) -> list[str]:
    """What differs between two folders of records; nothing if they are the same."""
    before, after = read(expected), read(found)
    alone = [f"{name}: only in {expected}" for name in before.keys() - after.keys()]
    alone += [f"{name}: only in {found}" for name in after.keys() - before.keys()]
    return sorted(alone) + [
        f"{name}{difference}"
        for name in before.keys() & after.keys()
        for difference in compare(before[name], after[name])[1]
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="folder of records")
    parser.add_argument("after", type=Path, help="folder of records")
    options = parser.parse_args()
    before, after = read(options.before), read(options.after)
    if not before or not after:
        parser.error(f"no records in {options.after if before else options.before}")
    total: Counter[str] = Counter()
    for name in sorted(before.keys() & after.keys()):
        compared, different = compare(before[name], after[name])
        total += compared
        record = before[name]
        parts = {
            "results": len(record["results"]),
            "epochs": len((record["training"] or {}).get("epochs", [])),
            "checksums of weights": len(record["provenance"]["weights"]),
            **compared,
        }
        what = ", ".join(f"{count} {part}" for part, count in parts.items() if count)
        print(f"{name}: {what}: {f'{len(different)} DIFFER' if different else 'equal'}")
    different = differences(options.before, options.after)
    print(*different, sep="\n", end="\n" if different else "")
    print(
        f"{len(before)} and {len(after)} records, {total['numbers']} numbers and "
        f"{total['other values']} other values compared: {len(different)} differences"
    )
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
