"""Which records allow which pages, and which profiles are shown."""

from __future__ import annotations

import nbformat
import pytest

from qrlib.book import notebooks
from qrlib.experiments import coverage, profiles
from qrlib.experiments.plan import experiments_of
from qrlib.report import captions
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError


def pretend(profile, part="table2"):
    """Empty files in place of the records that a part needs."""
    for name in coverage.missing(profile, part):
        path = paths.results(profile.name) / "records" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_each_part_needs_its_own_records():
    smoke = profiles.load("smoke")
    seen = {part: set(coverage.missing(smoke, part)) for part in profiles.PARTS}
    assert "evaluation-small_qrnet-multiple-small_vgg-seed0" in seen["table3"]
    assert seen["figure6"] == {
        f"evaluation-{who}"
        for who in (
            "none-small_resnet",
            "qrnet-multiple-small_resnet-seed0",
            "mqrnet-multiple-small_resnet-seed0",
        )
    }
    everything = {
        x.judged_by(role).evaluation_run for x in experiments_of(smoke) for role in x.judges
    }
    unjudged = {"evaluation-none-small_inception", "evaluation-mqrnet-multiple-small_vgg-seed0"}
    assert set().union(*seen.values()) == everything - unjudged
    with pytest.raises(QrlibError, match="unknown part 'table9'"):
        coverage.missing(smoke, "table9")


def test_pages_follow_the_records():
    smoke = profiles.load("smoke")
    assert coverage.pages(smoke, there=True) == []
    assert coverage.pages(smoke, there=False) == list(coverage.PAGES)
    pretend(smoke)
    assert coverage.pages(smoke, there=True) == ["recovery", "image_quality"]
    pretend(smoke, "figure6")
    assert "classifier_change" in coverage.pages(smoke, there=True)


def test_profiles_with_records_are_shown_the_papers_setting_first(monkeypatch):
    assert coverage.with_records() == []
    assert coverage.recorded() == []
    for name in ("quick", "smoke", "caltech101", "caltech101-cpu"):
        pretend(profiles.load(name))
    shown = [p.name for p in coverage.with_records()]
    assert shown == ["caltech101", "caltech101-cpu", "quick"]
    assert set(coverage.recorded()) == {*shown, "smoke"}
    assert [p.name for p in coverage.with_records(["smoke"])] == ["smoke"]
    monkeypatch.setenv("QRLIB_PROFILE", "smoke")
    assert [p.name for p in coverage.with_records()] == ["smoke"]
    monkeypatch.delenv("QRLIB_PROFILE")
    assert coverage.with_records(part="lambda") == []


def test_a_results_page_begins_with_whose_results_they_are():
    profile = profiles.load("quick")
    text = captions.introduction(profile, "recovery", 1128)
    assert text.startswith(f"**Results of the {profile.label}**: 1,128 test images, seeds 0 and 1")
    assert "(seed 0 for small QRNet)" in text
    assert "not the paper's setting" in text
    assert text.endswith("`papermill notebooks/recovery.ipynb out.ipynb -p profile quick`.")
    assert "images, seed 0." in captions.introduction(profile, "end_to_end", 1)
    assert "not the paper's setting" not in captions.introduction(
        profiles.load("caltech101"), "recovery", 1
    )


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
