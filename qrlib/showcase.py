"""The first screen of the first page: the claim, one image, the headline, where to go."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from qrlib import paths, profiles, rendering, samples, selection, store
from qrlib.errors import QrlibError
from qrlib.pictures import RIGHT, WRONG
from qrlib.rendering import Rendered

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

    Raises:
        QrlibError: an evaluation was made before sheets were kept; the file is not the record's.
    """

    def __init__(self, profile: profiles.Profile) -> None:
        self.told: dict[str, dict[str, Any]] = {}
        self.tiles: dict[str, list[list[np.ndarray]]] = {}
        for method in METHODS:
            restorer = selection.restorer_of(method, "noise")
            seed = "" if method == "none" else f"-seed{profile.seeds[0]}"
            name = f"evaluation-{restorer}-{profile.classifier.name}{seed}"
            record = store.read_record(profile.name, name)
            if "samples" not in record:
                raise QrlibError(f"record {name} of {profile.name} names no sheet of images")
            self.told[method] = record["samples"]
            self.tiles[method] = samples.read(self.told[method], paths.results(profile.name))
        self.labels: list[str] = self.told["none"]["labels"]

    def tile(self, method: str, image: int, distortion: str) -> Tile:
        """One image; "clean" as a distortion is the image as it is in the data set."""
        cases = [(case["distortion"], case["level"]) for case in self.told[method]["cases"]]
        column = cases.index((distortion, 0 if distortion == "clean" else LEVEL))
        found = self.told[method]["answers"][image][column]
        right = found["answer"] == self.labels[image]
        return Tile(self.tiles[method][image][column], found["answer"], found["confidence"], right)

    def lost(self) -> list[int]:
        """Images that are recognised clean and no longer under noise."""
        return [
            i
            for i in range(len(self.labels))
            if self.tile("none", i, "clean").right and not self.tile("none", i, "noise").right
        ]

    def won(self) -> list[int]:
        """Those among them that QRNet gives back."""
        return [i for i in self.lost() if self.tile("qrnet", i, "noise").right]

    def strength(self, distortion: str) -> str:
        """Sigma of the level that is shown."""
        cases = self.told["none"]["cases"]
        (sigma,) = (
            c["strength"] for c in cases if (c["distortion"], c["level"]) == (distortion, LEVEL)
        )
        return f"σ = {sigma:.2g}"


def picture(profile: profiles.Profile) -> Rendered:
    """One test image: clean, distorted, and as RecNet and QRNet restore it, with the answers.

    It is the first kept one that noise takes away and QRNet gives back, if there is one; the caption
    says how many there are, so that it is not taken for the rule.
    """
    sheets = Sheets(profile)
    lost, won = sheets.lost(), sheets.won()
    image = (won or lost or [0])[0]
    label = _words(sheets.labels[image])
    kept = len(sheets.labels)
    choice = (
        f"Of {kept} test images kept, noise takes {len(lost)} away from the classifier, and QRNet "
        f"gives {len(won)} back"
        + ("; this is the first of these." if won else "; none of these is shown.")
    )
    head = "".join(f"<span>{html.escape(text)}</span>" for text in ("distorted", "RecNet", "QRNet"))
    rows = ""
    for distortion, name in DISTORTIONS.items():
        tiles = [sheets.tile(method, image, distortion) for method in METHODS]
        shown = [_tile(t, f"{label}, {w}") for t, w in zip(tiles, _states(distortion), strict=True)]
        what = f"<span><b>{name}</b><br>{sheets.strength(distortion)}</span>"
        rows += f'<div class="qr-row">{what}{"".join(shown)}</div>'
    clean = _tile(sheets.tile("none", image, "clean"), f"{label}, clean test image")
    caption = (
        f"A test image ({label}) of {html.escape(profile.title)}, and under it what "
        f"{_classifier(profile)} takes it for: {RIGHT[0]} right, {WRONG[0]} wrong. {choice}"
    )
    markup = (
        f'<figure class="qr-story"><div class="qr-tiles"><div class="qr-clean"><span>clean</span>'
        f'{clean}</div><div class="qr-rows"><div class="qr-row qr-head"><span></span>{head}</div>'
        f"{rows}</div></div><figcaption>{caption}</figcaption></figure>"
    )
    return Rendered(f"{label}: {choice}\n", markup)


