"""Driving the graph of runs: Snakemake with its lock, and the stamps of what it finished."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from qrlib.book import notebooks
from qrlib.experiments import profiles
from qrlib.utils import files, paths, strict_yaml
from qrlib.utils.errors import QrlibError, choose
from qrlib.workflow import process

#: Status of a run that Ctrl-C or SIGTERM ended, as a shell has it.
INTERRUPTED = 130
#: Cores that a job on a cluster asks for unless said otherwise; a GPU is fed by few.
JOB_CORES = 4
#: Seconds by which the clock of another machine, or of a file system, may be off.
CLOCK_SKEW = 60.0


def run(
    profile: str,
    target: str,
    cores: int | None = None,
    dry_run: bool = False,
    cluster: str | None = None,
) -> int:
    """Bring a target of the Snakefile up to date; returns Snakemake's exit status.

    One run at a time in a checkout: a second waits for the first.

    Args:
        cores: of this machine; with a cluster, of each job whose profile does not say `threads`.
        cluster: a folder of cluster/, a profile of Snakemake that submits jobs; None runs them here.
    """
    profiles.load(profile)  # refuses an unknown one before anything starts
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "QRLIB_ROOT": str(paths.root())}
    command = [sys.executable, "-m", "snakemake", target, "--nolock", "--rerun-incomplete"]
    command += ["--rerun-triggers", "mtime", "params", "input"]
    command += ["--quiet", "rules", *(["--dry-run"] if dry_run else [])]
    if cluster is None:
        command += ["--cores", str(cores or os.cpu_count() or 1), "--config", f"profile={profile}"]
    else:
        passed_on = sorted(name for name in environment if name.startswith("QRLIB_"))
        command += ["--profile", str(_cluster_folder(cluster))]
        command += ["--envvars", "PYTHONUNBUFFERED", *passed_on]
        command += ["--config", f"profile={profile}", f"cores={cores or JOB_CORES}"]
    log = paths.runs(profile) / "logs" / "run.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with _one_run_at_a_time():
        drop_stale_stamps(profile)
        started = time.time()
        try:
            patience = process.PATIENCE if cluster is None else process.PATIENCE_CLUSTER
            status = process.follow(command, environment, log, dry_run, patience)
        except KeyboardInterrupt:
            print("stopped; what was finished is kept, the same command goes on", flush=True)
            return INTERRUPTED
    if status:
        explain_failure(log, started)
    elif not dry_run:
        print(f"records: {_relative(paths.results(profile) / 'records')}")
        print(f"results notebooks: {_relative(paths.root() / 'book' / '_executed' / profile)}")
    return status


@contextlib.contextmanager
def _one_run_at_a_time() -> Iterator[None]:
    """Hold the checkout's lock: the system's, which ends with its process.

    Snakemake's own outlives a kill.
    """
    lock = FileLock(paths.root() / ".snakemake" / "qrlib.lock")
    Path(lock.lock_file).parent.mkdir(exist_ok=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"another run holds {lock.lock_file}; waiting for it to end", flush=True)
        lock.acquire()
    with lock:
        yield


def _cluster_folder(cluster: str) -> Path:
    """Snakemake's profile for a cluster, if what submits to it is installed."""
    folder = paths.root() / "cluster"
    known = sorted(path.parent.name for path in folder.glob("*/config.yaml"))
    folder /= choose("cluster", cluster, known)
    executor = str(strict_yaml.read(folder / "config.yaml", "cluster profile").get("executor"))
    if importlib.util.find_spec(f"snakemake_executor_plugin_{executor.replace('-', '_')}") is None:
        raise QrlibError(
            f"cluster {cluster!r} needs snakemake-executor-plugin-{executor}: run `make setup` with "
            "Python 3.11 or newer, which is what Snakemake's plugins need"
        )
    return folder


def explain_failure(log: Path, since: float) -> None:
    """Say in a line what failed, or show the log's lines before it where no notebook tells.

    Args:
        log: all that Snakemake and its jobs said.
        since: when they began, in seconds; what failed before does not count.
    """
    import nbformat

    failed = 0
    folders = log.parent, paths.runs("book") / "logs"
    for notebook in sorted(path for folder in folders for path in folder.glob("*.ipynb")):
        state = notebook.stat()
        if not state.st_size or state.st_mtime < since - CLOCK_SKEW:
            continue  # Snakemake's placeholder of a job that did not fail, or a failure of another run
        cells = nbformat.read(notebook, as_version=4).cells
        for output in (o for c in cells for o in c.get("outputs", []) if o.output_type == "error"):
            failed += 1
            print(f"error in {notebook.stem}: {output.ename}: {output.evalue}", file=sys.stderr)
            print(f"  with traceback: {_relative(notebook)}", file=sys.stderr)
    if not failed:
        lines = log.read_text(encoding="utf-8").splitlines()
        # Other jobs end their work after that, and say so; outputs of notebooks are long lines.
        end = next((i + 3 for i, x in enumerate(lines) if x == "RuleException:"), len(lines))
        print("\n".join(x[:300] for x in lines[max(end - 40, 0) : end]), file=sys.stderr)
    print(
        f"error: a step failed (all output: {_relative(log)}); what was finished is kept, and the "
        "same command goes on from there",
        file=sys.stderr,
    )


def drop_stale_stamps(profile: str) -> None:
    """Forget the stamps of records or notebooks that were deleted or changed since."""
    for stamp in (paths.runs(profile) / "stamps").glob("*.json"):
        try:
            expected = files.read_json(stamp, "stamp")
        except QrlibError:
            expected = {"": None}  # cut short: the job runs again
        if expected != {name: _result_hash(profile, name) for name in expected}:
            print(f"{stamp.stem}: a result of it is gone or was changed; it will run again")
            stamp.unlink()


def execute(notebook: str | Path, executed: str | Path, parameters: Mapping[str, str]) -> None:
    """Run a notebook; the executed one stays with its traceback if a cell fails, which raises.

    Args:
        parameters: as text; numbers become numbers.
    """
    import papermill
    from traitlets.config import Config

    logging.basicConfig(level=logging.INFO, format="%(message)s")  # what the cells print
    given = {name: int(x) if x.isdigit() else x for name, x in parameters.items()}
    with tempfile.TemporaryDirectory(prefix="qrlib-kernel-") as folder:
        # Not by TCP: another kernel that starts at this moment may be given the same ports.
        sockets = {"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}}
        papermill.execute_notebook(
            notebook,
            executed,
            given,
            progress_bar=False,
            log_output=True,
            autosave_cell_every=0,
            start_timeout=300,
            config=Config(sockets),
        )


def publish(notebook: str | Path, profile: str, stamp: str | Path, records: Iterable[str]) -> None:
    """Move a finished run's notebook to the results, tidied, and stamp it and its records."""
    notebook = Path(notebook)
    profiles.check_name(profile)
    notebooks.page(notebook, paths.results(profile) / "notebooks" / notebook.name, run=True)
    results = [f"notebooks/{notebook.name}", *(f"records/{name}.json" for name in records)]
    files.write_json(Path(stamp), {name: _result_hash(profile, name) for name in results})


def _result_hash(profile: str, name: str) -> str | None:
    path = paths.results(profile) / name
    return files.file_hash(path) if path.is_file() else None


def _relative(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
