"""Sheets of restored test images with the classifier's answers, of which Figures 1 and 8 show a part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from qrlib.data import Split
from qrlib.distortions import CLEAN, Distortion, distort_for_evaluation
from qrlib.utils import files
from qrlib.utils.errors import QrlibError

#: The levels that Figures 1 and 8 show beside clean images (the middle and the strongest).
LEVELS = (3, 5)
#: Images up to this side are kept exactly; larger ones as WebP of `QUALITY`.
EXACT_SIDE = 128
QUALITY = 80


def figure_columns(entry: Mapping[str, Any]) -> list[int]:
    """Which columns of a sheet Figures 1 and 8 show; `entry` is the record's `samples`."""
    return [j for j, c in enumerate(entry["cases"]) if c["level"] in (CLEAN.level, *LEVELS)]


@torch.no_grad()
def write_sheet(
    restorer: nn.Module | None,
    classifier: nn.Module,
    split: Split,
    classes: Sequence[str],
    distortions: Sequence[Distortion],
    path: Path,
    count: int = 6,
) -> dict[str, Any]:
    """Restore and classify a few test images, and write them as one sheet of tiles.

    The images are evenly spaced over the test set, whatever becomes of them.

    Args:
        distortions: a column of tiles each, after that of the clean images.
        path: of the sheet, a WebP file: one row an image, without margins.

    Returns:
        The `samples` entry of a record: file (relative to the profile's results), sha256, side,
        ids, labels (class names), cases, answers (per image and case: answer, confidence in [0, 1]).
    """
    columns = [CLEAN, *distortions]
    step = max(1, len(split) // count)
    images, labels, ids = split[range(0, min(count * step, len(split)), step)]
    device = next(classifier.parameters()).device
    clean = images.to(device).float() / 255  # (N, 3, S, S)
    tiles, answers = [], []
    for case in columns:
        shown = distort_for_evaluation(clean, ids, case)
        if restorer is not None:
            shown = restorer(shown).float()
        confidence, answer = classifier(shown).softmax(1).max(1)
        tiles.append(_bytes(shown))
        pairs = zip(answer.tolist(), confidence.tolist(), strict=True)
        answers.append([{"answer": classes[a], "confidence": round(c, 4)} for a, c in pairs])
    sheet = np.concatenate(
        [np.concatenate(row, axis=1) for row in zip(*tiles, strict=True)]
    )  # (N * S, columns * S, 3)
    side = images.shape[-1]
    with files.replacing(path) as temporary:
        Image.fromarray(sheet).save(
            temporary, "WEBP", lossless=side <= EXACT_SIDE, quality=QUALITY, method=6
        )
    return {
        "file": f"{path.parent.name}/{path.name}",
        "sha256": files.file_hash(path),
        "side": side,
        "ids": list(ids),
        "labels": [classes[i] for i in labels.tolist()],
        "cases": [{"distortion": c.kind, "level": c.level, "strength": c.sigma} for c in columns],
        "answers": [list(row) for row in zip(*answers, strict=True)],
    }


def _bytes(images: Tensor) -> list[np.ndarray]:
    """(N, 3, S, S) in [0, 1] -> N arrays (S, S, 3), uint8."""
    scaled = (images.clamp(0, 1) * 255).round().to(torch.uint8)
    return list(scaled.permute(0, 2, 3, 1).cpu().numpy())


def read_sheet(samples: dict[str, Any], folder: Path) -> list[list[np.ndarray]]:
    """The tiles of a sheet: per image and case an array (S, S, 3), float32 in [0, 1].

    Args:
        samples: the `samples` entry of a record.
        folder: the profile's results.

    Raises:
        QrlibError: the file is missing, or is not the one that the record describes.
    """
    path = folder / samples["file"]
    if not path.is_file() or files.file_hash(path) != samples["sha256"]:
        what = "is not the one its record describes" if path.is_file() else "is not there"
        raise QrlibError(f"sheet of samples {path} {what}; run the step that made it again")
    side = samples["side"]
    rows, columns = len(samples["ids"]), len(samples["cases"])
    try:
        with Image.open(path, formats=["WEBP"]) as image:
            if image.size != (columns * side, rows * side):
                raise ValueError(f"{image.width}x{image.height} pixels are not its tiles")
            sheet = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    except PermissionError:
        raise  # nothing is wrong with the file
    except Exception as error:  # on damaged files Pillow's decoders raise whatever happens to them
        raise QrlibError(
            f"sheet of samples {path} cannot be read ({error}); run the step that made it again"
        ) from error
    return [
        [sheet[r * side : (r + 1) * side, c * side : (c + 1) * side] for c in range(columns)]
        for r in range(rows)
    ]
