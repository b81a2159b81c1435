"""The same training in Keras 3: QRNet of Keras layers, VGG16 of keras.applications, `fit`.

Keras computes with the backend that KERAS_BACKEND names, or where it names none with TensorFlow on a
CPU and JAX on a GPU.
"""

from __future__ import annotations

import os
import random
from typing import Any

import cv2
import numpy as np
from PIL import Image

from benchmarks.contest import Absent, Device, Ready
from benchmarks.contestants.stopwatch import Stopwatch
from benchmarks.corpus import Part, open_corpus
from benchmarks.settings import Settings

LAMBDA = 0.01
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Of Table 1.
CHANNELS = (16, 32, 64, 128, 256)


def open_keras(settings: Settings) -> Any:
    """Import Keras with the backend for the device.

    Raises:
        Absent: the backend is not installed, or does not see the GPU.
    """
    name = os.environ.setdefault(
        "KERAS_BACKEND", "jax" if settings.device == "cuda" else "tensorflow"
    )
    try:
        import keras
    except ImportError as error:
        raise Absent(f"Keras with {name}: {error}") from error
    if name == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(settings.threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(settings.threads)
        found = bool(tensorflow.config.list_physical_devices("GPU"))
    elif name == "jax":
        import jax

        found = any(device.platform == "gpu" for device in jax.devices())
    else:
        import torch

        torch.set_num_threads(settings.threads)
        found = torch.cuda.is_available()
    if settings.device == "cuda" and not found:
        raise Absent(f"Keras with {name} sees no GPU; KERAS_BACKEND names another backend")
    return keras


def qrnet(keras: Any, size: int) -> Any:
    """QRNet of Table 1: (S, S, 3) in [0, 1] -> the same."""
    layers = keras.layers

    def block(x: Any, channels: int, dropout: bool = False) -> Any:
        for i in range(2):
            x = layers.Conv2D(
                channels, 3, padding="same", activation="relu", kernel_initializer="he_normal"
            )(x)
            if dropout and i == 0:
                x = layers.Dropout(0.2)(x)
        return x

    x = images = keras.Input((size, size, 3))
    skips = []
    for channels in CHANNELS[:-1]:
        x = block(x, channels)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = block(x, CHANNELS[-1])
    for i, channels in enumerate(reversed(CHANNELS[:-1])):
        x = layers.Conv2DTranspose(channels, 2, strides=2, kernel_initializer="he_normal")(x)
        x = block(layers.Concatenate()([x, skips.pop()]), channels, dropout=i < 2)
    restored = layers.Conv2D(3, 1, activation="sigmoid", kernel_initializer="he_normal")(x)
    return keras.Model(images, restored, name="qrnet")


def classifier(keras: Any, settings: Settings, classes: int) -> Any:
    """The classifier with its normalisation, frozen: images in [0, 1] -> logits."""
    layers = keras.layers
    size = settings.size
    images = keras.Input((size, size, 3))
    variance = [s**2 for s in STD]
    x = layers.Normalization(mean=MEAN, variance=variance)(images)
    if settings.classifier == "vgg16":
        shape = (size, size, 3)
        backbone = keras.applications.VGG16(include_top=False, weights=None, input_shape=shape)
        x = layers.Flatten()(backbone(x))
    else:
        for channels in (32, 64, 96, 128):
            x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
            x = layers.MaxPooling2D(2)(layers.ReLU()(layers.BatchNormalization()(x)))
        side = min(2, size // 16)
        x = layers.Flatten()(layers.AveragePooling2D(size // 16 // side)(x))
    for _ in range(2):
        x = layers.Dropout(0.5)(layers.Dense(4096, activation="relu")(x))
    model = keras.Model(images, layers.Dense(classes)(x), name="classifier")
    model.trainable = False
    return model


def recovery(keras: Any, settings: Settings, classes: int) -> Any:
    """Restorer and classifier as one model with two outputs, and the loss of equation 4."""
    images = keras.Input((settings.size, settings.size, 3))
    restored = qrnet(keras, settings.size)(images)
    logits = classifier(keras, settings, classes)(restored, training=False)
    model = keras.Model(images, {"restored": restored, "logits": logits})
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss={
            "restored": keras.losses.MeanAbsoluteError(),
            "logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        },
        loss_weights={"restored": 1.0, "logits": LAMBDA},
    )
    return model


def pictures(keras: Any, part: Part, settings: Settings, *, train: bool) -> Any:
    """Batches decoded by PIL and distorted by OpenCV and NumPy, in threads."""

    class Pictures(keras.utils.PyDataset):
        def __init__(self) -> None:
            super().__init__(workers=settings.threads, max_queue_size=2 * settings.threads)
            self.order = list(range(len(part)))
            self.on_epoch_end()

        def __len__(self) -> int:
            batches = len(part) / settings.batch
            return int(batches) if train else int(np.ceil(batches))

        def on_epoch_end(self) -> None:
            if train:
                random.shuffle(self.order)

        def __getitem__(self, index: int) -> Any:
            chosen = self.order[index * settings.batch : (index + 1) * settings.batch]
            kind, sigma, kernel = random.choice(settings.distortions)
            clean = np.stack([_open(part.files[i], settings.size) for i in chosen])
            if kind == "noise":
                noise = np.random.default_rng().standard_normal(clean.shape, dtype=np.float32)
                distorted = np.clip(clean + noise * np.float32(sigma / 255), 0, 1)
            else:
                size = (kernel, kernel)
                distorted = np.stack([cv2.GaussianBlur(image, size, sigma) for image in clean])
            labels = np.array([part.labels[i] for i in chosen])
            targets = {
                "restored": np.concatenate([clean, clean]),
                "logits": np.concatenate([labels, labels]),
            }
            return np.concatenate([clean, distorted]), targets

    return Pictures()


def _open(path: Any, size: int) -> np.ndarray:
    with Image.open(path) as image:
        image = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.float32) / 255


def _note(keras: Any) -> str:
    return f"Keras on {keras.backend.backend()}, float32"


def epoch(settings: Settings) -> Ready:
    """Epochs of training, each with its validation."""
    keras = open_keras(settings)
    cv2.setNumThreads(1)  # the loading has threads of its own
    corpus = open_corpus(settings)
    model = recovery(keras, settings, corpus.classes)
    train = pictures(keras, corpus.train, settings, train=True)
    validation = pictures(keras, corpus.validation, settings, train=False)
    stopwatch = Stopwatch()

    callback: Any = keras.callbacks.Callback

    class Watch(callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch in (0, stopwatch.steps - 1):
                float(logs["loss"])  # waits for the device
            stopwatch.step()

    def run() -> dict[str, float]:
        stopwatch.start(len(train))
        model.fit(train, validation_data=validation, epochs=1, verbose=0, callbacks=[Watch()])
        return stopwatch.stop()

    return Ready(
        run,
        True,
        note=_note(keras),
        work={"images": len(corpus.train), "validation": len(corpus.validation)},
        device=Device(gpu_peak=_gpu_peak(keras)),
    )


def update(settings: Settings) -> Ready:
    """Steps on one ready batch."""
    keras = open_keras(settings)
    corpus = open_corpus(settings)
    model = recovery(keras, settings, corpus.classes)
    count = 2 * settings.batch
    shape = (count, settings.size, settings.size, 3)
    images = np.random.default_rng(0).random(shape, dtype=np.float32)
    targets = {"restored": images, "logits": np.arange(count) % corpus.classes}
    steps = max(2, len(corpus.train) // count)
    stopwatch = Stopwatch()

    def run() -> dict[str, float]:
        stopwatch.start(steps)
        for _ in range(steps):
            float(model.train_on_batch(images, targets)[0])
            stopwatch.step()
        return {"step": stopwatch.stop()["step"]}

    return Ready(
        run,
        True,
        note=_note(keras),
        work={"images": count},
        device=Device(gpu_peak=_gpu_peak(keras)),
    )


def _gpu_peak(keras: Any) -> Any:
    def peak() -> int:
        name = keras.backend.backend()
        if name == "jax":
            import jax

            return int((jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0))
        if name == "tensorflow":
            import tensorflow

            if not tensorflow.config.list_physical_devices("GPU"):
                return 0
            return int(tensorflow.config.experimental.get_memory_info("GPU:0")["peak"])
        import torch

        return int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else 0

    return peak
