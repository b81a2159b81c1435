"""The first page: what the paper claims, whether it holds, one image, every run, where to go."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from qrlib import paper
from qrlib.book import citation
from qrlib.book.notebooks import LARGE
from qrlib.experiments import profiles, samples
from qrlib.experiments.settings import PAPER_SIZE
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


def sheets(profile: profiles.Profile) -> dict[str, dict[str, Any]]:
    """What the records say of the test images that evaluations kept, by method of `METHODS`.

    Empty where QRNet has none, or no restorer.
    """
    entries = {method: sample_answers.samples_entry(profile, method) for method in METHODS}
    there = {method: entry for method, entry in entries.items() if entry is not None}
    return there if {"none", "qrnet"} <= there.keys() else {}


def picture(profile: profiles.Profile, entries: Mapping[str, dict[str, Any]]) -> Rendered:
    """One test image: clean, distorted, and as RecNet (if it was run) and QRNet restore it, with the answers.

    It is the first that noise takes away and QRNet gives back, else the first of blur.

    Args:
        entries: of `sheets`.

    Raises:
        QrlibError: a file of images is not the record's.
    """
    images = [lost_and_recovered(entries, d)[i] for i in (1, 0) for d in DISTORTIONS]
    image = next(iter(np.concatenate(images)), 0)
    label = labels.image_class(entries["none"]["labels"][image])
    folder = paths.results(profile.name)
    tiles = {method: samples.read_sheet(entry, folder) for method, entry in entries.items()}

    def tile(method: str, distortion: str, state: str) -> str:
        case = _case(entries[method], distortion)
        answer = entries[method]["answers"][image][case]
        right = answer["answer"] == entries[method]["labels"][image]
        return _tile(tiles[method][image][case], answer, right, f"{label}, {state}")

    names = {method: labels.method(method) for method in entries if method != "none"}
    head = "".join(f"<span>{html.escape(text)}</span>" for text in ("distorted", *names.values()))
    rows = ""
    for distortion, name in DISTORTIONS.items():
        shown = [tile("none", distortion, f"under {distortion}")]
        shown += [tile(m, distortion, f"{distortion} removed by {n}") for m, n in names.items()]
        sigma = entries["none"]["cases"][_case(entries["none"], distortion)]["strength"]
        what = f"<span><b>{name}</b><br>σ = {sigma:.2g}</span>"
        rows += f'<div class="qr-row">{what}{"".join(shown)}</div>'
    clean = tile("none", "clean", "clean test image")
    markup = (
        f'<div class="qr-tiles"><div class="qr-clean"><span>clean</span>{clean}</div>'
        f'<div class="qr-rows"><div class="qr-row qr-head"><span></span>{head}</div>{rows}</div></div>'
    )
    return Rendered(f"{label}, {profile.title}\n", markup)


def lost_and_recovered(
    entries: Mapping[str, dict[str, Any]], distortion: str = "noise"
) -> list[np.ndarray]:
    """Images that a distortion takes away from the classifier, and those that QRNet gives back, by position."""
    shown = (("none", "clean"), ("none", distortion), ("qrnet", distortion))
    right = (
        sample_answers.recognised(entries[method])[:, _case(entries[method], kind)]
        for method, kind in shown
    )
    return [np.flatnonzero(which) for which in sample_answers.lost_and_recovered(*right)]


def picture_caption(
    profile: profiles.Profile, entries: Mapping[str, dict[str, Any]], results: pd.DataFrame
) -> str:
    """What `picture` shows, of how many it is one, and what the results of all test images say."""
    (noisy, without_noise), (blurred, without_blur) = (
        map(len, lost_and_recovered(entries, distortion)) for distortion in DISTORTIONS
    )
    return (
        f"Noise makes {labels.classifier(profile.classifier.name)} misread {noisy} of "
        f"{len(entries['none']['labels'])} sample images, of which QRNet fixes {without_noise}; blur {blurred}, "
        f"of which it fixes {without_blur}. Shown is the first "
        f"{'that it fixes' if without_noise + without_blur else 'image'} ({profile.title}). "
        f"{captions.on_all(results, profile.choice, (LEVEL,))}"
    )


def _case(entry: Mapping[str, Any], distortion: str) -> int:
    """The column of a sheet with a distortion at `LEVEL`; "clean" is the image as it is in the data set."""
    cases = [(case["distortion"], case["level"]) for case in entry["cases"]]
    return cases.index((distortion, 0 if distortion == "clean" else LEVEL))


def _tile(pixels: np.ndarray, said: Mapping[str, Any], right: bool, what: str) -> str:
    (sign, _), verdict = (RIGHT, "right") if right else (WRONG, "wrong")
    answer, sure = labels.image_class(said["answer"]), f"{said['confidence']:.0%}"
    spoken = f"{what}: classified as {answer}, {sure} sure, {verdict}"
    # Every pixel as it is, where they are few.
    src = encode_image(
        pixels, "webp", **({"lossless": True} if len(pixels) < LARGE else {"quality": 85})
    )
    return (
        f'<span class="qr-tile qr-{verdict}"><img src="{src}" alt="{html.escape(spoken)}">'
        f"<span>{sign} {html.escape(answer)} {sure}</span></span>"
    )


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
    """Whether it holds in a run; and against rivals, on what, and how sure we are; as Markdown.

    Args:
        table: of `qrlib.report.tables.table2`.
        clean: of `qrlib.report.gains.clean_accuracy`, with "none" and "qrnet-multiple".
        verdicts: of `qrlib.report.claims.check.check_profile`.
    """
    said = verdicts.set_index("id")["verdict"]
    cells = table.set_index(["row", "column"])
    gains = " ".join(
        _gain(cells, distortion, said[f"qrnet-beats-none-{distortion}"], profile)
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
        f"{_rivals(said)} **On what?** *{profile.title}*: {setting(profile, int(table['n'].iloc[0]))}. "
        f"**How sure?** {_certainty(table)} "
        f"Of the paper's {len(verdicts)} claims that results can test, **{counts[rule.HOLDS]} hold, "
        f"{counts[rule.FAILS]} do not**, {counts[rule.CLOSE]} are too close to call, and "
        f"{counts[rule.NOT_JUDGED]} cannot be judged by this run.",
    )


def _gain(cells: pd.DataFrame, distortion: str, verdict: str, profile: profiles.Profile) -> str:
    """What QRNet gains, and where it may be compared, what it gains in print."""
    none, qrnet = (cells.loc[(distortion, method)] for method in ("none", "qrnet"))
    answers = {rule.HOLDS: "Yes", rule.FAILS: "No", rule.CLOSE: "Too close to call"}
    gain = f"{100 * (qrnet.ours - none.ours):+.1f} points".replace("-", "−")
    printed = f" (paper: {100 * (qrnet.paper - none.paper):+.1f})" if profile.comparable else ""
    classifier = labels.classifier(profile.classifier.name)
    return (
        f"**{answers.get(verdict, 'Not judged')} under {distortion}**: {classifier} goes from "
        f"{_percent(none.ours)} to {_percent(qrnet.ours)}, {gain}{printed}."
    )


def _rivals(verdicts: pd.Series) -> str:
    """How QRNet stands against its rivals in the paper, where it beats them all; verdicts by claim."""
    words = {rule.HOLDS: "better", rule.FAILS: "worse"}
    against = []
    for rival in ("single", "multiple"):
        found = {d: verdicts[f"qrnet-beats-recnet-{rival}-{d}"] for d in DISTORTIONS}
        each = [f"{words.get(verdict, verdict)} under {d}" for d, verdict in found.items()]
        against.append(f"Against RecNet ({rival}): {labels.joined(each)}.")
    return f"**Is QRNet the best restorer, as printed?** {' '.join(against)}"


def setting(profile: profiles.Profile, images: int) -> str:
    """The size of a run in a few words: images, pixels, epochs, batch, seeds."""
    data, recovery = profile.data, profile.recovery
    size = "" if data.image_size == PAPER_SIZE else f" (paper: {PAPER_SIZE}, as we read it)"
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
    """Every run in a line of numbers, the paper above them; tables 2 and verdicts are by profile."""
    keys = [(d, m) for d in DISTORTIONS for m in ("none", "qrnet")]
    printed = [f"{paper.printed(2, 'Caltech101', d, m):.3f}" for d, m in keys]
    rows: list[list[str | Rendered]] = [["the paper", *printed, "", "VGG16"]]
    for profile in profiles_:
        page = sources.summary(profile.name, sources.OF_BOOK)
        cells = tables_[profile.name].set_index(["row", "column"])
        counts = check.counts(verdicts[profile.name])
        rows.append(
            [
                render.link(profile.title, page) if page else profile.title,
                *(f"{cells.loc[key].ours:.3f}" for key in keys),
                " / ".join(str(counts[kind]) for kind in (rule.HOLDS, rule.FAILS, rule.CLOSE)),
                f"{labels.classifier(profile.classifier.name)}, {cells['n'].max():,} images",
            ]
        )
    headings = ["run", "noise", "noise, QRNet", "blur", "blur, QRNet", "claims", "judged by"]
    caption = (
        "Accuracy of the classifier without and with QRNet, averaged over five levels, on the test images of the "
        "last column. Claims: how many of "
        "the paper's hold / do not hold / are too close to call. Compare numbers with the paper's only "
        "in a run with its data, image size and classifier; even there our training is shorter."
    )
    data = pd.concat(tables_.values()) if tables_ else None
    return render.grid(headings, rows, caption, "all-runs", data=data, up=sources.OF_BOOK)


def save_preview(figure: Figure) -> Path:
    """Keep a figure as the picture that a shared link shows: 1200 x 630 pixels; returns the file."""
    file = paths.root() / "book" / "_executed" / "_files" / citation.PREVIEW
    file.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(file) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
    return file


def ways(pages: Sequence[tuple[str, str]]) -> Rendered:
    """Links that look like buttons: (page of the book, text)."""
    links = (f'<a href="{page}.html">{html.escape(text)}</a>' for page, text in pages)
    return Rendered("", f'<p class="qr-ways">{"".join(links)}</p>')
