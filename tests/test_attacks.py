"""Attacks: what they may change, that they reach what they aim at, and bad values."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from qrlib import attacks, classifiers
from qrlib.utils.errors import QrlibError


@pytest.fixture
def network():
    torch.manual_seed(0)
    return classifiers.build("small_resnet", 5, weights=None, image_size=32).eval()


def loss(network, images, answers):
    with torch.no_grad():
        return nn.functional.cross_entropy(network(images), answers).item()


@pytest.mark.parametrize("kind", attacks.ATTACKS)
@pytest.mark.parametrize("epsilon", attacks.EPSILONS)
def test_an_attack_stays_within_epsilon_and_reaches_its_aim(network, kind, epsilon):
    images = torch.rand(4, 3, 32, 32).round(decimals=1)  # some values are 0 and 1
    with torch.no_grad():  # as an evaluation calls it
        answers = network(images).argmax(1)
        attacked = attacks.attack(kind, epsilon, network)(images)
    assert (attacked - images).abs().max().item() <= epsilon / 255 + 1e-6
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert loss(network, attacked, answers) > loss(network, images, answers) + 0.01
    assert not attacked.requires_grad
    assert all(p.grad is None for p in network.parameters())


def test_several_steps_do_more_than_one_and_no_more_than_is_possible():
    """Of a linear network the worst image is known: every value moves by epsilon against the answer."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    images = torch.rand(3, 3, 2, 2) * 0.8 + 0.1
    answers = network(images).argmax(1)
    weight = network[1].weight.detach()
    away = (weight[1 - answers] - weight[answers]).sign().view_as(images)
    worst = images + 8 / 255 * away
    for attack in (attacks.fgsm, attacks.pgd):
        assert torch.allclose(attack(network, images, answers, 8), worst, atol=1e-6)


def test_two_runs_make_the_same_images(network):
    images = torch.rand(2, 3, 32, 32)
    attack = attacks.attack("pgd", 8, network)
    assert torch.equal(attack(images), attack(images))


@pytest.mark.parametrize(
    ("kind", "epsilon", "said"),
    [
        ("pgdd", 8, "unknown attack 'pgdd'.*did you mean 'pgd'"),
        ("pgd", 0, "epsilon of an attack must be above 0, not 0"),
        ("fgsm", float("nan"), "above 0, not nan"),
    ],
)
def test_bad_values_are_refused_by_name(network, kind, epsilon, said):
    with pytest.raises(QrlibError, match=said):
        attacks.attack(kind, epsilon, network)
