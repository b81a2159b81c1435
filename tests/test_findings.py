"""Sentences for captions say what the numbers say."""

import nbformat
from frames import record, runs, table2_results
from nbformat.v4 import new_code_cell, new_notebook, new_output

from qrlib import findings, graph, tables

METHODS = ("none", "qrnet")


def test_who_is_most_accurate_at_how_many_levels():
    results = runs(
        record("none", 0, 0.9, 0.6, [0.9, 0.8, 0.2, 0.2, 0.2]),
        record("qrnet-multiple", 0, 0.9, 0.8, [0.8, 0.7, 0.6, 0.5, 0.4]),
    )
    assert findings.levels(results, METHODS) == (
        "Highest accuracy, however narrowly, of five levels: under noise QRNet at 5; under blur "
        "QRNet at 3 and no restoration at 2."
    )


def test_who_leads_in_the_paper_and_here():
    results = table2_results()
    noise = (results["restorer"] == "recnet-noise") & (results["distortion"] == "noise")
    results.loc[noise, "value"] += 0.1
    assert findings.beside(tables.table2(results)) == (
        "Highest accuracy, however narrowly: under noise QRNet in the paper, RecNet (single) here; "
        "under blur QRNet in the paper, QRNet here too."
    )


def test_what_becomes_of_quality_and_accuracy():
    made = []
    for restorer, lift in (("none", 0), ("qrnet-multiple", 1)):
        values = [0.5, 0.4, 0.3, 0.2, 0.1 + lift / 2]
        made.append(record(restorer, 0, 0.9, values, values))
        made.append(record(restorer, 0, 30.0, 20.0 + lift, 10.0, metric="psnr"))
        made.append(record(restorer, 0, 1.0, 0.5, 0.5, metric="ssim"))
    data = tables.quality(runs(*made), methods=METHODS)
    assert findings.quality(data) == (
        "At the strongest level QRNet takes PSNR and accuracy under noise from 19.9 to 20.9 dB and "
        "from 0.100 to 0.600, under blur from 9.9 to 9.9 dB and from 0.100 to 0.600."
    )


def test_the_sentence_becomes_part_of_the_caption():
    picture = new_output("display_data", data={"image/svg+xml": "<svg/>"})
    said = new_output("display_data", data={findings.MIME: "It rises.", "text/plain": "It rises."})
    figure = {"mystnb": {"figure": {"caption": "Accuracy."}}}
    content = new_notebook(cells=[new_code_cell(outputs=[said, picture], metadata=figure)])
    graph.tidy(content)
    (cell,) = content.cells
    assert cell.outputs == [picture]
    assert cell.metadata.mystnb.figure.caption == "It rises. Accuracy."
    nbformat.validate(content)


def test_a_notebook_shows_the_sentence_in_words(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    findings.say("It rises.")
    assert shown == [{findings.MIME: "It rises.", "text/plain": "It rises."}]
