"""What follows from records that keep each test image: when to restore, and what foretells an answer.

Neither is in the paper.  Nothing is computed but from records: no image is classified again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from qrlib.records import per_image, selection
from qrlib.records.selection import ONLY, Selection
from qrlib.report import labels, render, sources
from qrlib.report.claims import rule
from qrlib.report.claims.comparisons import Comparison
from qrlib.report.claims.evidence import Evidence, Side

#: The restorer of the rows that `with_gate` adds.
GATED = "qrnet_if_surer-multiple"
#: A gate -> what it is held against.
GATES = {
    GATED: ("none", "qrnet"),
    "qrnet_routed-multiple": ("none", "qrnet"),
    "recnet_routed-multiple": ("none", "qrnet", "recnet-single"),
    "finetuned_routed-multiple": ("none", "finetuned-multiple", "finetuned-single"),
}
#: What may foretell whether an image is recognised -> whether one needs the clean image to know it.
MEASURES = {
    "confidence": False, "entropy": False, "feature_distance": True, "psnr": True, "ssim": True,
}  # fmt: skip
#: Those of which less is better.
FALLING = ("entropy", "feature_distance")
_WORDS = {
    "confidence": "the classifier's confidence",
    "entropy": "its entropy (the lower)",
    "feature_distance": "distance of its features (the lower)",
    "psnr": "PSNR",
    "ssim": "SSIM",
}
_CASE = ["profile", "dataset", "classifier", "distortion", "level"]


def with_gate(results: pd.DataFrame, restorer: str = "qrnet-multiple") -> pd.DataFrame:
    """Results with the accuracies of a gate: each image is restored if the classifier is then surer.

    Surer is: the probability of its answer is higher.  The gate needs no label and no clean image; it
    costs a second pass through the classifier.

    Returns:
        The frame, which has its images, and a row of `GATED` for each accuracy of `restorer` whose record keeps the
        confidences, and that of "none" too.
    """
    known = results[(results["metric"] == "accuracy") & results["confidence"].notna()]
    raw = known[known["restorer"] == "none"].set_index(_CASE)
    rows = []
    for row in known[known["restorer"] == restorer].to_dict("records"):
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
        theirs, difference, standard_error (paired), verdict, restored (share of images), n, profile,
        records.  Empty without rows of the gate.  One network for each distortion is no rival on clean images.
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
    """In which share of the images the gate restored."""
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
        said.append(f"Against {_RIVALS[rival]}, the gate is {labels.joined(parts)}.")
    return (
        f"{' '.join(said)} It {_does(frame)[0]} {100 * cells.loc[('none', 'clean'), 'restored']:.0f} % of clean images, "
        f"{100 * cells.loc[('none', 'noise'), 'restored']:.0f} % of noisy ones and "
        f"{100 * cells.loc[('none', 'blur'), 'restored']:.0f} % of blurred ones."
    )


def _does(frame: pd.DataFrame) -> tuple[str, str]:
    """What a gate does with an image that is not clean: in words, and as a heading."""
    heads = frame["gate"].iloc[0].startswith("finetuned")
    return ("takes fine-tuned layers for", "fine-tuned") if heads else ("restores", "restored")


_PLACES = {"clean": "clean images", "noise": "noise", "blur": "blur"}
_RIVALS = {
    "none": "never restoring",
    "qrnet": "QRNet on every image",
    "recnet-single": "RecNet (single), which is told the distortion",
    "finetuned-multiple": "one classifier fine-tuned on both",
    "finetuned-single": "the two fine-tuned ones, told the distortion",
}


def render_gate(frame: pd.DataFrame, file: str) -> render.Rendered:
    """A frame of `against` for reading; `file` as in `qrlib.report.sources.line`."""
    cells = frame.set_index(["against", "distortion"])
    rivals = list(dict.fromkeys(frame["against"]))
    rows = []
    for place, words in _PLACES.items():
        told = {
            rival: cells.loc[(rival, place)] for rival in rivals if (rival, place) in cells.index
        }
        row = [words, *(f"{told[r]['theirs']:.3f}" if r in told else "–" for r in rivals)]
        row.append(f"{cells.loc[('none', place), 'ours']:.3f}")
        for rival in rivals:
            if rival not in told:
                row.append("–")
                continue
            change = render.signed(told[rival]["difference"])
            change += f" ± {told[rival]['standard_error']:.3f}"
            row.append(f"{change} ({_VERDICTS[told[rival]['verdict']]})")
        rows.append([*row, f"{100 * cells.loc[('none', place), 'restored']:.0f} %"])
    caption = (
        f"Accuracy on {frame['n'].iloc[0]:,} test images, averaged over the five levels; ± one standard error of "
        "the paired difference."
    )
    names = [labels.method(rival) for rival in rivals]
    headings = ["", *names, "gate", *(f"gate against {name}" for name in names), _does(frame)[1]]
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


def foretelling(results: pd.DataFrame, choice: Selection = ONLY, *, method: str) -> pd.DataFrame:
    """How well a number of one image foretells whether the classifier recognises it.

    The area under the ROC curve (AUC): of two images of which it recognises one, how often the
    recognised one has the higher number, or the lower one of a measure in `FALLING`.  1/2 is chance.

    Args:
        results: with their images.

    Returns:
        One measure and distortion a row: measure, distortion, within (mean of the AUC at each level),
        standard_error (of within), across (AUC of all levels together), n, profile, records.  Empty where
        the records do not keep the images, or each level's answers are all right or all wrong.
    """
    restorer = {d: selection.restorer_of(method, d) for d in labels.DISTORTIONS}
    metrics = {m: selection.select(results, choice, metric=m) for m in ("accuracy", "psnr", "ssim")}
    rows = []
    for distortion, name in restorer.items():
        one = {
            metric: frame[(frame["restorer"] == name) & (frame["distortion"] == distortion)]
            .sort_values(["seed", "level"])
            .to_dict("records")
            for metric, frame in metrics.items()
        }
        for measure in MEASURES:
            metric, column = (
                (measure, "images") if measure in ("psnr", "ssim") else ("accuracy", measure)
            )
            if not one[metric] or any(pd.isna(row[column]) for row in one[metric]):
                continue
            n = int(one[metric][0]["n"])
            sign = -1 if measure in FALLING else 1
            values = [
                sign * per_image.unpack_values(row[column], n, measure) for row in one[metric]
            ]
            right = [_right(row) for row in one["accuracy"]]
            each = [auc(v, r) for v, r in zip(values, right, strict=True) if 0 < r.sum() < n]
            if not each:  # all right or all wrong: nothing to foretell
                continue
            rows.append(
                {
                    "measure": measure,
                    "distortion": distortion,
                    "within": np.mean([area for area, _ in each]),
                    # All levels show the same images: at most the mean of their errors.
                    "standard_error": np.mean([error for _, error in each]),
                    "across": auc(np.concatenate(values), np.concatenate(right))[0],
                    **selection.source_columns(metrics[metric], [name]),
                }
            )
    return pd.DataFrame(rows)


def auc(values: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve, and its standard error after Hanley and McNeil (1982).

    Args:
        values: (N,) numbers; equal ones count half.
        right: (N,) truth values, not all alike.

    >>> area, error = auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    >>> area
    0.75
    """
    yes, no = int(right.sum()), int((~right).sum())
    ranks = pd.Series(values).rank().to_numpy()[right].sum()
    area = float(ranks - yes * (yes + 1) / 2) / (yes * no)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (yes - 1) * (q1 - area**2) + (no - 1) * (q2 - area**2)
    return area, math.sqrt(variance / (yes * no))


