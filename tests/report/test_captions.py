"""Sentences for captions say what the numbers say."""

import nbformat
import pandas as pd
from nbformat.v4 import new_code_cell, new_notebook, new_output
from support.frames import record, runs, table2_results

from qrlib.book import notebooks
from qrlib.report import captions, tables

METHODS = ("none", "qrnet")


def test_who_is_most_accurate_at_how_many_levels():
    results = runs(
        record("none", 0, 0.9, 0.6, [0.9, 0.8, 0.2, 0.2, 0.2]),
        record("qrnet-multiple", 0, 0.9, 0.8, [0.8, 0.7, 0.6, 0.5, 0.2]),
    )
    assert captions.levels(results, METHODS) == (
        "No restorer but QRNet was run. Most accurate under noise: QRNet at 5 of 5 levels. Most accurate "
        "under blur: no restoration at 2 of 5 levels, QRNet at 2 of 5 levels and several alike at 1 of 5 "
        "levels. A lead within the bands may be chance."
    )


def test_a_method_of_which_one_network_is_missing_is_told_of_where_it_is_there():
    results = runs(
        record("none", 0, 0.9, 0.6, [0.9, 0.8, 0.2, 0.2, 0.2]),
        record("recnet-noise", 0, 0.9, 0.8, [0.8, 0.7, 0.6, 0.5, 0.4]),
    )
    results = results[(results["restorer"] == "none") | (results["distortion"] != "blur")]
    said = captions.levels(results, ("none", "recnet-single"))
    assert "under noise: RecNet (single) at 5 of 5 levels." in said
    assert "under blur: no restoration at 5 of 5 levels." in said


def test_who_leads_in_the_paper_and_here():
    results = table2_results()
    noise = (results["restorer"] == "recnet-noise") & (results["distortion"] == "noise")
    results.loc[noise, "value"] += 0.1
    assert captions.leaders(tables.table2(results)) == (
        "Most accurate under noise: QRNet in the paper but RecNet (single) here. Most accurate under "
        "blur: QRNet in the paper and here. A lead that is shorter than the bars may be chance."
    )


def test_the_sentence_becomes_part_of_the_caption():
    picture = new_output("display_data", data={"image/svg+xml": "<svg/>"})
    said = new_output("display_data", data={captions.MIME: "It rises.", "text/plain": "It rises."})
    said.data[captions.NOTE] = "Dots are seeds."
    figure = {"mystnb": {"figure": {"caption": "Accuracy."}}}
    content = new_notebook(cells=[new_code_cell(outputs=[said, picture], metadata=figure)])
    notebooks.tidy(content)
    (cell,) = content.cells
    assert cell.outputs == [picture]
    assert cell.metadata.mystnb.figure.caption == "It rises. Accuracy. Dots are seeds."
    nbformat.validate(content)


def test_what_lambda_did_is_said_as_it_was():
    frame = pd.DataFrame(
        {
            "weight": [0.1, 0.01, 0.001],
            "val_quality": [0.0467, 0.0372, 0.0380],
            "val_classification": [1.2, 1.3, 1.4],
            "average": [0.5, 0.55, 0.51],
        }
    )
    assert captions.lambda_sweep(frame) == (
        "As λ goes 0.001 → 0.01 → 0.1, the L1 loss on validation images goes 0.0380 → 0.0372 → 0.0467 "
        "(rises and falls); we expect it to rise. The cross-entropy goes 1.400 → 1.300 → 1.200 (falls); "
        "we expect it to fall. The average accuracy on test images goes 0.510 → 0.550 → 0.500."
    )


def sheet(*rows):
    """Answers on clean, level-3 noise and level-3 blur; the label is always "cat"."""
    kinds = (("clean", 0), ("noise", 3), ("blur", 3))
    return {
        "labels": ["cat"] * len(rows),
        "cases": [{"distortion": kind, "level": level} for kind, level in kinds],
        "answers": [[{"answer": answer} for answer in row.split()] for row in rows],
    }


def test_answers_on_a_sheet_are_counted():
    plain = sheet("cat dog dog", "cat cat dog")
    restored = sheet("cat cat dog", "dog dog cat")
    assert captions.recognised_images(plain) == (
        "Of 2 test images that QRNet restored, the classifier recognises 2 clean, 1 under the strongest noise and 0 under "
        "the strongest blur."
    )
    assert captions.changed_answers(plain, restored, "qrnet") == (
        "The classifier misreads 3 of 4 distorted images. QRNet fixes 2 of them and breaks 1 of the others."
    )


def test_a_few_images_are_told_beside_all():
    told = captions.on_all(table2_results(), levels=(3,))
    assert "under noise (82.0 % with QRNet)" in told
    assert told.endswith(" at level 3.")


def test_the_epoch_of_the_lowest_loss():
    history = pd.DataFrame({"epoch": [1, 2, 3], "val_loss": [3.0, 1.0, 2.0]})
    assert (
        captions.lowest_validation_loss(history) == "The validation loss is lowest in epoch 2 of 3."
    )


def test_lowest_in_the_epoch_that_was_kept():
    epochs = pd.DataFrame(
        [
            ("qrnet", "multiple", 0.05, 1.2, True),
            ("qrnet", "multiple", 0.01, 0.1, False),
            ("recnet-multiple", "multiple", 0.04, None, True),
            ("recnet-noise", "noise", 0.01, None, True),
        ],
        columns=["variant", "distortions", "val_quality", "val_entropy", "kept"],
    )
    assert captions.learning(epochs) == (
        "Of the networks for both distortions, RecNet (multiple) has the lowest L1 (0.0400) and QRNet "
        "has the lowest cross-entropy (1.2000), in the epoch that was kept."
    )
    assert captions.learning(epochs.iloc[:0]) == ""
