"""The process that forks kernels: a kernel of it is as a fresh one, and none outlives its reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from qrlib.workflow import kernel_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks kernels")

PROBE = """
import json, os, random, sys, time
import numpy
print(json.dumps({
    "folder": os.getcwd(), "arguments": sys.argv[1:], "variables": sorted(os.environ),
    "name": os.environ.get("NAME"), "path": sys.path[0], "parent": os.getppid(), "pid": os.getpid(),
    "preloaded": "colorsys" in sys.modules, "draw": [random.random(), numpy.random.rand()],
}), flush=True)
print("to stderr", file=sys.stderr, flush=True)
if "wait" in sys.argv:
    time.sleep(600)
if "fail" in sys.argv:
    raise ValueError("what went wrong")
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    log = tmp_path_factory.mktemp("server") / "kernels.log"
    with kernel_server.server(1, log, ["colorsys", "numpy"]) as variables:
        yield {**os.environ, **variables}
    assert log.read_text() == ""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "probe.py").write_text(PROBE)
    return tmp_path


def start(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "qrlib.workflow.kernel_server",
        sys.executable,
        "-m",
        "probe",
        *arguments,
    ]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip


def said(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    answer: dict[str, object] = json.loads(process.stdout.readline())
    return answer


def gone(pid: object) -> bool:
    for _ in range(600):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.1)
    return False


def test_a_forked_process_has_folder_arguments_environment_streams_and_status_of_its_client(
    folder: Path, environment: dict[str, str]
) -> None:
    process = start(folder, {**environment, "NAME": "a b\n\udcff"}, "7", "x y")
    answer = said(process)
    assert process.stderr is not None
    assert process.stderr.read() == "to stderr\n"
    assert process.wait() == 7
    assert answer["folder"] == answer["path"] == str(folder)
    assert answer["arguments"] == ["7", "x y"]
    assert answer["name"] == "a b\n\udcff"
    assert "MPLBACKEND" not in answer["variables"]  # type: ignore[operator]
    assert answer["preloaded"]


def test_forked_processes_are_separate_and_draw_other_random_numbers(
    folder: Path, environment: dict[str, str]
) -> None:
    one, two = start(folder, environment, "0", "wait"), start(folder, environment, "0")
    first, second = said(one), said(two)
    assert two.wait() == 0
    assert one.poll() is None
    assert first["pid"] != second["pid"]
    assert first["parent"] == second["parent"]
    assert not set(first["draw"]) & set(second["draw"])  # type: ignore[call-overload]
    one.kill()


def test_an_error_shows_its_traceback(folder: Path, environment: dict[str, str]) -> None:
    process = start(folder, environment, "0", "fail")
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "ValueError: what went wrong" in errors


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 128 + 9), (signal.SIGINT, 1)], ids=["term", "interrupt"]
)
def test_a_signal_to_the_client_reaches_the_forked_process(
    number: signal.Signals, status: int, folder: Path, environment: dict[str, str]
) -> None:
    process = start(folder, environment, "0", "wait")
    pid = said(process)["pid"]
    process.send_signal(number)
    assert process.wait(60) == status
    assert gone(pid)


def test_a_forked_process_ends_when_its_client_is_killed(
    folder: Path, environment: dict[str, str]
) -> None:
    process = start(folder, environment, "0", "wait")
    pid = said(process)["pid"]
    process.kill()
    assert gone(pid)


def test_a_client_ends_when_its_process_is_killed(
    folder: Path, environment: dict[str, str]
) -> None:
    process = start(folder, environment, "0", "wait")
    os.kill(int(str(said(process)["pid"])), signal.SIGKILL)
    assert process.wait(60) == 128 + 9


def test_nothing_outlives_the_server(folder: Path, tmp_path: Path) -> None:
    with kernel_server.server(1, tmp_path / "log", ["colorsys"]) as variables:
        process = start(folder, {**os.environ, **variables}, "0", "wait")
        pid = said(process)["pid"]
    assert gone(pid)
    assert process.wait(60) == 128 + 9
    assert not Path(variables[kernel_server.SOCKET]).parent.exists()


def test_a_server_ends_with_the_process_that_keeps_it(folder: Path, tmp_path: Path) -> None:
    keeper = "import sys, time; from pathlib import Path; from qrlib.workflow import kernel_server as server\n"
    keeper += "with server.server(1, Path(sys.argv[1]), ['colorsys']) as v:\n"
    keeper += f"    print(v['{kernel_server.SOCKET}'], flush=True); time.sleep(600)"
    command = [sys.executable, "-c", keeper, str(tmp_path / "log")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    variables = {**os.environ, kernel_server.SOCKET: process.stdout.readline().strip()}
    answer = said(start(folder, variables, "0", "wait"))
    process.kill()
    assert gone(answer["parent"])
    assert gone(answer["pid"])


@pytest.mark.parametrize("socket", [None, "/nowhere/socket"])
def test_without_a_server_the_command_runs_as_it_is(socket: str | None, folder: Path) -> None:
    variables = {k: v for k, v in os.environ.items() if k != kernel_server.SOCKET}
    process = start(folder, variables | ({kernel_server.SOCKET: socket} if socket else {}), "5")
    assert said(process)["preloaded"] is False
    assert process.stderr is not None
    assert "starting a fresh one" in process.stderr.read()
    assert process.wait() == 5


def test_a_module_that_cannot_be_preloaded_is_named_and_kernels_start_afresh(
    folder: Path, tmp_path: Path
) -> None:
    with kernel_server.server(1, tmp_path / "log", ["no_such_module"]) as variables:
        assert start(folder, {**os.environ, **variables}, "5").wait(60) == 5
    assert "No module named 'no_such_module'" in (tmp_path / "log").read_text()


def test_a_notebook_in_a_forked_kernel_shows_figures_and_what_a_fresh_one_shows(
    tmp_path: Path,
) -> None:
    cells = [
        "%config InlineBackend.figure_formats = ['png']\nimport sys\n'torch' in sys.modules",
        "import ipykernel\nipykernel.get_connection_info(unpack=True)['transport']",
        "import torch\ntorch.manual_seed(0)\nlayer = torch.nn.Conv2d(3, 8, 3)\n"
        "layer(torch.rand(1, 3, 32, 32)).sum().item(), torch.get_num_threads()",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2], [3, 1]);",
        "import os\nos.environ['MPLBACKEND']",
    ]
    source = tmp_path / "in.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(notebook, source)
    papermill = [
        sys.executable,
        "-m",
        "papermill",
        "--no-progress-bar",
        "-k",
        "python3",
        str(source),
    ]
    # A kernel that does not fork has the profile's threads from the Snakefile.
    fresh = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*papermill, str(tmp_path / "fresh.ipynb")], env=fresh, check=True)
    with kernel_server.server(1, tmp_path / "log") as variables:
        forked = {**fresh, **variables}
        subprocess.run([*papermill, str(tmp_path / "forked.ipynb")], env=forked, check=True)
    outputs = [
        [cell.outputs for cell in nbformat.read(tmp_path / f"{name}.ipynb", 4).cells]
        for name in ("fresh", "forked")
    ]
    assert [o[0][0].data["text/plain"] for o in outputs] == ["False", "True"]
    # Sockets in a folder of its own: two kernels cannot be given one port.
    assert [o[1][0].data["text/plain"] for o in outputs] == ["'tcp'", "'ipc'"]
    assert outputs[0][2:] == outputs[1][2:]
    assert "image/png" in outputs[1][3][-1].data
