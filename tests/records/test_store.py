"""Records: checked on the way in and out, written whole or not at all."""

from __future__ import annotations

import copy
import json
import math

import pytest
from support.corpus import RECORD, RESULT

from qrlib.records import per_image, store
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError


def result(**changes):
    return RESULT | changes


def timing(**changes):
    return result(restorer="none", metric="milliseconds_per_image", level=3, value=2.5, **changes)


def samples(**changes):
    """A sheet of two images in two cases."""
    cases = [("clean", 0, 0.0), ("blur", 3, 6.0)]
    return {
        "file": "samples/evaluation-none.webp",
        "sha256": "0" * 64,
        "side": 64,
        "ids": ["a", "b"],
        "labels": ["cat", "dog"],
        "cases": [dict(zip(("distortion", "level", "strength"), c, strict=True)) for c in cases],
        "answers": [[{"answer": "cat", "confidence": 0.75}] * 2] * 2,
        **changes,
    }


def record(name="evaluation-none", kind="evaluation", **changes):
    results = {"evaluation": [result()], "timing": [timing()]}.get(kind, [])
    return copy.deepcopy(RECORD | {"name": name, "kind": kind, "results": results} | changes)


def test_round_trip():
    path = store.write(record())
    assert path == paths.results("smoke") / "records" / "evaluation-none.json"
    assert store.read_record("smoke", "evaluation-none") == record()
    store.write(record(results=[result(value=0.75)]))
    assert store.read_record("smoke", "evaluation-none")["results"][0]["value"] == 0.75


def test_read_is_a_tidy_table():
    store.write(record("b", results=[result(), result(metric="psnr", value=20.0)]))
    store.write(record("a"))
    store.write(record("c", kind="recovery", training={"epochs": []}))
    frame = store.read("smoke")
    assert list(frame.columns) == [
        "profile", "dataset", "restorer", "classifier", "distortion", "level", "strength",
        "seed", "metric", "value", "n", "record", "device",
    ]  # fmt: skip
    assert set(frame["device"]) == {"CPU"}
    assert frame["record"].tolist() == ["a.json", "b.json", "b.json"]
    assert [r["name"] for r in store.read_records("smoke")] == ["a", "b", "c"]
    assert [r["name"] for r in store.read_records("smoke", "recovery")] == ["c"]


def test_what_is_known_of_each_image_is_read_where_it_is_asked_for():
    store.write(record("old"))
    for column in per_image.COLUMNS:
        assert store.read("smoke", images=True)[column].tolist() == [None]
    known = {"right": "8180", "confidence": "AP8=", "entropy": "AA==", "feature_distance": "AQ=="}
    rows = [result(**known, n=9), result(metric="psnr", images="PVD/")]
    store.write(record("new", results=rows))
    assert not {*per_image.COLUMNS} & {*store.read("smoke")}
    for column, text in {**known, "images": "PVD/"}.items():
        assert store.read("smoke", images=True)[column].dropna().tolist() == [text]
    with pytest.raises(QrlibError, match="right"):
        store.write(record("bad", results=[result(right="8 of 9")]))


def test_nothing_there_says_how_to_make_it():
    with pytest.raises(QrlibError, match="no records of profile 'smoke'.*run smoke"):
        store.read("smoke")
    store.write(record("c", kind="recovery"))
    for kind in ("evaluation", "timing"):
        with pytest.raises(QrlibError, match=f"'smoke' has no {kind} yet"):
            store.read("smoke", kind)
    with pytest.raises(QrlibError, match="no record at .*x.json"):
        store.read_record("smoke", "x")
    with pytest.raises(QrlibError, match="unknown record kind 'table'"):
        store.read_records("smoke", "table")


def test_timings_are_read_apart():
    store.write(record())
    store.write(record("timing-none", kind="timing"))
    frame = store.read("smoke", kind="timing")
    assert frame["metric"].tolist() == ["milliseconds_per_image"]
    assert frame["record"].tolist() == ["timing-none.json"]
    assert store.read("smoke")["metric"].tolist() == ["accuracy"]
    with pytest.raises(QrlibError, match="unknown kind of results 'recovery'.*evaluation, timing"):
        store.read("smoke", kind="recovery")


