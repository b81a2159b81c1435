"""Which test image shows what a restorer is for."""

import pytest

from qrlib.report import sample_answers

CASES = [("clean", 0), ("noise", 1), ("noise", 3), ("blur", 1), ("blur", 3)]


def entry(rows):
    """A record's samples whose answers are right (1) or wrong (0) as said, one row an image."""
    return {
        "labels": ["a"] * len(rows),
        "cases": [{"distortion": kind, "level": level} for kind, level in CASES],
        "answers": [[{"answer": "a" if right == "1" else "b"} for right in row] for row in rows],
    }


@pytest.mark.parametrize(
    ("plain", "restored", "expected"),
    [
        # Won back: the second image under noise; what is wrong when clean does not count.
        (["00000", "11011"], ["01111", "11111"], (1, "noise", 3)),
        (["11111", "10101"], ["11111", "10010"], (1, "blur", 1)),
        # Rather at the middle level than at another one.
        (["11111", "10110"], ["11111", "11111"], (1, "blur", 3)),
        # Nothing won back: an image that is known; no such: the first.
        (["01111", "10000"], ["01111", "10000"], (1, "noise", 3)),
        (["00000", "00000"], ["11111", "11111"], (0, "noise", 3)),
    ],
)
def test_the_first_example_is_one_that_teaches(plain, restored, expected):
    image, case = sample_answers.first_example(entry(plain), entry(restored), level=3)
    assert (image, *CASES[case]) == expected
