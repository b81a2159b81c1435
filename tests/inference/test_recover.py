"""Tiles give what the whole image gives, in bounded memory, for any size and file."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from qrlib import distortions, metrics, weights
from qrlib.__main__ import main
from qrlib.inference import recognition, recover
from qrlib.inference.recover import reach, recover_file, tiles
from qrlib.models import QRNet, shipped_profile
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError

ROOT = Path(__file__).resolve().parents[2]


def network(convs=1, seed=0):
    torch.manual_seed(seed)
    return QRNet(convs).eval()


def ship(profile="caltech101-half", name="qrnet-seed0", convs=1, seed=0):
    """Write a network's weights where those of a profile are looked for."""
    net = network(convs, seed)
    weights.write(net.state_dict(), paths.results(profile) / "weights" / f"{name}.safetensors")
    return net


def astronaut(height, width):
    """A piece of a real photograph: (1, 3, H, W) uint8."""
    piece = np.ascontiguousarray(data.astronaut()[:height, 100 : 100 + width])
    return torch.from_numpy(piece).permute(2, 0, 1)[None]


@torch.no_grad()
def whole(net, images):
    return net(images.float() / 255 if images.dtype == torch.uint8 else images)


# --- the reach ---------------------------------------------------------------------------------


def averaging(convs):
    """A network of means: every input pixel that can reach an output does, with a positive weight."""
    net = QRNet(convs).double().eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("weight"):
                transposed = name.startswith("up")
                share = parameter[:, 0, 0, 0] if transposed else parameter[0]
                parameter.fill_(1 / share.numel())
            else:
                parameter.zero_()
    return net


@pytest.mark.parametrize(("convs", "expected"), [(1, 47), (2, 94)])
@torch.no_grad()
def test_reach_is_exact(convs, expected):
    """A column at this distance from an aligned square changes it, one farther away does not."""
    net = averaging(convs)
    assert reach(net) == expected
    images = torch.full((1, 3, 16, 256), 0.5, dtype=torch.float64)
    square = slice(112, 128)
    before = net(images)[..., square]

    def changed(column):
        other = images.clone()
        other[..., column] = 1000
        return not torch.equal(net(other)[..., square], before)

    assert changed(112 - expected)
    assert not changed(112 - expected - 1)
    assert changed(127 + expected)
    assert not changed(127 + expected + 1)


# --- tiles -------------------------------------------------------------------------------------


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 8), st.integers(0, 6))
def test_tiles_cover_every_pixel_once_from_aligned_regions(height, width, tile, margin):
    tile, margin = 16 * tile, 16 * margin
    count = np.zeros((height, width), int)
    for (rows, columns), (outer_rows, outer_columns) in tiles(height, width, tile, margin):
        count[rows, columns] += 1
        for inner, outer, side in ((rows, outer_rows, height), (columns, outer_columns, width)):
            assert 0 < inner.stop - inner.start <= tile
            assert outer.start % 16 == 0
            assert outer.start == max(inner.start - margin, 0)
            assert outer.stop == min(inner.stop + margin, side)
            assert outer.stop % 16 == 0 or outer.stop == side
    assert (count == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize(("convs", "tile"), [(2, 64), (1, 32)])
def test_tiles_equal_the_whole_photograph(convs, tile):
    """An odd size, not square, with tiles that touch no border of the image."""
    images = astronaut(307, 281).float() / 255
    net = network(convs)
    torch.testing.assert_close(
        recover.recover(images, net, tile=tile), whole(net, images), atol=1e-5, rtol=0
    )


SMALL = network()


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(1, 120), st.integers(1, 120), st.sampled_from([16, 48, 64]), st.booleans())
def test_any_size_and_tile(height, width, tile, as_float):
    images = astronaut(height, width)
    if as_float:
        images = images.float() / 255
    restored = recover.recover(images, SMALL, tile=tile)
    exact = whole(SMALL, images)
    if as_float:
        torch.testing.assert_close(restored, exact, atol=1e-5, rtol=0)
    else:
        assert (restored - 255 * exact).abs().max() <= 0.5 + 1e-3


