"""Driving the graph of runs: Snakemake with its lock, and the stamps of what it finished."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from qrlib.book import notebooks
from qrlib.experiments import plan, profiles, standalone_plan
from qrlib.utils import files, paths, strict_yaml
from qrlib.utils.errors import QrlibError, choose
from qrlib.workflow import environment, process

#: Status of a run that Ctrl-C or SIGTERM ended, as a shell has it.
INTERRUPTED = 130
#: Cores that a job on a cluster asks for unless said otherwise; a GPU is fed by few.
JOB_CORES = 4
#: What Snakemake compares by time beside results and stamps.
SOURCES = "_config.yml benchmarks book notebooks qrlib web/live web/package-lock.json _build/html/index.html"
#: Target -> the rules that make pages of it.
PAGES = {"all": "results", "book": "live book results story first_page benchmarks page"}


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
    settings = profiles.load(profile)  # refuses an unknown one before anything starts
    variables = environment.for_children(cluster is not None)
    command = [sys.executable, "-m", "snakemake", target, "--nolock", "--rerun-incomplete"]
    command += ["--rerun-triggers", "mtime", "params", "input"]
    command += ["--quiet", "rules", *(["--dry-run"] if dry_run else [])]
    command += [
        "--workflow-profile",
        "none",
    ]  # profiles/ is ours, whatever is called "default" in it
    if not (paths.root() / ".snakemake" / "metadata").is_dir():
        # Nothing tells what made the pages that are there.
        command += ["--forcerun", *PAGES[target].split()]
    if cluster is None:
        command += ["--cores", str(cores or environment.cores()), "--config", f"profile={profile}"]
    else:
        passed_on = sorted(name for name in variables if name.startswith("QRLIB_"))
        command += ["--profile", str(_cluster_folder(cluster))]
        command += ["--envvars", "PYTHONUNBUFFERED", *passed_on]
        command += ["--config", f"profile={profile}", f"cores={cores or JOB_CORES}"]
    log = paths.runs(profile) / "logs" / "run.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with _one_run_at_a_time():
        drop_stale_stamps(profile)
        if not dry_run:
            redate(log, profile)
        before = _failures(log)
        try:
            patience = process.PATIENCE if cluster is None else process.PATIENCE_CLUSTER
            status = process.follow(command, variables, log, dry_run, patience)
        except KeyboardInterrupt:
            print("stopped; what was finished is kept, the same command goes on", flush=True)
            return INTERRUPTED
    if status:
        explain_failure(log, before)
    elif not dry_run:
        _check_records(settings, log)
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
    known = [path.parent.name for path in files.visible(folder, "*/config.yaml")]
    folder /= choose("cluster", cluster, known)
    executor = str(strict_yaml.read(folder / "config.yaml", "cluster profile").get("executor"))
    if importlib.util.find_spec(f"snakemake_executor_plugin_{executor.replace('-', '_')}") is None:
        raise QrlibError(
            f"cluster {cluster!r} needs snakemake-executor-plugin-{executor}: run `make setup` with "
            "Python 3.11 or newer, which is what Snakemake's plugins need"
        )
    return folder


def redate(log: Path, profile: str) -> None:
    """Date files of the future to now: Snakemake would run their jobs, and then throw the work away.

    Args:
        log: is written, so that its time is now by the clock of the file system.
        profile: whose stamps are looked at.
    """
    log.write_bytes(b"")
    now, future = log.stat().st_mtime_ns, []
    tops = [
        *map(paths.root().joinpath, SOURCES.split()),
        paths.results(),
        paths.runs(profile) / "stamps",
    ]
    for path in (path for top in tops for path in (top, *top.rglob("*"))):
        if path.is_file() and (dated := path.stat().st_mtime_ns) > now:
            future.append((dated, path))
    for number, (_, path) in enumerate(sorted(future), start=1 - len(future)):
        os.utime(path, ns=(now, now + number))  # in the order in which they were dated
    if future:
        print(f"{len(future)} file(s) were dated in the future, such as {path}; they are dated now")


def _check_records(profile: profiles.Profile, log: Path) -> None:
    """Nobody takes a run that did nothing for one that succeeded."""
    names = [name for x in plan.experiments_of(profile) for name in x.records]
    names += standalone_plan.planned(profile)
    folder = paths.results(profile.name) / "records"
    if missing := [name for name in names if not (folder / f"{name}.json").is_file()]:
        raise QrlibError(
            f"Snakemake ended well, but {len(missing)} of {len(names)} records are not in {folder}, such as "
            f"{missing[0]}: {_relative(log)} says what it did"
        )


def _failures(log: Path) -> dict[Path, int]:
    """Executed notebooks that a failure left, and when they were written."""
    folders = log.parent, paths.runs("book") / "logs"
    found = [path for folder in folders for path in files.visible(folder, "*.ipynb")]
    # Without Snakemake's placeholders of jobs that did not fail.
    return {path: path.stat().st_mtime_ns for path in found if path.stat().st_size}


def explain_failure(log: Path, before: Mapping[Path, int]) -> None:
    """Say in a line what failed, or show the log's lines before it where no notebook tells.

    Args:
        log: all that Snakemake and its jobs said.
        before: what `_failures` returned before they began.
    """
    import nbformat

    failed = 0
    for notebook in sorted(dict(_failures(log).items() - before.items())):
        try:
            cells = nbformat.read(notebook, as_version=4).cells
        except ValueError as error:  # cut short, as by a full disk
            print(
                f"{_relative(notebook)} cannot be read: {str(error).strip().splitlines()[0][:200]}",
                file=sys.stderr,
            )
            continue
        for output in (o for c in cells for o in c.get("outputs", []) if o.output_type == "error"):
            failed += 1
            print(f"error in {_name(notebook)}: {output.ename}: {output.evalue}", file=sys.stderr)
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
    for stamp in files.visible(paths.runs(profile) / "stamps", "*.json"):
        try:
            expected = files.read_json(stamp, "stamp")
        except QrlibError:
            expected = {"": None}  # cut short: the job runs again
        if expected != {name: _result_hash(profile, name) for name in expected}:
            print(f"{_name(stamp)}: a result of it is gone or was changed; it will run again")
            stamp.unlink()


def execute(notebook: str | Path, executed: str | Path, parameters: Mapping[str, str]) -> None:
    """Run a notebook; the executed one stays with its traceback if a cell fails, which raises.

    Args:
        parameters: as text; numbers become numbers.
    """
    import papermill
    from traitlets.config import Config

    logging.basicConfig(level=logging.INFO, format="%(message)s")  # what the cells print
    given = {name: int(x) if x.isdecimal() else x for name, x in parameters.items()}
    with tempfile.TemporaryDirectory(prefix="qrlib-kernel-") as folder:
        # Not by TCP: another kernel that starts at this moment may be given the same ports.
        sockets = {"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}}
        done = papermill.execute_notebook(
            notebook,
            executed,
            given,
            progress_bar=False,
            log_output=True,
            autosave_cell_every=0,
            start_timeout=300,
            config=Config(sockets),
        )
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    # Papermill takes it for success.
    if any(output.get("ename") == "SystemExit" for output in outputs):
        raise QrlibError(f"{executed} was stopped before its end; run the same command again")


def publish(notebook: str | Path, profile: str, stamp: str | Path, records: Iterable[str]) -> None:
    """Move a finished run's notebook to the results, tidied, and stamp it and its records."""
    notebook, stamp = Path(notebook), Path(stamp)
    profiles.check_name(profile)
    page = f"notebooks/{_name(notebook)}.ipynb"
    notebooks.page(notebook, paths.results(profile) / page, run=True)
    hashes = {
        name: _result_hash(profile, name)
        for name in (page, *map("records/{}.json".format, records))
    }
    if missing := [name for name, content in hashes.items() if content is None]:
        raise QrlibError(
            f"{notebook} ended well, but {missing[0]} is not in {paths.results(profile)}"
        )
    for other in files.visible(stamp.parent, f"{_name(stamp)}@*.json"):
        other.unlink()  # of other settings, whose results these have replaced
    files.write_json(stamp, hashes)


def _name(path: Path) -> str:
    """Of a run, whose stamps and logs have a hash of its settings behind it."""
    return path.stem.partition("@")[0]


def _result_hash(profile: str, name: str) -> str | None:
    path = paths.results(profile) / name
    return files.file_hash(path) if path.is_file() else None


def _relative(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
