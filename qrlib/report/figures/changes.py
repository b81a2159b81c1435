"""What restorers change on unseen corruptions, as dots beside a line of no change."""

from __future__ import annotations

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
