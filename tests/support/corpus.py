"""Bad files, made by code: the same bytes on every machine and in every run."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save

from qrlib.models import QRNet
from qrlib.records import schema
from support.made_records import PROVENANCE

#: What a file does to a reader that lets it: the test looks for this file.
MARK = "MARK-OF-CODE-THAT-RAN"
TEXT = b"Dear reader,\n"
DEEP = b"[" * 100_000


@dataclass(frozen=True)
class Bad:
    """A file: its name, and its bytes or what makes it; `harmless` where the damage may go unseen."""

    name: str
    content: bytes | Callable[[Path], object]
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


def buffered(save: Callable[[Any, io.BytesIO], object], value: Any) -> bytes:
    buffer = io.BytesIO()
    save(value, buffer)
    return buffer.getvalue()


def damaged(name: str, whole: bytes) -> Iterator[Bad]:
    """Cut short, and with bits flipped near the start, where sizes and types stand."""
    stem, _, ending = name.rpartition(".")
    for share in (0.02, 0.6):
        # Pillow shows what there is of a GIF.
        cut = whole[: max(1, int(len(whole) * share))]
        yield Bad(f"{stem}-cut{share}.{ending}", cut, harmless=ending == "gif" and share > 0.1)
    content, rng = bytearray(whole), np.random.Generator(np.random.Philox(key=len(whole)))
    for at in rng.integers(0, min(len(whole), 400), 6):
        content[at] ^= 1 << int(rng.integers(8))
    yield Bad(f"{stem}-flip.{ending}", bytes(content), harmless=True)


def files(ending: str, contents: Mapping[str, bytes | str]) -> Iterator[Bad]:
    """Those of one kind alone, and what no kind of file can be."""
    every = {"empty": b"", "text": TEXT, "pickle": pickle.dumps(Runs())}
    for name, content in {**every, **contents}.items():
        yield Bad(f"{name}.{ending}", content.encode() if isinstance(content, str) else content)


def no_files(ending: str) -> Iterator[Bad]:
    yield Bad(f"pipe.{ending}", os.mkfifo)
    yield Bad(f"folder.{ending}", Path.mkdir)
    yield Bad(f"nowhere.{ending}", lambda path: path.symlink_to(f"none.{ending}"))
    yield Bad(f"itself.{ending}", lambda path: path.symlink_to(path.name))


# --- images ------------------------------------------------------------------------------------


def picture(form: str, mode: str = "RGB", size: tuple[int, int] = (40, 30), **more: Any) -> bytes:
    pixels = np.random.Generator(np.random.Philox(key=1)).integers(0, 256, (size[1], size[0], 3))
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).convert(mode).save(buffer, form, **more)
    return buffer.getvalue()


def png(width: int, height: int, *chunks: tuple[bytes, bytes], bits: int = 8) -> bytes:
    head = (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (head, *chunks, (b"IEND", b""))
    )


def _exif(body: bytes) -> bytes:
    """A JPEG without pixels whose EXIF is this."""
    data, whole = b"Exif\0\0" + body, picture("JPEG")
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data + whole[2:600]


def images() -> Iterator[Bad]:
    for form in ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"):
        yield from damaged(f"photo.{form.lower()}", picture(form))
    bomb = zlib.compress(bytes(1 << 26), 9)  # 64 MB of zeros in 64 kB
    jpeg = picture("JPEG")
    sizes = jpeg.index(b"\xff\xc0") + 5
    yield from no_files("png")
    yield from files("jpg", {
        "program": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) file\n",
        "huge": jpeg[:sizes] + struct.pack(">HH", 65500, 65500) + jpeg[sizes + 4 :],
        "exif-loop": _exif(b"II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\x08\0\0\0"),
        "exif-count": _exif(b"II*\0\x08\0\0\0\1\0\x12\1\3\0\xff\xff\xff\xff\x08\0\0\0"),
        "no-pixels": png(4, 4),
        "no-bits": png(4, 4, (b"IDAT", zlib.compress(bytes(99))), bits=7),
        "bomb": png(20_000, 20_000, (b"IDAT", bomb)),
        "largest": png(2**31 - 1, 2**31 - 1, (b"IDAT", bomb)),
        "text-bomb": png(4, 4, (b"zTXt", b"a\0\0" + bomb), (b"IDAT", zlib.compress(bytes(12)))),
        "profile-bomb": png(4, 4, (b"iCCP", b"a\0\0" + bomb)),
        "chunk-longer-than-file": png(4, 4)[:33] + b"\xff\xff\xff\xffIDAT",
        "float": picture("TIFF", "F"),
        "loop": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
    })  # fmt: skip


# --- archives ----------------------------------------------------------------------------------


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(*members: tuple[str, bytes, str]) -> bytes:
    """Files (name, type, target of a link) behind a good one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("101_ObjectCategories/ant/image_0001.jpg"), io.BytesIO())
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, target, int(kind == tarfile.REGTYPE)
            archive.addfile(info, io.BytesIO(b"x"))
    return buffer.getvalue()


