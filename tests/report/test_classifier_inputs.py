"""What the classifier was shown: readings of the paper, told apart by the row without a restorer."""

from __future__ import annotations

import pytest
from support.frames import record, runs, unpadded

from qrlib.experiments import profiles
from qrlib.records import store
from qrlib.report import classifier_inputs


def test_readings_are_in_the_order_of_their_distance(monkeypatch):
    rows = {
        "caltech101-normalised": record("none", 0, 0.95, 0.442, 0.459),
        "caltech101-day": runs(
            record("none", 0, 0.89, 0.632, 0.229), record("qrnet-multiple", 0, 0.9, 0.9, 0.9)
        ),
    }
    monkeypatch.setattr(store, "read", lambda name: rows[name].assign(profile=name))
    table = classifier_inputs.table([profiles.load(name) for name in rows])
    # Table 2 prints 0.642 and 0.259.
    assert list(table["profile"]) == ["caltech101-day", "caltech101-normalised"]
    assert list(table["distance"]) == pytest.approx([0.03, 0.2])
    assert list(table["clean_error"]) == pytest.approx([0.0156, 0.0109], abs=1e-4)  # of 400 images
    text = unpadded(classifier_inputs.render(table))
    assert "| the paper | | – | 0.642 | 0.259 | |" in text
    row = "| Keras' weights | RGB in [0, 1], without further scaling | 0.890 ± 0.016 | 0.632 ±"
    assert row in text
    assert "−0.010, −0.030 |" in text
    said = classifier_inputs.conclusion(table)
    assert "Keras' weights, given RGB in [0, 1]" in said
    assert "by 0.030 at most, the next one by 0.200." in said
