"""Where things lie.  Every folder can be moved with an environment variable."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from qrlib.utils.errors import QrlibError, choose

#: All that is read, here and elsewhere.
VARIABLES = (
    "BRANCH BROWSER CACHE DATA JOBS PROFILE REPOSITORY RESULTS ROOT RUNS SHIPPED WEIGHTS".split()
)

#: Those that name folders.
FOLDERS = ("CACHE", "DATA", "RESULTS", "RUNS", "WEIGHTS")


def check_variables() -> None:
    """Refuse a variable ``QRLIB_*`` that nothing reads: it is misspelt, and would have no effect.

    Raises:
        QrlibError: it is named, with the valid ones.
    """
    for name in os.environ:
        if name.startswith("QRLIB_") and not name.startswith(("QRLIB_DRILL", "QRLIB_TEST")):
            choose("variable", name, [f"QRLIB_{valid}" for valid in VARIABLES])


def root() -> Path:
    """The project: QRLIB_ROOT, else the checkout that this package was imported from."""
    if value := os.environ.get("QRLIB_ROOT"):
        return expanded(value)
    here = Path(__file__).resolve().parent.parent.parent
    if not (here / "profiles").is_dir():
        raise QrlibError(
            f"no profiles/ beside the package at {here}: work in a clone of the project installed "
            "with `pip install -e .`, or set QRLIB_ROOT to one"
        )
    return here


def expanded(value: str) -> Path:
    """An absolute path; ~ is the home folder, where the system knows one."""
    try:
        return Path(value).expanduser().resolve()
    except RuntimeError as error:
        raise QrlibError(f"{value}: no home folder is known; write the whole path") from error


def below_root(path: Path) -> str:
    """A path as Snakemake is told it: relative where it is in the project, which may then be moved."""
    return str(path.relative_to(root()) if path.is_relative_to(root()) else path)


def name_user() -> None:
    """Name a user whom the system does not know, as in a container: torch's modules ask for one."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = str(os.getuid())


def _folder(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    return expanded(value) if value else root() / default


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
    return expanded(value) if value else None


def shipped() -> bool:
    """Whether networks of results/<profile>/weights are used in place of training: QRLIB_SHIPPED is 1.

    Raises:
        QrlibError: it is another word.
    """
    return choose("QRLIB_SHIPPED", os.environ.get("QRLIB_SHIPPED") or "0", ("0", "1")) == "1"


def runs(profile: str) -> Path:
    """Checkpoints, weights and logs of a profile's runs: QRLIB_RUNS, else runs/, by profile."""
    return _folder("QRLIB_RUNS", "runs") / profile


def results(profile: str | None = None) -> Path:
    """Records: QRLIB_RESULTS, else results/; of one profile where it is named."""
    folder = _folder("QRLIB_RESULTS", "results")
    return folder / profile if profile else folder
