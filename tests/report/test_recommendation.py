"""What a reader should use: the best option of each kind, and where QRNet does harm."""

import pytest
from support.frames import record, runs

from qrlib.records.selection import Selection
from qrlib.report import option_tables, recommendation
from qrlib.report.claims.evidence import Evidence
from qrlib.report.figures import changes


@pytest.fixture
def evidence():
    return Evidence(
        runs(
            record("none", 0, 0.9, 0.4, 0.6, n=2000),
            record("wiener-blur", 0, blur=0.65, n=2000),
            record("recnet-noise", 0, 0.9, noise=0.8, n=2000),
            record("recnet-blur", 0, 0.9, blur=0.9, n=2000),
            record("recnet-multiple", 0, 0.9, 0.5, 0.61, n=2000),
            record("qrnet-multiple", 0, 0.8, 0.6, [0.6, 0.7, 0.5, 0.45, 0.5], n=2000),
            record("finetuned-multiple", 0, 0.85, 0.7, 0.7, n=2000),
        )
    )


def test_each_option_is_held_against_doing_nothing(evidence):
    frame = option_tables.options(evidence).set_index(["method", "distortion"])
    assert set(frame.index.get_level_values(0)) == {
        "none", "wiener-blur", "recnet-single", "recnet-multiple", "qrnet", "finetuned-multiple"
    }  # fmt: skip
    assert frame.loc[("none", "noise"), ["ours", "gain", "verdict"]].tolist() == [0.4, 0.0, ""]
    noise = frame.loc[("qrnet", "noise")]
    assert (noise["ours"], noise["gain"]) == pytest.approx((0.6, 0.2))
    assert noise["verdict"] == "better"
    assert frame.loc[("qrnet", "clean"), "verdict"] == "worse"
    assert frame.loc[("recnet-multiple", "blur"), "verdict"] == "no clear difference"
    assert ("recnet-single", "clean") not in frame.index, "two networks have no one accuracy"
    assert frame.loc["wiener-blur"].index.tolist() == ["blur"], "a filter for one distortion"
    assert noise["records"] == ("none-0.json", "qrnet-multiple-0.json")


def test_options_are_drawn_by_what_they_gain(evidence):
    figure = changes.by_option(option_tables.options(evidence))
    clean, noise, blur = figure.axes
    assert len(clean.containers[1][0].get_xdata()) == 0, (
        "who is told the distortion has no clean images"
    )
    assert [text.get_text() for text in clean.get_yticklabels()] == [
        "RecNet (single)", "fine-tuned (multiple)", "QRNet", "RecNet (multiple)", "Wiener's deconvolution"
    ]  # fmt: skip
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "classifier as it is", "as it is, told the distortion", "its last layers learn"
    ]  # fmt: skip
    frozen = {bars[0].get_xdata()[i] for bars in noise.containers[:1] for i in range(2)}
    assert sorted(frozen) == pytest.approx([0.1, 0.2])
    assert len(blur.containers[1][0].get_xdata()) == 2, "the filter for blur has a dot there"


def test_advice_names_the_best_that_needs_no_telling_and_where_it_harms(evidence):
    options = option_tables.options(evidence)
    levels = option_tables.by_level(evidence, "qrnet")
    assert list(levels["verdict"])[:2] == ["worse", "better"]
    train, leave, harm = recommendation.advice(evidence, options, levels, "vgg16")
    assert "may train VGG16.** Then show it distorted images too" in train
    assert "of clean images (90.0 without; worse), 70.0 % of noisy ones (40.0; better) and" in train
    assert "Then put RecNet (multiple) in front of it." in leave, "QRNet harms blurred images here"
    assert harm.endswith(
        "harm on clean images and blur of σ = 2, 6 and 8. It makes no clear difference on blur of σ = 10. "
        "RecNet (multiple), named above, is better under blur. If you know the distortion, RecNet (single) is "
        "better under noise. If you know the distortion, RecNet (single) is better under blur."
    )
    assert "Simpler:" not in train
    short = [
        recommendation.in_short(evidence, options, "vgg16", learns=learns)
        for learns in (True, False)
    ]
    assert short == [
        "If you may train VGG16, show it distorted images too (fine-tuning); of clean images it then "
        "recognises 85.0 %, not 90.0 %",
        "If you may not change VGG16, put RecNet (multiple) in front of it",
    ]
    useless = options.assign(verdict=options["verdict"].replace("better", "no clear difference"))
    train, leave, _ = recommendation.advice(evidence, useless, levels, "vgg16")
    assert "leave the images as they are" in train
    assert "leave the images as they are" in leave
    assert recommendation.in_short(evidence, useless, "vgg16", learns=False) == ""
    frozen = options[~options["learns"]]
    _, _, untried = recommendation.advice(evidence, frozen, levels, "vgg16")
    assert untried == "**You may train VGG16.** This run did not try it."
    assert recommendation.in_short(evidence, frozen, "vgg16", learns=True) == ""


def test_of_those_that_no_difference_tells_apart_the_plainest_is_advised():
    def evidence(noise):
        return Evidence(
            runs(
                record("none", 0, 0.9, 0.4, 0.6, n=2000),
                record("finetuned-multiple", 0, 0.85, 0.7, 0.7, n=2000),
                record("stabilised-multiple", 0, 0.85, noise, 0.7, n=2000),
            )
        )

    for noise, words in ((0.705, "show it distorted images too"), (0.8, "stability training")):
        there = evidence(noise)
        options = option_tables.options(there)
        assert words in recommendation.in_short(there, options, "vgg16", learns=True)


def test_a_simpler_way_is_named_beside_the_best_and_harm_before_other_classifiers():
    own = [
        record("none", 0, 0.9, 0.4, 0.6, n=2000),
        record("finetuned-multiple", 0, 0.9, 0.7, 0.7, n=2000),
        record("qrnet-multiple", 0, 0.9, 0.6, 0.7, n=2000),
        record("qrnet_finetuned-multiple", 0, 0.9, 0.8, 0.8, n=2000),
    ]
    met = [
        record("none", 0, 0.9, 0.4, 0.6, n=2000, classifier="resnet50"),
        record("qrnet-multiple", 0, 0.9, 0.5, 0.5, n=2000, classifier="resnet50"),
    ]
    evidence = Evidence(runs(*own, *met), Selection(classifier="vgg16"), unseen="resnet50")
    options = option_tables.options(evidence)
    train, _, harm = recommendation.advice(
        evidence, options, option_tables.by_level(evidence, "qrnet"), "vgg16"
    )
    assert (
        "Simpler: show it distorted images too (fine-tuning). That gives 90.0 % of clean" in train
    )
    assert harm.endswith("Before ResNet-50, which it never met, it does harm on blurred images.")
    # What harms clean images is no simpler way; what is best stays.
    clean = options["distortion"].eq("clean") & options["learns"]
    harmed = options.assign(verdict=options["verdict"].mask(clean, "worse"))
    levels = option_tables.by_level(evidence, "qrnet")
    train, *_ = recommendation.advice(evidence, harmed, levels, "vgg16")
    assert "train it on QRNet's images" in train
    assert "Simpler" not in train


def test_an_option_that_harms_in_another_run_is_told_so(evidence):
    options = option_tables.options(evidence)
    levels = option_tables.by_level(evidence, "qrnet")
    worse = options.assign(verdict="worse", gain=-0.025)
    others = {"Another run": worse[worse["distortion"] == "noise"]}
    said = recommendation.advice(evidence, options, levels, "vgg16", others)
    assert (
        "In *Another run* the same does harm on noisy images (−0.025): try it on your images"
        in said[1]
    )
