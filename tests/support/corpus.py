"""Bad files, made by code: the same bytes on every machine and in every run."""

from __future__ import annotations

import copy
import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save

from qrlib.models import QRNet
from qrlib.records import store

#: What a file does to a reader that lets it: the test looks for this file.
MARK = "MARK-OF-CODE-THAT-RAN"


@dataclass(frozen=True)
class Bad:
    """A file: its name, and its bytes or what makes it; `harmless` where the damage may go unseen."""

    kind: str
    name: str
    content: bytes | Callable[[Path], None]
    harmless: bool = False

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(self.content):
            self.content(path)
        else:
            path.write_bytes(self.content)


class Runs:
    """A pickle of this touches a file when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {MARK}",)


def damaged(kind: str, name: str, whole: bytes, flips: int = 4) -> Iterator[Bad]:
    """Cut short, and with bits flipped near the start, where sizes and types stand."""
    stem, _, ending = name.rpartition(".")
    for share in (0.02, 0.3, 0.6, 0.9):
        # Pillow shows what there is of a GIF.
        harmless = ending == "gif" and share > 0.1
        cut = whole[: max(1, int(len(whole) * share))]
        yield Bad(kind, f"{stem}-cut{share}.{ending}", cut, harmless)
    rng = np.random.Generator(np.random.Philox(key=len(whole)))
    for number in range(flips):
        content = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 400), 6):
            content[at] ^= 1 << int(rng.integers(8))
        yield Bad(kind, f"{stem}-flip{number}.{ending}", bytes(content), harmless=True)


# --- images ------------------------------------------------------------------------------------


def picture(
    form: str, mode: str = "RGB", size: tuple[int, int] = (40, 30), **options: Any
) -> bytes:
    pixels = np.random.Generator(np.random.Philox(key=1)).integers(0, 256, (size[1], size[0], 3))
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, *chunks: tuple[bytes, bytes], bits: int = 8, colour: int = 2
) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = b"".join(_chunk(kind, data) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + body + _chunk(b"IEND", b"")


def _patched(whole: bytes, at: int, new: bytes) -> bytes:
    return whole[:at] + new + whole[at + len(new) :]


def _huge_jpeg() -> bytes:
    whole = picture("JPEG")
    return _patched(whole, whole.index(b"\xff\xc0") + 5, struct.pack(">HH", 65500, 65500))


def _exif(body: bytes) -> bytes:
    """A JPEG without pixels whose EXIF is this."""
    data = b"Exif\0\0" + body
    whole = picture("JPEG")
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data + whole[2:600]


def images() -> Iterator[Bad]:
    for form, ending in (
        ("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp"),
        ("TIFF", "tif"), ("GIF", "gif"), ("BMP", "bmp"),
    ):  # fmt: skip
        yield from damaged("image", f"photo.{ending}", picture(form))
    bomb = zlib.compress(bytes(1 << 26), 9)  # 64 MB of zeros in 64 kB
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) (w) file\n"
    contents = {
        "empty.png": b"",
        "zeros.jpg": bytes(4096),
        "noise.png": np.random.Generator(np.random.Philox(key=2)).bytes(4096),
        "text.jpg": b"Dear reader,\n",
        "page.png": b"<!DOCTYPE html><title>404</title>",
        "program.jpg": eps,
        "drawing.png": b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
        "archive.png": zipped([("a", b"a")]),
        "pickle.png": pickle.dumps(Runs()),
        "tensors.jpg": save({"a": torch.ones(2)}),
        "signature.png": b"\x89PNG\r\n\x1a\n",
        "signature.jpg": b"\xff\xd8\xff",
        "no-pixels.png": png(4, 4),
        "no-size.png": png(0, 0, (b"IDAT", zlib.compress(b""))),
        "no-bits.png": png(4, 4, (b"IDAT", zlib.compress(bytes(99))), bits=7),
        "huge.png": png(20_000, 20_000, (b"IDAT", bomb)),
        "largest.png": png(2**31 - 1, 2**31 - 1, (b"IDAT", bomb)),
        "wide.png": png(2**31 - 1, 1, (b"IDAT", bomb)),
        "huge.jpg": _huge_jpeg(),
        "huge.bmp": _patched(picture("BMP"), 18, struct.pack("<ii", 60_000, 60_000)),
        "huge.gif": _patched(picture("GIF"), 6, b"\xff\xff\xff\xff"),
        "text-bomb.png": png(4, 4, (b"zTXt", b"a\0\0" + bomb), (b"IDAT", zlib.compress(bytes(12)))),
        "international-bomb.png": png(4, 4, (b"iTXt", b"a\0\1\0\0\0" + bomb)),
        "profile-bomb.png": png(4, 4, (b"iCCP", b"a\0\0" + bomb)),
        "chunk-longer-than-file.png": png(4, 4)[:33] + b"\xff\xff\xff\xffIDAT",
        "exif-loop.jpg": _exif(b"II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\x08\0\0\0"),
        "exif-count.jpg": _exif(b"II*\0\x08\0\0\0\1\0\x12\1\3\0\xff\xff\xff\xff\x08\0\0\0"),
        "exif-cut.jpg": _exif(b"II*\0\xff\xff\xff\xff"),
        "exif-orders.jpg": _exif(b"XX*\0" + bytes(40)),
        "exif-entries.jpg": _exif(b"MM\0*\0\0\0\x08\xff\xff" + bytes(60)),
        "float.tif": picture("TIFF", "F"),
        "integer.tif": picture("TIFF", "I"),
        "loop.tif": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
        "offset.tif": b"II*\0\xff\xff\xff\xff",
    }
    for name, content in contents.items():
        yield Bad("image", name, content)
    yield Bad("image", "pipe.png", os.mkfifo)
    yield Bad("image", "folder.png", lambda path: path.mkdir())
    yield Bad("image", "nowhere.png", lambda path: path.symlink_to("none.png"))
    yield Bad("image", "itself.png", lambda path: path.symlink_to(path.name))


# --- archives ----------------------------------------------------------------------------------


def zipped(members: list[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(*members: tuple[str, bytes, str]) -> bytes:
    """Files (name, type, target of a link) behind a good one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        good = tarfile.TarInfo("101_ObjectCategories/ant/image_0001.jpg")
        archive.addfile(good, io.BytesIO())
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, target, 1 if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"x"))
    return buffer.getvalue()


