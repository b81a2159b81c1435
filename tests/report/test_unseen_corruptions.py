"""What is said of restorers on unseen corruptions, from results made up for it."""

import numpy as np
import pandas as pd
import pytest
from support.frames import unpadded

from qrlib.records import per_image
from qrlib.records.uncertainty import critical_z
from qrlib.report import restore_or_not, unseen_corruptions
from qrlib.report.claims.evidence import Evidence

N = 400
#: How many images QRNet wins back, or loses, on a corruption; without it half are recognised.
CHANGES = {"clean": 0, "fog": -60, "jpeg_compression": 8, "gaussian_noise": 80}


def results():
    rows = []
    for kind, change in CHANGES.items():
        for level in (0,) if kind == "clean" else (1, 3, 5):
            for restorer, more in (("none", 0), ("qrnet-multiple", change)):
                right = np.arange(N) < N // 2 + more
                kept = per_image.pack(right, "accuracy", confidence=np.where(right, 0.9, 0.4))
                row = {"profile": "quick", "dataset": "caltech101", "classifier": "vgg16", "n": N}
                row |= {"restorer": restorer, "distortion": kind, "level": level, "strength": level}
                row |= {"seed": 0, "metric": "accuracy", "value": right.mean()}
                rows.append(row | {"record": "corruptions.json"} | kept)
    return pd.DataFrame(rows)


@pytest.fixture
def frame():
    evidence = Evidence(restore_or_not.with_gate(results()))
    return unseen_corruptions.table(evidence)


def test_harm_comes_first_and_chance_gets_no_verdict(frame):
    qrnet = frame[frame["restorer"] == "qrnet-multiple"].set_index("corruption")
    assert list(qrnet.index) == ["fog", "clean", "jpeg_compression", "gaussian_noise"]
    assert qrnet["gain"].tolist() == pytest.approx([-0.15, 0, 0.02, 0.2])
    # 8 of 400 images are 2.8 standard errors: enough alone, and for four that could come by chance.
    assert qrnet.loc["jpeg_compression", "standard_error"] == pytest.approx(0.007, abs=1e-4)
    assert qrnet["verdict"].tolist() == ["worse", "no clear difference", "better", "better"]
    assert set(frame["records"]) == {("corruptions.json",)}


def test_verdicts_are_corrected_for_how_many_there_are():
    """Nine corruptions more, and what two standard errors and a half told was chance."""
    more = results()
    six = more["distortion"] == "jpeg_compression"
    right = np.arange(N) < N // 2 + 6
    changed = six & (more["restorer"] == "qrnet-multiple")
    more.loc[changed, "right"] = per_image.pack_truth(right)
    more.loc[changed, "value"] = right.mean()
    alike = [more[more["distortion"] == "fog"].assign(distortion=f"fog_{i}") for i in "abcdefghi"]
    verdicts = []
    for rows in (more[six], pd.concat([more, *alike])):
        frame = unseen_corruptions.table(Evidence(rows))
        verdicts += frame.loc[frame["corruption"] == "jpeg_compression", "verdict"].tolist()
    assert verdicts == ["better", "no clear difference"]


def test_a_sentence_says_where_it_harms_and_where_it_helps(frame):
    said = unseen_corruptions.in_words(frame, "qrnet-multiple")
    assert said == ("QRNet does harm on fog, and helps on Gaussian noise and JPEG compression.")
    clean = frame["corruption"] == "clean"
    harmed = frame.assign(
        verdict=frame["verdict"].mask(clean, "worse"), gain=frame["gain"].mask(clean, -0.05)
    )
    said = unseen_corruptions.in_words(harmed, "qrnet-multiple")
    assert said.endswith("and JPEG compression. On clean images it does harm (−0.050).")
    alone = frame.assign(
        gain=frame["gain"].mask(clean, -0.05),
        standard_error=frame["standard_error"].mask(clean, 0.021),
    )
    said = unseen_corruptions.in_words(alone, "qrnet-multiple")
    assert "On clean images the accuracy changes by −0.050. Alone this would count as harm" in said
    errors = frame.loc[(frame["restorer"] == "qrnet-multiple") & ~clean, "standard_error"]
    most = 100 * critical_z(frame["corruption"].nunique()) * errors.max()
    assert f" to {most:.0f} points" in unseen_corruptions.smallest_seen(frame)
    gate = unseen_corruptions.in_words(frame, restore_or_not.GATED)
    assert gate.startswith("QRNet if surer does no clear harm, helps on")
    shown = unpadded(unseen_corruptions.render_table(frame, "corruptions"))
    assert "| fog | 0.500 | −0.150 ± 0.018 worse |" in shown
    assert "| clean images | 0.500 | +0.000 ± 0.000 |" in shown
