"""Networks that come with the repository, in results/<profile>/weights."""

from __future__ import annotations

from pathlib import Path

from qrlib import weights
from qrlib.experiments.experiment import Experiment
from qrlib.models import QRNet, load_qrnet
from qrlib.records import store
from qrlib.training.loop import History
from qrlib.utils import paths
from qrlib.utils.errors import QrlibError


def is_shipped(experiment: Experiment) -> bool:
    """One network of each kind that `qrlib.load_qrnet` offers: that of the first seed."""
    profile = experiment.profile
    seeds = {"recnet": profile.seeds, "qrnet": profile.seeds, "mqrnet": profile.other_seeds}
    one_of_these = experiment.variant_name in seeds and experiment.distortions == "multiple"
    return one_of_these and experiment.seed == seeds[experiment.variant_name][0]


def load(experiment: Experiment) -> tuple[QRNet, History, Path]:
    """A network that came with the repository, and what its record says of its training.

    Raises:
        QrlibError: it or its record is missing or damaged, or was trained with other settings.
    """
    profile, name = experiment.profile.name, experiment.recovery_run
    network = load_qrnet(profile, experiment.variant_name, experiment.seed)
    record = store.read_record(profile, name)
    if record["config"] != (config := experiment.config("recovery")):
        other = sorted(
            k for k in {*config, *record["config"]} if config.get(k) != record["config"].get(k)
        )
        raise QrlibError(
            f"the shipped network of {name} was trained with other settings ({', '.join(other)}): unset "
            "QRLIB_SHIPPED to train one"
        )
    told, origin = record["training"], record["provenance"]
    print(f"{name}: shipped with the repository, best epoch {told['best_epoch']}")
    history = History(
        told["epochs"], told["best_epoch"], origin["seconds"], told["precision"], origin["device"],
        told["resumed"],
    )  # fmt: skip
    return network, history, store.path(profile, name)


def write(experiment: Experiment, net: QRNet) -> Path:
    """Copy a restorer's weights to where `qrlib.load_qrnet` looks for them."""
    folder = paths.results(experiment.profile.name) / "weights"
    path = folder / f"{experiment.variant_name}-seed{experiment.seed}.safetensors"
    weights.write(
        net.state_dict(),
        path,
        {"profile": experiment.profile.name, "record": experiment.recovery_run},
    )
    return path
