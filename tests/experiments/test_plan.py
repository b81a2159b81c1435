"""From a profile to networks and records, on the smoke profile."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys

import pytest
import torch
from support.project import ROOT

from qrlib import load_qrnet, weights
from qrlib.experiments import (
    coverage,
    evaluate,
    latency,
    plan,
    profiles,
    samples,
    shipped,
    train,
    variants,
)
from qrlib.experiments.experiment import Experiment
from qrlib.experiments.plan import open_experiment
from qrlib.experiments.settings import ROLES
from qrlib.records import store
from qrlib.training import loop
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError


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
    assert none.judged_by("unseen_classifier").evaluation_run == "evaluation-none-small_resnet"
    mqrnet = smoke(variant="mqrnet")
    assert mqrnet.recovery_run == "mqrnet-multiple-small_vgg-small_inception-seed0"
    assert mqrnet.judges == ("classifier", "unseen_classifier")
    assert smoke(variant="finetuned", distortions="blur").start is None
    assert smoke(variant="small_qrnet").start.recovery_run == "small_pretrained-seed0"
    assert smoke(variant="qrnet_lambda_0.1").restorer == "qrnet_lambda_0.1-multiple"


def test_names_of_a_plan_are_all_different():
    planned = plan.experiments_of(profiles.load("smoke"))
    trained = [x.recovery_run for x in planned if x.variant_name != "none"]
    assert len(set(trained)) == len(trained)
    evaluated = [x.judged_by(role).evaluation_run for x in planned for role in x.judges]
    assert len(set(evaluated)) == len(evaluated)
    made = {x.restorer for x in planned}
    for part, networks in variants.PARTS.items():
        if part in variants.BY_DEFAULT:  # the parts of smoke
            assert {"-".join(network) for network in networks} <= made, part


def test_a_plan_has_everything_before_what_needs_it():
    for name in profiles.names():
        seen = set()
        for x in plan.experiments_of(profiles.load(name)):
            needed = [need.recovery_run for need in x.needs]
            if x.variant_name != "none":
                roles = (*x.variant.losses, *x.judges)
                needed += [x.judged_by(role).classifier_run for role in roles]
            assert set(needed) <= seen, x
            seen.add(x.training_run)


def test_ways_of_sampling_do_equal_work():
    profile = profiles.load("caltech101-sampling", overrides="recovery.epochs=40")
    whole, *others = [x for x in plan.experiments_of(profile) if x.variant.share]
    assert (whole.recovery.classifier_share, whole.recovery.crop, whole.recovery.epochs) == (
        1,
        None,
        40,
    )
    for x in others:
        # Counted by hand: VGG16 124 GFLOP, QRNet 29, of a tile a quarter of that.
        share, rest = x.recovery.classifier_share, 1 if x.recovery.crop is None else 0.25
        epoch = 124 * share + 29 * (share + (1 - share) * rest)
        assert x.recovery.epochs * epoch == pytest.approx(40 * (124 + 29), rel=0.02)
        assert x.recovery.patience == x.recovery.epochs  # the rate's fall is never cut short
        assert x.judges == ()
        assert x.config("recovery")["recovery"]["classifier_share"] == share
    assert {(x.recovery.classifier_share, x.recovery.crop) for x in others} == {
        (share, crop) for share in (0.25, 0.125) for crop in (None, 112)
    }
    assert set(coverage.missing(profile, "sampling")) == {
        "evaluation-none-vgg16", *(x.recovery_run for x in (whole, *others))
    }  # fmt: skip


def test_a_plan_leaves_out_what_the_profile_does(monkeypatch):
    profile = profiles.load("smoke", overrides="parts=[table2,table4] seeds=[0,1]")
    planned = plan.experiments_of(profile)
    assert {x.role for x in planned} == {"classifier"}
    assert not any(x.variant_name in ("mqrnet", "small_qrnet") for x in planned)
    assert {x.seed for x in planned if x.variant_name == "recnet"} == {0, 1}
    assert {x.seed for x in planned if x.variant_name == "finetuned"} == {0}
    assert next(x for x in planned if x.variant_name == "qrnet").judges == ("classifier",)
    assert coverage.pages(profile, there=False) == ["recovery", "end_to_end", "image_quality"]
    assert coverage.pages(profile, there=True) == []  # nothing has run
    assert coverage.missing(profile, "figure6")
    assert "evaluation-none-small_vgg" in coverage.missing(profile, "table4")
    main = profiles.load("smoke", overrides="parts=[main] seeds=[0,1]")
    made = {(x.restorer, x.seed) for x in plan.experiments_of(main) if x.judges}
    both = {(f"{name}-multiple", seed) for name in ("recnet", "qrnet") for seed in (0, 1)}
    assert made == {("none", 0), *both}
    assert coverage.pages(main, there=False) == ["recovery", "image_quality"]
    assert coverage.missing(main, "table2") == [
        "evaluation-none-small_vgg", "evaluation-qrnet-multiple-small_vgg-seed0",
    ]  # fmt: skip
    assert coverage.missing(main, "table4") == [f"table4 of profile {main.name}"]


def test_transfer_is_every_restorer_before_every_classifier():
    profile = profiles.load("smoke", overrides="parts=[main,transfer]")
    planned = plan.experiments_of(profile)
    judged = {x.restorer: x.judges for x in planned if x.judges and x.variant_name != "none"}
    assert judged == dict.fromkeys(
        (
            "recnet-multiple",
            "qrnet-multiple",
            *(f"qrnet_of_{role}-multiple" for role in ("second", "unseen", "light")),
            "mqrnet-multiple",
        ),
        ROLES,
    )
    assert {x.role for x in planned if x.variant_name == "none"} == {*ROLES}
    (other,) = (x for x in planned if x.variant_name == "qrnet_of_second")
    assert other.recovery_run == "qrnet_of_second-multiple-small_inception-seed0"
    assert train.loss(other).weights == {"small_inception": 0.01}
    (third,) = (x for x in planned if x.variant_name == "qrnet_of_unseen")
    assert train.loss(third).weights == {"small_resnet": 0.01}
    (light,) = (x for x in planned if x.variant_name == "qrnet_of_light")
    assert train.loss(light).weights == {"efficientnet_lite0": 0.01}
    assert coverage.missing(profile, "transfer") == [
        "evaluation-none-small_vgg", "evaluation-qrnet-multiple-small_vgg-seed0"
    ]  # fmt: skip


def test_a_profile_may_do_without_a_light_teacher():
    profile = profiles.load("caltech101-half")
    planned = plan.experiments_of(profile)
    assert "qrnet_of_light" not in {x.variant_name for x in planned}
    assert {x.role for x in planned if x.variant_name == "none"} == set(ROLES) - {
        "light_classifier"
    }
    with pytest.raises(QrlibError, match="no light_classifier, which qrnet_of_light needs"):
        str(open_experiment("caltech101-half", variant="qrnet_of_light").recovery_run)


def test_losses_of_the_part_losses():
    alone = train.loss(smoke(variant="qrnet_classification_only"))
    assert (alone.weights, alone.quality_weight) == ({"small_vgg": 0.01}, 0.0)
    assert train.loss(smoke(variant="qrnet_lambda_1")).weights == {"small_vgg": 1.0}
    assert smoke(variant="qrnet_unlabelled").variant.aims == "answers"


def test_lambda_of_each_variant():
    assert smoke().recovery.classification_weight == 0.01
    assert smoke(variant="qrnet_lambda_0.1").recovery.classification_weight == 0.1
    assert train.loss(smoke(variant="qrnet_lambda_0.001")).weights == {"small_vgg": 0.001}
    assert train.loss(smoke(variant="recnet")).weights == {}
    multi = train.loss(smoke(variant="mqrnet"))
    assert multi.weights == {"small_vgg": 0.01, "small_inception": 0.01}  # Section IV-A
    tuned = train.loss(smoke(variant="finetuned"))
    assert (tuned.weights, tuned.quality_weight) == ({"small_vgg": 1.0}, 0.0)
    assert "classification_weight" not in smoke(variant="recnet").config("recovery")["recovery"]


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
        ({"overrides": "recovery.x=1"}, ["unknown setting of recovery in overrides 'x'"]),
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
    start = dataclasses.replace(one, variant_name="pretrained", distortions="clean")
    plain = smoke(variant="pretrained")
    assert start.config("recovery") == plain.config("recovery")
    assert one.config("classifier") == smoke(variant="recnet").config("classifier")
    assert "classifier" not in smoke(variant="recnet").config("recovery")
    assert "classifier" in smoke().config("recovery")
    assert smoke(seed=1).config("recovery") != smoke().config("recovery")
    for kind in ("classifier", "recovery", "evaluation"):
        assert json.loads(json.dumps(one.config(kind))) == one.config(kind)


def test_a_schedule_reaches_the_training_and_the_config(monkeypatch):
    """The paper's is not named: records from before there was a choice are of it."""
    seen = []

    def settings_of(task, splits, folder, settings, **more):
        seen.append(settings.schedule)
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train_recovery", settings_of)
    for overrides in (None, "recovery.schedule=cosine"):
        experiment = smoke(variant="pretrained", overrides=overrides)
        with pytest.raises(KeyboardInterrupt):
            train.obtain_restorer(experiment, train.load_data(experiment))
        named = experiment.config("recovery")["recovery"].get("schedule", "constant")
        assert named == seen[-1]
    assert seen == ["constant", "cosine"]