def test_only_a_time_has_an_error_and_an_older_one_has_none():
    store.write(record("timing-new", kind="timing", results=[timing(error=0.02)]))
    store.write(record("timing-old", kind="timing", results=[timing(seed=1)]))
    frame = store.read("smoke", kind="timing").set_index("seed")
    assert frame.loc[0, "error"] == 0.02
    assert math.isnan(frame.loc[1, "error"])
    with pytest.raises(QrlibError, match="results/0/error: only a time has one"):
        store.write(record(results=[result(error=0.02)]))
    with pytest.raises(QrlibError, match="should be greater than or equal to 0, not -0.02"):
        store.write(record("timing-new", kind="timing", results=[timing(error=-0.02)]))


def test_samples_round_trip():
    store.write(record(samples=samples()))
    assert store.read_record("smoke", "evaluation-none")["samples"] == samples()


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"file": "../evaluation-none.webp"}, "samples/file"),
        ({"sha256": "abc"}, "samples/sha256"),
        ({"labels": ["cat"]}, "samples: 2 ids need as many labels"),
        ({"answers": [[{"answer": "cat", "confidence": 0.5}] * 2]}, "samples: 2 ids need"),
        ({"answers": [[{"answer": "cat", "confidence": 0.5}]] * 2}, "samples: 2 cases need"),
        ({"answers": [[{"answer": "cat", "confidence": 75}] * 2] * 2}, "samples/answers/0/0/conf"),
        ({"cases": [{"distortion": "rain", "level": 1, "strength": 1.0}]}, "samples/cases/0/dist"),
    ],
)
def test_samples_that_do_not_fit_are_refused(changed, where):
    with pytest.raises(QrlibError, match=f"breaks the schema at {where}"):
        store.write(record(samples=samples(**changed)))


BREAKS = {
    "missing field": (lambda r: r.pop("config"), "config: Field required"),
    "missing in result": (lambda r: r["results"][0].pop("n"), "results/0/n: Field required"),
    "missing in provenance": (lambda r: r["provenance"].pop("code"), "provenance/code"),
    "no version": (lambda r: r["provenance"].pop("behaviour"), "provenance/behaviour"),
    "version in words": (lambda r: r["provenance"].update(behaviour="1"), "provenance/behaviour"),
    "extra field": (lambda r: r.update(note="x"), "note: Extra inputs"),
    "extra in result": (lambda r: r["results"][0].update(x=1), "results/0/x: Extra inputs"),
    "text value": (lambda r: r["results"][0].update(value="0.5"), "results/0/value"),
    "unknown metric": (lambda r: r["results"][0].update(metric="loss"), "results/0/metric"),
    "other kind's metric": (
        lambda r: r["results"][0].update(metric="seconds_per_epoch"),
        "results/0/metric",
    ),
    "unknown kind": (lambda r: r.update(kind="table"), "kind: .*, not 'table'"),
    "corruption in an evaluation": (
        lambda r: r["results"][0].update(distortion="fog"),
        "results/0/distortion: 'fog' is no distortion",
    ),
    "other kind's metric, of corruptions": (
        lambda r: (r.update(kind="corruptions"), r["results"][0].update(metric="psnr")),
        "results/0/metric",
    ),
    "no name of a corruption": (
        lambda r: (r.update(kind="corruptions"), r["results"][0].update(distortion="../fog")),
        "results/0/distortion",
    ),
    "no image": (lambda r: r["results"][0].update(n=0), "results/0/n"),
    "a sheet of times": (lambda r: r.update(samples=samples(), kind="timing"), ""),
    "other schema": (lambda r: r.update(schema=99), "schema"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_schema_violations_are_named_on_writing_and_reading(name):
    change, where = BREAKS[name]
    path = store.write(record())
    change(broken := record())
    with pytest.raises(QrlibError, match=f"record 'evaluation-none' breaks the schema at {where}"):
        store.write(broken)
    assert store.read_record("smoke", "evaluation-none") == record()
    path.write_text(json.dumps(broken))
    with pytest.raises(QrlibError, match=f"evaluation-none.json breaks the schema at {where}"):
        store.read("smoke")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused(value):
    path = store.write(record())
    with pytest.raises(QrlibError, match=r"results/0/value: .* finite number"):
        store.write(record(results=[result(value=value)]))
    assert store.read_record("smoke", "evaluation-none") == record()
    path.write_text(json.dumps(record(results=[result(value=value)])))
    with pytest.raises(QrlibError, match=r"evaluation-none\.json is damaged"):
        store.read("smoke")
