"""Kill a run again and again, at any moment, and see that nothing is lost and nothing lies.

    .venv/bin/python drills/kill.py --kills 50              (Linux; the smoke profile's graph)
    .venv/bin/python drills/kill.py --kills 50 --book       (with the pages and the book)
    .venv/bin/python drills/kill.py --kills 0               (Ctrl-C and SIGTERM alone)

Every kill is SIGKILL for all processes of the run at once, kernels included.  Half of them come at a
random moment of the work that is left, the other half in the middle of writing a file: a packed store,
a checkpoint, weights, the state of a run, a record, a notebook, a stamp, a page; cut in half before it
is in its place, or just after.  After each kill every file that is in its place has to be whole.  The
next run has to go on from there, with no finished training done again, and the last one has to end with
the records of a run that nobody killed: the same to the last digit, times aside (`drills/records.py`).

Then the run is stopped by Ctrl-C and by SIGTERM, which have five seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import common
import numpy as np
import records
import yaml
from PIL import Image

#: What is written -> its path, in place or on the way there.
WRITES = {
    "packed store": r"packed/.*images\.npy|packed/[^/]*$",
    "checkpoint": r"last\.ckpt",
    "weights": r"best\.safetensors",
    "state of a run": r"state\.json",
    "record": r"/records/",
    "notebook": r"/notebooks/",
    "stamp": r"/stamps/",
    "page": r"book/_executed/quick/",
}
#: Seconds that Ctrl-C and SIGTERM have.
PATIENCE = 5.0
TOKEN = "QRLIB_DRILL"


def prepare(work: Path, book: bool) -> Path:
    """A clone whose quick profile is the smoke profile, and is resumed between epochs.

    The book's pages refer to every part of the paper; without the book, Table 2's runs are enough.
    """
    project = common.checkout(work)
    smoke = yaml.safe_load((project / "profiles" / "smoke.yaml").read_text())
    smoke |= {"seeds": [0, 1]} if book else {"parts": ["table2"]}
    smoke["recovery"] |= {"epochs": 3, "pretrain_epochs": 2}
    smoke["classifier"] |= {"epochs": 2}
    (project / "profiles" / "quick.yaml").write_text(yaml.safe_dump(smoke))
    return project


def start(project: Path, arguments: list[str], **more: str) -> subprocess.Popen[bytes]:
    """The run, in a session of its own, with a mark that all its processes inherit."""
    environment = common.environment(project)
    path = f"{project}{os.pathsep}{common.ROOT / 'drills' / 'stopping'}"
    environment |= {"PYTHONPATH": path, TOKEN: str(project), **more}
    with (project / "drill.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "qrlib", *arguments], cwd=project, env=environment,
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def members(project: Path) -> list[int]:
    """All processes that carry the mark, whoever their parent is by now."""
    mark = f"{TOKEN}={project}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def kill(project: Path) -> None:
    """SIGKILL for all; they are stopped first, so that none sees another one die."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        while pids := members(project):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            if number == signal.SIGSTOP and set(members(project)) <= set(pids):
                break
            time.sleep(0.02)


def damaged(project: Path) -> list[str]:
    """Files in their places that are not whole."""
    bad = []
    tops = ("results", "runs", "book/_executed", "data", "cache")
    for path in [p for top in tops for p in (project / top).rglob("*") if p.is_file()]:
        # What is being written is not in its place: a hidden file, or in a hidden folder.
        if any(part.startswith(".") for part in path.relative_to(project).parts):
            continue
        try:
            if path.suffix == ".json" or (path.suffix == ".ipynb" and "logs" not in path.parts):
                json.loads(path.read_text("utf-8"))
            elif path.suffix == ".ckpt" and zipfile.ZipFile(path).testzip():
                raise ValueError("a part is damaged")
            elif path.suffix == ".safetensors":
                content = path.read_bytes()
                (length,) = struct.unpack("<Q", content[:8])
                parts = json.loads(content[8 : 8 + length])
                ends = [part["data_offsets"][1] for k, part in parts.items() if k != "__metadata__"]
                if len(content) != 8 + length + max(ends):
                    raise ValueError("it is cut short")
            elif path.suffix == ".npy":
                np.load(path, mmap_mode="r")
            elif path.suffix == ".webp":
                with Image.open(path) as image:
                    image.load()
        except (ValueError, OSError, zipfile.BadZipFile, struct.error) as error:
            bad.append(f"{path.relative_to(project)}: {error}")
    return bad


