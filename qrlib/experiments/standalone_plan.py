"""Which runs hold several ways to recognise an image against each other, and of what each is made.

Imports no torch; `qrlib.experiments.standalone` does the work.
"""

from __future__ import annotations

from qrlib.experiments.experiment import Experiment
from qrlib.experiments.settings import Profile
from qrlib.experiments.variants import STANDALONE, Part
from qrlib.utils.errors import QrlibError

#: Classifiers that have no batch normalisation.
WITHOUT_BATCH_STATISTICS = ("vgg16",)


def planned(profile: Profile) -> list[Part]:
    """Those of `STANDALONE` that a profile makes."""
    return [part for part in STANDALONE if part in profile.parts]


def experiments(profile: Profile, part: Part) -> tuple[Experiment, ...]:
    """No restorer, and the restorers of one of `STANDALONE`, with the classifier that judges all.

    Raises:
        QrlibError: the profile trains no classifier that has what the part needs.
    """
    role = "classifier"
    if part == "adaptation":
        able = [
            role
            for role in ("classifier", "unseen_classifier", "second_classifier")
            if role in profile.roles and getattr(profile, role).name not in WITHOUT_BATCH_STATISTICS
        ]
        if not able:
            raise QrlibError(
                f"the part adaptation needs a classifier with batch normalisation, and "
                f"{profile.classifier.name} has none: set classifier.name to another, or add the part "
                "figure6, which has more classifiers"
            )
        role = able[0]
    none = Experiment(profile, "none", "clean", getattr(profile, role).seed, role)
    seed = profile.seeds[0]
    return none, *(Experiment(profile, x, "multiple", seed, role) for x in STANDALONE[part])


def adapted(restorer: str, images: int) -> str:
    """The name in records of a restorer before a classifier adapted to so many images at once.

    >>> adapted("none", 8), adapted("qrnet-multiple", 32)
    ('none+adapted_8', 'qrnet-multiple+adapted_32')
    """
    return f"{restorer}+adapted_{images}"


def way(name: str) -> tuple[str, int]:
    """What `adapted` was given; no images for a classifier that is not adapted.

    >>> way("qrnet-multiple+adapted_32"), way("none")
    (('qrnet-multiple', 32), ('none', 0))
    """
    restorer, _, images = name.partition("+adapted_")
    return restorer, int(images or 0)
