"""Photographs of any kind read from and written to files, for `qrlib.inference.recover`.

An upright 8-bit image is what the networks take, so whatever a file holds is turned into one:

- the EXIF orientation is applied;
- grey (1 to 16 bits) stays grey, all else becomes RGB; palettes are looked up;
- CMYK is converted by Pillow's plain formula, without its colour profile;
- grey of 12 or 16 bits is scaled and rounded; of 16-bit colours Pillow keeps the upper 8 bits;
- 32-bit grey and signed numbers have no fixed range and are refused;
- transparency, of whatever form, becomes an alpha channel of 8 bits;
- of several frames or pages the first is read, unless it is a preview of another.

The colour profile is kept where it is of the colours that are written (grey or RGB, so not of CMYK or
Lab); colours told in another way are converted to sRGB (`qrlib.inference.colours`).  Other metadata, such
as the place, are not kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from qrlib.data import decoding
from qrlib.inference import colours
from qrlib.utils import files
from qrlib.utils.errors import QrlibError

#: Ending of a file -> Pillow's name of the format.
FORMATS = {
    ".png": "PNG",
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95, "exact": True},  # exact: colours under full transparency stay
    "TIFF": {"compression": "tiff_adobe_deflate"},
}
_LONGEST = {"JPEG": 65500, "WEBP": 16383}  # the longest side that the format can hold
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")
_BAND = 1 << 20  # pixels converted at a time, so that no second whole image is in memory


@dataclasses.dataclass(frozen=True)
class Photo:
    """A decoded photograph.

    Attributes:
        pixels: uint8 in [0, 255]: (H, W, 3) RGB, or (H, W) grey.
        alpha: uint8 (H, W), 255 where opaque; None where the file has no transparency.
        icc_profile: of the colours, as it stood in the file.
        pages: how many pictures the file has, of which this is the first.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None
    pages: int = 1


def read(path: str | Path, max_pixels: int | None = None) -> Photo:
    """Decode a file that Pillow knows (EPS excepted); the module's docstring says what becomes of it.

    Args:
        max_pixels: larger images are refused before they are decoded, since a file of some kilobytes
            can claim to hold gigabytes; None is Pillow's limit, 178,956,970 pixels as it comes.

    Raises:
        QrlibError: no such file, not an image, damaged, too many pixels, numbers without a fixed range,
            or a preview of another page.
        PermissionError: the file may not be read.
    """
    path = Path(path)
    if path.is_dir():
        raise QrlibError(f"{path} is a folder; name one photograph in it")
    if not path.is_file():
        raise QrlibError(f"no photograph at {path}; check the name")
    try:
        with warnings.catch_warnings(), _limit(max_pixels) as limit:
            warnings.simplefilter("ignore")  # Pillow's remarks on metadata and on its lower limit
            with decoding.opened(path) as image:
                if limit is not None and image.width * image.height > limit:
                    raise Image.DecompressionBombError
                return _decode(image, path)
    except (QrlibError, PermissionError):
        raise
    except (UnidentifiedImageError, NotImplementedError) as error:
        raise QrlibError(
            f"{path} is no photograph that Pillow {Image.__version__} reads; convert it to PNG or JPEG"
        ) from error
    except Image.DecompressionBombError as error:
        raise QrlibError(
            f"{path} has more than {limit:,} pixels, the limit against files that fill the memory; "
            "if you trust it, raise the limit with --max-pixels (max_pixels in Python)"
        ) from error
    except MemoryError as error:
        raise QrlibError(f"not enough memory to decode {path}; make it smaller first") from error
    except Exception as error:  # on damaged files Pillow's decoders raise whatever happens to them
        reason = " ".join(str(error).split()) or type(error).__name__
        raise QrlibError(
            f"{path} cannot be decoded ({reason}); it is cut short or damaged: copy it again"
        ) from error


