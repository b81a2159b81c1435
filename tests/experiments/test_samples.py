"""Sheets: every tile is what the classifier got, and every answer is the one it gave."""

import numpy as np
import pytest
import torch
from torch import nn

from qrlib import distortions
from qrlib.data.packed import Split
from qrlib.experiments import samples
from qrlib.utils.errors import QrlibError

SIDE = 40


class Brightness(nn.Module):
    """Class 0 for dark images, 1 for bright ones."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(10.0))

    def forward(self, images):
        mean = images.mean((1, 2, 3)) - 0.5
        return self.scale * torch.stack([-mean, mean], 1)


class Darker(nn.Module):
    def forward(self, images):
        return images / 4


@pytest.fixture
def split():
    rng = np.random.default_rng(0)
    images = rng.integers(120, 256, (14, 3, SIDE, SIDE), dtype=np.uint8)
    images[:7] //= 8
    return Split(images, range(14), [0] * 7 + [1] * 7, [f"image{i}" for i in range(14)])


@pytest.fixture
def cases():
    levels = distortions.levels(blur_scale=SIDE / 224)
    return [*levels["noise"], *levels["blur"]]


def take(split, cases, folder, restorer=None):
    path = folder / "samples" / "x.webp"
    path.parent.mkdir(exist_ok=True)
    return samples.write_sheet(restorer, Brightness(), split, ["dark", "bright"], cases, path)


def test_a_sheet_has_every_level_exactly(split, cases, tmp_path):
    entry = take(split, cases, tmp_path)
    assert [(c["distortion"], c["level"]) for c in entry["cases"]] == [
        ("clean", 0), *((kind, level) for kind in ("noise", "blur") for level in (1, 2, 3, 4, 5))
    ]  # fmt: skip
    tiles = samples.read_sheet(entry, tmp_path)
    assert entry["ids"] == [f"image{i}" for i in range(0, 12, 2)]
    for row, (name, label) in enumerate(zip(entry["ids"], entry["labels"], strict=True)):
        position = int(name.removeprefix("image"))
        clean, classes, _ = split[[position]]
        assert label == ["dark", "bright"][classes.item()]
        for column, case in enumerate([distortions.CLEAN, *cases]):
            wanted = distortions.distort_for_evaluation(clean.float() / 255, [name], case)
            shown = torch.from_numpy(tiles[row][column]).permute(2, 0, 1)
            assert (shown - wanted[0]).abs().max() <= 0.5 / 255 + 1e-6
            said = Brightness()(wanted).softmax(1).max(1)
            answer = entry["answers"][row][column]
            assert answer["answer"] == ["dark", "bright"][said.indices.item()]
            assert answer["confidence"] == pytest.approx(said.values.item(), abs=1e-4)


@pytest.mark.slow
def test_a_restored_sheet_shows_and_classifies_what_the_restorer_made(split, cases, tmp_path):
    plain, restored = take(split, cases, tmp_path), take(split, cases, tmp_path, Darker())
    assert {answer["answer"] for row in restored["answers"] for answer in row} == {"dark"}
    assert {answer["answer"] for row in plain["answers"] for answer in row} == {"dark", "bright"}
    assert np.max(samples.read_sheet(restored, tmp_path)) <= 0.26


def test_the_figures_show_the_middle_and_the_strongest_level(split, cases, tmp_path):
    entry = take(split, cases, tmp_path)
    shown = [entry["cases"][j] for j in samples.figure_columns(entry)]
    assert [(c["distortion"], c["level"]) for c in shown] == [
        ("clean", 0), ("noise", 3), ("noise", 5), ("blur", 3), ("blur", 5)
    ]  # fmt: skip


def test_a_sheet_that_was_changed_is_refused(split, cases, tmp_path):
    entry = take(split, cases, tmp_path)
    with (tmp_path / entry["file"]).open("ab") as file:
        file.write(b"0")
    with pytest.raises(QrlibError, match="not the one its record describes"):
        samples.read_sheet(entry, tmp_path)
