"""QRNet and small QRNet (Section III-A, Table 1; small QRNet: Section IV-B, Table 3)."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qrlib import weights
from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError

#: Channels of the five encoder blocks of Table 1; the last is the bottleneck.
CHANNELS = (16, 32, 64, 128, 256)
#: Table 1 puts a dropout layer into the first two decoder blocks only.
DROPOUT_BLOCKS = 2


class QRNet(nn.Module):
    """The quality recovery network Q of Table 1: an encoder-decoder with skip connections.

    Takes and returns images of shape (B, 3, H, W) in [0, 1].  Any H and W of at least 1 work: sides
    that are not multiples of 16 are padded by repeating the last row and column, and the result is
    cropped back.  RecNet of the paper is this same network, trained without the classifier's loss.

    Args:
        convs_per_block: 2 gives QRNet (1,941,139 parameters), 1 small QRNet.
        dropout: rate of the two dropout layers.

    >>> sum(p.numel() for p in QRNet().parameters())
    1941139
    """

    def __init__(self, convs_per_block: int = 2, dropout: float = 0.2) -> None:
        super().__init__()
        if convs_per_block not in (1, 2):
            raise QrlibError(
                f"convs_per_block must be 2 (QRNet) or 1 (small), not {convs_per_block!r}"
            )
        if not 0 <= dropout < 1:
            raise QrlibError(f"dropout must lie in [0, 1), not {dropout!r}")
        self.encoder = nn.ModuleList()
        inputs = 3
        for channels in CHANNELS:
            self.encoder.append(_block(inputs, channels, convs_per_block))
            inputs = channels
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for i, channels in enumerate(reversed(CHANNELS[:-1])):
            self.up.append(nn.ConvTranspose2d(inputs, channels, kernel_size=2, stride=2))
            rate = dropout if i < DROPOUT_BLOCKS else None
            self.decoder.append(_block(2 * channels, channels, convs_per_block, rate))
            inputs = channels
        self.last = nn.Conv2d(inputs, 3, kernel_size=1)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # He et al. 2015
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        step = 2 ** (len(CHANNELS) - 1)
        x = F.pad(images, (0, -width % step, 0, -height % step), mode="replicate")
        skips = []
        for block in self.encoder[:-1]:  # type: ignore[index]
            x = block(x)  # (B, c, h, w)
            skips.append(x)
            x = self.pool(x)  # (B, c, h/2, w/2)
        x = self.encoder[-1](x)  # (B, 256, H/16, W/16)
        for up, block in zip(self.up, self.decoder, strict=True):
            x = torch.cat([up(x), skips.pop()], dim=1)  # (B, 2c, 2h, 2w)
            x = block(x)  # (B, c, 2h, 2w)
        return torch.sigmoid(self.last(x))[..., :height, :width]


def _block(inputs: int, outputs: int, convs: int, dropout: float | None = None) -> nn.Sequential:
    """`convs` 3x3 'same' convolutions with ReLU; the dropout stands after the first of them."""
    layers: list[nn.Module] = []
    for i in range(convs):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
        if i == 0 and dropout is not None:
            layers.append(nn.Dropout(dropout))
        inputs = outputs
    return nn.Sequential(*layers)


class LearnedPower(nn.Module):
    """Feature quantisation by a power: x -> x^p, with a learned exponent p for each feature.

    (B, F), at least 0, twice.  One of the ways of Sun et al., *Feature Quantization for Defending Against
    Distortion of Images* (CVPR 2018); starts as p = 1.

    >>> torch.allclose(LearnedPower(3)(torch.ones(2, 3) / 2), torch.ones(2, 3) / 2)
    True
    """

    #: Its gradient at 0 is infinite for p < 1.
    LEAST = 1e-6

    def __init__(self, features: int) -> None:
        super().__init__()
        self.exponent = nn.Parameter(torch.ones(features))

    def forward(self, features: Tensor) -> Tensor:
        return features.float().clamp(min=self.LEAST) ** self.exponent


#: Profiles whose weights are taken where none is named, the best first: by PSNR on four whole
#: photographs of scikit-image, at sigma 20, 60 and 100 of noise, 2, 6 and 10 of blur, and clean.
SHIPPED = ("caltech101", "caltech101-day", "caltech101-half")


def load_qrnet(profile: str | None = None, variant: str = "qrnet", seed: int = 0) -> QRNet:
    """A trained network from the weights shipped in ``results/<profile>/weights``, in eval mode.

    Args:
        profile: None is the first of `SHIPPED` that has such weights.

    Raises:
        QrlibError: no such weights; the message lists those that are there.  Or not those of a QRNet.
    """
    profile = profile or shipped_profile(variant, seed)
    there = _shipped()
    if (path := there.get((profile, f"{variant}-seed{seed}"))) is None:
        known = ", ".join(f"{name}.safetensors of {owner}" for owner, name in there) or "none"
        raise QrlibError(
            f"no trained weights {variant}-seed{seed}.safetensors of profile {profile!r}; shipped: {known}; "
            "take one of these, or make some with `python -m qrlib run` of a profile that has ship_weights"
        )
    net = open_qrnet(path)
    made_by = paths.results(profile) / "records" / f"{weights.read(path)[1].get('record')}.json"
    if made_by.is_file():
        recorded = files.read_json(made_by, "record")["provenance"]["weights"].values()
        if weights.state_hash(net) not in recorded:
            raise QrlibError(f"{path} is damaged: its hash is not that in {made_by}; copy it anew")
    return net


def shipped_profile(variant: str = "qrnet", seed: int = 0) -> str:
    """The first of `SHIPPED` that has these weights; the last of them where none does."""
    there = [profile for profile in SHIPPED if (profile, f"{variant}-seed{seed}") in _shipped()]
    return [*there, SHIPPED[-1]][0]


def _shipped() -> dict[tuple[str, str], Path]:
    """The weights that are there, by profile and name."""
    found = files.visible(paths.results(), "*/weights/*.safetensors")
    return {(path.parent.parent.name, path.stem): path for path in found}


def open_qrnet(path: Path) -> QRNet:
    """The network of a safetensors file, QRNet or small QRNet, in eval mode.

    Raises:
        QrlibError: no such file, or one of other tensors than Table 1's.
    """
    state, _ = weights.read(path)
    model = QRNet(convs_per_block=2 if "encoder.0.2.weight" in state else 1)
    try:
        if not all(tensor.is_floating_point() for tensor in state.values()):
            raise RuntimeError("not all of them are floats")
        model.load_state_dict(state)
    except RuntimeError as error:
        raise QrlibError(
            f"the tensors of {path} are not those of a QRNet; delete the file and make or copy it again"
        ) from error
    return model.eval()
