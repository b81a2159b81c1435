"""Features of images that are the same in every epoch: a frozen backbone computes them once."""

from __future__ import annotations

import torch
from torch import Tensor

from qrlib.classifiers import Classifier


class KeptFeatures:
    """Features by the names of images, of one classifier whose backbone is frozen."""

    def __init__(self) -> None:
        self.rows: dict[str, Tensor] = {}  # name -> (F,)

    @torch.no_grad()
    def of(self, classifier: Classifier, images: Tensor, names: list[str] | None) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, F); only of names that are new is anything computed.

        Args:
            names: of the images; None where they are others in each epoch, and none is kept.
        """
        if names is None:
            return self._computed(classifier, images)
        new = [i for i, name in enumerate(names) if name not in self.rows]
        if new:
            computed = self._computed(classifier, images[new])
            self.rows |= {names[i]: row for i, row in zip(new, computed, strict=True)}
        return torch.stack([self.rows[name] for name in names])

    @staticmethod
    def _computed(classifier: Classifier, images: Tensor) -> Tensor:
        return classifier.features(images.contiguous(memory_format=torch.channels_last))
