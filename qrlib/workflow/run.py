"""Driving the graph of runs: Snakemake with its lock, and the stamps of what it finished."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from qrlib.book import notebooks
from qrlib.experiments import profiles
from qrlib.utils import files, paths, strict_yaml
from qrlib.utils.errors import QrlibError, choose
from qrlib.workflow import kernel_server, process

#: Status of a run that Ctrl-C or SIGTERM ended, as a shell has it.
INTERRUPTED = 130
#: Cores that a job on a cluster asks for unless said otherwise; a GPU is fed by few.
JOB_CORES = 4
#: Seconds by which the clock of another machine, or of a file system, may be off.
SKEW = 60.0


def run(
    profile: str,
    target: str,
    cores: int | None = None,
    dry_run: bool = False,
    cluster: str | None = None,
) -> int:
    """Bring a target of the Snakefile up to date; returns Snakemake's exit status.

    One run at a time in a checkout: a second waits for the first.  The lock is the system's and ends
    with its process, unlike Snakemake's own, which outlives a kill.

    Args:
        cores: of this machine; with a cluster, of each job whose profile does not say `threads`.
        cluster: a folder of cluster/, a profile of Snakemake that submits jobs; None runs them here.
    """
    settings = profiles.load(profile)  # refuses an unknown one before anything starts
    root = paths.root()
    where = _here(cores) if cluster is None else _on(cluster, cores)
    lock = FileLock(root / ".snakemake" / "qrlib.lock")
    Path(lock.lock_file).parent.mkdir(exist_ok=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"another run holds {lock.lock_file}; waiting for it to end", flush=True)
        lock.acquire()
    with lock:
        drop_stale_stamps(profile)
        command = [sys.executable, "-m", "snakemake", target, "--nolock", "--rerun-incomplete"]
        command += ["--rerun-triggers", "mtime", "params", "input"]
        command += ["--quiet", "rules", *(["--dry-run"] if dry_run else [])]
        started = time.time()
        log = paths.runs(profile) / "logs" / "run.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "QRLIB_ROOT": str(root)}
        if cluster is not None:  # what a job on another machine is to know
            known = sorted(name for name in environment if name.startswith("QRLIB_"))
            command += ["--envvars", "PYTHONUNBUFFERED", *known]
        command += [*where, "--config", f"profile={profile}"]
        if cluster is not None:
            command += [f"cores={cores or JOB_CORES}"]
        with contextlib.ExitStack() as stack:
            # A kernel cannot be forked from a process of another machine.
            if kernel_server.usable() and not dry_run and cluster is None:
                threads = settings.threads or cores or os.cpu_count() or 1
                kernels = kernel_server.server(threads, log.with_name("kernels.log"))
                environment |= stack.enter_context(kernels)
            try:
                patience = process.PATIENCE if cluster is None else process.PATIENCE_CLUSTER
                status = process.follow(command, environment, log, dry_run, patience)
            except KeyboardInterrupt:
                print("stopped; what was finished is kept, the same command goes on", flush=True)
                return INTERRUPTED
    if status:
        _explain(log, started)
    elif not dry_run:
        print(f"records: {_shown(paths.results(profile) / 'records')}")
        print(f"results notebooks: {_shown(root / 'book' / '_executed' / profile)}")
    return status


def _here(cores: int | None) -> list[str]:
    return ["--cores", str(cores or os.cpu_count() or 1)]


def _on(cluster: str, cores: int | None) -> list[str]:
    """Snakemake's arguments for a cluster, if what submits to it is installed."""
    folder = paths.root() / "cluster"
    known = sorted(path.parent.name for path in folder.glob("*/config.yaml"))
    config = folder / choose("cluster", cluster, known) / "config.yaml"
    executor = str(strict_yaml.read(config, "cluster profile").get("executor"))
    if importlib.util.find_spec(f"snakemake_executor_plugin_{executor.replace('-', '_')}") is None:
        raise QrlibError(
            f"cluster {cluster!r} needs snakemake-executor-plugin-{executor}: run `make setup` with "
            "Python 3.11 or newer, which is what Snakemake's plugins need"
        )
    return ["--profile", str(config.parent)]


def _explain(log: Path, since: float) -> None:
    """Say in a line what failed, or show the log's lines before it where no notebook tells.

    Args:
        log: all that Snakemake and its jobs said.
        since: when they began; what failed before does not count.
    """
    import nbformat

    failed = 0
    folders = log.parent, paths.runs("book") / "logs"
    for notebook in sorted(path for folder in folders for path in folder.glob("*.ipynb")):
        told = notebook.stat()
        if not told.st_size or told.st_mtime < since - SKEW:
            continue  # Snakemake's placeholder of a job that did not fail, or a failure of another run
        cells = nbformat.read(notebook, as_version=4).cells
        for output in (o for c in cells for o in c.get("outputs", []) if o.output_type == "error"):
            failed += 1
            print(f"error in {notebook.stem}: {output.ename}: {output.evalue}", file=sys.stderr)
            print(f"  with traceback: {_shown(notebook)}", file=sys.stderr)
    if not failed:
        lines = log.read_text(encoding="utf-8").splitlines()
        # Other jobs end their work after that, and say so; outputs of notebooks are long lines.
        end = next((i + 3 for i, x in enumerate(lines) if x == "RuleException:"), len(lines))
        print("\n".join(x[:300] for x in lines[max(end - 40, 0) : end]), file=sys.stderr)
    print(
        f"error: a step failed (all output: {_shown(log)}); what was finished is kept, and the same "
        "command goes on from there",
        file=sys.stderr,
    )


def drop_stale_stamps(profile: str) -> None:
    """Forget the stamps of records or notebooks that were deleted or changed since."""
    for stamp in (paths.runs(profile) / "stamps").glob("*.json"):
        try:
            expected = files.read_json(stamp, "stamp")
        except QrlibError:
            expected = {"": None}  # cut short: the job runs again
        if expected != {name: _hash(profile, name) for name in expected}:
            print(f"{stamp.stem}: a result of it is gone or was changed; it will run again")
            stamp.unlink()


def publish(notebook: str | Path, profile: str, stamp: str | Path, records: Iterable[str]) -> None:
    """Move a finished run's notebook to the results, tidied, and stamp it and its records."""
    notebook = Path(notebook)
    profiles.check_name(profile)
    notebooks.page(notebook, paths.results(profile) / "notebooks" / notebook.name, run=True)
    results = [f"notebooks/{notebook.name}", *(f"records/{name}.json" for name in records)]
    files.write_json(Path(stamp), {name: _hash(profile, name) for name in results})


def _hash(profile: str, name: str) -> str | None:
    path = paths.results(profile) / name
    return files.file_hash(path) if path.is_file() else None


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
