"""What the runs do differently is read from their profiles."""

from qrlib.experiments import profiles
from qrlib.report import run_settings


def test_a_run_is_a_column_and_leads_to_its_page():
    shown = [profiles.load(name) for name in ("caltech101-day", "smoke")]
    rows = {row[0]: row[1:] for row in run_settings.table(shown)}
    assert rows["resizing"] == ["not said", "nearest neighbour", "antialiased bilinear"]
    assert rows["batch"][:2] == ["32", "8 clean and as many distorted"]
    assert rows["of it the classifier sees"] == ["all", "12.5 %", "100 %"]
    own = shown[0].classifier.model_copy(update={"weights": "own.safetensors"})
    mine = shown[0].model_copy(update={"classifier": own})
    told = {row[0]: row[1:] for row in run_settings.table([mine])}
    assert told["classifier"][1].startswith("VGG16, weights from a file")
    markup = run_settings.render(shown, "settings").html
    assert '<a href="../runs/caltech101-day.html">Caltech101 in a day</a>' in markup
    assert '<th scope="col">Smoke</th>' in markup  # no page is about it
