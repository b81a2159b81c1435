"""What explorers share: their JavaScript and style."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import anywidget
import pandas as pd
import traitlets

HERE = Path(__file__).parent


def script(*names: str) -> str:
    """Files of this folder as one ES module, for a page that cannot load a second one."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


class Explorer(anywidget.AnyWidget):
    """A widget whose `data` hold all that it can show; other traits say what it shows now.

    Attributes:
        data: plain JSON values, and pictures as data URIs.  What has an order is a list: a saved
            notebook sorts the keys of everything else.
    """

    #: The numbers that are shown, one a row; what they say; what is to be said of its marks.
    frame: pd.DataFrame
    finding: str = ""
    note: str = ""

    _css = script("explorers.css")
    data = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **options: Any) -> None:
        """Show the arguments of a subclass in its help; traitlets hides them behind its own."""
        super().__init_subclass__(**options)
        _, *arguments = inspect.signature(cls.__init__).parameters.values()
        cls.__signature__ = inspect.Signature(arguments)  # type: ignore[attr-defined]


class Curves(Explorer):
    """Lines with a cursor, and a table that is legend, switches and values in one.

    Attributes:
        view: which measure.
        shown: keys of the lines that are switched on.
        at: position of the cursor.
    """

    _esm = script("common.js", "chart.js", "curves.js")
    view = traitlets.Unicode("").tag(sync=True)
    shown = traitlets.List(traitlets.Unicode()).tag(sync=True)
    at = traitlets.Int(0, min=0).tag(sync=True)
