"""The book's table of contents: prose in the order of book/_toc.yml, results and runs by the plan.

A profile is shown if book/runs/ has a page about its runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from qrlib.experiments import coverage, plan, profiles
from qrlib.report import labels
from qrlib.utils import files, paths, strict_yaml

#: The profile that the book runs: it has the pages of its plan, others those of their results.
RUN_HERE = "quick"
#: What of the paper each results notebook makes.
RESULTS = {
    "recovery": "Tables 2 and 3, Figure 4",
    "end_to_end": "Table 4 and Figure 5",
    "classifier_change": "Figure 6",
    "image_quality": "Table 5, Figures 1, 7 and 8",
}


def write() -> Path:
    """Write the table where the build reads it; returns the file."""
    target = paths.root() / "book" / "_executed" / "_toc.yml"
    with files.replacing(target) as temporary:
        text = yaml.safe_dump(table(), sort_keys=False, allow_unicode=True)
        temporary.write_text(text, encoding="utf-8")
    return target


def table() -> dict[str, Any]:
    """The table as sphinx-external-toc reads it."""
    contents = strict_yaml.read(paths.root() / "book" / "_toc.yml", "table of contents")
    shown = [profiles.load(p.stem) for p in (paths.root() / "book" / "runs").glob("*.md")]
    shown.sort(key=lambda profile: (profile.name == RUN_HERE, profile.name))
    results = [
        {"caption": f"Results: {profile.title}", "chapters": chapters}
        for profile in shown
        if (chapters := _results(profile))
    ]
    parts = contents["parts"]
    (place,) = (i for i, part in enumerate(parts) if part["chapters"][0]["file"] == "runs")
    for profile in shown:
        runs = [_entry(profile, run, title) for run, title in _runs(profile).items()]
        chapter = {"file": f"runs/{profile.name}", **({"sections": runs} if runs else {})}
        parts[place]["chapters"].append(chapter)
    parts[place:place] = results
    return contents


def pages(contents: dict[str, Any]) -> list[str]:
    """All pages of a table, in order, without their endings."""
    names = [contents[key] for key in ("root", "file") if key in contents]
    for key in ("parts", "chapters", "sections"):
        names += [page for entry in contents.get(key, ()) for page in pages(entry)]
    return names


def _entry(profile: profiles.Profile, notebook: str, title: str) -> dict[str, str]:
    return {"file": f"_executed/{profile.name}/{notebook}", "title": title}


def _results(profile: profiles.Profile) -> list[dict[str, str]]:
    made = coverage.pages(profile, there=profile.name != RUN_HERE)
    return [_entry(profile, page, f"{RESULTS[page]}: {profile.title}") for page in made]


def _runs(profile: profiles.Profile) -> dict[str, str]:
    """The training notebooks that a profile shows, and their titles."""
    titles = {}
    for x in plan.experiments_of(profile):
        if x.variant_name == "none":
            titles[x.classifier_run] = f"{labels.classifier(x.classifier.name)}, no restoration"
        else:
            method = labels.method(f"{x.variant_name}-{x.distortions}")
            titles[x.recovery_run] = f"{method}, seed {x.seed}"
    titles[plan.timed(profile).timing_run] = "Timings"
    if profile.name == RUN_HERE:
        return titles
    titles["conventions"] = "Conventions of distorting and measuring"
    folder = paths.results(profile.name) / "notebooks"
    return {run: title for run, title in titles.items() if (folder / f"{run}.ipynb").is_file()}
