"""Every control of the pages' frame does what it says, on a phone, a tablet and a desk."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browser.conftest import PATIENCE, Visit, until

pytestmark = pytest.mark.slow

#: Width -> whether it is used with a finger.
WIDTHS = {390: True, 800: True, 1366: False}
#: A page with a menu, contents, a download, folded code and figures.
NAME = "_executed/method.html"


@pytest.fixture(scope="module", params=WIDTHS)
def opened(request: pytest.FixtureRequest, browser: Browser, server: str) -> Iterator[Visit]:
    """The page at one width, from the disk on a tablet."""
    width: int = request.param
    html = request.getfixturevalue("html")
    site = f"{html.as_uri()}/" if width == 800 else server
    context = browser.new_context(
        viewport={"width": width, "height": 844}, has_touch=WIDTHS[width], is_mobile=False
    )
    context.set_default_timeout(PATIENCE)
    visit = Visit(context.new_page(), site)
    visit.page.add_init_script("window.print = () => (window.printed = true)")
    visit.page.goto(f"{site}{NAME}")
    yield visit
    context.close()
    visit.check()


@pytest.fixture
def page(opened: Visit) -> Page:
    opened.page.evaluate("scrollTo(0, 0)")
    return opened.page


def touched(page: Page) -> bool:
    return bool(page.evaluate("matchMedia('(hover: none)').matches"))


def press(part: Locator) -> None:
    part.tap() if touched(part.page) else part.click()


def visible(page: Page, selector: str) -> Locator:
    return page.locator(selector).locator("visible=true")


@pytest.mark.parametrize(("which", "inside"), [("primary", "Does it hold?"), ("secondary", "")])
def test_menu_and_contents_open_and_close(page: Page, which: str, inside: str) -> None:
    toggle = visible(page, f".{which}-toggle")
    wide = page.viewport_size and page.viewport_size["width"] >= 992
    if toggle.count():
        toggle.focus()
        page.keyboard.press("Shift+Tab")  # by keys, the focus is shown
        page.keyboard.press("Tab")
        assert toggle.evaluate("e => e === document.activeElement")
        assert toggle.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    if which == "secondary" and wide:
        assert toggle.count() == 0  # the contents are always there
        expect(page.locator("#pst-secondary-sidebar .page-toc a").first).to_be_visible()
        return
    if wide:
        menu = page.locator("#pst-primary-sidebar")
        for shown in (False, True):
            press(toggle)
            expect(menu).to_be_visible(visible=shown)
        return
    dialog = page.locator(f"#pst-{which}-sidebar-modal")
    closers: list[Callable[[], None]] = [
        lambda: press(dialog.get_by_role("button", name="Close")),
        lambda: page.keyboard.press("Escape"),
        lambda: page.touchscreen.tap(5 if which == "secondary" else 385, 800),
    ]
    for close in closers:
        press(toggle)
        expect(dialog.get_by_role("link", name=inside).first).to_be_visible()
        assert page.locator(".tooltip:visible").count() == 0
        close()
        expect(dialog).to_be_hidden()


def test_a_place_in_the_contents_can_be_gone_to(page: Page) -> None:
    toggle = visible(page, ".secondary-toggle")
    if toggle.count():
        press(toggle)
    link = visible(page, ".page-toc a").filter(has_text="The losses").first
    press(link)
    expect(page.locator("#pst-secondary-sidebar-modal")).to_be_hidden()
    top = "document.querySelector('#the-losses').getBoundingClientRect().top"
    until(page, f"() => {top} >= 0 && {top} < innerHeight")


def test_the_theme_can_be_changed(page: Page) -> None:
    modes = set()
    for _ in range(3):
        press(visible(page, ".theme-switch-button"))
        modes.add(page.evaluate("document.documentElement.dataset.mode"))
    assert modes == {"light", "dark", "auto"}


def test_the_page_can_be_printed_and_shown_on_the_whole_screen(page: Page) -> None:
    press(visible(page, "[data-click='window.print']"))
    until(page, "() => window.printed")
    button = visible(page, "[data-click=toggleFullScreen]")
    for there in (True, False):
        press(button)
        until(page, "there => !!document.fullscreenElement === there", there)


def test_code_unfolds(page: Page) -> None:
    folded = page.locator("details.hide").first
    for shown in (True, False):
        press(folded.locator("summary"))
        expect(folded.locator("pre").first).to_be_visible(visible=shown)


def test_a_figure_opens_large_and_closes(page: Page) -> None:
    figure = page.locator(".bd-article figure img").first
    large = page.locator("dialog.qr-large")
    press(figure)
    expect(large.locator("img")).to_be_visible()
    press(large.get_by_role("button", name="Close"))
    expect(large).to_be_hidden()
    figure.press("Enter")
    expect(large).to_be_visible()
    page.keyboard.press("Escape")
    expect(large).to_be_hidden()


def test_the_focus_is_back_on_the_button_after_a_search(page: Page) -> None:
    button = visible(page, ".search-button__button").first
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#pst-search-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#pst-search-dialog")).to_be_hidden()
    expect(button).to_be_focused()


def test_a_word_of_the_glossary_says_what_it_means(page: Page) -> None:
    term = page.locator("a.qr-term").first
    assert len(str(term.get_attribute("title"))) > 20
    assert "glossary.html#term-" in str(term.get_attribute("href"))


def test_the_search_finds_pages_before_runs_and_says_what_they_are_about(page: Page) -> None:
    press(visible(page, ".search-button__button").first)
    box = visible(page, "input[name=q]").first
    inset = box.evaluate("e => parseFloat(getComputedStyle(e).paddingLeft)")
    assert inset > 35, "the magnifier lies over the first letter"
    if page.url.startswith("file:"):
        return  # a page from a disk may read no other, so that nothing can be excerpted
    box.fill("license")
    box.press("Enter")
    results = page.locator("#search-results li")
    expect(results.first).to_contain_text("About this book")
    box = visible(page, "input[name=q]").first
    box.fill("classification loss")
    box.press("Enter")
    expect(results.first.locator(".context")).to_be_visible()
    pages = results.locator("a").evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    ranks = [name.startswith("api/") or "-seed" in name for name in pages]
    assert ranks == sorted(ranks), "a run or the reference comes before a page"
    assert not any("\\" in text for text in results.locator(".context").all_inner_texts())
    page.go_back()
    page.go_back()
