"""The plain PyTorch recipe: a DataLoader with workers, PIL, torchvision's blur, float32, Adam.

Networks are this project's modules, which are plain PyTorch; everything around them is written with
public libraries alone, as an example of one of them would have it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.transforms.v2 import functional as transforms

from benchmarks.contest import Ready
from benchmarks.contestants.stopwatch import Stopwatch
from benchmarks.contestants.torch_device import device_of, waiting
from benchmarks.corpus import Part, open_corpus
from benchmarks.settings import Settings
from qrlib import classifiers
from qrlib.models import QRNet

LAMBDA = 0.01
Case = tuple[str, float, int]  # kind, sigma, kernel


class Pictures(Dataset):
    """Clean and distorted image of a file; the index says which distortion."""

    def __init__(self, files: list[Path], labels: list[int], size: int) -> None:
        self.files, self.labels, self.size = files, labels, size

    def __getitem__(self, index: tuple[int, Case | None]) -> Any:
        position, case = index
        with Image.open(self.files[position]) as image:
            image = image.convert("RGB").resize((self.size, self.size), Image.Resampling.BILINEAR)
        clean = transforms.to_dtype(transforms.to_image(image), torch.float32, scale=True)
        if case is None:
            return clean, self.labels[position]
        return clean, distort(clean, case), self.labels[position]


def distort(image: Tensor, case: Case) -> Tensor:
    kind, sigma, kernel = case
    if kind == "noise":
        return transforms.gaussian_noise(image, mean=0.0, sigma=sigma / 255, clip=True)
    return transforms.gaussian_blur(image, [kernel, kernel], [sigma, sigma])


class Batches(Sampler):
    """Batches of positions with one distortion each (Algorithm 1)."""

    def __init__(self, count: int, batch: int, cases: list[Case] | None, shuffle: bool) -> None:
        self.count, self.batch, self.cases, self.shuffle = count, batch, cases, shuffle

    def __len__(self) -> int:
        return self.count // self.batch if self.shuffle else -(-self.count // self.batch)

    def __iter__(self) -> Iterator[list[tuple[int, Case | None]]]:
        order = list(range(self.count))
        if self.shuffle:
            random.shuffle(order)
        for i in range(len(self)):
            case = random.choice(self.cases) if self.cases else None
            yield [(position, case) for position in order[i * self.batch : (i + 1) * self.batch]]


def loader(part: Part, settings: Settings, *, distorted: bool, shuffle: bool) -> DataLoader:
    """A DataLoader with as many workers as there are threads."""
    cases = settings.distortions if distorted else None
    return DataLoader(
        Pictures(part.files, part.labels, settings.size),
        batch_sampler=Batches(len(part), settings.batch, cases, shuffle),
        num_workers=settings.threads,
        persistent_workers=True,
        pin_memory=settings.device == "cuda",
    )


class Recovery(nn.Module):
    """Restorer, frozen classifier, and the loss of equation 4."""

    def __init__(self, settings: Settings, classes: int) -> None:
        super().__init__()
        self.restorer = QRNet()
        self.classifier = classifiers.build(
            settings.classifier, classes, weights=None, image_size=settings.size
        )
        self.classifier.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Recovery:
        super().train(mode)
        self.classifier.eval()
        return self

    def forward(self, inputs: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
        restored = self.restorer(inputs)
        classification = nn.functional.cross_entropy(self.classifier(restored), labels)
        return nn.functional.l1_loss(restored, targets) + LAMBDA * classification


def epoch(settings: Settings) -> Ready:
    """Epochs of training, each with its validation."""
    device = device_of(settings)
    corpus = open_corpus(settings)
    model = Recovery(settings, corpus.classes).to(device)
    optimiser = torch.optim.Adam(model.restorer.parameters(), lr=1e-3)
    train = loader(corpus.train, settings, distorted=True, shuffle=True)
    validation = loader(corpus.validation, settings, distorted=True, shuffle=False)
    stopwatch = Stopwatch(waiting(device).synchronise)

    def join(batch: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        clean, distorted, labels = (part.to(device, non_blocking=True) for part in batch)
        inputs = torch.cat([clean, distorted])
        return inputs, torch.cat([clean, clean]), torch.cat([labels, labels])

    def run() -> dict[str, float]:
        stopwatch.start(len(train))
        model.train()
        for batch in train:
            loss = model(*join(batch))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            stopwatch.step()
        model.eval()
        total = torch.zeros((), device=device)
        with torch.no_grad():
            for batch in validation:
                total += model(*join(batch))
        total.item()
        return stopwatch.stop()

    return Ready(
        run,
        True,
        note="float32",
        work={"images": len(corpus.train), "validation": len(corpus.validation)},
        device=waiting(device),
    )


def update(settings: Settings) -> Ready:
    """Steps on one ready batch: forward, backward, Adam."""
    device = device_of(settings)
    corpus = open_corpus(settings)
    model = Recovery(settings, corpus.classes).to(device).train()
    optimiser = torch.optim.Adam(model.restorer.parameters(), lr=1e-3)
    count = 2 * settings.batch
    inputs = torch.rand(count, 3, settings.size, settings.size, device=device)
    labels = torch.arange(count, device=device) % corpus.classes
    steps = max(2, len(corpus.train) // count)
    stopwatch = Stopwatch(waiting(device).synchronise)

    def run() -> dict[str, float]:
        stopwatch.start(steps)
        for _ in range(steps):
            loss = model(inputs, inputs, labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            stopwatch.step()
        return {"step": stopwatch.stop()["step"]}

    return Ready(run, True, note="float32", work={"images": count}, device=waiting(device))
