"""Explorers in the built pages: operated as a reader does, seen to change, true to the records."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from browser.conftest import DESKTOP, PHONE, Visit, new_page, settle, widen
from qrlib.experiments import coverage, profiles, samples
from qrlib.records import selection, store
from qrlib.report import labels, render, tables
from qrlib.utils import paths

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
#: Figure 6 comes last, so that its profile has all networks.
PROFILE = coverage.with_records(part="figure6")[0].name
TEACHER = profiles.load(PROFILE).classifier.name
DISTORTIONS = "_executed/distortions.html"
QUALITY, RECOVERY = (f"_executed/{PROFILE}/{name}.html" for name in ("image_quality", "recovery"))
EXPLORERS = {
    DISTORTIONS: 1,
    QUALITY: 1,
    RECOVERY: 2,
    "_executed/quick/recovery.html": 2,
}
VIEWS = 'script[type="application/vnd.jupyter.widget-view+json"]'
#: Bytes of a page with the state of its explorers; scripts, styles and figures come on top.
BUDGET = 2_500_000


@pytest.fixture(autouse=True)
def _committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QRLIB_RESULTS", str(ROOT / "results"))


@pytest.fixture(scope="module")
def recovery(browser: Browser, server: str) -> Iterator[Callable[[int], Page]]:
    """The page of accuracies and learning curves, opened once a width."""
    visits: dict[int, Visit] = {}

    def open_page(width: int = DESKTOP) -> Page:
        if width not in visits:
            visits[width] = Visit(new_page(browser, width), server)
            visits[width].page.goto(server + RECOVERY)
        return visits[width].page

    yield open_page
    for visit in visits.values():
        visit.page.context.close()
        visit.check()


def explorer(page: Page, number: int = 0) -> Locator:
    qx = page.locator(".qx").nth(number)
    qx.scroll_into_view_if_needed()
    return qx


def says(qx: Locator) -> str:
    return qx.locator(".qx-says").inner_text()


def seen(part: Locator) -> np.ndarray:
    """The pixels of a part of the page, (H, W, 3) in [0, 1], once its images are decoded."""
    part.evaluate("e => Promise.all([e, ...e.querySelectorAll('img')].map((i) => i.decode?.()))")
    shot = Image.open(io.BytesIO(part.screenshot())).convert("RGB")
    return np.asarray(shot, dtype=np.float32) / 255


def changed(before: np.ndarray, after: np.ndarray, least: float = 0.2) -> bool:
    return before.shape != after.shape or bool(np.abs(before - after).max() > least)


@pytest.mark.parametrize(("path", "count"), EXPLORERS.items())
def test_a_page_shows_its_explorers_within_its_width(
    visit: Callable, html: Path, path: str, count: int
) -> None:
    opened = visit(path, width=PHONE)
    page = opened.page
    page.locator(".qx").nth(count - 1).wait_for()
    assert page.locator(VIEWS).count() == page.locator(".qx").count() == count
    # Quick trains RecNet and QRNet alone, and its explorer says so.
    assert bool(page.locator(".qx-missing").count()) == ("/quick/" in path)
    assert opened.too_wide() == 0
    widen(page)
    assert opened.too_wide() == 0
    assert (html / path).stat().st_size < BUDGET
    for control in page.locator(".qx :is(select, input)").all():
        assert control.evaluate("e => e.labels.length") == 1


@pytest.mark.parametrize("site", ["file"], indirect=True)
def test_distortions_by_photograph_kind_and_level(visit: Callable) -> None:
    """From a disk; the others are tried over http."""
    page = visit(DISTORTIONS).page
    qx = explorer(page)
    picture = qx.locator("img[data-name=distorted]")

    def told(kind: str, level: int) -> str:
        """PSNR and SSIM as the page's own table has them, for the photograph it is about."""
        table = page.locator("table.qr-table:has(th:text-is('PSNR (dB)'))")
        rows = [row.split("\t") for row in table.inner_text().splitlines()]
        _, _, _, psnr, ssim = next(row for row in rows if row[:2] == [kind, str(level)])
        return f"PSNR {psnr} dB, SSIM {ssim}."

    before = seen(picture)
    assert says(qx).endswith(told("noise", 3))
    qx.get_by_label("blur").check()
    assert says(qx).endswith(told("blur", 3))
    blurred = seen(picture)
    assert changed(before, blurred)
    qx.get_by_role("slider").press("ArrowRight")
    assert says(qx).endswith(told("blur", 4))
    assert "level 4" in str(picture.get_attribute("alt"))
    assert changed(blurred, seen(picture), least=0.03)  # a little more blur
    astronaut = picture.get_attribute("src")
    qx.get_by_label("Photograph").select_option("rocket")
    assert picture.get_attribute("src") != astronaut
    assert "rocket" in str(picture.get_attribute("alt"))
    qx.get_by_role("slider").press("Home")
    assert picture.get_attribute("src") == qx.locator("img").first.get_attribute("src")
    assert seen(picture).std() > 0.01  # decoded, not a broken image


