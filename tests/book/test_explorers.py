"""Explorers hold what records and reference say, within bounds, and say what lacks."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.made_records import made_record
from support.notebooks import NOTEBOOKS, source

from qrlib import distortions, metrics, paper
from qrlib.book import notebooks
from qrlib.book.explorers.distorted import Distorted
from qrlib.book.explorers.learning import Learning
from qrlib.book.explorers.levels import Levels
from qrlib.book.explorers.markup import looks_of, methods
from qrlib.book.explorers.recovered import Recovered
from qrlib.experiments import coverage, profiles
from qrlib.records import selection, store
from qrlib.report import labels, tables
from qrlib.report.figures import style

ROOT = Path(__file__).resolve().parents[2]
#: Figure 6 comes last, so that its profile has all networks.
PROFILE = coverage.with_records(part="figure6")[0].name
TEACHER = profiles.load(PROFILE).classifier.name


@pytest.fixture
def profile(monkeypatch):
    """A profile whose records come with the project."""
    monkeypatch.setenv("QRLIB_RESULTS", str(ROOT / "results"))
    return profiles.load(PROFILE)


def made(kind, profile):
    """An explorer of a profile's records."""
    if kind is Levels:
        return kind(store.read(profile.name), profile.choice)
    return kind(profile)


def picture(uri):
    """The bytes of a data URI."""
    head, content = uri.split(",")
    assert re.fullmatch(r"data:image/(webp|jpeg);base64", head)
    return base64.b64decode(content)


OF_RECORDS = [Levels, Learning, Recovered]


@pytest.mark.parametrize("kind", OF_RECORDS)
def test_all_that_is_shown_is_synchronised_plain_and_small(kind, profile):
    widget = made(kind, profile)
    state = widget.get_state()
    assert {"data", "_esm", "_css"} <= set(state)
    assert len(json.dumps(state["data"], allow_nan=False)) < 2_000_000
    assert len(state["_esm"]) + len(state["_css"]) < 40_000
    assert state["_esm"].count("export default") == 1
    assert not re.search(r"https?://(?!www\.w3\.org/)|^import ", state["_esm"], re.MULTILINE)
    assert state["data"]["missing"] == []


def test_levels_are_those_of_the_records(profile):
    results = store.read(PROFILE)
    widget = made(Levels, profile)
    view = widget.data["views"][0]
    data = tables.levels(results, profile.choice)
    assert {"none", "qrnet", "recnet-single"} <= {one["key"] for one in view["series"]}
    for one in view["series"]:
        for kind, line in one["lines"].items():
            restorer = selection.restorer_of(one["key"], kind)
            rows = data[(data["restorer"] == restorer) & (data["distortion"] == kind)]
            rows = rows.sort_values("level")
            assert line["values"] == pytest.approx(rows["ours"].tolist())
            assert line["errors"] == pytest.approx(rows["standard_error"].tolist())
            assert np.transpose(line["seeds"]).tolist() == [list(v) for v in rows["values"]]
            assert line["texts"][0].startswith(f"{rows['ours'].iloc[0]:.3f}")
    assert widget.shown == list(tables.TABLE2_METHODS)
    noise = view["panels"][0]
    assert noise["xs"] == [0, *distortions.NOISE_SIGMAS]


def test_levels_say_which_methods_lack(profile):
    results = store.read(PROFILE)
    some = results[results["restorer"].isin(["none", "recnet-multiple"])]
    widget = Levels(some, profile.choice)
    assert widget.shown == ["none", "recnet-multiple"]
    assert widget.data["missing"] == ["RecNet (single)", "QRNet"]


