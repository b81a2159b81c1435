"""Notebooks that show results show those of their own profile, or none."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import pytest
from frames import table2_results

from qrlib import profiles, rendering, store
from qrlib.errors import QrlibError

matplotlib.use("agg")

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def cells(path: Path) -> list[dict[str, Any]]:
    return [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]


def reads_and_no_more(path: Path) -> bool:
    """A notebook that measures makes its own records."""
    code = "".join("".join(cell["source"]) for cell in cells(path))
    return "store.read(" in code and "measuring." not in code


READING = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if reads_and_no_more(path)]
#: Networks that the frame does not have, here with QRNet's results.
OTHERS = ("qrnet_lambda_0.1", "qrnet_lambda_0.001", "qrnet_unpretrained")


def write_records(owner: str, **changed: str) -> None:
    """Evaluations in the folder of the quick profile that say they are of `owner`."""
    frame = table2_results(**(profiles.load("quick").choice | changed))
    qrnet = frame[frame["restorer"] == "qrnet-multiple"]
    others = [qrnet.assign(restorer=f"{name}-multiple") for name in OTHERS]
    frame = pd.concat([frame, *others])
    judge = profiles.load("quick").classifier.name
    fields = "dataset restorer classifier distortion level strength seed metric value n".split()
    for (restorer, seed), rows in frame.groupby(["restorer", "seed"]):
        name = f"evaluation-{restorer}-{judge}" + ("" if restorer == "none" else f"-seed{seed}")
        content = {
            "schema": store.SCHEMA,
            "kind": "evaluation",
            "name": name,
            "profile": "quick",
            "config": {},
            "provenance": {
                "git_commit": None, "git_dirty": None, "code": "0", "versions": {}, "device": "CPU",
                "seconds": 1.0, "manifest": "0", "weights": {},
            },
            "results": json.loads(rows[fields].to_json(orient="records")),
            "training": None,
        }  # fmt: skip
        path = store.write(content)
        path.write_text(json.dumps(content | {"profile": owner}))


def execute(path: Path) -> None:
    """Run the code of a notebook for the quick profile, as papermill does."""
    names: dict[str, Any] = {"display": print}
    for cell in cells(path):
        exec("".join(cell["source"]), names)
        if "parameters" in cell["metadata"].get("tags", []):
            names |= {"profile": "quick", "profiles": ["quick"]}


@pytest.fixture
def rendered(monkeypatch):
    """The captions of the tables that were rendered."""
    captions: list[str] = []
    real = rendering.grid

    def grid(headings, rows, caption):
        captions.append(caption)
        return real(headings, rows, caption)

    for module in ("rendering", "tables", "claims"):
        monkeypatch.setattr(f"qrlib.{module}.grid", grid)
    return captions


def test_there_are_some():
    assert {"overview", "recovery"} <= {path.stem for path in READING}


@pytest.mark.parametrize("path", READING, ids=lambda p: p.stem)
def test_no_table_is_rendered_from_records_of_another_profile(path, rendered):
    write_records("caltech101-cpu")
    with pytest.raises(QrlibError, match="is of profile 'caltech101-cpu', not of 'quick'"):
        execute(path)
    assert rendered == []


@pytest.mark.parametrize("path", READING, ids=lambda p: p.stem)
@pytest.mark.parametrize("name", ["dataset", "classifier"])
def test_no_table_is_rendered_from_records_of_another_setting(path, name, rendered):
    write_records("quick", **{name: "another"})
    with pytest.raises(QrlibError, match=f"no accuracy results with {name} '"):
        execute(path)
    assert rendered == []


@pytest.mark.parametrize("name", ["overview", "recovery"])
def test_a_table_is_rendered_from_a_profiles_own_records(name, rendered):
    write_records("quick")
    with contextlib.redirect_stdout(io.StringIO()):
        execute(NOTEBOOKS / f"{name}.ipynb")
    assert any("400 test images" in caption for caption in rendered)
