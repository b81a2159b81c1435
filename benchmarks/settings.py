"""What is measured: sizes, rounds, device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qrlib.utils.errors import QrlibError, choose
from qrlib.workflow import environment

#: The groups of contests, in the order in which they run.
GROUPS = ("step", "distort", "infer", "grow", "photo")
#: Where the pictures come from, see `benchmarks.corpus`.
CORPORA = ("photographs", "caltech101")
CLASSIFIERS = ("vgg16", "small_vgg")


@dataclass(frozen=True)
class Settings:
    """All that decides how much work is done.

    Attributes:
        device: "cpu" or "cuda".
        threads: of each contestant, on the CPU.
        small: few images and rounds, for minutes instead of an hour.
        size: side of the images, in pixels.
        batch: clean images a training step; as many distorted ones come on top.
        classifier: one of `CLASSIFIERS`, frozen.
        corpus: one of `CORPORA`.
        images, validation: how many of an epoch; None is all there are.
        rounds: how often each contestant runs, after one run that is not counted.
        distort: images and side of the batch that is distorted.
        photo: megapixels of the photographs that are restored.
    """

    device: str
    threads: int
    small: bool
    size: int
    batch: int
    classifier: str
    corpus: str
    images: int | None
    validation: int | None
    rounds: int
    distort: tuple[int, int] = (32, 224)
    photo: tuple[float, ...] = (3, 6, 12, 24)

    @property
    def distortions(self) -> list[tuple[str, float, int]]:
        """Kind, sigma and kernel (0 for noise) of the ten distortions of Section IV-A, the blur scaled
        with the side of the images as profiles do."""
        from qrlib import distortions

        scale = self.size / 224
        blurs = [sigma * scale for sigma in distortions.BLUR_SIGMAS]
        noises = [("noise", sigma, 0) for sigma in distortions.NOISE_SIGMAS]
        return [*noises, *(("blur", sigma, distortions.kernel_size(sigma)) for sigma in blurs)]


def default(device: str, small: bool | None = None, **chosen: Any) -> Settings:
    """Settings for a device: on a CPU small ones, on a GPU the paper's (224 pixels, batches of 32, all
    of Caltech101).

    Args:
        chosen: what to set otherwise; values that are None are not set.

    Raises:
        QrlibError: a value that cannot be.
    """
    choose("device", device, ("cpu", "cuda"))
    small = device == "cpu" if small is None else small
    values: dict[str, Any] = {"device": device, "threads": environment.cores(), "small": small}
    values |= {"classifier": "vgg16", "rounds": 3 if small else 5}
    if small:
        values |= {"size": 64, "batch": 16, "corpus": "photographs", "images": 48, "validation": 16}
    else:
        values |= {
            "size": 224,
            "batch": 32,
            "corpus": "caltech101",
            "images": None,
            "validation": None,
        }
    values |= {name: value for name, value in chosen.items() if value is not None}
    choose("corpus", values["corpus"], CORPORA)
    choose("classifier", values["classifier"], CLASSIFIERS)
    for name in ("threads", "batch", "rounds"):
        if values[name] < 1:
            raise QrlibError(f"{name} must be at least 1, not {values[name]}")
    if values["size"] < 32:
        raise QrlibError(f"size must be at least 32 pixels, not {values['size']}")
    if values["images"] is not None and values["images"] < 2 * values["batch"]:
        raise QrlibError(
            f"images must be at least two batches, {2 * values['batch']}, not {values['images']}: the "
            "first step of an epoch is not counted as a step"
        )
    return Settings(**values)
