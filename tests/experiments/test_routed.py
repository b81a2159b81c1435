"""A detector that tells distortions apart, and the restorers that it chooses among."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from qrlib import classifiers, data, distortions
from qrlib.experiments import coverage, headless, profiles, train
from qrlib.experiments.plan import open_experiment
from qrlib.records import store
from qrlib.training.detector import (
    Detector,
    Routed,
    RoutedClassifier,
    fit_detector,
    shares_found,
)
from qrlib.training.loop import LoopSettings
from qrlib.training.restored import Averaged

PROFILE = {"overrides": "parts=[table2,table4,routed] data.image_size=64 data.classes=2"}


class Plus(nn.Module):
    def __init__(self, amount):
        super().__init__()
        self.amount = amount

    def forward(self, images):
        return images + self.amount


class Constant(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, features):
        return torch.full((len(features), 4), self.value)


def test_each_image_goes_to_the_network_of_its_kind(monkeypatch):
    detector = Detector(distortions.levels(), 64)
    assert [case.kind for case in detector.cases] == ["clean", *5 * ["noise"], *5 * ["blur"]]
    assert detector(torch.rand(2, 3, 64, 80)).shape == (2, 11)
    monkeypatch.setattr(detector, "kinds", lambda images: ["blur", "clean", "noise", "blur"])
    routed = Routed(detector, {"noise": Plus(0.1), "blur": Plus(0.2)})
    images = torch.rand(4, 3, 64, 64)
    added = torch.tensor([0.2, 0.0, 0.1, 0.2]).view(4, 1, 1, 1)
    torch.testing.assert_close(routed(images), images + added)


def test_a_classifier_takes_the_head_of_the_kind(monkeypatch):
    detector = Detector(distortions.levels(), 64)
    monkeypatch.setattr(detector, "kinds", lambda images: ["blur", "clean", "noise"])
    classifier = classifiers.build("small_vgg", 4, weights=None, image_size=64, head_width=8).eval()
    images = torch.rand(3, 3, 64, 64)
    own = classifier(images)
    routed = RoutedClassifier(detector, classifier, {"noise": Constant(1.0), "blur": Constant(2.0)})
    found = routed.eval()(images)
    torch.testing.assert_close(found, torch.stack([torch.full((4,), 2.0), own[1], torch.ones(4)]))


def test_the_mean_of_both_answers():
    classifier = classifiers.build("small_vgg", 4, weights=None, image_size=64, head_width=8).eval()
    both = Averaged(Plus(0.3), classifier).eval()
    images = torch.rand(3, 3, 64, 64)
    answers = [classifier(x).softmax(1) for x in (images, images + 0.3)]
    assert (answers[0] - answers[1]).abs().max() > 1e-3
    torch.testing.assert_close(both(images).exp(), sum(answers) / 2)


def test_a_detector_learns_to_tell_noise_from_clean(tmp_path):
    splits = data.load("caltech101-small", 64, classes=4)
    strong = {"noise": distortions.levels()["noise"][3:]}
    detector = Detector(strong, 64)
    settings = LoopSettings(epochs=3, batch_size=8, precision="32-true")
    arguments = {"seed": 0, "name": "detector", "fingerprint": {}}
    history = fit_detector(detector, splits, tmp_path / "run", settings, **arguments)
    assert history.frame["val_kind_accuracy"].max() > 0.9
    cases = [distortions.CLEAN, *strong["noise"]]
    clean, *noisy = shares_found(detector, splits.test, cases, batch_size=8)
    assert clean["clean"] > 0.9
    assert all(share["noise"] > 0.9 for share in noisy)


def test_planned_with_all_that_it_needs():
    names = list(headless.runs_by_name(profiles.load("smoke", **PROFILE)))
    x = open_experiment("smoke", variant="recnet_routed")
    needed = ["detector-multiple-seed0", "recnet-noise-seed0", "recnet-blur-seed0"]
    assert [need.recovery_run for need in x.needs] == needed
    assert max(map(names.index, needed)) < names.index(x.recovery_run)
    missing = coverage.missing(profiles.load("smoke", **PROFILE), "routed")
    assert x.evaluation_run in missing
    assert not [name for name in missing if "detector" in name]  # nothing judges it


def test_a_detector_depends_on_what_it_is_trained_with_alone():
    def config(overrides):
        return open_experiment("smoke", variant="detector", overrides=overrides).config("recovery")

    assert config("recovery.classifier_share=0.5") == config(None)
    assert config("recovery.epochs=2") != config(None)


def test_a_network_that_is_used_needs_no_other_judges(monkeypatch):
    """Every classifier judges RecNet where the profile has the part transfer, but none is needed to load it."""
    x = open_experiment("smoke", variant="recnet", overrides="parts=[main,transfer] data.classes=2")
    assert len(x.judges) == 4
    monkeypatch.setattr(train, "obtain_classifier", lambda *_: pytest.fail("a judge was trained"))
    network, _, record = train.obtain_restorer(x, train.load_data(x))
    assert network is not None
    assert record.stem == x.recovery_run


@pytest.mark.slow
def test_routed_networks_are_trained_once_and_judged_together():
    x = open_experiment("smoke", variant="recnet_routed", **PROFILE)
    trained, evaluation = headless._run_one(x.recovery_run, x)
    assert trained == "detector-multiple-seed0"
    record = store.read_record(x.profile.name, evaluation)
    assert record["provenance"]["weights"].keys() == {"small_vgg", "recnet_routed-multiple"}
    accuracies = [row for row in record["results"] if row["metric"] == "accuracy"]
    assert len(accuracies) == 11
    for row in accuracies:
        assert set(row["found"]) <= {"clean", "noise", "blur"}
        assert sum(row["found"].values()) == pytest.approx(1)
    assert not [r for r in record["results"] if (r["metric"], r["level"]) == ("psnr", 0)]
    written = store.path(x.profile.name, trained).stat().st_mtime_ns
    headless._run_one(x.recovery_run, x)
    assert store.path(x.profile.name, trained).stat().st_mtime_ns == written

    # The same with heads in place of restorers.
    x = open_experiment("smoke", variant="finetuned_routed", **PROFILE)
    trained, evaluation = headless._run_one(x.recovery_run, x)
    assert trained == "detector-multiple-seed0"
    judged = store.read_record(x.profile.name, evaluation)
    assert judged["provenance"]["weights"].keys() == {"small_vgg"}
    assert {
        row["level"] for row in judged["results"] if row["metric"] == "accuracy" and row["found"]
    } == {*range(6)}

    # Nothing is chosen: the classifier answers with and without QRNet.
    x = open_experiment("smoke", variant="qrnet_averaged", **PROFILE)
    trained, evaluation = headless._run_one(x.recovery_run, x)
    assert trained == "qrnet-multiple-small_vgg-seed0"
    judged = store.read_record(x.profile.name, evaluation)
    assert len([row for row in judged["results"] if row["metric"] == "accuracy"]) == 11
