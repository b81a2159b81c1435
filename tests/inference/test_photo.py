"""Any photograph is read as an upright 8-bit image, and written whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import struct
import tempfile
import warnings
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, features
from skimage import data
from support.pictures import ODD_EXIF, png, tiff, with_segment

from qrlib.inference import photo
from qrlib.utils.errors import QrlibError

RGB = np.ascontiguousarray(data.astronaut()[40:107, 180:271])  # (67, 91, 3)
GREY = np.ascontiguousarray(data.camera()[100:167, 180:271])
LINEAR = tuple(range(0, 65536, 257))  # light of 256 values
ALPHA = np.add.outer(np.arange(67), np.arange(91)).astype(np.uint8)


def fits(values):
    """A FITS of (H, W) numbers in 16 bits."""
    named = {"SIMPLE": "T", "BITPIX": 16, "NAXIS": 2, "NAXIS1": 91, "NAXIS2": 67, "BZERO": 32768}
    head = "".join(f"{key:8}= {value:>20}".ljust(80) for key, value in named.items()) + "END"
    return head.ljust(2880).encode() + (values.astype(int) * 257 - 32768).astype(">i2").tobytes()


def saved(folder, image, name="photo.png", **options):
    path = folder / name
    image.save(path, **options)
    return path


def test_bands_cover_every_row_once():
    for height, width in ((1, 1), (3000, 4000), (2, 1 << 21), (1 << 20, 1), (5000, 1001)):
        rows = [row for band in photo.bands(height, width) for row in (band.start, band.stop)]
        assert rows[0] == 0
        assert rows[-1] == height
        assert rows[1:-1:2] == rows[2::2]
        assert max(b.stop - b.start for b in photo.bands(height, width)) * width <= max(
            1 << 20, width
        )


def test_many_bands_equal_one(tmp_path, monkeypatch):
    image = Image.fromarray(np.dstack([RGB, ALPHA]))
    whole = photo.read(saved(tmp_path, image))
    photo.write(whole, tmp_path / "whole.png")
    monkeypatch.setattr(photo, "_BAND", 91 * 4)
    assert len(list(photo.bands(67, 91))) == 17
    cut = photo.read(tmp_path / "photo.png")
    np.testing.assert_array_equal(cut.pixels, whole.pixels)
    np.testing.assert_array_equal(cut.alpha, ALPHA)
    photo.write(cut, tmp_path / "cut.png")
    assert (tmp_path / "cut.png").read_bytes() == (tmp_path / "whole.png").read_bytes()
    np.testing.assert_array_equal(photo.to_grey(RGB), np.asarray(Image.fromarray(RGB).convert("L")))


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation, ending):
    """A file whose pixels were turned, with the tag that says so, reads as the upright picture."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that makes such pixels
    image = Image.fromarray(RGB)
    if orientation > 1:
        image = image.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if ending == ".webp" else {}
    path = saved(tmp_path, image, f"turned{ending}", exif=exif, **options)
    read = photo.read(path).pixels
    assert read.shape == RGB.shape
    assert np.abs(read.astype(int) - RGB).mean() < (6 if ending == ".jpg" else 1e-9)


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_16_bit_grey_is_scaled_to_8(tmp_path, ending):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    read = photo.read(saved(tmp_path, Image.fromarray(values), f"deep{ending}"))
    np.testing.assert_array_equal(read.pixels, np.rint(values / 257).astype(np.uint8))
    assert read.alpha is None


def test_16_bit_grey_of_other_files(tmp_path):
    values = np.array([[0, 256, 257, 65535]], np.uint16)
    path = tmp_path / "deep.pgm"
    path.write_bytes(b"P5\n4 1\n65535\n" + values.astype(">u2").tobytes())
    assert photo.read(path).pixels.tolist() == [[0, 1, 1, 255]]
    path = tmp_path / "keyed.png"
    Image.fromarray(values).save(path, transparency=257)
    read = photo.read(path)
    assert read.pixels.tolist() == [[0, 1, 1, 255]]
    assert read.alpha.tolist() == [[255, 255, 0, 255]]


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (Image.fromarray(GREY.astype(np.int32)), "32 bits a pixel"),
        (Image.fromarray(GREY.astype(np.float32)), "32 bits a pixel"),
        (tiff(GREY, t339=2), "signed numbers"),
        (tiff(GREY.astype(np.uint16), t339=2), "signed numbers"),
        (fits(GREY), "signed numbers"),
    ],
)
def test_numbers_without_a_fixed_range_are_refused(tmp_path, image, what):
    path = tmp_path / "deep.tif"
    path.write_bytes(image) if isinstance(image, bytes) else image.save(path)
    with pytest.raises(QrlibError, match=rf"deep\.tif has {what} .* convert it to 16 or 8 bits"):
        photo.read(path)


