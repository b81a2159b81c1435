"""How long a whole profile would take on 1, 8 or 64 GPUs: an estimate, not measured on any of ours.

Counted: the floating-point operations of every run of the graph, from the networks themselves.
Measured: seconds an epoch of one such run, the paper's on its GPU (Section IV-B1) or ours on a
processor, which give the rate that the rest is divided by.  Assumed: that the rate holds for all runs,
and how many epochs early stopping lets a run have.  Then the graph is laid out over the GPUs, each run
on one, the longest chains first.
"""

from __future__ import annotations

import dataclasses
import functools
import heapq
from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from qrlib import classifiers, experiments, reference, store
from qrlib.experiments import Experiment
from qrlib.models import QRNet
from qrlib.profiles import Classifier, Profile
from qrlib.rendering import Rendered, grid

#: Images of Caltech101's 101 classes in training, validation and testing (Section IV-A).
IMAGES = {"train": 5_552, "validation": 1_389, "test": 1_736}
CLASSES = 101
#: Distortions of an evaluation, with none as one of them and five levels of noise and of blur.
CASES = 11
GPUS = (1, 8, 64)
#: Runs whose recorded times are held against their operations.
COMPARED = {
    "QRNet": "qrnet-multiple-vgg16-seed0",
    "RecNet": "recnet-multiple-seed0",
    "small QRNet": "small_qrnet-multiple-vgg16-seed0",
    "MQRNet": "mqrnet-multiple-vgg16-inception_v3-seed0",
    "fine-tuning": "finetuned-multiple-vgg16-seed0",
}


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of the graph: what it computes, in floating-point operations, and after what."""

    name: str
    epoch: float
    once: float
    after: tuple[str, ...]
    epochs: int | None

    def operations(self, epochs: int) -> float:
        """All of it, if early stopping lets it have so many epochs."""
        return self.once + self.epoch * (epochs if self.epochs is None else self.epochs)


@functools.cache
def restorer_flops(side: int, convs: int = 2) -> tuple[float, float]:
    """Of one image through QRNet: forward alone, and forward with backward."""
    with torch.device("meta"):
        net = QRNet(convs)
        image = torch.empty(1, 3, side, side)
        return _count(lambda: net(image)), _count(lambda: net(image).sum().backward())


@functools.cache
def classifier_flops(settings: Classifier, side: int) -> tuple[float, float]:
    """Of one image through a frozen classifier: forward, and with the gradient back to the image."""
    with torch.device("meta"):
        net: nn.Module = classifiers.build(
            settings.name, CLASSES, weights=None, image_size=side,
            head_width=settings.head_width, input_size=settings.input_size,
        ).set_trainable("frozen")  # fmt: skip
        image = torch.empty(1, 3, side, side, requires_grad=True)
        forward = _count(lambda: net(image.detach()))
        return forward, _count(lambda: net(image).sum().backward())


def _count(work: object) -> float:
    with FlopCounterMode(display=False) as counter:
        work()  # type: ignore[operator]
    return float(counter.get_total_flops())


def job(x: Experiment, images: Mapping[str, int] | None = None) -> Job:
    """What one experiment of a profile of Caltech101 computes; with all its images, unless said."""
    images = images or IMAGES
    side = x.profile.data.image_size
    judges = [classifier_flops(x.judged_by(role).classifier, side) for role in x.judges]
    if x.variant == "none":  # features once, then the head, which costs next to nothing
        seen = images["train"] + images["validation"] + CASES * images["test"]
        return Job(x.classifier_run, 0.0, seen * judges[0][0], (), None)
    forward, step = restorer_flops(side, x.what.convs_per_block)
    if "restorer" not in x.what.learns:
        forward = step = 0.0
    guides = [classifier_flops(x.judged_by(role).classifier, side) for role in x.what.losses]
    through = sum(guide[0] for guide in guides)
    # Gradients pass through a classifier only if there is a restorer before it.
    back = sum(guide[1] for guide in guides) if "restorer" in x.what.learns else through
    double = 1 if x.distortions == "clean" else 2  # Algorithm 1: each image clean and distorted
    epoch = images["train"] * (step + back) + images["validation"] * (forward + through)
    # One pass of the restorer serves all judges.
    once = CASES * images["test"] * (forward + sum(j[0] for j in judges)) if judges else 0.0
    after = [x.start.recovery_run] if x.start else []
    after += [x.judged_by(role).classifier_run for role in (*x.what.losses, *x.judges)]
    pretraining = x.profile.recovery.pretrain_epochs if x.distortions == "clean" else None
    return Job(x.recovery_run, double * epoch, once, tuple(dict.fromkeys(after)), pretraining)


def jobs(profile: Profile) -> list[Job]:
    """All runs of a profile of Caltech101, each after what it needs."""
    return [job(x) for x in experiments.plan(profile)]


def paper_rate(profile: Profile) -> float:
    """Operations a second of the paper's GPU: what an epoch of QRNet computes, in 167 s."""
    seconds = float(reference.setting("training epoch, QRNet with VGG16, Caltech101"))
    return job(experiments.timed(profile)).epoch / seconds


