"""What the book's page "Try it" loads: networks, pictures and the runtime, as files of the book.

A page that was opened from a file may neither fetch nor import what lies beside it.  It may add script
elements, so everything heavy is cut into parts, each a script that hands over a piece of base64 of the
gzipped bytes.  The same files serve a page that came over http, and tell a progress bar how far it is.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from qrlib import classifiers, data, weights
from qrlib.book import live_pictures
from qrlib.data import embedded
from qrlib.distortions import BLUR_SIGMAS, NOISE_SIGMAS
from qrlib.experiments import plan, profiles, train
from qrlib.experiments.experiment import Experiment
from qrlib.inference import onnx_export, recognition
from qrlib.models import SHIPPED, open_qrnet
from qrlib.training.classifier import trained_part
from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError

#: Bytes of a part before base64; some ten of them make a network.
PART = 384 * 1024
VARIANTS = {"qrnet": "QRNet", "mqrnet": "MQRNet", "recnet": "RecNet (multiple)"}
#: Files of onnxruntime-web that need no graphics card, and run in one thread too.
RUNTIME = {"ort": "ort.wasm.bundle.min.mjs", "wasm": "ort-wasm-simd-threaded.wasm"}


@dataclasses.dataclass(frozen=True)
class Network:
    """A trained network: whose, where its weights lie, which record tells of its training."""

    variant: str
    profile: profiles.Profile
    path: Path
    record: str

    @property
    def entry(self) -> dict[str, Any]:
        """What the page says of it."""
        side = self.profile.data.image_size
        return {
            "key": f"{self.variant}-{self.profile.name}",
            "title": f"{VARIANTS[self.variant]}, {self.profile.title}",
            "label": self.profile.label,
            "side": side,
            "blurScale": self.profile.data.blur_scale,
            "record": f"records/{self.profile.name}/{self.record}.json",
        }


def experiments_shown(profile: profiles.Profile) -> list[Experiment]:
    """What the page needs of a profile's own runs: its classifier, the first network of each of `VARIANTS`."""
    runs = plan.experiments_of(profile)
    shown = [next(x for x in runs if x.variant_name == "none")]
    for variant in VARIANTS:
        shown += [x for x in runs if (x.variant_name, x.distortions) == (variant, "multiple")][:1]
    return shown


def networks(name: str) -> list[Network]:
    """Those that come with the repository, then those of the profile `name`; of each variant the first seed."""
    listed = []
    shipped = {
        p.parent.parent.name for p in files.visible(paths.results(), "*/weights/*.safetensors")
    }
    for other in [*(p for p in SHIPPED if p in shipped), *sorted(shipped - {name, *SHIPPED})]:
        for variant in VARIANTS:
            folder = paths.results(other) / "weights"
            for path in files.visible(folder, f"{variant}-seed*.safetensors")[:1]:
                _, metadata = weights.read(path)
                listed.append(Network(variant, profiles.load(other), path, metadata["record"]))
    profile = profiles.load(name)
    for x in experiments_shown(profile)[1:]:
        path = paths.runs(name) / x.recovery_run / "best.safetensors"
        listed.append(Network(x.variant_name, profile, path, x.recovery_run))
    return listed


def make(name: str, folder: Path | None = None) -> Path:
    """Write all that the page needs, from the trained networks of a profile and of the repository.

    Args:
        name: the profile whose classifier and test images the page has; its data are those that come
            with the repository, whose licence allows that.
        folder: where to; None is where the book takes it from.

    Returns:
        the manifest.

    Raises:
        QrlibError: a network is not trained, onnxruntime-web is not installed, other data.
    """
    folder = folder or paths.root() / "book" / "_executed" / "_files" / "live"
    with files.replacing(folder) as temporary:
        temporary.mkdir()
        _write(name, temporary)
        shutil.rmtree(folder, ignore_errors=True)
    return folder / "manifest.js"


