"""Names of a notebook's parameters: papermill gives any, and only warns of those that it does not have."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from qrlib.utils import paths
from qrlib.utils.errors import choose


def check(cells: Sequence[str] | None = None) -> None:
    """Refuse parameters that a notebook does not declare in its first cell.

    Args:
        cells: what was run so far, from 1; papermill puts what was given after what is declared.
            None: IPython's.

    Raises:
        QrlibError: an unknown name, of a parameter or of a variable of ours; the message lists the valid ones.

    >>> check(["", "variant = 'qrnet'", "# Parameters\\nvarient = 'recnet'"])
    Traceback (most recent call last):
    qrlib.utils.errors.QrlibError: unknown parameter 'varient' (did you mean 'variant'?); valid: variant
    """
    if cells is None:
        from IPython import get_ipython

        shell = get_ipython()
        if shell is None:  # not run as a notebook: nobody gave parameters
            return
        cells = shell.user_ns["In"]
        paths.check_variables()
    if len(cells) > 2 and cells[2].startswith("# Parameters"):
        declared, given = map(_assigned, cells[1:3])
        for name in given:
            if not name.startswith("PAPERMILL_"):  # its own, of --inject-paths
                choose("parameter", name, declared)


def _assigned(source: str) -> list[str]:
    targets = [n.targets[0] for n in ast.parse(source).body if isinstance(n, ast.Assign)]
    return [target.id for target in targets if isinstance(target, ast.Name)]
