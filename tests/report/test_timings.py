"""Times beside the printed ones; a ratio only of one device."""

import math

import numpy as np
import pytest
from support.frames import record, runs, timing, unpadded
from support.made_records import made_record, training_record

from qrlib.records import selection, store, uncertainty
from qrlib.records.selection import Selection
from qrlib.report import labels, timings
from qrlib.utils.errors import QrlibError


def results(**columns):
    return runs(
        timing("none", "milliseconds_per_image", 2.0, **columns),
        timing("qrnet-multiple", "milliseconds_per_image", 3.0, **columns),
        timing("qrnet-multiple", "seconds_per_epoch", 41.5, n=5552, **columns),
    )


def test_table_beside_the_paper():
    found = timings.table(results())
    assert list(found["unit"]) == ["s", "ms", "ms", "times"]
    assert list(found["paper"]) == pytest.approx([167, 8.29, 5.51, 8.29 / 5.51])
    assert list(found["ours"]) == pytest.approx([41.5, 3.0, 2.0, 1.5])
    assert list(found["n"]) == [5552, 256, 256, 256]
    assert set(found["device"]) == {"a GPU"}
    assert set(found["paper_device"]) == {"GeForce GTX TITAN X"}
    assert found["records"].iloc[-1] == ("none-0.json", "qrnet-multiple-0.json")


def test_devices_do_not_mix():
    apart = results()
    apart.loc[apart["restorer"] == "none", "device"] = "a CPU"
    with pytest.raises(QrlibError, match="timed on a GPU with QRNet and on a CPU without"):
        timings.table(apart)
    again = timing("qrnet-multiple", "milliseconds_per_image", 4.0, seed=1)
    assert timings.table(runs(results(), again))["ours"].iloc[1] == pytest.approx(3.5)
    more = runs(results(), again.assign(device="a CPU"))
    with pytest.raises(QrlibError, match="of qrnet-multiple was measured on a CPU, a GPU"):
        timings.table(more)


def test_profiles_and_classifiers_do_not_mix():
    both = runs(results(), results(classifier="resnet50"))
    with pytest.raises(QrlibError, match="mix classifiers"):
        timings.table(both)
    assert len(timings.table(both, Selection(classifier="vgg16"))) == 4
    with pytest.raises(QrlibError, match="no seconds_per_epoch results with profile 'other'"):
        timings.table(results(), Selection(profile="other"))
    with pytest.raises(QrlibError, match="no milliseconds_per_image results of none"):
        timings.table(results()[lambda f: f["restorer"] != "none"])


def test_error_of_a_median_by_simulation():
    random = np.random.default_rng(0)
    drawn = random.normal(5.0, 2.0, size=(4000, 25))
    errors = [uncertainty.standard_error_of_median(list(values)) for values in drawn[:200]]
    assert np.mean(errors) == pytest.approx(np.median(drawn, axis=1).std(), rel=0.05)
    assert math.isnan(uncertainty.standard_error_of_median([1.0, 2.0]))


def test_what_stands_against_comparing_times():
    pair = ("none", "qrnet-multiple")

    def why(metric="milliseconds_per_image", one=None, **other):
        rows = runs(
            timing("none", metric, 2.0, **(one or {})),
            timing("qrnet-multiple", metric, 3.0, **other),
        )
        return timings.hindrance(rows, metric, pair)

    assert why() == ""
    threads = [{"device": f"CPU ({count} threads)"} for count in (2, 4)]
    assert why(one=threads[0], **threads[0]) == ""
    assert why(one=threads[0], **threads[1]) == (
        "times of several devices (CPU (2 threads), CPU (4 threads))"
    )
    assert why(error=math.nan) == "the record of the times has no error: measure them again"
    epochs = why("seconds_per_epoch", error=math.nan)
    assert epochs == "a training of fewer than 3 epochs, too few to show a spread"
    third = timing("recnet-multiple", "milliseconds_per_image", 3.0, device="a CPU", error=math.nan)
    assert timings.hindrance(runs(results(), third), "milliseconds_per_image", pair) == ""


