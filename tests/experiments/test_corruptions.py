"""Unseen corruptions as a run: its images, its record, and what the page makes of it."""

from __future__ import annotations

import pytest

from qrlib import corruptions, evaluation, weights
from qrlib.experiments import coverage, headless, profiles, standalone_plan, train
from qrlib.experiments.standalone import choose_images
from qrlib.records import per_image, store
from qrlib.report import unseen_corruptions
from qrlib.report.figures import changes
from qrlib.utils.errors import QrlibError

FEW = "parts=[main,corruptions] data.classes=2 standalone_images=4 evaluation_precision=bf16-mixed"


def test_more_images_than_there_are_are_refused():
    profile = profiles.load("smoke", overrides="standalone_images=13")
    test = train.load_data(standalone_plan.experiments(profile, "corruptions")[0]).test
    with pytest.raises(QrlibError, match="standalone_images is 13, but there are 12 test images"):
        choose_images(profile, test)
    each = choose_images(profile.model_copy(update={"standalone_images": 8}), test)
    assert each[range(8)][1].bincount().tolist() == [2, 2, 2, 2]  # of every class
    assert len(choose_images(profiles.load("smoke"), test)) == 12


def test_only_a_profile_that_names_it_runs_it():
    profile = profiles.load("smoke", overrides=FEW)
    assert list(headless.runs_by_name(profile))[-1] == "corruptions"
    assert coverage.missing(profile, "corruptions") == ["corruptions"]
    assert coverage.notebooks(profile)["corruptions"] == "corruptions"
    assert "corruptions" not in headless.runs_by_name(profiles.load("smoke"))
    assert "standalone_images" not in profiles.load("smoke").model_dump()  # as in older records


@pytest.mark.slow
def test_a_run_leaves_a_record_that_a_page_can_be_made_of(monkeypatch):
    kinds = ("fog", "contrast", "noise_upon_blur")
    monkeypatch.setattr(
        corruptions, "CORRUPTIONS", {kind: corruptions.CORRUPTIONS[kind] for kind in kinds}
    )
    profile = profiles.load("smoke", overrides=FEW)
    x = standalone_plan.experiments(profile, "corruptions")[-1]
    assert headless._run_one("corruptions", x) == ["corruptions"]
    record = store.read_record(profile.name, "corruptions")
    assert record["config"]["standalone_images"] == 4
    assert record["config"] == x.config("corruptions")
    assert record["precision_check"]["agreement"] > 0.995
    results = store.read(profile.name, kind="corruptions", images=True)
    assert set(results["n"]) == {4}
    assert results.groupby("restorer").size().to_dict() == dict.fromkeys(
        ("none", "recnet-multiple", "qrnet-multiple"), 1 + 3 * len(kinds)
    )

    # The same network by itself gives the same answers.
    splits = train.load_data(x)
    judges = train.obtain_classifiers(x, splits)
    qrnet = train.obtain_restorer(x, splits, judges)[0]
    assert record["provenance"]["weights"]["qrnet-multiple"] == weights.state_hash(qrnet)
    case = corruptions.corruption("contrast", 3)
    images = choose_images(profile, splits.test)
    rows = evaluation.evaluate(qrnet, judges, images, [case], precision="bf16-mixed")
    (alone,) = (r for r in rows if r["metric"] == "accuracy" and r["distortion"] == "contrast")
    there = (results["restorer"] == "qrnet-multiple") & (results["distortion"] == "contrast")
    (row,) = results[there & (results["level"] == 3)].to_dict("records")
    assert per_image.unpack_truth(row["right"], 4).tolist() == alone["each"].tolist()

    frame = unseen_corruptions.table(unseen_corruptions.evidence_of(profile))
    assert set(frame["corruption"]) == {"clean", *kinds}
    assert set(frame["restorer"]) == {*unseen_corruptions.RESTORERS}
    (ax,) = changes.by_corruption(frame).axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert set(names) == {"clean images", "fog", "low contrast", "noise upon blur"}
