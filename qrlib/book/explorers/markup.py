"""Which methods there are, and how the line of each looks by day and by night."""

from __future__ import annotations

from collections.abc import Iterable

from qrlib import paper
from qrlib.records import selection
from qrlib.report.figures import style

#: Colours of `qrlib.report.figures.style` that lack contrast on a dark page, or would meet another one there.
DARK = {
    "#4d4d4d": "#c4c4c4",
    "#009E73": "#2cc498",
    "#0072B2": "#3f97dc",
    "#56B4E9": "#97d4f7",
    "#CC79A7": "#e0a0c4",
    "#D55E00": "#f4864a",
}
#: Dashes as multiples of the line's width, as matplotlib draws them.
DASHES = {"-": (), "--": (3.7, 1.6), "-.": (6.4, 1.6, 1.0, 1.6)}
WIDTH = 2.0


def methods(restorers: Iterable[str]) -> list[str]:
    """The methods behind restorers, in the paper's order; one of our own goes by its name.

    >>> methods(["qrnet-multiple", "none", "recnet-blur", "qrnet_unpretrained-multiple"])
    ['none', 'recnet-single', 'qrnet', 'qrnet_unpretrained-multiple']
    """
    there = list(dict.fromkeys(restorers))
    known = [m for m in paper.METHODS if set(selection.restorers_of([m])) & set(there)]
    return known + [name for name in there if name not in selection.restorers_of(known)]


def looks_of(wanted: Iterable[str]) -> dict[str, dict[str, str]]:
    """Colour, marker and dashes of each method (`qrlib.report.figures.style.looks_of`), for JavaScript."""
    return {
        method: {
            "color": look["color"],
            "dark": DARK.get(look["color"], look["color"]),
            "marker": look["marker"],
            "dash": " ".join(f"{WIDTH * length:g}" for length in DASHES[look["linestyle"]]),
        }
        for method, look in style.looks_of(wanted).items()
    }
