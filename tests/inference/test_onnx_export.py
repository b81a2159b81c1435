"""Exported networks compute what PyTorch computes, at any size."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from qrlib import classifiers
from qrlib.inference import onnx_export
from qrlib.models import QRNet
from qrlib.utils.errors import QrlibError


def run(model: onnx.ModelProto, images: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


@pytest.fixture(scope="module", params=[1, 2])
def net(request: pytest.FixtureRequest) -> QRNet:
    torch.manual_seed(0)
    return QRNet(convs_per_block=request.param).eval()


@pytest.fixture
def small_vgg() -> classifiers.Classifier:
    torch.manual_seed(0)
    net = classifiers.build("small_vgg", 5, weights=None, image_size=64, head_width=32)
    with torch.no_grad():  # so that its statistics, and its answers, are not those of a new network
        for _ in range(3):
            net.train()(torch.rand(4, 3, 64, 64))
        net.head[-1].weight.normal_()
    return net.eval()


@pytest.mark.parametrize("size", [(1, 1), (15, 17), (16, 32), (67, 91)])
@torch.no_grad()
def test_qrnet_restores_as_pytorch_does(net: QRNet, size: tuple[int, int]) -> None:
    model = onnx_export.qrnet(net)
    images = torch.rand(1, 3, *size)
    restored = run(model, images)
    assert restored.shape == images.shape
    assert (restored - net(images)).abs().max() < 1e-5


@torch.no_grad()
def test_half_precision_costs_little_and_saves_half(net: QRNet) -> None:
    images = torch.rand(1, 3, 40, 52)
    whole, half = onnx_export.qrnet(net), onnx_export.qrnet(net, half=True)
    error = (run(half, images) - net(images)).abs().max()
    assert 0 < error < 2e-3
    assert half.ByteSize() < 0.52 * whole.ByteSize()


@torch.no_grad()
@pytest.mark.parametrize("side", [64, 48, 80])  # the last two pool in windows that overlap
def test_a_classifier_answers_as_pytorch_does(small_vgg: classifiers.Classifier, side: int) -> None:
    images = torch.rand(3, 3, side, side)
    confidence = run(onnx_export.classifier(small_vgg, side), images)
    expected = small_vgg(images).softmax(1)
    assert expected.max() > 0.3, "answers that tell networks apart"
    assert (confidence - expected).abs().max() < 1e-5
    assert np.allclose(confidence.sum(1), 1, atol=1e-5)


def test_what_is_no_qrnet_is_refused(small_vgg: classifiers.Classifier) -> None:
    with pytest.raises(QrlibError, match="takes a QRNet, not a Classifier"):
        onnx_export.qrnet(small_vgg)  # type: ignore[arg-type]
    with pytest.raises(QrlibError, match="takes a Classifier, not a QRNet"):
        onnx_export.classifier(QRNet(), 64)  # type: ignore[arg-type]


def test_a_layer_that_is_not_known_is_named() -> None:
    net = QRNet()
    net.encoder[0][1] = nn.GELU()  # type: ignore[index, operator]
    with pytest.raises(QrlibError, match=r"encoder\.0\.1 is a GELU"):
        onnx_export.qrnet(net)


def test_settings_that_are_not_exported_are_refused(small_vgg: classifiers.Classifier) -> None:
    net = QRNet()
    net.encoder[0][0].padding_mode = "reflect"  # type: ignore[index, union-attr]
    with pytest.raises(QrlibError, match=r"encoder\.0\.0 is a Conv2d"):
        onnx_export.qrnet(net)
    small_vgg.input_size = 64
    with pytest.raises(QrlibError, match="resizes its images itself"):
        onnx_export.classifier(small_vgg, 64)


def test_pooling_in_windows_of_several_sizes_is_refused(small_vgg: classifiers.Classifier) -> None:
    pooling = [m for m in small_vgg.modules() if isinstance(m, nn.AdaptiveAvgPool2d)]
    for layer in pooling:
        layer.output_size = 3
    with pytest.raises(QrlibError, match="averages 5 to 3 pixels, in windows that are not alike"):
        onnx_export.classifier(small_vgg, 80)


@pytest.mark.parametrize("name", ["small_inception", "small_resnet"])
def test_other_classifiers_are_refused_by_layer(name: str) -> None:
    net = classifiers.build(name, 3, weights=None, image_size=64)
    with pytest.raises(QrlibError, match="cannot be exported"):
        onnx_export.classifier(net.eval(), 64)
