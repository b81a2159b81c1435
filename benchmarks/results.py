"""Results of the benchmarks: times and memory of this project beside others.

One JSON file a machine in ``benchmarks/results``.  A *contest* is one piece of work, its contestants
did it in turns, and the first of them is the *reference*, which is this project where it takes part.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    ValidationError,
)

from benchmarks.settings import Settings
from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Measured(_Part):
    """What came of one contestant in one contest.

    Attributes:
        name, amount, rate: as in `benchmarks.contest.Contestant`.
        times: name of what was timed ("" where there is but one) -> seconds, one a round.
        first: seconds of the first run (its epoch, where it has one), which is not among the times.
        prepared: seconds of the preparation (compiling, opening files).
        memory: peak resident bytes while it worked, libraries included; None where unknown.
        helpers: the same of the largest of its helper processes, 0 without any.
        gpu: peak bytes that PyTorch held on the GPU, 0 without any.
        work, note, difference: as in `benchmarks.contest.Ready`.
        skipped, failed: why there are no times.
    """

    name: Annotated[str, Field(min_length=1)]
    amount: NonNegativeFloat | None = None
    rate: bool = False
    times: dict[str, Annotated[list[PositiveFloat], Field(min_length=1)]] = {}
    first: NonNegativeFloat | None = None
    prepared: NonNegativeFloat | None = None
    memory: NonNegativeInt | None = None
    helpers: NonNegativeInt = 0
    gpu: NonNegativeInt = 0
    work: dict[str, NonNegativeFloat] = {}
    note: str = ""
    difference: NonNegativeFloat | None = None
    skipped: str = ""
    failed: str = ""

    @property
    def left_out(self) -> str:
        """Why there are no times, or no more than some; "" where nothing went wrong."""
        return self.failed or self.skipped


class ContestResult(_Part):
    """A contest, and what came of its contestants."""

    group: str
    case: str
    contestants: Annotated[list[Measured], Field(min_length=1)]

    def times(self, name: str, what: str = "") -> list[float]:
        """Seconds of a contestant, one a round; empty where there are none."""
        return next((c.times.get(what, []) for c in self.contestants if c.name == name), [])

    def median(self, name: str, what: str = "") -> float:
        """Median seconds of a contestant; NaN where there is none."""
        times = self.times(name, what)
        return statistics.median(times) if times else math.nan

    def ratio(self, name: str, reference: str, what: str = "") -> float:
        """How many times as long a contestant takes as another; NaN where one was not measured."""
        times, base = self.times(name, what), self.times(reference, what)
        return median_ratio(times, base) if times and base else math.nan


class Machine(_Part):
    """See `benchmarks.machine.describe`."""

    kind: str
    device: str
    processor: str
    threads: int
    instructions: str
    bfloat16: bool
    memory: NonNegativeInt
    system: str
    python: str
    gpu_memory: NonNegativeInt | None = None
    cuda: str | None = None


class Code(_Part):
    git_commit: str | None
    git_dirty: bool | None


class Load(_Part):
    """Processes that wanted to run in the last 1, 5 and 15 minutes; empty where unknown."""

    before: list[NonNegativeFloat]
    after: list[NonNegativeFloat]


class Result(_Part):
    """A run of the benchmarks on one machine."""

    version: Literal[1] = Field(alias="schema")
    machine: Machine
    versions: dict[str, str]
    code: Code
    settings: Settings
    load: Load
    seconds: NonNegativeFloat
    work: dict[str, NonNegativeFloat]
    contests: list[ContestResult]

    def contest(self, group: str, case: str) -> ContestResult:
        """The contest whose case begins so; one that nobody took part in where it was not held."""
        held = (c for c in self.contests if c.group == group and c.case.startswith(case))
        return next(held, ContestResult.model_construct(group=group, case=case, contestants=[]))

    def left_out(self) -> list[tuple[str, str, str, str]]:
        """Group, case, contestant and reason of those without times, and of those that failed half-way."""
        return [
            (contest.group, contest.case, measured.name, measured.left_out)
            for contest in self.contests
            for measured in contest.contestants
            if measured.left_out
        ]


def folder() -> Path:
    """Where the results that come with the project lie."""
    return paths.root() / "benchmarks" / "results"


def write(result: Result, path: Path) -> None:
    """Write a result atomically."""
    files.write_json(path, result.model_dump(mode="json", by_alias=True))


def read(path: Path) -> Result:
    """A result, checked.

    Raises:
        QrlibError: missing, damaged, or of another form.
    """
    content = files.read_json(path, "benchmark result")
    try:
        return Result.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(map(str, first["loc"])) or "its top level"
        raise QrlibError(
            f"benchmark result {path.name} is of another form at {where}: {first['msg']}; "
            "run `python -m benchmarks` again"
        ) from error


def read_all() -> dict[str, Result]:
    """File name without ending -> result, of all machines, sorted."""
    return {path.stem: read(path) for path in sorted(folder().glob("*.json"))}


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """First and third quartile; of one value, that value twice.

    >>> quartiles([1.0, 2.0, 3.0, 4.0, 5.0])
    (2.0, 4.0)
    """
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def median_ratio(values: Sequence[float], reference: Sequence[float]) -> float:
    """Median of the ratios round by round: what slowed the machine in one round slowed both.

    >>> median_ratio([2.0, 40.0, 2.0], [1.0, 20.0, 2.0])
    2.0
    """
    return statistics.median(a / b for a, b in zip(values, reference, strict=False))


_SHOWN = "prepared memory helpers gpu difference note".split()
_COLUMNS = "group case contestant amount rate what median low high ratio rounds".split() + _SHOWN


def frame(result: Result) -> pd.DataFrame:
    """All that was measured, one row a contestant and thing timed; those left out have none.

    Returns:
        Columns group, case, contestant, amount, rate, what ("" where one thing was timed, else "epoch"
        or "step"), median, low, high (quartiles), ratio (to the reference, NaN for rates), rounds,
        prepared (all in seconds), memory, helpers, gpu (bytes), difference, note.
    """
    rows = []
    for contest in result.contests:
        reference = contest.contestants[0].name
        for measured in contest.contestants:
            for what, times in measured.times.items():
                low, high = quartiles(times)
                ratio = math.nan if measured.rate else contest.ratio(measured.name, reference, what)
                row = (
                    contest.group, contest.case, measured.name,
                    math.nan if measured.amount is None else measured.amount, measured.rate, what,
                    statistics.median(times), low, high, ratio, len(times),
                )  # fmt: skip
                rows.append([*row, *(getattr(measured, name) for name in _SHOWN)])
    return pd.DataFrame(rows, columns=_COLUMNS)


def growth_exponent(amounts: Sequence[float], seconds: Sequence[float]) -> float:
    """How cost grows: the p of the power of the amount that fits the times best; 1 is linear.

    Least squares in the logarithms.  NaN for fewer than two amounts.

    >>> round(growth_exponent([1, 2, 4], [3.0, 6.0, 12.0]), 6)
    1.0
    """
    if len(set(amounts)) < 2:
        return math.nan
    x, y = [math.log(a) for a in amounts], [math.log(s) for s in seconds]
    return statistics.linear_regression(x, y).slope
