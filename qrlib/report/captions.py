"""What a figure of results shows, in a sentence made from its numbers.

A notebook calls `say` in the cell of a figure; `qrlib.book.notebooks.tidy` puts it at the head of the
figure's caption in the book.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from qrlib import paper
from qrlib.experiments.settings import Profile
from qrlib.records import selection
from qrlib.records.selection import ONLY, Selection
from qrlib.report import labels, sources, tables
from qrlib.report.sample_answers import recognised

#: The types of output that hold a sentence for the head of a caption, and one for its end.
MIME = "application/vnd.qrlib.finding"
NOTE = "application/vnd.qrlib.note"
_KINDS = ("noise", "blur")


def say(sentence: str, note: str = "") -> None:
    """Show a sentence under the cell, and in the book at the head of the figure's caption; a note at its end."""
    from IPython.display import display

    text = " ".join(filter(None, [sentence, note]))
    display({MIME: sentence, "text/plain": text} | ({NOTE: note} if note else {}), raw=True)


def dots(counts: Iterable[int], mark: str = "small dot") -> str:
    """What single seeds look like in a figure of cells with so many seeds; "" where each has one.

    >>> dots([3, 1]), dots([1, 1])
    ('Each small dot is one seed.', '')
    """
    return f"Each {mark} is one seed." if max(counts, default=1) > 1 else ""


def errors_of_losses(counts: Iterable[int]) -> str:
    """How far a loss may be off by chance, in a figure of cells with so many seeds.

    >>> errors_of_losses([1, 1])
    'There is one seed, so losses have no error bars.'
    """
    if max(counts, default=1) > 1:
        return "Errors of losses are one standard error over seeds."
    return "There is one seed, so losses have no error bars."


def levels(results: pd.DataFrame, methods: Sequence[str], choice: Selection = ONLY) -> str:
    """Which method is the most accurate at how many levels (`qrlib.report.figures.plots.level_curves`)."""
    data = tables.levels(results, choice)
    parts = [_alone(methods)]
    for kind in _KINDS:
        names = {selection.restorer_of(m, kind): labels.method(m) for m in methods}
        rows = data[
            (data["distortion"] == kind) & (data["level"] > 0) & data["restorer"].isin(names)
        ]
        counts: Counter[str] = Counter()
        for _, cells in rows.groupby("level"):
            best = cells[cells["ours"] > cells["ours"].max() - 1e-9]["restorer"]
            counts["several alike" if len(best) > 1 else names[best.iloc[0]]] += 1
        winners = (f"{name} at {n} of {counts.total()} levels" for name, n in counts.most_common())
        parts.append(f"Most accurate under {kind}: {labels.joined(winners)}.")
    return " ".join(filter(None, [*parts, "A lead within the bands may be chance."]))


def _alone(methods: Sequence[str]) -> str:
    """A warning that a lead over doing nothing is no lead over a rival."""
    restorers = [labels.method(m) for m in methods if m != "none"]
    return f"No restorer but {restorers[0]} was run." if len(restorers) == 1 else ""


def leaders(table: pd.DataFrame) -> str:
    """Which method leads in the paper and in ours, by a frame of `qrlib.report.tables.table2` or `table4`."""
    run = table[table["ours"].notna()]["column"]
    parts = [_alone(list(dict.fromkeys(run)))]
    for kind in _KINDS:
        cells = table[table["row"] == kind].set_index("column")
        printed, ours = (labels.method(str(cells[side].idxmax())) for side in ("paper", "ours"))
        agree = "and here" if printed == ours else f"but {ours} here"
        parts.append(f"Most accurate under {kind}: {printed} in the paper {agree}.")
    return " ".join(filter(None, [*parts, "A lead that is shorter than the bars may be chance."]))


def quality(data: pd.DataFrame) -> str:
    """What QRNet does to PSNR and accuracy at the strongest level, by a frame of `qrlib.report.tables.quality`."""
    parts = []
    for kind in _KINDS:
        cells = data[(data["distortion"] == kind) & (data["level"] == max(data["level"]))]
        none, qrnet = (cells.set_index("method").loc[method] for method in ("none", "qrnet"))
        parts.append(
            f"At the strongest {kind}, QRNet changes PSNR from {none.psnr:.1f} to {qrnet.psnr:.1f} dB "
            f"and accuracy from {none.accuracy:.3f} to {qrnet.accuracy:.3f}."
        )
    return " ".join(parts)


def lambda_sweep(table: pd.DataFrame) -> str:
    """What became of the validation loss's parts, and of accuracy, by a frame of `qrlib.report.lambda_sweep.table`."""
    rows = table.sort_values("weight")
    quality, entropy = (
        f"{' → '.join(f'{value:.{digits}f}' for value in rows[key])} ({_course(rows[key])})"
        for key, digits in (("val_quality", 4), ("val_classification", 3))
    )
    accuracy = " → ".join(f"{value:.3f}" for value in rows["average"])
    return (
        f"As λ goes {' → '.join(f'{weight:g}' for weight in rows['weight'])}, the L1 loss on validation "
        f"images goes {quality}; we expect it to rise. The cross-entropy goes {entropy}; we expect it to "
        f"fall. The average accuracy on test images goes {accuracy}."
    )


