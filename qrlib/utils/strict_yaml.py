"""YAML 1.2 that holds plain values, says each of them once, and can neither run code nor grow."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from qrlib.utils.errors import QrlibError

#: A settings file of more bytes than this is none.
LARGEST = 1 << 16


def parse(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        QrlibError: in one line, what is wrong and where.
    """
    return copy.deepcopy(_parsed(text))  # who asks may change it


@functools.lru_cache(maxsize=128)  # a page with hundreds of links asks for a profile at each
def _parsed(text: str) -> Any:
    try:
        if any(isinstance(event, AliasEvent) for event in YAML(typ="safe", pure=True).parse(text)):
            # A few of them can stand for gigabytes.
            raise QrlibError("aliases (*name) are not allowed; write the value out")
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise QrlibError(line + " ".join(problem.split())) from error
    except RecursionError:
        raise QrlibError("values are nested too deeply") from None


def read(path: Path, what: str) -> dict[str, Any]:
    """The settings in a YAML file; `what` names its role in errors.

    Raises:
        QrlibError: as `parse` says, or no file of settings of readable size and encoding.
    """
    try:
        if not path.is_file():
            raise QrlibError("it is no file")
        if path.stat().st_size > LARGEST:
            raise QrlibError(f"it has more than {LARGEST:,} bytes")
        values = parse(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise QrlibError(f"it must hold settings, not {type(values).__name__}")
    except (OSError, ValueError, QrlibError) as error:
        raise QrlibError(f"{what} {path} cannot be read: {' '.join(str(error).split())}") from error
    return values
