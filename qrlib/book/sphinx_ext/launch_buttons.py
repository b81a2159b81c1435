"""What the book's pages get while they are built: a button that opens the trainings on Colab, names, sources.

A Sphinx extension, named in `_config.yml`.  Where the project lives is known to whoever publishes it:
QRLIB_REPOSITORY, or repository-code in CITATION.cff.  Without either there is no button.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd

from qrlib.book import citation
from qrlib.book.sphinx_ext import dark_figures
from qrlib.experiments import coverage, profiles, variants
from qrlib.records import store
from qrlib.report import sources
from qrlib.utils.errors import QrlibError

#: Where a project may be kept.
HOSTS = ("github.com", "gitlab.com")
#: Extensions that do not say whether pages may be read in several processes.  They may, since none keeps
#: anything of a page, and chapters are numbered when all are read.
SILENT = {"sphinx-mathjax-offline", "sphinx_jupyterbook_latex", "sphinx_multitoc_numbering"}
PRINT = {
    "type": "javascript",
    "javascript": "window.print()",
    "tooltip": "Print this page, or save it as PDF",
    "icon": "fas fa-print",
    "label": "print-button",
    "classes": "pst-navbar-icon",
}


def repository() -> str | None:
    """Address of the public repository: QRLIB_REPOSITORY, else CITATION.cff's, else None.

    Raises:
        QrlibError: an address that is not of the form https://github.com/owner/name.
    """
    address = os.environ.get("QRLIB_REPOSITORY") or citation.software().get("repository-code")
    if not address:
        return None
    address = str(address).removesuffix("/").removesuffix(".git")
    if not re.fullmatch(rf"https://({'|'.join(map(re.escape, HOSTS))})/[\w.-]+/[\w.-]+", address):
        raise QrlibError(
            f"QRLIB_REPOSITORY or repository-code of CITATION.cff is {address!r}; it must be like "
            "https://github.com/owner/name"
        )
    return address


def branch() -> str:
    """What of the repository is opened: QRLIB_BRANCH, else main."""
    return os.environ.get("QRLIB_BRANCH") or "main"


def launchers(page: str) -> list[dict[str, str]]:
    """Colab, for the notebook of a training: links as the theme's header takes them."""
    address = repository()
    trained = re.search(r"/(?!timing-)[^/]+-seed\d+$", page)
    if not address or not trained or "github.com" not in address:
        return []
    project = address.removeprefix("https://github.com/")
    return [
        {
            "type": "link",
            "text": "Colab",
            "tooltip": "Train on Colab",
            "icon": "_static/images/logo_colab.png",
            "url": f"https://colab.research.google.com/github/{project}/blob/{branch()}/notebooks/colab.ipynb",
        }
    ]


def add_launchers(
    app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Put the buttons of a page into its header, that of printing among them."""
    if doctree is None:
        return
    context["header_buttons"] = [PRINT, *context["header_buttons"], *launchers(pagename)]


def title(page: str, own: str) -> str:
    """The title of a page that other profiles or runs have as well, with what tells it apart.

    >>> title("_executed/method", "The method")
    'The method'
    >>> title("_executed/quick/recovery", "Table 2")
    'Table 2 (Quick)'
    >>> title("_executed/quick/recnet-noise-seed0", "Training a restorer")
    'Training a restorer: recnet-noise-seed0 (Quick)'
    """
    parts = Path(page).parts
    if parts[0] != "_executed" or len(parts) < 3:
        return own
    alone = (*coverage.PAGES, "conventions", *variants.STANDALONE)
    run = "" if parts[-1] in alone else f": {parts[-1]}"
    return f"{own}{run} ({profiles.load(parts[1]).title})"


def source(page: str) -> str:
    """For the page of a run: its age, numbers and records (`qrlib.report.sources`); "" for other pages."""
    parts = Path(page).parts
    if len(parts) != 3 or parts[0] != "_executed" or parts[1] not in profiles.names():
        return ""
    _, profile, run = parts
    made = coverage.notebooks(profiles.load(profile))
    names = [name for name, by in made.items() if by == run and store.path(profile, name).is_file()]
    if not names:
        return ""
    # Where networks of other runs were put together, nothing was trained: its evaluation is all there is.
    record = store.read_record(profile, run if run in names else names[0])
    epochs = (record["training"] or {}).get("epochs")
    data = pd.DataFrame(epochs or record.get("conventions") or record["results"])
    data = data.assign(profile=profile, records=[tuple(names)] * len(data))
    if data.empty:
        return ""
    commit = (record["provenance"]["git_commit"] or "")[:10]
    age = (
        f'<p class="qr-data">Shown as it ran{f", at commit {commit}" if commit else ""}: its words and code '
        "may be older than the rest of this book.</p>"
    )
    return age + sources.line(data, f"{run}-{profile}", notebooks=False)


def add_source(app: Any, doctree: Any, docname: str) -> None:
    """Put the line of `source` under the title of a run's page."""
    from docutils import nodes

    line = source(docname)
    title = next(doctree.findall(nodes.title), None)
    if line and title is not None:
        title.parent.insert(title.parent.index(title) + 1, nodes.raw("", line, format="html"))


def name_profile(app: Any, doctree: Any) -> None:
    """Let the heading of a page, and so its links and its place in a search, say whose it is."""
    from docutils import nodes

    heading = next(doctree.findall(nodes.title), None)
    if heading is not None:
        named = title(app.env.docname, heading.astext())
        if named != heading.astext():
            heading += nodes.Text(named.removeprefix(heading.astext()))


def share_work(app: Any) -> None:
    """Read and write pages in QRLIB_JOBS processes, for which jupyter-book's command has no option."""
    app.parallel = int(os.environ.get("QRLIB_JOBS", "1"))
    for name in SILENT & app.extensions.keys():
        app.extensions[name].parallel_read_safe = True


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", share_work)
    app.connect("html-page-context", add_launchers, priority=502)  # after the theme made the list
    app.connect("doctree-read", name_profile, priority=400)  # before Sphinx collects the titles
    app.connect("doctree-resolved", dark_figures.mark_pictures)
    app.connect("doctree-resolved", add_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
