"""The graph of runs can be planned for every profile."""

from pathlib import Path

import pytest
from snakemake.api import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    ResourceSettings,
    SnakemakeApi,
)
from support.project import ROOT

from qrlib.experiments import plan, profiles, standalone_plan


@pytest.mark.slow
@pytest.mark.parametrize("name", profiles.names())
def test_every_run_of_a_profile_has_its_job(tmp_path, monkeypatch, capfd, name):
    for path in ROOT.iterdir():
        if path.name not in ("results", "runs") and not path.name.startswith((".", "_")):
            (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QRLIB_ROOT", str(tmp_path))
    with SnakemakeApi(OutputSettings(dryrun=True)) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(config={"profile": name}),
            snakefile=Path("Snakefile"),
            workdir=tmp_path,
        )
        workflow.dag(DAGSettings(targets={"all"})).execute_workflow(executor="dryrun")
    printed = "".join(capfd.readouterr())
    profile = profiles.load(name)
    runs = [
        x.recovery_run if x.variant.classical else x.training_run
        for x in plan.experiments_of(profile)
    ]
    missing = [
        run
        for run in [*runs, *standalone_plan.planned(profile)]
        if f"/stamps/{run}@" not in printed
    ]
    assert not missing
