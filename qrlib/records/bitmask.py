"""Which test images a classifier recognised, as text in a record: one bit each, eight to a byte."""

from __future__ import annotations

import numpy as np

from qrlib.utils.errors import QrlibError


def pack(right: np.ndarray) -> str:
    """Hexadecimal digits of (N,) truth values, the first image in the highest bit.

    >>> pack(np.array([True, False, False, False, False, False, False, True, True]))
    '8180'
    """
    return np.packbits(right).tobytes().hex()


def unpack(text: str, n: int) -> np.ndarray:
    """The (n,) truth values that `pack` made a text of.

    Raises:
        QrlibError: it is not of so many images.

    >>> unpack("8180", 9).astype(int)
    array([1, 0, 0, 0, 0, 0, 0, 1, 1])
    """
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))
    if len(bits) != -(-n // 8) * 8 or bits[n:].any():
        raise QrlibError(f"a record tells of {len(bits)} images, padded to bytes, and not of {n}")
    return bits[:n].astype(bool)
