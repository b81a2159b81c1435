"""qrlib: Quality Recovery for Image Recognition (Takagi, Sakurai, Hagiwara; IEEE Access 2019).

The names below are loaded when first used, so that reading results does not import torch.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "QRNet": "models",
    "load_qrnet": "models",
    "RecoveryLoss": "losses",
    "QrlibError": "errors",
}
_MODULES = (
    "agreement batch checking claims classifiers conventions data diagrams distortions errors "
    "evaluation experiments latency layers losses manual measuring models origins photo plots "
    "profiles provenance recover reference rendering runs samples schema sections selection "
    "similarity speed speed_goals speed_tables store style sweep tables timings training"
).split()

__all__ = ["__version__", *_WHERE, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f"qrlib.{_WHERE[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"qrlib.{name}")
    raise AttributeError(f"module 'qrlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
