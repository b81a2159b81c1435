"""What readers see in place of the names that data sets and code give to things."""

from __future__ import annotations

from collections.abc import Iterable

#: Method of `qrlib.paper.METHODS`, or a restorer of our own -> what tables and figures call it.
METHODS = {
    "none": "no restoration",
    "recnet-single": "RecNet (single)",
    "recnet-multiple": "RecNet (multiple)",
    "qrnet": "QRNet",
    "small_qrnet": "small QRNet",
    "finetuned-single": "fine-tuned (single)",
    "finetuned-multiple": "fine-tuned (multiple)",
    "end-to-end": "QRNet (end-to-end)",
    "mqrnet": "MQRNet",
    "recnet-noise": "RecNet (noise)",
    "recnet-blur": "RecNet (blur)",
    "stabilised-multiple": "stability training",
    "quantised-multiple": "feature quantisation",
    "finetuned-noise": "fine-tuned (noise)",
    "finetuned-blur": "fine-tuned (blur)",
    "qrnet-multiple": "QRNet",
    "small_qrnet-multiple": "small QRNet",
    "end_to_end-multiple": "QRNet (end-to-end)",
    "mqrnet-multiple": "MQRNet",
    "pretrained-clean": "QRNet (clean images)",
    "small_pretrained-clean": "small QRNet (clean images)",
    "qrnet_unpretrained-multiple": "QRNet (not pretrained)",
    "qrnet_classification_only-multiple": "QRNet (cross-entropy alone)",
    "qrnet_unlabelled-multiple": "QRNet (without labels)",
    "qrnet_of_second-multiple": "QRNet (another teacher)",
    "qrnet_of_unseen-multiple": "QRNet (a third teacher)",
    "qrnet_of_light-multiple": "QRNet (a light teacher)",
    "qrnet_lambda_1-multiple": "QRNet (λ=1)",
    "qrnet_lambda_0.1-multiple": "QRNet (λ=0.1)",
    "qrnet_lambda_0.001-multiple": "QRNet (λ=0.001)",
    "qrnet_share_1-multiple": "QRNet (all of each batch)",
    "qrnet_share_0.25-multiple": "QRNet (1/4 of each batch)",
    "qrnet_share_0.25_tiles-multiple": "QRNet (1/4 of each batch, tiles)",
    "qrnet_share_0.125-multiple": "QRNet (1/8 of each batch)",
    "qrnet_share_0.125_tiles-multiple": "QRNet (1/8 of each batch, tiles)",
    "gaussian_filter-noise": "Gaussian filter",
    "total_variation-noise": "total variation",
    "non_local_means-noise": "non-local means",
    "wiener-blur": "Wiener's deconvolution",
    "recnet_finetuned-multiple": "retrained behind RecNet",
    "qrnet_finetuned-multiple": "retrained behind QRNet",
    "recnet_finetuned_bare-multiple": "retrained for RecNet, without it",
    "qrnet_finetuned_bare-multiple": "retrained for QRNet, without it",
    "recnet_before_finetuned-multiple": "RecNet before a fine-tuned classifier",
    "qrnet_before_finetuned-multiple": "QRNet before a fine-tuned classifier",
    "qrnet-noise": "QRNet (noise)",
    "recnet_finetuned-noise": "retrained behind RecNet (noise)",
    "recnet_finetuned_bare-noise": "retrained for RecNet (noise), without it",
    "recnet_before_finetuned-noise": "RecNet (noise) before a fine-tuned classifier",
    "recnet_routed-multiple": "RecNet (by a detector)",
    "finetuned_routed-multiple": "fine-tuned (by a detector)",
    "detector-multiple": "detector of distortions",
    "qrnet_routed-multiple": "QRNet (if a detector says so)",
    "qrnet_averaged-multiple": "with and without QRNet, mean",
    "qrnet_if_surer-multiple": "QRNet if surer",
}
CLASSIFIERS = {
    "vgg16": "VGG16",
    "inception_v3": "Inception V3",
    "resnet50": "ResNet-50",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "small_vgg": "small VGG",
    "small_inception": "small Inception",
    "small_resnet": "small ResNet",
}
#: Kind of distortion -> its title, and the unit of its sigma.
DISTORTIONS = {"noise": "Gaussian noise", "blur": "Gaussian blur"}
SIGMA_UNITS = {"noise": "of 255", "blur": "pixels"}
#: Metric -> its words, and how many digits it is given with.
METRICS = {
    "accuracy": ("accuracy", 3),
    "psnr": ("PSNR", 2),
    "ssim": ("SSIM", 3),
    "milliseconds_per_image": ("ms an image", 2),
    "seconds_per_epoch": ("s an epoch", 1),
}
#: Corruptions and attacks that their names do not tell in words.
_CORRUPTIONS = {
    "clean": "clean images",
    "contrast": "low contrast",
    "fgsm_2": "FGSM (ε 2)",
    "fgsm_8": "FGSM (ε 8)",
    "gaussian_noise": "Gaussian noise",
    "jpeg_compression": "JPEG compression",
    "informed_pgd_2": "informed PGD (ε 2)",
    "informed_pgd_8": "informed PGD (ε 8)",
    "pgd_2": "PGD (ε 2)",
    "pgd_8": "PGD (ε 8)",
    "pixelate": "pixelation",
}
#: Classes of Caltech101 that are plurals, of images that show one.
_SINGULAR = {"faces": "face", "leopards": "leopard"}


def method(name: str) -> str:
    """What tables and figures call a method; one without a name of its own goes by its key.

    >>> method("end-to-end"), method("recnet-noise"), method("another")
    ('QRNet (end-to-end)', 'RecNet (noise)', 'another')
    """
    return METHODS.get(name, name)


def classifier(name: str) -> str:
    """A classifier's name in running text.

    >>> classifier("small_vgg"), classifier("resnet50"), classifier("another_net")
    ('small VGG', 'ResNet-50', 'another net')
    """
    return CLASSIFIERS.get(name, name.replace("_", " "))


def corruption(name: str) -> str:
    """The name of a corruption, or of an attack, in running text.

    >>> corruption("clean"), corruption("jpeg_compression"), corruption("noise_upon_blur")
    ('clean images', 'JPEG compression', 'noise upon blur')
    """
    return _CORRUPTIONS.get(name, name.replace("_", " "))


def sigma_axis(distortion: str) -> str:
    """A distortion's strength as the title of an axis.

    >>> sigma_axis("blur")
    'blur σ (pixels)'
    """
    return f"{distortion} σ ({SIGMA_UNITS[distortion]})"


def image_class(text: str) -> str:
    """What an image of a class shows; different classes keep different names.

    >>> image_class("soccer_ball"), image_class("Faces"), image_class("Faces_easy")
    ('soccer ball', 'face', 'faces easy')
    """
    lower = text.lower()
    return _SINGULAR.get(lower, lower).replace("_", " ")


def joined(words: Iterable[str]) -> str:
    """A list in running text.

    >>> joined(["a"]), joined(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def seeds(numbers: Iterable[int]) -> str:
    """Which seeds.

    >>> seeds([0]), seeds([0, 1, 2])
    ('seed 0', 'seeds 0, 1 and 2')
    """
    words = [str(number) for number in numbers]
    return f"seed{'s' if len(words) > 1 else ''} {joined(words)}"
