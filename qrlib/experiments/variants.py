"""Which networks there are, and which of them each part of the paper needs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Literal

#: What of the paper a profile makes.
Part = Literal[
    "inputs",
    "main",
    "table2",
    "table3",
    "table4",
    "figure6",
    "lambda",
    "pretraining",
    "losses",
    "transfer",
    "routed",
    "classical",
    "sampling",
    "heads",
    "rivals",
    "crossed",
    "denoising",
    "corruptions",
    "attacks",
    "adaptation",
]


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to train (Sections III-B to III-D and IV).

    Attributes:
        meaning: one line for people.
        distortions: what it can be trained on; "clean" is no distortion.
        learns: what an optimiser changes: "restorer" (the network of Table 1), "head" (the
            classifier's fully connected layers), or "detector" (`qrlib.training.detector`).
        losses: roles of the classifiers whose loss takes part (equation 4 or 5).
        start: the variant whose network it starts from; None is a random initialisation.  Where no
            restorer learns, that network stays as it is and restores what the classifier is shown.
        head: the variant whose head judges, where nothing learns; None: the classifier's own.
        routes: kind of distortion -> variant and distortions of the restorer, or of the head, for the images
            in which a detector finds it, where nothing learns.
        averages: whether the classifier answers with and without the network that it starts from, where nothing
            learns, and the mean of both answers counts.
        convs_per_block: 2 is QRNet, 1 small QRNet.
        classification_weight: lambda, in place of the profile's.
        quality_weight: of the L1 loss.
        aims: what the classifier is to answer, one of `qrlib.training.aims.AIMS`.
        powers: whether features are raised to learned powers before the head that learns.
        share: `classifier_share`, in place of the profile's; such a network is only compared on
            validation images, after as much arithmetic as the profile's epochs with all of it take.
        tiles: whether the images that the classifier does not see become tiles of half their side.
        classical: whether it is one of `qrlib.classical.FILTERS`.
    """

    meaning: str
    distortions: tuple[str, ...]
    learns: tuple[str, ...] = ("restorer",)
    losses: tuple[str, ...] = ()
    start: str | None = None
    head: str | None = None
    routes: Mapping[str, tuple[str, str]] | None = None
    averages: bool = False
    convs_per_block: int = 2
    classification_weight: float | None = None
    quality_weight: float = 1.0
    aims: str = "labels"
    powers: bool = False
    share: float | None = None
    tiles: bool = False
    classical: bool = False

    @property
    def frozen_start(self) -> bool:
        """Whether the network that it starts from stays as it is."""
        return self.start is not None and "restorer" not in self.learns

    @property
    def composed(self) -> bool:
        """Whether it learns nothing and puts networks of other variants together."""
        return self.head is not None or self.routes is not None or self.averages

    @property
    def work(self) -> float:
        """What an epoch computes, as a part of one with whole images that the classifier sees all of.

        Of an image of 224 pixels and its distorted copy, VGG16's forward and backward passes take 124 GFLOP,
        QRNet's 29.
        """
        if self.share is None:
            return 1.0
        restored = self.share + (1 - self.share) * (0.25 if self.tiles else 1.0)
        return (124 * self.share + 29 * restored) / (124 + 29)


_KINDS = ("multiple", "noise", "blur")
_QRNET = Variant(
    "L1 loss and classification loss", _KINDS, losses=("classifier",), start="pretrained"
)


def _heads(start: str, restorer: str) -> dict[str, Variant]:
    """The restorer first, then the classifier on its images (S->T of SR4IR); and each part of it alone."""
    judged = functools.partial(Variant, distortions=("multiple", "noise"), losses=("classifier",))
    return {
        f"{start}_finetuned": judged(
            f"{restorer} restores, and the classifier's fully connected layers learn its images (S->T)",
            learns=("head",),
            start=start,
        ),
        f"{start}_finetuned_bare": judged(
            f"no restorer, though the classifier learned {restorer}'s images",
            learns=(),
            head=f"{start}_finetuned",
        ),
        f"{start}_before_finetuned": judged(
            f"{restorer} before the classifier that learned distorted images",
            learns=(),
            start=start,
            head="finetuned",
        ),
    }


