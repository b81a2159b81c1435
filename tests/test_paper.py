"""The printed numbers: as many as the tables have, right where spot-checked, and consistent."""

import pytest

from qrlib import paper
from qrlib.utils.errors import QrlibError

#: Tables 2 and 4, typed a second time: noise, blur and average of Caltech101, then of Caltech256.
TYPED_AGAIN = {
    2: """.642 .828 .819 .832  .259 .684 .571 .705  .450 .756 .694 .768
          .346 .496 .473 .521  .098 .328 .242 .346  .222 .412 .357 .434""",
    4: """.642 .831 .842 .861  .259 .741 .745 .807  .450 .786 .793 .834
          .346 .545 .533 .582  .098 .402 .414 .497  .222 .474 .473 .539""",
}


@pytest.mark.parametrize("table", [2, 4])
def test_every_printed_accuracy(table):
    frame = paper.frame(table)
    assert list(frame["value"]) == [float(text) for text in TYPED_AGAIN[table].split()]
    kinds = [kind for kind in ("noise", "blur", "average") for _ in range(4)]
    assert list(frame["distortion"]) == kinds * 2
    assert list(frame["dataset"]) == ["caltech101"] * 12 + ["caltech256"] * 12
    assert (
        paper.printed(table, "Caltech256", "average", frame["method"].iloc[-1])
        == (frame["value"].iloc[-1])
    )


def test_printed_quality():
    values = [
        paper.printed(5, "caltech101", distortion, method, metric)
        for metric in ("psnr", "ssim")
        for distortion in ("noise", "blur")
        for method in ("none", "qrnet")
    ]
    assert values == [15.29, 23.30, 19.77, 20.85, 0.330, 0.823, 0.656, 0.700]


def test_one_printed_average_of_seventeen_is_off():
    apart = {}
    for table in (2, 3, 4):
        for cell in paper.frame(table).query("distortion == 'average'").to_dict("records"):
            where, method = cell["dataset"], cell["method"]
            noise, blur = (paper.printed(table, where, d, method) for d in ("noise", "blur"))
            apart[table, where, method] = abs((noise + blur) / 2 - cell["value"])
    assert len(apart) == 17
    # A half may be rounded either way: 0.4505 is printed as 0.450 and 0.4335 as 0.434.
    off = {key: distance for key, distance in apart.items() if distance > 0.0005 + 1e-9}
    assert off == {(2, "caltech101", "recnet-multiple"): pytest.approx(0.001)}


def test_frame_maps_to_our_names():
    qrnet = paper.frame(2).query("method == 'qrnet'")
    assert list(qrnet["column"].unique()) == ["QRNet + VGG16"]
    assert "Caltech256 / Gaussian Blur" in set(qrnet["row"])
    restorers = {}
    for table in (2, 4):
        restorers |= paper.frame(table).groupby("method")["restorer"].unique().map(list).to_dict()
    assert restorers == {
        "none": ["none"],
        "recnet-single": ["recnet-noise", "recnet-blur", "recnet-noise+recnet-blur"],
        "recnet-multiple": ["recnet-multiple"],
        "qrnet": ["qrnet-multiple"],
        "finetuned-single": ["finetuned-noise", "finetuned-blur", "finetuned-noise+finetuned-blur"],
        "finetuned-multiple": ["finetuned-multiple"],
        "end-to-end": ["end_to_end-multiple"],
    }
    assert set(paper.METHODS["mqrnet"].values()) == {"mqrnet-multiple"}


def test_find_looks_through_all_tables():
    for table in (2, 3, 4, 5):
        for cell in paper.frame(table).to_dict("records"):
            keys = [cell[key] for key in ("dataset", "distortion", "method", "metric")]
            assert paper.find(*keys) == cell["value"]
    assert paper.find("caltech256", "noise", "qrnet", "psnr") is None
    assert paper.find("caltech101", "noise", "mqrnet") is None


def test_settings_and_timings():
    sigmas, kernels = paper.setting("blur sigma"), paper.setting("blur kernel")
    assert sigmas == (2, 4, 6, 8, 10)
    assert kernels == tuple(4 * sigma - 1 for sigma in sigmas)
    assert paper.setting("noise sigma") == (20, 40, 60, 80, 100)
    assert paper.setting("lambda") in paper.setting("lambda tried")
    names = ("learning rate", "dropout", "batch size", "epochs at most", "early stopping patience")
    assert [paper.setting(name) for name in names] == [1e-3, 0.2, 32, 200, 5]
    assert [fact.value for fact in paper.TIMINGS] == [167, 8.29, 5.51, "GeForce GTX TITAN X"]
    assert all(fact.where.startswith("Section") for fact in paper.SETTINGS)


def test_what_is_not_printed_is_refused():
    with pytest.raises(QrlibError, match=r"Table 2 .* no number for Caltech101, noise, mqrnet"):
        paper.printed(2, "caltech101", "noise", "mqrnet")
    with pytest.raises(QrlibError, match="no table 6"):
        paper.frame(6)
    with pytest.raises(QrlibError, match=r"no setting 'image size'.*learning rate"):
        paper.setting("image size")
