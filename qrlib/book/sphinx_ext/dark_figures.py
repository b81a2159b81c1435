"""Pictures for the night, made while the book is built (`qrlib.book.sphinx_ext.launch_buttons`)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

#: Colours of text around photographs -> what they are on a dark ground (`qrlib.report.figures.image_grids`).
NIGHT = {"#00588a": "#7cc4ee", "#a84300": "#ffb077"}
INK = "#ced6dd"
_WHITE = re.compile(r"fill: (?:#ffffff|#fff|white)\b")


def night(svg: str) -> str:
    """A figure of photographs for a dark page: no ground, light letters, the photographs untouched.

    Args:
        svg: as matplotlib writes it, with letters as text.

    >>> night('<style>*{}</style><path style="fill: #ffffff"/><text style="fill: #a84300">no</text>')
    '<style>*{}text{fill:#ced6dd}</style><path style="fill: none"/><text style="fill: #ffb077">no</text>'
    """
    drawn = _WHITE.sub("fill: none", svg)
    for day, dark in NIGHT.items():
        drawn = drawn.replace(f"fill: {day}", f"fill: {dark}")
    return drawn.replace("</style>", f"text{{fill:{INK}}}</style>", 1)


def mark_pictures(app: Any, doctree: Any, docname: str) -> None:
    """Tell drawings from photographs; of the latter, add the picture for the night.

    A dark page turns drawings to their negative, which photographs would not survive.
    """
    from docutils import nodes

    for image in list(doctree.findall(nodes.image)):
        path = Path(app.srcdir) / image["uri"]
        svg = path.read_text("utf-8") if path.suffix == ".svg" else ""
        if svg and "<image" not in svg:
            image["classes"].append("qr-drawing")
            continue
        image["classes"].append("qr-photograph")
        if svg:
            path.with_suffix(".night.svg").write_text(night(svg), "utf-8")
            dark = image.deepcopy()
            dark["uri"] = str(Path(image["uri"]).with_suffix(".night.svg"))
            dark["candidates"] = {"*": dark["uri"]}
            dark["ids"] = []
            dark["classes"].append("qr-night")
            dark["loading"] = "lazy"  # a light page does not ask for it
            image.parent.insert(image.parent.index(image) + 1, dark)
            app.env.images.add_file(docname, dark["uri"])
