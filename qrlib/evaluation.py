"""Accuracy, PSNR and SSIM for every distortion and level (Sections IV-B to IV-D)."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Categorical
from tqdm import tqdm

from qrlib import weights
from qrlib.classifiers import Classifier
from qrlib.data import Split
from qrlib.distortions import CLEAN, Distortion, distort_for_evaluation
from qrlib.metrics import psnr, ssim
from qrlib.utils import memory
from qrlib.utils.errors import QrlibError

#: What an evaluation keeps of each answer: the probability of the class that was answered; the entropy of
#: all probabilities, as a share of the greatest there is; 1 - the cosine between the backbone's features of
#: the image and of the clean one, where the network is a plain `qrlib.classifiers.Classifier`.
KNOWN = ("confidence", "entropy", "feature_distance")

#: Decisions that a check in float32 repeats at least, and the share that must agree.
CHECKED_DECISIONS, LEAST_AGREEMENT = 500, 0.995
#: An answer in bfloat16 is asked again in float32 where the logit of the second class is as near as this.
CLOSE_CALL = 0.1


@torch.no_grad()  # inference_mode would leave weights that no later training can use
def evaluate(
    restorer: nn.Module | None,
    classifiers: Mapping[str, nn.Module],
    split: Split,
    distortions: Sequence[Distortion],
    *,
    batch_size: int = 32,
    precision: str = "32-true",
    name: str = "evaluation",
    keep: Path | None = None,
) -> list[dict[str, Any]]:
    """Evaluate one restorer in front of classifiers in a single pass over the images.

    Each image is distorted and restored once, whatever the number of classifiers.  Memory is that of
    one batch, whatever the number of images.

    Args:
        restorer: images -> images; None classifies them as they are.  One that has a method `told` is
            asked by it, for each distortion, for what restores its images.
        classifiers: name -> images to logits (B, K); at least one.
        distortions: those to apply; clean images are always evaluated as well.
        precision: "32-true", or "bf16-mixed" for classifiers that compute in bfloat16, close calls
            apart (`CLOSE_CALL`); check that with `check_precision`.  The restorer computes in float32.
        keep: a folder for what was seen of each batch, so that an evaluation that was ended goes on where it
            was, and one of other heads behind the same restorer and backbones has only the heads to compute.
            One folder is for one split and one version of this code; the rest decides where in it.

    Returns:
        One dict for each classifier, distortion and metric: classifier, distortion, level, strength,
        metric ("accuracy", "psnr" in dB, "ssim"), value (mean over images), n (images), each (the values
        of the images, (n,); of an accuracy, booleans); with an accuracy what else is known of the answers,
        the keys of `KNOWN`, (n,) each.  PSNR and SSIM do not depend on the classifier and come with each.
        What compares an image with itself means nothing and is left out: the PSNR of clean images without a
        restorer, and their feature distance.

    Raises:
        QrlibError: no classifier, or too little memory for a batch.
    """
    if not classifiers:
        raise QrlibError("an evaluation needs at least one classifier")
    device = _prepare(restorer, classifiers)
    cases = [CLEAN, *distortions]
    folders = {}
    if keep is not None:
        settings = f"{cases} {batch_size} {precision} {device.type}"
        for role, network in classifiers.items():
            folders[role] = keep / _pass_name(restorer, network, precision, settings)
    batches: dict[tuple[Distortion, str], list[Tensor]] = defaultdict(list)
    with tqdm(
        total=len(split) * len(cases), desc=name, unit="img", leave=False, mininterval=10
    ) as bar:
        for start in range(0, len(split), batch_size):
            batch = split[range(start, min(start + batch_size, len(split)))]
            kept = {role: path / f"{start}.safetensors" for role, path in folders.items()}
            try:
                if kept and all(path.is_file() for path in kept.values()):
                    seen = {role: weights.read(path)[0] for role, path in kept.items()}
                else:
                    seen = _observe(restorer, classifiers, batch, cases, device, precision)
                    for role, path in kept.items():
                        weights.write(seen[role], path)
                measured = _judge(seen, classifiers, batch[1], cases, device)
            except Exception as error:
                if not memory.ran_out(error):
                    raise
                reason = str(error).strip().splitlines()[0]
                raise QrlibError(
                    f"{device} has too little memory for {batch_size} images of {name} at once "
                    f"({reason}): make evaluation_batch smaller, or end what else uses it"
                ) from error
            for key, values in measured.items():
                batches[key].append(values)
            bar.update(len(batch[2]) * len(cases))
    rows = []
    for classifier in classifiers:
        for case in cases:
            for metric in ("accuracy", "psnr", "ssim"):
                key = case, f"accuracy {classifier}" if metric == "accuracy" else metric
                if key not in batches:
                    continue
                total = sum(values.double().sum() for values in batches[key])
                each = torch.cat(batches[key]).cpu().numpy()
                row = {"classifier": classifier, "distortion": case.kind, "level": case.level}
                row |= {"strength": case.sigma, "metric": metric}
                row |= {"value": float(total) / len(split), "n": len(split), "each": each}
                if metric == "accuracy":
                    for known in KNOWN:
                        if (case, f"{known} {classifier}") in batches:
                            of_images = batches[case, f"{known} {classifier}"]
                            row[known] = torch.cat(of_images).cpu().numpy()
                rows.append(row)
    return rows


@torch.no_grad()
def check_precision(
    restorer: nn.Module | None,
    classifiers: Mapping[str, nn.Module],
    split: Split,
    distortions: Sequence[Distortion],
    *,
    precision: str,
    decisions: int = CHECKED_DECISIONS,
) -> dict[str, Any]:
    """Hold the answers of classifiers that compute in `precision` against those in float32.

    Args:
        decisions: how many to repeat at least: of images spread over the split, under every distortion.

    Returns:
        precision, decisions (how many), agreement (share of equal answers).

    Raises:
        QrlibError: fewer than `LEAST_AGREEMENT` agree.
    """
    device = _prepare(restorer, classifiers)
    cases = [CLEAN, *distortions]
    images = min(len(split), -(-decisions // (len(cases) * len(classifiers))))
    part = split.spread(images)
    equal = []
    for start in range(0, images, 8):
        pixels, _, ids = part[range(start, min(start + 8, images))]
        clean = pixels.to(device).float() / 255
        for case in cases:
            shown = distort_for_evaluation(clean, ids, case)
            restored = _restore(restorer, shown, case)
            for classifier in classifiers.values():
                exact, given = (
                    _classify(classifier, restored, p)[0].argmax(1) for p in ("32-true", precision)
                )
                equal.append((given == exact).float())
    agreement = torch.cat(equal).mean().item()
    if agreement < LEAST_AGREEMENT:
        raise QrlibError(
            f"of {images * len(cases) * len(classifiers)} answers in {precision}, {agreement:.2%} are "
            f"those in float32, and {LEAST_AGREEMENT:.1%} must be: set evaluation_precision to 32-true"
        )
    return {
        "precision": precision,
        "decisions": sum(map(len, equal)),
        "agreement": agreement,
    }


def _prepare(restorer: nn.Module | None, classifiers: Mapping[str, nn.Module]) -> torch.device:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for network in (restorer, *classifiers.values()):
        if network is not None:
            memory.channels_last(network.to(device)).eval()
    return device


def _restore(restorer: nn.Module | None, images: Tensor, case: Distortion) -> Tensor:
    images = images.contiguous(memory_format=torch.channels_last)
    if restorer is None:
        return images
    if told := getattr(restorer, "told", None):
        return told(case)(images)
    return restorer(images).float()


def _classify(
    classifier: nn.Module, images: Tensor, precision: str
) -> tuple[Tensor, Tensor | None]:
    """The logits of (B, 3, H, W), (B, K), and the features under them, (B, F), where one knows them."""
    features = None
    with _autocast(images, precision):
        if _has_features(classifier):
            features = classifier.features(images)
            logits = classifier.head(features)
        else:
            logits = classifier(images)
    if precision == "bf16-mixed":
        first, second = logits.float().topk(2, dim=1).values.T
        close = first - second < CLOSE_CALL
        if close.any():
            logits = logits.float()
            logits[close] = classifier(images[close]).float()
    return logits.float(), None if features is None else features.float()


def _autocast(images: Tensor, precision: str) -> torch.autocast:
    return torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16-mixed")


def _has_features(classifier: nn.Module) -> TypeGuard[Classifier]:
    """Whether its features decide its answer: one that inherits may answer otherwise."""
    return type(classifier) is Classifier


def _apart(classifier: nn.Module, precision: str) -> TypeGuard[Classifier]:
    """Whether its head can be asked later: close calls of bfloat16 need the image again."""
    return _has_features(classifier) and precision == "32-true"


def _pass_name(
    restorer: nn.Module | None, classifier: nn.Module, precision: str, settings: str
) -> str:
    """A name that is equal for equal settings and networks, if need be without the classifier's head."""
    digest = hashlib.sha256(settings.encode())
    seen_by = classifier
    if isinstance(classifier, Classifier):
        digest.update(f"{classifier.preprocessing} {classifier.input_size}".encode())
        if _apart(classifier, precision):
            seen_by = classifier.backbone
    for network in filter(None, (restorer, seen_by)):
        digest.update(f"{network!r} {weights.state_hash(network)}".encode())
    return digest.hexdigest()[:16]


