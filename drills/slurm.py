"""SLURM in small: a profile run on a cluster of one node leaves the records of a local run.

    apt-get install slurmctld slurmd slurm-client munge      (Debian; as root)
    .venv/bin/python drills/slurm.py                         (as root: SLURM's daemons want it)

Starts munge, slurmctld and slurmd with folders and ports of their own, runs the profile here and by
`python -m qrlib run smoke --cluster slurm`, each in a clone of the last commit, compares all records
(`drills/records.py`), and ends the daemons.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import common
import records
import yaml

CONFIG = """
ClusterName=drill
SlurmctldHost={host}
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
# A container has no control groups to give away: jobs are told apart by their process groups.
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=none
ReturnToService=2
# Jobs that ended are remembered for as long as the drill takes: there is no accounting.
MinJobAge=86400
SchedulerParameters=sched_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=drill Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
DEFAULT = Path("/etc/slurm/slurm.conf")
#: Long enough for a node to register.
STARTING = 60


@contextlib.contextmanager
def cluster(folder: Path, cpus: int) -> Iterator[None]:
    """A SLURM of one node while the block runs."""
    for program in ("munged", "slurmctld", "slurmd", "sbatch"):
        if shutil.which(program) is None:
            sys.exit(
                f"{program} is not installed: apt-get install slurmctld slurmd slurm-client munge"
            )
    if os.geteuid() != 0:
        sys.exit("SLURM's daemons need root: run this drill in a container or a virtual machine")
    if DEFAULT.exists() or DEFAULT.is_symlink():
        sys.exit(
            f"{DEFAULT} is there: this machine has a SLURM already, which the drill leaves alone"
        )
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20 - 1024
    config = folder / "slurm.conf"
    config.write_text(CONFIG.format(
        host=socket.gethostname(), controller=free_port(), node=free_port(), folder=folder,
        cpus=cpus, memory=memory,
    ))  # fmt: skip
    # Where SLURM looks by itself: a job step of the plugin drops the variable that names another file.
    DEFAULT.parent.mkdir(exist_ok=True)
    DEFAULT.symlink_to(config)
    commands = [
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket",
         f"--key-file={key}", f"--log-file={folder}/munged.log", f"--pid-file={folder}/munged.pid",
         f"--seed-file={folder}/munge.seed"],
        ["slurmctld", "-D"],
        ["slurmd", "-D"],
    ]  # fmt: skip
    daemons: list[subprocess.Popen[bytes]] = []
    with (folder / "daemons.log").open("wb") as log:
        try:
            for command in commands:
                daemons.append(subprocess.Popen(command, stdout=log, stderr=log))
                time.sleep(1)
            wait_for_node(folder)
            yield
        finally:
            if len(daemons) == len(commands):
                subprocess.run(["scancel", "--user=root"], check=False)
            for daemon in reversed(daemons):
                daemon.terminate()
            for daemon in daemons:
                daemon.wait(30)
            DEFAULT.unlink()


def wait_for_node(folder: Path) -> None:
    """Until the node takes jobs; what the daemons said otherwise."""
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline:
        if common.output("sinfo", "-h", "-o", "%T") == "idle":
            return
        time.sleep(1)
    for log in sorted(folder.glob("*.log")):
        print(log.name, log.read_text(errors="replace")[-2000:], sep="\n", file=sys.stderr)
    sys.exit(f"the node of the drill's SLURM did not come up in {STARTING} s")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def prepare(work: Path, arguments: argparse.Namespace) -> Path:
    """A clone with the parts that are asked for, on a SLURM without accounting and without GPUs."""
    project = common.checkout(work)
    if arguments.parts:
        path = project / "profiles" / f"{arguments.profile}.yaml"
        profile = yaml.safe_load(path.read_text()) | {"parts": arguments.parts}
        path.write_text(yaml.safe_dump(profile))
    path = project / "cluster" / "slurm" / "config.yaml"
    config = yaml.safe_load(path.read_text()) | {"slurm-status-command": "squeue"}
    for asked in config["set-resources"].values():
        asked |= {"gpu": 0, "mem_mb": "attempt * 4000"}
    path.write_text(yaml.safe_dump(config))
    return project


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="smoke")
    parser.add_argument("--parts", nargs="+", help="of the profile (default: all that it has)")
    parser.add_argument("--cpus", type=int, default=1, help="of the node (default: %(default)s)")
    parser.add_argument("--expected", type=Path, help="records of a local run, to save that run")
    parser.add_argument("--out", type=Path, help="write the outcome to this file")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the daemons too
    work = Path(tempfile.mkdtemp(prefix="qrlib-slurm-"))
    folder = f"results/{arguments.profile}/records"
    expected = arguments.expected
    seconds: dict[str, float] = {}
    # Both before the first run: they have to be of one commit.
    here, project = prepare(work / "local", arguments), prepare(work / "cluster", arguments)
    if expected is None:
        seconds["local"] = common.run(
            here, "run", arguments.profile, "--cores", str(arguments.cpus)
        )
        expected = here / folder
    with cluster(Path(tempfile.mkdtemp(prefix="qrlib-daemons-")), arguments.cpus):
        seconds["SLURM"] = common.run(
            project, "run", arguments.profile, "--cluster", "slurm", "--cores", "1"
        )
        listed = common.output("scontrol", "show", "jobs", "-o")
    jobs = len([line for line in listed.splitlines() if "JobState=COMPLETED" in line])
    found = project / folder
    different = records.differences(expected, found)
    count = len(records.read(found))
    print(*different, sep="\n")
    print(f"{count} records by SLURM, {len(different)} differences from a local run; "
          f"{jobs} jobs of SLURM")  # fmt: skip
    outcome = {
        "drill": "slurm", "profile": arguments.profile, "parts": arguments.parts,
        "jobs": jobs, "records": count,
        "differences": different, "seconds": seconds,
        "slurm": common.output("slurmd", "-V"), **common.circumstances(project),
    }  # fmt: skip
    return common.end(outcome, arguments.out, work, not different)


if __name__ == "__main__":
    sys.exit(main())
