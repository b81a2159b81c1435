"""Algorithm 1: training on clean and distorted images (Section III-D).

What learns is the restorer (RecNet, QRNet, MQRNet), the fully connected layers of a classifier
(fine-tuning, Section IV-B2), or both together (end to end, Section III-B).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from qrlib.classifiers import Classifier
from qrlib.data import Splits
from qrlib.distortions import Distortion, sample
from qrlib.losses import RecoveryLoss, quality_loss
from qrlib.training.aims import AIMS, answers_to, stable_aims
from qrlib.training.batches import distort_by_id, mix
from qrlib.training.kept_features import KeptFeatures
from qrlib.training.loop import History, LoopSettings, fit
from qrlib.training.microbatches import in_parts
from qrlib.training.sampling import Sampling
from qrlib.training.task import Task
from qrlib.utils import memory
from qrlib.utils.errors import QrlibError, choose


@dataclass(frozen=True)
class Networks:
    """What takes part in a training.

    No `nn.Module`, so that Lightning counts only `RecoveryTask.net` among the parameters of the task: what
    is frozen is in no checkpoint and no optimiser.

    Attributes:
        restorer: Q; None leaves the images as they are, for fine-tuning a classifier.
        classifiers: name -> C_i, frozen but for the head of the tuned one.
        head: the fully connected layers that learn; None: none.
    """

    restorer: nn.Module | None
    classifiers: dict[str, Classifier]
    head: nn.Module | None


class RecoveryTask(Task):
    """One step of Algorithm 1 a batch; with no distortions, the pretraining on clean images.

    Classifiers are frozen but for the head of `tuned`: gradients pass through them to the restorer
    and stop there.

    Args:
        restorer: Q; None leaves the images as they are, for fine-tuning a classifier.
        loss: equation 4 or 5; without classifiers the L1 loss of RecNet.
        classifiers: name -> classifier C_i, the names that `loss` has weights for.
        choices: D with its P_d, from `qrlib.distortions.levels`; empty for the pretraining.
        learning_rate: of the restorer.
        tuned: the classifier whose fully connected layers learn as well.
        tuning_rate: their learning rate.
        sampling: how much of a batch enters the losses.
        micro_batches: parts in which a batch goes through the device.
        aims: one of `AIMS`.
        keep_features: without a restorer, go through the frozen backbone once, not once an epoch, with
            the images that are the same in each: clean ones, and all for validation.
    """

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
        sampling: Sampling | None = None,
        micro_batches: int = 1,
        aims: str = "labels",
        keep_features: bool = False,
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
        self.sampling = sampling or Sampling()
        self.micro_batches = micro_batches
        self.aims = choose("aims", aims, AIMS)
        if aims == "stable" and (restorer is not None or micro_batches > 1):
            raise QrlibError(
                "stability training is for a classifier without a restorer, and compares the two halves of a "
                "batch: set recovery.micro_batches to 1"
            )
        self.networks = Networks(
            None if restorer is None else memory.channels_last(restorer),
            {
                name: memory.channels_last(
                    classifier.set_trainable("fully_connected" if name == tuned else "frozen")
                )
                for name, classifier in classifiers.items()
            },
            head,
        )
        self.distorted: dict[int, Tensor] = {}  # batch -> validation images, distorted
        self.features: KeptFeatures | None = None
        if keep_features and restorer is None and choices:
            self.features = KeptFeatures()

    @property
    def less_memory(self) -> str:  # type: ignore[override]
        if self.features is not None or self.aims == "stable":
            return "make recovery.batch_size smaller"
        others = "" if self.networks.head is None else " and other draws of dropout"
        return f"raise recovery.micro_batches, which changes results by rounding{others} alone"

    def optimizer(self) -> torch.optim.Optimizer:
        rates = (
            (self.networks.restorer, self.learning_rate),
            (self.networks.head, self.tuning_rate),
        )
        groups = [
            {"params": list(part.parameters()), "lr": rate}
            for part, rate in rates
            if part is not None
        ]
        return torch.optim.Adam(groups, fused=True)

    def setup(self, stage: str) -> None:
        for classifier in self.networks.classifiers.values():
            classifier.to(self.device)

    def training_step(self, batch: tuple[Tensor, Tensor, list[str]], index: int) -> Tensor:
        images, labels, ids = batch
        clean = images.float() / 255  # b_x*, (B, 3, H, W)
        inputs = targets = clean
        step = mix(self.seed, "step", self.current_epoch, index)
        if self.choices:
            distortion = sample(self.choices, torch.Generator().manual_seed(step))
            noise = torch.Generator(self.device).manual_seed(mix(step, self.global_rank))
            distorted = distortion(clean, noise)  # b_x <- G(b_x*, d, p)
            inputs = torch.cat([clean, distorted])  # b_x_train, (2B, 3, H, W)
            targets = torch.cat([clean, clean])  # b_x_target
            labels = torch.cat([labels, labels])  # b_t_target
        if self.features is not None:
            losses = self.tuning_losses([(clean, ids), (distorted, None)], labels)
        elif self.sampling.everything or self.networks.restorer is None:
            losses = in_parts(self.losses, self.micro_batches, inputs, targets, labels)
        else:
            groups = len(inputs) // len(clean)
            losses = self.sampled_losses(inputs, targets, labels, groups, mix(step, "sampling"))
        self.check_finite(losses["loss"], index, ids)
        self._log("train", losses, len(images))
        return losses["loss"]

    def validation_step(self, batch: tuple[Tensor, Tensor, list[str]], index: int) -> None:
        images, labels, ids = batch
        clean = images.float() / 255
        inputs = targets = clean
        if self.choices:
            inputs = torch.cat([clean, self._distorted(index, clean, ids)])
            targets = torch.cat([clean, clean])
            labels = torch.cat([labels, labels])
        if self.features is None:
            losses = in_parts(self.losses, self.micro_batches, inputs, targets, labels)
        else:
            again = [f"{name}, distorted" for name in ids]
            losses = self.tuning_losses([(clean, ids), (inputs[len(clean) :], again)], labels)
        self._log("val", losses, len(images))

    def _distorted(self, index: int, clean: Tensor, ids: list[str]) -> Tensor:
        """A validation batch, distorted: the same in every epoch, so that a GPU keeps it.

        Its noise is drawn on the CPU, which takes longer than a GPU's whole epoch.
        """
        if index in self.distorted:
            return self.distorted[index]
        distorted = distort_by_id(clean, ids, self.choices)
        if memory.fits(distorted.nbytes * int(self.trainer.num_val_batches[0]), self.device):
            self.distorted[index] = distorted
        return distorted

    def restore(self, inputs: Tensor) -> Tensor:
        images = inputs.contiguous(memory_format=torch.channels_last)
        return images if self.networks.restorer is None else self.networks.restorer(images)

    def losses(self, inputs: Tensor, targets: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The losses of one batch.  Algorithm 1 prints C(b_x_train) where the text has C(Q(...))."""
        restored = self.restore(inputs)
        logits = {
            name: classifier(restored) for name, classifier in self.networks.classifiers.items()
        }
        return self._means(restored, targets, logits, labels)

    def _means(
        self, restored: Tensor, targets: Tensor, logits: dict[str, Tensor], labels: Tensor
    ) -> dict[str, Tensor]:
        """The losses, and for validation the accuracies."""
        aims = labels
        if self.aims == "answers":
            (classifier,) = self.networks.classifiers.values()
            aims = answers_to(classifier, targets)
        elif self.aims == "stable":
            (answers,) = logits.values()
            aims = stable_aims(answers, labels)
        means = self.loss(restored, targets, logits, aims)
        if not self.training:
            for name, given in logits.items():
                means[f"{name}_accuracy"] = (given.argmax(1) == labels).float().mean()
        return means

    def tuning_losses(
        self, groups: list[tuple[Tensor, list[str] | None]], labels: Tensor
    ) -> dict[str, Tensor]:
        """The loss of fine-tuning, from images and the names under which their features are kept."""
        assert self.features is not None
        ((name, classifier),) = self.networks.classifiers.items()
        features = torch.cat([self.features.of(classifier, *group) for group in groups])  # (2B, F)
        return self._means(features, features, {name: classifier.head(features)}, labels)

    def sampled_losses(
        self, inputs: Tensor, targets: Tensor, labels: Tensor, groups: int, seed: int
    ) -> dict[str, Tensor]:
        """The same from a sample; their means over many seeds, and those of their gradients, are the same.

        A restorer of a wide receptive field sees less around the border of a tile than it would in the
        whole image: up to that.

        Args:
            groups: 2 where the second half of the batch is the first one distorted, else 1.
            seed: of the sample.
        """
        generator = torch.Generator().manual_seed(seed)
        seen, unseen = self.sampling.seen(len(inputs), groups, generator)
        losses = in_parts(
            self.losses, self.micro_batches, inputs[seen], targets[seen], labels[seen]
        )
        if len(unseen) and self.loss.quality_weight:
            pairs = self.sampling.tiles(torch.cat([inputs[unseen], targets[unseen]], 1), generator)
            quality = in_parts(self._quality, self.micro_batches, *pairs.split(3, 1))["quality"]
            share = len(seen) / len(inputs)
            losses["quality"] = share * losses["quality"] + (1 - share) * quality
            losses["loss"] = self.loss.total(losses)
        return losses

    def _quality(self, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"quality": quality_loss(self.restore(inputs), targets)}

    def _log(self, part: str, losses: dict[str, Tensor], count: int) -> None:
        values: dict[str, Any] = {f"{part}_{name}": value for name, value in losses.items()}
        self.log_dict(
            values,
            on_step=False,
            on_epoch=True,
            # A float: Lightning sums the counts of processes and divides by their number, rounded down.
            batch_size=float(count),  # type: ignore[arg-type]
            sync_dist=self.trainer.num_devices > 1,
        )


