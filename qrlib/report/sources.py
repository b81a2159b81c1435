"""From a number in the book to where it comes from: its data, its records, the notebooks of its runs.

One line says so under every table, figure and explorer.  The data lie in the page itself, so that a
download needs neither network nor server.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable

import pandas as pd

from qrlib.experiments import coverage, profiles
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError

#: The way to the top of the book from a page of a profile, and from one that shows several.
OF_PROFILE, OF_ALL = "../../", "../"


def line(data: pd.DataFrame, file: str, *, up: str = OF_PROFILE, notebooks: bool = True) -> str:
    """The line under a table or figure, as HTML: data as CSV, records, notebooks.

    Args:
        data: all numbers, unrounded.  Where they come from records, the columns profile, and records
            (tuples of file names) or record (one), say from which.
        file: what the CSV is called, without its ending: small letters, digits, dots and hyphens.
            Other data in the book must not have the same name.
        up: `OF_PROFILE` or `OF_ALL`: where the page lies.
        notebooks: False for a page that is the notebook.

    Raises:
        QrlibError: a name of another form.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", file):
        raise QrlibError(
            f"{file!r} is no name for a CSV: take small letters, digits, dots and hyphens, such as "
            "table-2-quick"
        )
    flat = data.map(lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else value)
    content = base64.b64encode(flat.to_csv(index=False).encode()).decode()
    name = html.escape(f"{file}.csv")
    parts = [f'Data: <a download="{name}" href="data:text/csv;base64,{content}">{name}</a>']
    return f'<div class="qr-data">{" · ".join(parts + _sources(data, up, notebooks))}</div>'


def records_of(data: pd.DataFrame) -> dict[str, list[str]]:
    """The records that a frame was made from: profile -> names of their files, without endings."""
    column = next((name for name in ("records", "record") if name in data.columns), "")
    if not column or "profile" not in data.columns:
        return {}
    found: dict[str, dict[str, None]] = {}
    for profile, files in zip(data["profile"], data[column], strict=True):
        names = found.setdefault(str(profile), {})
        for file in (files,) if isinstance(files, str) else files:
            names[str(file).removesuffix(".json")] = None
    return {profile: sorted(names) for profile, names in found.items() if names}


def record(profile: str, name: str, up: str = OF_PROFILE) -> str:
    """Where the book keeps a record (`qrlib.book.notebooks.assemble`)."""
    return f"{up}records/{profile}/{name}.json"


def page(profile: str, name: str, up: str = OF_PROFILE) -> str | None:
    """Where the book shows an executed notebook of a profile; None where it shows no such profile."""
    shown = (paths.root() / "book" / "runs" / f"{profile}.md").is_file()
    return f"{up}_executed/{profile}/{name}.html" if shown else None


def _sources(data: pd.DataFrame, up: str, notebooks: bool) -> list[str]:
    """A record and its notebook as links; several unfold, for their names are long."""
    found = records_of(data)
    named = [
        (f"{profile}: {name}" if len(found) > 1 else name, record(profile, name, up), notebook)
        for profile, names in found.items()
        for name, notebook in zip(names, _notebooks(profile, names, up), strict=True)
    ]
    links = [(_link(name, target), made if notebooks else None) for name, target, made in named]
    if len(links) == 1:
        shown, made = links[0]
        parts = [f"Record: {shown}"]
        if made:
            run = re.findall(r"([^/]+)\.html", made)[0]
            parts.append(f"Notebook: {_link(run, made)}")
        return parts
    if not links:
        return []
    items = (
        f"<li>{shown}{' · ' + _link('notebook', made) if made else ''}</li>"
        for shown, made in links
    )
    theirs = " and their notebooks" if any(made for _, made in links) else ""
    summary = f"<summary>{len(links)} records{theirs}</summary>"
    return [f"<details>{summary}<ul>{''.join(items)}</ul></details>"]


def _notebooks(profile: str, names: Iterable[str], up: str) -> list[str | None]:
    """Where the book shows the notebook that wrote each record, None if it does not."""
    runs = coverage.notebooks(profiles.load(profile)) if profile in profiles.names() else {}
    folder = paths.results(profile) / "notebooks"
    made = [runs.get(name, "") for name in names]
    return [
        page(profile, run, up) if run and (folder / f"{run}.ipynb").is_file() else None
        for run in made
    ]


def _link(text: str, target: str) -> str:
    return f'<a href="{html.escape(target)}">{html.escape(text)}</a>'