def archives() -> Iterator[Bad]:
    """Of data: unpacked by torchvision."""
    link, hard, file = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.REGTYPE
    members = {
        "parent": [("../outside", file, "")],
        "deep-parent": [("101_ObjectCategories/ant/../../../../outside", file, "")],
        "link-out": [
            ("101_ObjectCategories/bee", link, "../../.."),
            ("101_ObjectCategories/bee/outside", file, ""),
        ],
        "link-absolute": [("101_ObjectCategories/bee", link, "/etc/passwd")],
        "hard-link-out": [("101_ObjectCategories/bee", hard, "../../../outside")],
        "pipe": [("101_ObjectCategories/bee", tarfile.FIFOTYPE, "")],
        "device": [("101_ObjectCategories/bee", tarfile.CHRTYPE, "")],
    }  # fmt: skip
    for name, found in members.items():
        yield Bad("archive", f"{name}.tar", tarred(*found))
    yield Bad("archive", "cut.tar.gz", gzip.compress(tarred(("a", file, "")), mtime=0)[:60])
    yield Bad("archive", "text.tar", b"Dear reader,\n")
    yield Bad("archive", "empty.tar", b"")


def crates() -> Iterator[Bad]:
    """Of ours: only read."""
    name = "ro-crate-metadata.json"
    entity = {"@id": "code/w.bin", "sha256": "0" * 64}
    metadata = {
        "no-metadata": None,
        "no-json": b"{",
        "other-json": b"[]",
        "no-graph": b"{}",
        "graph-text": b'{"@graph": "x"}',
        "part-lacks": json.dumps({"@graph": [entity]}).encode(),
        "folder-lacks": json.dumps({"@graph": [{"@id": "code/"}]}).encode(),
        "entity-without-name": b'{"@graph": [{}]}',
        "other-hash": json.dumps({"@graph": [entity | {"@id": "a"}]}).encode(),
        "nested": b"[" * 100_000,
        "not-utf-8": b"\xff\xfe\xfd",
    }
    for key, content in metadata.items():
        parts = [("a", b"a")] + ([(name, content)] if content is not None else [])
        yield Bad("crate", f"{key}.zip", zipped(parts))
    yield from damaged("crate", "whole.zip", zipped([("a", bytes(999)), (name, b'{"@graph": []}')]))
    yield Bad("crate", "empty.zip", b"")
    same = b'{"@graph": []}'
    yield Bad("crate", "twice.zip", _zipped_twice(name, same))
    bomb = b'{"@graph": [' + b" " * (1 << 26) + b"]}"
    yield Bad("crate", "bomb.zip", zipped([(name, bomb)]))


