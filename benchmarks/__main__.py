"""python -m benchmarks: measure, print tables with the ratios first, and keep the result."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import groups, machine, running
from benchmarks.contest import Contest
from benchmarks.settings import CLASSIFIERS, CORPORA, GROUPS, Settings, default, usable_threads
from qrlib import speed, speed_goals, speed_tables
from qrlib.utils.errors import QrlibError


def main(arguments: list[str] | None = None) -> int:
    """Measure what the arguments ask for; returns 1 if a contestant of this project failed."""
    asked = parser().parse_args(arguments)
    threads = asked.threads or usable_threads()
    os.environ.update(running.environment(threads))  # read by libraries when they are imported
    try:
        chosen = _groups(asked.only)
        device = asked.device or _device(threads)
        settings = default(
            device, asked.small, threads=threads, size=asked.size, batch=asked.batch,
            classifier=asked.classifier, corpus=asked.corpus, images=asked.images,
            validation=asked.validation, rounds=asked.rounds,
        )  # fmt: skip
        result = measure(settings, chosen, quiet=not asked.verbose)
        target = asked.out
        if target is None and set(chosen) == set(GROUPS):
            target = speed.folder() / f"{result['machine']['kind']}.json"
        if target is not None:
            speed.write(result, target)
    except QrlibError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    show(result, chosen)
    if target is not None:
        print(f"written: {target}")
    ours = [
        row for row in speed.left_out(result) if row[2] == "ours" or row[0] in ("grow", "photo")
    ]
    return 1 if ours else 0


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure speed and memory beside public libraries, in turns.",
        epilog="The result of a whole run is written to benchmarks/results and shown in the book. "
        "On a GPU the same command takes the paper's sizes and Caltech101 from QRLIB_DATA.",
    )
    add = found.add_argument
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
    return found


def _groups(only: str | None) -> list[str]:
    names = only.split(",") if only else list(GROUPS)
    for name in names:
        if name not in GROUPS:
            raise QrlibError(f"unknown group {name!r} in --only; valid: {', '.join(GROUPS)}")
    return [group for group in GROUPS if group in names]


def _device(threads: int) -> str:
    """The GPU where there is one: asked of a process of its own, so that this one stays small."""
    return "cuda" if running.call("machine:has_gpu", default("cpu", threads=threads)) else "cpu"


def measure(settings: Settings, chosen: list[str], *, quiet: bool = True) -> dict[str, Any]:
    """Hold the contests of some groups; the result as `qrlib.speed` reads it."""
    before, started = machine.load(), time.perf_counter()

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - started:5.0f} s] {text}", file=sys.stderr, flush=True)

    result: dict[str, Any] = {
        "schema": speed.SCHEMA,
        "machine": running.call("machine:describe", settings),
        "versions": machine.versions(),
        "code": machine.code(),
        "settings": settings.as_json(),
        "work": running.call("work:count", settings),
        "contests": [],
    }
    for group in chosen:
        for contest in groups.contests(group, settings):
            outcomes = running.hold(contest, settings, say, quiet=quiet)
            result["contests"].append(entry(contest, outcomes))
    result["load"] = {"before": before, "after": machine.load()}
    result["seconds"] = time.perf_counter() - started
    return result


def entry(contest: Contest, outcomes: list[running.Outcome]) -> dict[str, Any]:
    """A contest and what came of it, as JSON."""
    rows = [
        {"name": one.name, "amount": one.amount, "rate": one.rate}
        | {key: value for key, value in vars(outcome).items() if key != "contestant"}
        for one, outcome in zip(contest.contestants, outcomes, strict=True)
    ]
    return {"group": contest.group, "case": contest.case, "contestants": rows}


def show(result: dict[str, Any], chosen: list[str]) -> None:
    """Print all tables of a result."""
    print(aligned(speed_tables.machine(result).markdown))
    for group in chosen:
        print(f"\n## {speed_tables.TITLES[group]}\n")
        for title, table in speed_tables.tables(result, group):
            print(f"### {title}\n\n{aligned(table.markdown)}")
        if group == "step":
            print(
                f"### how far the machine would go\n\n{aligned(speed_tables.floor(result).markdown)}"
            )
    print(f"\n## Goals\n\n{aligned(speed_goals.table([result]).markdown)}")
    for where in speed.left_out(result):
        print("left out: {}, {}: {}: {}".format(*where))


def aligned(markdown: str) -> str:
    """A Markdown table with its columns padded to one width, for reading in a terminal."""
    lines = markdown.splitlines()
    cells = [
        [cell.strip() for cell in line[1:-1].split(" |")] if line.startswith("|") else None
        for line in lines
    ]
    rows = [row for row in cells if row and not set("".join(row)) <= {"-"}]
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows)))]
    padded = []
    for line, row in zip(lines, cells, strict=True):
        if row is None:
            padded.append(line)
        elif set("".join(row)) <= {"-"}:
            padded.append("| " + " | ".join("-" * width for width in widths) + " |")
        else:
            padded.append("| " + " | ".join(map(str.ljust, row, widths)) + " |")
    return "\n".join(padded) + "\n"


if __name__ == "__main__":
    sys.exit(main())
