"""How figures look: one style, one look a method.

Backgrounds are white on purpose, so that a figure stays legible on a dark page; text in SVG and PDF
stays text.  A figure is closed in pyplot as soon as it is drawn: a notebook shows it once, as the last
expression of a cell, and nothing piles up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

#: rcParams of the house style.  A phone shows 7 inches on some 358 pixels, and 13 pt as 9 of them.
STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.transparent": False,
    "font.family": "sans-serif",
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.labelsize": 13,
    "figure.titlesize": 14,
    "legend.fontsize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "lines.markersize": 6,
    "legend.frameon": False,
    "svg.fonttype": "none",  # letters, not outlines
    "pdf.fonttype": 42,
}

#: Okabe and Ito's palette, told apart with any colour vision; markers and dashes say it again.
LOOKS: dict[str, dict[str, Any]] = {
    "none": {"color": "#4d4d4d", "marker": "s", "linestyle": "-"},
    "recnet-single": {"color": "#E69F00", "marker": "^", "linestyle": "--"},
    "recnet-multiple": {"color": "#009E73", "marker": "D", "linestyle": "-."},
    "qrnet": {"color": "#0072B2", "marker": "o", "linestyle": "-"},
    "finetuned-single": {"color": "#56B4E9", "marker": "v", "linestyle": "--"},
    "finetuned-multiple": {"color": "#CC79A7", "marker": "X", "linestyle": "-."},
    "end-to-end": {"color": "#D55E00", "marker": "P", "linestyle": "-"},
    "mqrnet": {"color": "#CC79A7", "marker": "*", "linestyle": "--"},
    "small_qrnet": {"color": "#56B4E9", "marker": "<", "linestyle": "-."},
}
#: For restorers without a look of their own.
SPARE: tuple[dict[str, Any], ...] = (
    {"color": "#CC79A7", "marker": "v", "linestyle": (0, (5, 1))},
    {"color": "#D55E00", "marker": "P", "linestyle": (0, (3, 1, 1, 1))},
    {"color": "#56B4E9", "marker": "X", "linestyle": (0, (1, 1))},
)


def set_style() -> None:
    """Make the house style the default of everything drawn after it."""
    plt.rcParams.update(STYLE)


@contextmanager
def canvas(
    rows: int, columns: int, size: tuple[float, float], **options: Any
) -> Iterator[tuple[Figure, np.ndarray]]:
    """A styled figure and its axes (rows, columns), closed in pyplot when drawn."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, columns, figsize=size, squeeze=False, layout="constrained", **options
        )
        try:
            yield figure, axes
        finally:
            plt.close(figure)


def looks_of(methods: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and dashes of each method; those without their own share `SPARE`, in order."""
    spare = iter(SPARE)
    return {m: LOOKS[m] if m in LOOKS else next(spare, SPARE[-1]) for m in methods}
