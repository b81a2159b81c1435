"""The machine that the numbers are of, without anything that names its owner."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from benchmarks.settings import Settings
from qrlib.records import provenance

#: Packages whose versions a result names, where they are installed.
PACKAGES = (
    "torch torchvision pytorch-lightning numpy pillow keras tensorflow tensorflow-cpu jax kornia "
    "scikit-image opencv-python-headless imagecorruptions onnxruntime onnxruntime-gpu openvino"
).split()


def has_gpu(settings: Settings | None = None) -> bool:
    """Whether PyTorch sees an NVIDIA GPU; to be asked in a process of its own."""
    import torch

    return torch.cuda.is_available()


def describe(settings: Settings) -> dict[str, Any]:
    """Device, processor, memory; "kind" is a name for files."""
    import torch

    processor = _processor()
    found: dict[str, Any] = {
        "processor": processor,
        "threads": settings.threads,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": bool(torch.cpu._is_avx512_bf16_supported()),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    if settings.device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "device": properties.name,
            "bfloat16": torch.cuda.is_bf16_supported(including_emulation=False),
            "gpu_memory": properties.total_memory,
            "cuda": str(torch.version.cuda),
        }
        kind = properties.name
    else:
        plural = "s" if settings.threads > 1 else ""
        found["device"] = f"{processor}, {settings.threads} thread{plural}, {_width(found)}"
        kind = found["device"]
    found["kind"] = "-".join(re.findall(r"[a-z0-9]+", kind.lower()))
    return found


def _width(found: dict[str, Any]) -> str:
    """What tells apart processors that systems give one name: "AVX2", "AVX512 with bfloat16"."""
    return found["instructions"] + (" with bfloat16" if found["bfloat16"] else "")


def versions() -> dict[str, str]:
    """Package -> installed version; those that are not installed are left out."""
    import importlib.metadata

    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def load() -> list[float]:
    """How many processes wanted to run in the last 1, 5 and 15 minutes; empty where unknown."""
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else []


def code() -> dict[str, Any]:
    """Git commit of this project, and whether files differ from it."""
    described = provenance.describe("")
    return {name: described[name] for name in ("git_commit", "git_dirty")}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        if found:
            return re.sub(r"\(R\)|\(TM\)| CPU|@.*", "", found[1]).strip()
    return platform.processor() or platform.machine()


def _memory() -> int:
    """Bytes of memory; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
