"""What is kept of each image comes back, to within half a step."""

import numpy as np
import pytest

from qrlib.records import per_image
from qrlib.utils.errors import QrlibError


def test_what_is_packed_comes_back():
    rng = np.random.default_rng(0)
    right, sure = rng.random(13) < 0.5, rng.random(13)
    packed = per_image.pack(right, "accuracy", confidence=sure, entropy=1 - sure)
    assert per_image.unpack_truth(packed["right"], 13).tolist() == right.tolist()
    for column, values in (("confidence", sure), ("entropy", 1 - sure)):
        kept = per_image.unpack_values(packed[column], 13, column)
        assert kept == pytest.approx(values, abs=0.5 / 255)
    psnr = rng.uniform(5, 60, 13)
    text = per_image.pack(psnr, "psnr")["images"]
    assert per_image.unpack_values(text, 13, "psnr") == pytest.approx(psnr, abs=0.125)


def test_another_number_of_images_is_refused():
    with pytest.raises(QrlibError, match="3 images, and not of 4"):
        per_image.unpack_values("PVD/", 4, "psnr")
    with pytest.raises(QrlibError, match="8 images, padded to bytes, and not of 9"):
        per_image.unpack_truth("80", 9)