@contextlib.contextmanager
def _limit(max_pixels: int | None) -> Iterator[int | None]:
    """Set Pillow's limit for a while; yields the number of pixels above which it refuses."""
    if max_pixels is not None and max_pixels < 1:
        raise QrlibError(f"max_pixels must be at least 1, not {max_pixels}")
    before = Image.MAX_IMAGE_PIXELS  # Pillow warns above this and refuses above twice this
    if max_pixels is not None:
        Image.MAX_IMAGE_PIXELS = (max_pixels + 1) // 2
    try:
        yield max_pixels if max_pixels is not None else None if before is None else 2 * before
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _decode(image: Image.Image, path: Path) -> Photo:
    tags = image.tag_v2 if image.format == "TIFF" else {}  # type: ignore[attr-defined]
    pages = _pages(image)
    preview = tags.get(254) in range(1, 8, 2) or tags.get(255) == 2
    # The others may lie inside of it (330, SubIFDs), as in a camera's raw file.
    if preview and (pages > 1 or 330 in tags):
        place = f"page 1 of {pages}" if pages > 1 else "its picture"
        raise QrlibError(
            f"{path}: {place} is a preview of another; save that one as a file of its own"
        )
    white = _white(image, tags)
    signed = 2 in tags.get(339, ()) or (image.format == "FITS" and image.mode.startswith("I"))
    if image.mode == "F" or signed or white is None:
        what = "signed numbers" if signed and 32 not in tags.get(258, ()) else "32 bits a pixel"
        raise QrlibError(f"{path} has {what} and no fixed range; convert it to 16 or 8 bits")
    told = colours.of(image, str(path))
    image = decoding.upright(image)
    width, height = image.size
    grey = image.mode in _GREY or image.info.get("grey", False)
    key = image.info.get("key")
    pixels = np.empty((height, width) if grey else (height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if image.has_transparency_data else None
    for rows in bands(height, width):
        band = image.crop((0, rows.start, width, rows.stop))
        if alpha is not None and key is not None:
            band.info.pop("transparency", None)
            values = np.asarray(band.convert("L") if band.mode == "1" else band)
            alpha[rows] = np.where(_equal(values, key, image.info["bits"]), 0, 255)
        elif alpha is not None:
            both = np.asarray(band.convert("LA" if grey else "RGBA"))
            alpha[rows] = both[..., -1]
            values = both[..., 0] if grey else both[..., :3]
        elif band.mode.startswith("I"):
            values = np.asarray(band)
        else:
            values = np.asarray(band.convert("L" if grey else "RGB"))
        # White is zero, which Pillow knows of 8 bits at most.
        if tags.get(262) == 0 and white > 255:
            values = white - values.astype(int)
        if told is not None:
            pixels[rows] = told.to_srgb(values / white)
        else:
            deep = white > 255
            pixels[rows] = (values.astype(int) * 255 + white // 2) // white if deep else values
    profile = image.info.get("icc_profile") if told is None else None
    # Bytes 16 to 19 of a profile name the colours that it is of (ICC.1, section 7.2).
    fits = profile is not None and profile[16:20] == (b"GRAY" if grey else b"RGB ")
    return Photo(pixels, alpha, profile if fits else None, pages)


def _white(image: Image.Image, tags: Any) -> int | None:
    """The value of white as Pillow decodes it; None where no value is."""
    if not image.mode.startswith("I"):
        return 255
    if image.mode == "I" and image.format not in (
        "PNG",
        "PPM",
    ):  # of these Pillow's "I" has 16 bits
        return None
    return 4095 if tags.get(258) == (12,) else 65535


def _pages(image: Image.Image) -> int:
    """How many pictures a file has; layers of one are none."""
    try:
        return 1 if image.format == "PSD" else getattr(image, "n_frames", 1)
    except Exception:  # a later one is damaged, which nobody asked for
        return 1


def _equal(values: np.ndarray, key: tuple[int, ...], bits: int) -> np.ndarray:
    """Which pixels, (H, W) or (H, W, 3) as Pillow decodes them, have a value that a PNG names."""
    if len(key) == 3:
        return (values == np.array(key) // (256 if bits == 16 else 1)).all(-1)
    return values == (key[0] * 255 // (2**bits - 1) if bits < 8 else key[0])


def bands(height: int, width: int) -> Iterator[slice]:
    """Slices of rows that cover an image, about a million pixels each."""
    rows = max(1, _BAND // width)
    for start in range(0, height, rows):
        yield slice(start, min(start + rows, height))


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """The luma (ITU-R BT.601) of RGB: uint8 (H, W, 3) -> (H, W)."""
    grey = np.empty(pixels.shape[:2], np.uint8)
    for rows in bands(pixels.shape[0], pixels.shape[1]):
        grey[rows] = np.asarray(Image.fromarray(pixels[rows]).convert("L"))
    return grey


def check_target(source: str | Path, target: str | Path, overwrite: bool = False) -> None:
    """Refuse at once what `write` could not do, or should not, after minutes of work.

    Raises:
        QrlibError: an ending other than those of `FORMATS`; `target` is `source`, a folder, or is
            there and `overwrite` is not set; its folder is missing or not writable.
    """
    source, target = Path(source), Path(target)
    if target.suffix.lower() not in FORMATS:
        raise QrlibError(
            f"unknown ending of the output file {target.suffix!r}; valid: {', '.join(FORMATS)}"
        )
    if target.is_dir():
        raise QrlibError(f"{target} is a folder; name the file to write")
    if os.path.lexists(target):  # also a link that leads nowhere
        if target.exists() and source.exists() and target.samefile(source):
            raise QrlibError(f"{target} is the photograph itself; write to another file")
        if not overwrite:
            raise QrlibError(f"{target} is there already; give --overwrite to replace it")
    if not target.parent.is_dir():
        raise QrlibError(f"no folder {target.parent}; make it first")
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise QrlibError(
            f"cannot write into {target.parent} ({error.strerror}); name a file in another folder"
        ) from error


def check_format(photo: Photo, target: str | Path) -> None:
    """Refuse a format that cannot hold the photograph.

    Raises:
        QrlibError: transparency in JPEG, sides longer than JPEG or WebP allow, or in WebP a grey photograph
            with a colour profile.
    """
    name = FORMATS[Path(target).suffix.lower()]
    height, width = photo.pixels.shape[:2]
    longest = _LONGEST.get(name)
    if longest is not None and max(height, width) > longest:
        raise QrlibError(
            f"{name} holds at most {longest:,} pixels a side, the photograph has {width}x{height}; "
            "write .png or .tif"
        )
    if name == "JPEG" and photo.alpha is not None and photo.alpha.min() < 255:
        raise QrlibError(
            "the photograph has transparent parts, which JPEG cannot hold; write .png, .webp or .tif"
        )
    if name == "WEBP" and photo.icc_profile and photo.pixels.ndim == 2:  # which it stores as RGB
        raise QrlibError(
            "the photograph is grey with a colour profile, which WebP cannot hold; write .png, .jpg or .tif"
        )


def write(photo: Photo, target: str | Path, overwrite: bool = True) -> None:
    """Encode by the file's ending, all or nothing: PNG, JPEG (quality 95, no chroma subsampling), WebP
    (quality 95), or TIFF (deflate).

    The alpha channel is written as it is; JPEG leaves out one that is opaque everywhere.

    Args:
        overwrite: whether to replace what is there by the time that it is written.

    Raises:
        QrlibError: as `check_format`; a full disk; whatever else keeps the file from being written.
    """
    target = Path(target)
    check_format(photo, target)
    name = FORMATS[target.suffix.lower()]
    height, width = photo.pixels.shape[:2]
    colours = "RGB" if photo.pixels.ndim == 3 else "L"
    alpha = photo.alpha if name != "JPEG" else None
    image = Image.new(colours if alpha is None else f"{colours}A", (width, height))
    for rows in bands(height, width):
        band = photo.pixels[rows]
        if alpha is not None:
            band = np.dstack([band, alpha[rows]])
        image.paste(Image.fromarray(band), (0, rows.start))
    options = dict(_OPTIONS[name])
    if photo.icc_profile:
        options["icc_profile"] = photo.icc_profile
    try:
        with files.replacing(target, overwrite) as temporary:
            image.save(temporary, format=name, **options)
    except (OSError, ValueError) as error:
        raise QrlibError(f"cannot write {target} ({' '.join(str(error).split())})") from error
