"""Classical restorers, against definitions and on what they are for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.filters import gaussian

from qrlib.classical import FILTERS, ClassicalRestorer
from qrlib.distortions import CLEAN, Distortion, distort_for_evaluation
from qrlib.metrics import psnr
from qrlib.utils.errors import QrlibError

CASE = {"noise": Distortion("noise", 3, 60.0), "blur": Distortion("blur", 1, 2.0)}


@pytest.fixture(scope="module")
def images():
    """Smooth pictures with edges: (2, 3, 48, 40)."""
    y, x = np.mgrid[:48, :40] / 40
    planes = [0.5 + 0.4 * np.sin(7 * x + 3 * y), (x > 0.5) * 0.8, (x + y) / 2.2]
    picture = torch.tensor(np.stack(planes), dtype=torch.float32)
    return torch.stack([picture, picture.flip(2)])


@pytest.mark.parametrize("name", FILTERS)
def test_each_undoes_some_of_what_it_is_for(name, images):
    case = CASE[FILTERS[name].distortion]
    shown = distort_for_evaluation(images, ["a", "b"], case)
    best = max(
        psnr(ClassicalRestorer(name, {case.level: strength}).told(case)(shown), images).mean()
        for strength in FILTERS[name].strengths
    )
    assert best > psnr(shown, images).mean() + 1
    restored = ClassicalRestorer(name, {case.level: FILTERS[name].strengths[0]}).told(case)(shown)
    assert restored.shape == images.shape
    assert restored.dtype == torch.float32
    assert restored.min() >= 0
    assert restored.max() <= 1


def test_the_gaussian_is_scikit_images(images):
    case = CASE["noise"]
    restored = ClassicalRestorer("gaussian_filter", {3: 1.5}).told(case)(images)
    expected = gaussian(images[1].permute(1, 2, 0).numpy(), 1.5, mode="mirror", channel_axis=-1)
    assert np.allclose(restored[1].permute(1, 2, 0), expected, atol=1e-6)


def test_wiener_undoes_a_blur_exactly_where_nothing_is_lost(images):
    """Hardly regularised and hardly blurred, the picture comes back, up to its edges."""
    case = Distortion("blur", 1, 0.5)  # a kernel of one pixel
    restored = ClassicalRestorer("wiener", {1: 1e-6}).told(case)(case(images))
    assert (restored - images).abs().max() < 1e-3


def test_clean_images_stay_and_others_are_refused(images):
    restorer = ClassicalRestorer("wiener", {1: 0.1})
    assert restorer.told(CLEAN)(images) is images
    for case in (CASE["noise"], Distortion("blur", 2, 4.0)):
        with pytest.raises(QrlibError, match=r"undoes blur at levels 1, not"):
            restorer.told(case)
    with pytest.raises(
        QrlibError, match="unknown classical restorer 'weiner' .did you mean 'wiener'"
    ):
        ClassicalRestorer("weiner", {})
    with pytest.raises(QrlibError, match="strength of wiener at level 2 must be above 0"):
        ClassicalRestorer("wiener", {2: 0.0})
