"""The estimate's counts are those of the networks, and its schedule is one that GPUs could follow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qrlib import estimate, experiments, profiles, store
from qrlib.estimate import Job

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def profile():
    return profiles.load("caltech101")


@pytest.fixture(scope="module")
def work(profile):
    return estimate.jobs(profile)


def test_operations_are_counted_from_the_networks():
    forward, both = estimate.restorer_flops(224)
    # Table 1's convolutions by hand, two operations a multiplication with its addition.
    layers, side, before = [(32, 2), (64, 2), (128, 2), (128, 2)], 224, 3
    expected = 0
    for channels, count in layers:
        for _ in range(count):
            expected += 2 * 9 * before * channels * side**2
            before = channels
        side //= 2
    assert forward > expected  # the encoder alone
    assert 2.9 < both / forward < 3.1  # backward computes two convolutions for each forward one
    settings = profiles.load("caltech101").classifier
    through, back = estimate.classifier_flops(settings, 224)
    assert through == pytest.approx(30.9e9, rel=0.01)  # VGG16's 15.5 billion multiplications
    assert back == pytest.approx(2 * through, rel=0.01)  # frozen: the images' gradient, no weights'


def test_the_papers_epoch_takes_the_papers_time(profile, work):
    rate = estimate.paper_rate(profile)
    (timed,) = [j for j in work if j.name == experiments.timed(profile).recovery_run]
    assert timed.epoch / rate == pytest.approx(167)
    assert 3e12 < rate < 6.7e12  # below what a GeForce GTX TITAN X can do at most


def test_every_run_of_the_profile_is_counted_after_what_it_needs(profile, work):
    names = [j.name for j in work]
    assert len(names) == len(set(names)) == len(experiments.plan(profile))
    for place, j in enumerate(work):
        assert set(j.after) <= set(names[:place])
        assert j.operations(50) > 0
    costs = {j.name: j.epoch for j in work}
    qrnet = costs["qrnet-multiple-vgg16-seed0"]
    assert costs["recnet-multiple-seed0"] < costs["small_qrnet-multiple-vgg16-seed0"] < qrnet
    assert qrnet < costs["mqrnet-multiple-vgg16-inception_v3-seed0"]


def line(name, seconds, *after):
    return Job(name, 0.0, seconds * 1.0, after, None)


def test_schedule_of_a_small_graph():
    graph = [line("a", 3600), line("b", 7200, "a"), line("c", 3600, "a"), line("d", 3600)]
    assert estimate.hours(graph, 1, 1.0, 1)[:2] == (4.0, 1.0)
    took, busy, chain = estimate.hours(graph, 2, 1.0, 1)
    assert (took, chain) == (3.0, ["a", "b"])
    assert busy == pytest.approx(5 / 6)
    assert estimate.hours(graph, 64, 1.0, 1)[0] == 3.0


@pytest.mark.parametrize("gpus", estimate.GPUS)
def test_no_schedule_beats_its_bounds(work, profile, gpus):
    rate = estimate.paper_rate(profile)
    took, busy, chain = estimate.hours(work, gpus, rate, 50)
    total = sum(j.operations(50) for j in work) / rate / 3600
    known = {j.name: j for j in work}
    longest: dict[str, float] = {}
    for j in work:
        before = max((longest[n] for n in j.after), default=0.0)
        longest[j.name] = before + j.operations(50) / rate / 3600
    assert took >= max(total / gpus, *longest.values()) - 1e-9
    assert busy == pytest.approx(total / gpus / took)
    assert sum(known[n].operations(50) for n in chain) / rate / 3600 <= took + 1e-9
    if gpus == 64:
        assert took == pytest.approx(max(longest.values()))


def page() -> str:
    return (ROOT / "book" / "machines.md").read_text("utf-8")


def test_the_pages_table_is_what_the_code_gives(profile):
    rows = [r for r in str(estimate.table(profile)).splitlines() if r.startswith("|")]
    assert "\n".join(rows) in page()


def test_the_pages_numbers_are_those_of_records_and_counts(profile, work, monkeypatch):
    monkeypatch.setenv("QRLIB_RESULTS", str(ROOT / "results"))
    text = page()
    rate = estimate.paper_rate(profile)
    assert f"{rate / 1e12:.1f} TFLOP/s" in text
    total = sum(j.operations(50) for j in work)
    assert f"{total / 1e15:.0f} PFLOP" in text
    small = profiles.load("caltech101-cpu")
    core = estimate.recorded_rate(small)
    assert f"{core / 1e9:.0f} GFLOP/s" in text
    assert f"{total / core / 86400:.0f} days" in text
    # How far a run's time is from its share of the operations: the estimate's own error.
    for kind, shares in estimate.shares(small).items():
        counted, took = shares
        assert re.search(rf"\| {kind} \| {counted:.2f} \| {took:.2f} \|", text), (kind, shares)


def test_shares_come_from_records(monkeypatch):
    monkeypatch.setenv("QRLIB_RESULTS", str(ROOT / "results"))
    small = profiles.load("caltech101-cpu")
    epochs = {
        kind: store.read_record(small.name, name)["training"]["epochs"]
        for kind, name in estimate.COMPARED.items()
    }
    took = {k: min(e["seconds"] for e in rows) for k, rows in epochs.items()}
    for kind, (_, share) in estimate.shares(small).items():
        assert share == pytest.approx(took[kind] / took["QRNet"])