def trained(project: Path) -> dict[str, int]:
    """The trainings that are finished, and when: a run that goes on does none of them again."""
    states = (project / "runs" / "quick").glob("*/state.json")
    ended = [path for path in states if json.loads(path.read_text("utf-8"))["finished"]]
    return {path.parent.name: path.stat().st_mtime_ns for path in ended}


def progress(project: Path) -> int:
    """How many finished jobs there are."""
    stamps = (project / "runs" / "quick" / "stamps").glob("*.json")
    return len([*stamps, *(project / "book" / "_executed").rglob("*.ipynb")])


def resumed(records_folder: Path) -> int:
    """How often trainings went on from a checkpoint."""
    trained = [record["training"] or {} for record in records.read(records_folder).values()]
    return sum(training.get("resumed", 0) for training in trained)


def forget(project: Path) -> None:
    """As before the first run."""
    for name in ("runs", "results/quick", "book/_executed", ".snakemake", "_build", "data/packed"):
        shutil.rmtree(project / name, ignore_errors=True)


def killed_once(
    project: Path, arguments: list[str], chance: random.Random, way: str, whole: float, left: float,
    others: int,
) -> str:  # fmt: skip
    """Start the run and kill it; returns where it was, or "" if it ended before with a good status.

    Args:
        way: "moment", or one of `WRITES`.
        whole: seconds of an uninterrupted run.
        left: the share of the work that is left.
        others: kills to come at random moments; the more, the sooner this one.
    """
    count = Path(tempfile.mkdtemp(dir=project.parent))
    stop = {}
    deadline = time.monotonic() + 4 * whole
    if way == "moment":
        share = 1 - chance.random() ** (1 / (others + 1))
        deadline = time.monotonic() + chance.uniform(0, 10) + share * left * whole
        where = "a random moment"
    else:
        when = chance.choice(["half", "after"])
        skip = chance.randrange(2)
        where = f"{way}, {'half written' if when == 'half' else 'just in place'}"
        place = {"path": WRITES[way], "when": when, "skip": skip, "count": str(count)}
        stop = {"QRLIB_DRILL_STOP": json.dumps(place)}
    process = start(project, arguments, **stop)
    while time.monotonic() < deadline and not (count / "stopped").exists():
        if process.poll() is not None:
            if process.returncode:
                sys.exit(f"a run failed: see {project / 'drill.log'}")
            return ""
        time.sleep(0.02)
    if stop and not (count / "stopped").exists():
        where = f"{way}, not come to: a late moment"
    kill(project)
    process.wait()
    shutil.rmtree(count)
    return where


def stopped(project: Path, arguments: list[str], number: signal.Signals) -> float:
    """Seconds from a signal in the middle of a training until nothing of the run is left."""
    forget(project)
    process = start(project, arguments)
    while not any((project / "runs").rglob("last.ckpt")):
        if process.poll() is not None:
            sys.exit(f"a run ended before it trained: see {project / 'drill.log'}")
        time.sleep(0.05)
    began = time.monotonic()
    if number == signal.SIGINT:  # as a terminal does: to the whole foreground group
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    while members(project) or process.poll() is None:
        if time.monotonic() - began > 60:
            kill(project)
        time.sleep(0.02)
    return round(time.monotonic() - began, 2)


