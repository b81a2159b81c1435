"""Lines of this library's code, as a page shows them beside the equation that they compute."""

from __future__ import annotations

import html
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from qrlib.report.render import Rendered
from qrlib.utils.errors import QrlibError


def excerpt(source: Callable[..., Any], first: str = "", last: str = "") -> tuple[str, int]:
    """Lines of a function as they are now, and the number of the first of them in its file.

    Args:
        first: how the first line begins; default: the function's own first line.
        last: how the last line begins; default: one line if `first` is given, else to the end.

    Raises:
        QrlibError: no line begins so, or several do: the code has changed, and the page has not.
    """
    lines, start = inspect.getsourcelines(inspect.unwrap(source))
    low = _only(lines, first, source) if first else 0
    high = _only(lines, last, source) if last else low if first else len(lines) - 1
    if high < low:
        raise QrlibError(f"{source.__qualname__}: {last!r} comes before {first!r}")
    chosen = "".join(lines[low : high + 1])
    return textwrap.dedent(chosen).rstrip(), start + low


def _only(lines: list[str], beginning: str, source: Callable[..., Any]) -> int:
    found = [i for i, line in enumerate(lines) if line.strip().startswith(beginning)]
    if len(found) != 1:
        raise QrlibError(
            f"{len(found)} lines of {source.__qualname__} begin with {beginning!r}, not one: name "
            "the lines to show as they are now"
        )
    return found[0]


def show(
    source: Callable[..., Any],
    first: str = "",
    last: str = "",
    *,
    of: str = "",
    page: str,
    documented: str = "",
) -> Rendered:
    """An `excerpt` with its file and lines under it, which lead to the reference.

    Args:
        of: what the lines compute.
        page: of the reference, a file of `book/api/` without its ending.
        documented: the name there; default: the function's own.
    """
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    code, start = excerpt(source, first, last)
    end = start + code.count("\n")
    file = f"{source.__module__.replace('.', '/')}.py"
    lines = f"line {start}" if start == end else f"lines {start} to {end}"
    name = documented or f"{source.__module__}.{source.__qualname__}"
    link = f'<a href="../api/{page}.html#{name}">{name}</a>'
    title = f"<strong>{html.escape(of)}</strong> " if of else ""
    colours = highlight(code, PythonLexer(), HtmlFormatter(cssclass="highlight"))
    return Rendered(
        f"{of}\n\n```python\n{code}\n```\n\n{file}, {lines}\n",
        f'<div class="qr-listing"><div class="highlight-python">{colours}</div>'
        f"<p>{title}{file}, {lines} · {link}</p></div>",
    )
