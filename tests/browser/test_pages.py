"""Every page, as a reader's browser shows it, and every link of the built files."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser

from browser.conftest import DESKTOP, PATIENCE, PHONE, Visit, new_page
from qrlib import sections

ROOT = Path(__file__).resolve().parents[2]
TOC = (ROOT / "book" / "_toc.yml").read_text()
PAGES = [*re.findall(r"(?:root|file): (\S+)", TOC), "genindex", "search"]
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
        return "code" if name not in ("index", "losses") else page
    if folder == "runs":
        return folder
    if "-seed" in name:
        return name.split("-")[0] if name.startswith(("classifier-", "timing-")) else "training"
    return name


#: The first page of each kind; links and images are tested on all pages.
KINDS: dict[str, str] = {}
for page in PAGES:
    KINDS.setdefault(kind(page), page)
#: A page with tables, one with equations and drawings, one with photographs, prose, and code.
OFFLINE = ["_executed/overview", "_executed/method", "_executed/distortions", "rerun", "api/losses"]


class Survey:
    """One visit to a page, on a phone and then on a desk, in light and then in dark."""

    def __init__(self, browser: Browser, site: str, path: str) -> None:
        page = new_page(browser, PHONE)
        page.set_default_timeout(PATIENCE)
        visit = Visit(page, site)
        page.goto(f"{site}{path}.html", wait_until="load", timeout=PATIENCE)
        self.title = page.title()
        self.too_wide = visit.too_wide()
        self.bytes = visit.loaded()
        self.errors, self.outside = visit.errors[:], visit.outside[:]
        page.set_viewport_size({"width": DESKTOP, "height": 900})
        self.violations = []
        page.evaluate(AXE_SCRIPT)
        for theme, rules in (("light", []), ("dark", ["color-contrast", "link-in-text-block"])):
            page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
            # Colours fade from one theme to the other.
            page.evaluate("Promise.allSettled(document.getAnimations().map(a => a.finished))")
            options: dict = {"resultTypes": ["violations"], "elementRef": False, "preload": False}
            if rules:  # only colours differ
                options["runOnly"] = rules
            found = page.evaluate("options => axe.run(options)", options)
            self.violations += [
                f"{theme}: {rule['id']}: {node['target']}: {node['html'][:120]}"
                for rule in found["violations"]
                if rule["impact"] in GRAVE
                for node in rule["nodes"][:3]
            ]
        page.context.close()


@pytest.fixture(scope="module")
def survey(browser: Browser, server: str) -> Callable[[str], Survey]:
    """What was seen on a page; each is visited once."""
    return functools.cache(functools.partial(Survey, browser, server))


@pytest.mark.parametrize("name", KINDS.values())
def test_a_page_is_quiet_and_asks_nobody_else(survey: Callable, name: str) -> None:
    seen = survey(name)
    assert seen.title
    assert seen.errors == []
    assert seen.outside == []


@pytest.mark.parametrize("name", KINDS.values())
def test_a_page_fits_a_phone(survey: Callable, name: str) -> None:
    assert survey(name).too_wide == 0


@pytest.mark.parametrize("name", KINDS.values())
def test_a_page_can_be_read_by_all(survey: Callable, name: str) -> None:
    assert survey(name).violations == []


@pytest.mark.parametrize("name", KINDS.values())
def test_a_page_keeps_to_its_budget(survey: Callable, name: str) -> None:
    assert 10_000 < survey(name).bytes < BUDGET


@pytest.mark.parametrize("name", OFFLINE)
def test_a_page_works_from_a_file(visit: Callable, site: str, name: str) -> None:
    """Over http too, where the same page is dark; `visit` checks console and requests."""
    opened = visit(f"{name}.html", width=PHONE, dark=site.startswith("http"))
    assert opened.too_wide() == 0
    theme = opened.page.evaluate("document.documentElement.dataset.theme")
    assert theme == ("dark" if site.startswith("http") else "light")


class Links(HTMLParser):
    """The anchors, links and images of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.unnamed: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := found.get(key))}
        self.links += [value for key in ("href", "src") if (value := found.get(key))]
        if tag == "img" and len((found.get("alt") or "").split()) < 2:
            self.unnamed.append(found.get("src") or "")


