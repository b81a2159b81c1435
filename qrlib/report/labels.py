"""What readers see in place of the names that data sets and code give to classes and classifiers."""

from __future__ import annotations

from collections.abc import Iterable

CLASSIFIERS = {
    "vgg16": "VGG16",
    "inception_v3": "Inception V3",
    "resnet50": "ResNet-50",
    "small_vgg": "small VGG",
    "small_inception": "small Inception",
    "small_resnet": "small ResNet",
}
#: Classes of Caltech101 that are plurals, of images that show one.
_SINGULAR = {"faces": "face", "leopards": "leopard"}


def classifier(name: str) -> str:
    """A classifier's name in running text.

    >>> classifier("small_vgg"), classifier("resnet50"), classifier("another_net")
    ('small VGG', 'ResNet-50', 'another net')
    """
    return CLASSIFIERS.get(name, name.replace("_", " "))


def label(text: str) -> str:
    """What an image of a class shows; different classes keep different names.

    >>> label("soccer_ball"), label("Faces"), label("Faces_easy")
    ('soccer ball', 'face', 'faces easy')
    """
    lower = text.lower()
    return _SINGULAR.get(lower, lower).replace("_", " ")


def seeds(numbers: Iterable[int]) -> str:
    """Which seeds.

    >>> seeds([0]), seeds([0, 1, 2])
    ('seed 0', 'seeds 0, 1 and 2')
    """
    *first, last = map(str, numbers)
    return f"seeds {', '.join(first)} and {last}" if first else f"seed {last}"
