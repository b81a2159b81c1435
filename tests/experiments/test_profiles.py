"""Profiles: every setting is known, typed, and named in the error when it is not."""

from __future__ import annotations

import pytest
import yaml

from qrlib import paper
from qrlib.experiments import profiles
from qrlib.experiments.settings import ROLES
from qrlib.utils.errors import QrlibError

SHIPPED = profiles.names()


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles_load(name):
    profile = profiles.load(name)
    assert profile.name == name
    assert profile.seeds
    whole = not profile.data.classes and not profile.data.learned_per_class
    assert profile.comparable == (profile.data.image_size == 224 and whole)
    assert profile.data.blur_scale == profile.data.image_size / 224


def test_the_papers_setting_is_the_papers():
    profile = profiles.load("caltech101")
    assert (profile.data.dataset, profile.data.image_size, profile.comparable) == (
        "caltech101", 224, True,
    )  # fmt: skip
    for name in ("learning rate", "batch size", "dropout", "lambda"):
        field = {"lambda": "classification_weight"}.get(name, name.replace(" ", "_"))
        assert getattr(profile.recovery, field) == paper.setting(name)
    assert profile.recovery.epochs == paper.setting("epochs at most")
    assert profile.recovery.patience == paper.setting("early stopping patience")
    assert (profile.classifier.name, profile.classifier.weights) == ("vgg16", "caffe")
    day = profiles.load("caltech101-day")
    assert profile.data == day.data
    assert profile.classifier.preprocessing == day.classifier.preprocessing


def test_quick_and_smoke_need_no_download():
    for name in ("quick", "smoke"):
        profile = profiles.load(name)
        assert profile.data.dataset == "caltech101-small"
        for role in ROLES:
            settings = getattr(profile, role)
            assert settings.weights is None or settings.name == "efficientnet_lite0"
        assert not profile.comparable


def test_quick_is_the_default(monkeypatch):
    assert profiles.load().name == "quick"
    monkeypatch.setenv("QRLIB_PROFILE", "smoke")
    assert profiles.load().name == "smoke"
    assert profiles.load("quick").name == "quick"


