"""Whole runs without notebooks, for machines that have no Jupyter: `python -m qrlib train`.

Records and networks are those that the notebooks make.  Copied to where Jupyter is, they are found
there: results notebooks show them, and training notebooks train nothing again.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import torch

from qrlib.experiments import evaluate, plan, profiles, train
from qrlib.experiments.plan import Experiment
from qrlib.records import store
from qrlib.utils.errors import choose


def names(profile: profiles.Profile) -> dict[str, Experiment]:
    """The runs of a profile by name, each after what it needs."""
    return {
        x.classifier_run if x.variant == "none" else x.recovery_run: x
        for x in plan.experiments_of(profile)
    }


def run(profile: str, wanted: Sequence[str] = ()) -> list[str]:
    """Train and evaluate runs of a profile, one after another; returns the names of their records.

    What is trained already is not trained again; what a run needs is made first.  Several processes may
    share a profile's folders if each is given other runs, and what these start from is there.

    Args:
        profile: name of a file of profiles/.
        wanted: names of runs, as `names` has them; none means all.

    Raises:
        QrlibError: an unknown profile or run; the valid ones are listed.
    """
    settings = profiles.load(profile)
    known = names(settings)
    for name in wanted:
        choose(f"run of profile {profile!r}", name, known)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    made: list[str] = []
    for name, experiment in known.items():
        if not wanted or name in wanted:
            made += _one(name, experiment)
    return made


def _one(name: str, experiment: Experiment) -> list[str]:
    splits = train.load_data(experiment)
    judges = train.open_classifiers(experiment, splits)
    restorer, made = None, [name]
    if experiment.what.learns:
        restorer, history, _ = train.train(experiment, splits, judges)
        print(f"{name}: trained, best epoch {history.best_epoch}", flush=True)
    if experiment.judges:
        _, paths = evaluate.evaluate(experiment, splits, restorer, judges)
        made += [path.stem for path in paths]
        print(f"{name}: evaluated, {summary(experiment.profile.name, paths[0].stem)}", flush=True)
    return made


def summary(profile: str, record: str) -> str:
    """The accuracies of an evaluation in a line: clean, and the mean over levels of each distortion."""
    results = store.read_record(profile, record)["results"]
    found: dict[str, list[float]] = {}
    for row in results:
        if row["metric"] == "accuracy":
            found.setdefault(row["distortion"], []).append(row["value"])
    return ", ".join(f"{kind} {fmean(values):.3f}" for kind, values in found.items())
