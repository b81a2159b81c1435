"""Classical restorers as runs: their strengths by validation images, their records, their table."""

from __future__ import annotations

import pytest
from support.frames import record, runs, unpadded

from qrlib.experiments import classical, train
from qrlib.experiments.plan import open_experiment
from qrlib.records import store
from qrlib.records.selection import Selection
from qrlib.report import filters
from qrlib.report.claims import check
from qrlib.report.figures import plots
from qrlib.utils.errors import QrlibError

OVERRIDES = "parts=[table2,classical] data.classes=2"


def test_runs_choose_on_validation_images_and_leave_a_record():
    x = open_experiment("smoke", variant="wiener", overrides=OVERRIDES)
    profile = x.profile
    splits = train.load_data(x)
    judges = train.obtain_classifiers(x, splits)
    tried = classical.choose_strengths(x, splits, judges)
    assert set(tried["n"]) == {len(splits.validation)}
    for _, rows in tried.groupby("level"):
        assert rows["chosen"].sum() == 1
        assert rows.loc[rows["chosen"], "accuracy"].item() == rows["accuracy"].max()
    rows, (written,) = classical.evaluate_classical(x, splits, judges, tried)
    record = store.read_record(profile.name, written.stem)
    assert written.stem == "evaluation-wiener-blur-small_vgg-seed0"
    assert record["training"]["strengths"] == tried.to_dict("records")
    assert {row["distortion"] for row in rows} == {"clean", "blur"}
    clean = [
        row["value"] for row in rows if row["distortion"] == "clean" and row["metric"] == "ssim"
    ]
    assert clean == pytest.approx([1.0], abs=1e-6)  # clean images stay as they are
    (left, right) = plots.strengths(tried, "regularisation").axes
    assert len(left.get_lines()) == 10  # a line and a point for each of five levels
    assert right.get_ylabel() == "PSNR (dB)"
    with pytest.raises(QrlibError, match="qrnet is no classical restorer; choose one of gaussian"):
        classical.choose_strengths(open_experiment("smoke"), splits, judges)
    with pytest.raises(QrlibError, match="'wiener' has no network to train"):
        train.obtain_restorer(x, splits)


def test_the_table_beside_the_networks():
    found = [record("none", 0, 0.9, 0.6, 0.3), record("recnet-multiple", 0, 0.9, 0.7, 0.5)]
    found += [record("qrnet-multiple", 0, 0.9, 0.8, 0.7)]
    found += [record(name, 0, 0.9, **{name.rpartition("-")[2]: 0.4}) for name in filters.FILTERS]
    accuracy = runs(*found)
    psnr = accuracy.assign(metric="psnr", value=20.0)
    table = filters.table(runs(accuracy, psnr), Selection(), filters.FILTERS)
    assert set(table.loc[table["restorer"] == "wiener-blur", "distortion"]) == {"blur"}
    text = unpadded(filters.render_table(table, "classical"))
    (line,) = [x for x in text.splitlines() if x.startswith("| Wiener's deconvolution")]
    assert line.split("|")[2:4] == [" – ", " – "]
    found = check.check(accuracy, claims=filters.claims(filters.FILTERS)).set_index("id")
    assert found["verdict"].to_dict() == {
        "filter-helps-noise": "does not hold",
        "network-beats-filter-noise": "holds",
        "filter-helps-blur": "holds",
        "network-beats-filter-blur": "holds",
    }
