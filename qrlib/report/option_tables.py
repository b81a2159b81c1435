"""The ways to recognise distorted images, held against doing nothing, on the same test images.

Differences are judged as claims are (`qrlib.report.claims.rule`), image by image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qrlib.experiments.settings import Profile
from qrlib.records import selection, store
from qrlib.report import filters, labels, render, restore_or_not, sources
from qrlib.report.claims import rule
from qrlib.report.claims.comparisons import Comparison
from qrlib.report.claims.evidence import Evidence, Side

PLACES = {"clean": "clean", "noise": "noisy", "blur": "blurred"}


@dataclass(frozen=True)
class Option:
    """One way to recognise distorted images.

    Attributes:
        method: key of `qrlib.paper.METHODS`, or a restorer.
        learns: whether the classifier's own fully connected layers learn.
        told: whether one must know which distortion an image has.
        only: the one distortion that it is for, if it is not for both.
    """

    method: str
    learns: bool = False
    told: bool = False
    only: str = ""

    @property
    def places(self) -> tuple[str, ...]:
        """What it has one accuracy on; two networks, one a distortion, have none on clean images."""
        if self.only:
            return (self.only,)
        return tuple(labels.DISTORTIONS) if self.told else tuple(PLACES)


OPTIONS = (
    Option("none"),
    *(Option(name, told=True, only=name.rpartition("-")[2]) for name in filters.FILTERS),
    Option("recnet-single", told=True),
    Option("recnet-multiple"),
    Option("qrnet"),
    Option(restore_or_not.GATED),
    Option(restore_or_not.AVERAGED),
    Option("qrnet_routed-multiple"),
    Option("recnet_routed-multiple"),
    Option("mqrnet-multiple"),
    Option("qrnet_classification_only-multiple"),
    Option("qrnet_unlabelled-multiple"),
    Option("finetuned-single", learns=True, told=True),
    Option("finetuned-multiple", learns=True),
    Option("finetuned_routed-multiple", learns=True),
    Option("stabilised-multiple", learns=True),
    Option("quantised-multiple", learns=True),
    Option("recnet_finetuned-multiple", learns=True),
    Option("qrnet_finetuned-multiple", learns=True),
    Option("end-to-end", learns=True),
)
#: The rule's verdict on "more accurate than with no restoration".
WORDS = {rule.HOLDS: "better", rule.FAILS: "worse", rule.CLOSE: "no clear difference"}


def evidence_of(profile: Profile) -> Evidence:
    """The accuracies of a profile, image by image."""
    results = restore_or_not.with_gate(store.read(profile.name, images=True))
    return Evidence(results, profile.choice, unseen=profile.unseen_classifier.name)


def options(evidence: Evidence, unseen: bool = False) -> pd.DataFrame:
    """Every option that was run, on clean, noisy and blurred images.

    Args:
        unseen: before the classifier that no restorer learned from.

    Returns:
        One option and place a row: method, learns, told, distortion, ours (accuracy, mean over levels and
        seeds), gain (over doing nothing), standard_error (of the gain), verdict (one of `WORDS`), n, profile,
        records.
    """
    rows = []
    for option in OPTIONS:
        for place in option.places:
            side = Side(option.method, place, unseen=unseen)
            base = Side("none", place, unseen=unseen)
            if evidence.lacks([*side.needs(), *base.needs()]):
                continue
            row = {"method": option.method, "learns": option.learns, "told": option.told}
            rows.append(row | {"distortion": place} | against(evidence, side))
    return pd.DataFrame(rows)


def by_level(evidence: Evidence, method: str) -> pd.DataFrame:
    """One method against doing nothing, on clean images and at each level of each distortion.

    Verdicts are stricter than those of `options`, as there are so many at once.

    Returns:
        Columns distortion, level, strength, and as in `options`.
    """
    levels = [("clean", 0), *((kind, i) for kind in labels.DISTORTIONS for i in selection.LEVELS)]
    present = evidence.present("accuracy")
    strengths = present.groupby(["distortion", "level"])["strength"].first()
    rows = []
    for kind, level in levels:
        side = Side(method, kind, (level,) if level else selection.LEVELS)
        row = {"distortion": kind, "level": level, "strength": float(strengths[kind, level])}
        rows.append(row | against(evidence, side, comparisons=len(levels)))
    return pd.DataFrame(rows)


def against(
    evidence: Evidence, side: Side, method: str = "none", *, comparisons: int = 1
) -> dict[str, Any]:
    """One number against another method's: ours, gain, standard_error, verdict, n, profile, records.

    Args:
        method: the other one; default: doing nothing.
        comparisons: how many verdicts could each come by chance (`qrlib.report.claims.rule`).
    """
    base = Side(method, side.distortion, side.levels, unseen=side.unseen)
    source = {"n": evidence.n, "profile": evidence.profile}
    source["records"] = evidence.records([*side.needs(), *base.needs()])
    if side == base:
        own = base.measured(evidence).mean()
        return {"ours": own, "gain": 0.0, "standard_error": 0.0, "verdict": ""} | source
    chances = {"to_hold": comparisons, "to_fail": comparisons}
    judged = rule.judge(Comparison(side, base), evidence, **chances)
    return {
        "ours": judged["pair"][0],
        "gain": judged["difference"],
        "standard_error": judged["standard_error"],
        "verdict": WORDS[judged["verdict"]],
        **source,
    }


def against_in_words(evidence: Evidence, method: str, other: str) -> str:
    """The verdicts of `against` on clean, noisy and blurred images; "" where one of the two was not run."""
    if evidence.lacks([need for x in (method, other) for need in Side(x, "noise").needs()]):
        return ""
    parts = []
    for place, words in PLACES.items():
        told = against(evidence, Side(method, place), other)
        parts.append(f"{told['verdict']} on {words} images ({render.signed(told['gain'])})")
    return labels.joined(parts)


def render_options(frame: pd.DataFrame, classifier: str, file: str) -> render.Rendered:
    """A frame of `options` for reading; `file` as in `qrlib.report.sources.line`."""
    cells = frame.set_index(["method", "distortion"])
    rows = []
    for option in OPTIONS:
        if option.method not in set(frame["method"]):
            continue
        needs = ["training images"] * option.learns + ["the distortion"] * option.told
        needs += ["its level"] * bool(option.only) + ["its kernel"] * (option.only == "blur")
        row = [labels.method(option.method), labels.joined(needs) if needs else "nothing"]
        for place in PLACES:
            there = (option.method, place) in cells.index
            row.append(cell(cells.loc[(option.method, place)]) if there else "–")
        rows.append(row)
    caption = (
        f"Accuracy of {labels.classifier(classifier)} on {frame['n'].iloc[0]:,} test images, averaged over "
        "the five levels of a distortion. In brackets: the change, and whether the choice of test images can "
        "explain it."
    )
    headings = ["", "what else you need", *PLACES.values()]
    return render.grid(headings, rows, caption, file, data=frame, up=sources.OF_ALL)


def render_levels(frame: pd.DataFrame, method: str, file: str) -> render.Rendered:
    """A frame of `by_level` for reading."""
    rows = [
        [
            place,
            f"{row['ours'] - row['gain']:.3f}",
            f"{row['ours']:.3f}",
            f"{render.signed(row['gain'])} ± {row['standard_error']:.3f}",
            row["verdict"],
        ]
        for row in frame.to_dict("records")
        for place in places_in_words([row])
    ]
    headings = ["", "no restoration", labels.method(method), "change", "verdict"]
    caption = (
        f"{frame['n'].iloc[0]:,} test images; ± one standard error of the paired difference. Verdicts are "
        f"stricter than in the table of all options, because there are {len(frame)} of them."
    )
    return render.grid(headings, rows, caption, file, data=frame, up=sources.OF_ALL)


def cell(row: Mapping[str, Any] | pd.Series) -> str:
    """An accuracy, and in brackets its change and the verdict on it; a row of `options`."""
    change = f" ({render.signed(row['gain'])}, {row['verdict']})" if row["verdict"] else ""
    return f"{row['ours']:.3f}{change}"


def places_in_words(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Clean images, and each distortion with its strengths.

    >>> places_in_words([{"distortion": "clean"}, {"distortion": "blur", "strength": 2.0}])
    ['clean images', 'blur of σ = 2']
    """
    places = ["clean images"] if any(row["distortion"] == "clean" for row in rows) else []
    for kind in labels.DISTORTIONS:
        strengths = [f"{round(row['strength'], 2):g}" for row in rows if row["distortion"] == kind]
        if len(strengths) == len(selection.LEVELS):
            places.append(f"{kind} of any strength")
        elif strengths:
            places.append(f"{kind} of σ = {labels.joined(strengths)}")
    return places
