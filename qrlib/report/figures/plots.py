"""Figures: accuracy by level (4 to 6), image quality and accuracy (7), tables, learning curves.

Each function returns a matplotlib Figure.  Only numbers of the results are drawn: the paper's figures
print curves without numbers, so none of their points appear here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qrlib.records import selection
from qrlib.records.selection import ONLY, Selection
from qrlib.records.uncertainty import standard_error_of_mean
from qrlib.report import labels, tables
from qrlib.report.figures.style import LOOKS, canvas, looks_of

QUALITY = {"psnr": "PSNR (dB)", "ssim": "SSIM"}
QUALITY_AND_ACCURACY = {"accuracy": "accuracy", "psnr": QUALITY["psnr"]}


def level_curves(
    results: pd.DataFrame,
    choice: Selection = ONLY,
    *,
    methods: Sequence[str],
    profile_label: str = "",
    ylabel: str = "accuracy",
) -> Figure:
    """Accuracy at each level of noise (left) and blur (right), one line a method: Figures 4, 5 and 6.

    Lines join means over seeds, faint dots are single seeds, bands are one standard error.  x is sigma,
    and 0 is clean images; the dotted line is the classifier's accuracy on clean images, unrestored.

    Args:
        methods: keys of `qrlib.paper.METHODS`, or names of restorers.
        profile_label: title, which names the profile and its setting.

    Raises:
        QrlibError: as `qrlib.records.selection.select`; a method has no results, or no value for a level.
    """
    restorers = {"none": None}
    for method in methods:
        there = selection.restorers_run(results, [method], choice)
        restorers |= dict.fromkeys(there or selection.restorers_of([method]))
    selected = selection.select(results, choice, restorers=restorers)
    for method in methods:
        for distortion in labels.DISTORTIONS:
            if selection.restorer_of(method, distortion) in restorers:
                # A line that lacks a point is refused, not drawn shorter.
                selection.by_seed(selected, method, distortion, (0, *selection.LEVELS))
    data = tables.levels(results, choice, restorers=restorers)
    looks = looks_of(methods)
    with canvas(1, 2, (7.0, 4.8), sharey=True) as (figure, axes):
        for ax, (distortion, title) in zip(axes[0], labels.DISTORTIONS.items(), strict=True):
            panel = data[data["distortion"] == distortion]
            clean = panel[(panel["restorer"] == "none") & (panel["level"] == 0)]["ours"].iloc[0]
            dotted = {"color": "black", "linestyle": ":", "linewidth": 1.2}
            ax.axhline(clean, label="clean, unrestored", **dotted)
            for method in methods:
                restorer = selection.restorer_of(method, distortion)
                line = panel[panel["restorer"] == restorer].sort_values("level")
                ax.plot(
                    line["strength"], line["ours"], label=labels.method(method), **looks[method]
                )
                _band(ax, line["strength"], line["ours"], line["standard_error"], looks[method])
                for x, values in zip(line["strength"], line["values"], strict=True):
                    _seeds(ax, [x] * len(values), values, looks[method])
            sigmas = sorted(set(panel["strength"]))
            ax.set_xticks(sigmas, ["0"] + [f"{round(sigma, 1):g}" for sigma in sigmas[1:]])
            ax.set(title=title, xlabel=labels.sigma_axis(distortion), ylim=(0, 1))
        axes[0, 0].set_ylabel(ylabel)
        _legend(figure, axes[0, 0])
        if profile_label:
            figure.suptitle(profile_label)
    return figure


def _band(ax: Axes, x: pd.Series, y: pd.Series, error: pd.Series, look: dict[str, Any]) -> None:
    """One standard error to either side of a line."""
    ax.fill_between(x, y - error, y + error, color=look["color"], alpha=0.13, linewidth=0)


def _seeds(ax: Axes, xs: Sequence[float], ys: Sequence[float], look: dict[str, Any]) -> None:
    """Faint dots, one a seed, where there are several."""
    if len(ys) > 1:
        ax.scatter(xs, ys, s=18, linewidths=0, color=look["color"], alpha=0.35, zorder=1.5)


def _legend(figure: Figure, ax: Axes, *, entries: int | None = None) -> None:
    """A legend under the panels, in as many columns as their width has room for.

    A wider one would make the picture wider, and its letters smaller where that is shown.
    """
    handles, texts = ax.get_legend_handles_labels()
    width = figure.get_window_extent().width
    for columns in range(min(3, len(texts)), 0, -1):
        legend = figure.legend(
            handles[:entries],
            texts[:entries],
            loc="outside lower center",
            ncols=columns,
            handlelength=2.4,
            columnspacing=1.2,
        )
        if columns == 1 or legend.get_window_extent().width <= width:
            return
        legend.remove()


def figure7(results: pd.DataFrame, choice: Selection = ONLY, *, profile_label: str = "") -> Figure:
    """Figure 7: image quality against accuracy, one line a method from level 1 to level 5.

    Noise is above and blur below, PSNR left and SSIM right.  The ends of a line bear the numbers of
    their levels; faint dots are single seeds.
    """
    data = tables.quality(results, choice)
    methods = list(dict.fromkeys(data["method"]))
    looks = looks_of(methods)
    with canvas(2, 2, (7.0, 7.6), sharey=True) as (figure, axes):
        for row, (distortion, title) in zip(axes, labels.DISTORTIONS.items(), strict=True):
            panel = data[data["distortion"] == distortion]
            for ax, (metric, xlabel) in zip(row, QUALITY.items(), strict=True):
                for i, method in enumerate(methods):
                    line = panel[panel["method"] == method].sort_values("level")
                    name, look = labels.method(method), looks[method]
                    ax.plot(line[metric], line["accuracy"], label=name, **look)
                    bars = {"ecolor": look["color"], "elinewidth": 1, "fmt": "none"}
                    ax.errorbar(line[metric], line["accuracy"], line["standard_error"], **bars)
                    for point in line.to_dict("records"):
                        _seeds(ax, point[f"{metric}_values"], point["accuracy_values"], look)
                    for point, aside in ((line.iloc[0], 5), (line.iloc[-1], -11)):
                        # Lines may end on one point: below is another place, if the axis leaves one.
                        places = (5, 27, 16) if point["accuracy"] < 0.08 else (5, -14, 16)
                        ax.annotate(
                            str(point["level"]),
                            (point[metric], point["accuracy"]),
                            (aside, places[i % 3]),
                            textcoords="offset points",
                            color=look["color"],
                        )
                ax.margins(x=0.12)
                ax.set(title=title, xlabel=xlabel, ylim=(0, 1))
            row[0].set_ylabel("accuracy")
        _legend(figure, axes[0, 0])
        if profile_label:
            figure.suptitle(profile_label)
    return figure


def lambda_sweep(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """What lambda changes: test accuracy (left), and the two parts of the validation loss (right).

    Bands and bars are one standard error; a loss of one seed has no bar.  Each frame of
    `qrlib.report.lambda_sweep.table` has a row of panels.
    """
    looks = {"noise": LOOKS["recnet-single"], "blur": LOOKS["qrnet"], "average": LOOKS["none"]}
    with canvas(len(tables), 2, (7.0, 0.6 + 3.6 * len(tables))) as (figure, axes):
        for (label, table), (left, right) in zip(tables.items(), axes, strict=True):
            rows = table.sort_values("weight")
            for kind, look in looks.items():
                left.plot(rows["weight"], rows[kind], label=kind, **look)
                _band(left, rows["weight"], rows[kind], rows[f"{kind}_error"], look)
                for x, values in zip(rows["weight"], rows[f"{kind}_values"], strict=True):
                    _seeds(left, [x] * len(values), values, look)
            left.set_xscale("log")
            left.set_xticks(list(rows["weight"]), [f"{weight:g}" for weight in rows["weight"]])
            left.minorticks_off()
            left.margins(y=0.3)
            left.set(title=f"{label}:\ntest images", xlabel="λ", ylabel="accuracy")
            right.plot(
                rows["val_quality"], rows["val_classification"], color="#4d4d4d", ls=":", marker="o"
            )
            errors = {"xerr": rows["val_quality_error"], "yerr": rows["val_classification_error"]}
            bars = {"ecolor": "#4d4d4d", "elinewidth": 1, "fmt": "none"}
            right.errorbar(rows["val_quality"], rows["val_classification"], **errors, **bars)
            for point in rows.to_dict("records"):
                at = (point["val_quality"], point["val_classification"])
                right.annotate(f"λ={point['weight']:g}", at, (6, 6), textcoords="offset points")
            right.margins(x=0.4, y=0.2)
            right.xaxis.set_major_locator(MaxNLocator(nbins=4))
            right.set(title=f"{label}:\nvalidation images", xlabel="L1", ylabel="cross-entropy")
        _legend(figure, axes[0, 0])
    return figure


def strengths(tried: pd.DataFrame, meaning: str) -> Figure:
    """Accuracy (left) and PSNR (right) against a filter's strength, one line a level, the chosen filled.

    Bands are one standard error of the accuracy; `tried` is of `qrlib.experiments.classical.choose_strengths`.
    """
    looks = list(LOOKS.values())
    with canvas(1, 2, (7.0, 4.4)) as (figure, axes):
        for ax, (key, label) in zip(axes[0], QUALITY_AND_ACCURACY.items(), strict=True):
            for (level, rows), look in zip(tried.groupby("level"), looks, strict=False):
                ax.plot(rows["strength"], rows[key], label=f"level {level}", mfc="white", **look)
                if key == "accuracy":
                    pairs = zip(rows[key], rows["n"], strict=True)
                    error = pd.Series(
                        [standard_error_of_mean([p], n) for p, n in pairs], rows.index
                    )
                    _band(ax, rows["strength"], rows[key], error, look)
                best = rows[rows["chosen"]]
                ax.plot(best["strength"], best[key], color=look["color"], marker=look["marker"])
            ax.set(xlabel=meaning, ylabel=label, xscale="log")
        _legend(figure, axes[0, 0])
    return figure


def sampling(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Accuracy (left) and L1 (right) on validation images against minutes, one line a way of sampling.

    Lines join means over seeds; bands are one standard error over them, where there are several.  Each
    frame of `qrlib.report.sampling.courses` has a row of panels.
    """
    with canvas(len(tables), 2, (7.0, 0.9 + 3.6 * len(tables))) as (figure, axes):
        for (label, table), row in zip(tables.items(), axes, strict=True):
            epochs = table.groupby(["label", "epoch"], sort=False)
            means, errors = epochs.mean(numeric_only=True), epochs.sem(numeric_only=True)
            for ax, key in zip(row, ("val_accuracy", "val_quality"), strict=True):
                for (name, course), look in zip(
                    means.groupby(level=0, sort=False), LOOKS.values(), strict=False
                ):
                    ax.plot(course["minutes"], course[key], label=str(name), **look)
                    _band(ax, course["minutes"], course[key], errors.loc[course.index, key], look)
                ax.set(title=f"{label}:\nvalidation images", xlabel="minutes", xlim=(0, None))
            row[0].set_ylabel("accuracy")
            row[1].set_ylabel("L1")
        _legend(figure, axes[0, 0])
    return figure


