"""Which runs there are: the experiments of a profile, by name and with what decides each.

Imports no torch, so that the graph of all runs is planned in an instant; `qrlib.runs` does the work.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from qrlib import profiles, provenance
from qrlib.errors import QrlibError, choose


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to train the network of Table 1 (Section IV-B)."""

    uses_classifier: bool
    distortions: tuple[str, ...]
    meaning: str


VARIANTS = {
    "none": Variant(False, ("clean",), "no restorer: the classifier sees the distorted image"),
    "pretrained": Variant(
        False, ("clean",), "clean images only, L1 loss: where every variant starts"
    ),
    "recnet": Variant(False, ("noise", "blur", "multiple"), "L1 loss alone"),
    "qrnet": Variant(True, ("multiple", "noise", "blur"), "L1 loss and classification loss"),
}

#: The modules whose code decides a result, with all that they import.
CODE = {
    "classifier": ("training.classifier", "classifiers", "data"),
    "recovery": ("training.recovery", "models", "classifiers", "data"),
    "evaluation": ("evaluation", "models", "classifiers", "data"),
    "conventions": ("conventions",),
}


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One restorer of a profile; make it with `open_experiment`."""

    profile: profiles.Profile
    variant: str
    distortions: str
    seed: int

    @property
    def restorer(self) -> str:
        """The name in tables and records, such as "none", "recnet-noise" or "qrnet-multiple"."""
        if self.distortions == "clean":
            return self.variant
        return f"{self.variant}-{self.distortions}"

    @property
    def classifier_run(self) -> str:
        return f"classifier-{self.profile.classifier.name}-seed{self.profile.classifier.seed}"

    @property
    def recovery_run(self) -> str:
        by = f"-{self.profile.classifier.name}" if VARIANTS[self.variant].uses_classifier else ""
        return f"{self.restorer}{by}-seed{self.seed}"

    @property
    def evaluation_run(self) -> str:
        seed = "" if self.variant == "none" else f"-seed{self.seed}"
        return f"evaluation-{self.restorer}-{self.profile.classifier.name}{seed}"

    def config(self, kind: str) -> dict[str, Any]:
        """The settings that decide one kind of run, as JSON values."""
        settings = self.profile.config()
        shared = {"data": settings["data"], "precision": self.profile.precision}
        if kind == "classifier":
            return {**shared, "classifier": settings["classifier"]}
        mine = {"variant": self.variant, "distortions": self.distortions, "seed": self.seed}
        config = {**shared, **mine, "recovery": settings["recovery"]}
        if kind == "evaluation" or VARIANTS[self.variant].uses_classifier:
            config["classifier"] = settings["classifier"]
        if self.variant == "pretrained":
            config["recovery"] = {
                k: v
                for k, v in settings["recovery"].items()
                if k not in ("epochs", "classification_weight")
            }
        return config


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
    """Check a notebook's parameters and return the experiment they name.

    Args:
        profile: None means QRLIB_PROFILE, else "quick".
        variant: one of `VARIANTS`.
        distortions: what it is trained on; None is the variant's usual choice.
        seed: of initialisation, batches and distortions.
        dataset, classifier, overrides: see `qrlib.profiles.load`.

    Raises:
        QrlibError: an unknown or mistyped value; the message lists the valid ones.
    """
    chosen = profiles.load(profile, dataset=dataset, classifier=classifier, overrides=overrides)
    valid = VARIANTS[choose("variant", variant, VARIANTS)].distortions
    if distortions is None:
        distortions = "multiple" if "multiple" in valid else valid[0]
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
    """As `open_experiment`, for training the classifier; `seed` None is the profile's."""
    experiment = open_experiment(
        profile, dataset=dataset, variant="none", classifier=classifier, overrides=overrides
    )
    seed = experiment.profile.classifier.seed if seed is None else _seed(seed)
    changed = dataclasses.replace(experiment.profile.classifier, seed=seed)
    return dataclasses.replace(
        experiment, seed=seed, profile=dataclasses.replace(experiment.profile, classifier=changed)
    )


def summary(experiment: Experiment, kind: str) -> dict[str, Any]:
    """The settings of a run, flat, for showing: "recovery.epochs" -> 5, ..."""
    flat: dict[str, Any] = {"profile": experiment.profile.name}
    for key, value in experiment.config(kind).items():
        parts = value.items() if isinstance(value, dict) else [(None, value)]
        flat.update({key if name is None else f"{key}.{name}": part for name, part in parts})
    return flat


def code(kind: str) -> str:
    """Hash of the code that a kind of run depends on: a change of it makes the run outdated."""
    return provenance.code_hash(CODE[kind])


def plan(profile: profiles.Profile) -> list[Experiment]:
    """The restorers of Table 2 for every seed of a profile, "none" and "pretrained" included."""
    none = Experiment(profile, "none", "clean", profile.classifier.seed)
    trained = [
        Experiment(profile, variant, distortions, seed)
        for seed in profile.seeds
        for variant, distortions in (
            ("pretrained", "clean"),
            ("recnet", "noise"),
            ("recnet", "blur"),
            ("recnet", "multiple"),
            ("qrnet", "multiple"),
        )
    ]
    return [none, *trained]
