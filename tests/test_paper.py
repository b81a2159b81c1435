"""The printed numbers: as many as the tables have, right where spot-checked, and consistent."""

import dataclasses

import pytest

from qrlib import paper
from qrlib.utils.errors import QrlibError


def test_table1_has_the_34_layers_that_the_text_counts():
    assert len(paper.TABLE1) == 34 == paper.setting("layers of QRNet")
    kinds = [row.layer for row in paper.TABLE1]
    assert kinds.count("Conv.") == 2 * 4 + 2 + 2 * 4 + 1
    assert kinds.count("Maxpool.") == kinds.count("Transposed Conv.") == kinds.count("Concat.") == 4
    assert kinds.count("Dropout") == 2
    assert kinds[-1] == "Sigmoid."
    ups = [row for row in paper.TABLE1 if row.layer == "Transposed Conv."]
    assert [row.channels for row in ups] == ["128", "64", "32", "16"]
    assert {(row.filter, row.stride) for row in ups} == {("2×2", "2")}
    # The dropout layers stand between the two convolutions of the first two decoder blocks.
    places = [i for i, kind in enumerate(kinds) if kind == "Dropout"]
    around = [(paper.TABLE1[i - 1].channels, paper.TABLE1[i + 1].channels) for i in places]
    assert around == [("128", "128"), ("64", "64")]
    assert dataclasses.astuple(paper.TABLE1[-2]) == ("Conv.", "3", "1×1", "-")


def test_table1_makes_the_1941139_parameters():
    total, channels, skips = 0, 3, []
    for row, after in zip(paper.TABLE1, (*paper.TABLE1[1:], None), strict=True):
        if row.layer in ("Conv.", "Transposed Conv."):
            size = int(row.filter[0])
            total += size * size * channels * int(row.channels) + int(row.channels)
            channels = int(row.channels)
            if after.layer == "Maxpool.":
                skips.append(channels)
        elif row.layer == "Concat.":
            channels += skips.pop()
    assert total == 1_941_139


def test_number_of_printed_cells():
    tables = (paper.TABLE2, paper.TABLE3, paper.TABLE4, paper.TABLE5)
    assert [len(table) for table in tables] == [24, 3, 24, 8]
    for table in tables:
        keys = {(c.dataset, c.distortion, c.method, c.metric) for c in table}
        assert len(keys) == len(table)
        assert len({(c.row, c.column) for c in table}) == len(table)


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


def test_printed_numbers_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        paper.TABLE2[0].value = 1.0
