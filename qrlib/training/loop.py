"""The loop that trains anything here: Lightning with early stopping, best weights and resume.

A run's folder holds ``state.json`` (what was run, and whether it ended), ``last.ckpt`` (everything
needed to go on after the last whole epoch) and ``best.safetensors`` (the weights of the epoch with the
lowest validation loss).
"""

from __future__ import annotations

import io
import logging
import shutil
import time
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as lightning
import torch
from filelock import FileLock
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import nn

from qrlib import weights
from qrlib.training import failures
from qrlib.training.batches import Batches, mix
from qrlib.training.device import device_name, resolve_precision
from qrlib.training.progress import Progress
from qrlib.training.task import Task
from qrlib.utils import files
from qrlib.utils.errors import QrlibError


@dataclass(frozen=True)
class LoopSettings:
    """Section IV-A: Adam, learning rate 1e-3, batch 32, at most 200 epochs, patience 5.

    Attributes:
        batch_size: clean images a step; Algorithm 1 adds as many distorted ones.
        schedule: "constant", or "cosine": the learning rate falls to 0 over `epochs`, step by step.
        precision: "auto", or one of Lightning's ("32-true", "bf16-mixed").
        devices: how many devices (or CPU processes) to train on.
    """

    epochs: int = 200
    patience: int = 5
    batch_size: int = 32
    learning_rate: float = 1e-3
    schedule: str = "constant"
    precision: str = "auto"
    devices: int = 1


@dataclass(frozen=True)
class History:
    """What happened: one row an epoch, the best epoch by validation loss, and the cost."""

    rows: list[dict[str, float]]
    best_epoch: int
    seconds: float
    precision: str
    device: str
    resumed: int

    @property
    def frame(self) -> pd.DataFrame:
        """Columns epoch (from 1), train_loss, val_loss, seconds and the parts of the losses."""
        return pd.DataFrame(self.rows)


class _Recorder(Callback):
    """Keeps the history, and the best weights on disk; its state is part of each checkpoint."""

    def __init__(self, folder: Path, patience: int) -> None:
        self.folder = folder
        self.patience = patience
        self.rows: list[dict[str, float]] = []
        self.seconds = 0.0
        self.resumed = 0
        self.started = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        names = ("rows", "seconds", "resumed")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows = state["rows"]
        self.seconds = state["seconds"]
        self.resumed = state["resumed"] + 1

    @property
    def best_epoch(self) -> int:
        return int(min(self.rows, key=lambda row: row["val_loss"])["epoch"])

    @property
    def exhausted(self) -> bool:
        """Early stopping would have ended the run here; a resumed run asks before it goes on."""
        return bool(self.rows) and self.rows[-1]["epoch"] - self.best_epoch >= self.patience

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        row = {
            k: float(v) for k, v in trainer.callback_metrics.items() if k.count("_") and v.ndim == 0
        }
        if not all(map(_finite, (row["train_loss"], row["val_loss"]))):
            raise QrlibError(
                f"epoch {trainer.current_epoch + 1} ended with train_loss {row['train_loss']} and "
                f"val_loss {row['val_loss']}{module.first_bad()}; {module.last_good()}; lower the "
                "learning rate and run again"
            )
        now = time.monotonic()
        epoch = trainer.current_epoch + 1
        self.rows.append({"epoch": epoch, "seconds": round(now - self.started, 3), **row})
        self.seconds += now - self.started
        self.started = now
        if trainer.is_global_zero and self.best_epoch == epoch:
            weights.write(module.net.state_dict(), self.folder / "best.safetensors")


class _AtomicCheckpoints(TorchCheckpointIO):
    """Writes beside the old checkpoint; Lightning's own way is by the system's temporary folder."""

    def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        content = io.BytesIO()  # torch.save to a file hides which error it met
        torch.save(checkpoint, content)
        with files.replacing(Path(path)) as temporary:
            temporary.write_bytes(content.getbuffer())


def _finite(value: float) -> bool:
    return value == value and abs(value) != float("inf")


