"""Kernels that start in an instant: forked from one process that has imported everything.

Importing torch, Lightning and their companions takes ten seconds of a processor, and a graph of runs
starts a kernel per notebook.  `server` keeps a process that imports them once and forks a kernel for
each `python -m qrlib.workflow.kernel_server python -m ipykernel_launcher -f file`.  That client stands for the kernel:
it hands over its folder, environment and streams, passes signals on, and ends with the kernel's status.
If either goes away, so does the other.  What runs and tidies a notebook starts in the same way.

A forked process computes what a fresh one does; only the imports are not repeated.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

#: Names the server's socket to its clients.
SOCKET = "QRLIB_KERNELS"
#: What the notebooks import, and what runs and tidies them; but not matplotlib's inline backend, which
#: binds itself to the kernel that imports it.
PRELOAD = (
    "ipykernel.kernelapp matplotlib.pyplot nbformat pandas papermill.cli "
    "qrlib.report.figures.diagrams qrlib.workflow.run qrlib.experiments.evaluate "
    "qrlib.report.figures.plots qrlib.report.render qrlib.experiments.train qrlib.report.tables seaborn"
).split()
_LENGTH = struct.Struct("!Q")


def usable() -> bool:
    """Whether forking is safe and worth it: on Linux without an NVIDIA driver.

    CUDA does not survive a fork, and work for a GPU takes so long that imports do not count.
    """
    return sys.platform == "linux" and not Path("/proc/driver/nvidia").exists()


@contextlib.contextmanager
def server(threads: int, log: Path, preload: Sequence[str] = PRELOAD) -> Iterator[dict[str, str]]:
    """Keep a server while the block runs; yields the environment that makes notebooks use it.

    Kernels that still run when the block ends are ended.

    Args:
        threads: of each kernel; numerical libraries read it when they are imported.
        log: file for what the server itself has to say.
        preload: modules to import.
    """
    folder = tempfile.mkdtemp(prefix="qrlib-kernels-")  # only its owner may enter
    path = os.path.join(folder, "socket")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # as a kernel sets it
        "PYTHONWARNINGS": "ignore",
    }
    with log.open("w", encoding="utf-8") as output, socket.socket(socket.AF_UNIX) as listening:
        # Made here, so that who comes before the server has started waits for it.
        listening.bind(path)
        listening.listen(64)
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "qrlib.workflow.kernel_server",
                "--serve",
                str(listening.fileno()),
                *preload,
            ],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[listening.fileno()],
            env=environment,
            start_new_session=True,  # Ctrl-C is for the runs: they end their kernels in order
        )
    try:
        yield {SOCKET: path, "JUPYTER_DEFAULT_PROVISIONER_NAME": "qrlib-forked"}
    finally:
        assert process.stdin is not None
        process.stdin.close()  # tells it to end, as does the end of this process
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    max_children = 1_000  # Snakemake decides how many run at a time
    block_on_close = False

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(listening.getsockname(), _Kernel, bind_and_activate=False)
        self.socket.close()
        self.socket = listening

    def service_actions(self) -> None:
        """Between requests: collect kernels that ended, and end with whoever started this process."""
        super().service_actions()
        if select.select([sys.stdin], [], [], 0)[0]:
            raise EOFError


class _Kernel(socketserver.BaseRequestHandler):
    """One client; handled in a process of its own, which becomes the kernel."""

    server: _Server

    def handle(self) -> None:
        connection: socket.socket = self.request
        (length,), streams = _receive(connection)
        with connection.makefile("rb") as file:
            asked: dict[str, Any] = json.loads(file.read(length))
        self.server.socket.close()
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        _become(asked)
        connection.sendall(_LENGTH.pack(os.getpid()))
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        try:
            runpy.run_module(asked["argv"][0], run_name="__main__", alter_sys=True)
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
            status = 1
        # The mix-in leaves by os._exit, which does none of this.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(_LENGTH.pack(status))


def _become(asked: dict[str, Any]) -> None:
    """Take on the folder, environment and arguments of the client, and chance of its own."""
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.environ["JPY_PARENT_PID"] = str(os.getppid())  # ipykernel ends when this process is gone
    # A server that was started in the background of a script ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = list(asked["argv"])
    sys.path[0] = os.getcwd()  # as `python -m` has it
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if "torch" in sys.modules and threads.isdigit():
        sys.modules["torch"].set_num_threads(int(threads))


def _end_with(connection: socket.socket) -> None:
    """End this kernel, and what it started, when its client is gone."""
    with contextlib.suppress(OSError):
        connection.recv(1)
    os.killpg(0, signal.SIGKILL)


def _receive(connection: socket.socket) -> tuple[tuple[int], list[int]]:
    header, streams, _, _ = socket.recv_fds(connection, _LENGTH.size, 3)
    return _LENGTH.unpack(header), streams


def _serve(listening: int, preload: Sequence[str]) -> None:
    """Fork a kernel for each client, until standard input ends."""
    with _Server(socket.socket(fileno=listening)) as kernels:
        # A graph with nothing to do asks for no kernel, and should not wait for imports.
        if sys.stdin in select.select([kernels.socket, sys.stdin], [], [])[0]:
            return
        for name in preload:
            importlib.import_module(name)
        gc.collect()
        gc.freeze()  # else the first collection in a kernel copies every page that it inherits
        try:
            kernels.serve_forever(poll_interval=0.2)
        except EOFError:
            for pid in kernels.active_children or ():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            os._exit(0)  # to take torch apart takes seconds, for which nobody should wait


def _run(command: list[str]) -> int:
    """Stand for a kernel: start it, pass signals on, return its status."""
    kernel: list[int] = []  # its process, once known
    early: list[int] = []  # signals that came before

    def forward(number: int, _: object) -> None:
        if not kernel:
            early.append(number)
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(kernel[0], number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    asked = {"argv": command[2:], "folder": os.getcwd(), "environment": dict(os.environ)}
    message = json.dumps(asked).encode()
    try:
        connection.connect(os.environ[SOCKET])
        socket.send_fds(connection, [_LENGTH.pack(len(message))], [0, 1, 2])
        connection.sendall(message)
        (pid,) = _LENGTH.unpack(connection.recv(_LENGTH.size, socket.MSG_WAITALL))
    except (OSError, KeyError, struct.error) as error:
        print(
            f"no process to fork a kernel from ({error!r}); starting a fresh one", file=sys.stderr
        )
        os.execv(command[0], command)
    kernel.append(pid)
    for waiting in early:
        forward(waiting, None)
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        select.select([os.pidfd_open(pid)], [], [])
    status = b""
    with contextlib.suppress(BlockingIOError):
        status = connection.recv(_LENGTH.size, socket.MSG_DONTWAIT)
    # One that was killed says nothing; so does a shell name the signal.
    return _LENGTH.unpack(status)[0] % 256 if status else 128 + signal.SIGKILL


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        _serve(int(sys.argv[2]), sys.argv[3:])
    else:
        sys.exit(_run(sys.argv[1:]))