def learning_part(restorer: nn.Module | None, head: nn.Module | None) -> nn.Module:
    """What training changes and a run's best.safetensors holds: one of the two, or both by name."""
    if restorer is not None and head is not None:
        return nn.ModuleDict({"restorer": restorer, "head": head})
    part = restorer if head is None else head
    if part is None:
        raise QrlibError("nothing would learn: give a restorer, or a classifier to tune")
    return part


def train_recovery(
    task: RecoveryTask,
    splits: Splits,
    folder: Path,
    settings: LoopSettings,
    *,
    name: str,
    fingerprint: dict[str, Any],
    validation_images: int | None = None,
) -> History:
    """Algorithm 1, or the pretraining before it.

    The pretraining ("initially pretrained with the original images", Section III-D) is the L1 loss
    alone, without choices of distortions and without classifiers: every variant of one seed can
    start from the same pretrained network.

    Args:
        validation_images: how many of them judge each epoch, spread evenly over the classes; None: all.

    Leaves the restorer, and the fully connected layers of `tuned`, with the weights of the best
    epoch, in eval mode, on the CPU.
    """
    validation = splits.validation.spread(validation_images)
    history = fit(
        task, splits.train, validation, folder, settings, name=name, fingerprint=fingerprint
    )
    for classifier in task.networks.classifiers.values():
        classifier.cpu().set_trainable("frozen").eval()
    return history
