"""What options add to a classifier."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from support.made_records import made_record

from qrlib import models
from qrlib.experiments import plan, profiles
from qrlib.records import store
from qrlib.report import costs, option_tables, restore_or_not
from qrlib.utils import files

METHODS = [option.method for option in option_tables.OPTIONS if option.method != "none"]


@pytest.fixture
def frame():
    return costs.table(profiles.load("quick"), METHODS).set_index("method")


def test_a_restorer_is_kept_and_run_and_a_tuned_head_is_not(frame):
    weights = 4e-6 * sum(p.numel() for p in models.QRNet().parameters())
    assert frame.loc["qrnet", "megabytes"] == pytest.approx(weights)
    tuned = frame.loc[["finetuned-single", "finetuned-multiple", "stabilised-multiple"]]
    assert not tuned[["networks", "megabytes", "gmacs"]].any().any()
    single, one = frame.loc["recnet-single"], frame.loc["recnet-multiple"]
    assert single["megabytes"] == 2 * one["megabytes"]  # an image passes one of the two
    assert single["gmacs"] == one["gmacs"]
    assert frame.loc["recnet_finetuned-multiple", "networks"] == 1
    routed = frame.loc["recnet_routed-multiple"]
    assert routed["networks"] == 3
    assert one["gmacs"] < routed["gmacs"] < 1.2 * one["gmacs"]


def test_operations_are_counted(frame):
    """By hand: the first convolution of QRNet at 64 pixels."""
    first = 64 * 64 * 3 * 3 * 3 * 32 / 1e9
    assert first < frame.loc["qrnet", "gmacs"] < 100 * first
    surer, qrnet = frame.loc[restore_or_not.GATED], frame.loc["qrnet"]
    own = surer["gmacs"] - qrnet["gmacs"]  # the classifier looks twice
    assert surer["share"] - qrnet["share"] == pytest.approx(1)
    assert qrnet["share"] == pytest.approx(qrnet["gmacs"] / own)


def test_minutes_are_those_of_all_that_is_trained():
    quick = profiles.load("quick")

    def write(name, *seconds):
        epochs = [{"epoch": i, "seconds": s} for i, s in enumerate(seconds, start=1)]
        record = made_record(name, "recovery", provenance={"seconds": 9999.0})
        files.write_json(store.path("quick", name), record | {"training": {"epochs": epochs}})

    write("pretrained-seed0", 60.0)
    write("recnet-noise-seed0", 200.0, 60.0)  # something ran beside the first epoch
    (row,) = costs.table(quick, ["recnet-single"]).to_dict("records")
    assert math.isnan(row["minutes"])  # RecNet (blur) is not there
    assert "not run" in costs.render_table(costs.table(quick, ["qrnet"]), quick, "costs").markdown
    write("recnet-blur-seed0", 120.0, 120.0)
    (row,) = costs.table(quick, ["recnet-single"]).to_dict("records")
    assert row["minutes"] == pytest.approx(7)
    assert set(row["records"]) == {
        "pretrained-seed0.json", "recnet-noise-seed0.json", "recnet-blur-seed0.json",
    }  # fmt: skip


def test_the_time_an_image_takes_is_that_of_networks_of_the_same_shapes(frame):
    assert frame["milliseconds"].isna().all()
    quick = profiles.load("quick")
    own = {"none": 10.0, "qrnet-multiple": 30.0, "qrnet_averaged-multiple": 40.0}
    name = plan.timed(quick).timing_run
    rows = pd.DataFrame({"restorer": own.keys(), "value": own.values()}).assign(
        dataset="caltech101-small", classifier="efficientnet_lite0", distortion="noise", level=3,
        strength=60.0, seed=0, metric="milliseconds_per_image", n=20, error=0.1,
    )  # fmt: skip
    content = made_record(name, "timing", rows=rows)
    files.write_json(store.path("quick", name), content)
    costed = costs.table(quick, METHODS)
    each = costed.set_index("method")
    assert each.loc[["recnet-multiple", "qrnet_finetuned-multiple"], "milliseconds"].eq(20).all()
    assert each.loc["qrnet", "slower"] == 3
    assert each.loc[list(restore_or_not.TWICE), "milliseconds"].eq(30).all()
    assert each.loc["finetuned-multiple", "milliseconds"] == 0
    assert math.isnan(each.loc["recnet_routed-multiple", "milliseconds"]), (
        "the detector was not timed"
    )
    assert f"{name}.json" in each.loc["qrnet", "records"]
    text = costs.render_table(costed, quick, "costs").markdown
    assert "+20\u00a0ms (3.0×)" in text
    assert "not measured" in text
