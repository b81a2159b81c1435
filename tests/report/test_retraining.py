"""Restore first, then retrain: ours beside FG-NIC's, and whether it beats fine-tuning."""

import pytest
from support.frames import record, runs, unpadded

from qrlib.report import option_tables, recommendation, retraining
from qrlib.report.claims import check
from qrlib.report.claims.evidence import Evidence

RESULTS = runs(
    record("none", 0, 0.9, 0.4, 0.6, n=2000),
    record("recnet-multiple", 0, 0.9, 0.5, 0.61, n=2000),
    record("finetuned-multiple", 0, 0.85, 0.6, 0.7, n=2000),
    record("recnet_finetuned-multiple", 0, 0.88, 0.8, 0.9, n=2000),
    record("qrnet_finetuned-multiple", 0, 0.88, 0.8, 0.6, n=2000),
    record("recnet_finetuned_bare-multiple", 0, 0.9, 0.3, 0.4, n=2000),
)


def test_each_way_stands_beside_the_printed_one_that_is_like_it():
    made = retraining.table(Evidence(RESULTS))
    frame = made.set_index(["trained", "tested", "images", "distortion"]).sort_index()
    row = frame.loc[("restored", "restored", "recnet", "noise")]
    assert (row["ours"], row["fg_nic"]) == pytest.approx((0.8, 0.87524))
    assert row["records"] == ("recnet_finetuned-multiple-0.json",)
    assert frame.loc[("restored", "distorted", "recnet", "noise"), "ours"] == pytest.approx(0.3)
    assert frame.loc[("distorted", "restored", "recnet"), "ours"].isna().all()
    assert frame["fg_nic"].count() == len(retraining.FG_NIC)
    text = unpadded(retraining.render_table(made, "resnet50", "retrained"))
    assert "| clean | distorted | 0.900 ± 0.007 | 0.400 ± 0.011 | 0.600 ± 0.011 | 0.369 |" in text
    (line,) = [x for x in text.splitlines() if x.startswith("| distorted | restored by QRNet |")]
    assert line.split("|")[3:7] == [" not run "] * 3 + [" – "]


def test_ours_stands_beside_fg_nics_at_each_strength():
    means = {
        "none": 0.4, "recnet-noise": 0.5, "finetuned-noise": 0.6, "recnet_before_finetuned-noise": 0.55,
        "recnet_finetuned_bare-noise": 0.45, "recnet_finetuned-noise": 0.7,
    }  # fmt: skip
    results = runs(*(record(name, 0, 0.9, mean) for name, mean in means.items()))
    results.loc[results["distortion"] == "noise", "strength"] *= 1.275
    frame = retraining.at_its_strengths(Evidence(results))
    assert len(frame) == 7 * 5
    assert frame["ours"].isna().sum() == 5
    row = frame.set_index(["trained", "tested", "level"]).loc[("restored", "restored", 2)]
    assert (row["ours"], row["fg_nic"], row["strength"]) == pytest.approx((0.75, 0.8986, 51.0))
    words = retraining.in_words(frame)
    assert "restored and tested on restored images is the best of the six, as with FG-NIC." in words
    assert "Of 15 pairs of ways, 15 stand" in words
    other = means | {"finetuned-noise": 0.8}
    results = runs(*(record(name, 0, 0.9, mean) for name, mean in other.items()))
    words = retraining.in_words(retraining.at_its_strengths(Evidence(results)))
    assert "ResNet-50 trained on distorted and tested on distorted images is the best" in words
    assert "with FG-NIC it is that trained on restored and tested on restored images" in words
    assert "Of 15 pairs of ways, 14 stand" in words
    text = unpadded(retraining.render_strengths(frame, "fg-nic"))
    assert "| clean | distorted | 0.500 (0.839) | 0.450 (0.570) |" in text


def test_it_must_beat_fine_tuning_on_both_distortions():
    found = check.check(RESULTS, claims=retraining.CLAIMS).set_index("id")
    assert found["verdict"].to_dict() == {
        "recnet-then-retrain": "holds",
        "qrnet-then-retrain": "does not hold",
        "one-after-the-other": "not judged",
    }
    without = RESULTS[RESULTS["restorer"] != "finetuned-multiple"]
    why = check.check(without, claims=retraining.CLAIMS)["why"]
    assert set(why) == {"needs fine-tuned (multiple)", "needs QRNet (end-to-end)"}
    recnet, without_it, qrnet = retraining.in_short(Evidence(RESULTS))
    assert recnet.startswith(
        "Behind RecNet, against fine-tuning without it: better on clean images (+0.030)"
    )
    assert without_it.startswith(
        "Without RecNet these layers have 0.300 under noise instead of 0.800"
    )
    assert "worse on blurred images (−0.100)" in qrnet
    assert retraining.in_short(Evidence(without)) == []


def test_it_is_an_option_that_needs_training_images():
    options = option_tables.options(Evidence(RESULTS))
    mine = options[options["method"] == "recnet_finetuned-multiple"]
    assert mine["learns"].all()
    assert set(mine["distortion"]) == {"clean", "noise", "blur"}
    assert recommendation.in_short(Evidence(RESULTS), options, "resnet50", learns=True) == (
        "If you may train ResNet-50, put RecNet in front of it and train it on RecNet's images; of clean images "
        "it then recognises 88.0 %, not 90.0 %"
    )
