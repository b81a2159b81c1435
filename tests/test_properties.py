"""What holds for any input: distortions, splits, records.  Tiles: tests/inference/test_recover.py."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.corpus import RECORD, RESULT

from qrlib.data.splits import PARTS, stratified
from qrlib.distortions import (
    Distortion,
    blur_matrix,
    distort_for_evaluation,
    gaussian_blur,
    gaussian_kernel,
    gaussian_noise,
    kernel_size,
)
from qrlib.records import store

few = settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
sides = st.integers(1, 24)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def images(count, height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, height, width, generator=generator)


@few
@example(1, 10, 10, 0.0, 0)
@given(st.integers(1, 3), sides, sides, st.floats(0, 300), st.integers(0, 2**31 - 1))
def test_noise_keeps_shape_range_and_follows_its_seed(count, height, width, sigma, seed):
    clean = images(count, height, width, seed)
    before = clean.clone()
    noisy, again = (
        gaussian_noise(clean, sigma, generator=torch.Generator().manual_seed(seed))
        for _ in range(2)
    )
    assert noisy.shape == clean.shape
    assert noisy.dtype == clean.dtype
    assert 0 <= noisy.min() <= noisy.max() <= 1
    assert torch.equal(noisy, again)
    assert torch.equal(clean, before)
    if sigma == 0:
        assert torch.equal(noisy, clean)


@few
@given(st.integers(8, 40), st.integers(8, 40), st.floats(0.1, 3.5), st.integers(0, 99))
def test_blur_is_a_mean_that_mirrors(height, width, sigma, seed):
    clean = images(1, height, width, seed)
    before = clean.clone()
    blurred = gaussian_blur(clean, sigma)
    assert torch.equal(clean, before)
    assert blurred.shape == clean.shape
    assert clean.min() - 1e-6 <= blurred.min() <= blurred.max() <= clean.max() + 1e-6
    flat = torch.full_like(clean, 0.37)
    torch.testing.assert_close(gaussian_blur(flat, sigma), flat, atol=1e-6, rtol=0)
    for axis in (2, 3):
        turned = gaussian_blur(clean.flip(axis), sigma).flip(axis)
        torch.testing.assert_close(turned, blurred, atol=1e-6, rtol=0)
    swapped = gaussian_blur(clean.transpose(2, 3), sigma).transpose(2, 3)
    torch.testing.assert_close(swapped, blurred, atol=1e-6, rtol=0)


@few
@given(st.floats(0.05, 20))
def test_kernels_are_odd_symmetric_and_sum_to_one(sigma):
    kernel = gaussian_kernel(sigma)
    assert len(kernel) == kernel_size(sigma)
    assert len(kernel) % 2 == 1
    assert math.isclose(kernel.sum(), 1)
    np.testing.assert_allclose(kernel, kernel[::-1])
    side = len(kernel)
    rows = blur_matrix(side, sigma).sum(1)
    torch.testing.assert_close(rows, torch.ones(side), atol=1e-6, rtol=0)


@few
@given(
    st.lists(names, min_size=1, max_size=6, unique=True),
    st.sampled_from([Distortion("noise", 3, 60.0), Distortion("blur", 1, 0.6)]),
    st.randoms(use_true_random=False),
    st.integers(1, 3),
)
def test_evaluation_distorts_an_image_by_its_name_alone(ids, distortion, chance, threads):
    clean = images(len(ids), 9, 7, 0)
    whole = distort_for_evaluation(clean, ids, distortion)
    order = list(range(len(ids)))
    chance.shuffle(order)
    order = order[: chance.randint(1, len(order))]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        some = distort_for_evaluation(clean[order], [ids[i] for i in order], distortion)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(some, whole[order], atol=1e-6, rtol=0)


@few
@given(
    st.dictionaries(names, st.integers(3, 40), min_size=1, max_size=5),
    st.integers(-(2**40), 2**40),
    st.randoms(use_true_random=False),
)
def test_splits_are_complete_stratified_and_know_no_order(classes, seed, chance):
    ids = [f"{name}/{i}" for name, count in classes.items() for i in range(count)]
    labels = [name for name, count in classes.items() for _ in range(count)]
    parts = stratified(ids, labels, seed)
    assert sorted(i for part in PARTS for i in parts[part]) == list(range(len(ids)))
    for name, count in classes.items():
        sizes = {part: sum(labels[i] == name for i in parts[part]) for part in PARTS}
        assert min(sizes.values()) >= 1
        assert abs(sizes["test"] - Fraction(count, 5)) <= 1
        assert abs(sizes["validation"] - Fraction(count - sizes["test"], 5)) <= 1
    order = list(range(len(ids)))
    chance.shuffle(order)
    mixed = stratified([ids[i] for i in order], [labels[i] for i in order], seed)
    for part in PARTS:
        assert {order[i] for i in mixed[part]} == set(parts[part])


results = st.fixed_dictionaries(
    {
        "dataset": names,
        "restorer": names,
        "classifier": names,
        "distortion": st.sampled_from(["clean", "noise", "blur"]),
        "level": st.integers(0, 2**53),
        "strength": st.floats(0, 1e300),
        "seed": st.integers(-(2**63), 2**63),
        "metric": st.sampled_from(["accuracy", "psnr", "ssim"]),
        "value": st.floats(allow_nan=False, allow_infinity=False),
        "n": st.integers(1, 2**53),
    }
)
run_names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,20}", fullmatch=True)
configs = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(-1e300, 1e300) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@few
@given(
    run_names, run_names, st.lists(results, max_size=3), st.dictionaries(names, configs, max_size=3)
)
def test_records_come_back_as_they_were(name, profile, rows, config):
    record = {**RECORD, "name": name, "profile": profile, "results": rows, "config": config}
    path = store.write(record)
    assert path.name == f"{name}.json"
    read = store.read_record(profile, name)
    assert read == record
    assert repr(read) == repr(record)  # -0.0 and 1 against 1.0 too
    path.unlink()


@few
@given(st.sampled_from(sorted(RESULT)), configs)
def test_a_result_is_either_refused_or_comes_back(key, value):
    from qrlib.utils.errors import QrlibError

    record = {**RECORD, "results": [{**RESULT, key: value}]}
    try:
        store.write(record)
    except QrlibError:
        return
    assert store.read_record("smoke", "x") == record


# --- the same for good -------------------------------------------------------------------------
# On every platform and Python, so that numbers of years ago stand beside new ones.


def digest(text):
    return hashlib.sha256(text).hexdigest()[:16]


def test_splits_are_the_same_for_good():
    counts = {"ant": 33, "bée": 47, "Zebra": 58}
    ids = [f"{name}/image_{i:04d}.jpg" for name, count in counts.items() for i in range(count)]
    found = {}
    for seed in (0, 1, 7):
        parts = stratified(ids, [i.split("/")[0] for i in ids], seed)
        lines = [f"{part} {ids[i]}" for part in PARTS for i in parts[part]]
        found[seed] = digest("\n".join(lines).encode())
    assert found == {0: "589fe9cbbfa94924", 1: "c1e359353a2c15ff", 7: "360ec3aa3c4787d6"}


def test_evaluation_distortions_are_the_same_for_good():
    """In steps of 1/255, none of them near where it would be rounded to another."""
    rows = np.arange(3 * 12 * 10).reshape(1, 3, 12, 10)
    clean = torch.from_numpy((rows * 37 % 251 / 250).astype(np.float32))
    cases = [Distortion("noise", i, 20.0 * i) for i in range(1, 6)]
    cases += [Distortion("blur", 1, 2.0), Distortion("blur", 2, 3.0)]
    found = {}
    for case in cases:
        values = distort_for_evaluation(clean, ["ant/image_0001.jpg"], case).double().numpy() * 255
        inside = values[(values > 0) & (values < 255)]
        assert np.abs(inside - np.floor(inside) - 0.5).min() > 1e-4
        found[f"{case.kind} {case.level}"] = digest(np.round(values).astype("<i2").tobytes())
    assert found == {
        "noise 1": "8347282c86da7c94",
        "noise 2": "1ded42095a1ce764",
        "noise 3": "9266f907917e1fc1",
        "noise 4": "b1f28905f78478d8",
        "noise 5": "feb922ba9a786780",
        "blur 1": "572c1a37be86ea80",
        "blur 2": "17fd3c18eafb1529",
    }
