"""How far a number may be off by chance: standard errors, and what they say of a difference."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

#: Fewer repeats than these show no spread that an error could be taken from.
ENOUGH = 3
#: How often a two-sided test calls a difference that is none.
SIGNIFICANCE = 0.05


def standard_error_of_median(values: Sequence[float]) -> float:
    """Standard error of the median of repeats, from their spread s: sqrt(pi / 2) s / sqrt(k).

    It tells what the repeats show and no more: what another hour on the same machine would change is not
    in it.  NaN for fewer than `ENOUGH`.

    >>> round(standard_error_of_median([1.0, 2.0, 3.0]), 3), standard_error_of_median([1.0, 2.0])
    (0.724, nan)
    """
    if len(values) < ENOUGH:
        return math.nan
    return math.sqrt(math.pi / 2) * statistics.stdev(values) / math.sqrt(len(values))


def standard_error_over_seeds(values: Sequence[float]) -> float:
    """Standard error of a mean over seeds; 0 for one seed, which shows no spread."""
    if len(values) < 2:
        return 0.0
    return statistics.stdev(values) / math.sqrt(len(values))


def standard_error_of_mean(shares: Sequence[float], n: int) -> float:
    """The most that one standard error of a mean of accuracies on the same n images can be.

    It is reached where every image is recognised at all levels or at none that differ: their errors
    then add up.  Were the levels independent, it would be smaller by the root of their number.

    >>> standard_error_of_mean([0.5, 0.5], 100)
    0.05
    >>> round(standard_error_of_mean([0.9, 0.1], 100), 2)  # and not that of one share of 0.5
    0.03
    """
    p = np.asarray(shares)
    return float(np.sqrt(p * (1 - p)).mean() / math.sqrt(n))


def standard_error_of_difference(p1: float, p2: float, n: int) -> float:
    """Standard error of the difference of two accuracies, each measured on n independent images.

    >>> round(standard_error_of_difference(0.5, 0.5, 200), 3)
    0.05
    """
    return math.sqrt(p1 * (1 - p1) / n + p2 * (1 - p2) / n)


def finite_population_correction(n: float, population: int) -> float:
    """Share of a mean's variance that is left where n of `population` were drawn without replacement.

    >>> finite_population_correction(20, 100), finite_population_correction(100, 100)
    (0.8, 0.0)
    """
    return 1 - min(n, population) / population


def critical_z(comparisons: int = 1) -> float:
    """Standard errors from 0 beyond which a two-sided test at the level `SIGNIFICANCE` calls a difference.

    Args:
        comparisons: how many could each bring the verdict about by itself; Šidák's correction keeps
            all of them together at the level.

    >>> [round(critical_z(k), 2) for k in (1, 2, 10)]
    [1.96, 2.24, 2.8]
    """
    each = 1 - (1 - SIGNIFICANCE) ** (1 / comparisons)
    return statistics.NormalDist().inv_cdf(1 - each / 2)


def z_score(difference: float, standard_error: float) -> float:
    """A difference in units of its standard error; infinite where there is no error.

    >>> z_score(-0.03, 0.02), z_score(0.1, 0.0), z_score(0.0, 0.0)
    (-1.5, inf, 0.0)
    """
    if standard_error > 0:
        return difference / standard_error
    return math.copysign(math.inf, difference) if difference else 0.0
