"""Every test works in folders of its own and reaches no network."""

from __future__ import annotations

import os
import socket
from unittest.mock import ANY

import numpy as np
import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, settings
from support.project import ROOT, Project

from qrlib.data import caltech

# No example fails for taking long: the machine may be busy.  In CI they are the same each time;
# elsewhere new ones are tried, and what fails is printed.
settings.register_profile(
    "qrlib",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("qrlib")


def pytest_collection_modifyitems(items):
    """The built project is begun first; the browser's tests come last, when it is there.

    The longest of them first, else one process would still be at it when the others have nothing to do.
    """
    ranks = {
        "tests/workflow/test_end_to_end.py": 0,
        "tests/browser/test_whole_pages.py": 2,
        "tests/browser/test_live.py": 3,
        "tests/browser": 4,
    }
    items.sort(key=lambda item: next((r for p, r in ranks.items() if item.nodeid.startswith(p)), 1))


def pytest_terminal_summary(terminalreporter):
    """Nobody takes a run without a browser for one that tested the book in a browser."""
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    lost = sum("no Chromium" in reason for reason in skipped)
    if lost:
        terminalreporter.section(
            f"NOT TESTED: {lost} tests of the book in a browser", "!", red=True
        )
        terminalreporter.line("No Chromium was found, so nobody has looked whether the pages work.")
        terminalreporter.line("Debian, Ubuntu: apt-get install chromium, then `make test` again.")
        terminalreporter.line("Another Chromium or Chrome: QRLIB_BROWSER=/path/to/it make test")


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The project with its book built, once for all processes of a run; no test changes it.

    Or the checkout, where QRLIB_TEST_BOOK names its _build/html: then nothing is built.
    """
    if named := os.environ.get("QRLIB_TEST_BOOK"):
        return Project((ROOT / named).resolve().parents[1])
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    said = shared / "built.log"
    with FileLock(shared / "built.lock"):
        project = Project(shared / "built")
        if not said.exists():
            done = project.python("qrlib", "book")
            said.write_text("" if done.returncode == 0 else done.stdout[-6000:])
    assert said.read_text() == "", "the project's book was not built"
    return project


@pytest.fixture(scope="session")
def project(built, tmp_path_factory):
    """A copy of the built project for the tests of one process, which change, move and run it."""
    return built.copy(tmp_path_factory.mktemp("copy") / "project")


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def packed_cache(tmp_path_factory):
    """Packed image stores, shared by all tests: packing the embedded images takes a second."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def folders(tmp_path, packed_cache, monkeypatch):
    """Point all of qrlib's folders away from the checkout; returns the test's own folder."""
    for name in ("results", "runs", "data", "weights"):
        monkeypatch.setenv(f"QRLIB_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("QRLIB_CACHE", str(packed_cache))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("QRLIB_ROOT", "QRLIB_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def small_caltech(monkeypatch):
    """Caltech101 and Caltech256 are whole with any number of classes and images."""
    for name, layout in caltech.LAYOUTS.items():
        monkeypatch.setitem(caltech.LAYOUTS, name, layout._replace(classes=ANY, images=ANY))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """A connection to another machine fails at once, so that no test downloads anything."""
    connect = socket.socket.connect

    def refuse(self, address):
        host = address[0] if isinstance(address, tuple) else ""
        if self.family == socket.AF_UNIX or host in ("127.0.0.1", "localhost", "::1"):
            return connect(self, address)
        raise OSError(f"tests have no network; {address} was asked for")

    def unresolved(host, *args, **kwargs):
        if host in (None, "", "127.0.0.1", "localhost", "::1", socket.gethostname()):
            return resolve(host, *args, **kwargs)
        raise socket.gaierror(f"tests have no network; {host} was asked for")

    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", unresolved)


@pytest.fixture
def photograph():
    """A real photograph's piece: (3, 67, 91) float32 in [0, 1], odd and not square."""
    from skimage import data

    piece = data.astronaut()[40:107, 180:271]
    return torch.from_numpy(np.ascontiguousarray(piece.transpose(2, 0, 1))).float() / 255
