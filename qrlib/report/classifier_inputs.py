"""What the classifier was shown: the paper's row without a restorer under several readings of its text.

The paper says that VGG16 was trained, but not how an image's values were scaled for it.  Every other row
depends on this one, so this row, and nothing else in the paper, tells the readings apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from qrlib import paper
from qrlib.experiments.settings import Profile
from qrlib.records import selection, store, uncertainty
from qrlib.report import sources
from qrlib.report.render import Rendered, grid, signed

KINDS = ("clean", "noise", "blur")
_WEIGHTS = {"imagenet": "torchvision's", "caffe": "Keras'"}
SHOWN = {
    "imagenet": "RGB, mean and deviation normalised",
    "caffe": "BGR, 0 to 255, minus the mean",
    "rescaled": "RGB in [0, 1], without further scaling",
}


def table(profiles: Sequence[Profile]) -> pd.DataFrame:
    """Accuracy without a restorer, one reading a row, the nearest to the printed row first.

    Returns:
        weights, shown, resize (of the images), clean, noise, blur (accuracies), clean_error,
        noise_error, blur_error (standard errors), distance (the larger of the two differences from
        the print), n (test images), profile, records.
    """
    rows = []
    for profile in profiles:
        choice = profile.choice
        selected = selection.select(store.read(profile.name), choice, restorers=["none"])
        row: dict[str, Any] = {
            "weights": _WEIGHTS.get(str(profile.classifier.weights), "none"),
            "shown": SHOWN[profile.classifier.preprocessing or "imagenet"],
            "resize": profile.data.resize,
        }
        n = int(selected["n"].iloc[0])
        for kind in KINDS:
            levels = (0,) if kind == "clean" else selection.LEVELS
            values = selection.by_seed(selected, "none", kind, levels).iloc[0]
            row |= {kind: float(values.mean())}
            row |= {f"{kind}_error": uncertainty.standard_error_of_mean(list(values), n)}
        distance = max(abs(row[kind] - _printed(kind)) for kind in ("noise", "blur"))
        rows.append(
            row | {"distance": distance, "n": n} | selection.source_columns(selected, ["none"])
        )
    return pd.DataFrame(rows).sort_values("distance", ignore_index=True)


def _printed(kind: str) -> float:
    value = paper.find("caltech101", kind, "none")
    assert value is not None
    return value


def render(table: pd.DataFrame) -> Rendered:
    """A frame of `table` for reading, the printed row above."""
    rows = [["the paper", "", "–", *(f"{_printed(kind):.3f}" for kind in ("noise", "blur")), ""]]
    for row in table.to_dict("records"):
        rows.append(
            [
                f"{row['weights']} weights", row["shown"],
                *(f"{row[kind]:.3f} ± {row[f'{kind}_error']:.3f}" for kind in KINDS),
                ", ".join(signed(row[kind] - _printed(kind)) for kind in ("noise", "blur")),
            ]
        )  # fmt: skip
    caption = (
        f"VGG16 without a restorer; {table['n'].iloc[0]} test images, ± one standard error. The last "
        "column is ours minus the paper's, for noise and blur."
    )
    headings = ["", "what VGG16 is given", *KINDS, "difference"]
    return grid(headings, rows, caption, "classifier-inputs", data=table, up=sources.OF_ALL)


def conclusion(table: pd.DataFrame) -> str:
    """Which reading is nearest, in a sentence."""
    best = table.iloc[0]
    network = f"VGG16 with {best['weights']} weights, given {best['shown']},"
    if len(table) == 1:
        return (
            f"{network} differs from the printed row by {best['distance']:.3f} at most. The other readings were "
            "tried on validation images alone."
        )
    return (
        f"{network} is nearest to the paper: it differs from the printed row by {best['distance']:.3f} at "
        f"most, the next one by {table.iloc[1]['distance']:.3f}."
    )
