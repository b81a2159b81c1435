"""The layers of QRNet one by one, with sizes and parameters: Table 1 and what it leaves out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from torch import nn

from qrlib import paper
from qrlib.models import QRNet
from qrlib.utils.errors import QrlibError

#: Kind of layer -> what Table 1 calls it.
PRINTED_NAMES = {
    "conv": "Conv.",
    "pool": "Maxpool.",
    "up": "Transposed Conv.",
    "concat": "Concat.",
    "dropout": "Dropout",
    "sigmoid": "Sigmoid.",
}


@dataclass(frozen=True)
class Layer:
    """One row of Table 1, as a model has it.

    Attributes:
        kind: key of `PRINTED_NAMES`; "up" is a transposed convolution.
        part: "encoder", "decoder" or "output".
        text: what it does, such as "Conv 3×3 + ReLU".
        channels: of its output.
        side: of its output, as a fraction of the input's.
        parameters: weights and biases.
        filter, stride: where Table 1 prints them.
    """

    kind: str
    part: str
    text: str
    channels: int
    side: Fraction
    parameters: int = 0
    filter: str = "-"
    stride: str = "-"

    @property
    def printed(self) -> paper.Layer:
        """As Table 1 would print it."""
        channels = str(self.channels) if self.kind in ("conv", "up") else "-"
        return paper.Layer(PRINTED_NAMES[self.kind], channels, self.filter, self.stride)


def layers(model: QRNet) -> list[Layer]:
    """The layers of a model in the order of computation, row for row those of Table 1.

    Raises:
        QrlibError: not a `QRNet`.

    >>> [(layer.text, layer.parameters) for layer in layers(QRNet())[-3:]]
    [('Conv 3×3 + ReLU', 2320), ('Conv 1×1', 51), ('Sigmoid', 0)]
    """
    if not isinstance(model, QRNet):
        raise QrlibError(
            f"a network of class {type(model).__name__} has no layers of Table 1: pass a qrlib.QRNet"
        )
    rows: list[Layer] = []
    channels, side = 3, Fraction(1)
    pool = model.pool.kernel_size
    assert isinstance(pool, int)
    size = f"{pool}×{pool}"
    for i, block in enumerate(model.encoder):
        if i:
            side /= pool
            rows.append(Layer("pool", "encoder", f"Max pool {size}", channels, side, filter=size))
        rows += _block(block, "encoder", side)
        channels = rows[-1].channels
    for up, block in zip(model.up, model.decoder, strict=True):
        assert isinstance(up, nn.ConvTranspose2d)
        side *= up.stride[0]
        row = _convolution(up, "decoder", side)
        rows.append(
            replace(row, kind="up", text=f"Transp. conv {row.filter}", stride=str(up.stride[0]))
        )
        inputs = block[0].in_channels  # type: ignore[index]
        rows.append(Layer("concat", "decoder", "Concatenate", inputs, side))
        rows += _block(block, "decoder", side)
    rows.append(_convolution(model.last, "output", side))
    return [*rows, Layer("sigmoid", "output", "Sigmoid", model.last.out_channels, side)]


def _block(block: nn.Module, part: str, side: Fraction) -> list[Layer]:
    """The layers of a block; an activation is named with the convolution before it."""
    rows: list[Layer] = []
    for module in block.children():
        if isinstance(module, nn.Conv2d):
            rows.append(_convolution(module, part, side))
        elif isinstance(module, nn.Dropout):
            rows.append(Layer("dropout", part, f"Dropout {module.p:g}", rows[-1].channels, side))
        else:
            rows[-1] = replace(rows[-1], text=f"{rows[-1].text} + {type(module).__name__}")
    return rows


def _convolution(module: nn.Conv2d | nn.ConvTranspose2d, part: str, side: Fraction) -> Layer:
    size = "{}×{}".format(*module.kernel_size)
    parameters = sum(p.numel() for p in module.parameters())
    return Layer("conv", part, f"Conv {size}", module.out_channels, side, parameters, size)
