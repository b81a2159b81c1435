"""The command line itself: what it says, to whom, and what it refuses before it begins."""

from __future__ import annotations

import io
import os
import sys

import pytest

import qrlib.__main__ as command


@pytest.mark.parametrize("where", ["full disk", "nobody reads", "ascii"])
def test_no_message_fails_what_it_is_about(monkeypatch, where):
    if where == "nobody reads":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open("/dev/full" if where == "full disk" else os.devnull, os.O_WRONLY)
    stream = io.TextIOWrapper(io.FileIO(writing, "w"), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    command._Output.replace_stream("stdout")
    print("restored photo café \udce9", flush=True)
    sys.stdout.close()


def test_what_the_system_refuses_is_one_line(monkeypatch, capsys):
    def refuse(_):
        raise PermissionError(13, "Permission denied", "/somebody/else")

    monkeypatch.setattr(command, "_run", refuse)
    assert command.main(["recover", "a.png", "--out", "b.png"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: /somebody/else: Permission denied: this user may not")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("stop", "status"), [(KeyboardInterrupt, 130), (SystemExit(1), 130), (SystemExit, 143)]
)
def test_what_was_stopped_is_no_success(monkeypatch, capsys, stop, status):
    def end(_):
        raise stop

    monkeypatch.setattr(command, "_run", end)
    assert command.main(["train", "smoke"]) == status
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize("cores", ["0", "-1", "two"])
def test_less_than_one_core_is_refused(capsys, cores):
    with pytest.raises(SystemExit):
        command.main(["run", "smoke", "--cores", cores])
    assert f"{cores!r} is no whole number of at least 1" in capsys.readouterr().err


def test_a_misspelt_variable_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("QRLIB_RESULT", "x")
    assert command.main(["recover", "a.png", "--out", "b.png"]) == 2
    assert (
        "unknown variable 'QRLIB_RESULT' (did you mean 'QRLIB_RESULTS'?)" in capsys.readouterr().err
    )
