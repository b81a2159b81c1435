"""Verdicts on the paper's claims (`qrlib.report.claims.check.check`), for reading."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from qrlib.report import sources
from qrlib.report.claims.check import counts, tidy
from qrlib.report.claims.evidence import WORDS
from qrlib.report.claims.rule import CLOSE, FAILS, HOLDS, NOT_JUDGED, in_errors, threshold
from qrlib.report.render import Rendered, grid

#: What stands before a verdict, so that a long table can be skimmed.
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
    found: pd.DataFrame,
    file: str,
    *,
    label: str = "ours",
    paper_label: str = "paper",
    up: str = sources.OF_PROFILE,
) -> Rendered:
    """A frame of `qrlib.report.claims.check.check`, or some of its rows.

    Where a claim is not judged, the reason stands in place of our numbers.

    Args:
        file, up: as in `qrlib.report.sources.line`.
        label, paper_label: what stands before our numbers and the printed ones.
    """
    rows = [
        [_verdict(row), _claim(row, up), _compared(row, label, paper_label)]
        for row in found.to_dict("records")
    ]
    headings = ["verdict", "claim", f"compared: {paper_label}, {label}"]
    return grid(headings, rows, _caption(found), file, data=tidy(found), up=up, style="qr-claims")


def _verdict(row: Mapping[str, Any]) -> Rendered:
    """The verdict, how many seeds it rests on, and how far the difference is from none."""
    said = f"{SIGNS[row['verdict']]} {row['verdict']}"
    if not row["seeds"]:
        return Rendered(said, f"<strong>{said}</strong>")
    seeds = "one seed" if row["seeds"] == 1 else f"{row['seeds']} seeds"
    basis = f"{_distance(row)} errors, {seeds}"
    return Rendered(f"{said}: {basis}", f"<strong>{said}</strong> <span>{basis}</span>")


def _claim(row: Mapping[str, Any], up: str) -> Rendered:
    """The claim, and where in the paper it stands, which leads to our results."""
    text = row["claim"].rstrip(".")

    def link(place: re.Match[str], kind: str = "") -> str:
        name, anchor = PLACES.get(f"{kind}{place[0]}", ("", ""))
        target = sources.page(row["profile"], name, up) if name else None
        if target is None:
            return place[0]
        return f'<a href="{target}{"#" if anchor else ""}{anchor}">{place[0]}</a>'

    where = re.sub(r"IV-[BCD]\d?", link, html.escape(row["where"]))
    for kind in ("Table", "Figure"):
        where = re.sub(
            rf"{kind}s? \d(?: and \d)?",
            lambda found, kind=kind: re.sub(  # type: ignore[misc]
                r"\d", lambda digit: link(digit, f"{kind} "), found[0]
            ),
            where,
        )
    return Rendered(f"{text} ({row['where']}).", f"{html.escape(text)} <span>({where})</span>.")


def _compared(row: Mapping[str, Any], label: str, paper_label: str) -> Rendered:
    """The comparison that decides and its numbers; all of several unfold, a pair a line."""
    numbers = f"{paper_label} {row['paper']}; {label} {row['why'] or row['ours']}"
    plain = f"{row['how']}: {numbers}"
    if row["verdict"] == NOT_JUDGED:
        return Rendered(
            plain, f"{html.escape(_brief(row['how']))}: <em>{html.escape(row['why'])}</em>"
        )
    lines = [_pair(one, label, paper_label) for one in row["comparisons"]]
    shown = f"<ul>{lines[row['decides']]}</ul>"
    if len(lines) > 1:
        summary = f"decides among {len(lines)}: {html.escape(_brief(row['how']))}"
        shown += f"<details><summary>{summary}</summary><ul>{''.join(lines)}</ul></details>"
    return Rendered(plain, shown)


def _brief(words: str) -> str:
    """Accuracy is what is compared where nothing else is named."""
    return words.replace("accuracy, ", "").removeprefix("accuracy: ")


def _pair(one: Mapping[str, Any], label: str, paper_label: str) -> str:
    """One comparison: what, the printed pair, ours."""
    digits = WORDS[one["metric"]][1]
    cells = [html.escape(_brief(f"{one['place']}: {one['relation']}"))]
    for name, pair, none in (
        (paper_label, one["paper"], "no number"),
        (label, one["ours"], "not comparable"),
    ):
        text = " vs ".join(f"{side:.{digits}f}" for side in pair) if pair else none
        cells.append(f"<b>{html.escape(name)}</b> {text.replace('-', '−')}")
    return f"<li>{''.join(f'<span>{cell}</span> ' for cell in cells).rstrip()}</li>"


def _distance(row: Mapping[str, Any]) -> str:
    """The difference that decides in its standard errors."""
    distance = in_errors(row["difference"], row["standard_error"])
    text = f"{round(distance, 1) or 0.0:+.1f}".replace("inf", "∞").replace("-", "−")  # no "−0.0"
    return text if row["agree"] or row["seeds"] == 1 else f"{text} (seeds disagree)"


def _caption(found: pd.DataFrame) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in counts(found).items() if count)
    caption = f"Verdicts on {len(found)} claim{'s' if len(found) != 1 else ''}: {kinds or 'none'}."
    if (found["seeds"] > 0).any():
        caption += " Accuracies, where nothing else is named."
        caption += (
            " Errors: the difference that decides, in its standard errors; a verdict needs at least "
            f"{threshold():.2f}, and more where any of several comparisons could bring it about."
        )
    if (found["seeds"] == 1).any():
        caption += (
            " One seed: the error is that of the choice of test images alone (of times, of their "
            "repeats), and says nothing of what another training would change."
        )
    return caption
