"""Benchmarks: turns, reasons of those left out, times, tables, goals; the work, counted.

No time is tested: machines differ.  What each contestant computes is.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import contest, groups, running, work
from benchmarks.contest import Absent, Contest, Contestant, Ready
from benchmarks.contestants import batch, distort_opencv, distort_ours, infer, training_ours
from benchmarks.contestants.stopwatch import Epochs, Stopwatch
from benchmarks.settings import GROUPS, default
from qrlib import models, speed, speed_goals, speed_tables
from qrlib.utils.errors import QrlibError

ROOT = Path(__file__).resolve().parents[2]
TINY = default(
    "cpu",
    threads=1,
    size=32,
    batch=2,
    images=4,
    validation=2,
    classifier="small_vgg",
    distort=(2, 48),
)


# --- settings -------------------------------------------------------------------------------------


def test_a_gpu_gets_the_papers_setting() -> None:
    settings = default("cuda")
    assert (settings.size, settings.batch, settings.corpus) == (224, 32, "caltech101")
    assert settings.images is None
    assert not settings.small
    assert default("cpu").small


def test_distortions_are_the_ten_of_the_paper() -> None:
    cases = default("cuda").distortions
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


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[running.Outcome], list[str]]:
    """A contest of contestants that are defined in a module of their own."""
    folder = tmp_path_factory.mktemp("contest")
    log = folder / "log"
    (folder / "drill.py").write_text(
        "import os, time\n"
        "from benchmarks.contest import Absent, Ready\n"
        "def _ready(name, **more):\n"
        "    def run():\n"
        f"        open({str(log)!r}, 'a').write(name + '\\n')\n"
        "        return bytearray(60_000_000) and {'epoch': 2.0, 'step': 0.5}\n"
        "    return Ready(run, **more)\n"
        "def first(settings): return _ready('first')\n"
        "def timed(settings): return _ready('timed', timed=True, note='noted', difference=0.5)\n"
        "def absent(settings): raise Absent('it is not for this machine')\n"
        "def broken(settings): raise ValueError('out of\\norder')\n"
        "def dies(settings): return Ready(lambda: os._exit(3))\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        package = "benchmarks.contestants"
        sys.modules[package].__path__.append(str(folder))
        patch.setattr(running, "PRELOAD", [])
        # `__path__` is this process's alone, so contestants are forked from it.
        patch.setattr(
            running, "_context", lambda alone: running.multiprocessing.get_context("fork")
        )
        names = ("first", "timed", "absent", "broken", "dies")
        everyone = tuple(Contestant(name, f"drill:{name}") for name in names)
        lacking = Contestant("lacking", "drill:first", needs=("no_such_library",))
        found = running.hold(Contest("step", "drill", (*everyone, lacking), rounds=2), TINY)
        sys.modules[package].__path__.remove(str(folder))
    return found, log.read_text().split()


def test_contestants_take_turns_after_warming_up(held) -> None:
    turns = [(name, len(list(runs))) for name, runs in itertools.groupby(held[1])]
    assert [name for name, _ in turns] == ["first", "timed"] * 3
    assert [count for name, count in turns if name == "timed"] == [1, 1, 1]


class Talk:
    """The worker's end of a pipe, with what it is asked."""

    def __init__(self, *asked):
        self.asked, self.sent = list(asked), []

    def recv(self):
        return self.asked.pop(0)

    def send(self, answer):
        self.sent.append(answer)


@pytest.mark.parametrize(
    ("took", "expected"),
    [
        ([1.0, 0.1, 0.1, 0.3], 0.1),  # the first does not count; then until 0.25 s have passed
        ([3.0, 2.0], 2.0),
        ([9.0], 9.0),  # long work is not done twice
    ],
)
def test_the_first_run_of_a_turn_does_not_count(monkeypatch, took, expected) -> None:
    ends = itertools.accumulate([0.0, 1.0, *(x for one in [7.0, *took] for x in (1.0, one))])
    monkeypatch.setattr("time.perf_counter", lambda: next(ends))
    monkeypatch.setattr(running, "prepare", lambda *_: Ready(lambda: None))
    talk = Talk("warm up", "run", "end")
    running._contest(talk, Contestant("one", "x:y"), TINY)
    assert [seconds for kind, seconds in talk.sent if kind == "times"] == [
        {"": pytest.approx(7.0)}, {"": pytest.approx(expected)}
    ]  # fmt: skip
    assert next(ends, None) is None  # nothing more was run


