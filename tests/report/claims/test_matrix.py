"""All claims and runs at a glance."""

import base64
import json
import re

import pytest
from support.frames import table2_results

from qrlib.experiments import profiles
from qrlib.report.claims import check, matrix, rule


@pytest.fixture(scope="module")
def found():
    first = check.check(table2_results())
    second = first.copy()
    holds = second.index[second["verdict"] == rule.HOLDS][0]
    second.loc[holds, "verdict"] = rule.FAILS
    return {"caltech101": first, "quick": second}


SHOWN = [profiles.load("caltech101"), profiles.load("quick")]


def test_each_claim_has_a_row_a_place_and_a_verdict_a_run(found):
    shown = matrix.table(found, SHOWN).html
    ids = list(found["quick"]["id"])
    assert re.findall(r'<tr id="claim-([^"]+)"', shown) == ids
    assert shown.count("<td class=") == 2 * len(ids)
    # Where one run confirms and the other contradicts, the setting decides.
    assert shown.count(f">{matrix.DEPENDS}</abbr>") == 1


def test_the_bar_counts_the_claims(found):
    assert (
        f"{check.counts(found['quick'])[rule.FAILS]} {rule.FAILS}"
        in matrix.bar(found["quick"]).html
    )


def test_power_is_named_only_where_something_was_compared(found):
    for row in found["caltech101"].to_dict("records"):
        least = matrix.least_difference(row)
        assert bool(least) == (row["verdict"] != rule.NOT_JUDGED)
        if least and row["comparisons"][row["decides"]]["metric"] == "accuracy":
            assert float(least) == pytest.approx(1.96 * row["standard_error"], abs=6e-4)


def test_the_verdicts_can_be_taken_away(found):
    link = re.search(
        r'href="data:application/json[^,]*,([^"]+)"', matrix.as_json(found, SHOWN).html
    )
    content = json.loads(base64.b64decode(link[1]))
    assert [c["id"] for c in content["quick"]["claims"]] == list(found["quick"]["id"])
