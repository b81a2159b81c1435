"""What a training survives (too little memory), and what it names before it ends (a dead reader)."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import TypeVar

import torch

from qrlib.training.device import device_name
from qrlib.training.task import Task
from qrlib.utils import memory
from qrlib.utils.errors import QrlibError

_T = TypeVar("_T")

#: What torch says of a process of a DataLoader that is gone; of errors inside one it says other things.
_DEATH = re.compile(r"DataLoader worker \(pid.*?\) (exited unexpectedly|is killed by signal: \w+)")


def survive(train: Callable[[], _T], task: Task, *, name: str, most_parts: int) -> _T:
    """What `train()` returns, each batch in twice as many parts whenever the memory was not enough.

    Args:
        train: trains `task` from its weights, or from a checkpoint where there is one.
        task: its weights are put back before `train` is called again.
        name: of the run, in what is printed and raised.
        most_parts: the images of a batch; in more parts it cannot go.

    Raises:
        QrlibError: too little memory for one image at a time; a process that reads ahead died.
    """
    start = {key: value.detach().cpu().clone() for key, value in task.net.state_dict().items()}
    while True:
        try:
            return train()
        except Exception as error:
            if death := _death_of_a_reader(error):
                raise QrlibError(
                    f"a process that reads images ahead for {name} died ({death}), most often for "
                    "want of memory; run again: it goes on after its last whole epoch"
                ) from error
            if not memory.ran_out(error):
                raise
            reason = str(error).strip().splitlines()[0]
        # Here, and not in the handler, whose traceback holds on to what filled the memory.
        if task.parts >= most_parts:
            raise QrlibError(
                f"{device_name()} has too little memory for {name}, in {task.parts} parts of a batch "
                f"too ({reason}): end what else uses it, or take a smaller data.image_size"
            )
        task.parts *= 2
        print(f"{name}: out of memory; trying again with a batch in {task.parts} parts", flush=True)
        task.release()
        task.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        task.net.load_state_dict(start)


def _death_of_a_reader(error: Exception) -> str:
    """What is said of a process of a DataLoader that is gone; "" for any other error."""
    if found := _DEATH.search(str(error)):
        return found[0]
    # It may also go between handing over a batch and its being fetched, by a connection to it.
    places = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    sharing = any(place.endswith("resource_sharer.py") for place in places)
    if sharing and isinstance(error, (EOFError, OSError)):
        return f"DataLoader worker did not hand over its batch: {type(error).__name__}"
    return ""
