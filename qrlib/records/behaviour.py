"""Which behaviour of the code a record shows: a whole number for each kind of run.

A number is raised where the code gives other numbers for the same settings, data and seed, and only
then; names, layout and what a run survives change none.  tests/records/test_behaviour.py repeats a few
steps of each kind and fails where numbers move.  Times have no such test: raise theirs by hand when
something else is timed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Kind of record -> today's version.  Version 0 is all from before Adam took one fused step.
VERSIONS = {
    "classifier": 1, "recovery": 1, "evaluation": 1, "timing": 2, "conventions": 1, "corruptions": 1,
    "attacks": 1, "adaptation": 1,
}  # fmt: skip


def is_current(record: Mapping[str, Any]) -> bool:
    """Whether today's code would give the numbers of a record again, but for rounding."""
    current: bool = record["provenance"]["behaviour"] == VERSIONS[record["kind"]]
    return current
