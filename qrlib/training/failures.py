"""What ends a training from outside, said with the way out: too little memory, a reader that died."""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Iterator

from qrlib.training.device import device_name
from qrlib.utils import memory
from qrlib.utils.errors import QrlibError

#: What torch says of a process of a DataLoader that is gone; of errors inside one it says other things.
_DEATH = re.compile(r"DataLoader worker \(pid.*?\) (exited unexpectedly|is killed by signal: \w+)")


@contextlib.contextmanager
def explained(name: str, less_memory: str) -> Iterator[None]:
    """Turn such failures of the training `name` into errors that say what to do.

    Args:
        less_memory: which setting makes it need less memory.

    Raises:
        QrlibError: too little memory; a process that reads ahead died.
    """
    try:
        yield
    except Exception as error:
        if death := _death_of_a_reader(error):
            raise QrlibError(
                f"a process that reads images ahead for {name} died ({death}), most often for "
                "want of memory; run again: it goes on after its last whole epoch"
            ) from error
        if not memory.ran_out(error):
            raise
        reason = str(error).strip().splitlines()[0]
        raise QrlibError(
            f"{device_name()} has too little memory for {name} ({reason}): {less_memory}, or end what "
            "else uses it"
        ) from error


def _death_of_a_reader(error: Exception) -> str:
    """What is said of a process of a DataLoader that is gone; "" for any other error."""
    if death := _DEATH.search(str(error)):
        return death[0]
    # It may also go between handing over a batch and its being fetched, by a connection to it.
    places = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    sharing = any(place.endswith("resource_sharer.py") for place in places)
    if sharing and isinstance(error, (EOFError, OSError)):
        return f"DataLoader worker did not hand over its batch: {type(error).__name__}"
    return ""
