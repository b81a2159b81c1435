"""The machine that the numbers are of, without anything that names its owner."""

from __future__ import annotations

import contextlib
import importlib.metadata
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
    "scikit-image opencv-python-headless onnxruntime onnxruntime-gpu openvino"
).split()


def has_gpu() -> bool:
    """Whether PyTorch sees an NVIDIA GPU; to be asked in a process of its own."""
    import torch

    return torch.cuda.is_available()


def describe(settings: Settings) -> dict[str, Any]:
    """Device, processor, memory; "kind" is a name for files."""
    import torch

    processor = _processor()
    instructions = torch.backends.cpu.get_cpu_capability()
    described: dict[str, Any] = {
        "processor": processor,
        "threads": settings.threads,
        "instructions": instructions,
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    if settings.device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        described |= {
            "device": properties.name,
            "bfloat16": torch.cuda.is_bf16_supported(including_emulation=False),
            "gpu_memory": properties.total_memory,
            "cuda": str(torch.version.cuda),
        }
    else:
        bfloat16 = bool(torch.cpu._is_avx512_bf16_supported())
        plural = "s" if settings.threads > 1 else ""
        # Systems give one name to processors that compute in different ways.
        width = instructions + (" with bfloat16" if bfloat16 else "")
        device = f"{processor}, {settings.threads} thread{plural}, {width}"
        described |= {"device": device, "bfloat16": bfloat16}
    described["kind"] = "-".join(re.findall(r"[a-z0-9]+", described["device"].lower()))
    return described


def versions() -> dict[str, str]:
    """Package -> installed version; those that are not installed are left out."""
    installed = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(name)
    return installed


def load() -> list[float]:
    """How many processes wanted to run in the last 1, 5 and 15 minutes; empty where unknown."""
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else []


def code() -> dict[str, Any]:
    """Git commit of this project, and whether files differ from it."""
    described = provenance.describe("")
    return {name: described[name] for name in ("git_commit", "git_dirty")}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""
    if name := re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE):
        return re.sub(r"\(R\)|\(TM\)| CPU|@.*", "", name[1]).strip()
    return platform.processor() or platform.machine()


def _memory() -> int:
    """Bytes of memory; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
