"""Every page, as a reader's browser shows it, and every link of the built files."""

from __future__ import annotations

import functools
import http.server
import os
import re
import threading
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, FloatRect, Locator, Page

from browser.conftest import DESKTOP, PHONE, Visit, new_page, settle, until, widen
from qrlib.book import table_of_contents
from qrlib.experiments import coverage

pytestmark = pytest.mark.slow

PAGES = [*table_of_contents.pages(table_of_contents.table()), "genindex", "search"]
#: Bytes that a page may load in all, uncompressed.
BUDGET = 3_000_000
#: Pages that show results of several profiles.
STORY = ("overview", "does_it_hold", "left_open")
#: axe-core's impacts that fail a page.
GRAVE = ("serious", "critical")


def kind(page: str) -> str:
    """What a page was made from: all pages of a kind are laid out alike."""
    folder, _, name = page.rpartition("/")
    if folder == "api":
        return page if name == "index" else "code"
    if folder == "runs":
        return folder
    if "-seed" in name:
        return name.split("-")[0] if name.startswith(("classifier-", "timing-")) else "training"
    return name


#: The first page of each kind, or with QRLIB_EVERY_PAGE set all of them, which takes ten minutes
#: more; links and images are tested on all pages.
KINDS: dict[str, str] = {}
for page in PAGES:
    KINDS.setdefault(page if os.environ.get("QRLIB_EVERY_PAGE") else kind(page), page)
#: A page with tables, one with equations and drawings, one with photographs, prose, and code.
OFFLINE = [
    "_executed/overview",
    "_executed/method",
    "_executed/distortions",
    "rerun",
    "api/science",
]
#: Notes what the page's content security policy refuses.
REFUSED = """window.refused = [];
addEventListener("securitypolicyviolation", (event) => {
  window.refused.push(`${event.effectiveDirective}: ${event.blockedURI}`);
});"""
#: What somebody would try who got a script into a page, or wrote something into its text.
ATTEMPTS = """async (other) => {
  const make = (name, set) => Object.assign(document.createElement(name), set);
  const add = (name, set) => document.body.append(make(name, set));
  const soon = () => new Promise((done) => setTimeout(done, 20));
  const attempts = {
    "connect-src": () => fetch(`${other}/fetch`).catch(() => {}),
    "img-src": () => add("img", { src: `${other}/image` }),
    "script-src-elem": () => add("script", { src: `${other}/script` }),
    "script-src-attr": () => { add("div", {}); document.body.lastChild.outerHTML = "<p onclick='1'>"; },
    "script-src": () => { try { new Function("1"); } catch {} },
    "style-src-elem": () => add("link", { rel: "stylesheet", href: `${other}/style` }),
    "frame-src": () => add("iframe", { src: `${other}/frame` }),
    "object-src": () => add("object", { data: `${other}/object` }),
    "media-src": () => add("video", { src: `${other}/video` }),
    "base-uri": () => document.head.append(make("base", { href: other })),
  };
  const found = {};
  const refusal = async () => {
    while (!window.refused.length) await soon(); // the limit of the test is the limit of this
    return window.refused.map((text) => text.split(":")[0]);
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    window.refused.length = 0;
    await attempt();
    found[name] = await refusal();
  }
  window.refused.length = 0;
  add("script", { textContent: "window.ran = true" });
  found["a script in the text"] = window.ran ? [] : await refusal();
  const code = `
    addEventListener("securitypolicyviolation", (event) => postMessage(event.effectiveDirective));
    fetch("${other}/worker").catch(() => {})`;
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  window.refused.length = 0;
  worker.onmessage = ({ data }) => window.refused.push(data);
  found.worker = await refusal();
  worker.terminate();
  return found;
}"""


#: axe-core's options for each theme: of the dark one only the colours differ.
AXE: dict[str, dict] = {"light": {}, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}}