def best_in_words(frame: pd.DataFrame) -> str:
    """Which measure of a frame of `foretelling` says most at one level, as a sentence."""
    said = []
    for distortion, rows in frame.groupby("distortion", sort=False):
        best = rows.loc[rows["within"].idxmax()]
        near = rows["within"] >= best["within"] - best["standard_error"]
        others = [_WORDS[name] for name in rows.loc[near, "measure"] if name != best["measure"]]
        words = f"{best['within']:.3f}"
        if others:
            words += f", and within its error {labels.joined(others)}"
        said.append(f"{_WORDS[best['measure']]} under {distortion} ({words})")
    return f"Says most at one level: {labels.joined(said)}."


def render_foretelling(frame: pd.DataFrame, method: str, file: str) -> render.Rendered:
    """A frame of `foretelling` for reading; `file` as in `qrlib.report.sources.line`."""
    rows = [
        [
            _WORDS[row["measure"]],
            row["distortion"],
            f"{row['within']:.3f}\u00a0±\u00a0{row['standard_error']:.3f}",  # in one line
            f"{row['across']:.3f}",
            "yes" if MEASURES[row["measure"]] else "no",
        ]
        for row in frame.to_dict("records")
    ]
    name = labels.method(method)
    caption = (
        f"{name[0].upper()}{name[1:]}, {frame['n'].iloc[0]:,} test images. Of two images of which one is recognised, "
        "how often the number is higher for that one (where it says so, lower); 0.5 is chance. ± one standard "
        "error."
    )
    headings = ["", "", "at one level", "all levels together", "needs the clean image"]
    return render.grid(headings, rows, caption, file, data=frame, up=sources.OF_ALL)
