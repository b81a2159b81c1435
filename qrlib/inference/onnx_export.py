"""Networks as ONNX models, for programs without PyTorch such as a web page."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.export import Dim

from qrlib.classifiers import Classifier
from qrlib.models import QRNet
from qrlib.utils.errors import QrlibError

if TYPE_CHECKING:
    import onnx

#: The operators' version, the first in which Pad takes axes; old, so widely understood.
OPSET = 18
#: Tensors of fewer values stay in float32 when weights are halved; biases cost nothing.
SMALL = 1024


def export_qrnet(net: QRNet, *, half: bool = False) -> onnx.ModelProto:
    """QRNet in evaluation mode: input ``images`` (1, 3, H, W) in [0, 1], output ``restored`` alike.

    Any H and W of at least 1, padded and cropped inside as `qrlib.models.QRNet` does.

    Args:
        half: store the weights as float16, for half the size; computation stays in float32.  Restored
            images then differ by some 1e-4 from the network's own.

    Raises:
        QrlibError: not a QRNet.
    """
    if type(net) is not QRNet:
        raise QrlibError(f"export_qrnet takes a QRNet, not a {type(net).__name__}")
    weights = net.state_dict()
    program = _qrnet_program(2 if "encoder.0.2.weight" in weights else 1)
    program.apply_weights(weights)
    return _model(program, half)


def export_classifier(
    net: Classifier, image_size: int | None, *, half: bool = False
) -> onnx.ModelProto:
    """A classifier: ``images`` (B, 3, S, S) in [0, 1] -> ``confidence`` (B, K), rows sum to 1.

    Args:
        image_size: S; fully connected layers fix it to that of the training.  None: the network resizes
            its images itself (`input_size`) and takes one of any height and width, (1, 3, H, W).
        half: as in `export_qrnet`.

    Raises:
        QrlibError: not a `qrlib.classifiers.Classifier`.
    """
    if not isinstance(net, Classifier):
        raise QrlibError(f"export_classifier takes a Classifier, not a {type(net).__name__}")
    network = nn.Sequential(net, nn.Softmax(1))
    if image_size is None:
        return _model(_trace(network, (1, 3, 230, 300), (2, 3), "confidence"), half)
    return _model(_trace(network, (2, 3, image_size, image_size), (0,), "confidence"), half)


@functools.cache
def _qrnet_program(convs_per_block: int) -> torch.onnx.ONNXProgram:
    """QRNet without trained weights: a trace takes seconds, which networks of one kind share."""
    net = QRNet(convs_per_block)
    with torch.no_grad():
        for number, parameter in enumerate(net.parameters(), start=1):
            parameter.fill_(number)  # tensors that are equal would be stored once
    return _trace(net, (1, 3, 37, 51), (2, 3), "restored")


def _trace(
    net: nn.Module, shape: tuple[int, ...], varying: tuple[int, ...], output: str
) -> torch.onnx.ONNXProgram:
    """A network in evaluation mode; `shape` is that of an example, whose `varying` axes stay free."""
    program = torch.onnx.export(
        net.eval(),
        (torch.rand(shape),),
        input_names=["images"],
        output_names=[output],
        opset_version=OPSET,
        dynamo=True,
        dynamic_shapes=(dict.fromkeys(varying, Dim.DYNAMIC),),
        verbose=False,
    )
    assert program is not None
    return program


def _model(program: torch.onnx.ONNXProgram, half: bool) -> onnx.ModelProto:
    """The traced network, without the paths and lines of code that a trace notes."""
    import onnx
    from onnx import helper, numpy_helper
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    ClearMetadataAndDocStringPass()(program.model)
    model = program.model_proto
    casts = []
    for tensor in model.graph.initializer if half else ():
        array, name = numpy_helper.to_array(tensor), tensor.name
        if array.dtype == np.float32 and array.size >= SMALL:
            tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}.half"))
            casts.append(
                helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT)
            )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return model
