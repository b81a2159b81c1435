"""From a number in the book to where it comes from: its data, its records, the notebooks of its runs.

One line says so under every table, figure and explorer.  The data lie in the page itself, so that a
download needs neither network nor server.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from qrlib.experiments import coverage, profiles
from qrlib.report.data_uris import data_uri
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError

#: The way to the top of the book from a page of a profile, from one that shows several, from the first.
OF_PROFILE, OF_ALL, OF_BOOK = "../../", "../", ""


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
    content = data_uri(flat.to_csv(index=False).encode(), "text/csv")
    name = html.escape(f"{file}.csv")
    parts = [f'Data: <a download="{name}" href="{content}">{name}</a>']
    return f'<div class="qr-data">{" · ".join(parts + _sources(data, up, notebooks))}</div>'


def records_of(data: pd.DataFrame) -> dict[str, list[str]]:
    """The records that a frame was made from: profile -> names of their files, without endings."""
    column = next((name for name in ("records", "record") if name in data.columns), "")
    if not column or "profile" not in data.columns:
        return {}
    records: dict[str, set[str]] = {}
    for profile, files in zip(data["profile"], data[column], strict=True):
        for file in (files,) if isinstance(files, str) else files:
            records.setdefault(str(profile), set()).add(str(file).removesuffix(".json"))
    return {profile: sorted(names) for profile, names in records.items()}


def record(profile: str, name: str, up: str = OF_PROFILE) -> str:
    """Where the book keeps a record (`qrlib.book.notebooks.assemble`)."""
    return f"{up}records/{profile}/{name}.json"


def summary(profile: str, up: str = OF_PROFILE) -> str | None:
    """Where the book says what the runs of a profile show; None where it shows no such profile."""
    shown = (paths.root() / "book" / "runs" / f"{profile}.md").is_file()
    return f"{up}runs/{profile}.html" if shown else None


def page(profile: str, name: str, up: str = OF_PROFILE) -> str | None:
    """Where the book shows an executed notebook of a profile; None where it shows no such page."""
    if summary(profile) is None:
        return None
    if name in coverage.PAGES:
        shown = coverage.pages(profiles.load(profile), there=profile != coverage.QUICK)
        if name not in shown:
            return None
    return f"{up}_executed/{profile}/{name}.html"


def made_by(profile: str, name: str, up: str = OF_PROFILE) -> str:
    """Where the book shows the notebook that wrote a record; the record where it shows none."""
    return _notebooks(profile, [name], up)[0] or record(profile, name, up)


def _sources(data: pd.DataFrame, up: str, notebooks: bool) -> list[str]:
    """A record and its notebook as links; several unfold, for their names are long."""
    records = records_of(data)
    links = []
    for profile, names in records.items():
        pages = _notebooks(profile, names, up) if notebooks else [None] * len(names)
        for name, made_by in zip(names, pages, strict=True):
            text = f"{profile}: {name}" if len(records) > 1 else name
            links.append((_link(text, record(profile, name, up)), made_by))
    if len(links) == 1:
        shown, made_by = links[0]
        notebook = [f"Notebook: {_link(Path(made_by).stem, made_by)}"] if made_by else []
        return [f"Record: {shown}", *notebook]
    if not links:
        return []
    items = (
        f"<li>{shown}{' · ' + _link('notebook', made_by) if made_by else ''}</li>"
        for shown, made_by in links
    )
    what = "records and their notebooks" if any(made_by for _, made_by in links) else "records"
    summary = f"<summary>{len(links)} {what}</summary>"
    return [f"<details>{summary}<ul>{''.join(items)}</ul></details>"]


def _notebooks(profile: str, names: Iterable[str], up: str) -> list[str | None]:
    """Where the book shows the notebook that wrote each record, None if it does not."""
    runs = coverage.notebooks(profiles.load(profile)) if profile in profiles.names() else {}
    folder = paths.results(profile) / "notebooks"
    return [
        page(profile, runs[name], up) if (folder / f"{runs.get(name)}.ipynb").is_file() else None
        for name in names
    ]


def _link(text: str, target: str) -> str:
    return f'<a href="{html.escape(target)}">{html.escape(text)}</a>'
