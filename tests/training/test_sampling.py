"""A sampled step estimates the losses and gradients of the whole one without bias."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from support.training import CHOICES, Killed, assert_same_run, fit, kill_at
from torch import nn

from qrlib import classifiers
from qrlib.losses import RecoveryLoss
from qrlib.training.recovery import RecoveryTask
from qrlib.training.sampling import Sampling


def make_task(sampling=None, restorer=None, micro_batches=1):
    """A restorer that sees one pixel at a time, so that a tile's border is like any other place."""
    torch.manual_seed(3)
    classifier = classifiers.build("small_vgg", 3, weights=None, image_size=32, head_width=8)
    return RecoveryTask(
        restorer or nn.Conv2d(3, 3, 1), RecoveryLoss({"small_vgg": 0.5}), {"small_vgg": classifier.eval()},
        CHOICES, learning_rate=1e-3, seed=0, sampling=sampling, micro_batches=micro_batches,
    )  # fmt: skip


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(5)
    inputs = torch.rand(8, 3, 32, 32, generator=generator)
    targets = torch.rand(8, 3, 32, 32, generator=generator)
    return inputs, targets, torch.tensor([0, 1, 2, 0, 0, 1, 2, 0])


@pytest.mark.parametrize(
    "sampling",
    [Sampling(0.5), Sampling(0.25, 16), Sampling(0.5, 8)],
    ids=["share", "crop", "tiles"],
)
@pytest.mark.slow
def test_the_mean_of_many_samples_is_the_full_loss_and_its_gradient(batch, sampling):
    task = make_task(sampling)
    weight = task.net.weight

    def loss_and_gradient(losses):
        (gradient,) = torch.autograd.grad(losses["loss"], weight)
        return torch.cat(
            [torch.stack([losses[name] for name in names]), gradient.flatten()]
        ).detach()

    names = ("loss", "quality", "small_vgg")
    whole = loss_and_gradient(task.losses(*batch))
    draws = torch.stack(
        [loss_and_gradient(task.sampled_losses(*batch, 2, seed)) for seed in range(200)]
    )
    error = draws.std(0) / len(draws) ** 0.5
    assert error[0] > 0  # samples do differ
    assert ((draws.mean(0) - whole).abs() < 4.5 * error + 1e-6).all()


def test_without_the_l1_loss_no_tile_is_restored(batch):
    task = make_task(Sampling(0.25, 16))
    task.loss = RecoveryLoss({"small_vgg": 0.5}, quality_weight=0)
    losses = task.sampled_losses(*batch, 2, seed=0)
    assert set(losses) == {"loss", "small_vgg"}
    assert losses["loss"].item() == pytest.approx(0.5 * losses["small_vgg"].item())


def test_as_many_clean_as_distorted_images_are_seen():
    seen, unseen = Sampling(0.25).seen(16, 2, torch.Generator().manual_seed(0))
    assert (seen < 8).sum() == (seen >= 8).sum() == 2
    assert sorted([*seen.tolist(), *unseen.tolist()]) == list(range(16))
    seen, _ = Sampling(0.01).seen(6, 1, torch.Generator())
    assert len(seen) == 1  # never none


def test_tiles_are_pieces_at_their_place():
    image = torch.arange(6 * 6.0).view(1, 1, 6, 6).repeat(40, 1, 1, 1)
    tiles = Sampling(0.5, 3).tiles(image, torch.Generator().manual_seed(0))
    corners = {tuple(tile[0, :, 0].tolist()) for tile in tiles}
    assert corners == {(0, 6, 12), (3, 9, 15), (18, 24, 30), (21, 27, 33)}


def test_everything_is_the_papers_step(splits, monkeypatch):
    """Bit for bit: the sampled path is not even entered."""
    batch = splits.train[[0, 3, 9, 17]]
    losses = []
    for sampling in (None, Sampling(), Sampling(1.0, None)):
        task = make_task(sampling)
        monkeypatch.setattr(task, "sampled_losses", None)
        monkeypatch.setattr(task, "_log", lambda *a: None)
        monkeypatch.setattr(type(task), "current_epoch", 0)
        monkeypatch.setattr(type(task), "global_rank", 0)
        losses.append(task.training_step(batch, 0).item())
    assert len(set(losses)) == 1


@pytest.mark.slow
def test_a_resumed_run_draws_the_same_samples(splits, tmp_path):
    splits = replace(splits, validation=splits.validation.spread(4))
    whole, killed, resumed = (make_task(Sampling(0.25, 16)) for _ in range(3))
    expected = fit(whole, splits, tmp_path / "whole")
    with pytest.raises(Killed):
        fit(kill_at(killed, 4), splits, tmp_path / "resumed")
    history = fit(resumed, splits, tmp_path / "resumed")
    assert history.resumed == 1
    assert_same_run(whole, expected, resumed, history)


def test_micro_batches_give_the_same_sampled_losses(batch):
    tasks = [make_task(Sampling(0.5, 16), micro_batches=parts) for parts in (1, 3)]
    tasks[1].net.load_state_dict(copy.deepcopy(tasks[0].net.state_dict()))
    one, three = (task.sampled_losses(*batch, 2, 7) for task in tasks)
    for name in one:
        torch.testing.assert_close(three[name], one[name])
