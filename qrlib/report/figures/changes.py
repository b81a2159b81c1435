"""Dots with errors: what options, restorers and adaptation change, and what foretells recognition."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from qrlib.report import labels, quality_index, teachers
from qrlib.report.figures.style import canvas, looks_of


def by_corruption(frame: pd.DataFrame) -> Figure:
    """The change of accuracy on each corruption, one dot a restorer; bars are one standard error.

    Args:
        frame: of `qrlib.report.unseen_corruptions.table`.
    """
    kinds = list(dict.fromkeys(frame["corruption"]))
    restorers = list(dict.fromkeys(frame["restorer"]))
    keys = ["qrnet" if name == "qrnet-multiple" else name for name in restorers]
    looks = looks_of(keys)
    with canvas(1, 1, (7.0, 1.6 + 0.42 * len(kinds))) as (figure, ((ax,),)):
        ax.axvline(0, color="black", linewidth=1.2)
        for i, (name, key) in enumerate(zip(restorers, keys, strict=True)):
            rows = frame[frame["restorer"] == name].set_index("corruption").loc[kinds]
            y = np.arange(len(kinds)) + 0.25 * (i - (len(restorers) - 1) / 2)
            look = looks[key] | {"linestyle": "none", "elinewidth": 1.5}
            ax.errorbar(
                rows["gain"], y, xerr=rows["standard_error"], label=labels.method(name), **look
            )
        ax.set_yticks(range(len(kinds)), map(labels.corruption, kinds))
        ax.set(xlabel="change of accuracy", ylim=(len(kinds) - 0.5, -0.5))
        figure.legend(loc="outside lower center", ncols=3, handlelength=1.2, columnspacing=1.2)
    return figure


def by_teacher(frame: pd.DataFrame, *, profile_label: str = "") -> Figure:
    """What QRNets gain over RecNet by what they learned from, one dot a judge; bars are one standard error.

    Args:
        frame: of `qrlib.report.teachers.table`.
        profile_label: title, which names the run.
    """
    frame = frame[~frame["method"].isin(teachers.UNTAUGHT)]
    taught = {way: way for way in frame["taught"]}
    judges = {judge: f"before {labels.classifier(judge)}" for judge in frame["judge"]}
    lines, dots, x = ("taught", taught), ("judge", judges), ("gain", "change of accuracy")
    return _dots(frame, lines, dots, x, 0.0, profile_label=profile_label)


def by_option(frame: pd.DataFrame, *, profile_label: str = "") -> Figure:
    """What each option gains over doing nothing, the best on top; bars are one standard error.

    Args:
        frame: of `qrlib.report.option_tables.options`.
        profile_label: title, which names the run.
    """
    frame = frame[frame["method"] != "none"]
    best = frame[frame["distortion"] != "clean"].groupby("method")["gain"].mean()
    methods = {method: labels.method(method) for method in best.sort_values().index[::-1]}
    words = ("classifier as it is", "as it is, told the distortion", "its last layers learn")
    frame = frame.assign(needs=[words[2 if x.learns else x.told] for x in frame.itertuples()])
    shown = {text: text for text in words if text in set(frame["needs"])}
    x = ("gain", "change of accuracy")
    return _dots(frame, ("method", methods), ("needs", shown), x, 0.0, profile_label=profile_label)


def by_measure(frame: pd.DataFrame) -> Figure:
    """How well each measure foretells recognition; bars are one standard error, the line is chance.

    Args:
        frame: of `qrlib.report.quality_index.table`.
    """
    measures = {key: quality_index.WORDS[key] for key in frame["measure"]}
    methods = {key: labels.method(key) for key in frame["method"]}
    return _dots(frame, ("measure", measures), ("method", methods), ("within", "AUC"), 0.5)


def _dots(
    frame: pd.DataFrame,
    lines: tuple[str, Mapping[str, str]],
    dots: tuple[str, Mapping[str, str]],
    x: tuple[str, str],
    middle: float,
    *,
    profile_label: str = "",
) -> Figure:
    """Dots with errors, one panel a distortion, and one for clean images if there are some.

    Args:
        lines, dots: a column each, and the names of its values: where lines stand, and what dots of a line are.
        x: the column that is drawn, and its title.
        middle: where a line is drawn that dots lie left or right of.
    """
    (line_of, names), (dot_of, titles), (column, xlabel) = lines, dots, x
    keys, looks = list(names), looks_of(titles)
    panels = {"clean": "Clean images", **labels.DISTORTIONS}
    kinds = [kind for kind in panels if kind in set(frame["distortion"])]
    # Dots that share a line stand below each other.
    step = 0.25 if frame.duplicated([line_of, "distortion"]).any() else 0.0
    written = ["\n".join(textwrap.wrap(name, 22)) for name in names.values()]
    each = 0.22 * (1 + (len(titles) if step else 0.5))
    each = max(each, 0.46) if any("\n" in name for name in written) else each
    size = (7.0, 1.7 + each * len(keys))
    with canvas(1, len(kinds), size, sharex=True, sharey=True) as (figure, (axes,)):
        for ax, kind in zip(axes, kinds, strict=True):
            ax.axvline(middle, color="black", linewidth=1.2)
            for i, (key, title) in enumerate(titles.items()):
                rows = frame[(frame[dot_of] == key) & (frame["distortion"] == kind)]
                y = rows[line_of].map(keys.index) + step * (i - (len(titles) - 1) / 2)
                look = looks[key] | {"linestyle": "none", "elinewidth": 1.5}
                ax.errorbar(rows[column], y, xerr=rows["standard_error"], label=title, **look)
            ax.set(title=panels[kind], ylim=(len(keys) - 0.5, -0.5))
            ax.locator_params(axis="x", nbins=4 if len(kinds) < 3 else 3)
            if len(kinds) == 3:  # narrow
                ax.tick_params(axis="x", labelsize="small")
        axes[0].set_yticks(range(len(keys)), written)
        handles, shown = axes[0].get_legend_handles_labels()
        figure.legend(handles, shown, loc="outside lower center", ncols=2, handlelength=1.2)
        # Of three narrow panels the middle one tells for all.
        for ax in axes if len(axes) < 3 else axes[1:2]:
            ax.set_xlabel(xlabel)
        if profile_label:
            figure.suptitle(profile_label)
    return figure


def by_images(frame: pd.DataFrame) -> Figure:
    """Accuracy against how many images batch statistics are estimated from, one panel a distortion.

    Bars are one standard error of the change against doing nothing; dashes are the statistics as learned.

    Args:
        frame: of `qrlib.report.adaptation.table`.
    """
    looks = {False: looks_of(["none"])["none"], True: looks_of(["qrnet"])["qrnet"]}
    names = {False: "the image as it is", True: "restored by QRNet"}
    kinds = list(dict.fromkeys(frame["distortion"]))
    with canvas(1, len(kinds), (7.0, 3.6), sharey=True) as (figure, (axes,)):
        for ax, kind in zip(axes, kinds, strict=True):
            for restored, look in looks.items():
                rows = frame[(frame["distortion"] == kind) & (frame["restored"] == restored)]
                learned, adapted = rows[rows["images"] == 0], rows[rows["images"] > 0]
                ax.axhline(
                    learned["ours"].iloc[0], color=look["color"], linestyle="--", linewidth=1.2
                )
                x, y, error = adapted["images"], adapted["ours"], adapted["standard_error"]
                ax.errorbar(x, y, yerr=error, label=names[restored], **look, elinewidth=1.5)
            ax.set_xscale("log", base=2)
            ax.set_xticks(adapted["images"], adapted["images"])
            titles = {"clean": "clean images", "mixed": "all three mixed", **labels.DISTORTIONS}
            ax.set_title(titles[kind])
        axes[0].set_ylabel("accuracy")
        axes[len(axes) // 2].set_xlabel("images at once; dashes: not adapted")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
