"""Data sets: splits, unreadable files, the packed store, and the images that come along."""

from __future__ import annotations

import concurrent.futures
import errno
import hashlib
import json
import multiprocessing
import os
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import pictures

from qrlib import data
from qrlib.data import caltech, embedded, packed
from qrlib.data.splits import PARTS
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError

CLUTTER = {"caltech101": "BACKGROUND_Google", "caltech256": "257.clutter"}
NAMES = {
    "caltech101": ["accordion", "anchor", "yin_yang"],
    "caltech256": ["001.ak47", "002.american-flag", "256.toad"],
}
COUNTS = [10, 15, 5]


def draw(path, seed, mode="RGB", size=(23, 17)):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path)


def make_tree(root, dataset, suffix=".jpg"):
    for number, (name, count) in enumerate(zip(NAMES[dataset], COUNTS, strict=True)):
        for i in range(count):
            stem = f"{name[:3]}_{i + 1:04d}" if dataset == "caltech256" else f"image_{i + 1:04d}"
            draw(root / name / f"{stem}{suffix}", 100 * number + i)
    draw(root / CLUTTER[dataset] / "image_0001.jpg", 999)
    return root


@pytest.fixture
def tree(folders, monkeypatch, small_caltech):
    """A small Caltech101 and a cache of its own."""
    monkeypatch.setenv("QRLIB_CACHE", str(folders / "cache"))
    return make_tree(folders / "data" / caltech.LAYOUTS["caltech101"].folder, "caltech101")


def stores():
    return sorted(p.name for p in paths.cache().iterdir()) if paths.cache().exists() else []


def load(**changes):
    return data.load(**{"dataset": "caltech101", "image_size": 16, **changes})


# Splits.


def parts_by_class(splits):
    return {part: Counter(i.split("/")[0] for i in getattr(splits, part).ids) for part in PARTS}


@pytest.mark.parametrize("dataset", CLUTTER)
def test_split_is_stratified_disjoint_and_complete(folders, monkeypatch, small_caltech, dataset):
    monkeypatch.setenv("QRLIB_CACHE", str(folders / "cache"))
    root = make_tree(folders / "data" / caltech.LAYOUTS[dataset].folder, dataset)
    splits = load(dataset=dataset)
    assert splits.classes == NAMES[dataset]
    assert splits.dataset == dataset
    # 80/20, then 20 % of the rest: of 10, 15, 5 images
    first, second, third = NAMES[dataset]
    assert parts_by_class(splits) == {
        "test": {first: 2, second: 3, third: 1},
        "validation": {first: 2, second: 2, third: 1},
        "train": {first: 6, second: 10, third: 3},
    }
    ids = [i for part in PARTS for i in getattr(splits, part).ids]
    on_disk = {f"{p.parent.name}/{p.name}" for p in root.glob("*/*.jpg")}
    assert sorted(ids) == sorted(i for i in on_disk if not i.startswith(CLUTTER[dataset]))


def test_split_follows_the_seed(tree):
    first, again, other = load(), load(), load(split_seed=1)
    assert first.manifest_hash == again.manifest_hash
    assert first.manifest == again.manifest
    assert other.manifest_hash != first.manifest_hash
    assert set(other.test.ids) != set(first.test.ids)
    assert parts_by_class(other) == parts_by_class(first)


def test_a_class_that_is_too_small_is_named(tree):
    for i in range(2):
        draw(tree / "lonely" / f"image_000{i}.jpg", i)
    with pytest.raises(QrlibError, match="class 'lonely' has 2 image.*at least 3"):
        load()
    assert stores() == []


def test_a_number_of_images_is_learned_from_and_all_others_are_tested(tree):
    first, second, third = NAMES["caltech101"]  # of 10, 15, 5 images
    assert parts_by_class(load(learned_per_class=4)) == {
        "test": {first: 6, second: 11, third: 1},
        "validation": {first: 1, second: 1, third: 1},
        "train": {first: 3, second: 3, third: 3},
    }
    with pytest.raises(QrlibError, match=f"'{third}' has 5 images.*leaves none.*at most 4"):
        load(learned_per_class=5)


