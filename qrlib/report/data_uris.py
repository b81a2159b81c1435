"""Files as text inside a page, so that it needs neither network nor server."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image


def data_uri(content: bytes, media_type: str) -> str:
    """A file as text, such as of the type "image/png"."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def encode_image(picture: np.ndarray | Image.Image, kind: str, **options: Any) -> str:
    """A picture as a data URI.

    Args:
        picture: Pillow's, or an array (H, W, 3) in [0, 1].
        kind: "png", "jpeg" or "webp"; `options` are Pillow's for this format.
    """
    if not isinstance(picture, Image.Image):
        pixels = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
        picture = Image.fromarray(pixels)
    buffer = io.BytesIO()
    picture.save(buffer, kind.upper(), **options)
    return data_uri(buffer.getvalue(), f"image/{kind}")
