"""Running a long command: which lines of its output to show, and how it is ended."""

from __future__ import annotations

import contextlib
import ctypes
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from qrlib.utils import paths

#: Lines of a run that tell a person how far it is; the log file has all of them.
PROGRESS = re.compile(
    r"  epoch \d+/\d+  |\d%\|.*(step|img|it)/s|^\d+ of \d+ steps|already trained|starting anew"
    r"|downloading|computing features|^WARNING|Nothing to be done"
)
#: Seconds that Snakemake has to end in order; more where it has jobs to cancel that run elsewhere.
PATIENCE, PATIENCE_CLUSTER = 1.0, 15.0


def follow(
    command: list[str],
    environment: dict[str, str],
    log: Path,
    everything: bool,
    patience: float = PATIENCE,
) -> int:
    """Run a command with all its output in `log`; print what tells of progress; returns its status.

    Ctrl-C and SIGTERM end the command, and what it started, within seconds: it has `patience` seconds
    to end by itself.  If this process is killed, which it cannot tell, Linux kills the command: it would
    start jobs beside those of the next run.
    """
    with log.open("w", encoding="utf-8") as file, _signals_interrupt():
        process = subprocess.Popen(
            command,
            cwd=paths.root(),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            preexec_fn=_killed_with_parent(ctypes.CDLL(None)) if sys.platform == "linux" else None,
            start_new_session=True,  # a terminal's Ctrl-C comes here alone, and is passed on once
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                file.write(line)
                file.flush()
                if everything or PROGRESS.search(line):
                    print(line.rstrip(), flush=True)
            return process.wait()
        except BaseException:
            _end_all(process, patience)
            raise


def _killed_with_parent(libc: Any) -> Callable[[], None]:
    """What a new process does first, to be killed when its parent goes away (man 2 prctl)."""
    set_parent_death_signal = 1
    return lambda: libc.prctl(set_parent_death_signal, signal.SIGKILL)


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """While the block runs, SIGTERM and a closed terminal do what Ctrl-C does: KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _end_all(process: subprocess.Popen[str], patience: float) -> None:
    """Let Snakemake end in order, and then whatever of it is left; jobs of other machines it cancels.

    Its jobs have process groups of their own and may outlive it: a notebook takes seconds to notice
    that its kernel is gone.
    """
    import psutil

    descendants: set[psutil.Process] = set()

    def find_descendants() -> None:
        with contextlib.suppress(psutil.Error):
            descendants.update(psutil.Process(process.pid).children(recursive=True))

    find_descendants()
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    find_descendants()
    process.kill()
    for descendant in descendants:
        with contextlib.suppress(psutil.Error):  # psutil knows a number that was given out again
            descendant.kill()
    process.wait()
