"""torch.compile for the networks of a training, where its user asks for it.

Whether that pays depends on the device and on how long the training is: compiling takes half a minute
to two where torch's cache on disk has no such graphs yet.  ``make benchmarks`` measures both, and after
how many steps it is paid back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import torch
import torch._inductor
from torch import nn
from torch._dynamo.exc import ShortenTraceback, TorchDynamoException
from torch._inductor.exc import InvalidCxxCompiler

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
    try:
        for network in changed:
            # Not `Module.compile`, which nothing undoes; a wrapper would give the weights other names.
            network.forward = torch.compile(network.forward, dynamic=False, options=options)
        yield
    except (TorchDynamoException, ShortenTraceback) as error:
        cause = getattr(error, "inner_exception", error)
        reason = " ".join(f"{type(cause).__name__}: {cause}".split())[:200]
        missing = isinstance(cause, InvalidCxxCompiler)
        raise QrlibError(
            f"the networks could not be compiled ({reason}): "
            f"{'install a C++ compiler, or ' if missing else ''}set recovery.compile to none"
        ) from error
    finally:
        for network in changed:
            vars(network).pop("forward", None)
        torch.compiler.reset()  # else later trainings of this process count against torch's limit
