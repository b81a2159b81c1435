"""Every test works in folders of its own and reaches no network."""

from __future__ import annotations

import socket

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def packed_cache(tmp_path_factory):
    """Packed image stores, shared by all tests: packing the photographs takes a second."""
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