def _observe(
    restorer: nn.Module | None,
    classifiers: Mapping[str, nn.Module],
    batch: tuple[Tensor, Tensor, list[str]],
    cases: Sequence[Distortion],
    device: torch.device,
    precision: str,
) -> dict[str, dict[str, Tensor]]:
    """What each classifier sees of one batch, without its head where that can be asked later.

    Returns:
        For each classifier and the number i of a case: "i psnr", "i ssim" (B,), "i features" (B, F) and
        "i logits" (B, K), and "original features", of the clean images that no restorer saw.
    """
    pixels, _, ids = batch
    clean = pixels.to(device).float() / 255  # (B, 3, H, W)
    seen: dict[str, dict[str, Tensor]] = {role: {} for role in classifiers}

    def features_of(classifier: Classifier, images: Tensor) -> Tensor:
        with _autocast(images, precision):
            return classifier.features(images).float().contiguous()

    for i, case in enumerate(cases):
        restored = _restore(restorer, distort_for_evaluation(clean, ids, case), case)
        quality = {f"{i} ssim": ssim(restored, clean)}
        if restorer is not None or case.kind != "clean":
            quality[f"{i} psnr"] = psnr(restored, clean)
        for role, classifier in classifiers.items():
            seen[role] |= quality
            if _apart(classifier, precision):
                seen[role][f"{i} features"] = features_of(classifier, restored)
                continue
            seen[role][f"{i} logits"], features = _classify(classifier, restored, precision)
            if features is not None:
                seen[role][f"{i} features"] = features
    for role, classifier in classifiers.items():
        if restorer is not None and _has_features(classifier):
            seen[role]["original features"] = features_of(classifier, clean)
    return seen