def test_play_goes_through_the_levels_once_and_is_one_step_for_who_wants_less_motion(
    visit: Callable,
) -> None:
    """On a page whose time stands still."""
    page = visit(DISTORTIONS).page
    playing = explorer(page)
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    level = playing.get_by_role("slider")
    play = playing.locator(".qx-play")
    level.press("End")
    play.click()  # from the end it begins again
    sources = set()
    for value in "012345":
        assert level.input_value() == value
        assert play.inner_text() == ("▶ Play" if value == "5" else "⏸ Pause")
        sources.add(playing.locator("img[data-name=distorted]").get_attribute("src"))
        page.clock.run_for(900)
    assert len(sources) == 6
    assert level.input_value() == "5"
    play.click()
    level.press("End")  # whoever takes the slider has it
    assert play.inner_text() == "▶ Play"
    page.clock.run_for(5000)
    assert level.input_value() == "5"
    page.emulate_media(reduced_motion="reduce")
    expect(play).to_have_text("Next")
    level.press("Home")
    play.click()
    page.clock.run_for(5000)
    assert level.input_value() == "1"


def test_restored_images_are_the_tiles_of_the_sheets(visit: Callable) -> None:
    qx = explorer(visit(QUALITY, width=PHONE).page)
    before = seen(qx.locator(".qx-tile").last)
    qx.get_by_label("Test image").select_option(index=2)
    qx.get_by_label("blur").check()
    qx.get_by_label("5", exact=True).check()
    qx.get_by_label("Restored by").select_option("RecNet (multiple)")
    assert changed(before, seen(qx.locator(".qx-tile").last))
    for method, run in (
        ("none", f"none-{TEACHER}"),
        ("recnet-multiple", f"recnet-multiple-{TEACHER}-seed0"),
    ):
        entry = store.read_record(PROFILE, f"evaluation-{run}")["samples"]
        case = [(c["distortion"], c["level"]) for c in entry["cases"]].index(("blur", 5))
        shown = qx.locator(f'figure[data-method="{method}"][data-case="{case}"]')
        answer = entry["answers"][2][case]
        assert labels.image_class(answer["answer"]) in shown.inner_text().replace("\xa0", " ")
        assert f"{round(answer['confidence'] * 100)} %" in shown.inner_text()
        assert ("✓" in shown.inner_text()) == (answer["answer"] == entry["labels"][2])
        assert labels.image_class(answer["answer"]) in says(qx)
        assert shown.locator("img").get_attribute("alt")
        assert_shows(shown.locator(".qx-tile"), entry, 2, case)


def assert_shows(part: Locator, entry: dict[str, Any], image: int, case: int) -> None:
    """Of all tiles of a sheet, the one that is seen is the nearest."""
    tiles = samples.read_sheet(entry, paths.results(PROFILE))
    shown = seen(part)

    def distance(tile: np.ndarray) -> float:
        pixels = Image.fromarray((tile * 255).astype(np.uint8))
        drawn = pixels.resize(shown.shape[1::-1], Image.Resampling.NEAREST)
        return float(np.abs(np.asarray(drawn, np.float32) / 255 - shown).mean())

    far = [[distance(tile) for tile in row] for row in tiles]
    assert np.unravel_index(np.argmin(far), np.shape(far)) == (image, case)
    assert np.min(far) < 0.15  # noise, drawn at another size, differs; another image by more


def test_restored_images_begin_with_one_that_is_won_back(visit: Callable) -> None:
    """On paper too, which shows what is there at first."""
    page = visit(QUALITY).page
    qx = explorer(page)
    bar = qx.locator(".qx-bar span").first
    for media, colours in (("screen", "economy"), ("print", "exact")):
        page.emulate_media(media=media)
        assert bar.evaluate("e => getComputedStyle(e).printColorAdjust") == colours
        assert bar.evaluate("e => e.clientWidth") > 0
    tiles = qx.locator("figure[data-method]")
    answers = [text.replace("\xa0", " ") for text in tiles.all_inner_texts()]
    assert ["✓" in answer for answer in answers] == [True, False, True]
    image = int(qx.get_by_label("Test image").input_value())
    for tile, name in zip(
        tiles.all()[1:], (f"none-{TEACHER}", f"qrnet-multiple-{TEACHER}-seed0"), strict=True
    ):
        entry = store.read_record(PROFILE, f"evaluation-{name}")["samples"]
        case = int(str(tile.get_attribute("data-case")))
        told = entry["answers"][image][case]["answer"]
        assert labels.image_class(told) in tile.inner_text().replace("\xa0", " ")
        assert_shows(tile.locator(".qx-tile"), entry, image, case)