def _course(values: Iterable[float]) -> str:
    """
    >>> _course([1, 2, 3]), _course([3, 2, 1]), _course([1, 0, 2])
    ('rises', 'falls', 'rises and falls')
    """
    steps = pd.Series(list(values)).diff().dropna()
    if (steps > 0).all():
        return "rises"
    return "falls" if (steps < 0).all() else "rises and falls"


def lowest_validation_loss(history: pd.DataFrame) -> str:
    """When the validation loss was lowest; data as of `qrlib.report.figures.plots.learning_curves`."""
    losses = history.set_index("epoch")["val_loss"].dropna()
    if losses.empty:
        return ""
    return (
        f"The validation loss is lowest in epoch {losses.idxmin():g} of {history['epoch'].max():g}."
    )


def learning(epochs: pd.DataFrame) -> str:
    """Who was lowest at the end of training, by `qrlib.book.explorers.learning.Learning.frame`."""
    kept_epochs = epochs[epochs["kept"].astype(bool) & (epochs["distortions"] == "multiple")]
    parts = []
    for column, words in (("val_quality", "L1"), ("val_entropy", "cross-entropy")):
        means = kept_epochs.dropna(subset=[column]).groupby("variant", sort=False)[column].mean()
        if len(means):
            best = labels.method(str(means.idxmin()))
            parts.append(f"{best} has the lowest {words} ({means.min():.4f})")
    if not parts:
        return ""
    return (
        f"Of the networks for both distortions, {labels.joined(parts)}, in the epoch that was kept."
    )


def recognised_images(entry: Mapping[str, Any]) -> str:
    """How many images of a sheet the classifier recognises; `entry` is the `samples` of QRNet's record."""
    cases = [(case["distortion"], case["level"]) for case in entry["cases"]]
    strongest = max(level for _, level in cases)
    words = {
        ("clean", 0): "clean",
        ("noise", strongest): "under the strongest noise",
        ("blur", strongest): "under the strongest blur",
    }
    counts = dict(zip(cases, recognised(entry).sum(axis=0), strict=True))
    parts = [f"{counts[case]} {text}" for case, text in words.items() if case in counts]
    images = len(entry["labels"])
    return f"Of {images} test images that QRNet restored, the classifier recognises {labels.joined(parts)}."


def on_all(
    results: pd.DataFrame, choice: Selection = ONLY, levels: Sequence[int] = selection.LEVELS
) -> str:
    """What a few images only illustrate: without and with QRNet, on all test images.

    Args:
        results: frame of `qrlib.records.store.read`, with results of "none" and "qrnet-multiple".
        levels: over which accuracies are averaged.
    """
    rows = selection.select(results, choice)
    means = {
        (method, kind): f"{100 * selection.seed_means(rows, method, kind, levels).mean():.1f} %"
        for method in ("none", "qrnet")
        for kind in _KINDS
    }
    parts = (f"{means['none', k]} under {k} ({means['qrnet', k]} with QRNet)" for k in _KINDS)
    where = f" at level {levels[0]}" if len(levels) == 1 else ", averaged over the levels"
    return (
        f"These few images are an illustration. Of all {rows['n'].iloc[0]:,} test images the classifier "
        f"recognises {labels.joined(parts)}{where}."
    )


def changed_answers(plain: Mapping[str, Any], restored: Mapping[str, Any], method: str) -> str:
    """What a restorer changes in the answers: `samples` of records, without and with it."""
    distorted = [i for i, case in enumerate(plain["cases"]) if case["level"]]
    before, after = (recognised(entry)[:, distorted] for entry in (plain, restored))
    return (
        f"The classifier misreads {(~before).sum()} of {before.size} distorted images. "
        f"{labels.method(method)} fixes {(after & ~before).sum()} of them and breaks "
        f"{(before & ~after).sum()} of the others."
    )


def introduction(profile: Profile, page: str, images: int) -> str:
    """Markdown at the head of a results page: whose results these are, and how they are made again.

    Args:
        page: one of `qrlib.experiments.coverage.PAGES`.
        images: how many were tested.
    """
    seeds = labels.seeds(profile.seeds)
    if page == "recovery" and profile.other_seeds != profile.seeds:
        seeds += f" ({labels.seeds(profile.other_seeds)} for small QRNet)"
    elif page not in ("recovery", "image_quality"):
        seeds = labels.seeds(profile.other_seeds)
    lines = [f"**{profile.title}** ({profile.label}): {images:,} test images, {seeds}."]
    most = int(paper.setting("epochs at most"))
    if not profile.comparable:
        lines.append(
            "This is not the paper's setting: compare orders and gaps, not single numbers."
        )
    elif profile.recovery.epochs < most:
        lines.append(
            f"Data, image size and classifier are the paper's; the training is shorter, {profile.recovery.epochs} "
            f"epochs instead of up to {most}."
        )
    if (summary := sources.summary(profile.name)) is not None:
        lines.append(f"[What this run shows]({summary}) is the summary.")
    command = f".venv/bin/papermill notebooks/{page}.ipynb out.ipynb -p profile {profile.name}"
    lines.append(f"This page is made from records; `{command}` makes it again.")
    return " ".join(lines)
