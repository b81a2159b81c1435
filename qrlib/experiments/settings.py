"""The settings of a profile, each of a type that pydantic checks."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from qrlib.experiments.variants import APART, BY_DEFAULT, Part

if TYPE_CHECKING:
    from qrlib.records.selection import Selection

#: Names become parts of paths and, in the Snakefile, of commands.
NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
#: No setting is larger; generators of random numbers take no larger seeds either.
LARGEST = 2**31 - 1
PAPER_SIZE = 224  # the side for which Section IV-A's blur strengths are meant
LARGEST_KERNEL = 39  # pixels, of sigma 10 at that side

Count = Annotated[int, Field(ge=1, le=LARGEST)]
Seed = Annotated[int, Field(ge=0, le=LARGEST)]
Seeds = Annotated[list[Seed], Field(min_length=1)]
Weight = Annotated[float, Field(ge=0)]
Strength = Annotated[float, Field(gt=0, le=255)]


class Settings(BaseModel):
    """Values of exactly the types that the fields say, and no others; unchangeable."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    #: Settings that came later: not named where they have their default, so that the configuration in
    #: older records stays what it is.
    LATER: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        return {
            name: value
            for name, value in serialize(self).items()
            if name not in self.LATER or value != fields[name].default
        }


class Data(Settings):
    """What `qrlib.data.load` takes."""

    LATER = frozenset({"learned_per_class"})

    dataset: str
    image_size: Count
    resize: Literal["squash", "nearest", "crop"] = "squash"
    split_seed: Seed = 0
    classes: Count | None = None
    per_class: Count | None = None
    learned_per_class: Annotated[int, Field(ge=2, le=LARGEST)] | None = None

    @property
    def blur_scale(self) -> float:
        """Blur strengths are scaled with the image side, so that the same share is blurred."""
        return self.image_size / PAPER_SIZE


class Classifier(Settings):
    """How a classifier is built and trained on clean images; one for all restorers.

    `weights`: "imagenet", "caffe" (the original VGG16), a file, or None.
    `preprocessing`: what becomes of images in [0, 1] before the backbone, one of
    `qrlib.classifiers.PREPROCESSING`; None: what its ImageNet weights were trained with.
    `input_size`: the side to which it resizes what it is shown, where that differs from the data's.
    """

    LATER = frozenset({"preprocessing"})

    name: str = Field(pattern=f"^{NAME}$")
    weights: str | None = "imagenet"
    trainable: Literal["fully_connected", "all"] = "fully_connected"
    head_width: Count = 4096
    input_size: Count | None = None
    epochs: Count = 200
    patience: Count = 5
    batch_size: Count = 32
    learning_rate: Weight = 1e-3
    seed: Seed = 0
    preprocessing: Literal["imagenet", "caffe", "rescaled"] | None = None


class Recovery(Settings):
    """Algorithm 1; `classification_weight` is lambda of equations 4 and 5.

    `schedule`: "constant", as in the paper, or "cosine": the rate falls to 0 over all epochs.
    `classifier_share`, `crop`: how much of a batch enters the losses (`qrlib.training.sampling`); all of
    it in the paper.
    `validation_images`: how many judge each epoch; None: all.
    `micro_batches`: parts in which a batch goes through a device of little memory.
    `keep_features`: fine-tuning goes through the backbone once with images that come again each epoch.
    """

    LATER = frozenset(
        "schedule classifier_share crop validation_images micro_batches keep_features".split()
    )

    epochs: Count = 200
    pretrain_epochs: Count = 10
    patience: Count = 5
    batch_size: Count = 32
    learning_rate: Weight = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    classification_weight: Weight = 0.01
    dropout: float = Field(0.2, ge=0, lt=1)
    classifier_share: float = Field(1.0, gt=0, le=1)
    crop: Count | None = None
    validation_images: Count | None = None
    micro_batches: Count = 1
    keep_features: bool = False


#: Settings of a profile that a classifier has, by the part it plays.
ROLES = ("classifier", "second_classifier", "unseen_classifier", "light_classifier")


def _ascending(sigmas: list[float]) -> list[float]:
    if any(a >= b for a, b in itertools.pairwise(sigmas)):
        raise ValueError("should hold different strengths, weakest first")
    return sigmas


