"""The manual says what code, notebooks and records say."""

import ast
import json
from pathlib import Path

import pytest
from support.made_records import made_record

from qrlib.book import command_reference
from qrlib.experiments import plan, profiles
from qrlib.records import store

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


def assigned(path):
    """Names that the parameters cell of a notebook assigns."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    (cell,) = (c for c in cells if "parameters" in c["metadata"].get("tags", []))
    return [node.targets[0].id for node in ast.parse("".join(cell["source"])).body]


def test_every_parameter_of_every_notebook_is_listed_and_explained():
    found = command_reference.parameters()
    for path in NOTEBOOKS:
        rows = found[found["notebook"] == path.stem]
        assert list(rows["parameter"]) == assigned(path), path.stem
        assert rows["meaning"].str.len().gt(5).all(), path.stem


def test_every_setting_is_listed_and_can_be_overridden():
    quick = profiles.load("quick")
    found = command_reference.settings([quick]).set_index("setting")
    assert found.loc["recovery.epochs", "quick"] == str(quick.recovery.epochs)
    assert found.loc["classifier.head_width", ["type", "default"]].tolist() == ["int", "4096"]
    assert found.loc["data.dataset", "default"] == ""
    # A group that a profile may do without.
    half = command_reference.settings([profiles.load("caltech101-half")]).set_index("setting")
    assert found.loc["light_classifier.name", "quick"] == "efficientnet_lite0"
    assert half.loc["light_classifier.name", "caltech101-half"] == "None"
    changed = {"int": 7, "float": 0.5, "bool": True, "list[int]": [7, 8]}  # texts are choices
    for setting, kind in found["type"].items():
        if kind in changed and setting != "comparable":
            name = profiles.load("quick", overrides={setting: changed[kind]}).name
            assert name.startswith("quick+") or str(changed[kind]) == found.loc[setting, "quick"]


def test_costs_are_sums_over_the_records(tmp_path, monkeypatch):
    monkeypatch.setenv("QRLIB_RESULTS", str(tmp_path))
    for name, seconds, device, memory in (
        ("a", 1800.0, "a GPU", 2000), ("b", 5400.0, "a GPU", None), ("c", 36.0, "CPU", 500),
    ):  # fmt: skip
        more = {"seconds": seconds, "device": device, "peak_memory_mb": memory}
        store.write(made_record(name, "recovery", "smoke", provenance=more))
    # One evaluation, by two classifiers.
    for name in ("evaluation-a", "evaluation-b"):
        more = {"seconds": 72.0, "device": "CPU", "peak_memory_mb": 500}
        store.write(made_record(name, "evaluation", "smoke", provenance=more))
    found = command_reference.costs([profiles.load("smoke")]).set_index("device")
    assert found.loc["a GPU", ["runs", "hours", "longest", "memory"]].tolist() == [2, 2.0, 1.5, 2.0]
    assert found.loc["CPU", ["runs", "hours"]].tolist() == pytest.approx([2, 0.03])
    assert found.loc["a GPU", ["trained", "planned"]].tolist() == [
        2, len(plan.experiments_of(profiles.load("smoke"))),
    ]  # fmt: skip
    assert command_reference.costs([]).empty


def test_a_profile_that_was_not_run_says_so(folders):
    (row,) = command_reference.costs([profiles.load("caltech256")]).to_dict("records")
    assert (row["profile"], row["device"], row["trained"], row["runs"]) == ("caltech256", "", 0, 0)
    assert row["planned"] > 10
