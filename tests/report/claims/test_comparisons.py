"""What claims compare, by hand: sides and their errors, lines of Figure 7."""

import math

import numpy as np
import pytest
from support.frames import run, runs, timing

from qrlib.records import per_image
from qrlib.records.uncertainty import standard_error_of_difference
from qrlib.report.claims import rule
from qrlib.report.claims.comparisons import Comparison, beats
from qrlib.report.claims.evidence import Evidence, Side
from qrlib.report.claims.lines import AtEqualQuality, Bend
from qrlib.report.claims.rule import CLOSE, FAILS, HOLDS, NOT_JUDGED
from qrlib.utils.errors import QrlibError

N = 400


def quality(name, seed, accuracy, psnr):
    """One run on noise, with a PSNR at each level."""
    return runs(
        run(name, seed, 0.9, accuracy, 0.5),
        run(name, seed, None, psnr, 20.0, metric="psnr"),
    )


def test_a_gain_is_paired_by_seed():
    rows = runs(
        run("none", 0, 0.9, 0.6, 0.3),
        *(run("qrnet-multiple", s, 0.9, 0.7 + 0.1 * s, 0.8) for s in (0, 1)),
    )
    evidence = Evidence(rows)
    gain = Side("qrnet", "noise", over="none")
    assert list(gain.measured(evidence)) == pytest.approx([0.1, 0.2])
    # 0.75 and 0.6 are the means of the two parts
    assert gain.variance(evidence) == pytest.approx((0.75 * 0.25 + 0.6 * 0.4) / N)
    assert gain.printed("Caltech101") == pytest.approx(0.19)
    assert gain.label == "gain of QRNet over no restoration"
    found = rule.judge(Comparison(Side("qrnet", "blur", over="none"), gain), evidence)
    assert found["pair"] == pytest.approx((0.5, 0.15))
    assert (found["seeds"], found["verdict"]) == (2, HOLDS)


def test_accuracy_errors_are_those_of_two_shares():
    evidence = Evidence(
        runs(run("none", 0, 0.9, 0.6, 0.3), run("qrnet-multiple", 0, 0.9, 0.8, 0.7))
    )
    one = beats("qrnet", "none", "blur")
    assert one.standard_error(evidence) == pytest.approx(standard_error_of_difference(0.7, 0.3, N))
    assert list(one.needs()) == [
        ("accuracy", False, "qrnet-multiple"),
        ("accuracy", False, "none"),
    ]
    averaged = Side("qrnet", "average")
    shares = [0.8, 0.7]  # of noise and of blur
    expected = np.mean([math.sqrt(p * (1 - p)) for p in shares]) ** 2 / N
    assert averaged.variance(evidence) == pytest.approx(expected)
    both = Side("recnet-single", "average", unseen=True)
    assert list(both.needs()) == [
        ("accuracy", True, "recnet-noise"),
        ("accuracy", True, "recnet-blur"),
    ]


@pytest.mark.parametrize(
    ("psnr", "judged"), [(20.5, HOLDS), (20.3, CLOSE), (19.7, CLOSE), (19.5, FAILS)]
)
def test_quality_is_judged_by_the_spread_over_images(psnr, judged):
    evidence = Evidence(
        runs(quality("none", 0, 0.5, 20.0), quality("qrnet-multiple", 0, 0.7, psnr))
    )
    compared = beats("qrnet", "none", "noise", metric="psnr")
    assert compared.standard_error(evidence) == pytest.approx(4.0 / math.sqrt(N))  # 0.2 dB
    assert rule.judge(compared, evidence)["verdict"] == judged
    gains = Comparison(*(Side("qrnet", d, metric="psnr", over="none") for d in ("noise", "blur")))
    assert gains.standard_error(evidence) == pytest.approx(math.sqrt(2) * 4.0 / math.sqrt(N))


def classifying(ms, error=0.1, **columns):
    """Times of classifying with QRNet and, 5 ms, without."""
    each = {"none": 5.0, "qrnet-multiple": ms}
    times = runs(
        *(
            timing(name, "milliseconds_per_image", t, error=error, **columns)
            for name, t in each.items()
        )
    )
    return Evidence(run("none", 0, 0.9, 0.6, 0.3), times=times)


