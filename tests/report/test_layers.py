"""Table 1 is read off the model, and the drawing of the model shows it."""

import itertools
import re

import pytest
import torch

from qrlib import paper
from qrlib.models import QRNet
from qrlib.report.layers import layers
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError

NETWORKS = {"QRNet": QRNet(), "small": QRNet(convs_per_block=1), "dropout": QRNet(dropout=0.35)}
#: What the drawing calls a layer -> what Table 1 does.
DRAWN = {
    "Conv": "Conv.", "Max": "Maxpool.", "Transp.": "Transposed Conv.", "Concatenate": "Concat.",
    "Dropout": "Dropout", "Sigmoid": "Sigmoid.",
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_are_the_rows_of_table_1(name):
    network = NETWORKS[name]
    rows, parameters = zip(*layers(network), strict=True)
    assert sum(parameters) == sum(p.numel() for p in network.parameters())
    if name == "small":
        assert len(rows) == 25
    else:
        assert rows == paper.TABLE1


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_come_as_they_are_computed(name):
    network = NETWORKS[name].eval()
    computed = []

    def note(module, inputs, output):
        computed.append((str(output.shape[1]), sum(p.numel() for p in module.parameters())))

    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    hooks = [m.register_forward_hook(note) for m in network.modules() if isinstance(m, kinds)]
    with torch.inference_mode():
        network(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    assert [(row.channels, n) for row, n in layers(network) if n] == computed


@pytest.mark.parametrize("bad", [torch.nn.Linear(1, 1), None, QRNet])
def test_only_qrnet_has_these_layers(bad):
    with pytest.raises(QrlibError, match=r"pass a qrlib\.QRNet"):
        layers(bad)


def test_the_drawing_shows_the_layers_of_the_model():
    svg = (paths.root() / "book" / "diagrams" / "network.svg").read_text("utf-8")
    words = re.findall(r">([^<\n]+)</text>", svg)
    names = [DRAWN[word.split()[0]] for word in words if word.split()[0] in DRAWN]
    rows = layers(NETWORKS["QRNet"])
    assert names == [row.layer for row, _ in rows]
    behind = [after for word, after in itertools.pairwise(words) if word.split()[0] in DRAWN]
    drawn = [channels for row, channels in zip(rows, behind, strict=True) if row[1]]
    assert drawn == [row.channels for row, n in rows if n]
    assert f"{sum(n for _, n in rows):,} parameters" in words
