"""The environment of what a run starts: nothing of the caller's that is meant for other work."""

from __future__ import annotations

import os
import re
import tempfile

from qrlib.utils import paths

#: Variables that would change what Snakemake, Jupyter, Sphinx, Lightning and Python do here.
FOREIGN = re.compile(
    r"(SNAKEMAKE|JUPYTER|IPYTHON|PAPERMILL|NBCLIENT|MPL|MATPLOTLIB|SPHINX|DOCUTILS|PYTEST)"
    r"|GIT_(?!CONFIG)|BASH_|BASHOPTS$|SHELLOPTS$|CDPATH$|PYTHON(STARTUP|INSPECT|WARNINGS|OPTIMIZE|VERBOSE|IOENCODING)"
    r"|(GLOBAL_|LOCAL_|NODE_|GROUP_)?RANK$|(LOCAL_)?WORLD_SIZE$|MASTER_(ADDR|PORT)$"
)
#: Of a job in which the run was started; its own jobs are no steps of that one.
JOB = re.compile(r"(SLURM|PMI|PMIX|OMPI|LSB|PBS)_")
#: Bytes of a folder below which sockets still have names that the system takes, of 104 or 108 bytes.
SOCKETS = 64


def for_children(cluster: bool = False) -> dict[str, str]:
    """The caller's environment without what is foreign, and with places in the project to write to.

    Args:
        cluster: jobs are submitted, by programs that want to know in which job they are.
    """
    paths.name_user()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not FOREIGN.match(name) and (cluster or not JOB.match(name))
    }
    own = paths.root() / ".snakemake" / "home"
    home = kept.setdefault("HOME", os.path.expanduser("~"))
    if not os.path.isabs(home):  # no passwd entry either
        home = kept["HOME"] = str(own)
    if not os.access(home, os.W_OK):
        kept.setdefault("XDG_CACHE_HOME", str(own / "cache"))
        kept.setdefault("TORCH_HOME", str(own / "torch"))
    own.mkdir(parents=True, exist_ok=True)
    # Jobs run in the project's folder, wherever the caller is.
    folders = {name: kept[name] for f in paths.FOLDERS if kept.get(name := f"QRLIB_{f}")}
    return {
        **kept,
        **{name: str(paths.expanded(value)) for name, value in folders.items()},
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "QRLIB_ROOT": str(paths.root()),
        "IPYTHONDIR": str(own / "ipython"),
        "JUPYTER_CONFIG_DIR": str(own / "jupyter" / "config"),
        "JUPYTER_DATA_DIR": str(own / "jupyter" / "data"),  # so that no kernel is found but our own
        "JUPYTER_RUNTIME_DIR": str(own / "jupyter" / "runtime"),
        "MPLCONFIGDIR": str(own / "matplotlib"),
        "TMPDIR": temporary_folder(),
    }


def cores() -> int:
    """The processor cores that this process may use, which a batch system may have made fewer."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def temporary_folder() -> str:
    """The system's, or another one where its name is too long for sockets in it."""
    usual = tempfile.gettempdir()
    short = [usual] if len(os.fsencode(usual)) <= SOCKETS else ["/tmp", "/var/tmp", "/dev/shm"]
    return next((name for name in short if os.access(name, os.W_OK | os.X_OK)), usual)
