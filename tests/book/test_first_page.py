"""The first screen tells what the records say, whichever way it falls."""

import functools

import pytest
from support.frames import table2_results, unpadded
from support.project import ROOT

from qrlib.book import first_page
from qrlib.experiments import coverage, profiles
from qrlib.records import store
from qrlib.report import gains, tables
from qrlib.report.claims import check, rule

LEADING = coverage.with_records()[0].name


@pytest.fixture
def committed(monkeypatch):
    monkeypatch.setenv("QRLIB_RESULTS", str(ROOT / "results"))
    return profiles.load(LEADING)


@functools.cache
def judged():
    """Once for all tests: it takes a second."""
    return check.check(table2_results())


def said(profile, noise, blur):
    results = table2_results()
    verdicts = judged().set_index("id").assign(verdict=rule.CLOSE)
    for distortion, verdict in (("noise", noise), ("blur", blur)):
        verdicts.loc[f"qrnet-beats-none-{distortion}", "verdict"] = verdict
        verdicts.loc[f"qrnet-beats-recnet-single-{distortion}", "verdict"] = verdict
    clean = gains.clean_accuracy(results, restorers=("none", "qrnet-multiple"))
    return " ".join(
        first_page.answer(profile, tables.table2(results), clean, verdicts.reset_index())
    )


def test_the_answer_has_the_numbers_and_the_verdicts():
    text = said(profiles.load("caltech101"), rule.HOLDS, rule.FAILS)
    assert "at the paper's own size?" in text
    assert (
        "**Yes under noise**: VGG16 goes from 60.0 % to 82.0 %, +22.0 points (paper: +19.0)."
        in text
    )
    assert "**No under blur**: VGG16 goes from 30.0 % to 71.0 %" in text
    assert "Against RecNet (single): better under noise and worse under blur." in text
    assert "Against RecNet (multiple): too close to call under noise and too" in text
    assert "**2 hold, 2 do not**" in text
    assert "400 test images" in text


def test_a_small_run_is_not_taken_for_the_papers_setting():
    text = said(profiles.load("quick"), rule.CLOSE, rule.CLOSE)
    assert "nobody has tested it yet" in text
    assert text.count("Too close to call under") == 2


def test_all_runs_stand_under_the_paper():
    profile = profiles.load("quick")
    results = table2_results()
    shown = first_page.runs([profile], {"quick": tables.table2(results)}, {"quick": judged()})
    text = unpadded(shown)
    assert "| the paper | 0.642 | 0.832 | 0.259 | 0.705 |" in text
    assert f"| {profile.title} | 0.600 | 0.820 | 0.300 | 0.710 |" in text
    assert "EfficientNet-Lite0, 400 images" in text
    assert 'href="runs/quick.html"' in shown.html
    smoke = profiles.load("smoke")  # no page is about it
    alone = first_page.runs([smoke], {"smoke": tables.table2(results)}, {"smoke": judged()})
    assert "None" not in alone.html


def test_the_picture_shows_an_image_that_qrnet_wins_back_and_says_how_rare_that_is(committed):
    sheets = first_page.sheets(committed)
    lost, recovered = first_page.lost_and_recovered(sheets)
    assert set(recovered) <= set(lost)
    told = first_page.picture_caption(committed, sheets, store.read(LEADING))
    assert f"misread {len(lost)} of {len(sheets['none']['labels'])} sample images" in told
    assert f"fixes {len(recovered)}" in told
    shown = first_page.picture(committed, sheets).html
    assert shown.count(": classified as ") == 1 + 2 * len(sheets)
    assert shown.count("clean test image: classified as") == 1


def test_without_sheets_of_images_there_is_no_picture(folders):
    assert first_page.sheets(profiles.load(LEADING)) == {}
