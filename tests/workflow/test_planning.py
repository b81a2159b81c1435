"""The graph of runs can be planned for every profile."""

from pathlib import Path

import pytest
from support.project import ROOT

from qrlib.experiments import plan, profiles, standalone_plan

api = pytest.importorskip("snakemake.api", reason="Snakemake 7, which Python 3.10 gets, has none")


@pytest.mark.slow
@pytest.mark.parametrize("name", profiles.names())
def test_every_run_of_a_profile_has_its_job(tmp_path, monkeypatch, capfd, name):
    for path in ROOT.iterdir():
        if path.name not in ("results", "runs") and not path.name.startswith((".", "_")):
            (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QRLIB_ROOT", str(tmp_path))
    with api.SnakemakeApi(api.OutputSettings(dryrun=True)) as snakemake:
        workflow = snakemake.workflow(
            resource_settings=api.ResourceSettings(cores=1),
            config_settings=api.ConfigSettings(config={"profile": name}),
            snakefile=Path("Snakefile"),
            workdir=tmp_path,
        )
        workflow.dag(api.DAGSettings(targets={"all"})).execute_workflow(executor="dryrun")
    printed = "".join(capfd.readouterr())
    profile = profiles.load(name)
    runs = [x.training_run for x in plan.experiments_of(profile)]
    missing = [
        run
        for run in [*runs, *standalone_plan.planned(profile)]
        if f"/stamps/{run}@" not in printed
    ]
    assert not missing
