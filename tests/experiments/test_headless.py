"""Runs without notebooks leave what the notebooks leave."""

import copy

import pytest

from qrlib.__main__ import main
from qrlib.experiments import headless, plan, profiles, train
from qrlib.records import store
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError


def test_names_are_those_of_the_graph_in_an_order_that_works():
    profile = profiles.load("smoke")
    found = list(headless.runs_by_name(profile))
    assert len(found) == len(set(found)) == len(plan.experiments_of(profile))
    assert found.index("pretrained-seed0") < found.index("qrnet-multiple-small_vgg-seed0")


def test_unknown_runs_are_refused_before_anything_is_trained(capsys):
    with pytest.raises(
        QrlibError, match="unknown run of profile 'smoke'.*qrnet-multiple-small_vgg"
    ):
        headless.run("smoke", ["recnet-blur-seed0", "qrnet-multiple-smal_vgg-seed0"])
    assert not store.path("smoke", "recnet-blur-seed0").exists()
    assert main(["train", "nowhere"]) == 2
    assert "unknown profile 'nowhere'" in capsys.readouterr().err


@pytest.mark.slow
def test_records_of_a_run_and_of_what_it_needs(capsys):
    runs = (
        "classifier-small_inception-seed0",
        "small_qrnet-multiple-small_vgg-seed0",
        "mqrnet-multiple-small_vgg-small_inception-seed0",
    )
    assert main(["train", "smoke", *runs]) == 0
    said = capsys.readouterr().out
    assert all(f"{name}: evaluated, clean 0." in said for name in runs)
    folder = paths.below_root(store.path("smoke", "x").parent)
    assert f"7 records in {folder}" in said  # of MQRNet also the unseen classifier's
    evaluation = store.read_record("smoke", "evaluation-small_qrnet-multiple-small_vgg-seed0")
    accuracies = [r["value"] for r in evaluation["results"] if r["metric"] == "accuracy"]
    assert len(accuracies) == 11
    for needed in ("classifier-small_vgg-seed0", "small_pretrained-seed0"):
        assert store.path("smoke", needed).is_file()
    # What a notebook then does finds it trained.
    x = headless.runs_by_name(profiles.load("smoke"))["small_qrnet-multiple-small_vgg-seed0"]
    before = store.read_record("smoke", x.recovery_run)
    train.obtain_restorer(x, train.load_data(x))
    assert store.read_record("smoke", x.recovery_run) == before
    damaged = copy.deepcopy(before)
    damaged["training"]["epochs"][0]["val_loss"] *= 2
    store.write(damaged)
    train.obtain_restorer(x, train.load_data(x))
    assert store.read_record("smoke", x.recovery_run)["training"] == before["training"]
    assert "already trained" in capsys.readouterr().out
