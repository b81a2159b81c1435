"""Training a classifier on clean images: the paper's C, before any restorer sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from qrlib.classifiers import Classifier
from qrlib.data import Split, Splits
from qrlib.losses import classification_loss
from qrlib.training import failures
from qrlib.training.device import resolve_precision
from qrlib.training.loop import History, LoopSettings, fit, restore
from qrlib.training.task import Task
from qrlib.utils import memory

#: Images that pass a frozen backbone together.
AT_A_TIME = 64


class ClassifierTask(Task):
    """Cross-entropy on clean images (equation 3), or on their features where only the head learns."""

    def __init__(self, net: nn.Module, *, learning_rate: float, seed: int) -> None:
        super().__init__()
        self.net = memory.channels_last(net)
        self.learning_rate = learning_rate
        self.seed = seed

    def training_step(self, batch: tuple[Tensor, Tensor, list[str]], index: int) -> Tensor:
        loss = self._step("train", batch)
        self.check_finite(loss, index, batch[2])
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor, list[str]], index: int) -> None:
        self._step("val", batch)

    def _step(self, part: str, batch: tuple[Tensor, Tensor, list[str]]) -> Tensor:
        inputs, labels, _ = batch
        if inputs.dtype == torch.uint8:
            inputs = (inputs.float() / 255).contiguous(memory_format=torch.channels_last)
        means = self._means(inputs, labels)
        self.log_dict(
            {f"{part}_{name}": mean for name, mean in means.items()},
            on_step=False,
            on_epoch=True,
            batch_size=float(len(labels)),  # type: ignore[arg-type]  # see `recovery`
            sync_dist=self.trainer.num_devices > 1,
        )
        return means["loss"]

    def _means(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.net(inputs)
        return {
            "loss": classification_loss(logits, labels),
            "accuracy": (logits.argmax(1) == labels).float().mean(),
        }


class _Features:
    """A split seen through a frozen backbone, computed once: (N, F) in place of images."""

    def __init__(self, features: Tensor, split: Split) -> None:
        self.features = features
        self.labels = split.labels
        self.ids = split.ids

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, positions: Sequence[int]) -> tuple[Tensor, Tensor, list[str]]:
        rows = list(positions)
        return self.features[rows], self.labels[rows], [self.ids[i] for i in rows]


@torch.no_grad()  # inference_mode would leave weights that no later training can use
def _through_backbone(classifier: Classifier, split: Split, precision: str) -> _Features:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    memory.channels_last(classifier.to(device)).eval()
    rows = []
    batches = range(0, len(split), AT_A_TIME)
    for start in tqdm(batches, "features of clean images", leave=False, mininterval=10):
        images, _, _ = split[range(start, min(start + AT_A_TIME, len(split)))]
        images = images.to(device).float() / 255
        with torch.autocast(device.type, torch.bfloat16, enabled=precision.startswith("bf16")):
            features = classifier.features(images.contiguous(memory_format=torch.channels_last))
        rows.append(features.float().cpu())
    return _Features(torch.cat(rows).clone(), split)


def trained_part(classifier: Classifier) -> nn.Module:
    """What training changes and a run's best.safetensors holds: the head alone, or everything."""
    return classifier.head if classifier.trainable == "fully_connected" else classifier


def fit_classifier(
    classifier: Classifier,
    splits: Splits,
    folder: Path,
    settings: LoopSettings,
    *,
    seed: int,
    name: str,
    fingerprint: dict[str, Any],
) -> History:
    """Train what `classifier.trainable` names on clean images; leaves it with its best weights.

    Where only the fully connected layers learn, each image goes through the backbone once, not once
    an epoch: it gives the same features every time.
    """
    train: Any = splits.train
    validation: Any = splits.validation
    net = trained_part(classifier)
    if history := restore(net, folder, fingerprint):
        print(f"{name}: already trained, best epoch {history.best_epoch}", flush=True)
        classifier.eval()
        return history
    if net is not classifier:
        print(f"{name}: computing features of {len(train) + len(validation)} images", flush=True)
        precision = resolve_precision(settings.precision)
        smaller = f"{AT_A_TIME} images pass the backbone at a time, so make data.image_size smaller"
        with failures.explained(name, smaller):
            train = _through_backbone(classifier, train, precision)
            validation = _through_backbone(classifier, validation, precision)
    task = ClassifierTask(net, learning_rate=settings.learning_rate, seed=seed)
    history = fit(task, train, validation, folder, settings, name=name, fingerprint=fingerprint)
    classifier.cpu().eval()
    return history
