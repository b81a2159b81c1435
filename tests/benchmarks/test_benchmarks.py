"""Benchmarks: turns, reasons of those left out, times, tables, goals; the work, counted.

No time is tested: machines differ.  What each contestant computes is.
"""

from __future__ import annotations

import copy
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from support.frames import unpadded
from support.project import ROOT

from benchmarks import __main__ as command
from benchmarks import goals, groups, results, running, tables, work
from benchmarks.contest import Contest, Contestant
from benchmarks.contestants import distort, infer, training_ours
from benchmarks.contestants.stopwatch import Epochs, Stopwatch
from benchmarks.settings import GROUPS, default
from qrlib import models
from qrlib.utils.errors import QrlibError

TINY = default(
    "cpu", threads=1, size=32, batch=2, images=4, validation=2, classifier="small_vgg",
    distort=(2, 48),
)  # fmt: skip


# --- settings -------------------------------------------------------------------------------------


def test_a_gpu_gets_the_papers_setting() -> None:
    settings = default("cuda")
    assert (settings.size, settings.batch, settings.corpus) == (224, 32, "caltech101")
    assert settings.images is None
    assert not settings.small
    assert default("cpu").small
    cases = settings.distortions
    assert [c for c in cases if c[0] == "blur"] == [
        ("blur", 2.0, 7), ("blur", 4.0, 15), ("blur", 6.0, 23), ("blur", 8.0, 31), ("blur", 10.0, 39)
    ]  # fmt: skip
    assert [c[1] for c in cases if c[0] == "noise"] == [20, 40, 60, 80, 100]


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"size": 16}, "at least 32"),
        ({"images": 8, "batch": 8}, "two batches"),
        ({"rounds": 0}, "rounds"),
        ({"classifier": "vgg"}, "did you mean"),
    ],
)
def test_settings_that_cannot_be_are_refused(chosen: dict, said: str) -> None:
    with pytest.raises(QrlibError, match=said):
        default("cpu", **chosen)


def test_an_unknown_group_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--only", "stp", "--device", "cpu"]) == 2
    assert "valid: step, distort" in capsys.readouterr().err


# --- turns, in real processes ----------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _environment():
    """The command tells libraries, by variables, how many threads to use."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


#: Contestants.
DRILL = """
import os
from benchmarks.contest import Absent, Ready
def ready(name, **more):
    def run():
        open("LOG", "a").write(name + "\\n")
        return bytearray(60_000_000) and {"epoch": 2.0, "step": 0.5}
    return Ready(run, **more)
