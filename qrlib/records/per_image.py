"""What a record says of each test image, as text: whether it was recognised, and numbers to within a step."""

from __future__ import annotations

import base64

import numpy as np

from qrlib.utils.errors import QrlibError

#: Of a row of results, what is known of its images.
COLUMNS = ("right", "confidence", "entropy", "feature_distance", "images")
#: Metric -> the step to which it is kept, one byte an image; beyond 255 steps, and below 0, is the nearest.
STEPS = {
    "confidence": 1 / 255, "entropy": 1 / 255, "feature_distance": 1 / 255, "psnr": 0.25, "ssim": 1 / 255,
}  # fmt: skip


def pack(each: np.ndarray, metric: str, **known: np.ndarray) -> dict[str, str]:
    """The columns of a row of results.

    Args:
        each: (N,) values of `metric`; of "accuracy", truth values.
        known: what else is known of each answer, with an accuracy: column -> (N,) numbers.
    """
    if metric != "accuracy":
        return {"images": pack_values(each, metric)}
    return {
        "right": pack_truth(each),
        **{column: pack_values(values, column) for column, values in known.items()},
    }


def unpack(text: str, n: int, metric: str) -> np.ndarray:
    """The (n,) values of `metric` that `pack` kept; of "accuracy", truth values."""
    if metric == "accuracy":
        return unpack_truth(text, n)
    return unpack_values(text, n, metric)


def pack_truth(right: np.ndarray) -> str:
    """Hexadecimal digits of (N,) truth values, eight to a byte, the first image in the highest bit.

    >>> pack_truth(np.array([True, False, False, False, False, False, False, True, True]))
    '8180'
    """
    return np.packbits(right).tobytes().hex()


def unpack_truth(text: str, n: int) -> np.ndarray:
    """The (n,) truth values that `pack_truth` made a text of.

    Raises:
        QrlibError: it is not of so many images.

    >>> unpack_truth("8180", 9).astype(int)
    array([1, 0, 0, 0, 0, 0, 0, 1, 1])
    """
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))
    if len(bits) != -(-n // 8) * 8 or bits[n:].any():
        raise QrlibError(f"a record tells of {len(bits)} images, padded to bytes, and not of {n}")
    return bits[:n].astype(bool)


def pack_values(values: np.ndarray, metric: str = "confidence") -> str:
    """(N,) numbers as base64, to within half a step of `STEPS`.

    >>> pack_values(np.array([15.3, 20.0, 100.0]), "psnr")
    'PVD/'
    """
    steps = np.rint(np.asarray(values, dtype=float) / STEPS[metric]).clip(0, 255)
    return base64.b64encode(steps.astype(np.uint8).tobytes()).decode()


def unpack_values(text: str, n: int, metric: str = "confidence") -> np.ndarray:
    """The (n,) numbers that `pack_values` made a text of.

    Raises:
        QrlibError: it is not of so many images.

    >>> unpack_values("PVD/", 3, "psnr")
    array([15.25, 20.  , 63.75])
    """
    steps = np.frombuffer(base64.b64decode(text), np.uint8)
    if len(steps) != n:
        raise QrlibError(f"a record tells of {len(steps)} images, and not of {n}")
    return steps * STEPS[metric]
