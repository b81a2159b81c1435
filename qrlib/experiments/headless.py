"""Whole runs without notebooks, for machines that have no Jupyter: `python -m qrlib train`.

Records and networks are those that the notebooks make.  Copied to where Jupyter is, they are found
there: results notebooks show them, and training notebooks train nothing again.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import torch

from qrlib.experiments import (
    classical,
    evaluate,
    plan,
    profiles,
    standalone,
    standalone_plan,
    train,
)
from qrlib.experiments.experiment import Experiment
from qrlib.records import store
from qrlib.utils.errors import choose


def runs_by_name(profile: profiles.Profile) -> dict[str, Experiment]:
    """The runs of a profile by name, each after what it needs."""
    runs = {x.training_run: x for x in plan.experiments_of(profile)}
    alone = {
        part: standalone_plan.experiments(profile, part)[-1]
        for part in standalone_plan.planned(profile)
    }
    return runs | alone


def run(profile: str, wanted: Sequence[str] = ()) -> list[str]:
    """Train and evaluate runs of a profile, one after another; returns the names of their records.

    What is trained already is not trained again; what a run needs is made first.  Several processes may
    share a profile's folders if each is given other runs, and what these start from is there.

    Args:
        profile: name of a file of profiles/.
        wanted: names of runs, as `runs_by_name` has them; none means all.

    Raises:
        QrlibError: an unknown profile or run; the valid ones are listed.
    """
    settings = profiles.load(profile)
    known = runs_by_name(settings)
    for name in wanted:
        choose(f"run of profile {profile!r}", name, known)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    written: list[str] = []
    for name, experiment in known.items():
        if not wanted or name in wanted:
            written += _run_one(name, experiment)
    return written


def _run_one(name: str, experiment: Experiment) -> list[str]:
    if name in standalone.RUNS:
        return [standalone.RUNS[name](experiment.profile).stem]
    splits = train.load_data(experiment)
    judges = train.obtain_classifiers(experiment, splits)
    restorer, written = None, [name]
    if experiment.variant.classical:
        tried = classical.choose_strengths(experiment, splits, judges)
        _, paths = classical.evaluate_classical(experiment, splits, judges, tried)
        print(f"{name}: evaluated, {mean_accuracies(experiment.profile.name, paths[0].stem)}")
        return [path.stem for path in paths]
    if experiment.variant.learns or experiment.variant.composed:
        restorer, history, record = train.obtain_restorer(experiment, splits, judges)
        written = [record.stem]
        print(f"{record.stem}: trained, best epoch {history.best_epoch}", flush=True)
    if experiment.judges:
        _, paths = evaluate.evaluate(experiment, splits, restorer, judges)
        written += [path.stem for path in paths]
        print(
            f"{name}: evaluated, {mean_accuracies(experiment.profile.name, paths[0].stem)}",
            flush=True,
        )
    return written


def mean_accuracies(profile: str, record: str) -> str:
    """The accuracies of an evaluation in a line: clean, and the mean over levels of each distortion."""
    results = store.read_record(profile, record)["results"]
    accuracies: dict[str, list[float]] = {}
    for row in results:
        if row["metric"] == "accuracy":
            accuracies.setdefault(row["distortion"], []).append(row["value"])
    return ", ".join(f"{kind} {fmean(values):.3f}" for kind, values in accuracies.items())
