"""How every network of a profile learned: validation losses and accuracy, epoch by epoch."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from qrlib import paper
from qrlib.book.explorers.base import Curves
from qrlib.book.explorers.markup import looks_of
from qrlib.experiments.settings import Profile
from qrlib.records import store
from qrlib.report import captions, labels, render

#: Networks of the measure that is of clean images alone.
_NAMES = {"pretrained-clean": "QRNet", "small_pretrained-clean": "small QRNet"}
Run = Mapping[str, Any]


class Learning(Curves):
    """Validation curves by variant, switched on and off, with the values at a cursor.

    Bold lines are means over seeds, as far as all seeds were trained; faint ones single seeds.  A ring
    marks the epoch whose network was kept.

    Args:
        profile: whose records.
        shown: variants that are switched on at first.

    Its cursor is at an epoch; position 0 is the first.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        shown: Iterable[str] = ("recnet-multiple", "qrnet", "small_qrnet", "end-to-end"),
    ) -> None:
        recovery = store.read_records(profile.name, "recovery")
        pretraining = [r for r in recovery if r["config"]["distortions"] == "clean"]
        trained = [r for r in recovery if r["config"]["distortions"] != "clean"]
        classifiers = store.read_records(profile.name, "classifier")
        judge = profile.classifier.name
        called = f"cross-entropy of {labels.classifier(judge)}"
        quality, entropy = "L1 (validation)", "cross-entropy (validation)"
        accuracy = "accuracy (validation)"
        views = [
            _view("quality", "L1 to the clean image", quality, trained, "val_quality"),
            _view("entropy", called, entropy, trained, f"val_{judge}"),
            _view("loss", "the loss that each minimises", "loss (validation)", trained, "val_loss"),
            _view("pretraining", "pretraining on clean images, L1", quality, pretraining, "val_quality"),
            _view("accuracy", "classifiers, accuracy", accuracy, classifiers, "val_accuracy"),
            _view("classifiers", "classifiers, cross-entropy", entropy, classifiers, "val_loss"),
        ]  # fmt: skip
        lines = [line for view in views for line in view["series"]]
        looks = looks_of(line["key"] for line in lines)
        for line in lines:
            line["look"] = looks[line["key"]]
        there = [view for view in views if view["series"]]
        missing = [view["name"] for view in views if not view["series"]]
        first = there[0]["series"] if there else []
        keys = [line["key"] for line in first]
        on = [key for key in keys if key in set(shown)] or list(keys)
        # What is only in the other measures is on from the start; there are few of each.
        others = [line["key"] for view in there[3:] for line in view["series"]]
        on += [key for key in dict.fromkeys(others) if key not in keys]
        super().__init__(
            data={"views": there, "cursor": "Epoch", "missing": missing},
            view=there[0]["key"] if there else "",
            shown=on,
            at=len(there[0]["panels"][0]["xs"]) - 1 if there else 0,
        )
        self.frame = _frame([*recovery, *classifiers], judge)
        self.finding = captions.learning(self.frame)
        if (self.frame.groupby("variant")["seed"].nunique() > 1).any():
            self.note = (
                "Bold lines are means over seeds, faint ones single seeds. Bands and ± are one standard "
                "error over seeds."
            )
        elif len(self.frame):
            self.note = captions.errors_of_losses([1])


def _frame(records: Sequence[Run], judge: str) -> pd.DataFrame:
    """Every epoch of every training: its losses and accuracy, and whether it was kept."""
    losses = {"val_quality": "val_quality", "val_entropy": f"val_{judge}"}
    losses |= {name: name for name in ("train_loss", "val_loss", "val_accuracy")}
    columns = f"variant distortions seed epoch {' '.join(losses)} kept profile record"
    rows = (
        (
            _variant(record),
            record["config"].get("distortions", "clean"),
            int(re.findall(r"-seed(\d+)$", record["name"])[0]),
            epoch["epoch"],
            *(epoch.get(loss, math.nan) for loss in losses.values()),
            epoch["epoch"] == record["training"]["best_epoch"],
            record["profile"],
            f"{record['name']}.json",
        )
        for record in sorted(records, key=_order)
        for epoch in record["training"]["epochs"]
    )
    return pd.DataFrame(rows, columns=columns.split())


