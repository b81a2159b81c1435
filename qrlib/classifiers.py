"""Classifiers C: backbone, head and normalisation in one module (Section III-B).

A `Classifier` takes images of shape (B, 3, H, W) in [0, 1], like the restorers, and owns its backbone's
normalisation.  What of it is trained is one of `TRAINABLE`: nothing, the fully connected layers, or all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from qrlib import weights as weight_files
from qrlib.utils.errors import QrlibError, choose

#: Name -> what becomes of RGB images in [0, 1] before the backbone: whether the channels are turned to
#: BGR, then mean and standard deviation of each channel in that order.
PREPROCESSING = {
    "imagenet": (False, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # as torchvision's networks
    "efficientnet_lite": (False, (127 / 255,) * 3, (128 / 255,) * 3),  # about [-1, 1]
    # As the original VGG16 was trained: BGR on the 0..255 scale, without the mean.
    "caffe": (True, (103.939 / 255, 116.779 / 255, 123.68 / 255), (1 / 255, 1 / 255, 1 / 255)),
    # Nothing: what a network of Keras gets with ``rescale=1/255`` in place of ``preprocess_input``.
    "rescaled": (False, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}

#: "frozen" is the paper's classifier while QRNet learns; "fully_connected" is the paper's fine-tuning
#: of the layers after the last convolution; "all" is every parameter.
TRAINABLE = ("frozen", "fully_connected", "all")


class Classifier(nn.Module):
    """backbone: preprocessed images -> features (B, F); head: the fully connected layers -> (B, K).

    Attributes:
        name: the architecture.
        source: where the backbone's weights came from ("random", or a file or download with its hash).
        input_size: the side to which images are resized before the backbone; None: as they are.
        preprocessing: one of `PREPROCESSING`.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        backbone: nn.Module,
        head: nn.Module,
        source: str,
        input_size: int | None = None,
        preprocessing: str = "imagenet",
    ) -> None:
        super().__init__()
        choose("preprocessing", preprocessing, PREPROCESSING)
        self.preprocessing = preprocessing
        self.flipped, mean, std = PREPROCESSING[preprocessing]
        self.name = name
        self.source = source
        self.input_size = input_size
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.backbone = backbone
        self.head = head
        self.trainable = "all"

    def features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, F)."""
        if self.input_size is not None:
            side = (self.input_size, self.input_size)
            # In float32: PyTorch does not antialias bfloat16 on a CPU.
            images = F.interpolate(images.float(), side, mode="bilinear", antialias=True)
        if self.flipped:
            images = images.flip(1)
        inputs = (images - self.mean) / self.std
        if self.name == "efficientnet_lite0" and torch.is_autocast_enabled("cpu"):
            # Its depthwise convolutions are slower in bfloat16 than in float32 on a CPU.
            with torch.autocast("cpu", enabled=False):
                return self.backbone(inputs.float())
        return self.backbone(inputs)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> logits (B, K)."""
        return self.head(self.features(images))

    def set_trainable(self, mode: str) -> Classifier:
        """Choose what an optimiser may change; what is frozen also stays in eval mode."""
        self.trainable = choose("trainable", mode, TRAINABLE)
        self.backbone.requires_grad_(mode == "all")
        self.head.requires_grad_(mode != "frozen")
        return self.train(self.training)

    def train(self, mode: bool = True) -> Classifier:
        super().train(mode)
        self.backbone.train(mode and self.trainable == "all")
        self.head.train(mode and self.trainable != "frozen")
        return self


@dataclass(frozen=True)
class Architecture:
    """How to build one classifier.

    Attributes:
        smallest: side in pixels of the smallest image it takes.
        make: that side -> the backbone, and how many features F it gives.
        fully_connected: the number of layers in its head.
        imagenet_head: what the names of its own head's weights begin with in the file of ImageNet
            weights; None: there are no such weights.
        preprocessing: that of those weights.
    """

    smallest: int
    make: Callable[[int], tuple[nn.Module, int]]
    fully_connected: int
    imagenet_head: str | None = None
    preprocessing: str = "imagenet"

    @property
    def imagenet(self) -> bool:
        """Whether there are ImageNet weights."""
        return self.imagenet_head is not None


