"""No file from outside runs code, no setting does, and what is downloaded is checked."""

from __future__ import annotations

import ast
import io
import pickle
import re
import string
from pathlib import Path

import pytest
import torch
from support.corpus import MARK, Runs
from support.project import ROOT

from qrlib.data import caltech
from qrlib.experiments import profiles
from qrlib.training import loop
from qrlib.utils.errors import QrlibError

SOURCES = sorted((ROOT / "qrlib").rglob("*.py"))
#: Modules whose readers run what they read, or that undo what they packed by running it.
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}
#: Last name of what is called -> the argument that keeps it from running code.
NEEDED = {
    "torch.load": ("weights_only", True),
    "get_state_dict": ("weights_only", True),
    "load_state_dict_from_url": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}


def dotted(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""


def dangers(source: str) -> list[str]:
    """What of a module could run code that stands in a file or a setting."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in UNSAFE_MODULES]
        elif (
            isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNSAFE_MODULES
        ):
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name, given = dotted(node.func), {k.arg: k.value for k in node.keywords}
            if name in UNSAFE_CALLS or name in ("os.system", "os.popen"):
                found.append(name)
            for needed, (argument, value) in NEEDED.items():
                if name == needed or name.endswith("." + needed):
                    stated = given.get(argument)
                    if not isinstance(stated, ast.Constant) or stated.value is not value:
                        found.append(f"{name} without {argument}={value}")
            if name.startswith("yaml.") and name.endswith(("load", "load_all")):
                safe = name in ("yaml.safe_load", "yaml.safe_load_all")
                if not safe and ast.unparse(given.get("Loader", node)) != "_Loader":
                    found.append(name)
            shell = given.get("shell")
            if shell is not None and ast.unparse(shell) != "False":
                found.append(f"{name} with a shell")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_runs_what_it_reads(path: Path) -> None:
    assert dangers(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "import joblib.numpy_pickle", "eval('1')",
        "exec(text)", "torch.load(path)", "torch.load(path, weights_only=False)", "np.load(path)",
        "np.load(path, allow_pickle=True)", "yaml.load(text, Loader=yaml.Loader)", "yaml.load(text)",
        "yaml.unsafe_load(text)", "yaml.full_load(text)", "entry.get_state_dict(check_hash=True)",
        "subprocess.run(line, shell=True)", "os.system(line)",
    ],
)  # fmt: skip
def test_the_test_above_would_see_it(source: str) -> None:
    assert dangers(source)


def test_a_checkpoint_with_code_is_refused(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folders)
    buffer = io.BytesIO()
    torch.save({"callbacks": Runs()}, buffer)
    for content in (buffer.getvalue(), pickle.dumps(Runs())):
        (folders / "last.ckpt").write_bytes(content)
        with pytest.raises(QrlibError, match=r"last\.ckpt is damaged"):
            loop._peek(folders / "last.ckpt", loop._Recorder(folders, 5))
    assert not (folders / MARK).exists()


def test_downloads_are_checksummed() -> None:
    """By torchvision; its calls are made where they must be and its hashes are there."""
    import torchvision

    from qrlib.weights import TORCHVISION

    for name in TORCHVISION.values():
        enum, member = name.split(".")
        url = getattr(torchvision.models, enum)[member].url
        assert re.search(r"-([0-9a-f]{8,})\.pth$", url), url  # check_hash reads it from there
    tree = ast.parse((ROOT / "qrlib" / "weights.py").read_text("utf-8"))
    (call,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and dotted(node.func).endswith("get_state_dict")
    ]
    assert {k.arg: ast.unparse(k.value) for k in call.keywords}["check_hash"] == "True"
    source = Path(torchvision.datasets.caltech.__file__).read_text("utf-8")
    hashes = re.findall(r'md5="([0-9a-f]{32})"', source)
    assert len(hashes) == source.count("download_and_extract_archive(") == len(caltech.LAYOUTS)


# --- what goes into commands -------------------------------------------------------------------


def test_only_checked_names_reach_a_shell() -> None:
    """Names of profiles and classifiers are checked when a profile is read; the rest is ours."""
    text = (ROOT / "Snakefile").read_text("utf-8")
    fields = set()
    for line in text.splitlines():
        if re.search(r'ENVIRONMENT|PAPERMILL|"&& |-m qrlib|jupyter-book|-p profile', line):
            for literal in re.findall(r'"([^"]*)"', line):
                fields |= {field for _, field, _, _ in string.Formatter().parse(literal) if field}
    ours = {"PY", "PYTHON", "BIN", "NOTEBOOKS", "threads"}
    ours |= {"output", "input.notebook", "log.notebook"}
    named = {"NAME", "params.name", "params.parameters", "params.records", "wildcards.profile"}
    named |= {"TIMED.timing_run", "x.variant", "x.distortions", "x.seed"}
    assert {"NAME", "params.name", "params.parameters", "PY"} <= fields
    assert fields <= ours | named


@pytest.mark.parametrize("name", profiles.names())
def test_names_of_runs_are_names(name: str) -> None:
    from qrlib.experiments import plan

    for x in plan.experiments_of(profiles.load(name)):
        words = [x.classifier_run, x.classifier.name, x.variant, x.distortions, str(x.seed)]
        words += [] if x.variant == "none" else [x.recovery_run]
        words += [x.judged_by(role).evaluation_run for role in x.judges]
        assert all(re.fullmatch(profiles.NAME, word) for word in words)


@pytest.mark.parametrize(
    "value",
    ["x\nimport os", '"; import os; os.system("id") #', "'''", "\\", "{PY}", "$(id)", "\u2028"],
)
def test_a_parameter_of_a_notebook_is_a_value(value: str) -> None:
    """Papermill writes parameters into a cell as Python."""
    from papermill.translators import papermill_translators

    code = papermill_translators.find_translator("python3", "python").codify({"profile": value})
    (statement,) = ast.parse(code).body
    assert isinstance(statement, ast.Assign)
    assert ast.literal_eval(statement.value) == value
    with pytest.raises(QrlibError, match="unknown profile"):
        profiles.load(value)


def test_commands_that_write_take_names_of_profiles_only(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qrlib.book import notebooks
    from qrlib.workflow import run

    monkeypatch.setenv("QRLIB_ROOT", str(folders))

    (folders / "a.ipynb").write_text("{}")
    for name in ("../x", "a/b", "", "-x", "x y", "/tmp"):
        with pytest.raises(QrlibError, match="the name of a profile"):
            run.publish(folders / "a.ipynb", name, folders / "stamp", ["x"])
        with pytest.raises(QrlibError, match="the name of a profile"):
            notebooks.assemble([name])
    assert (folders / "a.ipynb").exists()
    assert not (folders / "stamp").exists()
