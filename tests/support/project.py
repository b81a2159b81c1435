"""A copy of the project in a folder of its own, and its commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from qrlib.data import embedded
from qrlib.experiments.settings import ROLES

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "Snakefile Makefile CITATION.cff _config.yml pyproject.toml "
    "benchmarks book notebooks profiles qrlib results web"
).split()
IGNORED = "__pycache__ _executed index.ipynb node_modules packed quick smoke".split()
#: What `make book` leaves beside the parts.
MADE = ".snakemake _build/html runs/book runs/quick".split()


class Project:
    """A copy of the project whose quick profile has the smoke profile's few images and steps.

    Its networks and parts are those of the quick profile, so that every job, notebook and page of
    `make book` takes part.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("QRLIB_")},
            "PYTHONPATH": str(root),
            "OMP_NUM_THREADS": "1",
            "QRLIB_CACHE": str(root / "packed"),
        }
        if root.exists():  # another process has made it, or it is the checkout itself
            return
        _copy(ROOT, root, PARTS, IGNORED)
        smoke = yaml.safe_load((root / "profiles" / "smoke.yaml").read_text())
        quick = yaml.safe_load((root / "profiles" / "quick.yaml").read_text())
        quick |= {key: smoke[key] for key in ("title", "label", "data", "recovery")}
        for role in {*ROLES} & {*quick}:
            quick[role] |= {"epochs": 1, "input_size": 48}
        (root / "profiles" / "quick.yaml").write_text(yaml.safe_dump(quick))

    def copy(self, root: Path) -> Project:
        """The project in another folder, with all that was run and built."""
        _copy(self.root, root, [*PARTS, *MADE], ["node_modules"])
        return Project(root)

    def python(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.root,
            env={**self.environment, **more},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=2400,
        )

    def planned(self) -> list[str]:
        """Jobs that another `make book` would run, without the ones that always come along."""
        done = self.python("qrlib", "book", "--dry-run")
        assert done.returncode == 0, done.stdout
        lines = done.stdout.splitlines()
        if not any(line.startswith("Job stats") for line in lines):
            return []
        table = lines[lines.index("Job stats:") + 3 :]
        names = [line.split()[0] for line in table[: table.index("")]]
        return [name for name in names if name != "total"]

    def records(self) -> dict[str, str]:
        folder = self.root / "results" / "quick" / "records"
        return {path.name: path.read_text() for path in folder.glob("*.json")}


def _copy(source: Path, target: Path, parts: list[str], ignored: list[str]) -> None:
    """Copy parts of a project, with their times, and the images and scripts that it needs."""
    images = embedded.folder()
    for part in parts:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            ignore = shutil.ignore_patterns(*ignored)
            shutil.copytree(source / part, target / part, symlinks=True, ignore=ignore)
        else:
            shutil.copy2(source / part, target / part)
    shutil.copytree(images, target / "data" / images.name)
    (target / "web" / "node_modules").symlink_to(ROOT / "web" / "node_modules")
