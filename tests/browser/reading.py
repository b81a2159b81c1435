"""What every page must be: quiet, within its bytes and a phone's width, legible to all."""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page

from browser.conftest import PHONE, Visit, new_page, settle, widen

#: Bytes that a page may load in all, over a server that compresses texts; less of the first one.
BUDGET, FIRST = 3_000_000, 1_500_000
#: axe-core's impacts that fail a page.
GRAVE = ("serious", "critical")
#: Notes what the page's content security policy refuses.
REFUSED = """window.refused = [];
addEventListener("securitypolicyviolation", (event) => {
  window.refused.push(`${event.effectiveDirective}: ${event.blockedURI}`);
});"""
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


def check_page(browser: Browser, server: str, name: str) -> None:
    """One visit, on a phone, with letters twice as large, and on a desk, in light and then in dark."""
    page = new_page(browser, PHONE)
    page.add_init_script(REFUSED)
    visit = Visit(page, server)
    page.goto(f"{server}{name}.html")
    assert page.title()
    assert visit.too_wide() == 0
    assert 10_000 < visit.loaded() < (FIRST if name == "index" else BUDGET)
    visit.check()
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert visit.too_wide() == 0, "with letters twice as large"
    page.evaluate("document.documentElement.style.fontSize = ''")
    if name != "genindex":  # thousands of links as Sphinx sets them, which take half a minute
        widen(page)
        page.evaluate(AXE_SCRIPT)
        assert {theme: violations(page, theme) for theme in AXE} == {"light": [], "dark": []}
    assert page.evaluate("window.refused") == [], "refused by the page's own policy"
    page.context.close()