def test_subset_of_classes_and_images(tree):
    few = load(classes=2, per_class=4)
    assert few.classes == ["accordion", "anchor"]
    assert [len(getattr(few, part)) for part in PARTS] == [4, 2, 2]
    for classes in (1, 4):
        with pytest.raises(QrlibError, match=f"between 2 and 3, not {classes}"):
            load(classes=classes)


# Reading images.


def test_pixels_and_labels_belong_together(tree):
    splits = load(image_size=20)
    images, labels, ids = splits.train[[3, 0, 15]]
    assert images.shape == (3, 3, 20, 20)
    assert images.dtype == torch.uint8
    assert labels.dtype == torch.int64
    for image, label, name in zip(images, labels, ids, strict=True):
        assert splits.classes[label] == name.split("/")[0]
        expected = (
            Image.open(tree / name).convert("RGB").resize((20, 20), Image.Resampling.BILINEAR)
        )
        np.testing.assert_array_equal(image.numpy(), np.asarray(expected).transpose(2, 0, 1))


def test_squash_and_crop(tmp_path):
    picture = np.zeros((20, 60, 3), np.uint8)
    picture[:, 20:40] = 255  # a white square in the middle third
    image = Image.fromarray(picture)
    crop = packed.resize_image(image, 20, "crop")
    squash = packed.resize_image(image, 20, "squash")
    assert crop.shape == squash.shape == (3, 20, 20)
    assert crop[:, :, 1:-1].min() == 255
    assert squash[0, 10, 10] == 255
    assert squash[0, 10, [0, -1]].tolist() == [0, 0]
    with pytest.raises(QrlibError, match="a side of at least 1 pixel, not 0"):
        packed.resize_image(image, 0, "squash")
    header = {"dataset": "x", "image_size": 4, "resize": "stretch"}
    with pytest.raises(QrlibError, match="unknown resize 'stretch'.*squash, nearest, crop"):
        packed.pack("x", header, 1, lambda i: np.zeros((3, 4, 4), np.uint8))


