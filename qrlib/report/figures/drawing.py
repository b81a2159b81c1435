"""Boxes, arrows and text of diagrams, in inches, with the house style of `qrlib.report.figures.style`.

A part that tests or readers of the SVG want to find has a name: matplotlib's gid, which becomes
the id of its group in SVG.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from qrlib.report.figures import style

WIDTH = 7.0  # inches, as all figures of the book
INK = "#222222"
GREY = "#4d4d4d"
SIZE = 14  # points: diagrams are read word by word, and a phone shows them at less than half

Point = tuple[float, float]


@contextmanager
def canvas(height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure of `WIDTH` by `height` inches, closed in pyplot when drawn.

    One unit of its only, invisible axes is one inch; the origin is at the top left, y points down.
    """
    with plt.rc_context(style.STYLE):
        figure = plt.figure(figsize=(WIDTH, height))
        try:
            ax = figure.add_axes((0, 0, 1, 1))
            ax.set(xlim=(0, WIDTH), ylim=(height, 0))
            ax.axis("off")
            yield figure, ax
        finally:
            plt.close(figure)


def text(ax: Axes, x: float, y: float, words: str, **look: Any) -> None:
    """Text centred on a point; `look` as of `matplotlib.text.Text`."""
    ax.text(x, y, words, **{"ha": "center", "va": "center", "color": INK, "size": SIZE, **look})


def polygon(ax: Axes, corners: Sequence[Point], look: Mapping[str, Any], name: str = "") -> None:
    """A filled outline; `look` as of `matplotlib.patches.Patch`."""
    patch = Polygon(corners, closed=True, joinstyle="round", **look)
    patch.set_gid(name or None)
    ax.add_patch(patch)


def box(
    ax: Axes,
    left: Point,
    size: tuple[float, float],
    words: str,
    look: Mapping[str, Any],
    name: str = "",
) -> None:
    """A rectangle with centred text, placed by the middle of its left edge."""
    (x, y), (width, height) = left, size
    up, down = y - height / 2, y + height / 2
    polygon(ax, [(x, up), (x + width, up), (x + width, down), (x, down)], look, name)
    text(ax, x + width / 2, y, words, linespacing=1.3)


def arrow(
    ax: Axes,
    points: Sequence[Point],
    *,
    color: str = INK,
    line: Any = "-",
    width: float = 1.6,
    name: str = "",
) -> None:
    """A line along the points with a head at the last; the head is solid whatever the line is."""
    (x0, y0), (x1, y1) = points[-2:]
    length = math.hypot(x1 - x0, y1 - y0)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    head = 0.11
    neck = (x1 - head * ux, y1 - head * uy)
    shaft = Line2D(*zip(*points[:-1], neck, strict=True), color=color, ls=line, lw=width)
    shaft.set_gid(name or None)
    ax.add_line(shaft)
    wing = 0.055
    barbs = [(neck[0] + side * wing * uy, neck[1] - side * wing * ux) for side in (1, -1)]
    polygon(ax, [points[-1], *barbs], {"fc": color, "ec": color, "lw": 0.5})
