"""Adversarial images: changed a little and on purpose, so that a classifier answers wrongly.

The paper leaves them to future work (Section V).  Here are the two attacks that are tried most: one step
(FGSM: Goodfellow et al., *Explaining and Harnessing Adversarial Examples*, ICLR 2015) and several (PGD: Madry
et al., *Towards Deep Learning Models Resistant to Adversarial Attacks*, ICLR 2018).  No value of a pixel moves
by more than epsilon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qrlib.distortions import Distortion
from qrlib.utils.errors import QrlibError, choose

#: How far a value may move, on the 0..255 scale.
EPSILONS = (2, 8)
#: Steps of PGD, and how far each goes, as a share of epsilon.
STEPS, STEP_SIZE = 10, 0.25


def fgsm(network: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """One step of epsilon along the sign of the gradient of the cross-entropy.

    Args:
        network: images (B, 3, H, W) in [0, 1] to logits (B, K), in eval mode.
        images: (B, 3, H, W), float32, in [0, 1].
        labels: (B,), the classes that the network is to leave.
        epsilon: how far a value may move, on the 0..255 scale; > 0.

    Returns:
        The attacked images, (B, 3, H, W) in [0, 1].

    Raises:
        QrlibError: epsilon is not above 0.
    """
    reach = _reach(epsilon)
    return (images + reach * _uphill(network, images, labels)).clamp(0, 1)


def pgd(network: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """`STEPS` steps of `STEP_SIZE` epsilon from a random start, each brought back to within epsilon.

    The start is the same at each call.  Arguments, result and errors are those of `fgsm`.
    """
    reach = _reach(epsilon)
    low, high = (images - reach).clamp(min=0), (images + reach).clamp(max=1)
    random = torch.rand(images.shape, generator=torch.Generator().manual_seed(0)).to(images.device)
    attacked = low.lerp(high, random)
    for _ in range(STEPS):
        step = STEP_SIZE * reach * _uphill(network, attacked, labels)
        attacked = (attacked + step).clamp(low, high)
    return attacked


#: Name -> the attack.  An informed attacker knows the restorer too: the gradient passes through it.
ATTACKS: dict[str, Callable[[nn.Module, Tensor, Tensor, float], Tensor]] = {
    "fgsm": fgsm,
    "pgd": pgd,
    "informed_pgd": pgd,
}


@dataclass(frozen=True)
class Attack(Distortion):
    """One of `ATTACKS` on a network; make it with `attack`.

    It knows no labels: the network is to leave what it answers for the image as it is.

    Attributes:
        kind: key of `ATTACKS`.
        level: epsilon on the 0..255 scale.
        sigma: epsilon again, which records keep as strength.
        network: whom it attacks; images (B, 3, H, W) in [0, 1] to logits.
        precision: in which the attacker computes, "32-true" or "bf16-mixed".
    """

    network: nn.Module = field(compare=False, repr=False)
    precision: str = "32-true"

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Attack (B, 3, H, W) images in [0, 1]; `generator` has no effect."""
        device = images.device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.precision == "bf16-mixed"):
            with torch.no_grad():
                answers = self.network(images).argmax(1)
            return ATTACKS[self.kind](self.network, images, answers, self.sigma)


def attack(kind: str, epsilon: int, network: nn.Module, precision: str = "32-true") -> Attack:
    """An attack by name.

    Raises:
        QrlibError: an unknown name, or an epsilon that is not above 0.
    """
    choose("attack", kind, ATTACKS)
    _reach(epsilon)
    return Attack(kind, epsilon, float(epsilon), network, precision)


def _reach(epsilon: float) -> float:
    if not epsilon > 0:
        raise QrlibError(f"epsilon of an attack must be above 0, not {epsilon!r}")
    return epsilon / 255


@torch.enable_grad()
def _uphill(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The sign of the gradient of the cross-entropy, by pixels."""
    images = images.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    loss = F.cross_entropy(network(images).float(), labels, reduction="sum")
    return torch.autograd.grad(loss, images)[0].sign()