VARIANTS = {
    "none": Variant("no restorer: the classifier sees the distorted image", ("clean",), learns=()),
    "pretrained": Variant("clean images only, L1 loss: where the others start", ("clean",)),
    "recnet": Variant("L1 loss alone", _KINDS, start="pretrained"),
    "qrnet": _QRNET,
    "small_pretrained": Variant(
        "small QRNet on clean images only, L1 loss", ("clean",), convs_per_block=1
    ),
    "small_qrnet": dataclasses.replace(
        _QRNET,
        meaning="QRNet with one convolution a block (Table 3)",
        start="small_pretrained",
        convs_per_block=1,
    ),
    "mqrnet": dataclasses.replace(
        _QRNET,
        meaning="L1 loss and the classification losses of two classifiers (equation 5)",
        losses=("classifier", "second_classifier"),
    ),
    "qrnet_of_second": dataclasses.replace(
        _QRNET,
        meaning="QRNet with the loss of another classifier, the second",
        losses=("second_classifier",),
    ),
    "qrnet_of_unseen": dataclasses.replace(
        _QRNET,
        meaning="QRNet with the loss of the classifier that no other restorer learns from",
        losses=("unseen_classifier",),
    ),
    "qrnet_of_light": dataclasses.replace(
        _QRNET,
        meaning="QRNet with the loss of a classifier that costs little",
        losses=("light_classifier",),
    ),
    "finetuned": Variant(
        "no restorer: the classifier's fully connected layers learn distorted images",
        _KINDS,
        learns=("head",),
        losses=("classifier",),
    ),
    "stabilised": Variant(
        "no restorer: the classifier's fully connected layers learn clean images, and to answer for a "
        "distorted one as they do for the clean one (stability training)",
        ("multiple",),
        learns=("head",),
        losses=("classifier",),
        aims="stable",
    ),
    "quantised": Variant(
        "no restorer: the classifier's fully connected layers learn distorted images, from features that "
        "are raised to learned powers (feature quantisation)",
        ("multiple",),
        learns=("head",),
        losses=("classifier",),
        powers=True,
    ),
    "end_to_end": dataclasses.replace(
        _QRNET,
        meaning="QRNet and the classifier's fully connected layers learn together",
        learns=("restorer", "head"),
    ),
    **{
        f"qrnet_lambda_{weight:g}": dataclasses.replace(
            _QRNET,
            meaning=f"QRNet with lambda = {weight:g}",
            classification_weight=weight,
        )
        for weight in (1, 0.1, 0.001)
    },
    "qrnet_classification_only": dataclasses.replace(
        _QRNET, meaning="QRNet with the classification loss alone", quality_weight=0.0
    ),
    "qrnet_unlabelled": dataclasses.replace(
        _QRNET,
        meaning="QRNet without labels: the classifier is to answer as it does for the clean image",
        aims="answers",
    ),
    "qrnet_unpretrained": dataclasses.replace(
        _QRNET, meaning="QRNet without the pretraining on clean images", start=None
    ),
    **{
        f"qrnet_share_{share:g}{'_tiles' if tiles else ''}": dataclasses.replace(
            _QRNET,
            meaning=f"QRNet, the classifier sees {share:g} of each batch"
            + (", of the rest a tile is restored" if tiles else ""),
            share=share,
            tiles=tiles,
        )
        for share in (1.0, 0.25, 0.125)
        for tiles in ((False,) if share == 1 else (False, True))
    },
    **{
        name: Variant(f"{meaning}, at its best strength", (kind,), learns=(), classical=True)
        for name, meaning, kind in (
            ("gaussian_filter", "a Gaussian filter", "noise"),
            ("total_variation", "total variation", "noise"),
            ("non_local_means", "non-local means", "noise"),
            ("wiener", "Wiener's deconvolution with the true kernel", "blur"),
        )
    },
    "detector": Variant(
        "tells clean, noisy and blurred images apart", ("multiple",), learns=("detector",)
    ),
    "recnet_routed": Variant(
        "RecNet (noise) or RecNet (blur), whichever a detector names; clean images stay as they are",
        ("multiple",),
        learns=(),
        routes={"noise": ("recnet", "noise"), "blur": ("recnet", "blur")},
    ),
    "qrnet_routed": Variant(
        "QRNet where a detector finds noise or blur; clean images stay as they are",
        ("multiple",),
        learns=(),
        routes={"noise": ("qrnet", "multiple"), "blur": ("qrnet", "multiple")},
    ),
    "qrnet_averaged": Variant(
        "the classifier answers with and without QRNet, and the mean of both answers counts",
        ("multiple",),
        learns=(),
        losses=("classifier",),
        start="qrnet",
        averages=True,
    ),
    "finetuned_routed": Variant(
        "no restorer: the layers fine-tuned for noise or for blur, whichever a detector names",
        ("multiple",),
        learns=(),
        losses=("classifier",),
        routes={"noise": ("finetuned", "noise"), "blur": ("finetuned", "blur")},
    ),
    **_heads("recnet", "RecNet"),
    **_heads("qrnet", "QRNet"),
}

