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
    def trained(what: str) -> tuple[Contestant, ...]:
        return (
            Contestant(OURS, f"training_ours:{what}"),
            Contestant("plain PyTorch", f"training_torch:{what}"),
            Contestant("Keras 3", f"training_keras:{what}", needs=("keras", "cv2"), alone=True),
        )

    sampled = Contestant(f"{OURS}, an eighth seen", "training_ours:epoch", {"share": 0.125})
    kornia = Contestant("Lightning and Kornia", "training_kornia:epoch", needs=("kornia",))
    yield Contest("step", "training", (*trained("epoch"), sampled, kornia, *_RATES))
    yield Contest("step", "update on a ready batch", trained("update"))


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
        # Compiling a classifier as well takes minutes on few cores.
        compiled = () if settings.small and classify else (("torch.compile", "compiled", ()),)
        for batch in (1, 64):
            contestants = (
                Contestant(name, f"infer:{function}", {"classify": classify, "batch": batch}, needs)
                for name, function, needs in (
                    (OURS, "ours", ()),
                    ("PyTorch", "eager", ()),
                    *compiled,
                    ("ONNX Runtime", "onnxruntime", ("onnx", "onnxruntime")),
                    ("OpenVINO", "openvino", ("openvino",)),
                )
            )
            yield Contest("infer", f"{what}, batch of {batch}", tuple(contestants))


def _grow(settings: Settings) -> Iterator[Contest]:
    batch = max(4, settings.batch // 2)
    few: dict[str, Any] = {"images": 3 * batch, "validation": batch, "batch": batch}
    if settings.small:
        few["classifier"] = "small_vgg"
    batches = (batch // 2, batch, 2 * batch, 4 * batch)
    sides = [settings.size * n // 4 for n in (2, 4, 6, 8)]
    epoch, levels = "training_ours:epoch", "levels of evaluation, of noise and of blur each"
    per_step = {n: {"batch": n, "images": 3 * n, "validation": n} for n in batches}
    yield _growth("images a step, clean", epoch, few, per_step)
    yield _growth("pixels of an image", epoch, few, {side**2: {"size": side} for side in sides})
    yield _growth("classifiers", epoch, few, {n: {"count": n} for n in (1, 2, 3, 4)})
    yield _growth(levels, "evaluating_ours:levels", few, {n: {"count": n} for n in (1, 2, 3, 5)})
    seeds = {n: {"count": n} for n in (1, 2, 3)}
    yield _growth("seeds, an epoch each", "training_ours:seeds", few, seeds)


def _growth(
    case: str, setup: str, few: dict[str, Any], points: dict[int, dict[str, Any]]
) -> Contest:
    contestants = (
        Contestant(f"{n}", setup, {**few, **options}, amount=n) for n, options in points.items()
    )
    return Contest("grow", case, tuple(contestants), rounds=3)


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
