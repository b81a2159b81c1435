"""Executed notebooks as pages of the book: which cells are shown."""

from __future__ import annotations

import nbformat
import pytest

from qrlib.book import notebooks


def executed():
    """A notebook as papermill leaves it."""

    def cell(source, *tags, outputs=()):
        new = nbformat.v4.new_code_cell(source, outputs=list(outputs))
        new.metadata.tags = list(tags)
        return new

    text = nbformat.v4.new_output("stream", text="shown")
    return nbformat.v4.new_notebook(
        cells=[
            cell("profile = None  # or a name\nseed = 0  # of all", "parameters"),
            cell("# Parameters\nprofile = 'quick'", "injected-parameters"),
            cell("import qrlib", "hide-input"),
            cell("print('shown')", "hide-input", outputs=[text]),
        ]
    )


@pytest.mark.parametrize(
    ("run", "tags"),
    [
        (True, ["remove-cell", "run-parameters", "hide-input", "hide-input"]),
        (False, ["remove-cell", "remove-cell", "remove-cell", "hide-input"]),
    ],
)
def test_a_run_shows_its_parameters_and_a_page_what_it_found(run, tags):
    content = executed()
    notebooks.tidy(content, run=run)
    assert [cell.metadata.tags for cell in content.cells] == [[tag] for tag in tags]
    assert content.cells[1].source.startswith("# The parameters of this run\n") is run
    if run:  # a copy of the page's cells has every name that it needs
        assert content.cells[1].source.splitlines()[1:] == ["profile = 'quick'", "seed = 0"]