def test_times_are_one_a_round_and_the_warm_up_is_apart(held) -> None:
    first, timed = held[0][:2]
    assert len(first.times[""]) == 2
    assert all(0 < seconds < 60 for seconds in first.times[""])
    assert first.first > 0
    assert timed.times == {"epoch": [2.0, 2.0], "step": [0.5, 0.5]}
    assert (timed.note, timed.difference, timed.first) == ("noted", 0.5, 2.0)


def test_nobody_is_left_out_without_a_reason(held) -> None:
    reasons = {one.contestant: one.skipped or one.failed for one in held[0]}
    assert reasons["absent"] == "it is not for this machine"
    assert reasons["broken"] == "ValueError: out of"
    assert reasons["dies"] == "its process ended with status 3"
    assert reasons["lacking"] == "no_such_library is not installed"
    assert reasons["first"] == reasons["timed"] == ""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's count of memory")
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


def test_what_a_library_lacks_is_said() -> None:
    with pytest.raises(Absent, match="no_such_library is not installed"):
        contest.prepare(Contestant("x", "infer:eager", needs=("no_such_library",)), TINY)


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


def test_our_training_is_the_real_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two epochs through `fit`, each with its steps; weights change."""
    monkeypatch.setenv("QRLIB_CACHE", str(tmp_path))
    made = []
    build = training_ours._task
    monkeypatch.setattr(
        training_ours, "_task", lambda *a, **k: made.append(build(*a, **k)) or made[0]
    )
    ready = training_ours.epoch(TINY)
    assert ready.work == {"images": 4, "validation": 2}
    before = copy.deepcopy(made[0].restorer.state_dict())
    first = ready.run()
    assert 0 < first["step"] < first["epoch"]
    after = made[0].restorer.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert made[0].trainer.current_epoch == 1
    assert made[0].choices.keys() == {"noise", "blur"}


# --- same work --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ours", [distort_ours, distort_opencv])
def test_blurs_are_held_against_the_definition(ours: types.ModuleType) -> None:
    ready = ours.blur(TINY, sigma=3.0)
    assert ready.difference < 1e-5
    images = batch.images(TINY)
    assert images.shape == (2, 3, 48, 48)
    assert batch.difference(images, images, 3.0) > 0.01  # an image that is not blurred differs


def test_onnx_restores_what_pytorch_does() -> None:
    pytest.importorskip("onnxruntime")
    for size in (1, 3):
        assert infer.onnxruntime(TINY, classify=False, batch=size).difference < 1e-5
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


def contestant(name: str, times: dict[str, list[float]], **more: object) -> dict:
    plain = {"name": name, "amount": None, "rate": False, "times": times, "first": 1.0}
    plain |= {"prepared": 1.0, "memory": 1e9, "helpers": 0, "gpu": 0, "work": {}, "note": ""}
    return plain | {"difference": None, "skipped": "", "failed": ""} | more


@pytest.fixture
def result() -> dict:
    """A result whose numbers can be checked by head."""
    training = [
        contestant(
            "ours", {"epoch": [10.0] * 3, "step": [1.0] * 3}, work={"images": 64, "validation": 16}
        ),
        contestant("plain PyTorch", {"epoch": [30.0] * 3, "step": [3.0, 2.5, 9.0]}),
        contestant("Keras 3", {}, skipped="keras is not installed"),
        contestant("matrix product", {"": [2.0] * 3}, rate=True, work={"flop": 200e9}),
        contestant("copy in memory", {"": [1.0] * 3}, rate=True, work={"bytes": 1e10}),
    ]
    sizes = [
        contestant(f"{n}", {"": [2.0 * n, 2.0 * n]}, amount=n, memory=1e9 + 1e7 * n)
        for n in (3, 24)
    ]
    seams = [contestant("ours", {"": [1.0]}), contestant("whole", {"": [1.0]}, difference=2e-6)]
    return {
        "schema": 1,
        "machine": {"kind": "test", "device": "Test, 2 threads", "processor": "Test", "threads": 2,
                    "bfloat16": False},
        "versions": {"torch": "2"},
        "code": {"git_commit": "a" * 40, "git_dirty": False},
        "settings": {**default("cpu", threads=2).as_json(), "distort": [32, 224], "photo": [3, 24]},
        "load": {"before": [0.1, 0.1, 0.1], "after": []},
        "seconds": 100.0,
        "work": {"flop_per_training_image": 10e9, "flop_per_step": 50e9, "bytes_per_step": 2e9,
                 "flop_per_validation_image": 5e9, "bytes_per_validation_image": 1e8},
        "contests": [
            {"group": "step", "case": "training", "contestants": training},
            {"group": "photo", "case": "megapixels, from file to file", "contestants": sizes},
            {"group": "photo", "case": "photo of 1.5 megapixels", "contestants": seams},
        ],
    }  # fmt: skip


def test_results_are_checked_when_written_and_read(result: dict, tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    speed.write(result, path)
    assert speed.read(path) == json.loads(path.read_text())
    result["contests"][0]["contestants"][0]["times"]["epoch"].append(-1.0)
    with pytest.raises(QrlibError, match="contests/0/contestants/0/times/epoch/3"):
        speed.write(result, path)


def test_ratios_are_medians_of_rounds(result: dict) -> None:
    found = speed.frame(result)
    plain = found[found["contestant"] == "plain PyTorch"].set_index("what")
    assert plain.loc["step", "ratio"] == 3.0
    assert (plain.loc["step", "low"], plain.loc["step", "high"]) == (2.75, 6.0)
    assert found[found["rate"]]["ratio"].isna().all()


def test_tables_begin_with_ratios_and_name_who_is_left_out(result: dict) -> None:
    tables = dict(speed_tables.tables(result, "step"))
    assert list(tables) == ["training: an epoch", "training: a step"]
    text = tables["training: a step"].markdown.replace("\N{NO-BREAK SPACE}", " ")
    assert text.startswith("| times ours |")
    assert "| 3.00 | plain PyTorch | 3.00 s | 2.75 to 6.00 s |" in text
    assert "Left out: Keras 3 (keras is not installed)." in text
    assert "matrix product" not in text
    grown = dict(speed_tables.tables(result, "photo"))["megapixels, from file to file"].markdown
    grown = grown.replace("\N{NO-BREAK SPACE}", " ")
    assert "power 1.00" in grown
    assert "| 24 | 8.00 | 48.0 s | 48.0 to 48.0 s | 2.00 s | 1.24 GB |" in grown


def test_the_floor_is_work_over_rates(result: dict) -> None:
    """100 GFLOP/s and 10 GB/s; an epoch is 4 steps of 50 GFLOP and 16 images of 5."""
    floors = speed_tables.floors(result)
    assert floors["step"]["compute"] == 0.5
    assert floors["step"]["traffic"] == 0.2
    assert floors["epoch"]["compute"] == pytest.approx(2.8)
    text = speed_tables.floor(result).markdown.replace("\N{NO-BREAK SPACE}", " ")
    assert "| a step | 2.0 | 1.00 s | 500 ms | 200 ms |" in text
    assert "A step of plain PyTorch takes 6.0 times this floor" in text
    result["contests"][0]["contestants"][0]["note"] = "bf16-mixed"
    assert speed_tables.floors(result)["step"]["traffic"] == 0.1


def test_goals_fall_either_way(result: dict) -> None:
    verdicts = {goal.what: goal.verdict for goal in speed_goals.goals(result)}
    assert list(verdicts.values()) == [
        "reached", "not measured", "not measured", "not measured", "reached", "reached", "reached"
    ]  # fmt: skip
    result["contests"][1]["contestants"][1]["memory"] = 1.6e9
    result["contests"][1]["contestants"][1]["times"][""] = [100.0, 100.0]
    result["contests"][2]["contestants"][1]["difference"] = 2e-3
    result["contests"][0]["contestants"][1]["times"]["step"] = [1.5] * 3
    verdicts = {goal.what: goal.verdict for goal in speed_goals.goals(result)}
    assert list(verdicts.values()).count("missed") == 4


def test_a_gpu_has_goals_of_its_own(result: dict) -> None:
    result["settings"] |= {"device": "cuda", "size": 224, "batch": 32, "corpus": "caltech101"}
    result["settings"]["images"] = None
    goals = list(speed_goals.goals(result))
    assert [goal.verdict for goal in goals] == ["missed", "missed", "missed"]
    result["contests"][0]["contestants"][0]["times"]["epoch"] = [3.0] * 3
    assert {goal.verdict for goal in speed_goals.goals(result)} == {"reached"}
    result["settings"]["images"] = 64  # not the whole data set
    assert next(speed_goals.goals(result)).verdict == "not measured"


def test_each_machine_has_a_column_of_goals(result: dict) -> None:
    other = copy.deepcopy(result)
    other["machine"]["device"] = "A GPU"
    other["settings"]["device"] = "cuda"
    lines = speed_goals.table([result, other]).markdown.splitlines()
    assert lines[0] == "| goal | Test, 2 threads | A GPU |"
    ours, gpu = (
        next(x for x in lines if x.startswith(f"| {of}")) for of in ("a training", "an epoch of")
    )
    assert ours.endswith("reached |  |")
    assert gpu.split("|")[2:4] == ["  ", " not measured "]


def test_everything_prints(result: dict, capsys: pytest.CaptureFixture[str]) -> None:
    command.show(result, ["step", "photo"])
    text = capsys.readouterr().out
    assert text.index("Test, 2 threads") < text.index("## Training") < text.index("## Goals")
    assert "left out: step, training: Keras 3: keras is not installed" in text


def test_columns_line_up() -> None:
    text = command.aligned("| a |  | b |\n| --- | --- | --- |\n|  | long | c |\n\nbelow\n")
    assert text == "| a |      | b |\n| - | ---- | - |\n|   | long | c |\n\nbelow\n"


def test_committed_results_hold_to_the_schema_and_name_no_path() -> None:
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        found = speed.read(path)
        assert path.stem == found["machine"]["kind"]
        assert {c["group"] for c in found["contests"]} == set(GROUPS)
        assert "/" not in "".join(reason for *_, reason in speed.left_out(found))


def test_qrnet_has_the_layers_that_keras_is_given() -> None:
    """The Keras twin is written by hand: its widths are those of Table 1."""
    pytest.importorskip("keras")
    from benchmarks.contestants import training_keras

    assert training_keras.CHANNELS == models.CHANNELS
    keras = training_keras.open_keras(TINY)
    assert training_keras.qrnet(keras, 32).count_params() == 1_941_139


def test_units_are_readable() -> None:
    assert speed_tables.seconds(0.0000123) == "12.3 µs"
    assert speed_tables.size(float("nan")) == ""
    assert math.isnan(speed.exponent([1, 1], [2.0, 3.0]))


# --- the environment --------------------------------------------------------------------------------


def locked(path: Path) -> dict[str, str]:
    """Requirement with its marker -> its line of hashes, of a lock file."""
    text = path.read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line[:1].isalnum()]
    return {line.split("--hash")[0].strip(): line for line in lines}


def test_the_lock_has_hashes_no_address_and_the_projects_own_versions() -> None:
    ours, theirs = (
        locked(ROOT / path) for path in ("requirements.lock", "benchmarks/requirements.lock")
    )
    assert all("--hash=sha256:" in line for line in theirs.values())
    assert "://" not in (ROOT / "benchmarks" / "requirements.lock").read_text("utf-8")
    versions = {}
    for requirement in ours:
        name, version = requirement.split(";")[0].strip().split("==")
        versions.setdefault(name, set()).add(version)
    for requirement in theirs:
        name, version = requirement.split(";")[0].strip().split("==")
        assert version in versions.get(name, {version}), requirement
    named = {requirement.split("==")[0] for requirement in theirs}
    assert named >= {"keras", "kornia", "openvino", "imagecorruptions", "torch", "onnxruntime"}