#: The networks of each part of the paper, as pairs of variant and distortions; what they start from
#: comes along.
PARTS: dict[Part, tuple[tuple[str, str], ...]] = {
    "inputs": (),  # what the classifier is shown: the row without a restorer alone
    "main": (("recnet", "multiple"), ("qrnet", "multiple")),  # of Table 2, both distortions
    "table2": (
        ("recnet", "noise"), ("recnet", "blur"), ("recnet", "multiple"), ("qrnet", "multiple"),
    ),
    "table3": (("small_qrnet", "multiple"),),
    "table4": (
        ("finetuned", "noise"), ("finetuned", "blur"), ("finetuned", "multiple"),
        ("end_to_end", "multiple"),
    ),
    "figure6": (("mqrnet", "multiple"),),
    "lambda": (("qrnet_lambda_0.1", "multiple"), ("qrnet_lambda_0.001", "multiple")),
    "pretraining": (("qrnet_unpretrained", "multiple"),),
    "losses": (
        ("qrnet_lambda_1", "multiple"), ("qrnet_classification_only", "multiple"),
        ("qrnet_unlabelled", "multiple"),
    ),
    "transfer": (
        ("recnet", "multiple"), ("qrnet", "multiple"), ("qrnet_of_second", "multiple"),
        ("qrnet_of_unseen", "multiple"), ("qrnet_of_light", "multiple"), ("mqrnet", "multiple"),
    ),
    "routed": (
        ("recnet_routed", "multiple"), ("qrnet_routed", "multiple"), ("finetuned_routed", "multiple"),
        ("qrnet_averaged", "multiple"),
    ),
    "classical": tuple(
        (name, variant.distortions[0]) for name, variant in VARIANTS.items() if variant.classical
    ),
    "sampling": tuple((name, "multiple") for name in VARIANTS if VARIANTS[name].share),
    "heads": (("recnet_finetuned", "multiple"), ("qrnet_finetuned", "multiple")),
    "rivals": (("stabilised", "multiple"), ("quantised", "multiple")),
    "crossed": tuple((name, "multiple") for name in VARIANTS if VARIANTS[name].head),
    "denoising": (  # heads and crossed with noise alone, as FG-NIC has it
        ("recnet", "noise"), ("finetuned", "noise"), ("recnet_finetuned", "noise"),
        ("recnet_before_finetuned", "noise"), ("recnet_finetuned_bare", "noise"), ("qrnet", "noise"),
    ),
    "corruptions": (),  # of `main` or `table2`, on images that they never learned from
    "attacks": (),  # of `main` or `table2`, on adversarial images
    "adaptation": (),  # of `main` or `table2`, before a classifier that estimates its batch statistics anew
}  # fmt: skip
#: Parts that are compared with no others.
APART: tuple[Part, ...] = ("inputs", "sampling", "denoising")
#: Parts that a profile makes which names none; the others it has to name.
BY_DEFAULT: tuple[Part, ...] = (
    "table2", "table3", "table4", "figure6", "lambda", "pretraining",
)  # fmt: skip
#: Parts that are one run of several restorers at once -> which; run, notebook and record are called so too.
STANDALONE: dict[Part, tuple[str, ...]] = {
    "corruptions": ("recnet", "qrnet"),
    "attacks": ("recnet", "qrnet"),
    "adaptation": ("qrnet",),
}
