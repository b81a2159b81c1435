"""The files that set the project up agree with each other."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import qrlib

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def direct_dependencies() -> list[Requirement]:
    table = project()
    extras = [line for lines in table["optional-dependencies"].values() for line in lines]
    return [Requirement(line) for line in table["dependencies"] + extras]


def lock_entries() -> list[tuple[Requirement, list[str]]]:
    """Each locked requirement with its hashes."""
    text = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if re.match(r"\w", line)]
    return [
        (Requirement(line.split("--hash")[0].strip()), re.findall(r"--hash=(\S+)", line))
        for line in lines
    ]


def environment(python: str) -> dict[str, str]:
    """The environment that markers are evaluated in: Linux and one Python version."""
    return {
        **default_environment(),
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
    }


def applies(requirement: Requirement, env: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(env)


def locked_versions(python: str) -> dict[str, str]:
    """Name to version of what the lock installs under one Python version."""
    env = environment(python)
    versions: dict[str, str] = {}
    for requirement, _ in lock_entries():
        if applies(requirement, env):
            name = canonicalize_name(requirement.name)
            assert name not in versions, f"{name} is locked twice for Python {python}"
            (pin,) = requirement.specifier
            versions[name] = pin.version
    return versions


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_satisfies_every_direct_dependency(python: str) -> None:
    versions, env = locked_versions(python), environment(python)
    for requirement in direct_dependencies():
        if applies(requirement, env):
            name = canonicalize_name(requirement.name)
            assert name in versions, f"{name} is not in requirements.lock: make lock"
            assert requirement.specifier.contains(versions[name], prereleases=True), (
                f"{name} {versions[name]} is locked, but pyproject.toml wants "
                f"{requirement.specifier}: make lock"
            )


def test_every_locked_package_is_pinned_and_hashed() -> None:
    entries = lock_entries()
    assert len(entries) > 100
    for requirement, hashes in entries:
        assert [pin.operator for pin in requirement.specifier] == ["=="], str(requirement)
        assert hashes, f"{requirement.name} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes)


def test_lock_names_no_index_no_file_and_not_the_project() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|-e|--index|--extra-index|--find-links)", text, re.MULTILINE)
    assert project()["name"] not in {requirement.name for requirement, _ in lock_entries()}


def test_requires_python_is_what_the_makefile_checks() -> None:
    assert project()["requires-python"] == ">=3.10,<3.14"
    assert "(3, 10) <= tuple(v[:2]) < (3, 14)" in (ROOT / "Makefile").read_text("utf-8")


def test_a_misspelt_setting_of_make_is_refused() -> None:
    done = subprocess.run(["make", "PROFIL=x", "help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "unknown setting PROFIL; valid: PYTHON " in done.stderr


def test_environment_yml_installs_the_lock() -> None:
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    (pip,) = [entry["pip"] for entry in dependencies if isinstance(entry, dict)]
    assert pip == ["-r requirements.lock"]
    (python,) = [entry for entry in dependencies if str(entry).startswith("python=")]
    assert python.removeprefix("python=") in PYTHONS


def test_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    found = re.search(r'__version__ = "(.+)"', (ROOT / "qrlib/__init__.py").read_text("utf-8"))
    assert found is not None
    assert citation["version"] == found[1] == project()["version"]


def docker_lines() -> list[str]:
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_dockerfile_copies_what_make_setup_needs_and_what_is_there() -> None:
    lines = docker_lines()
    before = lines[: next(i for i, line in enumerate(lines) if line.startswith("RUN make setup"))]
    copied = [name for line in before if line.startswith("COPY") for name in line.split()[1:-1]]
    assert all((ROOT / name).is_file() for name in copied)
    # What the rules behind `make setup` name, and what an installation of the package reads.
    needed = ["Makefile", "requirements.lock", "pyproject.toml", "web/package-lock.json", "LICENSE"]
    assert set(needed) <= set(copied)
    assert project()["license-files"] == ["LICENSE"]
    assert lines[lines.index("COPY . .") :] == ["COPY . .", 'CMD ["make", "book"]']


def test_the_package_offers_the_science() -> None:
    offered = {name: getattr(qrlib, name) for name in qrlib.__all__}
    assert {"QRNet", "load_qrnet", "RecoveryLoss", "QrlibError"} <= offered.keys()
    assert {path.stem for path in (ROOT / "qrlib").glob("[!_]*.py")} <= offered.keys()
    with pytest.raises(AttributeError, match="no attribute 'recover'"):
        qrlib.recover  # noqa: B018