def archives() -> Iterator[Bad]:
    """Of data: unpacked by torchvision."""
    bee, file = "101_ObjectCategories/bee", tarfile.REGTYPE
    yield from files("tar", {
        "parent": tarred(("../outside", file, "")),
        "link-out": tarred((bee, tarfile.SYMTYPE, "../../.."), (f"{bee}/outside", file, "")),
        "link-absolute": tarred((bee, tarfile.SYMTYPE, "/etc/passwd")),
        "hard-link-out": tarred((bee, tarfile.LNKTYPE, "../../../outside")),
        "device": tarred((bee, tarfile.CHRTYPE, "")),
    })  # fmt: skip
    yield Bad("cut.tar.gz", gzip.compress(tarred(("a", file, "")), mtime=0)[:60])


# --- weights -----------------------------------------------------------------------------------


def weights() -> Iterator[Bad]:
    torch.manual_seed(0)
    state = QRNet(1).state_dict()
    first = next(iter(state))

    def headed(text: bytes) -> bytes:
        return struct.pack("<Q", len(text)) + text + bytes(4)

    def entry(**changes: Any) -> bytes:
        right = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
        return headed(json.dumps({"a": right | changes}).encode())

    whole = save(state)
    yield from damaged("net.safetensors", whole)
    yield from no_files("safetensors")
    yield from files("safetensors", {
        "torch": buffered(torch.save, state),
        "torch-code": buffered(torch.save, {"a": Runs()}),
        "length-huge": struct.pack("<Q", 2**63) + b"{}",
        "header-list": headed(b"[]"),
        "header-nested": headed(DEEP),
        "type-unknown": entry(dtype="X9"),
        "shape-huge": entry(shape=[2**40, 2**40]),
        "offsets-beyond": entry(data_offsets=[0, 4000]),
        "twice": headed(entry()[8:-5] + b"," + entry()[9:-4]),
        "nothing": save({}),
        "one-lacks": save({k: v for k, v in state.items() if k != first}),
        "one-more": save({**state, "more": torch.ones(1)}),
        "shape-other": save({**state, first: torch.ones(1)}),
        "integers": save({**state, first: state[first].to(torch.int32)}),
    })  # fmt: skip


# --- records -----------------------------------------------------------------------------------

RESULT = {
    "dataset": "caltech101-small", "restorer": "none", "classifier": "small_vgg", "distortion": "noise",
    "level": 1, "strength": 20.0, "seed": 0, "metric": "accuracy", "value": 0.5, "n": 16,
}  # fmt: skip
RECORD: dict[str, Any] = {
    "schema": schema.SCHEMA, "kind": "evaluation", "name": "x", "profile": "smoke",
    "config": {}, "results": [RESULT], "training": None, "provenance": PROVENANCE,
}  # fmt: skip


