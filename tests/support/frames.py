"""Results made up for tests, in the shape of `qrlib.records.store.read`, and tables as text."""

import re

import pandas as pd

from qrlib.records.selection import LEVELS

SIGMA = {"noise": 20.0, "blur": 2.0}


def run(restorer, seed=0, clean=None, noise=None, blur=None, *, slope=0.0, **columns):
    """Rows of one run; noise and blur are five values, or one that falls by `slope` a level.

    The mean of the five is the one value given.  `columns` are of every row.
    """
    cells = [] if clean is None else [("clean", 0, clean)]
    for distortion, given in (("noise", noise), ("blur", blur)):
        if given is not None:
            five = given if isinstance(given, list) else [given + slope * (3 - i) for i in LEVELS]
            cells += [(distortion, level, five[level - 1]) for level in LEVELS]
    same = {"profile": "quick", "dataset": "caltech101", "classifier": "vgg16", "n": 400}
    same |= {"metric": "accuracy", "restorer": restorer, "seed": seed, "device": "a GPU"}
    same |= {"record": f"{restorer}-{seed}.json"} | columns
    return pd.DataFrame(
        {
            **same,
            "distortion": distortion,
            "level": level,
            "strength": SIGMA.get(distortion, 0.0) * level,
            "value": value,
        }
        for distortion, level, value in cells
    )


def runs(*frames):
    """Several runs in one frame."""
    return pd.concat(frames, ignore_index=True)


def record(restorer, seed, clean=None, noise=None, blur=None, **other):
    """Rows of one run: clean accuracy, and five levels around a mean of noise and of blur."""
    return run(restorer, seed, clean, noise, blur, slope=0.05, **other)


def table2_results(**other):
    """Two seeds of each restorer, one of none."""
    made = [
        record("none", 0, 0.9, 0.6, 0.3, **other),
        record("recnet-noise", 0, 0.88, noise=0.80, **other),
        record("recnet-noise", 1, 0.86, noise=0.82, **other),
        record("recnet-blur", 0, 0.88, blur=0.60, **other),
        record("recnet-blur", 1, 0.88, blur=0.66, **other),
        record("recnet-multiple", 0, 0.87, 0.78, 0.50, **other),
        record("recnet-multiple", 1, 0.87, 0.78, 0.52, **other),
        record("qrnet-multiple", 0, 0.89, 0.80, 0.70, **other),
        record("qrnet-multiple", 1, 0.91, 0.84, 0.72, **other),
    ]
    return runs(*made)


def timing(restorer, metric, value, seed=0, **columns):
    """One row of times: noise of level 3, its error a hundredth of it."""
    columns = {"n": 256, "error": value / 100} | columns
    frame = run(restorer, seed, noise=[value] * 5, metric=metric, **columns)
    return frame[frame["level"] == 3]


#: Of how many test images and by whom `printed_like_results` are.
PRINTED_LIKE = {"profile": "caltech101", "dataset": "caltech101", "classifier": "vgg16", "n": 1735}


def printed_like_results(**changes):
    """One run of each restorer of Table 2 with its printed accuracies.

    The single networks are as good as chance on the distortion they have not seen, which no claim
    may look at.

    Args:
        changes: restorer, its hyphens underlined -> its runs instead: seed, accuracy on clean images,
            on noise, on blur.
    """
    accuracies = {
        "none": [(0, 0.90, 0.642, 0.259)],
        "recnet_noise": [(0, 0.89, 0.828, 0.01)],
        "recnet_blur": [(0, 0.89, 0.01, 0.684)],
        "recnet_multiple": [(0, 0.89, 0.819, 0.571)],
        "qrnet_multiple": [(0, 0.89, 0.832, 0.705)],
    } | changes
    return runs(
        *(
            run(name.replace("_", "-"), *values, **PRINTED_LIKE)
            for name, each in accuracies.items()
            for values in each
        )
    )


def cell(table, row, column):
    found = table[(table["row"] == row) & (table["column"] == column)]
    assert len(found) == 1
    return found.iloc[0]


def unpadded(shown):
    """A rendered table's Markdown, without what pads its columns and parts numbers from units."""
    return re.sub(r"[ \u00a0]+", " ", shown.markdown)
