"""Profiles: one YAML file in profiles/ holds every setting of a set of runs."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import reprlib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qrlib.records import provenance
from qrlib.utils import paths, strict_yaml
from qrlib.utils.errors import QrlibError, choose

#: Names become parts of paths and, in the Snakefile, of commands.
NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
#: No setting is larger; generators of random numbers take no larger seeds either.
LARGEST = 2**31 - 1
PRECISIONS = ("auto", "32-true", "16-mixed", "bf16-mixed")
SCHEDULES = ("constant", "cosine")
PAPER_SIZE = 224  # the side for which Section IV-A's blur strengths are meant

#: What of the paper a profile makes; `qrlib.experiments.plan.PARTS` says with which networks.
PARTS = ("table2", "table3", "table4", "figure6", "lambda", "pretraining")


@dataclasses.dataclass(frozen=True)
class Data:
    """What `qrlib.data.load` takes."""

    dataset: str
    image_size: int
    resize: str = "squash"
    split_seed: int = 0
    classes: int | None = None
    per_class: int | None = None

    @property
    def blur_scale(self) -> float:
        """Blur strengths are scaled with the image side, so that the same share is blurred."""
        return self.image_size / PAPER_SIZE


@dataclasses.dataclass(frozen=True)
class Classifier:
    """How a classifier is built and trained on clean images; one for all restorers.

    `input_size`: the side to which it resizes what it is shown, where that differs from the data's.
    """

    name: str
    weights: str | None = "imagenet"
    trainable: str = "fully_connected"
    head_width: int = 4096
    input_size: int | None = None
    epochs: int = 200
    patience: int = 5
    batch_size: int = 32
    learning_rate: float = 1e-3
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Recovery:
    """Algorithm 1; `classification_weight` is lambda of equations 4 and 5.

    `schedule`: "constant", as in the paper, or "cosine": the rate falls to 0 over all epochs.
    """

    epochs: int = 200
    pretrain_epochs: int = 10
    patience: int = 5
    batch_size: int = 32
    learning_rate: float = 1e-3
    schedule: str = "constant"
    classification_weight: float = 0.01
    dropout: float = 0.2


@dataclasses.dataclass(frozen=True)
class Profile:
    """Everything that decides a set of results.

    Attributes:
        label: what the numbers are, in a few words, for headings of tables and figures.
        comparable: whether the setting is the paper's, so that differences may be shown.
        classifier: the one that restorers learn from and are judged by; VGG16 in the paper.
        second_classifier: learned from as well in Figure 6; the paper's Inception V3.
        unseen_classifier: judges in Figure 6 and took no part in training; the paper's ResNet.
        seeds: one restorer of each method of Table 2 is trained for each.
        other_seeds: the same for what is trained beyond Table 2.
        parts: what of the paper is made, names of `PARTS`.
        ship_weights: whether the weights of QRNet and MQRNet are kept beside the records, for
            `qrlib.load_qrnet`.
    """

    name: str
    title: str
    label: str
    comparable: bool
    data: Data
    classifier: Classifier
    recovery: Recovery
    seeds: list[int]
    second_classifier: Classifier = Classifier("inception_v3")
    unseen_classifier: Classifier = Classifier("resnet50")
    other_seeds: list[int] = dataclasses.field(default_factory=lambda: [0])
    parts: list[str] = dataclasses.field(default_factory=lambda: list(PARTS))
    evaluation_batch: int = 32
    precision: str = "auto"
    devices: int = 1
    threads: int | None = None
    ship_weights: bool = False

    @property
    def choice(self) -> dict[str, str]:
        """Which results are this profile's own, for the functions that show or judge results."""
        return {
            "profile": self.name,
            "dataset": self.data.dataset,
            "classifier": self.classifier.name,
        }

    def config(self) -> dict[str, Any]:
        """As plain JSON values."""
        return dataclasses.asdict(self)


def names() -> list[str]:
    """The profiles there are."""
    return sorted(p.stem for p in (paths.root() / "profiles").glob("*.yaml"))


