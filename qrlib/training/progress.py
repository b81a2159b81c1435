"""What a run shows while it goes on: a bar, and a line an epoch."""

from __future__ import annotations

import sys
import time
from typing import Any

from pytorch_lightning.callbacks import Callback
from tqdm import tqdm


class Progress(Callback):
    """A bar over all epochs on stderr, and on stdout one line an epoch, which stays in the notebook."""

    def __init__(self, name: str, epochs: int) -> None:
        self.name = name
        self.epochs = epochs
        self.best = float("inf")
        self.bar: tqdm | None = None

    def on_train_start(self, trainer: Any, module: Any) -> None:
        if trainer.is_global_zero:
            steps = trainer.num_training_batches
            self.bar = tqdm(
                desc=self.name,
                total=self.epochs * steps,
                initial=trainer.current_epoch * steps,
                unit="step",
                leave=False,
                mininterval=10 if not sys.stderr.isatty() else 0.5,
            )

    def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
        if self.bar is not None:
            self.bar.update()

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        if not trainer.is_global_zero:
            return
        values = trainer.callback_metrics
        better = float(values["val_loss"]) < self.best
        self.best = min(self.best, float(values["val_loss"]))
        extra = f"  val_accuracy {values['val_accuracy']:.3f}" if "val_accuracy" in values else ""
        print(
            f"{self.name}  epoch {trainer.current_epoch + 1}/{self.epochs}"
            f"  train_loss {values['train_loss']:.4f}  val_loss {values['val_loss']:.4f}{extra}"
            f"  {time.monotonic() - self.started:.0f} s{'  best' if better else ''}",
            flush=True,
        )

    def on_train_end(self, trainer: Any, module: Any) -> None:
        if self.bar is not None:
            self.bar.close()

    def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
        self.on_train_end(trainer, module)  # an error is said on a line of its own

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best = state["best"]
