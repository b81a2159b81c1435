"""Tables of results whose every number was worked out by hand."""

import math
import subprocess
import sys

import pandas as pd
import pytest

from qrlib import reference, tables
from qrlib.errors import QrlibError

SIGMA = {"noise": 20.0, "blur": 2.0}


def record(restorer, seed, clean=None, noise=None, blur=None, **other):
    """Rows of one run: clean accuracy, and five levels around a mean of noise and of blur."""
    keys = {"restorer": restorer, "seed": seed, "record": f"{restorer}-{seed}.json"}
    rows = [] if clean is None else [keys | {"distortion": "clean", "level": 0, "value": clean}]
    for distortion, mean in (("noise", noise), ("blur", blur)):
        if mean is not None:
            for level in tables.LEVELS:  # the mean of 0.1 0.05 0 -0.05 -0.1 is 0
                value = mean + 0.05 * (3 - level)
                rows.append(keys | {"distortion": distortion, "level": level, "value": value})
    frame = pd.DataFrame(rows)
    steps = [SIGMA.get(d, 0.0) * level for d, level in zip(frame.distortion, frame.level)]  # noqa: B905
    frame = frame.assign(profile="quick", dataset="caltech101", classifier="vgg16", n=400)
    return frame.assign(metric="accuracy", strength=steps, **other)


def results(**other):
    """Two seeds of each restorer, one of none."""
    runs = [
        record("none", 0, 0.9, 0.6, 0.3, **other),
        record("recnet-noise", 0, 0.88, noise=0.80, **other),
        record("recnet-noise", 1, 0.86, noise=0.82, **other),
        record("recnet-blur", 0, 0.88, blur=0.60, **other),
        record("recnet-blur", 1, 0.88, blur=0.66, **other),
        record("recnet-multiple", 0, 0.87, 0.78, 0.50, **other),
        record("recnet-multiple", 1, 0.87, 0.78, 0.52, **other),
        record("qrnet-multiple", 0, 0.89, 0.80, 0.70, **other),
        record("qrnet-multiple", 1, 0.91, 0.84, 0.72, **other),
    ]
    return pd.concat(runs, ignore_index=True)


def cell(table, row, column):
    found = table[(table["row"] == row) & (table["column"] == column)]
    assert len(found) == 1
    return found.iloc[0]


def test_table2_cells_by_hand():
    table = tables.table2(results(), comparable=True)
    assert len(table) == 12
    noise = cell(table, "noise", "qrnet")
    assert noise["ours"] == pytest.approx(0.82)
    assert noise["spread"] == pytest.approx(0.04 / math.sqrt(2))  # sample deviation of two values
    assert (noise["seeds"], noise["n"], noise["paper"]) == (2, 400, 0.832)
    assert noise["difference"] == pytest.approx(0.82 - 0.832)
    assert noise["values"] == pytest.approx((0.80, 0.84))
    assert noise["records"] == ("qrnet-multiple-0.json", "qrnet-multiple-1.json")
    none = cell(table, "blur", "none")
    assert none["ours"] == pytest.approx(0.3)
    assert math.isnan(none["spread"])
    assert none["seeds"] == 1


def test_recnet_single_takes_the_network_of_the_distortion():
    table = tables.table2(results())
    assert cell(table, "noise", "recnet-single")["ours"] == pytest.approx(0.81)
    assert cell(table, "blur", "recnet-single")["ours"] == pytest.approx(0.63)
    both = cell(table, "average", "recnet-single")
    assert both["values"] == pytest.approx((0.70, 0.74))  # by seed, not over all
    assert both["spread"] == pytest.approx(0.04 / math.sqrt(2))
    assert len(both["records"]) == 4
    # Its network for noise may be measured on blur too; that belongs in no cell.
    extra = pd.concat([results(), record("recnet-noise", 0, blur=0.11)], ignore_index=True)
    assert cell(tables.table2(extra), "blur", "recnet-single")["ours"] == pytest.approx(0.63)


def test_average_takes_seeds_that_have_both():
    extra = pd.concat([results(), record("recnet-blur", 2, blur=0.9)], ignore_index=True)
    table = tables.table2(extra)
    assert cell(table, "blur", "recnet-single")["seeds"] == 3
    assert cell(table, "average", "recnet-single")["values"] == pytest.approx((0.70, 0.74))
    apart = results()
    apart.loc[apart["restorer"] == "recnet-blur", "seed"] += 10
    with pytest.raises(QrlibError, match=r"recnet-single has no seed .*noise: \[0, 1\]"):
        tables.table2(apart)


def test_differences_only_where_comparable():
    assert tables.table2(results())["difference"].isna().all()
    assert tables.table2(results(), comparable=True)["difference"].notna().all()
    photographs = results().assign(dataset="photographs")
    with pytest.raises(QrlibError, match=r"photographs are not comparable with .* Caltech101"):
        tables.table2(photographs, comparable=True)
    with pytest.raises(QrlibError, match=r"caltech101 are not comparable with .* Caltech256"):
        tables.table2(results(), comparable=True, paper_dataset="Caltech256")
    beside = tables.table2(photographs)
    assert set(beside["paper_dataset"]) == {"Caltech101"}
    assert cell(beside, "blur", "qrnet")["paper"] == 0.705


