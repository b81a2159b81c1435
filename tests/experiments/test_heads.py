"""Heads that learn what a finished restorer makes of images (S->T), and heads and restorers crossed."""

from __future__ import annotations

import json

import pytest
import torch

from qrlib import classifiers, weights
from qrlib.experiments import coverage, headless, profiles, train
from qrlib.experiments.plan import experiments_of, open_experiment
from qrlib.models import QRNet
from qrlib.records import store
from qrlib.training.restored import BehindRestorer
from qrlib.utils import paths

PROFILE = {"overrides": "parts=[table2,heads,crossed] data.classes=2"}


def test_the_head_sees_restored_images_and_the_restorer_stays_as_it_is():
    classifier = classifiers.build("small_vgg", 4, weights=None, image_size=32)
    restorer = QRNet()
    behind = BehindRestorer(restorer, classifier).set_trainable("fully_connected").train()
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(behind.features(images), classifier.features(restorer(images)))
    assert not any(module.training for module in restorer.modules())  # no dropout
    behind(images).sum().backward()
    learning = {name for name, p in behind.named_parameters() if p.grad is not None}
    assert {name.partition(".")[0] for name in learning} == {"head"}
    assert behind.head is classifier.head


def test_each_is_planned_with_all_that_it_needs():
    names = list(headless.runs_by_name(profiles.load("smoke", **PROFILE)))
    x = open_experiment("smoke", variant="recnet_finetuned_bare")
    assert [need.recovery_run for need in x.needs] == ["recnet_finetuned-multiple-small_vgg-seed0"]
    x = open_experiment("smoke", variant="qrnet_before_finetuned")
    needed = ["qrnet-multiple-small_vgg-seed0", "finetuned-multiple-small_vgg-seed0"]
    assert [need.recovery_run for need in x.needs] == needed
    assert max(map(names.index, needed)) < names.index(x.recovery_run)
    missing = coverage.missing(profiles.load("smoke", **PROFILE), "crossed")
    assert x.evaluation_run in missing
    assert "evaluation-qrnet-multiple-small_vgg-seed0" not in missing


@pytest.mark.slow
def test_one_distortion_of_strengths_and_a_split_of_its_own():
    """FG-NIC's setting: what is seen is kept for the heads that follow, and noise is all there is."""
    own = "noise_sigmas=[25.5,51.0,76.5,102.0,127.5] data.classes=2 data.per_class=25 data.learned_per_class=15"
    x = open_experiment(
        "smoke", variant="recnet_before_finetuned", distortions="noise",
        overrides=f"parts=[denoising] {own}",
    )  # fmt: skip
    assert {run.evaluated_on for run in experiments_of(x.profile)} == {"clean", "noise"}
    splits = train.load_data(x)
    assert (len(splits.train), len(splits.validation)) == (2 * 12, 2 * 3)
    assert len(splits.test) == 2 * 10
    _, written = headless._run_one(x.recovery_run, x)
    record = store.read_record(x.profile.name, written)
    rows = [row for row in record["results"] if row["metric"] == "accuracy"]
    assert [row["strength"] for row in rows] == [0.0, 25.5, 51.0, 76.5, 102.0, 127.5]
    assert {row["distortion"] for row in rows} == {"clean", "noise"}
    assert record["config"]["noise_sigmas"] == x.profile.noise_sigmas
    # What RecNet's images look like to the backbone stays for the other heads, and goes where there are none.
    kept = paths.runs(x.profile.name) / "evaluations"
    assert {path.name for path in kept.glob("*/*")} == {"recnet-noise-seed0"}
    alone = open_experiment("smoke", variant="recnet", overrides="parts=[main] data.classes=2")
    headless._run_one(alone.recovery_run, alone)
    assert not list((paths.runs(alone.profile.name) / "evaluations").glob("*/*"))


@pytest.mark.slow
def test_the_head_learns_behind_the_finished_restorer():
    x = open_experiment("smoke", variant="recnet_finetuned", **PROFILE)
    splits = train.load_data(x)
    recnet = weights.state_hash(train.obtain_restorer(x.start, splits)[0])
    (written,) = headless._run_one(x.recovery_run, x)[1:]
    record = store.read_record(x.profile.name, x.recovery_run)
    head = sum(p.numel() for p in train.obtain_classifier(x, splits)[0].head.parameters())
    assert record["training"]["parameters"] == head
    assert set(record["training"]["epochs"][0]) >= {"val_loss", "val_small_vgg_accuracy"}
    state = json.loads((paths.runs(x.profile.name) / x.recovery_run / "state.json").read_text())
    assert state["fingerprint"]["start"] == recnet, "another restorer makes it outdated"
    judged = store.read_record(x.profile.name, written)
    assert judged["provenance"]["weights"]["recnet_finetuned-multiple"] == recnet
    assert {row["distortion"] for row in judged["results"]} == {"clean", "noise", "blur"}

    # Its head elsewhere: without a restorer; nothing is trained again.
    bare = open_experiment("smoke", variant="recnet_finetuned_bare", **PROFILE)
    trained, written = headless._run_one(bare.recovery_run, bare)
    assert trained == x.recovery_run
    alone = store.read_record(x.profile.name, written)["provenance"]["weights"]
    assert alone == {"small_vgg": judged["provenance"]["weights"]["small_vgg"]}
    assert alone != {"small_vgg": weights.state_hash(train.obtain_classifier(x, splits)[0])}


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "more"), [("stabilised", 0), ("quantised", 512)])
def test_rivals_that_the_paper_names_learn_and_are_judged(variant, more):
    """Feature quantisation has an exponent for each of the backbone's features, which learns."""
    x = open_experiment("smoke", variant=variant, **PROFILE)
    splits = train.load_data(x)
    judges = train.obtain_classifiers(x, splits)
    plain = judges["classifier"].head
    head = sum(p.numel() for p in plain.parameters())
    assert train.obtain_restorer(x, splits, judges)[0] is None
    record = store.read_record(x.profile.name, x.recovery_run)
    assert record["training"]["parameters"] - head == more
    learned = judges["classifier"].head
    if more:
        power, inner = learned
        assert inner is plain
        assert 0 < (power.exponent - 1).abs().max() < 0.5
    (written,) = headless._run_one(x.recovery_run, x)[1:]
    assert {row["distortion"] for row in store.read_record(x.profile.name, written)["results"]} == {
        "clean", "noise", "blur",
    }  # fmt: skip
