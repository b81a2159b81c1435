"""A batch in parts, for a device whose memory holds too little for all of it at once.

Each part's activations are let go and computed again when its gradient is, and the gradients of all
parts add up: the loss, its gradient and the batch that the optimiser sees stay what they were, to
rounding.  So do the distortions, which are drawn before, for the whole batch.  Dropout draws part by
part, and a classifier that learns whole normalises part by part.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.utils.checkpoint import checkpoint


def in_parts(
    function: Callable[..., dict[str, Tensor]], parts: int, *tensors: Tensor
) -> dict[str, Tensor]:
    """Means over a batch, one part of it in memory at a time.

    Args:
        function: from tensors of some images to means over these images, by name.
        parts: in how many; 1 is the whole batch.  None has fewer than one image.
        tensors: (B, ...) each.
    """
    count = len(tensors[0])
    parts = min(parts, count)
    if parts == 1:
        return function(*tensors)
    means: dict[str, Tensor] = {}
    for part in zip(*(tensor.tensor_split(parts) for tensor in tensors), strict=True):
        part_means = checkpoint(function, *part, use_reentrant=False)
        for name, mean in part_means.items():
            share = mean * (len(part[0]) / count)
            means[name] = means[name] + share if name in means else share
    return means
