"""Which records allow which pages, and which profiles are shown."""

from __future__ import annotations

import pytest

from qrlib.experiments import coverage, profiles
from qrlib.experiments.plan import experiments_of
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError


def pretend(profile, part="table2"):
    """Empty files in place of the records that a part needs."""
    for name in coverage.missing(profile, part):
        path = paths.results(profile.name) / "records" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_each_part_needs_its_own_records():
    smoke = profiles.load("smoke")
    seen = {part: set(coverage.missing(smoke, part)) for part in smoke.parts}
    assert "evaluation-small_qrnet-multiple-small_vgg-seed0" in seen["table3"]
    assert seen["figure6"] == {
        f"evaluation-{who}"
        for who in (
            "none-small_resnet",
            "qrnet-multiple-small_resnet-seed0",
            "mqrnet-multiple-small_resnet-seed0",
        )
    }
    everything = {
        x.judged_by(role).evaluation_run for x in experiments_of(smoke) for role in x.judges
    }
    others = {"evaluation-none-small_inception", "evaluation-mqrnet-multiple-small_vgg-seed0"}
    others |= {  # without them Tables 2 and 4 say "not run"
        f"evaluation-{who}-small_vgg-seed0"
        for who in (
            "recnet-noise", "recnet-blur", "recnet-multiple",
            "finetuned-noise", "finetuned-blur",
        )
    }  # fmt: skip
    assert set().union(*seen.values()) == everything - others
    half = profiles.load("caltech101-half")  # ResNet-50 judges other teachers' networks too
    assert len(coverage.missing(half, "figure6")) == len(seen["figure6"])
    with pytest.raises(QrlibError, match="unknown part 'table9'"):
        coverage.missing(smoke, "table9")


def test_one_seed_is_enough_to_show_a_part():
    parts = ["main", "losses"]

    def with_seeds(seeds, others=(0,)):
        smoke = profiles.load("smoke")
        return smoke.model_copy(
            update={"seeds": list(seeds), "other_seeds": list(others), "parts": parts}
        )

    pretend(with_seeds([1]))
    assert coverage.missing(with_seeds([0, 1]), "table2") == []
    pretend(with_seeds([0]), "losses")
    assert coverage.missing(with_seeds([0, 1]), "losses") == []
    apart = coverage.missing(with_seeds([0], others=[2]), "losses")
    assert "evaluation-recnet-multiple-small_vgg-seed2" in apart


def test_pages_follow_the_records():
    smoke = profiles.load("smoke")
    assert coverage.pages(smoke, there=True) == []
    assert coverage.pages(smoke, there=False) == list(coverage.PAGES)
    pretend(smoke)
    assert coverage.pages(smoke, there=True) == ["recovery", "image_quality"]
    pretend(smoke, "figure6")
    assert "classifier_change" in coverage.pages(smoke, there=True)


def test_profiles_with_records_are_shown_the_papers_setting_first(monkeypatch):
    assert coverage.with_records() == []
    assert coverage.recorded() == []
    for name in ("quick", "smoke", "caltech101", "caltech101-half"):
        pretend(profiles.load(name))
    shown = [p.name for p in coverage.with_records()]
    assert shown == ["caltech101", "caltech101-half", "quick"]
    assert set(coverage.recorded()) == {*shown, "smoke"}
    assert [p.name for p in coverage.with_records(["smoke"])] == ["smoke"]
    monkeypatch.setenv("QRLIB_PROFILE", "smoke")
    assert [p.name for p in coverage.with_records()] == ["smoke"]
    monkeypatch.delenv("QRLIB_PROFILE")
    assert coverage.with_records(part="lambda") == []
