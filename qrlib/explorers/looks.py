"""Which methods there are, and how the line of each looks by day and by night."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

from qrlib import reference, selection, style

#: Colours of `qrlib.style` that lack contrast on a dark page, or would meet another one there.
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
_COLORS = ("#CC79A7", "#56B4E9", "#D55E00", "#009E73", "#E69F00", "#0072B2", "#4d4d4d")
_MARKERS = "vsXD^oP"


def methods(restorers: Iterable[str]) -> list[str]:
    """The methods behind restorers, in the paper's order; one of our own goes by its name.

    >>> methods(["qrnet-multiple", "none", "recnet-blur", "qrnet_unpretrained-multiple"])
    ['none', 'recnet-single', 'qrnet', 'qrnet_unpretrained-multiple']
    """
    there = list(dict.fromkeys(restorers))
    found = [m for m in reference.METHODS if set(selection.restorers_of([m])) & set(there)]
    return found + [name for name in there if name not in selection.restorers_of(found)]


def looks_of(wanted: Iterable[str]) -> dict[str, dict[str, str]]:
    """Colour, marker and dashes of each method, for JavaScript; no two have colour and marker alike.

    A method that has a look in `qrlib.style` keeps it unless an earlier one has taken it.
    """
    looks: dict[str, dict[str, str]] = {}
    taken = {(look["color"], look["marker"]) for look in style.LOOKS.values()}
    given: set[tuple[str, str]] = set()
    spare = (
        {"color": color, "marker": marker, "linestyle": ("--", "-.", "-")[i % 3]}
        for i, (marker, color) in enumerate(product(_MARKERS, _COLORS))
        if (color, marker) not in taken
    )
    for method in wanted:
        look = style.LOOKS.get(method)
        if look is None or (look["color"], look["marker"]) in given:
            look = next(spare)
        given.add((look["color"], look["marker"]))
        looks[method] = _for_script(look)
    return looks


def _for_script(look: dict[str, Any]) -> dict[str, str]:
    return {
        "color": look["color"],
        "dark": DARK.get(look["color"], look["color"]),
        "marker": look["marker"],
        "dash": " ".join(f"{WIDTH * length:g}" for length in DASHES[look["linestyle"]]),
    }
