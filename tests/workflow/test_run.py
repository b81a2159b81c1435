"""A job of the graph: a notebook is run with its parameters, kept, and stamped."""

from __future__ import annotations

import json
import os
import time

import nbformat
import pytest

from qrlib.__main__ import main
from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError
from qrlib.workflow import process, run


@pytest.fixture
def notebook(tmp_path):
    parameters = nbformat.v4.new_code_cell("profile = label = seed = None")
    parameters.metadata.tags = ["parameters"]
    shown = nbformat.v4.new_code_cell(
        "import ipykernel\n"
        "print(ipykernel.get_connection_info(unpack=True)['transport'], profile, [label, seed])\n"
        "assert seed != 13, 'an unlucky seed'\n"
        "if seed == 7: raise SystemExit  # as Lightning does when it is told to end"
    )
    path = tmp_path / "notebook.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[parameters, shown], metadata=kernel), path)
    return path


@pytest.mark.slow
def test_a_run_is_kept_and_stamped(notebook, tmp_path):
    executed, stamp = (
        tmp_path / "a-seed1.ipynb",
        paths.runs("smoke") / "stamps" / f"a-seed1@{'0' * 16}.json",
    )
    files.write_json(paths.results("smoke") / "records" / "a.json", {})
    old = stamp.with_name(f"a-seed1@{'1' * 16}.json")
    files.write_json(old, {})
    arguments = ["execute-run", str(notebook), str(executed), "smoke", str(stamp), "a"]
    assert main([*arguments, "-p", "label", "x y", "-p", "seed", "1"]) == 0
    assert not executed.exists()
    result = paths.results("smoke") / "notebooks" / executed.name
    (output,) = nbformat.read(result, 4).cells[-1].outputs
    # Not tcp: kernels that start at one moment could be given one port.
    assert output.text == "ipc smoke ['x y', 1]\n"
    assert json.loads(stamp.read_text()).keys() == {f"notebooks/{executed.name}", "records/a.json"}
    assert not old.exists()  # of other settings
    run.drop_stale_stamps("smoke")
    assert stamp.exists()
    record, content = paths.results("smoke") / "records" / "a.json", stamp.read_bytes()
    for spoil in (lambda: record.write_text("{1}"), record.unlink):
        stamp.write_bytes(content)
        spoil()
        run.drop_stale_stamps("smoke")
        assert not stamp.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "message"),
    [(7, "a-seed1.ipynb was stopped before its end"), (1, "records/a.json is not in")],
)
def test_a_run_that_left_no_record_is_not_stamped(notebook, tmp_path, capsys, seed, message):
    stamp = paths.runs("smoke") / "stamps" / "a-seed1@0.json"
    arguments = [
        "execute-run",
        str(notebook),
        str(tmp_path / "a-seed1.ipynb"),
        "smoke",
        str(stamp),
        "a",
    ]
    assert main([*arguments, "-p", "label", "x", "-p", "seed", str(seed)]) == 2
    assert message in capsys.readouterr().err
    assert not stamp.exists()


def test_a_run_that_did_nothing_is_no_success(monkeypatch):
    """Whatever ended well in its place: a profile of Snakemake's from outside, for one."""
    given = []
    monkeypatch.setenv("SNAKEMAKE_PROFILE", "other work")
    monkeypatch.setattr(process, "follow", lambda *arguments: given.append(arguments) or 0)
    with pytest.raises(QrlibError, match=r"ended well, but (\d+) of \1 records are not in"):
        run.run("smoke", "all")
    assert "SNAKEMAKE_PROFILE" not in given[0][1]
    assert given[0][0][given[0][0].index("--workflow-profile") + 1] == "none"


def test_a_notebook_cut_short_hides_no_failure(monkeypatch, tmp_path, capsys):
    log = paths.runs("smoke") / "logs" / "run.log"
    log.parent.mkdir(parents=True)
    log.write_text("what the job said last\n")
    (log.parent / "a.ipynb").write_text('{"cells": [{"cell_t')
    run.explain_failure(log, {})
    said = capsys.readouterr().err
    assert "a.ipynb cannot be read: " in said
    assert "what the job said last" in said
    assert "a step failed" in said


def test_what_is_dated_in_the_future_is_dated_now_in_its_order(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QRLIB_ROOT", str(tmp_path))
    stamps = paths.runs("smoke") / "stamps"
    for number, path in enumerate((stamps / "a@0.json", tmp_path / "notebooks" / "b.ipynb")):
        files.write_json(path, {})
        os.utime(path, (time.time() + 18000 + number,) * 2)
    run.redate(tmp_path / "run.log", "smoke")
    assert "2 file(s) were dated in the future" in capsys.readouterr().out
    earlier, later = (stamps / "a@0.json").stat(), (tmp_path / "notebooks" / "b.ipynb").stat()
    assert earlier.st_mtime_ns < later.st_mtime_ns <= time.time_ns()
    run.redate(tmp_path / "run.log", "smoke")
    assert capsys.readouterr().out == ""
