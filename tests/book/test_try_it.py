"""What `qrlib.book.try_it` packs is what a page gets, and what lacks is named."""

from __future__ import annotations

import base64
import gzip
import os
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from qrlib import data, weights
from qrlib.book import live_pictures, try_it
from qrlib.experiments import plan, profiles
from qrlib.models import QRNet
from qrlib.utils.errors import QrlibError

ROOT = Path(__file__).resolve().parents[2]


def unpack(folder: Path, payload: dict) -> bytes:
    """As web/live/loader.js does."""
    pieces = []
    for number in range(payload["parts"]):
        text = (folder / f"{payload['name']}-{number}.js").read_text("ascii")
        match = re.fullmatch(r'qrLive\.part\("(.+)", (\d+), "(.+)"\);\n', text)
        assert match
        assert (match[1], int(match[2])) == (payload["name"], number)
        pieces.append(base64.b64decode(match[3], validate=True))
    return gzip.decompress(b"".join(pieces))


@pytest.mark.parametrize("size", [0, 1, try_it.PART, 3 * try_it.PART + 7])
def test_parts_hold_the_content(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    payload = try_it.pack("thing", content, tmp_path)
    assert unpack(tmp_path, payload) == content
    scripts = list(tmp_path.iterdir())
    assert len(scripts) == payload["parts"]
    assert sum(s.stat().st_size for s in scripts) == payload["bytes"]
    assert max(s.stat().st_size for s in scripts) < 4 / 3 * try_it.PART + 200


def test_a_name_tells_contents_apart_and_is_the_same_again(tmp_path: Path) -> None:
    first, second = (try_it.pack("thing", text, tmp_path)["name"] for text in (b"one", b"two"))
    assert first != second
    assert try_it.pack("thing", b"one", tmp_path)["name"] == first


def ship(folder: Path, profile: str, *names: str) -> None:
    for name in names:
        path = folder / "results" / profile / "weights" / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        state = QRNet(convs_per_block=1).state_dict()
        weights.write(state, path, {"profile": profile, "record": f"record-of-{name}"})


def test_networks_are_listed(folders: Path) -> None:
    ship(folders, "caltech256", "qrnet-seed0")
    ship(folders, "caltech101-half", "qrnet-seed0", "small_qrnet-seed0")
    ship(folders, "caltech101", "qrnet-seed2", "qrnet-seed1", "mqrnet-seed0")
    found = [n.entry for n in try_it.networks("quick")]
    assert [n["key"] for n in found] == [
        "qrnet-caltech101", "mqrnet-caltech101", "qrnet-caltech101-half", "qrnet-caltech256",
        "qrnet-quick", "recnet-quick",
    ]  # fmt: skip
    assert found[0]["record"] == "records/caltech101/record-of-qrnet-seed1.json"
    assert found[0]["side"] == 224
    assert found[0]["blurScale"] == 1
    assert found[2]["blurScale"] == 112 / 224


def test_the_runs_of_a_profile_that_the_page_needs() -> None:
    runs = try_it.experiments_shown(profiles.load("quick"))
    assert [x.variant_name for x in runs] == ["none", "qrnet", "recnet"]
    assert runs[0].classifier.name == profiles.load("quick").classifier.name
    assert all(x in plan.experiments_of(profiles.load("quick")) for x in runs)


def test_other_data_than_those_that_come_along_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QrlibError, match="live page shows test images of caltech101-small"):
        try_it.make("caltech101", tmp_path / "live")
    assert not (tmp_path / "live").exists()


def test_a_runtime_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web" / "live").mkdir(parents=True)
    (tmp_path / "profiles").symlink_to(ROOT / "profiles")
    monkeypatch.setenv("QRLIB_ROOT", str(tmp_path))
    old = tmp_path / "live" / "manifest.js"
    old.parent.mkdir()
    old.write_text("as before")
    message = r"ort\.wasm\.bundle\.min\.mjs is not in .*make setup.*npm ci"
    with pytest.raises(QrlibError, match=message):
        try_it.make("smoke", tmp_path / "live")
    assert old.read_text() == "as before"


def images(*levels: list[int]) -> data.Split:
    """Grey images of 16 pixels a side, each with one step from the first level to the second."""
    flat = torch.tensor(levels, dtype=torch.uint8)  # (N, 2)
    halves = flat.repeat_interleave(8, dim=1)[:, None, None, :].expand(-1, 3, 16, -1)
    names = [str(i) for i in range(len(levels))]
    return data.Split(halves.numpy(), range(len(levels)), [0, 0, 1, 1], names)


class Answer(nn.Module):
    """A classifier that knows images of a class by whether they are flat."""

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        rough = (shown.diff(dim=3).abs().mean((1, 2, 3)) > 0.05).long()
        return nn.functional.one_hot(1 - rough, 2).float()


def test_the_first_image_is_one_that_is_won_back() -> None:
    # Flat images are of class 1 to this judge: noise hides that, and an average shows it again.
    split = images([10, 10], [0, 250], [90, 90], [120, 120])

    class Smooth(nn.Module):
        def forward(self, shown: torch.Tensor) -> torch.Tensor:
            return shown.mean((2, 3), keepdim=True).expand_as(shown)

    assert live_pictures.telling([0, 1, 2, 3], split, Answer(), Smooth()) == 2  # type: ignore[arg-type]
    assert live_pictures.telling([0, 1, 2, 3], split, Answer(), nn.Identity()) == 0  # type: ignore[arg-type]
