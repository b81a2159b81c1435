"""What may enter a table, what is refused, and the means."""

import pandas as pd
import pytest
from support.frames import cell, record, run, runs
from support.frames import table2_results as results

from qrlib.experiments import profiles
from qrlib.records import selection
from qrlib.records.selection import Selection
from qrlib.report import tables
from qrlib.utils.errors import QrlibError


@pytest.mark.parametrize("name", ["profile", "dataset", "classifier"])
def test_mixed_results_are_refused_unless_one_is_chosen(name):
    worse = results()
    worse["value"] = worse["value"] - 0.1
    mixed = pd.concat([results(), worse.assign(**{name: "zzz"})], ignore_index=True)
    own = results()[name].iloc[0]
    with pytest.raises(
        QrlibError, match=rf"mix {name}s.*choose with Selection\({name}=...\) from {own}, zzz"
    ):
        tables.table2(mixed)
    chosen = tables.table2(mixed, Selection(**{name: "zzz"}))
    assert cell(chosen, "noise", "qrnet")["ours"] == pytest.approx(0.72)
    with pytest.raises(QrlibError, match=rf"no accuracy results with {name} 'nope'.*{own}, zzz"):
        tables.table2(mixed, Selection(**{name: "nope"}))


def test_missing_restorers_are_named_with_the_way_out():
    some = results()
    some = some[~some["restorer"].isin(["recnet-blur", "qrnet-multiple"])]
    with pytest.raises(QrlibError) as caught:
        tables.levels(some, restorers=selection.restorers_of(tables.TABLE2_METHODS))
    message = str(caught.value)
    assert "recnet-blur, qrnet-multiple" in message
    assert "recnet-noise" not in message
    assert "`python -m qrlib run quick`" in message
    assert "\n" not in message


def test_missing_levels_are_named():
    some = results()
    gone = (some["restorer"] == "qrnet-multiple") & (some["seed"] == 1) & some["level"].isin([2, 5])
    some = some[~(gone & (some["distortion"] == "blur"))]
    with pytest.raises(QrlibError, match=r"qrnet-multiple on blur, seed 1 have no level 2, 5"):
        tables.table2(some)
    no_value = results()
    first = (no_value["restorer"] == "none") & (no_value["level"] == 3)
    no_value.loc[first, "value"] = float("nan")
    with pytest.raises(QrlibError, match=r"none on noise, seed 0 have no level 3"):
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
    with pytest.raises(QrlibError, match=r"no accuracy results: .*python -m qrlib run PROFILE"):
        tables.table2(results().iloc[:0])


def test_other_metrics_do_not_enter():
    both = pd.concat([results(), results().assign(metric="psnr", value=30.0)], ignore_index=True)
    assert cell(tables.table2(both), "noise", "qrnet")["ours"] == pytest.approx(0.82)


def test_average_takes_seeds_that_have_both():
    extra = pd.concat([results(), record("recnet-blur", 2, blur=0.9)], ignore_index=True)
    table = tables.table2(extra)
    assert cell(table, "blur", "recnet-single")["seeds"] == 3
    assert cell(table, "average", "recnet-single")["values"] == pytest.approx((0.70, 0.74))
    apart = results()
    apart.loc[apart["restorer"] == "recnet-blur", "seed"] += 10
    with pytest.raises(QrlibError, match=r"recnet-single has no seed .*noise: \[0, 1\]"):
        tables.table2(apart)


def test_the_choice_of_a_profile():
    quick = profiles.load("quick")
    own = {"profile": "quick", "dataset": "caltech101-small"}
    own["classifier"] = "efficientnet_lite0"
    assert vars(quick.choice) == own
    frame = results(**own)
    assert len(selection.select(frame, quick.choice)) == len(frame)
    for name in own:
        with pytest.raises(QrlibError, match=f"no accuracy results with {name} '{own[name]}'"):
            selection.select(frame.assign(**{name: "another"}), quick.choice)


def test_a_restorer_that_only_another_classifier_judged_lacks():
    frame = runs(results(), record("mqrnet-multiple", 0, 0.9, 0.8, 0.7, classifier="resnet50"))
    with pytest.raises(QrlibError, match="results of mqrnet-multiple, judged by vgg16: make them"):
        selection.select(frame, Selection(classifier="vgg16"), restorers=["mqrnet-multiple"])
    assert len(selection.select(frame, Selection(classifier="resnet50"))) == 11


def test_level_0_is_the_clean_images():
    wide = selection.by_seed(selection.select(results()), "qrnet", "blur", (0, 5))
    assert wide.to_numpy().tolist() == [pytest.approx([0.89, 0.60]), pytest.approx([0.91, 0.62])]
    frame = runs(run("none", 0, 0.9, [0.5, 0.4, 0.3, 0.2, 0.1], 0.7))
    means = selection.seed_means(selection.select(frame), "none", "noise", (4, 5))
    assert list(means) == pytest.approx([0.15])


def test_methods_side_by_side_have_the_same_seeds():
    frame = runs(results(), record("other-multiple", 1, noise=0.6, blur=0.4))
    alone = record("other-multiple", 7, noise=0.1, blur=0.1)
    selected = selection.select(runs(frame, alone))
    methods = {"Nothing": "none", "QRNet": "qrnet", "Other": "other-multiple"}
    kinds = ("noise", "blur", "average")
    means, seeds = selection.on_common_seeds(selected, methods, kinds)
    assert seeds == [1]  # of qrnet's seeds and {1, 7}
    assert means["Other"].loc[1].tolist() == pytest.approx([0.6, 0.4, 0.5])
    assert means["QRNet"]["noise"].tolist() == pytest.approx([0.84])
    assert means["Nothing"]["blur"].tolist() == pytest.approx([0.3])
    with pytest.raises(QrlibError, match=r"no seed in common \(.*Other: \[7\]"):
        selection.on_common_seeds(selection.select(runs(results(), alone)), methods, kinds)
