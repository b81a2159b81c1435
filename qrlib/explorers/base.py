"""What all explorers share: their JavaScript and style, and pictures as text."""

from __future__ import annotations

import base64
import inspect
import io
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from PIL import Image

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

    _css = script("explorers.css")
    data = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **options: Any) -> None:
        """Show the arguments of a subclass in its help; traitlets hides them behind its own."""
        super().__init_subclass__(**options)
        _, *arguments = inspect.signature(cls.__init__).parameters.values()
        cls.__signature__ = inspect.Signature(arguments)  # type: ignore[attr-defined]


def data_uri(content: bytes, kind: str) -> str:
    """A file as text that a page can show without asking for anything."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def encode(image: np.ndarray, kind: str, **options: Any) -> str:
    """A picture (H, W, 3) in [0, 1] as a data URI; `options` are Pillow's for the format."""
    buffer = io.BytesIO()
    pixels = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(buffer, kind.upper(), **options)
    return data_uri(buffer.getvalue(), kind)
