"""The first screen tells what the records say, whichever way it falls."""

import re
import shutil

import pytest
from support.frames import table2_results, unpadded
from support.project import ROOT

from qrlib.book import first_page
from qrlib.experiments import profiles
from qrlib.report import tables
from qrlib.report.claims import check, rule
from qrlib.utils.errors import QrlibError


@pytest.fixture
def committed(monkeypatch):
    monkeypatch.setenv("QRLIB_RESULTS", str(ROOT / "results"))
    return profiles.load("caltech101-cpu")


def said(table, verdict_noise, verdict_blur):
    verdicts = {"qrnet-beats-none-noise": verdict_noise, "qrnet-beats-none-blur": verdict_blur}
    frame = check.check(table2_results()).set_index("id").assign(verdict="-")
    for name, verdict in verdicts.items():
        frame.loc[name, "verdict"] = verdict
    return first_page.claim(table, frame.reset_index(), profiles.load("quick"))


@pytest.mark.slow
def test_the_claim_has_the_numbers_and_the_verdicts():
    text = said(tables.table2(table2_results()), rule.HOLDS, rule.FAILS)
    assert "[Takagi, Sakurai and Hagiwara, IEEE Access 2019](https://doi.org/10.1109/" in text
    assert "under noise from 0.642 to 0.832 and under blur from 0.259 to 0.705" in text
    assert f"under noise from 0.600 to 0.820, *{rule.HOLDS}*" in text
    assert f"under blur from 0.300 to 0.710, *{rule.FAILS}*" in text
    assert "not the paper's setting" in text


def test_the_brief_table_has_the_numbers_of_table_2():
    text = unpadded(first_page.headline(tables.table2(table2_results())))
    assert "| accuracy | no restoration | RecNet (multiple) | QRNet |" in text
    assert "| Noise, paper | 0.642 | 0.819 | 0.832 |" in text
    assert "| Blur, ours | 0.300 | 0.510 | 0.710 |" in text


def test_the_picture_shows_an_image_that_qrnet_wins_back_and_says_how_rare_that_is(committed):
    sheets = first_page.load_sheets(committed)
    shown = first_page.picture(committed, sheets).html
    told = first_page.picture_caption(committed, sheets)
    lost, recovered = sheets.lost_and_recovered()
    assert set(recovered) < set(lost)
    assert f"takes {len(lost)} away from the classifier" in told
    assert f"gives {len(recovered)} back" in told
    answers = re.findall(r'alt="[^"]*: classified as ([^"]*), (\d+)% sure, (right|wrong)"', shown)
    first = recovered[0]
    wanted = [sheets.entries[m]["answers"][first] for m in first_page.METHODS]
    assert len(answers) == 7
    confidences = [int(percent) for _, percent, _ in answers]
    assert confidences[0] == round(100 * wanted[0][0]["confidence"])
    assert confidences[1:4] == [round(100 * answer[1]["confidence"]) for answer in wanted]
    assert confidences[4:] == [round(100 * answer[3]["confidence"]) for answer in wanted]
    assert [verdict for *_, verdict in answers[:4]] == ["right", "wrong", "wrong", "right"]


def test_pages_of_the_book_are_linked():
    links = first_page.ways([("rerun", "Again"), ("_executed/method", "How & why")])
    assert re.findall(r'href="([^"]+)"', links) == ["../rerun.html", "../_executed/method.html"]
    assert "How &amp; why" in links


def test_without_sheets_of_images_there_is_no_picture(folders):
    assert first_page.load_sheets(profiles.load("caltech101-cpu")) is None


def test_the_way_to_the_live_page_stands_before_the_picture_and_beside_the_table():
    first, brief = (
        first_page.first_way().html,
        first_page.brief(tables.table2(table2_results())).html,
    )
    (there,) = re.findall(r'href="([^"]+)"', first)
    assert there == re.findall(r'class="qr-ways"><a href="([^"]+)"', brief)[0] == "../try.html"
    assert "qr-ways qr-first" in first


def test_a_sheet_that_is_not_its_records_is_refused(committed, tmp_path, monkeypatch):
    """A picture that cannot be trusted is an error, not a page without one."""
    shutil.copytree(ROOT / "results" / "caltech101-cpu", tmp_path / "r" / "caltech101-cpu")
    monkeypatch.setenv("QRLIB_RESULTS", str(tmp_path / "r"))
    sheet = (
        tmp_path
        / "r"
        / "caltech101-cpu"
        / first_page.load_sheets(committed).entries["qrnet"]["file"]
    )
    sheet.write_bytes(sheet.read_bytes()[:-1])
    with pytest.raises(QrlibError, match="is not the one its record describes"):
        first_page.load_sheets(committed)
