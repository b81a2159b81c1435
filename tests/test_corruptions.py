"""Corruptions, each against its definition."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2hsv

from qrlib.corruptions import CORRUPTIONS, SEVERITIES, corruption
from qrlib.distortions import distort_for_evaluation, gaussian_blur
from qrlib.metrics import psnr
from qrlib.utils.errors import QrlibError

GREY = torch.full((1, 3, 128, 128), 128 / 255)
#: Those that put pixels elsewhere, and change none of a picture of one colour.
MOVE = ("glass_blur", "motion_blur", "zoom_blur", "defocus_blur", "elastic_transform", "pixelate")


def dot(side=65):
    """A white pixel in the middle of a black picture."""
    image = torch.zeros(1, 3, side, side)
    image[..., side // 2, side // 2] = 1
    return image


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_every_restorer_sees_the_same_pixels(kind, severity, photograph):
    case = corruption(kind, severity)
    images = torch.stack([photograph, photograph.flip(2)])
    shown = distort_for_evaluation(images, ["a", "b"], case)
    assert shown.shape == images.shape
    assert shown.dtype == torch.float32
    assert 0 <= shown.min() < shown.max() <= 1
    assert psnr(shown, images).max() < 40
    assert torch.equal(case(images[1:]), shown[1:])  # whatever the batch
    assert (case.kind, case.level, case.sigma) == (kind, severity, severity)


@pytest.mark.parametrize("kind", sorted({*CORRUPTIONS} - {"elastic_transform", "fog"}))
def test_a_higher_severity_is_farther_from_the_image(kind, photograph):
    images = photograph[None]
    quality = [float(psnr(corruption(kind, severity)(images), images)) for severity in SEVERITIES]
    assert quality == sorted(quality, reverse=True)


@pytest.mark.parametrize("kind", MOVE)
def test_what_moves_pixels_leaves_one_colour_alone(kind):
    for severity in SEVERITIES:
        torch.testing.assert_close(corruption(kind, severity)(GREY), GREY, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("kind", "severity", "deviation"),
    [
        ("gaussian_noise", 1, 0.08),
        ("gaussian_noise", 3, 0.18),
        ("shot_noise", 1, (128 / 255 / 60) ** 0.5),  # Poisson: the variance is the mean
        ("shot_noise", 3, (128 / 255 / 12) ** 0.5),
        ("noise_upon_blur", 1, 20 / 255),  # the paper's weakest noise
    ],
)
def test_noise_is_as_strong_as_defined(kind, severity, deviation):
    noise = corruption(kind, severity)(GREY) - GREY
    assert float(noise.std()) == pytest.approx(deviation, rel=0.02)
    assert float(noise.mean()) == pytest.approx(0, abs=0.003)


def test_impulses_are_black_and_white_in_equal_shares():
    shown = corruption("impulse_noise", 5)(GREY)
    for value in (0, 1):
        assert float((shown == value).float().mean()) == pytest.approx(0.27 / 2, rel=0.05)
    assert float((shown == GREY).float().mean()) == pytest.approx(0.73, rel=0.01)


def test_a_dot_out_of_focus_is_a_disc():
    shown = corruption("defocus_blur", 3)(dot())[0, 0]
    y, x = np.mgrid[-32:33, -32:33]
    far = np.hypot(x, y)
    assert shown.sum().item() == pytest.approx(1, abs=1e-4)
    assert shown[far <= 4].std() < 1e-5  # even inside
    assert shown[far > 9].max() == 0
    assert shown[far <= 4].mean().item() == pytest.approx(1 / (np.pi * 6**2), rel=0.05)


def test_a_moving_dot_is_half_a_gaussian_along_a_line():
    shown = corruption("motion_blur", 1)(dot())[0, 0]
    y, x = (place - 32.0 for place in np.nonzero(shown.numpy()))
    assert len({*np.sign(x)} - {0}) == 1  # to one side
    assert abs(np.polyfit(x, y, 1)[0]) <= 1.01  # within 45 degrees
    line = np.sort(shown[shown > 0].numpy())[::-1]
    steps = np.arange(21)
    expected = np.exp(-(steps**2) / (2 * 3**2))
    np.testing.assert_allclose(line[:8], (expected / expected.sum())[:8], atol=1e-5)


def test_behind_glass_colours_stay_near():
    image = torch.zeros(1, 3, 64, 64)
    image[..., 32:] = 1
    shown = corruption("glass_blur", 1)(image)
    near = 2 * (1 + 3 * 0.7)  # two copies of a pixel's reach, and the blurs
    away = int(np.ceil(near)) + 2
    torch.testing.assert_close(shown[..., : 32 - away], image[..., : 32 - away], atol=0.01, rtol=0)
    torch.testing.assert_close(shown[..., 32 + away :], image[..., 32 + away :], atol=0.01, rtol=0)
    assert shown[..., 30:34].std() > 0.1


def test_zoom_is_about_the_middle():
    x = np.mgrid[-32:32, -32:32][1] + 0.5
    image = torch.tensor(0.5 + x / 128).float().expand(1, 3, 64, 64)  # a ramp
    shown = corruption("zoom_blur", 1)(image)[0, 0]
    slope = (shown[32, 52] - shown[32, 12]) / (image[0, 0, 32, 52] - image[0, 0, 32, 12])
    factors = [1, *np.arange(1, 1.11, 0.01)]
    assert float(slope) == pytest.approx(np.mean([1 / f for f in factors]), abs=0.01)
    assert float(shown[:, 31:33].mean()) == pytest.approx(0.5, abs=0.002)


def test_snow_and_fog_brighten_the_dark(photograph):
    black = torch.zeros(1, 3, 64, 64)
    assert corruption("fog", 3)(black).max() == 0  # fog keeps the greatest value
    foggy, image = corruption("fog", 5)(photograph[None]), photograph[None]
    assert foggy.max() <= image.max()
    assert foggy.std() < image.std()
    snowy = corruption("snow", 3)(black)
    assert snowy.min() >= 0.3 * 0.5 - 1e-6  # a share of (1 - 0.7) of half white, and flakes
    assert snowy.std() > 0.05


def test_brightness_changes_the_value_alone():
    colours = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.6 + 0.05
    shown = corruption("brightness", 2)(colours)
    before, after = (rgb2hsv(x[0].permute(1, 2, 0).numpy()) for x in (colours, shown))
    np.testing.assert_allclose(after[..., 2], before[..., 2] + 0.2, atol=1e-5)
    np.testing.assert_allclose(after[..., :2], before[..., :2], atol=1e-4)


def test_contrast_keeps_the_mean_of_each_channel(photograph):
    image = photograph[None]
    shown = corruption("contrast", 3)(image)
    torch.testing.assert_close(shown.mean((2, 3)), image.mean((2, 3)))
    torch.testing.assert_close(shown.std((2, 3)), 0.2 * image.std((2, 3)))


def test_an_elastic_picture_has_no_new_colours(photograph):
    image = photograph[None]
    shown = corruption("elastic_transform", 5)(image)
    for channel in range(3):
        assert image[:, channel].min() <= shown[:, channel].min()
        assert shown[:, channel].max() <= image[:, channel].max()
    ramp = torch.arange(64.0).expand(1, 3, 64, 64) / 64
    moved = (corruption("elastic_transform", 3)(ramp) - ramp).abs()[..., 16:48]
    assert 0 < moved.max() * 64 < 20  # three points are pulled by 4.9 pixels at most


def test_pixelated_and_compressed_as_pillow_does(photograph):
    image = photograph[None, :, :64, :64]
    shown = corruption("pixelate", 5)(image)  # to a quarter
    blocks = shown.reshape(1, 3, 16, 4, 16, 4)
    assert (blocks == blocks[:, :, :, :1, :, :1]).all()
    mean = image.reshape(1, 3, 16, 4, 16, 4).mean((3, 5))
    torch.testing.assert_close(blocks[:, :, :, 0, :, 0], mean, atol=1.1 / 255, rtol=0)
    file = io.BytesIO()
    pixels = (photograph * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=15)
    expected = torch.from_numpy(np.asarray(Image.open(file)) / 255).permute(2, 0, 1).float()
    torch.testing.assert_close(corruption("jpeg_compression", 3)(photograph[None])[0], expected)


def test_both_distortions_at_once_are_the_papers_noise_upon_its_blur():
    image = dot(112) * 0.5 + 0.25
    shown = corruption("noise_upon_blur", 3)(image.expand(40, 3, 112, 112))
    other = corruption("noise_upon_blur", 3)(image.flip(2).expand(1, 3, 112, 112))
    assert torch.equal(shown[0], shown[1])  # the same image has the same noise
    residual = other - gaussian_blur(image.flip(2), 6 * 112 / 224)
    assert not torch.equal(shown[:1], other)
    assert float(residual.std()) == pytest.approx(60 / 255, rel=0.15)  # clipped a little


@pytest.mark.parametrize(
    ("kind", "severity", "message"),
    [
        ("frost", 1, "unknown corruption 'frost'.*valid: gaussian_noise, shot_noise"),
        ("fog", 0, "severity of fog must be 1, 2, 3, 4 or 5, not 0"),
        ("fog", 6, "not 6"),
        ("fog", "3", "not '3'"),
    ],
)
def test_unknown_corruptions_and_severities_are_refused(kind, severity, message):
    with pytest.raises(QrlibError, match=message):
        corruption(kind, severity)
