"""Whatever a file holds: an error that names it, in one line, and nothing written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.corpus import MARK, PROFILE, RECORD, Bad, corpus, picture, tarred

from qrlib import data, models, weights
from qrlib.__main__ import main
from qrlib.data import caltech, packed
from qrlib.experiments import profiles, samples
from qrlib.records import store
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError

pytestmark = [pytest.mark.timeout(60), pytest.mark.filterwarnings("ignore")]


def each(kind, *stems):
    """A test for each bad file of a kind, or for some."""
    chosen = [bad for bad in corpus(kind) if not stems or Path(bad.name).stem in stems]
    assert len(chosen) >= len(stems)
    return pytest.mark.parametrize("bad", chosen, ids=lambda bad: ascii(bad.name))


def files(folder, apart=None):
    """Every file below a folder with its size and time; pipes and links as they are."""
    states = {}
    for where, _, names in os.walk(folder):
        for path in (Path(where, name) for name in names):
            if apart is None or apart not in path.parents:
                state = os.lstat(path)
                states[path] = (state.st_size, state.st_mtime_ns)
    return states


@pytest.fixture(autouse=True)
def _own_folder(folders, monkeypatch):
    """So that what code left behind would be found."""
    monkeypatch.chdir(folders)
    monkeypatch.setenv("QRLIB_CACHE", str(folders / "cache"))


@contextlib.contextmanager
def refused(folder, name, harmless=False, apart=None):
    """A block must end in a `QrlibError` that names the file; no file may be new or changed."""
    before, message = files(folder, apart), None
    try:
        yield
    except QrlibError as error:
        message = str(error)
    assert files(folder, apart) == before
    assert not (folder / MARK).exists()
    if message is None:
        assert harmless, "not refused"
        return
    assert "\n" not in message
    assert len(message) < 2000
    assert Path(name).stem in message or repr(Path(name).stem)[1:-1] in message, message


# --- images ------------------------------------------------------------------------------------


def may_pass(bad):
    """Pillow takes a wrong EXIF, profile or text for none; whatever it decodes is whole."""
    return bad.harmless or bad.name.startswith(("exif-", "text-bomb", "profile-"))


@pytest.fixture(scope="module")
def net():
    return models.QRNet(1)


@each("images")
def test_recover(folders, bad, net, capsys):
    weights.write(net.state_dict(), paths.results("quick") / "weights" / "qrnet-seed0.safetensors")
    source, out = folders / "in" / bad.name, folders / "out" / "restored.png"
    bad.write(source)
    out.parent.mkdir()
    before = files(folders)
    status = main(["recover", str(source), "--out", str(out), "--profile", "quick"])
    said = capsys.readouterr().err
    if status == 0:
        assert may_pass(bad)
        assert set(files(folders)) - set(before) == {out}
        with Image.open(out) as image:
            image.load()
    else:
        assert status == 2
        assert files(folders) == before
        assert said.startswith("error: ")
        assert said.count("\n") == 1
        assert bad.name in said


@pytest.fixture
def tree(folders, small_caltech):
    """Two classes of three good images."""
    root = folders / "data" / caltech.LAYOUTS["caltech101"].folder
    for name in ("ant", "bee"):
        for number in range(3):
            Bad("", picture("PNG")).write(root / name / f"image_{number}.png")
    return root


@each("images")
def test_data(folders, tree, bad):
    # Only some endings are read, whatever is in a file.
    name = "image_0009.jpg"
    bad.write(tree / "bee" / name)
    with refused(folders, name, may_pass(bad), apart=folders / "cache"):
        splits = data.load("caltech101", 16)
        assert len(splits.train) + len(splits.validation) + len(splits.test) == 7
    if not may_pass(bad):
        assert not list((folders / "cache").glob("*"))


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_names_that_are_not_utf_8(folders, tree):
    Bad("", picture("PNG")).write(tree / "bee" / os.fsdecode(b"caf\xe9.jpg"))
    before = files(folders)
    with pytest.raises(QrlibError, match=r"caf\\udce9\.jpg.*no.* name of"):
        data.load("caltech101", 16)
    assert files(folders) == before


@each("images", "program")
def test_a_program_named_as_an_image_reaches_no_interpreter(folders, monkeypatch, bad):
    """Pillow knows EPS by its first bytes, whatever a file's name, and would start Ghostscript."""
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(a))
    bad.write(folders / bad.name)
    with Image.open(folders / bad.name) as image:
        assert image.format == "EPS"
    with pytest.raises(QrlibError, match="program"):
        packed.read_image(folders / bad.name, 16, "squash")
    assert started == []


