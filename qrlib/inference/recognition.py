"""What an ImageNet classifier sees in a photograph: EfficientNet-Lite0, from an installed package.

The same network is an ONNX model by `export`, for programs without PyTorch: its input ``images`` is
(1, 3, H, W), RGB in [0, 1], of any size; resizing to 224 x 224 and normalisation are inside; its output
``confidence`` is (1, 1000), in the order of `qrlib.classifiers.imagenet_classes`, and sums to 1.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from qrlib import classifiers
from qrlib.inference import onnx_export

if TYPE_CHECKING:
    import onnx

#: The side in pixels to which images are squashed; the network was trained at it.
SIDE = 224


@functools.cache
def classifier() -> classifiers.Classifier:
    """EfficientNet-Lite0 with its own head for ImageNet's 1000 classes, frozen.

    Raises:
        QrlibError: its packages are not installed.
    """
    net = classifiers.build("efficientnet_lite0", None, image_size=SIDE, input_size=SIDE)
    return net.set_trainable("frozen").eval()


@torch.no_grad()
def recognise(image: Tensor, count: int = 3) -> list[tuple[str, float]]:
    """The most likely classes and the confidence in each, the best first.

    Args:
        image: (3, H, W), float32 in [0, 1] or uint8.

    Returns:
        `count` pairs of ImageNet's name and a confidence in [0, 1].
    """
    # A large photograph shrinks as it is: in float32 it would take four times its memory.
    small = F.interpolate(image[None], (SIDE, SIDE), mode="bilinear", antialias=True)
    pixels = small.float() / 255 if small.dtype == torch.uint8 else small
    confidence = classifier()(pixels).softmax(1)[0]
    names = classifiers.imagenet_classes()
    best = confidence.topk(count)
    return [(names[i], c) for c, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)]


def export() -> onnx.ModelProto:
    """The classifier as an ONNX model; its weights are float16, in 9 MB."""
    return onnx_export.export_classifier(classifier(), None, half=True)
