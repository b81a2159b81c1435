"""The comparison of ways to sample a batch, by hand."""

from __future__ import annotations

import pytest
from support.frames import unpadded
from support.made_records import training_record

from qrlib.experiments import profiles
from qrlib.experiments.variants import PARTS
from qrlib.report import sampling
from qrlib.report.figures import plots
from qrlib.utils.errors import QrlibError


def made(seeds=(0, 1)):
    methods = [f"{method}-{kind}" for method, kind in PARTS["sampling"]]
    return [
        training_record(method, 0.01, seed, 0.04 + 0.01 * i + 0.002 * seed)
        for i, method in enumerate(methods)
        for seed in seeds
    ]


def profile(seeds=(0, 1)):
    loaded = profiles.load("caltech101-sampling")
    return loaded.model_copy(update={"other_seeds": list(seeds)})


def test_courses_and_their_ends():
    found = sampling.courses(made(), profile())
    whole = found.query("method == 'qrnet_share_1' and seed == 0")
    # The fastest epoch took 10 seconds.
    assert list(whole["minutes"]) == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    assert list(whole["val_accuracy"]) == pytest.approx([0.6, 0.9, 0.75])
    last = sampling.ends(found)
    assert len(last) == 2 * len(PARTS["sampling"])
    assert set(last["epoch"]) == {3}
    text = unpadded(sampling.render(found, profile()))
    # The third epoch's losses are 1.2 times the best ones: 0.04 and 0.042.
    assert "| all of the batch | 3 | 0.5 ± 0.0 | 0.0492 ± 0.0017 | 2.400 ± 0.000 | 0.750" in text
    assert "seeds 0 and 1" in text
    assert sampling.in_short(found) == (
        "L1 ends lowest where the classifier sees all of the batch (0.049), and highest where it sees "
        "1/8, the rest as tiles (0.097)."
    )
    (left, right) = plots.sampling({"a": found}).axes
    drawn = {line.get_label(): list(line.get_ydata()) for line in left.get_lines()}
    assert drawn["1/8, the rest as tiles"] == pytest.approx([0.6, 0.9, 0.75])
    assert right.get_ylabel() == "L1"
    # A band a line: the seeds differ by 0.002 times 1.5 in the first epoch.
    band = right.collections[0].get_paths()[0].vertices[:, 1]
    assert max(band) == pytest.approx(1.5 * 0.042)


def test_refusals():
    with pytest.raises(QrlibError, match="no training record qrnet_share_1-multiple-vgg16-seed1"):
        sampling.courses(made([0]), profile())
