"""Whatever a file holds: an error that names it, in one line, and nothing written."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.corpus import MARK, PROFILE, Bad, corpus, picture, tarred

from qrlib import data, models, weights
from qrlib.__main__ import main
from qrlib.data import caltech, packed
from qrlib.experiments import profiles, samples
from qrlib.records import store
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError
from qrlib.workflow import ro_crate

ALL = corpus()
pytestmark = [pytest.mark.timeout(60), pytest.mark.filterwarnings("ignore")]


def of(*kinds):
    found = [bad for bad in ALL if bad.kind in kinds]
    return pytest.mark.parametrize("bad", found, ids=lambda bad: ascii(bad.name))


def files(folder):
    """Every file below a folder with its size and time; pipes and links as they are."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            state = os.lstat(path)
            found[path] = (state.st_size, state.st_mtime_ns)
    return found


@pytest.fixture(autouse=True)
def _own_folder(folders, monkeypatch):
    """So that what code left behind would be found."""
    monkeypatch.chdir(folders)
    monkeypatch.setenv("QRLIB_CACHE", str(folders / "cache"))


class Refused:
    """A block must end in a `QrlibError` that names the file; no file may be new or changed."""

    def __init__(self, folder, bad, ignored=None):
        self.folder, self.bad, self.ignored = folder, bad, ignored

    def files(self):
        found = files(self.folder)
        return {p: s for p, s in found.items() if not self.ignored or str(self.ignored) not in p}

    def __enter__(self):
        self.before = self.files()
        return self

    def __exit__(self, kind, error, traceback):
        assert self.files() == self.before
        assert not (self.folder / MARK).exists()
        if error is None:
            assert self.bad.harmless, "not refused"
            return True
        if not isinstance(error, QrlibError):
            return False
        self.message = str(error)
        assert "\n" not in self.message
        assert len(self.message) < 2000
        stem = Path(self.bad.name).stem
        assert stem in self.message or repr(stem)[1:-1] in self.message, self.message
        return True


def test_there_are_200_and_each_is_another():
    counts = Counter(bad.kind for bad in ALL)
    print(counts)
    assert len(ALL) >= 200
    assert len({(bad.kind, bad.name) for bad in ALL}) == len(ALL)
    contents = [bad.content for bad in ALL if isinstance(bad.content, bytes)]
    assert len({(hashlib.sha256(c).digest()) for c in contents}) > 200
    assert sum(not bad.harmless for bad in ALL) > 180


def test_the_corpus_is_the_same_each_time():
    again = [(bad.name, bad.content) for bad in corpus() if isinstance(bad.content, bytes)]
    # the time of day stands in the members of a zip
    plain = [(n, c) for n, c in again if not c.startswith(b"PK") and "torch" not in n]
    assert set(plain) <= {(bad.name, bad.content) for bad in ALL}


# --- images ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def net():
    return models.QRNet(1)


@of("image")
def test_recover(folders, bad, net, capsys):
    weights.write(net.state_dict(), paths.results("quick") / "weights" / "qrnet-seed0.safetensors")
    source, out = folders / "in" / bad.name, folders / "out" / "restored.png"
    bad.write(source)
    out.parent.mkdir()
    before = files(folders)
    status = main(["recover", str(source), "--out", str(out), "--profile", "quick"])
    said = capsys.readouterr().err
    if status == 0:
        # Pillow takes a wrong EXIF, profile or text for none; whatever it decodes is restored whole.
        assert bad.harmless or bad.name.startswith(("exif-", "text-", "international-", "profile-"))
        assert set(files(folders)) - set(before) == {str(out)}
        with Image.open(out) as image:
            image.load()
    else:
        assert status == 2
        assert files(folders) == before
        assert said.startswith("error: ")
        assert said.count("\n") == 1
        assert bad.name in said


def tree(root):
    """Two classes of three good images."""
    for name in ("ant", "bee"):
        for number in range(3):
            path = root / name / f"image_{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture("PNG"))
    return root