REFUSED = {
    "recovery.epoch=2": ("unknown setting of recovery in overrides 'epoch'", "epochs, pretrain"),
    "recover.epochs=2": (
        "setting in overrides 'recover' (did you mean 'recovery'?)",
        "title, label",
    ),
    "second_classifier.epoch=2": ("unknown setting of second_classifier in overrides 'epoch'",),
    "light_classifier.epoch=2": ("unknown setting of light_classifier in overrides 'epoch'",),
    "seed=2": ("unknown setting in overrides 'seed' (did you mean 'seeds'?)",),
    "name=x": ("name is no setting",),
    "recovery=2": ("'recovery' is a group of settings", "recovery.epochs"),
    "parts=[table2,figure6] unseen_classifier.name=small_vgg": (
        "classifier and unseen_classifier are all small_vgg",
        "another name",
    ),
    "second_classifier=vgg16": ("'second_classifier' is a group of settings",),
    "seeds.first=2": ("setting 'seeds' has no parts", "'seeds.first'"),
    "recovery.epochs=many": ("overrides: recovery.epochs must be a valid integer, not 'many'",),
    "recovery.epochs=1.5": ("epochs must be a valid integer, not 1.5",),
    "recovery.epochs=true": ("epochs must be a valid integer, not True",),
    "recovery.epochs=null": ("epochs must be a valid integer, not None",),
    "recovery.epochs=-1": ("epochs must be greater than or equal to 1, not -1",),
    "recovery.epochs=2147483648": ("epochs must be less than or equal to 2147483647, not 21",),
    "recovery.learning_rate=-1e-3": (
        "learning_rate must be greater than or equal to 0, not -0.001",
    ),
    "recovery.learning_rate=fast": ("learning_rate must be a valid number, not 'fast'",),
    "recovery.learning_rate=.nan": ("must be a finite number, not nan",),
    "recovery.learning_rate=.inf": ("must be a finite number, not inf",),
    "recovery.schedule=cosin": ("unknown recovery.schedule in overrides 'cosin'", "mean 'cosine'?"),
    "recovery.classifier_share=0": ("recovery.classifier_share must be greater than 0, not 0",),
    "recovery.classifier_share=2": ("must be less than or equal to 1, not 2",),
    "recovery.crop=300": ("recovery.crop must divide data.image_size 32", "take 16"),
    "recovery.crop=8": ("kernel of 5.57143 pixels; 8 does not: take 16",),
    "recovery.crop=16": ("has no use while the classifier sees every image",),
    "recovery.dropout=-1": ("dropout must be greater than or equal to 0, not -1",),
    "recovery.dropout=1": ("dropout must be less than 1, not 1",),
    "data.classes=x": ("data.classes must be a valid integer, not 'x'",),
    "classifier.weights=3": ("weights must be a valid string, not 3",),
    "classifier.name=../vgg16": ("classifier.name must match pattern", "not '../vgg16'"),
    "standalone_images=0": ("standalone_images must be greater than or equal to 1, not 0",),
    "noise_sigmas=[1,2]": ("noise_sigmas must have at least 5 items",),
    "noise_sigmas=[20.0,40.0,40.0,80.0,100.0]": (
        "noise_sigmas must hold different strengths, weakest first",
    ),
    "noise_sigmas=[0.0,40.0,60.0,80.0,100.0]": ("noise_sigmas.0 must be greater than 0, not 0.0",),
    "classifier.trainable=frozen": (
        "unknown classifier.trainable in overrides 'frozen'; valid: fully_connected, all",
    ),
    "data.resize=foo": ("unknown data.resize in overrides 'foo'; valid: squash, nearest, crop",),
    "data.learned_per_class=1": ("learned_per_class must be greater than or equal to 2, not 1",),
    "parts=[corruptions]": ("overrides: parts must hold table2 or main, which",),
    "comparable=1": ("comparable must be a valid boolean, not 1",),
    "seeds=0": ("seeds must be a valid list, not 0",),
    "seeds=[]": ("seeds must have at least 1 item, not []",),
    "seeds=[0,true]": ("seeds.1 must be a valid integer, not True",),
    "seeds=[-1]": ("seeds.0 must be greater than or equal to 0, not -1",),
    "seeds=[0, 1]": ("override 'seeds=[0,' has no readable value", "without spaces"),
    "parts=[table2,table9]": ("unknown parts.1 in overrides 'table9'", "main, table2, table3"),
    "parts=[table4]": ("overrides: parts must hold table2 or main, which",),
    "recovery.epochs": ("override 'recovery.epochs' is not of the form setting=value",),
}


def refused(*parts, **options):
    """The one line in which a profile is refused holds these parts."""
    with pytest.raises(QrlibError) as error:
        profiles.load(**options)
    assert "\n" not in str(error.value)
    assert [part for part in parts if part not in str(error.value)] == [], error.value


@pytest.mark.parametrize("override", REFUSED)
def test_wrong_overrides_are_refused_in_one_line(override):
    refused(*REFUSED[override], name="smoke", overrides=override)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"name": "quik"}, ["'quik' (did you mean 'quick'?)", *SHIPPED]),
        ({"dataset": "mnist"}, ["'mnist'", "caltech101, caltech256, caltech101-small"]),
        ({"classifier": "vgg"}, ["'vgg'", "inception_v3", "small_resnet"]),
        ({"overrides": ["x"]}, ["overrides must be text like", "or a mapping"]),
    ],
)
def test_wrong_names_list_the_valid_ones(options, parts):
    refused(*parts, **options)


def test_overrides_as_text_and_as_mapping():
    text = profiles.load("smoke", overrides="recovery.epochs=2 seeds=[3,4] precision=32-true")
    mapping = profiles.load(
        "smoke", overrides={"precision": "32-true", "seeds": [3, 4], "recovery.epochs": 2}
    )
    assert text.name == mapping.name
    assert text.model_dump() | {"label": ""} == mapping.model_dump() | {"label": ""}
    assert (text.recovery.epochs, text.seeds, text.precision) == (2, [3, 4], "32-true")
    assert text.recovery.batch_size == profiles.load("smoke").recovery.batch_size


def test_a_changed_profile_has_a_name_of_its_own():
    plain = profiles.load("smoke")
    one = profiles.load("smoke", overrides="recovery.epochs=2")
    two = profiles.load("smoke", overrides="recovery.epochs=3")
    assert len({plain.name, one.name, two.name}) == 3
    assert one.name.startswith("smoke+")
    assert "recovery.epochs=2" in one.label
    assert not one.comparable
    assert profiles.load("smoke", overrides="recovery.epochs=2") == one
    back = profiles.load("caltech101-half", overrides="recovery.schedule=constant")
    assert "recovery.schedule=constant" in back.label, "also where that is the default"


