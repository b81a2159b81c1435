"""What a training computes on, and with which numbers."""

from __future__ import annotations

import torch

from qrlib.utils.errors import QrlibError


def resolve_precision(precision: str) -> str:
    """ "auto": bfloat16 where the processor computes with it, else float32.

    Raises:
        QrlibError: "16-mixed" without a GPU, which processors do not compute with.
    """
    if precision == "16-mixed" and not torch.cuda.is_available():
        raise QrlibError(
            "precision 16-mixed needs a GPU: set precision to auto, bf16-mixed or 32-true"
        )
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return (
            "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
        )
    return "bf16-mixed" if torch.cpu._is_avx512_bf16_supported() else "32-true"


def device_name() -> str:
    """The GPU's name, or "CPU" with the number of threads in use."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"CPU ({threads} thread{'s' if threads > 1 else ''})"
