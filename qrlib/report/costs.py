"""What each option adds to a classifier: bytes, operations, milliseconds an image, minutes of training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from qrlib.experiments import latency, plan
from qrlib.experiments.experiment import Experiment
from qrlib.experiments.settings import Profile
from qrlib.experiments.variants import VARIANTS
from qrlib.models import QRNet
from qrlib.records import selection, store
from qrlib.report import labels, render, restore_or_not, sources, timings

#: What a column of minutes shows.
MINUTES = (
    "Minutes of training: the fastest epoch times their number, as other work ran beside some."
)


def table(profile: Profile, methods: Iterable[str]) -> pd.DataFrame:
    """What is added to the classifier by each of some methods, options of `qrlib.report.option_tables`.

    Returns:
        One method a row: method, networks (how many are added), megabytes (of their weights in float32; layers
        of the classifier that were trained anew are not counted, though routed ones stand beside its own),
        gmacs (10^9 multiply-adds that they and a second look of the classifier add to an image; the detector's
        are those of every image, a restorer's of one that is restored), minutes (`_seconds` of all trainings,
        the classifier's own on clean images not counted; NaN where a record is missing), share (gmacs, as a
        part of the classifier's own), milliseconds (that it adds to classifying an image), slower (how many times
        as long that takes then; both NaN where they were not measured), device (of that), profile, records.
    """
    size = profile.data.image_size
    with torch.device("meta"):  # without values: they are only counted
        own = _gmacs(latency.classifier(profile), size)
    times, rows = _milliseconds(profile), []
    for method in methods:
        restorer = "qrnet-multiple" if method == restore_or_not.GATED else method
        runs = [_experiment(profile, x) for x in selection.restorers_of([restorer])]
        added = {x.recovery_run: x for run in runs for x in latency.networks(run)}
        with torch.device("meta"):
            nets = {name: latency.untrained(x) for name, x in added.items()}
        restorers = [_gmacs(net, size) for net in nets.values() if isinstance(net, QRNet)]
        others = [_gmacs(net, size) for net in nets.values() if not isinstance(net, QRNet)]
        gmacs = sum(others) + max(restorers, default=0.0)
        gmacs += own if method in restore_or_not.TWICE else 0.0
        trained = {x.recovery_run: x for run in runs for x in _trainings(run)}
        known = [name for name in trained if store.path(profile.name, name).is_file()]
        seconds = [_seconds(store.read_record(profile.name, name)) for name in known]
        # The gate has no run of its own.
        way = restore_or_not.AVERAGED if method == restore_or_not.GATED else runs[0].timed_as
        timed = [times[name] for name in ("none", way) if name in times]
        base, whole = [x["value"].mean() for x in timed] if timed[1:] else [math.nan] * 2
        rows.append(
            {
                "method": method,
                "networks": len(nets),
                "megabytes": 4e-6
                * sum(p.numel() for net in nets.values() for p in net.parameters()),
                "gmacs": gmacs,
                "share": gmacs / own,
                "minutes": sum(seconds) / 60 if len(known) == len(trained) else math.nan,
                "profile": profile.name,
                "milliseconds": whole - base,
                "slower": whole / base,
                "device": timed[0]["device"].iloc[0] if timed[1:] else "",
                "records": (
                    *(f"{name}.json" for name in known),
                    *dict.fromkeys(record for x in timed for record in x["record"]),
                ),
            }
        )
    return pd.DataFrame(rows)


def _seconds(record: dict[str, Any]) -> float:
    """What a training takes by itself: other work beside it made some epochs up to three times as long."""
    epochs = [epoch["seconds"] for epoch in record["training"]["epochs"]]
    return min(epochs, default=0.0) * len(epochs)


def _experiment(profile: Profile, restorer: str) -> Experiment:
    """That of a restorer's name in tables and records, with the first seed."""
    variant, _, distortions_learned = restorer.rpartition("-")
    if variant not in VARIANTS:  # "none", which has no distortions in its name
        variant, distortions_learned = restorer, "clean"
    seeds = profile.seeds if variant in ("recnet", "qrnet") else profile.other_seeds
    return Experiment(profile, variant, distortions_learned, seeds[0])


def _trainings(x: Experiment) -> list[Experiment]:
    """What has to be trained, each after what it needs."""
    own = [x] if x.variant.learns else []
    return [*(run for need in x.needs for run in _trainings(need)), *own]


def _milliseconds(profile: Profile) -> dict[str, pd.DataFrame]:
    """Restorer -> its times, one row a seed, where they were measured for the profile's classifier."""
    if not store.path(profile.name, plan.timed(profile).timing_run).is_file():
        return {}
    results, metric = store.read(profile.name, kind="timing"), "milliseconds_per_image"
    there = set(results.loc[results["metric"] == metric, "restorer"])
    return {
        name: timings.restorer_times(results, metric, name, profile.choice)
        for name in sorted(there)
    }


def _gmacs(net: nn.Module, size: int) -> float:
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        net(torch.empty(1, 3, size, size, device="meta"))
    return counted.get_total_flops() / 2e9


def render_table(frame: pd.DataFrame, profile: Profile, file: str) -> render.Rendered:
    """A frame of `table` for reading; `file` as in `qrlib.report.sources.line`."""
    rows = [
        [
            labels.method(row["method"]),
            *(
                (
                    f"{row['networks']}",
                    f"{row['megabytes']:.1f}\u00a0MB",
                    f"{row['gmacs']:.2f} ({100 * row['share']:.0f}\u00a0%)",
                )
                if row["networks"]
                else ("–", "–", "–")
            ),
            in_milliseconds(row),
            in_minutes(row),
        ]
        for row in frame.to_dict("records")
    ]
    size = profile.data.image_size
    name = labels.classifier(profile.classifier.name)
    devices = [device for device in frame["device"].unique() if device]
    where = f" (on {devices[0]}, one image after the other)" if devices else ""
    caption = (
        f"Added to {name}, whose head is trained on clean images. Operations: 10⁹ multiply-adds an image of {size} "
        f"pixels, and as a share of {name}'s own. Layers of {name} that were trained anew are not counted in the weights, "
        f"also where a detector chooses among several. Time: added to classifying an image, and how many times as "
        f"long that takes then{where}. {MINUTES}"
    )
    headings = ["", "networks", "weights", "operations", "time an image", "minutes of training"]
    return render.grid(headings, rows, caption, file, data=frame, up=sources.OF_ALL)


def in_milliseconds(row: Mapping[str, Any]) -> str:
    """The time that an option adds to an image: a row of `table`."""
    if math.isnan(row["milliseconds"]):
        return "not measured"
    if row["slower"] == 1:
        return "–"
    digits = 0 if row["milliseconds"] >= 10 else 1
    return f"{render.signed(row['milliseconds'], digits)}\u00a0ms ({row['slower']:.1f}×)"


def in_minutes(row: Mapping[str, Any]) -> str:
    """The minutes that the trainings of an option take: a row of `table`."""
    if math.isnan(row["minutes"]):
        return render.NOT_RUN
    return f"{row['minutes']:.0f}" if row["minutes"] else "–"
