"""The archive holds what it names, of one commit, and can be used."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from qrlib.utils import paths
from qrlib.utils.errors import QrlibError
from qrlib.workflow import ro_crate

ROOT = Path(__file__).resolve().parents[2]


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with one commit, a built book, and records of the quick profile."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "qrlib", root / "qrlib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "CITATION.cff", root / "CITATION.cff")
    (root / ".gitignore").write_text("_build\nresults/quick\n")
    weights = root / "results" / "caltech101" / "weights"
    weights.mkdir(parents=True)
    (weights / "qrnet-seed0.safetensors").write_bytes(b"weights")
    unfinished = root / "results" / "caltech101" / "runs" / "recnet-noise-seed0"
    unfinished.mkdir(parents=True)
    (unfinished / "best.safetensors").write_bytes(b"weights")
    (root / "results" / "caltech101" / "split-012345.json").write_text("{}")
    git(tmp_path, "init", "-q", str(root))
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    (root / "_build" / "html").mkdir(parents=True)
    (root / "_build" / "html" / "index.html").write_text("<h1>The book</h1>")
    records = root / "results" / "quick" / "records"
    records.mkdir(parents=True)
    (records / "a.json").write_text("{}")
    monkeypatch.setenv("QRLIB_ROOT", str(root))
    monkeypatch.setattr(paths, "results", lambda profile: root / "results" / profile)
    return root


def test_all_parts_are_there_and_described(checkout, tmp_path):
    made = ro_crate.make(tmp_path / "all.zip")
    with zipfile.ZipFile(made) as content:
        metadata = json.loads(content.read("ro-crate-metadata.json"))
    entities = {e["@id"]: e for e in metadata["@graph"]}
    commit = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "HEAD"], text=True, capture_output=True
    ).stdout.strip()
    assert entities["code/"]["identifier"] == commit
    assert entities["./"]["about"] == {"@id": "https://doi.org/10.1109/ACCESS.2019.2932726"}
    assert entities["./"]["license"]["@id"].endswith("MIT")
    assert "code/results/caltech101/split-012345.json" in entities
    weights = entities["code/results/caltech101/weights/qrnet-seed0.safetensors"]
    assert weights["name"] == "Trained weights: caltech101, qrnet-seed0"
    unfinished = entities["code/results/caltech101/runs/recnet-noise-seed0/best.safetensors"]
    assert unfinished["name"] == "Trained weights: caltech101, recnet-noise-seed0"
    with zipfile.ZipFile(made) as content:
        names = content.namelist()
        assert len(names) == len(set(names))
        content.extractall(tmp_path / "unpacked")
    unpacked = tmp_path / "unpacked"
    assert (unpacked / "book" / "index.html").read_text() == "<h1>The book</h1>"
    assert (unpacked / "code" / "results" / "quick" / "records" / "a.json").is_file()
    assert not (unpacked / "code" / "_build").exists()
    code = "import qrlib; print(qrlib.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=unpacked / "code", text=True, capture_output=True
    )
    assert done.stdout.strip() == str(unpacked / "code" / "qrlib" / "__init__.py")


def test_an_archive_is_of_one_commit(checkout, tmp_path):
    (checkout / "CITATION.cff").write_text("changed")
    with pytest.raises(QrlibError, match=r"1 file.s. differ from the commit, first CITATION.cff"):
        ro_crate.make(tmp_path / "all.zip")
    assert not (tmp_path / "all.zip").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [("all.tar", "an archive is a .zip file"), ("there.zip", "is there already")],
)
def test_a_wrong_target_is_refused(checkout, tmp_path, name, message):
    (tmp_path / "there.zip").write_text("old")
    with pytest.raises(QrlibError, match=message):
        ro_crate.make(tmp_path / name)
    assert (tmp_path / "there.zip").read_text() == "old"


def test_without_a_book_or_a_checkout_the_way_out_is_named(checkout, tmp_path):
    shutil.rmtree(checkout / ".git")
    with pytest.raises(QrlibError, match="is no git checkout"):
        ro_crate.make(tmp_path / "all.zip")
    shutil.rmtree(checkout / "_build")
    with pytest.raises(QrlibError, match="run `make book` first"):
        ro_crate.make(tmp_path / "all.zip")