def first(settings): return ready("first")
def timed(settings): return ready("timed", timed=True, note="noted", difference=0.5)
def absent(settings): raise Absent("it is not for this machine")
def broken(settings): raise ValueError("out of\\norder")
def dies(settings): return Ready(lambda: os._exit(3))
"""


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[results.Measured], list[str]]:
    """A contest of contestants that are defined in a module of their own."""
    folder = tmp_path_factory.mktemp("contest")
    (folder / "drill.py").write_text(DRILL.replace("LOG", str(folder / "log")))
    with pytest.MonkeyPatch.context() as patch:
        package = sys.modules["benchmarks.contestants"]
        patch.setattr(package, "__path__", [*package.__path__, str(folder)])
        # `__path__` is this process's alone, so contestants are forked from it.
        fork = running.multiprocessing.get_context("fork")
        patch.setattr(running, "_context", lambda alone: fork)
        patch.setattr(running, "SHORT", 2.0)  # so that their work is short on a busy machine too
        names = ("first", "timed", "absent", "broken", "dies")
        everyone = tuple(Contestant(name, f"drill:{name}") for name in names)
        lacking = Contestant("lacking", "drill:first", needs=("no_such_library",))
        result = running.hold(Contest("step", "drill", (*everyone, lacking), rounds=2), TINY)
    return result.contestants, (folder / "log").read_text().split()


def test_contestants_take_turns_after_warming_up(held) -> None:
    turns = [(name, len(list(runs))) for name, runs in itertools.groupby(held[1])]
    assert [name for name, _ in turns] == ["first", "timed"] * 3
    assert [count for name, count in turns if name == "timed"] == [1, 1, 1]
    # Short work is repeated in its turn: its first run there does not count.
    assert all(count > 2 for name, count in turns[2:] if name == "first")


def test_times_are_one_a_round_and_the_warm_up_is_apart(held) -> None:
    first, timed = held[0][:2]
    assert len(first.times[""]) == 2
    assert all(0 < seconds < 60 for seconds in first.times[""])
    assert first.first > 0
    assert timed.times == {"epoch": [2.0, 2.0], "step": [0.5, 0.5]}
    assert (timed.note, timed.difference, timed.first) == ("noted", 0.5, 2.0)


def test_nobody_is_left_out_without_a_reason(held) -> None:
    reasons = {measured.name: measured.left_out for measured in held[0]}
    assert reasons["absent"] == "it is not for this machine"
    assert reasons["broken"] == "ValueError: out of"
    assert reasons["dies"] == "its process ended with status 3"
    assert reasons["lacking"] == "no_such_library is not installed"
    assert reasons["first"] == reasons["timed"] == ""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's count of memory")
@pytest.mark.slow
def test_memory_is_the_peak_of_the_work(held) -> None:
    """What was held before and given back is not in it; what the work held for a moment is."""
    # A process of its own: training has told this one to keep what it frees (`qrlib.utils.memory`).
    code = (
        "from benchmarks import running\n"
        "assert len(bytearray(b'x') * 300_000_000) == 300_000_000\n"
        "high = running.peak()\n"
        "running.reset_peak()\n"
        "assert running.peak() < high - 200_000_000\n"
        "assert len(bytearray(b'x') * 200_000_000) == 200_000_000\n"
        "assert running.peak() > high - 200_000_000\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert held[0][0].memory > 60_000_000


# --- epochs one at a time ---------------------------------------------------------------------------


def test_a_step_is_the_mean_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 9.0, 10.0])  # start, end of the first step, of the last, of the epoch
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    watch = Stopwatch()
    watch.start(3)
    for _ in range(3):
        watch.step()
    assert watch.stop() == {"epoch": 10.0, "step": 2.0}


def test_a_training_goes_on_by_one_epoch_at_a_time_and_its_error_comes_out() -> None:
    done = []

    def train() -> None:
        for number in range(3):
            epochs.wait()
            done.append(number)
            epochs.step()
        raise ValueError("the end")

    epochs = Epochs(Stopwatch(), 1)
    epochs.start(train)
    assert done == []
    for number in range(2):
        assert set(epochs.run()) == {"epoch", "step"}
        assert done[-1] == number
    with pytest.raises(ValueError, match="the end"):
        epochs.run()


@pytest.mark.slow
def test_our_training_goes_through_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QRLIB_CACHE", str(tmp_path))
    fit, tasks = training_ours.fit, []
    monkeypatch.setattr(
        training_ours, "fit", lambda task, *a, **k: tasks.append(task) or fit(task, *a, **k)
    )
    ready = training_ours.epoch(TINY)
    assert ready.work == {"images": 4, "validation": 2}
    before = copy.deepcopy(tasks[0].networks.restorer.state_dict())
    first = ready.run()
    assert 0 < first["step"] < first["epoch"]
    after = tasks[0].networks.restorer.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert tasks[0].trainer.current_epoch == 1
    assert tasks[0].choices.keys() == {"noise", "blur"}


# --- same work --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ours", "torchvision", "skimage", "opencv"])
def test_all_blur_by_the_definition_and_add_noise_of_one_strength(name: str) -> None:
    contestant, images = getattr(distort, name), distort.batch(TINY)
    assert images.shape == (2, 3, 48, 48)
    assert contestant(TINY, kind="blur", sigma=3.0).difference < 1e-5
    assert distort.difference(images, images, 3.0) > 0.01  # an image that is not blurred differs
    noisy = torch.as_tensor(contestant(TINY, kind="noise", sigma=20.0).run())
    noisy = noisy if noisy.shape[1] == 3 else noisy.permute(0, 3, 1, 2)
    inside = (images > 0.3) & (images < 0.7)  # where nothing is clipped
    assert (noisy - images)[inside].std() == pytest.approx(20 / 255, rel=0.05)


def test_ours_answers_as_plain_pytorch_does() -> None:
    assert infer.ours(TINY, classify=True, batch=1).difference < 1e-5


def test_the_floor_counts_what_the_paper_s_training_costs() -> None:
    """152 GFLOP a training image at 224 pixels; four times the pixels, four times the work."""
    settings = default("cuda", batch=2)
    counted = work.count(settings)
    assert counted["flop_per_training_image"] == pytest.approx(152e9, rel=0.01)
    assert counted["flop_per_step"] == pytest.approx(2 * counted["flop_per_training_image"])
    # Forward of clean and distorted, through QRNet (4.65 GFLOP) and VGG16 (30.9).
    assert counted["flop_per_validation_image"] == pytest.approx(2 * 35.6e9, rel=0.01)


def test_traffic_counts_each_tensor_of_a_convolution_once() -> None:
    conv = torch.nn.Conv2d(3, 8, 1, bias=False)
    with work.TrafficCounter() as counter, torch.no_grad():
        torch.relu(conv(torch.zeros(2, 3, 5, 5)))
    assert counter.bytes == 4 * (2 * 3 * 25 + 8 * 3 + 2 * 8 * 25)


@pytest.mark.parametrize("group", GROUPS)
def test_contests_name_functions_that_are_there(group: str) -> None:
    """Looked up in the source: the libraries that some need may not be installed."""
    for held in groups.contests(group, default("cpu")):
        for one in held.contestants:
            module, function = one.setup.split(":")
            text = (ROOT / "benchmarks" / "contestants" / f"{module}.py").read_text("utf-8")
            assert re.search(rf"\ndef {function}\(\s*settings: Settings", text), one.setup
            for option in one.options:
                assert f"{option}:" in text or "**changes" in text


# --- results ----------------------------------------------------------------------------------------


def contestant(name: str, times: dict[str, list[float]], **more: object) -> dict[str, Any]:
    return {"name": name, "times": times, "prepared": 1.0, "memory": 10**9, **more}


@pytest.fixture
def result() -> results.Result:
    """A result whose numbers can be checked by head."""
    ours = {"epoch": [10.0] * 3, "step": [1.0] * 3}
    training = [
        contestant("ours", ours, work={"images": 64, "validation": 16}),
        contestant("plain PyTorch", {"epoch": [30.0] * 3, "step": [3.0, 2.5, 9.0]}),
        contestant("Keras 3", {}, skipped="keras is not installed"),
        contestant("matrix product", {"": [2.0] * 3}, rate=True, work={"flop": 200e9}),
        contestant("copy in memory", {"": [1.0] * 3}, rate=True, work={"bytes": 1e10}),
    ]
    sizes = [
        contestant(f"{n}", {"": [2.0 * n, 2.0 * n]}, amount=n, memory=10**9 + n * 10**7)
        for n in (3, 24)
    ]
    seams = [contestant("ours", {"": [1.0]}), contestant("whole", {"": [1.0]}, difference=2e-6)]
    return results.Result.model_validate({
        "schema": 1,
        "machine": {
            "kind": "test", "device": "Test, 2 threads", "processor": "Test", "threads": 2,
            "bfloat16": False, "instructions": "AVX2", "memory": 10**10, "system": "Linux",
            "python": "3.12",
        },
        "versions": {"torch": "2"},
        "code": {"git_commit": "a" * 40, "git_dirty": False},
        "settings": default("cpu", threads=2),
        "load": {"before": [0.1, 0.1, 0.1], "after": []},
        "seconds": 100.0,
        "work": {"flop_per_training_image": 10e9, "flop_per_step": 50e9, "bytes_per_step": 2e9,
                 "flop_per_validation_image": 5e9, "bytes_per_validation_image": 1e8},
        "contests": [
            {"group": "step", "case": "training", "contestants": training},
            {"group": "photo", "case": "megapixels, from file to file", "contestants": sizes},
            {"group": "photo", "case": "photo of 1.5 megapixels", "contestants": seams},
        ],
    })  # fmt: skip


def test_results_come_back_and_are_checked(result: results.Result, tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    results.write(result, path)
    assert results.read(path) == result
    result.contests[0].contestants[0].times["epoch"].append(-1.0)
    results.write(result, path)
    with pytest.raises(QrlibError, match=r"test\.json .* contests/0/contestants/0/times/epoch/3: "):
        results.read(path)


def test_ratios_are_medians_of_rounds(result: results.Result) -> None:
    frame = results.frame(result)
    pytorch = frame[frame["contestant"] == "plain PyTorch"].set_index("what")
    assert pytorch.loc["step", "ratio"] == 3.0
    assert (pytorch.loc["step", "low"], pytorch.loc["step", "high"]) == (2.75, 6.0)
    assert frame[frame["rate"]]["ratio"].isna().all()


def test_tables_begin_with_ratios_and_name_who_is_left_out(result: results.Result) -> None:
    step = dict(tables.tables(result, "step"))
    assert list(step) == ["training: an epoch", "training: a step"]
    text = unpadded(step["training: a step"])
    assert text.startswith("| times ours |")
    assert "| 3.00 | plain PyTorch | 3.00 s | 2.75 to 6.00 s |" in text
    assert "Left out: Keras 3 (keras is not installed)." in text
    assert "matrix product" not in text
    grown = unpadded(dict(tables.tables(result, "photo"))["megapixels, from file to file"])
    assert "power 1.00" in grown
    assert "| 24 | 8.00 | 48.0 s | 48.0 to 48.0 s | 2.00 s | 1.24 GB |" in grown


def test_the_floor_is_work_over_rates(result: results.Result) -> None:
    """100 GFLOP/s and 10 GB/s; an epoch is 4 steps of 50 GFLOP and 16 images of 5."""
    floors = tables.floors(result)
    assert floors["step"]["compute"] == 0.5
    assert floors["step"]["traffic"] == 0.2
    assert floors["epoch"]["compute"] == pytest.approx(2.8)
    text = unpadded(tables.floor(result))
    assert "| a step | 2.0 | 1.00 s | 500 ms | 200 ms |" in text
    assert "A step of plain PyTorch takes 6.0 times this floor" in text
    result.contests[0].contestants[0].note = "bf16-mixed"
    assert tables.floors(result)["step"]["traffic"] == 0.1


def verdicts(result: results.Result) -> list[str]:
    return [goal.verdict for goal in goals.goals(result)]


def test_goals_fall_either_way(result: results.Result) -> None:
    assert verdicts(result) == ["reached", *["not measured"] * 3, *["reached"] * 3]
    training, sizes, seams = (held.contestants for held in result.contests)
    training[1].times["step"] = [1.5] * 3
    sizes[1].memory, sizes[1].times[""] = 1_600_000_000, [100.0, 100.0]
    seams[1].difference = 2e-3
    assert verdicts(result).count("missed") == 4


def test_a_gpu_has_goals_and_a_column_of_its_own(result: results.Result) -> None:
    gpu = result.model_copy(deep=True)
    gpu.machine.device, gpu.settings = "A GPU", default("cuda")
    assert verdicts(gpu) == ["missed"] * 3
    gpu.contests[0].contestants[0].times["epoch"] = [3.0] * 3
    assert verdicts(gpu) == ["reached"] * 3
    gpu.settings = default("cuda", images=64)
    assert verdicts(gpu)[0] == "not measured"  # not the whole data set
    lines = unpadded(goals.table([result, gpu])).splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    assert rows[0] == ["goal", "Test, 2 threads", "A GPU"]
    shown = {row[0]: row[1:] for row in rows}
    assert shown["an epoch of Caltech101 at 224 pixels in at most 4 s"] == ["", "not measured"]
    step = "a training step at least 2 times as fast as the plain PyTorch recipe"
    assert shown[step] == ["3.00: reached", ""]


def test_everything_prints(result: results.Result, capsys: pytest.CaptureFixture[str]) -> None:
    command.show(result, ["step", "photo"])
    text = capsys.readouterr().out
    assert text.index("Test, 2 threads") < text.index("## Training") < text.index("## Goals")
    assert "left out: step, training: Keras 3: keras is not installed" in text
    rows = text[text.index("### training: a step") :].splitlines()[2:6]
    assert len({row.index("|", 2) for row in rows}) == len(set(map(len, rows))) == 1  # aligned


def test_qrnet_has_the_layers_that_keras_is_given() -> None:
    """The Keras twin is written by hand: its widths are those of Table 1."""
    pytest.importorskip("keras")
    from benchmarks.contestants import training_keras

    assert training_keras.CHANNELS == models.CHANNELS
    keras = training_keras.open_keras(TINY)
    assert training_keras.qrnet(keras, 32).count_params() == 1_941_139


# --- the environment --------------------------------------------------------------------------------


def locked(path: str) -> list[str]:
    """Requirement without marker and hashes, of a lock file."""
    lines = (ROOT / path).read_text("utf-8").splitlines()
    return [line.split(";")[0].strip(" \\") for line in lines if line[:1].isalnum()]


def test_the_lock_has_the_projects_own_versions_and_no_address() -> None:
    versions: dict[str, set[str]] = {}
    for name, version in (requirement.split("==") for requirement in locked("requirements.lock")):
        versions.setdefault(name, set()).add(version)
    pinned = [requirement.split("==") for requirement in locked("benchmarks/requirements.lock")]
    assert [name for name, version in pinned if version not in versions.get(name, {version})] == []
    assert {name for name, _ in pinned} >= {"keras", "kornia", "openvino", "torch", "onnxruntime"}
    assert "://" not in (ROOT / "benchmarks" / "requirements.lock").read_text("utf-8")
