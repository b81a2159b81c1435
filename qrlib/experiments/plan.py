"""Which runs there are: the experiments of a profile, by name and with what decides each.

Imports no torch, so that the graph of all runs is planned in an instant; `qrlib.experiments.train` does the work.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from qrlib.experiments import profiles
from qrlib.experiments.settings import Classifier, Profile, Recovery
from qrlib.experiments.variants import PARTS, STANDALONE, VARIANTS, Variant
from qrlib.records import provenance
from qrlib.utils.errors import QrlibError, choose

#: Restorers that the unseen classifier judges as well (Figure 6).
FIGURE6 = ("qrnet-multiple", "mqrnet-multiple")
#: Restorers of which a sheet of test images is kept, for Figures 1 and 8.
SAMPLED = ("none", "recnet-multiple", "qrnet-multiple")
#: Settings of Algorithm 1 that a detector is trained with.
DETECTOR_SETTINGS = (
    "epochs", "patience", "batch_size", "learning_rate", "schedule", "validation_images",
)  # fmt: skip

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


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One restorer of a profile, or a classifier alone; make it with `open_experiment`.

    Attributes:
        role: which of the profile's classifiers judges it, one of `settings.ROLES`.
    """

    profile: Profile
    variant_name: str
    distortions: str
    seed: int
    role: str = "classifier"

    @property
    def variant(self) -> Variant:
        return VARIANTS[self.variant_name]

    @property
    def restorer(self) -> str:
        """The name in tables and records, such as "none", "recnet-noise" or "qrnet-multiple"."""
        if self.distortions == "clean":
            return self.variant_name
        return f"{self.variant_name}-{self.distortions}"

    @property
    def classifier(self) -> Classifier:
        """The settings of the classifier that judges."""
        settings: Classifier | None = getattr(self.profile, self.role)
        if settings is None:
            raise QrlibError(
                f"profile {self.profile.name!r} has no {self.role}, which {self.variant_name} needs: "
                "give it one in its file, or choose another variant"
            )
        return settings

    @property
    def classifier_run(self) -> str:
        return f"classifier-{self.classifier.name}-seed{self.classifier.seed}"

    @property
    def recovery_run(self) -> str:
        names = [self.judged_by(role).classifier.name for role in self.variant.losses]
        return "-".join([self.restorer, *names, f"seed{self.seed}"])

    @property
    def training_run(self) -> str:
        return self.classifier_run if self.variant_name == "none" else self.recovery_run

    @property
    def evaluation_run(self) -> str:
        seed = "" if self.variant_name == "none" else f"-seed{self.seed}"
        return f"evaluation-{self.restorer}-{self.classifier.name}{seed}"

    @property
    def timing_run(self) -> str:
        return f"timing-{self.recovery_run}"

    @property
    def judges(self) -> tuple[str, ...]:
        """Roles of all classifiers that judge this restorer; none for a mere starting point."""
        if self.variant_name == "none":
            return (self.role,)
        if self.distortions == "clean" or self.variant.share or self.detects:
            return ()
        if (self.variant_name, self.distortions) in self._transferred:
            return self.profile.roles
        unseen = self.restorer in FIGURE6 and "figure6" in self.profile.parts
        return ("classifier", "unseen_classifier") if unseen else ("classifier",)

    @property
    def _transferred(self) -> tuple[tuple[str, str], ...]:
        """What all of the profile's classifiers judge, as pairs of variant and distortions."""
        return PARTS["transfer"] if "transfer" in self.profile.parts else ()

    @property
    def detects(self) -> bool:
        """Whether it is a detector of distortions, and no restorer."""
        return "detector" in self.variant.learns

    @property
    def evaluated_on(self) -> str:
        """The distortions that it is judged under; without a restorer, all that the profile's others are."""
        if self.variant_name != "none":
            return self.distortions
        kinds = {kind for part in self.profile.parts for _, kind in PARTS[part]}
        return kinds.pop() if len(kinds) == 1 else "multiple"

    @property
    def shown_by(self) -> str:
        """The run whose network restores what the classifier is shown, or "none"."""
        if "restorer" in self.variant.learns or self.variant.classical:
            return self.recovery_run
        if self.variant.routes and not self.variant.losses:
            return self.recovery_run
        return self.start.recovery_run if self.start is not None else "none"

    @property
    def start(self) -> Experiment | None:
        """The experiment whose network this one starts from."""
        return self._with(self.variant.start)

    @property
    def head(self) -> Experiment | None:
        """The experiment whose head judges this one, where it trains nothing itself."""
        return self._with(self.variant.head)

    @property
    def detector(self) -> Experiment | None:
        """The detector that chooses among `routes`."""
        return self._with("detector" if self.variant.routes else None)

    @property
    def routes(self) -> dict[str, Experiment]:
        """Kind of distortion -> the experiment whose network restores what has it."""
        return {
            kind: dataclasses.replace(self, variant_name=variant, distortions=distortions)
            for kind, (variant, distortions) in (self.variant.routes or {}).items()
        }

    def _with(self, name: str | None) -> Experiment | None:
        """Another variant with the same seed, and with the same distortions if it knows any."""
        if name is None:
            return None
        clean = VARIANTS[name].distortions == ("clean",)
        distortions = "clean" if clean else self.distortions
        return dataclasses.replace(self, variant_name=name, distortions=distortions)

    @property
    def needs(self) -> tuple[Experiment, ...]:
        """The experiments whose networks this one takes."""
        networks = (self.start, self.head, self.detector, *self.routes.values())
        return tuple(x for x in networks if x is not None)

    @property
    def code(self) -> str:
        """The key of `CODE` of its training."""
        if self.detects or self.variant.routes:
            return "detector"
        return "heads" if self.variant.frozen_start or self.variant.head else "recovery"

    @property
    def recovery(self) -> Recovery:
        """The profile's settings of Algorithm 1, with what the variant has in their place."""
        settings, variant = self.profile.recovery, self.variant
        own: dict[str, Any] = {}
        if variant.classification_weight is not None:
            own["classification_weight"] = variant.classification_weight
        if variant.share is not None:
            own["classifier_share"] = variant.share
            own["crop"] = self.profile.data.image_size // 2 if variant.tiles else None
            own["epochs"] = own["patience"] = max(1, round(settings.epochs / variant.work))
        return settings.model_copy(update=own)

    def judged_by(self, role: str) -> Experiment:
        return dataclasses.replace(self, role=role)

    def config(self, kind: str) -> dict[str, Any]:
        """The settings that decide one kind of run, as JSON values."""
        settings = self.profile.model_dump()
        shared = {"data": settings["data"], "precision": self.profile.precision}
        if kind == "classifier":
            return {**shared, "classifier": self.classifier.model_dump()}
        if self.profile.noise_sigmas is not None and self.evaluated_on != "blur":
            shared["noise_sigmas"] = self.profile.noise_sigmas
        config = {
            **shared,
            "variant": self.variant_name,
            "distortions": self.distortions,
            "seed": self.seed,
            "recovery": self.recovery.model_dump(),
        }
        config |= {role: settings[role] for role in self.variant.losses}
        if kind in ("evaluation", *STANDALONE):
            config["judge"] = self.classifier.model_dump()
            if self.profile.evaluation_precision != "32-true":
                config["evaluation_precision"] = self.profile.evaluation_precision
        if kind in STANDALONE:
            config["standalone_images"] = self.profile.standalone_images
        recovery = config["recovery"]
        if self.detects:
            config["recovery"] = {
                name: recovery[name] for name in DETECTOR_SETTINGS if name in recovery
            }
            return config
        if not self.variant.losses or "restorer" not in self.variant.learns:
            del recovery["classification_weight"]
        unused = "epochs" if self.distortions == "clean" else "pretrain_epochs"
        if self.distortions == "clean" or self.variant.start is None:
            del recovery[unused]
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
    """As `open_experiment`, for training any classifier; `seed` None is the profile's."""
    experiment = open_experiment(profile, dataset=dataset, variant="none", overrides=overrides)
    roles = {getattr(experiment.profile, r).name: r for r in reversed(experiment.profile.roles)}
    if classifier in roles:
        experiment = experiment.judged_by(roles[classifier])
    elif classifier is not None:
        experiment = open_experiment(
            profile, dataset=dataset, variant="none", classifier=classifier, overrides=overrides
        )
    seed = experiment.classifier.seed if seed is None else _seed(seed)
    with_seed = {experiment.role: experiment.classifier.model_copy(update={"seed": seed})}
    profile_with_seed = experiment.profile.model_copy(update=with_seed)
    return dataclasses.replace(experiment, seed=seed, profile=profile_with_seed)


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
        for seed in profile.seeds if part in ("main", "table2") else profile.other_seeds:
            for variant, distortions in PARTS[part]:
                if any(getattr(profile, role) is None for role in VARIANTS[variant].losses):
                    continue  # a teacher that this profile does without
                for x in _with_needs(Experiment(profile, variant, distortions, seed)):
                    if x not in runs:
                        runs.append(x)
    return runs


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


def timed_beside(experiment: Experiment) -> Experiment | None:
    """QRNet trained end to end with the seed of `experiment`, timed in turns with it (Section IV-B2).

    None where the profile trains none with this seed.
    """
    profile = experiment.profile
    if "table4" not in profile.parts or experiment.seed not in profile.other_seeds:
        return None
    return dataclasses.replace(experiment, variant_name="end_to_end", distortions="multiple")
