"""What the drills share: runs in folders of their own, and where an outcome is from."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def checkout(work: Path) -> Path:
    """The project as last committed, in a folder of its own, with nothing run in it yet."""
    if output("git", "status", "--porcelain"):
        print("note: changes that no commit has take no part in this drill", file=sys.stderr)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(work)], check=True)
    if (ROOT / "web" / "node_modules").exists():
        (work / "web" / "node_modules").symlink_to(ROOT / "web" / "node_modules")
    return work


def environment(project: Path) -> dict[str, str]:
    """What a command needs to run in `project` and nowhere else."""
    others = {k: v for k, v in os.environ.items() if not k.startswith("QRLIB_")}
    return {**others, "PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"}


def run(project: Path, *arguments: str, **more: str) -> float:
    """Run a command of the project to its end, which has to be a good one; returns the seconds."""
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "qrlib", *arguments],
        cwd=project, env=environment(project) | more, check=True,
    )  # fmt: skip
    return round(time.monotonic() - started, 1)


def output(*command: str, folder: Path = ROOT) -> str:
    """What a command prints."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout.strip()


def circumstances(project: Path) -> dict[str, Any]:
    """Machine, date, and the commit that `project`, from `checkout`, was made of."""
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "commit": output("git", "rev-parse", "HEAD", folder=project),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }


def end(outcome: dict[str, Any], path: Path | None, work: Path, good: bool) -> bool:
    """Keep an outcome, where a file is named, and of a drill that failed its folder; whether it did."""
    if path is not None:
        path.write_text(json.dumps(outcome, indent=1) + "\n", encoding="utf-8")
        print(f"outcome: {path}")
    if good:
        shutil.rmtree(work)
    return not good
