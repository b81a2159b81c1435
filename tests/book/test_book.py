"""The book lists the runs there are, and its notebooks are fit to be shown."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from qrlib import models, weights
from qrlib.book import table_of_contents
from qrlib.experiments import coverage, plan, profiles
from qrlib.records import store
from qrlib.report import table5_conventions, tables
from qrlib.report.claims import check, rule

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = [p for p in BOOK.rglob("*.md") if "_executed" not in p.parts]


FILES = table_of_contents.pages(table_of_contents.table())
SHOWN = sorted({file.split("/")[1] for file in FILES if file.count("/") == 2})


def test_shows_the_quick_profile() -> None:
    assert "quick" in SHOWN


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


def test_pages_are_listed_once() -> None:
    assert len(FILES) == len(set(FILES))


def test_every_prose_page_is_listed() -> None:
    pages = {str(p.relative_to(BOOK).with_suffix("")) for p in PAGES}
    assert pages == {file for file in FILES if not file.startswith("_executed/")}


def test_unnamed_notebooks_are_there() -> None:
    names = [file.split("/")[-1] for file in FILES if file.count("/") == 1 and "_exec" in file]
    assert {f"{name}.ipynb" for name in [*names, *coverage.PAGES]} <= {p.name for p in NOTEBOOKS}


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
        c.startswith(("plots.", "diagrams.", "image_grids.")) or c in ("show", "plt.show")
        for c in called
    )


@pytest.mark.parametrize("path", [*PAGES, ROOT / "README.md"], ids=lambda p: p.stem)
def test_links_between_files_lead_somewhere(path: Path) -> None:
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
    record = store.read_record("caltech101-cpu", "qrnet-multiple-vgg16-seed0")
    network = models.load_qrnet("caltech101-cpu")
    assert list(record["provenance"]["weights"].values()) == [weights.state_hash(network)]


def test_the_readme_shows_the_numbers_of_the_records(committed: None) -> None:
    table = tables.table2(store.read("caltech101-cpu"), profiles.load("caltech101-cpu").choice)
    text = (ROOT / "README.md").read_text("utf-8")
    for distortion in ("noise", "blur"):
        for whose in ("paper", "ours"):
            cells = table[table["row"] == distortion].set_index("column")[whose]
            numbers = " | ".join(f"{cells[method]:.3f}" for method in tables.TABLE2_METHODS)
            assert f"| {distortion}, {whose} | {numbers} |" in text


@pytest.mark.slow
def test_the_readme_tells_what_longer_training_brought(committed: None) -> None:
    name = "caltech101-cpu-20"
    chosen = profiles.load(name)
    records, text = store.read(name), (ROOT / "README.md").read_text("utf-8")
    cells = tables.table2(records, chosen.choice).set_index(["row", "column"])["ours"]
    for row in ("noise", "blur"):
        assert f"{cells[row, 'none']:.3f} to {cells[row, 'qrnet']:.3f} under {row}" in text
    cells = tables.table4(records, chosen.choice).set_index(["row", "column"])["ours"]
    joint = " and ".join(f"{cells[row, 'end-to-end']:.3f}" for row in ("noise", "blur"))
    assert f"fully connected layers it reaches {joint}" in text
    assert f"fine-tuning these layers alone ({cells['noise', 'finetuned-multiple']:.3f})" in text
    verdicts = check.check_profile(chosen).set_index("id")["verdict"]
    assert verdicts["end-to-end-beats-finetuned-noise"] == rule.HOLDS
    blur = {f"{cells['blur', method]:.3f}" for method in ("end-to-end", "finetuned-multiple")}
    assert f"both come to {' '.join(blur)}." in text


def test_the_page_of_the_runs_tells_what_fine_tuning_wins_back(committed: None) -> None:
    rows = store.read("caltech101-cpu")
    rows = rows[(rows["metric"] == "accuracy") & (rows["classifier"] == "vgg16")]
    blur = rows[rows["distortion"] == "blur"].pivot(
        index="level", columns="restorer", values="value"
    )
    text = (ROOT / "book" / "runs" / "caltech101-cpu.md").read_text("utf-8")
    tuned, none = blur["finetuned-blur"], blur["none"]
    for where, level in (("at the strongest blur", 5), ("at the mildest", 1)):
        assert f"{tuned[level]:.3f} in place of {none[level]:.3f} {where}" in text
    assert f"over all levels {tuned.mean():.3f} in place of {none.mean():.3f}" in text


@pytest.mark.slow
def test_the_page_of_the_twenty_classes_tells_the_numbers_of_the_records(committed: None) -> None:
    name = "caltech101-cpu-20"
    chosen = profiles.load(name)
    text = (ROOT / "book" / "runs" / f"{name}.md").read_text("utf-8")
    rows = store.read(name)
    tabled = [tables.table2, tables.table3, tables.table4]
    cells = pd.concat([make(rows, chosen.choice) for make in tabled])
    cells = cells.drop_duplicates(["column", "row"]).set_index(["column", "row"])["ours"]
    for method, told in {
        "none": "{noise:.3f} under noise and {blur:.3f} under blur. With",
        "qrnet": "QRNet it is {noise:.3f} under noise and {blur:.3f} under blur",
        "recnet-multiple": "RecNet (multiple) comes to {noise:.3f} and {blur:.3f}",
        "recnet-single": "RecNet (single) to {noise:.3f} and {blur:.3f}",
        "small_qrnet": "Small QRNet, at {noise:.3f} and {blur:.3f}",
        "finetuned-single": "VGG16 reaches {noise:.3f} under noise and {blur:.3f} under blur, on both",
        "finetuned-multiple": "on both {noise:.3f} and {blur:.3f}",
        "end-to-end": "fully connected layers reaches {noise:.3f} and {blur:.3f}",
    }.items():
        assert told.format(**{row: cells[method, row] for row in ("noise", "blur")}) in text
    accuracy = rows[rows["metric"] == "accuracy"]
    clean = accuracy[(accuracy["level"] == 0) & (accuracy["classifier"] == "vgg16")]
    clean = clean.set_index("restorer")["value"]
    assert f"recognises {clean['none']:.3f} clean" in text
    assert f"Clean images with QRNet: {clean['qrnet-multiple']:.3f}." in text
    joint, tuned = clean["end_to_end-multiple"], clean["finetuned-multiple"]
    assert f"{joint:.3f} end to end, {tuned:.3f} fine-tuned." in text
    unseen = accuracy[accuracy["classifier"] == "resnet50"]
    unseen = unseen.groupby(["restorer", "distortion"])["value"].mean().round(3)
    none, qrnet, mqrnet = (unseen[n] for n in ("none", "qrnet-multiple", "mqrnet-multiple"))
    noise, blur = (f"{d['noise']:.3f}" for d in (none, qrnet)), (none, qrnet, mqrnet)
    assert f"from {' to '.join(noise)} under noise with QRNet" in text
    assert f"and to {mqrnet['noise']:.3f} with MQRNet" in text
    assert "under blur from {:.3f} to {:.3f} and {:.3f}.".format(*(d["blur"] for d in blur)) in text
    trained = {r["name"]: r["training"] for r in store.read_records(name, "recovery")}
    assert {t["images"]["train"] for t in trained.values()} == {724}
    restorers = [t for n, t in trained.items() if "pretrained" not in n and "finetuned" not in n]
    assert [t["best_epoch"] for t in restorers] == [24] * 7
    verdicts = check.check_profile(chosen).set_index("id")["verdict"]
    for kind in ("noise", "blur"):
        assert verdicts[f"qrnet-beats-none-{kind}"] == rule.HOLDS
    assert verdicts["qrnet-beats-recnet-multiple-noise"] == rule.HOLDS
    assert verdicts["end-to-end-beats-finetuned-noise"] == rule.HOLDS
    close = [f"qrnet-beats-recnet-{rival}-blur" for rival in ("multiple", "single")]
    close += ["qrnet-beats-recnet-single-noise"]
    close += ["small-qrnet-less-accurate", "end-to-end-beats-finetuned-blur"]
    close += [f"mqrnet-beats-qrnet-unseen-{kind}" for kind in ("noise", "blur")]
    assert set(verdicts[close]) == {rule.CLOSE}


def test_the_page_of_quick_runs_tells_its_batch_size() -> None:
    size = profiles.load("quick").recovery.batch_size
    told = {1: "Why single images"}.get(size, f"Why batches of {size}")
    assert told in (ROOT / "book" / "runs" / "quick.md").read_text("utf-8")


def test_the_page_of_reruns_tells_what_drills_recorded() -> None:
    found = {
        path.stem: json.loads(path.read_text("utf-8"))
        for path in (ROOT / "drills" / "results").glob("*.json")
    }
    kills = found["kill"], found["kill-book"]
    for drill in kills:
        assert drill["survived"] == drill["kills"] == sum(drill["where"].values())
        assert [*drill["differences"], *drill["damaged"], *drill["done again"]] == []
    writing = sum(drill["kills"] - drill["where"]["a random moment"] for drill in kills)
    assert found["faults"]["good"]
    small = sum(said != "finished" for said in found["faults"]["disk"].values())
    text = (ROOT / "book" / "rerun.md").read_text("utf-8")
    assert f"so far {kills[0]['kills']} kills in a small graph without the book" in text
    assert f"and {kills[1]['kills']} in one with it, {writing} of them all" in text
    assert f"{len(found['faults']['disk'])} disks of which {small} were too small" in text
    slurm = found["slurm"]
    assert slurm["differences"] == []
    told = f"the whole {slurm['profile']} profile went through SLURM 22.05 in {slurm['jobs']} jobs"
    text = (ROOT / "book" / "machines.md").read_text("utf-8")
    assert f"{told}, and none of its {slurm['records']} records differed" in text


def test_the_page_of_benchmarks_tells_what_bfloat16_changes() -> None:
    drill = json.loads((ROOT / "drills" / "results" / "precision.json").read_text("utf-8"))
    notebook = json.loads((ROOT / "notebooks" / "benchmarks.ipynb").read_text("utf-8"))
    text = "".join(line for cell in notebook["cells"] for line in cell["source"])
    noise, blur = (drill["accuracy"][f"QRNet, {kind}"] for kind in ("noise", "blur"))
    assert f"trained with {drill['seeds']} seeds in either precision" in text
    assert f"{noise['bfloat16']:.3f} under noise, in float32 to {noise['float32']:.3f}" in text
    assert f"under blur to {blur['bfloat16']:.3f} and {blur['float32']:.3f}" in text
    assert f"{noise['change']:+.3f} under noise and {blur['change']:+.3f} under blur" in text
    assert f"between seeds of {noise['deviation']:.3f} and {blur['deviation']:.3f}" in text


def test_the_readme_tells_the_distance_of_the_record(committed: None) -> None:
    compared = table5_conventions.compare(store.read_conventions("caltech101"))
    distances = table5_conventions.distances(compared)
    assert distances.index[0] == "resize nearest, window uniform, data range 2"
    text = (ROOT / "README.md").read_text("utf-8")
    assert f"all four within {distances.iloc[0]:.1f} standard errors" in text
