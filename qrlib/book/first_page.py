"""The first screen of the first page: the claim, one image, the headline, where to go."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from qrlib.book import citation
from qrlib.experiments import profiles, samples
from qrlib.report import labels, render, sample_answers, sources
from qrlib.report.data_uris import encode_image
from qrlib.report.figures.image_grids import RIGHT, WRONG
from qrlib.report.render import Rendered
from qrlib.utils import paths

#: The columns of the picture, and of the table.
METHODS = ("none", "recnet-multiple", "qrnet")
DISTORTIONS = {"noise": "Noise", "blur": "Blur"}
#: Images are shown at this level, the middle one.
LEVEL = 3


@dataclass(frozen=True)
class Tile:
    """An image as the classifier got it, and what it said."""

    pixels: np.ndarray  # (S, S, 3), float32 in [0, 1]
    answer: str
    confidence: float
    right: bool


class Sheets:
    """The test images that a profile's evaluations kept, under each method of `METHODS`.

    Args:
        entries: what the records say of them, by method.

    Raises:
        QrlibError: a file is not the record's.
    """

    def __init__(self, profile: profiles.Profile, entries: Mapping[str, dict[str, Any]]) -> None:
        folder = paths.results(profile.name)
        self.entries = entries
        self.tiles = {
            method: samples.read_sheet(entry, folder) for method, entry in entries.items()
        }
        self.labels: list[str] = entries["none"]["labels"]

    def tile(self, method: str, image: int, distortion: str) -> Tile:
        """One image; "clean" as a distortion is the image as it is in the data set."""
        cases = [(case["distortion"], case["level"]) for case in self.entries[method]["cases"]]
        column = cases.index((distortion, 0 if distortion == "clean" else LEVEL))
        answer = self.entries[method]["answers"][image][column]
        right = answer["answer"] == self.labels[image]
        return Tile(
            self.tiles[method][image][column], answer["answer"], answer["confidence"], right
        )

    def lost_and_recovered(self) -> tuple[list[int], list[int]]:
        """Images that noise takes away from the classifier, and those of them that QRNet gives back."""
        shown = (("none", "clean"), ("none", "noise"), ("qrnet", "noise"))
        right = (
            np.array([self.tile(method, i, distortion).right for i in range(len(self.labels))])
            for method, distortion in shown
        )
        lost, recovered = sample_answers.lost_and_recovered(*right)
        return np.flatnonzero(lost).tolist(), np.flatnonzero(recovered).tolist()

    def strength(self, distortion: str) -> str:
        """Sigma of the level that is shown."""
        cases = self.entries["none"]["cases"]
        (sigma,) = (
            c["strength"] for c in cases if (c["distortion"], c["level"]) == (distortion, LEVEL)
        )
        return f"σ = {sigma:.2g}"


def load_sheets(profile: profiles.Profile) -> Sheets | None:
    """The sheets of a profile; None where not every method has one."""
    entries = {method: sample_answers.samples_entry(profile, method) for method in METHODS}
    there = {method: entry for method, entry in entries.items() if entry is not None}
    return Sheets(profile, there) if len(there) == len(METHODS) else None


def picture(profile: profiles.Profile, images: Sheets) -> Rendered:
    """One test image: clean, distorted, and as RecNet and QRNet restore it, with the answers.

    It is the one that `picture_caption` tells of.
    """
    image = _chosen(images)
    label = labels.image_class(images.labels[image])
    heads = ("distorted", *map(labels.method, METHODS[1:]))
    head = "".join(f"<span>{html.escape(text)}</span>" for text in heads)
    rows = ""
    for distortion, name in DISTORTIONS.items():
        tiles = [images.tile(method, image, distortion) for method in METHODS]
        shown = [_tile(t, f"{label}, {w}") for t, w in zip(tiles, _states(distortion), strict=True)]
        what = f"<span><b>{name}</b><br>{images.strength(distortion)}</span>"
        rows += f'<div class="qr-row">{what}{"".join(shown)}</div>'
    clean = _tile(images.tile("none", image, "clean"), f"{label}, clean test image")
    markup = (
        f'<div class="qr-tiles"><div class="qr-clean"><span>clean</span>{clean}</div>'
        f'<div class="qr-rows"><div class="qr-row qr-head"><span></span>{head}</div>{rows}</div></div>'
    )
    return Rendered(f"{label}, {profile.title}\n", markup)


def _chosen(images: Sheets) -> int:
    """The first image that noise takes away and QRNet gives back, if there is one."""
    lost, recovered = images.lost_and_recovered()
    return (recovered or lost or [0])[0]


def picture_caption(profile: profiles.Profile, images: Sheets) -> str:
    """What `picture` shows, and of how many it is one, so that it is not taken for the rule."""
    lost, recovered = images.lost_and_recovered()
    label = labels.image_class(images.labels[_chosen(images)])
    return (
        f"A test image ({label}) of {profile.title}, and what "
        f"{labels.classifier(profile.classifier.name)} takes it for. Of {len(images.labels)} test "
        f"images kept, noise takes {len(lost)} away from the classifier, and QRNet gives {len(recovered)} "
        "back" + ("; this is the first of these." if recovered else "; none of these is shown.")
    )


def _states(distortion: str) -> tuple[str, str, str]:
    return (
        f"under {distortion}",
        f"{distortion} removed by RecNet",
        f"{distortion} removed by QRNet",
    )


def _tile(tile: Tile, what: str) -> str:
    sign, _ = RIGHT if tile.right else WRONG
    verdict = "right" if tile.right else "wrong"
    answer = labels.image_class(tile.answer)
    spoken = f"{what}: classified as {answer}, {tile.confidence:.0%} sure, {verdict}"
    src = encode_image(tile.pixels, "webp", lossless=True)  # every pixel as it is
    return (
        f'<span class="qr-tile qr-{verdict}"><img src="{src}" '
        f'alt="{html.escape(spoken)}"><span>{sign} {html.escape(answer)} {tile.confidence:.0%}'
        "</span></span>"
    )


def claim(table: pd.DataFrame, verdicts: pd.DataFrame, profile: profiles.Profile) -> str:
    """What the paper says, and what this profile says to it, in two sentences of Markdown.

    Args:
        table: of `qrlib.report.tables.table2`.
        verdicts: of `qrlib.report.claims.check.check_profile`.
    """
    said = verdicts.set_index("id")["verdict"]
    cells = table.set_index(["row", "column"])
    paper, ours = [], []
    for distortion in DISTORTIONS:
        none, qrnet = (cells.loc[(distortion, method)] for method in ("none", "qrnet"))
        verdict = said[f"qrnet-beats-none-{distortion}"]
        paper.append(f"under {distortion} from {none.paper:.3f} to {qrnet.paper:.3f}")
        ours.append(f"under {distortion} from {none.ours:.3f} to {qrnet.ours:.3f}, *{verdict}*")
    setting = "" if profile.comparable else "; not the paper's setting"
    return (
        f"**The claim** of {citation.paper_link()}: a classifier that knows only clean photographs fails on noisy "
        "and blurred ones. QRNet, a network put in front of it that learns from its verdicts, repairs "
        f"the image first, and the accuracy of VGG16 rises {' and '.join(paper)}.\n\n"
        f"**Rerun** ({profile.label}{setting}): {'; '.join(ours)}."
    )


def headline(table: pd.DataFrame) -> Rendered:
    """Table 2 in brief: noise and blur, the paper's accuracies above ours.

    Args:
        table: of `qrlib.report.tables.table2`.
    """
    cells = table.set_index(["row", "column"])
    rows = []
    for distortion, name in DISTORTIONS.items():
        for whose in ("paper", "ours"):
            values = (f"{cells.loc[(distortion, m)][whose]:.3f}" for m in METHODS)
            rows.append([f"{name}, {whose}", *values])
    headings = ["accuracy", *map(labels.method, METHODS)]
    return render.grid(
        headings,
        rows,
        "Means over five levels (Table 2); all of it is below.",
        f"table-2-{table['profile'].iloc[0]}",
        data=table,
        up=sources.OF_ALL,
    )


def ways(pages: Sequence[tuple[str, str]]) -> str:
    """Links that look like buttons: (page of the book, text)."""
    links = (f'<a href="../{page}.html">{html.escape(text)}</a>' for page, text in pages)
    return f'<p class="qr-ways">{"".join(links)}</p>'


TRY = ("try", "Try it on your own photo")


def first_way() -> Rendered:
    """The way to the live page, which a phone shows above the picture."""
    return Rendered("", ways([TRY]).replace("qr-ways", "qr-ways qr-first"))


def brief(table: pd.DataFrame) -> Rendered:
    """`headline`, and beside it where to go; `table` of `qrlib.report.tables.table2`."""
    shown = headline(table)
    pages = [
        ("_executed/does_it_hold", "Does it hold?"),
        ("_executed/method", "How it works"),
        ("rerun", "Run it again"),
    ]
    return Rendered(
        shown.markdown,
        f'<div class="qr-brief"><div>{shown.html}</div>{ways([TRY, *pages])}</div>',
    )
