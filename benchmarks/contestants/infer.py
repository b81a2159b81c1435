"""Restoring, and classifying as well, a batch: in PyTorch, compiled, by ONNX Runtime, by OpenVINO.

All in float32 and with the same weights; each result is held against PyTorch's in plain mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.contest import CPU, Absent, Device, Ready
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


def _ready(
    settings: Settings, classify: bool, images: Tensor, run: Callable[[], Any], device: Device = CPU
) -> Ready:
    """With the largest difference to plain PyTorch on the CPU, at some of the images."""
    with torch.no_grad():
        expected = _network(settings, classify)(images[:2].cpu())
    difference = float((torch.as_tensor(run())[:2].cpu() - expected).abs().max())
    return Ready(run, work={"images": len(images)}, difference=difference, device=device)


def _torch(
    settings: Settings, classify: bool, batch: int, *, layout: torch.memory_format, tune: bool
) -> Ready:
    device = device_of(settings)
    images = _images(settings, batch).to(device).contiguous(memory_format=layout)
    network = _network(settings, classify).to(device).to(memory_format=layout)  # type: ignore[call-overload]
    if tune:
        network.compile()

    def run() -> Tensor:
        with torch.no_grad():
            return network(images)

    return _ready(settings, classify, images, run, waiting(device))


def eager(settings: Settings, *, classify: bool, batch: int) -> Ready:
    """PyTorch as it is."""
    return _torch(settings, classify, batch, layout=torch.contiguous_format, tune=False)


def ours(settings: Settings, *, classify: bool, batch: int) -> Ready:
    """As this project infers: channels last, and freed memory kept."""
    memory.keep_freed_memory()
    return _torch(settings, classify, batch, layout=torch.channels_last, tune=False)


def compiled(settings: Settings, *, classify: bool, batch: int) -> Ready:
    """torch.compile, with memory as this project keeps it."""
    memory.keep_freed_memory()
    try:
        return _torch(settings, classify, batch, layout=torch.channels_last, tune=True)
    except Exception as error:
        if "compiler" in str(error).lower():
            raise Absent(f"torch.compile finds no C++ compiler: {type(error).__name__}") from error
        raise


def _onnx(settings: Settings, classify: bool, batch: int) -> bytes:
    """QRNet as this project exports it; with a classifier by PyTorch's exporter."""
    network = _network(settings, classify)
    if not classify:
        model = onnx_export.export_qrnet(network)  # type: ignore[arg-type]
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
    model = _onnx(settings, classify, batch)
    session = runtime.InferenceSession(model, options, providers=[provider])
    images = _images(settings, batch)
    given = {session.get_inputs()[0].name: images.numpy()}
    return _ready(settings, classify, images, lambda: session.run(None, given)[0])


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
    network, given = core.compile_model(model, "CPU", hints), images.numpy()
    return _ready(settings, classify, images, lambda: network(given)[0])
