"""Executed notebooks as pages of the book: which cells are shown, and how large figures are."""

from __future__ import annotations

import base64
import io
import shutil

import nbformat
import numpy as np
import pytest
from PIL import Image
from support.project import ROOT

from qrlib.book import notebooks
from qrlib.report.data_uris import encode_image
from qrlib.utils import paths


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


def test_large_images_in_figures_become_webp_and_small_ones_stay():
    noise = np.random.default_rng(0)
    figures = []
    for side in (notebooks.LARGE - 1, notebooks.LARGE):
        uri = encode_image(noise.random((side, side, 3)), "png")
        figures.append(f'<svg><image xlink:href="{uri.replace(",", f",{chr(10)}")}"/></svg>')
    content = executed()
    shown = [nbformat.v4.new_output("display_data", {"image/svg+xml": each}) for each in figures]
    content.cells[3].outputs = shown
    notebooks.tidy(content)
    small, large = (output.data["image/svg+xml"] for output in content.cells[3].outputs)
    assert small == figures[0]
    assert len(large) < len(figures[1]) / 2
    uri = large.split('"')[1]
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
        assert (picture.format, picture.size) == ("WEBP", (notebooks.LARGE, notebooks.LARGE))


def test_pages_of_a_profile_without_records_go(folders, monkeypatch):
    monkeypatch.setenv("QRLIB_ROOT", str(folders))
    shutil.copytree(ROOT / "profiles", folders / "profiles")
    executed = folders / "book" / "_executed"
    for name in ("gone", "smoke", "_files"):
        (executed / name).mkdir(parents=True)
    (paths.results("smoke") / "records").mkdir(parents=True)
    notebooks.assemble(["smoke"])
    assert sorted(path.name for path in executed.iterdir()) == ["_files", "smoke"]
