"""Where a result comes from: code, versions, machine."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import qrlib

PACKAGE = Path(__file__).resolve().parent.parent
VERSIONS = (
    "qrlib torch torchvision pytorch-lightning torchmetrics numpy pillow scikit-image safetensors"
).split()


@functools.cache
def code(module: str) -> tuple[frozenset[str], str]:
    """Of a qrlib module the qrlib modules it imports, in functions too, and what it does: no prose."""
    tree = ast.parse(_file(module).read_text(encoding="utf-8"))
    found = imported(tree)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            first = body[0].value
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                del body[0]
    return found, ast.dump(tree)


def imported(tree: ast.AST) -> frozenset[str]:
    """The qrlib modules that some code imports, anywhere in it, or takes as attributes of `qrlib`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "qrlib":
            base = node.module or ""
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(a.name for a in node.names if a.name.split(".")[0] == "qrlib")
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "qrlib":
            found.add(f"qrlib.{qrlib._NAMES.get(node.attr, node.attr)}")
    return frozenset(name for name in found if name != "qrlib" and _exists(name))


def closure(modules: Iterable[str]) -> list[str]:
    """The qrlib modules, and all qrlib modules they import, directly or not; sorted."""
    seen: set[str] = set()
    todo = [f"qrlib.{m}" if not m.startswith("qrlib") else m for m in modules]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        parent = name.rpartition(".")[0]
        if parent != "qrlib":
            todo.append(parent)
        todo.extend(code(name)[0])
    return sorted(seen)


def code_hash(modules: Iterable[str]) -> str:
    """SHA-256 (16 digits) of what the modules and all they import do.

    Comments, docstrings and layout do not count, so that prose may change without retraining.
    """
    digest = hashlib.sha256()
    for module in closure(modules):
        digest.update(f"{module}\n{code(module)[1]}\n".encode())
    return digest.hexdigest()[:16]


def config_hash(config: Any) -> str:
    """SHA-256 (16 digits) of JSON values."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]


def describe(device: str) -> dict[str, Any]:
    """Git commit, package versions, platform and device, as stored in each record."""
    commit, dirty = _git()
    versions = {}
    for name in VERSIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed as a package"
    return {
        "git_commit": commit,
        "git_dirty": dirty,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "versions": versions,
        "device": device,
        "cpus": os.cpu_count(),
    }


def peak_memory_mb() -> int:
    """Peak resident memory of this process so far, in MB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 if platform.system() != "Darwin" else 1024 * 1024))


def git(folder: Path, holds: str, *arguments: str) -> bytes:
    """What git answers about the repository of a folder, whatever repository the caller works in.

    Args:
        holds: a file of the folder that has to be in the repository, which may be one around it.

    Raises:
        OSError: git is not installed, or the file is not in the repository.
        subprocess.CalledProcessError: git refuses; stderr says why, in English.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or "CONFIG" in k}

    def run(*words: str) -> bytes:
        command, said = ["git", "-C", str(folder), *words], {**kept, "LC_ALL": "C"}
        return subprocess.run(command, env=said, check=True, capture_output=True).stdout

    if not run("ls-files", holds):
        raise OSError(f"the repository around {folder} does not hold it")
    return run(*arguments)


def _git() -> tuple[str | None, bool | None]:
    """Commit and whether tracked files differ from it; (None, None) outside a checkout of this package.

    Results do not count: a run that repeats a committed one replaces them as it goes.
    """
    state = ["--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)results"]
    try:
        commit = git(PACKAGE, "__init__.py", "rev-parse", "HEAD").decode().strip()
        return commit, bool(git(PACKAGE, "__init__.py", "status", *state).strip())
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", b"").decode(errors="replace").strip() or str(error)
        refused = not isinstance(error, OSError) and "not a git repository" not in reason
        if refused or (PACKAGE.parent / ".git").exists():  # a checkout, though git says none
            reason = reason.partition("\n")[0]
            print(f"WARNING: records name no commit, as git refuses it ({reason})", file=sys.stderr)
        return None, None


def _file(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _exists(module: str) -> bool:
    return _file(module).is_file()
