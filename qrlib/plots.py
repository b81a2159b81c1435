"""Figures: accuracy by level (Figure 4), paper beside ours, learning curves, strips of images.

Each function returns a matplotlib Figure that pyplot has let go of: a notebook shows it once, as
the last expression of a cell, and nothing piles up.  Backgrounds are white on purpose, so that a
figure stays legible on a dark page; text in SVG and PDF stays text.  Only numbers of the results
are drawn: the paper's Figure 4 prints curves without numbers, so none of its points appear here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qrlib import selection, tables
from qrlib.errors import QrlibError

#: rcParams of the house style.  7 inches at 100 dpi are 700 pixels; 12 pt survives half of that.
STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.transparent": False,
    "font.family": "sans-serif",
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.labelsize": 12,
    "legend.fontsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "lines.markersize": 6,
    "legend.frameon": False,
    "svg.fonttype": "none",  # letters, not outlines
    "pdf.fonttype": 42,
}

#: Okabe and Ito's palette, told apart with any colour vision; markers and dashes say it again.
LOOKS: dict[str, dict[str, Any]] = {
    "none": {"color": "#4d4d4d", "marker": "s", "linestyle": "-"},
    "recnet-single": {"color": "#E69F00", "marker": "^", "linestyle": "--"},
    "recnet-multiple": {"color": "#009E73", "marker": "D", "linestyle": "-."},
    "qrnet": {"color": "#0072B2", "marker": "o", "linestyle": "-"},
}
#: For restorers that are no column of Table 2.
SPARE: tuple[dict[str, Any], ...] = (
    {"color": "#CC79A7", "marker": "v", "linestyle": (0, (5, 1))},
    {"color": "#D55E00", "marker": "P", "linestyle": (0, (3, 1, 1, 1))},
    {"color": "#56B4E9", "marker": "X", "linestyle": (0, (1, 1))},
)
AXES = {"noise": "noise σ (of 255)", "blur": "blur σ (pixels)"}
TITLES = {"noise": "Gaussian noise", "blur": "Gaussian blur"}


def set_style() -> None:
    """Make the house style the default of everything drawn after it."""
    plt.rcParams.update(STYLE)


@contextmanager
def _figure(
    rows: int, columns: int, size: tuple[float, float], **options: Any
) -> Iterator[tuple[Figure, np.ndarray]]:
    """A styled figure and its axes (rows, columns), closed in pyplot when drawn."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, columns, figsize=size, squeeze=False, layout="constrained", **options
        )
        try:
            yield figure, axes
        finally:
            plt.close(figure)


def figure4(
    results: pd.DataFrame,
    *,
    profile_label: str = "",
    methods: Sequence[str] = tuple(tables.METHODS),
    **choice: Any,
) -> Figure:
    """Figure 4: accuracy at each level of noise (left) and blur (right), one line a method.

    Lines join means over seeds, faint dots are single seeds.  x is sigma, and 0 stands for clean
    images; the dotted level line is the classifier's accuracy on clean images, unrestored.

    Args:
        results: frame of `qrlib.store.read`.
        profile_label: title, which names the profile and its setting.
        methods: keys of `tables.METHODS`, or names of restorers.
        choice: profile, dataset, classifier, as in `qrlib.selection.select`.

    Raises:
        QrlibError: as `qrlib.selection.select`; a method lacks a level.
    """
    wanted = [selection.restorer_of(m, d) for m in methods for d in ("noise", "blur")]
    selected = selection.select(results, restorers=["none", *dict.fromkeys(wanted)], **choice)
    for method in methods:
        for distortion in TITLES:  # a line that lacks a point is refused, not drawn shorter
            selection.by_seed(selected, method, distortion, (0, *selection.LEVELS))
    data = tables.levels(results, **choice)
    spare = iter(SPARE)
    looks = {m: LOOKS[m] if m in LOOKS else next(spare, SPARE[-1]) for m in methods}
    with _figure(1, 2, (7.0, 4.4), sharey=True) as (figure, axes):
        for ax, distortion in zip(axes[0], ("noise", "blur"), strict=True):
            here = data[data["distortion"] == distortion]
            clean = here[(here["restorer"] == "none") & (here["level"] == 0)]["ours"].iloc[0]
            ax.axhline(
                clean, color="black", linestyle=":", linewidth=1.2, label="clean, unrestored"
            )
            for method in methods:
                restorer = selection.restorer_of(method, distortion)
                line = here[here["restorer"] == restorer].sort_values("level")
                name = tables.METHODS.get(method, method)
                ax.plot(line["strength"], line["ours"], label=name, **looks[method])
                for x, values in zip(line["strength"], line["values"], strict=True):
                    if len(values) > 1:
                        look = {"color": looks[method]["color"], "alpha": 0.35, "zorder": 1.5}
                        ax.scatter([x] * len(values), values, s=18, linewidths=0, **look)
            sigmas = sorted(set(here["strength"]))
            ax.set_xticks(sigmas, ["0"] + [f"{round(sigma, 2):g}" for sigma in sigmas[1:]])
            ax.set(title=TITLES[distortion], xlabel=AXES[distortion], ylim=(0, 1))
        axes[0, 0].set_ylabel("accuracy")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=3)
        if profile_label:
            figure.suptitle(profile_label)
    return figure


