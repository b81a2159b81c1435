"""What should QRNet learn from?  Other teachers and other losses, held against RecNet, which knows pixels alone.

Not in the paper.  Differences are judged as claims are (`qrlib.report.claims.rule`), image by image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from qrlib.experiments.settings import Profile
from qrlib.records import selection, store
from qrlib.report import costs, labels, option_tables, render, sources
from qrlib.report.claims import check, rule
from qrlib.report.claims.comparisons import SIMILAR, Comparison, beats
from qrlib.report.claims.evidence import Evidence, Side
from qrlib.report.claims.rule import Claim

#: It has neither a teacher nor labels: what all others are held against.
BASE = "recnet-multiple"
#: The images as they are, which each way has to improve on.
AS_THEY_ARE = {"none": "nobody (images as they are)"}
#: What had no teacher.
UNTAUGHT = (*AS_THEY_ARE, BASE)
#: It learned from the classifier that judges it, which taught none of the others.
OWN = "qrnet_of_unseen-multiple"
#: Method -> what it learned from, where all have one teacher.
LOSSES = {
    BASE: "L1 alone (RecNet)",
    "qrnet": "L1 + 0.01 × cross-entropy (QRNet)",
    "qrnet_lambda_1-multiple": "L1 + cross-entropy",
    "qrnet_classification_only-multiple": "cross-entropy alone",
    "qrnet_unlabelled-multiple": "L1 + 0.01 × difference of answers, no labels",
}


def _alike(left: str, right: str, *, unseen: bool = False) -> tuple[Comparison, ...]:
    return tuple(
        Comparison(Side(left, d, unseen=unseen), Side(right, d, unseen=unseen), SIMILAR, "similar")
        for d in labels.DISTORTIONS
    )


LOSS_CLAIMS = (
    Claim(
        "labels-not-needed",
        f"Without labels QRNet helps as much as with them, within {SIMILAR:g}.",
        "not in the paper",
        _alike("qrnet_unlabelled-multiple", "qrnet"),
    ),
    Claim(
        "gradient-needed-without-labels",
        "Without labels QRNet helps more than RecNet, which has no teacher, under noise and under blur.",
        "not in the paper",
        tuple(beats("qrnet_unlabelled-multiple", BASE, d) for d in labels.DISTORTIONS),
    ),
    Claim(
        "pixels-needed",
        "With the distance between pixels QRNet helps more than with the cross-entropy alone, under both.",
        "not in the paper",
        tuple(beats("qrnet", "qrnet_classification_only-multiple", d) for d in labels.DISTORTIONS),
    ),
    Claim(
        "more-weight",
        "If the cross-entropy counts a hundred times as much, QRNet helps more, under both.",
        "the paper tried λ up to 0.1",
        tuple(beats("qrnet_lambda_1-multiple", "qrnet", d) for d in labels.DISTORTIONS),
    ),
)


def teachers(profile: Profile) -> dict[str, str]:
    """Method -> which classifiers it learned from, in words: RecNet, and the QRNets that a profile may have."""
    names = {role: labels.classifier(getattr(profile, role).name) for role in profile.roles}
    taught: dict[str, tuple[str, ...]] = {
        BASE: (),
        "qrnet": ("classifier",),
        "qrnet_of_second-multiple": ("second_classifier",),
        OWN: ("unseen_classifier",),
        "qrnet_of_light-multiple": ("light_classifier",),
        "mqrnet": ("classifier", "second_classifier"),
    }
    return {
        method: labels.joined(names[role] for role in roles) if roles else "nobody (RecNet)"
        for method, roles in taught.items()
        if {*roles} <= {*names}
    }


def teacher_claims(profile: Profile) -> tuple[Claim, ...]:
    """Whether a teacher's advice helps a classifier that taught nobody, as much as its own, and any teacher's."""
    own, *others = (
        item for item in teachers(profile).items() if item[0] not in (BASE, OWN, "mqrnet")
    )
    judge = labels.classifier(profile.unseen_classifier.name)
    beyond = Claim(
        "help-for-others",
        f"A QRNet that learned from {own[1]} helps {judge} more than RecNet, under noise and under blur.",
        "not in the paper",
        tuple(beats(own[0], BASE, d, unseen=True) for d in labels.DISTORTIONS),
    )
    itself = Claim(
        "own-advice-better",
        f"A QRNet that learned from {judge} itself helps it more than one that learned from {own[1]}, under both.",
        "not in the paper",
        tuple(beats(OWN, own[0], d, unseen=True) for d in labels.DISTORTIONS),
    )
    alike = (
        Claim(
            f"{method}-like-qrnet",
            f"A QRNet that learned from {taught} helps {judge} as much as one that learned from {own[1]}, "
            f"within {SIMILAR:g}.",
            "not in the paper",
            _alike(method, own[0], unseen=True),
        )
        for method, taught in others
    )
    return beyond, itself, *alike


def judges(profile: Profile, methods: Mapping[str, str]) -> list[str]:
    """The roles of the classifiers before which RecNet and at least one other of some methods were tried."""
    results = store.read(profile.name)
    found = []
    for role in profile.roles:
        choice = replace(profile.choice, classifier=getattr(profile, role).name)
        if choice.classifier in set(results["classifier"]):
            there = selection.with_results(results, methods, choice)
            found += [role] if BASE in there and len(there) > 1 else []
    return found


def table(profile: Profile, methods: Mapping[str, str], roles: Sequence[str]) -> pd.DataFrame:
    """Every method that was run, before classifiers, on clean, noisy and blurred images.

    Args:
        methods: `LOSSES` or `teachers`.
        roles: of the classifiers that judge.

    Returns:
        One judge, method and place a row: judge, method, taught (what it learned from), minutes (of training,
        NaN where unknown), distortion, ours (accuracy, mean over levels and seeds), gain (over RecNet),
        standard_error (of the gain, paired), verdict (one of `qrlib.report.option_tables.WORDS`, "" for
        RecNet), helps (the same against images as they are, "" for those and where they were not tried), n,
        profile, records.
    """
    methods = {**AS_THEY_ARE, **methods}
    results = store.read(profile.name, images=True)
    rows = []
    for role in roles:
        choice = replace(profile.choice, classifier=getattr(profile, role).name)
        evidence = Evidence(results, choice)
        there = selection.with_results(results, methods, choice)
        minutes = costs.table(profile, there).set_index("method")["minutes"]
        for method in there:
            way: dict[str, Any] = {
                "judge": choice.classifier,
                "method": method,
                "taught": methods[method],
            }
            way["minutes"] = math.nan if method in AS_THEY_ARE else minutes[method]
            for place in option_tables.PLACES:
                side = Side(method, place)
                told = option_tables.against(evidence, side, BASE)
                helps = option_tables.against(evidence, side)["verdict"] if "none" in there else ""
                rows.append({**way, "distortion": place, "helps": helps, **told})
    return pd.DataFrame(rows)


def judged(profile: Profile, claims: Sequence[Claim]) -> pd.DataFrame:
    """A frame of `qrlib.report.claims.check.check` for `LOSS_CLAIMS` or `teacher_claims`."""
    results, unseen = store.read(profile.name, images=True), profile.unseen_classifier.name
    return check.check(results, profile.choice, unseen=unseen, claims=claims)


def own_against_others(profile: Profile, roles: Sequence[str]) -> list[str]:
    """QRNet's own teacher against each other one, before each judge, a sentence each; empty where no other was tried.

    Args:
        roles: of the classifiers that judge.
    """
    named = teachers(profile)
    rivals = [method for method in named if method not in (*UNTAUGHT, "qrnet", OWN, "mqrnet")]
    results = store.read(profile.name, images=True)
    said = []
    for rival in rivals:
        for role in roles:
            judge = getattr(profile, role).name
            evidence = Evidence(results, replace(profile.choice, classifier=judge))
            if told := option_tables.against_in_words(evidence, "qrnet", rival):
                said.append(
                    f"Learned from {named['qrnet']} rather than from {named[rival]}, judged by "
                    f"{labels.classifier(judge)}: {told}."
                )
    return said


def ended_early(profile: Profile, methods: Iterable[str]) -> list[str]:
    """Which trainings ended before their last epoch, and whether they broke down, in Markdown."""
    said = []
    restorers = selection.restorers_of(methods)
    judge, accuracy = profile.classifier.name, f"val_{profile.classifier.name}_accuracy"
    for record in store.read_records(profile.name, "recovery"):
        epochs, best = record["training"]["epochs"], record["training"].get("best_epoch")
        name = next((x for x in restorers if record["name"].startswith(f"{x}-")), None)
        if name is None or best is None or len(epochs) >= profile.recovery.epochs:
            continue
        text = (
            f"The training of {labels.method(name)} ended after {len(epochs)} of {profile.recovery.epochs} "
            f"epochs. The network of epoch {best} is judged."
        )
        kept, last = (epoch.get(accuracy, 1.0) for epoch in (epochs[best - 1], epochs[-1]))
        if last < kept / 2:
            text += (
                f" The training broke down: in that epoch {labels.classifier(judge)} recognised {100 * kept:.0f} % "
                f"of the restored validation images, and {100 * last:.0f} % in the last."
            )
        said.append(text)
    return said


def without_labels(profile: Profile) -> str:
    """QRNet without labels against QRNet with them, a sentence; "" where one was not run."""
    evidence = option_tables.evidence_of(profile)
    told = option_tables.against_in_words(evidence, "qrnet_unlabelled-multiple", "qrnet")
    return f"Without labels, against with labels: {told}." if told else ""


def in_words(frame: pd.DataFrame, *, harm: bool = False) -> list[str]:
    """What each way does for each judge, a sentence each, in Markdown: a frame of `table`.

    Args:
        harm: only of those that are worse than no restorer under noise or under blur.
    """
    said = []
    learned = frame[~frame["method"].isin(UNTAUGHT)]
    for (judge, taught), cells in learned.groupby(["judge", "taught"], sort=False):
        by = cells.set_index("distortion")
        parts = [
            f"{by.loc[d, 'verdict']} under {d} ({render.signed(by.loc[d, 'gain'])})"
            for d in labels.DISTORTIONS
        ]
        worse = [
            d for d in labels.DISTORTIONS if by.loc[d, "helps"] == option_tables.WORDS[rule.FAILS]
        ]
        if harm and not worse:
            continue
        text = f"Learned from {taught}, judged by {labels.classifier(judge)}, against RecNet: {', '.join(parts)}."
        if worse:
            text += f" Under {labels.joined(worse)} it is still worse than no restorer."
        said.append(text)
    return said


def render_table(frame: pd.DataFrame, file: str) -> render.Rendered:
    """A frame of `table` for reading; `file` as in `qrlib.report.sources.line`."""
    rows = []
    for (judge, method), cells in frame.groupby(["judge", "method"], sort=False):
        line = [labels.classifier(judge), cells["taught"].iloc[0]]
        minutes = cells["minutes"].iloc[0]
        line.append("–" if math.isnan(minutes) else f"{minutes:.0f}")
        for cell in cells.to_dict("records"):
            change = f"{render.signed(cell['gain'])}\u00a0±\u00a0{cell['standard_error']:.3f}"
            told = "" if method == BASE else f" ({change}, {cell['verdict']})"
            line.append(f"{cell['ours']:.3f}{told}")
        rows.append(line)
    caption = (
        f"Accuracy on {frame['n'].iloc[0]:,} test images, averaged over the five levels of a distortion. In "
        "brackets: the change against RecNet, ± one standard error of the paired difference, and whether it "
        f"is more than chance. {costs.MINUTES}"
    )
    headings = ["judged by", "learned from", "minutes", *option_tables.PLACES.values()]
    return render.grid(headings, rows, caption, file, data=frame, up=sources.OF_ALL)
