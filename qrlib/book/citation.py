"""The paper and this software as CITATION.cff names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qrlib.report import labels
from qrlib.utils import paths, strict_yaml


def software() -> dict[str, Any]:
    """All of the file, whose `preferred-citation` is the paper.

    Raises:
        QrlibError: no such file, or one that cannot be read.
    """
    return strict_yaml.read(paths.root() / "CITATION.cff", "citation")


#: The picture that a shared link shows: its name in the built book, and before, in the folder of extra files.
PREVIEW = "preview.png"


def paper() -> dict[str, Any]:
    """The entry of the paper: title, authors, journal, volume, year, doi."""
    entry: dict[str, Any] = software()["preferred-citation"]
    return entry


def paper_link() -> str:
    """Authors, journal and year of the paper, as a link in Markdown to its DOI."""
    entry = paper()
    authors = labels.joined(author["family-names"] for author in entry["authors"])
    return f"[{authors}, {entry['journal']} {entry['year']}](https://doi.org/{entry['doi']})"


def bibtex() -> str:
    """The paper and this software as BibTeX."""
    article, own = paper(), software()
    key = article["authors"][0]["family-names"].lower() + str(article["year"])
    own["year"] = str(own["date-released"])[:4]
    if "repository-code" in own:
        own["url"] = own["repository-code"]
    return "\n\n".join(
        (
            _entry("article", key, article, ("title", "journal", "volume", "year", "doi")),
            _entry("software", "qrlib", own, ("title", "version", "url", "year")),
        )
    )


def _entry(kind: str, key: str, cited: Mapping[str, Any], fields: Sequence[str]) -> str:
    """An entry of BibTeX; braces keep a name whole that is no person's."""
    people = [
        f"{{{a['name']}}}" if "name" in a else f"{a['family-names']}, {a['given-names']}"
        for a in cited["authors"]
    ]
    values = {"author": " and ".join(people)} | {f: cited[f] for f in fields if f in cited}
    lines = [f"  {name} = {{{value}}}," for name, value in values.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