def test_learning_curves_are_those_of_the_records(profile):
    widget = made(Learning, profile)
    views = {view["key"]: view for view in widget.data["views"]}
    name = f"qrnet-multiple-{TEACHER}-seed"
    records = store.read_records(PROFILE, "recovery")
    trained = [r["training"] for r in records if r["name"].startswith(name)]
    for view, column in (
        ("quality", "val_quality"),
        ("entropy", f"val_{TEACHER}"),
        ("loss", "val_loss"),
    ):
        one = next(s for s in views[view]["series"] if s["key"] == "qrnet")
        seeds = [[epoch[column] for epoch in training["epochs"]] for training in trained]
        assert one["lines"]["epochs"]["seeds"] == seeds
        assert one["lines"]["epochs"]["values"] == pytest.approx(np.mean(seeds, axis=0))
        assert one["lines"]["epochs"]["kept"] == [t["best_epoch"] - 1 for t in trained]
    teachers = next(s for s in views["accuracy"]["series"] if s["key"] == TEACHER)
    accuracies = teachers["lines"]["epochs"]["values"]
    trained = store.read_record(PROFILE, f"classifier-{TEACHER}-seed0")["training"]["epochs"]
    assert accuracies[: len(trained)] == [epoch["val_accuracy"] for epoch in trained]
    assert set(accuracies[len(trained) :]) == {None}  # it stopped before another one did
    assert all(not one["key"].startswith("recnet-") for one in views["entropy"]["series"])
    assert {one["key"] for one in views["pretraining"]["series"]} == {
        "pretrained-clean", "small_pretrained-clean"
    }  # fmt: skip


def test_a_method_looks_the_same_in_every_explorer_and_measure(profile):
    views = [made(kind, profile).data["views"] for kind in (Levels, Learning)]
    looks = {}
    for series in (line for view in views[0] + views[1] for line in view["series"]):
        assert looks.setdefault(series["key"], series["look"]) == series["look"]
    assert {"small_qrnet", "mqrnet"} <= set(looks)
    assert len({(look["color"], look["marker"]) for look in looks.values()}) == len(looks)


def test_learning_without_training_records_says_so(monkeypatch):
    profile = profiles.load("smoke")
    store.write(made_record("evaluation-none", profile="smoke"))
    widget = Learning(profile)
    assert widget.data["views"] == []
    assert "L1 to the clean image" in widget.data["missing"]


def test_seeds_of_different_length_have_a_mean_while_all_go_on():
    for seed, values in enumerate(([0.4, 0.2], [0.2])):
        record = made_record(f"qrnet-multiple-small_vgg-seed{seed}", "recovery", "smoke")
        record["config"] = {"variant": "qrnet", "distortions": "multiple"}
        epochs = [{"epoch": i, "val_quality": v} for i, v in enumerate(values, 1)]
        record["training"] = {"epochs": epochs, "best_epoch": len(values)}
        store.write(record)
    (view,) = Learning(profiles.load("smoke")).data["views"]
    line = view["series"][0]["lines"]["epochs"]
    assert line["mean"] == [pytest.approx(0.3), None]
    assert line["values"] == [pytest.approx(0.3), 0.2]
    assert line["errors"] == [pytest.approx(0.1), None]
    assert line["texts"] == ["0.3000 ± 0.1000 (2)", "0.2000 (1)"]
    assert line["kept"] == [1, 0]


def test_a_sheet_is_the_file_of_the_record(profile, monkeypatch):
    monkeypatch.setattr("qrlib.book.explorers.recovered.MOST", math.inf)  # none is compressed
    widget = made(Recovered, profile)
    assert widget.data["methods"] == ["recnet-multiple", "qrnet"]
    for restorer, method in (
        (f"none-{TEACHER}", "none"),
        (f"qrnet-multiple-{TEACHER}-seed0", "qrnet"),
    ):
        entry = store.read_record(PROFILE, f"evaluation-{restorer}")["samples"]
        sheet = widget.data["sheets"][method]
        assert hashlib.sha256(picture(sheet["src"])).hexdigest() == entry["sha256"]
        assert sheet["answers"] == entry["answers"]
        assert widget.data["labels"] == entry["labels"]
        assert widget.data["cases"] == entry["cases"]


def test_classes_and_classifiers_have_readable_names(profile):
    data = made(Recovered, profile).data
    assert data["classifier"] == labels.classifier(TEACHER)
    assert set(data["labels"]) <= set(data["words"])
    assert len(set(data["words"].values())) == len(data["words"])
    assert not any("_" in word for word in data["words"].values())


def test_a_large_sheet_is_compressed_and_keeps_its_size(profile, monkeypatch):
    monkeypatch.setattr("qrlib.book.explorers.recovered.MOST", 100_000)
    data = made(Recovered, profile).data
    content = picture(data["sheets"]["qrnet"]["src"])
    assert len(content) < 100_000
    side = profile.data.image_size
    assert Image.open(io.BytesIO(content)).size == (len(data["cases"]) * side, 6 * side)


