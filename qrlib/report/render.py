"""Tables of text for reading, as Markdown and as HTML, each with the line of `qrlib.report.sources`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qrlib.report import sources

#: Method of `qrlib.paper.METHODS`, or a restorer of our own -> what tables and figures call it.
NAMES = {
    "none": "no restoration",
    "recnet-single": "RecNet (single)",
    "recnet-multiple": "RecNet (multiple)",
    "qrnet": "QRNet",
    "small_qrnet": "small QRNet",
    "finetuned-single": "fine-tuned (single)",
    "finetuned-multiple": "fine-tuned (multiple)",
    "end-to-end": "QRNet (end-to-end)",
    "mqrnet": "MQRNet",
    "recnet-noise": "RecNet (noise)",
    "recnet-blur": "RecNet (blur)",
    "finetuned-noise": "fine-tuned (noise)",
    "finetuned-blur": "fine-tuned (blur)",
    "qrnet-multiple": "QRNet",
    "small_qrnet-multiple": "small QRNet",
    "end_to_end-multiple": "QRNet (end-to-end)",
    "mqrnet-multiple": "MQRNet",
    "pretrained-clean": "QRNet (clean images)",
    "small_pretrained-clean": "small QRNet (clean images)",
    "qrnet_unpretrained-multiple": "QRNet (not pretrained)",
    "qrnet_lambda_0.1-multiple": "QRNet (λ=0.1)",
    "qrnet_lambda_0.001-multiple": "QRNet (λ=0.001)",
}
#: Row of a table -> its name.
ROWS = {"noise": "Gaussian noise", "blur": "Gaussian blur", "average": "average"}


def name(method: str) -> str:
    """What tables and figures call a method; one without a name of its own goes by its key.

    >>> name("end-to-end"), name("recnet-noise"), name("another")
    ('QRNet (end-to-end)', 'RecNet (noise)', 'another')
    """
    return NAMES.get(method, method)


@dataclass(frozen=True)
class Rendered:
    """A table as Markdown and as HTML; a notebook or a book page shows the latter."""

    markdown: str
    html: str

    def __str__(self) -> str:
        return self.markdown

    def _repr_html_(self) -> str:
        return self.html


@dataclass(frozen=True)
class Link:
    """A cell that leads somewhere."""

    text: str
    target: str


def grid(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Link | Rendered]],
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
    cells = [[Link(c, "") if isinstance(c, str) else c for c in row] for row in rows]
    plain = [[_plain(cell) for cell in row] for row in cells]
    ruled = [headings, ["---"] * len(headings), *([_markdown(c) for c in row] for row in cells)]
    lines = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in ruled]
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in headings)
    body = ["".join(f"<td>{_html(cell)}</td>" for cell in row) for row in cells]
    data = pd.DataFrame(plain, columns=list(headings)) if data is None else data
    label = f"Table: {', '.join(filter(None, headings))}"
    markup = (
        # A narrow screen scrolls the table, with a finger or from the keyboard.
        f'<div class="qr-scroll" tabindex="0" role="group" aria-label="{html.escape(label)}">'
        f'<table class="{" ".join(filter(None, ["qr-table", style]))}">'
        f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(f'<tr>{row}</tr>' for row in body)}</tbody></table></div>"
        f"{sources.line(data, file, up=up)}"
    )
    return Rendered("\n".join(lines) + f"\n\n{caption}\n", markup)


def record(profile: str, file: str) -> Link:
    """A record of a profile, as a page of results in the book links to it."""
    name = file.removesuffix(".json")
    return Link(name, sources.record(profile, name))


def behind(data: pd.DataFrame, file: str, *, up: str = sources.OF_PROFILE) -> Rendered:
    """The line of `qrlib.report.sources` for under a figure or an explorer; arguments as there.

    Nothing where there are no data.
    """
    if data.empty:
        return Rendered("", "")
    return Rendered(f"{file}.csv: {len(data)} rows.\n", sources.line(data, file, up=up))


def _plain(cell: Link | Rendered) -> str:
    return cell.text if isinstance(cell, Link) else cell.markdown


def _markdown(cell: Link | Rendered) -> str:
    if isinstance(cell, Rendered):
        return cell.markdown
    return f"[{cell.text}]({cell.target})" if cell.target else cell.text


def _html(cell: Link | Rendered) -> str:
    if isinstance(cell, Rendered):
        return cell.html
    text = html.escape(cell.text)
    return f'<a href="{html.escape(cell.target)}">{text}</a>' if cell.target else text


def format_ours(mean: float, spread: float, seeds: int, digits: int = 3) -> str:
    """Mean, spread where there is one, and the number of seeds.

    >>> format_ours(0.8124, 0.0041, 3), format_ours(0.8124, float("nan"), 1)
    ('0.812 ± 0.004 (3)', '0.812 (1)')
    """
    middle = "" if pd.isna(spread) else f" ± {spread:.{digits}f}"
    return f"{mean:.{digits}f}{middle} ({seeds})"


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign, and a minus as wide as the plus.

    >>> signed(-0.0221), signed(0.04), signed(-0.0001)
    ('−0.022', '+0.040', '+0.000')
    """
    return minus(f"{round(value, digits) + 0.0:+.{digits}f}")


def minus(number: str) -> str:
    """A number with the sign that is meant, in place of the hyphen."""
    return number.replace("-", "−")


def over(counts: Iterable[int]) -> str:
    """What a cell shows that rests on so many seeds.

    >>> over([1, 1]), over([3, 1])
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
        data: columns `line` and `column`, ours, and where there are seeds spread and seeds.
        file, up: as in `qrlib.report.sources.line`.
        line, column: whose values head the lines and the columns.
    """
    cells = {(cell[line], cell[column]): cell for cell in data.to_dict("records")}
    columns = list(dict.fromkeys(data[column]))
    rows = [
        [name(key), *(_mean(cells.get((key, one)), digits) for one in columns)]
        for key in dict.fromkeys(data[line])
    ]
    return grid(["", *map(str, columns)], rows, caption, file, data=data, up=up)


def _mean(cell: dict[str, Any] | None, digits: int) -> str:
    if cell is None or pd.isna(cell["ours"]):
        return "–"
    spread = cell.get("spread", float("nan"))
    return minus(f"{cell['ours']:.{digits}f}") + (
        "" if pd.isna(spread) else f" ± {spread:.{digits}f}"
    )


def render(
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
        digits = 2 if cell["metric"] == "psnr" else 3
        metric = "" if cell["metric"] == "accuracy" else f"{cell['metric'].upper()}, "
        ours = format_ours(cell["ours"], cell["spread"], cell["seeds"], digits)
        row = [metric + ROWS[cell["row"]], name(cell["column"])]
        row += [f"{cell['paper']:.{digits}f}", ours]
        rows.append(row + ([signed(cell["difference"], digits)] if differ else []))
    headings = ["distortion", "method", paper_label, label, *(["ours − paper"] if differ else [])]
    number = "" if set(table["seeds"]) == {1} else " (their number)"
    caption = f"Ours: {over(table['seeds'])}{number}; {table['n'].iloc[0]} test images."
    if not differ:
        caption += " Another setting than the paper's: not comparable number by number."
    return grid(headings, rows, caption, file, data=table)
