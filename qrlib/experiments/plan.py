"""Which runs there are: the experiments of a profile, by name and with what decides each.

Imports no torch, so that the graph of all runs is planned in an instant; `qrlib.experiments.train` does the work.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from qrlib.experiments import profiles
from qrlib.experiments.experiment import Experiment
from qrlib.experiments.settings import Profile
from qrlib.experiments.variants import PARTS, VARIANTS, Part
from qrlib.records import provenance
from qrlib.utils.errors import QrlibError, choose

#: Restorers of which a sheet of test images is kept, for Figures 1 and 8.
SAMPLED = ("none", "recnet-multiple", "qrnet-multiple")
#: The modules whose code decides a result, with all that they import.
CODE = {
    "classifier": ("training.classifier", "classifiers", "data"),
    "recovery": ("training.recovery", "models", "classifiers", "data"),
    "evaluation": ("evaluation", "experiments.samples", "models", "classifiers", "data"),
    "heads": ("training.recovery", "training.restored", "models", "classifiers", "data"),
    "detector": ("training.detector", "classifiers", "data"),
    "classical": ("experiments.classical",),
    "timing": ("experiments.latency", "models", "classifiers", "data"),
    "conventions": ("experiments.conventions",),
    "corruptions": ("experiments.standalone",),
    "attacks": ("experiments.standalone",),
    "adaptation": ("experiments.standalone",),
}


def open_experiment(
    profile: str | None = None,
    *,
    dataset: str | None = None,
    variant: str = "qrnet",
    distortions: str | None = None,
    classifier: str | None = None,
    seed: int = 0,
    overrides: Mapping[str, Any] | str | None = None,
) -> Experiment:
    """The experiment that a notebook's parameters name; of a wrong one, `QrlibError` lists the valid values.

    Args:
        profile: None means QRLIB_PROFILE, else "quick".
        variant: one of `VARIANTS`.
        distortions: what it is trained on; None is the variant's usual choice, the first.
        dataset, classifier, overrides: see `qrlib.experiments.profiles.load`.
    """
    chosen = profiles.load(profile, dataset=dataset, classifier=classifier, overrides=overrides)
    valid = VARIANTS[choose("variant", variant, VARIANTS)].distortions
    if distortions is None:
        distortions = valid[0]
    choose(f"distortions of variant {variant!r}", distortions, valid)
    return Experiment(chosen, variant, distortions, _seed(seed))


def _seed(seed: object) -> int:
    if type(seed) is not int or seed < 0:
        raise QrlibError(f"seed must be a whole number of at least 0, not {seed!r}")
    return seed


def open_classifier(
    profile: str | None = None,
    *,
    dataset: str | None = None,
    classifier: str | None = None,
    seed: int | None = None,
    overrides: Mapping[str, Any] | str | None = None,
) -> Experiment:
    """As `open_experiment`, for training any classifier; `seed` is a setting of it, None the profile's."""
    experiment = open_experiment(profile, dataset=dataset, variant="none", overrides=overrides)
    roles = {getattr(experiment.profile, r).name: r for r in reversed(experiment.profile.roles)}
    if classifier in roles:
        experiment = experiment.judged_by(roles[classifier])
    elif classifier is not None:
        experiment = open_experiment(
            profile, dataset=dataset, variant="none", classifier=classifier, overrides=overrides
        )
    if seed is not None and _seed(seed) != experiment.classifier.seed:
        changes = profiles.parse_overrides(overrides) | {f"{experiment.role}.seed": seed}
        return open_classifier(profile, dataset=dataset, classifier=classifier, overrides=changes)
    return dataclasses.replace(experiment, seed=experiment.classifier.seed)


def summary(experiment: Experiment, kind: str) -> dict[str, Any]:
    """The settings of a run, flat, for showing: "recovery.epochs" -> 5, ..."""
    flat: dict[str, Any] = {"profile": experiment.profile.name}
    for key, value in experiment.config(kind).items():
        parts = value.items() if isinstance(value, dict) else [(None, value)]
        flat.update({key if name is None else f"{key}.{name}": part for name, part in parts})
    return flat


def code_hash(kind: str) -> str:
    """Hash of the code that a kind of run depends on: a change of it makes the run outdated."""
    return provenance.code_hash(CODE[kind])


def job_hash(experiment: Experiment, kind: str, *code: str) -> str:
    """Hash of what makes a job outdated besides its inputs: settings, of training and of evaluation, and code.

    Args:
        kind: of what the job makes first; see `Experiment.config`.
        code: keys of `CODE`.
    """
    judged = [experiment.judged_by(role).config("evaluation") for role in experiment.judges]
    parts = [experiment.config(kind), judged, experiment.evaluated_on, *map(code_hash, code)]
    return provenance.config_hash(parts)


def experiments_of(profile: Profile) -> list[Experiment]:
    """All runs of a profile: the classifiers ("none"), the pretrained networks, the restorers.

    Each comes after what it needs.
    """
    runs: list[Experiment] = []
    for role in profile.roles:
        runs.append(Experiment(profile, "none", "clean", getattr(profile, role).seed, role))
    for part in profile.parts:
        for seed in seeds_of(profile, part):
            for variant, distortions in PARTS[part]:
                if any(getattr(profile, role) is None for role in VARIANTS[variant].losses):
                    continue  # a teacher that this profile does without
                for x in _with_needs(Experiment(profile, variant, distortions, seed)):
                    if x not in runs:
                        runs.append(x)
    return runs


def seeds_of(profile: Profile, part: Part) -> list[int]:
    """The seeds with which a profile makes a part."""
    if part == "classical":
        return [0]  # a filter learns nothing
    return profile.seeds if part in ("main", "table2") else profile.other_seeds


def _with_needs(experiment: Experiment) -> list[Experiment]:
    return [*(x for need in experiment.needs for x in _with_needs(need)), experiment]


def shown_to_others(experiment: Experiment) -> bool:
    """Whether other heads of the same profile are to judge the same images."""
    return any(
        x.judges and x.shown_by == experiment.shown_by
        for x in experiments_of(experiment.profile)
        if x.restorer != experiment.restorer
    )


def timed(profile: Profile) -> Experiment:
    """The QRNet whose training and use are timed (Section IV-B1)."""
    return Experiment(profile, "qrnet", "multiple", profile.seeds[0])


def timed_ways(profile: Profile) -> dict[str, Experiment]:
    """What is timed in turns: for each `Experiment.timed_as` of a profile one experiment that goes that way.

    A second look of the classifier is always among them: `qrlib.report.restore_or_not` computes its gate from
    records, so no run of the profile stands for it.
    """
    judged = [x for x in experiments_of(profile) if "classifier" in x.judges]
    twice = dataclasses.replace(timed(profile), variant_name="qrnet_averaged")
    return {x.timed_as: x for x in reversed([*judged, twice])}


def timing_hash(profile: Profile) -> str:
    """As `job_hash`, of the run that times them."""
    made = job_hash(timed(profile), "recovery", "timing")
    return provenance.config_hash([made, *sorted(timed_ways(profile))])
