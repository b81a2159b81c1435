"""A classifier that is shown what a finished restorer makes of images, alone or beside the images as they are."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from qrlib.classifiers import Classifier


def parts(classifier: Classifier) -> tuple[str, nn.Module, nn.Module, str, int | None, str]:
    """What another `Classifier` with the same backbone and head is made of, not copied."""
    return (
        classifier.name,
        classifier.backbone,
        classifier.head,
        classifier.source,
        classifier.input_size,
        classifier.preprocessing,
    )


class BehindRestorer(Classifier):
    """A classifier whose images pass a frozen restorer first, so that its head can learn restored ones.

    Backbone and head are those of `classifier` itself: what its head learns here, it knows there.

    Args:
        restorer: images -> images, (B, 3, H, W) in [0, 1]; frozen, and in eval mode for good.
    """

    def __init__(self, restorer: nn.Module, classifier: Classifier) -> None:
        super().__init__(*parts(classifier))
        self.restorer = restorer.requires_grad_(False).eval()

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1], not restored yet -> (B, F)."""
        with torch.no_grad():
            restored = self.restorer(images)
        return super().features(restored)

    def train(self, mode: bool = True) -> BehindRestorer:
        super().train(mode)
        self.restorer.eval()
        return self


class Averaged(Classifier):
    """A classifier that answers for each image as it is and for what a restorer makes of it; the mean counts.

    Images (B, 3, H, W) in [0, 1] -> logarithms of probabilities (B, K).  Backbone and head are those of
    `classifier` itself.

    Args:
        restorer: images -> images of the same shape and range; frozen, and in eval mode.
    """

    def __init__(self, restorer: nn.Module, classifier: Classifier) -> None:
        super().__init__(*parts(classifier))
        self.restorer = restorer.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> Tensor:
        # In float32, as a restorer that is judged by itself.
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            restored = self.restorer(images)
        answers = [self.head(self.features(x)).float().log_softmax(1) for x in (images, restored)]
        return torch.stack(answers).logsumexp(0) - math.log(2)