def _zipped_twice(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
        archive.writestr("x" * len(name), content)
    return buffer.getvalue().replace(b"x" * len(name), name.encode())


# --- weights -----------------------------------------------------------------------------------


def _safetensors(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def weights() -> Iterator[Bad]:
    torch.manual_seed(0)
    state = QRNet(1).state_dict()
    whole = save(state)
    yield from damaged("weights", "net.safetensors", whole)

    def pickled(value: Any) -> bytes:
        buffer = io.BytesIO()
        torch.save(value, buffer)
        return buffer.getvalue()

    def entry(**changes: Any) -> bytes:
        return _safetensors(
            {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | changes}, bytes(4)
        )

    first = next(iter(state))
    contents = {
        "empty": b"",
        "text": b"Dear reader,\n",
        "pickle": pickle.dumps(Runs()),
        "torch": pickled(state),
        "torch-code": pickled({"a": Runs()}),
        "picture": picture("PNG"),
        "length-huge": struct.pack("<Q", 2**63) + b"{}",
        "length-long": struct.pack("<Q", 99) + b"{}",
        "header-list": _safetensors([]),
        "header-nested": _safetensors(b"[" * 100_000),
        "header-bytes": _safetensors(b"\xff\xfe"),
        "type-unknown": entry(dtype="X9"),
        "type-odd": entry(dtype="F8_E4M3", data_offsets=[0, 1]),
        "shape-negative": entry(shape=[-1]),
        "shape-huge": entry(shape=[2**40, 2**40]),
        "offsets-beyond": entry(data_offsets=[0, 4000]),
        "offsets-backwards": entry(data_offsets=[4, 0]),
        "twice": _safetensors(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
            b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)
        ),
        "nothing": save({}),
        "other": save({"fc.weight": torch.ones(2)}),
        "one-lacks": save({k: v for k, v in state.items() if k != first}),
        "one-more": save({**state, "more": torch.ones(1)}),
        "shape-other": save({**state, first: torch.ones(1)}),
        "integers": save({**state, first: state[first].to(torch.int32)}),
        "complex": save({**state, first: state[first].to(torch.complex64)}),
    }  # fmt: skip
    for name, content in contents.items():
        yield Bad("weights", f"{name}.safetensors", content)
    yield Bad("weights", "pipe.safetensors", os.mkfifo)
    yield Bad("weights", "folder.safetensors", lambda path: path.mkdir())


# --- records -----------------------------------------------------------------------------------

RESULT = {
    "dataset": "photographs", "restorer": "none", "classifier": "small_vgg", "distortion": "noise",
    "level": 1, "strength": 20.0, "seed": 0, "metric": "accuracy", "value": 0.5, "n": 16,
}  # fmt: skip
RECORD: dict[str, Any] = {
    "schema": store.SCHEMA, "kind": "evaluation", "name": "x", "profile": "smoke",
    "config": {}, "results": [RESULT], "training": None,
    "provenance": {
        "git_commit": None, "git_dirty": None, "code": "0", "versions": {}, "device": "CPU",
        "seconds": 1.5, "manifest": "0", "weights": {},
    },
}  # fmt: skip


def records() -> Iterator[Bad]:
    text = json.dumps(RECORD)
    yield from damaged("record", "cut.json", text.encode(), flips=6)
    changes: dict[str, Any] = {
        "name-parent": {"name": "../x"},
        "name-absolute": {"name": "/tmp/x"},
        "name-other": {"name": "y"},
        "name-line": {"name": "x\n"},
        "name-nul": {"name": "x\0"},
        "name-command": {"name": "x; touch " + MARK},
        "profile-other": {"profile": "quick"},
        "profile-parent": {"profile": ".."},
        "kind-unknown": {"kind": "table"},
        "schema-other": {"schema": 99},
        "schema-true": {"schema": "1"},
        "results-text": {"results": "x"},
        "results-null": {"results": [None]},
        "training-text": {"training": "x"},
        "training-epochs": {"training": {"epochs": 3}},
        "training-losses": {"training": {"epochs": [{"epoch": 1, "val_loss": "low"}]}},
        "training-best": {"training": {"epochs": [], "best_epoch": "first"}},
        "provenance-list": {"provenance": []},
        "sheet-outside": {"samples": {"file": "samples/../../x.webp"}},
    }
    for name, change in changes.items():
        yield Bad("record", f"{name}.json", json.dumps({**RECORD, **change}).encode())
    for key, value in {
        "n": 0,
        "value": None,
        "level": 1.5,
        "metric": "loss",
        "distortion": [],
    }.items():
        broken = copy.deepcopy(RECORD)
        broken["results"][0][key] = value
        yield Bad("record", f"result-{key}.json", json.dumps(broken).encode())
    twice = text.replace('"value": 0.5', '"value": 0.1, "value": 0.9')
    contents = {
        "empty": b"", "null": b"null", "list": b"[]", "number": b"7", "bytes": b"\xff\xfe{}",
        "bom": b"\xef\xbb\xbf" + text.encode(),
        "utf-16": text.encode("utf-16"),
        "nested": b"[" * 100_000,
        "nested-inside": text.replace("{}", "{" + '"a":{' * 50_000 + "}" * 50_001).encode(),
        "key-twice": twice.encode(),
        "infinite": text.replace("0.5", "1e999").encode(),
        "nan": text.replace("0.5", "NaN").encode(),
        "digits": text.replace("0.5", "9" * 10_000).encode(),
        "half-character": text.replace("small_vgg", "\\ud800").encode(),
        "two": (text + text).encode(),
        "pickle": pickle.dumps(Runs()),
        "picture": picture("PNG"),
    }  # fmt: skip
    for name, content in contents.items():
        yield Bad("record", f"{name}.json", content)
    yield Bad("record", "pipe.json", os.mkfifo)
    yield Bad("record", "folder.json", lambda path: path.mkdir())
    yield Bad("record", "nowhere.json", lambda path: path.symlink_to("none.json"))


# --- profiles ----------------------------------------------------------------------------------

PROFILE = """title: t
label: l
comparable: false
seeds: [0]
data: {dataset: photographs, image_size: 32}
classifier: {name: small_vgg}
recovery: {}
"""


def profiles() -> Iterator[Bad]:
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    contents = {
        "empty": "", "null": "null", "text": "x", "list": "- a", "cut": PROFILE[:40], "open": "a: [",
        "tab": "a:\n\tb: 1", "control": "a: \x00", "two": PROFILE + "---\n" + PROFILE,
        "code": PROFILE.replace("title: t", f"title: !!python/object/apply:os.system ['touch {MARK}']"),
        "code-new": PROFILE.replace("title: t", f"title: !!python/object/new:os.system [touch {MARK}]"),
        "code-name": PROFILE.replace("title: t", "title: !!python/name:os.system"),
        "code-module": PROFILE.replace("title: t", "title: !!python/module:os"),
        "tag": PROFILE.replace("title: t", "title: !x t"),
        "laughs": laughs + PROFILE,
        "laughs-inside": PROFILE.replace("title: t", laughs + "title: *i"),
        "itself": PROFILE.replace("title: t", "title: &t [*t]"),
        "nested": PROFILE.replace("title: t", "title: " + "[" * 1500 + "]" * 1500),
        "key-twice": PROFILE + "seeds: [1]\n",
        "key-twice-inside": PROFILE.replace("{dataset", "{dataset: caltech101, dataset"),
        "key-list": PROFILE + "? [a]\n: 1\n",
        "key-number": PROFILE + "1: 1\n",
        "date": PROFILE.replace("title: t", "title: 2001-99-99"),
        "binary": PROFILE.replace("title: t", "title: !!binary x"),
        "name-command": PROFILE + f"name: 'x; touch {MARK}'\n",
        "name-parent": PROFILE + "name: ../../x\n",
        "classifier-command": PROFILE.replace("small_vgg", f"'x; touch {MARK}'"),
        "classifier-quote": PROFILE.replace("small_vgg", "\"x' $(touch y) '\""),
        "other-classifier": PROFILE + "second_classifier: {name: '`id`'}\n",
        "precision": PROFILE + "precision: '$(id)'\n",
        "parts": PROFILE + "parts: [table2, '; id']\n",
        "seed-huge": PROFILE.replace("[0]", f"[{10**30}]"),
        "seed-digits": PROFILE.replace("[0]", f"[{'9' * 5000}]"),
        "size-huge": PROFILE.replace("32}", f"{10**12}}}"),
        "size-negative": PROFILE.replace("32}", "-32}"),
        "size-text": PROFILE.replace("32}", "large}"),
        "rate-nan": PROFILE.replace("recovery: {}", "recovery: {learning_rate: .nan}"),
        "rate-infinite": PROFILE.replace("recovery: {}", "recovery: {learning_rate: 1e999}"),
        "recovery-list": PROFILE.replace("recovery: {}", "recovery: []"),
        "long": "# " + "x" * (1 << 21) + "\n" + PROFILE,
    }  # fmt: skip
    for name, text in contents.items():
        yield Bad("profile", f"{name}.yaml", text.encode())
    yield Bad("profile", "latin.yaml", PROFILE.replace("title: t", "title: ü").encode("latin-1"))
    yield Bad("profile", "x; touch y.yaml", PROFILE.encode())
    yield Bad("profile", "$(id).yaml", PROFILE.encode())
    yield Bad("profile", "...yaml", PROFILE.encode())
    yield Bad("profile", "-x.yaml", PROFILE.encode())
    yield Bad("profile", "pipe.yaml", os.mkfifo)
    yield Bad("profile", "folder.yaml", lambda path: path.mkdir())


# --- packed stores -----------------------------------------------------------------------------


def stores() -> Iterator[Bad]:
    """In place of a store's array."""

    def saved(array: Any, **options: Any) -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, array, **options)
        return buffer.getvalue()

    whole = saved(np.zeros((6, 3, 16, 16), np.uint8))
    header = whole.replace(b"'descr': '|u1'", b"'descr': '|O' ")
    contents = {
        "cut": whole[:600], "cut-header": whole[:30], "empty": b"", "text": b"x",
        "floats": saved(np.zeros((6, 3, 16, 16))),
        "shape": saved(np.zeros((6, 3, 16, 17), np.uint8)),
        "pickle": saved(np.array([Runs()], dtype=object), allow_pickle=True),
        "bare-pickle": pickle.dumps(Runs()),
        "objects": header,
        "zip": zipped([("a.npy", whole)]),
        "call": whole.replace(b"(6, 3, 16, 16)", b"__import__(''"),
        "huge": whole.replace(b"(6, 3, 16, 16)", b"(9999999, 999)"),
    }  # fmt: skip
    for name, content in contents.items():
        yield Bad("store", f"{name}.npy", content)


def corpus() -> list[Bad]:
    """All of it, with names that differ."""
    makers = (images, archives, crates, weights, records, profiles, stores)
    return [bad for make in makers for bad in make()]
