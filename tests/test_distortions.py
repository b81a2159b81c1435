"""Noise and blur: equal to OpenCV, repeatable, of the right strength, and refusing nonsense."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest
import torch

from qrlib import distortions
from qrlib.distortions import (
    BLUR_SIGMAS,
    CLEAN,
    NOISE_SIGMAS,
    Distortion,
    distort_for_evaluation,
    gaussian_blur,
    gaussian_noise,
    kernel_size,
    levels,
    sample,
)
from qrlib.utils.errors import QrlibError


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def opencv(images, sigma):
    size = kernel_size(sigma)
    rows = [
        cv2.GaussianBlur(image.permute(1, 2, 0).numpy(), (size, size), sigma) for image in images
    ]
    return torch.stack([torch.from_numpy(row).permute(2, 0, 1) for row in rows])


#: Those of the paper, and scaled to smaller images.
SIGMAS = [*BLUR_SIGMAS, *(sigma * 32 / 224 for sigma in BLUR_SIGMAS), 10 * 96 / 224]


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("shape", [(64, 64), (41, 73), (224, 57), (20, 21)])
def test_blur_equals_opencv(sigma, shape):
    images = torch.rand(2, 3, *shape, generator=seeded(0))
    expected = opencv(images, sigma)
    assert (gaussian_blur(images, sigma) - expected).abs().max() < 1e-5
    assert (images - expected).abs().max() > 1e-3  # the check can fail


def test_kernel_sizes():
    """The paper's, and odd ones near 4 sigma for all others."""
    assert [kernel_size(sigma) for sigma in BLUR_SIGMAS] == [7, 15, 23, 31, 39]
    for sigma in np.linspace(0.05, 12, 40):
        size = kernel_size(sigma)
        assert size % 2 == 1
        assert size == 3 or (size > 3 and abs(size - (4 * sigma - 1)) <= 1 + 1e-9)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_number_of_channels(channels):
    images = torch.rand(2, channels, 30, 25, generator=seeded(0))
    blurred = gaussian_blur(images, 2.0)
    assert blurred.shape == images.shape
    for c in range(channels):
        alone = gaussian_blur(images[:, c : c + 1], 2.0)
        torch.testing.assert_close(blurred[:, c : c + 1], alone, atol=1e-6, rtol=0)
    assert gaussian_noise(images, 20.0, generator=seeded(0)).shape == images.shape


def test_blur_has_a_gradient_even_after_use_without_one():
    with torch.inference_mode():
        gaussian_blur(torch.rand(1, 3, 33, 35), 2.0)
    images = torch.rand(1, 3, 33, 35, requires_grad=True)
    gaussian_blur(images, 2.0)[..., 5, 5].sum().backward()
    assert images.grad[..., 5, 5].min() > 0


def test_noise_follows_the_generator_or_torchs_own_seed():
    images = torch.full((1, 3, 8, 8), 0.5)
    first = gaussian_noise(images, 40.0, generator=seeded(1))
    assert torch.equal(first, gaussian_noise(images, 40.0, generator=seeded(1)))
    assert not torch.equal(first, gaussian_noise(images, 40.0, generator=seeded(2)))
    torch.manual_seed(1)
    assert torch.equal(first, gaussian_noise(images, 40.0))


@pytest.mark.parametrize("sigma", [1.0, 5.0, 20.0])
def test_noise_has_the_asked_deviation_where_nothing_is_clipped(sigma):
    images = torch.full((1, 3, 300, 300), 0.5)
    noise = (gaussian_noise(images, sigma, generator=seeded(0)) - 0.5) * 255
    assert noise.std().item() == pytest.approx(sigma, rel=0.01)  # 5 deviations of the estimate
    assert noise.mean().item() == pytest.approx(0, abs=5 * sigma / 270_000**0.5)


@pytest.mark.parametrize("sigma", NOISE_SIGMAS)
def test_noise_is_clipped_after_it_is_added(sigma):
    images = torch.rand(1, 3, 20, 20, generator=seeded(0))
    drawn = images + torch.randn(images.shape, generator=seeded(0)) * sigma / 255
    noisy = gaussian_noise(images, sigma, generator=seeded(0))
    torch.testing.assert_close(noisy, drawn.clamp(0, 1), atol=1e-6, rtol=0)
    assert drawn.amax() > 1


