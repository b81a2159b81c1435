"""python -m benchmarks: measure, print tables with the ratios first, and keep the result."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from benchmarks import goals, groups, machine, results, running, tables
from benchmarks.contest import OURS
from benchmarks.settings import CLASSIFIERS, CORPORA, GROUPS, Settings, default
from qrlib.utils.errors import QrlibError
from qrlib.workflow import environment


def main(arguments: list[str] | None = None) -> int:
    """Measure what the arguments ask for; returns 1 if a contestant of this project failed."""
    asked = parser().parse_args(arguments)
    threads = asked.threads or environment.cores()
    os.environ.update(running.environment(threads))  # read by libraries when they are imported
    try:
        chosen = _groups(asked.only)
        device = asked.device or ("cuda" if running.in_process(machine.has_gpu) else "cpu")
        settings = default(
            device, asked.small, threads=threads, size=asked.size, batch=asked.batch,
            classifier=asked.classifier, corpus=asked.corpus, images=asked.images,
            validation=asked.validation, rounds=asked.rounds,
        )  # fmt: skip
        result = measure(settings, chosen, quiet=not asked.verbose)
        target = asked.out
        if target is None and set(chosen) == set(GROUPS):
            target = results.folder() / f"{result.machine.kind}.json"
        if target is not None:
            results.write(result, target)
    except QrlibError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    show(result, chosen)
    if target is not None:
        print(f"written: {target}")
    failed = (name == OURS or group in ("grow", "photo") for group, _, name, _ in result.left_out())
    return int(any(failed))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure speed and memory beside public libraries, in turns.",
        epilog="The result of a whole run is written to benchmarks/results and shown in the book. "
        "On a GPU the same command takes the paper's sizes and Caltech101 from QRLIB_DATA.",
    )
    add = parser.add_argument
    add("--only", metavar="GROUP,...", help=f"some of {','.join(GROUPS)}; nothing is written then")
    add("--device", choices=("cpu", "cuda"), help="default: cuda where there is an NVIDIA GPU")
    add("--threads", type=int, help="of each contestant on the CPU; default: all processors")
    add(
        "--small", action=argparse.BooleanOptionalAction, default=None,
        help="64 pixels, batches of 16, few images: minutes on two cores; the default on a CPU",
    )  # fmt: skip
    add("--size", type=int, help="side of the images, in pixels")
    add("--batch", type=int, help="clean images a training step")
    add("--classifier", choices=CLASSIFIERS)
    add("--corpus", choices=CORPORA, help="images to train on")
    add("--images", type=int, help="of an epoch")
    add("--validation", type=int, help="images validated after an epoch")
    add("--rounds", type=int, help="how often each contestant runs")
    add("--out", type=Path, help="file for the result")
    add("--verbose", action="store_true", help="show what the contestants print")
    return parser


def _groups(only: str | None) -> list[str]:
    names = only.split(",") if only else list(GROUPS)
    for name in names:
        if name not in GROUPS:
            raise QrlibError(f"unknown group {name!r} in --only; valid: {', '.join(GROUPS)}")
    return [group for group in GROUPS if group in names]


def measure(settings: Settings, chosen: list[str], *, quiet: bool = True) -> results.Result:
    """Hold the contests of some groups."""
    from benchmarks import work  # imports PyTorch, after the variables of the environment are set

    before, started = machine.load(), time.perf_counter()

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - started:5.0f} s] {text}", file=sys.stderr, flush=True)

    described = running.in_process(machine.describe, settings)
    contests = [
        running.hold(contest, settings, say, quiet=quiet)
        for group in chosen
        for contest in groups.contests(group, settings)
    ]
    return results.Result(
        schema=1,
        machine=described,
        versions=machine.versions(),
        code=results.Code(**machine.code()),
        settings=settings,
        work=running.in_process(work.count, settings),
        contests=contests,
        load=results.Load(before=before, after=machine.load()),
        seconds=time.perf_counter() - started,
    )


def show(result: results.Result, chosen: list[str]) -> None:
    """Print all tables of a result."""
    print(tables.machine(result))
    for group in chosen:
        print(f"\n## {tables.TITLES[group]}\n")
        for title, table in tables.tables(result, group):
            print(f"### {title}\n\n{table}")
        if group == "step":
            print(f"### how far the machine would go\n\n{tables.floor(result)}")
    print(f"\n## Goals\n\n{goals.table([result])}")
    for where in result.left_out():
        print("left out: {}, {}: {}: {}".format(*where))


if __name__ == "__main__":
    sys.exit(main())