def _write(name: str, folder: Path) -> None:
    profile = profiles.load(name)
    if profile.data.dataset != embedded.NAME:
        raise QrlibError(f"the live page shows test images of {embedded.NAME}; {name} has others")
    web = paths.root() / "web"
    for source in files.visible(web / "live", "*.*"):
        shutil.copyfile(source, folder / source.name)
    payloads = {}

    def add(key: str, content: bytes) -> None:
        payloads[key] = pack(key, content, folder)

    for key, file in RUNTIME.items():
        path = web / "node_modules" / "onnxruntime-web" / "dist" / file
        if not path.is_file():
            raise QrlibError(
                f"onnxruntime-web's {file} is not in web/node_modules; run `make setup`, or "
                "`npm ci` in web"
            )
        add(key, path.read_bytes())
    worker = [web / "live" / "worker" / file for file in ("pixels.js", "worker.js")]
    add("worker", b"\n".join(path.read_bytes() for path in worker))
    shown_networks = sorted(
        networks(name), key=lambda n: -live_pictures.decibels(open_qrnet(n.path))
    )
    for network in shown_networks:
        model = onnx_export.export_qrnet(open_qrnet(network.path), half=True)
        add(network.entry["key"], model.SerializeToString())
    splits = data.load(**profile.data.model_dump())
    judge = experiments_shown(profile)[0]
    classifier = _classifier(judge, splits)
    model = onnx_export.export_classifier(classifier, profile.data.image_size, half=True)
    add("classifier", model.SerializeToString())
    crops = [live_pictures.liveliest(splits.test, label) for label in range(len(splits.classes))]
    _script("samples", [*live_pictures.crops(crops, splits), *live_pictures.photographs()], folder)
    own = next(n for n in shown_networks if n.profile.name == name and n.variant == "qrnet")
    net = open_qrnet(own.path)
    first = live_pictures.telling(crops, splits.test, classifier, net)
    shown = [crops[first], crops[len(crops) // 4]]
    live_pictures.poster(net, splits.test[shown], profile).save(
        folder / "poster.png", optimize=True
    )
    _script("verify", live_pictures.verification(own.profile, own.variant, splits), folder)
    # What a photograph shows, by a classifier that is loaded only when it is asked for.
    add("imagenet", recognition.export().SerializeToString())
    _script("imagenet", list(classifiers.imagenet_classes()), folder)
    manifest = {
        "verify": (folder / "verify.js").stat().st_size,
        "imagenet": (folder / "imagenet.js").stat().st_size + payloads["imagenet"]["bytes"],
        "outcomes": live_pictures.outcomes(crops, splits.test, classifier, net, profile),
        "payloads": payloads,
        "samples": (folder / "samples.js").stat().st_size,
        "networks": [network.entry for network in shown_networks],
        "side": profile.data.image_size,
        "crops": own.entry["key"],
        "classifier": {
            "name": judge.classifier.name,
            "classes": [label.replace("_", " ") for label in splits.classes],
            "record": f"records/{name}/{judge.classifier_run}.json",
        },
        "levels": {"noise": NOISE_SIGMAS, "blur": BLUR_SIGMAS},
        "shownLevel": live_pictures.SHOWN_LEVEL,
        "first": first,
        "largest": live_pictures.LARGEST,
    }
    _script("manifest", manifest, folder)


def _script(name: str, content: Any, folder: Path) -> None:
    """Data as a script, since a page that was opened from a file may load nothing else."""
    text = f"qrLive.{name} = {json.dumps(content)};\n"
    (folder / f"{name}.js").write_text(text, encoding="utf-8")


def pack(key: str, content: bytes, folder: Path) -> dict[str, Any]:
    """Write bytes as scripts ``<key>-<hash>-<part>.js``; returns what the page must know of them.

    The hash keeps a browser from mixing parts of this build with those it kept of an earlier one.

    Returns:
        name (without part), parts (how many), bytes (of all the scripts together).
    """
    squeezed = gzip.compress(content, 9, mtime=0)
    name = f"{key}-{hashlib.sha256(squeezed).hexdigest()[:8]}"
    pieces = [squeezed[start : start + PART] for start in range(0, len(squeezed), PART)]
    total = 0
    for number, piece in enumerate(pieces):
        code = f'qrLive.part("{name}", {number}, "{base64.b64encode(piece).decode()}");\n'
        total += (folder / f"{name}-{number}.js").write_text(code, encoding="ascii")
    return {"name": name, "parts": len(pieces), "bytes": total}


def _classifier(judge: Experiment, splits: data.Splits) -> classifiers.Classifier:
    """The profile's trained classifier, in evaluation mode."""
    net = train.build_classifier(judge, splits)
    path = paths.runs(judge.profile.name) / judge.classifier_run / "best.safetensors"
    trained_part(net).load_state_dict(weights.read(path)[0])
    return net.eval()
