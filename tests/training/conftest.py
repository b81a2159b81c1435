from __future__ import annotations

import pytest
import torch

from qrlib import classifiers, data


@pytest.fixture
def splits():
    """24 images to train with and 3 to validate with, of three classes."""
    return data.load("caltech101-small", 32, classes=3, per_class=12)


@pytest.fixture
def classifier():
    torch.manual_seed(3)
    return classifiers.build("small_vgg", 3, weights=None, image_size=32, head_width=8)
