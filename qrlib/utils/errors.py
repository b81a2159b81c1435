"""The one error that a user of qrlib is expected to meet."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class QrlibError(Exception):
    """Something the user can put right: the message names the thing, the rule and the way out."""


def choose(what: str, given: object, valid: Iterable[str]) -> str:
    """Return `given` if it is one of `valid`, else raise and list them.

    >>> choose("variant", "qrnet", ["recnet", "qrnet"])
    'qrnet'
    >>> choose("variant", "qrnt", ["recnet", "qrnet"])
    Traceback (most recent call last):
    qrlib.utils.errors.QrlibError: unknown variant 'qrnt' (did you mean 'qrnet'?); valid: recnet, qrnet
    """
    valid = list(valid)
    if given in valid:
        return str(given)
    near = difflib.get_close_matches(str(given), valid, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise QrlibError(f"unknown {what} {given!r}{hint}; valid: {', '.join(valid) or 'none'}")
