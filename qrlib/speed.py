"""Results of the benchmarks (``python -m benchmarks``): times and memory of this project beside others.

One JSON file a machine in ``benchmarks/results``.  A *contest* is one piece of work, its contestants
did it in turns, and the first of them is the *reference*, which is this project where it takes part.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd

from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError

SCHEMA = 1

_NUMBER = {"type": "number", "minimum": 0}
_TEXT = {"type": "string"}
_UNKNOWN = {"type": ["number", "null"], "minimum": 0}
_CONTESTANT: dict[str, Any] = {
    "type": "object",
    "required": (
        "name amount rate times first prepared memory helpers gpu work note difference skipped failed"
    ).split(),
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "amount": _UNKNOWN,
        "rate": {"type": "boolean"},
        "times": {
            "type": "object",
            "additionalProperties": {
                "type": "array",
                "items": {"type": "number", "exclusiveMinimum": 0},
                "minItems": 1,
            },
        },
        "first": _UNKNOWN,
        "prepared": _UNKNOWN,
        "memory": _UNKNOWN,
        "helpers": _NUMBER,
        "gpu": _NUMBER,
        "work": {"type": "object", "additionalProperties": _NUMBER},
        "note": _TEXT,
        "difference": _UNKNOWN,
        "skipped": _TEXT,
        "failed": _TEXT,
    },
}
RESULT: dict[str, Any] = {
    "type": "object",
    "required": "schema machine versions code settings load seconds work contests".split(),
    "additionalProperties": False,
    "properties": {
        "schema": {"const": SCHEMA},
        "machine": {"type": "object", "required": ["kind", "device", "threads", "bfloat16"]},
        "versions": {"type": "object", "additionalProperties": _TEXT},
        "code": {"type": "object", "required": ["git_commit", "git_dirty"]},
        "settings": {
            "type": "object",
            "required": "device size batch classifier corpus images rounds small".split(),
        },
        "load": {
            "type": "object",
            "required": ["before", "after"],
            "additionalProperties": {"type": "array", "items": _NUMBER},
        },
        "seconds": _NUMBER,
        "work": {"type": "object", "additionalProperties": _NUMBER},
        "contests": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["group", "case", "contestants"],
                "additionalProperties": False,
                "properties": {
                    "group": _TEXT,
                    "case": _TEXT,
                    "contestants": {"type": "array", "items": _CONTESTANT, "minItems": 1},
                },
            },
        },
    },
}


@functools.cache
def _validator() -> Any:
    return jsonschema.Draft202012Validator(RESULT)


def folder() -> Path:
    """Where the results that come with the project lie."""
    return paths.root() / "benchmarks" / "results"


def check(result: Any, what: str) -> None:
    """Raise a QrlibError that names the first thing in which a result breaks the schema."""
    error = jsonschema.exceptions.best_match(_validator().iter_errors(result))
    if error is not None:
        where = "/".join(map(str, error.absolute_path)) or "its top level"
        raise QrlibError(
            f"{what} breaks the schema at {where}: {error.message}; run `python -m benchmarks` again"
        )


def write(result: dict[str, Any], path: Path) -> None:
    """Check a result and write it atomically."""
    check(result, f"result for {path.name}")
    files.write_json(path, result)


def read(path: Path) -> dict[str, Any]:
    """A result, checked.

    Raises:
        QrlibError: missing, damaged, or of another schema.
    """
    result = files.read_json(path, "benchmark result")
    check(result, f"benchmark result {path.name}")
    return result


def read_all() -> dict[str, dict[str, Any]]:
    """File name without ending -> result, of all machines, sorted."""
    return {path.stem: read(path) for path in sorted(folder().glob("*.json"))}


def spread(values: Sequence[float]) -> tuple[float, float]:
    """First and third quartile: the middle half of the repeats; of one value, that value twice.

    >>> spread([1.0, 2.0, 3.0, 4.0, 5.0])
    (2.0, 4.0)
    """
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def ratio(values: Sequence[float], reference: Sequence[float]) -> float:
    """Median of the ratios round by round: what slowed the machine in one round slowed both.

    >>> ratio([2.0, 40.0, 2.0], [1.0, 20.0, 2.0])
    2.0
    """
    return statistics.median(a / b for a, b in zip(values, reference, strict=False))


_COLUMNS = (
    "group case contestant amount rate what median low high ratio rounds prepared memory helpers gpu "
    "difference note"
).split()


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """All that was measured, one row a contestant and thing timed; those left out have none.

    Returns:
        Columns group, case, contestant, amount, rate, what ("" where one thing was timed, else "epoch"
        or "step"), median, low, high (quartiles), ratio (to the reference, NaN for rates), rounds,
        prepared (all in seconds), memory, helpers, gpu (bytes), difference, note.
    """
    rows = []
    for contest in result["contests"]:
        reference = contest["contestants"][0]
        for one in contest["contestants"]:
            for what, times in one["times"].items():
                low, high = spread(times)
                base = reference["times"].get(what)
                compared = base is not None and not one["rate"]
                rows.append(
                    {
                        "group": contest["group"],
                        "case": contest["case"],
                        "contestant": one["name"],
                        "amount": math.nan if one["amount"] is None else one["amount"],
                        "rate": one["rate"],
                        "what": what,
                        "median": statistics.median(times),
                        "low": low,
                        "high": high,
                        "ratio": ratio(times, base) if compared else math.nan,
                        "rounds": len(times),
                        **{
                            k: one[k] for k in "prepared memory helpers gpu difference note".split()
                        },
                    }
                )
    return pd.DataFrame(rows, columns=_COLUMNS)


def left_out(result: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Group, case, contestant and reason of those without times, and of those that failed half-way."""
    return [
        (contest["group"], contest["case"], one["name"], one["failed"] or one["skipped"])
        for contest in result["contests"]
        for one in contest["contestants"]
        if one["failed"] or one["skipped"]
    ]


def contest(result: Mapping[str, Any], group: str, case: str) -> dict[str, Any] | None:
    """A contest whose case begins so; None where it was not held."""
    found = (c for c in result["contests"] if c["group"] == group and c["case"].startswith(case))
    return next(found, None)


def median_of(contest: Mapping[str, Any] | None, name: str, what: str = "") -> float:
    """Median seconds of a contestant; NaN where there is none."""
    return statistics.median(times) if (times := times_of(contest, name, what)) else math.nan


def times_of(contest: Mapping[str, Any] | None, name: str, what: str = "") -> list[float]:
    """Seconds of a contestant, one a round; empty where there are none."""
    for one in contest["contestants"] if contest else ():
        if one["name"] == name:
            return one["times"].get(what, [])
    return []


def exponent(amounts: Sequence[float], seconds: Sequence[float]) -> float:
    """How cost grows: the p of the power of the amount that fits the times best; 1 is linear.

    Least squares in the logarithms.  NaN for fewer than two amounts.

    >>> round(exponent([1, 2, 4], [3.0, 6.0, 12.0]), 6)
    1.0
    """
    if len(set(amounts)) < 2:
        return math.nan
    x, y = [math.log(a) for a in amounts], [math.log(s) for s in seconds]
    return statistics.linear_regression(x, y).slope