def load(
    name: str | None = None,
    *,
    dataset: str | None = None,
    classifier: str | None = None,
    overrides: Mapping[str, Any] | str | None = None,
) -> Profile:
    """Read a profile and change single settings of it.

    A changed profile gets a name of its own, so that its records never mix with the profile's.

    Args:
        name: None means QRLIB_PROFILE, else "quick".
        dataset, classifier: in place of the profile's.
        overrides: dotted settings, as a mapping or as text: ``recovery.epochs=2 seeds=[0]``.

    Raises:
        QrlibError: unknown profile or setting (the valid ones are listed), or a value of the wrong type.
    """
    name = choose("profile", name or os.environ.get("QRLIB_PROFILE") or "quick", names())
    check_name(name)
    path = paths.root() / "profiles" / f"{name}.yaml"
    values = read_yaml(path)
    changes = _parse(overrides)
    if dataset is not None:
        from qrlib.data import DATASETS

        changes["data.dataset"] = choose("dataset", dataset, DATASETS)
    if classifier is not None:
        from qrlib.classifiers import ARCHITECTURES

        changes["classifier.name"] = choose("classifier", classifier, ARCHITECTURES)
        changes.setdefault(
            "classifier.weights", "imagenet" if ARCHITECTURES[classifier].imagenet else None
        )
        if not ARCHITECTURES[classifier].imagenet:
            changes.setdefault("classifier.trainable", "all")
    if "name" in values or "name" in changes:
        raise QrlibError(
            f"{path.name}: the name of a profile is that of its file; name is no setting"
        )
    profile = _build(Profile, {"name": name, **values}, path.name)
    before = {key: _get(profile, key) for key in changes}  # refuses unknown settings
    for key, value in changes.items():
        section, _, setting = key.rpartition(".")
        (values.setdefault(section, {}) if section else values)[setting] = value
    changed = _build(Profile, {"name": name, **values}, "overrides")
    effective = {key: _get(changed, key) for key in changes if _get(changed, key) != before[key]}
    if not effective:
        return profile
    suffix = provenance.config_hash(effective)[:8]
    return dataclasses.replace(
        changed,
        name=f"{name}+{suffix}",
        label=f"{changed.label}, changed: " + ", ".join(f"{k}={v}" for k, v in effective.items()),
        comparable=False,
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """A profile's file as a dict."""
    values = strict_yaml.read(path, "profile")
    if not isinstance(values, dict):
        raise QrlibError(f"profile {path} must hold settings, not {type(values).__name__}")
    return values


def check_name(name: str) -> str:
    """Return a profile's name if it can be part of a path and of a command.

    Raises:
        QrlibError: anything but letters, digits, and ``. _ + -`` after the first.

    >>> check_name("quick+0a1b2c3d")
    'quick+0a1b2c3d'
    """
    if not re.fullmatch(NAME, name):
        raise QrlibError(
            f"the name of a profile is of letters, digits and . _ + -, not {name!r}: rename its file"
        )
    return name


def _parse(overrides: Mapping[str, Any] | str | None) -> dict[str, Any]:
    if not overrides:
        return {}
    if isinstance(overrides, str):
        pairs = {}
        for word in overrides.split():
            key, equals, value = word.partition("=")
            if not equals:
                raise QrlibError(f"override {word!r} is not of the form setting=value")
            try:
                pairs[key] = strict_yaml.parse(value)
            except QrlibError as error:
                raise QrlibError(
                    f"override {word!r} has no readable value; write lists without spaces"
                ) from error
        return pairs
    if not isinstance(overrides, Mapping):
        raise QrlibError(
            f"overrides must be text like 'recovery.epochs=2' or a mapping, not {overrides!r}"
        )
    return dict(overrides)


def _get(profile: Profile, key: str) -> Any:
    value: Any = profile
    done: list[str] = []
    for part in key.split("."):
        if not dataclasses.is_dataclass(value):
            raise QrlibError(f"setting {'.'.join(done)!r} has no parts; cannot set {key!r}")
        valid = [f.name for f in dataclasses.fields(value)]
        choose("setting" if not done else f"setting of {'.'.join(done)}", part, valid)
        value = getattr(value, part)
        done.append(part)
    if dataclasses.is_dataclass(value):
        raise QrlibError(
            f"{key!r} is a group of settings; set one of its parts, such as {key}.epochs"
        )
    return value


def _build(cls: Any, values: Mapping[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(cls)
    for key in values:
        choose(f"setting in {where}", key, hints)
    missing = [
        f.name
        for f in dataclasses.fields(cls)
        if f.name not in values
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise QrlibError(f"{where} lacks {', '.join(missing)}")
    built = cls(**{key: _typed(hints[key], value, key, where) for key, value in values.items()})
    if cls is Profile:
        _check_parts(built, where)
    return built


def _check_parts(profile: Profile, where: str) -> None:
    for part in profile.parts:
        choose(f"part in {where}", part, PARTS)
    choose(f"precision in {where}", profile.precision, PRECISIONS)
    choose(f"recovery.schedule in {where}", profile.recovery.schedule, SCHEDULES)
    for role in ("classifier", "second_classifier", "unseen_classifier"):
        name = getattr(profile, role).name
        if not re.fullmatch(NAME, name):
            raise QrlibError(f"{where}: {role}: no classifier is called {name!r}")
    if "table2" not in profile.parts:
        raise QrlibError(f"{where}: parts must hold table2, which the others are compared with")


def _typed(hint: Any, value: Any, key: str, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise QrlibError(
                f"{where}: {key} must be a group of settings, not {reprlib.repr(value)}"
            )
        return _build(hint, value, f"{where}: {key}")
    if typing.get_origin(hint) is list:
        (item,) = typing.get_args(hint)
        if not isinstance(value, list) or not value:
            raise QrlibError(
                f"{where}: {key} must be a list of {item.__name__}, not {reprlib.repr(value)}"
            )
        return [_typed(item, v, key, where) for v in value]
    allowed = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if float in allowed and type(value) is int:
        value = float(value)
    if isinstance(value, str) and float in allowed:  # YAML 1.1 reads 1e-3 as text
        with contextlib.suppress(ValueError):
            value = float(value)
    if type(value) not in allowed:
        expected = " or ".join("nothing" if a is type(None) else a.__name__ for a in allowed)
        raise QrlibError(f"{where}: {key} must be {expected}, not {reprlib.repr(value)}")
    if type(value) is int and value < 1 and key.removesuffix("s") not in ("seed", "split_seed"):
        raise QrlibError(
            f"{where}: {key} must be a whole number of at least 1, not {reprlib.repr(value)}"
        )
    if type(value) is int and value > LARGEST:
        raise QrlibError(f"{where}: {key} must be at most {LARGEST}, not {reprlib.repr(value)}")
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and not 0 <= value < float("inf"):
        raise QrlibError(
            f"{where}: {key} must be a number of at least 0, not {reprlib.repr(value)}"
        )
    return value
