"""Profiles: one YAML file in profiles/ holds every setting of a set of runs."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Mapping
from typing import Any, NoReturn, get_args

from pydantic import BaseModel, ValidationError

from qrlib.experiments.settings import NAME, ROLES, Profile
from qrlib.records import provenance
from qrlib.utils import files, paths, strict_yaml
from qrlib.utils.errors import QrlibError, choose


def names() -> list[str]:
    """The profiles there are."""
    return [path.stem for path in files.visible(paths.root() / "profiles", "*.yaml")]


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
        dataset, classifier: in place of the profile's.  If the classifier has another part in the profile, the
            two change places.
        overrides: dotted settings, as a mapping or as text: ``recovery.epochs=2 seeds=[0]``.

    Raises:
        QrlibError: unknown profile or setting (the valid ones are listed), or a value of the wrong type.
    """
    name = choose("profile", name or os.environ.get("QRLIB_PROFILE") or "quick", names())
    check_name(name)
    path = paths.root() / "profiles" / f"{name}.yaml"
    values = strict_yaml.read(path, "profile")
    changes = parse_overrides(overrides)
    if dataset is not None:
        from qrlib.data import DATASETS

        changes["data.dataset"] = choose("dataset", dataset, DATASETS)
    if "name" in values or "name" in changes:
        raise QrlibError(
            f"{path.name}: the name of a profile is that of its file; name is no setting"
        )
    profile = _build({**values, "name": name}, path.name)
    if classifier is not None:
        changes = _with_classifier(profile, classifier) | changes
    config = profile.model_dump()
    for key, value in changes.items():
        group, setting = _group(config, key)
        group[setting] = value
    changed = _build(config, "overrides")
    after = {key: value_of(changed, key) for key in changes}
    effective = {key: after[key] for key in changes if after[key] != value_of(profile, key)}
    if not effective:
        return profile
    said = ", ".join(f"{key}={value}" for key, value in effective.items())
    own = {"name": f"{name}+{provenance.config_hash(effective)[:8]}", "comparable": False}
    own["label"] = f"{changed.label}, changed: {said}"
    return changed.model_copy(update=own)


def value_of(profile: Profile, key: str) -> Any:
    """The setting of a dotted name; None of a group that the profile does not have."""
    found: Any = profile
    for name in key.split("."):
        found = getattr(found, name, None)
    return found.model_dump() if isinstance(found, BaseModel) else found


def _with_classifier(profile: Profile, name: str) -> dict[str, Any]:
    """What changes if another architecture is the profile's classifier."""
    from qrlib.classifiers import ARCHITECTURES

    choose("classifier", name, ARCHITECTURES)
    for role in ROLES:
        other = getattr(profile, role)
        if other is not None and other.name == name:
            swapped = {"classifier": other, role: profile.classifier}
            return {
                f"{r}.{key}": value for r, settings in swapped.items() for key, value in settings
            }
    imagenet = ARCHITECTURES[name].imagenet
    named = {"name": name, "weights": "imagenet" if imagenet else None, "preprocessing": None}
    if not imagenet:
        named["trainable"] = "all"
    return {f"classifier.{key}": value for key, value in named.items()}


def check_name(name: str) -> str:
    """Return a profile's name if it can be part of a path and of a command, else raise `QrlibError`."""
    if not re.fullmatch(NAME, name) or len(name) > 200:  # of 255 that a file's name may have
        raise QrlibError(
            f"the name of a profile is of letters, digits and . _ + -, not {name!r}: rename its file"
        )
    return name


def parse_overrides(overrides: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Dotted name of a setting -> its new value, as `load` takes them."""
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


def _group(config: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """The group of settings that a dotted name lies in, and its name there."""
    *groups, setting = key.split(".")
    for i, name in enumerate(groups, start=1):
        config = config.setdefault(name, {})  # a group that there is not is refused on building
        if not isinstance(config, dict):
            raise QrlibError(f"setting {'.'.join(groups[:i])!r} has no parts; cannot set {key!r}")
    if isinstance(group := config.get(setting), dict):
        example = f"{key}.{next(iter(group))}"
        raise QrlibError(f"{key!r} is a group of settings; set one of its parts, such as {example}")
    return config, setting


def _build(values: dict[str, Any], where: str) -> Profile:
    try:
        return Profile.model_validate(values)
    except ValidationError as error:
        _refuse(error, where)


def _refuse(error: ValidationError, where: str) -> NoReturn:
    """Raise what pydantic found as one line; unknown names first, for what lacks may be one misspelt."""
    problems = error.errors(include_url=False)
    unknown = [problem for problem in problems if problem["type"] == "extra_forbidden"]
    missing = [".".join(map(str, p["loc"])) for p in problems if p["type"] == "missing"]
    if missing and not unknown:
        raise QrlibError(f"{where} lacks {', '.join(missing)}")
    problem = (unknown or problems)[0]
    if not problem["loc"]:  # of several settings together
        raise QrlibError(f"{where}: {problem['msg'].removeprefix('Value error, ')}")
    *groups, name = problem["loc"]
    setting, given = ".".join(map(str, problem["loc"])), problem["input"]
    if unknown:
        model: Any = Profile.model_fields[str(groups[0])].annotation if groups else Profile
        model = next(kind for kind in (model, *get_args(model)) if hasattr(kind, "model_fields"))
        valid = [field for field in model.model_fields if field != "name" or groups]
        choose(" of ".join(["setting", *map(str, groups)]) + f" in {where}", name, valid)
    if problem["type"] == "literal_error":
        valid = re.findall(r"'(.*?)'", problem["ctx"]["expected"])
        choose(f"{setting} in {where}", given, valid)
    rule = re.sub(r"^(Value error,|Input|String|List|Keys) should ", "", problem["msg"])
    rule = re.sub(r"a valid dictionary or instance of \w+", "a group of settings", rule)
    rule = rule.partition(" after validation")[0]
    raise QrlibError(f"{where}: {setting} must {rule}, not {reprlib.repr(given)}")
