"""Algorithm 1: training on clean and distorted images (Section III-D).

What learns is the restorer (RecNet, QRNet, MQRNet), the fully connected layers of a classifier
(fine-tuning, Section IV-B2), or both together (end to end, Section III-B).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from qrlib.classifiers import Classifier
from qrlib.data import Splits
from qrlib.distortions import Distortion, distort_for_evaluation, sample
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.training.batches import mix
from qrlib.training.loop import History, LoopSettings, Task, fit
from qrlib.training.microbatches import in_parts
from qrlib.utils import memory
from qrlib.utils.errors import QrlibError, choose


class RecoveryTask(Task):
    """One step of Algorithm 1 a batch; with no distortions, the pretraining on clean images.

    Classifiers are frozen but for the head of `tuned`: gradients pass through them to the restorer
    and stop there.  What is frozen is kept out of the module's parameters, so that no checkpoint
    holds it.

    Args:
        restorer: Q; None leaves the images as they are, for fine-tuning a classifier.
        loss: equation 4 or 5; without classifiers the L1 loss of RecNet.
        classifiers: name -> classifier C_i, the names that `loss` has weights for.
        choices: D with its P_d, from `qrlib.distortions.levels`; empty for the pretraining.
        learning_rate: of the restorer.
        tuned: the classifier whose fully connected layers learn as well.
        tuning_rate: their learning rate.
    """

    restorer: nn.Module | None
    head: nn.Module | None
    classifiers: dict[str, Classifier]

    def __init__(
        self,
        restorer: nn.Module | None,
        loss: RecoveryLoss,
        classifiers: Mapping[str, Classifier],
        choices: dict[str, list[Distortion]],
        *,
        learning_rate: float,
        seed: int,
        tuned: str | None = None,
        tuning_rate: float = 1e-3,
    ) -> None:
        super().__init__()
        head = None
        if tuned is not None:
            head = classifiers[choose("classifier to tune", tuned, classifiers)].head
        self.net = learning_part(restorer, head)
        self.loss = loss
        self.choices = choices
        self.learning_rate = learning_rate
        self.tuning_rate = tuning_rate
        self.seed = seed
        self.__dict__["restorer"] = None if restorer is None else memory.channels_last(restorer)
        self.__dict__["classifiers"] = {
            name: memory.channels_last(
                classifier.set_trainable("fully_connected" if name == tuned else "frozen")
            )
            for name, classifier in classifiers.items()
        }
        self.__dict__["head"] = head
        self.kept: dict[int, Tensor] = {}  # batch -> validation images, distorted

    def optimizer(self) -> torch.optim.Optimizer:
        groups = []
        for part, rate in ((self.restorer, self.learning_rate), (self.head, self.tuning_rate)):
            if part is not None:
                groups.append({"params": list(part.parameters()), "lr": rate})
        return torch.optim.Adam(groups, fused=True)

    def setup(self, stage: str) -> None:
        for classifier in self.classifiers.values():
            classifier.to(self.device)

    def training_step(self, batch: tuple[Tensor, Tensor, list[str]], index: int) -> Tensor:
        images, labels, ids = batch
        clean = images.float() / 255  # b_x*, (B, 3, H, W)
        inputs = targets = clean
        if self.choices:
            step = mix(self.seed, "step", self.current_epoch, index)
            distortion = sample(self.choices, torch.Generator().manual_seed(step))
            noise = torch.Generator(self.device).manual_seed(mix(step, self.global_rank))
            distorted = distortion(clean, noise)  # b_x <- G(b_x*, d, p)
            inputs = torch.cat([clean, distorted])  # b_x_train, (2B, 3, H, W)
            targets = torch.cat([clean, clean])  # b_x_target
            labels = torch.cat([labels, labels])  # b_t_target
        parts = in_parts(self.losses, self.parts, inputs, targets, labels)
        self.check_finite(parts["loss"], index, ids)
        self._log("train", parts, len(images))
        return parts["loss"]

    def validation_step(self, batch: tuple[Tensor, Tensor, list[str]], index: int) -> None:
        images, labels, ids = batch
        clean = images.float() / 255
        inputs = targets = clean
        if self.choices:
            inputs = torch.cat([clean, self._distorted(index, clean, ids)])
            targets = torch.cat([clean, clean])
            labels = torch.cat([labels, labels])
        parts = in_parts(self.losses, self.parts, inputs, targets, labels)
        self._log("val", parts, len(images))

    def release(self) -> None:
        self.kept.clear()

    def _distorted(self, index: int, clean: Tensor, ids: list[str]) -> Tensor:
        """A validation batch, distorted: the same in every epoch, so that a GPU keeps it.

        Its noise is drawn on the CPU, which takes longer than a GPU's whole epoch.
        """
        if index in self.kept:
            return self.kept[index]
        distorted = distort_by_id(clean, ids, self.choices)
        if memory.fits(distorted.nbytes * int(self.trainer.num_val_batches[0]), self.device):
            self.kept[index] = distorted
        return distorted

    def losses(self, inputs: Tensor, targets: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The losses of one batch.  Algorithm 1 prints C(b_x_train) where the text has C(Q(...))."""
        restored = inputs.contiguous(memory_format=torch.channels_last)
        if self.restorer is not None:
            restored = self.restorer(restored)
        logits = {name: classifier(restored) for name, classifier in self.classifiers.items()}
        return self.loss(restored, targets, logits, labels)

    def _log(self, part: str, parts: dict[str, Tensor], count: int) -> None:
        values: dict[str, Any] = {f"{part}_{name}": value for name, value in parts.items()}
        self.log_dict(
            values,
            on_step=False,
            on_epoch=True,
            # A float: Lightning sums the counts of processes and divides by their number, rounded down.
            batch_size=float(count),  # type: ignore[arg-type]
            sync_dist=self.trainer.num_devices > 1,
        )


