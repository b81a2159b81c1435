"""The sweep of lambda: parts of the loss from training records, accuracies from evaluations."""

import pytest
from support.frames import record, runs, unpadded
from support.made_records import training_record

from qrlib.report import lambda_sweep, tables
from qrlib.report.claims.evidence import Evidence
from qrlib.utils.errors import QrlibError


def results():
    made = [record("qrnet-multiple", seed, 0.9, 0.8 + 0.02 * seed, 0.7) for seed in (0, 1)]
    made += [record("qrnet_lambda_0.1-multiple", 0, 0.9, 0.78, 0.72)]
    made += [record("qrnet_lambda_0.001-multiple", s, 0.9, 0.79, 0.61) for s in (0, 1)]
    return runs(*made)


def records():
    return [
        training_record("qrnet-multiple", 0.01, 0, 0.04, 1.5),
        training_record("qrnet-multiple", 0.01, 1, 0.06, 1.7),
        training_record("qrnet_lambda_0.1-multiple", 0.1, 0, 0.05, 1.4),
        training_record("qrnet_lambda_0.001-multiple", 0.001, 0, 0.03, 1.9),
        training_record("qrnet_lambda_0.001-multiple", 0.001, 1, 0.03, 1.9),
    ]


def test_table_by_hand():
    found = lambda_sweep.table(results(), records())
    assert list(found["weight"]) == [0.1, 0.01, 0.001]
    # Only seed 0 was trained with every lambda, so seed 1 counts nowhere.
    assert list(found["seeds"]) == [(0,)] * 3
    assert list(found["val_quality"]) == pytest.approx([0.05, 0.04, 0.03])
    assert list(found["val_classification"]) == pytest.approx([1.4, 1.5, 1.9])
    assert list(found["val_accuracy"]) == [0.9] * 3
    assert list(found["val_loss"]) == pytest.approx([0.19, 0.055, 0.0319])
    assert list(found["noise"]) == pytest.approx([0.78, 0.8, 0.79])
    assert list(found["average"]) == pytest.approx([0.75, 0.75, 0.70])
    assert list(found["best_epochs"]) == [(2,)] * 3
    assert found["val_quality_error"].isna().all(), "one seed shows no spread"
    trained = "qrnet_lambda_0.1-multiple-vgg16-seed0.json"
    assert found["records"].iloc[0] == (trained, "qrnet_lambda_0.1-multiple-0.json")
    assert list(found["profile"]) == ["quick"] * 3


def test_means_over_the_seeds_that_all_have():
    more = runs(results(), record("qrnet_lambda_0.1-multiple", 1, 0.9, 0.76, 0.74))
    trained = [*records(), training_record("qrnet_lambda_0.1-multiple", 0.1, 1, 0.07, 1.6)]
    found = lambda_sweep.table(more, trained)
    assert list(found["seeds"]) == [(0, 1)] * 3
    assert found["val_quality"].iloc[0] == pytest.approx(0.06)
    assert found["noise"].iloc[1] == pytest.approx(0.81)
    assert found["noise_values"].iloc[1] == pytest.approx((0.80, 0.82))
    assert found["val_quality_error"].iloc[0] == pytest.approx(0.01), "half of the seeds' distance"
    with_none = runs(more, record("none", 0, 0.9, 0.5, 0.5))
    cells = tables.table2(with_none).query("row == 'noise' and column == 'qrnet'")
    assert found["noise_error"].iloc[1] == pytest.approx(cells["standard_error"].item())


def test_each_lambda_is_held_against_our_own():
    said = lambda_sweep.in_words(Evidence(results()))
    assert [text.split(",")[0] for text in said] == ["λ = 0.1", "λ = 0.001"]
    assert "on noisy images (" in said[0]


def test_refusals():
    only = results()[lambda f: f["restorer"] == "qrnet-multiple"]
    with pytest.raises(
        QrlibError, match=r"no results of qrnet_lambda_\*.*python -m qrlib run quick"
    ):
        lambda_sweep.table(only, records())
    apart = results()
    apart.loc[apart["restorer"] == "qrnet_lambda_0.1-multiple", "seed"] = 5
    with pytest.raises(QrlibError, match=r"no seed in common.*qrnet_lambda_0.1.*\[5\]"):
        lambda_sweep.table(apart, records())
    with pytest.raises(
        QrlibError, match="no training record qrnet_lambda_0.1-multiple-vgg16-seed0"
    ):
        lambda_sweep.table(results(), [r for r in records() if "0.1" not in r["name"]])


def test_other_restorers_are_no_part_of_it():
    more = runs(results(), record("qrnet_unpretrained-multiple", 0, 0.9, 0.1, 0.1))
    assert len(lambda_sweep.table(more, records())) == 3


def test_rendered():
    text = unpadded(lambda_sweep.render(lambda_sweep.table(results(), records()), "lambda-quick"))
    assert "| 0.1 | 0.0500 | 1.400 | 0.900 | 0.780 | 0.720 | 0.750 |" in text
    assert "From seed 0. " in text
    assert "400 test images" in text
