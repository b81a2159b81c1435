"""Records: every result with its provenance, one JSON file a run.  Nothing else writes results."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from qrlib.records import per_image
from qrlib.records.schema import KINDS, METRICS, SCHEMA, Record
from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError, choose

#: Columns of `read` that are not numbers.
DETAILS = (*per_image.COLUMNS, "found")


def path(profile: str, name: str) -> Path:
    """Where the record of a run lies."""
    return paths.results(profile) / "records" / f"{name}.json"


def new_record(
    kind: str,
    name: str,
    profile: str,
    config: dict[str, Any],
    provenance: dict[str, Any],
    *,
    results: Sequence[dict[str, Any]] = (),
    training: dict[str, Any] | None = None,
    **only_some: Any,
) -> dict[str, Any]:
    """A record as `write` takes it; `only_some` are samples, precision_check and conventions, if not None."""
    return {
        "schema": SCHEMA, "kind": kind, "name": name, "profile": profile, "config": config,
        "provenance": provenance, "results": list(results), "training": training,
        **{field: value for field, value in only_some.items() if value is not None},
    }  # fmt: skip


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
    paths_of_records = files.visible(folder, "*.json")
    records = [_read(file) for file in paths_of_records]
    for file, record in zip(paths_of_records, records, strict=True):
        if record["profile"] != profile:
            raise QrlibError(
                f"record {file} is of profile {record['profile']!r}, not of {profile!r}: results of "
                "profiles do not mix, so move it to its own folder"
            )
    if not records:
        raise QrlibError(
            f"no records of profile {profile!r} in {folder}; make them with "
            f"`python -m qrlib run {profile}`"
        )
    return [r for r in records if kind is None or r["kind"] == kind]


def read(profile: str, kind: str = "evaluation", *, images: bool = False) -> pd.DataFrame:
    """All results of a profile as a tidy table: one row a number.

    Args:
        kind: "evaluation" (accuracy, PSNR in dB, SSIM), "timing" (milliseconds an image, the median
            of repeats; seconds an epoch), "corruptions" (accuracy on unseen ones; strength and level
            are the severity), "attacks" (accuracy; both are epsilon) or "adaptation" (accuracy).  They
            never share a frame.
        images: the columns of `DETAILS` as well: what is known of each image, as `qrlib.records.per_image`
            takes it, missing in records from before it was kept; and what a detector found.

    Columns: profile, dataset, restorer, classifier, distortion, level, strength, seed, metric, value,
    n, record (its file's name), device (the machine's, in words; of the seconds of an epoch that of the
    training).  Timings have the column error as well, the standard error, unless their records are old.

    Raises:
        QrlibError: no records of this kind; the message says how to make them.
    """
    choose("kind of results", kind, METRICS)
    rows = [
        {
            "profile": record["profile"],
            **result,
            "record": f"{record['name']}.json",
            "device": str(_measured_on(record["provenance"], result["metric"])),
        }
        for record in read_records(profile, kind)
        for result in record["results"]
    ]
    if not rows:
        raise QrlibError(
            f"profile {profile!r} has no {kind} yet; run `python -m qrlib run {profile}`"
        )
    frame = pd.DataFrame(rows)
    if not images:
        return frame.drop(columns=[*DETAILS], errors="ignore")
    return frame.assign(**{column: None for column in DETAILS if column not in frame})


def _measured_on(provenance: dict[str, Any], metric: str) -> Any:
    """The device of a number; a timing record takes an epoch's seconds from a training elsewhere."""
    device = provenance["device"]
    return provenance.get("epochs_on", device) if metric == "seconds_per_epoch" else device


def read_conventions(profile: str, name: str = "conventions") -> pd.DataFrame:
    """What `qrlib.experiments.conventions.measure` found for a profile, one row a number.

    Args:
        name: of the record; one of all test images has the name that is the default.

    Raises:
        QrlibError: not measured yet.
    """
    if not path(profile, name).is_file():
        raise QrlibError(
            f"profile {profile!r} has no measured conventions yet; run "
            f"`papermill notebooks/conventions.ipynb out.ipynb -p profile {profile}`"
        )
    named = {"profile": profile, "record": f"{name}.json"}
    return pd.DataFrame(read_record(profile, name)["conventions"]).assign(**named)


def _read(file: Path) -> dict[str, Any]:
    record: dict[str, Any] = files.read_json(file, "record")
    _check(record, f"record {file}")
    if record["name"] != file.stem:
        raise QrlibError(
            f"record {file} holds the record {record['name']!r}: two of them would be counted twice, "
            "so delete it or give it its own name again"
        )
    return record


def _check(record: Any, what: str) -> None:
    try:
        where, problem = next(Record.model_validate(record).misfits(), ("", ""))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "/".join(map(str, first["loc"])) or "top level"
        problem = f"{first['msg']}, not {reprlib.repr(first['input'])}"
        if first["type"] in ("missing", "extra_forbidden"):
            problem = first["msg"]
    if problem:
        raise QrlibError(
            f"{what} breaks the schema at {where}: {problem}; "
            "delete it and run the step that made it again"
        )