@pytest.mark.parametrize("distort", [gaussian_noise, gaussian_blur])
@pytest.mark.parametrize(
    ("images", "names"),
    [
        (torch.rand(3, 20, 20), "(B, C, H, W)"),
        (np.zeros((1, 3, 20, 20), dtype=np.float32), "ndarray"),
        (torch.zeros(1, 3, 20, 20, dtype=torch.uint8), "uint8"),
        (torch.full((1, 3, 20, 20), 1.01), "1.01"),
        (torch.full((1, 3, 20, 20), -0.5), "-0.5"),
        (torch.full((1, 3, 20, 20), float("nan")), "nan"),
        (torch.zeros(0, 3, 20, 20), "no pixel"),
    ],
)
def test_wrong_images_are_refused(distort, images, names):
    with pytest.raises(QrlibError) as error:
        distort(images, 2.0)
    assert names in str(error.value)


@pytest.mark.parametrize("distort", [gaussian_noise, gaussian_blur])
@pytest.mark.parametrize("sigma", [-1.0, float("nan"), float("inf"), "20", None])
def test_wrong_strengths_are_refused(distort, sigma):
    with pytest.raises(QrlibError, match="sigma must be a finite number"):
        distort(torch.rand(1, 3, 20, 20), sigma)


def test_blur_refuses_sigma_zero_and_small_images():
    with pytest.raises(QrlibError, match="above 0"):
        gaussian_blur(torch.rand(1, 3, 20, 20), 0.0)
    for distort in (Distortion("blur", 5, 10.0), lambda images: gaussian_blur(images, 10.0)):
        with pytest.raises(QrlibError, match="19x64 pixels is too small.*39 needs at least 20x20"):
            distort(torch.rand(1, 3, 19, 64))
    gaussian_blur(torch.rand(1, 3, 20, 64), 10.0)


def test_levels_are_the_papers():
    every = levels("multiple")
    assert [(d.level, d.sigma) for d in every["noise"]] == list(enumerate(NOISE_SIGMAS, 1))
    assert [(d.level, d.sigma) for d in every["blur"]] == list(enumerate(BLUR_SIGMAS, 1))
    assert list(levels("noise")) == ["noise"]
    assert [d.sigma for d in levels("blur", blur_scale=0.5)["blur"]] == [1, 2, 3, 4, 5]
    assert [d.sigma for d in levels("noise", blur_scale=0.5)["noise"]] == list(NOISE_SIGMAS)


def test_levels_refuses_what_it_does_not_know():
    with pytest.raises(QrlibError, match="'jpeg'.*noise, blur, multiple"):
        levels("jpeg")
    with pytest.raises(QrlibError, match="blur_scale"):
        levels(blur_scale=0)


def test_sample_reaches_all_ten_choices_evenly():
    choices, generator, again = levels("multiple"), seeded(0), seeded(0)
    drawn = [sample(choices, generator) for _ in range(4000)]
    assert drawn == [sample(choices, again) for _ in range(4000)]
    counts = Counter((d.kind, d.level) for d in drawn)
    assert len(counts) == 10
    # 400 expected, with a deviation of 19
    assert all(320 < count < 480 for count in counts.values())


def test_evaluation_leaves_clean_images_and_wants_an_id_each():
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(distort_for_evaluation(images, ["a", "b"], CLEAN), images)
    with pytest.raises(QrlibError, match="2 images need as many ids, not 1"):
        distort_for_evaluation(images, ["a"], CLEAN)


def test_functions_and_distortions_agree():
    images = torch.rand(1, 3, 24, 24)
    blur = Distortion("blur", 1, 2.0)
    noise = Distortion("noise", 1, 20.0)
    assert torch.equal(blur(images), gaussian_blur(images, 2.0))
    assert torch.equal(noise(images, seeded(3)), gaussian_noise(images, 20.0, generator=seeded(3)))
    assert torch.equal(distortions.blur(images, 2.0), gaussian_blur(images, 2.0))
