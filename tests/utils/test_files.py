"""Nobody ever reads half a file."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError


def left_over(folder):
    return [p.name for p in folder.iterdir() if p.name.endswith(".tmp")]


def fail_with(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


def test_round_trip_and_replacement(tmp_path):
    path = tmp_path / "a" / "b.json"
    files.write_json(path, {"x": [1, 2.5, None, "ü"]})
    files.write_json(path, {"x": 2})
    assert files.read_json(path, "thing") == {"x": 2}
    assert os.listdir(path.parent) == ["b.json"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_write_json_refuses_what_json_has_no_word_for(tmp_path, value):
    path = tmp_path / "a.json"
    files.write_json(path, {"x": 1})
    with pytest.raises(QrlibError, match=r"a\.json is not written: a value is NaN or infinite"):
        files.write_json(path, {"x": value})
    assert files.read_json(path, "thing") == {"x": 1}


@pytest.mark.parametrize("text", ['{"x": 1', "", '{"x": NaN}', "\x80"])
def test_read_json_names_a_damaged_file(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(QrlibError, match=r"run state .*a\.json is damaged.*delete it"):
        files.read_json(path, "run state")


def test_read_json_names_a_missing_file(tmp_path):
    with pytest.raises(QrlibError, match=r"no run state at .*a\.json"):
        files.read_json(tmp_path / "a.json", "run state")


@pytest.mark.parametrize("where", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "disk full"),
        (errno.EDQUOT, "disk full"),
        (errno.EROFS, "cannot write"),
        (errno.EACCES, "cannot write"),
    ],
)
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, where, number, message):
    path = tmp_path / "a.json"
    files.write_json(path, {"x": 1})
    monkeypatch.setattr(files.os, where, fail_with(number))
    with pytest.raises(QrlibError, match=f"{message}.*a\\.json.*nothing was changed"):
        files.write_json(path, {"x": 2})
    monkeypatch.undo()
    assert json.loads(path.read_text()) == {"x": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_disk_that_fills_up_in_the_middle(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    files.write_json(path, {"x": 1})
    write = Path.write_text

    def half(self, text, **kwargs):
        write(self, text[: len(text) // 2], **kwargs)
        fail_with(errno.ENOSPC)()

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(QrlibError, match="disk full"):
        files.write_json(path, {"x": 2})
    assert files.read_json(path, "thing") == {"x": 1}
    assert not left_over(tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "mkdir", fail_with(errno.EROFS))
    with pytest.raises(QrlibError, match="cannot write .*QRLIB_RESULTS"):
        files.write_json(tmp_path / "new" / "a.json", {})


def test_other_errors_pass_unchanged_and_leave_nothing(tmp_path):
    path = tmp_path / "a"
    with pytest.raises(KeyError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyError("x")
    with pytest.raises(IsADirectoryError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise IsADirectoryError(errno.EISDIR, "x")
    assert os.listdir(tmp_path) == []


def test_a_folder_moves_into_place_as_a_whole(tmp_path):
    with files.replacing(tmp_path / "store") as temporary:
        temporary.mkdir()
        (temporary / "a").write_text("1")
        assert not (tmp_path / "store").exists()
    assert (tmp_path / "store" / "a").read_text() == "1"
    assert not left_over(tmp_path)


def test_of_two_folders_the_first_stays(tmp_path):
    with files.replacing(tmp_path / "store") as slow:
        slow.mkdir()
        (slow / "a").write_text("slow")
        with files.replacing(tmp_path / "store") as fast:
            fast.mkdir()
            (fast / "a").write_text("fast")
    assert (tmp_path / "store" / "a").read_text() == "fast"
    assert not left_over(tmp_path)


def test_a_failed_folder_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), files.replacing(tmp_path / "store") as temporary:
        temporary.mkdir()
        (temporary / "a").write_text("1")
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_where_nothing_can_be_written_not_even_a_deletion_the_reason_is_said(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(QrlibError, match=r"cannot write .*r\.json \(Read-only file system\)"):
        files.write_json(tmp_path / "r.json", {})


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path):
    path = tmp_path / "a[1].json"
    script = (
        "import os, signal, sys; from pathlib import Path; from qrlib.utils import files\n"
        "with files.replacing(Path(sys.argv[1])) as temporary:\n"
        "    {}\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    for make in ("temporary.write_text('half')", "temporary.mkdir(); (temporary / 'b').touch()"):
        killed = subprocess.run([sys.executable, "-c", script.format(make), str(path)], check=False)
        assert killed.returncode == -signal.SIGKILL
        assert len(left_over(tmp_path)) == 1  # the second has removed the first's
    other = tmp_path / ".b.json.1-2-3.tmp"
    other.touch()
    with files.replacing(path) as mine:  # the temporary of a living process stays
        mine.write_text("1")
        files.write_json(path, {"x": 1})
        assert mine.exists()
    assert left_over(tmp_path) == [other.name]
    assert path.read_text() == "1"


@pytest.mark.parametrize("name", ["a" * 244 + ".json", "ü" * 120 + ".json"])
def test_a_long_name_is_as_good_as_a_short_one(tmp_path, name):
    files.write_json(tmp_path / name, {"x": 1})
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("links", [True, False])
def test_what_appears_in_the_meantime_is_not_overwritten(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", fail_with(errno.EPERM))
    path = tmp_path / "a.txt"
    with files.replacing(path, overwrite=False) as temporary:
        temporary.write_text("1")
    assert path.read_text() == "1"
    with (
        pytest.raises(QrlibError, match=r"a\.txt appeared while this was computed"),
        files.replacing(path, overwrite=False) as temporary,
    ):
        temporary.write_text("2")
    assert path.read_text() == "1"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_what_systems_leave_behind_is_not_visible(tmp_path):
    for name in ("b/x.json", "a/x.json", "a/._x.json", "a/x.txt", ".Trash-1000/x.json"):
        files.write_json(tmp_path / name, {})
    assert files.visible(tmp_path, "*/*.json") == [tmp_path / "a/x.json", tmp_path / "b/x.json"]
    assert files.visible(tmp_path / "none", "*") == []


def test_a_folder_that_may_not_be_read_is_not_taken_for_an_empty_one(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "iterdir", fail_with(errno.EACCES))
    with pytest.raises(PermissionError):
        files.visible(tmp_path, "*")


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    files.write_json(tmp_path / "a.json", {})
    monkeypatch.setattr(Path, "read_text", fail_with(errno.EACCES))
    with pytest.raises(PermissionError):
        files.read_json(tmp_path / "a.json", "record")


def test_paths_with_a_home_in_them(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable, place in (("ROOT", paths.root), ("DATA", paths.data), ("WEIGHTS", paths.weights)):
        monkeypatch.setenv(f"QRLIB_{variable}", "~/there")
        assert place() == tmp_path / "there"
    monkeypatch.setenv("QRLIB_DATA", "~nobody-of-this-name/data")
    with pytest.raises(QrlibError, match=r"~nobody-of-this-name/data: no home folder is known"):
        paths.data()