def test_paper_numbers_are_those_of_the_data_set():
    table = tables.table2(results().assign(dataset="caltech256"), comparable=True)
    assert cell(table, "average", "qrnet")["paper"] == 0.434
    table = tables.table2(results(), paper_dataset="Caltech256")
    assert cell(table, "noise", "none")["paper"] == 0.346


@pytest.mark.parametrize("name", ["profile", "dataset", "classifier"])
def test_mixed_results_are_refused_unless_one_is_chosen(name):
    worse = results()
    worse["value"] = worse["value"] - 0.1
    mixed = pd.concat([results(), worse.assign(**{name: "zzz"})], ignore_index=True)
    own = results()[name].iloc[0]
    with pytest.raises(QrlibError, match=rf"mix {name}s.*choose {name}= from {own}, zzz"):
        tables.table2(mixed)
    chosen = tables.table2(mixed, **{name: "zzz"})
    assert cell(chosen, "noise", "qrnet")["ours"] == pytest.approx(0.72)
    with pytest.raises(QrlibError, match=rf"no accuracy results with {name} 'nope'.*{own}, zzz"):
        tables.table2(mixed, **{name: "nope"})


def test_missing_restorers_are_named_with_the_way_out():
    some = results()
    some = some[~some["restorer"].isin(["recnet-blur", "qrnet-multiple"])]
    with pytest.raises(QrlibError) as caught:
        tables.table2(some)
    message = str(caught.value)
    assert "recnet-blur, qrnet-multiple" in message
    assert "recnet-noise" not in message
    assert "`python -m qrlib run quick`" in message
    assert "\n" not in message


def test_missing_levels_are_named():
    some = results()
    gone = (some["restorer"] == "qrnet-multiple") & (some["seed"] == 1) & some["level"].isin([2, 5])
    some = some[~(gone & (some["distortion"] == "blur"))]
    with pytest.raises(QrlibError, match=r"qrnet-multiple on blur, seed 1 lack level 2, 5"):
        tables.table2(some)
    no_value = results()
    first = (no_value["restorer"] == "none") & (no_value["level"] == 3)
    no_value.loc[first, "value"] = float("nan")
    with pytest.raises(QrlibError, match=r"none on noise, seed 0 lack level 3"):
        tables.table2(no_value)


def test_other_refusals():
    again = record("qrnet-multiple", 5, blur=0.5)
    twice = pd.concat([results(), again, again], ignore_index=True)
    with pytest.raises(QrlibError, match=r"on blur level 1, seed 5 .*more than once.*multiple-5"):
        tables.table2(twice)
    with pytest.raises(QrlibError, match=r"accuracy differ in n \(400, 99\)"):
        tables.table2(pd.concat([results(), record("other", 0, blur=0.5, n=99)]))
    other = record("other", 0, blur=0.5)
    other["strength"] += 1
    with pytest.raises(QrlibError, match=r"blur 1 differ in strength \(2.0, 3.0\)"):
        tables.table2(pd.concat([results(), other]))
    with pytest.raises(QrlibError, match=r"lack the column\(s\) level, n"):
        tables.table2(results().drop(columns=["level", "n"]))
    with pytest.raises(QrlibError, match=r"no accuracy results: .*python -m qrlib run PROFILE"):
        tables.table2(results().iloc[:0])


def test_other_metrics_do_not_enter():
    both = pd.concat([results(), results().assign(metric="psnr", value=30.0)], ignore_index=True)
    assert cell(tables.table2(both), "noise", "qrnet")["ours"] == pytest.approx(0.82)


def test_table3_and_table5():
    small = pd.concat([results(), record("small_qrnet-multiple", 0, noise=0.7, blur=0.5)])
    table = tables.table3(small, comparable=True)
    assert list(table["paper"]) == [0.828, 0.694, 0.761]
    assert list(table["ours"]) == pytest.approx([0.7, 0.5, 0.6])
    with pytest.raises(QrlibError, match="no accuracy results of small_qrnet-multiple"):
        tables.table3(results())
    parts = [
        results().assign(metric="psnr", value=lambda f: f["value"] * 30),
        results().assign(metric="ssim"),
    ]
    quality = tables.table5(pd.concat(parts), comparable=True)
    assert list(quality["paper"]) == [15.29, 23.30, 19.77, 20.85, 0.330, 0.823, 0.656, 0.700]
    ours = [18.0, 24.6, 9.0, 21.3, 0.6, 0.82, 0.3, 0.71]
    assert list(quality["ours"]) == pytest.approx(ours)
    assert "| PSNR, Gaussian noise | no restoration | 15.29 | 18.00 (1) | +2.71 |" in str(
        tables.render(quality)
    )


