"""The book's table of contents: prose in the order of book/_toc.yml, results and runs by the plan.

A profile is shown if book/runs/ has a page about its runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from qrlib.experiments import coverage, plan, profiles, standalone_plan
from qrlib.experiments.variants import Part
from qrlib.report import labels
from qrlib.utils import files, paths, strict_yaml

#: The profile that the book runs: it has the pages of its plan, others those of their results.
RUN_HERE = coverage.QUICK
#: What of the paper each results notebook makes.
RESULTS = {
    "recovery": "Tables 2 and 3, Figure 4",
    "end_to_end": "Table 4 and Figure 5",
    "classifier_change": "Figure 6",
    "image_quality": "Table 5, Figures 1, 7 and 8",
}
#: The same of `qrlib.experiments.variants.STANDALONE`.
STANDALONE: dict[Part, str] = {
    "corruptions": "Corrupted images",
    "attacks": "Attacked images",
    "adaptation": "An adapted classifier",
}


def write() -> Path:
    """Write the table where the build reads it; returns the file."""
    target = paths.root() / "book" / "_executed" / "_toc.yml"
    with files.replacing(target) as temporary:
        YAML(typ="safe").dump(table(), temporary)
    return target


def table() -> dict[str, Any]:
    """The table as sphinx-external-toc reads it.

    The results of the leading profile are chapters of their own; of another one they lie, as executed
    notebooks do, one level down, below the page that says what its runs show.
    """
    contents: dict[str, Any] = strict_yaml.read(
        paths.root() / "book" / "_toc.yml", "table of contents"
    )
    names = [p.stem for p in files.visible(paths.root() / "book" / "runs", "*.md")]
    first, *others = sorted(
        map(profiles.load, names), key=lambda p: (not _results(p), *coverage.strength(p))
    )
    results = [_run_page(first, _runs(first)) | {"title": "What this run shows"}, *_results(first)]
    other_runs = [_run_page(p, [*_results(p), *_runs(p)]) for p in others]
    contents["parts"][1:1] = [
        {"caption": f"Results: {first.title}", "chapters": results},
        {"caption": "Other runs", "chapters": other_runs},
    ]
    return contents


def pages(contents: dict[str, Any]) -> list[str]:
    """All pages of a table, in order, without their endings."""
    names = [contents[key] for key in ("root", "file") if key in contents]
    for key in ("parts", "chapters", "sections"):
        names += [page for entry in contents.get(key, ()) for page in pages(entry)]
    return names


def _run_page(profile: profiles.Profile, below: list[dict[str, str]]) -> dict[str, Any]:
    return {"file": f"runs/{profile.name}", **({"sections": below} if below else {})}


def _results(profile: profiles.Profile) -> list[dict[str, str]]:
    made = coverage.pages(profile, there=profile.name != RUN_HERE)
    return [{"file": f"_executed/{profile.name}/{page}", "title": RESULTS[page]} for page in made]


def _runs(profile: profiles.Profile) -> list[dict[str, str]]:
    """The training notebooks that a profile shows, and their titles."""
    titles = {}
    for x in plan.experiments_of(profile):
        if x.variant_name == "none":
            titles[x.classifier_run] = f"{labels.classifier(x.classifier.name)}, no restoration"
        else:
            method = labels.method(f"{x.variant_name}-{x.distortions}")
            titles[x.recovery_run] = f"{method}, seed {x.seed}"
    titles[plan.timed(profile).timing_run] = "Timings"
    titles |= {part: STANDALONE[part] for part in standalone_plan.planned(profile)}
    if profile.name != RUN_HERE:
        titles["conventions"] = "Conventions of distorting and measuring"
        folder = paths.results(profile.name) / "notebooks"
        titles = {
            run: title for run, title in titles.items() if (folder / f"{run}.ipynb").is_file()
        }
    return [
        {"file": f"_executed/{profile.name}/{run}", "title": title} for run, title in titles.items()
    ]
