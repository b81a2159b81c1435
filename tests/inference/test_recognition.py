"""An ImageNet classifier on photographs: named, and the same as an ONNX model."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F

from qrlib import classifiers, data
from qrlib.inference import recognition


@pytest.mark.slow
def test_the_onnx_model_names_what_pytorch_does_on_50_images():
    """Of several shapes, at half the bytes of float32; and it holds nothing of this machine."""
    content = recognition.export().SerializeToString()
    assert b"qrlib" not in content
    assert len(content) < 9.5e6
    session = onnxruntime.InferenceSession(content)
    names = classifiers.imagenet_classes()
    images, _, _ = data.load("caltech101-small", 128).test[range(0, 150, 3)]
    for number, image in enumerate(images):
        side = (96 + 3 * number, 250 - 2 * number)
        shown = F.interpolate(image[None].float() / 255, side, mode="bilinear")
        ((confidence,),) = session.run(None, {"images": shown.numpy()})
        assert confidence.sum() == pytest.approx(1, abs=1e-4)
        (name, expected), *_ = recognition.recognise(shown[0])
        assert names[confidence.argmax()] == name
        assert confidence.max() == pytest.approx(expected, abs=0.02)


def test_bytes_and_their_fractions_are_seen_alike():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 90, 60), dtype=np.uint8)
    image = torch.from_numpy(pixels)
    one, other = recognition.recognise(image, 5), recognition.recognise(image.float() / 255, 5)
    assert [name for name, _ in one] == [name for name, _ in other]
    assert [c for _, c in one] == pytest.approx([c for _, c in other], abs=0.02)
    assert sorted((c for _, c in one), reverse=True) == [c for _, c in one]