@pytest.mark.parametrize(("ms", "judged"), [(8.0, HOLDS), (5.2, CLOSE), (4.8, CLOSE), (4.0, FAILS)])
def test_times_are_judged_by_their_own_errors(ms, judged):
    compared = beats("qrnet", "none", "noise", metric="milliseconds_per_image")
    assert compared.standard_error(classifying(ms)) == pytest.approx(0.1 * math.sqrt(2))
    assert rule.judge(compared, classifying(ms))["verdict"] == judged
    assert compared.printed("Caltech101") == (8.29, 5.51)
    unknown = rule.judge(compared, classifying(ms, error=math.nan))
    assert (unknown["verdict"], unknown["pair"]) == (NOT_JUDGED, None)
    assert "has no error" in unknown["why"]


def test_the_error_of_a_mean_of_times():
    more = timing("qrnet-multiple", "milliseconds_per_image", 8.0, seed=1, error=0.3)
    times = runs(timing("qrnet-multiple", "milliseconds_per_image", 8.0, error=0.4), more)
    evidence = Evidence(run("none", 0, 0.9, 0.6, 0.3), times=times)
    side = Side("qrnet", "noise", metric="milliseconds_per_image")
    assert side.variance(evidence) == pytest.approx(0.25**2)  # of (0.4, 0.3) the half of 0.5


@pytest.mark.parametrize(("ms", "judged"), [(5.0, HOLDS), (5.4, CLOSE), (4.0, FAILS), (7.0, FAILS)])
def test_a_margin_of_a_time_is_a_share(ms, judged):
    sides = (Side(m, "noise", metric="milliseconds_per_image") for m in ("qrnet", "none"))
    compared = Comparison(*sides, 0.1, "similar")
    assert rule.judge(compared, classifying(ms))["verdict"] == judged
    assert compared.words() == ("ms an image", "QRNet ≈ no restoration within 10%")


def seen(rows, images):
    """The rows with the images that each level recognises: (5, n) truth values."""
    texts = {
        level: per_image.pack_truth(np.array(row)) for level, row in enumerate(images, start=1)
    }
    return rows.assign(right=rows["level"].map(texts), n=len(images[0]))


def test_where_records_tell_the_images_the_error_is_that_of_pairs():
    """QRNet recognises what the classifier alone does, and one image more at each level."""
    alone = np.zeros((5, 40), bool)
    alone[:, :20] = True
    better = alone.copy()
    better[np.arange(5), 20 + np.arange(5)] = True
    rows = runs(
        seen(run("none", 0, noise=0.5), alone),
        *(seen(run("qrnet-multiple", s, noise=21 / 40), better) for s in (0, 1)),
    )
    one = beats("qrnet", "none", "noise")
    gains = np.zeros(40)
    gains[20:25] = 1 / 5  # each of five images at one level of five
    assert one.standard_error(Evidence(rows)) == pytest.approx(gains.std(ddof=1) / math.sqrt(40))
    apart = one.standard_error(Evidence(rows.drop(columns="right")))
    assert apart > 5 * one.standard_error(Evidence(rows))
    # One side whose record is from before: nothing to pair.
    old = rows.assign(right=rows["right"].where(rows["restorer"] != "none"))
    assert one.standard_error(Evidence(old)) == apart
    gain = Comparison(Side("qrnet", "noise", over="none"), Side("qrnet", "noise", over="none"))
    assert gain.standard_error(Evidence(rows)) == 0


def test_pairs_of_an_average_of_clean_images_and_of_one_seed():
    rng = np.random.default_rng(0)
    images = {s: rng.random((5, 40)) < 0.5 for s in (0, 1)}
    rows = runs(*(seen(run("qrnet-multiple", s, noise=0.5, blur=0.5), images[s]) for s in (0, 1)))
    evidence = Evidence(runs(rows, seen(run("none", 0, noise=0.5, blur=0.5), images[0])))
    both = Side("qrnet", "average").image_means(evidence, [0, 1])
    np.testing.assert_allclose(both, (images[0].mean(0) + images[1].mean(0)) / 2)
    high = Side("qrnet", "noise", levels=(4, 5)).image_means(evidence, [1])
    np.testing.assert_allclose(high, images[1][3:].mean(0))
    psnr = runs(rows, rows.assign(metric="psnr", right=None))
    assert Side("qrnet", "noise", metric="psnr").image_means(Evidence(psnr), [0]) is None