def decoded(folder, content, name="photo.png"):
    (folder / name).write_bytes(content)
    return photo.read(folder / name)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_which_end_is_white_is_honoured_at_every_depth(tmp_path, kind, white_is_zero):
    values = GREY.astype(kind) * (257 if kind == np.uint16 else 1)
    read = decoded(tmp_path, tiff(values, t262=0 if white_is_zero else 1), "photo.tif")
    np.testing.assert_array_equal(read.pixels, 255 - GREY if white_is_zero else GREY)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_curve_is_of_values_whose_white_is_zero(tmp_path, kind):
    values = GREY.astype(kind) * (257 if kind == np.uint16 else 1)
    read = decoded(tmp_path, tiff(values, t262=0, t301=LINEAR), "photo.tif")
    assert np.abs(read.pixels - srgb((255 - GREY) / 255)).max() <= 1


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("apart", [False, True])
def test_channels_may_lie_apart_at_every_depth(tmp_path, kind, compression, apart):
    values = np.dstack([RGB, ALPHA]).astype(kind) * (257 if kind == np.uint16 else 1)
    if apart:
        values = np.ascontiguousarray(values.transpose(2, 0, 1))
    where = {"planarconfig": "separate" if apart else "contig", "compression": compression}
    path = tmp_path / "photo.tif"
    tifffile.imwrite(path, values, photometric="rgb", extrasamples=["unassalpha"], **where)
    read = photo.read(path)
    np.testing.assert_array_equal(read.pixels, RGB)
    np.testing.assert_array_equal(read.alpha, ALPHA)


def test_an_alpha_that_pillow_would_miss_is_refused(tmp_path):
    path = tmp_path / "apart.tif"
    tifffile.imwrite(path, np.stack([GREY, ALPHA]), photometric="minisblack", planarconfig="separate",
                     extrasamples=["unassalpha"], compression="zlib")  # fmt: skip
    with pytest.raises(QrlibError, match=r"apart\.tif is no photograph that Pillow .* reads"):
        photo.read(path)


def test_twelve_bits_are_the_whole_range(tmp_path):
    ramp = np.arange(0, 4096, 2)  # three bytes hold two values
    high, low = ramp[0::2], ramp[1::2]
    packed = np.stack([high >> 4, (high & 15) << 4 | low >> 8, low & 255], 1).astype(np.uint8)
    content = tiff(packed.reshape(1, -1), t256=len(ramp), t258=12)
    read = decoded(tmp_path, content, "photo.tif")
    np.testing.assert_array_equal(read.pixels[0], np.rint(ramp * 255 / 4095))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_colour_key_is_honoured_at_every_depth(tmp_path, bits):
    kind = np.uint16 if bits == 16 else np.uint8
    values = np.arange(16, dtype=kind).reshape(2, 8) % min(2**bits, 16)
    grey = png(values, 0, (b"tRNS", b"\0\1"), bits=bits)
    np.testing.assert_array_equal(decoded(tmp_path, grey).alpha == 0, values == 1)
    if bits >= 8:
        rgb = png(np.stack([values * 257] * 3 if bits == 16 else [values] * 3, 2), 2,
                  (b"tRNS", struct.pack(">3H", *[257 if bits == 16 else 1] * 3)))  # fmt: skip
        np.testing.assert_array_equal(decoded(tmp_path, rgb).alpha == 0, values == 1)


