"""Where the numbers of a page come from: every record, with the notebook that made it."""

from __future__ import annotations

from qrlib.experiments import coverage, profiles
from qrlib.records import behaviour, store
from qrlib.report import render, sources
from qrlib.utils import paths


def table(profile: profiles.Profile) -> render.Rendered:
    """The records of a profile, linked from a page of results in the book.

    *Code* says whether today's code gives the same numbers, by `qrlib.records.behaviour`.
    """
    notebooks = coverage.notebooks(profile)
    records = store.read_records(profile.name)
    rows = []
    for record in records:
        provenance = record["provenance"]
        notebook = notebooks.get(record["name"], "")
        there = (paths.results(profile.name) / "notebooks" / f"{notebook}.ipynb").is_file()
        changed = " + changes" if provenance["git_dirty"] else ""
        rows.append(
            [
                render.link(record["name"], sources.record(profile.name, record["name"])),
                render.link("notebook", f"{notebook}.html") if there else "",
                (provenance["git_commit"] or "none")[:9] + changed,
                "as now" if behaviour.is_current(record) else "earlier",
                provenance["device"],
                f"{provenance['seconds']:.0f}",
                provenance["manifest"][:9],
            ]
        )
    count = f"{len(rows)} records of profile {profile.name}"
    headings = ["record", "made by", "commit", "code", "device", "seconds", "data"]
    caption = f"{count}; each holds all of this and more."
    shown = render.grid(headings, rows, caption, f"records-{profile.name}")
    return render.folded(count, shown)  # many rows, seldom read
