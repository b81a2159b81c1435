"""A job of the graph: a notebook is run with its parameters, kept, and stamped."""

from __future__ import annotations

import json

import nbformat
import pytest
from papermill.exceptions import PapermillExecutionError

from qrlib.__main__ import main
from qrlib.utils import files, paths
from qrlib.workflow import run


@pytest.fixture
def notebook(tmp_path):
    parameters = nbformat.v4.new_code_cell("profile = label = seed = None")
    parameters.metadata.tags = ["parameters"]
    shown = nbformat.v4.new_code_cell(
        "import ipykernel\n"
        "print(ipykernel.get_connection_info(unpack=True)['transport'], profile, [label, seed])\n"
        "assert seed != 13, 'an unlucky seed'"
    )
    path = tmp_path / "notebook.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[parameters, shown], metadata=kernel), path)
    return path


@pytest.mark.slow
def test_a_run_is_kept_and_stamped(notebook, tmp_path):
    executed, stamp = tmp_path / "a-seed1.ipynb", paths.runs("smoke") / "stamps" / "a-seed1.json"
    files.write_json(paths.results("smoke") / "records" / "a.json", {})
    arguments = ["execute-run", str(notebook), str(executed), "smoke", str(stamp), "a"]
    assert main([*arguments, "-p", "label", "x y", "-p", "seed", "1"]) == 0
    assert not executed.exists()
    result = paths.results("smoke") / "notebooks" / executed.name
    (output,) = nbformat.read(result, 4).cells[-1].outputs
    # Not tcp: kernels that start at one moment could be given one port.
    assert output.text == "ipc smoke ['x y', 1]\n"
    assert json.loads(stamp.read_text()).keys() == {f"notebooks/{executed.name}", "records/a.json"}
    run.drop_stale_stamps("smoke")
    assert stamp.exists()
    files.write_json(paths.results("smoke") / "records" / "a.json", {"changed": 1})
    run.drop_stale_stamps("smoke")
    assert not stamp.exists()


@pytest.mark.slow
def test_a_page_goes_where_the_book_reads_it(notebook, tmp_path):
    executed, page = tmp_path / "executed.ipynb", tmp_path / "book" / "page.ipynb"
    assert main(["execute-page", str(notebook), str(executed), str(page)]) == 0
    assert "ipc None [None, None]" in page.read_text()
    assert not executed.exists()


@pytest.mark.slow
def test_a_notebook_that_fails_stays_where_it_ran(notebook, tmp_path):
    executed, page = tmp_path / "executed.ipynb", tmp_path / "page.ipynb"
    arguments = ["execute-page", str(notebook), str(executed), str(page)]
    with pytest.raises(PapermillExecutionError, match="an unlucky seed"):
        main([*arguments, "-p", "seed", "13"])
    assert "an unlucky seed" in executed.read_text()
    assert not page.exists()