@pytest.mark.parametrize("mode", ["L", "P", "LA", "1", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    draw(path, 0, mode)
    image = packed.read_image(path, 12, "squash")
    assert image.shape == (3, 12, 12)
    assert image.dtype == np.uint8
    if mode in ("L", "LA", "1"):
        assert (image[0] == image[1]).all()
        assert (image[0] == image[2]).all()


def test_transparency_is_laid_over_white(tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert packed.read_image(tmp_path / "a.png", 8, "squash").min() == 255
    palette = Image.new("P", (8, 8), 0)
    palette.save(tmp_path / "p.png", transparency=0)
    assert packed.read_image(tmp_path / "p.png", 8, "squash").min() == 255


def test_exif_rotation_is_applied(tmp_path):
    picture = np.zeros((10, 10, 3), np.uint8)
    picture[0] = 255
    image = Image.fromarray(picture)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(tmp_path / "a.png", exif=exif)
    turned = packed.read_image(tmp_path / "a.png", 10, "squash")
    assert turned[0, -1].min() == 255
    assert turned[0, 0].max() == 0


def test_png_and_upper_case_suffixes_are_found_and_others_left_out(tree):
    draw(tree / "accordion" / "image_0011.PNG", 1)
    draw(tree / "accordion" / "image_0012.JPEG", 2)
    (tree / "accordion" / "notes.txt").write_text("x")
    (tree / "README").write_text("x")
    ids = [i for part in PARTS for i in getattr(load(), part).ids if "accordion" in i]
    assert len(ids) == 12


def spoil(path, how):
    if how == "truncated":
        draw(path, 0, size=(200, 150))
        path.write_bytes(path.read_bytes()[:3000])
    elif how == "text":
        path.write_text("this is no image")
    else:
        path.write_bytes(b"")


@pytest.mark.parametrize("how", ["truncated", "text", "empty"])
def test_an_unreadable_image_is_named_and_leaves_no_store(tree, how):
    spoil(tree / "anchor" / "image_0007.jpg", how)
    with pytest.raises(QrlibError, match=r"cannot read image .*anchor/image_0007\.jpg"):
        load()
    assert stores() == []
    draw(tree / "anchor" / "image_0007.jpg", 0)
    assert len(load().train) == 19


def test_an_empty_class_folder_is_named(tree):
    (tree / "zebra").mkdir()
    with pytest.raises(QrlibError, match=r"class folder .*zebra holds no image"):
        load()


LEFT_BEHIND = [
    ".ipynb_checkpoints", ".Trash-1000", "background_google", "__MACOSX", "lost+found", "@eaDir",
    "System Volume Information", "$RECYCLE.BIN",
]  # fmt: skip


@pytest.mark.parametrize("empty", [True, False], ids=["empty", "full"])
@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_what_systems_and_tools_leave_behind_is_no_data(tree, name, empty):
    before = caltech.find("caltech101")[1]
    (tree / name).mkdir()
    if not empty:
        draw(tree / name / "image_0001.jpg", 1)
    (tree / "anchor" / "._image_0001.jpg").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    assert caltech.find("caltech101")[1] == before
    assert load().classes == NAMES["caltech101"]


@pytest.mark.parametrize(
    ("dataset", "expected"), [("caltech101", "101 and 8,677"), ("caltech256", "256 and 29,780")]
)
def test_a_part_of_a_data_set_is_no_data_set(folders, dataset, expected):
    make_tree(folders / "data" / caltech.LAYOUTS[dataset].folder, dataset)
    for fewer in ({}, {"per_class": 4}):
        message = f"holds 3 classes and 30 images, but {dataset} has {expected}"
        with pytest.raises(QrlibError, match=message):
            load(dataset=dataset, **fewer)
    assert len(load(dataset=dataset, classes=3).classes) == 3


def test_every_image_counts(tree, monkeypatch):
    layout = caltech.LAYOUTS["caltech101"]
    monkeypatch.setitem(caltech.LAYOUTS, "caltech101", layout._replace(classes=3, images=31))
    with pytest.raises(QrlibError, match="holds 3 classes and 30 images.* has 3 and 31"):
        load()
    assert len(load(per_class=9).train) > 0


@pytest.mark.parametrize(
    "name", ["image_0001 (1).jpg", "image_0001 copy.png", "Copy of image.JPG", "image_0001.png"]
)
def test_a_copy_of_an_image_is_named(tree, name):
    draw(tree / "anchor" / name, 1)
    with pytest.raises(QrlibError, match=re.escape(name) + ".*: remove"):
        load(classes=2)


def test_metadata_that_is_thrown_away_keeps_no_image_out(tree):
    odd = pictures.with_segment(np.zeros((9, 7, 3), np.uint8), 0xE1, pictures.ODD_EXIF)
    (tree / "anchor" / "image_0001.jpg").write_bytes(odd)
    assert len(load().train) == 19


def test_what_may_not_be_read_is_not_called_damaged(tree, monkeypatch):
    opened = Path.open

    def refuse(path, *arguments):
        if path.suffix == ".jpg":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match=r"denied: .*image_0001\.jpg"):
        load()


@pytest.mark.parametrize("dataset", CLUTTER)
def test_missing_data_says_where_to_put_it(folders, monkeypatch, dataset):
    downloader = caltech.LAYOUTS[dataset].downloader
    calls = []

    def fail(root, download):
        calls.append(download)
        raise RuntimeError("no network\nmore lines")

    monkeypatch.setattr(f"torchvision.datasets.{downloader}", fail)
    with pytest.raises(QrlibError) as error:
        load(dataset=dataset)
    message = str(error.value)
    assert calls == [True]
    for part in (
        str(folders / "data" / caltech.LAYOUTS[dataset].folder),
        "QRLIB_DATA",
        "no network",
    ):
        assert part in message
    assert "\n" not in message


def test_unknown_data_set_lists_the_valid_ones():
    with pytest.raises(QrlibError, match="'caltech100'.*caltech101, caltech256, caltech101-small"):
        load(dataset="caltech100")


# The packed store.


def test_a_store_is_read_again_without_the_images(tree, monkeypatch):
    first = load()

    def fail(*args):
        raise AssertionError("an image was read again")

    monkeypatch.setattr(packed, "read_image", fail)
    second = load()
    assert torch.equal(first.test[range(6)][0], second.test[range(6)][0])
    assert len(stores()) == 1
    with pytest.raises(ValueError, match="read-only"):
        second.train.images[0] = 0
    load(split_seed=3)  # another split of the same images needs no packing
    assert len(stores()) == 1


def test_other_pixels_make_another_store(tree):
    load()
    load(image_size=8)
    load(resize="crop")
    assert len(stores()) == 3
    draw(tree / "anchor" / "image_0001.jpg", 5, size=(90, 80))  # a replaced file
    load()
    assert len(stores()) == 4


def test_a_store_with_another_header_is_refused(tree):
    load()
    header = paths.cache() / stores()[0] / "header.json"
    values = json.loads(header.read_text())
    for key, value in (("resize", "crop"), ("image_size", 8), ("format", 0), ("content", "x")):
        header.write_text(json.dumps({**values, key: value}))
        with pytest.raises(QrlibError, match=f"was made with {key} = .*delete .* packed again"):
            load()
    header.write_text("{")
    with pytest.raises(QrlibError, match=r"header .*header\.json is damaged"):
        load()


@pytest.mark.parametrize("keep", [0, 2000])
def test_a_damaged_store_is_refused(tree, keep):
    load()
    store = paths.cache() / stores()[0] / "images.npy"
    whole = store.read_bytes()
    store.write_bytes(whole[:keep])
    with pytest.raises(QrlibError, match="packed store caltech101-16px.* is damaged.*delete"):
        load()
    if keep:
        content = bytearray(whole)
        content[-1] ^= 1
        store.write_bytes(content)
        with pytest.raises(QrlibError, match="is damaged .its hash is another.*delete"):
            load()
    np.save(store, np.zeros((4, 3, 16, 16), np.uint8))
    with pytest.raises(QrlibError, match=r"holds an array of \(4, 3, 16, 16\)"):
        load()


def summary(_):
    splits = load()
    return splits.manifest_hash, int(splits.train[range(19)][0].sum())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="its processes begin as copies of this one")
def test_two_processes_make_one_good_store(tree, monkeypatch):
    read = packed.read_image
    monkeypatch.setattr(packed, "read_image", lambda *args: time.sleep(0.02) or read(*args))
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, context) as pool:
        both = list(pool.map(summary, range(2)))
    assert both == [summary(0)] * 2
    assert len(stores()) == 1


