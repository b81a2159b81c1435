"""The project's notebooks, run in the test's own process: a kernel takes seconds to start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt

from support.project import ROOT

matplotlib.use("agg")

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]


def compared(path: Path) -> list[str]:
    """What the cells say that nbval compares."""
    outputs = [c["outputs"] for c in code_cells(path) if "NBVAL_CHECK_OUTPUT" in source(c)]
    return ["".join(output["text"]) for each in outputs for output in each]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def execute(path: Path, profile: str = "quick") -> None:
    """Run the code of a notebook for a profile, as papermill does; as in a kernel, no figure stays open."""
    names: dict[str, Any] = {"display": print}
    for cell in code_cells(path):
        exec(source(cell), names)  # noqa: S102 - our own cell
        plt.close("all")
        if "parameters" in cell["metadata"].get("tags", []):
            names |= {"profile": profile, "profiles": [profile]}
