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
  nearer to 0 than `qrlib.records.uncertainty.critical_z` standard errors;
- else "holds" if d > 0 and "does not hold" if d < 0.

That is the usual two-sided test: where nothing differs, 5 in 100 comparisons get a verdict by chance.
There is no correction between claims: if nothing differed, about three of sixty would get a verdict.

Several comparisons in one claim must all hold, and the worst verdict decides; where the paper says
that one of them suffices, the best does.  Among equal verdicts it is d in units of its error that
decides.  A verdict that any one of k comparisons brings about has k chances to come by luck: "does
not hold" where all must hold, "holds" where one suffices.  Its threshold is the higher one at which
all k together come to 5 in 100 (Šidák's correction).  The other verdict needs every comparison to
pass, and no correction.  Where one comparison cannot be made, the claim is judged only if another one
settles it.

The error of d is one standard error.  From one seed it only covers the choice of test images, and
says nothing about what another training would change.  From k seeds whose differences have the
standard deviation s, s / sqrt(k) is added to it, as the root of the sum of squares; from two or three
seeds that is rough, so they must agree about the sign as well.

Where the records tell of each image whether it was recognised, or its PSNR or SSIM, the part of the
test images is that of a paired difference: each image has its own, of either side's mean over levels
(and seeds), and the error is their standard deviation / sqrt(n).  Else it is put together from both
sides:

- of an accuracy p, p (1 - p) / n for n test images; of a mean over levels, the square of the mean of
  their errors, the largest that it can be: all levels saw the same images.  That treats the images as
  drawn anew for each side, though both sides saw the same ones as well: it is rather too large, and
  the rule calls less than it could.
- of PSNR and SSIM, ``SPREAD**2 / n`` for a difference of two restorers (`qrlib.report.claims.evidence.SPREAD`):
  what we measured between QRNet's output and its input, averaged over levels (1.0 and 3.4 dB, 0.055
  and 0.028 for noise and blur, on 320 crops of photographs), rounded up.
- of a time, that of the median of its repeats (`qrlib.records.uncertainty.standard_error_of_median`): epochs, or turns of
  the classification.  Times of two machines or numbers of threads are not judged, nor is a training of
  fewer than three epochs.

What the paper states for one split and one run, this checks for our runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qrlib import paper
from qrlib.records.uncertainty import critical_z, standard_error_over_seeds, z_score
from qrlib.report.claims.comparisons import Compared
from qrlib.report.claims.evidence import TIMES, Evidence

HOLDS, FAILS, CLOSE, NOT_JUDGED = "holds", "does not hold", "too close to call", "not judged"
VERDICTS = (HOLDS, FAILS, CLOSE, NOT_JUDGED)


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
        kind, _, level = place.partition(" level ")
        levels.setdefault(kind, []).extend([int(level)] if level else [])
    first, *others = levels.values()
    in_a_row = len(first) > 1 and first == list(range(first[0], first[-1] + 1))
    if in_a_row and all(other == first for other in others):
        return f"{f' {word} '.join(levels)} at each of levels {first[0]} to {first[-1]}"
    return f" {word} ".join(places)


def verdict(
    differences: Sequence[float], standard_error: float, *, to_hold: int = 1, to_fail: int = 1
) -> str:
    """The rule of this module's docstring for the differences of the seeds.

    Args:
        to_hold, to_fail: how many comparisons could bring either verdict about by themselves.

    >>> verdict([0.04, 0.06], 0.02), verdict([0.14, -0.01], 0.001), verdict([-0.2], 0.05)
    ('holds', 'too close to call', 'does not hold')
    >>> verdict([-0.2], 0.09), verdict([-0.2], 0.09, to_fail=10)
    ('does not hold', 'too close to call')
    """
    if not agree(differences):
        return CLOSE
    z = z_score(math.fsum(differences) / len(differences), standard_error)
    if z >= critical_z(to_hold):
        return HOLDS
    return FAILS if z <= -critical_z(to_fail) else CLOSE


def agree(differences: Sequence[float]) -> bool:
    """Whether all seeds' differences have one sign.

    >>> agree([0.1, 0.2]), agree([-0.1, 0.2]), agree([0.1, 0.0])
    (True, False, False)
    """
    return min(differences) > 0 or max(differences) < 0


def judge(
    compared: Compared, evidence: Evidence, *, to_hold: int = 1, to_fail: int = 1
) -> dict[str, Any]:
    """One comparison on complete results.

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
        "similar": lambda: margin - compared.distance(evidence),
        "differs": lambda: compared.distance(evidence) - margin,
    }[compared.relation]()
    differences = [float(value) for value in by_seed]
    error = math.hypot(compared.standard_error(evidence), standard_error_over_seeds(differences))
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
            f"{together(alike_places, word)}: {', '.join(relations)}"
            for relations, alike_places in alike.items()
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
            return {"pairs": [], "decides": 0, "why": f"needs {', '.join(lacks)}", **_NOTHING}
        chances = {"to_hold" if self.one_suffices else "to_fail": len(self.comparisons)}
        judged = [judge(comparison, evidence, **chances) for comparison in self.comparisons]
        pairs = [judgement.pop("pair") for judgement in judged]
        if self.one_suffices:
            order, best = (FAILS, CLOSE, NOT_JUDGED, HOLDS), max
        else:
            order, best = (FAILS, NOT_JUDGED, CLOSE, HOLDS), min
        ranks = [_rank(order, judgement) for judgement in judged]
        decides = ranks.index(best(ranks))
        return {"pairs": pairs, "decides": decides, **judged[decides]}


def _rank(order: Sequence[str], judgement: dict[str, Any]) -> tuple[int, float]:
    """Verdict first, then the difference in units of its error: accuracies and dB do not compare."""
    if judgement["verdict"] == NOT_JUDGED:
        return order.index(NOT_JUDGED), 0.0
    z = z_score(judgement["difference"], judgement["standard_error"])
    return order.index(judgement["verdict"]), z
