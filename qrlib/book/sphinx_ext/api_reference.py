"""The reference lists the modules that there are: a Sphinx extension, named in `_config.yml`."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Any

_MARK = re.compile(r"^```\{modules\} (\S+)\n```$", re.MULTILINE)


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


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", list_modules)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
