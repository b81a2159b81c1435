"""Takes out of the built pages what no reader needs: a Sphinx extension, named in `_config.yml`.

A line's end between a number and its unit is such a thing too.

What the theme and Sphinx put into every page, wanted or not, is three quarters of the bytes of a page.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

from qrlib.experiments import coverage
from qrlib.utils import files

#: How a page asks for a font before its style sheet does.
_FONT_AHEAD = re.compile(r'<link rel="preload" as="font" [^>]*>\n?')
#: The search's programs and its index; the theme has every page load them for a search as you type.
_SEARCH = re.compile(
    r'<script src="[^"]*?(?:_static/searchtools|_static/language_data|searchindex)\.js[^>]*></script>\n?'
)
_MATHJAX = re.compile(r"<script[^>]*(?:mathjax/tex-|>window\.MathJax = )[^<]*</script>\n?")
_FORMULA = re.compile(r'class="[^"]*\bmath\b')
#: The space between a number and its unit.
_UNIT = re.compile(r"(?<=\d) (?=(?:%|dB|GB|MB|ms|s)(?!\w))")
#: A word of the theme's scripts; where they are off, no colour is known by it.
_THEME = 'data-theme="auto"'
#: Buttons of the theme, whose handlers a content policy would have to allow; `pages.js` does the same.
_HANDLER = re.compile(r'onclick="(window\.print|toggleFullScreen)\(\)"')


def trim(text: str, *, search: bool = False) -> str:
    """A page without what it does not need.

    Args:
        search: it is the page of the search.

    >>> trim('<script defer src="_static/mathjax/tex-chtml.js"></script><p onclick="window.print()">')
    '<p data-click="window.print">'
    """
    text = _HANDLER.sub(r'data-click="\1"', _FONT_AHEAD.sub("", text))
    text = text.replace(_THEME, 'data-theme="light"', 1)
    if not search:
        text = _SEARCH.sub("", text)
    return text if _FORMULA.search(text) else _MATHJAX.sub("", text)


def finish(app: Any, exception: Exception | None) -> None:
    """When all pages are written.

    The theme's script of all icons, 1.5 MB a page, is emptied even if the build failed: the next build
    does not copy it again.  The icons come from a font.
    """
    static = Path(app.outdir) / "_static"
    for script in (
        static / "scripts" / "fontawesome.js",
        *static.glob("vendor/fontawesome/*/js/all.min.js"),
    ):
        if script.is_file():
            script.write_text(
                "// The icons come from the font that the style sheet names.\n", "utf-8"
            )
    if exception is not None or app.builder.format != "html":
        return
    for unused in (*static.rglob("*.map"), *static.glob("*macros.html")):
        unused.unlink()
    executed = Path(app.outdir) / "_executed"
    for page in executed.rglob("*.html"):
        if page.relative_to(app.outdir).with_suffix("").as_posix() not in app.env.found_docs:
            page.unlink()  # of an earlier build
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_bytes().decode()
        trimmed = trim(text, search=page.name == "search.html")
        if trimmed != text:
            with files.replacing(page) as temporary:
                temporary.write_bytes(trimmed.encode())


@functools.cache
def _results() -> frozenset[str]:
    """The results pages of the strongest run."""
    first = coverage.with_records()[:1]
    return frozenset(f"_executed/{run.name}/{page}" for run in first for page in coverage.PAGES)


def hide_from_search(app: Any, doctree: Any) -> None:
    """Leave the texts of executed runs and of the reference out of the search; their titles stay in.

    The results of the strongest run are found, those of others lie beside them.
    """
    page = app.env.docname
    executed = page.startswith("_executed/") and page.count("/") == 2
    if page.startswith("api/") or (executed and page not in _results()):
        app.env.metadata[page]["nosearch"] = True


def keep_units(app: Any, doctree: Any, docname: str) -> None:
    """No line ends between a number and its unit; code stays as it is, to be copied."""
    from docutils import nodes

    for text in list(doctree.findall(nodes.Text)):
        if not isinstance(
            text.parent, nodes.FixedTextElement | nodes.literal | nodes.math | nodes.raw
        ):
            kept = _UNIT.sub("\N{NO-BREAK SPACE}", text.astext())
            if kept != text.astext():
                text.parent.replace(text, nodes.Text(kept))


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-read", hide_from_search)
    app.connect("doctree-resolved", keep_units)
    app.connect("build-finished", finish, priority=400)  # before the pages get their policy
    return {"parallel_read_safe": True, "parallel_write_safe": True}
