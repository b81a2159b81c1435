"""What the training has to compute: operations counted by PyTorch, and bytes that cannot be avoided."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.settings import Settings
from qrlib import classifiers
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet

#: The operations whose tensors have to be read and written; what stands between them can be fused.
HEAVY = ("convolution", "convolution_backward", "mm", "addmm", "bmm")
CLASSES = 101


class TrafficCounter(TorchDispatchMode):
    """Bytes of what convolutions and matrix products read and write, each tensor once an operation."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if function.overloadpacket.__name__ in HEAVY:
            tensors = [x for x in tree_leaves((args, result)) if isinstance(x, torch.Tensor)]
            self.bytes += sum(x.numel() * x.element_size() for x in tensors)
        return result


def _networks(settings: Settings) -> tuple[torch.nn.Module, torch.nn.Module]:
    with torch.device("meta"):
        classifier = classifiers.build(
            settings.classifier, CLASSES, weights=None, image_size=settings.size
        )
        return QRNet(), classifier.set_trainable("frozen")


def _step(settings: Settings, images: int, *, train: bool) -> tuple[float, float]:
    """Operations and bytes of a pass over clean images and as many distorted ones; computes nothing."""
    restorer, classifier = _networks(settings)
    shape = (2 * images, 3, settings.size, settings.size)
    inputs = torch.zeros(shape, device="meta")
    labels = torch.zeros(len(inputs), dtype=torch.long, device="meta")
    traffic = TrafficCounter()
    with FlopCounterMode(display=False) as flops, traffic, torch.set_grad_enabled(train):
        restored = restorer(inputs)
        loss = RecoveryLoss({"c": 0.01})(restored, inputs, {"c": classifier(restored)}, labels)
        if train:
            loss["loss"].backward()
    return float(flops.get_total_flops()), float(traffic.bytes)


def count(settings: Settings) -> dict[str, float]:
    """Floating-point operations ("flop") and bytes in float32 of a training image, a step, an image of
    validation.  An image is the clean one with its distorted copy."""
    image, _ = _step(settings, 1, train=True)
    step, traffic = _step(settings, settings.batch, train=True)
    checked, checked_traffic = _step(settings, settings.batch, train=False)
    return {
        "flop_per_training_image": image,
        "flop_per_step": step,
        "bytes_per_step": traffic,
        "flop_per_validation_image": checked / settings.batch,
        "bytes_per_validation_image": checked_traffic / settings.batch,
    }
