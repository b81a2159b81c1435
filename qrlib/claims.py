"""The paper's claims that Table 2 and Figure 4 carry, each checked on our results.

The rule.  A claim compares two accuracies, left and right.  d is left - right (+ a margin, where
the claim allows one), averaged over the seeds that both sides have; "none" is not trained and is
paired with every seed.  The verdict is

- "too close to call" if the seeds' differences do not all have one sign, or if d is closer to 0 than
  one standard error, sqrt(p1 (1 - p1) / n + p2 (1 - p2) / n), of two accuracies p1 and p2 measured on
  n images;
- else "holds" if d > 0 and "does not hold" if d < 0.

The error treats the n test images as independent draws for either side.  Both sides saw the same
images, and a mean over levels saw each of them several times, so the error is rather too large:
the rule calls less than it could.  Several comparisons in one claim must all hold; one that does
not decides it.  What the paper states for one split and one run, this checks for our runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qrlib import reference, selection, tables
from qrlib.errors import QrlibError
from qrlib.rendering import Rendered, grid

HOLDS, FAILS, CLOSE = "holds", "does not hold", "too close to call"
#: The upper two of five levels; the paper speaks of high levels without saying which.
HIGH = (4, 5)
#: At most 3 points of accuracy lost on clean images is our reading of "without degrading".
CLEAN_MARGIN = 0.03


@dataclass(frozen=True)
class Side:
    """An accuracy: of a method of Table 2 on "clean", "noise", "blur" or their "average"."""

    method: str
    distortion: str
    levels: tuple[int, ...] = selection.LEVELS

    def printed(self, dataset: str) -> float | None:
        """The paper's number, or None where it prints none (clean images; single levels)."""
        if self.distortion == "clean" or self.levels != selection.LEVELS:
            return None
        return reference.printed(2, dataset, self.distortion, self.method)

    def measured(self, selected: pd.DataFrame) -> pd.Series:
        """Ours, one value a seed."""
        return selection.seed_means(selected, self.method, self.distortion, self.levels)


