"""Records made up for tests, in the shape that `qrlib.records.store` writes."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from qrlib.records import schema

PROVENANCE = {
    "git_commit": None, "git_dirty": None, "code": "0", "behaviour": 1, "versions": {}, "device": "CPU",
    "seconds": 1.0, "manifest": "0", "weights": {},
}  # fmt: skip


def made_record(
    name: str,
    kind: str = "evaluation",
    profile: str = "quick",
    rows: pd.DataFrame | None = None,
    provenance: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A record whose results are `rows`, and whose provenance is made up but for some entries."""
    fields = "dataset restorer classifier distortion level strength seed metric value n error"
    results = []
    if rows is not None:
        columns = [field for field in fields.split() if field in rows]
        results = json.loads(rows[columns].to_json(orient="records"))
    return {
        "schema": schema.SCHEMA,
        "kind": kind,
        "name": name,
        "profile": profile,
        "config": {},
        "provenance": PROVENANCE | (provenance or {}),
        "results": results,
        "training": {"epochs": []} if kind == "recovery" else None,
    }


def training_record(
    restorer: str, weight: float, seed: int = 0, quality: float = 0.04, classification: float = 2.0
) -> dict[str, Any]:
    """What tables read of a training record of three epochs with VGG16; the second is the best.

    Args:
        weight: lambda; quality and classification are the losses of the best epoch.
    """
    epochs = [
        {
            "epoch": i,
            "seconds": 10.0 * i,
            "val_quality": quality * worse,
            "val_vgg16": classification * worse,
            "val_vgg16_accuracy": 0.9 / worse,
            "val_loss": worse * (quality + weight * classification),
        }
        for i, worse in enumerate((1.5, 1.0, 1.2), start=1)
    ]
    return {
        "name": f"{restorer}-vgg16-seed{seed}",
        "config": {"recovery": {"classification_weight": 0.01}},
        "provenance": {"device": "a GPU"},
        "training": {"epochs": epochs, "best_epoch": 2, "images": {"train": 640}},
    }
