"""Whether training in bfloat16 costs accuracy: the quick profile's QRNet in both precisions, by seeds.

    .venv/bin/python drills/precision.py --seeds 5 --out ...

A seed is a classifier, a pretrained network and a QRNet of its own, all trained in one precision and
then in the other.  Evaluation computes in float32 either way.  Whether bfloat16 changes accuracy is then
a question of the differences' mean and spread.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import common
import records
import yaml

from qrlib.training.device import resolve_precision

PROFILE, JUDGE = "quick", "efficientnet_lite0"
PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed"}
METHODS = {"classifier alone": "evaluation-none-", "QRNet": "evaluation-qrnet-multiple-"}


def profile(folder: Path, precision: str, seed: int) -> str:
    """Write the profile of a seed in a precision; returns its name."""
    settings = yaml.safe_load((folder / f"{PROFILE}.yaml").read_text("utf-8"))
    settings["classifier"]["seed"] = seed
    settings |= {"precision": PRECISIONS[precision], "seeds": [seed], "parts": ["main"]}
    name = f"{precision}-{seed}"
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return name


def accuracies(made: dict[str, dict[str, Any]]) -> dict[str, float]:
    """ "QRNet, noise" -> accuracy, the mean over levels."""
    values: dict[str, list[float]] = {}
    for method, begins in METHODS.items():
        (record,) = (content for name, content in made.items() if name.startswith(begins))
        for row in record["results"]:
            if row["metric"] == "accuracy":
                values.setdefault(f"{method}, {row['distortion']}", []).append(row["value"])
    return {case: statistics.fmean(levels) for case, levels in values.items()}


def comparison(measured: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """For each case the means, and the mean and standard deviation of bfloat16 minus float32."""
    table = {}
    for case in measured["float32"][0]:
        values = {name: [seed[case] for seed in seeds] for name, seeds in measured.items()}
        changes = [b - f for f, b in zip(values["float32"], values["bfloat16"], strict=True)]
        numbers = {name: statistics.fmean(seeds) for name, seeds in values.items()}
        numbers |= {"change": statistics.fmean(changes), "deviation": statistics.stdev(changes)}
        table[case] = {name: round(value, 4) for name, value in numbers.items()}
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many, at least 2")
    parser.add_argument("--out", type=Path, help="write the outcome to this file")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error("--seeds: one seed has no spread; at least 2")
    if resolve_precision("auto") != PRECISIONS["bfloat16"]:
        sys.exit("this machine does not compute with bfloat16; it would take hours to imitate it")
    work = Path(tempfile.mkdtemp(prefix="qrlib-precision-"))
    project = common.checkout(work / "project")
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in PRECISIONS}
    for seed in range(options.seeds):
        for precision, seeds in measured.items():
            name = profile(project / "profiles", precision, seed)
            wanted = [f"classifier-{JUDGE}-seed{seed}", f"pretrained-seed{seed}",
                      f"qrnet-multiple-{JUDGE}-seed{seed}"]  # fmt: skip
            common.run(project, "train", name, *wanted)
            seeds.append(accuracies(records.read(project / "results" / name / "records")))
    table = comparison(measured)
    for case, numbers in table.items():
        print(f"{case:24}", "  ".join(f"{name} {value:.4f}" for name, value in numbers.items()))
    outcome = {"drill": "precision", "profile": PROFILE, "seeds": options.seeds, "accuracy": table,
               **common.circumstances(project)}  # fmt: skip
    return common.end(outcome, options.out, work, good=True)


if __name__ == "__main__":
    sys.exit(main())