def _view(key: str, name: str, ylabel: str, records: Sequence[Run], column: str) -> dict[str, Any]:
    """One measure: a line for each variant whose epochs have it."""
    groups: dict[str, list[Run]] = {}
    for record in sorted(records, key=_order):
        if all(column in epoch for epoch in record["training"]["epochs"]):
            groups.setdefault(_variant(record), []).append(record)
    runs = [run for group in groups.values() for run in group]
    length = max((len(run["training"]["epochs"]) for run in runs), default=0)
    epochs = list(range(1, length + 1))
    panel = {
        "key": "epochs", "title": name, "xlabel": "epoch", "xs": epochs,
        "labels": [str(epoch) for epoch in epochs],
        "heads": [f"epoch {epoch}" for epoch in epochs],
        "steps": [f"{epoch} of {length}" for epoch in epochs],
    }  # fmt: skip
    accuracy = column.endswith("accuracy")
    return {
        "key": key, "name": name, "rows": "variant", "extra": "kept epoch", "ylabel": ylabel,
        "ylim": [0, 1] if accuracy else None, "digits": 3 if accuracy else 4,
        "best": "highest" if accuracy else "lowest", "seeds": "lines", "panels": [panel],
        "series": [
            {
                "key": variant,
                "name": _name(variant),
                "extra": ", ".join(str(run["training"]["best_epoch"]) for run in runs),
                "lines": {"epochs": _line(runs, column, length)},
            }
            for variant, runs in groups.items()
        ],
    }  # fmt: skip


def _variant(record: Run) -> str:
    """The method of a training record, else its restorer; of a classifier its name."""
    config = record["config"]
    if record["kind"] == "classifier":
        return config["classifier"]["name"]
    restorer = f"{config['variant']}-{config['distortions']}"
    for method, by_kind in paper.METHODS.items():
        if set(by_kind.values()) == {restorer}:
            return method
    return restorer


def _order(record: Run) -> tuple[int, str]:
    """As in the paper, then by name."""
    methods = [*paper.METHODS]
    variant = _variant(record)
    return (methods.index(variant) if variant in methods else len(methods), record["name"])


def _name(variant: str) -> str:
    if variant in labels.CLASSIFIERS:
        return labels.classifier(variant)
    return _NAMES.get(variant, labels.method(variant))


def _line(runs: Sequence[Run], column: str, length: int) -> dict[str, Any]:
    """Mean, its standard error over seeds, single seeds, text at every epoch; None where one had ended."""
    digits = 3 if column.endswith("accuracy") else 4
    seeds: list[list[float | None]] = []
    for run in runs:
        own: list[float | None] = [epoch[column] for epoch in run["training"]["epochs"]]
        seeds.append(own + [None] * (length - len(own)))
    mean, errors, values, texts = [], [], [], []
    for epoch in zip(*seeds, strict=True):
        there = [value for value in epoch if value is not None]
        values.append(float(np.mean(there)) if there else None)
        mean.append(values[-1] if len(there) == len(runs) else None)
        error = float(np.std(there, ddof=1) / math.sqrt(len(there))) if len(there) > 1 else math.nan
        errors.append(None if math.isnan(error) else error)
        ours = render.format_ours(values[-1] or 0.0, error, len(there), digits)
        texts.append(ours if there else None)
    kept = [run["training"]["best_epoch"] - 1 for run in runs]
    line = {"mean": mean, "errors": errors, "values": values, "texts": texts}
    return line | {"seeds": seeds, "kept": kept}
