"""Tables of text for reading, as Markdown and as HTML, each with the line of `qrlib.report.sources`."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from qrlib import paper
from qrlib.report import labels, sources

#: In place of a number that no run made.
NOT_RUN = "not run"


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


def joined(cells: Sequence[Rendered]) -> Rendered:
    """Several cells in one."""
    return Rendered(
        *(labels.joined(getattr(c, form) for c in cells) for form in ("markdown", "html"))
    )


def grid(
    headings: Sequence[str | Rendered],
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
    heads, *cells = (
        [Rendered(c, html.escape(c)) if isinstance(c, str) else c for c in row]
        for row in (headings, *rows)
    )
    names = [cell.markdown for cell in heads]
    plain = pd.DataFrame([[c.markdown for c in row] for row in cells], columns=names)
    markdown = plain.replace(r"\|", r"\\|", regex=True).to_markdown(
        headers=[text.replace("|", "\\|") for text in names],
        tablefmt="github",
        index=False,
        disable_numparse=True,
    )
    head = "".join(f'<th scope="col">{cell.html}</th>' for cell in heads)
    body = ["".join(f"<td>{cell.html}</td>" for cell in row) for row in cells]
    label = f"Table: {', '.join(filter(None, names))}"
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


def folded(summary: str, shown: Rendered) -> Rendered:
    """A table that a reader may unfold."""
    fold = f"<details><summary>{html.escape(summary)}</summary>{shown.html}</details>"
    return Rendered(shown.markdown, fold)


def behind(data: pd.DataFrame, file: str, *, up: str = sources.OF_PROFILE) -> Rendered:
    """The line of `qrlib.report.sources` for under a figure or an explorer; nothing where there are no data."""
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
    digits: int = 3,
    up: str = sources.OF_PROFILE,
) -> Rendered:
    """A tidy frame as a table: a line for each method, a column for each distortion, in its order.

    Args:
        data: columns `line` (what heads the lines), distortion, ours, and where there are seeds spread.
    """
    texts = {
        (cell[line], cell["distortion"]): mean_and_spread(
            cell["ours"], cell.get("spread", math.nan), digits
        )
        for cell in data.dropna(subset=["ours"]).to_dict("records")
    }
    columns = list(dict.fromkeys(data["distortion"]))
    rows = [
        [labels.method(key), *(texts.get((key, each), "–") for each in columns)]
        for key in dict.fromkeys(data[line])
    ]
    return grid(["", *map(str, columns)], rows, caption, file, data=data, up=up)


def beside_paper(table: pd.DataFrame, file: str, *, label: str) -> Rendered:
    """A frame of `qrlib.report.tables.table2`, `table3`, `table4` or `table5` in the paper's shape.

    Methods are columns (of Table 3, which has one, distortions are), and under each printed line is
    ours, of the run `label`.  A line of differences is there only if the frame was made with
    comparable=True.  The half of Tables 2 and 4 that is about the other data set is as it is printed.
    """
    differ = bool(table["difference"].notna().any())
    one = table["column"].nunique() == 1
    across, down = ("row", "column") if one else ("column", "row")
    name = {"row": lambda key: str(labels.DISTORTIONS.get(key, key)), "column": labels.method}
    columns = list(dict.fromkeys(table[across]))
    rows: list[list[str]] = []
    for (metric, key), cells in table.groupby(["metric", down], sort=False):
        words, digits = labels.METRICS[metric]
        start = "" if metric == "accuracy" else f"{words}, "
        line = [cell for _, cell in cells.set_index(across).loc[columns].iterrows()]
        title = "" if one else f"{start}{name[down](key)}, "
        rows.append([f"{title}paper", *(f"{cell['paper']:.{digits}f}" for cell in line)])
        ours = (mean_and_spread(cell["ours"], cell["standard_error"], digits) for cell in line)
        rows.append(
            [
                f"{title}ours",
                *(t if c["seeds"] else NOT_RUN for t, c in zip(ours, line, strict=True)),
            ]
        )
        if differ:
            apart = (signed(c["difference"], digits) if c["seeds"] else "" for c in line)
            rows.append([f"{title}ours − paper", *apart])
    caption = f"Paper: {table['paper_dataset'].iloc[0]}. Ours: {label}, {table['n'].iloc[0]:,} test images"
    caption += f", {errors_note(table)}." if table["standard_error"].notna().any() else "."
    if not differ:
        caption += " Not the paper's setting: compare orders and gaps, not single numbers."
    rows += _other_half(table)
    headings = ["", *map(name[across], columns)]
    return grid(headings, rows, caption, file, data=table, style="qr-pairs")


def errors_note(table: pd.DataFrame) -> str:
    """What "±" means in a frame with the columns standard_error and seeds.

    >>> errors_note(pd.DataFrame({"seeds": [1, 1]}))
    '± one standard error of the choice of test images; one seed'
    >>> errors_note(pd.DataFrame({"seeds": [1, 3, 0]}))
    '± one standard error of the choice of test images and, where there are several, of seeds (up to 3)'
    """
    seeds = [count for count in table["seeds"] if count]
    most = max(seeds)
    if most == 1:
        return "± one standard error of the choice of test images; one seed"
    if min(seeds) < most:
        return (
            "± one standard error of the choice of test images and, where there are several, of seeds "
            f"(up to {most})"
        )
    return f"± one standard error of the choice of test images and of {most} seeds"


def _other_half(table: pd.DataFrame) -> list[list[str]]:
    """What Tables 2 and 4 print of the data set that ours are not on."""
    number, beside = int(table["table"].iloc[0]), table["paper_dataset"].iloc[0]
    if number not in (2, 4):
        return []
    methods = list(dict.fromkeys(table["column"]))
    return [
        line
        for dataset in paper.DATASETS.values()
        if dataset != beside
        for row in ("noise", "blur", "average")
        for title in (f"{dataset}, {labels.DISTORTIONS.get(row, row)}",)
        for line in (
            [
                f"{title}, paper",
                *(f"{paper.printed(number, dataset, row, m):.3f}" for m in methods),
            ],
            [f"{title}, ours", *[NOT_RUN] * len(methods)],
        )
    ]
