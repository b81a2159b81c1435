"""A content security policy for every page of the book: its own files, and nobody else's.

A Sphinx extension, named in `_config.yml`.  A static host sends no headers of ours, so the policy is in
each page (https://www.w3.org/TR/CSP3/).  It names the scripts inside a page by their hash: what somebody
else wrote into a page, or made a page show, does not run.  Whatever runs has nowhere to send a reader's
photograph to.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from qrlib.utils import files
from qrlib.utils.errors import QrlibError

#: The book's own files.  Opened from a folder, a page has no origin that 'self' could match in every
#: browser; a page that came over http may load no file: anyway.
OWN = "'self' file:"
#: Directive -> sources; scripts get the hashes of their page besides.
DIRECTIVES = {
    "default-src": "'none'",
    # Explorers and the worker of "Try it" are imported from blobs (on file: nothing else can be), ONNX
    # Runtime compiles WebAssembly.  Neither lets a text become a script, as 'unsafe-eval' would.
    "script-src": f"{OWN} blob: 'wasm-unsafe-eval'",
    "worker-src": "blob:",
    # Not by hash: MathJax and the explorers set styles from their code, and notebooks' tables bear some.
    # A style can load nothing but what img-src and font-src let it.
    "style-src": f"{OWN} 'unsafe-inline'",
    "img-src": f"{OWN} data: blob:",
    "font-src": f"{OWN} data:",
    "connect-src": "'self'",  # the search reads pages
    "form-action": OWN,
    "base-uri": "'none'",
}
_SCRIPT_TYPES = {"", "module", "text/javascript", "application/javascript"}
_OURS = '<meta http-equiv="Content-Security-Policy" content="{}" />'
_THERE = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_CHARSET = re.compile(r'<meta charset="utf-8"\s*/?>', re.IGNORECASE)


class _Scripts(HTMLParser):
    """The scripts that a page holds itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self._inside = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        kind = (values.get("type") or "").lower()
        self._inside = tag == "script" and "src" not in values and kind in _SCRIPT_TYPES
        if self._inside:
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = False


def policy(text: str) -> str:
    """The policy of one page.

    >>> policy("<script>alert(1)</script>").split("; ")[1].split()[-1]
    "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"
    """
    hashes = sorted({_hash(script) for script in _Scripts(text).scripts})
    scripts = [DIRECTIVES["script-src"], *hashes]
    directives = DIRECTIVES | {"script-src": " ".join(scripts)}
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


def _hash(script: str) -> str:
    # As browsers do, which know one kind of line ending.
    content = script.replace("\r\n", "\n").replace("\r", "\n").encode()
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"


def protect(text: str) -> str:
    """A page with its policy, in place of one that it has; right behind its encoding.

    Raises:
        QrlibError: a page that does not name UTF-8 as its encoding.
    """
    bare = _THERE.sub("", text)
    meta = _OURS.format(html.escape(policy(bare), quote=True).replace("&#x27;", "'"))
    protected, count = _CHARSET.subn(lambda found: found[0] + meta, bare, count=1)
    if not count:
        raise QrlibError('the page has no <meta charset="utf-8"> to put its policy behind')
    return protected


def protect_all(folder: Path) -> list[Path]:
    """Give each page below a folder its policy; returns the pages.

    Raises:
        QrlibError: as `protect` says; the message names the page.
    """
    every = [p.relative_to(folder) for p in sorted(folder.rglob("*.html"))]
    pages = [folder / p for p in every if p.parts[0] != "_static"]
    for page in pages:
        text = page.read_bytes().decode()
        try:
            protected = protect(text)
        except QrlibError as error:
            raise QrlibError(f"{page}: {error}") from error
        with files.replacing(page) as temporary:
            temporary.write_bytes(protected.encode())
    return pages


def finish(app: Any, exception: Exception | None) -> None:
    """When all pages are written: only now they have the scripts of the theme and of others."""
    if exception is None and app.builder.format == "html":
        protect_all(Path(app.outdir))


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