def _states(distortion: str) -> tuple[str, str, str]:
    return (
        f"under {distortion}",
        f"{distortion} removed by RecNet",
        f"{distortion} removed by QRNet",
    )


def _tile(tile: Tile, what: str) -> str:
    sign, _ = RIGHT if tile.right else WRONG
    verdict = "right" if tile.right else "wrong"
    answer = _words(tile.answer)
    spoken = f"{what}: classified as {answer}, {tile.confidence:.0%} sure, {verdict}"
    return (
        f'<span class="qr-tile qr-{verdict}"><img src="{_uri(tile.pixels)}" '
        f'alt="{html.escape(spoken)}"><span>{sign} {html.escape(answer)} {tile.confidence:.0%}'
        "</span></span>"
    )


def _uri(pixels: np.ndarray) -> str:
    """An image in the page itself, every pixel as it is."""
    file = io.BytesIO()
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(file, "WEBP", lossless=True)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _words(label: str) -> str:
    """
    >>> _words("soccer_ball"), _words("Faces")
    ('soccer ball', 'face')
    """
    return {"faces": "face", "leopards": "leopard"}.get(label.lower(), label.lower()).replace(
        "_", " "
    )


def _classifier(profile: profiles.Profile) -> str:
    return {"vgg16": "VGG16"}.get(
        profile.classifier.name, profile.classifier.name.replace("_", " ")
    )


def claim(table: pd.DataFrame, verdicts: pd.DataFrame, profile: profiles.Profile) -> str:
    """What the paper says, and what this profile says to it, in two sentences of Markdown.

    Args:
        table: of `qrlib.tables.table2`.
        verdicts: of `qrlib.claims.of_profile`.
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
        "**The claim.** A classifier that knows only clean photographs fails on noisy and blurred "
        "ones. QRNet, a network put in front of it that learns from its verdicts, repairs the image "
        f"first, and the accuracy of VGG16 rises {' and '.join(paper)}.\n\n"
        f"**Rerun** ({profile.label}{setting}): {'; '.join(ours)}."
    )


def headline(table: pd.DataFrame) -> Rendered:
    """Table 2 in brief: noise and blur, the paper's accuracies above ours.

    Args:
        table: of `qrlib.tables.table2`.
    """
    cells = table.set_index(["row", "column"])
    rows = []
    for distortion, name in DISTORTIONS.items():
        for whose in ("paper", "ours"):
            values = (f"{cells.loc[(distortion, m)][whose]:.3f}" for m in METHODS)
            rows.append([f"{name}, {whose}", *values])
    headings = ["accuracy", "not restored", "RecNet", "QRNet"]
    return rendering.grid(headings, rows, "Means over five levels (Table 2); all of it is below.")


def ways(pages: Sequence[tuple[str, str]]) -> str:
    """Links that look like buttons, to those pages that the book has: (name of the page, text)."""
    toc = (paths.root() / "book" / "_toc.yml").read_text("utf-8")
    there = {file.removeprefix("_executed/"): file for file in re.findall(r"file: (\S+)", toc)}
    links = (f'<a href="../{there[n]}.html">{html.escape(t)}</a>' for n, t in pages if n in there)
    return f'<p class="qr-ways">{"".join(links)}</p>'


def screen(profile: profiles.Profile, table: pd.DataFrame) -> Rendered:
    """Picture, table and links; without the picture where no sheets of images were kept."""
    brief = headline(table)
    try:
        shown = picture(profile)
    except QrlibError:
        shown = Rendered("", "")
    links = ways(
        [
            ("try", "Try it on your own photo"),
            ("does_it_hold", "Does it hold?"),
            ("method", "How it works"),
            ("rerun", "Run it again"),
        ]
    )
    return Rendered(
        shown.markdown + brief.markdown,
        f'{shown.html}<div class="qr-brief"><div>{brief.html}</div>{links}</div>',
    )