@of("image")
def test_data(folders, bad):
    root = tree(folders / "data" / caltech.LAYOUTS["caltech101"][0])
    name = Path(bad.name)
    bad.write(
        root / "bee" / f"{name.stem}.jpg"
    )  # only these endings are read, whatever is in a file
    mistaken = bad.harmless or bad.name.startswith(("exif-", "text-", "international-", "profile-"))
    with Refused(folders, Bad("", bad.name, b"", mistaken), ignored=folders / "cache"):
        splits = data.load("caltech101", 16)
        assert len(splits.train) + len(splits.validation) + len(splits.test) == 7
    if not mistaken:
        assert not list((folders / "cache").glob("*"))


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_names_that_are_not_utf_8(folders):
    root = tree(folders / "data" / caltech.LAYOUTS["caltech101"][0])
    good = (root / "bee" / "image_0.png").read_bytes()
    (root / "bee" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(good)
    before = files(folders)
    with pytest.raises(QrlibError, match=r"caf\\udce9\.jpg.*not in UTF-8.*rename"):
        data.load("caltech101", 16)
    assert files(folders) == before


def test_a_program_named_as_an_image_reaches_no_interpreter(folders, monkeypatch):
    """Pillow knows EPS by its first bytes, whatever a file's name, and would start Ghostscript."""
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(a))
    bad = next(bad for bad in ALL if bad.name == "program.jpg")
    bad.write(folders / bad.name)
    with Image.open(folders / bad.name) as image:
        assert image.format == "EPS"
    with pytest.raises(QrlibError, match="program"):
        packed.read_image(folders / bad.name, 16, "squash")
    assert started == []


@pytest.mark.parametrize("size", [(3, 2), (2, 3)])
def test_a_sheet_that_is_not_its_tiles(folders, size):
    entry = {"file": "samples/x.webp", "side": 8, "ids": ["a", "b"], "cases": [{}] * 3}
    whole = picture("WEBP", size=(24, 16), lossless=True)
    for content in (
        whole[:40],
        picture("PNG"),
        b"",
        picture("WEBP", size=(8 * size[1], 8 * size[1])),
    ):
        path = folders / "samples" / "x.webp"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        entry["sha256"] = hashlib.sha256(content).hexdigest()
        with pytest.raises(QrlibError, match=r"x\.webp cannot be read"):
            samples.read(entry, folders)


# --- archives ----------------------------------------------------------------------------------


@of("archive")
def test_archives_of_data(folders, monkeypatch, bad):
    """Through torchvision's own extraction."""
    source = folders / bad.name
    bad.write(source)
    outside = folders / "data" / "outside"

    def download(root, download):
        from torchvision.datasets.utils import extract_archive

        extract_archive(source, Path(root) / "caltech101")

    monkeypatch.setattr("torchvision.datasets.Caltech101", download)
    with Refused(folders, Bad("", "caltech101", b"")):
        data.load("caltech101", 16)
    assert not outside.exists()
    assert not (folders / "outside").exists()


def test_a_good_archive_is_unpacked(folders, monkeypatch):
    (folders / "good.tar").write_bytes(tarred())

    def download(root, download):
        from torchvision.datasets.utils import extract_archive

        extract_archive(folders / "good.tar", Path(root) / "caltech101")

    monkeypatch.setattr("torchvision.datasets.Caltech101", download)
    caltech._download("caltech101")
    assert os.listdir(folders / "data") == ["caltech101"]
    assert (folders / "data" / "caltech101" / "101_ObjectCategories" / "ant").is_dir()


@of("crate")
def test_archives_of_ours(folders, bad):
    bad.write(folders / bad.name)
    with Refused(folders, bad):
        ro_crate.check(folders / bad.name)


# --- weights -----------------------------------------------------------------------------------


