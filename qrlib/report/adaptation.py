"""Adapt the classifier or restore the image?  Batch statistics estimated anew, with QRNet and without it.

Not in the paper.  Differences are judged as claims are (`qrlib.report.claims.rule`), image by image.
"""

from __future__ import annotations

import pandas as pd

from qrlib.experiments import standalone_plan
from qrlib.experiments.settings import Profile
from qrlib.records import store
from qrlib.records.selection import Selection
from qrlib.report import labels, option_tables, recommendation, render, sources
from qrlib.report.claims import rule
from qrlib.report.claims.comparisons import Comparison
from qrlib.report.claims.evidence import Evidence, Side

#: Kind of distortion -> what its images are called; "mixed" came later, and is not in every record.
PLACES = {**option_tables.PLACES, "mixed": "mixed"}


def evidence_of(profile: Profile) -> Evidence:
    """The accuracies of every way, image by image."""
    results = store.read(profile.name, kind="adaptation", images=True)
    first = results.iloc[0]
    return Evidence(results, Selection(profile.name, first["dataset"], first["classifier"]))


def table(evidence: Evidence) -> pd.DataFrame:
    """Every way against doing nothing, on clean, noisy and blurred images, and where these are mixed.

    Returns:
        One way and place a row: way (its restorer in records), restored (whether by QRNet first), images (from
        how many at once the statistics are estimated; 0: they stay as learned), distortion, ours (accuracy,
        mean over levels), gain, standard_error (of the gain, paired), verdict (one of
        `qrlib.report.option_tables.WORDS`), n, profile, records.
    """
    rows = []
    present = evidence.present("accuracy")
    places = [place for place in PLACES if place in set(present["distortion"])]
    for name in present["restorer"].unique():
        restorer, images = standalone_plan.way(name)
        way = {"way": name, "restored": restorer != "none", "images": images}
        for place in places:
            told = option_tables.against(evidence, Side(name, place))
            rows.append({**way, "distortion": place, **told})
    return pd.DataFrame(rows).sort_values(["restored", "images"], kind="stable", ignore_index=True)


def advice(evidence: Evidence, frame: pd.DataFrame) -> str:
    """When adapting alone is the thing to do, in Markdown; "" where it does not help under noise and blur."""
    if (rows := helpful(frame)).empty:
        return ""
    said = (
        f"**If many images with the same distortion, equally strong, come at once,** adapt "
        f"{labels.classifier(evidence.classifier)} to them, without training. With {rows['images'].iloc[0]} at "
        f"once it recognises {recommendation.in_percent(rows)}, tried on {rows['n'].iloc[0]} test images."
    )
    alone = frame[(frame["images"] == 1) & ~frame["restored"]].set_index("distortion")
    better = [
        d for d in labels.DISTORTIONS if alone["verdict"].get(d) == option_tables.WORDS[rule.HOLDS]
    ]
    if better:
        parts = [f"under {d} ({100 * alone.loc[d, 'ours']:.1f} %)" for d in better]
        said += f" A single image at a time helps {labels.joined(parts)}."
    return f"{said} {harm(frame)}".rstrip()


def in_short(evidence: Evidence, frame: pd.DataFrame) -> str:
    """The advice in one clause, for the first page; "" as there."""
    if helpful(frame).empty:
        return ""
    return (
        "If many images with the same distortion, equally strong, come at once, adapt "
        f"{labels.classifier(evidence.classifier)} to them, without training"
    )


def helpful(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of adapting alone to the most images at once; none where it does not help under noise and blur."""
    rows = frame[(frame["images"] == frame["images"].max()) & ~frame["restored"]]
    verdicts = rows.set_index("distortion")["verdict"]
    better, worse = (option_tables.WORDS[verdict] for verdict in (rule.HOLDS, rule.FAILS))
    if (verdicts[list(labels.DISTORTIONS)] != better).any() or verdicts["clean"] == worse:
        return rows.iloc[:0]
    return rows


def rivals(evidence: Evidence, frame: pd.DataFrame) -> pd.DataFrame:
    """Adapting to the most images at once, restoring, and both, against each other.

    Returns:
        One comparison and place a row: way and rival (what is compared, in words), distortion, ours, theirs,
        verdict (one of `qrlib.report.option_tables.WORDS`), n, profile, records.
    """
    most = frame["images"].max()
    named = frame.drop_duplicates("way").set_index(["restored", "images"])["way"]
    adapted, restored, both = named[False, most], named[True, 0], named[True, most]
    words = {adapted: f"adapted to {most}", restored: "restored", both: "both"}
    rows = []
    for way, rival in ((adapted, restored), (both, adapted), (both, restored)):
        for place in frame["distortion"].unique():
            sides = Side(way, place), Side(rival, place)
            judged = rule.judge(Comparison(*sides), evidence)
            ours, theirs = judged["pair"]
            row = {"way": words[way], "rival": words[rival], "distortion": place}
            row |= {
                "ours": ours,
                "theirs": theirs,
                "verdict": option_tables.WORDS[judged["verdict"]],
            }
            records = evidence.records(need for side in sides for need in side.needs())
            rows.append(row | {"n": evidence.n, "profile": evidence.profile, "records": records})
    return pd.DataFrame(rows)


def render_rivals(frame: pd.DataFrame, classifier: str, file: str) -> render.Rendered:
    """A frame of `rivals` for reading; `file` as in `qrlib.report.sources.line`."""
    rows = []
    for (way, rival), cells in frame.groupby(["way", "rival"], sort=False):
        told = (f"{x.ours:.3f} against {x.theirs:.3f}: {x.verdict}" for x in cells.itertuples())
        rows.append([f"{way}, against {rival}", *told])
    caption = (
        f"Accuracy of {labels.classifier(classifier)} on {frame['n'].iloc[0]:,} test images, adapted to many images "
        "at once, behind QRNet, and both; “better” and “worse” are more than chance."
    )
    headings = ["", *(PLACES[place] for place in frame["distortion"].unique())]
    return render.grid(headings, rows, caption, file, data=frame, up=sources.OF_ALL)


def harm(frame: pd.DataFrame) -> str:
    """On which images, and to how many at once, adapting alone is worse than doing nothing; "" for none."""
    worse = frame[(frame["verdict"] == option_tables.WORDS[rule.FAILS]) & ~frame["restored"]]
    places = []
    for place, rows in worse.groupby("distortion", sort=False):
        each = [f"{x.images} ({render.signed(x.gain)})" for x in rows.itertuples()]
        places.append(f"{PLACES[place]} images with {labels.joined(each)} at once")
    return f"Adapting alone does harm on {labels.joined(places)}." if places else ""


def render_table(frame: pd.DataFrame, classifier: str, file: str) -> render.Rendered:
    """A frame of `table` for reading; `file` as in `qrlib.report.sources.line`."""
    rows = []
    for _, cells in frame.groupby("way", sort=False):
        first = cells.iloc[0]
        line = [
            labels.method("qrnet" if first["restored"] else "none"),
            f"{first['images']}" if first["images"] else "as learned",
            *map(option_tables.cell, cells.to_dict("records")),
        ]
        rows.append(line)
    caption = (
        f"Accuracy of {labels.classifier(classifier)} on {frame['n'].iloc[0]:,} test images, averaged over the five "
        "levels of a distortion. In brackets: the change against doing nothing, and whether it is more than chance. "
        "Each cell is judged by itself, so of many one may be chance."
    )
    places = [PLACES[place] for place in frame["distortion"].unique()]
    headings = ["", "images at once", *places]
    return render.grid(headings, rows, caption, file, data=frame, up=sources.OF_ALL)
