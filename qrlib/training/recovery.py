"""Algorithm 1: training a restorer on clean and distorted images (Section III-D)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from qrlib import memory
from qrlib.classifiers import Classifier
from qrlib.data import Splits
from qrlib.distortions import Distortion, distort_for_evaluation, sample
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.training.batches import mix
from qrlib.training.loop import History, LoopSettings, Task, fit


class RecoveryTask(Task):
    """One step of Algorithm 1 a batch; with no distortions, the pretraining on clean images.

    The classifiers are frozen: gradients pass through them to the restorer and stop there.  They are
    kept out of the module's parameters, so that no checkpoint holds them.

    Args:
        net: the restorer Q.
        loss: equation 4 or 5; without classifiers the L1 loss of RecNet.
        classifiers: name -> frozen classifier C_i, the names that `loss` has weights for.
        choices: D with its P_d, from `qrlib.distortions.levels`; empty for the pretraining.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: RecoveryLoss,
        classifiers: Mapping[str, Classifier],
        choices: dict[str, list[Distortion]],
        *,
        learning_rate: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.net = memory.channels_last(net)
        self.loss = loss
        self.choices = choices
        self.learning_rate = learning_rate
        self.seed = seed
        self.__dict__["classifiers"] = {
            name: memory.channels_last(classifier.set_trainable("frozen"))
            for name, classifier in classifiers.items()
        }

    def setup(self, stage: str) -> None:
        for classifier in self.__dict__["classifiers"].values():
            classifier.to(self.device)

    def training_step(self, batch: tuple[Tensor, Tensor, list[str]], index: int) -> Tensor:
        images, labels, _ = batch
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
        parts = self.losses(inputs, targets, labels)
        self.check_finite(parts["loss"])
        self._log("train", parts, len(images))
        return parts["loss"]

    def validation_step(self, batch: tuple[Tensor, Tensor, list[str]], index: int) -> None:
        images, labels, ids = batch
        clean = images.float() / 255
        inputs = targets = clean
        if self.choices:
            inputs = torch.cat([clean, distort_by_id(clean, ids, self.choices)])
            targets = torch.cat([clean, clean])
            labels = torch.cat([labels, labels])
        self._log("val", self.losses(inputs, targets, labels), len(images))

    def losses(self, inputs: Tensor, targets: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The losses of one batch.  Algorithm 1 prints C(b_x_train) where the text has C(Q(...))."""
        restored = self.net(inputs.contiguous(memory_format=torch.channels_last))
        logits = {name: c(restored) for name, c in self.__dict__["classifiers"].items()}
        return self.loss(restored, targets, logits, labels)

    def _log(self, part: str, parts: dict[str, Tensor], count: int) -> None:
        values: dict[str, Any] = {f"{part}_{name}": value for name, value in parts.items()}
        self.log_dict(
            values,
            on_step=False,
            on_epoch=True,
            batch_size=count,
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


def pretrain_recovery(
    net: QRNet,
    splits: Splits,
    folder: Path,
    settings: LoopSettings,
    *,
    seed: int,
    name: str,
    fingerprint: dict[str, Any],
) -> History:
    """Section III-D: "initially pretrained with the original images", here with the L1 loss alone.

    Every variant of one seed can start from the same pretrained network, since no distortion and no
    classifier takes part.
    """
    task = RecoveryTask(
        net, RecoveryLoss(), {}, {}, learning_rate=settings.learning_rate, seed=seed
    )
    return fit(
        task, splits.train, splits.validation, folder, settings, name=name, fingerprint=fingerprint
    )


def train_recovery(
    net: QRNet,
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
) -> History:
    """Algorithm 1 from a pretrained network; leaves `net` with its best weights, in eval mode."""
    task = RecoveryTask(
        net, loss, classifiers, choices, learning_rate=settings.learning_rate, seed=seed
    )
    return fit(
        task, splits.train, splits.validation, folder, settings, name=name, fingerprint=fingerprint
    )
