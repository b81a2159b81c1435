"""Verdicts as they are read: short where there is much, and with a way to the results."""

import re

from support.frames import printed_like_results as results
from support.frames import unpadded

from qrlib.report.claims import check, verdict_tables
from qrlib.report.claims.paper_claims import CLAIMS


def shown(found, **more):
    return verdict_tables.render(found, "verdicts", **more)


def test_a_row_a_claim():
    found = check.check(results())
    table = shown(found, label="caltech101, 1 seed")
    text = unpadded(table)
    assert "| verdict | claim | compared: paper, caltech101, 1 seed |" in text
    assert table.html.count("<tr>") == 2 + len(CLAIMS)
    # 0.832 - 0.642 = 0.190, and its error is 0.0146
    said = "| ✓ holds: +13.0 errors, one seed | Restoring with QRNet is better than"
    assert said in text
    assert "| – not judged | " in text
    assert "<em>needs small QRNet</em>" in table.html
    assert "at least 1.96" in text


def test_many_comparisons_are_said_once_and_unfold():
    found = check.check(results(), ids=["qrnet-beats-none-every-level", "qrnet-beats-none-noise"])
    many, few = re.findall(r"<tr>(.*?)</tr>", shown(found).html)[1:]
    summary = "noise and blur at each of levels 1 to 5: QRNet &gt; no restoration"
    assert f"<details><summary>decides among 10: {summary}</summary>" in many
    assert many.count("<li>") == 1 + 10
    assert few.count("<li>") == 1
    assert (
        "<li><span>noise: QRNet &gt; no restoration</span> "
        "<span><b>paper</b> 0.832 vs 0.642</span> <span><b>ours</b> 0.832 vs 0.642</span></li>"
        in few
    )


def test_the_comparison_that_decides_is_the_one_to_be_seen():
    found = check.check(results(), ids=["recnets-beat-none-noise", "qrnet-improves-quality-blur"])
    recnets = found.iloc[0]
    ours = [pair["ours"] for pair in recnets["comparisons"]]
    worst = min(ours, key=lambda pair: pair[0] - pair[1])
    assert ours[recnets["decides"]] == worst
    first = re.findall(r"<li>(.*?)</li>", shown(found).html)[0]
    assert f"<b>ours</b> {worst[0]:.3f} vs {worst[1]:.3f}" in first


def test_a_claim_leads_to_the_results():
    some = results().assign(profile="quick")
    found = check.check(some, ids=["qrnet-beats-none-high-noise"])
    page = shown(found, up="../").html
    assert '(Sections <a href="../_executed/quick/recovery.html">IV-B1</a> and ' in page
    assert 'Figures <a href="../_executed/quick/recovery.html#figure-4">4</a> and ' in page
    assert '<a href="../_executed/quick/image_quality.html#figure-7">7</a>)' in page
    elsewhere = shown(found.assign(profile="caltech256")).html  # has no page in the book
    assert "(Sections IV-B1 and IV-D, Figures 4 and 7)" in elsewhere


def test_one_seed_is_said_to_be_one():
    ids = ["qrnet-beats-none-noise", "qrnet-beats-none-blur"]
    assert "One seed: the error only covers" in unpadded(shown(check.check(results(), ids=ids)))
    two = [(0, 0.9, 0.832, 0.20), (1, 0.9, 0.832, 0.30)]
    table = unpadded(shown(check.check(results(qrnet_multiple=two), ids=ids)))
    assert "| ✓ holds: +13.0 errors, 2 seeds | " in table
    assert "| ≈ too close to call: −0.2 (seeds disagree) errors, 2 seeds | " in table
    assert "One seed" not in table
    level = check.check(results(qrnet_multiple=[(0, 0.9, 0.6415, 1.0)]), ids=ids)
    assert "| ≈ too close to call: +0.0 errors, one seed | " in unpadded(shown(level))
    lacking = check.check(results(), ids=["lambda-similar"])
    assert "Errors:" not in str(shown(lacking))
