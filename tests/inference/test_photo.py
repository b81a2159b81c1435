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
from PIL import Image, features
from skimage import data

from qrlib.inference import photo
from qrlib.utils import files
from qrlib.utils.errors import QrlibError

RGB = np.ascontiguousarray(data.astronaut()[40:107, 180:271])  # (67, 91, 3)
GREY = np.ascontiguousarray(data.camera()[100:167, 180:271])
ALPHA = np.add.outer(np.arange(67), np.arange(91)).astype(np.uint8)


def saved(folder, image, name="photo.png", **options):
    path = folder / name
    image.save(path, **options)
    return path


def test_rgb_is_read_as_it_is(tmp_path):
    read = photo.read(saved(tmp_path, Image.fromarray(RGB)))
    np.testing.assert_array_equal(read.pixels, RGB)
    assert read.alpha is None
    assert read.icc_profile is None


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


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_32_bits_are_refused(tmp_path, kind):
    path = saved(tmp_path, Image.fromarray(GREY.astype(kind)), "deep.tif")
    with pytest.raises(QrlibError, match=r"deep\.tif has 32 bits .* convert it to 16 or 8 bits"):
        photo.read(path)


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


@pytest.mark.parametrize("mode", ["YCbCr", "HSV"])
def test_other_colour_spaces(tmp_path, mode):
    image = Image.fromarray(RGB).convert(mode)
    decoded = photo._decode(image, tmp_path / "photo")  # PNG has none of these
    np.testing.assert_array_equal(decoded.pixels, np.asarray(image.convert("RGB")))


def test_only_the_first_frame_is_read(tmp_path):
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    path = saved(tmp_path, frames[0], "pages.tif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(photo.read(path).pixels, RGB)


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
    for name in ("text.png", "empty.png", "program.eps"):
        with pytest.raises(QrlibError, match=rf"{name} is not an image that Pillow .* reads"):
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


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".webp"])
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


@pytest.mark.parametrize(("name", "side"), [("out.jpg", 65501), ("out.webp", 16384)])
def test_sides_that_a_format_cannot_hold(tmp_path, name, side):
    with pytest.raises(QrlibError, match=f"pixels a side, the photograph has {side}x1"):
        photo.write(photo.Photo(np.zeros((1, side), np.uint8)), tmp_path / name)
    photo.write(photo.Photo(np.zeros((1, side - 1), np.uint8)), tmp_path / name)
    assert os.listdir(tmp_path) == [name]


def test_targets_are_checked_before_the_work(tmp_path):
    source = saved(tmp_path, Image.fromarray(RGB))
    photo.check_target(source, tmp_path / "new.jpg")
    with pytest.raises(QrlibError, match=r"unknown ending .*'\.bmp'.*\.png, \.jpg"):
        photo.check_target(source, tmp_path / "out.bmp")
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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(QrlibError, match="cannot write into"):
        photo.check_target(tmp_path / "photo.png", folder / "out.png")


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


def test_writing_is_atomic(tmp_path, monkeypatch):
    """The target appears at the end and in one step."""
    seen = []
    sync = files._sync

    def look(path):
        seen.append((tmp_path / "out.png").exists())
        sync(path)

    monkeypatch.setattr(files, "_sync", look)
    photo.write(photo.Photo(RGB), tmp_path / "out.png")
    assert seen == [False]
    assert (tmp_path / "out.png").exists()
