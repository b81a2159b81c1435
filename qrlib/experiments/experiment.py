"""One experiment: its names in tables and records, what it needs, and the settings that decide it."""

from __future__ import annotations

import dataclasses
from typing import Any

from qrlib.experiments.settings import Classifier, Profile, Recovery
from qrlib.experiments.variants import PARTS, STANDALONE, VARIANTS, Variant
from qrlib.utils.errors import QrlibError

#: Restorers that the unseen classifier judges as well (Figure 6).
FIGURE6 = ("qrnet-multiple", "mqrnet-multiple")
#: Settings of Algorithm 1 that a detector is trained with.
DETECTOR_SETTINGS = (
    "epochs", "patience", "batch_size", "learning_rate", "schedule", "validation_images",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One restorer of a profile, or a classifier alone; make it with `plan.open_experiment`.

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
    def records(self) -> tuple[str, ...]:
        """The names of the records that it leaves: of its training, where something learns, and of each judge."""
        trains = self.variant_name == "none" or self.variant.learns
        judged = (self.judged_by(role).evaluation_run for role in self.judges)
        return (*([self.training_run] if trains else []), *judged)

    @property
    def timing_run(self) -> str:
        return f"timing-{self.recovery_run}"

    @property
    def timed_as(self) -> str:
        """The restorer that stands for this one in timings: its images go through networks of the same shapes.

        Powers of features, which one variant learns, take no time worth counting.
        """
        variant = self.variant
        if variant.classical:
            return self.restorer
        if variant.averages:
            return "qrnet_averaged-multiple"
        if variant.routes:
            return f"{'finetuned' if variant.losses else 'qrnet'}_routed-multiple"
        shown = self.start if variant.frozen_start else self
        if shown is None or "restorer" not in shown.variant.learns:
            return "none"
        if "head" in shown.variant.learns:
            return "end_to_end-multiple"  # as QRNet's, which is a claim of the paper
        return "qrnet-multiple" if shown.variant.convs_per_block == 2 else "small_qrnet-multiple"

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
        if self.variant.averages or (self.variant.routes and not self.variant.losses):
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
