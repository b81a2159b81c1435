"""Tables of text, as they are read."""

import base64
import io
import re

import pandas as pd
from frames import table2_results as results

from qrlib import experiments, origins, profiles, rendering, store, tables


def test_rendered_beside_each_other():
    table = tables.table2(results(), comparable=True)
    text = rendering.render(table, label="ours (224 px)").markdown
    assert "| distortion | method | paper (Caltech101) | ours (224 px) | ours - paper |" in text
    assert "| Gaussian noise | QRNet | 0.832 | 0.820 ± 0.028 (2) | -0.012 |" in text
    assert "| Gaussian blur | no restoration | 0.259 | 0.300 (1) | +0.041 |" in text
    assert "400 test images" in text
    assert "not comparable" not in text


def test_rendered_when_not_comparable():
    table = tables.table2(results(dataset="photographs"))
    shown = rendering.render(table, label="quick, 64 px", paper_label="paper (Caltech101, VGG)")
    assert "| distortion | method | paper (Caltech101, VGG) | quick, 64 px |\n" in shown.markdown
    assert "| average | QRNet | 0.768 | 0.765 ± 0.021 (2) |\n" in shown.markdown
    assert "not comparable" in shown.markdown
    assert "ours - paper" not in shown.markdown + shown.html
    assert shown.html.count("<tr>") == 13
    assert '<th scope="col">quick, 64 px</th>' in shown.html
    assert shown._repr_html_() == shown.html


def test_text_is_escaped():
    shown = tables.grid(["a|b", "<b>"], [["1 | 2", "x & y"]], "a < b")
    assert shown.markdown.splitlines()[0] == r"| a\|b | <b> |"
    assert r"| 1 \| 2 | x & y |" in shown.markdown
    assert "&lt;b&gt;" in shown.html
    assert "x &amp; y" in shown.html
    assert "<caption>a &lt; b</caption>" in shown.html


def taken_away(markup: str) -> tuple[str, pd.DataFrame]:
    """Name and content of the file that a table or figure offers."""
    (found,) = re.findall(r'<a download="([^"]+)" href="data:text/csv;base64,([^"]+)">', markup)
    return found[0], pd.read_csv(io.BytesIO(base64.b64decode(found[1])))


def test_a_table_offers_its_data_in_full():
    table = tables.table2(results(), comparable=True)
    name, data = taken_away(rendering.render(table).html)
    assert name == "ours-mean-standard-deviation-over-seeds.csv"
    assert list(data["ours"]) == list(table["ours"])  # all digits
    assert data["records"][3] == "qrnet-multiple-0.json qrnet-multiple-1.json"
    shown = rendering.grid(["x", "ä"], [["1,5", rendering.Link("b", "c.html")]], "")
    name, data = taken_away(shown.html)
    assert (name, data.to_numpy().tolist()) == ("table.csv", [["1,5", "b"]])
    name, data = taken_away(rendering.download(tables.levels(results()), "Figure 4, quick").html)
    assert (name, len(data)) == ("figure-4-quick.csv", 48)


def test_a_table_links_to_the_records_that_it_was_made_from():
    markup = rendering.render(tables.table2(results())).html
    for file in ("none-0", "recnet-blur-1", "qrnet-multiple-1"):
        assert markup.count(f'<a href="../../records/quick/{file}.json">{file}</a>') == 1
    shown = rendering.grid(["x"], [[rendering.Link("a&b", 'c"d.html')]], "caption")
    assert '<td><a href="c&quot;d.html">a&amp;b</a></td>' in shown.html
    assert '| [a&b](c"d.html) |' in shown.markdown


def test_the_list_of_records_leads_to_records_and_notebooks(tmp_path, monkeypatch):
    monkeypatch.setenv("QRLIB_RESULTS", str(tmp_path))
    profile = profiles.load("smoke")
    provenance = {
        "git_commit": "0123456789abcdef", "git_dirty": True, "code": experiments.code("recovery"),
        "versions": {}, "device": "a GPU", "seconds": 61.4, "manifest": "f" * 64, "weights": {},
    }  # fmt: skip
    record = {
        "schema": store.SCHEMA, "kind": "recovery", "name": "qrnet-multiple-small_vgg-seed0",
        "profile": "smoke", "config": {}, "provenance": provenance, "results": [],
        "training": {"epochs": []},
    }  # fmt: skip
    store.write(record)
    store.write({**record, "name": "another", "provenance": {**provenance, "code": "0"}})
    shown = origins.table(profile)
    assert "../../records/smoke/qrnet-multiple-small_vgg-seed0.json" in shown.html
    assert "seed0.html" not in shown.html  # its notebook is not there
    assert "| 012345678 + changes | as now | a GPU | 61 | fffffffff |" in shown.markdown
    assert "| 012345678 + changes | earlier |" in shown.markdown
    notebook = tmp_path / "smoke" / "notebooks" / "qrnet-multiple-small_vgg-seed0.ipynb"
    notebook.parent.mkdir()
    notebook.touch()
    assert shown.html.startswith("<details><summary>2 records of profile smoke</summary><div")
    link = '<a href="qrnet-multiple-small_vgg-seed0.html">notebook</a>'
    assert link in origins.table(profile).html
