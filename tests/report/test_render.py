"""Tables of text, as they are read."""

import re

from support.frames import table2_results as results
from support.frames import unpadded
from support.made_records import made_record

from qrlib.experiments import profiles
from qrlib.records import behaviour, store
from qrlib.report import gains, records_table, render, tables


def test_a_table_has_the_papers_shape():
    table = tables.table2(results(), comparable=True)
    shown = render.beside_paper(table, "table-2", label="Some run")
    text = unpadded(shown)
    assert "| | no restoration | RecNet (single) | RecNet (multiple) | QRNet |" in text
    assert re.search(r"\| Gaussian noise, paper \| 0.642 .* \| 0.832 \|", text)
    assert re.search(r"\| Gaussian noise, ours \| 0.600 ± 0.024 .* \| 0.820 ± 0.0\d\d \|", text)
    assert re.search(r"\| Gaussian noise, ours − paper \| −0.042 .* \| −0.012 \|", text)
    assert "Some run, 400 test images" in text
    # The other half of the printed table.
    assert "| Caltech256, average, paper | 0.222 | 0.412 | 0.357 | 0.434 |" in text
    assert "| Caltech256, average, ours | not run | not run | not run | not run |" in text


def test_another_setting_has_no_differences():
    table = tables.table2(results(dataset="caltech101-small"))
    text = unpadded(render.beside_paper(table, "table-2", label="Quick"))
    assert "Not the paper's setting" in text
    assert "ours − paper" not in text


def test_text_is_escaped():
    shown = render.grid(["a|b", "<b>"], [["1 | 2", "x & y"]], "a < b", "cells")
    assert r"| a\|b | <b> |" in unpadded(shown)
    assert r"| 1 \| 2 | x & y |" in unpadded(shown)
    for text in ("&lt;b&gt;", "x &amp; y", "<caption>a &lt; b</caption>"):
        assert text in shown.html


def test_a_tidy_frame_in_two_ways():
    won = gains.loss_won_back(results())
    text = unpadded(render.wide(won, "Won back.", "won-back", digits=2))
    assert "| | noise | blur |" in text
    assert "| RecNet (noise) | 0.70 ± 0.05 | – |" in text
    assert "| QRNet | 0.73 ± 0.09 | 0.68 ± 0.02 |" in text
    both = {"a": "recnet-multiple", "b": "qrnet"}
    beside = gains.beside_each_other(results(), both, distortions=("clean", "blur"))
    assert "| b | 0.900 | 0.710 |" in unpadded(render.wide(beside, "Both.", "both", line="method"))
    assert beside["seeds"].iloc[0] == (0, 1)
    assert beside["records"].iloc[3] == ("qrnet-multiple-0.json", "qrnet-multiple-1.json")


def test_accuracy_on_clean_images():
    text = unpadded(gains.render_clean(gains.clean_accuracy(results()), "clean"))
    assert "| no restoration | 0.900 | |" in text
    assert "| RecNet (noise) | 0.870 ± 0.014 | −0.030 |" in text
    assert "400 test images, mean ± standard deviation over seeds." in text


def test_the_list_of_records_leads_to_records_and_notebooks(tmp_path, monkeypatch):
    monkeypatch.setenv("QRLIB_RESULTS", str(tmp_path))
    profile = profiles.load("smoke")
    provenance = {
        "git_commit": "0123456789abcdef", "git_dirty": True, "behaviour": behaviour.VERSIONS["recovery"],
        "device": "a GPU", "seconds": 61.4, "manifest": "f" * 64,
    }  # fmt: skip
    name = "qrnet-multiple-small_vgg-seed0"
    store.write(made_record(name, "recovery", "smoke", provenance=provenance))
    store.write(
        made_record("another", "recovery", "smoke", provenance=provenance | {"behaviour": 0})
    )
    shown = records_table.table(profile)
    assert "../../records/smoke/qrnet-multiple-small_vgg-seed0.json" in shown.html
    assert "seed0.html" not in shown.html  # its notebook is not there
    assert "| 012345678 + changes | as now | a GPU | 61 | fffffffff |" in unpadded(shown)
    assert "| 012345678 + changes | earlier |" in unpadded(shown)
    notebook = tmp_path / "smoke" / "notebooks" / "qrnet-multiple-small_vgg-seed0.ipynb"
    notebook.parent.mkdir()
    notebook.touch()
    assert shown.html.startswith("<details><summary>2 records of profile smoke</summary><div")
    link = '<a href="qrnet-multiple-small_vgg-seed0.html">notebook</a>'
    assert link in records_table.table(profile).html
