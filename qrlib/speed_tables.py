"""Tables of benchmark results: ratios first, then times, memory, and how far the machine would go."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from qrlib import speed
from qrlib.report import sources
from qrlib.report.render import Rendered, grid

#: Group of contests -> its title.
TITLES = {
    "step": "Training",
    "distort": "Noise and blur",
    "infer": "Restoring and classifying",
    "grow": "As the work grows",
    "photo": "A large photograph",
}
#: Thing timed -> what a table calls it.
_WHAT = {"epoch": "an epoch", "step": "a step", "": ""}
#: The space before a unit.
_UNIT = re.compile(r"(?<=\d) (?=(s|ms|µs|MB|GB|GFLOP)\b)")


def seconds(value: float) -> str:
    """A time with its unit, to three digits.

    >>> seconds(0.0123456), seconds(2.5), seconds(131.0)
    ('12.3 ms', '2.50 s', '131 s')
    """
    unit, factor = next(((u, f) for u, f in (("s", 1), ("ms", 1e3)) if value * f >= 1), ("µs", 1e6))
    return f"{_digits(value * factor)} {unit}"


def size(value: float | None) -> str:
    """Bytes in decimal units; "" where unknown or none.

    >>> size(1_234_000_000), size(56_700_000), size(None)
    ('1.23 GB', '56.7 MB', '')
    """
    if not value or math.isnan(value):
        return ""
    return f"{_digits(value / 1e9)} GB" if value >= 1e9 else f"{_digits(value / 1e6)} MB"


def _digits(value: float) -> str:
    """Three digits; more before the point stay."""
    places = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{min(places, 3)}f}"


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: str,
    file: str,
    data: pd.DataFrame | None = None,
) -> Rendered:
    """A table whose data are offered as a file of that name; no number is parted from its unit."""
    whole = [[_UNIT.sub("\N{NO-BREAK SPACE}", cell) for cell in row] for row in rows]
    return grid(headings, whole, caption, file, data=data, up=sources.OF_ALL)


def machine(result: Mapping[str, Any]) -> Rendered:
    """What was measured on, with what, when nothing else was to run: load before and after."""
    found, versions = result["machine"], result["versions"]
    loads = [" ".join(map(str, result["load"][when])) or "unknown" for when in ("before", "after")]
    chosen = result["settings"]
    epoch = chosen["images"] or "all"
    rows = [
        ["machine", found["device"]],
        ["processor", f"{found['processor']}, {found.get('instructions', '')}"],
        ["bfloat16", "yes" if found["bfloat16"] else "no"],
        ["memory", size(found.get("memory"))],
        ["Python, system", f"{found.get('python', '')}, {found.get('system', '')}"],
        *([name, version] for name, version in versions.items()),
        ["code", f"{(result['code']['git_commit'] or 'unknown')[:12]}{_dirty(result)}"],
        [
            "training",
            f"{chosen['size']} pixels, batches of {chosen['batch']} clean and as many distorted images, "
            f"{chosen['classifier']}, {epoch} images of {chosen['corpus']} an epoch",
        ],
        ["distorting", "{} images of {} pixels a turn".format(*chosen["distort"])],
        ["load before, after", f"{loads[0]}; {loads[1]}"],
        ["time taken", seconds(result["seconds"])],
    ]
    return table(
        ["", "measured on"], rows, "The machine, and what ran on it.", _file(result, "machine")
    )


def _file(result: Mapping[str, Any], what: str) -> str:
    """A name for the data of a table."""
    words = re.findall(r"[a-z0-9]+", f"{result['machine']['kind']} {what}".lower())
    return "-".join(words)


def _dirty(result: Mapping[str, Any]) -> str:
    return ", with changes" if result["code"]["git_dirty"] else ""


def tables(result: Mapping[str, Any], group: str) -> Iterator[tuple[str, Rendered]]:
    """Title and table of each contest of a group, and of each thing timed in it."""
    measured = speed.frame(result)
    for contest in (c for c in result["contests"] if c["group"] == group):
        case = contest["case"]
        mine = measured[(measured["group"] == group) & (measured["case"] == case)]
        mine = mine[~mine["rate"].astype(bool)]
        timed = list(dict.fromkeys(mine["what"])) or [""]
        if any(one["amount"] is not None for one in contest["contestants"]):
            what = "step" if "step" in timed else timed[0]  # its epochs are a few steps
            yield case, _growth(contest, mine[mine["what"] == what], _file(result, case))
            continue
        for what in timed:
            title = f"{case}: {_WHAT[what]}" if what else case
            yield title, _compared(contest, mine[mine["what"] == what], _file(result, title))


def _compared(contest: Mapping[str, Any], rows: pd.DataFrame, file: str) -> Rendered:
    reference = contest["contestants"][0]["name"]
    lines, left_out = [], []
    for one in contest["contestants"]:
        if one["rate"]:
            continue
        mine = rows[rows["contestant"] == one["name"]]
        if not len(mine):
            left_out.append(f" Left out: {one['name']} ({_reason(one)}).")
            continue
        row = mine.iloc[0]
        remarks = [one["note"]] if one["note"] else []
        if one["difference"] is not None:
            remarks.append(f"difference {one['difference']:.0e}")
        if one["failed"]:
            remarks.append(f"failed: {one['failed']}")
        lines.append(
            [
                "1" if one["name"] == reference else f"{row['ratio']:.2f}",
                one["name"],
                seconds(row["median"]),
                _range(row),
                _memory(one),
                seconds(row["prepared"]),
                "; ".join(remarks),
            ]
        )
    rounds = f"{int(rows['rounds'].max())} rounds" if len(rows) else "no round"
    return table(
        [
            f"times {reference}",
            "",
            "median",
            "middle half",
            "peak memory",
            "prepared in",
            "remarks",
        ],
        lines,
        f"{contest['case']}: {rounds} in turns. The ratio is the median of the rounds' ratios."
        + "".join(left_out),
        file,
        rows if len(rows) else None,
    )


def _range(row: pd.Series) -> str:
    """The quartiles, with one unit if they share it."""
    low, high = seconds(row["low"]), seconds(row["high"])
    (number, unit), shared = low.split(), high.split()[1]
    return f"{number} to {high}" if unit == shared else f"{low} to {high}"


def _reason(one: Mapping[str, Any]) -> str:
    return one["failed"] or one["skipped"] or "nothing was measured"


def _memory(one: Mapping[str, Any]) -> str:
    parts = [size(one["memory"])]
    if one["helpers"] > 1e8:  # not those that only keep books
        parts.append(f"{size(one['helpers'])} each worker")
    if one["gpu"]:
        parts.append(f"{size(one['gpu'])} on the GPU")
    return ", ".join(filter(None, parts))


def _growth(contest: Mapping[str, Any], rows: pd.DataFrame, file: str) -> Rendered:
    lines = []
    for one in contest["contestants"]:
        mine = rows[rows["contestant"] == one["name"]]
        if not len(mine):
            lines.append([one["name"], "", "", "", "", f"left out: {_reason(one)}"])
            continue
        row = mine.iloc[0]
        lines.append(
            [
                one["name"],
                f"{row['ratio']:.2f}",
                seconds(row["median"]),
                _range(row),
                seconds(row["median"] / row["amount"]),
                _memory(one),
            ]
        )
    grown = ""
    if len(rows) > 1:
        power = speed.exponent(list(rows["amount"]), list(rows["median"]))
        grown = f" The time grows as the power {power:.2f} of the amount."
    return table(
        [contest["case"], "times the first", "median", "middle half", "for one", "peak memory"],
        lines,
        f"Cost as the work grows: {contest['case']}.{grown}",
        file,
        rows if len(rows) else None,
    )


def floor(result: Mapping[str, Any]) -> Rendered:
    """The training beside what the machine allows: operations at the rate of a large matrix product, and
    what must be read and written at the rate of a copy, both measured in the same run."""
    found, bound = floors(result), result["work"]
    if not found:
        return table(["", ""], [], "No training was measured.", _file(result, "floor"))
    lines = [
        [
            _WHAT[what],
            f"{at['ours'] / at['compute']:.1f}",
            seconds(at["ours"]),
            seconds(at["compute"]),
            seconds(at["traffic"]),
            f"{at['flop'] / 1e9:.0f} GFLOP, {size(at['bytes'])}",
        ]
        for what, at in found.items()
    ]
    rates = rates_of(result)
    caption = (
        f"A training image, clean and distorted, forward and backward, costs "
        f"{bound['flop_per_training_image'] / 1e9:.1f} GFLOP at {result['settings']['size']} pixels, "
        "counted by PyTorch. In this run a large matrix product reached "
        f"{rates['flop'] / 1e9:.0f} GFLOP/s, a copy {size(rates['bytes'])}/s. Operations and traffic "
        "overlap at best. Traffic is that of convolutions and matrix products alone, all else fused."
    )
    training = speed.contest(result, "step", "training")
    plain = speed.median_of(training, "plain PyTorch", "step")
    assert training is not None
    if not math.isnan(plain) and not training["contestants"][0]["note"].startswith("bf16"):
        times = plain / max(found["step"]["compute"], found["step"]["traffic"])
        caption += (
            f" A step of plain PyTorch takes {times:.1f} times this floor: more than that is only to be "
            "gained by algorithms that need fewer operations, or by a coarser precision."
        )
    headings = ["", "times the floor", "ours", "floor: operations", "floor: traffic", "work"]
    return table(headings, lines, caption, _file(result, "floor"))


def rates_of(result: Mapping[str, Any]) -> dict[str, float]:
    """What the machine reached: "flop" and "bytes" a second; what was not measured is not there."""
    training = speed.contest(result, "step", "training")
    return {
        kind: amount / statistics.median(one["times"][""])
        for one in (training["contestants"] if training else ())
        if one["rate"] and one["times"]
        for kind, amount in one["work"].items()
    }


def floors(result: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """ "step" and "epoch" -> seconds of ours, seconds that operations ("compute") and memory ("traffic")
    take at the least, "flop" and "bytes"; empty where training or rates were not measured."""
    training, rates = speed.contest(result, "step", "training"), rates_of(result)
    ours = {what: speed.median_of(training, "ours", what) for what in ("step", "epoch")}
    if set(rates) != {"flop", "bytes"} or any(map(math.isnan, ours.values())):
        return {}
    assert training is not None
    bound, batch = result["work"], result["settings"]["batch"]
    images = training["contestants"][0]["work"]
    steps = images["images"] // batch
    # Counted in float32; bfloat16 halves it.
    half = 0.5 if training["contestants"][0]["note"].startswith("bf16") else 1.0
    checked = images.get("validation", 0)
    work = {"step": {"flop": bound["flop_per_step"], "bytes": half * bound["bytes_per_step"]}}
    work["epoch"] = {
        kind: steps * work["step"][kind] + factor * checked * bound[f"{kind}_per_validation_image"]
        for kind, factor in (("flop", 1.0), ("bytes", half))
    }
    return {
        what: {
            "ours": ours[what],
            "compute": work[what]["flop"] / rates["flop"],
            "traffic": work[what]["bytes"] / rates["bytes"],
            **work[what],
        }
        for what in ("step", "epoch")
    }