@pytest.mark.parametrize(
    "override", ["", None, {}, "recovery.epochs=1", "recovery.learning_rate=1e-3", "seeds=[0]"]
)
def test_a_change_that_changes_nothing_is_the_same_profile(override):
    assert profiles.load("smoke", overrides=override) == profiles.load("smoke")


@pytest.mark.parametrize("value", ["1e-3", "0.001", "1.0e-3"])
def test_floats_in_any_spelling(value):
    profile = profiles.load("quick", overrides=f"recovery.classification_weight={value}")
    assert profile.recovery.classification_weight == 0.001
    assert type(profiles.load("quick", overrides="recovery.dropout=0").recovery.dropout) is float


def test_another_classifier_brings_its_weights():
    profile = profiles.load("smoke", classifier="vgg16")
    assert (profile.classifier.name, profile.classifier.weights) == ("vgg16", "imagenet")
    assert profile.name != "smoke"
    small = profiles.load("smoke", classifier="small_resnet")
    assert (small.classifier.weights, small.classifier.trainable) == (None, "all")
    assert profiles.load("smoke", classifier="small_vgg") == profiles.load("smoke")
    day = profiles.load("caltech101-day")
    changed = profiles.load("caltech101-day", classifier="resnet50")
    assert (changed.classifier, changed.unseen_classifier) == (
        day.unseen_classifier,
        day.classifier,
    )
    small = profiles.load("caltech101-day", classifier="small_vgg").classifier
    assert (small.weights, small.preprocessing) == (None, None)  # and not as Keras' VGG16
    assert profiles.load("smoke", dataset="caltech101").data.dataset == "caltech101"


@pytest.fixture
def project(folders, monkeypatch):
    """A project with one profile of its own."""
    (folders / "profiles").mkdir()
    monkeypatch.setenv("QRLIB_ROOT", str(folders))
    return folders / "profiles" / "mine.yaml"


def minimal(**changes):
    """The text of a profile with what it must have."""
    values = {
        "title": "t", "label": "l", "comparable": False, "seeds": [0],
        "data": {"dataset": "caltech101-small", "image_size": 32},
        "classifier": {"name": "small_vgg"}, "recovery": {},
    }  # fmt: skip
    return yaml.safe_dump({**values, **changes})


def test_defaults_are_the_papers(project):
    project.write_text(minimal())
    profile = profiles.load("mine")
    recovery, classifier = profile.recovery, profile.classifier
    assert (recovery.epochs, recovery.patience, recovery.batch_size) == (200, 5, 32)
    assert (recovery.learning_rate, recovery.classification_weight) == (1e-3, 0.01)
    assert (recovery.dropout, classifier.trainable) == (0.2, "fully_connected")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a: [", ["profile ", "mine.yaml cannot be read: line 1: "]),
        ("- a", ["mine.yaml cannot be read: it must hold settings, not list"]),
        ("seeds: [1]\nseeds: [2]", ["mine.yaml", 'line 2: found duplicate key "seeds"']),
        ("seeds: &a [*a]", ["mine.yaml", "aliases (*name) are not allowed"]),
        (minimal(colour="red"), ["setting in mine.yaml 'colour'", "valid: title"]),
        (minimal(recovery={"epoch": 1}), ["setting of recovery in mine.yaml 'epoch'", "epochs"]),
        (minimal(recovery=3), ["mine.yaml: recovery must be a group of settings, not 3"]),
        (minimal(data={"dataset": "x"}), ["mine.yaml lacks data.image_size"]),
        ("title: x", ["mine.yaml lacks label, comparable, data, classifier, recovery, seeds"]),
        ("tilte: x", ["unknown setting in mine.yaml 'tilte' (did you mean 'title'?)"]),
    ],
)
def test_a_damaged_profile_is_named(project, text, parts):
    project.write_text(text)
    refused(*parts, name="mine")


def test_1e_4_is_a_number(project):
    project.write_text(minimal().replace("{}", "{learning_rate: 1e-4}"))
    assert profiles.load("mine").recovery.learning_rate == 1e-4
