"""The layers of QRNet one by one, with their parameters: Table 1 as a model has it."""

from __future__ import annotations

from torch import nn

from qrlib import paper
from qrlib.models import QRNet
from qrlib.utils.errors import QrlibError


def layers(model: QRNet) -> list[tuple[paper.Layer, int]]:
    """The layers of a model in the order of computation, each with the number of its weights and biases.

    Raises:
        QrlibError: not a `QRNet`.

    >>> layers(QRNet())[-2]
    (Layer(layer='Conv.', channels='3', filter='1×1', stride='-'), 51)
    """
    if not isinstance(model, QRNet):
        raise QrlibError(
            f"a network of class {type(model).__name__} has no layers of Table 1: pass a qrlib.QRNet"
        )
    rows = _block(model.encoder[0])
    for block in model.encoder[1:]:  # type: ignore[index]
        pool = paper.Layer("Maxpool.", filter=f"{model.pool.kernel_size}×{model.pool.kernel_size}")
        rows += [(pool, 0), *_block(block)]
    for up, block in zip(model.up, model.decoder, strict=True):
        rows += [_convolution(up), (paper.Layer("Concat."), 0), *_block(block)]
    return [*rows, _convolution(model.last), (paper.Layer("Sigmoid."), 0)]


def _block(block: nn.Module) -> list[tuple[paper.Layer, int]]:
    """Of a block, what Table 1 prints; it has no rows for activations."""
    return [
        (paper.Layer("Dropout"), 0) if isinstance(layer, nn.Dropout) else _convolution(layer)
        for layer in block.children()
        if isinstance(layer, (nn.Conv2d, nn.Dropout))
    ]


def _convolution(module: nn.Module) -> tuple[paper.Layer, int]:
    assert isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
    size, up = "{}×{}".format(*module.kernel_size), isinstance(module, nn.ConvTranspose2d)
    name, stride = ("Transposed Conv.", str(module.stride[0])) if up else ("Conv.", "-")
    layer = paper.Layer(name, str(module.out_channels), size, stride)
    return layer, sum(p.numel() for p in module.parameters())
