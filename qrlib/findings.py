"""What a figure of results shows, in a sentence made from its numbers.

A notebook calls `say` in the cell of a figure; `qrlib.graph.tidy` puts the sentence at the head of the
figure's caption in the book.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from qrlib import selection, tables
from qrlib.rendering import name

#: The type of output that holds a sentence for a caption.
MIME = "application/vnd.qrlib.finding"
_KINDS = ("noise", "blur")


def say(sentence: str) -> None:
    """Show a sentence under the cell, and in the book in the figure's caption."""
    from IPython.display import display

    display({MIME: sentence, "text/plain": sentence}, raw=True)


def _list(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def levels(results: pd.DataFrame, methods: Sequence[str], **choice: Any) -> str:
    """Which method is the most accurate at how many levels; for Figures 4, 5 and 6.

    Args:
        results, methods, choice: as of `qrlib.plots.level_curves`.
    """
    data = tables.levels(results, restorers=selection.restorers_of(methods), **choice)
    parts = []
    for kind in _KINDS:
        of = {selection.restorer_of(method, kind): name(method) for method in methods}
        here = data[(data["distortion"] == kind) & (data["level"] > 0) & data["restorer"].isin(of)]
        best = here.loc[here.groupby("level")["ours"].idxmax(), "restorer"]
        counts = Counter(best.map(of)).most_common()
        parts.append(f"under {kind} {_list([f'{who} at {n}' for who, n in counts])}")
    return f"Highest accuracy, however narrowly, of five levels: {'; '.join(parts)}."


def beside(table: pd.DataFrame) -> str:
    """Which method leads in the paper and in ours; for Tables 2 and 4 as a picture.

    Args:
        table: frame of `qrlib.tables.table2` or `table4`.
    """
    parts = []
    for kind in _KINDS:
        cells = table[table["row"] == kind].set_index("column")
        theirs, mine = (name(str(cells[whose].idxmax())) for whose in ("paper", "ours"))
        agree = f"{mine} here too" if theirs == mine else f"{mine} here"
        parts.append(f"under {kind} {theirs} in the paper, {agree}")
    return f"Highest accuracy, however narrowly: {'; '.join(parts)}."


def quality(data: pd.DataFrame) -> str:
    """What QRNet does to PSNR and accuracy at the strongest level; for Figure 7.

    Args:
        data: frame of `qrlib.tables.quality`.
    """
    parts = []
    for kind in _KINDS:
        cells = data[(data["distortion"] == kind) & (data["level"] == max(data["level"]))]
        none, qrnet = (cells.set_index("method").loc[method] for method in ("none", "qrnet"))
        parts.append(
            f"under {kind} from {none.psnr:.1f} to {qrnet.psnr:.1f} dB and from {none.accuracy:.3f} "
            f"to {qrnet.accuracy:.3f}"
        )
    return f"At the strongest level QRNet takes PSNR and accuracy {', '.join(parts)}."