def test_no_region_is_larger_than_a_tile_and_its_margins():
    net = network()
    seen = []
    net.register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape)))
    recover.recover(astronaut(333, 400), net, tile=64)
    assert len(seen) == 6 * 7
    assert max(seen) == (1, 3, 64 + 2 * 48, 64 + 2 * 48)


def test_images_of_a_batch_are_restored_one_by_one():
    net = network()
    images = torch.cat([astronaut(40, 70), astronaut(110, 70)[..., 70:, :]])
    restored = recover.recover(images, net, tile=32)
    for i in range(2):
        assert torch.equal(restored[i : i + 1], recover.recover(images[i : i + 1], net, tile=32))
    assert recover.recover(images[:0], net).shape == (0, 3, 40, 70)


def test_nothing_of_the_caller_is_changed():
    net = network().train()
    images = astronaut(40, 70)
    before = images.clone()
    tf32 = torch.backends.cudnn.allow_tf32
    restored = recover.recover(images, net)
    assert torch.equal(restored, recover.recover(images, net))  # no dropout
    assert net.training
    assert not restored.requires_grad
    assert torch.equal(images, before)
    assert torch.backends.cudnn.allow_tf32 == tf32
    torch.testing.assert_close(restored, recover.recover(images, net.eval()))


def test_progress_is_shown_for_more_than_one_tile(capsys):
    recover.recover(astronaut(40, 70), SMALL, tile=80)
    assert capsys.readouterr().err == ""
    recover.recover(astronaut(40, 70), SMALL, tile=48)
    assert "0/2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(3, 16, 16), r"must have shape \(B, 3, H, W\), not \(3, 16, 16\)"),
        (torch.rand(1, 1, 16, 16), "must have shape"),
        (torch.rand(1, 3, 0, 16), "must have shape"),
        (torch.rand(1, 3, 16, 16).double(), "float32 in .* or uint8, not torch.float64"),
    ],
)
def test_wrong_images_are_refused(images, message):
    with pytest.raises(QrlibError, match=message):
        recover.recover(images, SMALL)


@pytest.mark.parametrize("tile", [0, -16, 8, 100, 64.0, True])
def test_wrong_tiles_are_refused(tile):
    with pytest.raises(QrlibError, match="tile must be a multiple of 16"):
        recover.recover(torch.rand(1, 3, 16, 16), SMALL, tile=tile)


def test_a_network_that_gives_nan_is_refused():
    net = network()
    with torch.no_grad():
        net.last.bias.fill_(float("nan"))
    with pytest.raises(QrlibError, match="NaN"):
        recover.recover(astronaut(20, 20), net)


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("a mistake in the program"), False),
    ],
)
def test_short_memory_asks_for_smaller_tiles(error, known):
    net = network()

    def fail(module, inputs):
        raise error

    net.register_forward_pre_hook(fail)
    with pytest.raises(QrlibError if known else RuntimeError) as caught:
        recover.recover(astronaut(20, 20), net, tile=512)
    assert str(caught.value).endswith("such as 256" if known else "in the program")


# --- files -------------------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "photos" / "photo.png"
    path.parent.mkdir()
    Image.fromarray(np.ascontiguousarray(data.astronaut()[:45, 100:171])).save(path)
    return path


def listing(source):
    return sorted(os.listdir(source.parent))


def test_a_file_is_restored_as_an_array_is(source):
    net = ship()
    report = recover_file(source, source.parent / "out.png", tile=32)
    restored = np.asarray(Image.open(source.parent / "out.png"))
    expected = recover.recover(astronaut(45, 71), net, tile=32)[0].permute(1, 2, 0)
    np.testing.assert_array_equal(restored, expected)
    assert (report.width, report.height, report.tiles) == (71, 45, 2 * 3)
    assert report.seconds > 0
    assert listing(source) == ["out.png", "photo.png"]


