"""No file from outside runs code, no setting does, and what is downloaded is checked.

That no module calls what would, `make lint` sees (S102, S301 and others of ruff).  Bad files of all
kinds, those with code among them: `test_bad_input.py`.
"""

from __future__ import annotations

import ast
import io
import pickle
import re
import string
from pathlib import Path

import pytest
import torch
from support.corpus import MARK, Runs
from support.project import ROOT

from qrlib import weights
from qrlib.book import notebooks
from qrlib.data import caltech
from qrlib.experiments import plan, profiles
from qrlib.training import loop
from qrlib.utils.errors import QrlibError
from qrlib.workflow import run


def test_a_checkpoint_with_code_is_refused(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folders)
    buffer = io.BytesIO()
    torch.save({"callbacks": Runs()}, buffer)
    for content in (buffer.getvalue(), pickle.dumps(Runs())):
        (folders / "last.ckpt").write_bytes(content)
        with pytest.raises(QrlibError, match=r"last\.ckpt is damaged"):
            loop._peek(folders / "last.ckpt", loop._Recorder(folders, 5))
    assert not (folders / MARK).exists()


@pytest.mark.parametrize("name", weights.TORCHVISION)
def test_downloaded_weights_are_checksummed(
    folders: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked = {}

    def download(url, *_, **options):
        asked.update(options, url=url)
        raise OSError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    with pytest.raises(QrlibError, match="no network"):
        weights.load(name, "imagenet")
    assert asked["check_hash"] is asked["weights_only"] is True
    assert re.search(r"-([0-9a-f]{8,})\.pth$", asked["url"])  # check_hash reads it from there


def test_downloaded_images_are_checksummed() -> None:
    """By torchvision, for all that it downloads."""
    import torchvision

    source = Path(torchvision.datasets.caltech.__file__).read_text("utf-8")
    hashes = re.findall(r'md5="([0-9a-f]{32})"', source)
    assert len(hashes) == source.count("download_and_extract_archive(") == len(caltech.LAYOUTS)


# --- what goes into commands -------------------------------------------------------------------


def test_only_checked_names_reach_a_shell() -> None:
    """Names of profiles and classifiers are checked when a profile is read; the rest is ours."""
    fields = set()
    for line in (ROOT / "Snakefile").read_text("utf-8").splitlines():
        if re.search(r'ENVIRONMENT|EXECUTE_|"&& |-m qrlib|jupyter-book|-p variant', line):
            for literal in re.findall(r'"([^"]*)"', line):
                fields |= {field for _, field, _, _ in string.Formatter().parse(literal) if field}
    ours = {"PY", "PYTHON", "BIN", "RECORDED", "threads"}
    ours |= {"output", "input.notebook", "log.notebook"}
    named = {"NAME", "params.name", "params.parameters", "params.records"}
    named |= {"wildcards.part", "wildcards.profile"}
    named |= {
        "CLASSICAL[w.filter].variant_name",
        "TIMED.timing_run",
        "x.variant_name",
        "x.distortions",
        "x.seed",
    }
    assert {"NAME", "params.name", "params.parameters", "PY"} <= fields
    assert fields <= ours | named


@pytest.mark.parametrize("name", profiles.names())
def test_names_of_runs_are_names(name: str) -> None:
    for x in plan.experiments_of(profiles.load(name)):
        words = [x.classifier_run, x.classifier.name, x.variant_name, x.distortions, str(x.seed)]
        words += [] if x.variant_name == "none" else [x.recovery_run]
        words += [x.judged_by(role).evaluation_run for role in x.judges]
        assert all(re.fullmatch(profiles.NAME, word) for word in words)


@pytest.mark.parametrize(
    "value", ["x\nimport os", '"; import os; os.system("id") #', "'''", "\\", "{PY}", "\u2028"]
)
def test_a_parameter_of_a_notebook_is_a_value(value: str) -> None:
    """Papermill writes parameters into a cell as Python."""
    from papermill.translators import papermill_translators

    code = papermill_translators.find_translator("python3", "python").codify({"profile": value})
    (statement,) = ast.parse(code).body
    assert isinstance(statement, ast.Assign)
    assert ast.literal_eval(statement.value) == value
    with pytest.raises(QrlibError, match="unknown profile"):
        profiles.load(value)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "-x", "x y", "/tmp"])
def test_commands_that_write_take_names_of_profiles_only(
    folders: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("QRLIB_ROOT", str(folders))
    (folders / "a.ipynb").write_text("{}")
    with pytest.raises(QrlibError, match="the name of a profile"):
        run.publish(folders / "a.ipynb", name, folders / "stamp", ["x"])
    with pytest.raises(QrlibError, match="the name of a profile"):
        notebooks.assemble([name])
    assert sorted(path.name for path in folders.glob("*.ipynb")) == ["a.ipynb"]
    assert not (folders / "stamp").exists()