def fit(
    task: Task,
    train: Any,
    validation: Any,
    folder: Path,
    settings: LoopSettings,
    *,
    name: str,
    fingerprint: dict[str, Any],
) -> History:
    """Train `task.net`, and leave it with the weights of its best epoch, in eval mode.

    A run that was interrupted goes on after its last whole epoch; one that ended is not run again.
    Both only if the fingerprint is the same: otherwise the folder is emptied and the run starts anew.

    Args:
        task: draws its own randomness from (seed, epoch, step), so that resuming changes nothing.
        train, validation: indexable by a list of positions, as `qrlib.data.Split`.
        folder: of this run alone.
        name: shown in the progress lines.
        fingerprint: everything that decides the outcome, as JSON values.

    Raises:
        QrlibError: a loss that is not finite, a damaged checkpoint, a full disk.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two processes may want the same run: the second waits, then finds it done.
    with FileLock(folder.parent / f".{folder.name}.lock"):
        if history := restore(task.net, folder, fingerprint):
            print(f"{name}: already trained, best epoch {history.best_epoch}", flush=True)
            return history
        _open_run(folder, fingerprint, name)
        with failures.explained(name, task.less_memory):
            history = _fit(task, train, validation, folder, settings, name)
        best = files.file_hash(folder / "best.safetensors")
        state = {
            "fingerprint": fingerprint, "finished": True, "weights": best, "history": vars(history)
        }  # fmt: skip
        files.write_json(folder / "state.json", state)
        (folder / "last.ckpt").unlink(missing_ok=True)
    restored = restore(task.net, folder, fingerprint)
    assert restored is not None
    return restored


def restore(net: nn.Module, folder: Path, fingerprint: dict[str, Any]) -> History | None:
    """Give `net` the best weights of a run that ended with this fingerprint; None if there is none."""
    if not (folder / "state.json").exists():
        return None
    state = _state(folder)
    if state["fingerprint"] != fingerprint or not state["finished"]:
        return None
    best = folder / "best.safetensors"
    try:
        content = weights.read(best)[0]
        if "weights" in state and state["weights"] != files.file_hash(best):
            raise QrlibError("their hash is another")
        net.load_state_dict(content)
    except (QrlibError, RuntimeError) as error:
        raise QrlibError(
            f"the weights of the finished run {folder.name} are damaged; delete {folder} and run again"
        ) from error
    net.eval()
    return History(**state["history"])


def _state(folder: Path) -> dict[str, Any]:
    """What was run in this folder, and whether it ended; a file of another shape is refused."""
    path = folder / "state.json"
    state = files.read_json(path, "run state")
    try:
        if not isinstance(state["fingerprint"], dict):
            raise TypeError("no fingerprint")
        if state["finished"]:
            History(**state["history"])
    except (KeyError, TypeError) as error:
        raise QrlibError(
            f"run state {path} is damaged ({type(error).__name__}: {error}); delete {folder} and run "
            "again"
        ) from error
    return dict(state)


def _open_run(folder: Path, fingerprint: dict[str, Any], name: str) -> None:
    """Keep what an interrupted run with this fingerprint left, else start with an empty folder."""
    if (folder / "state.json").exists():
        if _state(folder)["fingerprint"] == fingerprint:
            return
        print(f"{name}: settings or code changed since the last run; starting anew", flush=True)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    files.write_json(folder / "state.json", {"fingerprint": fingerprint, "finished": False})


def _fit(
    task: Task, train: Any, validation: Any, folder: Path, settings: LoopSettings, name: str
) -> History:
    for logger in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    recorder = _Recorder(folder, settings.patience)
    checkpoint = folder / "last.ckpt"
    if checkpoint.exists() and _peek(checkpoint, recorder):
        return _history(recorder, settings, task)
    precision = resolve_precision(settings.precision)
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=settings.devices,
        strategy="auto" if settings.devices == 1 else "ddp_notebook",
        precision=precision,  # type: ignore[arg-type]
        max_epochs=settings.epochs,
        callbacks=[
            recorder,
            Progress(name, settings.epochs),
            EarlyStopping("val_loss", patience=settings.patience, check_on_train_epoch_end=True),
            ModelCheckpoint(
                folder,
                filename="last",  # with `save_last` and `save_top_k=0` Lightning 2.6 saves nothing
                save_on_train_epoch_end=True,
                enable_version_counter=False,  # always last.ckpt, also in a folder that was moved
            ),
        ],
        # Else a job of SLURM, or what torchrun set, is asked how many processes there are.
        plugins=[_AtomicCheckpoints(), LightningEnvironment()],
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    batches = Batches(train, validation, settings.batch_size, seed=mix(task.seed, "order"))
    if settings.schedule == "cosine":
        task.annealing = settings.epochs * batches.steps
    task.train()  # Lightning keeps the mode it finds; a network from `restore` is in eval mode
    with warnings.catch_warnings():
        # The images are in memory, or workers fetch them where it pays: see `Batches`.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings(
            "ignore", message=".*Checkpoint directory.*exists and is not empty.*"
        )
        trainer.fit(
            task,
            datamodule=batches,
            ckpt_path=checkpoint if checkpoint.exists() else None,
        )
    if (
        settings.devices != 1
    ):  # other processes trained and kept the history: it is in the checkpoint
        _peek(checkpoint, recorder, keep=True)
    return _history(recorder, settings, task)


def _peek(checkpoint: Path, recorder: _Recorder, keep: bool = False) -> bool:
    """Whether the run had already ended by early stopping when it was killed."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            if part := archive.testzip():  # torch compares no checksums
                raise ValueError(f"{part} has another checksum")
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        recorder.load_state_dict(content["callbacks"][recorder.state_key])
    except PermissionError:
        raise  # nothing is wrong with the file
    except Exception as error:  # torch raises many types for a damaged file
        raise QrlibError(
            f"checkpoint {checkpoint} is damaged ({type(error).__name__}); delete it: the run then "
            "starts anew"
        ) from error
    if keep:
        recorder.resumed -= 1  # reading is not resuming
        return False
    exhausted = recorder.exhausted
    if not exhausted:
        recorder.rows, recorder.seconds, recorder.resumed = [], 0.0, 0  # Lightning loads them again
    return exhausted


def _history(recorder: _Recorder, settings: LoopSettings, task: Task) -> History:
    return History(
        rows=recorder.rows,
        best_epoch=recorder.best_epoch,
        seconds=round(recorder.seconds, 2),
        precision=resolve_precision(settings.precision),
        device=device_name(),
        resumed=recorder.resumed,
    )
