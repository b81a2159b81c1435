"""Six classifiers: what is trained, what is frozen, and whose weights they carry."""

from __future__ import annotations

import functools

import pytest
import torch
import torchvision
from torch import nn

from qrlib import classifiers, weights
from qrlib.classifiers import ARCHITECTURES, PREPROCESSING, build
from qrlib.utils import files
from qrlib.utils.errors import QrlibError

SIDES = {"vgg16": 40, "inception_v3": 75, "resnet50": 48}
CLASSES = 5


@functools.cache  # one of each for all tests: the big ones take seconds to make
def classifier(name):
    torch.manual_seed(0)
    return build(name, CLASSES, weights=None, image_size=SIDES.get(name, 24), head_width=16)


def images(name, count=2):
    side = SIDES.get(name, 24)
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


every = pytest.mark.parametrize("name", ARCHITECTURES)


@every
def test_logits(name):
    net = classifier(name).set_trainable("all").eval()
    with torch.no_grad():
        logits = net(images(name))
        torch.testing.assert_close(logits, net.head(net.features(images(name))))
    assert logits.shape == (2, CLASSES)
    assert torch.isfinite(logits).all()
    assert net.source == "random"


@every
@pytest.mark.parametrize("mode", classifiers.TRAINABLE)
def test_gradients_reach_what_is_trained_and_nothing_else(name, mode):
    net = classifier(name).set_trainable(mode).train()
    net.zero_grad(set_to_none=True)
    batch = images(name).requires_grad_()
    net(batch).square().sum().backward()
    for key, parameter in net.named_parameters():
        trained = mode == "all" or (mode == "fully_connected" and key.startswith("head."))
        assert parameter.requires_grad == trained, key
        assert (parameter.grad is not None) == trained, key
    assert batch.grad.abs().sum() > 0  # a frozen classifier passes the gradient on


@every
def test_frozen_parts_stay_in_eval_mode(name):
    net = classifier(name)
    expected = {"frozen": (False, False), "fully_connected": (False, True), "all": (True, True)}
    for mode, (backbone, head) in expected.items():
        net.set_trainable(mode).train()
        assert {m.training for m in net.backbone.modules()} == {backbone}, mode
        assert {m.training for m in net.head.modules()} == {head}, mode
        net.eval()
        assert not any(m.training for m in net.modules())
    nn.Sequential(net.set_trainable("frozen")).train()
    assert not any(m.training for m in net.backbone.modules())


@every
def test_a_frozen_classifier_is_not_changed_by_use(name):
    net = classifier(name).set_trainable("frozen").train()
    before = weights.state_hash(net)
    first = net(images(name))
    assert torch.equal(first, net(images(name)))  # no dropout either
    assert weights.state_hash(net) == before


def seen_by_backbone(net, batch):
    seen = []
    handle = net.backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    with torch.no_grad():
        net(batch)
    handle.remove()
    return seen[0]


@every
def test_normalisation_is_inside(name):
    net = classifier(name).set_trainable("frozen").eval()
    batch = images(name)
    seen = seen_by_backbone(net, batch)
    _, mean, std = PREPROCESSING["imagenet"]
    for c in range(3):
        torch.testing.assert_close(seen[:, c], (batch[:, c] - mean[c]) / std[c])
    assert not {"mean", "std"} & net.state_dict().keys()


def test_other_preprocessing_is_that_of_keras():
    batch = torch.rand(2, 3, 32, 32)
    nets = {
        kind: build(
            "vgg16", 3, weights=None, image_size=32, head_width=8, preprocessing=kind
        ).eval()
        for kind in ("caffe", "rescaled")
    }
    assert torch.equal(seen_by_backbone(nets["rescaled"], batch), batch)
    blue, green, red = (255 * batch[:, c] for c in (2, 1, 0))
    expected = torch.stack([blue - 103.939, green - 116.779, red - 123.68], 1)
    torch.testing.assert_close(seen_by_backbone(nets["caffe"], batch), expected)
    with pytest.raises(
        QrlibError, match="unknown preprocessing 'keras'.*imagenet, caffe, rescaled"
    ):
        build("vgg16", 3, weights=None, preprocessing="keras")


@every
def test_head_is_that_of_its_family(name):
    linear = [m for m in classifier(name).head.modules() if isinstance(m, nn.Linear)]
    assert len(linear) == ARCHITECTURES[name].fully_connected
    assert linear[-1].out_features == CLASSES


def test_vgg16_has_the_papers_head_at_224_pixels():
    backbone, features = ARCHITECTURES["vgg16"].make(224)
    assert features == 512 * 7 * 7
    del backbone


def test_unknown_name_lists_the_valid_ones():
    with pytest.raises(QrlibError, match=r"unknown classifier 'vgg61' \(did you mean 'vgg16'\?\)"):
        build("vgg61", 5)


def test_nonsense_sizes_are_refused():
    with pytest.raises(QrlibError, match="at least 75 pixels, not 74"):
        build("inception_v3", 5, weights=None, image_size=74)
    with pytest.raises(QrlibError, match="at least 2 classes, not 1"):
        build("small_vgg", 1, weights=None)
    with pytest.raises(QrlibError, match="unknown trainable 'head'.*frozen, fully_connected, all"):
        classifier("small_vgg").set_trainable("head")


@pytest.mark.parametrize("name", ["small_vgg", "small_inception", "small_resnet"])
def test_small_networks_have_no_imagenet_weights(name):
    with pytest.raises(QrlibError, match=f"{name} has no pretrained.*vgg16, inception_v3, resnet"):
        build(name, 5, weights="imagenet", image_size=32)


