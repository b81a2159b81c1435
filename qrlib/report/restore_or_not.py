"""When to restore: gates that choose for each image, held against never and always restoring.

Not in the paper.  Nothing is computed but from records: no image is classified again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from qrlib.records import per_image
from qrlib.report import labels, render, sources
from qrlib.report.claims import rule
from qrlib.report.claims.comparisons import Comparison
from qrlib.report.claims.evidence import Evidence, Side

#: The restorer of the rows that `with_gate` adds.
GATED = "qrnet_if_surer-multiple"
#: Both answers count, whatever the image: no gate, but its rival.
AVERAGED = "qrnet_averaged-multiple"
#: They ask the classifier twice.
TWICE = (GATED, AVERAGED)
#: A gate -> what it is held against.
GATES = {
    GATED: ("none", "qrnet"),
    AVERAGED: ("none", "qrnet", GATED),
    "qrnet_routed-multiple": ("none", "qrnet"),
    "recnet_routed-multiple": ("none", "qrnet", "recnet-single"),
    "finetuned_routed-multiple": ("none", "finetuned-multiple", "finetuned-single"),
}
_CASE = ["profile", "dataset", "classifier", "distortion", "level"]


def with_gate(results: pd.DataFrame) -> pd.DataFrame:
    """Results with the accuracies of a gate: QRNet restores each image of which the classifier is then surer.

    Surer is: the probability of its answer is higher.  The gate needs no label and no clean image; it
    costs a second pass through the classifier.

    Returns:
        The frame, which has its images, and a row of `GATED` for each accuracy of QRNet whose record keeps the
        confidences, and that of "none" too.
    """
    known = results[(results["metric"] == "accuracy") & results["confidence"].notna()]
    raw = known[known["restorer"] == "none"].set_index(_CASE)
    rows = []
    for row in known[known["restorer"] == "qrnet-multiple"].to_dict("records"):
        if (case := tuple(row[key] for key in _CASE)) not in raw.index:
            continue
        n = row["n"]
        surer = _confidence(row) > _confidence(raw.loc[case])
        right = np.where(surer, _right(row), _right(raw.loc[case]))
        told = {"restorer": GATED, "value": right.mean(), "right": per_image.pack_truth(right)}
        rows.append({**row, **told, "confidence": None, "restored": surer.sum() / n})
    return pd.concat([results, pd.DataFrame(rows)], ignore_index=True) if rows else results


def against(evidence: Evidence, gate: str) -> pd.DataFrame:
    """One of `GATES` against never restoring, always restoring, and what else it is held against.

    Verdicts are by the rule of the claims.

    Returns:
        One place and rival a row: gate, distortion, against, ours (accuracy of the gate, mean over levels),
        theirs, difference, standard_error (paired), verdict, restored (share of images; NaN of `AVERAGED`), n,
        profile, records.  Empty without rows of the gate.  One network for each distortion is no rival on clean images.
    """
    rows = []
    accuracies = evidence.present("accuracy")
    gates = accuracies[accuracies["restorer"] == gate]
    for place in ("clean", *labels.DISTORTIONS) if len(gates) else ():
        restored = _restored(gates[gates["distortion"] == place])
        for rival in GATES[gate]:
            side, other = Side(gate, place), Side(rival, place)
            if (rival.endswith("single") and place == "clean") or evidence.lacks(other.needs()):
                continue
            judged = rule.judge(Comparison(side, other), evidence)
            ours, theirs = judged["pair"]
            row = {
                "gate": gate,
                "distortion": place,
                "against": rival,
                "ours": ours,
                "theirs": theirs,
            }
            row |= {key: judged[key] for key in ("difference", "standard_error", "verdict")}
            needs = [*side.needs(), *other.needs(), *Side("none", place).needs()]
            row |= {"restored": restored, "n": evidence.n, "profile": evidence.profile}
            rows.append(row | {"records": evidence.records(needs)})
    return pd.DataFrame(rows)


def _restored(rows: pd.DataFrame) -> float:
    """In which share of the images the gate restored; NaN where it does not choose."""
    if rows["restorer"].isin([AVERAGED]).any():
        return float("nan")
    if "restored" in rows and rows["restored"].notna().all():
        return float(rows["restored"].mean())
    return float(np.mean([1 - found.get("clean", 0.0) for found in rows["found"]]))


def found(evidence: Evidence, gate: str) -> pd.DataFrame:
    """What the detector of a gate finds.

    Returns:
        One distortion and level a row: distortion, level, strength, clean, noise, blur (the shares of
        images in which it finds each), n, profile, records.
    """
    accuracies = evidence.present("accuracy")
    gates = accuracies[accuracies["restorer"] == gate].sort_values(["distortion", "level"])
    rows = [
        {
            **{key: row[key] for key in ("distortion", "level", "strength", "n", "profile")},
            **{kind: row["found"].get(kind, 0.0) for kind in _PLACES},
            "records": (row["record"],),
        }
        for place in _PLACES
        for row in gates[gates["distortion"] == place].to_dict("records")
    ]
    return pd.DataFrame(rows)


#: What the rule says of "the gate is more accurate".
_VERDICTS = {
    rule.HOLDS: "more accurate",
    rule.FAILS: "less accurate",
    rule.CLOSE: "not clearly different",
}


def in_words(frame: pd.DataFrame) -> str:
    """A frame of `against` as Markdown."""
    cells = frame.set_index(["against", "distortion"])
    said = []
    for rival in dict.fromkeys(frame["against"]):
        parts = [
            f"{_VERDICTS[cells.loc[(rival, place), 'verdict']]} on {place_words}"
            for place, place_words in _PLACES.items()
            if (rival, place) in cells.index
        ]
        said.append(f"Against {_RIVALS[rival]}, the {_name(frame)} is {labels.joined(parts)}.")
    if frame["gate"].iloc[0] == AVERAGED:
        return " ".join(said)
    return (
        f"{' '.join(said)} It {_does(frame)[0]} {100 * cells.loc[('none', 'clean'), 'restored']:.0f} % of clean images, "
        f"{100 * cells.loc[('none', 'noise'), 'restored']:.0f} % of noisy ones and "
        f"{100 * cells.loc[('none', 'blur'), 'restored']:.0f} % of blurred ones."
    )


def in_short(frame: pd.DataFrame) -> str:
    """Whether a gate is worth it, in Markdown: a frame of `against`.

    Yes: somewhere more accurate than never restoring and nowhere less, and the same against its other rivals.
    No: nowhere more accurate than one of them, and somewhere less; by how much is said.
    """
    answers = []
    for rival, rows in frame.groupby("against", sort=False):
        if not str(rival).endswith("single"):  # told more than any gate is
            answers.append(({*rows["verdict"]} & {rule.HOLDS, rule.FAILS}, rival))
    if all(verdicts == {rule.HOLDS} for verdicts, _ in answers):
        return "**Worth it.**"
    worse = [rival for verdicts, rival in answers if verdicts == {rule.FAILS}]
    if worse:
        told = [f"{_RIVALS[x]} is better by {_lead(frame[frame['against'] == x])}" for x in worse]
        return f"**Not worth it:** {labels.joined(told)}."
    alike = [_RIVALS[rival] for verdicts, rival in answers if not verdicts]
    if alike:
        return f"**Not clearly worth it:** no clear difference from {labels.joined(alike)}."
    return "**It depends:** more accurate on some images, less on others."


def _lead(rows: pd.DataFrame) -> str:
    """By how much the gate is less accurate than one rival, where it is."""
    where = {place: f"under {place}" for place in labels.DISTORTIONS} | {"clean": "on clean images"}
    return labels.joined(
        f"{-100 * row['difference']:.1f} points {where[row['distortion']]}"
        for row in rows[rows["verdict"] == rule.FAILS].to_dict("records")
    )


def _name(frame: pd.DataFrame) -> str:
    return "mean" if frame["gate"].iloc[0] == AVERAGED else "gate"


def _does(frame: pd.DataFrame) -> tuple[str, str]:
    """What a gate does with an image that is not clean: in words, and as a heading."""
    heads = frame["gate"].iloc[0].startswith("finetuned")
    return ("takes fine-tuned layers for", "fine-tuned") if heads else ("restores", "restored")


_PLACES = {"clean": "clean images", "noise": "noise", "blur": "blur"}
_RIVALS = {
    "none": "never restoring",
    "qrnet": "QRNet on every image",
    GATED: "the surer answer",
    "recnet-single": "RecNet (single), which is told the distortion",
    "finetuned-multiple": "one classifier fine-tuned on both",
    "finetuned-single": "the two fine-tuned ones, told the distortion",
}


def render_gate(frame: pd.DataFrame, file: str) -> render.Rendered:
    """A frame of `against` for reading; `file` as in `qrlib.report.sources.line`."""
    cells = frame.set_index(["against", "distortion"])
    rivals = list(dict.fromkeys(frame["against"]))
    chooses, name = frame["gate"].iloc[0] != AVERAGED, _name(frame)
    rows = []
    for place, words in _PLACES.items():
        row = [words, f"{cells.loc[('none', place), 'ours']:.3f}"]
        for rival in rivals:
            if (rival, place) not in cells.index:
                row.append("–")
                continue
            told = cells.loc[(rival, place)]
            change = f"{render.signed(told['difference'])}, {_VERDICTS[told['verdict']]}"
            row.append(f"{told['theirs']:.3f} ({change})")
        restored = [f"{100 * cells.loc[('none', place), 'restored']:.0f} %"] if chooses else []
        rows.append([*row, *restored])
    caption = (
        f"Accuracy on {frame['n'].iloc[0]:,} test images, averaged over the five levels and over the seeds that "
        f"all have. In brackets: what the {name} is more or less accurate, and whether that is more than chance, "
        "image by image."
    )
    headings = ["", name, *map(labels.method, rivals), *([_does(frame)[1]] if chooses else [])]
    return render.grid(headings, rows, caption, file, data=frame, up=sources.OF_ALL)


def render_found(frame: pd.DataFrame, file: str) -> render.Rendered:
    """A frame of `found` for reading."""
    rows = [
        [
            "clean images"
            if row["distortion"] == "clean"
            else f"{row['distortion']}, σ = {row['strength']:.3g}",
            *(f"{100 * row[kind]:.1f} %" for kind in _PLACES),
        ]
        for row in frame.to_dict("records")
    ]
    caption = f"What the detector finds in {frame['n'].iloc[0]:,} test images."
    headings = ["shown", "finds nothing", "finds noise", "finds blur"]
    return render.grid(headings, rows, caption, file, data=frame, up=sources.OF_ALL)


def _right(row: Any) -> np.ndarray:
    return per_image.unpack_truth(row["right"], int(row["n"]))


def _confidence(row: Any) -> np.ndarray:
    return per_image.unpack_values(row["confidence"], int(row["n"]))
