"""Times within an epoch, and epochs one at a time from a loop that runs many."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping


class Stopwatch:
    """Seconds of an epoch and of its steps.

    A step's is the mean from the end of the first step to the end of the last, with the device waited
    for at those two alone: so it holds all that a step costs in the long run, its share of the loading
    of images included, but neither the start of workers nor the validation.
    """

    def __init__(self, synchronise: Callable[[], None] = lambda: None) -> None:
        self.synchronise = synchronise

    def start(self, steps: int) -> None:
        """An epoch of that many steps begins; of one step alone, the step is the epoch."""
        self.synchronise()
        self.steps, self.done = steps, 0
        self.began = self.first = self.last = time.perf_counter()

    def step(self) -> None:
        """A training step is over."""
        self.done += 1
        if self.done == 1 and self.steps > 1:
            self.synchronise()
            self.first = time.perf_counter()
        if self.done == self.steps:
            self.synchronise()
            self.last = time.perf_counter()

    def stop(self) -> dict[str, float]:
        """The epoch is over; seconds of "epoch" and "step"."""
        self.synchronise()
        if self.done != self.steps:
            raise RuntimeError(f"an epoch of {self.steps} steps ended after {self.done}")
        epoch = time.perf_counter() - self.began
        return {"epoch": epoch, "step": (self.last - self.first) / max(1, self.steps - 1)}


class Epochs:
    """A training of many epochs in a thread, let go on by one epoch at a time.

    So that what a training costs once does not count for each epoch.  The training calls `wait` before
    each epoch and `step` after each step.

    Args:
        steps: of an epoch.
    """

    def __init__(self, stopwatch: Stopwatch, steps: int) -> None:
        self.stopwatch, self.steps = stopwatch, steps
        self.go, self.done = threading.Semaphore(0), threading.Semaphore(0)
        self.times: Mapping[str, float] | None = None
        self.error: BaseException | None = None
        self.running = False

    def start(self, train: Callable[[], object]) -> None:
        """Run the training in a thread, up to its first epoch."""
        threading.Thread(target=self._train, args=(train,), daemon=True).start()
        self._wait_for_it()

    def step(self) -> None:
        """For the training: a step is over."""
        self.stopwatch.step()

    def _train(self, train: Callable[[], object]) -> None:
        try:
            train()
            raise RuntimeError("the training ended by itself")
        except BaseException as error:  # handed to who asks for the next epoch
            self.error = error
            self.done.release()

    def wait(self) -> None:
        """For the training: an epoch is over, or none has begun; returns when the next may."""
        self.times = self.stopwatch.stop() if self.running else None
        self.done.release()
        self.go.acquire()
        self.running = True
        self.stopwatch.start(self.steps)

    def _wait_for_it(self) -> None:
        self.done.acquire()
        if self.error is not None:
            raise self.error

    def run(self) -> Mapping[str, float]:
        """One epoch; seconds of "epoch" and "step"."""
        self.go.release()
        self._wait_for_it()
        assert self.times is not None
        return self.times
