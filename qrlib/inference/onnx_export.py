"""Networks as ONNX models, for programs without PyTorch such as a web page.

The graphs are written layer by layer from the modules themselves, so they take images of any height
and width, as the networks do; `torch.onnx.export` fixes the padding that odd sizes need at the size it
traced, and takes the better part of a minute.  A layer that is not known here is refused by name.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from qrlib.classifiers import Classifier
from qrlib.models import CHANNELS, QRNet
from qrlib.utils.errors import QrlibError

if TYPE_CHECKING:
    import onnx

#: The operators' version, the first in which Pad takes axes; old, so widely understood.
OPSET = 18
#: Tensors of fewer values stay in float32 when weights are halved; biases cost nothing.
SMALL = 1024


def qrnet(net: QRNet, *, half: bool = False) -> onnx.ModelProto:
    """QRNet in evaluation mode: input ``images`` (1, 3, H, W) in [0, 1], output ``restored`` alike.

    Any H and W of at least 1, padded and cropped inside as `qrlib.QRNet` does.

    Args:
        half: store the weights as float16, for half the size; computation stays in float32.  Restored
            images then differ by some 1e-4 from the network's own.

    Raises:
        QrlibError: not a QRNet, or one with a layer that this module does not know.
    """
    if not isinstance(net, QRNet):
        raise QrlibError(f"export.qrnet takes a QRNet, not a {type(net).__name__}")
    graph = _Graph(half)
    size = graph.add("Shape", "images", start=2)  # (H, W)
    step = graph.constant(2 ** (len(CHANNELS) - 1))
    missing = graph.add("Mod", graph.add("Neg", size), step)  # to the next multiple
    pads = graph.add("Concat", graph.constant([0, 0]), missing, axis=0)
    axes = graph.constant([2, 3])
    x = graph.add("Pad", "images", pads, "", axes, mode="edge")
    skips = []
    for number, block in enumerate(net.encoder[:-1]):  # type: ignore[arg-type]
        x = graph.sequential(block, x, f"encoder.{number}")
        skips.append(x)
        x = graph.layer(net.pool, x, "pool")
    x = graph.sequential(net.encoder[-1], x, f"encoder.{len(CHANNELS) - 1}")
    for number, (up, block) in enumerate(zip(net.up, net.decoder, strict=True)):
        x = graph.add("Concat", graph.layer(up, x, f"up.{number}"), skips.pop(), axis=1)
        x = graph.sequential(block, x, f"decoder.{number}")
    x = graph.add("Sigmoid", graph.layer(net.last, x, "last"))
    graph.add("Slice", x, graph.constant([0, 0]), size, axes, output="restored")
    shape = [1, 3, "height", "width"]
    return graph.model("QRNet", ("images", shape), ("restored", shape))


def classifier(net: Classifier, image_size: int, *, half: bool = False) -> onnx.ModelProto:
    """A small classifier: ``images`` (B, 3, S, S) in [0, 1] -> ``confidence`` (B, K), rows sum to 1.

    Its fully connected layers fix the image's side S to that of its training.

    Args:
        image_size: S.
        half: as in `qrnet`.

    Raises:
        QrlibError: not a `qrlib.classifiers.Classifier`, or one with a layer unknown here: small_vgg
            is known.
    """
    if not isinstance(net, Classifier):
        raise QrlibError(f"export.classifier takes a Classifier, not a {type(net).__name__}")
    if net.input_size is not None:
        raise QrlibError(f"{net.name} resizes its images itself, which is not exported")
    graph = _Graph(half, image_size)
    centred = graph.add("Sub", "images", graph.constant(net.mean[None]))
    x = graph.add("Div", centred, graph.constant(net.std[None]))
    x = graph.sequential(net.backbone, x, "backbone")
    x = graph.sequential(net.head, x, "head")
    graph.add("Softmax", x, axis=1, output="confidence")
    classes = net.head[-1].out_features  # type: ignore[index]
    image = ["batch", 3, image_size, image_size]
    return graph.model(net.name, ("images", image), ("confidence", ["batch", classes]))


def _plain(layer: nn.Module) -> bool:
    """Whether a layer with weights is one of those, and set as, `_Graph.layer` writes it."""
    if isinstance(layer, nn.Conv2d):
        usual = (layer.groups, layer.dilation, layer.padding_mode) == (1, (1, 1), "zeros")
        return usual and not isinstance(layer.padding, str)
    if isinstance(layer, nn.ConvTranspose2d):
        usual = (layer.groups, layer.dilation) == (1, (1, 1))
        return usual and layer.padding == layer.output_padding == (0, 0)
    return isinstance(layer, (nn.BatchNorm2d, nn.Linear))


class _Graph:
    """Nodes and weights in the order they are added.

    Args:
        half: see `qrnet`.
        side: of the images, for layers whose ONNX form depends on it; None where it may vary.
    """

    def __init__(self, half: bool, side: int | None = None) -> None:
        self.half, self.side = half, side
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node; returns its output's name."""
        from onnx import helper

        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value: Any, name: str | None = None) -> str:
        """Add a tensor of integers or of float32; returns its name."""
        from onnx import numpy_helper

        name = name or f"constant_{len(self.tensors)}"
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.array(value)
        if self.half and array.dtype == np.float32 and array.size >= SMALL:
            self.tensors.append(numpy_helper.from_array(array.astype(np.float16), f"{name}.half"))
            return self.add("Cast", f"{name}.half", to=1, output=name)  # 1: float32
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def sequential(self, layers: nn.Module, x: str, name: str) -> str:
        if not isinstance(layers, nn.Sequential):
            raise QrlibError(f"{name} is a {type(layers).__name__}, which cannot be exported")
        for number, layer in enumerate(layers):
            x = self.layer(layer, x, f"{name}.{number}")
        return x

    def layer(self, layer: nn.Module, x: str, name: str) -> str:
        """Add what a layer computes in evaluation mode; returns its output's name."""
        if isinstance(layer, nn.Dropout):
            return x
        if isinstance(layer, nn.ReLU):
            return self.add("Relu", x)
        if isinstance(layer, nn.Flatten):
            return self.add("Flatten", x)
        if isinstance(layer, nn.MaxPool2d):
            kernel = int(layer.kernel_size)  # type: ignore[arg-type]
            self._shrink(kernel)
            return self.add("MaxPool", x, kernel_shape=[kernel] * 2, strides=[kernel] * 2)
        if isinstance(layer, nn.AdaptiveAvgPool2d):
            return self._average(x, int(layer.output_size), name)  # type: ignore[arg-type]
        if not _plain(layer):
            raise QrlibError(f"{name} is a {layer}, which cannot be exported")
        weights = [
            self.constant(tensor, f"{name}.{key}")
            for key in ("weight", "bias", "running_mean", "running_var")
            if (tensor := getattr(layer, key, None)) is not None
        ]
        if isinstance(layer, nn.Conv2d):
            pads = [int(p) for p in layer.padding] * 2
            return self.add("Conv", x, *weights, pads=pads, strides=list(layer.stride))
        if isinstance(layer, nn.ConvTranspose2d):
            return self.add("ConvTranspose", x, *weights, strides=list(layer.stride))
        if isinstance(layer, nn.BatchNorm2d):
            return self.add("BatchNormalization", x, *weights, epsilon=layer.eps)
        return self.add("Gemm", x, *weights, transB=1)

    def _shrink(self, factor: int) -> None:
        if self.side is not None:
            self.side //= factor

    def _average(self, x: str, side: int, name: str) -> str:
        """Adaptive pooling with windows that are alike; they overlap where a side is no whole factor."""
        before = self.side or 0
        windows = [(i * before // side, -(-(i + 1) * before // side)) for i in range(side)]
        kernels = {end - start for start, end in windows}
        strides = {after - here for (here, _), (after, _) in itertools.pairwise(windows)}
        if not before or len(kernels) > 1 or len(strides) > 1:
            raise QrlibError(
                f"{name} averages {self.side} to {side} pixels, in windows that are not alike"
            )
        self.side = side
        kernel = kernels.pop()
        stride = strides.pop() if strides else kernel
        return self.add("AveragePool", x, kernel_shape=[kernel] * 2, strides=[stride] * 2)

    def model(
        self, name: str, given: tuple[str, Sequence[Any]], made: tuple[str, Sequence[Any]]
    ) -> onnx.ModelProto:
        import onnx
        from onnx import helper

        values = [helper.make_tensor_value_info(n, 1, shape) for n, shape in (given, made)]
        graph = helper.make_graph(self.nodes, name, values[:1], values[1:], self.tensors)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="qrlib",
            ir_version=9,
        )
        onnx.checker.check_model(model, full_check=True)
        return model
