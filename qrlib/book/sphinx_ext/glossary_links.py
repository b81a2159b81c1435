"""Words of the glossary become links where a page first uses them: a Sphinx extension.

The link says on hover what the word means, and leads to the glossary for those who cannot hover.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

#: Pages whose words are names of code, and the glossary itself.
_LEFT_OUT = ("api/", "glossary", "genindex", "_executed/commands")


@functools.cache
def terms(file: Path) -> dict[str, str]:
    """Each term of a page with a glossary, and its definition in plain text; longer terms first."""
    (block,) = re.findall(r"```\{glossary\}\n(.*?)```", file.read_text("utf-8"), re.DOTALL)
    entries = re.findall(r"^((?:\S.*\n)+)((?:  .*\n)+)", block, re.MULTILINE)
    found = {
        term: " ".join(text.split()).replace("*", "")
        for synonyms, text in entries
        for term in synonyms.splitlines()
    }
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def link(app: Any, doctree: Any, docname: str) -> None:
    """Link the first use of each term in the paragraphs of a page."""
    from docutils import nodes

    if docname.startswith(_LEFT_OUT) or (docname.count("/") == 2 and "-seed" in docname):
        return
    todo = terms(Path(app.srcdir) / "glossary.md").copy()
    inside = (nodes.reference, nodes.literal, nodes.title, nodes.math, nodes.caption, nodes.raw)
    for paragraph in doctree.findall(nodes.paragraph):
        for text in list(paragraph.findall(nodes.Text)):
            if not todo:
                return
            if isinstance(text.parent, inside) or _within(text, inside):
                continue
            pattern = "|".join(map(re.escape, todo))
            pieces = re.split(rf"(?<![\w-])({pattern})(?![\w-])", text.astext(), maxsplit=1)
            if len(pieces) == 3:
                before, word, after = pieces
                uri = app.builder.get_relative_uri(docname, "glossary")
                _, place = app.env.get_domain("std").objects["term", word]
                there = nodes.reference(
                    "", "", nodes.Text(word), refuri=f"{uri}#{place}", reftitle=todo.pop(word),
                    classes=["qr-term"], internal=True,
                )  # fmt: skip
                text.parent.replace(text, [nodes.Text(before), there, nodes.Text(after)])


def _within(node: Any, kinds: tuple[type, ...]) -> bool:
    while node is not None:
        if isinstance(node, kinds):
            return True
        node = node.parent
    return False


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
