"""Pictures that Pillow does not write, made byte by byte."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def png(samples: np.ndarray, colour: int, *chunks: tuple[bytes, bytes], bits: int = 0) -> bytes:
    """A PNG of (H, W) or (H, W, C) whole numbers, in 8 or 16 bits, or in fewer of grey.

    Args:
        colour: 0 grey, 2 RGB, 4 grey with alpha, 6 RGB with alpha.
        chunks: (type, data), before the pixels.
    """
    height, width = samples.shape[:2]
    bits = bits or 8 * samples.dtype.itemsize
    if bits < 8:
        spread = np.unpackbits(samples.astype(np.uint8)[..., None], axis=2)[..., -bits:]
        rows = np.packbits(spread.reshape(height, -1), axis=1)
    else:
        rows = samples.reshape(height, -1).astype(f">u{bits // 8}")
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    every = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)),
        *chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b""),
    ]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in every
    )


def tiff(samples: np.ndarray, **tags: int | tuple[int, ...]) -> bytes:
    """A little-endian TIFF of one strip: grey (H, W) or RGB (H, W, 3), uint8 or uint16.

    Args:
        tags: their numbers behind a letter; 16 bits each.
    """
    height, width, *channels = samples.shape
    data = samples.astype(f"<u{samples.dtype.itemsize}").tobytes()
    bits = 8 * samples.dtype.itemsize
    every: dict[int, tuple[int, ...]] = {
        256: (width,), 257: (height,), 258: (bits,) * (channels or [1])[0], 259: (1,),
        262: (2 if channels else 1,), 273: (8,), 277: tuple(channels or [1]), 278: (height,),
        279: (len(data),),
    }  # fmt: skip
    for name, value in tags.items():
        every[int(name[1:])] = value if isinstance(value, tuple) else (value,)
    entries, extra, start = [], b"", 8 + len(data) + len(data) % 2
    after = start + 2 + 12 * len(every) + 4
    for tag, values in sorted(every.items()):
        packed = struct.pack(f"<{len(values)}H", *values)
        if len(packed) > 4:
            packed, extra = struct.pack("<I", after + len(extra)), extra + packed
        entries.append(struct.pack("<HHI", tag, 3, len(values)) + packed.ljust(4, b"\0"))
    folder = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return struct.pack("<2sHI", b"II", 42, start) + data + bytes(len(data) % 2) + folder + extra


def with_segment(pixels: np.ndarray, mark: int, data: bytes) -> bytes:
    """A JPEG with a segment of metadata at its start."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    whole = buffer.getvalue()
    return whole[:2] + struct.pack(">BBH", 255, mark, len(data) + 2) + data + whole[2:]


#: Turned by a quarter to the right, at a time that is a number with a point.
ODD_EXIF = (
    b"Exif\0\0II*\0\x08\0\0\0\2\0\x12\1\3\0\1\0\0\0\6\0\0\0\x32\1\x0c\0\1\0\0\0\x26\0\0\0"
    + bytes(12)
)
