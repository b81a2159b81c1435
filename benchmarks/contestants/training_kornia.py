"""Lightning with Kornia's augmentation: workers decode, the device distorts a batch at a time.

Precision is chosen as this project chooses it: with Lightning it is one argument.
"""

from __future__ import annotations

import logging
import random
import tempfile
import warnings
from typing import Any

import kornia
import pytorch_lightning as lightning
import torch
from torch import Tensor

from benchmarks.contest import Ready
from benchmarks.contestants.stopwatch import Epochs, Stopwatch
from benchmarks.contestants.torch_device import device_of, waiting
from benchmarks.contestants.training_torch import Case, Recovery, loader
from benchmarks.corpus import open_corpus
from benchmarks.settings import Settings
from qrlib.training.device import resolve_precision


def distort(images: Tensor, case: Case) -> Tensor:
    kind, sigma, kernel = case
    if kind == "noise":
        noise = kornia.augmentation.RandomGaussianNoise(std=sigma / 255, p=1.0)
        return noise(images).clamp(0, 1)
    return kornia.filters.gaussian_blur2d(images, (kernel, kernel), (sigma, sigma))


class Module(lightning.LightningModule):
    """Algorithm 1 as a LightningModule."""

    epochs: Epochs

    def __init__(self, settings: Settings, classes: int) -> None:
        super().__init__()
        self.model = Recovery(settings, classes)
        self.cases = settings.distortions

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.model.restorer.parameters(), lr=1e-3)

    def loss(self, batch: list[Tensor]) -> Tensor:
        clean, labels = batch
        with torch.no_grad(), torch.autocast(clean.device.type, enabled=False):
            distorted = distort(clean, random.choice(self.cases))
        inputs = torch.cat([clean, distorted])
        return self.model(inputs, torch.cat([clean, clean]), torch.cat([labels, labels]))

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], index: int) -> None:
        self.log("val_loss", self.loss(batch))

    def on_train_epoch_start(self) -> None:
        self.epochs.wait()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.epochs.step()


def epoch(settings: Settings) -> Ready:
    """Epochs of training, each with its validation and checkpoint."""
    device = device_of(settings)
    corpus = open_corpus(settings)
    module = Module(settings, corpus.classes)
    train = loader(corpus.train, settings, distorted=False, shuffle=True)
    validation = loader(corpus.validation, settings, distorted=False, shuffle=False)
    for name in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.simplefilter("ignore")
    precision = resolve_precision("auto")
    module.epochs = Epochs(Stopwatch(waiting(device).synchronise), len(train))

    def fit() -> None:
        with tempfile.TemporaryDirectory() as folder:
            trainer = lightning.Trainer(
                accelerator="gpu" if device.type == "cuda" else "cpu",
                devices=1,
                precision=precision,  # type: ignore[arg-type]
                max_epochs=10**6,
                default_root_dir=folder,
                logger=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
            )
            trainer.fit(module, train, validation)

    module.epochs.start(fit)
    return Ready(
        module.epochs.run,
        True,
        note=precision,
        work={"images": len(corpus.train), "validation": len(corpus.validation)},
        device=waiting(device),
    )