def violations(page: Page, theme: str) -> list[str]:
    """What axe-core finds grave in a theme."""
    page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    settle(page)
    options = {"resultTypes": ["violations"], "elementRef": False, "preload": False, **AXE[theme]}
    return [
        f"{rule['id']}: {node['target']}: {node['html'][:120]}"
        for rule in page.evaluate("options => axe.run(options)", options)["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"][:3]
    ]


@pytest.mark.parametrize("name", KINDS.values())
def test_a_page_is_quiet_fits_a_phone_and_can_be_read_by_all(
    browser: Browser, server: str, name: str
) -> None:
    """One visit, on a phone and then on a desk, in light and then in dark."""
    page = new_page(browser, PHONE)
    page.add_init_script(REFUSED)
    visit = Visit(page, server)
    page.goto(f"{server}{name}.html")
    assert page.title()
    assert visit.too_wide() == 0
    assert 10_000 < visit.loaded() < BUDGET
    visit.check()
    widen(page)
    page.evaluate(AXE_SCRIPT)
    assert {theme: violations(page, theme) for theme in AXE} == {"light": [], "dark": []}
    assert page.evaluate("window.refused") == [], "refused by the page's own policy"
    page.context.close()


@pytest.fixture
def other() -> Iterator[tuple[str, list[str]]]:
    """Another site, within reach, and what it was asked for."""
    asked: list[str] = []

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_what_gets_into_a_page_runs_not_and_reaches_nobody(
    browser: Browser, site: str, other: tuple[str, list[str]]
) -> None:
    """Over http and from a file."""
    address, asked = other
    page = new_page(browser)
    page.add_init_script(REFUSED)
    page.goto(f"{site}try.html")
    refused = page.evaluate(ATTEMPTS, address)
    expected = {name: [name] for name in refused}
    expected |= {"a script in the text": ["script-src-elem"], "worker": ["connect-src"]}
    assert refused == expected
    assert asked == []
    page.goto(f"{address}/seen")
    page.context.close()
    assert "/seen" in asked  # so the other site could have been reached


@pytest.mark.parametrize("name", OFFLINE)
def test_a_page_works_from_a_file(visit: Callable, site: str, name: str) -> None:
    """Over http too, where the same page is dark; `visit` checks console and requests."""
    opened = visit(f"{name}.html", width=PHONE, dark=site.startswith("http"))
    assert opened.too_wide() == 0
    theme = opened.page.evaluate("document.documentElement.dataset.theme")
    assert theme == ("dark" if site.startswith("http") else "light")


class Source(HTMLParser):
    """What the file of a page holds: links and images, and in their order tables, figures and lines."""

    #: Shows no numbers: what the idea is.
    DIAGRAMS = ("fig-idea",)

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.unnamed: list[str] = []  # images without a text
        self.order: list[str] = []
        self.files: list[tuple[str, str]] = []  # to take away: name, content or address
        self.raw = 0  # frames of pandas as they are
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        kinds = given.get("class", "").split()
        self.anchors |= {given[key] for key in ("id", "name") if key in given}
        self.links |= {given[key] for key in ("href", "src") if given.get(key)}
        if tag == "img" and len(given.get("alt", "").split()) < 2:
            self.unnamed.append(given.get("src", ""))
        if "download" in given:
            self.files.append((given["download"], given["href"]))
        self.raw += tag == "table" and "dataframe" in kinds
        if tag == "table" and "qr-table" in kinds:
            self.order.append("table")
        elif tag == "figure" and given.get("id") not in self.DIAGRAMS:
            self.order.append(f"figure {given.get('id', '')}")
        elif "qr-data" in kinds:
            self.order.append("line")

    def internal(self) -> Iterator[tuple[str, Path, str]]:
        """Links that stay in the book: as written, the file, the anchor."""
        for link in self.links:
            if not urlsplit(link).scheme and not link.startswith("//"):
                address, anchor = urldefrag(link)
                path = unquote(urlsplit(address).path)
                yield link, (self.path.parent / path).resolve() if path else self.path, anchor