def test_a_colour_key_of_16_bits_may_be_any(tmp_path):
    key = (0x8000, 0x4321, 0xC0FF)
    values = np.zeros((2, 3, 3), np.uint16)
    values[1, 2] = key
    alpha = decoded(tmp_path, png(values, 2, (b"tRNS", struct.pack(">3H", *key)))).alpha
    np.testing.assert_array_equal(alpha == 0, (values == key).all(-1))


def test_grey_that_pillow_decodes_as_rgb_stays_grey(tmp_path):
    both = np.dstack([GREY, ALPHA]).astype(np.uint16) * 257
    read = decoded(tmp_path, png(both, 4))
    np.testing.assert_array_equal(read.pixels, GREY)
    np.testing.assert_array_equal(read.alpha, ALPHA)
    assert decoded(tmp_path, png(np.dstack([RGB, ALPHA]), 6)).pixels.ndim == 3
    if features.check("avif"):
        for image, dimensions in ((GREY, 2), (RGB, 3)):
            read = photo.read(saved(tmp_path, Image.fromarray(image), "photo.avif"))
            assert read.pixels.ndim == dimensions


def test_grey_and_bitmaps_stay_grey(tmp_path):
    read = photo.read(saved(tmp_path, Image.fromarray(GREY)))
    np.testing.assert_array_equal(read.pixels, GREY)
    read = photo.read(saved(tmp_path, Image.fromarray(GREY > 99), "bits.png"))
    np.testing.assert_array_equal(read.pixels, (GREY > 99) * np.uint8(255))
    both = Image.fromarray(np.dstack([GREY, ALPHA]))
    assert both.mode == "LA"
    read = photo.read(saved(tmp_path, both, "alpha.png"))
    np.testing.assert_array_equal(read.pixels, GREY)
    np.testing.assert_array_equal(read.alpha, ALPHA)


def test_palettes_are_looked_up(tmp_path):
    image = Image.fromarray(RGB).quantize(64)
    read = photo.read(saved(tmp_path, image))
    np.testing.assert_array_equal(read.pixels, np.asarray(image.convert("RGB")))
    assert read.alpha is None
    read = photo.read(saved(tmp_path, image, "clear.gif", transparency=int(image.getpixel((3, 4)))))
    np.testing.assert_array_equal(read.alpha == 0, np.asarray(image) == image.getpixel((3, 4)))


def test_colour_keys_become_an_alpha_channel(tmp_path):
    read = photo.read(saved(tmp_path, Image.fromarray(RGB), transparency=tuple(RGB[5, 6].tolist())))
    np.testing.assert_array_equal(read.pixels, RGB)
    np.testing.assert_array_equal(read.alpha == 0, (read.pixels == RGB[5, 6]).all(-1))
    read = photo.read(saved(tmp_path, Image.fromarray(GREY), transparency=int(GREY[5, 6])))
    np.testing.assert_array_equal(read.pixels, GREY)
    np.testing.assert_array_equal(read.alpha == 0, read.pixels == GREY[5, 6])


def test_cmyk_becomes_rgb_without_its_profile(tmp_path):
    image = Image.fromarray(RGB).convert("CMYK")
    path = saved(tmp_path, image, "ink.tif", icc_profile=icc(b"CMYK"))
    read = photo.read(path)
    np.testing.assert_array_equal(read.pixels, RGB)  # this formula undoes its inverse
    assert read.icc_profile is None
    read = photo.read(saved(tmp_path, image, "ink.jpg", quality=95))
    assert np.abs(read.pixels.astype(int) - RGB).mean() < 6


def test_of_several_pages_the_first_is_read_and_said(tmp_path):
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    path = saved(tmp_path, frames[0], "pages.tif", save_all=True, append_images=frames[1:])
    read = photo.read(path)
    np.testing.assert_array_equal(read.pixels, RGB)
    assert read.pages == 2


