"""How far a number may be off by chance."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

#: Fewer repeats than these show no spread that an error could be taken from.
ENOUGH = 3


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
