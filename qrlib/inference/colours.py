"""Colours that a file tells other than by an ICC profile, and their conversion to sRGB.

Numbers of primaries and curves are those of ITU-T H.273, which a PNG's cICP and an AVIF's nclx give; the
rest is said by gAMA, cHRM and sRGB (PNG; a BMP has the like), by PrimaryChromaticities and
TransferFunction (TIFF), or by the mark of Adobe RGB that cameras write (DCF 2.0).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from qrlib.utils.errors import QrlibError

Curve = Callable[[np.ndarray], np.ndarray]

_D65, _C = (0.3127, 0.3290), (0.310, 0.316)
#: Number -> x and y of white, red, green and blue.
PRIMARIES: dict[int, tuple[float, ...]] = {
    1: (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06),  # sRGB, BT.709
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
SRGB = PRIMARIES[1]
ADOBE_RGB = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def _srgb(v: np.ndarray) -> np.ndarray:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def _bt709(v: np.ndarray) -> np.ndarray:
    return np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45))


def _power(exponent: float) -> Curve:
    return lambda v: v**exponent


#: Number -> light in [0, 1] of a value in [0, 1]; those of more light than white are not here.
CURVES: dict[int, Curve] = {
    **dict.fromkeys((1, 6, 14, 15), _bt709),
    4: _power(2.2),
    5: _power(2.8),
    8: _power(1.0),
    13: _srgb,
}


@dataclasses.dataclass(frozen=True)
class Colours:
    """What values mean, where that is not sRGB."""

    primaries: tuple[float, ...] = SRGB
    curve: Curve = _srgb
    full_range: bool = True

    def to_srgb(self, values: np.ndarray) -> np.ndarray:
        """Grey (H, W) or RGB (H, W, 3) in [0, 1] -> uint8 in [0, 255]; what sRGB has not is clipped."""
        if not self.full_range:  # 16 to 235, as in films
            values = np.clip((values * 255 - 16) / 219, 0, 1)
        light = self.curve(values)
        if values.ndim == 3 and self.primaries != SRGB:
            light = light @ _to_srgb_light(self.primaries).T
        light = np.clip(light, 0, 1)
        encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        return np.rint(255 * encoded).astype(np.uint8)


def of(image: Image.Image, name: str) -> Colours | None:
    """The colours that a picture from `qrlib.data.decoding.opened` tells; None: sRGB, or an ICC profile's.

    Args:
        name: of the file, for errors.

    Raises:
        QrlibError: numbers of colours that are not known here, such as HDR.
    """
    info = image.info
    if "cicp" in info and not (image.format == "AVIF" and "icc_profile" in info):
        return _of_cicp(info["cicp"], name, rgb=image.format == "PNG")
    if "icc_profile" in info or "srgb" in info:
        return None
    if "gamma" in info or "chromaticity" in info:
        gamma = info.get("gamma") or 0.45455
        curve = _srgb if abs(gamma - 0.45455) < 5e-4 else _power(1 / gamma)
        return _unless_srgb(Colours(tuple(info.get("chromaticity", SRGB)), curve))
    told = _of_tiff(image.tag_v2) if image.format == "TIFF" else None  # type: ignore[attr-defined]
    return told or (Colours(ADOBE_RGB, _power(563 / 256)) if _is_adobe_rgb(image) else None)


def _of_cicp(cicp: tuple[int, ...], name: str, rgb: bool) -> Colours | None:
    """By number; 2 is "not said".  An AVIF's range is that of its YUV, which is decoded."""
    primaries, curve, _, full_range = cicp
    if (primaries not in PRIMARIES and primaries != 2) or (curve not in CURVES and curve != 2):
        raise QrlibError(
            f"{name} has colours {primaries}, {curve} of H.273 (HDR, most likely), which have no "
            "fixed place in 8 bits: convert it to sRGB, with the program that made it"
        )
    return _unless_srgb(
        Colours(
            PRIMARIES.get(primaries, SRGB), CURVES.get(curve, _srgb), bool(full_range) or not rgb
        )
    )


def _unless_srgb(told: Colours) -> Colours | None:
    # A file rounds its numbers, and may give the green of an early sRGB; damaged ones span no colours.
    near = np.allclose(told.primaries, SRGB, atol=2e-3)
    span = abs(np.linalg.det(np.column_stack([np.reshape(told.primaries, (4, 2))[1:], np.ones(3)])))
    if near or not (span > 1e-3 and told.primaries[1] > 0):
        told = dataclasses.replace(told, primaries=SRGB)
    return None if told == Colours() else told


def _of_tiff(tags: Mapping[int, Any]) -> Colours | None:
    def numbers(tag: int, default: Sequence[float]) -> np.ndarray:
        try:
            return np.array(tags.get(tag, default), float)
        except (TypeError, ValueError):  # damaged
            return np.empty(0)

    told = np.append(numbers(318, _D65), numbers(319, SRGB[2:]))
    table = numbers(301, ())
    if len(told) != 8 or not (len(table) or 319 in tags):
        return None
    light = table[: len(table) // 3 if len(table) % 3 == 0 else None] / 65535
    at = np.linspace(0, 1, len(light))

    def curve(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.interp(values, at, light))

    # Where there is no curve, TIFF 6.0 has one.
    return _unless_srgb(Colours(tuple(told.tolist()), curve if len(light) else _power(2.2)))


def _is_adobe_rgb(image: Image.Image) -> bool:
    try:
        exif = image.getexif()
        return exif.get_ifd(0x8769).get(0xA001) == 2 or exif.get_ifd(0xA005).get(1) == "R03"
    except Exception:  # a damaged EXIF says nothing
        return False


def _to_srgb_light(primaries: tuple[float, ...]) -> np.ndarray:
    """(3, 3): light in these primaries -> in those of sRGB, white staying white."""

    def to_xyz(numbers: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
        xy = np.reshape(numbers, (4, 2))
        xyz = np.column_stack([xy, 1 - xy.sum(1)])
        white, columns = xyz[0] / xy[0, 1], xyz[1:].T  # of luminance 1
        return columns * np.linalg.solve(columns, white), white

    (source, white), (target, d65) = to_xyz(primaries), to_xyz(SRGB)
    adapt = np.linalg.solve(_BRADFORD, np.diag(_BRADFORD @ d65 / (_BRADFORD @ white)) @ _BRADFORD)
    result: np.ndarray = np.linalg.solve(target, adapt @ source)
    return result