def stops(project: Path, arguments: list[str]) -> dict[str, float]:
    seconds = {n.name: stopped(project, arguments, n) for n in (signal.SIGINT, signal.SIGTERM)}
    print(f"seconds to stop: {seconds}; {len(damaged(project))} damaged files")
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--book", action="store_true", help="build the book too")
    parser.add_argument("--minutes", type=float, default=1e9, help="no kill after so many")
    parser.add_argument("--out", type=Path, help="write the outcome to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # A script's background ignores Ctrl-C, and what it starts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    work = Path(tempfile.mkdtemp(prefix="qrlib-kill-"))
    project, kept = prepare(work / "project", options.book), work / "expected"
    arguments = ["book"] if options.book else ["run", "quick"]
    arguments += ["--cores", str(options.cores)]
    found = project / "results" / "quick" / "records"
    try:
        outcome = drill(project, kept, found, arguments, options)
    finally:
        kill(project)
    good = not (outcome["differences"] or outcome["damaged"] or outcome.get("done again"))
    quick = all(seconds <= PATIENCE for seconds in outcome["seconds to stop"].values())
    return common.end(outcome, options.out, work, good and quick)


def drill(
    project: Path, kept: Path, found: Path, arguments: list[str], options: argparse.Namespace
) -> dict:
    """All of it; what came out."""
    if not options.kills:
        seconds = stops(project, arguments)
        return {
            "drill": "stop", "seconds to stop": seconds, "differences": [],
            "damaged": damaged(project), "load": os.getloadavg(), **common.circumstances(project),
        }  # fmt: skip
    began = time.monotonic()
    whole = common.run(project, *arguments)
    jobs = progress(project)
    shutil.copytree(found, kept)
    forget(project)
    print(f"uninterrupted: {whole:.0f} s, {jobs} jobs", flush=True)
    chance = random.Random(options.seed)
    kinds = [kind for kind in WRITES if options.book or kind != "page"]
    ways = [kinds[i // 2 % len(kinds)] if i % 2 else "moment" for i in range(options.kills)]
    where: Counter[str] = Counter()
    bad: list[str] = []
    differ: list[str] = []
    finished: dict[str, int] = {}
    again: list[str] = []
    rounds = went_on = 0
    while ways and time.monotonic() - began < 60 * options.minutes:
        left = max(0.05, 1 - progress(project) / jobs)
        got = killed_once(project, arguments, chance, ways[0], whole, left, ways.count("moment"))
        if got:
            ways.pop(0)
            where[got] += 1
            bad += damaged(project)
            now = trained(project)
            again += [name for name, when in finished.items() if now.get(name) != when]
            finished = now
            print(f"{sum(where.values())} killed: {got}; {progress(project)} of {jobs} jobs were done, "
                  f"{len(bad)} damaged files", flush=True)  # fmt: skip
        else:  # it was faster: another round from the beginning
            rounds += 1
            differ += records.differences(kept, found)
            went_on += resumed(found)
            forget(project)
            finished = {}
    common.run(project, *arguments)
    differ += records.differences(kept, found)
    went_on += resumed(found)
    leftovers = [p for p in project.rglob(".*.tmp") if ".snakemake" not in p.parts]
    total = sum(where.values())
    survived = total if not (differ or bad or again) else 0
    print(*differ, *bad, *again, sep="\n")
    print(f"survived {survived} of {total} kills: {len(differ)} differences in "
          f"{len(records.read(kept))} records, {len(bad)} damaged files, {len(again)} finished "
          f"trainings done again, {went_on} resumed from a checkpoint")  # fmt: skip
    seconds = stops(project, arguments)
    bad += damaged(project)
    return {
        "drill": "kill", "kills": total, "survived": survived, "seed": options.seed,
        "where": dict(sorted(where.items())), "whole runs": rounds + 1, "differences": differ,
        "damaged": bad, "done again": again, "trainings resumed": went_on,
        "temporary files left": len(leftovers), "seconds to stop": seconds,
        "records": len(records.read(kept)), "command": arguments,
        "seconds of an uninterrupted run": whole, **common.circumstances(project),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
