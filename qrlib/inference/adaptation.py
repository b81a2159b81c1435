"""Adapting a classifier to distorted images without training: its batch statistics, estimated anew.

A rival of restoring, for who may look into the classifier: Schneider et al., *Improving robustness against
common corruptions by covariate shift adaptation* (NeurIPS 2020).  It needs no label, but several images with
the same distortion at once.  There the backbone has learned from clean images of the same kind; here from
ImageNet's, and only the head from ours.  So features are brought to the mean and the variance that clean
training images give them, in place of ImageNet's: clean images stay as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from qrlib.classifiers import Classifier
from qrlib.utils.errors import QrlibError

#: For how many images the clean ones count beside those of a batch (N of equation 2 there).
CLEAN_COUNT_FOR = 16


class _AlignedNorm(nn.Module):
    """Brings each channel to the statistics of clean images, then normalises it as was learned."""

    sums: Tensor

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.norm = norm
        # Images, and sums of their means and mean squares.
        self.register_buffer("sums", torch.zeros(3, norm.num_features), persistent=False)
        self.learning = True

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x.float(), dim=(0, 2, 3), correction=0)
        count = len(x)
        if self.learning:
            new = torch.stack([torch.ones_like(mean), mean, variance + mean**2])
            self.sums += count * new
            normalised: Tensor = self.norm(x)
            return normalised
        images, means, squares = self.sums
        clean_mean = means / images
        clean_variance = squares / images - clean_mean**2
        clean = CLEAN_COUNT_FOR / (CLEAN_COUNT_FOR + count)
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        aligned = (clean_variance + norm.eps).sqrt()
        aligned = aligned * (variance.lerp(clean_variance, clean) + norm.eps).rsqrt()
        learned = norm.weight * (norm.running_var + norm.eps).rsqrt()
        # Both steps at once: a second pass over the features would take as long again.
        scale = aligned * learned
        shift = (clean_mean - norm.running_mean) * learned + norm.bias
        shift = shift - mean.lerp(clean_mean, clean) * scale
        return torch.addcmul(shift[:, None, None], x, scale[:, None, None])


@torch.no_grad()
def adapt(classifier: Classifier, clean: Iterable[Tensor]) -> Classifier:
    """A copy of a classifier that adapts to each batch it is given.

    The images of a batch should have the same distortion; an answer then depends on the whole batch.

    Args:
        classifier: in eval mode.
        clean: batches (B, 3, H, W) in [0, 1] of images without distortion, such as its head learned from.

    Raises:
        QrlibError: it has no batch normalisation, such as VGG16.
    """
    adapted = copy.deepcopy(classifier)
    norms = [
        (parent, name, _AlignedNorm(layer))
        for parent in adapted.modules()
        for name, layer in parent.named_children()
        if isinstance(layer, nn.BatchNorm2d)
    ]
    if not norms:
        raise QrlibError(
            f"{classifier.name} has no batch normalisation to adapt; take one that has, such as resnet50"
        )
    for parent, name, norm in norms:
        setattr(parent, name, norm)
    for images in clean:
        adapted(images)
    for _, _, norm in norms:
        norm.learning = False
    return adapted.eval()
