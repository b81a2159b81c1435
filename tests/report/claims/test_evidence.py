"""What there is to judge: one profile, one classifier, and perhaps an unseen one."""

from support.frames import run, runs, timing
from support.made_records import training_record

from qrlib.records.selection import Selection
from qrlib.report.claims.evidence import Evidence

VGG16 = Selection(classifier="vgg16")


def results():
    judged = [run("none", 0, 0.9, 0.6, 0.3), run("qrnet-multiple", 0, 0.9, 0.8, 0.7)]
    other = {"classifier": "resnet50", "n": 90}
    judged += [
        run("none", 0, 0.8, 0.5, 0.2, **other),
        run("mqrnet-multiple", 0, 0.8, 0.7, 0.6, **other),
    ]
    judged += [run("none", 0, 0.7, 0.4, 0.1, classifier="inception_v3")]
    return runs(*judged)


def test_the_unseen_classifier_has_rows_of_its_own():
    evidence = Evidence(results(), VGG16, unseen="resnet50")
    assert evidence.n == 400
    assert set(evidence.rows("accuracy", unseen=True)["n"]) == {90}
    assert set(evidence.rows("accuracy")["classifier"]) == {"vgg16"}
    assert Evidence(results(), VGG16).rows("accuracy", unseen=True) is None


def test_what_lacks_is_said_once():
    evidence = Evidence(results(), VGG16)
    needs = [
        ("accuracy", False, "none"),
        ("accuracy", False, "recnet-noise"),
        ("accuracy", False, "recnet-noise"),
        ("accuracy", True, "qrnet-multiple"),
        ("psnr", False, "none"),
        ("milliseconds_per_image", False, "none"),
        ("seconds_per_epoch", False, "qrnet-multiple"),
    ]
    assert evidence.lacks(needs) == [
        "RecNet (noise)",
        "QRNet under an unseen classifier",
        "no restoration (PSNR)",
        "no restoration (ms an image)",
        "QRNet (s an epoch)",
    ]


def test_times_and_trainings():
    evidence = Evidence(
        results(),
        VGG16,
        times=timing("none", "milliseconds_per_image", 2.0),
        training=[training_record("qrnet-multiple", 0.01)],
    )
    assert list(evidence.rows("milliseconds_per_image")["value"]) == [2.0]
    epochs = evidence.rows("seconds_per_epoch")
    assert list(epochs["restorer"]) == ["qrnet-multiple"]
    assert list(epochs["value"]) == [20.0]