def _with_table2(parts: list[Part]) -> list[Part]:
    if not {"main", "table2"} & set(parts) and not set(parts) <= set(APART):
        raise ValueError("should hold table2 or main, which the others are compared with")
    return parts


class Profile(Settings):
    """Everything that decides a set of results.

    Attributes:
        label: what the numbers are, in a few words, for headings of tables and figures.
        comparable: whether the setting is the paper's, so that differences may be shown.
        classifier: the one that restorers learn from and are judged by; VGG16 in the paper.
        second_classifier: learned from as well in Figure 6; the paper's Inception V3.
        unseen_classifier: judges in Figure 6, whose restorers never learned from it; the paper's ResNet.
        light_classifier: teaches and judges in the part `transfer`; a 40th of VGG16's operations.  None
            where `classifier` is such a one itself.
        noise_sigmas: the noise's five strengths, weakest first, of 255; None: those of
            Section IV-A.
        seeds: one restorer of each method of Table 2 is trained for each.
        other_seeds: the same for what is trained beyond Table 2.
        parts: what of the paper is made, names of `PARTS`.
        standalone_images: how many test images unseen corruptions and adaptation take; None: all.
        evaluation_precision: "32-true", or "bf16-mixed", which is then held against float32.
        ship_weights: whether weights of RecNet (multiple), QRNet and MQRNet are kept beside the records, for
            `qrlib.load_qrnet`.
    """

    LATER = frozenset({"evaluation_precision", "standalone_images", "noise_sigmas"})

    name: str
    title: str
    label: str
    comparable: bool
    data: Data
    classifier: Classifier
    recovery: Recovery
    seeds: Seeds
    noise_sigmas: (
        Annotated[list[Strength], Field(min_length=5, max_length=5), AfterValidator(_ascending)]
        | None
    ) = None
    second_classifier: Classifier = Classifier(name="inception_v3")
    unseen_classifier: Classifier = Classifier(name="resnet50")
    light_classifier: Classifier | None = Classifier(name="efficientnet_lite0")
    other_seeds: Seeds = [0]
    parts: Annotated[list[Part], AfterValidator(_with_table2)] = list(BY_DEFAULT)
    standalone_images: Count | None = None
    evaluation_batch: Count = 32
    evaluation_precision: Literal["32-true", "bf16-mixed"] = "32-true"
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"] = "auto"
    devices: Count = 1
    threads: Count | None = None
    ship_weights: bool = False

    @model_validator(mode="after")
    def _classifiers_differ(self) -> Profile:
        """Runs are called after their classifiers."""
        roles = {role: getattr(self, role).name for role in self.roles}
        for name in roles.values():
            same = [role for role in roles if roles[role] == name]
            if len(same) > 1:
                raise ValueError(
                    f"{' and '.join(same)} are all {name}, so their runs would have the same names: give "
                    "one of them another name"
                )
        return self

    @model_validator(mode="after")
    def _crop_fits(self) -> Profile:
        crop, side = self.recovery.crop, self.data.image_size
        if crop is None:
            return self
        least = LARGEST_KERNEL * self.data.blur_scale
        valid = [size for size in range(16, side) if side % size == 0 and size >= least]
        if crop not in valid:
            raise ValueError(
                f"recovery.crop must divide data.image_size {side}, so that each pixel is as likely as "
                f"any other, and hold the largest blur's kernel of {least:g} pixels; {crop} does not: "
                f"take {' or '.join(map(str, valid)) or 'none, these images are too small'}"
            )
        if self.recovery.classifier_share == 1:
            raise ValueError(
                f"recovery.crop {crop} has no use while the classifier sees every image: set "
                "recovery.classifier_share below 1 as well"
            )
        return self

    @property
    def strengths(self) -> dict[str, Any]:
        """How strong its distortions are, for `qrlib.distortions.levels`."""
        own = {} if self.noise_sigmas is None else {"noise_sigmas": self.noise_sigmas}
        return {"blur_scale": self.data.blur_scale, **own}

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of the classifiers that its parts need and it has."""
        if "transfer" in self.parts:
            return tuple(role for role in ROLES if getattr(self, role) is not None)
        return ROLES[:3] if "figure6" in self.parts else ROLES[:1]

    @property
    def choice(self) -> Selection:
        """Which results are this profile's own, for the functions that show or judge results."""
        from qrlib.records.selection import Selection  # loads pandas, which commands do not need

        return Selection(self.name, self.data.dataset, self.classifier.name)
