"""What can be set, and what runs cost: read from notebooks, settings and records as they are."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from qrlib import experiments, paths, profiles, store
from qrlib.classifiers import ARCHITECTURES
from qrlib.data import DATASETS


def bibtex() -> str:
    """The paper as BibTeX, from CITATION.cff."""
    paper = profiles.read_yaml(paths.root() / "CITATION.cff")["preferred-citation"]
    authors = [f"{a['family-names']}, {a['given-names']}" for a in paper["authors"]]
    key = paper["authors"][0]["family-names"].lower() + str(paper["year"])
    fields = {"author": " and ".join(authors)}
    fields |= {name: paper[name] for name in ("title", "journal", "volume", "year", "doi")}
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@article{{{key},", *lines, "}"])


def _valid() -> dict[str, Iterable[str]]:
    """Parameter of a notebook -> the values it takes; the rest are numbers or text."""
    return {
        "profile": profiles.names(),
        "profiles": profiles.names(),
        "dataset": DATASETS,
        "variant": experiments.VARIANTS,
        "distortions": dict.fromkeys(
            d for v in experiments.VARIANTS.values() for d in v.distortions
        ),
        "classifier": ARCHITECTURES,
        "overrides": ["setting=value ..."],
    }


def parameters(folder: Path | None = None) -> pd.DataFrame:
    """The parameters of every notebook, as papermill sees them.

    Args:
        folder: of the notebooks; None is the project's.

    Returns:
        Columns notebook, parameter, default, valid, meaning; one row a parameter, none for a notebook
        that has no parameters.
    """
    import papermill

    valid = _valid()
    rows = []
    for path in sorted((folder or paths.root() / "notebooks").glob("*.ipynb")):
        for found in papermill.inspect_notebook(str(path)).values():
            rows.append(
                {
                    "notebook": path.stem,
                    "parameter": found["name"],
                    "default": found["default"],
                    "valid": ", ".join(valid.get(found["name"], ())),
                    "meaning": found["help"],
                }
            )
    return pd.DataFrame(rows)


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
            **{profile.name: str(_value(profile, name)) for profile in shown},
        }
        for name, kind, default in _fields(profiles.Profile)
        if name != "name"
    )


def costs(shown: Iterable[profiles.Profile]) -> pd.DataFrame:
    """What the recorded runs of some profiles took, wherever they ran.

    Returns:
        Columns profile, device, runs, hours (of all runs one after another), longest (hours of the
        longest one), memory (GB, the most that one process held), records.  A row a profile and device.
    """
    rows = []
    for profile in shown:
        records = store.read_records(profile.name)
        devices = dict.fromkeys(record["provenance"]["device"] for record in records)
        for device in devices:
            sources = [r["provenance"] for r in records if r["provenance"]["device"] == device]
            seconds = [source["seconds"] for source in sources]
            memory = [source.get("peak_memory_mb") or float("nan") for source in sources]
            rows.append(
                {
                    "profile": profile.name,
                    "device": device,
                    "runs": len(sources),
                    "hours": sum(seconds) / 3600,
                    "longest": max(seconds) / 3600,
                    "memory": pd.Series(memory).max() / 1000,
                    "records": tuple(
                        f"{r['name']}.json" for r in records if r["provenance"]["device"] == device
                    ),
                }
            )
    return pd.DataFrame(rows)


def _fields(cls: Any, before: str = "") -> Iterable[tuple[str, str, str]]:
    """Dotted name, type and default of each setting of a dataclass."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            yield from _fields(kind, f"{before}{field.name}.")
            continue
        text = kind.__name__ if isinstance(kind, type) else str(kind)
        default = ""
        if field.default is not dataclasses.MISSING:
            default = str(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            default = str(field.default_factory())
        yield before + field.name, text.replace("typing.", ""), default


def _value(profile: profiles.Profile, name: str) -> Any:
    value: Any = profile
    for part in name.split("."):
        value = getattr(value, part)
    return value
