"""What QRNet costs in time, paper and ours (Section IV-B1).

The paper timed a GeForce GTX TITAN X; seconds on another machine are other seconds.  What may be
compared is the ratio of two times of one machine: how much longer classifying takes with QRNet in
front of the classifier.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from qrlib import reference, selection
from qrlib.errors import QrlibError
from qrlib.rendering import Rendered, grid

#: What is timed -> metric, our restorer, and the name of the printed number in `qrlib.reference`.
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
    "classify an image, no restoration": (
        "milliseconds_per_image",
        "none",
        "classify a distorted image, VGG16",
    ),
}
#: Fewer repeats than these show no spread that an error could be taken from.
ENOUGH = 3
UNITS = {"seconds_per_epoch": "s", "milliseconds_per_image": "ms"}


def table(results: pd.DataFrame, **choice: Any) -> pd.DataFrame:
    """The printed times beside ours, and the ratio of classifying with QRNet to without.

    Args:
        results: frame of ``qrlib.store.read(profile, kind="timing")``.
        choice: profile, dataset, classifier, as in `qrlib.selection.select`.

    Returns:
        One quantity a row: what, unit ("s", "ms" or "times"), paper, ours (mean over seeds), device,
        paper_device, n (images timed, or images of an epoch), records.

    Raises:
        QrlibError: as `qrlib.selection.select`; times of several devices, whose ratio means nothing.
    """
    rows = []
    times: dict[str, float] = {}
    for what, (metric, restorer, printed) in TIMED.items():
        mine = of(results, metric, restorer, **choice)
        times[what] = mine["value"].mean()
        rows.append(
            {
                "what": what,
                "unit": UNITS[metric],
                "paper": float(reference.setting(printed)),
                "ours": times[what],
                "device": mine["device"].iloc[0],
                "n": int(mine["n"].iloc[0]),
                "records": tuple(sorted(set(mine["record"]))),
            }
        )
    _, with_qrnet, without = rows
    if with_qrnet["device"] != without["device"]:
        raise QrlibError(
            f"classifying was timed on {with_qrnet['device']} with QRNet and on {without['device']} "
            "without: a ratio needs one device, so time both again on one"
        )
    ratio: dict[str, Any] = {"what": "ratio of classifying with QRNet to without", "unit": "times"}
    ratio |= {side: with_qrnet[side] / without[side] for side in ("paper", "ours")}
    ratio |= {"device": without["device"], "n": without["n"]}
    ratio["records"] = tuple(sorted({*with_qrnet["records"], *without["records"]}))
    return pd.DataFrame([*rows, ratio]).assign(paper_device=reference.setting("GPU"))


def of(results: pd.DataFrame, metric: str, restorer: str, **choice: Any) -> pd.DataFrame:
    """The times of one restorer, one row a seed, all measured on one device.

    Raises:
        QrlibError: as `qrlib.selection.select`; there is no column device, or several devices.
    """
    if "device" not in results.columns:
        raise QrlibError("times lack the column device: pass what qrlib.store.read returns")
    selected = selection.select(results, metric=metric, restorers=[restorer], **choice)
    mine = selected[selected["restorer"] == restorer]
    devices = sorted(set(mine["device"]))
    if len(devices) > 1:
        raise QrlibError(
            f"{metric} of {restorer} was measured on {', '.join(devices)}: times of several devices "
            "have no mean, so remove the record of one"
        )
    return mine if "error" in mine.columns else mine.assign(error=math.nan)


def error_of_median(values: Sequence[float]) -> float:
    """Standard error of the median of repeats, from their spread s: sqrt(pi / 2) s / sqrt(k).

    It tells what the repeats show and no more: what another hour on the same machine would change is not
    in it.  NaN for fewer than `ENOUGH`.

    >>> round(error_of_median([1.0, 2.0, 3.0]), 3), error_of_median([1.0, 2.0])
    (0.724, nan)
    """
    if len(values) < ENOUGH:
        return math.nan
    return math.sqrt(math.pi / 2) * statistics.stdev(values) / math.sqrt(len(values))


def hindrance(rows: pd.DataFrame, metric: str, restorers: Iterable[str]) -> str:
    """Why times of these restorers cannot be compared; "" if they can.

    Args:
        rows: of one metric, with the column device, which on a CPU names the threads as well.
    """
    mine = rows[rows["restorer"].isin(list(restorers))]
    if "device" not in mine.columns or mine["device"].nunique() > 1:
        devices = ", ".join(sorted(map(str, set(mine.get("device", ())))))
        return f"times of several devices ({devices or 'which are not named'})"
    if "error" in mine.columns and mine["error"].notna().all():
        return ""
    if metric == "seconds_per_epoch":
        return f"a training of fewer than {ENOUGH} epochs, which show no spread"
    return "times whose record keeps no error: measure them again"


def of_training(
    records: Sequence[Mapping[str, Any]], restorers: Iterable[str], results: pd.DataFrame
) -> pd.DataFrame:
    """Seconds an epoch as training itself took them, in the shape of a timing: medians over epochs,
    with their errors.

    Args:
        records: the training records, ``qrlib.store.read_records(profile, "recovery")``.
        restorers: which ones.
        results: rows of one profile and classifier (`qrlib.selection.select`), whose seeds of each
            restorer are looked up among the records.

    Raises:
        QrlibError: a training record lacks.
    """
    judge, profile = str(results["classifier"].iloc[0]), str(results["profile"].iloc[0])
    rows = []
    for restorer in restorers:
        for seed in sorted(set(results.loc[results["restorer"] == restorer, "seed"])):
            record = selection.training_of(records, restorer, judge, seed)
            training = record["training"]
            seconds = [row["seconds"] for row in training["epochs"]]
            rows.append(
                {
                    "profile": profile,
                    "dataset": str(results["dataset"].iloc[0]),
                    "restorer": restorer,
                    "classifier": judge,
                    "distortion": "noise",  # as timing records have it; training draws both
                    "level": 3,
                    "strength": 0.0,
                    "seed": seed,
                    "metric": "seconds_per_epoch",
                    "value": statistics.median(seconds),
                    "error": error_of_median(seconds),
                    "n": training["images"]["train"],
                    "record": f"{record['name']}.json",
                    "device": str(record["provenance"]["device"]),
                }
            )
    return pd.DataFrame(rows)


def render(found: pd.DataFrame, *, label: str = "ours") -> Rendered:
    """A frame of `table` for reading, each time with its device."""
    rows = []
    for row in found.to_dict("records"):
        digits = 0 if row["unit"] == "s" else 2
        ours = f"{row['ours']:.{1 if row['unit'] == 's' and row['ours'] < 100 else digits}f}"
        rows.append([row["what"], row["unit"], f"{row['paper']:.{digits}f}", ours])
    theirs = f"paper ({found['paper_device'].iloc[0]})"
    devices = ", ".join(dict.fromkeys(found["device"]))
    caption = (
        f"Ours: {devices}; medians over repeats. Times of different machines are not comparable, "
        "the ratio is."
    )
    return grid(["what", "unit", theirs, label], rows, caption)
