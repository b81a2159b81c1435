"""Tables of text for reading, as Markdown and as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Rendered:
    """A table as Markdown and as HTML; a notebook or a book page shows the latter."""

    markdown: str
    html: str

    def __str__(self) -> str:
        return self.markdown

    def _repr_html_(self) -> str:
        return self.html


def grid(headings: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> Rendered:
    """Headings and rows of text as a `Rendered` table.  No colours: it follows the page's theme."""
    rows = list(rows)
    ruled = [headings, ["---"] * len(headings), *rows]
    lines = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in ruled]
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in headings)
    body = ["".join(f"<td>{html.escape(text)}</td>" for text in row) for row in rows]
    markup = (
        '<div style="overflow-x:auto"><table class="qr-table">'  # a narrow screen scrolls the table
        f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(f'<tr>{row}</tr>' for row in body)}</tbody></table></div>"
    )
    return Rendered("\n".join(lines) + f"\n\n{caption}\n", markup)


def format_ours(mean: float, spread: float, seeds: int, digits: int = 3) -> str:
    """Mean, spread where there is one, and the number of seeds.

    >>> format_ours(0.8124, 0.0041, 3), format_ours(0.8124, float("nan"), 1)
    ('0.812 ± 0.004 (3)', '0.812 (1)')
    """
    middle = "" if pd.isna(spread) else f" ± {spread:.{digits}f}"
    return f"{mean:.{digits}f}{middle} ({seeds})"
