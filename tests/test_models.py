"""QRNet: Table 1, any image size, gradients, and its shipped weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from qrlib import weights
from qrlib.models import QRNet, load_qrnet
from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return QRNet().eval()


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_parameters_are_the_papers(net):
    assert count(net) == 1_941_139


def test_small_qrnet_is_the_same_class_with_one_convolution_a_block():
    small = QRNet(convs_per_block=1)
    assert count(small) < count(QRNet())
    assert sum(isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) for m in small.modules()) == 9


@pytest.mark.parametrize("size", [(1, 1), (17, 31), (16, 16), (15, 64), (33, 7), (64, 48), (1, 50)])
@pytest.mark.parametrize("convs", [1, 2])
def test_any_size_and_range(size, convs):
    torch.manual_seed(0)
    images = torch.rand(2, 3, *size)
    model = QRNet(convs)
    for parameter in model.parameters():
        parameter.data.mul_(4)  # so that more than the range of an image would come out
    restored = model(images)
    assert restored.shape == images.shape
    assert restored.min() >= 0
    assert restored.max() <= 1
    assert torch.isfinite(restored).all()


def test_padding_repeats_the_edge_and_is_cropped(net):
    images = torch.rand(1, 3, 20, 37)
    padded = nn.functional.pad(images, (0, 11, 0, 12), mode="replicate")
    assert padded.shape[-2:] == (32, 48)
    torch.testing.assert_close(net(images), net(padded)[..., :20, :37], atol=1e-6, rtol=0)


def test_images_of_a_batch_do_not_mix(net):
    images = torch.rand(3, 3, 32, 32)
    torch.testing.assert_close(net(images)[1:2], net(images[1:2]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("convs", [1, 2])
def test_every_parameter_gets_a_gradient(convs):
    torch.manual_seed(0)
    model = QRNet(convs)
    model(torch.rand(2, 3, 32, 32)).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_dropout_stands_in_two_places_and_acts_in_training_only(net):
    places = {name: m.p for name, m in net.named_modules() if isinstance(m, nn.Dropout)}
    assert places == {"decoder.0.2": 0.2, "decoder.1.2": 0.2}
    images = torch.rand(1, 3, 16, 16)
    assert torch.equal(net(images), net(images))
    model = QRNet().train()
    assert not torch.equal(model(images), model(images))
    still = QRNet(dropout=0.0).train()
    assert torch.equal(still(images), still(images))


def test_he_initialisation():
    torch.manual_seed(0)
    for name, module in QRNet().named_modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            assert module.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.3), name
            assert not module.bias.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"convs_per_block": value}, r"2 \(QRNet\) or 1 \(small\)") for value in (0, 3, "2")]
    + [({"dropout": value}, "dropout") for value in (-0.1, 1.0, float("nan"))],
)
def test_networks_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(QrlibError, match=message):
        QRNet(**arguments)


@pytest.mark.parametrize("convs", [1, 2])
def test_load_qrnet_round_trip(convs):
    torch.manual_seed(1)
    model = QRNet(convs)
    folder = paths.results("caltech101") / "weights"
    weights.write(model.state_dict(), folder / "qrnet-seed3.safetensors")
    loaded = load_qrnet("caltech101", seed=3)
    assert torch.equal(load_qrnet(seed=3).last.weight, loaded.last.weight)  # the best there is
    assert not loaded.training
    images = torch.rand(1, 3, 20, 20)
    assert torch.equal(loaded(images), model.eval()(images))


def test_load_qrnet_names_what_is_there():
    with pytest.raises(QrlibError, match="qrnet-seed0.safetensors.*shipped: none"):
        load_qrnet("caltech101")
    folder = paths.results("quick") / "weights"
    weights.write(QRNet(1).state_dict(), folder / "recnet-noise-seed1.safetensors")
    for profile in ("caltech101", "../../etc", "quick/../quick"):  # a name, no path
        message = (
            f"{profile!r}; shipped: recnet-noise-seed1.safetensors of quick; take one of these"
        )
        with pytest.raises(QrlibError, match=message):
            load_qrnet(profile, "recnet-noise", 1)
    with pytest.raises(QrlibError, match=r"qrnet-seed7.*ship_weights") as caught:
        load_qrnet("quick", seed=7)
    assert "run quick" not in str(caught.value)  # which would make others


def test_weights_are_those_of_their_record():
    net = QRNet(1)
    path = paths.results("quick") / "weights" / "qrnet-seed0.safetensors"
    weights.write(net.state_dict(), path, {"record": "r"})
    made = {"provenance": {"weights": {"r": weights.state_hash(net)}}}
    files.write_json(paths.results("quick") / "records" / "r.json", made)
    load_qrnet("quick")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(QrlibError, match=r"qrnet-seed0\.safetensors is damaged: its hash"):
        load_qrnet("quick")
