"""Whose book this is, which edition, how to share it: a Sphinx extension, named in `_config.yml`.

Every page says in its foot which version and commit it was built from, and in its head what a link to it
should show.  The page "About this book" takes its facts from CITATION.cff and the checkout.
"""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qrlib.book import citation
from qrlib.book.sphinx_ext import launch_buttons
from qrlib.records import provenance
from qrlib.report import labels
from qrlib.utils import paths

_MARK = re.compile(r"\{about\}`(\w+)`")
SOURCE = "qrlib-source.zip"
DESCRIPTION = (
    "A network repairs noisy and blurred images so that a classifier recognises them again. Every number "
    "of the paper, measured again, beside the printed one."
)


def _git(*arguments: str) -> str:
    """What git says of the checkout; "" outside of one."""
    try:
        return provenance.git(paths.root(), "CITATION.cff", *arguments).decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def site() -> str | None:
    """Where the book is published: the project's pages on its host; None where no address is configured."""
    address = launch_buttons.repository()
    if address is None:
        return None
    host, owner, name = address.removeprefix("https://").split("/", 2)
    return f"https://{owner}.{host.removesuffix('.com')}.io/{name}/"


def edition() -> str:
    """Version, commit and its date."""
    commit = _git("rev-parse", "--short=10", "HEAD")
    date = _git("log", "-1", "--format=%cs")
    version = f"Version {citation.software()['version']}"
    return " · ".join(filter(None, (version, f"commit {commit}" if commit else "", date)))


def authors() -> str:
    """Who made this book, as CITATION.cff says."""
    return labels.joined(map(_name, citation.software()["authors"]))


def _name(entity: Mapping[str, str]) -> str:
    """A person's or an organisation's."""
    return entity.get("name") or f"{entity['given-names']} {entity['family-names']}"


def _code() -> str:
    address = launch_buttons.repository()
    if address:
        return f"    git clone {address}.git\n"
    if _git("rev-parse", "HEAD"):
        link = f'<a href="{SOURCE}" download>{SOURCE}</a>'
        return f"The code of this edition comes with the book: {link}. Unpack it; no account is needed.\n"
    return "This copy was built outside of a checkout, so it does not know where its code is.\n"


def _contact() -> str:
    """Where to ask: the project's issues, and whom CITATION.cff names under `contact`."""
    address = launch_buttons.repository()
    ways = [f"open an issue at <{address}/issues>"] if address else []
    for person in citation.software().get("contact", ()):
        ways.append(f"write to {_name(person)}" + f" (<{person['email']}>)" * ("email" in person))
    if ways:
        where = f"To ask a question or to report a mistake, {', or '.join(ways)}."
    else:
        where = (
            "This copy names no person and no public address, because its `CITATION.cff` has neither "
            "`contact` nor `repository-code`. Report a mistake to whoever gave you the copy; if it lies in an "
            "archive, through the contact that the archive lists beside it. If you publish the book, set "
            "one of the two and build it again; this section then says where to write."
        )
    return f"{where} Please name the page, and the version and commit at its foot."


def _doi() -> str:
    doi = citation.software().get("doi")
    return (
        f"\nDOI of this edition: [{doi}](https://doi.org/{doi})\n"
        if doi
        else ("\nThis edition has no DOI yet. `make archive` makes the file to deposit for one.\n")
    )


#: The text for each mark of a page.
FACTS = {
    "paper": citation.paper_link,
    "edition": lambda: f"Made by: {authors()}. {edition()}.",
    "code": _code,
    "citation": lambda: f"```bibtex\n{citation.bibtex()}\n```\n{_doi()}",
    "contact": _contact,
}


def fill_in(app: Any, docname: str, source: list[str]) -> None:
    """Replace the marks of a page by their facts."""
    source[0] = _MARK.sub(lambda mark: FACTS[mark[1]](), source[0])


def describe(
    app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Put description and preview into the head of a page, the edition into its foot."""
    context["author"] = authors()
    context["theme_extra_footer"] = f"<p>{html.escape(app.config.qr_edition)}</p>"
    title = re.sub(r"<[^>]*>", "", context.get("title") or "")
    summary = _first_sentences(doctree) if doctree is not None else ""
    base = site() or ""
    tags = {
        "description": summary or DESCRIPTION,
        "og:title": html.unescape(title) or app.config.project,
        "og:description": summary or DESCRIPTION,
        "og:type": "article",
        "og:site_name": app.config.project,
        "og:image": base + citation.PREVIEW if base else context["pathto"](citation.PREVIEW, 1),
        "twitter:card": "summary_large_image",
    }
    if base:
        tags["og:url"] = f"{base}{pagename}.html"
    context["metatags"] = context.get("metatags", "") + "".join(
        f'<meta {"property" if name.startswith("og:") else "name"}="{name}" '
        f'content="{html.escape(value)}" />\n'
        for name, value in tags.items()
    )


def _first_sentences(doctree: Any) -> str:
    """The first paragraph of a page, cut at a word where it is long."""
    from docutils import nodes

    most = 220
    paragraph = next(doctree.findall(nodes.paragraph), None)
    text = " ".join(paragraph.astext().split()) if paragraph is not None else ""
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " …"


def add_source(app: Any, exception: Exception | None) -> None:
    """Where no address leads to the code, it comes with the book."""
    if exception is None and app.builder.format == "html" and launch_buttons.repository() is None:
        target = str(Path(app.outdir) / SOURCE)
        _git("archive", "--format=zip", "-o", target, "HEAD")


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_config_value("qr_edition", edition(), "html")
    app.connect("source-read", fill_in)
    app.connect("html-page-context", describe, priority=503)
    app.connect("build-finished", add_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
