"""The examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import benchmarks
import qrlib

MODULES = sorted(
    module.name
    for package in (qrlib, benchmarks)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    # Contestants import libraries that need not be there.
    if not module.name.endswith("__main__") and ".contestants" not in module.name
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
    assert result.attempted > 0 or name not in ("qrlib.distortions", "qrlib.losses")
