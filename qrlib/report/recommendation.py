"""What should I use?  What follows for a practitioner from the tables of all options, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from qrlib.report import labels, render, restore_or_not
from qrlib.report.claims import rule
from qrlib.report.claims.comparisons import Comparison
from qrlib.report.claims.evidence import Evidence, Side
from qrlib.report.option_tables import OPTIONS, PLACES, WORDS, against, options, places_in_words


def advice(
    evidence: Evidence,
    frame: pd.DataFrame,
    levels: pd.DataFrame,
    classifier: str,
    others: Mapping[str, pd.DataFrame] | None = None,
) -> list[str]:
    """What follows for a practitioner, in Markdown, from frames of `options` and, for QRNet, `by_level`.

    Args:
        others: title of another run -> its frame of `options`: where an option that is named does harm there, this
            says so.
    """
    name = labels.classifier(classifier)
    said, untried = [], []
    for learns, start in (
        (True, f"**You may train {name}.**"),
        (False, f"**You may not change {name}.**"),
    ):
        method = best_option(evidence, frame, learns)
        if method is None:
            if (frame["learns"] == learns)[frame["method"] != "none"].any():
                said.append(
                    f"{start} Then leave the images as they are: nothing is clearly better."
                )
            elif learns:
                untried.append(f"{start} This run did not try it.")
            continue
        text = f"{start} Then {_how(method)}. It recognises {in_percent(frame[frame['method'] == method])}."
        text += _elsewhere(method, others or {})
        clean = frame["distortion"] == "clean"
        harmed = set(frame.loc[clean & (frame["verdict"] == WORDS[rule.FAILS]), "method"])
        plain = next(x for x in _helpful(frame, learns) if x == method or x not in harmed)
        if plain != method:
            text += f" Simpler: {_how(plain)}. That gives {in_percent(frame[frame['method'] == plain])}."
            text += _elsewhere(plain, others or {})
        said.append(text)
    worse, idle = (
        places_in_words(
            [row for row in levels.to_dict("records") if row["verdict"] == WORDS[verdict]]
        )
        for verdict in (rule.FAILS, rule.CLOSE)
    )
    when = f" It does harm on {labels.joined(worse)}." if worse else ""
    when += f" It makes no clear difference on {labels.joined(idle)}." if idle else ""
    when += _better(evidence, frame) + _harm_elsewhere(evidence)
    harm = [f"**When not to use QRNet.**{when}"] if when else []
    return [*said, *harm, *untried]


def _elsewhere(method: str, others: Mapping[str, pd.DataFrame]) -> str:
    """Where an option does harm in other runs, in sentences; "" for nowhere."""
    said = ""
    for title, frame in others.items():
        worse = frame[(frame["method"] == method) & (frame["verdict"] == WORDS[rule.FAILS])]
        places = [
            f"{PLACES[row['distortion']]} images ({render.signed(row['gain'])})"
            for row in worse.to_dict("records")
        ]
        if places:
            said += f" In *{title}* the same does harm on {labels.joined(places)}: try it on your images first."
    return said


def _better(evidence: Evidence, frame: pd.DataFrame) -> str:
    """What is clearly better than QRNet without training the classifier, in sentences; "" for nothing."""

    def beats(method: str, distortion: str) -> bool:
        told = (against(evidence, Side(method, distortion), rival) for rival in rivals)
        return all(row["verdict"] == WORDS[rule.HOLDS] for row in told)

    said, rivals = "", ["qrnet"]
    best = best_option(evidence, frame, False)
    if best is not None and (where := [d for d in labels.DISTORTIONS if beats(best, d)]):
        said += f" {labels.method(best)}, named above, is better under {labels.joined(where)}."
        rivals.append(best)
    with_level = {option.method for option in OPTIONS if option.only}
    told = frame[frame["told"] & ~frame["learns"]]
    for distortion in labels.DISTORTIONS:
        rows = told[told["distortion"] == distortion].sort_values("ours", ascending=False)
        for method in rows["method"][:1]:
            if not beats(method, distortion):
                continue
            known = "the distortion" + " and its level" * (method in with_level)
            said += f" If you know {known}, {labels.method(method)} is better under {distortion}."
    return said


def _harm_elsewhere(evidence: Evidence) -> str:
    """Where QRNet harms the classifier that no restorer has met, as a sentence; "" for nowhere."""
    frame = options(evidence, unseen=True)
    if frame.empty:
        return ""
    worse = frame[(frame["method"] == "qrnet") & (frame["verdict"] == WORDS[rule.FAILS])]
    if worse.empty:
        return ""
    places = labels.joined(PLACES[place] for place in worse["distortion"])
    return f" Before {labels.classifier(str(evidence.unseen))}, which it never met, it does harm on {places} images."


def in_percent(rows: pd.DataFrame) -> str:
    """Accuracies, and in brackets those of doing nothing, in running text: rows of `options` of one method."""
    found = rows.set_index("distortion")
    parts: list[str] = []
    for place in (place for place in PLACES if place in found.index):
        row, images = found.loc[place], "ones" if parts else "images"
        before = f"{100 * (row['ours'] - row['gain']):.1f}{'' if parts else ' without'}"
        told = f"{PLACES[place]} {images} ({before}; {row['verdict']})"
        parts.append(f"{100 * row['ours']:.1f} % of {told}")
    return labels.joined(parts)


def in_short(evidence: Evidence, frame: pd.DataFrame, classifier: str, *, learns: bool) -> str:
    """The advice in one clause, for the first page; "" where nothing is better.

    Args:
        frame: of `options`.
        learns: whether the reader may train the classifier.
    """
    if (best := best_option(evidence, frame, learns)) is None:
        return ""
    may = "may train" if learns else "may not change"
    text = f"If you {may} {labels.classifier(classifier)}, {_how(best)}"
    clean = frame[(frame["method"] == best) & (frame["distortion"] == "clean")]
    for row in clean[clean["verdict"] == WORDS[rule.FAILS]].to_dict("records"):
        before = row["ours"] - row["gain"]
        text += f"; of clean images it then recognises {100 * row['ours']:.1f} %, not {100 * before:.1f} %"
    return text


def best_option(evidence: Evidence, frame: pd.DataFrame, learns: bool) -> str | None:
    """The most accurate option on distorted images that need not be told the distortion.

    Of those that no difference tells from it, the first of `OPTIONS`: the plainest.  None where none is
    clearly better than doing nothing on one distortion, and worse on no other.
    """
    helps = _helpful(frame, learns)
    if not helps:
        return None
    rows = frame[frame["method"].isin(helps) & (frame["distortion"] != "clean")]
    best = str(rows.groupby("method")["ours"].mean().idxmax())

    def as_good(method: str) -> bool:
        comparisons = [Comparison(Side(best, d), Side(method, d)) for d in labels.DISTORTIONS]
        return all(rule.judge(c, evidence)["verdict"] != rule.HOLDS for c in comparisons)

    return next(method for method in helps if as_good(method))


def _helpful(frame: pd.DataFrame, learns: bool) -> list[str]:
    """The options that are clearly better than nothing on one distortion and worse on no other, plainest first."""
    rows = frame[(frame["learns"] == learns) & ~frame["told"]]
    rows = rows[(rows["method"] != "none") & (rows["distortion"] != "clean")]
    verdicts = rows.groupby("method")["verdict"].agg(set)
    helps = {m for m, v in verdicts.items() if "better" in v and "worse" not in v}
    return [option.method for option in OPTIONS if option.method in helps]


def _how(method: str) -> str:
    ways = {
        "finetuned-multiple": "show it distorted images too (fine-tuning)",
        "end-to-end": "train it together with QRNet, end to end",
        "recnet_finetuned-multiple": "put RecNet in front of it and train it on RecNet's images",
        "qrnet_finetuned-multiple": "put QRNet in front of it and train it on QRNet's images",
        "finetuned_routed-multiple": (
            "train its last layers twice, on noisy and on blurred images, and let a detector choose"
        ),
        "qrnet_routed-multiple": "put QRNet in front of it, for images that a detector finds distorted",
        "recnet_routed-multiple": "let a detector choose between RecNet (noise), RecNet (blur) and neither",
        "stabilised-multiple": (
            "train its last layers to answer for a distorted image as for the clean one (stability training)"
        ),
        "quantised-multiple": (
            "train its last layers on distorted images, from features raised to learned powers "
            "(feature quantisation)"
        ),
        restore_or_not.AVERAGED: "ask it twice, with and without QRNet, and take the mean of both answers",
        restore_or_not.GATED: "ask it twice, with and without QRNet, and take the surer answer",
    }
    return ways.get(method, f"put {labels.method(method)} in front of it")
