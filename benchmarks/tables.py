"""Tables of benchmark results: ratios first, then times, memory, and how far the machine would go."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator, Sequence

import pandas as pd

from benchmarks.contest import OURS
from benchmarks.results import ContestResult, Measured, Result, frame, growth_exponent
from qrlib.report import labels, sources
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
#: Lightning's name of a precision -> what a table calls it.
_PRECISIONS = {"32-true": "float32", "bf16-mixed": "bfloat16"}
#: The space before a unit.
_UNIT = re.compile(r"(?<=\d) (?=(s|ms|µs|MB|GB|GFLOP)\b)")


def format_seconds(value: float) -> str:
    """A time with its unit, to three digits.

    >>> format_seconds(0.0123456), format_seconds(2.5), format_seconds(131.0), format_seconds(1.2e-5)
    ('12.3 ms', '2.50 s', '131 s', '12.0 µs')
    """
    unit, factor = next(((u, f) for u, f in (("s", 1), ("ms", 1e3)) if value * f >= 1), ("µs", 1e6))
    return f"{_digits(value * factor)} {unit}"


def format_bytes(value: float | None) -> str:
    """Bytes in decimal units; "" where unknown or none.

    >>> format_bytes(1_234_000_000), format_bytes(56_700_000), format_bytes(None)
    ('1.23 GB', '56.7 MB', '')
    """
    if not value:
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
    data = None if data is None or data.empty else data
    return grid(headings, whole, caption, file, data=data, up=sources.OF_ALL)


def _file(result: Result, what: str) -> str:
    """A name for the data of a table."""
    return "-".join(re.findall(r"[a-z0-9]+", f"{result.machine.kind} {what}".lower()))


def machine(result: Result) -> Rendered:
    """What was measured on, with what, when nothing else was to run: load before and after."""
    described, chosen = result.machine, result.settings
    before, after = (
        " ".join(map(str, load)) or "unknown" for load in (result.load.before, result.load.after)
    )
    changes = ", with changes" if result.code.git_dirty else ""
    rows = [
        ["machine", described.device],
        ["processor", f"{described.processor}, {described.instructions}"],
        ["bfloat16", "yes" if described.bfloat16 else "no"],
        ["memory", format_bytes(described.memory)],
        ["Python, system", f"{described.python}, {described.system}"],
        *([name, version] for name, version in result.versions.items()),
        ["code", f"{(result.code.git_commit or 'unknown')[:12]}{changes}"],
        [
            "training",
            f"{chosen.size} pixels, batches of {chosen.batch} clean and as many distorted images, "
            f"{labels.classifier(chosen.classifier)}, {chosen.images or 'all'} images of {chosen.corpus} an epoch",
        ],
        ["distorting", "{} images of {} pixels a turn".format(*chosen.distort)],
        ["load before, after", f"{before}; {after}"],
        ["time taken", format_seconds(result.seconds)],
    ]
    caption = "The machine, and what ran on it."
    return table(["", "measured on"], rows, caption, _file(result, "machine"))


def named(case: str, result: Result) -> str:
    """A case with its classifier as people write it."""
    classifier = result.settings.classifier
    return case.replace(classifier, labels.classifier(classifier))


def tables(result: Result, group: str) -> Iterator[tuple[str, Rendered]]:
    """Title and table of each contest of a group, and of each thing timed in it."""
    measured = frame(result)
    measured = measured[(measured["group"] == group) & ~measured["rate"].astype(bool)]
    for contest in (c for c in result.contests if c.group == group):
        rows = measured[measured["case"] == contest.case]
        timed = list(dict.fromkeys(rows["what"])) or [""]
        if contest.contestants[0].amount is not None:
            what = "step" if "step" in timed else timed[0]  # its epochs are a few steps
            rows = rows[rows["what"] == what]
            yield contest.case, _growth(contest, rows, _file(result, contest.case))
            continue
        for what in timed:
            case = named(contest.case, result)
            title = f"{case}: {_WHAT[what]}" if what else case
            file = _file(result, title)
            yield title, _comparison(contest, case, rows[rows["what"] == what], file)


def _comparison(contest: ContestResult, case: str, rows: pd.DataFrame, file: str) -> Rendered:
    reference = contest.contestants[0].name
    lines, left_out = [], []
    for measured in (c for c in contest.contestants if not c.rate):
        row = _row(rows, measured)
        if row is None:
            left_out.append(f" Left out: {measured.name} ({_reason(measured)}).")
            continue
        difference = measured.difference
        remarks = [
            _PRECISIONS.get(measured.note, measured.note),
            "same result" if difference == 0 else "",
            f"difference {difference:.0e}" if difference else "",
            f"failed: {measured.failed}" if measured.failed else "",
        ]
        remark = "; ".join(filter(None, remarks))
        ratio = "1" if measured.name == reference else f"{row['ratio']:.2f}"
        prepared = format_seconds(row["prepared"])
        lines.append([ratio, measured.name, *_times(row), _memory(measured), prepared, remark])
    rounds = f"{int(rows['rounds'].max())} rounds" if len(rows) else "no round"
    headings = ["", "median", "middle half", "peak memory", "prepared in", "remarks"]
    caption = f"{case}: {rounds} in turns. The ratio is the median of the rounds' ratios."
    caption += "".join(left_out)
    return table([f"times {reference}", *headings], lines, caption, file, rows)


def _growth(contest: ContestResult, rows: pd.DataFrame, file: str) -> Rendered:
    lines = []
    for measured in contest.contestants:
        row = _row(rows, measured)
        if row is None:
            lines.append([measured.name, "", "", "", "", f"left out: {_reason(measured)}"])
            continue
        each = format_seconds(row["median"] / row["amount"])
        ratio = f"{row['ratio']:.2f}"
        lines.append([measured.name, ratio, *_times(row), each, _memory(measured)])
    caption = f"Cost as the work grows: {contest.case}."
    if len(rows) > 1:
        power = growth_exponent(list(rows["amount"]), list(rows["median"]))
        caption += f" The time grows as the power {power:.2f} of the amount."
    headings = ["times the first", "median", "middle half", "for one", "peak memory"]
    return table([contest.case, *headings], lines, caption, file, rows)


def _row(rows: pd.DataFrame, measured: Measured) -> pd.Series | None:
    chosen = rows[rows["contestant"] == measured.name]
    return chosen.iloc[0] if len(chosen) else None


def _times(row: pd.Series) -> tuple[str, str]:
    """Median, and the quartiles, with one unit if they share it."""
    low, high = format_seconds(row["low"]), format_seconds(row["high"])
    (number, unit), shared = low.split(), high.split()[1]
    return format_seconds(row["median"]), f"{number if unit == shared else low} to {high}"


def _reason(measured: Measured) -> str:
    return measured.left_out or "nothing was measured"


def _memory(measured: Measured) -> str:
    parts = [format_bytes(measured.memory)]
    if measured.helpers > 1e8:  # not those that only keep books
        parts.append(f"{format_bytes(measured.helpers)} each worker")
    if measured.gpu:
        parts.append(f"{format_bytes(measured.gpu)} on the GPU")
    return ", ".join(filter(None, parts))


def floor(result: Result) -> Rendered:
    """The training beside what the machine allows: operations at the rate of a large matrix product, and
    what must be read and written at the rate of a copy, both measured in the same run."""
    least, file = floors(result), _file(result, "floor")
    if not least:
        return table(["", ""], [], "No training was measured.", file)
    lines = [
        [
            _WHAT[what],
            f"{at['ours'] / at['compute']:.1f}",
            *(format_seconds(at[column]) for column in ("ours", "compute", "traffic")),
            f"{at['flop'] / 1e9:.0f} GFLOP, {format_bytes(at['bytes'])}",
        ]
        for what, at in least.items()
    ]
    rates = rates_of(result)
    caption = (
        f"A training image, clean and distorted, forward and backward, costs "
        f"{result.work['flop_per_training_image'] / 1e9:.1f} GFLOP at {result.settings.size} pixels, "
        "counted by PyTorch. In this run a large matrix product reached "
        f"{rates['flop'] / 1e9:.0f} GFLOP/s, a copy {format_bytes(rates['bytes'])}/s. At best, "
        "operations and traffic overlap. Traffic counts only convolutions and matrix products, as if all "
        "else were fused."
    )
    training = result.contest("step", "training")
    plain = training.median("plain PyTorch", "step")
    if not math.isnan(plain) and not training.contestants[0].note.startswith("bf16"):
        times = plain / max(least["step"]["compute"], least["step"]["traffic"])
        caption += (
            f" A step of plain PyTorch takes {times:.1f} times this floor. Only algorithms with fewer "
            "operations, or a coarser precision, can gain more than that."
        )
    headings = ["", "times the floor", "ours", "floor: operations", "floor: traffic", "work"]
    return table(headings, lines, caption, file)


def rates_of(result: Result) -> dict[str, float]:
    """What the machine reached: "flop" and "bytes" a second; what was not measured is not there."""
    return {
        kind: amount / statistics.median(measured.times[""])
        for measured in result.contest("step", "training").contestants
        if measured.rate and measured.times
        for kind, amount in measured.work.items()
    }


def floors(result: Result) -> dict[str, dict[str, float]]:
    """ "step" and "epoch" -> seconds of ours, seconds that operations ("compute") and memory ("traffic")
    take at the least, "flop" and "bytes"; empty where training or rates were not measured."""
    training, rates = result.contest("step", "training"), rates_of(result)
    ours = {what: training.median(OURS, what) for what in ("step", "epoch")}
    if set(rates) != {"flop", "bytes"} or any(map(math.isnan, ours.values())):
        return {}
    bound, images = result.work, training.contestants[0].work
    steps = images["images"] // result.settings.batch
    # Counted in float32; bfloat16 halves it.
    half = 0.5 if training.contestants[0].note.startswith("bf16") else 1.0
    work = {"step": {"flop": bound["flop_per_step"], "bytes": half * bound["bytes_per_step"]}}
    work["epoch"] = {
        kind: steps * work["step"][kind]
        + factor * images.get("validation", 0) * bound[f"{kind}_per_validation_image"]
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