def test_levels_are_the_data_of_figure_4():
    found = tables.levels(results())
    # none, recnet-multiple and qrnet on both distortions, the two single networks on one each.
    assert len(found) == (3 * 2 + 2) * 6
    blur = found[(found["restorer"] == "qrnet-multiple") & (found["distortion"] == "blur")]
    assert list(blur["level"]) == [0, 1, 2, 3, 4, 5]
    assert list(blur["strength"]) == [0, 2, 4, 6, 8, 10]
    assert list(blur["ours"]) == pytest.approx([0.90, 0.81, 0.76, 0.71, 0.66, 0.61])
    assert blur["spread"].iloc[1] == pytest.approx(0.02 / math.sqrt(2))
    assert set(blur["seeds"]) == {2}
    no_clean = results()
    no_clean = no_clean[(no_clean["restorer"] != "recnet-blur") | (no_clean["level"] > 0)]
    with pytest.raises(QrlibError, match="recnet-blur on blur, seed 0 lack level 0"):
        tables.levels(no_clean)


def test_clean_accuracy():
    found = tables.clean_accuracy(results()).set_index("restorer")
    assert found.loc["recnet-noise", "ours"] == pytest.approx(0.87)
    assert found.loc["recnet-noise", "change"] == pytest.approx(-0.03)
    assert found.loc["none", "change"] == 0
    assert len(found) == 5


def test_loss_won_back():
    found = tables.loss_won_back(results()).set_index(["restorer", "distortion"])
    assert "none" not in found.index.get_level_values(0)
    # noise takes 0.9 to 0.6; QRNet brings 0.80 and 0.84: 2/3 and 0.8 of the way back
    assert found.loc[("qrnet-multiple", "noise"), "values"] == pytest.approx((2 / 3, 0.8))
    assert found.loc[("recnet-multiple", "blur"), "ours"] == pytest.approx(0.21 / 0.6)
    assert ("recnet-noise", "blur") not in found.index
    unhurt = results()
    unhurt.loc[(unhurt["restorer"] == "none") & (unhurt["level"] == 0), "value"] = 0.5
    shares = tables.loss_won_back(unhurt).set_index(["restorer", "distortion"])["ours"]
    assert math.isnan(shares[("qrnet-multiple", "noise")])
    assert not math.isnan(shares[("qrnet-multiple", "blur")])


def test_rendered_beside_each_other():
    text = tables.table2_styled(results(), comparable=True, label="ours (224 px)").markdown
    assert "| distortion | method | paper (Caltech101) | ours (224 px) | ours - paper |" in text
    assert "| Gaussian noise | QRNet | 0.832 | 0.820 ± 0.028 (2) | -0.012 |" in text
    assert "| Gaussian blur | no restoration | 0.259 | 0.300 (1) | +0.041 |" in text
    assert "400 test images" in text
    assert "not comparable" not in text


def test_rendered_when_not_comparable():
    shown = tables.table2_styled(
        results(dataset="photographs"), label="quick, 64 px", paper_label="paper (Caltech101, VGG)"
    )
    assert "| distortion | method | paper (Caltech101, VGG) | quick, 64 px |\n" in shown.markdown
    assert "| average | QRNet | 0.768 | 0.765 ± 0.021 (2) |\n" in shown.markdown
    assert "not comparable" in shown.markdown
    assert "ours - paper" not in shown.markdown + shown.html
    assert shown.html.count("<tr>") == 13
    assert '<th scope="col">quick, 64 px</th>' in shown.html
    assert shown._repr_html_() == shown.html
    table = tables.table2(results(dataset="photographs"))
    assert tables.render_markdown(table, label="quick, 64 px") == shown.markdown.replace(
        ", VGG", ""
    )


def test_text_is_escaped():
    shown = tables.grid(["a|b", "<b>"], [["1 | 2", "x & y"]], "a < b")
    assert shown.markdown.splitlines()[0] == r"| a\|b | <b> |"
    assert r"| 1 \| 2 | x & y |" in shown.markdown
    assert "&lt;b&gt;" in shown.html
    assert "x &amp; y" in shown.html
    assert "<caption>a &lt; b</caption>" in shown.html


def test_table1_beside_the_model():
    same = [row.__dict__ for row in reference.TABLE1]
    table = tables.table1(same)
    assert len(table) == 34
    assert set(table["agreement"]) == {"same"}
    assert list(table["#"]) == list(range(1, 35))
    changed = [dict(row) for row in same]
    changed[3]["channels"] = 33
    table = tables.table1(changed[:-1])
    different = table[table["agreement"] == "different"]
    assert list(different["#"]) == [4, 34]
    assert different.iloc[0][["paper channels", "ours channels"]].tolist() == ["32", "33"]
    assert different.iloc[1][["paper layer", "ours layer"]].tolist() == ["Sigmoid.", ""]
    assert list(tables.table1([*same, same[0]])["agreement"])[-1] == "different"


def test_results_stay_as_they_were():
    before = results()
    after = before.copy()
    tables.table2(after)
    tables.levels(after)
    pd.testing.assert_frame_equal(before, after)


def test_reading_results_imports_neither_torch_nor_plotting():
    code = "import sys, qrlib.tables, qrlib.claims, qrlib.reference; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "qrlib.claims" in loaded
    assert not loaded & {"torch", "matplotlib", "seaborn"}
