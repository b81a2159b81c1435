"""Does it hold?  The paper's claims (`qrlib.sentences`), each judged on our results.

The rule, and what each verdict means, is in `qrlib.checking`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from qrlib import profiles, reference, store
from qrlib.checking import CLOSE as CLOSE
from qrlib.checking import FAILS as FAILS
from qrlib.checking import HOLDS as HOLDS
from qrlib.checking import NOT_JUDGED as NOT_JUDGED
from qrlib.checking import Claim, in_errors, threshold
from qrlib.checking import standard_error as standard_error
from qrlib.checking import verdict as verdict
from qrlib.errors import choose
from qrlib.evidence import WORDS, Evidence
from qrlib.rendering import Rendered, grid
from qrlib.sentences import CLAIMS as CLAIMS

VERDICTS = (HOLDS, FAILS, CLOSE, NOT_JUDGED)
#: What stands before a verdict, so that a long table can be skimmed.
SIGNS = {HOLDS: "✓", FAILS: "✗", CLOSE: "≈", NOT_JUDGED: "–"}


def check(
    results: pd.DataFrame,
    *,
    times: pd.DataFrame | None = None,
    training: Sequence[Mapping[str, Any]] = (),
    unseen: str | None = None,
    ids: Iterable[str] | None = None,
    paper_dataset: str | None = None,
    **choice: Any,
) -> pd.DataFrame:
    """Every claim, judged on our results.

    Args:
        results: frame of `qrlib.store.read`.
        times: frame of ``qrlib.store.read(profile, kind="timing")``.
        training: ``qrlib.store.read_records(profile, "recovery")``, for the time of an epoch.
        unseen: the classifier that no restorer was trained with; default as in
            `qrlib.evidence.Evidence`.
        ids: which claims, in the paper's order whatever the order here; default: all.
        paper_dataset: whose printed numbers to show; default as in `qrlib.tables.table2`.
        choice: profile, dataset, classifier, as in `qrlib.selection.select`.

    Returns:
        One claim a row: id, claim, where, how (what is compared), paper and ours (texts "left vs
        right"), difference and standard_error (of the comparison that decides), seeds (how many), agree
        (whether these have one sign), n (test images), verdict (one of `VERDICTS`), why (it is not
        judged, in words, or "").

    Raises:
        QrlibError: as `qrlib.selection.select`; an unknown id; a level lacks of what was run; two
            restorers share no seed.
    """
    evidence = Evidence(results, times=times, training=training, unseen=unseen, **choice)
    theirs = paper_dataset or reference.DATASETS.get(evidence.dataset, "Caltech101")
    wanted = [claim.id for claim in CLAIMS]
    if ids is not None:
        wanted = [choose("claim", name, wanted) for name in ids]
    rows = []
    for claim in (claim for claim in CLAIMS if claim.id in wanted):
        found = claim.check(evidence)
        row = {"id": claim.id, "claim": claim.text, "where": claim.where, "how": claim.how}
        row["paper"] = _numbers(claim, claim.printed(theirs)) or "no number printed"
        row["ours"] = _numbers(claim, found.pop("pairs"), "not comparable") or NOT_JUDGED
        rows.append(row | found | {"n": evidence.n})
    return pd.DataFrame(rows)


def of_profile(profile: profiles.Profile) -> pd.DataFrame:
    """`check` on all records of a profile: evaluations, times and trainings."""
    times = None
    if store.read_records(profile.name, "timing"):
        times = store.read(profile.name, kind="timing")
    return check(
        store.read(profile.name),
        times=times,
        training=store.read_records(profile.name, "recovery"),
        unseen=profile.unseen_classifier.name,
        **profile.choice,
    )


def _numbers(claim: Claim, pairs: Sequence[tuple[float, float] | None], none: str = "") -> str:
    """Pairs as text, each with the digits of its metric; `none` stands for a pair that is None."""
    texts = []
    for comparison, pair in zip(claim.comparisons, pairs, strict=False):
        digits = WORDS[comparison.metric][1]
        texts.append(none if pair is None else " vs ".join(f"{p:.{digits}f}" for p in pair))
    return "; ".join(text for text in texts if text)


def counts(found: pd.DataFrame) -> dict[str, int]:
    """How many claims of a frame of `check` got each verdict, in the order of `VERDICTS`."""
    there = found["verdict"].value_counts().to_dict()
    return {kind: int(there.get(kind, 0)) for kind in VERDICTS}


def render(found: pd.DataFrame, *, label: str = "ours", paper_label: str = "paper") -> Rendered:
    """A frame of `check`, or some of its rows, for reading.

    The verdict and how many seeds it rests on stand first, where a phone shows them.  Where a claim is
    not judged, the reason stands in place of our numbers.
    """
    rows = []
    for row in found.to_dict("records"):
        ours = row["why"] or row["ours"]
        claim = f"{row['claim'].rstrip('.')} ({row['where']})."
        verdict = f"{SIGNS[row['verdict']]} {row['verdict']}"
        if row["seeds"]:
            verdict += f" ({_seeds(row['seeds'])})"
        rows.append([verdict, _distance(row), claim, row["how"], row["paper"], ours])
    headings = ["verdict", "in errors", "claim", "compared", paper_label, label]
    return grid(headings, rows, _caption(found), data=found)


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"


def _distance(row: Mapping[str, Any]) -> str:
    """The difference that decides in its standard errors, "" where there is none."""
    if not row["seeds"]:
        return ""
    distance = in_errors(row["difference"], row["standard_error"])
    text = f"{round(distance, 1) or 0.0:+.1f}".replace("inf", "∞").replace("-", "−")  # no "−0.0"
    return text if row["agree"] or row["seeds"] == 1 else f"{text}, seeds disagree"


def _caption(found: pd.DataFrame) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts(found).items())
    caption = f"Verdicts: {kinds}."
    if (found["seeds"] > 0).any():
        caption += (
            " In errors: the difference that decides, in its standard errors; a verdict needs at least "
            f"{threshold():.2f}, and more where any of several comparisons could bring it about."
        )
    if (found["seeds"] == 1).any():
        caption += (
            " One seed: the error is that of the choice of test images alone (of times, of their "
            "repeats), and says nothing of what another training would change."
        )
    return caption
