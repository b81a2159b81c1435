"""The pages of the book, sorted into kinds: all pages of a kind are laid out alike."""

from __future__ import annotations

import os

from qrlib.book import table_of_contents

LISTED = table_of_contents.pages(table_of_contents.table())
PAGES = [*LISTED, "genindex", "search"]
#: Kinds of pages with nothing in them that those of the other kind do not have.
LIKE = {
    "classifier_change": "end_to_end",
    "timing": "training",
    "classifier": "training",
    "about": "rerun",
    "machines": "rerun",
    "unseen_corruptions": "restore_or_not",
    "adapt_or_restore": "restore_or_not",
    "retraining": "restore_or_not",
    "teachers": "restore_or_not",
    "quality_index": "restore_or_not",
    "adversarial_images": "restore_or_not",
    "errata": "related",
}
#: Pages that show results of several profiles.
STORY = (
    "index",
    *(
        f"_executed/{name}"
        for name in (
            "does_it_hold",
            "what_to_use",
            "restore_or_not",
            "quality_index",
            "teachers",
            "retraining",
            "unseen_corruptions",
            "adversarial_images",
            "adapt_or_restore",
            "left_open",
        )
    ),
)


def kind(page: str) -> str:
    """What a page was made from."""
    folder, _, name = page.rpartition("/")
    if folder == "api":
        return page if name == "index" else "code"
    if folder == "runs":
        return folder
    if "-seed" in name:
        return name.split("-")[0] if name.startswith(("classifier-", "timing-")) else "training"
    return name


#: The first page of each kind, or with QRLIB_TEST_EVERY_PAGE set all of them, which takes ten minutes
#: more; links and images are tested on all pages.
EVERY = bool(os.environ.get("QRLIB_TEST_EVERY_PAGE"))
KINDS: dict[str, str] = {} if EVERY else {"code": "api/workflow"}  # a small one
for page in PAGES:
    made = LIKE.get(kind(page), kind(page))
    KINDS.setdefault(page if EVERY else made, page)
#: In two halves, for two processes.
EXECUTED = [page for page in KINDS.values() if page.startswith("_executed/")]
WRITTEN = [page for page in KINDS.values() if not page.startswith("_executed/")]
