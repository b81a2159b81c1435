"""Pages made from notebooks, as a reader's browser shows them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from browser.book_pages import EXECUTED
from browser.reading import check_page

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", EXECUTED)
def test_a_page_is_quiet_fits_a_phone_and_can_be_read_by_all(
    browser: Browser, server: str, name: str
) -> None:
    check_page(browser, server, name)
