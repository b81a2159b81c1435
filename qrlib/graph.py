"""Driving the graph of runs: Snakemake with its lock, executed notebooks, stamps."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from qrlib import files, findings, foreground, forking, paths, profiles, sections
from qrlib.errors import QrlibError, choose

#: Status of a run that Ctrl-C or SIGTERM ended, as a shell has it.
INTERRUPTED = 130
#: Cores of a job on a cluster, unless said otherwise: a GPU is fed by few.
JOB_CORES = 4
#: Seconds by which the clock of another machine, or of a file system, may be off.
SKEW = 60.0
#: How the MIME types of saved widgets begin.
WIDGETS = "application/vnd.jupyter.widget-"


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
            command += [f"cluster={cluster}", f"cores={cores or JOB_CORES}"]
        with contextlib.ExitStack() as stack:
            # A kernel cannot be forked from a process of another machine.
            if forking.usable() and not dry_run and cluster is None:
                threads = settings.threads or cores or os.cpu_count() or 1
                kernels = forking.server(threads, log.with_name("kernels.log"))
                environment |= stack.enter_context(kernels)
            try:
                patience = foreground.PATIENCE if cluster is None else foreground.PATIENCE_CLUSTER
                status = foreground.follow(command, environment, log, dry_run, patience)
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
    executor = str(profiles.read_yaml(config).get("executor"))
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
    page(notebook, paths.results(profile) / "notebooks" / notebook.name, run=True)
    results = [f"notebooks/{notebook.name}", *(f"records/{name}.json" for name in records)]
    files.write_json(Path(stamp), {name: _hash(profile, name) for name in results})


def _left(declared: Iterable[str], given: str) -> list[str]:
    """The parameters that a run left as they are declared: with them, a copy of what is shown works.

    >>> _left(["seed = 0  # of all\\nclassifier = None"], "seed = 1")
    ['classifier = None']
    """
    names = {line.partition(" = ")[0] for line in given.splitlines()}
    lines = [line for source in declared for line in source.splitlines()]
    return [line.partition("  #")[0] for line in lines if line.partition(" = ")[0] not in names]


def page(notebook: str | Path, target: str | Path, *, run: bool = False) -> None:
    """Move a finished notebook to `target`, tidied as a page of the book, or as that of a run."""
    import nbformat

    notebook, target = Path(notebook), Path(target)
    content = nbformat.read(notebook, as_version=4)
    tidy(content, run=run)
    with files.replacing(target) as temporary:
        nbformat.write(content, temporary)
    notebook.unlink()


def tidy(content: Any, *, run: bool = False) -> None:
    """Hide what papermill added, and drop what belongs to this machine and moment.

    Args:
        run: it is a run's, whose reader wants to know its parameters and every step; other pages hide
            cells that show nothing.
    """
    cells = content.cells
    injected = [c for c in cells if "injected-parameters" in c.metadata.get("tags", [])]
    declared = [c.source for c in cells if "parameters" in c.metadata.get("tags", [])]
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        replaced = "parameters" in tags and (injected or not run)
        silent = "hide-input" in tags and not cell.outputs and not run
        if replaced or silent:
            cell.metadata.tags = ["remove-cell"]
    if injected:
        injected[0].metadata.tags = ["run-parameters" if run else "remove-cell"]
    if injected and run:
        given = injected[0].source.replace("# Parameters", "# The parameters of this run")
        injected[0].source = "\n".join([given.rstrip(), *_left(declared, given)])
    content.metadata.pop("papermill", None)
    _keep_shown_widgets(content)
    for cell in cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            _caption(cell)
            # Progress bars and library notices: seen while it ran, of no use to a reader.
            cell.outputs = _joined(o for o in cell.outputs if o.get("name") != "stderr")


def _caption(cell: Any) -> None:
    """Put what `qrlib.findings.say` said into the figure's caption."""
    said = [o for o in cell.outputs if findings.MIME in o.get("data", {})]
    if said:
        cell.outputs = [o for o in cell.outputs if o not in said]
        figure = cell.metadata.mystnb.figure
        notes = [o.data[findings.NOTE] for o in said if findings.NOTE in o.data]
        words = [*(o.data[findings.MIME] for o in said), figure.caption, *notes]
        figure.caption = " ".join(filter(None, words))


def _keep_shown_widgets(content: Any) -> None:
    """Keep the state of the explorers that cells show and of what it refers to, no other widget's."""
    widgets = content.metadata.pop("widgets", None)
    saved = (widgets or {}).get(WIDGETS + "state+json", {})
    state = saved.get("state", {})
    outputs = [o for c in content.cells for o in c.get("outputs", []) if "data" in o]
    views = [o.data[WIDGETS + "view+json"] for o in outputs if WIDGETS + "view+json" in o.data]
    todo = [view["model_id"] for view in views]
    kept: dict[str, Any] = {}
    while todo:
        name = todo.pop()
        if name in state and name not in kept:
            kept[name] = state[name]
            values = [v for v in state[name]["state"].values() if isinstance(v, str)]
            todo += [v.removeprefix("IPY_MODEL_") for v in values if v.startswith("IPY_MODEL_")]
    if kept:
        content.metadata.widgets = {WIDGETS + "state+json": {**saved, "state": kept}}


def _joined(outputs: Iterable[Any]) -> list[Any]:
    """Pieces of text that a progress bar had cut apart, in one."""
    kept: list[Any] = []
    for output in outputs:
        if kept and output.output_type == kept[-1].output_type == "stream":
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def assemble(names: list[str]) -> None:
    """Copy executed training notebooks and records of some profiles to where the book reads them."""
    names = [profiles.check_name(name) for name in names]
    records = paths.root() / "book" / "_executed" / "_files" / "records"
    shutil.rmtree(records, ignore_errors=True)
    for name in names:
        shutil.copytree(paths.results(name) / "records", records / name)
        target = paths.root() / "book" / "_executed" / name
        target.mkdir(parents=True, exist_ok=True)
        wanted = {p.name: p for p in (paths.results(name) / "notebooks").glob("*.ipynb")}
        for old in target.glob("*.ipynb"):
            if old.name not in wanted and old.stem not in sections.PAGES:
                old.unlink()
        for file, source in wanted.items():
            shutil.copyfile(source, target / file)


def _hash(profile: str, name: str) -> str | None:
    path = paths.results(profile) / name
    return files.file_hash(path) if path.is_file() else None


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