def test_rendered():
    text = unpadded(
        timings.render(timings.table(results()), "times", image_size=224, label="ours (a GPU)")
    )
    assert "| what | unit | paper (GeForce GTX TITAN X) | ours (a GPU) |" in text
    assert "| training epoch with QRNet | s | 167 | 41.5 |" in text
    assert "| classify an image, QRNet in front | ms | 8.29 | 3.00 |" in text
    assert "| ratio of classifying with QRNet to without | times | 1.50 | 1.50 |" in text
    assert "end to end" not in text
    assert "Ours: a GPU;" in text
    assert "The ratio is easier to compare: classifier and image size are the paper's." in text


@pytest.mark.parametrize(("classifier", "side"), [("vgg16", 64), ("small_vgg", 224)])
def test_the_ratio_of_another_setting_is_not_the_papers(classifier, side):
    found = timings.table(results(classifier=classifier))
    text = unpadded(timings.render(found, "times", image_size=side))
    assert f"Nor is the ratio: ours is for {labels.classifier(classifier)} at {side} pixels" in text


def test_end_to_end_has_a_row_and_no_printed_number():
    more = runs(results(), timing("end_to_end-multiple", "milliseconds_per_image", 3.1))
    found = timings.table(more).set_index("what")
    row = found.loc["classify an image, QRNet in front, trained end to end"]
    assert (row["ours"], row["n"]) == (3.1, 256)
    assert found["paper"].isna().sum() == 1
    assert found.loc["ratio of classifying with QRNet to without", "ours"] == pytest.approx(1.5)
    text = unpadded(timings.render(timings.table(more), "times", image_size=224))
    assert "| classify an image, QRNet in front, trained end to end | ms | | 3.10 |" in text


def test_an_epoch_is_of_the_machine_that_trained():
    name, cpu = "timing-qrnet-multiple-vgg16-seed0", {"device": "CPU (1 thread)"}
    store.write(made_record(name, "timing", "quick", results(), cpu | {"epochs_on": "a GPU"}))
    found = timings.table(store.read("quick", kind="timing"))
    assert list(found["device"]) == ["a GPU", *["CPU (1 thread)"] * 3]
    text = unpadded(timings.render(found, "times", image_size=64))
    assert "Ours: trained on a GPU, classified on CPU (1 thread); medians" in text
    store.write(
        made_record(name, "timing", "quick", results(), cpu)
    )  # an older record does not tell
    assert set(store.read("quick", kind="timing")["device"]) == {"CPU (1 thread)"}


def test_seconds_of_training():
    frame = selection.select(
        runs(record("qrnet-multiple", 0, 0.9, 0.8, 0.7), record("end_to_end-multiple", 1, 0.9, 0.8))
    )
    records = [
        training_record("qrnet-multiple", 0.01),
        training_record("end_to_end-multiple", 0.01, seed=1),
    ]
    records[1]["training"]["epochs"][2]["seconds"] = 1000.0  # one epoch that waited for the disk
    found = timings.training_times(records, ["qrnet-multiple", "end_to_end-multiple"], frame)
    assert list(found["value"]) == [20.0, 20.0]
    assert list(found["error"]) == pytest.approx(
        [
            uncertainty.standard_error_of_median([10.0, 20.0, 30.0]),
            uncertainty.standard_error_of_median([10.0, 20.0, 1000.0]),
        ]
    )
    assert list(found["n"]) == [640, 640]
    assert list(found["seed"]) == [0, 1]
    assert len(selection.select(found, metric="seconds_per_epoch")) == 2
    with pytest.raises(QrlibError, match="no training record qrnet-multiple-vgg16-seed0"):
        timings.training_times([], ["qrnet-multiple"], frame)
