"""Pages without what no reader needs: scripts, maps, fonts ahead of time, handlers."""

from types import SimpleNamespace

import pytest
from docutils import nodes

from qrlib.book.sphinx_ext import trimming


def building(folder, *pages):
    """What Sphinx hands over when it has built some pages."""
    return SimpleNamespace(
        outdir=str(folder),
        builder=SimpleNamespace(format="html"),
        env=SimpleNamespace(found_docs=set(pages)),
    )


#: The theme's, on Python 3.10 the second.
SCRIPTS = ["scripts/fontawesome.js", "vendor/fontawesome/6.5.2/js/all.min.js"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_of_icons_is_emptied_whatever_became_of_the_build(folders, name):
    app = building(folders)
    trimming.finish(app, None)
    script = folders / "_static" / name
    script.parent.mkdir(parents=True)
    script.write_text("x" * 1000)
    trimming.finish(app, ValueError())
    assert script.read_text().startswith("//")
    assert script.stat().st_size < 100


def test_what_only_some_pages_need_is_there_alone():
    search = (
        '<script src="../_static/searchtools.js"></script><script src="searchindex.js"></script>'
    )
    math = '<script defer="defer" src="../_static/mathjax/tex-chtml.js"></script>'
    print_button = '<button onclick="window.print()">'
    assert trimming.trim(search + math + print_button) == '<button data-click="window.print">'
    formula = '<span class="math notranslate">'
    assert trimming.trim(search + math + formula, search=True) == search + math + formula


def test_a_page_is_light_until_a_script_knows_better():
    page = '<html lang="en" data-theme="auto"><p>data-theme="auto"</p>'
    assert trimming.trim(page) == '<html lang="en" data-theme="light"><p>data-theme="auto"</p>'


def test_maps_are_not_shipped(folders):
    app = building(folders)
    script = folders / "_static" / "scripts" / "theme.js"
    script.parent.mkdir(parents=True)
    for file in (script, script.with_suffix(".js.map")):
        file.touch()
    trimming.finish(app, None)
    assert [p.name for p in script.parent.iterdir()] == ["theme.js"]


def test_no_page_asks_for_the_font_of_icons_ahead(folders):
    app = building(folders)
    page = folders / "api" / "page.html"
    page.parent.mkdir()
    rest = '  <link rel="preload" as="script" href="a.js" />\r\né'
    font = '<link rel="preload" as="font" type="font/woff2" crossorigin href="a.woff2" />\n'
    page.write_bytes((font + rest).encode())
    trimming.finish(app, None)
    assert page.read_bytes().decode() == rest


def test_no_line_ends_between_a_number_and_its_unit():
    page = nodes.document("", "")
    sentence = nodes.paragraph("", "", nodes.Text("64.4 % of 5 images in 3 s, 5 %d, 7 sums"))
    page += [
        sentence,
        nodes.literal_block("", "5 % 3"),
        nodes.paragraph("", "", nodes.literal("", "5 % 3")),
    ]
    trimming.keep_units(None, page, "index")
    assert sentence.astext() == "64.4\xa0% of 5 images in 3\xa0s, 5 %d, 7 sums"
    assert page.astext().count("5 % 3") == 2


def test_a_page_of_an_earlier_build_goes(folders):
    for page in ("_executed/gone/recovery", "_executed/quick/recovery", "search"):
        (folders / page).parent.mkdir(parents=True, exist_ok=True)
        (folders / page).with_suffix(".html").touch()
    trimming.finish(building(folders, "_executed/quick/recovery"), None)
    left = {page.relative_to(folders).as_posix() for page in folders.rglob("*.html")}
    assert left == {"_executed/quick/recovery.html", "search.html"}
