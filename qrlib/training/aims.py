"""What classifiers are to answer while something learns from them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qrlib.classifiers import Classifier

#: What classifiers are to answer: the labels; the answers, as probabilities, that they give to clean images;
#: or those of `stable_aims`.
AIMS = ("labels", "answers", "stable")


@torch.no_grad()
def answers_to(classifier: Classifier, clean: Tensor) -> Tensor:
    """The probabilities (B, K) that the classifier gives to clean images (B, 3, H, W) in [0, 1]."""
    answers: Tensor = classifier(clean.contiguous(memory_format=torch.channels_last))
    return answers.float().softmax(1)


def stable_aims(logits: Tensor, labels: Tensor) -> Tensor:
    """What stability training aims at (Zheng et al. 2016), as probabilities (2B, K).

    The label of a clean image; for a distorted one, what is answered for the clean one.  So the
    cross-entropy is half that of the clean images and half the distance to them, alpha = 1.

    Args:
        logits: (2B, K); the second half is of the images of the first, distorted.
        labels: (2B,).

    >>> stable_aims(torch.tensor([[0.0, 0.0], [9.0, 0.0]]), torch.tensor([1, 1])).tolist()
    [[0.0, 1.0], [0.5, 0.5]]
    """
    answers = logits[: len(logits) // 2].float().softmax(1)
    certain = nn.functional.one_hot(labels[: len(answers)], logits.shape[1])
    return torch.cat([certain.to(answers), answers])
