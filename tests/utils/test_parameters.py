"""A parameter that a notebook does not declare is refused, in every notebook."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from qrlib.utils import parameters
from qrlib.utils.errors import QrlibError

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_asks(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    declared, asking = cells[0].source, next(c for c in cells if "parameters.check()" in c.source)
    assert "parameters" in cells[0].metadata.tags
    names = parameters._assigned(declared)
    parameters.check(["", declared, asking.source])
    for name in [*names, "PAPERMILL_INPUT_PATH"]:
        parameters.check(["", declared, f"# Parameters\n{name} = 1\n", asking.source])
    valid = ", ".join(names) or "none"
    with pytest.raises(QrlibError, match=rf"unknown parameter 'varient'.*valid: {valid}"):
        parameters.check(["", declared, "# Parameters\nvarient = 'recnet'\n", asking.source])
