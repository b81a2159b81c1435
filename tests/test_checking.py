"""The rule at its boundaries, and what there is to judge."""

import pytest
from frames import run, runs

from qrlib import checking
from qrlib.checking import CLOSE, FAILS, HOLDS, NOT_RUN, Claim
from qrlib.comparisons import Comparison, Side
from qrlib.evidence import Evidence


def test_boundary_of_one_standard_error():
    error = checking.standard_error(0.5, 0.5, 200)
    assert error == pytest.approx(0.05)
    assert checking.verdict([0.05], 0.05) == HOLDS
    assert checking.verdict([0.0499], 0.05) == CLOSE
    assert checking.verdict([-0.0499], 0.05) == CLOSE
    assert checking.verdict([-0.05], 0.05) == FAILS
    assert checking.verdict([0.0], 0.0) == CLOSE


def test_seeds_that_disagree_are_too_close_to_call():
    assert checking.verdict([0.3, 0.3, -0.001], 0.01) == CLOSE
    assert checking.verdict([0.3, 0.3, 0.0], 0.01) == CLOSE
    assert checking.verdict([-0.3, -0.3, 0.001], 0.01) == CLOSE
    assert checking.verdict([0.3, 0.3, 0.001], 0.01) == HOLDS


def test_no_seed_is_too_close_to_call():
    assert checking.verdict([], 0.1) == CLOSE


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
    found = checking.judge(Comparison(*sides, margin, relation), Evidence(ROWS))
    assert found["difference"] == pytest.approx(sum(differences) / 2)
    assert found["pair"] == pytest.approx((0.82, 0.6))
    assert (found["seeds"], found["verdict"]) == (2, HOLDS)
    turned = checking.judge(Comparison(*sides[::-1], margin, relation), Evidence(ROWS))
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
    assert claim.check(Evidence(ROWS))["verdict"] == NOT_RUN
    other = Evidence(ROWS.assign(dataset="caltech256"))
    assert claim.lacks(other) == ["recnet-blur"]