def paper_and_ours(table: pd.DataFrame, *, label: str = "ours", wide: bool = False) -> Figure:
    """The cells of `qrlib.report.tables.table2`, `table3` or `table4`: the printed number, ours, seeds faint.

    Bars are one standard error.  Where the frame was made without comparable=True, the legend says so.

    Args:
        label: what the legend calls ours.
        wide: panels beside each other, as a shared link shows a picture; else under each other.
    """
    differ = bool(table["difference"].notna().any())
    groups = list(dict.fromkeys(table["row"]))
    paper_label = f"paper ({table['paper_dataset'].iloc[0]})"
    paper_label += "" if differ else ", another setting"
    looks = looks_of(table["column"])
    size = (12.0, 6.3) if wide else (7.0, 1.2 + 0.36 * len(table) + 0.3 * len(groups))
    shape = (1, len(groups)) if wide else (len(groups), 1)
    with canvas(*shape, size, sharex=True, sharey=wide) as (figure, axes):
        for ax, group in zip(axes.flat, groups, strict=True):
            cells = table[table["row"] == group].to_dict("records")
            for y, cell in enumerate(cells):
                look = looks[cell["column"]]
                # Side by side: numbers that agree would hide one another on one height.
                seeds = cell["values"] if len(cell["values"]) > 1 else ()
                low = y + 0.17
                ax.scatter(seeds, [low] * len(seeds), s=18, color=look["color"], alpha=0.35, lw=0)
                ax.scatter(cell["ours"], low, s=50, color=look["color"], label=label, zorder=3)
                bar = {"ecolor": look["color"], "elinewidth": 1.5, "capsize": 3, "fmt": "none"}
                ax.errorbar(cell["ours"], low, xerr=cell["standard_error"], **bar)
                hollow = {"facecolors": "white", "edgecolors": "black", "marker": "D"}
                ax.scatter(cell["paper"], y - 0.17, s=36, label=paper_label, zorder=4, **hollow)
            names = [labels.method(cell["column"]) for cell in cells]
            ax.set_yticks(range(len(cells)), names)
            ax.set(
                title=labels.DISTORTIONS.get(group, group),
                xlim=(0, 1),
                ylim=(len(cells) - 0.5, -0.5),
            )
        axes[-1, 0].set_xlabel("accuracy")
        _legend(figure, axes[0, 0], entries=2)
        if wide:
            figure.suptitle("Quality Recovery for Image Recognition: the paper and its rerun")
    return figure


def learning_curves(history: pd.DataFrame) -> Figure:
    """Training and validation loss by epoch, the epoch of the lowest validation loss marked.

    Args:
        history: columns epoch, train_loss, val_loss, one row an epoch.
    """
    with canvas(1, 1, (7.0, 4.0)) as (figure, ((ax,),)):
        rows = history.sort_values("epoch")
        # One epoch makes a point, and no line.
        look = {"marker": "s", "markersize": 4} if len(rows) == 1 else {}
        training = rows["epoch"], rows["train_loss"]
        ax.plot(*training, label="training", color="#E69F00", ls="--", **look)
        ax.plot(rows["epoch"], rows["val_loss"], label="validation", color="#0072B2", **look)
        if len(rows) == 1:
            ax.set_xlim(rows["epoch"].iloc[0] - 0.5, rows["epoch"].iloc[0] + 0.5)
            ax.margins(y=0.2)
        _mark_best(ax, rows.dropna(subset=["val_loss"]))
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        ax.set(xlabel="epoch", ylabel="loss")
        _legend(figure, ax)
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
    )
