"""Diagrams: what is drawn is the model and the training's loss, and nothing else."""

import re
from collections import Counter
from fractions import Fraction

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pytest
import torch

from qrlib import paper
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.report.figures import diagrams, layers, style
from qrlib.utils.errors import QrlibError

NETWORKS = {"QRNet": QRNet(), "small": QRNet(convs_per_block=1), "dropout": QRNet(dropout=0.35)}


def words(figure):
    return [t.get_text() for t in figure.axes[0].texts]


def parts(figure):
    """Named outlines and lines: name -> patch or line."""
    ax = figure.axes[0]
    named = [a for a in (*ax.patches, *ax.lines) if a.get_gid()]
    assert len({a.get_gid() for a in named}) == len(named)
    return {a.get_gid(): a for a in named}


def gradients(figure):
    return {name.partition(":")[2] for name in parts(figure) if name.startswith("gradient:")}


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_are_the_rows_of_table_1(name):
    network = NETWORKS[name]
    rows = layers.layers(network)
    assert sum(layer.parameters for layer in rows) == sum(p.numel() for p in network.parameters())
    if name == "small":
        assert len(rows) == 25
    else:
        assert tuple(layer.printed for layer in rows) == paper.TABLE1


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_have_the_shapes_that_are_computed(name):
    network = NETWORKS[name].eval()
    shapes, counts = [], []

    def note(module, inputs, output):
        shapes.append((output.shape[1], Fraction(output.shape[2], 64)))
        counts.append(sum(p.numel() for p in module.parameters()))

    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.MaxPool2d, torch.nn.Dropout)
    hooks = [m.register_forward_hook(note) for m in network.modules() if isinstance(m, kinds)]
    with torch.inference_mode():
        network(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    found = [n for n in layers.layers(network) if n.kind not in ("concat", "sigmoid")]
    assert [(n.channels, n.side) for n in found] == shapes
    assert [n.parameters for n in found] == counts


@pytest.mark.parametrize("name", NETWORKS)
def test_network_draws_every_layer(name):
    figure = diagrams.network(NETWORKS[name])
    every = layers.layers(NETWORKS[name])
    drawn = Counter(words(figure))
    for text, count in Counter(layer.text for layer in every).items():
        assert drawn[text] == count
    for channels, count in Counter(str(layer.channels) for layer in every).items():
        assert drawn[channels] == count
    assert {"1", "1/2", "1/4", "1/8", "1/16"} <= set(drawn)
    assert drawn["skip"] == 4
    total = sum(p.numel() for p in NETWORKS[name].parameters())
    assert drawn[f"{total:,} parameters"] == 1
    boxes = [name for name in parts(figure) if name.startswith("layer-")]
    assert boxes == [f"layer-{i}-{layer.kind}" for i, layer in enumerate(every, start=1)]
    skips = [name for name in parts(figure) if name.startswith("skip-")]
    assert skips == ["skip-128", "skip-64", "skip-32", "skip-16"]


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_stand_apart_and_skips_are_level(name):
    figure = diagrams.network(NETWORKS[name])
    named = parts(figure)
    boxes = [p.get_window_extent() for n, p in named.items() if n.startswith("layer-")]
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            assert not one.overlaps(other)
    for skip in (named[f"skip-{c}"] for c in (16, 32, 64, 128)):
        ys = skip.get_ydata()
        assert ys[0] == pytest.approx(ys[-1])


@pytest.mark.parametrize("bad", [torch.nn.Linear(1, 1), None, QRNet])
def test_only_qrnet_has_these_layers(bad):
    with pytest.raises(QrlibError, match="pass a qrlib.QRNet"):
        diagrams.network(bad)


TWO = {"vgg16": 0.01, "inception_v3": 0.002}


def dashed(patch):
    return patch.get_linestyle() != "-" and patch.get_linestyle() != "solid"


def test_training_with_one_classifier_is_figure_2():
    figure = diagrams.training(RecoveryLoss({"vgg16": 0.1}))
    text = "\n".join(words(figure))
    assert "QRNet" in text
    assert "$C$ vgg16" in text
    assert r"\lambda = 0.1$" in text
    assert "equation 4" in text
    named = parts(figure)
    assert not dashed(named["trained:Q"])
    assert dashed(named["frozen:vgg16"])
    assert gradients(figure) == {"Q", "quality", "vgg16", "loss of vgg16"}
    assert not any(name.startswith(("trained:vgg", "unseen")) for name in named)


def test_training_with_several_classifiers_is_figure_3():
    figure = diagrams.training(RecoveryLoss(TWO), unseen="resnet50")
    text = "\n".join(words(figure))
    for number, (name, weight) in enumerate(TWO.items(), start=1):
        assert f"$C_{{{number}}}$ {name}" in text
        assert rf"\lambda_{{{number}}} = {weight}$" in text
    assert "MQRNet" in text
    assert "equation 5" in text
    assert "evaluation, after training" in text
    named = parts(figure)
    assert all(dashed(named[f"frozen:{name}"]) for name in (*TWO, "resnet50"))
    assert "unseen:resnet50" in named
    assert "loss:resnet50" not in named
    losses = {f"loss of {name}" for name in TWO}
    assert gradients(figure) == {"Q", "quality", *TWO, *losses}


def test_training_without_classifiers_is_recnet():
    figure = diagrams.training(RecoveryLoss())
    text = "\n".join(words(figure))
    assert "RecNet" in text
    assert "lambda" not in text
    assert "frozen" not in text
    assert gradients(figure) == {"Q", "quality"}
    evaluated = diagrams.training(RecoveryLoss(), unseen="vgg16")
    assert gradients(evaluated) == {"Q", "quality"}
    assert {"frozen:vgg16", "unseen:vgg16"} <= set(parts(evaluated))


@pytest.mark.parametrize(
    ("loss", "options", "message"),
    [
        ({"vgg61": 0.01}, {}, "unknown classifier 'vgg61' (did you mean 'vgg16'?)"),
        ({}, {"unseen": "resnet"}, "unknown classifier 'resnet'"),
        (TWO, {"unseen": "vgg16"}, "vgg16 is not unseen"),
    ],
)
def test_training_refuses(loss, options, message):
    with pytest.raises(QrlibError, match=re.escape(message)):
        diagrams.training(RecoveryLoss(loss), **options)


FIGURES = {
    "network": lambda: diagrams.network(QRNet()),
    "small": lambda: diagrams.network(QRNet(convs_per_block=1)),
    "recnet": lambda: diagrams.training(RecoveryLoss(), unseen="small_inception"),
    "one": lambda: diagrams.training(RecoveryLoss({"vgg16": 0.001})),
    "several": lambda: diagrams.training(
        RecoveryLoss({"small_inception": 0.001, "inception_v3": 0.01, "vgg16": 0.1}),
        unseen="resnet50",
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_words_are_large_apart_and_inside(name):
    figure = FIGURES[name]()
    assert figure.get_figwidth() == 7
    figure.canvas.draw()
    texts = [t for t in figure.axes[0].texts if t.get_text()]
    extents = [t.get_window_extent() for t in texts]
    page = figure.bbox
    for i, (text, one) in enumerate(zip(texts, extents, strict=True)):
        assert text.get_fontsize() >= 12  # 9 pixels high on a phone
        assert page.x0 <= one.x0 < one.x1 <= page.x1, text.get_text()
        assert page.y0 <= one.y0 < one.y1 <= page.y1, text.get_text()
        for other, extent in zip(texts[i + 1 :], extents[i + 1 :], strict=True):
            assert not one.overlaps(extent), (text.get_text(), other.get_text())


@pytest.mark.parametrize("name", FIGURES)
def test_no_line_or_outline_runs_through_a_word(name):
    figure = FIGURES[name]()
    figure.canvas.draw()
    ax = figure.axes[0]
    boxes = [(t.get_text(), t.get_window_extent()) for t in ax.texts if t.get_text()]
    paths = [line.get_path().transformed(ax.transData) for line in ax.lines]
    paths += [p.get_path().transformed(p.get_transform()) for p in ax.patches]
    for path in paths:
        for word, extent in boxes:
            assert not path.intersects_bbox(extent, filled=False), word


@pytest.mark.slow
def test_diagrams_are_white_let_go_and_keep_their_text(tmp_path):
    figures = [make() for make in FIGURES.values()]
    assert plt.get_fignums() == []
    with plt.rc_context():
        style.set_style()
        for i, figure in enumerate(figures):
            assert figure.get_facecolor() == (1, 1, 1, 1)
            figure.savefig(tmp_path / f"{i}.svg")
    network = (tmp_path / "0.svg").read_text(encoding="utf-8")
    for word in ("Sigmoid", "Dropout 0.2", "Concatenate", "256", "1,941,139 parameters"):
        assert f">{word}</text>" in network
    assert 'id="layer-34-sigmoid"' in network
    several = (tmp_path / "4.svg").read_text(encoding="utf-8")
    assert 'id="gradient:Q"' in several
    assert "resnet50</text>" in several
