"""The whole graph through papermill, one epoch each, and the strict book, in a copy of the project."""

import json
import re
import sys

import nbformat
import pytest
import yaml
from support.notebooks import NOTEBOOKS, compared, execute
from support.project import Project

from qrlib.book import table_of_contents
from qrlib.experiments import plan, profiles

pytestmark = pytest.mark.slow


def test_every_run_leaves_a_record_and_a_notebook(project):
    records = {name: json.loads(text) for name, text in project.records().items()}
    profile = profiles.load("quick")
    planned = plan.experiments_of(profile)
    expected = {f"{plan.timed(profile).timing_run}.json": "timing"}
    for x in planned:
        if x.variant_name == "none":
            expected[f"{x.classifier_run}.json"] = "classifier"
        else:
            expected[f"{x.recovery_run}.json"] = "recovery"
        for role in x.judges:
            expected[f"{x.judged_by(role).evaluation_run}.json"] = "evaluation"
    assert {name: record["kind"] for name, record in records.items()} == expected
    for x in planned:
        if x.variant.learns == ("restorer",) and x.variant.convs_per_block == 2:
            assert records[f"{x.recovery_run}.json"]["training"]["parameters"] == 1_941_139
    assert all(r["results"] for r in records.values() if r["kind"] == "evaluation")
    notebooks = list((project.root / "results" / "quick" / "notebooks").glob("*.ipynb"))
    assert len(notebooks) == len(planned) + 1
    sheets = {p.stem for p in (project.root / "results" / "quick" / "samples").iterdir()}
    judge = profile.classifier.name
    assert {f"evaluation-none-{judge}", f"evaluation-qrnet-multiple-{judge}-seed0"} <= sheets


def test_the_strict_book_has_every_page_of_its_table_of_contents(project):
    text = (project.root / "book" / "_executed" / "_toc.yml").read_text()
    pages = table_of_contents.pages(yaml.safe_load(text))
    assert len(pages) > 20
    for page in pages:
        assert (project.root / "_build" / "html" / f"{page}.html").is_file(), page
    first = (project.root / "_build" / "html" / "index.html").read_text()
    profile = yaml.safe_load((project.root / "profiles" / "quick.yaml").read_text())
    assert profile["title"] in first


def test_executed_notebooks_name_no_folder_of_this_machine(built):
    for path in (built.root / "results" / "quick" / "notebooks").glob("*.ipynb"):
        text = path.read_text()
        assert str(built.root) not in text, path.name
        assert sys.prefix not in text, path.name


@pytest.mark.parametrize(
    ("modules", "again"),
    [
        ("models", "all classifier restorer timing live results story first_page page book"),
        (
            "report/tables inference/onnx_export experiments/latency",
            "all timing live results story first_page page book",
        ),
    ],
)
def test_a_change_of_code_concerns_what_depends_on_it(project, modules, again):
    paths = [project.root / "qrlib" / f"{module}.py" for module in modules.split()]
    before = [path.read_text() for path in paths]
    again = set(again.split())
    try:
        for path, text in zip(paths, before, strict=True):
            path.write_text(text + "\n\nCHANGED = 1\n")
        planned = set(project.planned())
        assert planned <= again
        assert planned >= again & {"results", "timing", "live", "story", "book"}
    finally:
        for path, text in zip(paths, before, strict=True):
            path.write_text(text)


def test_a_folder_that_was_moved_knows_what_is_outdated(project):
    """Nothing at first; with another classifier, that and every restorer judged by it."""
    moved = Project(project.root.rename(project.root.with_name("moved folder's {copy}")))
    profile = moved.root / "profiles" / "quick.yaml"
    before = profile.read_text()
    changed = yaml.safe_load(before)
    changed["classifier"]["batch_size"] = 15
    try:
        assert moved.planned() == []
        profile.write_text(yaml.safe_dump(changed))
        done = moved.python("qrlib", "run", "quick", "--dry-run")
        judged = [x for x in plan.experiments_of(profiles.load("quick")) if x.judges]
        count = sum(x.variant_name != "none" for x in judged)
        assert re.search(rf"^restorer +{count}$", done.stdout, re.MULTILINE)
        assert re.search(r"^classifier +1$", done.stdout, re.MULTILINE)
    finally:
        profile.write_text(before)
        moved.root.rename(project.root)


def test_a_failing_run_keeps_its_notebook_and_the_earlier_records(project):
    profile = project.root / "profiles" / "quick.yaml"
    before, records = profile.read_text(), project.records()
    broken = yaml.safe_load(before)
    broken["classifier"]["learning_rate"] = 1e38
    try:
        profile.write_text(yaml.safe_dump(broken))
        done = project.python("qrlib", "run", "quick")
        assert done.returncode != 0
        assert "lower the learning rate" in done.stdout
        logs = (project.root / "runs" / "quick" / "logs").glob("classifier*.ipynb")
        logs = [path for path in logs if path.stat().st_size]  # Snakemake leaves empty ones behind
        assert len(logs) == 1
        assert "QrlibError" in logs[0].read_text()
        assert project.records() == records
    finally:
        profile.write_text(before)


#: Those that no build runs.
ALONE = ("adaptation", "attacks", "classical", "colab", "conventions", "corruptions")
#: Where the build leaves a notebook that it ran, if not under its own name.
RAN = {
    "overview": "book/index.ipynb",
    "train_classifier": "results/quick/notebooks/classifier-*.ipynb",
    "train_recovery": "results/quick/notebooks/qrnet-*.ipynb",
    "timings": "results/quick/notebooks/timing-*.ipynb",
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_says_what_its_reference_output_does(project, path):
    """In the build; the rest: below."""
    reference = compared(path)
    assert reference, "strict nbval on stripped outputs would pass whatever happens"
    if path.stem not in ALONE:
        found = project.root.glob(RAN.get(path.stem, f"book/_executed/**/{path.stem}.ipynb"))
        first = min(found, key=lambda p: ("quick" not in p.parts, p))
        assert compared(first) == reference


def test_notebooks_that_no_build_runs_say_what_their_reference_outputs_do(capsys):
    for path in NOTEBOOKS:
        if path.stem in ALONE and path.stem != "colab":
            execute(path, "smoke")
            assert "".join(compared(path)) in capsys.readouterr().out


def test_the_cells_of_a_notebook_run_in_order_however_many_processes_there_are(project):
    cells = [nbformat.v4.new_code_cell("steps = [0]")]
    cells += [
        nbformat.v4.new_code_cell(f"steps.append({i}); assert steps[-2] == {i - 1}")
        for i in (1, 2, 3)
    ]
    kernel = {"name": "python3", "display_name": "Python", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, project.root / "notebooks" / "steps.ipynb")
    options = ["--nbval-lax", "-n", "2", "-q", "-p", "no:cacheprovider"]
    try:
        done = project.python("pytest", *options, "notebooks/steps.ipynb")
    finally:
        (project.root / "notebooks" / "steps.ipynb").unlink()
    assert done.returncode == 0, done.stdout[-4000:]
    assert "4 passed" in done.stdout


def test_a_notebook_by_itself_trains_what_its_profile_leaves_out(project):
    records, executed = project.records(), project.root / "finetuned.ipynb"
    done = project.python(
        "papermill", "notebooks/train_recovery.ipynb", str(executed),
        "-p", "variant", "finetuned", "-p", "overrides", "data.per_class=8",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert "recovery record complete" in executed.read_text()
    assert project.records() == records  # changed settings have records of their own
