"""Stops a process in the middle of writing a chosen file, for `drills/kill.py` to kill it there.

Python imports this module at its start, where the drill puts its folder on PYTHONPATH.  QRLIB_DRILL_STOP
says where: a regular expression for the file's path, "half" (the new file is cut in half and not yet in
its place) or "after" (it has just come there), how many such moments to let pass, and a folder to count
them in.  Every file of the project is written by `qrlib.utils.files.replacing`: fsync, then a rename.
"""

import json
import os
import re
import signal

_fsync, _replace, _rename = os.fsync, os.replace, os.rename


def _here(path: str, when: str) -> bool:
    """Whether this is the moment; it comes once, whatever the number of processes."""
    if "QRLIB_DRILL_STOP" not in os.environ:
        return False
    stop = json.loads(os.environ["QRLIB_DRILL_STOP"])
    if when != stop["when"] or not re.search(stop["path"], path):
        return False
    for number in range(1000):
        try:
            os.close(os.open(f"{stop['count']}/{number}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        return number == stop["skip"]
    return False


def _stop(path: str) -> None:
    stop = json.loads(os.environ["QRLIB_DRILL_STOP"])
    with open(f"{stop['count']}/stopped", "w") as file:
        file.write(path)
    os.kill(os.getpid(), signal.SIGSTOP)


def fsync(file: int) -> None:
    path = os.readlink(f"/proc/self/fd/{file}")
    if _here(path, "half"):
        os.truncate(path, os.path.getsize(path) // 2)
        _stop(path)
    _fsync(file)


def replace(source, target, **more) -> None:
    _replace(source, target, **more)
    if _here(os.fspath(target), "after"):
        _stop(os.fspath(target))


def rename(source, target, **more) -> None:
    _rename(source, target, **more)
    if _here(os.fspath(target), "after"):
        _stop(os.fspath(target))


os.fsync, os.replace, os.rename = fsync, replace, rename
