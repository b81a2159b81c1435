"""A run in front: what it shows, how Ctrl-C and SIGTERM end it, and that a second one waits."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock

from qrlib.utils import paths
from qrlib.workflow import process, run

ROOT = Path(__file__).resolve().parents[2]
#: Seconds that a stopped run has.
PATIENCE = 5.0

#: Stands for Snakemake: it does not end when asked to, and nor does what it has started.
STUBBORN = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("pids").write_text(f"{child.pid} " + str(__import__("os").getpid()))
print("3 of 9 steps (33%) done", flush=True)
time.sleep(600)
"""
#: The process in front, as a shell starts it.
FRONT = """
import os, pathlib, sys
from qrlib.workflow import process
command = [sys.executable, "-c", pathlib.Path("stubborn.py").read_text()]
try:
    process.follow(command, dict(os.environ), pathlib.Path("log"), everything=False)
except KeyboardInterrupt:
    sys.exit(130)
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def start(folder: Path) -> tuple[subprocess.Popen, list[int]]:
    """The process in front, and the numbers of what it has started: a child, and Snakemake's part."""
    (folder / "stubborn.py").write_text(STUBBORN)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "QRLIB_ROOT": str(folder)}
    front = subprocess.Popen(
        [sys.executable, "-c", FRONT], cwd=folder, env=environment, stdout=subprocess.PIPE,
        text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert front.stdout is not None
    assert "3 of 9 steps" in front.stdout.readline()
    pids = [int(pid) for pid in (folder / "pids").read_text().split()]
    assert all(map(alive, pids))
    return front, pids


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.slow
def test_a_signal_ends_everything_in_time(tmp_path, number):
    front, pids = start(tmp_path)
    began = time.monotonic()
    front.send_signal(number)
    assert front.wait(60) == 130
    while any(map(alive, pids)) and time.monotonic() - began < 60:
        time.sleep(0.02)
    assert not any(map(alive, pids))
    assert time.monotonic() - began < PATIENCE
    assert "3 of 9 steps" in (tmp_path / "log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone can tell")
def test_who_is_killed_leaves_nothing_that_starts_jobs(tmp_path):
    front, (child, snakemake) = start(tmp_path)
    try:
        front.kill()
        front.wait(60)
        began = time.monotonic()
        while alive(snakemake) and time.monotonic() - began < 60:
            time.sleep(0.02)
        assert not alive(snakemake)
    finally:
        os.kill(child, signal.SIGKILL)  # it would sleep on for minutes


def test_what_tells_of_progress_is_shown_and_all_is_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("QRLIB_ROOT", str(tmp_path))
    lines = ["4 of 9 steps (44%) done", "a detail", "run  epoch 1/2  train_loss 1", "WARNING: x"]
    command = [sys.executable, "-c", f"print({chr(10).join(lines)!r}); raise SystemExit(3)"]
    handler = signal.getsignal(signal.SIGTERM)
    assert process.follow(command, dict(os.environ), tmp_path / "log", everything=False) == 3
    assert capsys.readouterr().out.splitlines() == [lines[0], *lines[2:]]
    assert (tmp_path / "log").read_text().splitlines() == lines
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_second_run_in_a_checkout_says_so_and_waits(tmp_path, capsys, monkeypatch):
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    monkeypatch.setenv("QRLIB_ROOT", str(tmp_path))
    began: list[str] = []
    monkeypatch.setattr(process, "follow", lambda *a, **k: began.append("run") or 0)
    held = FileLock(tmp_path / ".snakemake" / "qrlib.lock")
    Path(held.lock_file).parent.mkdir()
    status: list[int] = []
    with held:
        second = threading.Thread(
            target=lambda: status.append(run.run("smoke", "all", dry_run=True))
        )
        second.start()
        deadline = time.monotonic() + 60
        printed = ""
        while "another run holds" not in printed and time.monotonic() < deadline:
            printed += capsys.readouterr().out
            time.sleep(0.05)
        assert f"another run holds {held.lock_file}; waiting for it to end" in printed
        assert not began
    second.join(60)
    assert (status, began) == ([0], ["run"])


def test_a_stopped_run_says_that_it_goes_on(tmp_path, capsys, monkeypatch):
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    monkeypatch.setenv("QRLIB_ROOT", str(tmp_path))

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "follow", stopped)
    assert run.run("smoke", "all", dry_run=True) == run.INTERRUPTED
    assert "the same command goes on" in capsys.readouterr().out


def failed_notebook(path: Path, value: str) -> None:
    """A notebook whose one cell failed."""
    error = nbformat.v4.new_output("error", ename="ValueError", evalue=value, traceback=[])
    cell = nbformat.v4.new_code_cell(outputs=[error], execution_count=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)


def test_what_failed_is_named_whether_a_run_or_a_page(capsys):
    logs = paths.runs("quick") / "logs"
    failed_notebook(paths.runs("book") / "logs" / "recovery-smoke.ipynb", "of old")
    before = run._failures(logs / "run.log")
    failed_notebook(logs / f"pretrained-seed0@{'0' * 16}.ipynb", "of a run")
    failed_notebook(paths.runs("book") / "logs" / "recovery-quick.ipynb", "of a page")
    (logs / "pretrained-seed1.ipynb").touch()  # Snakemake's placeholder
    (logs / "run.log").write_text("RuleException:\n")
    run.explain_failure(logs / "run.log", before)
    printed = capsys.readouterr().err
    assert "error in pretrained-seed0: ValueError: of a run" in printed
    assert "error in recovery-quick: ValueError: of a page" in printed
    assert "of old" not in printed
    assert "RuleException" not in printed


def test_where_no_notebook_tells_the_log_before_the_failure_is_shown(capsys):
    log = paths.runs("quick") / "logs" / "run.log"
    lines = [*(f"earlier {i}" for i in range(90)), "Kernel died", "RuleException:", "CalledProcess"]
    picture = "x" * 10_000
    log.parent.mkdir(parents=True)
    log.write_text("\n".join([*lines, "Command", *(f"later {i}" for i in range(90)), picture]))
    run.explain_failure(log, {})
    printed = capsys.readouterr().err
    assert "Kernel died\nRuleException:\nCalledProcess\n" in printed
    assert "earlier 0\n" not in printed
    assert "later" not in printed
    log.write_text("\n".join([*lines[:90], picture]))  # Snakemake itself failed
    run.explain_failure(log, {})
    assert f"earlier 89\n{picture[:300]}\nerror: a step failed" in capsys.readouterr().err
