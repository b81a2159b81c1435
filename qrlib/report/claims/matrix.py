"""All claims and all runs at a glance: a sentence, a bar, and a matrix of signs with a filter."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from qrlib.experiments.settings import Profile
from qrlib.records.uncertainty import critical_z
from qrlib.report import labels, sources
from qrlib.report.claims.check import counts, tidy
from qrlib.report.claims.rule import CLOSE, FAILS, HOLDS, NOT_JUDGED, VERDICTS
from qrlib.report.claims.verdict_tables import SIGNS
from qrlib.report.data_uris import data_uri
from qrlib.report.render import Rendered

#: Verdict -> the end of its class in the book's style sheet.
KINDS = {HOLDS: "holds", FAILS: "fails", CLOSE: "close", NOT_JUDGED: "none"}
#: Marks a claim that holds in one run and does not in another.
DEPENDS = "◐"


def sentence(verdicts: pd.DataFrame, profile: Profile) -> str:
    """How many of the claims hold in one run."""
    n = counts(verdicts)
    return (
        f"Of {len(verdicts)} claims of the paper, {n[HOLDS]} hold in our strongest run "
        f"({profile.title}), {n[FAILS]} do not, {n[CLOSE]} are too close to call, and "
        f"{n[NOT_JUDGED]} cannot be judged."
    )


def bar(verdicts: pd.DataFrame) -> Rendered:
    """The same as a bar."""
    n = counts(verdicts)
    parts = "".join(
        f'<span class="qr-v-{KINDS[kind]}" style="flex: {count}">{SIGNS[kind]} {count}</span>'
        for kind, count in n.items()
        if count
    )
    words = ", ".join(f"{count} {kind}" for kind, count in n.items())
    return Rendered(words, f'<div class="qr-bar" role="img" aria-label="{words}">{parts}</div>')


def least_difference(row: Mapping[str, Any]) -> str:
    """The smallest difference that would get a verdict: of the comparison that decides, in its unit."""
    if row["verdict"] == NOT_JUDGED:
        return ""
    metric = row["comparisons"][row["decides"]]["metric"]
    words, digits = labels.METRICS[metric]
    unit = "" if metric == "accuracy" else f" {words}"
    return f"{critical_z() * row['standard_error']:.{digits}f}{unit}"


def table(found: Mapping[str, pd.DataFrame], shown: list[Profile]) -> Rendered:
    """A claim a row, a run a column: the sign of its verdict, in its colour, and in words on hover.

    Args:
        found: frames of `qrlib.report.claims.check.check` by the name of the profile.
        shown: the strongest run first; a column before the verdicts says how small a difference it
            could see.
    """
    first = found[shown[0].name]
    verdicts = {profile.name: found[profile.name].set_index("id")["verdict"] for profile in shown}
    rows, plain = [], []
    for row in first.to_dict("records"):
        kinds = [verdicts[profile.name].get(row["id"], NOT_JUDGED) for profile in shown]
        depends = {HOLDS, FAILS} <= set(kinds)
        mark = (
            f' <abbr title="It holds in one run and does not in another: our choice of setting decides.">{DEPENDS}</abbr>'
            if depends
            else ""
        )
        cells = "".join(
            f'<td class="qr-v-{KINDS[kind]}"><span title="{kind}: {html.escape(profile.title)}">{SIGNS[kind]}</span>'
            f'<span class="visually-hidden">{kind}</span></td>'
            for kind, profile in zip(kinds, shown, strict=True)
        )
        text = html.escape(row["claim"].rstrip("."))
        rows.append(
            f'<tr id="claim-{row["id"]}" data-verdict="{KINDS[kinds[0]]}"><th scope="row"><a href="#claim-{row["id"]}">'
            f"{text}</a>{mark} <small>{html.escape(row['where'])}</small></th><td>{least_difference(row)}</td>{cells}</tr>"
        )
        plain.append(f"{row['id']}: {', '.join(kinds)}")
    head = "".join(f'<th scope="col">{html.escape(profile.title)}</th>' for profile in shown)
    chosen = "".join(
        f'<label><input type="radio" name="qr-verdict" value="{value}"{" checked" if not value else ""}> {text}</label>'
        for value, text in (("", "all"), *((KINDS[v], f"{SIGNS[v]} {v}") for v in VERDICTS))
    )
    legend = f"Show claims whose verdict in {html.escape(shown[0].title)} is"
    caption = (
        f"{SIGNS[HOLDS]} holds, {SIGNS[FAILS]} does not hold, {SIGNS[CLOSE]} too close to call, {SIGNS[NOT_JUDGED]} not "
        f"judged; {DEPENDS} our choice of setting decides. “Smallest visible”: the smallest difference that would "
        f"get a verdict in {shown[0].title}, with its {int(first['n'].iloc[0]):,} test images."
    )
    markup = (
        f'<fieldset class="qr-filter"><legend>{legend}</legend>{chosen}</fieldset>'
        f'<div class="qr-scroll" tabindex="0" role="group" aria-label="Claims and runs"><table class="qr-table qr-matrix">'
        f'<caption>{html.escape(caption)}</caption><thead><tr><th scope="col">claim</th>'
        f'<th scope="col">smallest visible</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )
    return Rendered("\n".join(plain), markup)


def as_json(found: Mapping[str, pd.DataFrame], shown: list[Profile]) -> Rendered:
    """A link to take all verdicts away; ids stay the same from edition to edition."""
    keys = ["id", "claim", "where", "verdict", "difference", "standard_error", "seeds", "n", "why"]
    content = {
        profile.name: {
            "title": profile.title,
            "claims": json.loads(found[profile.name][keys].to_json(orient="records")),
        }
        for profile in shown
    }
    link = data_uri(json.dumps(content, indent=1).encode(), "application/json")
    return Rendered(
        "claims.json",
        f'<p class="qr-data">All verdicts: <a download="claims.json" href="{link}">claims.json</a></p>',
    )


def data_line(found: Mapping[str, pd.DataFrame]) -> Rendered:
    """The line under the matrix: its numbers and their records."""
    numbers = pd.concat(map(tidy, found.values()))
    return Rendered("", sources.line(numbers, "verdicts", up=sources.OF_ALL))
