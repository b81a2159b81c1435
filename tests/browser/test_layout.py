"""Where things are on a phone and on a desk, in the dark, and from a disk."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, FloatRect, Locator

from browser.conftest import DESKTOP, PHONE, new_page, settle, until, widen

pytestmark = pytest.mark.slow

#: A page with tables, one with equations and drawings, one with photographs, prose, and code.
OFFLINE = ["index", "_executed/method", "_executed/distortions", "rerun", "api/science"]


@pytest.mark.parametrize("site", ["file"], indirect=True)
@pytest.mark.parametrize("name", OFFLINE)
def test_a_page_works_from_a_file(visit: Callable, name: str) -> None:
    """In the dark, which it follows; `visit` checks console and requests."""
    opened = visit(f"{name}.html", width=PHONE, dark=True)
    assert opened.too_wide() == 0
    assert opened.page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_photographs_have_light_letters_in_the_dark(visit: Callable) -> None:
    page = visit("_executed/distortions.html").page
    for dark in (False, True):
        theme = "dark" if dark else "light"
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        settle(page)
        shown = page.locator("#fig-noise img:visible")
        assert shown.count() == 1
        assert ("night" in str(shown.get_attribute("src"))) == dark
        if dark:
            style = shown.evaluate(
                "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).filter]"
            )
            assert style == ["rgba(0, 0, 0, 0)", "none"]
        shown.scroll_into_view_if_needed()
        until(page, "e => e.complete && e.naturalWidth > 300", shown.element_handle())


def test_without_scripts_a_page_has_its_colours_and_no_button_that_does_nothing(
    browser: Browser, server: str
) -> None:
    page = new_page(browser, scripts=False)
    page.goto(f"{server}_executed/does_it_hold.html")
    assert page.locator("html").get_attribute("data-theme") == "light"
    for useless in (".bd-header-article button", "[name=qr-verdict]"):
        assert page.locator(useless).count()
        assert page.locator(useless).locator("visible=true").count() == 0
    page.context.close()


def test_tables_break_no_word_that_fits(visit: Callable) -> None:
    """A column is at least as wide as the longest word of its first cell."""
    page = visit("runs.html").page
    narrow = page.locator(".bd-article table td:first-child p").evaluate_all(
        "all => all.filter((e) => e.textContent.trim().split(/\\s+/).length === 1"
        " && e.textContent.length < 14 && e.getClientRects().length && e.offsetHeight > 40)"
        ".map((e) => e.textContent)"
    )
    assert narrow == []


def box(part: Locator) -> FloatRect:
    place = part.bounding_box()
    assert place
    return place


def test_verdicts_are_filtered_and_are_cards_on_a_phone_and_wide_on_a_desk(
    visit: Callable,
) -> None:
    page = visit("_executed/does_it_hold.html", width=PHONE).page
    rows = page.locator(".qr-matrix tbody tr")
    every = rows.count()
    for kind in ("holds", "close"):
        page.locator(f'[name="qr-verdict"][value="{kind}"]').check()
        shown = rows.locator("visible=true")
        assert 0 <= shown.count() < every
        kinds = shown.evaluate_all("all => all.map((row) => row.dataset.verdict)")
        assert set(kinds) <= {kind}
    page.goto("about:blank")
    page.go_back()
    page.wait_for_load_state()
    chosen = page.locator('[name="qr-verdict"]:checked').get_attribute("value")
    until(
        page,
        """chosen => [...document.querySelectorAll(".qr-matrix tbody tr")].every(
        (row) => row.hidden === (chosen !== "" && row.dataset.verdict !== chosen))""",
        chosen,
    )
    page.locator('[name="qr-verdict"][value=""]').check()
    assert rows.locator("visible=true").count() == every
    rule = page.locator("details.sd-dropdown").first
    for event, there in (("beforeprint", True), ("afterprint", False)):
        page.evaluate("event => window.dispatchEvent(new Event(event))", event)
        assert rule.evaluate("e => e.open") == there
    page.locator("details:has(.qr-claims) > summary").first.click()
    table = page.locator(".qr-claims").first
    assert box(table)["x"] >= 0
    assert box(table)["x"] + box(table)["width"] <= PHONE
    assert table.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    cell = table.locator("td").nth(1)
    assert cell.evaluate("e => getComputedStyle(e).display") == "block"
    widen(page)
    assert 0.65 * DESKTOP < box(table)["width"] < DESKTOP


def test_the_first_screen_says_whose_claim_it_is_and_leads_on(visit: Callable) -> None:
    page = visit("index.html", width=PHONE).page
    way = page.get_by_role("link", name="Try it on your own photo")
    assert way.count() == 1
    assert box(way)["y"] + box(way)["height"] < 844
    assert "Takagi" in page.locator(".bd-article p").first.inner_text()
    widen(page)
    ways = box(page.locator(".qr-ways"))
    assert ways["y"] + ways["height"] < 900
    size = "e => parseFloat(getComputedStyle(e).fontSize)"
    headings = [page.locator(f".bd-article {tag}").first.evaluate(size) for tag in ("h1", "h2")]
    assert headings[0] > headings[1]


def test_the_way_from_the_first_page_to_a_photo_of_ones_own_needs_no_mouse(visit: Callable) -> None:
    page = visit("index.html").page

    def tab_to(selector: str) -> None:
        for _ in range(120):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"Tab never comes to {selector}")

    tab_to('.qr-ways a[href="try.html"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/try.html")
    page.locator(".qr-live-begin").wait_for()
    tab_to("#qr-first")
    with page.expect_file_chooser():
        page.keyboard.press("Enter")
