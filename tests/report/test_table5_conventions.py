"""Which conventions give the printed numbers of Table 5, measured against by standard errors."""

from __future__ import annotations

import json
import math
import statistics

import numpy as np
import pandas as pd
import pytest
from support.frames import unpadded

from qrlib import distortions, paper
from qrlib.experiments import conventions
from qrlib.records import store
from qrlib.report import table5_conventions
from qrlib.utils import paths


def measured(**means):
    """Rows of conventions with given (noise PSNR, noise SSIM, blur PSNR, blur SSIM), two levels."""
    rows = [
        {
            "convention": name.replace("_", " "),
            "factor": "none" if name == "ours" else name.replace("_", " "),
            "distortion": distortion, "level": level, "strength": 1.0, "metric": metric,
            "value": value + shift, "error": error * (1 if metric == "psnr" else 0.05), "n": 100,
            "profile": "smoke", "record": "conventions.json",
        }
        for name, values in means.items()
        for (distortion, metric), value in zip(table5_conventions.NUMBERS, values, strict=True)
        for level, shift, error in ((1, 0.5, 0.08), (2, -0.5, 0.12))
    ]  # fmt: skip
    return pd.DataFrame(rows)


PRINTED = [paper.printed(5, "Caltech101", d, "none", m) for d, m in table5_conventions.NUMBERS]


def test_distances_are_in_errors_of_the_difference():
    off = [PRINTED[0] + 0.3, PRINTED[1], PRINTED[2], PRINTED[3] - 0.02]
    frame = table5_conventions.compare(measured(ours=off, the_papers=PRINTED))
    mine = frame[frame["convention"] == "ours"]
    np.testing.assert_allclose(mine["value"], off)
    np.testing.assert_allclose(mine["gap"], [0.3, 0, 0, -0.02], atol=1e-9)
    # 100 images of 8,677, and a fifth of them, each drawn without replacement.
    paired = (1 - 100 / 8677 + 0.8 * 100 / (0.2 * 8677)) ** 0.5
    expected = [0.3 / (0.1 * paired), 0, 0, 0.02 / (0.005 * paired)]
    np.testing.assert_allclose(mine["distance"], expected, atol=1e-9)
    ranked = table5_conventions.distances(frame)
    assert list(ranked.index) == ["the papers", "ours"]
    assert ranked["ours"] == pytest.approx(0.02 / (0.005 * paired))
    assert table5_conventions.shifts(frame)["the papers"] == pytest.approx(ranked["ours"])
    text = unpadded(table5_conventions.table(frame, "Four numbers.", "conventions-smoke"))
    assert "| paper, Table 5 | 15.29 | 0.330 | 19.77 | 0.656 | |" in text
    assert text.index("| the papers | 15.29") < text.index("| ours | 15.59 | 0.330")


@pytest.mark.slow
def test_the_error_of_a_difference_is_that_of_two_draws_without_replacement():
    chance = np.random.default_rng(0)
    images = chance.normal(size=table5_conventions.IMAGES)
    share = round(paper.setting("test share") * table5_conventions.IMAGES)
    drawn = [
        chance.permutation(images)[:1000].mean() - chance.permutation(images)[:share].mean()
        for _ in range(4000)
    ]
    doubt = table5_conventions.standard_error_of_gap(images.std() / 1000**0.5, 1000)
    assert doubt == pytest.approx(np.std(drawn), rel=0.05)  # four standard errors of 4,000 draws
    assert statistics.NormalDist().cdf(table5_conventions.AGREE) == pytest.approx(
        (1 + 0.95**0.25) / 2
    )


def test_the_conclusion_follows_the_numbers():
    near, far = list(PRINTED), [PRINTED[0] - 2, PRINTED[1] - 0.1, PRINTED[2], PRINTED[3]]
    right = table5_conventions.compare(measured(ours=near, clipping=far, rounding=near))
    wrong = table5_conventions.compare(measured(ours=far, clipping=near, rounding=far))
    right_text, wrong_text = (
        " ".join(table5_conventions.conclusion(f, True)) for f in (right, wrong)
    )
    assert "under “ours”, “rounding”." in right_text
    assert "under “clipping”." in wrong_text
    assert "Noise PSNR by itself agrees under ours. Single changes that end this: “clipping”" in (
        right_text
    )
    assert "does not agree under ours. Single changes that mend this: “clipping”" in wrong_text
    assert "nearest to Table 5 is “clipping”" in wrong_text
    for text in (right_text, wrong_text):
        assert "Table 5 cannot decide about them: “rounding”." in text
        assert "not the images of Table 5" not in text
    assert table5_conventions.conclusion(right, False)[0].startswith(
        "These are not the images of Table 5"
    )
    none = table5_conventions.compare(measured(ours=far))
    assert "difference under none." in " ".join(table5_conventions.conclusion(none, True))


def test_the_committed_record(monkeypatch):
    monkeypatch.delenv("QRLIB_RESULTS")
    record = store.read_record("caltech101", "conventions")
    assert record["provenance"]["git_dirty"] is False
    assert set(record["config"]["conventions"]) == {c.name for c in conventions.conventions()}
    frame = table5_conventions.compare(store.read_conventions("caltech101"))
    ranked = table5_conventions.distances(frame)
    # Unclipped noise has one PSNR whatever the image: the mean over levels is known.
    expected = np.mean([20 * math.log10(255 / s) for s in distortions.NOISE_SIGMAS])
    unclipped = frame[(frame["convention"] == "noise unclipped") & (frame["metric"] == "psnr")]
    assert unclipped["value"].iloc[0] == pytest.approx(expected, abs=0.005)
    assert ranked["noise unclipped"] > 10
    # What the conventions page reports: one convention agrees with all four printed numbers.
    assert ranked.iloc[0] <= table5_conventions.AGREE < ranked.iloc[1]


def test_the_committed_page_says_what_follows_from_the_committed_record(monkeypatch):
    monkeypatch.delenv("QRLIB_RESULTS")
    found = table5_conventions.conclusion(
        table5_conventions.compare(store.read_conventions("caltech101")), True
    )
    page = json.loads((paths.results("caltech101") / "notebooks/conventions.ipynb").read_text())
    outputs = [out for cell in page["cells"] for out in cell.get("outputs", [])]
    shown = "".join("".join(out.get("data", {}).get("text/markdown", "")) for out in outputs)
    assert len(found) > 2
    assert [sentence for sentence in found if sentence not in shown] == []
