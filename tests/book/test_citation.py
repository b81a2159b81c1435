"""Paper and software are cited as in CITATION.cff."""

from qrlib.book import citation


def test_bibtex_of_paper_and_software():
    text = citation.bibtex()
    assert text.startswith(
        "@article{takagi2019,\n  author = {Takagi, Motohiro and Sakurai, Akito and"
    )
    assert "  doi = {10.1109/ACCESS.2019.2932726},\n}" in text
    assert "@software{qrlib,\n  author = {{The contributors of the qrlib repository}},\n" in text
    assert "  year = {2026},\n}" in text
    assert text.count("{") == text.count("}")
