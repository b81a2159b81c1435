"""What pages get while they are built, on small pages."""

from types import SimpleNamespace

import pytest
from docutils import nodes

from qrlib.book.sphinx_ext import dark_figures

PHOTOGRAPH = (
    '<svg><style type="text/css">*{}</style><path style="fill: #ffffff"/><image href="data:,x"/>'
    '<text style="font-size: 11px">clean</text><text style="fill: #00588a">yes</text></svg>'
)


@pytest.fixture
def app(tmp_path):
    """Sphinx as far as pictures need it; remembers which files it was told of."""
    images = SimpleNamespace(told=[])
    images.add_file = lambda page, uri: images.told.append((page, uri))
    return SimpleNamespace(srcdir=str(tmp_path), env=SimpleNamespace(images=images))


def test_drawings_are_told_from_photographs_which_get_a_second_picture(app, tmp_path):
    (tmp_path / "a.svg").write_text("<svg><path/></svg>")
    (tmp_path / "b.svg").write_text(PHOTOGRAPH)
    pictures = [nodes.image(uri=name, alt=name) for name in ("a.svg", "b.svg", "c.png")]
    document = nodes.section("", *pictures)
    dark_figures.mark_pictures(app, document, "page")
    assert [image["classes"] for image in document] == [
        ["qr-drawing"], ["qr-photograph"], ["qr-photograph", "qr-night"], ["qr-photograph"]
    ]  # fmt: skip
    dark = document[2]
    assert (dark["uri"], dark["alt"], dark["loading"]) == ("b.night.svg", "b.svg", "lazy")
    assert app.env.images.told == [("page", "b.night.svg")]
    assert (tmp_path / "b.svg").read_text() == PHOTOGRAPH
    assert (tmp_path / "b.night.svg").read_text() == dark_figures.night(PHOTOGRAPH)


def test_by_night_letters_are_light_and_photographs_as_they_were():
    drawn = dark_figures.night(PHOTOGRAPH)
    assert "#ffffff" not in drawn
    assert "#00588a" not in drawn
    assert f"text{{fill:{dark_figures.INK}}}" in drawn
    assert '<image href="data:,x"/>' in drawn
