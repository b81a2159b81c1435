"""The reference lists the modules that there are: a Sphinx extension, named in `_config.yml`."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from typing import Any

_MARK = re.compile(r"^```\{modules\} (\S+)\n```$", re.MULTILINE)
#: Looks like a colon, and is none.
_COLON = "\N{MODIFIER LETTER COLON}"


def sections(package: str) -> str:
    """A heading and the docstrings of each module that lies in a package itself, as MyST."""
    path = importlib.import_module(package).__path__
    names = [m.name for m in pkgutil.iter_modules(path) if not (m.ispkg or m.name == "__main__")]
    return "\n\n".join(
        f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n```"
        for name in (package, *(f"{package}.{name}" for name in names))
    )


def list_modules(app: Any, docname: str, source: list[str]) -> None:
    """Replace each "modules" of a page by the sections of that package."""
    source[0] = _MARK.sub(lambda mark: sections(mark[1]), source[0])


def _replacing(old: str, new: str) -> Callable[..., None]:
    """What Sphinx calls for each docstring: it changes those of variables and properties."""

    def replace(
        _app: Any, what: str, _name: str, _obj: Any, _options: Any, lines: list[str]
    ) -> None:
        if what in ("data", "attribute", "property"):
            lines[:] = [line.replace(old, new) for line in lines]

    return replace


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", list_modules)
    # Napoleon, at 500, takes what stands before a variable's first colon for its type.
    app.connect("autodoc-process-docstring", _replacing(":", _COLON), priority=400)
    app.connect("autodoc-process-docstring", _replacing(_COLON, ":"), priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
