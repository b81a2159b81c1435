"""Restoring photographs of any size with a trained network, tile by tile.

QRNet (Table 1) is fully convolutional, so it takes an image of any size at once, but then holds some
70 feature maps of that size: 3.4 GB for 12 megapixels.  `recover` computes squares of the image one by
one instead, each from a region that is larger by the network's reach, and gives the same numbers.

The networks know what they were trained on: noise and blur as in Section IV-A, on images squashed to
the profile's size, 224 pixels for caltech101-day.  A large photograph is outside of that training.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from qrlib.inference import photo, recognition
from qrlib.models import CHANNELS, QRNet, load_qrnet, shipped_profile
from qrlib.utils import memory
from qrlib.utils.errors import QrlibError

#: Sides that QRNet takes without padding are multiples of this, as four poolings halve them.
STEP = 2 ** (len(CHANNELS) - 1)
#: Side of the square that one step restores.  12 megapixels then peak at 1.05 GiB, of which 0.55 are
#: torch itself; with 1024 they take a tenth less processor time and 1.4 GiB, at once 4 GiB.
TILE = 512
Box = tuple[slice, slice]


def reach(net: QRNet) -> int:
    """How far beyond a square aligned to `STEP` the input still decides the output in it, in pixels.

    94 for QRNet and 47 for small QRNet.  Followed back from the output: every 3x3 convolution adds
    one pixel of its level; a transposed convolution halves the distance, rounded up; a pooling
    doubles it.  The longest way is the one through the bottleneck; skip connections are shorter.
    A single pixel of QRNet's output sees up to 13 pixels farther on one side, and less on the other,
    since it shares the cells of the poolings with its neighbours.
    """
    convs = sum(isinstance(layer, nn.Conv2d) for layer in net.encoder[0].children())  # type: ignore[union-attr]
    pixels = convs  # at full resolution, in the last decoder block
    for _ in CHANNELS[1:]:
        pixels = -(-pixels // 2) + convs  # transposed convolution, block; lastly the bottleneck
    for _ in CHANNELS[1:]:
        pixels = 2 * pixels + convs  # pooling, encoder block
    return pixels


def tiles(height: int, width: int, tile: int, margin: int) -> Iterator[tuple[Box, Box]]:
    """Cut an image into squares, row by row.

    Yields:
        the rows and columns of a square of side `tile` (smaller at the lower and right border), and
        those of the region to compute it from: `margin` more on each side, as far as the image goes.
        Every region starts at multiples of `STEP` if `tile` and `margin` are such.
    """
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            rows = slice(max(top - margin, 0), min(bottom + margin, height))
            columns = slice(max(left - margin, 0), min(right + margin, width))
            yield (slice(top, bottom), slice(left, right)), (rows, columns)


@torch.no_grad()
def recover(
    images: Tensor,
    net: QRNet,
    *,
    tile: int = TILE,
    device: torch.device | str | None = None,
) -> Tensor:
    """Restore images as ``net(images)`` does in evaluation mode, in float32, whatever their size.

    The result equals that of the whole image up to the rounding of sums, since each tile is computed
    with a margin of at least `reach`.  Memory beside images and result is that of one tile.  More
    than one tile shows a progress bar.

    Args:
        images: (B, 3, H, W), float32 in [0, 1] or uint8 in [0, 255], H and W of at least 1.
        net: is moved to `device`; its mode is left as it was.
        tile: side of the squares, a multiple of 16.
        device: None means the GPU where there is one.

    Returns:
        As `images` in shape, type, range and device; uint8 is rounded.

    Raises:
        QrlibError: wrong shape, type or tile; memory is short; the network gives NaN.
    """
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
        raise QrlibError(f"images must have shape (B, 3, H, W), not {tuple(images.shape)}")
    if images.dtype not in (torch.float32, torch.uint8):
        raise QrlibError(f"images must be float32 in [0, 1] or uint8, not {images.dtype}")
    if type(tile) is not int or tile < STEP or tile % STEP:
        raise QrlibError(f"tile must be a multiple of {STEP} of at least {STEP}, not {tile!r}")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    margin = -(-reach(net) // STEP) * STEP
    height, width = images.shape[2:]
    boxes = list(tiles(height, width, tile, margin))
    restored = torch.empty_like(images)
    # `memory.keep_freed_memory` stays off: here it doubles the peak, as freed tiles leave gaps.
    total = len(images) * len(boxes)
    bar = tqdm(
        total=total, desc="recover", unit="tile", leave=False, mininterval=0.5, disable=total < 2
    )
    with bar, _evaluating(memory.channels_last(net.to(device))), _out_of_memory(tile):
        for source, target in zip(images, restored, strict=True):
            for (rows, columns), (outer_rows, outer_columns) in boxes:
                region = source[None, :, outer_rows, outer_columns].to(device)  # (1, 3, h, w)
                if images.dtype == torch.uint8:
                    region = region.float().div_(255)
                result = net(region.contiguous(memory_format=torch.channels_last))[0]
                top, left = rows.start - outer_rows.start, columns.start - outer_columns.start
                core = result[
                    :,
                    top : top + rows.stop - rows.start,
                    left : left + columns.stop - columns.start,
                ]
                if not torch.isfinite(core).all():
                    raise QrlibError("the network gives NaN; its weights, or the images, hold some")
                if images.dtype == torch.uint8:
                    core = core.mul(255).round_().clamp_(0, 255)
                target[:, rows, columns] = core.to(target.dtype).to(target.device)
                bar.update()
    return restored


@contextlib.contextmanager
def _evaluating(net: nn.Module) -> Iterator[None]:
    """Evaluation mode and full float32: by default cuDNN rounds the factors of convolutions to TF32."""
    training, tf32 = net.training, torch.backends.cudnn.allow_tf32
    net.eval()
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = tf32
        net.train(training)


@contextlib.contextmanager
def _out_of_memory(tile: int) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not memory.ran_out(error):
            raise
        raise QrlibError(
            f"not enough memory for a tile of {tile} pixels; give a smaller --tile, such as "
            f"{max(STEP, tile // 2 // STEP * STEP)}"
        ) from error


@dataclasses.dataclass(frozen=True)
class Report:
    """What `recover_file` did; sizes in pixels."""

    path: Path
    width: int
    height: int
    tiles: int
    seconds: float
    profile: str
    pages: int
    seen: tuple[list[tuple[str, float]], ...] = ()  # before and after, by `recognition.recognise`

    def __str__(self) -> str:
        tiles = f"{self.tiles} tile" if self.tiles == 1 else f"{self.tiles} tiles"
        page = f"page 1 of {self.pages}, " if self.pages > 1 else ""
        done = (
            f"{self.path}: {page}{self.width}x{self.height} pixels, {tiles}, {self.seconds:.1f} s, "
            f"network of profile {self.profile}"
        )
        answers = [", ".join(f"{name} {c:.0%}" for name, c in classes) for classes in self.seen]
        return "\n".join([done, *map("{}: {}".format, ("seen before", "seen after"), answers)])


def _channels_first(pixels: np.ndarray) -> Tensor:
    """A view (3, H, W) of (H, W, 3), or of (H, W) as three equal channels, without a copy."""
    tensor = torch.from_numpy(pixels)
    return tensor.expand(3, -1, -1) if tensor.ndim == 2 else tensor.permute(2, 0, 1)


def recover_file(
    source: str | Path,
    target: str | Path,
    *,
    profile: str | None = None,
    variant: str = "qrnet",
    seed: int = 0,
    tile: int = TILE,
    overwrite: bool = False,
    max_pixels: int | None = None,
    explain: bool = False,
) -> Report:
    """Restore the photograph `source` with a shipped network and write it to `target`.

    What can be read and written, and what becomes of grey, transparent or CMYK images, says
    `qrlib.inference.photo`; a grey photograph stays grey, the restored alpha channel is the original one.
    Memory is that of one tile and at most 8 bytes a pixel for the images.

    Args:
        profile, variant, seed: of the weights, see `qrlib.load_qrnet`.
        tile: as in `recover`.
        overwrite: replace `target` if it is there; `source` itself is never replaced.
        max_pixels: as in `qrlib.inference.photo.read`.
        explain: report what an ImageNet classifier sees in the photograph before and after.

    Raises:
        QrlibError: as `qrlib.inference.photo.read`, `check_target`, `check_format` and `write`, `load_qrnet` and
            `recover` say.  Nothing is written then.
    """
    start = time.perf_counter()
    photo.check_target(source, target, overwrite)
    profile = profile or shipped_profile(variant, seed)
    net = load_qrnet(profile, variant, seed)
    if explain:
        recognition.classifier()  # one that is not installed is named before the work
    original = photo.read(source, max_pixels)
    photo.check_format(original, target)
    grey = original.pixels.ndim == 2
    height, width = original.pixels.shape[:2]
    image = _channels_first(original.pixels)
    restored = recover(image[None], net, tile=tile)[0].permute(1, 2, 0).contiguous().numpy()
    restored = photo.to_grey(restored) if grey else restored
    shown = (image, _channels_first(restored)) if explain else ()
    seen = tuple(map(recognition.recognise, shown))
    alpha, icc_profile, pages = original.alpha, original.icc_profile, original.pages
    del original, image, shown
    photo.write(photo.Photo(restored, alpha, icc_profile), target, overwrite)
    return Report(
        Path(target),
        width,
        height,
        -(-height // tile) * -(-width // tile),
        time.perf_counter() - start,
        profile,
        pages,
        seen,
    )
