"""The committed traces: a few steps of each kind of run still give the numbers they gave.

Where they do not, undo the change; or, if it is meant, raise the kind's version in
`qrlib.records.behaviour`, and write its trace anew:

    python tests/records/test_behaviour.py KIND
"""

from __future__ import annotations

import copy
import json
import os
import sys
import tempfile
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from qrlib import attacks, classifiers, corruptions, distortions, evaluation, metrics
from qrlib.experiments import conventions, plan, train
from qrlib.inference.adaptation import adapt
from qrlib.models import QRNet
from qrlib.records import behaviour

TRACES = Path(__file__).parent / "traces"
#: Relative.  Other instructions of a processor (SSE4.1 in place of AVX-512) move losses by 4e-4, and
#: the distance that weights go in a deep network by 4e-3.
TOLERANCE, TOLERANCE_OF_DISTANCE = 3e-3, 2e-2
#: Steps small enough that rounding does not grow, in numbers that every processor has.
SETTINGS = "precision=32-true classifier.epochs=2"


def losses(name, history):
    return {
        f"{name}, epoch {row['epoch']}, {part}": value
        for row in history.rows
        for part, value in row.items()
        if part not in ("epoch", "seconds")
    }


def distance(name, net, start):
    """How far training moved the kernels; where to, rounding decides as well (Adam sees signs)."""
    pairs = zip(net.parameters(), start.parameters(), strict=True)
    squares = ((p.cpu() - q.cpu()).double().square().sum().item() for p, q in pairs if p.ndim > 1)
    return {f"{name}, distance": sum(squares) ** 0.5}


def trace_classifier():
    experiment = plan.open_classifier("smoke", overrides=SETTINGS)
    splits = train.load_data(experiment)
    net, history, _ = train.obtain_classifier(experiment, splits)
    torch.manual_seed(experiment.seed)
    start = classifiers.build("small_vgg", 4, weights=None, image_size=32, head_width=32)
    return losses("classifier", history) | distance("classifier", net, start)


def trace_recovery():
    """Equations 4 and 5, and the classifier's own layers that learn, in three ways."""
    numbers = {}
    for variant in ("mqrnet", "finetuned", "end_to_end", "recnet_finetuned"):
        experiment = plan.open_experiment("smoke", variant=variant, overrides=SETTINGS)
        splits = train.load_data(experiment)
        judges = train.obtain_classifiers(experiment, splits)
        start = copy.deepcopy(judges["classifier"])
        if "restorer" in experiment.variant.learns and experiment.start is not None:
            start = train.obtain_restorer(experiment.start, splits)[0]
        restorer, history, _ = train.obtain_restorer(experiment, splits, judges)
        numbers |= losses(variant, history)
        learned = restorer if "restorer" in experiment.variant.learns else judges["classifier"]
        numbers |= distance(variant, learned, start)
    return numbers


def trace_evaluation():
    """Networks that have learned nothing: their answers hang on no training."""
    experiment = plan.open_experiment("smoke")
    splits = train.load_data(experiment)
    torch.manual_seed(0)
    classifier = classifiers.build("small_vgg", len(splits.classes), weights=None, image_size=32)
    levels = distortions.levels(**experiment.profile.strengths)
    rows = evaluation.evaluate(
        QRNet(), {"classifier": classifier}, splits.test, [*levels["noise"], *levels["blur"]]
    )
    return {f"{row['distortion']} {row['level']} {row['metric']}": row["value"] for row in rows}


def trace_conventions():
    experiment = plan.open_experiment("smoke")
    splits = train.load_data(experiment)
    rows = conventions.measure(
        splits,
        conventions.available(splits),
        blur_scale=experiment.profile.data.blur_scale,
        images=2,
    )
    return {
        f"{row['convention']}: {row['distortion']} {row['level']} {row['metric']}": row["value"]
        for row in rows
    }


def trace_corruptions():
    splits = train.load_data(plan.open_experiment("smoke"))
    images = splits.test[range(2)][0].float() / 255
    cases = [corruptions.corruption(k, s) for k in corruptions.CORRUPTIONS for s in range(1, 6)]
    return {
        f"{case.kind} {case.level} psnr": float(metrics.psnr(case(images), images).mean())
        for case in cases
    }


def trace_attacks():
    torch.manual_seed(0)
    net = classifiers.build("small_resnet", 3, weights=None, image_size=32).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        answers = net(images).argmax(1)
        return {
            f"{kind} loss": float(
                F.cross_entropy(net(attacks.attack(kind, 8, net)(images)), answers)
            )
            for kind in ("fgsm", "pgd")
        }


def trace_adaptation():
    torch.manual_seed(0)
    net = classifiers.build("small_resnet", 3, weights=None, image_size=32).eval()
    with torch.no_grad():
        logits = adapt(net, [torch.rand(8, 3, 32, 32)])(torch.rand(4, 3, 32, 32) / 2)
    return {f"logit {i}": float(x) for i, x in enumerate(logits.flatten())}


TRACERS = {
    "classifier": trace_classifier,
    "recovery": trace_recovery,
    "evaluation": trace_evaluation,
    "conventions": trace_conventions,
    "corruptions": trace_corruptions,
    "attacks": trace_attacks,
    "adaptation": trace_adaptation,
}


def read_trace(kind):
    return json.loads((TRACES / f"{kind}.json").read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", TRACERS)
def test_a_run_gives_the_numbers_of_its_trace(kind):
    trace = read_trace(kind)
    assert trace["behaviour"] == behaviour.VERSIONS[kind], (
        f"the version of {kind} was raised: `python tests/records/test_behaviour.py {kind}` "
        "writes its trace anew"
    )
    numbers = TRACERS[kind]()
    assert numbers.keys() == trace["numbers"].keys()
    moved = {}
    for name, before in trace["numbers"].items():
        tolerance = TOLERANCE_OF_DISTANCE if name.endswith("distance") else TOLERANCE
        if numbers[name] != pytest.approx(before, rel=tolerance, abs=1e-4):
            moved[name] = f"{before} -> {numbers[name]}"
    assert not moved, (
        f"runs of kind {kind} give other numbers than committed records: undo what moved them; or, "
        f"if it is meant, raise the version of {kind} in qrlib/records/behaviour.py and write the "
        f"trace anew: `python tests/records/test_behaviour.py {kind}`"
    )


def write_trace(kind):
    path = TRACES / f"{kind}.json"
    if path.is_file() and read_trace(kind)["behaviour"] == behaviour.VERSIONS[kind]:
        sys.exit(f"raise the version of {kind} first, or committed records stay valid: {path}")
    trace = {"behaviour": behaviour.VERSIONS[kind], "numbers": TRACERS[kind]()}
    path.write_text(json.dumps(trace, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("results", "runs", "cache"):
            os.environ[f"QRLIB_{name.upper()}"] = f"{folder}/{name}"
        for kind in sys.argv[1:]:
            write_trace(kind)
