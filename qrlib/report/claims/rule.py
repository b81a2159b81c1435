"""The rule by which a claim of the paper is judged on results.

A claim compares numbers, left and right, over the seeds that both have; "none" is not trained and is
paired with every seed.  A relation makes a difference d of them, seed by seed:

- ``left > right``: d = left - right, plus a margin where the claim allows one
- "similar": d = margin minus the distance of left and right (of two lines: their mean distance)
- "differs": d = their distance minus the margin

The verdict is

- "not judged", with the reason, if restorers, a classifier or a data set that the claim is about have
  no results, or if there are results that cannot be compared;
- else "too close to call" if the seeds' differences do not all have one sign, or if their mean is
  nearer to 0 than `threshold` standard errors;
- else "holds" if d > 0 and "does not hold" if d < 0.

`threshold` is that of the usual two-sided test: of differences that are none, 5 in 100 are called.
Between claims nothing is corrected: of sixty about what is in truth alike, three would be called.

Several comparisons in one claim must all hold, and the worst verdict decides; where the paper says
that one of them suffices, the best does.  Among equal verdicts it is d in units of its error that
decides.  A verdict that any one of k comparisons brings about has k chances to come by luck: "does
not hold" where all must hold, "holds" where one suffices.  Its threshold is the higher one at which
all k together come to 5 in 100 (Sidak's correction).  The other verdict needs every comparison to
pass, and no correction.  Where one comparison cannot be made, the claim is judged only if another one
settles it alone.

The error of d is one standard error.  From one seed it is that of the choice of test images alone,
and says nothing of what another training would change.  From k seeds whose differences have the
standard deviation s, s / sqrt(k) is added to it, as the root of the sum of squares; from two or three
seeds that is rough, so they must agree about the sign as well.

Where the records tell which images were recognised, the part of the test images is that of a paired
difference: each image has its own, of the shares of levels (and seeds) at which either side
recognises it, and the error is their standard deviation / sqrt(n).  Else it is put together from
both sides:

- of an accuracy p, p (1 - p) / n for n test images; of a mean over levels, the square of the mean of
  their errors, the largest that it can be: all levels saw the same images.  That treats the images as
  drawn anew for each side, though both sides saw the same ones as well: it is rather too large, and
  the rule calls less than it could.
- of PSNR and SSIM, ``SPREAD**2 / n`` for a difference of two restorers (`qrlib.report.claims.evidence.SPREAD`).
  Records hold means, not single images, so the spread of the images' differences is not known from
  them; the number is what we measured between QRNet's output and its input, averaged over levels (1.0
  and 3.4 dB, 0.055 and 0.028 for noise and blur, on 320 crops of photographs), rounded up.
- of a time, that of the median of its repeats (`qrlib.records.uncertainty.error_of_median`): epochs, or turns of
  the classification.  Times of two machines or numbers of threads are not judged, nor is a training of
  fewer than three epochs.

What the paper states for one split and one run, this checks for our runs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import pandas as pd

from qrlib import paper
from qrlib.report.claims.evidence import TIMES, Evidence, Need

#: How often a two-sided test calls a difference that is none.
CHANCE = 0.05
HOLDS, FAILS, CLOSE, NOT_JUDGED = "holds", "does not hold", "too close to call", "not judged"


class Compared(Protocol):
    """What can be judged: two numbers a seed, an error, and a relation between them."""

    @property
    def relation(self) -> str: ...
    @property
    def margin(self) -> float: ...
    @property
    def metric(self) -> str: ...
    def needs(self) -> Iterator[Need]: ...
    def printed(self, dataset: str) -> tuple[float, float] | None: ...
    def hindrance(self, evidence: Evidence) -> str:
        """Why results that lack nothing cannot be compared; "" if they can."""

    def measured(self, evidence: Evidence) -> tuple[pd.Series, pd.Series]: ...
    def apart(self, evidence: Evidence) -> pd.Series:
        """Distance of left and right, seed by seed."""

    def error(self, evidence: Evidence) -> float: ...
    def words(self) -> tuple[str, str]: ...


def sign(compared: Compared) -> str:
    """The relation as a sign."""
    return {">": ">", "similar": "≈", "differs": "≠"}[compared.relation]


def allowance(compared: Compared) -> str:
    """The margin in words, "" where there is none."""
    if not compared.margin:
        return ""
    size = f"{abs(compared.margin):g}"
    if compared.metric in TIMES:
        size = f"{abs(compared.margin):.0%}"
    if compared.relation == ">":
        return f" {'−' if compared.margin > 0 else '+'} {size}"
    return f" {'within' if compared.relation == 'similar' else 'by more than'} {size}"


def together(places: Sequence[str], word: str = "and") -> str:
    """Places of `Compared.words` in one phrase, where they differ in one part.

    >>> together(["accuracy, noise level 1", "accuracy, noise level 2", "accuracy, noise level 3"])
    'accuracy, noise at each of levels 1 to 3'
    >>> together(["accuracy, noise, unseen classifier", "accuracy, blur, unseen classifier"])
    'accuracy, noise and blur, unseen classifier'
    >>> together(["PSNR, noise", "accuracy, blur"])
    'PSNR, noise; accuracy, blur'
    """
    split = [place.split(", ") for place in places]
    same = len({len(parts) for parts in split}) == 1
    columns = list(zip(*split, strict=True)) if same else []
    differing = [i for i, column in enumerate(columns) if len(set(column)) > 1]
    if len(differing) != 1:
        return "; ".join(places)
    parts = list(split[0])
    parts[differing[0]] = _levels(columns[differing[0]], word)
    return ", ".join(parts)


def _levels(places: Sequence[str], word: str) -> str:
    """Distortions, with their levels where each has the same ones in a row."""
    levels: dict[str, list[int]] = {}
    for place in places:
        kind, found, level = place.partition(" level ")
        levels.setdefault(kind, []).extend([int(level)] if found else [])
    first = next(iter(levels.values()))
    in_a_row = len(first) > 1 and first == list(range(first[0], first[-1] + 1))
    if in_a_row and all(found == first for found in levels.values()):
        return f"{f' {word} '.join(levels)} at each of levels {first[0]} to {first[-1]}"
    return f" {word} ".join(places)


def standard_error(p1: float, p2: float, n: int) -> float:
    """Sampling error of the difference of two accuracies, each measured on n independent images.

    >>> round(standard_error(0.5, 0.5, 200), 3)
    0.05
    """
    return math.sqrt(p1 * (1 - p1) / n + p2 * (1 - p2) / n)


def threshold(chances: int = 1) -> float:
    """Standard errors from 0 beyond which a difference is called.

    Args:
        chances: how many comparisons could bring the verdict about, each by itself.

    >>> [round(threshold(k), 2) for k in (1, 2, 10)]
    [1.96, 2.24, 2.8]
    """
    each = 1 - (1 - CHANCE) ** (1 / chances)
    return statistics.NormalDist().inv_cdf(1 - each / 2)


def in_errors(difference: float, error: float) -> float:
    """A difference in units of its error; infinite where there is no error.

    >>> in_errors(-0.03, 0.02), in_errors(0.1, 0.0), in_errors(0.0, 0.0)
    (-1.5, inf, 0.0)
    """
    if error > 0:
        return difference / error
    return math.copysign(math.inf, difference) if difference else 0.0


def verdict(
    differences: Sequence[float], error: float, *, to_hold: int = 1, to_fail: int = 1
) -> str:
    """The rule of this module's docstring for the differences of the seeds.

    Args:
        to_hold, to_fail: chances of either verdict, as in `threshold`.

    >>> verdict([0.04, 0.06], 0.02), verdict([0.14, -0.01], 0.001), verdict([-0.2], 0.05)
    ('holds', 'too close to call', 'does not hold')
    >>> verdict([-0.2], 0.09), verdict([-0.2], 0.09, to_fail=10)
    ('does not hold', 'too close to call')
    """
    if not agree(differences):
        return CLOSE
    distance = in_errors(math.fsum(differences) / len(differences), error)
    if distance >= threshold(to_hold):
        return HOLDS
    return FAILS if distance <= -threshold(to_fail) else CLOSE


def agree(differences: Sequence[float]) -> bool:
    """Whether all seeds' differences have one sign.

    >>> agree([0.1, 0.2]), agree([-0.1, 0.2]), agree([0.1, 0.0])
    (True, False, False)
    """
    return min(differences) > 0 or max(differences) < 0


def judge(
    compared: Compared, evidence: Evidence, *, to_hold: int = 1, to_fail: int = 1
) -> dict[str, Any]:
    """One comparison on results that lack nothing.

    Args:
        to_hold, to_fail: as in `verdict`.

    Returns:
        pair (our means, left and right; None where they cannot be compared), why (they cannot, or ""),
        difference (d, mean over seeds), standard_error, seeds (how many), agree (whether they all have
        one sign), verdict.
    """
    if why := compared.hindrance(evidence):
        return {"pair": None, "why": why, **_NOTHING}
    left, right = compared.measured(evidence)
    margin = compared.margin * (right if compared.metric in TIMES else 1.0)
    by_seed = {
        ">": lambda: left - right + margin,
        "similar": lambda: margin - compared.apart(evidence),
        "differs": lambda: compared.apart(evidence) - margin,
    }[compared.relation]()
    differences = [float(value) for value in by_seed]
    error = math.hypot(compared.error(evidence), _of_seeds(differences))
    return {
        "pair": (left.mean(), right.mean()),
        "why": "",
        "difference": math.fsum(differences) / len(differences),
        "standard_error": error,
        "seeds": len(differences),
        "agree": agree(differences),
        "verdict": verdict(differences, error, to_hold=to_hold, to_fail=to_fail),
    }


#: What is known of a comparison without numbers.
_NOTHING = {
    "difference": math.nan,
    "standard_error": math.nan,
    "seeds": 0,
    "agree": True,
    "verdict": NOT_JUDGED,
}


def _of_seeds(differences: Sequence[float]) -> float:
    """Standard error of a mean over seeds, as far as they differ; 0 for one, which shows no spread."""
    if len(differences) < 2:
        return 0.0
    return statistics.stdev(differences) / math.sqrt(len(differences))


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Attributes:
        text: our paraphrase.
        where: its place in the paper.
        one_suffices: whether it holds if one of its comparisons does; else all must.
        dataset: our name of the data set that it is about; "" for whichever was run.
    """

    id: str
    text: str
    where: str
    comparisons: tuple[Compared, ...]
    one_suffices: bool = False
    dataset: str = ""

    @property
    def how(self) -> str:
        """What is compared, in words; places with the same relations together."""
        places: dict[str, list[str]] = {}
        for place, relation in (c.words() for c in self.comparisons):
            places.setdefault(place, []).append(relation)
        alike: dict[tuple[str, ...], list[str]] = {}
        for place, relations in places.items():
            alike.setdefault(tuple(relations), []).append(place)
        word = "or" if self.one_suffices else "and"
        link = " or " if self.one_suffices else "; "
        words = link.join(
            f"{together(found, word)}: {', '.join(relations)}" for relations, found in alike.items()
        )
        return words + (f" (on {paper.DATASETS[self.dataset]})" if self.dataset else "")

    def printed(self, dataset: str) -> list[tuple[float, float] | None]:
        """The paper's numbers, left and right, one pair a comparison; None where it prints none."""
        return [c.printed(self.dataset or dataset) for c in self.comparisons]

    def lacks(self, evidence: Evidence) -> list[str]:
        """What would have to be run to judge it, in words; empty if nothing."""
        if self.dataset not in ("", evidence.dataset):
            return [f"results on {paper.DATASETS[self.dataset]}"]
        return evidence.lacks(need for c in self.comparisons for need in c.needs())

    def check(self, evidence: Evidence) -> dict[str, Any]:
        """Judge the claim.

        Returns:
            pairs (our means, left and right, one pair a comparison), decides (which one does), and of
            this one why (it is not judged, or ""), difference, standard_error, seeds, agree, verdict.
        """
        if lacks := self.lacks(evidence):
            return {"pairs": [], "decides": 0, "why": f"lacks {', '.join(lacks)}", **_NOTHING}
        chances = {"to_hold" if self.one_suffices else "to_fail": len(self.comparisons)}
        judged = [judge(comparison, evidence, **chances) for comparison in self.comparisons]
        pairs = [one.pop("pair") for one in judged]
        if self.one_suffices:
            decides = max(judged, key=partial(_rank, (FAILS, CLOSE, NOT_JUDGED, HOLDS)))
        else:
            decides = min(judged, key=partial(_rank, (FAILS, NOT_JUDGED, CLOSE, HOLDS)))
        index = next(i for i, one in enumerate(judged) if one is decides)
        return {"pairs": pairs, "decides": index, **decides}


def _rank(order: Sequence[str], judged: dict[str, Any]) -> tuple[int, float]:
    """Verdict first, then the difference in units of its error: accuracies and dB do not compare."""
    if judged["verdict"] == NOT_JUDGED:
        return order.index(NOT_JUDGED), 0.0
    distance = in_errors(judged["difference"], judged["standard_error"])
    return order.index(judged["verdict"]), distance