def test_quality_is_judged_by_pairs_where_records_tell_of_each_image():
    """QRNet's images have between 0 and 1 dB more than their inputs, whose own PSNRs lie 20 dB apart."""
    rng = np.random.default_rng(0)
    before = rng.integers(40, 120, 40) / 4  # in steps of a record, 0.25 dB
    gains = rng.integers(0, 5, 40) / 4
    rows = []
    for name, psnr in (("none", before), ("qrnet-multiple", before + gains)):
        made = run(name, 0, None, psnr.mean(), psnr.mean(), metric="psnr").assign(n=40)
        rows += [made.assign(images=per_image.pack_values(psnr, "psnr"))]
        rows += [run(name, 0, 0.9, 0.6, 0.3).assign(n=40)]
    evidence = Evidence(runs(*rows))
    compared = beats("qrnet", "none", "noise", metric="psnr")
    assert compared.standard_error(evidence) == pytest.approx(gains.std(ddof=1) / math.sqrt(40))
    assert rule.judge(compared, evidence)["verdict"] == HOLDS


def test_a_classifier_that_is_adapted_is_the_same_for_every_seed():
    rows = runs(run("none+adapted_8", 0, 0.9, 0.8, 0.7), run("qrnet-multiple", 1, 0.9, 0.6, 0.5))
    compared = Comparison(Side("none+adapted_8", "noise"), Side("qrnet-multiple", "noise"))
    assert rule.judge(compared, Evidence(rows))["pair"] == pytest.approx((0.8, 0.6))


def two_lines():
    """Accuracies that rise by 0.1 in 2 dB; QRNet's line lies 0.2 above RecNet's, 2 dB to the right."""
    return runs(
        quality("recnet-multiple", 0, [0.6, 0.5, 0.4, 0.3, 0.2], [28.0, 26.0, 24.0, 22.0, 20.0]),
        quality("qrnet-multiple", 0, [0.9, 0.8, 0.7, 0.6, 0.5], [30.0, 28.0, 26.0, 24.0, 22.0]),
    )


def test_accuracy_at_equal_quality_by_hand():
    compared = AtEqualQuality("qrnet", "recnet-multiple", "noise", "psnr")
    found = rule.judge(compared, Evidence(two_lines()))
    # shared: 22 to 28 dB, where QRNet has 0.5 to 0.8 and RecNet 0.3 to 0.6
    assert found["pair"] == pytest.approx((0.65, 0.45))
    parts = [np.sqrt(p * (1 - p)).mean() for p in (np.linspace(0.5, 0.8), np.linspace(0.3, 0.6))]
    assert found["standard_error"] == pytest.approx(math.hypot(*parts) / math.sqrt(N), rel=1e-3)
    assert found["verdict"] == HOLDS
    turned = AtEqualQuality("recnet-multiple", "qrnet", "noise", "psnr")
    assert rule.judge(turned, Evidence(two_lines()))["verdict"] == FAILS
    similar = AtEqualQuality("qrnet", "recnet-multiple", "noise", "psnr", "similar", 0.03)
    assert rule.judge(similar, Evidence(two_lines()))["verdict"] == FAILS
    assert similar.words() == (
        "accuracy at equal PSNR, noise",
        "QRNet ≈ RecNet (multiple) within 0.03",
    )


def test_lines_that_cross_are_not_alike():
    """Their means are equal; half way to either end they are 0.2 apart."""
    psnr = [28.0, 26.0, 24.0, 22.0, 20.0]
    crossing = runs(
        quality("recnet-multiple", 0, [0.9, 0.8, 0.7, 0.6, 0.5], psnr),
        quality("qrnet-multiple", 0, [0.5, 0.6, 0.7, 0.8, 0.9], psnr),
    )

    def judged(relation, margin=0.0):
        compared = AtEqualQuality("qrnet", "recnet-multiple", "noise", "psnr", relation, margin)
        return rule.judge(compared, Evidence(crossing))

    similar, differs = judged("similar", 0.03), judged("differs", 0.03)
    assert similar["pair"] == pytest.approx((0.7, 0.7))
    assert similar["difference"] == pytest.approx(0.03 - 0.2, abs=0.003)  # 101 points, not all
    assert differs["difference"] == pytest.approx(0.2 - 0.03, abs=0.003)
    assert (similar["verdict"], differs["verdict"]) == (FAILS, HOLDS)
    assert judged(">")["verdict"] == CLOSE


