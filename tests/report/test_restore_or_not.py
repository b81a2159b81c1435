"""Gates, on images made up for them."""

import numpy as np
import pandas as pd
import pytest
from support.answers import N, halves, rows
from support.frames import runs, unpadded

from qrlib.records import per_image
from qrlib.report import option_tables, restore_or_not
from qrlib.report.claims.evidence import Evidence


@pytest.fixture
def results():
    return halves()


def right(frame, restorer):
    first = frame[(frame["restorer"] == restorer) & (frame["metric"] == "accuracy")].iloc[0]
    return per_image.unpack_truth(first["right"], N)


def test_the_surer_answer_counts(results):
    gated = restore_or_not.with_gate(results)
    either = right(results, "none") | right(results, "qrnet-multiple")
    assert right(gated, restore_or_not.GATED).tolist() == either.tolist()
    added = gated[gated["restorer"] == restore_or_not.GATED]
    assert len(added) == 11
    assert added["value"].tolist() == pytest.approx([either.mean()] * 11)
    assert added["restored"].between(0.4, 0.6).all()


def test_the_gate_is_held_against_both(results):
    evidence = Evidence(restore_or_not.with_gate(results))
    frame = restore_or_not.against(evidence, restore_or_not.GATED)
    assert set(frame["verdict"]) == {"holds"}
    assert len(frame) == 6
    assert frame["records"].iloc[0] == ("none-0.json", "qrnet-multiple-0.json")
    said = restore_or_not.in_words(frame)
    assert (
        "Against never restoring, the gate is more accurate on clean images, more accurate on noise"
        in said
    )
    assert restore_or_not.GATED in set(option_tables.options(evidence)["method"])
    shown = restore_or_not.render_gate(frame, "gate").markdown
    assert f"{frame['ours'].iloc[0]:.3f}" in shown


@pytest.mark.parametrize(
    ("against_none", "against_qrnet", "said"),
    [
        ({"holds"}, {"holds", "too close to call"}, "**Worth it.**"),
        (
            {"holds"},
            {"does not hold"},
            "**Not worth it:** QRNet on every image is better by 0.6 points under blur.",
        ),
        (
            {"too close to call"},
            {"holds"},
            "**Not clearly worth it:** no clear difference from never restoring.",
        ),
        ({"holds"}, {"holds", "does not hold"}, "**It depends:**"),
    ],
)
def test_a_gate_is_worth_it_where_it_beats_both(against_none, against_qrnet, said):
    rows = [("none", verdict) for verdict in against_none]
    rows += [("qrnet", verdict) for verdict in against_qrnet]
    frame = pd.DataFrame(rows, columns=["against", "verdict"])
    frame = frame.assign(distortion="blur", difference=-0.0063)
    assert restore_or_not.in_short(frame).startswith(said)


def test_the_mean_of_both_answers_is_held_against_the_gate_and_chooses_nothing(results):
    averaged = results[results["restorer"] == "qrnet-multiple"].assign(
        restorer=restore_or_not.AVERAGED
    )
    evidence = Evidence(restore_or_not.with_gate(pd.concat([results, averaged])))
    frame = restore_or_not.against(evidence, restore_or_not.AVERAGED)
    assert set(frame["against"]) == {"none", "qrnet", restore_or_not.GATED}
    assert frame["restored"].isna().all()
    said = restore_or_not.in_words(frame)
    assert "Against the surer answer, the mean is " in said
    assert "restores" not in said
    shown = unpadded(restore_or_not.render_gate(frame, "mean"))
    assert "| | mean | no restoration | QRNet | QRNet if surer |" in shown


def test_records_without_confidences_have_no_gate(results):
    old = results.assign(confidence=None, entropy=None, feature_distance=None)
    assert restore_or_not.with_gate(old) is old
    assert restore_or_not.against(Evidence(old), restore_or_not.GATED).empty


def test_a_detector_that_is_never_wrong_is_as_good_as_being_told():
    """It leaves clean images alone, and takes RecNet (noise) or RecNet (blur)."""
    half, most = np.arange(N) < N / 2, np.arange(N) < 0.8 * N
    sure = np.full(N, 0.9)
    single = rows("recnet-noise", most, sure), rows("recnet-blur", most, sure)
    routed = rows("recnet_routed-multiple", most, sure)
    clean = routed["distortion"] == "clean"
    routed.loc[clean, ["value", "right"]] = half.mean(), per_image.pack_truth(half)
    kept = routed["metric"] == "accuracy"
    routed["found"] = [
        {k: 1.0} if a else None for k, a in zip(routed["distortion"], kept, strict=True)
    ]
    everything = runs(rows("none", half, sure), rows("qrnet-multiple", half, sure), *single, routed)
    evidence = Evidence(everything)
    frame = restore_or_not.against(evidence, "recnet_routed-multiple")
    told = frame[frame["against"] == "recnet-single"]
    assert set(told["distortion"]) == {"noise", "blur"}
    assert set(told["verdict"]) == {"too close to call"}
    assert frame.groupby("distortion")["restored"].first().to_dict() == {
        "blur": 1,
        "clean": 0,
        "noise": 1,
    }
    said = restore_or_not.in_words(frame)
    assert "which is told the distortion, the gate is not clearly different on noise" in said
    assert "–" in restore_or_not.render_gate(frame, "gate").markdown
    finds = restore_or_not.found(evidence, "recnet_routed-multiple")
    assert finds.set_index(["distortion", "level"]).loc[("blur", 3), "blur"] == 1
    assert "100.0 %" in restore_or_not.render_found(finds, "found").markdown
