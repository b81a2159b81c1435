"""The reference: every module has its section, and a docstring stands there as it was written."""

from types import SimpleNamespace

from sphinx.ext import napoleon

from qrlib.book.sphinx_ext import api_reference


def test_the_modules_of_a_package_have_a_section_each():
    text = api_reference.sections("qrlib.utils")
    assert "## qrlib.utils.errors\n" in text
    assert ".. automodule:: qrlib.utils.errors\n" in text
    assert "__main__" not in api_reference.sections("qrlib")


def test_a_colon_in_the_docstring_of_a_variable_does_not_make_a_type_of_what_is_before_it():
    called = []
    app = SimpleNamespace(
        connect=lambda event, hook, priority=500: called.append((priority, event, hook)),
        config=napoleon.Config(),
    )
    api_reference.setup(app)
    called.append((500, "autodoc-process-docstring", napoleon._process_docstring))
    hooks = [
        hook for _, event, hook in sorted(called, key=lambda x: x[0]) if event.startswith("autodoc")
    ]

    def processed(what: str, *lines: str) -> list[str]:
        left = list(lines)
        for hook in hooks:
            hook(app, what, "qrlib.x", None, None, left)
        return [line for line in left if line]

    written = ("Name -> the attack: an informed one too.", "It is: known.")
    assert processed("data", *written) == list(written)
    documented = processed("function", "Do it.", "", "Returns:", "    Whether: it is done.")
    assert ":rtype: Whether" in documented, "Napoleon still reads functions"