@pytest.mark.parametrize(("low", "judged"), [(21.0, NOT_JUDGED), (22.9, NOT_JUDGED), (23.1, CLOSE)])
def test_lines_that_share_too_little_of_a_range_are_not_compared(low, judged):
    """Of 4 dB a quarter has to be shared."""
    rows = runs(
        quality("none", 0, 0.5, [low, low - 1, low - 2, low - 3, low - 4]),
        quality("qrnet-multiple", 0, 0.5, [26.0, 25.0, 24.0, 23.0, 22.0]),
    )
    compared = AtEqualQuality("qrnet", "none", "noise", "psnr")
    found = rule.judge(compared, Evidence(rows))
    assert found["verdict"] == judged
    why = "the PSNR ranges of QRNet and no restoration overlap by less than 25% (noise)"
    assert found["why"] == (why if judged == NOT_JUDGED else "")
    assert (found["pair"] is None, found["seeds"]) == (bool(found["why"]), int(not found["why"]))


def test_a_seed_that_shares_too_little_is_left_out():
    rows = runs(
        quality("none", 0, 0.5, [26.0, 25.0, 24.0, 23.0, 22.0]),
        quality("qrnet-multiple", 0, 0.8, [26.0, 25.0, 24.0, 23.0, 22.0]),
        quality("qrnet-multiple", 1, 0.2, [36.0, 35.0, 34.0, 33.0, 32.0]),
    )
    found = rule.judge(AtEqualQuality("qrnet", "none", "noise", "psnr"), Evidence(rows))
    assert (found["seeds"], found["pair"]) == (1, pytest.approx((0.8, 0.5)))


def test_lines_without_a_common_seed_are_refused():
    rows = two_lines()
    rows.loc[rows["restorer"] == "qrnet-multiple", "seed"] = 7
    compared = AtEqualQuality("qrnet", "recnet-multiple", "noise", "psnr")
    with pytest.raises(
        QrlibError, match=r"qrnet .*\[7\].* recnet-multiple .*\[0\].*no seed in com"
    ):
        rule.judge(compared, Evidence(rows))


def test_the_unrestored_line_goes_with_each_seed():
    rows = runs(
        quality("none", 0, [0.5, 0.4, 0.3, 0.2, 0.1], [26.0, 24.0, 22.0, 20.0, 18.0]),
        *(
            quality("qrnet-multiple", s, [0.8 + s / 10] * 5, [27.0, 25.0, 23.0, 21.0, 19.0])
            for s in (0, 1)
        ),
    )
    for one, other in (("qrnet", "none"), ("none", "qrnet")):
        found = rule.judge(AtEqualQuality(one, other, "noise", "psnr"), Evidence(rows))
        assert found["seeds"] == 2
        assert max(found["pair"]) == pytest.approx(0.85)


def test_bend():
    psnr = [28.0, 26.0, 24.0, 22.0, 20.0]
    straight = quality("qrnet-multiple", 0, [0.9, 0.8, 0.7, 0.6, 0.5], psnr)
    bend = Bend("qrnet", "noise", "psnr", 0.03)
    found = rule.judge(bend, Evidence(straight))
    assert found["difference"] == pytest.approx(-0.03)
    assert found["verdict"] == CLOSE
    found = rule.judge(bend, Evidence(straight.assign(n=10 * N)))
    assert found["verdict"] == FAILS
    curved = quality("qrnet-multiple", 0, [0.9, 0.88, 0.86, 0.7, 0.5], psnr)
    found = rule.judge(bend, Evidence(curved))
    # the line falls by 0.1 a level, so the third is 0.16 above it and the others less
    assert found["pair"] == pytest.approx((0.86, 0.70))
    assert found["verdict"] == HOLDS
    assert bend.words()[1] == "QRNet ≠ a straight line by more than 0.03"
