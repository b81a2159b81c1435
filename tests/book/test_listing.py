"""Lines of code in pages are those that run."""

import inspect

import pytest

from qrlib import losses
from qrlib.book import listing
from qrlib.utils.errors import QrlibError


def example(x):
    """Documented."""
    if x:
        y = 2 * x
        z = y + 1  # a comment
        return y, z
    return x, x


def test_lines_are_cut_out_with_their_numbers():
    code, start = listing.excerpt(example, "y = 2", "z =")
    assert code == "y = 2 * x\nz = y + 1  # a comment"
    assert start == inspect.getsourcelines(example)[1] + 3
    assert listing.excerpt(example, "return y")[0] == "return y, z"
    assert listing.excerpt(example)[0] == inspect.getsource(example).rstrip()


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("w =", "", "0 lines of example begin with 'w ='"),
        ("return", "", "2 lines of example begin with 'return'"),
        ("z =", "y =", "'y =' comes before 'z ='"),
    ],
)
def test_lines_that_are_no_longer_there_are_refused(first, last, message):
    with pytest.raises(QrlibError, match=message):
        listing.excerpt(example, first, last)


def test_a_listing_leads_to_the_reference():
    shown = listing.show(losses.quality_loss, "return", of="Equations 1 and 2.", page="losses")
    number = (
        inspect.getsource(losses)
        .splitlines()
        .index("    return F.l1_loss(restored.float(), target.float())")
    )
    assert f"qrlib/losses.py, line {number + 1}" in shown.html
    assert 'href="../api/losses.html#qrlib.losses.quality_loss"' in shown.html
    assert "<strong>Equations 1 and 2.</strong>" in shown.html
    assert "F.l1_loss(restored.float(), target.float())" in shown.markdown
