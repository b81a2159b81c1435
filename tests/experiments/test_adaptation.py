"""Adaptation as a run: its record, and what the page makes of it."""

from __future__ import annotations

import pytest
import torch

from qrlib import evaluation
from qrlib.distortions import levels
from qrlib.experiments import headless, profiles, standalone, standalone_plan, train
from qrlib.inference.adaptation import adapt
from qrlib.records import per_image, store
from qrlib.report import adaptation
from qrlib.report.figures import changes
from qrlib.utils.errors import QrlibError

FEW = "parts=[main,adaptation] data.classes=2"


def test_the_classifier_is_one_with_batch_normalisation():
    profile = profiles.load("caltech101-day", overrides="parts=[table2,figure6,adaptation]")
    judges = {x.classifier.name for x in standalone_plan.experiments(profile, "adaptation")}
    assert judges == {"resnet50"}
    profile = profiles.load("caltech101-day", overrides="parts=[table2,adaptation]")
    with pytest.raises(QrlibError, match="needs a classifier with batch normalisation, and vgg16"):
        headless.runs_by_name(profile)


@pytest.mark.slow
def test_a_run_leaves_a_record_that_a_page_can_be_made_of(monkeypatch):
    monkeypatch.setattr(standalone, "BATCHES", (1, 4, 32))
    profile = profiles.load("smoke", overrides=FEW)
    none, qrnet = standalone_plan.experiments(profile, "adaptation")
    assert headless._run_one("adaptation", qrnet) == ["adaptation"]
    results = store.read(profile.name, kind="adaptation", images=True)
    splits = train.load_data(none)
    n = len(splits.test)
    ways = {"none", *(standalone_plan.adapted("none", count) for count in (1, 4, n))}
    ways |= {way.replace("none", "qrnet-multiple") for way in ways}
    assert results.groupby("restorer").size().to_dict() == dict.fromkeys(ways, 16)
    assert set(results["n"]) == {n}

    # A batch is adapted by itself: the same images in the same order give the same answers.
    judges = train.obtain_classifiers(none, splits)
    case = levels("multiple", **profile.strengths)["blur"][4]
    clean = standalone.clean_batches(splits, profile.evaluation_batch)
    networks = {"adapted": adapt(judges[none.role], clean)}
    images = splits.test.shuffled(0)
    rows = evaluation.evaluate(None, networks, images, [case], batch_size=4)
    (alone,) = (r for r in rows if r["metric"] == "accuracy" and r["distortion"] == "blur")
    there = (results["restorer"] == standalone_plan.adapted("none", 4)) & (
        results["distortion"] == "blur"
    )
    (row,) = results[there & (results["level"] == 5)].to_dict("records")
    assert per_image.unpack_truth(row["right"], n).tolist() == alone["each"].tolist()

    evidence = adaptation.evidence_of(profile)
    frame = adaptation.table(evidence)
    assert set(frame["way"]) == ways
    assert sorted(set(frame["images"])) == [0, 1, 4, n]
    compared = adaptation.rivals(evidence, frame)
    both = adaptation.render_rivals(compared, "small_vgg", "rivals").markdown
    blurred = frame[(frame["distortion"] == "blur") & frame["restored"]].set_index("images")["ours"]
    (line,) = (x for x in both.splitlines() if "both, against restored" in x)
    assert f"{blurred[n]:.3f} against {blurred[0]:.3f}: " in line.split("|")[4]
    figure = changes.by_images(frame)
    assert [ax.get_title() for ax in figure.axes] == [
        "clean images",
        "Gaussian noise",
        "Gaussian blur",
        "all three mixed",
    ]
    shown = adaptation.render_table(frame, "small_vgg", "adaptation-smoke")._repr_html_()
    assert shown.count("<tr") == 1 + 2 * 4
    helps = frame.assign(verdict="better")
    ours = frame.query(f"distortion == 'noise' and images == {n} and not restored")["ours"].item()
    advice = adaptation.advice(evidence, helps)
    assert f"adapt small VGG to them, without training. With {n} at once" in advice
    assert f"{100 * ours:.1f} % of noisy ones (" in advice
    assert "A single image at a time helps under noise (" in advice
    assert "harm" not in advice
    few = (frame["distortion"] == "clean") & (frame["images"] == 4)
    lossy = helps.assign(gain=-0.05, verdict=helps["verdict"].mask(few, "worse"))
    told = "Adapting alone does harm on clean images with 4 (−0.050) at once."
    assert (adaptation.harm(lossy), adaptation.harm(helps)) == (told, "")
    assert adaptation.advice(evidence, lossy).endswith(f" {told}")
    short = adaptation.in_short(evidence, helps)
    assert short.endswith("adapt small VGG to them, without training")
    for place in ("clean", "blur"):
        harms = helps["verdict"].mask(frame["distortion"] == place, "worse")
        assert not adaptation.advice(evidence, helps.assign(verdict=harms))
        assert not adaptation.in_short(evidence, helps.assign(verdict=harms))
    # Records from before the mixed stream.
    older = frame[frame["distortion"] != "mixed"]
    assert "mixed" in shown
    assert "mixed" not in adaptation.render_table(older, "small_vgg", "older")._repr_html_()
    assert "mixed" not in set(adaptation.rivals(evidence, older)["distortion"])


def test_a_mixed_stream_has_a_third_of_each():
    noise, blur = (kind[4] for kind in levels("multiple", blur_scale=0.2).values())
    mixed = standalone.MixedStream("mixed", 5, noise.sigma, blur.sigma)
    images = torch.rand(90, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    shown = mixed(images)
    assert 0 <= shown.min() <= shown.max() <= 1
    clean = (shown == images).flatten(1).all(1)
    blurred = torch.isclose(shown, blur(images), atol=1e-6).flatten(1).all(1)
    assert 20 <= clean.sum() <= 40
    assert 20 <= blurred.sum() <= 40
    assert not (clean & blurred).any()
    # By content alone: the same in another order and in another batch.
    order = torch.randperm(90)
    torch.testing.assert_close(mixed(images[order]), shown[order], rtol=0, atol=1e-6)
    torch.testing.assert_close(mixed(images[:1]), shown[:1], rtol=0, atol=1e-6)
