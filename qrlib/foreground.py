"""Running a long command: what of all that it says to show, and how it is ended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from qrlib import paths

#: Lines of a run that tell a person how far it is; the log file has all of them.
TELLING = re.compile(
    r"  epoch \d+/\d+  |\d%\|.*(step|img|it)/s|^\d+ of \d+ steps|already trained|starting anew"
    r"|downloading|computing features|^WARNING|Nothing to be done"
)
#: Seconds that Snakemake has to end in order.
PATIENCE = 3.0


def follow(command: list[str], environment: dict[str, str], log: Path, everything: bool) -> int:
    """Run a command with all it says in `log`; print what tells of progress.

    Ctrl-C and SIGTERM end the command, and what it started, within seconds.
    """
    with log.open("w", encoding="utf-8") as file, _ending_in_order():
        process = subprocess.Popen(
            command,
            cwd=paths.root(),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # a terminal's Ctrl-C comes here alone, and is passed on once
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                file.write(line)
                file.flush()
                if everything or TELLING.search(line):
                    print(line.rstrip(), flush=True)
            return process.wait()
        except BaseException:
            _end(process)
            raise


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
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


def _end(process: subprocess.Popen[str]) -> None:
    """Let Snakemake cancel its jobs, on a cluster those of others, and end what is left."""
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
