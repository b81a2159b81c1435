"""The pictures of the page "Try it": test images, photographs, what the networks make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from qrlib import data, metrics
from qrlib.distortions import distort_for_evaluation, levels
from qrlib.experiments import profiles
from qrlib.models import QRNet
from qrlib.records import per_image, selection, store
from qrlib.report.data_uris import encode_image
from qrlib.report.sample_answers import lost_and_recovered

#: Whole photographs of scikit-image that look well small, and what they show.
PHOTOGRAPHS = {"chelsea": "Cat", "astronaut": "Astronaut", "coffee": "Coffee", "rocket": "Rocket"}
#: The longest side of a picture in the page; a phone restores that in seconds.
LARGEST = 512
#: The level at the start and in the still picture, the middle one.
SHOWN_LEVEL = 3
#: How many test images the page computes again, and the side at which networks are measured.
VERIFIED, MEASURED = 32, 256


def crops(positions: list[int], splits: data.Splits) -> list[dict[str, Any]]:
    """Test images, exactly."""
    entries = []
    for image, label, name in zip(*splits.test[positions], strict=True):
        shown = {
            "label": splits.classes[label].replace("_", " "),
            "answer": int(label),
            "src": _png(image),
        }
        entries.append({"id": name, "kind": "crop", **shown})
    return entries


def _png(image: Tensor) -> str:
    """(3, H, W), uint8."""
    return encode_image(Image.fromarray(image.permute(1, 2, 0).numpy()), "png", optimize=True)


def liveliest(split: data.Split, label: int) -> int:
    """The position of a class's image in which most changes from one 4x4 square to the next.

    What networks make of it plays no part.
    """
    positions = torch.nonzero(split.labels == label).flatten().tolist()
    images, _, _ = split[positions]
    coarse = F.avg_pool2d(images.float(), 4)  # (N, 3, S/4, S/4)
    change = sum(coarse.diff(dim=d).abs().mean((1, 2, 3)) for d in (2, 3))
    return positions[int(torch.as_tensor(change).argmax())]


@torch.no_grad()
def telling(positions: list[int], split: data.Split, judge: nn.Module, net: QRNet) -> int:
    """Which of some test images shows what the paper is about; the first where none does.

    Recognised when clean, not with noise of `SHOWN_LEVEL`, and again when that is restored.
    """
    images, labels, ids = split[positions]
    clean = images.float() / 255  # (N, 3, S, S)
    noisy = distort_for_evaluation(clean, ids, levels()["noise"][SHOWN_LEVEL - 1])
    right = ((judge(x).argmax(1) == labels).numpy() for x in (clean, noisy, net(noisy)))
    _, recovered = lost_and_recovered(*right)
    return int(recovered.argmax())


@torch.no_grad()
def outcomes(
    positions: list[int], split: data.Split, judge: nn.Module, net: QRNet, profile: profiles.Profile
) -> list[dict[str, str]]:
    """Test images that the network wins back from a distortion of `SHOWN_LEVEL`, or loses to it.

    The page's noise is another draw, so that a picture there may turn out otherwise.
    """
    images, labels, ids = split[positions]
    clean = images.float() / 255  # (N, 3, S, S)
    found = []
    for kind, each in levels(**profile.strengths).items():
        distorted = distort_for_evaluation(clean, ids, each[SHOWN_LEVEL - 1])
        before, after = (judge(x).argmax(1) == labels for x in (distorted, net(distorted)))
        for name, was, now in zip(ids, before.tolist(), after.tolist(), strict=True):
            if was != now:
                found.append({"id": name, "kind": kind, "outcome": "win" if now else "loss"})
    return found


def verification(profile: profiles.Profile, variant: str, splits: data.Splits) -> dict[str, Any]:
    """The first test images, and which of them the record says are recognised when blurred and restored.

    Blur has no chance in it, so that the page can compute it again.
    """
    images, labels, _ = splits.test[range(min(VERIFIED, len(splits.test)))]
    results = store.read(profile.name, images=True)
    choice = selection.select(results, profile.choice)
    name = f"{variant}-multiple"
    rows = choice[(choice["restorer"] == name) & (choice["distortion"] == "blur")]
    row = rows[(rows["level"] == SHOWN_LEVEL) & (rows["seed"] == rows["seed"].min())].iloc[0]
    right = per_image.unpack_truth(row["right"], int(row["n"]))[: len(images)]
    return {
        "pictures": [_png(image) for image in images],
        "right": right.tolist(),
        "labels": labels.tolist(),
        "kind": "blur",
        "level": SHOWN_LEVEL,
        "sigma": float(row["strength"]),
        "record": f"records/{profile.name}/{row['record']}",
    }


def _photograph(name: str, side: int) -> Image.Image:
    """One of `PHOTOGRAPHS`, its longer side at most `side`."""
    picture = Image.fromarray(getattr(skimage.data, name)())
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture


@torch.no_grad()
def decibels(net: QRNet) -> float:
    """Mean PSNR on the page's photographs, with noise of `SHOWN_LEVEL` removed: what the page sorts by."""
    values = []
    for name in PHOTOGRAPHS:
        clean = (
            torch.from_numpy(np.array(_photograph(name, MEASURED))).permute(2, 0, 1)[None].float()
            / 255
        )
        noisy = distort_for_evaluation(clean, [name], levels()["noise"][SHOWN_LEVEL - 1])
        values.append(metrics.psnr(net(noisy), clean).item())
    return float(np.mean(values))


def photographs() -> list[dict[str, Any]]:
    """Whole photographs, their longer side `LARGEST` at most."""
    entries = []
    for name, label in PHOTOGRAPHS.items():
        src = encode_image(_photograph(name, LARGEST), "jpeg", quality=88)
        entries.append({"id": name, "kind": "photo", "label": label, "src": src})
    return entries


@torch.no_grad()
def poster(
    net: QRNet, batch: tuple[Tensor, Tensor, list[str]], profile: profiles.Profile
) -> Image.Image:
    """Test images as they are, noisy, restored, blurred, restored; three pixels for each of theirs."""
    images, _, ids = batch
    clean = images.float() / 255  # (N, 3, S, S)
    columns = [clean]
    for each in levels(**profile.strengths).values():
        distorted = distort_for_evaluation(clean, ids, each[SHOWN_LEVEL - 1])
        columns += [distorted, net(distorted)]
    rows = torch.cat(columns, dim=3)  # (N, 3, S, 5 S)
    sheet = torch.cat(list(rows), dim=1).permute(1, 2, 0)  # (N S, 5 S, 3)
    pixels = (sheet * 255).round().to(torch.uint8).numpy()
    return Image.fromarray(np.repeat(np.repeat(pixels, 3, axis=0), 3, axis=1))