def _vgg16(image_size: int) -> tuple[nn.Module, int]:
    model = torchvision.models.vgg16(weights=None, init_weights=False)
    # At 224 pixels this is VGG16's own 7x7; smaller images have that much less to flatten.
    side = max(1, image_size // 32)
    model.avgpool = nn.AdaptiveAvgPool2d(side)
    model.classifier = nn.Identity()
    return model, 512 * side * side


def _inception_v3(image_size: int) -> tuple[nn.Module, int]:
    model = torchvision.models.inception_v3(
        weights=None, aux_logits=False, transform_input=True, init_weights=False
    )
    model.fc = nn.Identity()
    return model, 2048


def _resnet50(image_size: int) -> tuple[nn.Module, int]:
    model = torchvision.models.resnet50(weights=None)
    model.fc = nn.Identity()
    return model, 2048


def _efficientnet_lite0(image_size: int) -> tuple[nn.Module, int]:
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise QrlibError(
            "efficientnet_lite0 needs the package efficientnet_lite_pytorch, which is not installed: "
            "run `make setup`, or pip install efficientnet_lite_pytorch==0.1.0"
        ) from None
    # Its convolutions pad as TensorFlow's do, for images of this size.
    model = EfficientNet.from_name("efficientnet-lite0", image_size=image_size)
    model._dropout = model._fc = nn.Identity()
    return model, 1280


def _small_vgg(image_size: int) -> tuple[nn.Module, int]:
    layers: list[nn.Module] = []
    inputs = 3
    for channels in (32, 64, 96, 128):
        layers += [
            nn.Conv2d(inputs, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True), nn.MaxPool2d(2),
        ]  # fmt: skip
        inputs = channels
    side = min(2, image_size // 16)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(side), nn.Flatten()), inputs * side * side


def _small_inception(image_size: int) -> tuple[nn.Module, int]:
    from torchvision.models.googlenet import BasicConv2d, Inception

    return nn.Sequential(
        BasicConv2d(3, 32, kernel_size=3, stride=2, padding=1),
        nn.MaxPool2d(3, stride=2, padding=1),
        Inception(32, 16, 24, 32, 4, 8, 8),  # -> 64 channels
        Inception(64, 32, 32, 48, 8, 24, 24),  # -> 128
        nn.MaxPool2d(3, stride=2, padding=1),
        Inception(128, 48, 48, 96, 12, 32, 32),  # -> 208
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ), 208


def _small_resnet(image_size: int) -> tuple[nn.Module, int]:
    from torchvision.models.resnet import BasicBlock, ResNet

    model = ResNet(BasicBlock, [1, 1, 1, 1])  # ResNet-10
    model.fc = nn.Identity()
    return model, 512


ARCHITECTURES = {
    "vgg16": Architecture(32, _vgg16, 3, "classifier."),
    "inception_v3": Architecture(75, _inception_v3, 1, "fc."),
    "resnet50": Architecture(32, _resnet50, 1, "fc."),
    "efficientnet_lite0": Architecture(32, _efficientnet_lite0, 1, "_fc.", "efficientnet_lite"),
    "small_vgg": Architecture(16, _small_vgg, 3),
    "small_inception": Architecture(16, _small_inception, 1),
    "small_resnet": Architecture(16, _small_resnet, 1),
}


def build(
    name: str,
    num_classes: int | None,
    *,
    weights: str | Path | None = "imagenet",
    image_size: int = 224,
    head_width: int = 4096,
    input_size: int | None = None,
    preprocessing: str | None = None,
) -> Classifier:
    """Build a classifier, with a new head for `num_classes` classes or with its own for ImageNet's.

    The head is three fully connected layers for the VGG family (Section III-B), one for the others.

    Args:
        name: one of `ARCHITECTURES`; those named small_* are for small images and quick runs.
        num_classes: None keeps the pretrained head for the 1000 classes of `imagenet_classes`.
        weights: "imagenet" for the pretrained backbone (see `qrlib.weights`), "caffe" for the original
            VGG16, which Keras has too, a safetensors file in torchvision's key names, or None for
            random initialisation.
        image_size: side of the images in pixels; sets the size of VGG16's first fully connected layer.
        head_width: width of the VGG family's two hidden fully connected layers.
        input_size: the side to which the classifier itself resizes its images (bilinear), for an
            architecture that needs larger ones than the data's; None: `image_size` as it is.
        preprocessing: one of `PREPROCESSING`; None: as the architecture's ImageNet weights want it.

    Raises:
        QrlibError: unknown name, images too small, no such weights.  Never a random initialisation
            where weights were asked for.
    """
    architecture = ARCHITECTURES[choose("classifier", name, ARCHITECTURES)]
    if num_classes is None and weights is None:
        raise QrlibError(f"{name} without weights has no classes of its own: give num_classes")
    if num_classes is not None and num_classes < 2:
        raise QrlibError(f"a classifier needs at least 2 classes, not {num_classes}")
    side = input_size or image_size
    if side < architecture.smallest:
        raise QrlibError(
            f"{name} takes images of at least {architecture.smallest} pixels, not {side}; give it "
            "larger ones, or set input_size"
        )
    if weights is not None and not architecture.imagenet:
        raise QrlibError(
            f"{name} has no pretrained weights: build it with weights=None, or choose one of "
            + ", ".join(n for n, a in ARCHITECTURES.items() if a.imagenet)
        )
    backbone, features = architecture.make(side)
    source = "random"
    if weights is not None:
        state, metadata, source = weight_files.load(name, weights)
        if name == "resnet50":
            where = metadata.get("stride", "conv2")
            choose(f"stride in the metadata of {source}", where, ("conv1", "conv2"))
            set_resnet_stride(backbone, where)
        _load(backbone, state, "", f"{name}'s backbone", source)
    outputs = len(imagenet_classes()) if num_classes is None else num_classes
    if architecture.fully_connected == 3:
        head = nn.Sequential(
            nn.Linear(features, head_width), nn.ReLU(inplace=True), nn.Dropout(0.5),
            nn.Linear(head_width, head_width), nn.ReLU(inplace=True), nn.Dropout(0.5),
            nn.Linear(head_width, outputs),
        )  # fmt: skip
    else:
        head = nn.Sequential(nn.Dropout(0.2), nn.Linear(features, outputs))
    fresh = [head] if weights is not None else [backbone, head]
    for part in fresh:
        for module in part.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    nn.init.normal_(head[-1].weight, std=0.01)  # type: ignore[arg-type]
    if num_classes is None:
        own = head if architecture.fully_connected == 3 else head[-1]
        _load(own, state, architecture.imagenet_head or "", f"{name}'s own head", source)
    preprocessing = preprocessing or architecture.preprocessing
    return Classifier(name, backbone, head, source, input_size, preprocessing)


def imagenet_classes() -> list[str]:
    """The names of ImageNet's 1000 classes, in the order of a pretrained head's outputs.

    >>> imagenet_classes()[281:283]
    ['tabby', 'tiger cat']
    """
    return list(torchvision.models.VGG16_Weights.IMAGENET1K_V1.meta["categories"])


def set_resnet_stride(model: nn.Module, where: str) -> None:
    """Put the stride of ResNet-50's layer2, 3 and 4 into "conv1" (v1, He et al. 2016) or "conv2" (v1.5).

    The two have the same parameter names and shapes, so that a wrong choice loads without a word
    and costs accuracy; the weights' metadata says which they were trained with.
    """
    choose("ResNet-50 stride layout", where, ("conv1", "conv2"))
    for layer in (model.layer2, model.layer3, model.layer4):
        first = layer[0]  # type: ignore[index]
        first.conv1.stride = (2, 2) if where == "conv1" else (1, 1)  # type: ignore[union-attr]
        first.conv2.stride = (1, 1) if where == "conv1" else (2, 2)  # type: ignore[union-attr]


def _load(
    network: nn.Module, state: dict[str, Tensor], prefix: str, what: str, source: str
) -> None:
    """Take a network's weights from those of `state` whose names begin with `prefix`."""
    own = network.state_dict()
    there = {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}
    missing = [k for k in own if k not in there and not k.endswith("num_batches_tracked")]
    wrong = [k for k in own if k in there and not _alike(there[k], own[k])]
    if missing or wrong:
        raise QrlibError(
            f"{source} does not hold {what}: "
            f"{len(missing)} of {len(own)} tensors missing, {len(wrong)} of another shape or type "
            f"(first: {(missing + wrong)[0]}); expected torchvision's key names"
        )
    network.load_state_dict({k: there.get(k, own[k]) for k in own})


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.is_floating_point() == other.is_floating_point()
