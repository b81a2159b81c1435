"""What of the paper there are records for: parts, results pages, profiles to show."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from qrlib.experiments import profiles
from qrlib.experiments.experiment import Experiment
from qrlib.experiments.plan import experiments_of, seeds_of, timed
from qrlib.experiments.variants import PARTS, STANDALONE, Part
from qrlib.records import store
from qrlib.utils import files, paths
from qrlib.utils.errors import choose

#: The profile that `make book` runs, for a look at everything in small.
QUICK = "quick"
#: The results notebooks, and the part whose records each is made from.
PAGES: dict[str, Part] = {
    "recovery": "table2",
    "end_to_end": "table4",
    "classifier_change": "figure6",
    "image_quality": "table2",
}
#: The networks without which a part has nothing to show; of the others its tables say "not run".
CORE: dict[Part, tuple[tuple[str, str], ...]] = {
    "table2": (("qrnet", "multiple"),),
    "table4": (("qrnet", "multiple"), ("finetuned", "multiple"), ("end_to_end", "multiple")),
    "figure6": (("qrnet", "multiple"), ("mqrnet", "multiple")),
    "transfer": (("qrnet", "multiple"),),
    "lambda": (("qrnet", "multiple"), *PARTS["lambda"]),
    "pretraining": (("qrnet", "multiple"), *PARTS["pretraining"]),
    "losses": (("recnet", "multiple"), ("qrnet", "multiple"), ("qrnet_unlabelled", "multiple")),
    "routed": (("recnet_routed", "multiple"),),
    "heads": (("recnet_finetuned", "multiple"),),
    "denoising": tuple(run for run in PARTS["denoising"] if run[0] != "qrnet"),
}


def plans(profile: profiles.Profile, part: Part) -> bool:
    """Whether a profile makes a part of the paper; `main` is enough of Table 2 to be shown."""
    return part in profile.parts or (part == "table2" and "main" in profile.parts)


def missing(profile: profiles.Profile, part: Part) -> list[str]:
    """Names of the records without which a part of the paper is not shown and the profile does not have.

    One seed is enough to show it; of several it is the one that lacks least.  A part that the profile leaves
    out counts as missing.
    """
    choose("part", part, PARTS)
    if not plans(profile, part):
        return [f"{part} of profile {profile.name}"]
    needed: list[set[str]]
    if part in STANDALONE:
        needed = [{part}]
    else:
        needed = [_needed(profile, part, seed) for seed in seeds_of(profile, part)]
    absent = [
        sorted(name for name in names if not store.path(profile.name, name).is_file())
        for names in needed
    ]
    return min(absent, key=len)


def _needed(profile: profiles.Profile, part: Part, seed: int) -> set[str]:
    """The records of one seed, and of the classifier alone, from which a part is shown."""
    role = "unseen_classifier" if part == "figure6" else "classifier"
    names = {Experiment(profile, "none", "clean", 0, role).evaluation_run}
    for variant, distortions in CORE.get(part, PARTS[part]):
        x = Experiment(profile, variant, distortions, seed, role)
        # What is trained for `sampling` is judged on validation images, while it is.
        names.add(x.recovery_run if x.variant.share else x.evaluation_run)
    return names


def pages(profile: profiles.Profile, *, there: bool) -> list[str]:
    """Results notebooks of a profile: those whose records are all there, or all that it plans."""
    if there:
        return [page for page, part in PAGES.items() if not missing(profile, part)]
    return [page for page, part in PAGES.items() if plans(profile, part)]


def with_records(
    names: Sequence[str] | None = None, *, part: Part = "table2"
) -> list[profiles.Profile]:
    """The profiles to show, the strongest first.

    Args:
        names: which ones; None means QRLIB_PROFILE, else all but smoke.
        part: a profile without all records of this part is left out.
    """
    if not names:
        named = os.environ.get("QRLIB_PROFILE")
        names = [named] if named else [name for name in profiles.names() if name != "smoke"]
    loaded = [profiles.load(name) for name in names]
    there = [p for p in loaded if not missing(p, part)]
    return sorted(there, key=strength)


def strength(profile: profiles.Profile) -> tuple[Any, ...]:
    """What profiles are sorted by: the paper's setting, larger images, longer training, the quick one last."""
    size, epochs = profile.data.image_size, profile.recovery.epochs
    return not profile.comparable, profile.name == QUICK, -size, -epochs, profile.name


def notebooks(profile: profiles.Profile) -> dict[str, str]:
    """Record -> the notebook that wrote it, both by name without their endings."""
    notebook_of = {}
    for x in experiments_of(profile):
        notebook_of[x.training_run] = x.training_run
        notebook_of |= {x.judged_by(role).evaluation_run: x.training_run for role in x.judges}
    alone = (timed(profile).timing_run, "conventions", *STANDALONE)
    return notebook_of | {run: run for run in alone}


def recorded() -> list[str]:
    """Profiles whose evaluations are there, by name."""
    return [
        p for p in profiles.names() if files.visible(paths.results(p), "records/evaluation-*.json")
    ]
