"""A random part of a batch in place of all of it: the same losses in the mean, at a fraction of the cost."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """How much of a batch enters the losses of a step (Section III-B; all of it in the paper).

    Both losses of equation 4 are means, L_r over images and L_q over pixels, so that a random sample
    estimates each without bias.  Passing through the classifier is most of what a step costs.

    Attributes:
        classifier_share: of the images, in (0, 1], that the classifiers see, as many clean as distorted.
        crop: the side in pixels of what enters L_q of an image that the classifiers do not see: one tile,
            at random, of the grid that divides the image, so that each pixel is as likely as any
            other.  None: the whole image.
    """

    classifier_share: float = 1.0
    crop: int | None = None

    @property
    def everything(self) -> bool:
        return self.classifier_share == 1 and self.crop is None

    def seen(self, count: int, groups: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Positions of the images that the classifiers see, and of all others, ascending.

        Args:
            count: images in all: `groups` groups of equal size, one after the other.
            groups: of each as many are seen (1 clean, or 2 clean and distorted); at least one image.
        """
        size = count // groups
        shown = max(1, round(self.classifier_share * size))
        seen = torch.zeros(count, dtype=torch.bool)
        for start in range(0, count, size):
            seen[start + torch.randperm(size, generator=generator)[:shown]] = True
        return seen.nonzero().flatten(), (~seen).nonzero().flatten()

    def tiles(self, pairs: Tensor, generator: torch.Generator) -> Tensor:
        """One tile of each image at random: (B, C, H, W) -> (B, C, crop, crop)."""
        if self.crop is None:
            return pairs
        rows, columns = (side // self.crop for side in pairs.shape[-2:])
        tiles = torch.randint(rows * columns, (len(pairs),), generator=generator).tolist()
        corners = [(tile // columns * self.crop, tile % columns * self.crop) for tile in tiles]
        crops = [
            image[:, top : top + self.crop, left : left + self.crop]
            for image, (top, left) in zip(pairs, corners, strict=True)
        ]
        return torch.stack(crops)