@pytest.fixture(scope="module")
def read(html: Path) -> Callable[[str], Source]:
    """A page's file by its name, read once."""
    return functools.cache(lambda name: Source(html / f"{name}.html"))


def test_every_page_has_a_policy(html: Path) -> None:
    """The ones that were not opened too; index.html only leads to the first page."""
    pages = [p for p in html.rglob("*.html") if p.relative_to(html).parts[0] != "_static"]
    without = [
        p.relative_to(html) for p in pages if "Content-Security-Policy" not in p.read_text("utf-8")
    ]
    assert without == [Path("index.html")]
    assert "<script" not in (html / "index.html").read_text("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_no_link_is_dead_and_every_image_says_what_it_shows(
    read: Callable[[str], Source], html: Path, name: str
) -> None:
    source = read(name)
    assert source.links
    for link, target, anchor in source.internal():
        assert target.is_file(), link
        assert target.is_relative_to(html), link
        if anchor and target.suffix == ".html":
            page = target.relative_to(html).with_suffix("").as_posix()
            assert unquote(anchor) in read(page).anchors, link
    assert source.unnamed == []


#: Pages of results, and pages of one run.
RESULTS = [name for name in PAGES if kind(name) in (*coverage.PAGES, *STORY)]
RUNS = [name for name in PAGES if re.search(r"-seed\d+$", name)]


@pytest.mark.parametrize("name", RESULTS)
def test_every_table_and_figure_leads_to_its_data(read: Callable[[str], Source], name: str) -> None:
    shown = read(name)
    assert "line" in shown.order
    for what, after in zip(shown.order, [*shown.order[1:], ""], strict=True):
        assert what == "line" or after == "line", f"{what} has no line under it"
    assert shown.raw == 0, "a frame of pandas as it is"


@pytest.mark.parametrize("name", RUNS)
def test_a_run_leads_to_its_record(read: Callable[[str], Source], name: str) -> None:
    assert read(name).order[0] == "line"
    _, profile, run = name.split("/")
    assert f"../../records/{profile}/{run}.json" in read(name).links


def test_files_to_take_away_have_names_of_their_own(read: Callable[[str], Source]) -> None:
    """One name, one content, wherever in the book."""
    contents: dict[str, set[str]] = {}
    for page in {*RESULTS, *RUNS}:
        for file, content in read(page).files:
            contents.setdefault(file, set()).add(content)
    assert len(contents) > 30
    assert [file for file, different in contents.items() if len(different) > 1] == []


def test_photographs_have_light_letters_in_the_dark(visit: Callable) -> None:
    for dark in (False, True):
        page = visit("_executed/distortions.html", dark=dark).page
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


def box(part: Locator) -> FloatRect:
    place = part.bounding_box()
    assert place
    return place


def test_verdicts_are_cards_on_a_phone_and_wide_on_a_desk(visit: Callable) -> None:
    page = visit("_executed/does_it_hold.html", width=PHONE).page
    table = page.locator(".qr-claims").first
    assert box(table)["x"] >= 0
    assert box(table)["x"] + box(table)["width"] <= PHONE
    assert table.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    cell = table.locator("td").nth(1)
    assert cell.evaluate("e => getComputedStyle(e).display") == "block"
    widen(page)
    assert 0.65 * DESKTOP < box(table)["width"] < DESKTOP


def test_the_first_screen_says_whose_claim_it_is_and_leads_on(visit: Callable) -> None:
    page = visit("_executed/overview.html", width=PHONE).page
    way = page.get_by_role("link", name="Try it on your own photo")
    assert way.count() == 1
    assert box(way)["y"] + box(way)["height"] < 844
    assert "Takagi" in page.locator(".bd-article p").first.inner_text()
    widen(page)
    ways = box(page.locator(".qr-brief .qr-ways"))
    assert ways["y"] + ways["height"] < 900
    size = "e => parseFloat(getComputedStyle(e).fontSize)"
    headings = [page.locator(f".bd-article {tag}").first.evaluate(size) for tag in ("h1", "h2")]
    assert headings[0] > headings[1]
