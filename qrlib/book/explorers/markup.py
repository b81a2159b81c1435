"""Which methods there are, and how the line of each looks by day and by night."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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
#: For networks that no figure of the paper has, and for classifiers.
OTHERS: dict[str, dict[str, Any]] = {
    "recnet-noise": {"color": "#E69F00", "marker": ">", "linestyle": "--"},
    "recnet-blur": {"color": "#E69F00", "marker": "h", "linestyle": "-."},
    "finetuned-noise": {"color": "#56B4E9", "marker": "D", "linestyle": "--"},
    "finetuned-blur": {"color": "#56B4E9", "marker": "s", "linestyle": "-."},
    "qrnet_unpretrained-multiple": {"color": "#009E73", "marker": ">", "linestyle": "--"},
    "qrnet_lambda_0.1-multiple": {"color": "#E69F00", "marker": "d", "linestyle": "-"},
    "qrnet_lambda_0.001-multiple": {"color": "#CC79A7", "marker": "h", "linestyle": "-"},
    "pretrained-clean": {"color": "#0072B2", "marker": "D", "linestyle": "-"},
    "small_pretrained-clean": {"color": "#56B4E9", "marker": "P", "linestyle": "-."},
    **{
        name: look
        for names, look in (
            (("vgg16", "small_vgg"), {"color": "#4d4d4d", "marker": "h", "linestyle": "-"}),
            (
                ("inception_v3", "small_inception"),
                {"color": "#D55E00", "marker": "d", "linestyle": "--"},
            ),
            (("resnet50", "small_resnet"), {"color": "#009E73", "marker": "*", "linestyle": "-."}),
        )
        for name in names
    },
}
_COLORS = ("#CC79A7", "#56B4E9", "#D55E00", "#009E73", "#E69F00", "#0072B2", "#4d4d4d")
_MARKERS = "vsXD^oP"


def methods(restorers: Iterable[str]) -> list[str]:
    """The methods behind restorers, in the paper's order; one of our own goes by its name.

    >>> methods(["qrnet-multiple", "none", "recnet-blur", "qrnet_unpretrained-multiple"])
    ['none', 'recnet-single', 'qrnet', 'qrnet_unpretrained-multiple']
    """
    there = list(dict.fromkeys(restorers))
    known = [m for m in paper.METHODS if set(selection.restorers_of([m])) & set(there)]
    return known + [name for name in there if name not in selection.restorers_of(known)]


def looks_of(wanted: Iterable[str]) -> dict[str, dict[str, str]]:
    """Colour, marker and dashes of each method, for JavaScript; no two have colour and marker alike.

    One that has a look in `qrlib.report.figures.style` or in `OTHERS` has it wherever it is shown; of the rest each
    takes the next that is free.
    """
    looks: dict[str, dict[str, str]] = {}
    known = style.LOOKS | OTHERS
    taken = {(look["color"], look["marker"]) for look in known.values()}
    # Along diagonals, so that neighbours differ in colour and in marker.
    count = len(_COLORS)
    pairs = ((_COLORS[k % count], _MARKERS[(k + k // count) % count]) for k in range(count**2))
    spare = (
        {"color": color, "marker": marker, "linestyle": ("--", "-.", "-")[i % 3]}
        for i, (color, marker) in enumerate(pair for pair in pairs if pair not in taken)
    )
    for method in wanted:
        looks[method] = _for_script(known.get(method) or next(spare))
    return looks


def _for_script(look: dict[str, Any]) -> dict[str, str]:
    return {
        "color": look["color"],
        "dark": DARK.get(look["color"], look["color"]),
        "marker": look["marker"],
        "dash": " ".join(f"{WIDTH * length:g}" for length in DASHES[look["linestyle"]]),
    }
