"""Every page, as a reader's browser shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser.conftest import DESKTOP, PHONE

ROOT = Path(__file__).resolve().parents[2]
TOC = (ROOT / "book" / "_toc.yml").read_text()
PAGES = [name for name in re.findall(r"(?:root|file): (\S+)", TOC)]


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("name", ["_executed/overview", "_executed/method"])
def test_a_page_fits_and_is_quiet(visit: Callable, name: str, width: int) -> None:
    page = visit(f"{name}.html", width=width).page
    assert page.title()
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"scrolls sideways by {wide} px"
