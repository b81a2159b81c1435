"""The losses of Sections III-B and III-C, equations 1 to 5."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from qrlib.utils.errors import QrlibError


def quality_loss(restored: Tensor, target: Tensor) -> Tensor:
    """L_q, equations 1 and 2: the L1 distance, as a mean over images, channels and pixels.

    The paper leaves open whether the norm is a sum or a mean; the mean makes lambda independent of
    the image's size.  Both arguments: (B, 3, H, W) in [0, 1].  Returns a float32 scalar.
    """
    if restored.shape != target.shape:
        raise QrlibError(
            f"restored {tuple(restored.shape)} and target {tuple(target.shape)} differ in shape"
        )
    return F.l1_loss(restored.float(), target.float())


def classification_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """L_r, equation 3: softmax cross-entropy, as a mean over the batch.

    Args:
        logits: (B, K), before the softmax.
        labels: (B,), integers in [0, K); equation 3's one-hot t is their one-hot form.  Or (B, K), floats in
            [0, 1]: a probability for each class, where there are no labels.
    """
    shape = logits.shape if labels.is_floating_point() else logits.shape[:1]
    if logits.ndim != 2 or labels.shape != shape:
        raise QrlibError(
            "logits must be (B, K), and labels integers (B,) or probabilities (B, K), not "
            f"{tuple(logits.shape)} and {tuple(labels.shape)} of {labels.dtype}"
        )
    return F.cross_entropy(logits.float(), labels)


class RecoveryLoss(nn.Module):
    """Loss_single (equation 4) and Loss_multi (equation 5): L_q + sum_i lambda_i L_{C_i}.

    One classifier gives equation 4, several equation 5, none the L1 loss alone, with which the
    paper trains RecNet.  The paper uses lambda = 0.01 for each classifier (Section IV-A).

    Args:
        weights: classifier's name -> lambda_i, each at least 0.
        quality_weight: of L_q; 0 leaves it out, for fine-tuning a classifier without a restorer
            (Section IV-B2).

    >>> import torch
    >>> loss = RecoveryLoss({"vgg16": 0.01})
    >>> image = torch.zeros(2, 3, 8, 8)
    >>> parts = loss(image, image, {"vgg16": torch.zeros(2, 10)}, torch.tensor([0, 1]))
    >>> round(parts["loss"].item(), 6)  # 0.01 * log(10)
    0.023026
    """

    def __init__(
        self, weights: Mapping[str, float] | None = None, *, quality_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.weights = dict(weights or {})
        self.quality_weight = quality_weight
        for name, value in {"quality": quality_weight, **self.weights}.items():
            if not value >= 0:
                raise QrlibError(f"loss weight of {name!r} must be at least 0, not {value!r}")
        if not self.weights and not quality_weight:
            raise QrlibError("a loss needs a classifier or a quality_weight above 0")

    def forward(
        self,
        restored: Tensor,
        target: Tensor,
        logits: Mapping[str, Tensor] | None = None,
        labels: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return {"loss": total, "quality": L_q, "<classifier>": L_{C_i}, ...}, scalars.

        Without "quality" if its weight is 0.

        Args:
            restored, target: (B, 3, H, W) in [0, 1].
            logits: classifier's name -> (B, K); exactly the names in `weights`.
            labels: (B,), or (B, K) as in `classification_loss`; needed when there are classifiers.
        """
        logits = logits or {}
        if set(logits) != set(self.weights):
            raise QrlibError(
                f"loss has weights for {sorted(self.weights)} but got logits of {sorted(logits)}"
            )
        parts = {}
        if self.quality_weight:
            parts["quality"] = quality_loss(restored, target)
        for name in self.weights:
            if labels is None:
                raise QrlibError(f"the loss of classifier {name!r} needs labels")
            parts[name] = classification_loss(logits[name], labels)
        return {"loss": self.total(parts), **parts}

    def total(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Equation 4 or 5 of its parts, a scalar: L_q + sum_i lambda_i L_{C_i}."""
        weights = {"quality": self.quality_weight, **self.weights}
        terms = [weight * parts[name] for name, weight in weights.items() if name in parts]
        return sum(terms[1:], terms[0])