def cells(qx: Locator, series: str) -> list[str]:
    row = qx.locator("tr", has=qx.page.locator(f'input[data-series="{series}"]'))
    return row.locator("td").all_inner_texts()


@functools.cache
def all_levels() -> pd.DataFrame:
    return tables.levels(store.read(PROFILE), profiles.load(PROFILE).choice)


def accuracy(method: str, level: int) -> list[str]:
    """A method's accuracies under noise and blur at a level, as tables write them."""
    data = all_levels()
    data = data[data["level"] == level].set_index(["distortion", "restorer"])
    rows = [data.loc[kind, selection.restorer_of(method, kind)] for kind in ("noise", "blur")]
    return [f"{row['ours']:.3f} ± {row['standard_error']:.3f} ({row['seeds']})" for row in rows]


def test_accuracy_by_level_follows_slider_and_switches(recovery: Callable) -> None:
    qx = explorer(recovery())
    charts = qx.locator(".qx-panels")
    assert cells(qx, "qrnet") == accuracy("qrnet", 3)
    assert "highest of those shown is" in says(qx)
    qx.get_by_role("slider").focus()
    qx.page.keyboard.press("ArrowRight")
    assert cells(qx, "qrnet") == accuracy("qrnet", 4)
    assert cells(qx, "finetuned-multiple") == accuracy("finetuned-multiple", 4)
    before = seen(charts)
    switch = qx.get_by_label("fine-tuned (multiple)")
    line = qx.locator('.qx-chart [data-series="finetuned-multiple"]')
    assert line.count() == 0
    switch.press("Space")
    assert line.count() == 2
    assert changed(before, seen(charts))
    assert switch.evaluate("e => e === document.activeElement"), "the focus was lost"
    assert "fine-tuned (multiple)" in says(qx)
    qx.get_by_role("button", name="All off").click()
    assert qx.locator(".qx-chart [data-series]").count() == 0
    assert "no line here" in says(qx)
    qx.get_by_role("button", name="All on").click()
    assert qx.locator(".qx-chart").first.locator("[data-series]").count() >= 8
    assert "highest is" in says(qx)


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_accuracy_by_level_follows_pointing(recovery: Callable, width: int) -> None:
    page = recovery(width)
    qx = explorer(page)
    chart = qx.locator(".qx-chart").first
    chart.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
    box = chart.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    level = qx.get_by_role("slider")
    level.fill("3")

    def point(x: float) -> None:
        page.mouse.move(box["x"] + x, middle)

    point(5)
    assert cells(qx, "qrnet") == accuracy("qrnet", 0)
    point(box["width"] - 20)
    assert cells(qx, "qrnet") == accuracy("qrnet", 5)
    assert level.input_value() == "3", "it only points"
    page.mouse.move(box["x"] + 5, 0)
    assert cells(qx, "qrnet") == accuracy("qrnet", 3), "it went away"
    point(box["width"] - 20)
    page.mouse.down()
    page.mouse.up()
    page.mouse.move(box["x"] + 5, 0)
    assert cells(qx, "qrnet") == accuracy("qrnet", 5), "a click keeps it"
    assert level.input_value() == "5"
    finger = {"pointerType": "touch", "pointerId": 1, "clientX": box["x"] + 60, "clientY": middle}
    chart.dispatch_event("pointerdown", finger)
    qx.locator(".qx-panels").dispatch_event("pointermove", finger | {"clientY": middle - 40})
    assert level.input_value() == "5", "it scrolls"
    qx.locator(".qx-panels").dispatch_event("pointermove", finger | {"clientX": box["x"] + 90})
    assert level.input_value() in "12", "it draws sideways"
    assert cells(qx, "qrnet") == accuracy("qrnet", int(level.input_value()))


def points(line: Locator) -> int:
    return len(re.findall("[ML]", str(line.get_attribute("d"))))


