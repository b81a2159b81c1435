"""What contestants that compute with PyTorch share: device, waiting for it, its memory."""

from __future__ import annotations

import torch

from benchmarks.contest import Device
from benchmarks.settings import Settings


def device_of(settings: Settings) -> torch.device:
    """The device of the settings, with the settings' number of threads."""
    torch.set_num_threads(settings.threads)
    return torch.device(settings.device)


def waiting(device: torch.device) -> Device:
    """How to wait for a device, and its memory, for `benchmarks.contest.Ready`."""
    if device.type == "cpu":
        return Device()
    return Device(torch.cuda.synchronize, lambda: int(torch.cuda.max_memory_allocated()))
