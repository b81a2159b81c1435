"""Where the numbers of a page come from: every record, with the notebook that made it."""

from __future__ import annotations

from qrlib import experiments, paths, profiles, rendering, sections, store


def table(profile: profiles.Profile) -> rendering.Rendered:
    """The records of a profile, linked from a page of results in the book.

    *Code* compares the hash of the code that decided a run with that of today's code.
    """
    notebooks = sections.notebooks(profile)
    records = store.read_records(profile.name)
    current = {kind: experiments.code(kind) for kind in {record["kind"] for record in records}}
    rows = []
    for record in records:
        source = record["provenance"]
        notebook = notebooks.get(record["name"], "")
        there = (paths.results(profile.name) / "notebooks" / f"{notebook}.ipynb").is_file()
        changed = " + changes" if source["git_dirty"] else ""
        rows.append(
            [
                rendering.record(profile.name, f"{record['name']}.json"),
                rendering.Link("notebook", f"{notebook}.html") if there else "",
                (source["git_commit"] or "none")[:9] + changed,
                "as now" if source["code"] == current[record["kind"]] else "earlier",
                source["device"],
                f"{source['seconds']:.0f}",
                source["manifest"][:9],
            ]
        )
    count = f"{len(rows)} records of profile {profile.name}"
    headings = ["record", "made by", "commit", "code", "device", "seconds", "data"]
    caption = f"{count}; each holds all of this and more."
    shown = rendering.grid(headings, rows, caption, f"records-{profile.name}")
    folded = f"<details><summary>{count}</summary>{shown.html}</details>"  # many rows, seldom read
    return rendering.Rendered(shown.markdown, folded)
