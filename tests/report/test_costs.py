"""What options add to a classifier."""

from __future__ import annotations

import math

import pytest
from support.made_records import made_record

from qrlib import models
from qrlib.experiments import profiles
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
