"""Jobs on a cluster: what they ask for, Snakemake's profiles, and what submits to Kubernetes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from qrlib.experiments import plan, profiles
from qrlib.records import store
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError
from qrlib.workflow import resources, run

ROOT = Path(__file__).resolve().parents[2]
CLUSTERS = ["slurm", "kubernetes"]
RUN = "qrnet-multiple-vgg16-seed0"
EVALUATIONS = [f"evaluation-qrnet-multiple-{judge}-seed0" for judge in ("vgg16", "resnet50")]
needs_plugins = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Snakemake's plugins need Python 3.11"
)


@pytest.fixture
def recorded(monkeypatch):
    """The project's own records."""
    monkeypatch.setenv("QRLIB_RESULTS", str(ROOT / "results"))
    return profiles.load("caltech101-cpu")


def test_a_job_asks_for_what_its_records_took_and_some(recorded):
    asked = resources.of_job(recorded, [RUN, *EVALUATIONS])
    training, *judged = (store.read_record(recorded.name, n) for n in (RUN, *EVALUATIONS))
    took = training["provenance"]["seconds"] + max(r["provenance"]["seconds"] for r in judged)
    most = max(r["provenance"]["peak_memory_mb"] for r in (training, *judged))
    assert 3 * took <= 60 * asked.minutes <= 3 * took + 60 * (resources.TIME_MARGIN + 1)
    assert 1.5 * most <= asked.memory_mb <= 1.5 * most + resources.MEMORY_MARGIN + 1
    assert (asked.gpus, asked.source) == (0, f"record {RUN}")


def test_every_job_of_a_recorded_profile_has_room(recorded):
    for x in plan.experiments_of(recorded):
        if x.variant == "none":
            continue
        run = [x.recovery_run, *(x.judged_by(role).evaluation_run for role in x.judges)]
        asked = resources.of_job(recorded, run)
        assert asked.source == f"record {x.recovery_run}"
        took = sum(store.read_record(recorded.name, name)["provenance"]["seconds"] for name in run)
        assert 60 * asked.minutes > took


def test_another_seed_asks_for_the_most_that_was_recorded(recorded):
    other = resources.of_job(recorded, [RUN.replace("seed0", "seed7")])
    assert "the longest of" in other.source
    for name in (RUN, "mqrnet-multiple-vgg16-inception_v3-seed0"):
        known = resources.of_job(recorded, [name])
        assert other.minutes >= known.minutes
        assert other.memory_mb >= known.memory_mb


def test_what_was_recorded_on_a_gpu_asks_for_one(recorded, folders, monkeypatch):
    monkeypatch.setenv("QRLIB_RESULTS", str(folders))
    record = json.loads((ROOT / f"results/caltech101-cpu/records/{RUN}.json").read_text())
    record["provenance"] |= {"device": "NVIDIA H200", "seconds": 600.0}
    store.write(record)
    asked = resources.of_job(recorded, [RUN])
    assert (asked.gpus, asked.minutes) == (1, 30 + resources.TIME_MARGIN)


def test_without_records_the_papers_time_and_a_gpu(folders):
    whole, small = profiles.load("caltech101"), profiles.load("quick")
    asked = resources.of_job(whole, [RUN])
    epochs = whole.recovery.epochs + whole.recovery.pretrain_epochs
    assert asked.minutes == pytest.approx(epochs * 167 / 60 + resources.TIME_MARGIN, abs=1)
    assert asked.gpus == 1
    assert resources.of_job(profiles.load("caltech256"), [RUN]).minutes > 3 * asked.minutes
    assert resources.of_job(small, ["x"]).gpus == 0
    # A record of the conventions, which trains nothing, is no measure of training.
    folder = paths.results("caltech101") / "records"
    folder.mkdir(parents=True)
    source = ROOT / "results/caltech101/records/conventions.json"
    (folder / "conventions.json").write_text(source.read_text())
    assert resources.of_job(whole, [RUN]) == asked


def test_a_damaged_record_is_named(recorded, folders, monkeypatch):
    monkeypatch.setenv("QRLIB_RESULTS", str(folders))
    folder = paths.results("caltech101-cpu") / "records"
    folder.mkdir(parents=True)
    (folder / f"{RUN}.json").write_text('{"provenance": ')
    with pytest.raises(QrlibError, match=f"record .*{RUN}.json is damaged"):
        resources.of_job(recorded, [RUN])