@pytest.mark.parametrize(
    "content",
    [b"", picture("WEBP", size=(24, 16))[:40], picture("PNG"), picture("WEBP", size=(16, 24))],
    ids=["empty", "cut", "another format", "another size"],
)
def test_a_sheet_that_is_not_its_tiles(folders, content):
    entry = {"file": "samples/x.webp", "side": 8, "ids": ["a", "b"], "cases": [{}] * 3}
    entry["sha256"] = hashlib.sha256(content).hexdigest()
    Bad("", content).write(folders / "samples" / "x.webp")
    with pytest.raises(QrlibError, match=r"x\.webp cannot be read"):
        samples.read_sheet(entry, folders)


# --- archives ----------------------------------------------------------------------------------


@pytest.fixture
def downloaded(folders, monkeypatch):
    """What torchvision's own extraction finds in place of a download."""

    def download(root, download):
        from torchvision.datasets.utils import extract_archive

        (source,) = (path for path in folders.iterdir() if ".tar" in path.name)
        extract_archive(source, Path(root) / "caltech101")

    monkeypatch.setattr("torchvision.datasets.Caltech101", download)


@each("archives")
def test_archives_of_data(folders, downloaded, bad):
    bad.write(folders / bad.name)
    with refused(folders, "caltech101"):
        data.load("caltech101", 16)
    assert not (folders / "data" / "outside").exists()
    assert not (folders / "outside").exists()


def test_a_good_archive_is_unpacked(folders, downloaded):
    (folders / "good.tar").write_bytes(tarred())
    caltech._download("caltech101")
    assert os.listdir(folders / "data") == ["caltech101"]
    assert (folders / "data" / "caltech101" / "101_ObjectCategories" / "ant").is_dir()


# --- weights -----------------------------------------------------------------------------------


@each("weights")
def test_weights(folders, bad):
    path = paths.results("quick") / "weights" / "qrnet-seed0.safetensors"
    bad.write(path)
    with refused(folders, path.name, bad.harmless):
        net = models.load_qrnet("quick")
        assert all(p.is_floating_point() for p in net.parameters())


@each("weights", "text", "pickle", "torch", "torch-code", "header-list", "empty")
def test_weights_of_a_backbone(folders, bad):
    path = folders / "weights" / "vgg16.safetensors"
    bad.write(path)
    for given in ("imagenet", path):
        with refused(folders, path.name):
            weights.load("vgg16", given)


@each("weights", "pickle", "torch-code", "text", "empty")
def test_a_download_that_was_there_before_runs_no_code(folders, bad):
    """torch hashes a file when it downloads it, and not when it finds it in its folder."""
    bad.write(folders / "torch" / "hub" / "checkpoints" / "vgg16-397923af.pth")
    with refused(folders, "vgg16"):
        weights.load("vgg16", "imagenet")


# --- records -----------------------------------------------------------------------------------


@each("records")
def test_records(folders, bad):
    bad.write(store.path("smoke", "x"))
    for read in (store.read_records, store.read, lambda profile: store.read_record(profile, "x")):
        # Only the readers of whole profiles compare the profile's name.
        with refused(folders, "x.json", bad.harmless or bad.name == "profile-other.json"):
            read("smoke")


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "..", "", ".x", "x\n", "x\0", "a;b"])
@pytest.mark.parametrize("key", ["name", "profile"])
def test_records_are_written_nowhere_else(folders, name, key):
    before = files(folders)
    with pytest.raises(QrlibError, match=f"breaks the schema at {key}"):
        store.write({**RECORD, key: name})
    assert files(folders) == before


def test_two_records_of_one_name(folders):
    path = store.write(RECORD)
    path.with_name("y.json").write_bytes(path.read_bytes())
    with pytest.raises(QrlibError, match=r"y\.json holds the record 'x'"):
        store.read("smoke")


# --- profiles ----------------------------------------------------------------------------------


@each("profiles")
def test_profiles(folders, monkeypatch, bad):
    monkeypatch.setenv("QRLIB_ROOT", str(folders))
    bad.write(folders / "profiles" / bad.name)
    with refused(folders, bad.name, bad.harmless):
        profiles.load(bad.name.removesuffix(".yaml"))


def test_a_good_profile_is_read(folders, monkeypatch):
    monkeypatch.setenv("QRLIB_ROOT", str(folders))
    Bad("", PROFILE.encode()).write(folders / "profiles" / "good.yaml")
    assert profiles.load("good").name == "good"


# --- packed stores -----------------------------------------------------------------------------


@each("stores")
def test_packed_stores(folders, bad):
    def pack():
        header = {"dataset": "x", "image_size": 16, "resize": "crop"}
        return packed.pack("mine", header, 6, lambda i: np.zeros((3, 16, 16), np.uint8))

    pack()
    bad.write(paths.cache() / "mine" / "images.npy")
    with refused(folders, "mine"):
        pack()
    (paths.cache() / "mine" / "header.json").write_text("[]")
    with refused(folders, "mine"):
        pack()
