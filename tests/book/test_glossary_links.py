"""Which words of the glossary become links."""

from qrlib.book.sphinx_ext import glossary_links


def test_each_of_several_terms_has_the_definition_below_them(tmp_path):
    page = tmp_path / "glossary.md"
    page.write_text(
        "```{glossary}\nPGD\nFGSM\n  Two *attacks*\n  on pixels.\n\nPSNR\n  In dB.\n```\n"
    )
    attacks = "Two attacks on pixels."
    assert glossary_links.terms(page) == {"FGSM": attacks, "PSNR": "In dB.", "PGD": attacks}
