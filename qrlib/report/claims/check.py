"""Does it hold?  The paper's claims (`qrlib.report.claims.paper_claims`), each judged on our results.

The rule, and what each verdict means, is in `qrlib.report.claims.rule`; `qrlib.report.claims.verdict_tables` shows them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from qrlib import paper
from qrlib.experiments.settings import Profile
from qrlib.records import store
from qrlib.records.selection import ONLY, Selection
from qrlib.report import labels
from qrlib.report.claims.evidence import Evidence
from qrlib.report.claims.paper_claims import CLAIMS
from qrlib.report.claims.rule import NOT_JUDGED, VERDICTS, Claim
from qrlib.utils.errors import choose


def check(
    results: pd.DataFrame,
    choice: Selection = ONLY,
    *,
    times: pd.DataFrame | None = None,
    training: Sequence[Mapping[str, Any]] = (),
    unseen: str | None = None,
    ids: Iterable[str] | None = None,
    claims: Sequence[Claim] = CLAIMS,
) -> pd.DataFrame:
    """Every claim, judged on our results.

    Args:
        results, choice, times, training, unseen: as in `qrlib.report.claims.evidence.Evidence`.
        ids: which claims, in the paper's order; default: all.

    Returns:
        One claim a row: id, claim, where, how (what is compared), paper and ours (texts "left vs
        right"), comparisons (a tuple of place, relation, the paper's pair and ours, None for a pair that
        is not there), decides (which comparison does), and of this one difference, standard_error, seeds
        (how many), agree (whether these have one sign), n (test images), profile, records, verdict (one
        of `qrlib.report.claims.rule.VERDICTS`), why (it is not judged, in words, or "").

    Raises:
        QrlibError: as `qrlib.records.selection.by_seed`; two restorers have no seed in common.
    """
    evidence = Evidence(results, choice, times=times, training=training, unseen=unseen)
    printed_dataset = paper.DATASETS.get(evidence.dataset, "Caltech101")
    known = [claim.id for claim in claims]
    wanted = known if ids is None else [choose("claim", name, known) for name in ids]
    rows = []
    for claim in (claim for claim in claims if claim.id in wanted):
        judgement = claim.check(evidence)
        printed, pairs = claim.printed(printed_dataset), judgement.pop("pairs")
        row: dict[str, Any] = {
            "id": claim.id, "claim": claim.text, "where": claim.where, "how": claim.how,
            "paper": _numbers(claim, printed) or "no number printed",
            "ours": _numbers(claim, pairs, "not comparable") or NOT_JUDGED,
        }  # fmt: skip
        pairs = pairs or [None] * len(printed)
        row["comparisons"] = tuple(
            {"place": place, "relation": relation, "metric": c.metric, "paper": left, "ours": right}
            for c, left, right in zip(claim.comparisons, printed, pairs, strict=True)
            for place, relation in (c.words(),)
        )
        needs = (need for c in claim.comparisons for need in c.needs())
        source = {"n": evidence.n, "profile": evidence.profile, "records": evidence.records(needs)}
        rows.append(row | judgement | source)
    return pd.DataFrame(rows)


def check_profile(profile: Profile) -> pd.DataFrame:
    """`check` on all records of a profile: evaluations, times and trainings."""
    times = None
    if store.read_records(profile.name, "timing"):
        times = store.read(profile.name, kind="timing")
    return check(
        store.read(profile.name, images=True),
        profile.choice,
        times=times,
        training=store.read_records(profile.name, "recovery"),
        unseen=profile.unseen_classifier.name,
    )


def numbers(pair: tuple[float, float] | None, metric: str, none: str) -> str:
    """Left and right as text, with the digits of their metric; `none` where there are none."""
    digits = labels.METRICS[metric][1]
    return none if pair is None else " vs ".join(f"{side:.{digits}f}" for side in pair)


def _numbers(claim: Claim, pairs: Sequence[tuple[float, float] | None], none: str = "") -> str:
    texts = [
        numbers(pair, comparison.metric, none)
        for comparison, pair in zip(claim.comparisons, pairs, strict=False)
    ]
    return "; ".join(filter(None, texts))


def counts(verdicts: pd.DataFrame) -> dict[str, int]:
    """How many claims of a frame of `check` got each verdict, in the order of `VERDICTS`."""
    return verdicts["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0).to_dict()


def tidy(verdicts: pd.DataFrame) -> pd.DataFrame:
    """A frame of `check` with one comparison a row, all digits, for taking away.

    Columns id, claim, where, verdict, place, relation, metric, paper_left, paper_right, ours_left,
    ours_right (NaN where there is none), decides (whether it is the one that does), and as in `check`
    difference, standard_error, seeds, agree, n, why, profile and records, which are the claim's.
    """
    rows = []
    for row in verdicts.to_dict("records"):
        for number, comparison in enumerate(row["comparisons"]):
            sides = {
                f"{source}_{side}": value
                for source in ("paper", "ours")
                for side, value in zip(
                    ("left", "right"), comparison[source] or (math.nan, math.nan), strict=True
                )
            }
            before = {key: row[key] for key in ("id", "claim", "where", "verdict")}
            words = {key: comparison[key] for key in ("place", "relation", "metric")}
            after = "difference standard_error seeds agree n why profile records".split()
            decides = {"decides": number == row["decides"]}
            rows.append(before | words | sides | decides | {key: row[key] for key in after})
    return pd.DataFrame(rows)
