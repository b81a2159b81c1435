"""Every page of the book carries a policy that lets its own files in, and nothing else."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import yaml
from support.project import ROOT

from qrlib.book.sphinx_ext import content_security
from qrlib.utils.errors import QrlibError

HEAD = '<html><head><meta charset="utf-8" /><title>x</title></head>'


def directives(page):
    found = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)" />', page)
    return {words[0]: words[1:] for words in map(str.split, found[1].split(";"))}


def test_the_policy_stands_before_everything_that_it_is_for():
    page = content_security.protect(HEAD + "<script>one()</script>")
    assert page.index("Content-Security-Policy") < page.index("<title>")
    assert page.replace(page[page.index("<meta http") : page.index("<title>")], "") == (
        HEAD + "<script>one()</script>"
    )


def test_nothing_but_own_files_is_named():
    found = directives(content_security.protect(HEAD))
    assert found.pop("default-src") == ["'none'"]
    sources = {source for each in found.values() for source in each}
    assert sources == {
        "'self'", "file:", "blob:", "data:", "'none'", "'unsafe-inline'", "'wasm-unsafe-eval'",
    }  # fmt: skip
    assert found["connect-src"] == ["'self'"]
    assert "'unsafe-inline'" not in found["script-src"]
    assert "data:" not in found["script-src"]
    # what has no default in default-src
    assert found["base-uri"] == ["'none'"]
    assert found["form-action"] == ["'self'", "file:"]


def hashes(page):
    return [
        s
        for s in directives(content_security.protect(page))["script-src"]
        if s.startswith("'sha256-")
    ]


def test_scripts_of_the_page_are_named_by_their_hash():
    # printf %s 'alert(1)' | openssl dgst -sha256 -binary | base64
    known = "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"
    assert hashes(HEAD + "<script>alert(1)</script>") == [known]
    assert hashes(HEAD + '<script type="module">alert(1)</script>') == [known]
    assert hashes(HEAD + '<script src="a.js"></script>') == []
    assert hashes(HEAD + '<script type="application/json">{"a": 1}</script>') == []
    both = hashes(HEAD + "<script>a < b && c</script><p>alert(1)</p><script>\r\nd\r</script>")
    assert both == sorted([content_security._hash("a < b && c"), content_security._hash("\nd\n")])
    assert hashes(HEAD + "<script>alert(1)</script>" * 3) == [known]


def test_a_page_built_again_has_one_policy_that_fits():
    once = content_security.protect(HEAD + "<script>one()</script>")
    assert content_security.protect(once) == once
    changed = content_security.protect(once.replace("one()", "two()"))
    assert changed.count("Content-Security-Policy") == 1
    assert changed == content_security.protect(HEAD + "<script>two()</script>")


def test_all_pages_of_a_folder(tmp_path):
    for name in ("a.html", "deep/b.html", "_static/macro.html", "records/c.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(HEAD.encode() + b"\r\n")
    assert content_security.protect_all(tmp_path) == [
        tmp_path / "a.html",
        tmp_path / "deep" / "b.html",
    ]
    protected = [p.name for p in tmp_path.rglob("*") if p.is_file() and b"Policy" in p.read_bytes()]
    assert sorted(protected) == ["a.html", "b.html"]
    assert (tmp_path / "a.html").read_bytes().endswith(b"</head>\r\n")  # nothing else has changed
    (tmp_path / "bare.html").write_text("<p>Without a head")
    with pytest.raises(QrlibError, match=r"bare\.html: the page has no <meta charset"):
        content_security.protect_all(tmp_path)


def test_sphinx_protects_the_pages_once_all_are_written(tmp_path):
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    assert "qrlib.book.sphinx_ext.content_security" in config["sphinx"]["config"]["extensions"]
    connected = {}
    content_security.setup(SimpleNamespace(connect=connected.__setitem__))
    (tmp_path / "a.html").write_text(HEAD)
    for kind, error in (("html", ValueError()), ("latex", None), ("html", None)):
        assert "Policy" not in (tmp_path / "a.html").read_text()
        app = SimpleNamespace(builder=SimpleNamespace(format=kind), outdir=str(tmp_path))
        connected["build-finished"](app, error)
    assert "Policy" in (tmp_path / "a.html").read_text()
