"""Where things lie.  Every folder can be moved with an environment variable."""

from __future__ import annotations

import os
from pathlib import Path

from qrlib.utils.errors import QrlibError


def root() -> Path:
    """The project: QRLIB_ROOT, else the checkout that this package was imported from."""
    if value := os.environ.get("QRLIB_ROOT"):
        return Path(value).resolve()
    here = Path(__file__).resolve().parent.parent.parent
    if not (here / "profiles").is_dir():
        raise QrlibError(
            f"no profiles/ beside the package at {here}: work in a clone of the project installed "
            "with `pip install -e .`, or set QRLIB_ROOT to one"
        )
    return here


def _folder(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser().resolve() if value else root() / default


def data() -> Path:
    """Data sets are looked for, and downloaded to: QRLIB_DATA, else data/."""
    return _folder("QRLIB_DATA", "data")


def cache() -> Path:
    """Packed image stores: QRLIB_CACHE, else data/packed.  Apart from QRLIB_DATA, which may be
    read-only."""
    return _folder("QRLIB_CACHE", "data/packed")


def weights() -> Path | None:
    """ImageNet backbones are looked for first: QRLIB_WEIGHTS; None where it is not set."""
    value = os.environ.get("QRLIB_WEIGHTS")
    return Path(value).expanduser().resolve() if value else None


def runs(profile: str) -> Path:
    """Checkpoints, weights and logs of a profile's runs: QRLIB_RUNS, else runs/, by profile."""
    return _folder("QRLIB_RUNS", "runs") / profile


def results(profile: str | None = None) -> Path:
    """Records: QRLIB_RESULTS, else results/; of one profile where it is named."""
    folder = _folder("QRLIB_RESULTS", "results")
    return folder / profile if profile else folder
