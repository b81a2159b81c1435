"""What restorers change: on unseen corruptions, by what they learned from; and what adaptation changes."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from qrlib.report import labels
from qrlib.report.figures.style import canvas, looks_of


def by_corruption(frame: pd.DataFrame, *, profile_label: str = "") -> Figure:
    """The change of accuracy on each corruption, one dot a restorer; bars are one standard error.

    Args:
        frame: of `qrlib.report.unseen_corruptions.table`.
        profile_label: title, which names the profile.
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
        if profile_label:
            figure.suptitle(profile_label)
    return figure


def by_teacher(frame: pd.DataFrame) -> Figure:
    """What QRNets gain over RecNet by what they learned from, one dot a judge; bars are one standard error.

    Args:
        frame: of `qrlib.report.teachers.table`.
    """
    frame = frame[frame["verdict"] != ""]  # all but RecNet
    ways, judges = (list(dict.fromkeys(frame[column])) for column in ("taught", "judge"))
    looks, kinds = looks_of(judges), list(labels.DISTORTIONS)
    size = (7.0, 1.6 + 0.3 * (1 + len(judges)) * len(ways))
    with canvas(1, len(kinds), size, sharex=True, sharey=True) as (figure, (axes,)):
        for ax, kind in zip(axes, kinds, strict=True):
            ax.axvline(0, color="black", linewidth=1.2)
            for i, judge in enumerate(judges):
                rows = frame[(frame["judge"] == judge) & (frame["distortion"] == kind)]
                y = rows["taught"].map(ways.index) + 0.25 * (i - (len(judges) - 1) / 2)
                look = looks[judge] | {"linestyle": "none", "elinewidth": 1.5}
                name = f"before {labels.classifier(judge)}"
                ax.errorbar(rows["gain"], y, xerr=rows["standard_error"], label=name, **look)
            ax.set(title=labels.DISTORTIONS[kind], ylim=(len(ways) - 0.5, -0.5))
            ax.set_xlabel("change of accuracy")
            ax.locator_params(axis="x", nbins=4)
        folded = ["\n".join(textwrap.wrap(way, 22)) for way in ways]
        axes[0].set_yticks(range(len(ways)), folded)
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, handlelength=1.2)
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
