"""Weights on disk: whole, described, and hashed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from qrlib import weights
from qrlib.utils import files
from qrlib.utils.errors import QrlibError


def test_round_trip_with_metadata(tmp_path):
    state = {"a": torch.randn(3, 4).T, "b": torch.arange(5), "c": torch.tensor(2.0)}
    state["d"] = torch.rand(3, 8, 3, 3).to(memory_format=torch.channels_last)
    path = tmp_path / "deep" / "w.safetensors"
    weights.write(state, path, {"stride": "conv1"})
    loaded, metadata = weights.read(path)
    assert metadata == {"stride": "conv1"}
    assert loaded.keys() == state.keys()
    for key, value in state.items():
        assert torch.equal(loaded[key], value)
        assert loaded[key].dtype == value.dtype


@pytest.mark.parametrize("keep", [0, 4, 100, 900])
def test_a_truncated_file_is_named(tmp_path, keep):
    path = tmp_path / "w.safetensors"
    weights.write({"a": torch.randn(20, 20)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(QrlibError, match=r"w\.safetensors is not a whole safetensors file"):
        weights.read(path)
    path.unlink()
    with pytest.raises(QrlibError, match=r"w\.safetensors"):
        weights.read(path)


def test_source_carries_no_path(folders):
    path = folders / "weights" / "vgg16.safetensors"
    weights.write({"a": torch.ones(3)}, path)
    state, _, source = weights.load("vgg16", "imagenet")
    assert source == f"vgg16.safetensors ({files.file_hash(path)[:12]})"
    assert set(state) == {"a"}


def test_state_hash_follows_values_names_and_types_only():
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3)
    assert weights.state_hash(first) != weights.state_hash(second)
    second.load_state_dict(first.state_dict())
    assert weights.state_hash(first) == weights.state_hash(second)
    last = nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
    last.load_state_dict(first.state_dict())
    assert weights.state_hash(first) == weights.state_hash(last)
    with torch.no_grad():
        last.bias[0] += 1e-6
    assert weights.state_hash(first) != weights.state_hash(last)
    assert weights.state_hash(nn.Sequential(first)) != weights.state_hash(first)


def test_the_original_vgg16_is_turned_to_bgr(tmp_path, monkeypatch):
    """Copies of it differ in the order of channels; another network is refused."""
    monkeypatch.setenv("QRLIB_WEIGHTS", str(tmp_path))
    filters = torch.rand(64, 3, 3, 3)
    filters[0, :, 0, 0] = torch.tensor([0.42947057, 0.55037946, 0.4800154])
    for stored in (filters, filters.flip(1)):
        weights.write({"features.0.weight": stored}, tmp_path / "vgg16_caffe.safetensors")
        state, _, source = weights.load("vgg16", "caffe")
        assert torch.equal(state["features.0.weight"], filters)
        assert source.startswith("vgg16_caffe.safetensors (")
    weights.write({"features.0.weight": filters * 2}, tmp_path / "vgg16_caffe.safetensors")
    with pytest.raises(QrlibError, match="does not hold the original VGG16"):
        weights.load("vgg16", "caffe")
    with pytest.raises(QrlibError, match="unknown network with weights caffe 'resnet50'"):
        weights.load("resnet50", "caffe")