def test_a_preview_of_another_page_is_refused(tmp_path):
    path = tmp_path / "preview.tif"
    tifffile.imwrite(path, RGB[::4, ::4], subfiletype=1, photometric="rgb")
    np.testing.assert_array_equal(photo.read(path).pixels, RGB[::4, ::4])  # it is all there is
    tifffile.imwrite(path, RGB, append=True, photometric="rgb")
    with pytest.raises(QrlibError, match=r"preview\.tif: page 1 of 2 is a preview"):
        photo.read(path)
    with tifffile.TiffWriter(path) as file:  # as cameras write it
        file.write(RGB[::4, ::4], photometric="rgb", subfiletype=1, subifds=1)
        file.write(RGB, photometric="rgb")
    with pytest.raises(QrlibError, match=r"preview\.tif: its picture is a preview"):
        photo.read(path)


#: Light in Display P3 -> in sRGB, as CSS Color 4 prints it.
P3 = np.array(
    [[1.2249401, -0.2249402, 0], [-0.0420569, 1.0420571, 0], [-0.0196376, -0.0786361, 1.0982736]]
)
P3_CHRM = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


def light(pixels):
    """Of sRGB values."""
    v = pixels / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def srgb(light):
    v = np.clip(light, 0, 1)
    return np.rint(255 * np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([(b"gAMA", struct.pack(">I", 100_000))], srgb(RGB / 255)),
        ([(b"gAMA", struct.pack(">I", 45_455))], RGB),  # how sRGB is written for old programs
        ([(b"gAMA", struct.pack(">I", 55_556))], srgb((RGB / 255) ** 1.8)),
        ([(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))], RGB),
        ([(b"cHRM", P3_CHRM)], srgb(light(RGB) @ P3.T)),
        ([(b"cICP", bytes([12, 13, 0, 1]))], srgb(light(RGB) @ P3.T)),
        ([(b"cICP", bytes([1, 13, 0, 1])), (b"gAMA", struct.pack(">I", 100_000))], RGB),
        ([(b"cICP", bytes([1, 8, 0, 1]))], srgb(RGB / 255)),
        ([(b"gAMA", b"")], RGB),
        ([(b"cHRM", bytes(32))], RGB),
        ([(b"cHRM", struct.pack(">8I", *[31270, 32900] * 4))], RGB),
        ([(b"iCCP", b"a\0\1b")], RGB),
        ([(b"iCCP", b"a\0\0b"), (b"gAMA", struct.pack(">I", 100_000))], srgb(RGB / 255)),
        ([(b"iCCP", b"a\0\0" + zlib.compress(bytes(1 << 25)))], RGB),
    ],
)
def test_colours_of_a_png_told_without_a_profile_become_srgb(tmp_path, chunks, expected):
    read = decoded(tmp_path, png(RGB, 2, *chunks))
    assert np.abs(read.pixels - expected).max() <= 1
    assert read.icc_profile is None


def test_colours_are_converted_of_grey_and_of_16_bits_as_well(tmp_path):
    linear = (b"gAMA", struct.pack(">I", 100_000))
    for grey in (png(GREY, 0, linear), png(GREY.astype(np.uint16) * 257, 0, linear)):
        np.testing.assert_array_equal(decoded(tmp_path, grey).pixels, srgb(GREY / 255))


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_colours_of_an_avif_become_srgb(tmp_path):
    path = saved(tmp_path, Image.fromarray(RGB), "photo.avif", quality=100)
    content = path.read_bytes()
    as_srgb = photo.read(path).pixels
    at = content.index(b"colrnclx") + 8
    for primaries, curve in ((12, 13), (1, 8)):
        told = struct.pack(">HH", primaries, curve)
        read = decoded(tmp_path, content[:at] + told + content[at + 4 :], "photo.avif")
        expected = srgb(light(as_srgb) @ P3.T) if primaries == 12 else srgb(as_srgb / 255)
        assert np.abs(read.pixels - expected).max() <= 1
    told = struct.pack(">HH", 9, 16)
    with pytest.raises(QrlibError, match=r"colours 9, 16 of H\.273 \(HDR"):
        decoded(tmp_path, content[:at] + told + content[at + 4 :], "photo.avif")


