"""qrlib: Quality Recovery for Image Recognition (Takagi, Sakurai, Hagiwara; IEEE Access 2019).

The names below are the science; they are loaded when first used, so that reading results does not import
torch.  Everything else is in packages named for their purpose, imported from where it is.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "QRNet": "models",
    "load_qrnet": "models",
    "RecoveryLoss": "losses",
    "QrlibError": "utils.errors",
}
_MODULES = (
    "attacks",
    "classical",
    "classifiers",
    "corruptions",
    "distortions",
    "evaluation",
    "losses",
    "metrics",
    "models",
    "paper",
    "weights",
)

__all__ = ["__version__", *_NAMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"qrlib.{_NAMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"qrlib.{name}")
    raise AttributeError(f"module 'qrlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
