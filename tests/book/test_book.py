"""The book lists the runs there are, and its notebooks are fit to be shown."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from statistics import fmean

import pytest
import yaml

from qrlib import models, weights
from qrlib.book import table_of_contents
from qrlib.experiments import coverage, plan, profiles
from qrlib.experiments.variants import STANDALONE, VARIANTS
from qrlib.records import store
from qrlib.report import (
    option_tables,
    restore_or_not,
    retraining,
    sampling,
    table5_conventions,
    tables,
)

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = [p for p in BOOK.rglob("*.md") if "_executed" not in p.parts]


CONTENTS = table_of_contents.table()
FILES = table_of_contents.pages(CONTENTS)
LEADING = coverage.with_records()[0].name
SHOWN = sorted({file.split("/")[1] for file in FILES if file.count("/") == 2})


@pytest.mark.parametrize("name", SHOWN)
def test_lists_exactly_the_pages_of_a_profile(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = profiles.load(name)
    if name == "quick":
        planned = plan.experiments_of(profile)
        runs = [x.training_run for x in planned]
        runs += [plan.timed(profile).timing_run]
        pages = coverage.pages(profile, there=False)
    else:
        runs = [p.stem for p in (ROOT / "results" / name / "notebooks").glob("*.ipynb")]
        monkeypatch.setenv("QRLIB_RESULTS", str(ROOT / "results"))
        pages = coverage.pages(profile, there=True)
    shown = table_of_contents.pages(table_of_contents.table())
    listed = [file for file in shown if file.startswith(f"_executed/{name}/")]
    assert sorted(listed) == sorted(f"_executed/{name}/{page}" for page in (*runs, *pages))


def test_the_menu_has_at_most_25_entries() -> None:
    assert 1 + sum(len(part["chapters"]) for part in CONTENTS["parts"]) <= 25


def test_the_strongest_run_leads() -> None:
    results = next(part for part in CONTENTS["parts"] if "Results" in part["caption"])
    files = [chapter["file"] for chapter in results["chapters"]]
    assert files[0] == f"runs/{LEADING}"
    assert all(file.startswith(f"_executed/{LEADING}/") for file in files[1:])


def test_every_prose_page_is_listed() -> None:
    pages = {str(p.relative_to(BOOK).with_suffix("")) for p in PAGES}
    assert pages == {file for file in FILES if not file.startswith("_executed/")} - {"index"}


def test_the_build_runs_nothing() -> None:
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    assert config["execute"] == {"execute_notebooks": "off", "stderr_output": "remove"}
    assert config["only_build_toc_files"] is True


def test_every_package_stands_in_the_reference() -> None:
    pages = [p.read_text("utf-8") for p in sorted((BOOK / "api").glob("*.md"))]
    documented = re.findall(r"^```{modules} (\S+)$", "\n".join(pages), re.MULTILINE)
    packages = [p.parent.relative_to(ROOT) for p in (ROOT / "qrlib").rglob("__init__.py")]
    assert sorted(documented) == sorted(".".join(package.parts) for package in packages)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_fit_to_be_shown(path: Path) -> None:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    tags = [cell["metadata"].get("tags", []) for cell in cells]
    assert sum("parameters" in t for t in tags) == 1
    assert "".join(cells[0]["source"]).startswith("# ")
    for cell, tag in zip(cells, tags, strict=True):
        source = "".join(cell["source"])
        if cell["cell_type"] != "code":
            continue
        # Only what is compared is kept, and what is to be compared is there.
        assert bool(cell["outputs"]) == ("NBVAL_CHECK_OUTPUT" in source) == ("keep_output" in tag)
        assert not cell["outputs"] or cell["execution_count"], "nbval takes it for a cell never run"
        if draws(source):
            shown = cell["metadata"].get("mystnb", {})
            assert shown.get("figure", {}).get("caption", "").endswith("."), source
            assert shown.get("image", {}).get("alt", "").endswith("."), source


def draws(source: str) -> bool:
    """Whether a cell shows a figure: calls a function that makes one, its own `show` among them."""
    body = [part for part in ast.parse(source).body if not isinstance(part, ast.FunctionDef)]
    calls = [n.func for part in body for n in ast.walk(part) if isinstance(n, ast.Call)]
    called = {ast.unparse(function) for function in calls}
    return any(
        c.startswith(("changes.", "plots.", "SVG", "image_grids.")) or c in ("show", "plt.show")
        for c in called
    )


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_between_files_lead_somewhere(name: str) -> None:
    """Of pages of the book the strict build tells."""
    path = ROOT / name
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" in target:
            continue
        found = (path.parent / target).resolve()
        if "_executed" in found.parts:
            assert str(found.relative_to(BOOK).with_suffix("")) in FILES, target
        else:
            assert found.is_file(), target


def test_the_pictures_of_the_readme_are_small_and_say_what_they_show() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    shown = re.findall(r"!\[([^]]+)\]\((images/[^)]+)\)", text)
    shown += [
        (alt, file) for file, alt in re.findall(r'<img src="([^"]+)"[^>]*alt="([^"]+)"', text)
    ]
    assert len(shown) == 3
    for alt, file in shown:
        assert len(alt.split()) > 5
        assert (ROOT / file).stat().st_size < 100_000


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QRLIB_RESULTS", str(ROOT / "results"))


def test_the_shipped_weights_are_those_of_the_record(committed: None) -> None:
    record = store.read_record("caltech101-day", "qrnet-multiple-vgg16-seed0")
    network = models.load_qrnet("caltech101-day")
    assert list(record["provenance"]["weights"].values()) == [weights.state_hash(network)]


#: Page -> the profiles whose accuracies it tells.
TOLD = {
    "README.md": ("caltech101-day", "caltech101-half"),
    "book/runs/caltech101-day.md": ("caltech101-day",),
    "book/runs/caltech101-half.md": ("caltech101-half",),
    "book/runs/caltech101-fg_nic.md": ("caltech101-fg_nic",),
}


@pytest.mark.parametrize("page", TOLD)
def test_accuracies_in_prose_are_those_of_records(page: str, committed: None) -> None:
    known: set[str] = set()
    for name in TOLD[page]:
        results = restore_or_not.with_gate(store.read(name, images=True))
        others = [
            store.read(name, kind=kind) for kind in STANDALONE if store.read_records(name, kind)
        ]
        values = []
        for rows in (results[results["metric"] == "accuracy"], *others):
            group = ["classifier", "restorer", "distortion"]
            values += [
                *rows.groupby(group)["value"].mean(),
                *rows.groupby([*group, "seed"])["value"].mean(),
                *rows[rows["level"].isin((0, 1, 2, 5))]["value"],
            ]  # of an attack, 2 is ε
        profile = profiles.load(name)
        if "denoising" in profile.parts:
            values += [*retraining.at_its_strengths(option_tables.evidence_of(profile))["fg_nic"]]
            values += [fmean(printed) / 100 for printed in retraining.FG_NIC.values()]
        else:
            for table in (tables.table2, tables.table3, tables.table4):
                cells = table(results, profile.choice)
                values += [*cells["ours"], *cells["paper"]]
        known |= {f"{value:.3f}" for value in values}
    paragraphs = (ROOT / page).read_text("utf-8").splitlines()
    now = "\n".join(text for text in paragraphs if "ommit `" not in text)  # not of earlier records
    written = set(re.findall(r"\b0\.\d{3}\b", now))
    assert written
    weights_tried = {f"{v.classification_weight}" for v in VARIANTS.values()}  # λ = 0.001
    assert written - weights_tried <= known


def test_prose_on_sampling_is_what_the_networks_reached(committed: None) -> None:
    profile = profiles.load("caltech101-sampling")
    courses = sampling.courses(store.read_records(profile.name, "recovery"), profile)
    ends = sampling.ends(courses).set_index("share")[["val_quality", "val_accuracy"]]
    parts = ends.loc[lambda frame: frame.index < 1]
    (low, least), (high, most) = parts.min(), parts.max()
    text = (BOOK / "runs/caltech101-sampling.md").read_text("utf-8")
    whole = ends.loc[1.0]
    assert f"an L1 of .{1000 * whole['val_quality']:03.0f}" in text
    assert f"accuracy of {whole['val_accuracy']:.3f}." in text
    assert f"an L1 of .{1000 * low:03.0f} to .{1000 * high:03.0f}" in text
    assert f"at {least:.3f} to {most:.3f}." in text
    half = courses.query("share < 1 and 20 < minutes < 26").groupby("label")["val_quality"].last()
    assert len(half) == len(parts)
    assert (half < whole["val_quality"]).all()


def test_the_readme_tells_the_distance_of_the_record(committed: None) -> None:
    compared = table5_conventions.compare(store.read_conventions("caltech101"))
    distances = table5_conventions.distances(compared)
    assert distances.index[0] == "resize nearest, window uniform, data range 2"
    text = (ROOT / "README.md").read_text("utf-8")
    assert f"all four within {distances.iloc[0]:.1f} standard errors" in text