@dataclass(frozen=True)
class Comparison:
    """left > right - margin."""

    left: Side
    right: Side
    margin: float = 0.0

    def measured(self, selected: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        """Both sides, seed by seed."""
        left, right = self.left.measured(selected), self.right.measured(selected)
        if self.left.method == "none" and self.right.method != "none":
            left = pd.Series(left.mean(), index=right.index)
        elif self.right.method == "none" and self.left.method != "none":
            right = pd.Series(right.mean(), index=left.index)
        both = left.index.intersection(right.index)
        if both.empty:
            raise QrlibError(
                f"{self.left.method} (seeds {list(left.index)}) and {self.right.method} (seeds "
                f"{list(right.index)}) have no seed in common, and claims compare seed by seed: "
                "run one with a seed of the other"
            )
        return left[both], right[both]


@dataclass(frozen=True)
class Claim:
    """One claim: `text` is our paraphrase, `where` its place in the paper."""

    id: str
    text: str
    where: str
    comparisons: tuple[Comparison, ...]

    def printed(self, dataset: str) -> list[tuple[float, float]]:
        """The paper's pairs of numbers, left and right; empty where it prints none."""
        pairs = [(c.left.printed(dataset), c.right.printed(dataset)) for c in self.comparisons]
        return [(one, two) for one, two in pairs if one is not None and two is not None]

    def check(self, results: pd.DataFrame, **choice: Any) -> dict[str, Any]:
        """Judge the claim on `results`; `choice` as in `tables.select`.

        Returns:
            pairs (our mean accuracies, left and right, one pair a comparison), n, and of the
            comparison that decides: difference, standard_error, seeds, verdict.
        """
        selected = selection.select(results, restorers=NEEDED, **choice)
        n = int(selected["n"].iloc[0])
        pairs, judged = [], []
        for comparison in self.comparisons:
            left, right = comparison.measured(selected)
            differences = list(left - right + comparison.margin)
            error = standard_error(left.mean(), right.mean(), n)
            pairs.append((left.mean(), right.mean()))
            judged.append(
                {
                    "difference": math.fsum(differences) / len(differences),
                    "standard_error": error,
                    "seeds": len(differences),
                    "verdict": verdict(differences, error),
                }
            )
        # The worst verdict decides, and among equals the smallest difference.
        rank = (FAILS, CLOSE, HOLDS).index
        decides = min(judged, key=lambda one: (rank(one["verdict"]), one["difference"]))
        return {"pairs": pairs, "n": n, **decides}


def standard_error(p1: float, p2: float, n: int) -> float:
    """Sampling error of the difference of two accuracies, each measured on n independent images.

    >>> round(standard_error(0.5, 0.5, 200), 3)
    0.05
    """
    return math.sqrt(p1 * (1 - p1) / n + p2 * (1 - p2) / n)


def verdict(differences: Sequence[float], error: float) -> str:
    """The rule of this module's docstring for the differences of the seeds.

    >>> verdict([0.04, 0.06], 0.05), verdict([0.04, -0.01], 0.001), verdict([-0.2], 0.05)
    ('holds', 'too close to call', 'does not hold')
    """
    mean = math.fsum(differences) / len(differences)
    if min(differences) <= 0 <= max(differences) or abs(mean) < error:
        return CLOSE
    return HOLDS if mean > 0 else FAILS


def _beats(
    one: str, other: str, distortion: str, levels: tuple[int, ...] = selection.LEVELS
) -> Comparison:
    return Comparison(Side(one, distortion, levels), Side(other, distortion, levels))


_ON = {"noise": "on noise", "blur": "on blur", "average": "averaged over noise and blur"}


def _claims() -> Iterable[Claim]:
    text, table = "Section IV-B1", "Section IV-B1, Table 2"
    yield Claim(
        "blur-hurts-more",
        "Blur costs the plain classifier more accuracy than noise does.",
        "Sections IV-B1 and IV-D, Table 2",
        (Comparison(Side("none", "noise"), Side("none", "blur")),),
    )
    for distortion in ("noise", "blur"):
        yield Claim(
            f"qrnet-beats-none-{distortion}",
            f"Restoring with QRNet is better than not restoring, {_ON[distortion]}.",
            table,
            (_beats("qrnet", "none", distortion),),
        )
    for kind, name in (("multiple", "RecNet (multiple)"), ("single", "RecNet (single)")):
        for distortion in ("noise", "blur", "average"):
            yield Claim(
                f"qrnet-beats-recnet-{kind}-{distortion}",
                f"QRNet is better than {name}, {_ON[distortion]}.",
                table,
                (_beats("qrnet", f"recnet-{kind}", distortion),),
            )
    yield Claim(
        "recnet-single-beats-multiple-average",
        "One RecNet for each distortion is better than one for both, averaged over noise and blur.",
        table,
        (_beats("recnet-single", "recnet-multiple", "average"),),
    )
    yield Claim(
        "restorers-beat-none-average",
        "Each restorer is better than none, averaged over noise and blur.",
        table,
        tuple(_beats(method, "none", "average") for method in tables.METHODS if method != "none"),
    )
    for distortion in ("noise", "blur"):
        yield Claim(
            f"recnet-single-beats-multiple-high-{distortion}",
            f"At high levels, one RecNet for {distortion} alone is better than one for both.",
            f"{text}, Figure 4",
            (_beats("recnet-single", "recnet-multiple", distortion, HIGH),),
        )
        yield Claim(
            f"qrnet-beats-recnet-single-high-{distortion}",
            f"At high levels, QRNet is better than the RecNet for {distortion} alone.",
            f"{text}, Figure 4",
            (_beats("qrnet", "recnet-single", distortion, HIGH),),
        )
    yield Claim(
        "qrnet-keeps-clean",
        f"QRNet does little harm to clean images: at most {CLEAN_MARGIN} of accuracy is lost.",
        "Section III-D (of the reconstruction; the margin is ours)",
        (Comparison(Side("qrnet", "clean"), Side("none", "clean"), CLEAN_MARGIN),),
    )


CLAIMS: tuple[Claim, ...] = tuple(_claims())

#: Restorers that the claims are about.
NEEDED = tuple(
    dict.fromkeys(selection.restorer_of(m, d) for m in tables.METHODS for d in ("noise", "blur"))
)


def _numbers(pairs: Iterable[tuple[float, float]]) -> str:
    return "; ".join(f"{one:.3f} vs {two:.3f}" for one, two in pairs)


def check(
    results: pd.DataFrame, *, paper_dataset: str | None = None, **choice: Any
) -> pd.DataFrame:
    """Every claim, judged on our results.

    Args:
        results: frame of `qrlib.store.read`.
        paper_dataset: whose printed numbers to show; default as in `tables.table2`.
        choice: profile, dataset, classifier, as in `tables.select`.

    Returns:
        One claim a row: id, claim, where, paper and ours (texts "left vs right"), difference and
        standard_error (of the comparison that decides), seeds, n, verdict.
    """
    dataset = str(selection.select(results, restorers=NEEDED, **choice)["dataset"].iloc[0])
    theirs = paper_dataset or reference.DATASETS.get(dataset, "Caltech101")
    rows = []
    for claim in CLAIMS:
        found = claim.check(results, **choice)
        row = {"id": claim.id, "claim": claim.text, "where": claim.where}
        row["paper"] = _numbers(claim.printed(theirs)) or "no number printed"
        rows.append(row | {"ours": _numbers(found.pop("pairs"))} | found)
    return pd.DataFrame(rows)


def check_styled(
    results: pd.DataFrame, *, label: str = "ours", paper_label: str = "paper", **options: Any
) -> Rendered:
    """`check` (with its `options`) for reading."""
    found = check(results, **options)
    shown = found[["claim", "where", "paper", "ours", "verdict"]].astype(str)
    counts = found["verdict"].value_counts().to_dict()
    caption = ", ".join(f"{counts.get(kind, 0)} {kind}" for kind in (HOLDS, FAILS, CLOSE))
    headings = ["claim", "where", paper_label, label, "verdict"]
    return grid(headings, shown.to_numpy().tolist(), f"Verdicts: {caption}.")
