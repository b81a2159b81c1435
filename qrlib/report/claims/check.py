"""Does it hold?  The paper's claims (`qrlib.report.claims.paper_claims`), each judged on our results.

The rule, and what each verdict means, is in `qrlib.report.claims.rule`; `qrlib.report.claims.verdict_tables` shows them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from qrlib import paper
from qrlib.experiments import profiles
from qrlib.records import store
from qrlib.report.claims.evidence import WORDS, Evidence
from qrlib.report.claims.paper_claims import CLAIMS as CLAIMS
from qrlib.report.claims.rule import CLOSE as CLOSE
from qrlib.report.claims.rule import FAILS as FAILS
from qrlib.report.claims.rule import HOLDS as HOLDS
from qrlib.report.claims.rule import NOT_JUDGED as NOT_JUDGED
from qrlib.report.claims.rule import Claim
from qrlib.report.claims.rule import standard_error as standard_error
from qrlib.report.claims.rule import verdict as verdict
from qrlib.utils.errors import choose

VERDICTS = (HOLDS, FAILS, CLOSE, NOT_JUDGED)


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
        results: frame of `qrlib.records.store.read`.
        times: frame of ``qrlib.records.store.read(profile, kind="timing")``.
        training: ``qrlib.records.store.read_records(profile, "recovery")``, for the time of an epoch.
        unseen: the classifier that no restorer was trained with; default as in
            `qrlib.report.claims.evidence.Evidence`.
        ids: which claims, in the paper's order whatever the order here; default: all.
        paper_dataset: whose printed numbers to show; default as in `qrlib.report.tables.table2`.
        choice: profile, dataset, classifier, as in `qrlib.records.selection.select`.

    Returns:
        One claim a row: id, claim, where, how (what is compared), paper and ours (texts "left vs
        right"), comparisons (a tuple of place, relation, the paper's pair and ours, None for a pair that
        is not there), decides (which comparison does), and of this one difference, standard_error, seeds
        (how many), agree (whether these have one sign), n (test images), profile, records, verdict (one
        of `VERDICTS`), why (it is not judged, in words, or "").

    Raises:
        QrlibError: as `qrlib.records.selection.select`; an unknown id; a level lacks of what was run; two
            restorers share no seed.
    """
    evidence = Evidence(results, times=times, training=training, unseen=unseen, **choice)
    theirs = paper_dataset or paper.DATASETS.get(evidence.dataset, "Caltech101")
    wanted = [claim.id for claim in CLAIMS]
    if ids is not None:
        wanted = [choose("claim", name, wanted) for name in ids]
    rows = []
    for claim in (claim for claim in CLAIMS if claim.id in wanted):
        found = claim.check(evidence)
        row: dict[str, Any] = {
            "id": claim.id,
            "claim": claim.text,
            "where": claim.where,
            "how": claim.how,
        }
        printed, pairs = claim.printed(theirs), found.pop("pairs")
        row["paper"] = _numbers(claim, printed) or "no number printed"
        row["ours"] = _numbers(claim, pairs, "not comparable") or NOT_JUDGED
        pairs = pairs or [None] * len(printed)
        row["comparisons"] = tuple(
            {"place": place, "relation": relation, "metric": c.metric, "paper": left, "ours": right}
            for c, left, right in zip(claim.comparisons, printed, pairs, strict=True)
            for place, relation in (c.words(),)
        )
        needs = (need for c in claim.comparisons for need in c.needs())
        source = {"n": evidence.n, "profile": evidence.profile, "records": evidence.records(needs)}
        rows.append(row | found | source)
    return pd.DataFrame(rows)


def of_profile(profile: profiles.Profile) -> pd.DataFrame:
    """`check` on all records of a profile: evaluations, times and trainings."""
    times = None
    if store.read_records(profile.name, "timing"):
        times = store.read(profile.name, kind="timing")
    return check(
        store.read(profile.name, images=True),
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


def tidy(found: pd.DataFrame) -> pd.DataFrame:
    """A frame of `check` with one comparison a row, all digits, for taking away.

    Columns id, claim, where, verdict, place, relation, metric, paper_left, paper_right, ours_left,
    ours_right (NaN where there is none), decides (whether it is the one that does), and as in `check`
    difference, standard_error, seeds, agree, n, why, profile and records, which are the claim's.
    """
    rows = []
    for row in found.to_dict("records"):
        for number, one in enumerate(row["comparisons"]):
            sides = {
                f"{whose}_{side}": (one[whose] or (math.nan, math.nan))[i]
                for whose in ("paper", "ours")
                for i, side in enumerate(("left", "right"))
            }
            words = {key: one[key] for key in ("place", "relation", "metric")}
            sides["decides"] = number == row["decides"]
            before = {key: row[key] for key in ("id", "claim", "where", "verdict")}
            after = "difference standard_error seeds agree n why profile records".split()
            rows.append(before | words | sides | {key: row[key] for key in after})
    return pd.DataFrame(rows)
