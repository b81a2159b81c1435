"""The whole graph through papermill, one epoch each, and the strict book, in a copy of the project."""

import json
import os
import re
import sys

import pytest
import yaml
from support.project import ROOT, Project

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
    assert profiles.load("smoke").title in first


def test_executed_notebooks_name_no_folder_of_this_machine(project):
    for path in (project.root / "results" / "quick" / "notebooks").glob("*.ipynb"):
        text = path.read_text()
        assert str(project.root) not in text, path.name
        assert sys.prefix not in text, path.name


def test_nothing_runs_again_when_nothing_changed(project):
    assert project.planned() == []


@pytest.mark.parametrize(
    ("module", "again"),
    [
        ("report/tables", {"all", "results", "story", "first_page", "page", "book"}),
        (
            "models",
            {
                "all",
                "classifier",
                "restorer",
                "timing",
                "live",
                "results",
                "story",
                "first_page",
                "page",
                "book",
            },
        ),
        ("inference/onnx_export", {"live", "story", "first_page", "book"}),
        ("report/claims/check", {"all", "results", "story", "first_page", "book"}),
        ("experiments/latency", {"all", "timing", "results", "story", "first_page", "book"}),
    ],
)
def test_a_change_of_code_concerns_what_depends_on_it(project, module, again):
    path = project.root / "qrlib" / f"{module}.py"
    before = path.read_text()
    try:
        path.write_text(before + "\n\nCHANGED = 1\n")
        planned = set(project.planned())
        assert planned <= again
        assert planned >= again & {"results", "timing", "story", "book"}
    finally:
        path.write_text(before)


def test_another_classifier_concerns_every_restorer_judged_by_it(project):
    profile = project.root / "profiles" / "quick.yaml"
    before = profile.read_text()
    changed = yaml.safe_load(before)
    changed["classifier"]["batch_size"] = 15
    try:
        profile.write_text(yaml.safe_dump(changed))
        done = project.python("qrlib", "run", "quick", "--dry-run")
        judged = [x for x in plan.experiments_of(profiles.load("quick")) if x.judges]
        count = sum(x.variant_name != "none" for x in judged)
        assert re.search(rf"^restorer +{count}$", done.stdout, re.MULTILINE)
        assert re.search(r"^classifier +1$", done.stdout, re.MULTILINE)
    finally:
        profile.write_text(before)


def test_a_folder_that_was_moved_knows_what_is_outdated(project):
    moved = Project(project.root.rename(project.root.with_name("moved folder's {copy}")))
    try:
        assert moved.planned() == []
        profile = moved.root / "profiles" / "quick.yaml"
        before = profile.read_text()
        changed = yaml.safe_load(before)
        changed["recovery"]["epochs"] += 1
        profile.write_text(yaml.safe_dump(changed))
        assert "restorer" in moved.planned()
        profile.write_text(before)
    finally:
        moved.root.rename(project.root)


def test_cells_of_a_notebook_run_in_their_order_however_many_processes_there_are(project):
    done = project.python(
        "pytest",
        "--nbval-lax",
        "-n",
        "2",
        "notebooks/benchmarks.ipynb",
        "-q",
        "-p",
        "no:cacheprovider",
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_deleted_record_is_made_again_without_training(project):
    victim = next(
        x for x in plan.experiments_of(profiles.load("quick")) if x.variant_name == "qrnet"
    )
    before = project.records()
    path = project.root / "results" / "quick" / "records" / f"{victim.evaluation_run}.json"
    path.unlink()
    done = project.python("qrlib", "run", "quick")
    assert done.returncode == 0, done.stdout[-4000:]
    assert f"{victim.recovery_run}: already trained" in done.stdout
    after = project.records()
    assert after.keys() == before.keys()
    again, first = json.loads(after[path.name]), json.loads(before[path.name])
    assert again["results"] == first["results"]


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


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_under_nbval(project, path):
    done = project.python(
        "pytest", "--nbval-lax", f"notebooks/{path.name}", "-q", "-p", "no:cacheprovider",
        "-c", os.devnull, "--rootdir", ".",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_has_a_reference_output_to_compare_with(path):
    cells = json.loads(path.read_text())["cells"]
    checked = [c for c in cells if "NBVAL_CHECK_OUTPUT" in "".join(c["source"])]
    assert checked, "strict nbval on stripped outputs would pass whatever happens"
    assert all(c["outputs"] for c in checked)


def test_a_wrong_parameter_is_refused_before_anything_is_trained(project):
    records = project.records()
    done = project.python(
        "papermill", "notebooks/train_recovery.ipynb", str(project.root / "refused.ipynb"),
        "-p", "variant", "qrnt",
    )  # fmt: skip
    assert done.returncode != 0
    assert (
        "did you mean 'qrnet'?); valid: none, pretrained, recnet, qrnet, small_pretrained"
        in done.stdout
    )
    assert project.records() == records
