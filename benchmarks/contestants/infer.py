"""Restoring, and classifying as well, a batch: in PyTorch, compiled, by ONNX Runtime, by OpenVINO.

All in float32 and with the same weights; each result is held against PyTorch's in plain mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.contest import Absent, Ready
from benchmarks.contestants.torch_device import device_of, waiting
from benchmarks.settings import Settings
from qrlib import classifiers
from qrlib.inference import onnx_export
from qrlib.models import QRNet
from qrlib.utils import memory

CLASSES = 101


def _network(settings: Settings, classify: bool) -> nn.Module:
    torch.manual_seed(0)
    restorer = QRNet().eval()
    if not classify:
        return restorer
    classifier = classifiers.build(
        settings.classifier, CLASSES, weights=None, image_size=settings.size
    )
    return nn.Sequential(restorer, classifier).eval()


def _images(settings: Settings, batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(batch, 3, settings.size, settings.size, generator=generator)


def _difference(result: Any, network: nn.Module, images: Tensor) -> float:
    """Largest difference to plain PyTorch on the CPU, at some of the images."""
    with torch.no_grad():
        expected = network.cpu()(images[:2].cpu())
    return float((torch.as_tensor(result)[:2].cpu() - expected).abs().max())


def _torch(
    settings: Settings,
    classify: bool,
    batch: int,
    tune: Callable[[nn.Module], nn.Module],
    channels_last: bool,
) -> Ready:
    device = device_of(settings)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    images = _images(settings, batch).to(device).contiguous(memory_format=layout)
    network = tune(_network(settings, classify).to(device).to(memory_format=layout))  # type: ignore[call-overload]

    def run() -> None:
        with torch.no_grad():
            network(images)

    with torch.no_grad():
        found = network(images).cpu()
    difference = _difference(found, _network(settings, classify), images)
    return Ready(run, work={"images": batch}, difference=difference, device=waiting(device))


def eager(settings: Settings, *, classify: bool, batch: int) -> Ready:
    """PyTorch as it is."""
    return _torch(settings, classify, batch, lambda network: network, channels_last=False)


def ours(settings: Settings, *, classify: bool, batch: int) -> Ready:
    """As this project infers: channels last, and freed memory kept."""
    memory.keep_freed_memory()
    return _torch(settings, classify, batch, lambda network: network, channels_last=True)


def _compile(network: nn.Module) -> nn.Module:
    network.compile()
    return network


def compiled(settings: Settings, *, classify: bool, batch: int, left_out: bool) -> Ready:
    """torch.compile, with memory as this project keeps it."""
    if left_out:
        raise Absent("compiling takes minutes on few cores: not in a small run (--no-small)")
    memory.keep_freed_memory()
    try:
        return _torch(settings, classify, batch, _compile, channels_last=True)
    except Exception as error:
        if "compiler" in str(error).lower():
            raise Absent(f"torch.compile finds no C++ compiler: {type(error).__name__}") from error
        raise


def _onnx(settings: Settings, classify: bool, batch: int) -> bytes:
    """QRNet as this project exports it; with a classifier by PyTorch's exporter."""
    network = _network(settings, classify)
    if not classify:
        model = onnx_export.qrnet(network)  # type: ignore[arg-type]
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = batch
        return model.SerializeToString()
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise Absent("onnxscript is not installed, which torch.onnx.export needs") from error
    program = torch.onnx.export(
        network, (_images(settings, batch),), dynamo=True, verbose=False, input_names=["images"]
    )
    assert program is not None
    return program.model_proto.SerializeToString()


def onnxruntime(settings: Settings, *, classify: bool, batch: int) -> Ready:
    """ONNX Runtime, on a GPU where its build has the provider."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    provider = "CUDAExecutionProvider" if settings.device == "cuda" else "CPUExecutionProvider"
    if provider not in runtime.get_available_providers():
        raise Absent("this build of ONNX Runtime has no CUDA (onnxruntime-gpu has)")
    session = runtime.InferenceSession(
        _onnx(settings, classify, batch), options, providers=[provider]
    )
    images = _images(settings, batch)
    given = {session.get_inputs()[0].name: images.numpy()}
    found = session.run(None, given)[0]
    difference = _difference(found, _network(settings, classify), images)
    return Ready(lambda: session.run(None, given), work={"images": batch}, difference=difference)


def openvino(settings: Settings, *, classify: bool, batch: int) -> Ready:
    """OpenVINO on the CPU, told to compute in float32, which it does not by itself everywhere."""
    import openvino as vino

    if settings.device == "cuda":
        raise Absent("OpenVINO does not run on NVIDIA GPUs")
    core = vino.Core()
    core.set_property({"ENABLE_MMAP": False})
    images = _images(settings, batch)
    model = vino.convert_model(_network(settings, classify), example_input=images)
    model.reshape(list(images.shape))
    hints = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": settings.threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled_model = core.compile_model(model, "CPU", hints)
    given = images.numpy()
    found = compiled_model(given)[0]
    difference = _difference(found, _network(settings, classify), images)
    return Ready(lambda: compiled_model(given), work={"images": batch}, difference=difference)
