"""What QRNet learns from: every way against RecNet, and whether labels or a heavy teacher are needed."""

import pytest
from support.frames import record, unpadded
from support.made_records import made_record

from qrlib.experiments import profiles
from qrlib.records import store
from qrlib.report import teachers
from qrlib.report.figures import changes

PROFILE = profiles.load("caltech101-half")
#: By judge: restorer -> accuracy on clean, noisy and blurred images.
MADE = {
    "efficientnet_lite0": {
        "recnet-multiple": (0.8, 0.5, 0.5),
        "qrnet-multiple": (0.8, 0.6, 0.6),
        "qrnet_classification_only-multiple": (0.5, 0.4, 0.55),
        "qrnet_unlabelled-multiple": (0.8, 0.6, 0.6),
    },
    "resnet50": {
        "recnet-multiple": (0.9, 0.5, 0.6),
        "qrnet-multiple": (0.9, 0.6, 0.5),
        "qrnet_of_second-multiple": (0.9, 0.7, 0.5),
        "qrnet_of_unseen-multiple": (0.9, 0.8, 0.7),
    },
    "vgg16": {"qrnet-multiple": (0.9, 0.6, 0.5)},
}


@pytest.fixture
def _records(folders):
    for judge, each in MADE.items():
        for restorer, accuracies in each.items():
            rows = record(restorer, 0, *accuracies, n=4000, profile=PROFILE.name, classifier=judge)
            name = f"evaluation-{restorer}-{judge}-seed0"
            store.write(made_record(name, profile=PROFILE.name, rows=rows))


@pytest.mark.usefixtures("_records")
def test_each_teacher_is_held_against_none_before_every_classifier():
    methods = teachers.teachers(PROFILE)
    assert methods["mqrnet"] == "EfficientNet-Lite0 and VGG16"
    assert "qrnet_of_light-multiple" not in methods, "this profile has no light classifier"
    roles = teachers.judges(PROFILE, methods)
    assert roles == ["classifier", "unseen_classifier"], "VGG16 has no RecNet to compare with"
    frame = teachers.table(PROFILE, methods, roles)
    cells = frame.set_index(["judge", "method", "distortion"])
    other = cells.loc[("resnet50", "qrnet_of_second-multiple", "noise")]
    assert (other["ours"], other["gain"], other["verdict"]) == (
        pytest.approx(0.7), pytest.approx(0.2), "better",
    )  # fmt: skip
    assert cells.loc[("resnet50", "qrnet", "blur"), "verdict"] == "worse"
    assert set(cells.loc[(slice(None), teachers.BASE), "verdict"]) == {""}
    shown = unpadded(teachers.render_table(frame, "teachers"))
    assert "| ResNet-50 | VGG16 | – | 0.900 " in shown, "no minutes are known"
    assert "0.700 (+0.200 ± 0.011, better)" in shown
    assert teachers.in_words(frame)[1] == (
        "Learned from EfficientNet-Lite0, judged by ResNet-50, against RecNet: better under noise (+0.100), "
        "worse under blur (−0.100)."
    )
    assert teachers.own_against_others(PROFILE, roles) == [
        "Learned from EfficientNet-Lite0 rather than from VGG16, judged by ResNet-50: no clear difference on clean "
        "images (+0.000), worse on noisy images (−0.100) and no clear difference on blurred images (+0.000)."
    ]
    axes = changes.by_teacher(frame).axes
    assert [text.get_text() for text in axes[0].get_yticklabels()] == [
        "EfficientNet-Lite0",
        "VGG16",
        "ResNet-50",
    ]


@pytest.mark.usefixtures("_records")
def test_better_than_recnet_may_be_worse_than_nothing():
    for judge in MADE:
        rows = record("none", 0, 0.9, 0.7, 0.4, n=4000, profile=PROFILE.name, classifier=judge)
        store.write(made_record(f"evaluation-none-{judge}", profile=PROFILE.name, rows=rows))
    frame = teachers.table(PROFILE, teachers.teachers(PROFILE), ["unseen_classifier"])
    assert frame["method"].iloc[0] == "none"
    assert teachers.in_words(frame)[0] == (
        "Learned from EfficientNet-Lite0, judged by ResNet-50, against RecNet: better under noise (+0.100), worse "
        "under blur (−0.100). Under noise it is still worse than no restorer."
    )
    drawn = changes.by_teacher(frame).axes[0].get_yticklabels()
    assert "nobody" not in " ".join(text.get_text() for text in drawn)
    assert teachers.in_words(frame, harm=True) == teachers.in_words(frame)[:1]
    assert "| ResNet-50 | nobody (images as they are) | – |" in unpadded(
        teachers.render_table(frame, "t")
    )


@pytest.mark.usefixtures("_records")
def test_claims_about_teachers_are_judged_before_a_classifier_that_taught_none():
    found = teachers.judged(PROFILE, teachers.teacher_claims(PROFILE))
    assert dict(zip(found["id"], found["verdict"], strict=True)) == {
        "help-for-others": "does not hold",  # more under noise, less under blur
        "own-advice-better": "holds",
        "qrnet_of_second-multiple-like-qrnet": "does not hold",
    }


@pytest.mark.usefixtures("_records")
def test_labels_are_compared_directly():
    assert teachers.without_labels(PROFILE) == (
        "Without labels, against with labels: no clear difference on clean images (+0.000), no clear difference "
        "on noisy images (+0.000) and no clear difference on blurred images (+0.000)."
    )


def test_a_training_that_broke_down_is_told():
    name = "qrnet_classification_only-multiple"
    record = made_record(f"{name}-efficientnet_lite0-seed0", "recovery", profile=PROFILE.name)

    def ended(*accuracies):
        epochs = [
            {"epoch": i, "seconds": 1.0, "val_efficientnet_lite0_accuracy": value}
            for i, value in enumerate(accuracies, start=1)
        ]
        record["training"] = {"epochs": epochs, "best_epoch": 2}
        store.write(record)
        return teachers.ended_early(PROFILE, [name])

    (said,) = ended(0.5, 0.6, 0.01)
    assert (
        "ended after 3 of 12 epochs. The network of epoch 2 is judged. The training broke" in said
    )
    assert "recognised 60 % of the restored validation images, and 1 % in the last." in said
    (said,) = ended(0.5, 0.6, 0.59)
    assert said.endswith("is judged.")
    assert ended(*[0.6] * 12) == []


@pytest.mark.usefixtures("_records")
def test_claims_about_labels_and_pixels():
    found = teachers.judged(PROFILE, teachers.LOSS_CLAIMS).set_index("id")
    assert found["verdict"].to_dict() == {
        "labels-not-needed": "holds",
        "gradient-needed-without-labels": "holds",
        "pixels-needed": "holds",
        "more-weight": "not judged",
    }
    frame = teachers.table(PROFILE, teachers.LOSSES, ["classifier"])
    assert set(frame["taught"]) == {
        words for key, words in teachers.LOSSES.items() if "lambda" not in key
    }
