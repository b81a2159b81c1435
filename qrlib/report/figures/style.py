"""How figures look: one style, one look a method.

Backgrounds are white on purpose, so that a figure stays legible on a dark page; text in SVG and PDF
stays text.  A figure is closed in pyplot as soon as it is drawn: a notebook shows it once, as the last
expression of a cell, and nothing piles up.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from qrlib.experiments.variants import PARTS

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
_VGG = {"color": "#4d4d4d", "marker": "h", "linestyle": "-"}
_INCEPTION = {"color": "#D55E00", "marker": "d", "linestyle": "--"}
_LITE = {"color": "#0072B2", "marker": "p", "linestyle": "-"}
_RESNET = {"color": "#009E73", "marker": "*", "linestyle": "-."}
#: For networks that no figure of the paper has, and for classifiers.
OTHER_LOOKS: dict[str, dict[str, Any]] = {
    "recnet-noise": {"color": "#E69F00", "marker": ">", "linestyle": "--"},
    "recnet-blur": {"color": "#E69F00", "marker": "h", "linestyle": "-."},
    "finetuned-noise": {"color": "#56B4E9", "marker": "D", "linestyle": "--"},
    "finetuned-blur": {"color": "#56B4E9", "marker": "s", "linestyle": "-."},
    "qrnet_unpretrained-multiple": {"color": "#009E73", "marker": ">", "linestyle": "--"},
    "qrnet_lambda_0.1-multiple": {"color": "#E69F00", "marker": "d", "linestyle": "-"},
    "qrnet_lambda_0.001-multiple": {"color": "#CC79A7", "marker": "h", "linestyle": "-"},
    "recnet_finetuned-multiple": {"color": "#E69F00", "marker": "v", "linestyle": "-"},
    "qrnet_finetuned-multiple": {"color": "#56B4E9", "marker": "^", "linestyle": "-"},
    "pretrained-clean": {"color": "#0072B2", "marker": "D", "linestyle": "-"},
    "small_pretrained-clean": {"color": "#56B4E9", "marker": "P", "linestyle": "-."},
    **{name: _VGG for name in ("vgg16", "small_vgg")},
    "efficientnet_lite0": _LITE,
    **{name: _INCEPTION for name in ("inception_v3", "small_inception")},
    **{name: _RESNET for name in ("resnet50", "small_resnet")},
}
_COLORS = ("#CC79A7", "#56B4E9", "#D55E00", "#009E73", "#E69F00", "#0072B2", "#4d4d4d")
_MARKERS = "vsXD^oP<>"


def set_style() -> None:
    """Make the house style the default of everything that a notebook draws after it, as SVG."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats  # there beside a kernel

    set_matplotlib_formats("svg")
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
    """Colour, marker and dashes of each method; no two have colour and marker alike.

    A network has its look wherever it is shown; of what is no network each takes the next that is free.
    """
    shown = list(dict.fromkeys(methods))
    own = _looks_of_networks()
    taken = LOOKS | OTHER_LOOKS | {method: own[method] for method in shown if method in own}
    spare = _spare(taken.values())
    return {method: own.get(method) or next(spare) for method in shown}


@functools.cache
def _looks_of_networks() -> dict[str, dict[str, Any]]:
    """Of `LOOKS` and `OTHER_LOOKS`, and of each network that has none there."""
    looks = LOOKS | OTHER_LOOKS
    spare = _spare(looks.values())
    named = (f"{variant}-{kind}" for part in PARTS.values() for variant, kind in part)
    return looks | {name: next(spare) for name in dict.fromkeys(named) if name not in looks}


def _spare(looks: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Looks beside these, along diagonals, so that neighbours differ in colour and in marker."""
    taken = {(look["color"], look["marker"]) for look in looks}
    count = len(_COLORS)
    steps = range(count * len(_MARKERS))
    pairs = ((_COLORS[k % count], _MARKERS[(k + k // count) % len(_MARKERS)]) for k in steps)
    for i, (color, marker) in enumerate(pair for pair in pairs if pair not in taken):
        yield {"color": color, "marker": marker, "linestyle": ("--", "-.", "-")[i % 3]}
