"""Verdicts on the paper's claims (`qrlib.report.claims.check.check`), for reading."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from qrlib.records.uncertainty import critical_z, z_score
from qrlib.report import sources
from qrlib.report.claims.check import counts, numbers, tidy
from qrlib.report.claims.rule import CLOSE, FAILS, HOLDS, NOT_JUDGED
from qrlib.report.render import Rendered, folded, grid, minus

#: The sign before a verdict, for skimming a long table.
SIGNS = {HOLDS: "✓", FAILS: "✗", CLOSE: "≈", NOT_JUDGED: "–"}
#: Place in the paper -> page of a profile, and its section, that has the results.
PLACES = {
    "Table 2": ("recovery", "table-2"),
    "Table 3": ("recovery", "table-3-small-qrnet"),
    "Figure 4": ("recovery", "figure-4"),
    "Table 4": ("end_to_end", "table-4"),
    "Figure 5": ("end_to_end", "figure-5"),
    "Figure 6": ("classifier_change", "figure-6"),
    "Table 5": ("image_quality", "table-5"),
    "Figure 7": ("image_quality", "figure-7"),
    "IV-B1": ("recovery", ""),
    "IV-B2": ("end_to_end", ""),
    "IV-C": ("classifier_change", ""),
    "IV-D": ("image_quality", ""),
}


def render(
    verdicts: pd.DataFrame, file: str, *, label: str = "ours", up: str = sources.OF_PROFILE
) -> Rendered:
    """A frame of `qrlib.report.claims.check.check`, or some of its rows; `label` is before our numbers.

    If a claim is not judged, the reason replaces our numbers.  Such claims are folded up behind the others.
    """
    judged = verdicts["verdict"] != NOT_JUDGED
    if judged.any() and not judged.all():
        first = render(verdicts[judged], file, label=label, up=up)
        rest = render(verdicts[~judged], f"{file}-not-judged", label=label, up=up)
        rest = folded(f"Claims that this run cannot judge: {(~judged).sum()}", rest)
        return Rendered(f"{first.markdown}\n{rest.markdown}", first.html + rest.html)
    rows = [
        [_verdict(row), _claim(row, up), _compared(row, label)]
        for row in verdicts.to_dict("records")
    ]
    headings = ["verdict", "claim", f"compared: paper, {label}"]
    caption = _caption(verdicts)
    return grid(headings, rows, caption, file, data=tidy(verdicts), up=up, style="qr-claims")


def _verdict(row: Mapping[str, Any]) -> Rendered:
    """The verdict, how many seeds it rests on, and how far the difference is from none."""
    verdict = f"{SIGNS[row['verdict']]} {row['verdict']}"
    if not row["seeds"]:
        return Rendered(verdict, f"<strong>{verdict}</strong>")
    seeds = "one seed" if row["seeds"] == 1 else f"{row['seeds']} seeds"
    z = round(z_score(row["difference"], row["standard_error"]), 1) or 0.0  # no "−0.0"
    apart = "" if row["agree"] or row["seeds"] == 1 else " (seeds disagree)"
    basis = f"{minus(f'{z:+.1f}'.replace('inf', '∞'))}{apart} errors, {seeds}"
    return Rendered(f"{verdict}: {basis}", f"<strong>{verdict}</strong> <span>{basis}</span>")


def _claim(row: Mapping[str, Any], up: str) -> Rendered:
    """The claim and its place in the paper, with links to our results."""
    text = row["claim"].rstrip(".")

    def link(place: str, words: str) -> str:
        name, anchor = PLACES.get(place, ("", ""))
        target = sources.page(row["profile"], name, up) if name else None
        if target is None:
            return words
        return f'<a href="{target}{"#" if anchor else ""}{anchor}">{words}</a>'

    def link_numbers(places: re.Match[str]) -> str:
        return re.sub(r"\d", lambda number: link(f"{places[1]} {number[0]}", number[0]), places[0])

    where = re.sub(
        r"IV-[BCD]\d?", lambda place: link(place[0], place[0]), html.escape(row["where"])
    )
    where = re.sub(r"(Table|Figure)s? \d(?: and \d)?", link_numbers, where)
    return Rendered(f"{text} ({row['where']}).", f"{html.escape(text)} <span>({where})</span>.")


def _compared(row: Mapping[str, Any], label: str) -> Rendered:
    """The comparison that decides and its numbers; all of several unfold, a pair a line."""
    plain = f"{row['how']}: paper {row['paper']}; {label} {row['why'] or row['ours']}"
    how = html.escape(_brief(row["how"]))
    if row["verdict"] == NOT_JUDGED:
        return Rendered(plain, f"{how}: <em>{html.escape(row['why'])}</em>")
    lines = [_pair(comparison, label) for comparison in row["comparisons"]]
    shown = f"<ul>{lines[row['decides']]}</ul>"
    if len(lines) > 1:
        summary = f"decides among {len(lines)}: {how}"
        shown += f"<details><summary>{summary}</summary><ul>{''.join(lines)}</ul></details>"
    return Rendered(plain, shown)


def _brief(words: str) -> str:
    """Accuracy is what is compared where nothing else is named."""
    return words.replace("accuracy, ", "").removeprefix("accuracy: ")


def _pair(comparison: Mapping[str, Any], label: str) -> str:
    """One comparison: what, the printed pair, ours."""
    cells = [html.escape(_brief(f"{comparison['place']}: {comparison['relation']}"))]
    for name, source, none in (
        ("paper", "paper", "no number"),
        (label, "ours", "not comparable"),
    ):
        pair = minus(numbers(comparison[source], comparison["metric"], none))
        cells.append(f"<b>{html.escape(name)}</b> {pair}")
    return f"<li>{' '.join(f'<span>{cell}</span>' for cell in cells)}</li>"


def _caption(verdicts: pd.DataFrame) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in counts(verdicts).items() if count)
    many = "s" if len(verdicts) != 1 else ""
    caption = f"Verdicts on {len(verdicts)} claim{many}: {kinds or 'none'}."
    if (verdicts["seeds"] > 0).any():
        caption += (
            " Numbers are accuracies, unless something else is named. Errors: the difference that "
            f"decides, in its standard errors. A verdict needs at least {critical_z():.2f}, and more if "
            "any one of several comparisons could bring it about."
        )
    if (verdicts["seeds"] == 1).any():
        caption += (
            " One seed: the error only covers the choice of test images (for times, their repeats). "
            "It does not say what another training would change."
        )
    return caption
