"""A disk that fills up and one that cannot be written to: real ones, by mounts.

    .venv/bin/python drills/faults.py            (Linux, as root, for it mounts file systems in memory)

A profile's runs, results and packed images lie on a disk that is too small, then less so, until it is
large enough.  Each time the run has to end with one line that says so, and leave every file whole; the
next one goes on from there, and the last one has to end with the records of a run on a large disk.  Then
the results are read-only, and the run has to say that, and leave them as they are.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import common
import kill
import records

PROFILE = "smoke"
RUNS = ("classifier-small_vgg-seed0", "recnet-noise-seed0")
#: Sizes of the disk in kB, until one is large enough.
SIZES = (100, 1_000, 10_000, 20_000, 40_000, 400_000)


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[None]:
    """A file system in memory, mounted while the block runs."""
    mount(folder, f"size={SIZES[0]}k", "-t", "tmpfs", "tmpfs")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def mount(folder: Path, options: str, *more: str) -> None:
    subprocess.run(["mount", "-o", options, *more, str(folder)], check=True)


def train(project: Path, top: Path) -> subprocess.CompletedProcess[str]:
    """The runs, with all that they leave in `top`."""
    places = {f"QRLIB_{n.upper()}": str(top / n) for n in ("runs", "results", "cache")}
    return subprocess.run(
        [sys.executable, "-m", "qrlib", "train", PROFILE, *RUNS], cwd=project,
        env=common.environment(project) | places, capture_output=True, text=True,
    )  # fmt: skip


def line(done: subprocess.CompletedProcess[str]) -> str:
    """What a failed run says, which has to be one line."""
    errors = re.findall(r"error: .*", done.stderr)
    if done.returncode != 2 or len(errors) != 1 or "Traceback" in done.stderr:
        return f"BROKEN ({done.returncode}): {done.stderr[-600:]}"
    return errors[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the outcome to this file")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit(
            "to mount a file system takes root: run this drill in a container or virtual machine"
        )
    work = Path(tempfile.mkdtemp(prefix="qrlib-faults-"))
    project = common.checkout(work / "project")
    large, small = work / "large", work / "small"
    small.mkdir()
    if train(project, large).returncode:
        sys.exit("the run on a large disk failed")
    outcomes: dict[str, str] = {}
    bad: list[str] = []
    with disk(small):
        for size in SIZES:
            mount(small, f"remount,size={size}k")
            done = train(project, small)
            outcomes[f"{size} kB"] = "finished" if done.returncode == 0 else line(done)
            bad += kill.damaged(small)
            print(f"{size} kB: {outcomes[f'{size} kB']}", flush=True)
            if done.returncode == 0:
                break
        folder = f"results/{PROFILE}/records"
        differ = records.differences(large / folder, small / folder)
        before = sorted((p, p.stat().st_mtime_ns) for p in (small / "results").rglob("*.json"))
        (small / folder / f"{RUNS[1]}.json").unlink()
        before = [pair for pair in before if pair[0].exists()]
        mount(small, "remount,ro")
        read_only = line(train(project, small))
        after = sorted((p, p.stat().st_mtime_ns) for p in (small / "results").rglob("*.json"))
        print(f"read-only: {read_only}")
        mount(small, "remount,rw")
        again = train(project, small)
        differ += records.differences(large / folder, small / folder)
    full = [text for text in outcomes.values() if "disk full while writing" in text]
    good = (
        len(full) == len(outcomes) - 1 and "finished" in outcomes.values() and not bad and not differ
        and "cannot write" in read_only and after == before and again.returncode == 0
    )  # fmt: skip
    print(*differ, *bad, sep="\n")
    print(f"{len(full)} disks were full, {len(bad)} damaged files, {len(differ)} differences in "
          f"{len(records.read(large / folder))} records: {'good' if good else 'NOT GOOD'}")  # fmt: skip
    outcome = {"drill": "faults", "good": good, "disk": outcomes, "read-only": read_only,
               "damaged": bad, "differences": differ, **common.circumstances(project)}  # fmt: skip
    for name in (str(work), str(project), str(small)):
        outcome["disk"] = {k: v.replace(name, "...") for k, v in outcome["disk"].items()}
        outcome["read-only"] = outcome["read-only"].replace(name, "...")
    return common.end(outcome, options.out, work, good)


if __name__ == "__main__":
    sys.exit(main())
