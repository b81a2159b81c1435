"""Whole pages, one of each kind, as a reader's browser shows them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from browser.book_pages import EXECUTED, WRITTEN
from browser.reading import check_page

pytestmark = pytest.mark.slow


class Pages:
    def test_is_quiet_fits_a_phone_and_can_be_read_by_all(
        self, browser: Browser, server: str, name: str
    ) -> None:
        check_page(browser, server, name)


# Two classes, because each is one process's.
@pytest.mark.parametrize("name", EXECUTED)
class TestExecuted(Pages):
    """Pages made from notebooks."""


@pytest.mark.parametrize("name", WRITTEN)
class TestWritten(Pages):
    """Prose, the reference, the search."""
