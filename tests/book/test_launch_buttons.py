"""The button that opens a training on Colab: right where the project is published, else none."""

from types import SimpleNamespace

import pytest
import yaml
from docutils import nodes
from support.project import ROOT

from qrlib.book.sphinx_ext import launch_buttons
from qrlib.utils import strict_yaml
from qrlib.utils.errors import QrlibError


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in ("QRLIB_REPOSITORY", "QRLIB_BRANCH"):
        monkeypatch.delenv(name, raising=False)


def links(page):
    return {link["text"]: link["url"] for link in launch_buttons.launchers(page)}


def test_without_an_address_there_is_no_button():
    assert "repository-code" not in strict_yaml.read(ROOT / "CITATION.cff", "citation")
    assert links("_executed/method") == {}


@pytest.mark.parametrize("address", ["https://github.com/a/b", "https://github.com/a/b.git"])
def test_colab_opens_a_training(monkeypatch, address):
    monkeypatch.setenv("QRLIB_REPOSITORY", address)
    assert links("rerun") == links("_executed/method") == links("_executed/quick/recovery") == {}
    colab = "https://colab.research.google.com/github/a/b/blob/{}/notebooks/colab.ipynb"
    page = "_executed/quick/classifier-small_vgg-seed0"
    assert links(page) == {"Colab": colab.format("main")}
    monkeypatch.setenv("QRLIB_BRANCH", "dev")
    assert links(page) == {"Colab": colab.format("dev")}
    monkeypatch.setenv("QRLIB_REPOSITORY", "https://gitlab.com/a/b")
    assert links(page) == {}


def test_the_citation_names_the_repository(monkeypatch, folders):
    (folders / "CITATION.cff").write_text(
        yaml.safe_dump({"repository-code": "https://github.com/c/d"})
    )
    monkeypatch.setenv("QRLIB_ROOT", str(folders))
    assert launch_buttons.repository() == "https://github.com/c/d"
    monkeypatch.setenv("QRLIB_REPOSITORY", "https://github.com/e/f")
    assert launch_buttons.repository() == "https://github.com/e/f"


@pytest.mark.parametrize(
    "address", ["github.com/a/b", "https://example.org/a/b", "https://github.com/a"]
)
def test_an_address_that_leads_nowhere_is_refused(monkeypatch, address):
    monkeypatch.setenv("QRLIB_REPOSITORY", address)
    with pytest.raises(QrlibError, match="must be like https://github.com/owner/name"):
        launch_buttons.launchers("_executed/method")


def test_the_build_takes_the_processes_that_it_was_given(monkeypatch):
    monkeypatch.setenv("QRLIB_JOBS", "3")
    silent, other = (
        SimpleNamespace(parallel_read_safe=None),
        SimpleNamespace(parallel_read_safe=None),
    )
    known = {"sphinx_multitoc_numbering": silent, "other": other}
    app = SimpleNamespace(parallel=1, extensions=known)
    launch_buttons.share_work(app)
    assert app.parallel == 3
    assert silent.parallel_read_safe
    assert other.parallel_read_safe is None  # Sphinx warns of it, and the strict build fails


@pytest.mark.parametrize(
    ("page", "heading"),
    [
        ("_executed/quick/recovery", "Table 2 and C (Quick)"),
        ("_executed/quick/recnet-noise-seed0", "Table 2 and C: recnet-noise-seed0 (Quick)"),
        ("_executed/method", "Table 2 and C"),
        ("rerun", "Table 2 and C"),
    ],
)
def test_a_heading_says_whose_results_a_page_has(page, heading):
    title = nodes.title("", "", nodes.Text("Table 2 and "), nodes.emphasis("", "C"))
    doctree = nodes.section("", title, nodes.section("", nodes.title("", "Another")))
    launch_buttons.name_profile(SimpleNamespace(env=SimpleNamespace(docname=page)), doctree)
    assert [found.astext() for found in doctree.findall(nodes.title)] == [heading, "Another"]
