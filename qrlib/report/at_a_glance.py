"""What should I use?  One table: what you have and know, what to do then, what it gains and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from qrlib.report import (
    adaptation,
    costs,
    filters,
    labels,
    option_tables,
    recommendation,
    render,
    sources,
)
from qrlib.report.claims import rule
from qrlib.report.claims.evidence import Evidence, Side

#: The columns of `table` that a situation is known by.
GIVEN = ["classifier", "learns", "knows"]
#: What one knows of an image.
NOTHING, KIND = "nothing", "the distortion"
LEVEL = "the distortion and its level (of blur, the kernel)"
MANY = "many at once have the same distortion, equally strong"
#: What an option that adapts the classifier is called, before how many images at once.
ADAPT = "adapt it to"
#: Where the numbers of an option, by the start of its name, are discussed; others on the page of Table 2.
_DISCUSSED = {
    "recnet_finetuned": "retraining",
    "qrnet_finetuned": "retraining",
    "qrnet_unlabelled": "teachers",
    "qrnet_classification": "teachers",
    "mqrnet": "teachers",
    "qrnet_routed": "restore_or_not",
    "recnet_routed": "restore_or_not",
    "finetuned_routed": "restore_or_not",
    "qrnet_averaged": "restore_or_not",
    "qrnet_if_surer": "restore_or_not",
    "stabilised": "{profile}/end_to_end",
    "quantised": "{profile}/end_to_end",
    "finetuned": "{profile}/end_to_end",
    "end-to-end": "{profile}/end_to_end",
    ADAPT: "adapt_or_restore",
}


def table(
    evidence: Evidence,
    options: pd.DataFrame,
    adapted: tuple[Evidence, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """The best option in each situation, against doing nothing.

    Who knows more of the images has a line only where an option that uses it is clearly better than what needs less.

    Args:
        options: of `qrlib.report.option_tables.options`.
        adapted: evidence and table of `qrlib.report.adaptation`, where adapting was tried.

    Returns:
        One situation and place a row: classifier (its name in records), learns (whether it may be trained),
        knows (of the images), method (as in `options`, or `ADAPT` and how many), distortion, ours, gain, verdict,
        n, profile, records.  Situations in which nothing is clearly better, or was not tried, are left out.
    """
    rows: list[dict[str, Any]] = []

    def add(learns: bool, knows: str, cells: pd.DataFrame, classifier: str) -> None:
        given = {"classifier": classifier, "learns": learns, "knows": knows}
        rows.extend({**given, **cell} for cell in cells.to_dict("records"))

    own, places = evidence.classifier, list(option_tables.PLACES)
    nothing = options[options["method"] == "none"]
    add(False, NOTHING, nothing, own)
    for learns in (False, True):
        best = recommendation.best_option(evidence, options, learns) or "none"
        if best != "none":
            add(learns, NOTHING, options[options["method"] == best], own)
        so_far = dict.fromkeys(labels.DISTORTIONS, best)
        told = options[(options["learns"] == learns) & options["told"]]
        for knows, with_level in ((KIND, False), (LEVEL, True)):
            cells = []
            for distortion in labels.DISTORTIONS:
                group = told[told["distortion"] == distortion]
                group = group[group["method"].isin(filters.FILTERS) == with_level]
                for cell in group.nlargest(1, "ours").to_dict("records"):
                    side = Side(cell["method"], distortion)
                    rival = option_tables.against(evidence, side, so_far[distortion])
                    if rival["verdict"] == option_tables.WORDS[rule.HOLDS]:
                        cells.append(cell)
                        so_far[distortion] = cell["method"]
            add(learns, knows, pd.DataFrame(cells), own)
    if adapted is not None and len(alike := adaptation.helpful(adapted[1])):
        many = f"{ADAPT} {alike['images'].iloc[0]} at once"
        add(False, MANY, alike.assign(method=many), adapted[0].classifier)
    frame = pd.DataFrame(rows)
    known = [*GIVEN, "method", "distortion", "ours", "gain", "verdict", "n", "profile", "records"]
    return frame[frame["distortion"].isin(places)][known]


def render_table(frame: pd.DataFrame, costed: pd.DataFrame, file: str) -> render.Rendered:
    """A frame of `table` for reading, with the costs of `qrlib.report.costs.table`, each cell a link."""
    priced = costed.set_index("method")
    lines = []
    for (classifier, learns, knows), cells in frame.groupby(GIVEN, sort=False):
        for none, group in cells.groupby(cells["method"] == "none", sort=False):
            lines.append(
                [
                    f"{labels.classifier(classifier)} {'may be trained' if learns else 'stays as it is'}",
                    knows,
                    render.link("leave them as they are", "#all-options") if none else _ways(group),
                    *_accuracies(group),
                    *(_price(priced, group["method"].unique(), what) for what in ("ms", "minutes")),
                ]
            )
    numbers = " and ".join(f"{n:,}" for n in dict.fromkeys(frame["n"]))
    caption = (
        f"For each situation the option that is best on noisy and blurred images, on {numbers} test images; where "
        "chance may explain a lead, the simpler one. Who knows more has a line where that is clearly better. In "
        "brackets: the change against leaving the images as they are. –: nothing is clearly better there, the option "
        "is not for such images, or it costs nothing. Each cell leads to the page or the run that it is from."
    )
    headings = [
        "the classifier", "you know of the images", "then", *option_tables.PLACES.values(),
        "time an image", "minutes of training",
    ]  # fmt: skip
    return render.grid(headings, lines, caption, file, data=frame, up=sources.OF_ALL)


def _ways(cells: pd.DataFrame) -> render.Rendered:
    """What to do, each option a link to the page about it; two where each is for one distortion."""
    shown = []
    for method, own in cells.groupby("method", sort=False):
        name = labels.method(str(method))
        profile = str(own["profile"].iloc[0])
        shown.append(render.link(name, _page(str(method), profile)))
    return render.joined(shown)


def _page(method: str, profile: str) -> str:
    starts = [start for start in _DISCUSSED if method.startswith(start)]
    name = _DISCUSSED[max(starts, key=len)] if starts else "{profile}/recovery"
    if not name.startswith("{"):
        return f"{name}.html"
    return (
        sources.page(profile, name.rpartition("/")[2], sources.OF_ALL)
        or f"{sources.OF_ALL}runs/{profile}.html"
    )


def _accuracies(cells: pd.DataFrame) -> list[str | render.Rendered]:
    by = cells.set_index("distortion")
    shown: list[str | render.Rendered] = []
    for place in option_tables.PLACES:
        if place not in by.index:
            shown.append("–")
            continue
        row = by.loc[place]
        own = [x for x in row["records"] if not x.startswith("evaluation-none-")] or row["records"]
        target = sources.made_by(row["profile"], own[0].removesuffix(".json"), sources.OF_ALL)
        shown.append(render.link(option_tables.cell(row), target))
    return shown


def _price(priced: pd.DataFrame, methods: Iterable[str], what: str) -> str | render.Rendered:
    """What an option costs; of two options, each for one distortion, both."""
    texts: list[str] = []
    for method in methods:
        if method == "none" or method.startswith(ADAPT):  # which trains nothing
            untimed = method != "none" and what == "ms"
            texts.append("not measured" if untimed else "–")
            continue
        row: Mapping[str, Any] = priced.loc[method]
        texts.append(costs.in_milliseconds(row) if what == "ms" else costs.in_minutes(row))
    text = " and ".join(dict.fromkeys(texts))
    return text if text in ("–", "not measured") else render.link(text, "#what-it-costs")