def test_each_way_to_an_answer_is_timed_once():
    quick, half = (plan.timed_ways(profiles.load(name)) for name in ("quick", "caltech101-half"))
    assert set(quick) == {"none", "qrnet-multiple", "qrnet_averaged-multiple"}
    assert set(half) == {
        *quick, "end_to_end-multiple", "small_qrnet-multiple", "qrnet_routed-multiple",
        "finetuned_routed-multiple", "gaussian_filter-noise", "total_variation-noise",
        "non_local_means-noise", "wiener-blur",
    }  # fmt: skip
    profile = profiles.load("caltech101-half")
    judge = latency.classifier(profile)

    def shapes(x):
        return [
            [(type(m), *p.shape) for m in s.modules() for p in m.parameters()]
            for s in latency.stages(x, judge)
        ]

    shown = {name: shapes(x) for name, x in half.items()}
    judged = [x for x in plan.experiments_of(profile) if "classifier" in x.judges]
    assert len(judged) > 30
    for x in {x.restorer: x for x in judged}.values():
        assert shapes(x) == shown[x.timed_as], x.restorer
    hashes = {
        plan.timing_hash(profiles.load("quick", overrides=o)) for o in ("", "parts=[main,table4]")
    }
    assert len(hashes) == 2


def test_planning_imports_no_torch():
    code = (
        "import sys; from qrlib.experiments import plan, profiles;"
        "plan.experiments_of(profiles.load('smoke')); sys.exit('torch' in sys.modules)"
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


@pytest.mark.slow
def test_the_whole_way(monkeypatch):
    """Data, classifier, restorers, records; then once more, training nothing."""
    trained = counting(monkeypatch)
    qrnet, recnet = smoke(), smoke(variant="recnet")
    splits = train.load_data(qrnet)
    classifier, history, record = train.obtain_classifier(qrnet, splits)
    assert len(history.rows) == 1
    assert not any(p.requires_grad for p in classifier.parameters())
    assert json.loads(record.read_text())["kind"] == "classifier"

    judges = {"classifier": classifier}
    net, _, path = train.obtain_restorer(qrnet, splits, judges)
    other = train.obtain_restorer(recnet, splits, judges)[0]
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
    assert record["training"]["images"] == {"train": 40, "validation": 12, "test": 12}
    assert record["provenance"]["weights"] == {qrnet.recovery_run: weights.state_hash(net)}
    assert record["config"] == qrnet.config("recovery")

    judges = train.obtain_classifiers(qrnet, splits)
    both, written = evaluate.evaluate(qrnet, splits, net, judges)
    assert len(both) == 2 * 33  # the unseen classifier judges QRNet as well
    record = store.read_record("smoke", qrnet.evaluation_run)
    results = record["results"]
    assert results == [row for row in both if row["classifier"] == "small_vgg"]
    assert written[0] == store.path("smoke", qrnet.evaluation_run)
    assert written[1].stem == "evaluation-qrnet-multiple-small_resnet-seed0"
    assert "samples" not in json.loads(written[1].read_text())
    assert len(results) == 33
    assert {(r["dataset"], r["restorer"], r["classifier"], r["seed"]) for r in results} == {
        ("caltech101-small", "qrnet-multiple", "small_vgg", 0)
    }
    origin = record["provenance"]
    assert origin["manifest"] == splits.manifest_hash
    assert origin["weights"] == {
        "small_vgg": weights.state_hash(classifier), "qrnet-multiple": weights.state_hash(net),
    }  # fmt: skip
    assert origin["code"] == plan.code_hash("evaluation")
    manifest = paths.results("smoke") / f"split-{splits.manifest_hash[:12]}.json"
    assert json.loads(manifest.read_text()) == splits.manifest

    # Once more.
    written = {p: p.stat().st_mtime_ns for p in paths.results("smoke").rglob("*.json")}
    again, _, _ = train.obtain_restorer(qrnet, splits, judges)
    assert len(trained) == 5
    assert weights.state_hash(again) == weights.state_hash(net)
    assert {p: p.stat().st_mtime_ns for p in written} == written
    repeated, _ = evaluate.evaluate(qrnet, splits, again, judges)
    assert repeated == both

    # The same network in a later session, from the shipped weights.
    shipped.write(qrnet, net)
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        stored = load_qrnet("smoke")(images)
        torch.testing.assert_close(stored, net.cpu().eval()(images), atol=1e-5, rtol=0)

    # It stands in for a training where that is asked for, and for no other.
    shutil.rmtree(paths.runs("smoke") / qrnet.recovery_run)
    monkeypatch.setenv("QRLIB_SHIPPED", "1")
    taken, history, record = train.obtain_restorer(qrnet, splits, judges)
    assert len(trained) == 5
    assert weights.state_hash(taken) == weights.state_hash(net)
    assert history.rows == store.read_record("smoke", record.stem)["training"]["epochs"]
    found = json.loads(record.read_text())
    found["config"]["recovery"]["epochs"] = 9
    store.write(found)
    with pytest.raises(QrlibError, match=r"with other settings \(recovery\): unset QRLIB_SHIPPED"):
        train.obtain_restorer(qrnet, splits, judges)
    with pytest.raises(QrlibError, match="no trained weights recnet-seed0"):
        train.obtain_restorer(smoke(variant="recnet"), splits, judges)
    monkeypatch.setenv("QRLIB_SHIPPED", "yes")
    with pytest.raises(QrlibError, match="unknown QRLIB_SHIPPED 'yes'"):
        train.obtain_restorer(qrnet, splits, judges)


@pytest.mark.slow
def test_a_tuned_classifier_is_judged_and_the_clean_one_stays(monkeypatch):
    trained = counting(monkeypatch)
    tuned = smoke(variant="finetuned", distortions="noise")
    splits = train.load_data(tuned)
    judges = train.obtain_classifiers(tuned, splits)
    clean = weights.state_hash(judges["classifier"])
    restorer, _, record = train.obtain_restorer(tuned, splits, judges)
    assert restorer is None
    assert weights.state_hash(judges["classifier"]) != clean
    rows, (path,) = evaluate.evaluate(tuned, splits, restorer, judges)
    assert {row["restorer"] for row in rows} == {"finetuned-noise"}
    assert {row["distortion"] for row in rows} == {"clean", "noise"}
    kept = json.loads(path.read_text())["provenance"]["weights"]
    assert kept == {"small_vgg": weights.state_hash(judges["classifier"])}
    assert json.loads(record.read_text())["training"]["variant"] == "finetuned"
    again = train.obtain_classifiers(tuned, splits)
    assert weights.state_hash(again["classifier"]) == clean
    train.obtain_restorer(tuned, splits, again)
    assert weights.state_hash(again["classifier"]) != clean
    assert trained == ["classifier-small_vgg-seed0", "finetuned-noise-small_vgg-seed0"]


@pytest.mark.slow
def test_without_a_restorer_the_classifier_is_judged_and_its_answers_kept():
    none = smoke(variant="none")
    splits = train.load_data(none)
    classifier = train.obtain_classifier(none, splits)[0]
    before = weights.state_hash(classifier)
    results, (path,) = evaluate.evaluate(none, splits, None, {"classifier": classifier})
    assert weights.state_hash(classifier) == before  # a restorer may be trained with it next
    assert len(results) == 32  # no clean PSNR without a restorer
    assert {r["restorer"] for r in results} == {"none"}
    with pytest.raises(QrlibError, match="'none' has no network to train"):
        train.obtain_restorer(none, splits)

    record = store.read_record("smoke", path.stem)
    assert set(record["provenance"]["weights"]) == {"small_vgg"}
    sheet = record["samples"]
    tiles = samples.read_sheet(sheet, paths.results("smoke"))
    assert len(tiles) == len(sheet["ids"]) == 6
    assert [(c["distortion"], c["level"]) for c in sheet["cases"]] == [
        ("clean", 0), *((kind, level) for kind in ("noise", "blur") for level in (1, 2, 3, 4, 5))
    ]  # fmt: skip
    for row, name, answers in zip(tiles, sheet["ids"], sheet["answers"], strict=True):
        image = splits.test[[splits.test.ids.index(name)]][0][0].permute(1, 2, 0).numpy() / 255
        assert abs(row[0] - image).max() < 1e-6  # kept exactly at this size
        assert abs(row[5] - image).mean() > abs(row[3] - image).mean() > 0.05
        assert all(a["answer"] in splits.classes and 0 < a["confidence"] <= 1 for a in answers)


@pytest.mark.slow
def test_timings_are_measured_after_the_training():
    qrnet = smoke()
    splits = train.load_data(qrnet)
    with pytest.raises(QrlibError, match="qrnet-multiple-small_vgg-seed0.json"):
        evaluate.measure_timings(qrnet, splits)
    train.obtain_restorer(qrnet, splits)
    record = json.loads(evaluate.measure_timings(qrnet, splits).read_text())
    found = {(r["metric"], r["restorer"]): r["value"] for r in record["results"]}
    per_image = "milliseconds_per_image"
    errors = {(r["metric"], r["restorer"]): r.get("error") for r in record["results"]}
    assert all(errors[per_image, r] > 0 for r in ("none", "qrnet-multiple", "end_to_end-multiple"))
    assert errors["seconds_per_epoch", "qrnet-multiple"] is None  # of one epoch
    assert found[per_image, "end_to_end-multiple"] > found[per_image, "none"]
    ways = set(plan.timed_ways(qrnet.profile))
    assert ways == {name for metric, name in found if metric == per_image}
    assert found[per_image, "qrnet_averaged-multiple"] > found[per_image, "qrnet-multiple"]
    assert found[per_image, "qrnet-multiple"] > found[per_image, "none"] > 0
    trained = store.read_record("smoke", qrnet.recovery_run)["training"]["epochs"]
    assert found["seconds_per_epoch", "qrnet-multiple"] == trained[0]["seconds"]


@pytest.mark.slow
def test_a_changed_setting_trains_anew_in_a_place_of_its_own(monkeypatch):
    trained = counting(monkeypatch)
    plain = smoke(variant="pretrained")
    changed = smoke(variant="pretrained", overrides="recovery.learning_rate=0.01")
    splits = train.load_data(plain)
    first = train.obtain_restorer(plain, splits)[2]
    second = train.obtain_restorer(changed, splits)[2]
    assert len(trained) == 2
    assert first != second
    assert first.exists()


@pytest.mark.parametrize(
    "change",
    [
        "parts=[denoising] evaluation_precision=bf16-mixed",
        "parts=[denoising] noise_sigmas=[1.0,2.0,3.0,4.0,5.0]",
        "parts=[denoising,main]",
    ],
)
def test_jobs_are_outdated_by_what_decides_their_evaluation(change):
    """Also that of the classifier alone, whose training none of it decides."""
    before, after = (
        Experiment(profiles.load("caltech101-half", overrides=text), "none", "clean", 0)
        for text in ("parts=[denoising]", change)
    )
    assert before.config("classifier") == after.config("classifier")
    hashes = [plan.job_hash(x, "classifier", "classifier") for x in (before, after, before)]
    assert hashes[0] == hashes[2] != hashes[1]
    assert plan.job_hash(before, "classifier", "classifier", "evaluation") not in hashes


def test_the_records_that_runs_are_to_leave_are_those_that_they_left():
    """Of the committed run with every kind of them."""
    planned = plan.experiments_of(profiles.load("caltech101-half"))
    there = {path.stem for path in (ROOT / "results/caltech101-half/records").glob("*.json")}
    alone = {plan.timed(profiles.load("caltech101-half")).timing_run, *variants.STANDALONE}
    assert there - alone <= {name for x in planned for name in x.records}
    assert any(x.variant.composed and {*x.records} <= there for x in planned)
    assert any(x.variant.classical and {*x.records} <= there for x in planned)


def test_a_classifier_of_another_seed_has_a_profile_of_its_own():
    """Else its row "no restoration" would take the place of the profile's."""
    plain, other = (plan.open_classifier("quick", seed=seed) for seed in (0, 5))
    assert (plain.profile.name, plain.seed, plain.classifier_run) == (
        "quick",
        0,
        "classifier-efficientnet_lite0-seed0",
    )
    assert other.profile.name.startswith("quick+")
    assert (other.seed, other.classifier.seed) == (5, 5)
    unseen = plan.open_classifier("smoke", classifier="small_resnet", seed=5)
    assert (unseen.role, unseen.classifier.seed, unseen.profile.classifier.seed) == (
        "unseen_classifier",
        5,
        0,
    )


def test_a_filter_is_planned_once_whatever_the_seeds():
    half = profiles.load("caltech101-half", overrides="other_seeds=[1,2]")
    filters = [x.recovery_run for x in plan.experiments_of(half) if x.variant.classical]
    assert len(filters) == 4
    assert all(name.endswith("-seed0") for name in filters)