# Snakemake's profiles.


@needs_plugins
@pytest.mark.parametrize("name", CLUSTERS)
def test_snakemake_knows_every_setting_of_a_profile(name):
    from snakemake.cli import parse_args

    folder = ROOT / "cluster" / name
    _, arguments = parse_args(["all", *run._on(name, 2)])
    config = yaml.safe_load((folder / "config.yaml").read_text())
    for key, value in config.items():
        given = getattr(arguments, key.replace("-", "_"))
        if key not in ("jobs", "default-resources"):
            assert given == value, key
    defaults = arguments.default_resources
    text = defaults if isinstance(defaults, list) else defaults.args
    assert {"mem_mb=4000", "runtime=60", "gpu=0"} <= set(text)


def test_an_unknown_cluster_is_refused():
    with pytest.raises(QrlibError, match="unknown cluster 'slurn'.*valid: kubernetes, slurm"):
        run.run("smoke", "all", cluster="slurn")


def test_a_plugin_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(QrlibError, match="needs snakemake-executor-plugin-slurm: run `make setup`"):
        run.run("smoke", "all", cluster="slurm")


# Kubernetes: the manifest that is sent, and the three states.

KUBECTL = """#!/bin/sh
echo "$@" >> "$SENT/arguments"
case $1 in
    create) cat > "$SENT/manifest.yaml"; echo job.batch/qrlib-abc12 ;;
    get) [ -z "${SILENT:-}" ] || exit 1; printf '%s' "$STATE" ;;
esac
"""


@pytest.fixture
def kubectl(tmp_path):
    """A stand-in for kubectl, which keeps what it is told."""
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SENT": str(tmp_path),
        "QRLIB_IMAGE": "example/qrlib:cuda",
        "QRLIB_CLAIM": "claim",
        "QRLIB_VOLUME": "/project",
    }

    def run(script, *arguments, **more):
        return subprocess.run(
            [str(ROOT / "cluster" / "kubernetes" / script), *arguments],
            env=environment | more, cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("gpus", [0, 2])
def test_a_job_is_submitted_with_what_it_asks_for(kubectl, tmp_path, gpus):
    done = kubectl("submit.sh", "4", "6000", "90", str(gpus), "/project/a job.sh")
    assert (done.returncode, done.stdout) == (0, "qrlib-abc12\n"), done.stderr
    job = yaml.safe_load((tmp_path / "manifest.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (job["kind"], job["spec"]["backoffLimit"], pod["restartPolicy"]) == ("Job", 0, "Never")
    assert pod["activeDeadlineSeconds"] == 90 * 60
    assert container["command"] == ["/bin/sh", "/project/a job.sh"]
    assert (container["image"], container["workingDir"]) == ("example/qrlib:cuda", str(tmp_path))
    assert container["resources"]["requests"] == {"cpu": "4", "memory": "6000M"}
    limits = {"memory": "6000M"} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    assert container["resources"]["limits"] == limits
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    assert mounts == {"project": "/project", "shared-memory": "/dev/shm"}
    assert {v["name"] for v in pod["volumes"]} == mounts.keys()


@pytest.mark.parametrize("name", ["QRLIB_IMAGE", "QRLIB_CLAIM", "QRLIB_VOLUME"])
def test_a_setting_that_lacks_is_named(kubectl, name):
    done = kubectl("submit.sh", "4", "6000", "90", "0", "/project/job.sh", **{name: ""})
    assert done.returncode != 0
    assert f"set {name}" in done.stderr


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("Job 1 ", "success"),
        ("Job  1", "failed"),
        ("Job  ", "running"),
        ("", "failed"),
    ],
)
def test_states_of_a_job(kubectl, state, said):
    assert kubectl("status.sh", "qrlib-abc12", STATE=state).stdout == f"{said}\n"


def test_a_server_that_does_not_answer_ends_no_job(kubectl):
    assert kubectl("status.sh", "qrlib-abc12", SILENT="1").stdout == "running\n"


def test_cancelling_deletes_the_jobs(kubectl, tmp_path):
    assert kubectl("cancel.sh", "one", "two").returncode == 0
    told = (tmp_path / "arguments").read_text()
    assert told == "delete job --ignore-not-found --wait=false one two\n"