def records() -> Iterator[Bad]:
    text = json.dumps(RECORD)
    yield from damaged("cut.json", text.encode())
    yield from no_files("json")
    changed: dict[str, Any] = {
        "name-parent": {"name": "../x"},
        "name-other": {"name": "y"},
        "profile-other": {"profile": "quick"},
        "kind-unknown": {"kind": "table"},
        "schema-other": {"schema": 99},
        "results-null": {"results": [None]},
        "training-text": {"training": "x"},
        "training-losses": {"training": {"epochs": [{"epoch": 1, "val_loss": "low"}]}},
        "provenance-list": {"provenance": []},
        "sheet-outside": {"samples": {"file": "samples/../../x.webp"}},
    }
    wrong = {"n": 0, "value": None, "level": 1.5, "metric": "loss", "distortion": []}
    yield from files("json", {
        **{name: json.dumps({**RECORD, **change}) for name, change in changed.items()},
        **{f"result-{key}": json.dumps({**RECORD, "results": [{**RESULT, key: value}]})
           for key, value in wrong.items()},
        "list": "[]", "bytes": b"\xff\xfe{}",
        "bom": b"\xef\xbb\xbf" + text.encode(),
        "nested": DEEP,
        "nested-inside": text.replace("{}", "{" + '"a":{' * 50_000 + "}" * 50_001),
        "key-twice": text.replace('"value": 0.5', '"value": 0.1, "value": 0.9'),
        "infinite": text.replace("0.5", "1e999"),
        "nan": text.replace("0.5", "NaN"),
        "digits": text.replace("0.5", "9" * 10_000),
        "half-character": text.replace("small_vgg", "\\ud800"),
        "two": text + text,
    })  # fmt: skip


# --- profiles ----------------------------------------------------------------------------------

PROFILE = """title: t
label: l
comparable: false
seeds: [0]
data: {dataset: caltech101-small, image_size: 32}
classifier: {name: small_vgg}
recovery: {}
"""


def profiles() -> Iterator[Bad]:
    """Texts; pairs are what stands in place of what in a good profile."""
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    title = "title: t"
    replaced = {
        "tab": (title, "title:\n\tb: 1"), "control": (title, "title: \x00"),
        "code": (title, f"title: !!python/object/apply:os.system ['touch {MARK}']"),
        "tag": (title, "title: !x t"),
        "nested": (title, "title: " + "[" * 500 + "]" * 500),
        "key-twice-inside": ("{dataset", "{dataset: caltech101, dataset"),
        "key-list": ("seeds", "? [a]\n: 1\nseeds"), "key-number": ("seeds", "1: 1\nseeds"),
        "name-parent": (title, "name: ../../x\ntitle: t"),
        "classifier-command": ("small_vgg", f"'x; touch {MARK}'"),
        "digits": ("[0]", f"[{'9' * 5000}]"),
    }  # fmt: skip
    yield from damaged("cut.yaml", PROFILE.encode())
    yield from no_files("yaml")
    yield from files("yaml", {
        **{name: PROFILE.replace(*change) for name, change in replaced.items()},
        "null": "null", "two": PROFILE + "---\n" + PROFILE,
        "laughs": laughs + PROFILE, "long": "# " + "x" * (1 << 21) + "\n" + PROFILE,
        "latin": PROFILE.replace(title, "title: ü").encode("latin-1"),
        # Names that reach a shell.
        "x; touch y": PROFILE, "$(id)": PROFILE, "..": PROFILE, "-x": PROFILE,
    })  # fmt: skip


# --- packed stores -----------------------------------------------------------------------------


def stores() -> Iterator[Bad]:
    """In place of a store's array."""

    def saved(array: Any) -> bytes:
        return buffered(lambda array, file: np.save(file, array), array)

    whole = saved(np.zeros((6, 3, 16, 16), np.uint8))
    yield from files("npy", {
        "cut": whole[:600],
        "floats": saved(np.zeros((6, 3, 16, 16))),
        "shape": saved(np.zeros((6, 3, 16, 17), np.uint8)),
        "pickled": saved(np.array([Runs()], dtype=object)),
        "objects": whole.replace(b"'descr': '|u1'", b"'descr': '|O' "),
        "zip": zipped(("a.npy", whole)),
        "call": whole.replace(b"(6, 3, 16, 16)", b"__import__(''"),
        "huge": whole.replace(b"(6, 3, 16, 16)", b"(9999999, 999)"),
    })  # fmt: skip


@functools.cache
def corpus(kind: str) -> list[Bad]:
    """Of a kind of file, an example of each thing that can be wrong with one."""
    makers = (images, archives, weights, records, profiles, stores)
    return list({make.__name__: make for make in makers}[kind]())