def paper_and_ours(table: pd.DataFrame, *, label: str = "ours") -> Figure:
    """The cells of `tables.table2`, a line each: the printed number, ours, seeds as faint dots.

    Where the frame was made without comparable=True, the legend says so.
    """
    differ = bool(table["difference"].notna().any())
    groups = list(dict.fromkeys(table["row"]))
    paper_label = f"paper ({table['paper_dataset'].iloc[0]})"
    paper_label += "" if differ else ", another setting"
    size = (7.0, 1.2 + 0.36 * len(table) + 0.3 * len(groups))
    with _figure(len(groups), 1, size, sharex=True) as (figure, axes):
        for ax, group in zip(axes[:, 0], groups, strict=True):
            cells = table[table["row"] == group].to_dict("records")
            for y, cell in enumerate(cells):
                look = LOOKS.get(cell["column"], SPARE[0])
                # Side by side: numbers that agree would hide one another on one height.
                seeds = cell["values"] if len(cell["values"]) > 1 else ()
                low = y + 0.17
                ax.scatter(seeds, [low] * len(seeds), s=18, color=look["color"], alpha=0.35, lw=0)
                ax.scatter(cell["ours"], low, s=50, color=look["color"], label=label, zorder=3)
                hollow = {"facecolors": "white", "edgecolors": "black", "marker": "D"}
                ax.scatter(cell["paper"], y - 0.17, s=36, label=paper_label, zorder=4, **hollow)
            names = [tables.METHODS.get(cell["column"], cell["column"]) for cell in cells]
            ax.set_yticks(range(len(cells)), names)
            ax.set(title=TITLES.get(group, group), xlim=(0, 1), ylim=(len(cells) - 0.5, -0.5))
        axes[-1, 0].set_xlabel("accuracy")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles[:2], labels[:2], loc="outside lower center", ncols=2)
    return figure


