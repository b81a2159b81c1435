"""Tables of text for reading, as Markdown and as HTML, with the data behind them to take away.

The data lie in the page itself, so that a download needs neither network nor server.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

#: Method of `qrlib.reference.METHODS`, or a restorer of our own -> what tables and figures call it.
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
    "qrnet_unpretrained-multiple": "QRNet (not pretrained)",
    "qrnet_lambda_0.1-multiple": "QRNet (λ=0.1)",
    "qrnet_lambda_0.001-multiple": "QRNet (λ=0.001)",
}
#: Where the book keeps the records, seen from a page of results (`qrlib.graph.assemble`).
RECORDS = "../../records"
_ROWS = {"noise": "Gaussian noise", "blur": "Gaussian blur", "average": "average"}


def name(method: str) -> str:
    """What tables and figures call a method; one without a name of its own goes by its key.

    >>> name("end-to-end"), name("recnet-noise")
    ('QRNet (end-to-end)', 'recnet-noise')
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
    rows: Iterable[Sequence[str | Link]],
    caption: str,
    *,
    data: pd.DataFrame | None = None,
    more: str = "",
) -> Rendered:
    """Headings and rows of text as a `Rendered` table.  No colours: it follows the page's theme.

    Args:
        data: what the table was made from, offered for download; None offers its own cells.
        more: HTML beside the download.
    """
    cells = [[c if isinstance(c, Link) else Link(c, "") for c in row] for row in rows]
    plain = [[cell.text for cell in row] for row in cells]
    ruled = [headings, ["---"] * len(headings), *([_markdown(c) for c in row] for row in cells)]
    lines = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in ruled]
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in headings)
    body = ["".join(f"<td>{_html(cell)}</td>" for cell in row) for row in cells]
    data = pd.DataFrame(plain, columns=list(headings)) if data is None else data
    label = f"Table: {', '.join(filter(None, headings))}"
    markup = (
        # A narrow screen scrolls the table, with a finger or from the keyboard.
        f'<div class="qr-scroll" tabindex="0" role="group" aria-label="{html.escape(label)}">'
        '<table class="qr-table">'
        f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(f'<tr>{row}</tr>' for row in body)}</tbody></table></div>"
        f"{_footer(data, caption, more)}"
    )
    return Rendered("\n".join(lines) + f"\n\n{caption}\n", markup)


def record(profile: str, file: str) -> Link:
    """A record of a profile, as a page of results in the book links to it."""
    return Link(file.removesuffix(".json"), f"{RECORDS}/{profile}/{file}")


def download(data: pd.DataFrame, title: str) -> Rendered:
    """A link to a frame as CSV, for under a figure that was made from it.

    Args:
        title: what it is of; the file is called after it.
    """
    return Rendered(f"Data behind {title}: {len(data)} rows.\n", _footer(data, title, ""))


def _footer(data: pd.DataFrame, title: str, more: str) -> str:
    file = "-".join(re.findall(r"[a-z0-9]+", title.lower())[:6]) or "table"
    flat = data.map(lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else value)
    content = base64.b64encode(flat.to_csv(index=False).encode()).decode()
    link = f'<a download="{file}.csv" href="data:text/csv;base64,{content}">Data (CSV)</a>'
    return f'<p class="qr-data">{link}{more}</p>'


def _markdown(cell: Link) -> str:
    return f"[{cell.text}]({cell.target})" if cell.target else cell.text


def _html(cell: Link) -> str:
    text = html.escape(cell.text)
    return f'<a href="{html.escape(cell.target)}">{text}</a>' if cell.target else text


def format_ours(mean: float, spread: float, seeds: int, digits: int = 3) -> str:
    """Mean, spread where there is one, and the number of seeds.

    >>> format_ours(0.8124, 0.0041, 3), format_ours(0.8124, float("nan"), 1)
    ('0.812 ± 0.004 (3)', '0.812 (1)')
    """
    middle = "" if pd.isna(spread) else f" ± {spread:.{digits}f}"
    return f"{mean:.{digits}f}{middle} ({seeds})"


def render(table: pd.DataFrame, *, label: str = "ours", paper_label: str = "") -> Rendered:
    """A frame of `qrlib.tables.table2`, `table3`, `table4` or `table5`, paper beside ours.

    The column of differences is there only if the frame was made with comparable=True.

    Args:
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
        row = [metric + _ROWS[cell["row"]], name(cell["column"])]
        row += [f"{cell['paper']:.{digits}f}", ours]
        rows.append(row + ([f"{cell['difference']:+.{digits}f}"] if differ else []))
    headings = ["distortion", "method", paper_label, label, *(["ours - paper"] if differ else [])]
    caption = (
        f"Ours: mean ± standard deviation over seeds (seeds); {table['n'].iloc[0]} test images."
    )
    if not differ:
        caption += " Another setting than the paper's: not comparable number by number."
    files = dict.fromkeys(file for cell in table["records"] for file in cell)
    links = (_html(record(table["profile"].iloc[0], file)) for file in files)
    return grid(headings, rows, caption, data=table, more=f" · made from {', '.join(links)}")
