"""torch.compile for the networks of a training, where its user asks for it.

Whether that pays depends on the device and on how long the training is: compiling takes a minute or
so, anew in each process.  ``make benchmarks`` measures both, and after how many steps it is paid back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import torch
import torch._inductor
from torch import nn
from torch._dynamo.exc import BackendCompilerFailed

from qrlib.errors import QrlibError, choose


@contextlib.contextmanager
def compiled(networks: Iterable[nn.Module], mode: str) -> Iterator[None]:
    """Inside, each network computes as a compiled graph; its weights, names and hooks stay as they are.

    Random numbers are drawn as without compiling, so that dropout is the same; sums are taken in
    another order, which changes last digits.

    Args:
        mode: "none", or one of torch.compile's: "default"; "reduce-overhead", for CUDA graphs on a GPU.

    Raises:
        QrlibError: an unknown mode; a graph that cannot be compiled, most often for want of a compiler.
    """
    modes = torch._inductor.list_mode_options()
    if choose("compile", mode, ["none", *modes]) == "none":
        yield
        return
    options = {**modes[mode], "fallback_random": True}
    changed = list(dict.fromkeys(networks))  # two classifiers may be one
    for network in changed:
        # Not `Module.compile`, which nothing undoes; a wrapper would give the weights other names.
        network.forward = torch.compile(network.forward, dynamic=False, options=options)
    try:
        yield
    except BackendCompilerFailed as error:
        reason = str(error.inner_exception).strip().splitlines()[0]
        raise QrlibError(
            f"the networks could not be compiled ({reason}): install a C++ compiler, or set "
            "recovery.compile to none"
        ) from error
    finally:
        for network in changed:
            del network.forward
        torch.compiler.reset()  # else later trainings of this process count against torch's limit
