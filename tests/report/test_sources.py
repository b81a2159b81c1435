"""From a table or figure to its data, its records, and the notebooks that made them."""

import base64
import io
import re

import pandas as pd
import pytest
from support.frames import table2_results as results

from qrlib.experiments import coverage, profiles
from qrlib.report import render, sources, tables
from qrlib.utils.errors import QrlibError


def taken_away(markup: str) -> tuple[str, pd.DataFrame]:
    """Name and content of the file that a table or figure offers."""
    (found,) = re.findall(r'<a download="([^"]+)" href="data:text/csv;base64,([^"]+)">', markup)
    content = io.BytesIO(base64.b64decode(found[1]))
    return found[0], pd.read_csv(content, float_precision="round_trip")


def test_a_table_offers_its_data_in_full():
    table = tables.table2(results(), comparable=True)
    name, data = taken_away(render.beside_paper(table, "table-2-quick", label="Quick").html)
    assert name == "table-2-quick.csv"
    assert list(data["ours"]) == list(table["ours"])  # all digits
    assert data["records"][3] == "qrnet-multiple-0.json qrnet-multiple-1.json"
    shown = render.grid(["x", "ä"], [["1,5", render.link("b", "c.html")]], "", "cells")
    name, data = taken_away(shown.html)
    assert (name, data.to_numpy().tolist()) == ("cells.csv", [["1,5", "b"]])
    name, data = taken_away(render.behind(tables.levels(results()), "figure-4").html)
    assert (name, len(data)) == ("figure-4.csv", 48)
    assert render.behind(pd.DataFrame(), "nothing").html == ""


@pytest.mark.parametrize("name", ["Table 2", "table 2", "", "a/b", "-a"])
def test_a_name_that_no_file_should_have_is_refused(name):
    with pytest.raises(QrlibError, match="is no name for a CSV"):
        sources.line(pd.DataFrame({"x": [1]}), name)


def test_many_records_are_folded_and_one_is_not():
    table = tables.table2(results())
    many = sources.line(table, "table-2")
    assert "<details><summary>9 records</summary>" in many
    for file in ("none-0", "recnet-blur-1", "qrnet-multiple-1"):
        assert many.count(f'<a href="../../records/quick/{file}.json">{file}</a>') == 1
    one = sources.line(table[table["column"] == "none"], "table-2", up=sources.OF_ALL)
    assert "<details>" not in one
    assert one.endswith('Record: <a href="../records/quick/none-0.json">none-0</a></div>')


def test_numbers_without_records_say_none():
    assert "ecord" not in sources.line(pd.DataFrame({"x": [1]}), "x")


def test_a_record_leads_to_the_notebook_that_made_it(tmp_path, monkeypatch):
    """Where that is in the book."""
    monkeypatch.setenv("QRLIB_RESULTS", str(tmp_path))
    runs = coverage.notebooks(profiles.load("quick"))
    judged = next(name for name in runs if name.startswith("evaluation-qrnet-multiple"))
    frame = pd.DataFrame({"profile": ["quick"], "record": [f"{judged}.json"]})
    assert "Notebook" not in sources.line(frame, "x")  # has not run
    made = tmp_path / "quick" / "notebooks" / f"{runs[judged]}.ipynb"
    made.parent.mkdir(parents=True)
    made.touch()
    line = sources.line(frame, "x")
    link = f'<a href="../../_executed/quick/{runs[judged]}.html">{runs[judged]}</a>'
    assert line.endswith(f"Notebook: {link}</div>")
    many = tuple(runs)
    assert "Notebook" not in sources.line(frame, "x", notebooks=False)
    folded = sources.line(pd.DataFrame({"profile": ["quick"], "records": [many]}), "x")
    assert f"<summary>{len(many)} records and their notebooks</summary>" in folded
    mine = [name for name in many if runs[name] == runs[judged]]
    assert folded.count(">notebook</a>") == len(mine)
    other = frame.assign(profile="caltech256")  # whose pages the book does not have
    assert "Notebook" not in sources.line(other, "x")


def test_several_profiles_are_told_apart():
    frame = pd.DataFrame({"profile": ["quick", "smoke"], "record": ["a.json", "a.json"]})
    assert sources.records_of(frame) == {"quick": ["a"], "smoke": ["a"]}
    line = sources.line(frame, "x")
    assert ">quick: a</a>" in line
    assert ">smoke: a</a>" in line


def test_no_link_leads_to_a_results_page_that_is_not_there():
    """A profile's pages come with its networks."""
    assert sources.page("caltech101-day", "recovery") is None, "no records in this test's folder"
    assert sources.page("quick", "recovery") == "../../_executed/quick/recovery.html"
    named = sources.page("caltech101-day", "qrnet-multiple-vgg16-seed0")
    assert named == "../../_executed/caltech101-day/qrnet-multiple-vgg16-seed0.html"
    assert sources.page("nobodys", "recovery") is None
