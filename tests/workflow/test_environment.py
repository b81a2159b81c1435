"""What a run starts finds nothing of its caller's that is meant for other work, and may write everywhere."""

from __future__ import annotations

import getpass
import json
import os
import sys
import tempfile

import pytest
from jupyter_client import kernelspec

from qrlib.utils import paths
from qrlib.workflow import environment


@pytest.fixture(autouse=True)
def _elsewhere(folders, monkeypatch):
    monkeypatch.setenv("QRLIB_ROOT", str(folders))


@pytest.mark.parametrize(
    "name",
    [
        "SNAKEMAKE_PROFILE", "GIT_DIR", "GIT_INDEX_FILE", "JUPYTER_PATH", "IPYTHONDIR", "MPLBACKEND",
        "MATPLOTLIBRC", "BASH_ENV", "SHELLOPTS", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTEST_ADDOPTS", "SPHINXOPTS",
        "LOCAL_RANK", "WORLD_SIZE", "SLURM_NTASKS",
    ],
)  # fmt: skip
def test_settings_for_other_work_are_left_out(monkeypatch, name):
    monkeypatch.setenv(name, "other work")
    assert environment.for_children().get(name) != "other work"


@pytest.mark.parametrize(
    "name", ["PATH", "PYTHONPATH", "GIT_CONFIG_GLOBAL", "QRLIB_PROFILE", "HTTPS_PROXY"]
)
def test_others_are_kept(monkeypatch, name):
    monkeypatch.setenv(name, "a value")
    assert environment.for_children()[name] == "a value"


def test_folders_are_those_of_the_caller(monkeypatch, tmp_path):
    """Jobs run in the project's folder, to which a relative path would be relative."""
    monkeypatch.chdir(tmp_path)
    for name in paths.FOLDERS:
        monkeypatch.setenv(f"QRLIB_{name}", "here")
        assert environment.for_children()[f"QRLIB_{name}"] == str(tmp_path / "here")
    monkeypatch.setenv("QRLIB_WEIGHTS", "")
    assert environment.for_children()["QRLIB_WEIGHTS"] == ""


def test_programs_that_submit_jobs_know_theirs(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert environment.for_children(cluster=True)["SLURM_JOB_ID"] == "7"


def test_only_cores_that_it_may_use_count(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3}, raising=False)
    assert environment.cores() == 1


def test_a_home_that_nobody_may_write_to(monkeypatch, folders):
    monkeypatch.setenv("HOME", "/proc/1")
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith("/proc"))
    found = environment.for_children()
    own = paths.root() / ".snakemake"
    for name in (
        "XDG_CACHE_HOME",
        "TORCH_HOME",
        "MPLCONFIGDIR",
        "JUPYTER_RUNTIME_DIR",
        "IPYTHONDIR",
    ):
        assert found[name].startswith(str(own)), name
    monkeypatch.setenv("HOME", str(folders))
    assert "TORCH_HOME" not in environment.for_children()  # downloads are shared as ever


def test_a_user_whom_the_system_does_not_know(monkeypatch):
    def fail():
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.delenv("HOME")
    monkeypatch.setenv("USER", "")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(getpass, "getuser", fail)
    found = environment.for_children()
    assert os.access(found["HOME"], os.W_OK)
    assert found["USER"] == str(os.getuid())


@pytest.mark.parametrize("length", [20, 70, 95])
def test_sockets_have_short_names(monkeypatch, tmp_path, length):
    folder = f"{tmp_path}/".ljust(length, "x") if length > len(str(tmp_path)) + 1 else "/tmp"
    os.makedirs(folder, exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", folder)
    found = environment.for_children()["TMPDIR"]
    assert len(found) <= environment.SOCKETS
    assert os.access(found, os.W_OK)


def test_notebooks_run_with_the_python_that_started_them(monkeypatch, tmp_path):
    other = tmp_path / "jupyter" / "kernels" / "python3"
    other.mkdir(parents=True)
    spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "x", "language": "python"}
    (other / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    assert kernelspec.get_kernel_spec("python3").argv[0] == "/bin/false"
    found = environment.for_children()
    monkeypatch.delenv("JUPYTER_PATH")
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    program, *arguments = kernelspec.get_kernel_spec("python3").argv
    assert program in ("python", sys.executable)  # jupyter_client takes the first for the second
    assert "ipykernel_launcher" in arguments
