"""Tables of results whose every number was worked out by hand."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.frames import cell, record, runs, unpadded
from support.frames import table2_results as results

from qrlib import paper
from qrlib.records import per_image, selection
from qrlib.records.selection import Selection
from qrlib.report import gains, render, tables
from qrlib.report.figures import plots
from qrlib.utils.errors import QrlibError


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


def test_differences_only_where_comparable():
    assert tables.table2(results())["difference"].isna().all()
    assert tables.table2(results(), comparable=True)["difference"].notna().all()
    small = results().assign(dataset="caltech101-small")
    with pytest.raises(QrlibError, match=r"caltech101-small are not comparable with .* Caltech101"):
        tables.table2(small, comparable=True)
    beside = tables.table2(small)
    assert set(beside["paper_dataset"]) == {"Caltech101"}
    assert cell(beside, "blur", "qrnet")["paper"] == 0.705


def test_table3_and_table5():
    small = pd.concat([results(), record("small_qrnet-multiple", 0, noise=0.7, blur=0.5)])
    table = tables.table3(small, comparable=True)
    assert list(table["paper"]) == [0.828, 0.694, 0.761]
    assert list(table["ours"]) == pytest.approx([0.7, 0.5, 0.6])
    parts = [
        results().assign(metric="psnr", value=lambda f: f["value"] * 30),
        results().assign(metric="ssim"),
    ]
    quality = tables.table5(pd.concat(parts), comparable=True)
    assert list(quality["paper"]) == [15.29, 23.30, 19.77, 20.85, 0.330, 0.823, 0.656, 0.700]
    ours = [18.0, 24.6, 9.0, 21.3, 0.6, 0.82, 0.3, 0.71]
    assert list(quality["ours"]) == pytest.approx(ours)
    shown = unpadded(render.beside_paper(quality, "table-5", label="A run"))
    assert "| PSNR, Gaussian noise, paper | 15.29 | 23.30 |" in shown
    assert "| PSNR, Gaussian noise, ours | 18.00 | 24.60 |" in shown
    assert "±" not in shown  # which needs each image
    assert "| PSNR, Gaussian noise, ours − paper | +2.71 | +1.30 |" in shown
    # The paper prints both for Caltech101 alone: beside Caltech256 they stand without differences.
    for make, of_101 in ((tables.table3, small), (tables.table5, pd.concat(parts))):
        of_256 = of_101.assign(dataset="caltech256")
        other = make(of_256, comparable=True)
        assert other["difference"].isna().all()
        assert other["paper"].notna().all()
        assert "Paper: Caltech101." in unpadded(
            render.beside_paper(other, "table-3", label="A run")
        )
        both = pd.concat([of_101, of_256])
        assert (
            make(both, Selection(dataset="caltech101"), comparable=True)["difference"].notna().all()
        )


def test_the_error_of_image_quality_is_that_of_the_images_and_of_the_seeds():
    rows = runs(
        *(
            results().assign(metric=metric, value=lambda f, top=top: f["value"] * top)
            for metric, top in (("psnr", 30), ("ssim", 1))
        )
    )
    n = int(rows["n"].iloc[0])
    half = np.arange(n) % 2 - 0.5  # half of the images are one higher than the others
    rows["images"] = [
        per_image.pack(row["value"] + half * (row["metric"] == "psnr"), row["metric"])["images"]
        for row in rows.to_dict("records")
    ]
    table = tables.table5(rows).query("metric == 'psnr'")
    of_images = 0.5 / math.sqrt(n - 1)
    errors = [cell(table, "noise", m)["standard_error"] for m in ("none", "qrnet")]
    assert errors == pytest.approx([of_images, math.hypot(of_images, 0.6)])


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
    with pytest.raises(QrlibError, match="recnet-blur on blur, seed 0 have no level 0"):
        tables.levels(no_clean)


def test_clean_accuracy():
    found = gains.clean_accuracy(results()).set_index("restorer")
    assert found.loc["recnet-noise", "ours"] == pytest.approx(0.87)
    assert found.loc["recnet-noise", "change"] == pytest.approx(-0.03)
    assert found.loc["none", "change"] == 0
    assert len(found) == 5


def test_loss_won_back():
    found = gains.loss_won_back(results()).set_index(["restorer", "distortion"])
    assert "none" not in found.index.get_level_values(0)
    # noise takes 0.9 to 0.6; QRNet brings 0.80 and 0.84: 2/3 and 0.8 of the way back
    assert found.loc[("qrnet-multiple", "noise"), "values"] == pytest.approx((2 / 3, 0.8))
    assert found.loc[("recnet-multiple", "blur"), "ours"] == pytest.approx(0.21 / 0.6)
    assert ("recnet-noise", "blur") not in found.index
    unhurt = results()
    unhurt.loc[(unhurt["restorer"] == "none") & (unhurt["level"] == 0), "value"] = 0.5
    shares = gains.loss_won_back(unhurt).set_index(["restorer", "distortion"])["ours"]
    assert math.isnan(shares[("qrnet-multiple", "noise")])
    assert not math.isnan(shares[("qrnet-multiple", "blur")])


def test_table1_beside_the_model():
    table = tables.table1(paper.TABLE1)
    assert len(table) == 34
    assert set(table["agreement"]) == {"same"}
    assert list(table["#"]) == list(range(1, 35))
    changed = [*paper.TABLE1[:3], replace(paper.TABLE1[3], channels="33"), *paper.TABLE1[4:-1]]
    table = tables.table1(changed)
    different = table[table["agreement"] == "different"]
    assert list(different["#"]) == [4, 34]
    assert different.iloc[0][["paper channels", "ours channels"]].tolist() == ["32", "33"]
    assert different.iloc[1][["paper layer", "ours layer"]].tolist() == ["Sigmoid.", ""]
    longer = tables.table1([*paper.TABLE1, paper.TABLE1[0]])
    assert list(longer["agreement"])[-1] == "different"


@pytest.mark.slow
def test_reading_results_imports_neither_torch_nor_plotting():
    code = "import sys, qrlib.report.tables, qrlib.report.claims.check, qrlib.paper; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "qrlib.report.claims.check" in loaded
    assert not loaded & {"torch", "matplotlib"}


def table4_results(**other):
    made = [
        record("none", 0, 0.9, 0.6, 0.3, **other),
        record("finetuned-noise", 0, 0.88, noise=0.83, **other),
        record("finetuned-blur", 0, 0.88, blur=0.73, **other),
        record("finetuned-multiple", 0, 0.87, 0.84, 0.74, **other),
        record("end_to_end-multiple", 0, 0.89, 0.86, 0.80, **other),
    ]
    return runs(*made)


def test_table4():
    table = tables.table4(table4_results(), comparable=True)
    assert list(table["column"].unique()) == list(tables.TABLE4_METHODS)
    assert list(table["ours"]) == pytest.approx(
        [0.6, 0.83, 0.84, 0.86, 0.3, 0.73, 0.74, 0.80, 0.45, 0.78, 0.79, 0.83]
    )
    printed = [0.642, 0.831, 0.842, 0.861, 0.259, 0.741, 0.745, 0.807, 0.450, 0.786, 0.793, 0.834]
    assert list(table["paper"]) == printed
    assert list(table["difference"]) == pytest.approx(list(table["ours"] - table["paper"]))
    both = cell(table, "average", "finetuned-single")
    assert both["records"] == ("finetuned-blur-0.json", "finetuned-noise-0.json")
    other = tables.table4(table4_results(dataset="caltech256"), comparable=True)
    assert cell(other, "blur", "end-to-end")["paper"] == 0.497


def test_a_method_that_was_not_run_has_its_printed_numbers_alone():
    some = results()
    run = some[~some["restorer"].isin(("recnet-noise", "recnet-blur"))]
    table = tables.table2(run, comparable=True)
    lacking = table[table["column"] == "recnet-single"]
    assert lacking[["ours", "spread", "standard_error", "difference"]].isna().all(axis=None)
    assert lacking["paper"].notna().all()
    assert set(lacking["records"]) == {()}
    there = table[table["column"] != "recnet-single"]
    pd.testing.assert_frame_equal(
        there, tables.table2(some, comparable=True).query("column != 'recnet-single'")
    )
    shown = unpadded(render.beside_paper(table, "table-2", label="A run"))
    line, _ = [line for line in shown.splitlines() if "Gaussian noise, ours |" in line]
    assert line.split(" | ")[2] == "not run"


def test_a_method_of_two_networks_shows_the_one_that_was_run():
    half = results()
    half = half[half["restorer"] != "recnet-blur"]
    cells = tables.table2(half).set_index(["column", "row"])["ours"]
    whole = tables.table2(results()).set_index(["column", "row"])["ours"]
    assert cells["recnet-single", "noise"] == whole["recnet-single", "noise"]
    assert cells["recnet-single"][["blur", "average"]].isna().all()
    assert cells.drop("recnet-single").equals(whole.drop("recnet-single"))
    assert "recnet-single" in selection.with_results(half, tables.TABLE2_METHODS)
    noise, blur = plots.level_curves(half, methods=tables.TABLE2_METHODS).axes
    names = [
        [line.get_label() for line in ax.lines if len(line.get_xdata())] for ax in (noise, blur)
    ]
    assert ["RecNet (single)" in each for each in names] == [True, False]


def test_tables_show_one_classifier_of_several():
    unseen = results(classifier="resnet50")
    unseen["value"] -= 0.2
    both = runs(results(), unseen)
    for table in (tables.table2, tables.levels, gains.clean_accuracy, gains.loss_won_back):
        with pytest.raises(QrlibError, match="mix classifiers.*from resnet50, vgg16"):
            table(both)
    seen = cell(tables.table2(both, Selection(classifier="vgg16")), "noise", "qrnet")
    assert seen["ours"] == pytest.approx(0.82)
    assert cell(tables.table2(both, Selection(classifier="resnet50")), "noise", "qrnet")[
        "ours"
    ] == (pytest.approx(0.62))


def test_levels_of_chosen_restorers_are_the_data_of_figure_6():
    unseen = [
        record("none", 0, 0.9, 0.6, 0.3, classifier="resnet50"),
        record("qrnet-multiple", 0, 0.9, 0.7, 0.5, classifier="resnet50"),
        record("mqrnet-multiple", 0, 0.9, 0.8, 0.6, classifier="resnet50"),
    ]
    frame = runs(results(), *unseen)
    wanted = selection.restorers_of(tables.FIGURE6_METHODS)
    found = tables.levels(frame, Selection(classifier="resnet50"), restorers=wanted)
    assert list(found["restorer"].unique()) == ["none", "qrnet-multiple", "mqrnet-multiple"]
    assert len(found) == 3 * 2 * 6
    blur = found[(found["restorer"] == "mqrnet-multiple") & (found["distortion"] == "blur")]
    assert list(blur["ours"]) == pytest.approx([0.9, 0.7, 0.65, 0.6, 0.55, 0.5])
    with pytest.raises(QrlibError, match="no accuracy results of mqrnet-multiple, judged by vgg16"):
        tables.levels(frame, Selection(classifier="vgg16"), restorers=wanted)


def with_quality(frame):
    """`frame`, and PSNR and SSIM that follow from its accuracies."""
    psnr = frame.assign(metric="psnr", value=frame["value"] * 30)
    ssim = frame.assign(metric="ssim", value=frame["value"] / 2)
    return runs(frame, psnr[psnr["distortion"] != "clean"], ssim)


def test_quality_is_the_data_of_figure_7():
    found = tables.quality(with_quality(results()))
    assert list(found["method"].unique()) == ["none", "recnet-multiple", "qrnet"]
    assert len(found) == 3 * 2 * 5
    row = found[(found["method"] == "qrnet") & (found["distortion"] == "blur")].iloc[0]
    assert (row["level"], row["strength"], row["seeds"], row["n"]) == (1, 2.0, 2, 400)
    assert row["accuracy_values"] == pytest.approx((0.80, 0.82))
    assert row[["accuracy", "psnr", "ssim"]].tolist() == pytest.approx([0.81, 24.3, 0.405])
    assert row["psnr_values"] == pytest.approx((24.0, 24.6))
    with pytest.raises(QrlibError, match="no psnr results"):
        tables.quality(results())


def test_clean_accuracy_and_loss_won_back_of_chosen_restorers():
    wanted = ["none", "qrnet-multiple"]
    assert list(gains.clean_accuracy(results(), restorers=wanted)["restorer"]) == wanted
    won = gains.loss_won_back(results(), restorers=wanted)
    assert set(won["restorer"]) == {"qrnet-multiple"}
    with pytest.raises(QrlibError, match="no accuracy results of mqrnet-multiple"):
        gains.clean_accuracy(results(), restorers=["mqrnet-multiple"])
