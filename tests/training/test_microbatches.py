"""Too little memory for a batch at once: it goes in parts, and learns the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.training import CHOICES, fit, make_net, make_task
from torch import nn

from qrlib.losses import RecoveryLoss
from qrlib.training.microbatches import in_parts
from qrlib.training.recovery import RecoveryTask
from qrlib.utils import memory
from qrlib.utils.errors import QrlibError


def short_of_memory(room: int, micro_batches: int = 1) -> RecoveryTask:
    """A task on a device that has room for so many images at once, clean and distorted."""
    task = make_task(micro_batches=micro_batches)
    whole = task.losses

    def limited(inputs, *more):
        if len(inputs) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return whole(inputs, *more)

    task.losses = limited
    return task


@pytest.mark.parametrize("parts", [2, 3, 7, 99])
def test_parts_give_the_means_and_gradients_of_the_whole(parts):
    torch.manual_seed(0)
    net, images, targets = nn.Conv2d(3, 4, 3), torch.rand(7, 3, 9, 8), torch.rand(7, 4, 7, 6)

    def means(inputs, wanted):
        return {"loss": (net(inputs) - wanted).abs().mean(), "mean": net(inputs).mean()}

    whole = in_parts(means, 1, images, targets)
    whole["loss"].backward()
    expected = net.weight.grad.clone()
    net.zero_grad()
    split = in_parts(means, parts, images, targets)
    split["loss"].backward()
    assert split.keys() == whole.keys()
    for name in whole:
        torch.testing.assert_close(split[name], whole[name])
    torch.testing.assert_close(net.weight.grad, expected)


def test_one_part_at_a_time_is_in_memory():
    """The images that activations are kept of, at most, from the first forward to the last backward."""
    held, most = [0], [0]

    class Activation(torch.autograd.Function):
        @staticmethod
        def forward(context, inputs):
            context.save_for_backward(inputs)
            held[0] += len(inputs)
            most[0] = max(most[0], held[0])
            return inputs * 2

        @staticmethod
        def backward(context, gradient):
            (inputs,) = context.saved_tensors  # here `checkpoint` computes them again
            held[0] -= len(inputs)
            return gradient * 2

    weight = torch.ones(1, requires_grad=True)

    def means(inputs):
        return {"loss": Activation.apply(inputs * weight).mean()}

    in_parts(means, 1, torch.rand(8, 3))["loss"].backward()
    assert (held[0], most[0]) == (0, 8)
    most[0] = 0
    total = in_parts(means, 4, torch.rand(8, 3))["loss"]
    held[0] = most[0] = 0  # what the forward pass kept was let go
    total.backward()
    assert most[0] == 2


@pytest.mark.slow
def test_micro_batches_train_the_same_network(splits, tmp_path):
    whole, small = (
        fit(
            make_task(net=make_net(dropout=0.0), micro_batches=parts), splits, tmp_path / str(parts)
        )
        for parts in (1, 4)
    )
    for name in ("train_loss", "val_loss"):
        curves = [[row[name] for row in history.rows] for history in (small, whole)]
        np.testing.assert_allclose(*curves, rtol=1e-4, err_msg=name)


@pytest.mark.slow
def test_too_little_memory_names_the_setting(splits, tmp_path):
    with pytest.raises(
        QrlibError, match=r"too little memory for test .*raise recovery.micro_batches"
    ):
        fit(short_of_memory(8), splits, tmp_path / "r")
    fit(short_of_memory(8, micro_batches=2), splits, tmp_path / "r")  # 16 images a step


def test_other_errors_are_not_taken_for_it(splits, tmp_path):
    task = make_task()
    task.losses = lambda *_: (_ for _ in ()).throw(RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        fit(task, splits, tmp_path / "r")


def test_what_counts_as_too_little_memory():
    assert memory.ran_out(torch.OutOfMemoryError("CUDA out of memory"))
    assert memory.ran_out(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert memory.ran_out(Exception("-- Process 1 terminated:\ntorch.OutOfMemoryError: CUDA"))
    assert not memory.ran_out(RuntimeError("shapes do not match"))


@pytest.mark.parametrize(
    ("restored", "options", "advice"),
    [
        (True, {}, "raise recovery.micro_batches, which changes results by rounding alone"),
        (True, {"tuned": "c"}, "by rounding and other draws of dropout alone"),
        (False, {"tuned": "c", "aims": "stable"}, "make recovery.batch_size smaller"),
        (False, {"tuned": "c", "keep_features": True}, "make recovery.batch_size smaller"),
    ],
)
def test_the_advice_is_one_that_the_training_takes(classifier, restored, options, advice):
    task = RecoveryTask(
        make_net() if restored else None, RecoveryLoss({"c": 0.01}), {"c": classifier}, CHOICES,
        learning_rate=1e-3, seed=1, **options,
    )  # fmt: skip
    assert advice in task.less_memory
