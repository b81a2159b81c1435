"""What foretells whether an image is recognised, on images made up for it."""

import numpy as np
import pytest
from support.answers import N, halves, rows

from qrlib.report import quality_index
from qrlib.report.figures import changes


@pytest.fixture
def results():
    return halves()


def test_what_foretells_recognition(results):
    frame = quality_index.table(results)
    assert set(frame["measure"]) == set(quality_index.MEASURES)
    assert frame["within"].tolist() == pytest.approx([1.0] * len(frame))  # made so
    said = quality_index.in_words(frame)
    assert said == (
        "The classifier's confidence says most (AUC 1.00 to 1.00). PSNR and SSIM have an AUC of 1.00 to 1.00."
    )
    poor = frame["within"].mask(frame["measure"].isin(("psnr", "ssim")), 0.64)
    little = quality_index.in_words(frame.assign(within=poor))
    assert little.endswith(" PSNR and SSIM hardly foretell recognition (0.64 to 0.64).")
    worse = (frame["measure"] == "confidence") & (frame["distortion"] == "blur")
    other = quality_index.in_words(frame.assign(within=frame["within"].mask(worse, 0.5)))
    assert other.startswith(
        "Says most: the classifier's confidence under noise, no restoration (1.00);"
    )
    assert "entropy of the answer (low is good) under blur, QRNet (1.00)" in other
    text = quality_index.render_table(frame, "index").markdown
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 1 + 5
    assert [ax.get_title() for ax in changes.by_measure(frame).axes] == [
        "Gaussian noise",
        "Gaussian blur",
    ]


def test_older_records_keep_only_measures_of_images(results):
    old = results.assign(confidence=None, entropy=None, feature_distance=None)
    assert set(quality_index.foretelling(old, method="qrnet")["measure"]) == {"psnr", "ssim"}


def test_where_all_answers_are_alike_nothing_is_foretold():
    same = rows("qrnet-multiple", np.ones(N, bool), np.full(N, 0.9))
    assert quality_index.foretelling(same, method="qrnet").empty


def test_auc_is_the_share_of_pairs_in_order_and_has_its_error():
    values, truth = np.array([1, 2, 2, 3, 4.0]), np.array([0, 0, 1, 1, 0], bool)
    pairs = [(y > n) + 0.5 * (y == n) for y in values[truth] for n in values[~truth]]
    assert quality_index.auc(values, truth)[0] == pytest.approx(np.mean(pairs))
    areas, rng = [], np.random.default_rng(0)
    for _ in range(300):
        truth = np.arange(200) < 80
        areas.append(quality_index.auc(rng.normal(size=200) + truth, truth))
    found, told = np.transpose(areas)
    assert told.mean() == pytest.approx(found.std(), rel=0.15)