@pytest.mark.parametrize("gamma", [1.8, 1 / 1.8, 1])
def test_colours_of_a_bmp_become_srgb(tmp_path, gamma):
    p3 = np.array([[0.68, 0.32, 0], [0.265, 0.69, 0.045], [0.15, 0.06, 0.79]]) * 2**30
    read = decoded(tmp_path, bmp(RGB, bytes(4), p3.astype(int).ravel(), gamma), "photo.bmp")
    exponent = max(gamma, 1 / gamma)
    assert np.abs(read.pixels - srgb((RGB / 255) ** exponent @ P3.T)).max() <= 1
    for space in (b"BGRs", bytes(4)):  # sRGB, and nothing said
        read = decoded(tmp_path, bmp(RGB, space, [0] * 9, 0), "photo.bmp")
        np.testing.assert_array_equal(read.pixels, RGB)


def bmp(pixels, space, ends=(0,) * 9, gamma=0, profile=b""):
    """A BMP with the header of Windows 98."""
    rows = [row[:, ::-1].tobytes() for row in pixels[::-1]]
    data = b"".join(row + bytes(-len(row) % 4) for row in rows)
    height, width = pixels.shape[:2]
    head = struct.pack("<3I2H6I", 124, width, height, 1, 24, 0, len(data), 0, 0, 0, 0)
    head += bytes(16) + space + struct.pack("<12I", *ends, *[int(gamma * 65536)] * 3)
    head += struct.pack("<4I", 4, 124 + len(data), len(profile), 0)
    return b"BM" + struct.pack("<3I", 138 + len(data), 0, 138) + head + data + profile


def test_profiles_are_kept_that_pillow_does_not_show(tmp_path):
    profile = icc(b"RGB ")
    assert decoded(tmp_path, bmp(RGB, b"DEBM", profile=profile), "a.bmp").icc_profile == profile
    whole = saved(tmp_path, Image.fromarray(RGB), "a.jp2").read_bytes()
    at = whole.index(b"colr")
    told = b"colr\2\0\0" + profile
    told = whole[: at - 4] + struct.pack(">I", len(told) + 4) + told + whole[at + 11 :]
    at = told.index(b"jp2h") - 4  # the box around it
    longer = int.from_bytes(told[at : at + 4], "big") + len(profile) - 4
    read = decoded(tmp_path, told[:at] + struct.pack(">I", longer) + told[at + 4 :], "a.jp2")
    np.testing.assert_array_equal(read.pixels, RGB)
    assert read.icc_profile == profile
    large = profile + os.urandom(1 << 21)  # more than Pillow takes
    read = decoded(tmp_path, png(RGB, 2, (b"iCCP", b"a\0\0" + zlib.compress(large))))
    assert read.icc_profile == large


@pytest.mark.parametrize("ending", [".jpg", ".png", ".tif", ".webp"])
def test_adobe_rgb_of_a_camera_becomes_srgb(tmp_path, ending):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 2
    exif[0x8769] = 26  # some number: that there are such tags
    options = (
        {"exif": exif, "quality": 100, "lossless": True} if ending != ".tif" else {"exif": exif}
    )
    grey = np.repeat(GREY[..., None], 3, 2)
    read = photo.read(saved(tmp_path, Image.fromarray(grey), f"a{ending}", **options))
    assert np.abs(read.pixels - srgb((grey / 255) ** (563 / 256))).mean() < 0.5
    red = np.full((8, 8, 3), (128, 0, 0), np.uint8)
    read = photo.read(saved(tmp_path, Image.fromarray(red), f"r{ending}", **options))
    assert abs(read.pixels[..., 0].mean() - 152) < 4  # redder than sRGB's red of 128


def test_colours_that_a_tiff_tells_become_srgb(tmp_path):
    read = decoded(tmp_path, tiff(RGB, t301=LINEAR), "photo.tif")
    assert np.abs(read.pixels - srgb(RGB / 255)).max() <= 1


