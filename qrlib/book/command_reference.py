"""What can be set, and what runs cost: read from notebooks, settings and records as they are."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from qrlib.experiments import plan, profiles
from qrlib.records import store
from qrlib.utils import files, paths


def parameters() -> pd.DataFrame:
    """The parameters of every notebook, as papermill sees them.

    Returns:
        Columns notebook, parameter, default, meaning; one row a parameter, none for a notebook that has no
        parameters.
    """
    import papermill

    return pd.DataFrame(
        {
            "notebook": path.stem,
            "parameter": p["name"],
            "default": p["default"],
            "meaning": p["help"],
        }
        for path in files.visible(paths.root() / "notebooks", "*.ipynb")
        for p in papermill.inspect_notebook(str(path)).values()
    )


def settings(shown: Iterable[profiles.Profile]) -> pd.DataFrame:
    """Every setting of a profile, and what some profiles have.

    Returns:
        Columns setting (dotted, as `overrides` takes it), type, default ("" where a profile must say),
        and one by the name of each profile.
    """
    shown = list(shown)
    return pd.DataFrame(
        {
            "setting": name,
            "type": kind,
            "default": default,
            **{profile.name: str(profiles.value_of(profile, name)) for profile in shown},
        }
        for name, kind, default in _fields(profiles.Profile)
        if name != "name"
    )


def costs(shown: Iterable[profiles.Profile]) -> pd.DataFrame:
    """What the recorded runs of some profiles took, wherever they ran.

    Returns:
        Columns profile, planned (networks that the profile trains), device, trained (networks), runs
        (trainings and evaluations), hours (of all runs one after another), longest (hours of the longest one), memory
        (GB, the most that one process held), records.  A row a profile and device; a profile without
        records has one without a device.
    """
    rows = []
    for profile in shown:
        there = bool(files.visible(paths.results(profile.name), "records/*.json"))
        records = store.read_records(profile.name) if there else []
        training = [x for x in plan.experiments_of(profile) if x.training_run in x.records]
        row = {"profile": profile.name, "planned": len(training)}
        for device in dict.fromkeys(_device(record) for record in records):
            here = [record for record in records if _device(record) == device]
            sources = [record["provenance"] for record in here]
            # An evaluation by several classifiers leaves a record for each, and is one run.
            runs = {(record["kind"], record["provenance"]["seconds"]) for record in here}
            seconds = [taken for _, taken in runs]
            memory = [source.get("peak_memory_mb") or float("nan") for source in sources]
            row |= {
                "device": device,
                "runs": len(runs),
                "memory": pd.Series(memory).max() / 1000,
            }
            row |= {"hours": sum(seconds) / 3600, "longest": max(seconds) / 3600}
            row |= {"trained": sum(r["kind"] in ("classifier", "recovery") for r in here)}
            rows.append(row | {"records": tuple(f"{r['name']}.json" for r in here)})
        if not records:
            rows.append(row | {"device": "", "trained": 0, "runs": 0, "records": ()})
    columns = "profile planned device trained runs hours longest memory records".split()
    return pd.DataFrame(rows, columns=columns)


def _device(record: Mapping[str, Any]) -> str:
    return record["provenance"]["device"].replace("(1 threads)", "(1 thread)")  # as once written


def _fields(model: Any, before: str = "") -> Iterable[tuple[str, str, str]]:
    """Dotted name, type and default of each setting of a group; a choice of words is a "str"."""
    hints = typing.get_type_hints(model)
    for name, field in model.model_fields.items():
        kind = hints[name]
        groups = [x for x in (kind, *typing.get_args(kind)) if hasattr(x, "model_fields")]
        if groups:  # also one that a profile may do without
            yield from _fields(groups[0], f"{before}{name}.")
            continue
        text = kind.__name__ if type(kind) is type else str(kind).replace("typing.", "")
        text = re.sub(r"Optional\[(.*)\]", r"\1 | None", text)
        default = "" if field.is_required() else str(field.default)
        yield before + name, re.sub(r"Literal\[[^]]*\]", "str", text), default
