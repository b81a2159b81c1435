"""Attacks as a run: its record, and what the page makes of it."""

from __future__ import annotations

import pytest

from qrlib import attacks
from qrlib.experiments import headless, profiles, standalone_plan
from qrlib.records import store
from qrlib.report import restore_or_not, unseen_corruptions

FEW = "parts=[main,attacks] data.classes=2 standalone_images=4 evaluation_precision=bf16-mixed"


@pytest.mark.slow
def test_a_run_leaves_a_record_that_a_page_can_be_made_of(monkeypatch):
    monkeypatch.setattr(attacks, "STEPS", 2)  # of which the record knows nothing
    profile = profiles.load("smoke", overrides=FEW)
    assert headless._run_one("attacks", standalone_plan.experiments(profile, "attacks")[-1]) == [
        "attacks"
    ]
    assert store.read_record(profile.name, "attacks")["precision_check"]["agreement"] > 0.995
    results = store.read(profile.name, kind="attacks")
    rows = results.set_index(["restorer", "distortion", "level"])["value"].sort_index()
    assert rows.groupby("restorer").size().to_dict() == dict.fromkeys(
        ("none", "recnet-multiple", "qrnet-multiple"), 7
    )
    # Where there is no restorer to know, the informed attacker makes the same images.
    assert rows["none", "informed_pgd"].tolist() == rows["none", "pgd"].tolist()

    frame = unseen_corruptions.table(unseen_corruptions.evidence_of(profile, "attacks"))
    assert set(frame["corruption"]) == {
        "clean",
        *(f"{kind}_{e}" for kind in ("fgsm", "pgd", "informed_pgd") for e in (2, 8)),
    }
    # The gate's images would have to be attacked through the gate.
    assert restore_or_not.GATED not in set(frame["restorer"])