def distort_by_id(images: Tensor, ids: list[str], choices: dict[str, list[Distortion]]) -> Tensor:
    """Give every validation image one distortion, kind and level decided by its id for good."""
    flat = [(kind, d) for kind, options in choices.items() for d in options]
    groups: dict[int, list[int]] = {}
    for position, name in enumerate(ids):
        groups.setdefault(mix(name, "validation") % len(flat), []).append(position)
    result = torch.empty_like(images)
    for number, members in groups.items():
        chosen = distort_for_evaluation(images[members], [ids[i] for i in members], flat[number][1])
        result[members] = chosen
    return result


def learning_part(restorer: nn.Module | None, head: nn.Module | None) -> nn.Module:
    """What training changes and a run's best.safetensors holds: one of the two, or both by name."""
    if restorer is not None and head is not None:
        return nn.ModuleDict({"restorer": restorer, "head": head})
    part = restorer if head is None else head
    if part is None:
        raise QrlibError("nothing would learn: give a restorer, or a classifier to tune")
    return part


def train_recovery(
    restorer: QRNet | None,
    splits: Splits,
    folder: Path,
    settings: LoopSettings,
    *,
    loss: RecoveryLoss,
    classifiers: Mapping[str, Classifier],
    choices: dict[str, list[Distortion]],
    seed: int,
    name: str,
    fingerprint: dict[str, Any],
    tuned: str | None = None,
    tuning_rate: float = 1e-3,
) -> History:
    """Algorithm 1, or the pretraining before it; arguments as of `RecoveryTask`.

    The pretraining ("initially pretrained with the original images", Section III-D) is the L1 loss
    alone, without choices of distortions and without classifiers: every variant of one seed can
    start from the same pretrained network.

    Leaves the restorer, and the fully connected layers of `tuned`, with the weights of the best
    epoch, in eval mode, on the CPU.
    """
    task = RecoveryTask(
        restorer, loss, classifiers, choices,
        learning_rate=settings.learning_rate, seed=seed, tuned=tuned, tuning_rate=tuning_rate,
    )  # fmt: skip
    history = fit(
        task, splits.train, splits.validation, folder, settings, name=name, fingerprint=fingerprint
    )
    for classifier in classifiers.values():
        classifier.cpu().set_trainable("frozen").eval()
    return history
