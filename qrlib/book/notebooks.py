"""Executed notebooks as pages of the book: tidied, and collected where the book reads them."""

from __future__ import annotations

import ast
import base64
import functools
import io
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from qrlib.experiments import coverage, profiles
from qrlib.records import provenance
from qrlib.report import captions
from qrlib.report.data_uris import encode_image
from qrlib.utils import files, paths

#: How the MIME types of saved widgets begin.
WIDGETS = "application/vnd.jupyter.widget-"
#: An image in a figure, as matplotlib writes it, and the side from which it need not be lossless.
EMBEDDED = re.compile(r"data:image/png;base64,\s*([\w+/=\s]+)")
LARGE = 97  # pixels


def _left(declared: Iterable[str], given: str) -> list[str]:
    """The parameters that a run left as they are declared: with them, a copy of what is shown works.

    >>> _left(["seed = 0  # of all\\nclassifier = None"], "seed = 1")
    ['classifier = None']
    """
    names = {line.partition(" = ")[0] for line in given.splitlines()}
    lines = [line for source in declared for line in source.splitlines()]
    return [line.partition("  #")[0] for line in lines if line.partition(" = ")[0] not in names]


@functools.cache
def code_hash(notebook: str | Path) -> str:
    """Hash of the code of qrlib that a notebook's cells use: a change of it makes the page outdated."""
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return provenance.code_hash(provenance.imported(ast.parse(code)))


def page(notebook: str | Path, target: str | Path, *, run: bool = False) -> None:
    """Move a finished notebook to `target`, tidied as a page of the book, or as that of a run."""
    import nbformat

    notebook, target = Path(notebook), Path(target)
    content = nbformat.read(notebook, as_version=4)
    tidy(content, run=run)
    with files.replacing(target) as temporary:
        nbformat.write(content, temporary)
    notebook.unlink()


def tidy(content: Any, *, run: bool = False) -> None:
    """Hide what papermill added, and drop what belongs to this machine and moment.

    The reader of a run wants to know its parameters and every step; other pages hide cells that show nothing.
    """
    cells = content.cells
    injected = [c for c in cells if "injected-parameters" in c.metadata.get("tags", [])]
    declared = [c.source for c in cells if "parameters" in c.metadata.get("tags", [])]
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        replaced = "parameters" in tags and (injected or not run)
        silent = "hide-input" in tags and not cell.outputs and not run
        if replaced or silent:
            cell.metadata.tags = ["remove-cell"]
    if injected:
        injected[0].metadata.tags = ["run-parameters" if run else "remove-cell"]
    if injected and run:
        given = injected[0].source.replace("# Parameters", "# The parameters of this run")
        injected[0].source = "\n".join([given.rstrip(), *_left(declared, given)])
    content.metadata.pop("papermill", None)
    _keep_shown_widgets(content)
    for cell in cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            _caption(cell)
            _shrink(cell.outputs)
            # Progress bars and library notices: seen while it ran, of no use to a reader.
            cell.outputs = _joined(o for o in cell.outputs if o.get("name") != "stderr")


def _caption(cell: Any) -> None:
    """Put what `qrlib.report.captions.say` said into the figure's caption."""
    said = [o for o in cell.outputs if captions.MIME in o.get("data", {})]
    if said:
        cell.outputs = [o for o in cell.outputs if o not in said]
        figure = cell.metadata.mystnb.figure
        notes = [o.data[captions.NOTE] for o in said if captions.NOTE in o.data]
        words = [*(o.data[captions.MIME] for o in said), figure.caption, *notes]
        figure.caption = " ".join(filter(None, words))


def _shrink(outputs: Iterable[Any]) -> None:
    """Large images in figures as WebP, which takes a sixth of what a noisy one takes as PNG."""

    def smaller(match: re.Match[str]) -> str:
        picture = Image.open(io.BytesIO(base64.b64decode(match[1])))
        return match[0] if max(picture.size) < LARGE else encode_image(picture, "webp", quality=85)

    for output in outputs:
        if figure := output.get("data", {}).get("image/svg+xml"):
            output.data["image/svg+xml"] = EMBEDDED.sub(smaller, figure)


def _keep_shown_widgets(content: Any) -> None:
    """Keep the state of the explorers that cells show and of what it refers to, no other widget's."""
    widgets = content.metadata.pop("widgets", None)
    saved = (widgets or {}).get(WIDGETS + "state+json", {})
    state = saved.get("state", {})
    outputs = [o for c in content.cells for o in c.get("outputs", []) if "data" in o]
    views = [o.data[WIDGETS + "view+json"] for o in outputs if WIDGETS + "view+json" in o.data]
    todo = [view["model_id"] for view in views]
    kept: dict[str, Any] = {}
    while todo:
        name = todo.pop()
        if name in state and name not in kept:
            kept[name] = state[name]
            values = [v for v in state[name]["state"].values() if isinstance(v, str)]
            todo += [v.removeprefix("IPY_MODEL_") for v in values if v.startswith("IPY_MODEL_")]
    if kept:
        content.metadata.widgets = {WIDGETS + "state+json": {**saved, "state": kept}}


def _joined(outputs: Iterable[Any]) -> list[Any]:
    """Pieces of text that a progress bar had cut apart, in one."""
    kept: list[Any] = []
    for output in outputs:
        if kept and output.output_type == kept[-1].output_type == "stream":
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def assemble(names: list[str]) -> None:
    """Copy executed training notebooks and records of some profiles to where the book reads them.

    The pages of profiles that have no records any more go.
    """
    names = [profiles.check_name(name) for name in names]
    executed = paths.root() / "book" / "_executed"
    for pages in files.visible(executed, "*"):
        if pages.is_dir() and pages.name not in {"_files", *names, *coverage.recorded()}:
            shutil.rmtree(pages)
    records = executed / "_files" / "records"
    shutil.rmtree(records, ignore_errors=True)
    for name in names:
        shutil.copytree(paths.results(name) / "records", records / name)
        target = executed / name
        target.mkdir(parents=True, exist_ok=True)
        wanted = {p.name: p for p in files.visible(paths.results(name) / "notebooks", "*.ipynb")}
        for old in target.glob("*.ipynb"):
            if old.name not in wanted and old.stem not in coverage.PAGES:
                old.unlink()
        for file, source in wanted.items():
            shutil.copyfile(source, target / file)