def test_damaged_or_large_metadata_keep_no_photograph_out(tmp_path):
    read = decoded(tmp_path, with_segment(RGB, 0xE1, ODD_EXIF), "photo.jpg")
    assert read.pixels.shape == (91, 67, 3)  # what can be read of it is honoured
    for mark, content in ((0xED, b"Photoshop 3.0\0"), (0xEE, b"Adobe"), (0xE2, b"ICC_PROFILE\0")):
        decoded(tmp_path, with_segment(RGB, mark, content), "photo.jpg")
    bomb = b"a\0\0" + zlib.compress(bytes(1 << 24), 9)
    damaged = [(b"zTXt", bomb), (b"iTXt", b"x"), (b"eXIf", b"II*\0"), (b"pHYs", b"")]
    for chunk in damaged:
        np.testing.assert_array_equal(decoded(tmp_path, png(RGB, 2, chunk)).pixels, RGB)
    cut = png(RGB, 2, (b"tEXt", b"a\0b")).replace(b"a\0b", b"a\0c")
    np.testing.assert_array_equal(decoded(tmp_path, cut).pixels, RGB)


def test_one_pixel(tmp_path):
    read = photo.read(saved(tmp_path, Image.fromarray(RGB[:1, :1])))
    assert read.pixels.shape == (1, 1, 3)
    photo.write(read, tmp_path / "one.jpg")
    assert photo.read(tmp_path / "one.jpg").pixels.shape == (1, 1, 3)


def test_what_is_no_photograph(tmp_path):
    with pytest.raises(QrlibError, match=r"no photograph at .*none\.png"):
        photo.read(tmp_path / "none.png")
    with pytest.raises(QrlibError, match="is a folder; name one"):
        photo.read(tmp_path)
    (tmp_path / "text.png").write_text("Not an image.")
    (tmp_path / "empty.png").touch()
    (tmp_path / "program.eps").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    )
    media = {"film.mpg": b"\0\0\1\xb3\x10\1\x20", "data.h5": b"\x89HDF\r\n\x1a\n", "data.grib": b"GRIB\0\0\0\1",
             "drawing.wmf": b"\xd7\xcd\xc6\x9a\0\0", "drawing.emf": b"\1\0\0\0" + bytes(36) + b" EMF",
             "noise.raw": bytes([0, 0, 2, *[0] * 9, 9, 0, 9, 0, 24, 0])}  # fmt: skip
    for name, start in media.items():
        (tmp_path / name).write_bytes(start + bytes(200))
    for name in ("text.png", "empty.png", "program.eps", *media):
        with pytest.raises(QrlibError, match=rf"{name} is no photograph that Pillow .* reads"):
            photo.read(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.png")  # reading it would wait for ever
    with pytest.raises(QrlibError, match="no photograph at"):
        photo.read(tmp_path / "pipe.png")


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif", ".gif", ".bmp"])
def test_damaged_files_are_refused_or_read_but_never_crash(tmp_path, ending):
    if not features.check("webp"):
        pytest.skip("this Pillow has no WebP")
    whole = saved(tmp_path, Image.fromarray(RGB), f"whole{ending}").read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / f"damaged{ending}"
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        if ending == ".gif":  # Pillow shows what there is of a GIF
            continue
        with pytest.raises(QrlibError, match=f"damaged{ending}") as caught:
            photo.read(path)
        assert "\n" not in str(caught.value)
    reasons = []
    for _ in range(60):
        damaged = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 300), 3):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            assert photo.read(path).pixels.dtype == np.uint8
        except QrlibError as error:
            reasons.append(str(error))
    assert reasons
    assert not any("\n" in reason for reason in reasons)