def test_grey_stays_grey(source):
    net = ship()
    grey = np.ascontiguousarray(data.camera()[100:145, 180:251])
    Image.fromarray(grey).save(source)
    recover_file(source, source.parent / "out.png")
    restored = Image.open(source.parent / "out.png")
    assert restored.mode == "L"
    images = torch.from_numpy(grey).expand(1, 3, -1, -1)
    red, green, blue = (255 * whole(net, images))[0]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    assert np.abs(np.asarray(restored) - luma.numpy()).max() <= 1


@pytest.mark.parametrize(("mode", "ending"), [("RGBA", "png"), ("LA", "webp")])
def test_alpha_is_kept_and_colours_are_not_blended_with_it(source, mode, ending):
    net = ship()
    image = Image.open(source).convert(mode)
    alpha = np.add.outer(np.arange(45), 2 * np.arange(71)).astype(np.uint8)
    image.putalpha(Image.fromarray(alpha))
    image.save(source)
    out = source.parent / f"out.{ending}"
    recover_file(source, out)
    restored = Image.open(out)
    np.testing.assert_array_equal(np.asarray(restored)[..., -1], alpha)
    if mode == "RGBA":
        expected = recover.recover(astronaut(45, 71), net)[0].permute(1, 2, 0)
        np.testing.assert_array_equal(np.asarray(restored)[..., :3], expected)


def test_the_best_shipped_profile_is_taken(source):
    out = source.parent / "out.png"
    with pytest.raises(QrlibError, match="no trained weights.*'caltech101-half'; shipped: none"):
        recover_file(source, out)
    ship("quick")
    assert shipped_profile() == "caltech101-half"
    ship("caltech101-half")
    assert recover_file(source, out).profile == "caltech101-half"
    cpu = out.read_bytes()
    ship("caltech101", seed=1)
    assert recover_file(source, out, overwrite=True).profile == "caltech101"
    assert out.read_bytes() != cpu
    assert shipped_profile(seed=3) == "caltech101-half"
    ship("caltech101-half", "recnet-noise-seed3")
    report = recover_file(source, out, variant="recnet-noise", seed=3, overwrite=True)
    assert report.profile == "caltech101-half"
    assert recover_file(source, out, profile="quick", overwrite=True).profile == "quick"


def test_weights_of_another_network_are_refused(source):
    folder = paths.results("caltech101") / "weights"
    weights.write({"fc.weight": torch.rand(2, 2)}, folder / "qrnet-seed0.safetensors")
    with pytest.raises(QrlibError, match="not those of a QRNet"):
        recover_file(source, source.parent / "out.png")
    assert listing(source) == ["photo.png"]


def test_the_shipped_network_takes_noise_away(source, monkeypatch):
    monkeypatch.setenv("QRLIB_RESULTS", str(ROOT / "results"))
    clean = astronaut(200, 220).float() / 255
    noisy = distortions.gaussian_noise(clean, 20, generator=torch.Generator().manual_seed(0))
    pixels = (noisy * 255).round().byte()[0].permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(source)
    recover_file(source, source.parent / "out.png", tile=128)
    restored = torch.from_numpy(np.array(Image.open(source.parent / "out.png")))
    restored = restored.permute(2, 0, 1)[None].float() / 255
    assert metrics.psnr(restored, clean) > metrics.psnr(noisy, clean) + 3


# --- the command -------------------------------------------------------------------------------


