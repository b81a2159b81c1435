"""YAML that holds plain values, says each of them once, and can neither run code nor grow."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from qrlib.utils.errors import QrlibError

#: A settings file of more bytes than this is none.
LARGEST = 1 << 20


class _Loader(yaml.SafeLoader):
    """PyYAML's loader of plain values, without aliases, tags of its own, and keys that come twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):  # a few of them can stand for gigabytes
            raise yaml.constructor.ConstructorError(
                None, None, "aliases are not allowed", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        QrlibError: in one line, what is wrong and where.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise QrlibError(" ".join(str(error).split())) from error
    except RecursionError:
        raise QrlibError("values are nested too deeply") from None


def read(path: Path, what: str) -> Any:
    """The value of a YAML file; `what` names its role in errors.

    Raises:
        QrlibError: as `parse` says, or no file of readable size and encoding; the message names it.
    """
    try:
        if not path.is_file():
            raise QrlibError("it is no file")
        if path.stat().st_size > LARGEST:
            raise QrlibError(f"it has more than {LARGEST:,} bytes")
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, QrlibError) as error:
        raise QrlibError(f"{what} {path} cannot be read: {' '.join(str(error).split())}") from error
