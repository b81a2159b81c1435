"""Which code, versions and machine a result comes from."""

from __future__ import annotations

import ast
import json
import subprocess

import pytest

from qrlib.records import provenance


def test_closure_holds_what_is_imported_directly_or_not():
    modules = provenance.closure(["training.recovery"])
    assert modules == sorted(set(modules))
    imported = {"training.recovery", "training.loop", "training", "losses", "utils.files"}
    assert {f"qrlib.{name}" for name in imported} <= set(modules)
    assert not {"qrlib.report.figures.plots", "qrlib.report.tables", "qrlib.paper"} & set(modules)
    assert provenance.closure(["qrlib.training.recovery"]) == modules


A = '''"""Doc."""
from qrlib import b


def f():
    """Doc."""
    return 1
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three modules in place of qrlib."""
    root = tmp_path / "repo" / "qrlib"
    (root / "sub").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "a.py").write_text(A)
    (root / "b.py").write_text("def late():\n    from qrlib.sub.c import x\n    return x\n")
    (root / "sub" / "__init__.py").write_text("")
    (root / "sub" / "c.py").write_text("import json\nx = 1\n")
    (root / "d.py").write_text("y = 1\n")
    monkeypatch.setattr(provenance, "PACKAGE", root)
    provenance.code.cache_clear()
    yield root
    provenance.code.cache_clear()


def test_closure_follows_imports_inside_functions(package):
    assert provenance.closure(["a"]) == ["qrlib.a", "qrlib.b", "qrlib.sub", "qrlib.sub.c"]
    assert provenance.closure(["d"]) == ["qrlib.d"]


def test_what_some_code_takes_of_the_package_counts_as_imported():
    code = "import qrlib\nfrom qrlib.records import store\nqrlib.load_qrnet()\nqrlib.__version__"
    found = provenance.imported(ast.parse(code))
    assert found == {"qrlib.models", "qrlib.records", "qrlib.records.store"}


def rewrite(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    provenance.code.cache_clear()


def test_code_hash_ignores_prose_and_layout(package):
    before = provenance.code_hash(["a"])
    assert len(before) == 16
    rewrite(package / "a.py", '"""Doc."""', '"""Another text."""')
    rewrite(package / "a.py", "return 1", "return (\n        1  # a comment\n    )")
    assert provenance.code_hash(["a"]) == before
    rewrite(package / "d.py", "y = 1", "y = 2")  # not imported by a
    assert provenance.code_hash(["a"]) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("a.py", "return 1", "return 2"),
        ("b.py", "return x", "return -x"),
        ("sub/c.py", "x = 1", "x = 1.0"),
        ("sub/__init__.py", "", "z = 1\n"),
        ("a.py", "return 1", "return 'text'"),
    ],
)
def test_code_hash_follows_the_code_and_what_it_imports(package, file, old, new):
    before = provenance.code_hash(["a"])
    rewrite(package / file, old, new)
    assert provenance.code_hash(["a"]) != before


def test_config_hash_ignores_the_order_of_keys():
    first = provenance.config_hash({"a": 1, "b": [1, 2]})
    assert first == provenance.config_hash({"b": [1, 2], "a": 1})
    assert first != provenance.config_hash({"a": 1, "b": [2, 1]})


def git(folder, *arguments):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_git_commit_and_dirty_flag(package):
    assert provenance.describe("CPU")["git_commit"] is None  # no checkout
    repo = package.parent
    git(repo, "init", "-q")
    (repo / "results").mkdir()
    (repo / "results" / "record.json").write_text("{}")
    assert provenance.describe("CPU")["git_commit"] is None  # no commit yet
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "x")
    clean = provenance.describe("CPU")
    assert clean["git_commit"] == git(repo, "rev-parse", "HEAD")
    assert clean["git_dirty"] is False
    (repo / "untracked").write_text("x")
    (repo / "results" / "record.json").write_text("{1}")
    assert provenance.describe("CPU")["git_dirty"] is False
    (package / "d.py").write_text("y = 3\n")
    assert provenance.describe("CPU")["git_dirty"] is True


def test_a_repository_around_an_unpacked_package_is_not_its_own(package, monkeypatch):
    around = package.parent.parent
    git(around, "init", "-q")
    git(around, "commit", "-qm", "x", "--allow-empty")
    assert provenance.describe("CPU")["git_commit"] is None
    monkeypatch.setenv("GIT_DIR", str(around / ".git"))  # as in a hook of another repository
    repo = package.parent
    monkeypatch.delenv("GIT_DIR")
    git(repo, "init", "-q")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "y")
    commit = git(repo, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(around / ".git"))
    assert provenance.describe("CPU")["git_commit"] == commit


def test_a_refusal_of_git_is_said(tmp_path, monkeypatch, capsys):
    program = tmp_path / "git"
    program.write_text(
        "#!/bin/sh\necho 'fatal: detected dubious ownership in repository' >&2; exit 128\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert provenance.describe("CPU")["git_commit"] is None
    assert "WARNING: records name no commit" in (said := capsys.readouterr().err)
    assert "dubious ownership" in said


def test_a_checkout_that_git_no_longer_knows_is_said(package, capsys):
    assert provenance.describe("CPU")["git_commit"] is None
    assert capsys.readouterr().err == ""
    (package.parent / ".git").write_text("gitdir: /moved/away")  # a worktree of a repository
    assert provenance.describe("CPU")["git_commit"] is None
    assert "not a git repository: /moved/away" in capsys.readouterr().err


def test_git_that_is_not_installed(monkeypatch):
    monkeypatch.setenv("PATH", "")
    described = provenance.describe("CPU")
    assert (described["git_commit"], described["git_dirty"]) == (None, None)


def test_description_names_versions_and_no_path():
    import torch

    described = provenance.describe("CPU (1 threads)")
    assert described["device"] == "CPU (1 threads)"
    assert described["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert described["versions"].keys() == set(provenance.VERSIONS)
    assert str(provenance.PACKAGE.parent) not in json.dumps(described)
    assert 10 < provenance.peak_memory_mb() < 1_000_000
