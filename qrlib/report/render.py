"""Tables of text for reading, as Markdown and as HTML, each with the line of `qrlib.report.sources`."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from qrlib.report import labels, sources


@dataclass(frozen=True)
class Rendered:
    """A table, or a cell of one, as Markdown and as HTML; a notebook or a book page shows the latter."""

    markdown: str
    html: str

    def __str__(self) -> str:
        return self.markdown

    def _repr_html_(self) -> str:
        return self.html


def link(text: str, target: str) -> Rendered:
    """A cell that leads somewhere in the book."""
    return Rendered(text, f'<a href="{html.escape(target)}">{html.escape(text)}</a>')


def grid(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Rendered]],
    caption: str,
    file: str,
    *,
    data: pd.DataFrame | None = None,
    up: str = sources.OF_PROFILE,
    style: str = "",
) -> Rendered:
    """Headings and rows of text as a `Rendered` table.  No colours: it follows the page's theme.

    Args:
        file, up: of its data, as in `qrlib.report.sources.line`.
        data: what the table was made from, offered for download; None offers its own cells.
        style: a further class of the table.
    """
    cells = [[Rendered(c, html.escape(c)) if isinstance(c, str) else c for c in r] for r in rows]
    plain = pd.DataFrame([[c.markdown for c in row] for row in cells], columns=list(headings))
    markdown = plain.replace(r"\|", r"\\|", regex=True).to_markdown(
        headers=[text.replace("|", "\\|") for text in headings],
        tablefmt="github",
        index=False,
        disable_numparse=True,
    )
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in headings)
    body = ["".join(f"<td>{cell.html}</td>" for cell in row) for row in cells]
    label = f"Table: {', '.join(filter(None, headings))}"
    # By hand, for pandas writes neither scope nor, without a style sheet of its own, a caption.
    # A narrow screen scrolls the table, with a finger or from the keyboard.
    markup = (
        f'<div class="qr-scroll" tabindex="0" role="group" aria-label="{html.escape(label)}">'
        f'<table class="{f"qr-table {style}".strip()}">'
        f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(f'<tr>{row}</tr>' for row in body)}</tbody></table></div>"
        f"{sources.line(plain if data is None else data, file, up=up)}"
    )
    return Rendered(f"{markdown}\n\n{caption}\n", markup)


def behind(data: pd.DataFrame, file: str, *, up: str = sources.OF_PROFILE) -> Rendered:
    """The line of `qrlib.report.sources` for under a figure or an explorer; arguments as there.

    Nothing where there are no data.
    """
    if data.empty:
        return Rendered("", "")
    return Rendered(f"{file}.csv: {len(data)} rows.\n", sources.line(data, file, up=up))


def format_ours(mean: float, spread: float, seeds: int, digits: int = 3) -> str:
    """Mean, spread where there is one, and the number of seeds.

    >>> format_ours(0.8124, 0.0041, 3), format_ours(0.8124, float("nan"), 1)
    ('0.812 ± 0.004 (3)', '0.812 (1)')
    """
    return f"{mean_and_spread(mean, spread, digits)} ({seeds})"


def mean_and_spread(mean: float, spread: float = math.nan, digits: int = 3) -> str:
    """Mean, and spread where there is one.

    >>> mean_and_spread(-0.8124, 0.0041), mean_and_spread(0.8124, digits=2)
    ('−0.812 ± 0.004', '0.81')
    """
    return minus(f"{mean:.{digits}f}") + ("" if pd.isna(spread) else f" ± {spread:.{digits}f}")


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign, and a minus as wide as the plus.

    >>> signed(-0.0221), signed(0.04), signed(-0.0001)
    ('−0.022', '+0.040', '+0.000')
    """
    return minus(f"{round(value, digits) + 0.0:+.{digits}f}")


def minus(number: str) -> str:
    """A number with the sign that is meant, in place of the hyphen."""
    return number.replace("-", "−")


def spread_note(counts: Iterable[int]) -> str:
    """What a cell shows that rests on so many seeds.

    >>> spread_note([1, 1]), spread_note([3, 1])
    ('one seed', 'mean ± standard deviation over seeds')
    """
    return "one seed" if set(counts) == {1} else "mean ± standard deviation over seeds"


def wide(
    data: pd.DataFrame,
    caption: str,
    file: str,
    *,
    line: str = "restorer",
    column: str = "distortion",
    digits: int = 3,
    up: str = sources.OF_PROFILE,
) -> Rendered:
    """A tidy frame as a table: a line and a column for each value, in the frame's order.

    Args:
        data: columns `line` and `column`, ours, and where there are seeds spread.
        file, up: as in `qrlib.report.sources.line`.
        line, column: whose values head the lines and the columns.
    """
    texts = {
        (cell[line], cell[column]): mean_and_spread(
            cell["ours"], cell.get("spread", math.nan), digits
        )
        for cell in data.dropna(subset=["ours"]).to_dict("records")
    }
    columns = list(dict.fromkeys(data[column]))
    rows = [
        [labels.method(key), *(texts.get((key, each), "–") for each in columns)]
        for key in dict.fromkeys(data[line])
    ]
    return grid(["", *map(str, columns)], rows, caption, file, data=data, up=up)


def beside_paper(
    table: pd.DataFrame, file: str, *, label: str = "ours", paper_label: str = ""
) -> Rendered:
    """A frame of `qrlib.report.tables.table2`, `table3`, `table4` or `table5`, paper beside ours.

    The column of differences is there only if the frame was made with comparable=True.

    Args:
        file: what its CSV is called.
        label: heading of our numbers, which names the profile and its setting.
        paper_label: heading of the printed numbers; default "paper (DATASET)".
    """
    differ = bool(table["difference"].notna().any())
    paper_label = paper_label or f"paper ({table['paper_dataset'].iloc[0]})"
    rows = []
    for cell in table.to_dict("records"):
        words, digits = labels.METRICS[cell["metric"]]
        metric = "" if cell["metric"] == "accuracy" else f"{words}, "
        rows.append(
            [
                metric + labels.DISTORTIONS.get(cell["row"], cell["row"]),
                labels.method(cell["column"]),
                f"{cell['paper']:.{digits}f}",
                format_ours(cell["ours"], cell["spread"], cell["seeds"], digits),
                *([signed(cell["difference"], digits)] if differ else []),
            ]
        )
    headings = ["distortion", "method", paper_label, label, *(["ours − paper"] if differ else [])]
    number = "" if set(table["seeds"]) == {1} else " (their number)"
    caption = f"Ours: {spread_note(table['seeds'])}{number}; {table['n'].iloc[0]} test images."
    if not differ:
        caption += " Another setting than the paper's: not comparable number by number."
    return grid(headings, rows, caption, file, data=table)