def recorded_rate(profile: Profile) -> float:
    """Operations a second of a recorded training of QRNet, in its fastest epoch.

    Raises:
        QrlibError: there is no such record.
    """
    x = experiments.timed(profile)
    training = store.read_record(profile.name, x.recovery_run)["training"]
    seconds = min(row["seconds"] for row in training["epochs"])
    return job(x, training["images"]).epoch / seconds


def shares(profile: Profile) -> dict[str, tuple[float, float]]:
    """Of an epoch of QRNet: the operations of each of `COMPARED`, and the recorded seconds.

    Their difference is what the estimate errs by in taking one rate for all.
    """
    known = {x.recovery_run: x for x in experiments.plan(profile)}
    found = {}
    for kind, name in COMPARED.items():
        training = store.read_record(profile.name, name)["training"]
        seconds = min(row["seconds"] for row in training["epochs"])
        found[kind] = (job(known[name], training["images"]).epoch, seconds)
    operations, seconds = found["QRNet"]
    return {kind: (o / operations, s / seconds) for kind, (o, s) in found.items()}


def hours(
    work: Sequence[Job], gpus: int, rate: float, epochs: int
) -> tuple[float, float, list[str]]:
    """The graph laid out over `gpus`, each run on one; longest remaining chain first.

    Returns:
        Hours until the last run ends, the share of that time in which a GPU is busy, and the chain of
        runs that ends last, each waiting for the one before.
    """
    seconds = {j.name: j.operations(epochs) / rate for j in work}
    behind: dict[str, float] = {}
    for j in reversed(work):  # a run stands after what it needs
        rest = [behind[other.name] for other in work if j.name in other.after]
        behind[j.name] = seconds[j.name] + max(rest, default=0.0)
    ended: dict[str, float] = {}
    last: dict[str, str | None] = {}
    ran: dict[int, str] = {}  # the last run of each GPU
    free = [(0.0, gpu) for gpu in range(gpus)]
    waiting = list(work)
    while waiting:
        at, gpu = heapq.heappop(free)
        ready = [j for j in waiting if all(n in ended and ended[n] <= at for n in j.after)]
        if not ready:  # idle until the next run ends
            heapq.heappush(free, (min(t for t in ended.values() if t > at), gpu))
            continue
        chosen = max(ready, key=lambda j: behind[j.name])
        waiting.remove(chosen)
        ended[chosen.name] = at + seconds[chosen.name]
        held = [n for n in chosen.after if ended[n] == at]
        last[chosen.name] = held[0] if held else ran.get(gpu)
        ran[gpu] = chosen.name
        heapq.heappush(free, (ended[chosen.name], gpu))
    end = max(ended, key=lambda name: ended[name])
    chain: list[str] = []
    name: str | None = end
    while name is not None:
        chain.append(name)
        name = last[name]
    total = ended[end]
    return total / 3600, sum(seconds.values()) / (gpus * total), chain[::-1]


def table(profile: Profile, epochs: Sequence[int] = (20, 50, 200)) -> Rendered:
    """Hours on `GPUS` GPUs as fast as the paper's, for several numbers of epochs."""
    work, rate = jobs(profile), paper_rate(profile)
    rows = []
    for count in epochs:
        for gpus in GPUS:
            took, busy, _ = hours(work, gpus, rate, count)
            rows.append([str(count), str(gpus), f"{took:.0f}", f"{busy:.0%}"])
    caption = (
        f"An estimate, not a measurement: {len(work)} runs on GPUs that compute "
        f"{rate / 1e12:.1f} TFLOP/s, as the paper's did."
    )
    return grid(
        ["epochs a run", "GPUs", "hours", "GPUs busy"], rows, caption, f"estimate-{profile.name}"
    )