def _judge(
    seen: Mapping[str, Mapping[str, Tensor]],
    classifiers: Mapping[str, nn.Module],
    labels: Tensor,
    cases: Sequence[Distortion],
    device: torch.device,
) -> dict[tuple[Distortion, str], Tensor]:
    """Of one batch, a value an image, (B,), by case and metric; on the device, so that nothing waits."""
    labels = labels.to(device)
    values: dict[tuple[Distortion, str], Tensor] = {}
    for role, classifier in classifiers.items():
        # Copied: what is read from a file lies elsewhere in memory, and sums differ in their last bits.
        known = {key: value.to(device).clone() for key, value in seen[role].items()}
        # Without a restorer the first case is the clean image itself.
        original = known.get("original features", known.get("0 features"))
        for i, case in enumerate(cases):
            values |= {
                (case, m): known[f"{i} {m}"] for m in ("psnr", "ssim") if f"{i} {m}" in known
            }
            features, logits = known.get(f"{i} features"), known.get(f"{i} logits")
            if logits is None:
                assert isinstance(classifier, Classifier)
                logits = classifier.head(features)
            probabilities = logits.softmax(1)
            values[case, f"accuracy {role}"] = logits.argmax(1) == labels
            values[case, f"confidence {role}"] = probabilities.amax(1)
            entropy = Categorical(probabilities).entropy()
            values[case, f"entropy {role}"] = entropy / math.log(logits.shape[1])
            if features is not None and original is not None and f"{i} psnr" in known:
                nearness = F.cosine_similarity(features, original)
                values[case, f"feature_distance {role}"] = 1 - nearness
    return values
