"""The layers of QRNet one by one, with sizes and parameters: Table 1 and what it leaves out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from torch import nn

from qrlib.models import QRNet
from qrlib.utils.errors import QrlibError


@dataclass(frozen=True)
class Layer:
    """One row of Table 1, as a model has it.

    Attributes:
        kind: "conv", "pool", "up" (transposed convolution), "concat", "dropout" or "sigmoid".
        part: "encoder", "decoder" or "output".
        text: what it does, such as "Conv 3×3 + ReLU".
        channels: of its output.
        side: of its output, as a fraction of the input's.
        parameters: weights and biases.
    """

    kind: str
    part: str
    text: str
    channels: int
    side: Fraction
    parameters: int = 0


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
    found: list[Layer] = []
    channels, side = 3, Fraction(1)
    pool = model.pool.kernel_size
    assert isinstance(pool, int)
    for i, block in enumerate(model.encoder):
        if i:
            side /= pool
            found.append(Layer("pool", "encoder", f"Max pool {pool}×{pool}", channels, side))
        found += _block(block, "encoder", side)
        channels = found[-1].channels
    for up, block in zip(model.up, model.decoder, strict=True):
        assert isinstance(up, nn.ConvTranspose2d)
        side *= up.stride[0]
        name = "Transp. conv {}×{}".format(*up.kernel_size)
        found.append(Layer("up", "decoder", name, up.out_channels, side, _count(up)))
        inputs = block[0].in_channels  # type: ignore[index]
        found.append(Layer("concat", "decoder", "Concatenate", inputs, side))
        found += _block(block, "decoder", side)
    last = model.last
    name = "Conv {}×{}".format(*last.kernel_size)
    found.append(Layer("conv", "output", name, last.out_channels, side, _count(last)))
    return [*found, Layer("sigmoid", "output", "Sigmoid", last.out_channels, side)]


def _block(block: nn.Module, part: str, side: Fraction) -> list[Layer]:
    """The layers of a block; an activation is named with the convolution before it."""
    found: list[Layer] = []
    for module in block.children():
        if isinstance(module, nn.Conv2d):
            name = "Conv {}×{}".format(*module.kernel_size)
            found.append(Layer("conv", part, name, module.out_channels, side, _count(module)))
        elif isinstance(module, nn.Dropout):
            name = f"Dropout {module.p:g}"
            found.append(Layer("dropout", part, name, found[-1].channels, side))
        else:
            found[-1] = replace(found[-1], text=f"{found[-1].text} + {type(module).__name__}")
    return found


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