def test_command(source, capsys):
    ship()
    out = source.parent / "out.jpg"
    assert main(["recover", str(source), "--out", str(out), "--tile", "48"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{out}: 71x45 pixels, 2 tiles, ")
    assert said.endswith(" s, network of profile caltech101-half\n")
    assert said.count("\n") == 1
    assert Image.open(out).size == (71, 45)
    assert main(["recover", str(source), "--out", str(out)]) == 2
    assert "give --overwrite" in capsys.readouterr().err
    assert main(["recover", str(source), "--out", str(out), "--overwrite"]) == 0
    assert ", 1 tile, " in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_explain_says_what_a_classifier_sees(source, capsys, mode):
    ship()
    Image.fromarray(data.chelsea()).convert(mode).resize((144, 96)).save(source)
    out = source.parent / "out.png"
    assert main(["recover", str(source), "--out", str(out), "--explain"]) == 0
    _, before, after = capsys.readouterr().out.splitlines()
    for line, shown in ((before, source), (after, out)):
        pixels = np.asarray(Image.open(shown).convert("RGB")).transpose(2, 0, 1)
        ((name, confidence), *others) = recognition.recognise(torch.from_numpy(pixels.copy()))
        assert len(others) == 2
        assert line.partition(": ")[2].startswith(f"{name} {confidence:.0%}, ")
    assert "cat" in before


def test_errors_of_the_command_are_one_line_and_leave_nothing(source, capsys):
    ship()
    folder = source.parent
    (folder / "text.jpg").write_text("Dear reader,")
    (folder / "cut.png").write_bytes(source.read_bytes()[:2000])
    before = listing(source)
    out = str(folder / "out.png")
    for arguments in (
        ["missing.png", "--out", out],
        [".", "--out", out],
        ["text.jpg", "--out", out],
        ["cut.png", "--out", out],
        ["photo.png", "--out", str(folder / "out.bmp")],
        ["photo.png", "--out", str(folder / "none" / "out.png")],
        ["photo.png", "--out", str(folder)],
        ["photo.png", "--out", str(source), "--overwrite"],
        ["photo.png", "--out", out, "--profile", "none"],
        ["photo.png", "--out", out, "--variant", "none"],
        ["photo.png", "--out", out, "--seed", "7"],
        ["photo.png", "--out", out, "--tile", "100"],
        ["photo.png", "--out", out, "--max-pixels", "100"],
    ):
        arguments[0] = str(folder / arguments[0])
        assert main(["recover", *arguments]) == 2, arguments
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: "), arguments
        assert captured.err.count("\n") == 1, arguments
        assert listing(source) == before, arguments


def test_the_command_line_starts_without_torch():
    code = (
        "import sys, qrlib.__main__ as m\n"
        "try: m.main(['recover', '--help'])\n"
        "except SystemExit: print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "False"
    assert f"(default: {recover.TILE})" in " ".join(done.stdout.split())


def test_defaults_of_the_command_are_those_of_the_function(source, monkeypatch):
    asked = {}
    monkeypatch.setattr(recover, "recover_file", lambda *a, **k: asked.update(k))
    main(["recover", "photo.jpg", "--out", "out.png"])
    signature = inspect.signature(recover_file).parameters.values()
    assert asked == {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY}


# --- memory ------------------------------------------------------------------------------------

MEASURE = """
import sys
from qrlib.__main__ import main
assert main(["recover", sys.argv[1], "--out", sys.argv[2], "--tile", "256"]) == 0
status = open("/proc/self/status").read()
print(status.split("VmHWM:")[1].split()[0])  # kB; getrusage would count the parent's as well
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_is_that_of_one_tile_and_the_images(source):
    """Twice the pixels cost 8 bytes each more: 4 as Pillow holds them, 3 as an array, 1 to spare.

    The whole image at once would cost some 290 bytes a pixel.
    """
    ship()
    peak, pixels = {}, {}
    for name, size in (("small", (800, 600)), ("large", (1200, 900))):
        path = source.parent / f"{name}.png"
        Image.fromarray(data.astronaut()).resize(size).save(path, compress_level=1)
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(path), str(path.with_suffix(".tif"))],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        peak[name] = 1024 * int(done.stdout.split()[-1])
        pixels[name] = size[0] * size[1]
        assert Image.open(path.with_suffix(".tif")).size == size
    noise = 32 << 20  # gaps that freed blocks leave
    grown = peak["large"] - peak["small"]
    print(f"{grown / (pixels['large'] - pixels['small']):.1f} bytes a pixel more")
    assert grown <= 8 * (pixels["large"] - pixels["small"]) + noise
