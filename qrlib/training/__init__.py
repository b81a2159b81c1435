"""Training: the loop, classifiers on clean images, and restorers by Algorithm 1 (Section III-D)."""

from __future__ import annotations

from qrlib.training.classifier import train_classifier
from qrlib.training.loop import History, LoopSettings
from qrlib.training.recovery import RecoveryTask, pretrain_recovery, train_recovery

__all__ = [
    "History",
    "LoopSettings",
    "RecoveryTask",
    "pretrain_recovery",
    "train_classifier",
    "train_recovery",
]
