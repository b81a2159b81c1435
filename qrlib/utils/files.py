"""Writing a file or folder so that nobody ever reads half of one."""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import hashlib
import json
import os
import platform
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qrlib.utils.errors import QrlibError

#: This machine, for the names of temporaries: a process of another one cannot be asked if it lives.
_NODE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def visible(folder: Path, pattern: str) -> list[Path]:
    """What matches in a folder, sorted; [] without one.  Names that begin with a dot are left out.

    Such files and folders are what systems and tools leave behind (``._a.json``, ``.ipynb_checkpoints``).

    Args:
        pattern: of one level or several, such as ``*/weights/*.safetensors``.

    Raises:
        PermissionError: a folder that may not be read, which `Path.glob` takes for an empty one.
    """
    first, _, rest = pattern.partition("/")
    try:
        there = sorted(path for path in folder.iterdir() if path.name[0] != ".")
    except (FileNotFoundError, NotADirectoryError):
        return []
    there = [path for path in there if fnmatch.fnmatchcase(path.name, first)]
    return [inner for path in there for inner in visible(path, rest)] if rest else there


@contextlib.contextmanager
def replacing(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends without error.

    A file replaces what was there.  A folder made at the temporary path is moved to `path` only if
    nothing is there yet: another process that was faster wins, and its folder stays.  After an error
    the old content is as it was and the temporary is gone.  What a process that was killed left here
    goes with the next write of the same file.

    Args:
        overwrite: whether a file may be replaced, also one that appears while the block runs.
    """
    temporary = path.parent / f"{_prefix(path)}{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        yield temporary
        if temporary.is_dir():
            for file in temporary.iterdir():
                _sync(file)
            with contextlib.suppress(OSError):
                temporary.rename(path)
            if not path.is_dir():
                raise QrlibError(f"cannot move the finished folder into place at {path}")
        else:
            _sync(temporary)
            _move(temporary, path, overwrite)
    except OSError as error:
        if error.filename and not Path(os.fsdecode(error.filename)).is_relative_to(path.parent):
            raise  # of another file, which the block read
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise QrlibError(
                f"disk full while writing {path}; nothing was changed: free some space and run again"
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise QrlibError(
                f"cannot write {path} ({error.strerror}); nothing was changed: make its folder "
                "writable, or move it with QRLIB_RESULTS, QRLIB_RUNS or QRLIB_CACHE"
            ) from error
        raise
    finally:
        _remove(temporary)


def _move(temporary: Path, path: Path, overwrite: bool) -> None:
    try:
        if not overwrite:
            os.link(temporary, path)
            return
    except OSError:  # it is there, or this file system has no links
        if os.path.lexists(path):
            raise QrlibError(
                f"{path} appeared while this was computed: name another file, or give --overwrite"
            ) from None
    os.replace(temporary, path)


def _prefix(path: Path) -> str:
    """How the names of a file's temporaries begin: as long for a long name as for a short one."""
    return f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.{_NODE}-"


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        # Not even that works where nothing can be written, and would hide the reason.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove the temporaries of `path` that belong to processes of this machine which are no more."""
    for left in path.parent.glob(f"{_prefix(path)}*-*.tmp"):
        owner = left.name.removesuffix(".tmp").split("-")[-2]
        if owner.isdigit() and not _alive(int(owner)):
            _remove(left)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks, sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        pass
    return True


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; NaN and infinity are refused, since JSON has neither."""
    try:
        text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    except ValueError as error:
        raise QrlibError(f"{path} is not written: a value is NaN or infinite") from error
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


def _finite(text: str) -> float:
    if abs(value := float(text)) == float("inf"):  # 1e999
        raise ValueError(f"{text[:20]} is too large")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(values := dict(pairs)) < len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise ValueError(f"the key {twice!r} stands there twice")
    return values


def read_json(path: Path, what: str) -> Any:
    """Read JSON; `what` names the file's role in the error of a missing or damaged one."""
    try:
        if not path.is_file() and path.exists():
            raise OSError("it is no file")
        text = path.read_text(encoding="utf-8")
        value = json.loads(
            text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_once
        )
        if "\\ud" in text.lower():  # half a character, which no page could show
            json.dumps(value, ensure_ascii=False).encode()
    except FileNotFoundError:
        raise QrlibError(f"no {what} at {path}") from None
    except PermissionError:
        raise  # nothing is wrong with the file
    except (ValueError, OSError, RecursionError) as error:
        raise QrlibError(
            f"{what} {path} is damaged ({error}); delete it and run the step that made it again"
        ) from error
    return value


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()