# Weights in a file.


@pytest.fixture(scope="module")
def resnet_state():
    torch.manual_seed(1)
    return torchvision.models.resnet50(weights=None).state_dict()


def strides(net):
    layers = (net.backbone.layer2, net.backbone.layer3, net.backbone.layer4)
    return [(layer[0].conv1.stride, layer[0].conv2.stride) for layer in layers]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"stride": "conv1"}, ((2, 2), (1, 1))),
        ({"stride": "conv2"}, ((1, 1), (2, 2))),
        ({}, ((1, 1), (2, 2))),
    ],
)
def test_resnet_stride_follows_the_weights(tmp_path, resnet_state, metadata, expected):
    path = tmp_path / "r.safetensors"
    weights.write(resnet_state, path, metadata)
    net = build("resnet50", 3, weights=path, image_size=64)
    assert strides(net) == [expected] * 3
    assert net.source == f"r.safetensors ({files.file_hash(path)[:12]})"
    own = net.backbone.state_dict()
    assert all(torch.equal(own[key], resnet_state[key]) for key in own)
    assert net.set_trainable("frozen").eval()(torch.rand(1, 3, 64, 64)).shape == (1, 3)


def test_the_two_stride_layouts_differ():
    net = classifier("resnet50").set_trainable("frozen").eval()
    batch = images("resnet50")
    with torch.no_grad():
        later = net(batch)
        classifiers.set_resnet_stride(net.backbone, "conv1")
        earlier = net(batch)
        classifiers.set_resnet_stride(net.backbone, "conv2")
        assert torch.equal(net(batch), later)
    assert not torch.allclose(earlier, later)


def test_unknown_stride_is_refused(tmp_path, resnet_state):
    path = tmp_path / "r.safetensors"
    weights.write(resnet_state, path, {"stride": "v1"})
    with pytest.raises(QrlibError, match=r"stride .*r\.safetensors.*'v1'.*conv1, conv2"):
        build("resnet50", 3, weights=path, image_size=64)


def test_folder_of_weights_is_looked_in_first(folders, resnet_state):
    weights.write(resnet_state, folders / "weights" / "resnet50.safetensors", {"stride": "conv1"})
    net = build("resnet50", 3, image_size=64)
    assert net.source.startswith("resnet50.safetensors (")
    assert strides(net) == [((2, 2), (1, 1))] * 3


def test_other_keys_or_shapes_are_refused(tmp_path, resnet_state):
    path = tmp_path / "r.safetensors"
    weights.write({f"module.{k}": v for k, v in resnet_state.items()}, path)
    with pytest.raises(QrlibError, match=r"r\.safetensors .*does not hold resnet50's backbone"):
        build("resnet50", 3, weights=path, image_size=64)
    weights.write({**resnet_state, "conv1.weight": torch.zeros(64, 3, 3, 3)}, path)
    with pytest.raises(QrlibError, match=r"0 of 318 tensors missing, 1 of another.*conv1\.weight"):
        build("resnet50", 3, weights=path, image_size=64)


def test_missing_weights_never_become_random_ones(monkeypatch, folders):
    def refuse(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    for name in ("vgg16", "inception_v3", "resnet50"):
        with pytest.raises(QrlibError) as error:
            build(name, 3, image_size=96, head_width=8)
        message = str(error.value)
        for part in (name, "no route to host", "QRLIB_WEIGHTS", f"put {name}.safetensors"):
            assert part in message
        assert "\n" not in message
    monkeypatch.delenv("QRLIB_WEIGHTS")
    with pytest.raises(QrlibError, match="QRLIB_WEIGHTS is not set"):
        build("resnet50", 3, image_size=96)
    with pytest.raises(QrlibError, match=r'no weights file .*x\.safetensors.*"imagenet"'):
        build("resnet50", 3, image_size=96, weights=folders / "x.safetensors")


def test_images_in_bfloat16_are_resized_too():
    """As a restorer hands them over in mixed precision."""
    net = classifiers.build("small_vgg", 3, weights=None, image_size=24, input_size=32).eval()
    images = torch.rand(2, 3, 24, 24).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(images)
    logits.float().sum().backward()
    with torch.no_grad():
        torch.testing.assert_close(logits.float(), net(images.float()), atol=0.05, rtol=0)
    assert images.grad.abs().sum() > 0


def test_input_size_resizes_what_the_classifier_is_shown():
    """A classifier that needs larger images than the data's; gradients reach the small ones."""
    torch.manual_seed(0)
    network = classifiers.build(
        "small_resnet", 3, weights=None, image_size=32, input_size=64
    ).eval()
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    shapes = []
    network.backbone.register_forward_pre_hook(lambda _, args: shapes.append(args[0].shape))
    network(images).sum().backward()
    assert shapes == [(2, 3, 64, 64)]
    assert images.grad.abs().sum() > 0
    large = torch.nn.functional.interpolate(images.detach(), (64, 64), mode="bilinear")
    torch.testing.assert_close(network(images.detach()), network(large))
    wide = classifiers.build("vgg16", 3, weights=None, image_size=64, input_size=96, head_width=8)
    assert wide.head[0].in_features == 512 * 3 * 3
    with pytest.raises(QrlibError, match="at least 75 pixels, not 64; give it larger ones, or set"):
        classifiers.build("inception_v3", 3, weights=None, image_size=64)
    assert classifiers.build("inception_v3", 3, weights=None, image_size=64, input_size=96)
