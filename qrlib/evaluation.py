"""Accuracy, PSNR and SSIM for every distortion and level (Sections IV-B to IV-D).

PSNR and SSIM are computed for each image and then averaged, on RGB images in [0, 1] (data range 1).
SSIM is that of Wang et al. 2004: an 11x11 Gaussian window with sigma 1.5, K1 = 0.01, K2 = 0.03, averaged
over the three channels and over the pixels whose window lies inside the image; it equals scikit-image's
with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)
from tqdm import tqdm

from qrlib.data import Split
from qrlib.distortions import CLEAN, Distortion, distort_for_evaluation
from qrlib.utils import memory
from qrlib.utils.errors import QrlibError

#: dB; what 8 bits can tell apart ends at 48, so no restored photograph comes near.
MOST_PSNR = 100.0


def psnr(images: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of each image: (B, 3, H, W) in [0, 1] twice -> (B,).

    Identical images, such as a flat one and its blur, count as `MOST_PSNR`: infinity has no mean.
    """
    each = peak_signal_noise_ratio(images, target, data_range=1.0, reduction="none", dim=(1, 2, 3))
    return each.clamp(max=MOST_PSNR)


def ssim(images: Tensor, target: Tensor) -> Tensor:
    """Structural similarity of each image: (B, 3, H, W) in [0, 1] twice -> (B,).

    Raises:
        QrlibError: images smaller than the window of 11 pixels.
    """
    if min(images.shape[-2:]) < 11:
        raise QrlibError(
            f"SSIM needs images of at least 11x11 pixels, not {tuple(images.shape[-2:])}"
        )
    # torchmetrics' own mean takes in the border, where the window hangs over a mirrored edge.  Its
    # convolutions, a channel each, take twice as long on channels-last images.
    _, each = structural_similarity_index_measure(
        images.contiguous(),
        target.contiguous(),
        data_range=1.0,
        sigma=1.5,
        return_full_image=True,
    )  # (B, 3, H, W)
    return each[..., 5:-5, 5:-5].mean((1, 2, 3))


@torch.no_grad()  # inference_mode would leave weights that no later training can use
def evaluate(
    restorer: nn.Module | None,
    classifiers: Mapping[str, nn.Module],
    split: Split,
    distortions: Sequence[Distortion],
    *,
    batch_size: int = 32,
    name: str = "evaluation",
) -> list[dict[str, Any]]:
    """Evaluate one restorer in front of classifiers, in float32, in a single pass over the images.

    Each image is distorted and restored once, whatever the number of classifiers.  Memory is that of
    one batch, whatever the number of images; where it is too little, half as many images are taken.

    Args:
        restorer: images -> images; None classifies them as they are.
        classifiers: name -> images to logits (B, K); at least one.
        distortions: those to apply; clean images are always evaluated as well.

    Returns:
        One dict for each classifier, distortion and metric: classifier, distortion, level, strength,
        metric ("accuracy", "psnr" in dB, "ssim"), value (mean over images), n (images); with an
        accuracy, right: which images were recognised, (n,) booleans.  PSNR and SSIM do not
        depend on the classifier and stand with each.  The PSNR of clean images without a restorer
        means nothing and is left out.

    Raises:
        QrlibError: no classifier, or too little memory for a single image.
    """
    if not classifiers:
        raise QrlibError("an evaluation needs at least one classifier")
    memory.keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for network in (restorer, *classifiers.values()):
        if network is not None:
            memory.channels_last(network.to(device)).eval()
    cases = [CLEAN, *distortions]
    sums: dict[tuple[Distortion, str], Tensor] = {}
    with tqdm(
        total=len(split) * len(cases), desc=name, unit="img", leave=False, mininterval=10
    ) as bar:
        start = 0
        while start < len(split):
            batch = split[range(start, min(start + batch_size, len(split)))]
            found = _measure(restorer, classifiers, batch, cases, device)
            if isinstance(found, str):
                if batch_size == 1:
                    raise QrlibError(
                        f"{device} has too little memory for an image of {name} ({found}): end what "
                        "else uses it, or take a smaller data.image_size"
                    )
                batch_size //= 2
                tqdm.write(f"{name}: out of memory; trying again with {batch_size} images at once")
                continue
            for key, part in found.items():
                if key not in sums:
                    sums[key] = part
                else:
                    sums[key] = torch.cat([sums[key], part]) if part.ndim else sums[key] + part
            start += len(batch[2])
            bar.update(len(batch[2]) * len(cases))
    rows = []
    for who in classifiers:
        for case in cases:
            for metric in ("accuracy", "psnr", "ssim"):
                total = sums.get((case, f"accuracy {who}" if metric == "accuracy" else metric))
                if total is not None:
                    row = {"classifier": who, "distortion": case.kind, "level": case.level}
                    row |= {"strength": case.sigma, "metric": metric}
                    row |= {"value": total.sum().item() / len(split), "n": len(split)}
                    if metric == "accuracy":
                        row["right"] = total.cpu().numpy()
                    rows.append(row)
    return rows


def _measure(
    restorer: nn.Module | None,
    classifiers: Mapping[str, nn.Module],
    batch: tuple[Tensor, Tensor, list[str]],
    cases: Sequence[Distortion],
    device: torch.device,
) -> dict[tuple[Distortion, str], Tensor] | str:
    """Of one batch by case and metric, on the device, so that nothing waits: sums, float64 scalars, and
    for an accuracy the (B,) truth values.

    A text, what torch said, where memory was too little.
    """
    images, labels, ids = batch
    sums = {}
    try:
        clean = images.to(device).float() / 255
        labels = labels.to(device)
        for case in cases:
            shown = distort_for_evaluation(clean, ids, case)
            shown = shown.contiguous(memory_format=torch.channels_last)
            if restorer is not None:
                shown = restorer(shown).float()
            for who, classifier in classifiers.items():
                sums[case, f"accuracy {who}"] = classifier(shown).argmax(1) == labels
            if restorer is not None or case.kind != "clean":
                sums[case, "psnr"] = psnr(shown, clean).double().sum()
            sums[case, "ssim"] = ssim(shown, clean).double().sum()
    except Exception as error:
        if not memory.ran_out(error):
            raise
        return str(error).strip().splitlines()[0]
    return sums
