"""Exported networks compute what PyTorch computes, at any size."""

from __future__ import annotations

from typing import Any

import onnx
import onnxruntime
import pytest
import torch

from qrlib import classifiers
from qrlib.inference import onnx_export
from qrlib.models import QRNet
from qrlib.utils.errors import QrlibError

pytestmark = pytest.mark.slow  # a trace takes seconds


def run(model: onnx.ModelProto, images: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def network(convs: int) -> QRNet:
    torch.manual_seed(0)
    return QRNet(convs_per_block=convs).eval()


def classifier(name: str, **settings: Any) -> classifiers.Classifier:
    torch.manual_seed(0)
    net = classifiers.build(name, 5, weights=None, image_size=64, **settings)
    with torch.no_grad():  # so that its statistics, and its answers, are not those of a new network
        for _ in range(3):
            net.train()(torch.rand(4, 3, 64, 64))
        for layer in net.head.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight.normal_()
    return net.eval()


@torch.no_grad()
def test_qrnet_restores_as_pytorch_does_and_at_half_the_bytes_nearly_so() -> None:
    net = network(2)
    whole, half = onnx_export.export_qrnet(net), onnx_export.export_qrnet(net, half=True)
    for size in ((1, 1), (15, 17), (16, 32), (67, 91)):
        images = torch.rand(1, 3, *size)
        restored = run(whole, images)
        assert restored.shape == images.shape
        assert (restored - net(images)).abs().max() < 1e-5
        assert 0 < (run(half, images) - net(images)).abs().max() < 2e-3
    assert half.ByteSize() < 0.52 * whole.ByteSize()
    assert b"qrlib" not in whole.SerializeToString(), "it names a folder of this machine"


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("small_vgg", 80),  # pools in windows that overlap
        ("small_inception", 64),
        ("small_resnet", 64),
    ],
)
def test_a_classifier_answers_as_pytorch_does(name: str, side: int) -> None:
    net = classifier(name)
    images = torch.rand(3, 3, side, side)
    confidence = run(onnx_export.export_classifier(net, side), images)
    expected = net(images).softmax(1)
    assert expected.max() > 0.3, "answers that tell networks apart"
    assert (confidence - expected).abs().max() < 1e-5


def test_other_networks_are_refused() -> None:
    with pytest.raises(QrlibError, match="takes a QRNet, not a Classifier"):
        onnx_export.export_qrnet(classifier("small_vgg"))  # type: ignore[arg-type]
    with pytest.raises(QrlibError, match="takes a Classifier, not a QRNet"):
        onnx_export.export_classifier(QRNet(), 64)  # type: ignore[arg-type]
