"""The settings in which runs differ, from each other or from the paper, a run a column."""

from __future__ import annotations

from collections.abc import Sequence

from qrlib import paper
from qrlib.classifiers import ARCHITECTURES
from qrlib.experiments.settings import Profile
from qrlib.report import classifier_inputs, labels, sources
from qrlib.report.render import Rendered, grid, link

_RESIZED = {"nearest": "nearest neighbour", "squash": "antialiased bilinear", "crop": "cropped"}
_RATES = {"constant": "constant", "cosine": "falls to 0"}
_WEIGHTS = {
    "imagenet": "ImageNet weights",
    "caffe": "Keras' ImageNet weights",
    "None": "from scratch",
}
_NOT_SAID = "not said"


def table(profiles: Sequence[Profile]) -> list[list[str]]:
    """A setting a row, where not all is as printed: what it is, what the paper says, what each profile has."""
    patience = paper.setting("early stopping patience")
    rows = [["images", "Caltech101, Caltech256", *(p.label for p in profiles)]]
    rows += [
        [name, printed, *(setting(p) for p in profiles)]
        for name, printed, setting in (
            ("resizing", _NOT_SAID, lambda p: _RESIZED.get(p.data.resize, p.data.resize)),
            ("blur's σ", "as printed", lambda p: f"times {p.data.blur_scale:.3g}"),
            ("classifier", "VGG16, trained on ImageNet", _classifier),
            ("its new layers", _NOT_SAID, _head),
            ("batch", str(paper.setting("batch size")), _batch),
            ("of it the classifier sees", "all", _share),
            (
                "epochs",
                f"at most {paper.setting('epochs at most')}, patience {patience}",
                lambda p: f"at most {p.recovery.epochs}, patience {p.recovery.patience}",
            ),
            ("pretraining, epochs", _NOT_SAID, lambda p: f"at most {p.recovery.pretrain_epochs}"),
            ("learning rate", f"{paper.setting('learning rate'):g}", _rate),
            ("λ", f"{paper.setting('lambda')}", lambda p: f"{p.recovery.classification_weight:g}"),
            ("dropout", f"{paper.setting('dropout')}", lambda p: f"{p.recovery.dropout:g}"),
            ("classifier that training never saw", "“ResNet”, depth not said", _unseen),
            ("seeds", _NOT_SAID, lambda p: str(len(p.seeds))),
        )
    ]
    return [row for row in rows if len(set(row[1:])) > 1]


def _classifier(profile: Profile) -> str:
    settings = profile.classifier
    weights = _WEIGHTS.get(str(settings.weights), "weights from a file")
    text = f"{labels.classifier(settings.name)}, {weights}"
    given = settings.preprocessing
    return text if given is None else f"{text}, given {classifier_inputs.SHOWN[given]}"


def _head(profile: Profile) -> str:
    settings = profile.classifier
    layers = ARCHITECTURES[settings.name].fully_connected
    wide = f", {settings.head_width} wide" if layers > 1 else ""
    return f"{layers}{wide}, at most {settings.epochs} epochs"


def _batch(profile: Profile) -> str:
    return f"{profile.recovery.batch_size} clean and as many distorted"


def _share(profile: Profile) -> str:
    return f"{100 * profile.recovery.classifier_share:g} %"


def _rate(profile: Profile) -> str:
    return f"{profile.recovery.learning_rate:g}, {_RATES[profile.recovery.schedule]}"


def _unseen(profile: Profile) -> str:
    named = "figure6" in profile.parts
    return labels.classifier(profile.unseen_classifier.name) if named else "none"


def render(profiles: Sequence[Profile], file: str) -> Rendered:
    """`table` for reading; each run's name leads to its page."""
    pages = {p.title: sources.summary(p.name, sources.OF_ALL) for p in profiles}
    names = [link(title, page) if page else title for title, page in pages.items()]
    caption = "What the paper says, and what each run does."
    return grid(["", "paper", *names], table(profiles), caption, file, up=sources.OF_ALL)
