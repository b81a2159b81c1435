"""From a profile to networks and records, on the smoke profile."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest
import torch

from qrlib import experiments, load_qrnet, paths, profiles, runs, store, weights
from qrlib.errors import QrlibError
from qrlib.experiments import open_experiment
from qrlib.training import loop


def smoke(**options):
    return open_experiment("smoke", **options)


def test_names():
    assert smoke().recovery_run == "qrnet-multiple-small_vgg-seed0"
    assert smoke().evaluation_run == "evaluation-qrnet-multiple-small_vgg-seed0"
    assert smoke().classifier_run == "classifier-small_vgg-seed0"
    blur = smoke(variant="recnet", distortions="blur", seed=3)
    assert (blur.restorer, blur.recovery_run) == ("recnet-blur", "recnet-blur-seed3")
    assert smoke(variant="pretrained", seed=1).recovery_run == "pretrained-seed1"
    none = smoke(variant="none")
    assert (none.restorer, none.evaluation_run) == ("none", "evaluation-none-small_vgg")


def test_names_of_a_plan_are_all_different():
    plan = experiments.plan(profiles.load("quick"))
    for kind in ("evaluation_run", "recovery_run"):
        names = [getattr(e, kind) for e in plan if e.variant != "none"]
        assert len(set(names)) == len(names)
    restorers = {e.restorer for e in plan}
    assert {"none", "recnet-noise", "recnet-blur", "recnet-multiple", "qrnet-multiple"} <= restorers


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"variant": "qrnt"}, ["unknown variant 'qrnt' (did you mean 'qrnet'?)", "recnet"]),
        ({"distortions": "jpeg"}, ["distortions of variant 'qrnet' 'jpeg'", "multiple, noise"]),
        ({"variant": "none", "distortions": "blur"}, ["variant 'none' 'blur'", "valid: clean"]),
        ({"seed": -1}, ["seed must be a whole number of at least 0, not -1"]),
        ({"seed": "0"}, ["seed must be a whole number", "'0'"]),
        ({"seed": True}, ["seed must be a whole number", "True"]),
        ({"classifier": "vgg"}, ["unknown classifier 'vgg'", "vgg16"]),
        ({"overrides": "recovery.x=1"}, ["unknown setting of recovery 'x'"]),
    ],
)
def test_unknown_values_are_refused(options, parts):
    with pytest.raises(QrlibError) as error:
        smoke(**options)
    assert "\n" not in str(error.value)
    for part in parts:
        assert part in str(error.value)


def test_config_holds_what_decides_a_run_and_no_more():
    one = smoke(overrides="recovery.epochs=2 recovery.classification_weight=0.1")
    start = dataclasses.replace(one, variant="pretrained", distortions="clean")
    plain = smoke(variant="pretrained")
    assert start.config("recovery") == plain.config("recovery")
    assert one.config("classifier") == smoke(variant="recnet").config("classifier")
    assert "classifier" not in smoke(variant="recnet").config("recovery")
    assert "classifier" in smoke().config("recovery")
    assert smoke(seed=1).config("recovery") != smoke().config("recovery")
    for kind in ("classifier", "recovery", "evaluation"):
        assert json.loads(json.dumps(one.config(kind))) == one.config(kind)


def test_code_of_each_kind():
    codes = {kind: experiments.code(kind) for kind in experiments.CODE}
    assert codes["evaluation"] != codes["recovery"]
    assert all(len(code) == 16 for code in codes.values())


def test_planning_imports_no_torch():
    code = (
        "import sys; from qrlib import experiments, profiles;"
        "experiments.plan(profiles.load('smoke')); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def counting(monkeypatch):
    """Names of the runs that were really trained."""
    trained = []
    fit = loop._fit

    def counted(task, train, validation, folder, *args):
        trained.append(folder.name)
        return fit(task, train, validation, folder, *args)

    monkeypatch.setattr(loop, "_fit", counted)
    return trained


def test_the_whole_way(monkeypatch):
    """Data, classifier, restorers, records; then once more, training nothing."""
    trained = counting(monkeypatch)
    qrnet, recnet = smoke(), smoke(variant="recnet")
    splits = runs.load_data(qrnet)
    classifier, history, record = runs.train_classifier(qrnet, splits)
    assert len(history.rows) == 1
    assert not any(p.requires_grad for p in classifier.parameters())
    assert json.loads(record.read_text())["kind"] == "classifier"

    net, _, path = runs.train_restorer(qrnet, splits, classifier)
    other = runs.train_restorer(recnet, splits)[0]
    assert weights.state_hash(net) != weights.state_hash(other)
    # the two share the classifier and the pretrained network
    assert trained == [
        "classifier-small_vgg-seed0",
        "pretrained-seed0",
        "qrnet-multiple-small_vgg-seed0",
        "recnet-multiple-seed0",
    ]
    record = json.loads(path.read_text())
    assert record["training"]["parameters"] == 1_941_139
    assert record["training"]["best_epoch"] == 1
    assert record["training"]["images"] == {"train": 64, "validation": 8, "test": 16}
    assert record["provenance"]["weights"] == {qrnet.recovery_run: weights.state_hash(net)}
    assert record["config"] == qrnet.config("recovery")

    results, path = runs.evaluate(qrnet, splits, net, classifier)
    record = store.read_record("smoke", qrnet.evaluation_run)
    assert record["results"] == results
    assert path == store.path("smoke", qrnet.evaluation_run)
    assert len(results) == 33
    assert {(r["dataset"], r["restorer"], r["classifier"], r["seed"]) for r in results} == {
        ("photographs", "qrnet-multiple", "small_vgg", 0)
    }
    origin = record["provenance"]
    assert origin["manifest"] == splits.manifest_hash
    assert origin["weights"] == {
        "small_vgg": weights.state_hash(classifier), "qrnet-multiple": weights.state_hash(net),
    }  # fmt: skip
    assert origin["code"] == experiments.code("evaluation")
    manifest = paths.results("smoke") / f"split-{splits.manifest_hash[:12]}.json"
    assert json.loads(manifest.read_text()) == splits.manifest

    # Once more.
    written = {p: p.stat().st_mtime_ns for p in paths.results("smoke").rglob("*.json")}
    again, _, _ = runs.train_restorer(qrnet, splits, runs.train_classifier(qrnet, splits)[0])
    assert len(trained) == 4
    assert weights.state_hash(again) == weights.state_hash(net)
    assert {p: p.stat().st_mtime_ns for p in written} == written
    repeated, _ = runs.evaluate(qrnet, splits, again, classifier)
    assert repeated == results

    # The same network in a later session, from the shipped weights.
    runs.ship_weights(qrnet, net)
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        shipped = load_qrnet("smoke")(images)
        torch.testing.assert_close(shipped, net.cpu().eval()(images), atol=1e-5, rtol=0)


def test_without_a_restorer(monkeypatch):
    none = smoke(variant="none")
    splits = runs.load_data(none)
    classifier = runs.train_classifier(none, splits)[0]
    results, _ = runs.evaluate(none, splits, None, classifier)
    assert len(results) == 32  # no clean PSNR without a restorer
    assert {r["restorer"] for r in results} == {"none"}
    record = store.read_record("smoke", "evaluation-none-small_vgg")
    assert set(record["provenance"]["weights"]) == {"small_vgg"}
    with pytest.raises(QrlibError, match="'none' has no network to train"):
        runs.train_restorer(none, splits)


def test_a_restorer_is_evaluated_on_what_it_was_trained_for():
    blur = smoke(variant="recnet", distortions="blur")
    splits = runs.load_data(blur)
    classifier = runs.train_classifier(blur, splits)[0]
    net = runs.train_restorer(blur, splits)[0]
    results, _ = runs.evaluate(blur, splits, net, classifier)
    assert {r["distortion"] for r in results} == {"clean", "blur"}


def test_evaluating_first_does_not_spoil_training():
    """A notebook may look at the classifier before it trains a restorer with it."""
    none, qrnet = smoke(variant="none"), smoke(seed=1)
    splits = runs.load_data(none)
    classifier = runs.train_classifier(none, splits)[0]
    runs.evaluate(none, splits, None, classifier)
    before = weights.state_hash(classifier)
    _, history, _ = runs.train_restorer(qrnet, splits, classifier)
    assert len(history.rows) == 1
    assert weights.state_hash(classifier) == before


def test_a_changed_setting_trains_anew_in_a_place_of_its_own(monkeypatch):
    trained = counting(monkeypatch)
    plain = smoke(variant="pretrained")
    changed = smoke(variant="pretrained", overrides="recovery.learning_rate=0.01")
    splits = runs.load_data(plain)
    first = runs.train_restorer(plain, splits)[2]
    second = runs.train_restorer(changed, splits)[2]
    assert len(trained) == 2
    assert first != second
    assert first.exists()
