"""All contests.  The first contestant of each is what the others are compared with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.contest import OURS, Contest, Contestant
from benchmarks.settings import Settings

_RATES = (
    Contestant("matrix product", "machine_rates:product", rate=True),
    Contestant("copy in memory", "machine_rates:copy", rate=True),
)


def contests(group: str, settings: Settings) -> Iterator[Contest]:
    """The contests of a group."""
    makers = {"step": _step, "distort": _distort, "infer": _infer, "grow": _grow, "photo": _photo}
    yield from makers[group](settings)


def _step(settings: Settings) -> Iterator[Contest]:
    keras = ("keras", "cv2")
    yield Contest(
        "step",
        "training",
        (
            Contestant(OURS, "training_ours:epoch"),
            Contestant("plain PyTorch", "training_torch:epoch"),
            Contestant("Keras 3", "training_keras:epoch", needs=keras, alone=True),
            Contestant("Lightning and Kornia", "training_kornia:epoch", needs=("kornia",)),
            *_RATES,
        ),
    )
    yield Contest(
        "step",
        "update on a ready batch",
        (
            Contestant(OURS, "training_ours:update"),
            Contestant("plain PyTorch", "training_torch:update"),
            Contestant("Keras 3", "training_keras:update", needs=keras, alone=True),
        ),
    )


def _distort(settings: Settings) -> Iterator[Contest]:
    for kind, sigma in (("blur", 2.0), ("blur", 6.0), ("blur", 10.0), ("noise", 60.0)):
        options = {"kind": kind, "sigma": sigma}
        contestants = (
            Contestant(OURS, "distort:ours", options),
            Contestant("torchvision", "distort:torchvision", options),
            Contestant("Kornia", "distort:kornia", options, ("kornia",)),
            Contestant("scikit-image", "distort:skimage", options),
            Contestant("OpenCV", "distort:opencv", options, ("cv2",)),
        )
        yield Contest("distort", f"{kind}, sigma {sigma:g}", contestants, rounds=9)


def _infer(settings: Settings) -> Iterator[Contest]:
    for classify, what in ((False, "QRNet"), (True, f"QRNet and {settings.classifier}")):
        for batch in (1, 64):
            options = {"classify": classify, "batch": batch}
            left = {**options, "left_out": settings.small and classify}
            yield Contest(
                "infer",
                f"{what}, batch of {batch}",
                (
                    Contestant(OURS, "infer:ours", options),
                    Contestant("PyTorch", "infer:eager", options),
                    Contestant("torch.compile", "infer:compiled", left),
                    Contestant(
                        "ONNX Runtime", "infer:onnxruntime", options, ("onnx", "onnxruntime")
                    ),
                    Contestant("OpenVINO", "infer:openvino", options, ("openvino",)),
                ),
            )


def _grow(settings: Settings) -> Iterator[Contest]:
    batch = max(4, settings.batch // 2)
    few: dict[str, Any] = {"images": 3 * batch, "validation": batch, "batch": batch}
    if settings.small:
        few["classifier"] = "small_vgg"
    batches = (batch // 2, batch, 2 * batch, 4 * batch)
    yield _growth(
        "images a step, clean",
        "training_ours:epoch",
        {n: {**few, "batch": n, "images": 3 * n, "validation": n} for n in batches},
    )
    sides = [settings.size * n // 4 for n in (2, 4, 6, 8)]
    yield _growth(
        "pixels of an image",
        "training_ours:epoch",
        {side**2: {**few, "size": side} for side in sides},
    )
    yield _growth(
        "classifiers", "training_ours:epoch", {n: {**few, "count": n} for n in (1, 2, 3, 4)}
    )
    yield _growth(
        "levels of evaluation, of noise and of blur each",
        "evaluating_ours:levels",
        {n: {**few, "count": n} for n in (1, 2, 3, 5)},
    )
    yield _growth(
        "seeds, an epoch each", "training_ours:seeds", {n: {**few, "count": n} for n in (1, 2, 3)}
    )


def _growth(what: str, setup: str, points: dict[int, dict[str, Any]]) -> Contest:
    contestants = (Contestant(f"{n}", setup, options, amount=n) for n, options in points.items())
    return Contest("grow", what, tuple(contestants), rounds=3)


def _photo(settings: Settings) -> Iterator[Contest]:
    sizes = (
        Contestant(f"{n:g}", "photo_ours:file", {"megapixels": n}, amount=n) for n in settings.photo
    )
    yield Contest(
        "photo", "megapixels, from file to file", tuple(sizes), 1 if settings.small else 3, False
    )
    fits = {"megapixels": min(1.5, *settings.photo)}
    yield Contest(
        "photo",
        f"photo of {fits['megapixels']:g} megapixels",
        (
            Contestant(OURS, "photo_ours:tiled", fits),
            Contestant("the whole image at once", "photo_ours:whole", fits),
        ),
        rounds=2,
    )