@of("weights")
def test_weights(folders, bad):
    path = paths.results("quick") / "weights" / "qrnet-seed0.safetensors"
    bad.write(path)
    with Refused(folders, Bad("", path.name, b"", bad.harmless)):
        net = models.load_qrnet("quick")
        assert all(p.is_floating_point() for p in net.parameters())


@pytest.mark.parametrize("name", ["text", "pickle", "torch", "torch-code", "header-list", "empty"])
def test_weights_of_a_backbone(folders, name):
    bad = next(b for b in ALL if b.kind == "weights" and b.name == f"{name}.safetensors")
    bad.write(folders / "weights" / "vgg16.safetensors")
    with Refused(folders, Bad("", "vgg16.safetensors", b"")):
        weights.load("vgg16", "imagenet")
    with Refused(folders, Bad("", "vgg16.safetensors", b"")):
        weights.load("vgg16", folders / "weights" / "vgg16.safetensors")


@pytest.mark.parametrize("name", ["pickle", "torch-code", "text", "empty"])
def test_a_download_that_was_there_before_runs_no_code(folders, name):
    """torch hashes a file when it downloads it, and not when it finds it in its folder."""
    bad = next(b for b in ALL if b.kind == "weights" and b.name == f"{name}.safetensors")
    bad.write(folders / "torch" / "hub" / "checkpoints" / "vgg16-397923af.pth")
    with Refused(folders, Bad("", "vgg16", b"")):
        weights.load("vgg16", "imagenet")


# --- records -----------------------------------------------------------------------------------


@of("record")
def test_records(folders, bad):
    path = store.path("smoke", "x")
    bad.write(path)
    for read in (store.read_records, store.read, lambda profile: store.read_record(profile, "x")):
        with Refused(folders, Bad("", "x.json", b"", bad.harmless)):
            read("smoke")
            if bad.name.startswith("profile-other"):
                raise QrlibError("x: only the readers of whole profiles compare it")


@pytest.mark.parametrize(
    "name", ["../x", "/tmp/x", "a/b", "..", "", ".x", "x\n", "x\0", "x y", "a;b"]
)
@pytest.mark.parametrize("key", ["name", "profile"])
def test_records_are_written_nowhere_else(folders, name, key):
    from support.corpus import RECORD

    before = files(folders)
    with pytest.raises(QrlibError, match=f"breaks the schema at {key}"):
        store.write({**RECORD, key: name})
    assert files(folders) == before


def test_two_records_of_one_name(folders):
    from support.corpus import RECORD

    path = store.write(RECORD)
    path.with_name("y.json").write_bytes(path.read_bytes())
    with pytest.raises(QrlibError, match=r"y\.json holds the record 'x'"):
        store.read("smoke")


# --- profiles ----------------------------------------------------------------------------------


@of("profile")
def test_profiles(folders, monkeypatch, bad):
    monkeypatch.setenv("QRLIB_ROOT", str(folders))
    bad.write(folders / "profiles" / bad.name)
    with Refused(folders, bad):
        profiles.load(bad.name.removesuffix(".yaml"))


def test_a_good_profile_is_read(folders, monkeypatch):
    monkeypatch.setenv("QRLIB_ROOT", str(folders))
    Bad("", "", PROFILE.encode()).write(folders / "profiles" / "good.yaml")
    assert profiles.load("good").name == "good"


# --- packed stores -----------------------------------------------------------------------------


@of("store")
def test_packed_stores(folders, bad):
    def pack():
        header = {"dataset": "x", "image_size": 16, "resize": "crop"}
        return packed.pack("mine", header, 6, lambda i: np.zeros((3, 16, 16), np.uint8))

    pack()
    bad.write(paths.cache() / "mine" / "images.npy")
    with Refused(folders, Bad("", "mine", b"")):
        pack()
    (paths.cache() / "mine" / "header.json").write_text("[]")
    with Refused(folders, Bad("", "mine", b"")):
        pack()
