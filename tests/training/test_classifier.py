"""Training a classifier, whole or its fully connected layers alone."""

from dataclasses import replace

import pytest
import torch
from support.training import SETTINGS, fit, make_task

from qrlib import classifiers, weights
from qrlib.training.classifier import ClassifierTask, fit_classifier


def train(classifier, splits, folder, epochs=2):
    settings = replace(SETTINGS, epochs=epochs)
    return fit_classifier(classifier, splits, folder, settings, seed=0, name="c", fingerprint={})


def test_classifier_learns_clean_images(splits, tmp_path, classifier):
    history = train(classifier, splits, tmp_path / "c", epochs=4)
    assert not any(m.training for m in classifier.modules() if m is not classifier)
    assert {"train_loss", "val_loss", "train_accuracy", "val_accuracy"} <= set(history.rows[0])
    assert history.rows[-1]["train_loss"] < history.rows[0]["train_loss"]
    torch.manual_seed(9)
    other = classifiers.build("small_vgg", 3, weights=None, image_size=32, head_width=8)
    assert train(other, splits, tmp_path / "c", epochs=4) == history
    assert weights.state_hash(other) == weights.state_hash(classifier)


def test_fully_connected_training_changes_the_head_alone(splits, tmp_path, classifier):
    classifier.set_trainable("fully_connected")
    before = {k: v.clone() for k, v in classifier.state_dict().items()}
    modes = []
    classifier.head[2].register_forward_hook(lambda m, args, out: modes.append(m.training))
    train(classifier, splits, tmp_path / "c")
    for key, value in classifier.state_dict().items():
        assert torch.equal(value, before[key]) == key.startswith("backbone."), key
    assert set(modes) == {True, False}  # dropout acts in training
    stored = weights.read(tmp_path / "c" / "best.safetensors")[0]
    assert stored.keys() == classifier.head.state_dict().keys()

    # What was trained by its features can guide a restorer.
    fit(make_task(classifier), splits, tmp_path / "r", replace(SETTINGS, epochs=1))


def test_fully_connected_training_equals_training_through_the_backbone(
    splits, tmp_path, classifier
):
    """The short way and the long way round: the same numbers but for rounding."""
    classifier.set_trainable("fully_connected")
    start = {k: v.clone() for k, v in classifier.state_dict().items()}
    short = train(classifier, splits, tmp_path / "short")
    classifier.load_state_dict(start)
    task = ClassifierTask(classifier.train(), learning_rate=1e-3, seed=0)
    long = fit(task, splits, tmp_path / "long", replace(SETTINGS, epochs=2))
    for name in ("train_loss", "val_loss"):
        losses = [row[name] for row in long.rows]
        assert [row[name] for row in short.rows] == pytest.approx(losses, rel=1e-4)