def bomb(width, height):
    """A PNG of some bytes that claims to be this large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    small = io.BytesIO()
    Image.new("RGB", (1, 1)).save(small, "PNG")
    raw = bytearray(small.getvalue())
    raw[16:29] = head
    raw[29:33] = struct.pack(">I", zlib.crc32(b"IHDR" + head))
    return bytes(raw)


def test_decompression_bombs_are_refused_before_they_are_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(20_000, 20_000))
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(QrlibError, match=r"more than 178,956,970 pixels.*--max-pixels"):
        photo.read(path)
    path.write_bytes(bomb(13_000, 13_000))  # Pillow would only warn
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(QrlibError, match="cannot be decoded"):
            photo.read(path)
    assert before == Image.MAX_IMAGE_PIXELS


def test_the_limit_of_pixels_is_exact_and_can_be_raised(tmp_path, monkeypatch):
    path = saved(tmp_path, Image.fromarray(RGB))
    for limit in (6096, 6095, 1):
        with pytest.raises(QrlibError, match=f"more than {limit:,} pixels"):
            photo.read(path, max_pixels=limit)
    assert photo.read(path, max_pixels=6097).pixels.shape == (67, 91, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(QrlibError, match="more than 2,000 pixels"):
        photo.read(path)
    assert photo.read(path, max_pixels=6097).pixels.shape == (67, 91, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert photo.read(path).pixels.shape == (67, 91, 3)
    with pytest.raises(QrlibError, match="at least 1, not 0"):
        photo.read(path, max_pixels=0)


def test_no_memory_to_decode_is_no_damage(tmp_path, monkeypatch):
    path = saved(tmp_path, Image.fromarray(RGB))

    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(np, "empty", fail)
    with pytest.raises(QrlibError, match="not enough memory to decode"):
        photo.read(path)


@pytest.mark.parametrize(
    ("mode", "colours", "kept"),
    [("RGB", b"RGB ", True), ("L", b"GRAY", True), ("LAB", b"Lab ", False), ("L", b"RGB ", False)],
)
def test_a_profile_is_kept_only_with_the_colours_that_it_is_of(tmp_path, mode, colours, kept):
    image = Image.new(mode, (4, 4))
    read = photo.read(saved(tmp_path, image, "in.tif", icc_profile=icc(colours)))
    assert read.icc_profile == (icc(colours) if kept else None)


def icc(colours):
    """A colour profile as far as its header tells."""
    return b"\0" * 16 + colours + b"and so on"


@pytest.mark.parametrize("ending", [".png", ".tif", ".tiff", ".PNG"])
@pytest.mark.parametrize("pixels", [RGB, GREY], ids=["rgb", "grey"])
@pytest.mark.parametrize("alpha", [None, ALPHA], ids=["opaque", "alpha"])
def test_lossless_formats_keep_everything(tmp_path, ending, pixels, alpha):
    profile = icc(b"GRAY" if pixels.ndim == 2 else b"RGB ")
    written = photo.Photo(pixels, alpha, profile)
    photo.write(written, tmp_path / f"out{ending}")
    read = photo.read(tmp_path / f"out{ending}")
    np.testing.assert_array_equal(read.pixels, pixels)
    np.testing.assert_array_equal(read.alpha, alpha)
    assert read.icc_profile == profile
    assert os.listdir(tmp_path) == [f"out{ending}"]


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".jfif", ".webp"])
def test_lossy_formats_come_near(tmp_path, ending):
    photo.write(photo.Photo(RGB, None, icc(b"RGB ")), tmp_path / f"out{ending}")
    read = photo.read(tmp_path / f"out{ending}")
    error = np.square(read.pixels.astype(float) - RGB).mean()
    assert 10 * np.log10(255**2 / error) > 36
    assert read.icc_profile == icc(b"RGB ")
    with Image.open(tmp_path / f"out{ending}") as image:
        assert image.format == ("WEBP" if ending == ".webp" else "JPEG")


@pytest.mark.parametrize("pixels", [RGB, GREY], ids=["rgb", "grey"])
def test_webp_keeps_alpha_exactly(tmp_path, pixels):
    photo.write(photo.Photo(pixels, ALPHA), tmp_path / "out.webp")
    np.testing.assert_array_equal(photo.read(tmp_path / "out.webp").alpha, ALPHA)


def test_jpeg_refuses_transparency_but_not_an_opaque_channel(tmp_path):
    with pytest.raises(QrlibError, match=r"JPEG cannot hold; write \.png"):
        photo.write(photo.Photo(RGB, ALPHA), tmp_path / "out.jpg")
    assert os.listdir(tmp_path) == []
    photo.write(photo.Photo(RGB, np.full_like(ALPHA, 255)), tmp_path / "out.jpg")
    assert photo.read(tmp_path / "out.jpg").alpha is None


def test_webp_refuses_the_profile_of_grey(tmp_path):
    with pytest.raises(QrlibError, match=r"grey with a colour profile, which WebP cannot hold"):
        photo.write(photo.Photo(GREY, icc_profile=icc(b"GRAY")), tmp_path / "out.webp")
    assert os.listdir(tmp_path) == []
    photo.write(photo.Photo(GREY), tmp_path / "out.webp")
    photo.write(photo.Photo(GREY, icc_profile=icc(b"GRAY")), tmp_path / "out.png")


@pytest.mark.parametrize(("name", "side"), [("out.jpg", 65501), ("out.webp", 16384)])
def test_sides_that_a_format_cannot_hold(tmp_path, name, side):
    with pytest.raises(QrlibError, match=f"pixels a side, the photograph has {side}x1"):
        photo.write(photo.Photo(np.zeros((1, side), np.uint8)), tmp_path / name)
    photo.write(photo.Photo(np.zeros((1, side - 1), np.uint8)), tmp_path / name)
    assert os.listdir(tmp_path) == [name]


def test_what_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    path = saved(tmp_path, Image.fromarray(RGB))

    def refuse(self, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(PermissionError, match="denied"):
        photo.read(path)


def test_targets_are_checked_before_the_work(tmp_path):
    source = saved(tmp_path, Image.fromarray(RGB))
    photo.check_target(source, tmp_path / "new.jpg")
    for ending in (".bmp", ".gif", ".tif~"):  # no guess: .gif is not meant for .tif
        with pytest.raises(QrlibError, match=rf"unknown ending .*'{ending}'; valid: \.png, \.jpg"):
            photo.check_target(source, tmp_path / f"out{ending}")
    with pytest.raises(QrlibError, match="unknown ending"):
        photo.check_target(source, tmp_path / "out")
    with pytest.raises(QrlibError, match="is a folder"):
        (tmp_path / "folder.png").mkdir()
        photo.check_target(source, tmp_path / "folder.png", overwrite=True)
    with pytest.raises(QrlibError, match=r"no folder .*there; make it first"):
        photo.check_target(source, tmp_path / "there" / "out.png")
    with pytest.raises(QrlibError, match="no folder"):
        photo.check_target(source, source / "out.png")
    other = saved(tmp_path, Image.fromarray(RGB), "other.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(QrlibError, match=r"link\.png is there already"):
        photo.check_target(source, tmp_path / "link.png")
    with pytest.raises(QrlibError, match="is there already; give --overwrite"):
        photo.check_target(source, other)
    photo.check_target(source, other, overwrite=True)


def test_the_photograph_itself_is_never_overwritten(tmp_path):
    source = saved(tmp_path, Image.fromarray(RGB))
    (tmp_path / "linked.png").symlink_to(source)
    os.link(source, tmp_path / "hard.png")
    for target in (source, tmp_path / "." / "photo.png", "linked.png", "hard.png"):
        with pytest.raises(QrlibError, match="is the photograph itself"):
            photo.check_target(source, tmp_path / target, overwrite=True)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_into(tmp_path, monkeypatch, number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    with pytest.raises(QrlibError, match=rf"cannot write into .*{os.strerror(number)}"):
        photo.check_target(tmp_path / "photo.png", tmp_path / "out.png")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk full while writing"),
        (OSError("encoder error -2 when writing image file"), r"cannot write .*encoder error"),
        (ValueError("encoding error 5"), r"cannot write .*encoding error 5"),
    ],
)
def test_nothing_is_left_of_a_failed_write(tmp_path, monkeypatch, error, message):
    old = saved(tmp_path, Image.fromarray(RGB), "out.png").read_bytes()

    def fail(self, path, **options):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(QrlibError, match=message):
        photo.write(photo.Photo(255 - RGB), tmp_path / "out.png")
    assert os.listdir(tmp_path) == ["out.png"]
    assert (tmp_path / "out.png").read_bytes() == old


def test_what_appears_while_it_computes_is_not_overwritten(tmp_path):
    (tmp_path / "out.png").write_text("a friend's")
    with pytest.raises(QrlibError, match=r"out\.png appeared while this was computed"):
        photo.write(photo.Photo(RGB), tmp_path / "out.png", overwrite=False)
    assert (tmp_path / "out.png").read_text() == "a friend's"
    assert os.listdir(tmp_path) == ["out.png"]
