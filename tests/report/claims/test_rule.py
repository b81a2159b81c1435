"""The rule at its boundaries, and what there is to judge."""

import math

import numpy as np
import pytest
from support.frames import run, runs

from qrlib.records.selection import LEVELS
from qrlib.records.uncertainty import critical_z, standard_error_of_difference
from qrlib.report.claims import rule
from qrlib.report.claims.comparisons import Comparison
from qrlib.report.claims.evidence import Evidence, Side
from qrlib.report.claims.lines import AtEqualQuality
from qrlib.report.claims.rule import CLOSE, FAILS, HOLDS, NOT_JUDGED, Claim


def test_chance_calls_five_in_a_hundred_whatever_the_number_of_comparisons():
    random = np.random.default_rng(0)
    for k in (1, 4, 10):
        worst = random.normal(size=(20_000, k)).min(axis=1)
        failing = [rule.verdict([d], 1.0, to_fail=k) == FAILS for d in worst]
        assert np.mean(failing) == pytest.approx(0.025, abs=0.004)  # the other half are "holds"
    assert critical_z(1) == pytest.approx(1.96, abs=0.001)


def judged_on(accuracies, one_suffices=False):
    """A claim that QRNet is better than none at each level, none being right half the time."""
    rows = runs(run("none", 0, None, 0.5), run("qrnet-multiple", 0, None, accuracies))
    compared = tuple(
        Comparison(Side("qrnet", "noise", (i,)), Side("none", "noise", (i,))) for i in LEVELS
    )
    return Claim("id", "text", "where", compared, one_suffices).check(Evidence(rows))


def test_of_several_comparisons_one_may_fail_by_chance():
    # One error is 0.035: 0.42 lies 2.3 errors below 0.5, 0.40 lies 2.8; of five, 2.57 are needed.
    better = [0.6] * 4
    assert judged_on([*better, 0.42])["verdict"] == CLOSE
    assert judged_on([*better, 0.40])["verdict"] == FAILS
    # All have to pass for "holds", which needs no correction: 0.58 lies 2.3 errors above.
    assert judged_on([*better, 0.58])["verdict"] == HOLDS
    assert judged_on([*better, 0.56])["verdict"] == CLOSE


def test_where_one_suffices_it_may_hold_by_chance():
    worse = [0.4] * 4
    assert judged_on([*worse, 0.58], True)["verdict"] == CLOSE
    assert judged_on([*worse, 0.60], True)["verdict"] == HOLDS
    assert judged_on([*worse, 0.42], True)["verdict"] == FAILS
    assert judged_on([*worse, 0.44], True)["verdict"] == CLOSE


@pytest.mark.parametrize(
    ("accuracy", "all_must", "one_does"),
    [(0.7, NOT_JUDGED, HOLDS), (0.5, NOT_JUDGED, NOT_JUDGED), (0.3, FAILS, NOT_JUDGED)],
)
def test_what_cannot_be_compared_leaves_what_another_comparison_settles(
    accuracy, all_must, one_does
):
    psnr = {
        "none": [15.0, 14.0, 13.0, 12.0, 11.0],
        "qrnet-multiple": [25.0, 24.0, 23.0, 22.0, 21.0],
    }
    rows = runs(
        run("none", 0, None, 0.5),
        run("qrnet-multiple", 0, None, accuracy),
        *(run(name, 0, None, five, metric="psnr") for name, five in psnr.items()),
    )
    compared = (
        AtEqualQuality("qrnet", "none", "noise", "psnr"),
        Comparison(Side("qrnet", "noise"), Side("none", "noise")),
    )
    for one_suffices, judged in ((False, all_must), (True, one_does)):
        found = Claim("id", "text", "where", compared, one_suffices).check(Evidence(rows))
        assert found["verdict"] == judged
        assert ("overlap by less than 25%" in found["why"]) == (judged == NOT_JUDGED)
        assert found["pairs"] == [None, pytest.approx((accuracy, 0.5))]


def test_the_spread_over_seeds_adds_to_the_error():
    compared = Comparison(Side("qrnet", "noise"), Side("none", "noise"))

    def error(*accuracies):
        found = [run("qrnet-multiple", s, None, a) for s, a in enumerate(accuracies)]
        return rule.judge(compared, Evidence(runs(run("none", 0, None, 0.5), *found)))

    images = standard_error_of_difference(0.7, 0.5, 400)
    assert error(0.7)["standard_error"] == pytest.approx(images)
    assert error(0.7, 0.7)["standard_error"] == pytest.approx(images)
    # 0.6 and 0.8 have a standard deviation of 0.141, their mean an error of 0.1.
    apart = error(0.6, 0.8)
    assert apart["standard_error"] == pytest.approx(math.hypot(images, 0.1))
    assert (apart["seeds"], apart["agree"], apart["verdict"]) == (2, True, CLOSE)
    assert error(0.4, 0.8)["agree"] is False


def test_seeds_that_disagree_are_too_close_to_call():
    assert rule.verdict([0.3, 0.3, -0.001], 0.01) == CLOSE
    assert rule.verdict([0.3, 0.3, 0.0], 0.01) == CLOSE
    assert rule.verdict([-0.3, -0.3, 0.001], 0.01) == CLOSE
    assert rule.verdict([0.3, 0.3, 0.001], 0.01) == HOLDS


ROWS = runs(
    run("none", 0, 0.9, 0.6, 0.3),
    run("qrnet-multiple", 0, 0.9, 0.8, 0.7),
    run("qrnet-multiple", 1, 0.9, 0.84, 0.7),
)


@pytest.mark.parametrize(
    ("relation", "margin", "differences"),
    [
        (">", 0.0, [0.2, 0.24]),
        (">", -0.1, [0.1, 0.14]),
        ("similar", 0.3, [0.1, 0.06]),
        ("differs", 0.03, [0.17, 0.21]),
    ],
)
def test_relations(relation, margin, differences):
    sides = (Side("qrnet", "noise"), Side("none", "noise"))
    found = rule.judge(Comparison(*sides, margin, relation), Evidence(ROWS))
    assert found["difference"] == pytest.approx(sum(differences) / 2)
    assert found["pair"] == pytest.approx((0.82, 0.6))
    assert (found["seeds"], found["verdict"]) == (2, HOLDS)
    turned = rule.judge(Comparison(*sides[::-1], margin, relation), Evidence(ROWS))
    assert turned["verdict"] == (FAILS if relation == ">" else HOLDS)


def test_a_claim_says_what_is_compared():
    sides = [Side(m, "blur", (4, 5)) for m in ("qrnet", "recnet-single", "none")]
    claim = Claim(
        "id",
        "text",
        "where",
        (Comparison(sides[0], sides[2], 0.03), Comparison(sides[1], sides[2])),
        dataset="caltech256",
    )
    assert claim.how == (
        "accuracy, blur levels 4 and 5: QRNet > no restoration − 0.03, RecNet (single) > no "
        "restoration (on Caltech256)"
    )
    assert claim.lacks(Evidence(ROWS)) == ["results on Caltech256"]
    assert claim.check(Evidence(ROWS))["verdict"] == NOT_JUDGED
    other = Evidence(ROWS.assign(dataset="caltech256"))
    assert claim.lacks(other) == ["RecNet (blur)"]
