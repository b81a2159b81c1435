"""The first page: what the paper claims, whether it holds, one image, every run, where to go."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from qrlib import paper
from qrlib.book import citation
from qrlib.book.notebooks import LARGE
from qrlib.experiments import profiles, samples
from qrlib.report import captions, labels, render, sample_answers, sources
from qrlib.report.claims import check, rule
from qrlib.report.data_uris import encode_image
from qrlib.report.figures.image_grids import RIGHT, WRONG
from qrlib.report.render import Rendered
from qrlib.utils import files, paths

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
        self.methods = tuple(method for method in METHODS if method in entries)

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
    """The sheets of a profile; None where QRNet has none, or no restorer."""
    entries = {method: sample_answers.samples_entry(profile, method) for method in METHODS}
    there = {method: entry for method, entry in entries.items() if entry is not None}
    return Sheets(profile, there) if {"none", "qrnet"} <= there.keys() else None


def picture(profile: profiles.Profile, images: Sheets) -> Rendered:
    """One test image: clean, distorted, and as RecNet (if it was run) and QRNet restore it, with the answers.

    It is the first that noise takes away and QRNet gives back, if there is one.
    """
    image = _chosen(images)
    label = labels.image_class(images.labels[image])
    heads = ("distorted", *map(labels.method, images.methods[1:]))
    head = "".join(f"<span>{html.escape(text)}</span>" for text in heads)
    rows = ""
    for distortion, name in DISTORTIONS.items():
        shown = [
            _tile(images.tile(method, image, distortion), f"{label}, {_state(method, distortion)}")
            for method in images.methods
        ]
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


def picture_caption(profile: profiles.Profile, images: Sheets, results: pd.DataFrame) -> str:
    """What `picture` shows, of how many it is one, and what all test images say.

    Args:
        results: of the profile, as `qrlib.records.store.read` returns.
    """
    lost, recovered = images.lost_and_recovered()
    judge = labels.classifier(profile.classifier.name)
    return (
        f"Noise makes {judge} misread {len(lost)} of {len(images.labels)} sample images. QRNet fixes "
        f"{len(recovered)}"
        + ("; the first of them is shown" if recovered else "; the first image is shown")
        + f" ({profile.title}). {captions.on_all(results, profile.choice, (LEVEL,))}"
    )


def _state(method: str, distortion: str) -> str:
    if method == "none":
        return f"under {distortion}"
    return f"{distortion} removed by {labels.method(method)}"


def _tile(tile: Tile, what: str) -> str:
    sign, _ = RIGHT if tile.right else WRONG
    verdict = "right" if tile.right else "wrong"
    answer = labels.image_class(tile.answer)
    spoken = f"{what}: classified as {answer}, {tile.confidence:.0%} sure, {verdict}"
    # Every pixel as it is, where they are few.
    how = {"lossless": True} if len(tile.pixels) < LARGE else {"quality": 85}
    src = encode_image(tile.pixels, "webp", **how)
    return (
        f'<span class="qr-tile qr-{verdict}"><img src="{src}" '
        f'alt="{html.escape(spoken)}"><span>{sign} {html.escape(answer)} {tile.confidence:.0%}'
        "</span></span>"
    )


#: Where the book looks for the picture that a shared link shows; below the folder of extra files.
PREVIEW = "preview.png"


def papers_claim() -> str:
    """What the paper says, in plain words, as Markdown."""
    rises = " and ".join(
        f"{_percent(qrnet)} of {words} test images instead of {_percent(none)}"
        for distortion, words in (("noise", "noisy"), ("blur", "blurred"))
        for none, qrnet in (
            [paper.printed(2, "Caltech101", distortion, m) for m in ("none", "qrnet")],
        )
    )
    return (
        f"**The paper** ({citation.paper_link()}) says: a classifier trained on clean photographs fails "
        "on noisy and blurred ones. QRNet, a small network, repairs the image first. VGG16 then "
        f"recognises {rises}."
    )


def answer(
    profile: profiles.Profile, table: pd.DataFrame, clean: pd.DataFrame, verdicts: pd.DataFrame
) -> tuple[str, str]:
    """Whether it holds; and on what, and how sure we are; as Markdown, with the records' numbers.

    Args:
        profile: the strongest run that there is.
        table: of `qrlib.report.tables.table2`.
        clean: of `qrlib.report.gains.clean_accuracy`, with "none" and "qrnet-multiple".
        verdicts: of `qrlib.report.claims.check.check_profile`.
    """
    said = verdicts.set_index("id")["verdict"]
    cells = table.set_index(["row", "column"])
    gains = " ".join(
        _gain(cells, distortion, said[f"qrnet-beats-none-{distortion}"], profile.comparable)
        for distortion in DISTORTIONS
    )
    start = (
        "**Does it hold at the paper's own size?**"
        if profile.comparable
        else "**Does it hold?** At the paper's own size nobody has tested it yet. On a smaller scale:"
    )
    plain, restored = (
        clean.set_index("restorer").loc[name, "ours"] for name in ("none", "qrnet-multiple")
    )
    counts = check.counts(verdicts)
    return (
        f"{start} {gains} Clean images: {_percent(plain)} as they are, {_percent(restored)} through QRNet.",
        f"**On what?** *{profile.title}*: {setting(profile, int(table['n'].iloc[0]))}. "
        f"**How sure?** {_certainty(table)} "
        f"Of the paper's {len(verdicts)} claims that results can test, **{counts[rule.HOLDS]} hold, "
        f"{counts[rule.FAILS]} do not**, {counts[rule.CLOSE]} are too close to call, and "
        f"{counts[rule.NOT_JUDGED]} cannot be judged by this run.",
    )


def _gain(cells: pd.DataFrame, distortion: str, verdict: str, comparable: bool) -> str:
    """What QRNet gains, and where it may be compared, what it gains in print."""
    none, qrnet = (cells.loc[(distortion, method)] for method in ("none", "qrnet"))
    answers = {rule.HOLDS: "Yes", rule.FAILS: "No", rule.CLOSE: "Too close to call"}
    gain = f"{100 * (qrnet.ours - none.ours):+.1f} points".replace("-", "−")
    printed = f" (paper: {100 * (qrnet.paper - none.paper):+.1f})" if comparable else ""
    return (
        f"**{answers.get(verdict, 'Not judged')} under {distortion}**: VGG16 goes from "
        f"{_percent(none.ours)} to {_percent(qrnet.ours)}, {gain}{printed}."
    )


def setting(profile: profiles.Profile, images: int) -> str:
    """The size of a run in a few words: images, pixels, epochs, batch, seeds."""
    data, recovery = profile.data, profile.recovery
    size = (
        ""
        if data.image_size == profiles.PAPER_SIZE
        else f" (paper: {profiles.PAPER_SIZE}, as we read it)"
    )
    classes = f" of {data.classes} classes" if data.classes else ""
    epochs, batch = paper.setting("epochs at most"), paper.setting("batch size")
    return (
        f"{images:,} test images{classes}, {data.image_size} pixels{size}, {recovery.epochs} epochs "
        f"(paper: at most {epochs}), batches of {recovery.batch_size} (paper: {batch}), "
        f"{labels.seeds(profile.seeds)}"
    )


def _certainty(table: pd.DataFrame) -> str:
    """What one standard error is, and what it leaves out."""
    error = table["standard_error"].max()
    text = f"With so many test images an accuracy may be off by {100 * error:.1f} points (one standard error)."
    if table["seeds"].max() == 1:
        text += " Each network was trained once; another training may differ by more."
    return text


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def runs(profiles_: Sequence[profiles.Profile], tables_: Mapping[str, pd.DataFrame],
         verdicts: Mapping[str, pd.DataFrame]) -> Rendered:  # fmt: skip
    """Every run in two lines of numbers, the paper above them.

    Args:
        tables_, verdicts: of `qrlib.report.tables.table2` and `qrlib.report.claims.check.check_profile`,
            by the name of the profile.
    """
    keys = [(d, m) for d in DISTORTIONS for m in ("none", "qrnet")]
    printed = [f"{paper.printed(2, 'Caltech101', d, m):.3f}" for d, m in keys]
    rows: list[list[str | Rendered]] = [["the paper", *printed, ""]]
    for profile in profiles_:
        cells = tables_[profile.name].set_index(["row", "column"])
        counts = check.counts(verdicts[profile.name])
        rows.append(
            [
                render.link(profile.title, str(sources.summary(profile.name, sources.OF_BOOK))),
                *(f"{cells.loc[key].ours:.3f}" for key in keys),
                " / ".join(str(counts[kind]) for kind in (rule.HOLDS, rule.FAILS, rule.CLOSE)),
            ]
        )
    headings = ["accuracy", "noise", "noise, QRNet", "blur", "blur, QRNet", "claims"]
    caption = (
        "Accuracy of the classifier without and with QRNet, averaged over five levels. Claims: how many of "
        "the paper's hold / do not hold / are too close to call. Only a run in the paper's setting may be "
        "compared number by number."
    )
    data = pd.concat(tables_.values()) if tables_ else None
    return render.grid(headings, rows, caption, "all-runs", data=data, up=sources.OF_BOOK)


def save_preview(figure: Figure) -> Path:
    """Keep a figure as the picture that a shared link shows: 1200 x 630 pixels; returns the file."""
    file = paths.root() / "book" / "_executed" / "_files" / PREVIEW
    file.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(file) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
    return file


def ways(pages: Sequence[tuple[str, str]]) -> Rendered:
    """Links that look like buttons: (page of the book, text)."""
    links = (f'<a href="{page}.html">{html.escape(text)}</a>' for page, text in pages)
    return Rendered("", f'<p class="qr-ways">{"".join(links)}</p>')