def test_learning_curves_by_measure_and_variant(recovery: Callable) -> None:
    qx = explorer(recovery(), 1)
    name = f"qrnet-multiple-{TEACHER}-seed"
    records = store.read_records(PROFILE, "recovery")
    trained = [r["training"] for r in records if r["name"].startswith(name)]
    kept = ", ".join(str(training["best_epoch"]) for training in trained)

    def written(epoch: int, measure: str) -> str:
        seeds = [training["epochs"][epoch][measure] for training in trained]
        error = np.std(seeds, ddof=1) / len(seeds) ** 0.5 if len(seeds) > 1 else np.nan
        return render.format_ours(np.mean(seeds), error, len(seeds), 4)

    assert cells(qx, "qrnet") == [written(-1, "val_quality"), kept]
    before = seen(qx.locator(".qx-panels"))
    qx.get_by_label("Show").select_option(f"cross-entropy of {labels.classifier(TEACHER)}")
    assert cells(qx, "qrnet") == [written(-1, f"val_{TEACHER}"), kept]
    assert changed(before, seen(qx.locator(".qx-panels")))
    slider = qx.get_by_role("slider")
    for view in ("pretraining on clean images, L1", "classifiers, accuracy"):
        qx.get_by_label("Show").select_option(view)
        epoch = f"{int(slider.input_value()) + 1} of {int(slider.get_attribute('max') or 0) + 1}"
        assert (
            qx.locator(".qx-value").inner_text() == slider.get_attribute("aria-valuetext") == epoch
        )
        assert f"Epoch {epoch.split()[0]}:" in says(qx)
    qx.get_by_label("Show").select_option(f"cross-entropy of {labels.classifier(TEACHER)}")
    slider.press("Home")
    assert cells(qx, "qrnet")[0] == written(0, f"val_{TEACHER}")
    qx.get_by_label("Show").select_option("classifiers, accuracy")
    epochs = store.read_record(PROFILE, f"classifier-{TEACHER}-seed0")["training"]["epochs"]
    assert points(qx.locator(f'.qx-chart [data-series="{TEACHER}"] .qx-line')) == len(epochs)
    assert cells(qx, TEACHER)[0] == f"{epochs[0]['val_accuracy']:.3f} (1)"
    qx.get_by_role("slider").press("End")
    assert cells(qx, TEACHER)[0] == "–", "it stopped before another one did"
    assert "highest" in says(qx)
    qx.locator(f'input[data-series="{TEACHER}"]').uncheck()
    assert qx.locator(f'.qx-chart [data-series="{TEACHER}"]').count() == 0


#: The name of an axis and its ticks, as they are drawn.
TICKS = """chart => {
  const box = (e) => e.getBoundingClientRect();
  const name = box(chart.querySelectorAll(".qx-label")[1]);
  const ticks = [...chart.querySelectorAll(".qx-end")].map((e) => box(e).left);
  return [name.right, Math.min(...ticks), name.left - box(chart).left];
}"""


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_no_tick_meets_the_name_of_its_axis(recovery: Callable, width: int) -> None:
    page = recovery(width)
    learning = explorer(page, 1)
    views = learning.get_by_label("Show").locator("option").all_inner_texts()
    assert len(views) > 3
    for number, view in [(0, None), *((1, view) for view in views)]:
        if view:
            learning.get_by_label("Show").select_option(view)
        for chart in explorer(page, number).locator(".qx-chart").all():
            name, ticks, room = chart.evaluate(TICKS)
            assert ticks >= name, view
            assert room >= 0, view


def test_letters_are_light_in_the_dark(recovery: Callable) -> None:
    page = recovery()
    qx = explorer(page)
    for dark in (True, False):
        theme = "dark" if dark else "light"
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        settle(page)
        fill = qx.locator(".qx-chart text").first.evaluate("e => getComputedStyle(e).fill")
        ground = qx.locator(".qx-chart").first.evaluate("e => getComputedStyle(e).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", fill)[:3])) > 384) == dark
        assert ground == "rgba(0, 0, 0, 0)", "a white ground would hide the light letters"
        colour = qx.locator('.qx-chart [data-series="none"]').first
        found = colour.evaluate("e => getComputedStyle(e).color")
        assert found == ("rgb(196, 196, 196)" if dark else "rgb(77, 77, 77)")


def test_without_scripts_a_sentence_points_to_the_figures(browser: Browser, site: str) -> None:
    page = new_page(browser, scripts=False)
    page.goto(site + RECOVERY)
    assert page.get_by_text("needs JavaScript, which is off").count() == EXPLORERS[RECOVERY]
    assert page.locator("figure img").count() >= 1
    page.context.close()


def test_a_browser_that_cannot_run_them_says_so(browser: Browser, site: str) -> None:
    page = new_page(browser)
    page.add_init_script("URL.createObjectURL = () => 'data:text/javascript,oops('")
    page.goto(site + RECOVERY)
    page.get_by_text("This browser cannot run the explorer").first.wait_for()
    assert page.locator(".qx").count() == 0
    page.context.close()
