"""Records: every result with its provenance, one JSON file a run.  Nothing else writes results."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd

from qrlib import files, paths
from qrlib.errors import QrlibError, choose

SCHEMA = 1
KINDS = ("classifier", "recovery", "evaluation", "conventions")

_RESULT = {
    "type": "object",
    "required": "dataset restorer classifier distortion level strength seed metric value n".split(),
    "additionalProperties": False,
    "properties": {
        "dataset": {"type": "string"},
        "restorer": {"type": "string"},
        "classifier": {"type": "string"},
        "distortion": {"enum": ["clean", "noise", "blur"]},
        "level": {"type": "integer", "minimum": 0},
        "strength": {"type": "number", "minimum": 0},
        "seed": {"type": "integer"},
        "metric": {"enum": ["accuracy", "psnr", "ssim"]},
        "value": {"type": "number"},
        "n": {"type": "integer", "minimum": 1},
    },
}
_CONVENTION = {
    "type": "object",
    "required": "convention factor distortion level strength metric value error n".split(),
    "additionalProperties": False,
    "properties": {
        "convention": {"type": "string", "minLength": 1},
        "factor": {"type": "string", "minLength": 1},
        "distortion": {"enum": ["noise", "blur"]},
        "level": {"type": "integer", "minimum": 1},
        "strength": {"type": "number", "minimum": 0},
        "metric": {"enum": ["psnr", "ssim"]},
        "value": {"type": "number"},
        "error": {"type": "number", "minimum": 0},
        "n": {"type": "integer", "minimum": 1},
    },
}
_RECORD = {
    "type": "object",
    "required": "schema kind name profile config provenance results training".split(),
    "additionalProperties": False,
    "properties": {
        "schema": {"const": SCHEMA},
        "kind": {"enum": list(KINDS)},
        "name": {"type": "string", "minLength": 1},
        "profile": {"type": "string", "minLength": 1},
        "config": {"type": "object"},
        "provenance": {
            "type": "object",
            "required": (
                "git_commit git_dirty code versions device seconds manifest weights".split()
            ),
        },
        "results": {"type": "array", "items": _RESULT},
        "conventions": {"type": "array", "items": _CONVENTION, "minItems": 1},
        "training": {"type": ["object", "null"]},
    },
    # Measured conventions concern no classifier and no restorer: they are no results, and theirs alone.
    "if": {"properties": {"kind": {"const": "conventions"}}},
    "then": {"required": ["conventions"]},
    "else": {"properties": {"conventions": False}},
}


@functools.cache
def _validator() -> Any:
    return jsonschema.Draft202012Validator(_RECORD)


def path(profile: str, name: str) -> Path:
    """Where the record of a run lies."""
    return paths.results(profile) / "records" / f"{name}.json"


def write(record: dict[str, Any]) -> Path:
    """Check a record against the schema and write it atomically, in place of an older one.

    Raises:
        QrlibError: a record that breaks the schema, or a disk that is full or read-only; an older
            record then stays as it was.
    """
    _check(record, f"record {record.get('name')!r}")
    target = path(record["profile"], record["name"])
    files.write_json(target, record)
    return target


def read_record(profile: str, name: str) -> dict[str, Any]:
    """One record, checked.

    Raises:
        QrlibError: missing, cut short, or of another schema; the message names the file.
    """
    return _read(path(profile, name))


def read_records(profile: str, kind: str | None = None) -> list[dict[str, Any]]:
    """All records of a profile, sorted by name."""
    if kind is not None:
        choose("record kind", kind, KINDS)
    folder = paths.results(profile) / "records"
    records = [_read(file) for file in sorted(folder.glob("*.json"))]
    if not records:
        raise QrlibError(
            f"no records of profile {profile!r} in {folder}; make them with "
            f"`python -m qrlib run {profile}`"
        )
    return [r for r in records if kind is None or r["kind"] == kind]


def read(profile: str) -> pd.DataFrame:
    """All results of a profile as a tidy table: one row a number.

    Columns: profile, dataset, restorer, classifier, distortion, level, strength, seed, metric, value,
    n, record (its file's name).
    """
    rows = [
        {"profile": record["profile"], **result, "record": f"{record['name']}.json"}
        for record in read_records(profile, "evaluation")
        for result in record["results"]
    ]
    if not rows:
        raise QrlibError(
            f"profile {profile!r} has no evaluation yet; run `python -m qrlib run {profile}`"
        )
    return pd.DataFrame(rows)


def read_conventions(profile: str) -> pd.DataFrame:
    """What `qrlib.conventions.measure` found for a profile, one row a number.

    Raises:
        QrlibError: not measured yet.
    """
    found = read_records(profile, "conventions")
    if not found:
        raise QrlibError(
            f"profile {profile!r} has no measured conventions yet; run "
            f"`papermill notebooks/conventions.ipynb out.ipynb -p profile {profile}`"
        )
    return pd.DataFrame(found[0]["conventions"])


def _read(file: Path) -> dict[str, Any]:
    record = files.read_json(file, "record")
    _check(record, f"record {file}")
    return record


def _check(record: Any, what: str) -> None:
    error = next(iter(_validator().iter_errors(record)), None)
    if error is not None:
        where = "/".join(map(str, error.absolute_path)) or "top level"
        raise QrlibError(
            f"{what} breaks the schema at {where}: {error.message.splitlines()[0][:200]}; "
            "delete it and run the step that made it again"
        )