def learning_curves(history: pd.DataFrame, *, title: str = "") -> Figure:
    """Training and validation loss by epoch, the epoch of the lowest validation loss marked.

    Args:
        history: columns epoch, train_loss, val_loss, one row an epoch; with a column stage, each
            stage gets a panel of its own, because stages have different data and losses.

    Raises:
        QrlibError: a column lacks, or there is no row.
    """
    lacking = [name for name in ("epoch", "train_loss", "val_loss") if name not in history.columns]
    if lacking or history.empty:
        what = f"lacks the column(s) {', '.join(lacking)}" if lacking else "has no rows"
        raise QrlibError(
            f"the history {what}: learning curves need one row an epoch with both losses"
        )
    stages = list(dict.fromkeys(history["stage"])) if "stage" in history.columns else [None]
    with _figure(1, len(stages), (7.0, 4.0)) as (figure, axes):
        for ax, stage in zip(axes[0], stages, strict=True):
            rows = history if stage is None else history[history["stage"] == stage]
            rows = rows.sort_values("epoch")
            ax.plot(rows["epoch"], rows["train_loss"], label="training", color="#E69F00", ls="--")
            ax.plot(rows["epoch"], rows["val_loss"], label="validation", color="#0072B2")
            _mark_best(ax, rows.dropna(subset=["val_loss"]))
            ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
            ax.set(xlabel="epoch", title="" if stage is None else str(stage))
        axes[0, 0].set_ylabel("loss")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        if title:
            figure.suptitle(title)
    return figure


def _mark_best(ax: Axes, rows: pd.DataFrame) -> None:
    """A marker at the first epoch with the lowest validation loss, which early stopping keeps."""
    if rows.empty:
        return
    best = rows.loc[rows["val_loss"].idxmin()]
    ax.plot(
        [best["epoch"]], [best["val_loss"]], "o", color="#0072B2", markersize=9, label="best epoch"
    )
    ax.annotate(
        f"epoch {best['epoch']:g}",
        (best["epoch"], best["val_loss"]),
        xytext=(0, 12),
        textcoords="offset points",
        ha="center",
        fontsize=11,
    )


def image_strip(
    images: Sequence[Any],
    titles: Sequence[str] = (),
    *,
    row_titles: Sequence[str] = (),
    captions: Sequence[str] = (),
    columns: int | None = None,
    title: str = "",
) -> Figure:
    """Images in a grid, each shown with its own pixels.

    Args:
        images: arrays (H, W, 3) in [0, 1], row by row.
        titles: headings of the columns, row_titles of the rows.
        captions: a text under each image, as many as there are images.
        columns: images a row; default: as many as there are titles, else all in one row.

    Raises:
        QrlibError: an image of another shape or range; titles that do not fit the grid.
    """
    arrays = [np.asarray(image) for image in images]
    if not arrays:
        raise QrlibError("no images to show: pass at least one array of shape (H, W, 3)")
    for i, array in enumerate(arrays):
        if array.ndim != 3 or array.shape[2] != 3:
            raise QrlibError(f"image {i} has shape {array.shape}: images to show are (H, W, 3)")
        if not (array.min() >= 0 and array.max() <= 1):
            low, high = float(array.min()), float(array.max())
            raise QrlibError(f"image {i} spans {low:g} to {high:g}: images to show lie in [0, 1]")
    columns = columns or len(titles) or len(arrays)
    rows = -(-len(arrays) // columns)
    fits = (("titles", titles, columns), ("row_titles", row_titles, rows))
    for name, texts, count in (*fits, ("captions", captions, len(arrays))):
        if texts and len(texts) != count:
            raise QrlibError(f"{len(texts)} {name} for {count}: give one each, or none")
    ratio = arrays[0].shape[0] / arrays[0].shape[1]
    side = (7.0 - (0.3 if row_titles else 0)) / columns  # inches
    height = rows * ((side - 0.08) * ratio + (0.27 if captions else 0.08))
    height += (0.3 if titles else 0) + (0.35 if title else 0)
    with _figure(rows, columns, (7.0, height)) as (figure, axes):
        for i, ax in enumerate(axes.flat):
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            ax.spines[:].set_visible(False)
            if i < len(arrays):
                # As floats, and without smoothing: what is shown is what the classifier got.
                ax.imshow(arrays[i].astype(float), vmin=0, vmax=1, interpolation="nearest")
            if i < columns and titles:
                ax.set_title(titles[i], fontsize=12)
            if i % columns == 0 and row_titles:
                ax.set_ylabel(row_titles[i // columns])
            if captions and i < len(captions):
                ax.set_xlabel(captions[i], fontsize=11)
        if title:
            figure.suptitle(title)
    return figure
