"""Jobs on a cluster: what they ask for, and that Snakemake understands its profile."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from qrlib.utils.errors import QrlibError
from qrlib.workflow import run

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "cluster" / "slurm" / "config.yaml"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Snakemake's plugins need Python 3.11")
@pytest.mark.slow
def test_snakemake_knows_every_setting_and_asks_for_more_at_each_attempt():
    from snakemake.cli import parse_args

    _, arguments = parse_args(["all", "--profile", str(CONFIG.parent)])
    config = yaml.safe_load(CONFIG.read_text())
    by_rule = config.pop("set-resources")
    assert set(config.pop("default-resources")) == {"mem_mb=4000", "runtime=60", "gpu=0"}
    for key, value in config.items():
        assert getattr(arguments, key.replace("-", "_")) == value, key
    rules = {line.split()[1] for line in (ROOT / "Snakefile").open() if line.startswith("rule ")}
    for rule, asked in by_rule.items():
        assert f"{rule}:" in rules
        memory = arguments.set_resources[rule]["mem_mb"]
        second = memory.evaluate(
            None, input=[], attempt=2, threads=1, rulename=rule, async_run=None
        )
        assert asked["mem_mb"] == f"attempt * {second.value // 2}"


def test_an_unknown_cluster_is_refused():
    with pytest.raises(QrlibError, match="unknown cluster 'slurn'.*valid: slurm"):
        run.run("smoke", "all", cluster="slurn")


def test_a_plugin_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(QrlibError, match="needs snakemake-executor-plugin-slurm: run `make setup`"):
        run.run("smoke", "all", cluster="slurm")