def test_manifest_is_kept_once(tree, tmp_path):
    splits = load()
    path = splits.write_manifest(tmp_path / "m")
    assert path.name == f"split-{splits.manifest_hash[:12]}.json"
    assert json.loads(path.read_text()) == splits.manifest
    before = path.stat().st_mtime_ns
    assert splits.write_manifest(tmp_path / "m").stat().st_mtime_ns == before
    text = json.dumps(splits.manifest)
    assert str(tmp_path) not in text


# The images that come with the repository.


def test_embedded_images_are_ten_classes_in_the_papers_proportions(folders):
    splits = data.load("caltech101-small", 64)
    assert len(splits.classes) == 10
    for part, count in (("train", 51), ("validation", 13), ("test", 16)):
        assert torch.bincount(getattr(splits, part).labels).tolist() == [count] * 10
    root, listing = embedded.find()
    ids = [i for part in PARTS for i in getattr(splits, part).ids]
    assert sorted(ids) == [f"{name}/{file}" for name, files in listing.items() for file in files]
    assert sum(path.stat().st_size for path in root.rglob("*")) < 4.5e6
    images, _, (name,) = splits.test[[7]]
    with Image.open(root / name) as image:
        assert image.size == (128, 128)
        np.testing.assert_array_equal(images[0].numpy(), packed.resize_image(image, 64, "squash"))


