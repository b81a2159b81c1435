"""What the loop trains, and what stops it: a loss that is no number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from qrlib.training.batches import mix
from qrlib.utils.errors import QrlibError

#: A batch that no epoch has.
NEVER = 2**31 - 1


class Task(lightning.LightningModule):
    """What the loop trains: `net` holds the weights that are optimised and saved."""

    net: nn.Module
    learning_rate: float
    seed: int
    #: What to do where the device has too little memory.
    less_memory = "make classifier.batch_size smaller"
    #: The first batch of this epoch whose loss is no number, on a GPU.
    bad: torch.Tensor | None = None

    #: Steps over which the learning rate falls to 0 along a half cosine; None keeps it as it is.
    annealing: int | None = None

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam, as in Section IV-A."""
        trainable = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.Adam(trainable, lr=self.learning_rate, fused=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self.optimizer()
        if self.annealing is None:
            return optimizer
        rates = CosineAnnealingLR(optimizer, self.annealing)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rates, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        # Dropout draws from the global generator: seeded by the epoch, a resumed run repeats it.
        torch.manual_seed(mix(self.seed, "epoch", self.current_epoch, self.global_rank))
        self.bad = None

    @property
    def immediate(self) -> bool:
        """Whether a loss's value can be asked for without waiting, as on a processor."""
        return bool(self.device.type == "cpu")

    def check_finite(self, loss: torch.Tensor, index: int, ids: Sequence[str]) -> None:
        """Stop at the first loss that is no number; on a GPU, which should not wait for each, at the
        end of the epoch.

        Args:
            index: of the batch in the epoch.
            ids: of its images.
        """
        loss = loss.detach()
        if not self.immediate:
            here = torch.where(torch.isfinite(loss), NEVER, index)
            self.bad = here if self.bad is None else torch.minimum(self.bad, here)
        elif not torch.isfinite(loss):
            shown = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
            raise QrlibError(
                f"the loss is {loss.item()} at step {self.global_step} (epoch "
                f"{self.current_epoch + 1}, batch {index + 1}: {len(ids)} images, {shown}); "
                f"{self.last_good()}; lower the learning rate and run again"
            )

    def first_bad(self) -> str:
        """Where in this epoch a GPU first had a loss that is no number; "" if it had none."""
        batch = NEVER if self.bad is None else int(self.bad)
        if batch == NEVER:
            return ""
        steps = int(self.trainer.num_training_batches)
        return f", first at step {self.current_epoch * steps + batch} (batch {batch + 1})"

    def last_good(self) -> str:
        """Where the run stood when all was well."""
        if not self.current_epoch:
            return "there is no checkpoint yet"
        path = Path(self.trainer.default_root_dir) / "last.ckpt"
        return f"the last good checkpoint is {path}, after epoch {self.current_epoch}"
