"""The table for a practitioner: a situation a line, each cell a link to its number."""

import math

import pandas as pd
import pytest
from support.frames import record, runs, unpadded

from qrlib.report import at_a_glance, option_tables
from qrlib.report.claims.evidence import Evidence


@pytest.fixture
def evidence():
    return Evidence(
        runs(
            record("none", 0, 0.9, 0.4, 0.6, n=2000),
            record("wiener-blur", 0, blur=0.9, n=2000),
            record("non_local_means-noise", 0, noise=0.7, n=2000),
            record("recnet-noise", 0, 0.9, noise=0.3, n=2000),
            record("recnet-blur", 0, 0.9, blur=0.8, n=2000),
            record("qrnet-multiple", 0, 0.8, 0.6, 0.7, n=2000),
            record("finetuned-multiple", 0, 0.85, 0.7, 0.7, n=2000),
        )
    )


def test_each_situation_has_its_best_option(evidence):
    options = option_tables.options(evidence)
    rows = [
        {
            "restored": False, "images": 8, "distortion": place, "ours": 0.9, "gain": 0.1, "n": 64,
            "verdict": "no clear difference" if place == "clean" else "better", "profile": "quick",
            "records": ("adaptation.json",),
        }
        for place in (*option_tables.PLACES, "mixed")
    ]  # fmt: skip
    frame = at_a_glance.table(evidence, options, (evidence, pd.DataFrame(rows)))
    first = frame.drop_duplicates([*at_a_glance.GIVEN, "method"])
    assert list(zip(first["learns"], first["knows"], first["method"], strict=True)) == [
        (False, at_a_glance.NOTHING, "none"),
        (False, at_a_glance.NOTHING, "qrnet"),
        (False, at_a_glance.KIND, "recnet-single"),
        (False, at_a_glance.LEVEL, "non_local_means-noise"),
        (False, at_a_glance.LEVEL, "wiener-blur"),
        (True, at_a_glance.NOTHING, "finetuned-multiple"),
        (False, at_a_glance.MANY, f"{at_a_glance.ADAPT} 8 at once"),
    ]
    assert set(frame["distortion"]) == set(option_tables.PLACES), "no mixed images"
    kind = frame[frame["knows"] == at_a_glance.KIND]
    assert kind["distortion"].tolist() == ["blur"], "RecNet (noise) does harm here"
    methods = [x for x in options["method"].unique() if x != "none"]
    free = [x.endswith(("-noise", "-blur")) or x.startswith("finetuned") for x in methods]
    costed = pd.DataFrame(
        {
            "method": methods,
            "milliseconds": [0.0 if x else 20.0 for x in free],
            "slower": [1.0 if x else 3.0 for x in free],
            "minutes": [math.nan if x == "qrnet" else 5.0 for x in methods],
        }
    )
    rendered = at_a_glance.render_table(frame, costed, "glance")
    text = unpadded(rendered)
    assert (
        "| VGG16 stays as it is | nothing | leave them as they are | 0.900 | 0.400 | 0.600 | – | – |"
        in text
    )
    assert "| QRNet | 0.800 (−0.100, worse) | 0.600 (+0.200, better) |" in text
    assert "| +20 ms (3.0×) | not run |" in text
    assert "| non-local means and Wiener's deconvolution | – | 0.700 (+0.300, better) |" in text
    cells = rendered.html.partition("<tbody>")[2].partition("</tbody>")[0].split("<td>")
    bare = {cell.partition("</td>")[0] for cell in cells[1:] if "<a " not in cell}
    assert bare <= {
        "–", at_a_glance.NOTHING, at_a_glance.KIND, at_a_glance.LEVEL, at_a_glance.MANY,
        "VGG16 stays as it is", "VGG16 may be trained", "not measured",
    }, "every number is a link"  # fmt: skip
    assert 'href="adapt_or_restore.html"' in rendered.html


def test_who_knows_more_is_told_only_what_is_better():
    evidence = Evidence(
        runs(
            record("none", 0, 0.9, 0.4, 0.6, n=2000),
            record("recnet-noise", 0, 0.9, noise=0.6, n=2000),
            record("recnet-blur", 0, 0.9, blur=0.7, n=2000),
            record("qrnet-multiple", 0, 0.9, 0.6, 0.7, n=2000),
        )
    )
    frame = at_a_glance.table(evidence, option_tables.options(evidence))
    assert frame["method"].unique().tolist() == ["none", "qrnet"], "two networks gain nothing more"
