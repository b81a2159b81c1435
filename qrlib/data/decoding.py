"""Opening pictures, of data sets or of your own, whatever else their files hold."""

from __future__ import annotations

import contextlib
import io
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, TiffImagePlugin, UnidentifiedImageError, features

# Pillow's own way through a TIFF without compression takes its channels for 8 bits where they lie apart.
TiffImagePlugin.READ_LIBTIFF = bool(features.check("libtiff"))
#: Formats of Pillow that hold no picture, or none that it can decode; EPS is a program that it would run.
NOT_PICTURES = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
#: Nothing in a TGA says that it is one, so that Pillow takes much else for it.
TGA_ENDINGS = (".tga", ".icb", ".vda", ".vst")
#: Chunks of a PNG, beside those without which there is no picture, that say how it looks -> least length.
_PNG_CHUNKS = {b"acTL": 8, b"cHRM": 32, b"fcTL": 26, b"fdAT": 4, b"gAMA": 4, b"sRGB": 1}
#: Texts of a PNG in which programs write an EXIF.
_PNG_TEXTS = (b"XML:com.adobe.xmp\0\0", b"Raw profile type exif\0")
#: Marks of programs in a JPEG that say how it looks -> their least length.
_JPEG_MARKS = {b"Exif\0\0": 6, b"ICC_PROFILE\0": 15, b"Adobe": 12}
_PNG = b"\x89PNG\r\n\x1a\n"
_TEXT, _PROFILE = 1 << 20, 1 << 24  # bytes of a text that Pillow takes, and of a colour profile
_ORIENTATION = 0x0112
_TURNS = dict(zip(range(2, 9), (0, 3, 1, 5, 4, 6, 2), strict=True))  # Pillow's transpositions


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture that Pillow knows, not yet decoded.

    Metadata that nobody looks at, such as texts, are left out first where Pillow refuses the whole
    file because they are damaged or large; so are damaged ones of colours.  Its info has more: "cicp", the
    four numbers of H.273 by which a PNG or AVIF tells its colours; "gamma" and "chromaticity" of a BMP as
    of a PNG; the "icc_profile" of both, and of JPEG 2000; "bits", of a sample of a PNG, and "key", the one
    that means transparent; "grey", whether the file's own samples are.

    Raises:
        UnidentifiedImageError: no picture that Pillow decodes.
    """
    Image.init()
    unwanted = NOT_PICTURES | (set() if path.suffix.lower() in TGA_ENDINGS else {"TGA"})
    with path.open("rb") as file:
        start = file.read(32)
        whole = start.startswith((_PNG, b"BM")) or start[4:8] in (b"ftyp", b"jP  ")
        head = start + file.read() if whole else b""
    source = io.BytesIO(_png_pictures(head)) if head.startswith(_PNG) else path
    formats = [name for name in Image.ID if name not in unwanted]
    with _open(source, formats) as image:
        if not isinstance(image.info.get("xmp", b""), bytes):
            del image.info["xmp"]  # a TIFF's, of another type
        if image.format == "PNG":
            image.info |= {"bits": head[24], "grey": head[25] in (0, 4)}
            chunks = dict(_chunks(head))
            if head[25] in (0, 2) and (key := chunks.get(b"tRNS", b"")[8:-4]):
                image.info["key"] = struct.unpack(f">{len(key) // 2}H", key)
            if len(told := chunks.get(b"cICP", b"")[8:-4]) == 4:
                image.info["cicp"] = tuple(told)
            if profile := _inflated(chunks.get(b"iCCP", b"")[8:-4], _PROFILE):
                image.info["icc_profile"] = profile
        elif image.format == "BMP":
            image.info |= _told_by_bmp(head)
        elif image.format == "JPEG2000":  # ISO/IEC 15444-1, I.5.3.3
            at = head.find(b"colr")
            if at >= 0 and head[at + 4] in (2, 3):
                end = at - 4 + int.from_bytes(head[at - 4 : at], "big")
                image.info["icc_profile"] = head[at + 7 : end]
        elif image.format == "TIFF" and image.mode in ("LA", "La") and image.tag_v2.get(284) == 2:  # type: ignore[attr-defined]
            raise UnidentifiedImageError("grey and alpha that lie apart")  # alpha would be grey's
        elif image.format == "AVIF":  # boxes: ISO/IEC 23008-12, the AV1 binding
            if (at := head.find(b"colrnclx")) >= 0:
                first = struct.unpack(">HHHB", head[at + 8 : at + 15])
                image.info["cicp"] = (*first[:3], first[3] >> 7)
            coded = [head[x.start() + 6] for x in re.finditer(b"av1C", head)]  # colours, alpha
            image.info["grey"] = all(x & 0x10 for x in coded)
        yield image


def _open(source: Path | io.BytesIO, formats: list[str]) -> Image.Image:
    try:
        return Image.open(source, formats=formats)
    except UnidentifiedImageError:
        if isinstance(source, Path) and (content := source.read_bytes()).startswith(
            b"\xff\xd8\xff"
        ):
            return Image.open(io.BytesIO(_jpeg_pictures(content)), formats=formats)
        raise


def _jpeg_pictures(content: bytes) -> bytes:
    """A JPEG without comments and marks of programs, but for what tells colours and orientation."""
    kept, at = [content[:2]], 2
    while content[at : at + 1] == b"\xff" and content[at + 1] != 0xDA:  # the pixels
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        segment, at = content[at:end], end
        mark, data = segment[1], segment[4:]
        told = any(data.startswith(x) and len(data) >= least for x, least in _JPEG_MARKS.items())
        if told or not (0xE0 <= mark <= 0xEF or mark == 0xFE):
            kept.append(segment)
    return b"".join([*kept, content[at:]])


def upright(image: Image.Image) -> Image.Image:
    """The picture, decoded and turned in place as its EXIF says, if that can be read."""
    image.load()
    try:
        turn = _TURNS.get(image.getexif().pop(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF is thrown away as a whole one is
        turn = None
    if turn is not None:
        turned = image.transpose(Image.Transpose(turn))
        image.im, image._size = turned.im, turned._size
    return image


def _inflated(text: bytes, most: int) -> bytes | None:
    """A compressed text behind its name; None unless it is whole and of at most so many bytes."""
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(text.partition(b"\0")[2][1:], most)
    except zlib.error:
        return None
    return content if inflate.eof else None


def _told_by_bmp(head: bytes) -> dict[str, Any]:
    """Of the headers of Windows 95 and 98: colours in words of a PNG, or a profile."""
    if int.from_bytes(head[14:18], "little") < 108 or len(head) < 138:
        return {}
    if head[70:74] == b"DEBM":  # it is embedded
        start, size = struct.unpack("<2I", head[126:134])
        return {"icc_profile": head[14 + start : 14 + start + size]}
    *ends, gamma = struct.unpack("<10I", head[74:114])
    sums = [sum(ends[i : i + 3]) for i in (0, 3, 6)]
    if head[70:74] != bytes(4) or not gamma or not all(sums):
        return {}
    xy = [ends[3 * i + j] / sums[i] for i in range(3) for j in (0, 1)]
    return {"gamma": min(gamma / 65536, 65536 / gamma), "chromaticity": (0.3127, 0.3290, *xy)}


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Of a PNG: the type and all bytes of each chunk, the last one perhaps cut short."""
    at = len(_PNG)
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        yield content[at + 4 : at + 8], content[at : at + length + 12]
        at += length + 12


def _png_pictures(content: bytes) -> bytes:
    """A PNG without metadata that nobody looks at."""

    def wanted(kind: bytes, chunk: bytes) -> bool:
        if kind[:1].isupper() or not kind.isalpha() or kind == b"tRNS":
            return True
        data = chunk[8:-4]
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            return False
        if kind == b"eXIf" or (kind[1:] == b"TXt" and data.startswith(_PNG_TEXTS)):
            return len(data) < _TEXT and (kind != b"zTXt" or _inflated(data, _TEXT) is not None)
        return len(data) >= _PNG_CHUNKS.get(kind, len(data) + 1)

    return _PNG + b"".join(chunk for kind, chunk in _chunks(content) if wanted(kind, chunk))
