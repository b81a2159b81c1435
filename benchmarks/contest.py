"""What is measured: a contest, its contestants, and how a contestant is made ready."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks.settings import Settings

#: The contestant that the others are compared with.
OURS = "ours"


@dataclass(frozen=True)
class Contestant:
    """A way to do the work.

    Attributes:
        name: as the table has it; `OURS` is what the others are compared with.
        setup: "module:function" in `benchmarks.contestants`; the function takes `Settings` and
            `options` and returns a `Ready`.
        needs: modules of other projects; where one is absent the contestant is left out, and the
            table says so.
        alone: in a process that has imported nothing before, so that libraries which it does not use
            are not part of its memory.
        amount: of work, where contestants differ in that.
        rate: what the machine reaches, to compare all with, and no contestant.
    """

    name: str
    setup: str
    options: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    alone: bool = False
    amount: float | None = None
    rate: bool = False


@dataclass(frozen=True)
class Contest:
    """One piece of work, and who does it.

    Attributes:
        group: one of `benchmarks.settings.GROUPS`.
        case: what the work is.
        rounds: how often each runs; None is the settings' number.
        warm: run each once before, without counting it.
    """

    group: str
    case: str
    contestants: tuple[Contestant, ...]
    rounds: int | None = None
    warm: bool = True


class Device(NamedTuple):
    """What there is to know of a device; these of a CPU.

    Attributes:
        synchronise: waits until it has done what was asked.
        gpu_peak: the most bytes that were held on the GPU.
    """

    synchronise: Callable[[], None] = lambda: None
    gpu_peak: Callable[[], int] = lambda: 0


CPU = Device()


@dataclass(frozen=True)
class Ready:
    """A contestant whose preparation is over.

    Attributes:
        run: does the work once, and is timed from outside.
        timed: `run` times itself and returns seconds by name, such as of an epoch and of a step.
        work: what one run computes, by name: "flop", "bytes", "images", "pixels".
        note: for the table, such as which backend does it.
        difference: largest difference of the result to the reference's, where there is one.
        device: that it computes on.
    """

    run: Callable[[], Any]
    timed: bool = False
    work: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    difference: float | None = None
    device: Device = CPU


class Absent(Exception):
    """A contestant cannot take part; the message says why."""


def prepare(contestant: Contestant, settings: Settings) -> Ready:
    """Import a contestant's module and make it ready.

    Raises:
        Absent: a library that it needs is not installed, or says itself that it cannot.
    """
    for name in contestant.needs:
        try:
            importlib.import_module(name)
        except ImportError as error:
            absent = error.name == name
            raise Absent(f"{name} is not installed" if absent else str(error)) from error
    module, function = contestant.setup.split(":")
    imported = importlib.import_module(f"benchmarks.contestants.{module}")
    return getattr(imported, function)(settings, **contestant.options)