def test_a_method_without_a_sheet_is_named(profile, monkeypatch):
    real = store.read_record

    def without(profile, name):
        record = real(profile, name)
        return {k: v for k, v in record.items() if k != "samples" or "recnet" not in name}

    monkeypatch.setattr(store, "read_record", without)
    data = made(Recovered, profile).data
    assert data["methods"] == ["qrnet"]
    assert data["missing"] == ["images restored by RecNet (multiple)"]


def test_no_sheet_at_all_is_no_error():
    widget = Recovered(profiles.load("quick"))
    assert widget.data["sheets"] == {}
    assert len(widget.data["missing"]) == 3


def test_distorted_photographs_are_those_of_the_library(photograph):
    clean = photograph[None, :, :64, :64]
    widget = Distorted({"astronaut": clean}, ["A face"], seed=3)
    shown = widget.data["images"][0]
    levels = distortions.levels()
    assert [kind["key"] for kind in widget.data["kinds"]] == ["noise", "blur"]
    for kind in widget.data["kinds"]:
        assert kind["sigmas"] == [level.sigma for level in levels[kind["key"]]]
        for i, level in enumerate(levels[kind["key"]]):
            image = level(clean, torch.Generator().manual_seed(3))
            entry = shown[kind["key"]]
            assert entry["psnr"][i] == pytest.approx(metrics.psnr(image, clean).item())
            assert entry["ssim"][i] == pytest.approx(metrics.ssim(image, clean).item())
            seen = np.asarray(Image.open(io.BytesIO(picture(entry["shown"][i]))), dtype=float)
            exact = image[0].permute(1, 2, 0).numpy() * 255
            # Compression may not take the noise away that the picture is about.
            assert seen.std() == pytest.approx(exact.std(), rel=0.08)


def test_no_two_lines_look_alike_and_the_house_style_is_kept():
    names = methods([*selection.restorers_of(paper.METHODS), *(f"another-{i}" for i in range(12))])
    looks = looks_of(names)
    assert len({(look["color"], look["marker"]) for look in looks.values()}) == len(names)
    for method in tables.TABLE2_METHODS:
        assert looks[method]["color"] == style.LOOKS[method]["color"]
        assert looks[method]["marker"] == style.LOOKS[method]["marker"]


def test_colours_have_contrast_on_a_dark_page():
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    for look in looks_of([*paper.METHODS, *map(str, range(10))]).values():
        assert (luminance(look["dark"]) + 0.05) / (luminance("#14181e") + 0.05) > 4.5


def test_only_widgets_that_are_shown_are_kept():
    import nbformat

    def model(**state):
        return {"model_name": "M", "model_module": "m", "state": state}

    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell()])
    view = {"model_id": "shown", "version_major": 2, "version_minor": 1}
    data = {f"{notebooks.WIDGETS}view+json": view}
    content.cells[0].outputs = [nbformat.v4.new_output("display_data", data)]
    state = {
        "shown": model(layout="IPY_MODEL_layout", data={"a": 1}),
        "layout": model(),
        "bar": model(),
    }
    content.metadata.widgets = {
        f"{notebooks.WIDGETS}state+json": {"state": state, "version_major": 2}
    }
    notebooks.tidy(content)
    saved = content.metadata.widgets[f"{notebooks.WIDGETS}state+json"]
    assert set(saved["state"]) == {"shown", "layout"}
    assert saved["version_major"] == 2
    content.cells[0].outputs = []
    notebooks.tidy(content)
    assert "widgets" not in content.metadata


def test_an_explorer_has_a_caption_and_something_for_readers_without_scripts():
    shown = re.compile(r"\b(Distorted|Learning|Levels|Recovered)\(")
    counts = {}
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        explorers = [c for c in cells if shown.search(source(c))]
        assert all(c["metadata"]["mystnb"]["figure"]["caption"].endswith(".") for c in explorers)
        counts[path.stem] = len(explorers)
        assert "".join(map(source, cells)).count("<noscript>") == len(explorers)
    assert counts["recovery"] == 2
