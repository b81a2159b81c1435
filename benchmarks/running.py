"""Contestants in processes of their own, in turns; times and peak memory of each."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.contest import Absent, Contest, Contestant, Ready, prepare
from benchmarks.results import ContestResult, Measured
from benchmarks.settings import Settings

#: What most contestants import: done once, in the process that the others are forked from.
PRELOAD = ["torchvision", "pytorch_lightning", "qrlib.training.recovery", "qrlib.evaluation"]
#: Work of fewer seconds is done once more at the beginning of its turn, without being timed.
LONG = 5.0
#: Work is repeated in its turn until so many seconds have passed.
SHORT = 0.25
#: A contestant that has not answered by then is given up, in seconds.
PATIENCE = 1800


def environment(threads: int) -> dict[str, str]:
    """The same number of threads for every library, and GPU memory only as it is used.

    To be set before any of them is imported.
    """
    number = str(threads)
    return {
        "OMP_NUM_THREADS": number,
        "MKL_NUM_THREADS": number,
        "OPENBLAS_NUM_THREADS": number,
        "TF_NUM_INTRAOP_THREADS": number,
        "TF_NUM_INTEROP_THREADS": number,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "PYTHONWARNINGS": "ignore",
    }


def hold(
    contest: Contest,
    settings: Settings,
    say: Callable[[str], None] = lambda text: None,
    *,
    quiet: bool = True,
) -> ContestResult:
    """Let the contestants of a contest run in turns.

    One that is absent or fails is out, with the reason in its result; the others go on.
    """
    title = f"{contest.group}, {contest.case}"
    measured = {
        c.name: Measured(name=c.name, amount=c.amount, rate=c.rate) for c in contest.contestants
    }
    with contextlib.ExitStack() as stack:
        running: dict[str, _Worker] = {}
        for contestant in contest.contestants:  # one after the other: preparing is work as well
            say(f"{title}: preparing {contestant.name}")
            worker = stack.enter_context(_Worker(contestant, settings, quiet))
            kind, answer = worker.receive()
            if kind == "ready":
                running[contestant.name] = worker
            _note(measured[contestant.name], answer if kind == "ready" else {kind: answer})
        for turn in range(0 if contest.warm else 1, (contest.rounds or settings.rounds) + 1):
            for name, worker in list(running.items()):
                say(f"{title}: round {turn} of {name}")
                kind, answer = worker.ask("run" if turn else "warm up")
                if kind != "times":
                    measured[name].failed = answer
                    del running[name]
                elif turn == 0:  # warms up
                    measured[name].first = answer.get("epoch", sum(answer.values()))
                else:
                    for what, seconds in answer.items():
                        measured[name].times.setdefault(what, []).append(seconds)
        for name, worker in running.items():
            kind, answer = worker.ask("end")
            _note(measured[name], answer if kind == "done" else {kind: answer})
    return ContestResult(
        group=contest.group, case=contest.case, contestants=list(measured.values())
    )


def _note(measured: Measured, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(measured, name, value)


def in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a process of its own, so that this one stays small."""
    with ProcessPoolExecutor(1, mp_context=_context(alone=False)) as pool:
        return pool.submit(function, *arguments).result()


def _context(alone: bool) -> Any:
    methods = multiprocessing.get_all_start_methods()
    if alone or "forkserver" not in methods:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


class _Worker:
    """A contestant in a process; as a context it ends the process."""

    def __init__(self, contestant: Contestant, settings: Settings, quiet: bool) -> None:
        context = _context(contestant.alone)
        self.connection, far_end = context.Pipe()
        # For checkpoints, photographs and what compilers leave; a process that is ended tidies nothing.
        self.folder = tempfile.mkdtemp(prefix="qrlib-benchmarks-")
        method = multiprocessing.get_start_method()
        self.process = context.Process(
            target=_serve, args=(far_end, contestant, settings, quiet, method, self.folder)
        )
        self.process.start()
        far_end.close()

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, what: str) -> tuple[str, Any]:
        try:
            self.connection.send(what)
        except OSError:
            return "failed", self._death()
        return self.receive()

    def receive(self) -> tuple[str, Any]:
        if not self.connection.poll(PATIENCE):
            return "failed", f"gave no answer in {PATIENCE // 60} minutes"
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            return "failed", self._death()

    def _death(self) -> str:
        self.process.join(5)
        code = self.process.exitcode
        killed = " (killed; memory may have been short)" if code == -9 else ""
        return f"its process ended with status {code}{killed}"


def _serve(
    connection: Connection,
    contestant: Contestant,
    settings: Settings,
    quiet: bool,
    method: str,
    folder: str,
) -> None:
    """What a process does: prepare, then run when asked, until the other side is gone."""
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    # Else a DataLoader here would start its workers as this process was started, importing all anew.
    multiprocessing.set_start_method(method, force=True)
    warnings.simplefilter("ignore")
    if quiet:  # bars and messages of many processes
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            _contest(connection, contestant, settings)
        except Absent as absent:
            connection.send(("skipped", str(absent)))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:
            traceback.print_exc()  # seen with --verbose
            text = str(error).strip().splitlines() or [""]
            connection.send(("failed", f"{type(error).__name__}: {text[0]}"))
    connection.close()
    _leave()


def _contest(connection: Connection, contestant: Contestant, settings: Settings) -> None:
    started = time.perf_counter()
    ready = prepare(contestant, settings)
    known = {
        "prepared": time.perf_counter() - started,
        "work": dict(ready.work),
        "note": ready.note,
        "difference": ready.difference,
    }
    reset_peak()
    connection.send(("ready", known))
    while (asked := connection.recv()) != "end":
        result, took = _timed(ready)
        if asked == "run" and not ready.timed and took < LONG:
            took = _repeated(ready)
        connection.send(("times", dict(result) if ready.timed else {"": took}))
    connection.send(
        ("done", {"memory": peak(), "helpers": _helpers(), "gpu": ready.device.gpu_peak()})
    )


def _timed(ready: Ready) -> tuple[Any, float]:
    """The result of one run, and its seconds."""
    ready.device.synchronise()
    started = time.perf_counter()
    result = ready.run()
    ready.device.synchronise()
    return result, time.perf_counter() - started


def _repeated(ready: Ready) -> float:
    """The median seconds of runs after the first of a turn, which finds threads asleep and caches
    filled by others: that says more of taking turns than of the work."""
    times: list[float] = []
    while sum(times) < SHORT:
        times.append(_timed(ready)[1])
    return statistics.median(times)


def _leave() -> None:
    """End at once: helper threads of some libraries would otherwise be waited for."""
    for child in multiprocessing.active_children():
        child.terminate()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def reset_peak() -> None:
    """Let the peak of resident memory begin anew, so that preparing does not count; Linux only."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int | None:
    """Peak resident bytes of this process since `reset_peak`, or since its start where that fails.

    Linux's own count, since `resource.getrusage` starts a child with its parent's peak; elsewhere the
    latter.
    """
    if (most := _high_water("self")) is not None:
        return most
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _high_water(process: int | str) -> int | None:
    """Peak resident bytes of a process by Linux's count; None where there is none."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{process}/status").read_text()
        if most := re.search(r"^VmHWM:\s+(\d+) kB", text, re.MULTILINE):
            return int(most[1]) * 1024
    return None


def _helpers() -> int:
    """The largest peak among the living processes that this one started: a DataLoader's workers."""
    peaks = [_high_water(child.pid or 0) or 0 for child in multiprocessing.active_children()]
    return max(peaks, default=0)
