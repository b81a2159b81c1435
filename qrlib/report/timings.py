"""What QRNet costs in time, paper and ours (Section IV-B1).

The paper timed a GeForce GTX TITAN X; seconds on another machine are other seconds.  What may rather
be compared is the ratio of two times of one machine, how much longer classifying takes with QRNet in
front of the classifier; and only if the classifier and the size of the images are the paper's.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from qrlib import paper
from qrlib.experiments.settings import PAPER_SIZE
from qrlib.records import uncertainty
from qrlib.records.selection import ONLY, Selection, select, training_record
from qrlib.report import labels, sources
from qrlib.report.render import Rendered, grid
from qrlib.utils.errors import QrlibError

#: What is timed -> metric, our restorer, and the name of the printed number in `qrlib.paper`, ""
#: where the paper prints none: end to end it is "almost the same time" (Section IV-B2).
TIMED = {
    "training epoch with QRNet": (
        "seconds_per_epoch",
        "qrnet-multiple",
        "training epoch, QRNet with VGG16, Caltech101",
    ),
    "classify an image, QRNet in front": (
        "milliseconds_per_image",
        "qrnet-multiple",
        "classify a distorted image, QRNet with VGG16",
    ),
    "classify an image, QRNet in front, trained end to end": (
        "milliseconds_per_image",
        "end_to_end-multiple",
        "",
    ),
    "classify an image, no restoration": (
        "milliseconds_per_image",
        "none",
        "classify a distorted image, VGG16",
    ),
}


def table(results: pd.DataFrame, choice: Selection = ONLY) -> pd.DataFrame:
    """The printed times beside ours, and the ratio of classifying with QRNet to without.

    Args:
        results: frame of ``qrlib.records.store.read(profile, kind="timing")``.

    Returns:
        One quantity a row: what, unit ("s", "ms" or "times"), paper (NaN where it prints none), ours
        (mean over seeds), device, classifier, profile, paper_device, n (images timed, or images of an
        epoch), records.  What the profile does not train has no row, if the paper prints no number of
        it.

    Raises:
        QrlibError: as `qrlib.records.selection.select`; times of several devices, whose ratio means nothing.
    """
    rows: dict[str, dict[str, Any]] = {}
    for what, (metric, restorer, printed) in TIMED.items():
        if not printed and restorer not in set(select(results, choice, metric=metric)["restorer"]):
            continue
        times = restorer_times(results, metric, restorer, choice)
        rows[what] = {
            "what": what,
            "unit": "s" if metric == "seconds_per_epoch" else "ms",
            "paper": float(paper.setting(printed)) if printed else math.nan,
            "ours": times["value"].mean(),
            **times[["device", "classifier", "profile"]].iloc[0],
            "n": int(times["n"].iloc[0]),
            "records": tuple(sorted(set(times["record"]))),
        }
    with_qrnet = rows["classify an image, QRNet in front"]
    without = rows["classify an image, no restoration"]
    if with_qrnet["device"] != without["device"]:
        raise QrlibError(
            f"classifying was timed on {with_qrnet['device']} with QRNet and on {without['device']} "
            "without: a ratio needs one device, so time both again on one"
        )
    ratio = {**without, "what": "ratio of classifying with QRNet to without", "unit": "times"}
    ratio |= {side: with_qrnet[side] / without[side] for side in ("paper", "ours")}
    ratio["records"] = tuple(sorted({*with_qrnet["records"], *without["records"]}))
    return pd.DataFrame([*rows.values(), ratio]).assign(paper_device=paper.setting("GPU"))


def restorer_times(
    results: pd.DataFrame, metric: str, restorer: str, choice: Selection = ONLY
) -> pd.DataFrame:
    """The times of one restorer, one row a seed; `QrlibError` if they are of several devices."""
    selected = select(results, choice, metric=metric, restorers=[restorer])
    times = selected[selected["restorer"] == restorer]
    devices = sorted(set(times["device"]))
    if len(devices) > 1:
        raise QrlibError(
            f"{metric} of {restorer} was measured on {', '.join(devices)}: times of several devices "
            "have no mean, so remove the record of one"
        )
    return times


def hindrance(rows: pd.DataFrame, metric: str, restorers: Iterable[str]) -> str:
    """Why times of these restorers, rows of one metric, cannot be compared; "" if they can."""
    times = rows[rows["restorer"].isin(list(restorers))]
    if times["device"].nunique() > 1:
        return f"times of several devices ({', '.join(sorted(set(times['device'])))})"
    if times["error"].notna().all():
        return ""
    if metric == "seconds_per_epoch":
        return f"a training of fewer than {uncertainty.ENOUGH} epochs, too few to show a spread"
    return "the record of the times has no error: measure them again"


def training_times(
    records: Sequence[Mapping[str, Any]], restorers: Iterable[str], results: pd.DataFrame
) -> pd.DataFrame:
    """Seconds an epoch as training itself took them, in the shape of a timing: medians over epochs,
    with their errors.

    Args:
        records: the training records, ``qrlib.records.store.read_records(profile, "recovery")``.
        results: rows of `qrlib.records.selection.select`, which say the seeds of each restorer.
    """
    first = results.iloc[0]
    rows = []
    for restorer in restorers:
        for seed in sorted(set(results.loc[results["restorer"] == restorer, "seed"])):
            record = training_record(records, restorer, first["classifier"], seed)
            training = record["training"]
            seconds = [row["seconds"] for row in training["epochs"]]
            rows.append(
                {
                    **first[["profile", "dataset", "classifier"]], "restorer": restorer,
                    # As timing records have it; training draws both distortions.
                    "distortion": "noise", "level": 3, "strength": 0.0, "seed": seed,
                    "metric": "seconds_per_epoch", "value": statistics.median(seconds),
                    "error": uncertainty.standard_error_of_median(seconds),
                    "n": training["images"]["train"], "record": f"{record['name']}.json",
                    "device": str(record["provenance"]["device"]),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def render(
    table: pd.DataFrame,
    file: str,
    *,
    image_size: int,
    label: str = "ours",
    up: str = sources.OF_PROFILE,
) -> Rendered:
    """A frame of `table` for reading, with the devices, and with what of it may be compared."""
    rows = []
    for row in table.to_dict("records"):
        digits = 0 if row["unit"] == "s" else 2
        ours = f"{row['ours']:.{1 if row['unit'] == 's' and row['ours'] < 100 else digits}f}"
        printed = "" if math.isnan(row["paper"]) else f"{row['paper']:.{digits}f}"
        rows.append([row["what"], row["unit"], printed, ours])
    classifier = table["classifier"].iloc[0]
    ratio = "The ratio is easier to compare: classifier and image size are the paper's."
    if (classifier, image_size) != ("vgg16", PAPER_SIZE):
        ratio = (
            f"Nor is the ratio: ours is for {labels.classifier(classifier)} at {image_size} pixels, the paper's for "
            f"VGG16 at {PAPER_SIZE}, and how much QRNet adds depends on both."
        )
    caption = (
        f"Ours: {_devices(table)}; medians over repeats. Times of different machines are not "
        f"comparable. {ratio}"
    )
    headings = ["what", "unit", f"paper ({table['paper_device'].iloc[0]})", label]
    return grid(headings, rows, caption, file, data=table, up=up)


def _devices(table: pd.DataFrame) -> str:
    trained, classified = (
        ", ".join(dict.fromkeys(rows["device"])) for _, rows in table.groupby(table["unit"] != "s")
    )
    return trained if trained == classified else f"trained on {trained}, classified on {classified}"
