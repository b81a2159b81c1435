"""The sheets of test images that evaluations kept, and pictures as text that a page can carry."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from qrlib.experiments.profiles import Profile
from qrlib.records import selection, store


def described(profile: Profile, method: str) -> dict[str, Any] | None:
    """What a method's record says of its sheet, for `qrlib.experiments.samples.read`; of several seeds the first.

    None where there is no such record, or one from before sheets were kept.

    Args:
        method: key of `qrlib.paper.METHODS`; its network for noise.

    Raises:
        QrlibError: a damaged record.
    """
    restorer = selection.restorer_of(method, "noise")
    seed = "" if restorer == "none" else f"-seed{profile.seeds[0]}"
    name = f"evaluation-{restorer}-{profile.classifier.name}{seed}"
    if not store.path(profile.name, name).is_file():
        return None
    return store.read_record(profile.name, name).get("samples")


def answers(told: Mapping[str, Mapping[str, Any]], profile: Profile) -> pd.DataFrame:
    """What the classifier said of every tile, one a row.

    Args:
        told: what the records say of their sheets, by method.

    Returns:
        Columns method, image (its name in the data set), label, distortion, level, strength, answer,
        confidence, right, profile, record.
    """
    return pd.DataFrame(
        {
            "method": method,
            "image": image,
            "label": label,
            **case,
            **said,
            "right": said["answer"] == label,
            "profile": profile.name,
            "record": f"{Path(entry['file']).stem}.json",
        }
        for method, entry in told.items()
        for image, label, row in zip(entry["ids"], entry["labels"], entry["answers"], strict=True)
        for case, said in zip(entry["cases"], row, strict=True)
    )


def data_uri(content: bytes, kind: str) -> str:
    """A picture's file as text that a page can show without asking for anything."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def encode(picture: np.ndarray | Image.Image, kind: str, **options: Any) -> str:
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
    return data_uri(buffer.getvalue(), kind)
