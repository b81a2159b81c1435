"""The built book in a real browser, over http and from files, with no way out of the machine."""

from __future__ import annotations

import functools
import gzip
import http.server
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright
from support.project import Project

PHONE, DESKTOP = 390, 1280
PATIENCE = 180_000  # ms to wait for anything: the machine may be busy
expect.set_options(timeout=PATIENCE)
#: How the summary of all tests finds what was left out (tests/conftest.py).
NO_BROWSER = "no Chromium: install one (Debian: apt-get install chromium) or set QRLIB_BROWSER"

#: Chromium otherwise looks for updates and names by itself.
ARGUMENTS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def chromium() -> str | None:
    """A Chromium of this machine: $QRLIB_BROWSER, else the first that is installed."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    named = os.environ.get("QRLIB_BROWSER")
    if named:
        return shutil.which(named) or pytest.fail(f"QRLIB_BROWSER: {named!r} is no program")
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = chromium()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(NO_BROWSER)
        pytest.skip(NO_BROWSER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def html(built: Project) -> Path:
    """The built book."""
    folder = built.root / "_build" / "html"
    assert (folder / "index.html").is_file()
    return folder.resolve()


@functools.cache
def _gzipped(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 6)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Compresses texts, as the servers do that books are published on."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.suffix not in (".html", ".css", ".js", ".json", ".svg") or not path.is_file():
            return super().do_GET()
        content = _gzipped(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def server(html: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


#: For a test of each kind of page, which works from a disk as over http.
EVERYWHERE = pytest.mark.parametrize("site", ["http", "file"], indirect=True)


@pytest.fixture
def site(request: pytest.FixtureRequest, html: Path) -> str:
    """Where the book lies, with a closing slash: over http unless a test says otherwise."""
    if getattr(request, "param", "http") == "file":
        return f"{html.as_uri()}/"
    return request.getfixturevalue("server")


def new_page(
    browser: Browser, width: int = DESKTOP, dark: bool = False, scripts: bool = True
) -> Page:
    """A page of its own, without cache or settings of another."""
    context = browser.new_context(
        viewport={"width": width, "height": 844 if width < 600 else 900},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
    )
    context.set_default_timeout(PATIENCE)
    return context.new_page()


#: Playwright's own way evaluates text again and again, which the book's policy forbids its pages.
_WAIT = """([condition, given, patience]) => new Promise((resolve, reject) => {
  const end = performance.now() + patience;
  (function look() {
    if (CONDITION(given)) resolve();
    else if (performance.now() > end) reject(new Error(`not within ${patience} ms: ${condition}`));
    else setTimeout(look, 20);
  })();
})"""


def until(page: Page, condition: str, given: Any = None) -> None:
    """Wait until a function of JavaScript, which gets `given`, says so."""
    page.evaluate(_WAIT.replace("CONDITION", f"({condition})"), [condition, given, PATIENCE])


def settle(page: Page) -> None:
    """Wait until nothing moves or fades: a width or a colour on its way is none of the book's."""
    page.evaluate("Promise.allSettled(document.getAnimations().map(a => a.finished))")


def widen(page: Page) -> None:
    """From a phone to a desk; the theme's menu slides into its place, and pushes the text."""
    page.set_viewport_size({"width": DESKTOP, "height": 900})
    settle(page)


class Visit:
    """A page with what it said to the console and asked for."""

    def __init__(self, page: Page, site: str) -> None:
        self.page, self.site = page, site
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.finished: list[Request] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._asked)
        page.on("requestfinished", lambda request: self.finished.append(request))
        # Chromium is told to report choosers now; a test that asks only then may press a key before.
        page.on("filechooser", lambda chooser: None)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def _asked(self, request: Request) -> None:
        if not re.match(rf"{re.escape(self.site)}|data:|blob:", request.url):
            self.outside.append(request.url)

    def loaded(self) -> int:
        """Bytes of all that the page has asked for, once it asks for nothing more."""
        self.page.wait_for_load_state("networkidle")
        return sum(request.sizes()["responseBodySize"] for request in self.finished)

    def too_wide(self) -> int:
        """By how many pixels the page scrolls sideways."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return max(wide, 0)

    def check(self) -> None:
        assert self.outside == [], "a request left the book"
        assert self.errors == [], "errors in the console"


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Callable[..., Visit]]:
    """Open a page of the book: `visit("_executed/method.html", width=PHONE, dark=True)`.

    When the test ends, no page may have logged an error or asked for anything outside the book.
    """
    visits: list[Visit] = []

    def open_page(path: str, width: int = DESKTOP, dark: bool = False) -> Visit:
        visits.append(Visit(new_page(browser, width, dark), site))
        visits[-1].page.goto(site + path)
        return visits[-1]

    yield open_page
    for visit in visits:
        visit.page.context.close()
    for visit in visits:
        visit.check()
