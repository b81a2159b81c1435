"""Where a restorer harms: images that it never learned from, corrupted or attacked, restored or left as they are.

Not in the paper.  Differences are judged as claims are (`qrlib.report.claims.rule`), image by image.
"""

from __future__ import annotations

import pandas as pd

from qrlib.experiments.settings import Profile
from qrlib.experiments.variants import Part
from qrlib.records import store
from qrlib.records.uncertainty import critical_z, z_score
from qrlib.report import labels, option_tables, render, restore_or_not, sources
from qrlib.report.claims import rule
from qrlib.report.claims.evidence import Evidence, Side

#: The restorers, as far as they were run.
RESTORERS = ("recnet-multiple", "qrnet-multiple", restore_or_not.GATED)


def evidence_of(profile: Profile, part: Part = "corruptions") -> Evidence:
    """The accuracies of a profile on unseen corruptions, or attacks, image by image.

    Those on corruptions have the gate among them.  An attack of another epsilon is another corruption, such as
    "pgd_8": a strong one would hide a weak one in their mean.
    """
    results = store.read(profile.name, kind=part, images=True)
    if part == "corruptions":
        return Evidence(restore_or_not.with_gate(results), profile.choice)
    attacked = results["level"] > 0
    results.loc[attacked, "distortion"] += "_" + results["level"].astype(str)
    return Evidence(results, profile.choice)


def table(evidence: Evidence) -> pd.DataFrame:
    """Every restorer against doing nothing on every corruption; where QRNet does most harm comes first.

    Verdicts are Šidák-corrected: for each restorer all corruptions together come to 5 in 100.

    Returns:
        One corruption ("clean" is none) and restorer a row: corruption, restorer, ours (accuracy, mean over
        severities), gain, standard_error (of the gain, paired), verdict (one of
        `qrlib.report.option_tables.WORDS`), n, profile, records.
    """
    accuracies = evidence.present("accuracy")
    levels = accuracies.groupby("distortion", sort=False)["level"].agg(lambda x: (*sorted({*x}),))
    there = [name for name in RESTORERS if name in set(accuracies["restorer"])]
    rows = [
        {"corruption": kind, "restorer": restorer}
        | option_tables.against(evidence, Side(restorer, kind, severities), comparisons=len(levels))
        for kind, severities in levels.items()
        for restorer in there
    ]
    frame = pd.DataFrame(rows)
    order = frame[frame["restorer"] == "qrnet-multiple"].set_index("corruption")["gain"].rank()
    return frame.sort_values(
        "corruption", key=lambda kinds: kinds.map(order), kind="stable", ignore_index=True
    )


def in_words(frame: pd.DataFrame, restorer: str) -> str:
    """What a restorer does, in Markdown: the worst harm and the best help first, then harm on clean images."""
    every = frame[frame["restorer"] == restorer]
    rows = every[every["corruption"] != "clean"].sort_values("gain")
    places = {
        verdict: [labels.corruption(kind) for kind in rows[rows["verdict"] == word]["corruption"]]
        for verdict, word in option_tables.WORDS.items()
    }
    harm, help, idle = (places[verdict] for verdict in (rule.FAILS, rule.HOLDS, rule.CLOSE))
    said = [
        f"does harm on {labels.joined(harm)}" if harm else "does no clear harm",
        f"helps on {labels.joined(help[::-1])}" if help else "is no clear help",
        *([f"makes no clear difference on {len(idle)} of {len(rows)}"] if idle else []),
    ]
    text = f"{labels.method(restorer)} {', '.join(said[:-1])}, and {said[-1]}."
    for row in every[every["corruption"] == "clean"].to_dict("records"):
        change = render.signed(row["gain"])
        if row["verdict"] == option_tables.WORDS[rule.FAILS]:
            text += f" On clean images it does harm ({change})."
        elif z_score(row["gain"], row["standard_error"]) <= -critical_z():
            text += (
                f" On clean images the accuracy changes by {change}. Alone this would count as harm; among "
                f"{len(every)} comparisons it may be chance."
            )
    return text


def smallest_seen(frame: pd.DataFrame) -> str:
    """Which changes so many images cannot tell from chance, as a sentence."""
    changed = frame[(frame["restorer"] == "qrnet-multiple") & (frame["corruption"] != "clean")]
    points = 100 * critical_z(frame["corruption"].nunique()) * changed["standard_error"]
    return (
        f"With {frame['n'].iloc[0]:,} images QRNet may gain or lose {points.min():.0f} to {points.max():.0f} points, "
        "depending on the line, without a verdict."
    )


def attack_in_words(frame: pd.DataFrame) -> str:
    """What QRNet is worth against PGD with the smaller ε, also if the attacker knows of it, in numbers."""
    cells = frame[frame["restorer"] == "qrnet-multiple"].set_index("corruption")
    none, ours = cells["ours"] - cells["gain"], cells["ours"]
    weak = ours["informed_pgd_2"] < none["clean"] / 2
    return (
        f"PGD with ε = 2 takes the accuracy from {none['clean']:.3f} to {none['pgd_2']:.3f}. Behind QRNet "
        f"{ours['pgd_2']:.3f} is left, and {ours['informed_pgd_2']:.3f} if the attacker knows of QRNet."
        + (" So it is no protection." if weak else "")
    )


def render_table(frame: pd.DataFrame, file: str) -> render.Rendered:
    """A frame of `table` for reading; `file` as in `qrlib.report.sources.line`."""
    restorers = list(dict.fromkeys(frame["restorer"]))
    rows = []
    for kind, cells in frame.groupby("corruption", sort=False):
        each = cells.to_dict("records")
        line = [labels.corruption(str(kind)), f"{each[0]['ours'] - each[0]['gain']:.3f}"]
        for cell in each:
            verdict = "" if cell["verdict"] == option_tables.WORDS[rule.CLOSE] else cell["verdict"]
            change = f"{render.signed(cell['gain'])}\u00a0±\u00a0{cell['standard_error']:.3f}"
            line.append(f"{change} {verdict}".strip())
        rows.append(line)
    caption = (
        f"Accuracy on {frame['n'].iloc[0]:,} test images without a restorer (mean over severities, if several) and "
        "its change; ± one standard error of the paired difference. “Better” and “worse”: more than "
        "chance, with all lines of a column taken together."
    )
    headings = ["", labels.method("none"), *map(labels.method, restorers)]
    return render.grid(headings, rows, caption, file, data=frame, up=sources.OF_ALL)