@pytest.fixture
def copied(folders, monkeypatch):
    """Two classes of the embedded images where they may be harmed."""
    monkeypatch.setattr(embedded, "folder", lambda: folders / "small")
    root = make_tree(folders / "data" / caltech.LAYOUTS["caltech101"][0], "caltech101")
    monkeypatch.setattr(embedded, "CLASSES", 2)
    monkeypatch.setattr(embedded, "IMAGES", 9)
    for i in range(99):  # the largest class, which is left out
        draw(root / "Faces_easy" / f"image_{i + 1:04d}.jpg", i)
    listing = {p.name: sorted(f.name for f in p.iterdir()) for p in root.iterdir()}
    del listing[CLUTTER["caltech101"]]
    embedded.make(root, listing, embedded.folder())
    return embedded.folder()


def test_embedded_images_are_made_from_the_whole_set(copied):
    """The largest classes in the order of the alphabet, the first images of each."""
    names = [f"image_{i + 1:04d}.jpg" for i in range(9)]
    assert embedded.find() == (copied, {"accordion": names, "anchor": names})


def harm(path, how):
    match how:
        case "damaged":
            path.write_bytes(path.read_bytes()[:-1])
        case "missing":
            path.unlink()
        case "added":
            draw(path.parent.parent / "zebra" / "image_0001.jpg", 0)
        case "no list":
            (path.parent.parent / embedded.CHECKSUMS).unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("damaged", "1 of the 18 images in .* missing or changed, first anchor/image_0002.jpg"),
        ("missing", "1 of the 18 images in .* missing or changed, first anchor/image_0002.jpg"),
        ("added", "zebra is no class of caltech101-small.*: remove it"),
        ("no list", "SHA256SUMS cannot be read .*git checkout -- data/caltech101-small"),
    ],
)
def test_harmed_embedded_images_are_named_with_the_way_out(copied, how, message):
    harm(copied / "anchor" / "image_0002.jpg", how)
    (copied / ".ipynb_checkpoints").mkdir()  # what tools leave behind is none of them
    with pytest.raises(QrlibError, match=message) as error:
        data.load("caltech101-small", 16)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_any_number_of_workers_packs_the_same_for_good(
    folders, monkeypatch, small_caltech, workers
):
    """Of PNG, whose pixels every decoder gives alike, unresized."""
    monkeypatch.setenv("QRLIB_CACHE", str(folders / "cache"))
    root = folders / "data" / caltech.LAYOUTS["caltech101"].folder
    for name in ("ant", "bee"):
        for i in range(6):
            y, x, c = np.mgrid[:16, :16, :3]
            path = root / name / f"image_{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(((x * 7 + y * 11 + c * 5 + i * 13) % 256).astype(np.uint8)).save(path)
    pool = concurrent.futures.ThreadPoolExecutor
    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", lambda: pool(workers))
    splits = load()
    pixels = {part: getattr(splits, part)[range(len(getattr(splits, part)))] for part in PARTS}
    lines = [
        f"{part} {label} {name}"
        for part in PARTS
        for label, name in zip(*pixels[part][1:], strict=True)
    ]
    digest = hashlib.sha256("\n".join(lines).encode())
    for part in PARTS:
        digest.update(pixels[part][0].numpy().tobytes())
    assert digest.hexdigest()[:16] == "0ba40a859cc4c3d9"