@pytest.fixture(scope="module")
def read(html: Path) -> Callable[[Path], Links]:
    return functools.cache(Links)


def internal(read: Callable, html: Path, name: str) -> list[tuple[str, Path, str]]:
    """Links of a page that stay in the book: as written, the file, the anchor."""
    page = html / f"{name}.html"
    found = []
    for link in set(read(page).links):
        if not urlsplit(link).scheme and not link.startswith("//"):
            address, anchor = urldefrag(link)
            path = unquote(urlsplit(address).path)
            found.append((link, (page.parent / path).resolve() if path else page, unquote(anchor)))
    return found


@pytest.mark.parametrize("name", PAGES)
def test_no_link_is_dead(read: Callable, html: Path, name: str) -> None:
    links = internal(read, html, name)
    assert links
    for link, target, anchor in links:
        assert target.is_file(), link
        assert target.is_relative_to(html), link
        if anchor and target.suffix == ".html":
            assert anchor in read(target).anchors, link


class Numbers(HTMLParser):
    """Tables, figures and their lines, in the order of a page."""

    #: Shows no numbers: what the idea is.
    DIAGRAMS = ("fig-idea",)

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.order: list[str] = []
        self.files: dict[str, str] = {}
        self.raw = 0
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        kinds = found.get("class", "").split()
        self.raw += tag == "table" and "dataframe" in kinds
        if tag == "table" and "qr-table" in kinds:
            self.order.append("table")
        elif tag == "figure" and found.get("id") not in self.DIAGRAMS:
            self.order.append(f"figure {found.get('id', '')}")
        elif "qr-data" in kinds:
            self.order.append("line")
        if "download" in found:
            assert found["download"] not in self.files or (
                self.files[found["download"]] == found["href"]
            ), f"two files of one page are called {found['download']}"
            self.files[found["download"]] = found["href"]


#: Pages of results, and pages of one run.
RESULTS = [name for name in PAGES if kind(name) in (*sections.PAGES, *STORY)]
RUNS = [name for name in PAGES if re.search(r"-seed\d+$", name)]


@pytest.fixture(scope="module")
def numbers(html: Path) -> Callable[[str], Numbers]:
    return functools.cache(lambda name: Numbers(html / f"{name}.html"))


@pytest.mark.parametrize("name", RESULTS)
def test_every_table_and_figure_leads_to_its_data(numbers: Callable, name: str) -> None:
    shown = numbers(name)
    assert "line" in shown.order
    for what, after in zip(shown.order, [*shown.order[1:], ""], strict=True):
        assert what == "line" or after == "line", f"{what} has no line under it"
    assert shown.raw == 0, "a frame of pandas as it is"


@pytest.mark.parametrize("name", RUNS)
def test_a_run_leads_to_its_record(
    read: Callable, numbers: Callable, html: Path, name: str
) -> None:
    assert numbers(name).order[0] == "line"
    _, profile, run = name.split("/")
    assert f"../../records/{profile}/{run}.json" in read(html / f"{name}.html").links


def test_files_to_take_away_have_names_of_their_own(numbers: Callable) -> None:
    """One name, one content, wherever in the book."""
    contents: dict[str, set[str]] = {}
    for page in {*RESULTS, *RUNS}:
        for file, content in numbers(page).files.items():
            contents.setdefault(file, set()).add(content)
    assert len(contents) > 30
    assert [file for file, different in contents.items() if len(different) > 1] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_image_says_what_it_shows(read: Callable, html: Path, name: str) -> None:
    assert read(html / f"{name}.html").unnamed == []
