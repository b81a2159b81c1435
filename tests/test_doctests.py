"""The examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import qrlib

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(qrlib.__path__, "qrlib.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(name), extraglobs=None, verbose=False)
    assert result.failed == 0


def test_some_modules_have_examples():
    finder = doctest.DocTestFinder()
    found = {
        name
        for name in MODULES
        if any(test.examples for test in finder.find(importlib.import_module(name)))
    }
    assert {"qrlib.distortions", "qrlib.utils.errors", "qrlib.losses", "qrlib.models"} <= found
