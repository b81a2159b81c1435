"""Figures: what is drawn equals the tables, and nothing else is drawn."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection, PolyCollection
from support.frames import run, runs
from support.made_records import training_record

from qrlib import paper
from qrlib.records import selection
from qrlib.records.selection import Selection
from qrlib.report import labels, lambda_sweep, tables
from qrlib.report.figures import plots, style
from qrlib.utils.errors import QrlibError

RESTORERS = ("none", "recnet-noise", "recnet-blur", "recnet-multiple", "qrnet-multiple")


def results(restorers=RESTORERS, seeds=(0, 1)):
    """Distinct accuracies everywhere; seeds differ by 0.02 and `none` has one."""
    rows = []
    for i, restorer in enumerate(restorers):
        for seed in (0,) if restorer == "none" else seeds:
            keys = {"restorer": restorer, "seed": seed, "record": f"{restorer}-{seed}.json"}
            for distortion, sigma, top in (("noise", 20.0, 0.7), ("blur", 2.0, 0.6)):
                for level in selection.LEVELS:
                    value = top + 0.03 * i - 0.05 * level + 0.02 * seed
                    rows.append(
                        keys
                        | {
                            "distortion": distortion,
                            "level": level,
                            "strength": sigma * level,
                            "value": value,
                        }
                    )
            clean = {"distortion": "clean", "level": 0, "strength": 0.0, "value": 0.9 - 0.01 * i}
            rows.append(keys | clean)
    keys = {"profile": "quick", "dataset": "caltech101", "classifier": "vgg16"}
    return pd.DataFrame(rows).assign(**keys, metric="accuracy", n=400)


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def seeds(ax):
    """Where the dots of single seeds are: (N, 2)."""
    dots = [c.get_offsets() for c in ax.collections if isinstance(c, PathCollection)]
    return np.concatenate(dots) if dots else np.empty((0, 2))


def figure4(frame, choice=selection.ONLY, methods=tables.TABLE2_METHODS, **options):
    there = selection.with_results(frame, methods, choice)
    return plots.level_curves(frame, choice, methods=there, **options)


def test_figure4_draws_the_levels():
    figure = figure4(results(), profile_label="quick, 64 px")
    data = tables.levels(results())
    assert len(figure.axes) == 2
    for ax, distortion in zip(figure.axes, ("noise", "blur"), strict=True):
        drawn = lines(ax)
        assert set(drawn) == {*tables.TABLE2_METHODS.values(), "clean, unrestored"}
        for method, name in tables.TABLE2_METHODS.items():
            restorer = selection.restorer_of(method, distortion)
            rows = data[(data["restorer"] == restorer) & (data["distortion"] == distortion)]
            xy = rows[["strength", "ours"]].to_numpy()
            assert len(xy) == 6
            np.testing.assert_allclose(drawn[name].get_xydata(), xy)
        np.testing.assert_allclose(drawn["clean, unrestored"].get_ydata(), 0.9)
        assert drawn["clean, unrestored"].get_linestyle() == ":"
        assert ax.get_ylim() == (0, 1)
    assert [ax.get_title() for ax in figure.axes] == ["Gaussian noise", "Gaussian blur"]
    assert "255" in figure.axes[0].get_xlabel()
    assert "pixels" in figure.axes[1].get_xlabel()
    assert figure.get_suptitle() == "quick, 64 px"


def test_figure4_draws_every_seed_faintly():
    figure = figure4(results())
    for ax in figure.axes:
        assert len(seeds(ax)) == 3 * 6 * 2  # three restored lines, six points, two seeds
        assert all(c.get_alpha() < 0.5 for c in ax.collections)
    blur = results().query("restorer == 'qrnet-multiple' and distortion == 'blur'")
    dots = seeds(figure.axes[1])
    for x, y in blur[["strength", "value"]].to_numpy():
        assert np.isclose(dots, [x, y]).all(axis=1).any()
    single = figure4(results(seeds=(0,)))
    assert not any(len(seeds(ax)) for ax in single.axes)


def test_figure4_shows_how_far_each_point_may_be_off():
    data = tables.levels(results())
    for ax, kind in zip(figure4(results()).axes, ("noise", "blur"), strict=True):
        (none, *_) = (c for c in ax.collections if isinstance(c, PolyCollection))
        rows = data[(data["restorer"] == "none") & (data["distortion"] == kind)]
        edges = none.get_paths()[0].vertices[:, 1]
        assert edges.min() == pytest.approx((rows["ours"] - rows["standard_error"]).min())
        assert edges.max() == pytest.approx((rows["ours"] + rows["standard_error"]).max())


def test_figure4_legend_is_outside_the_panels():
    figure = figure4(results())
    figure.draw_without_rendering()  # lays it out
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert not any(box.overlaps(ax.get_window_extent()) for ax in figure.axes)
    assert len(legend.get_texts()) == 5
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert min(text.get_fontsize() for text in legend.get_texts()) >= 11
    assert figure.bbox.width == pytest.approx(700)


def test_figure4_refuses_missing_levels_and_mixed_profiles():
    some = results().query("not (restorer == 'recnet-multiple' and distortion == 'blur')")
    with pytest.raises(QrlibError, match=r"recnet-multiple on blur, seed 0 have no level 1, 2, 3"):
        figure4(some)
    with pytest.raises(QrlibError, match="mix profiles"):
        figure4(pd.concat([results(), results().assign(profile="other")]))


@pytest.mark.parametrize("comparable", [True, False])
def test_paper_and_ours(comparable):
    table = tables.table2(results(), comparable=comparable)
    figure = plots.paper_and_ours(table, label="quick")
    assert [ax.get_title() for ax in figure.axes] == ["Gaussian noise", "Gaussian blur", "average"]
    for ax, (_, cells) in zip(figure.axes, table.groupby("row", sort=False), strict=True):
        names = [text.get_text() for text in ax.get_yticklabels()]
        assert names == list(tables.TABLE2_METHODS.values())
        labels = {c.get_label() for c in ax.collections}
        paper = next(label for label in labels if label.startswith("paper"))
        drawn = {
            label: [c.get_offsets()[0][0] for c in ax.collections if c.get_label() == label]
            for label in ("quick", paper)
        }
        assert drawn["quick"] == pytest.approx(list(cells["ours"]))
        assert drawn[paper] == pytest.approx(list(cells["paper"]))
        assert ("another setting" in paper) is not comparable
        faint = [c for c in ax.collections if c.get_alpha() == 0.35]
        seeds = [x for c in faint for x in np.asarray(c.get_offsets())[:, 0]]
        expected = [v for values in cells["values"] if len(values) > 1 for v in values]
        assert len(expected) == 6
        assert seeds == pytest.approx(expected)


def history():
    epochs = np.arange(1, 9)
    frame = pd.DataFrame({"epoch": epochs, "train_loss": 1 / epochs})
    frame["val_loss"] = 0.2 + 0.01 * (epochs - 5) ** 2
    return frame


def test_learning_curves():
    figure = plots.learning_curves(history())
    (ax,) = figure.axes
    drawn = lines(ax)
    np.testing.assert_allclose(drawn["training"].get_ydata(), history()["train_loss"])
    np.testing.assert_allclose(drawn["validation"].get_ydata(), history()["val_loss"])
    np.testing.assert_allclose(drawn["best epoch"].get_xydata(), [[5, 0.2]])
    assert [text.get_text() for text in ax.texts] == ["epoch 5"]


def test_the_learning_curves_of_one_epoch_are_points():
    axis = plots.learning_curves(history().iloc[:1]).axes[0]
    assert {line.get_marker() for line in axis.lines[:2]} == {"s"}
    low, high = axis.get_xlim()
    assert high - low == 1  # and no ticks at fractions of an epoch


def test_figures_are_white_and_let_go(tmp_path):
    with plt.rc_context({"figure.facecolor": "black", "savefig.transparent": False}):
        figure = figure4(results())
        assert figure.get_facecolor() == (1, 1, 1, 1)
        figure.savefig(tmp_path / "figure.png", dpi=50)
        corner = plt.imread(tmp_path / "figure.png")[0, 0]
        assert corner[:3].tolist() == [1, 1, 1]
        assert plt.rcParams["figure.facecolor"] == "black"  # styles are not left behind
    assert plt.get_fignums() == []


def test_figure5_draws_table_4_by_level():
    restorers = ("none", "finetuned-noise", "finetuned-blur", "finetuned-multiple")
    frame = results((*restorers, "end_to_end-multiple"))
    # The single fine-tuned classifiers were evaluated on their own distortion alone.
    other = {"finetuned-noise": "blur", "finetuned-blur": "noise"}
    frame = frame[frame["distortion"] != frame["restorer"].map(other)]
    figure = figure4(frame, methods=tables.TABLE4_METHODS, profile_label="quick")
    for ax, kind in zip(figure.axes, ("noise", "blur"), strict=True):
        drawn = lines(ax)
        assert set(drawn) == {*tables.TABLE4_METHODS.values(), "clean, unrestored"}
        single = frame[(frame["restorer"] == f"finetuned-{kind}") & (frame["level"] > 0)]
        means = single.groupby("level")["value"].mean()
        np.testing.assert_allclose(drawn["fine-tuned (single)"].get_ydata()[1:], means)
    looks = [style.LOOKS[method] for method in tables.TABLE4_METHODS]
    assert len({look["color"] for look in looks}) == len({look["marker"] for look in looks}) == 4


def test_figure6_shows_the_unseen_classifier_alone():
    seen = results()
    unseen = results(("none", "qrnet-multiple", "mqrnet-multiple")).assign(classifier="resnet50")
    unseen["value"] -= 0.1
    six = {"methods": tuple(tables.FIGURE6_METHODS), "ylabel": "accuracy of ResNet-50"}
    figure = plots.level_curves(runs(seen, unseen), Selection(classifier="resnet50"), **six)
    assert set(lines(figure.axes[0])) == {*tables.FIGURE6_METHODS.values(), "clean, unrestored"}
    np.testing.assert_allclose(lines(figure.axes[0])["no restoration"].get_ydata()[0], 0.8)
    assert figure.axes[0].get_ylabel() == "accuracy of ResNet-50"
    with pytest.raises(QrlibError, match="no accuracy results of mqrnet-multiple, judged by vgg16"):
        plots.level_curves(runs(seen, unseen), Selection(classifier="vgg16"), **six)
    with pytest.raises(QrlibError, match="mix classifiers"):
        figure4(runs(seen, unseen))


def with_quality(frame):
    psnr = frame.assign(metric="psnr", value=frame["value"] * 30)
    return runs(frame, psnr, frame.assign(metric="ssim", value=frame["value"] ** 2))


def test_figure7_draws_quality_against_accuracy():
    frame = with_quality(results())
    figure = plots.figure7(frame, profile_label="quick")
    data = tables.quality(frame)
    panels = [(d, m) for d in ("noise", "blur") for m in ("psnr", "ssim")]
    assert len(figure.axes) == 4
    for ax, (distortion, metric) in zip(figure.axes, panels, strict=True):
        drawn = lines(ax)
        assert set(drawn) == set(tables.FIGURE7_METHODS.values())
        for method, name in tables.FIGURE7_METHODS.items():
            rows = data[(data["method"] == method) & (data["distortion"] == distortion)]
            xy = rows[[metric, "accuracy"]].to_numpy()
            assert len(xy) == 5
            np.testing.assert_allclose(drawn[name].get_xydata(), xy)
        assert [text.get_text() for text in ax.texts] == ["1", "5"] * 3
        assert ax.get_xlabel() == {"psnr": "PSNR (dB)", "ssim": "SSIM"}[metric]
        assert len(seeds(ax)) == 2 * 5 * 2  # two restored lines, five levels, two seeds
    assert [ax.get_title() for ax in figure.axes] == ["Gaussian noise"] * 2 + ["Gaussian blur"] * 2
    with pytest.raises(QrlibError, match="no psnr results"):
        plots.figure7(results())


def test_lambda_sweep_draws_its_table():
    made = [
        run("qrnet-multiple", 0, 0.9, 0.8, 0.7),
        run("qrnet_lambda_0.1-multiple", 0, 0.9, 0.7, 0.6),
    ]
    trained = [training_record("qrnet-multiple", 0.01, 0, 0.04, 1.5)]
    trained += [training_record("qrnet_lambda_0.1-multiple", 0.1, 0, 0.05, 1.4)]
    found = lambda_sweep.table(runs(*made), trained)
    figure = plots.lambda_sweep({"Quick": found, "Slow": found})
    left, right, *below = figure.axes
    assert [ax.get_title() for ax in below] == ["Slow:\ntest images", "Slow:\nvalidation images"]
    assert left.get_xscale() == "log"
    np.testing.assert_allclose(lines(left)["noise"].get_xydata(), [[0.01, 0.8], [0.1, 0.7]])
    np.testing.assert_allclose(lines(left)["average"].get_ydata(), [0.75, 0.65])
    np.testing.assert_allclose(right.get_lines()[0].get_xydata(), [[0.04, 1.5], [0.05, 1.4]])
    bands = [c for c in left.collections if isinstance(c, PolyCollection)]
    assert len(bands) == 3
    assert bands[0].get_paths()[0].vertices[:, 1].max() == pytest.approx(0.8 + 0.02)
    assert [text.get_text() for text in right.texts] == ["λ=0.01", "λ=0.1"]


def test_every_method_has_a_name_and_a_look():
    assert set(style.LOOKS) == set(paper.METHODS) <= set(labels.METHODS)
