"""Paper and software are cited as in CITATION.cff."""

import datetime

from qrlib.book import citation
from qrlib.book.sphinx_ext import front_matter


def test_bibtex_of_paper_and_software():
    text = citation.bibtex()
    assert text.startswith(
        "@article{takagi2019,\n  author = {Takagi, Motohiro and Sakurai, Akito and"
    )
    assert "  doi = {10.1109/ACCESS.2019.2932726},\n}" in text
    assert "@software{qrlib,\n  author = {{The contributors of the qrlib repository}},\n" in text
    assert "  year = {2026},\n}" in text
    assert text.count("{") == text.count("}")


def test_a_date_without_quotes_is_a_date_too(monkeypatch):
    own = citation.software() | {"date-released": datetime.date(2031, 5, 1)}
    monkeypatch.setattr(citation, "software", lambda: own)
    assert "  year = {2031},\n}" in citation.bibtex()


def test_a_reader_is_told_where_to_ask(monkeypatch):
    """By the issues of the repository, by who is named; else that nobody is."""
    own = citation.software()
    assert "contact" not in own
    assert "repository-code" not in own
    monkeypatch.delenv("QRLIB_REPOSITORY", raising=False)
    assert "names no person" in front_matter.FACTS["contact"]()
    asked = {"given-names": "Ada", "family-names": "Byron", "email": "ada@example.org"}
    monkeypatch.setattr(citation, "software", lambda: own | {"contact": [asked]})
    monkeypatch.setenv("QRLIB_REPOSITORY", "https://github.com/owner/name")
    told = front_matter.FACTS["contact"]()
    assert "<https://github.com/owner/name/issues>" in told
    assert "Ada Byron (<ada@example.org>)" in told
