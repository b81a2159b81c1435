"""Every link, image, table and file of the built pages; no browser is needed."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from browser.book_pages import PAGES, STORY, kind
from qrlib.experiments import coverage

pytestmark = pytest.mark.slow


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
        if given.get("property") == "og:image":  # what a shared link shows
            self.links.add(given["content"])
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
    """The ones that no test opens too."""
    pages = [p for p in html.rglob("*.html") if p.relative_to(html).parts[0] != "_static"]
    without = [
        p.relative_to(html) for p in pages if "Content-Security-Policy" not in p.read_text("utf-8")
    ]
    assert without == []


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
RESULTS = [name for name in PAGES if kind(name) in coverage.PAGES or name in STORY]
RUNS = [name for name in PAGES if re.search(r"-seed\d+$", name)]


@pytest.mark.parametrize("name", RESULTS)
def test_every_table_and_figure_leads_to_its_data(read: Callable[[str], Source], name: str) -> None:
    shown = read(name)
    not_run = "Not measured yet: " in shown.path.read_text("utf-8")  # by any profile
    assert ("line" in shown.order) != not_run
    for what, after in itertools.pairwise([*shown.order, ""]):
        assert what == "line" or after == "line", f"{what} has no line under it"
    assert shown.raw == 0, "a frame of pandas as it is"


@pytest.mark.parametrize("name", RUNS)
def test_a_run_leads_to_its_record(read: Callable[[str], Source], name: str) -> None:
    assert read(name).order[0] == "line"
    _, profile, run = name.split("/")
    restorer, _, seed = run.rpartition("-")
    own = re.compile(rf"\.\./\.\./records/{profile}/({run}|evaluation-{restorer}-.*{seed})\.json")
    assert any(map(own.fullmatch, read(name).links))


def test_files_to_take_away_have_names_of_their_own(read: Callable[[str], Source]) -> None:
    """One name, one content, wherever in the book."""
    contents: dict[str, set[str]] = {}
    for page in {*RESULTS, *RUNS}:
        for file, content in read(page).files:
            contents.setdefault(file, set()).add(content)
    assert len(contents) > 30
    assert [file for file, different in contents.items() if len(different) > 1] == []
