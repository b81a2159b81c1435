"""Images in figures: their own pixels, and the answers that belong to them."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np

from qrlib.report.figures import image_grids


def test_image_strip_shows_the_pixels():
    generator = np.random.default_rng(0)
    images = [generator.random((5, 7, 3), dtype=np.float32) for _ in range(6)]
    figure = image_grids.image_strip(
        images,
        ["clean", "noise", "QRNet"],
        row_titles=["one", "two"],
        captions=list("abcdef"),
    )
    assert len(figure.axes) == 6
    for ax, image, caption in zip(figure.axes, images, "abcdef", strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), image)
        assert ax.get_xlabel() == caption
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["clean", "noise", "QRNet", "", "", ""]
    assert [ax.get_ylabel() for ax in figure.axes] == ["one", "", "", "two", "", ""]
    uneven = image_grids.image_strip(np.stack(images[:3]), columns=2)
    assert [len(ax.images) for ax in uneven.axes] == [1, 1, 1, 0]


def answers():
    """Two images in three cases; the first image's answers are right but for the last."""
    said = [
        [("cat", 0.9), ("cat", 0.6), ("dog", 0.55)],
        [("dog", 1.0), ("a" * 40, 0.25), ("dog", 0.3)],
    ]
    return {
        "labels": ["cat", "dog"],
        "cases": [
            {"distortion": "clean", "level": 0, "strength": 0.0},
            {"distortion": "noise", "level": 3, "strength": 60.0},
            {"distortion": "blur", "level": 5, "strength": 2.857},
        ],
        "answers": [[{"answer": a, "confidence": c} for a, c in row] for row in said],
    }


def sheet(images=2, cases=3):
    return np.random.default_rng(0).random((images, cases, 6, 6, 3), dtype=np.float32)


def test_samples_show_each_answer_under_its_image():
    figure = image_grids.samples(sheet(), answers(), title="QRNet")
    assert len(figure.axes) == 6
    for i, ax in enumerate(figure.axes):
        np.testing.assert_array_equal(ax.images[0].get_array(), sheet()[i // 3, i % 3])
    texts = [ax.get_xlabel() for ax in figure.axes]
    assert texts[:4] == ["cat\n✓ 90%", "cat\n✓ 60%", "dog\n✗ 55%", "dog\n✓ 100%"]
    assert texts[4].startswith("aaaa")
    assert texts[4].endswith("…\n✗ 25%")
    colors = [ax.xaxis.label.get_color() for ax in figure.axes]
    right, wrong = image_grids.RIGHT[1], image_grids.WRONG[1]
    assert colors == [right, right, wrong, right, wrong, right]
    assert [ax.get_title() for ax in figure.axes][:3] == ["clean", "noise σ=60", "blur σ=2.9"]
    assert [ax.get_ylabel() for ax in figure.axes] == ["cat", "", "", "dog", "", ""]
    assert figure.get_suptitle() == "QRNet"
    assert plt.get_fignums() == []


def test_samples_of_chosen_rows_and_columns():
    figure = image_grids.samples(sheet(), answers(), images=[1], cases=[0, 2])
    assert [ax.get_xlabel() for ax in figure.axes] == ["dog\n✓ 100%", "dog\n✓ 30%"]
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), sheet()[1, 2])


def test_many_cases_go_on_in_a_further_row():
    many = answers()
    many["cases"] = many["cases"] + [many["cases"][1]] * 4
    many["answers"] = [row + [row[0]] * 4 for row in many["answers"]]
    figure = image_grids.samples(sheet(2, 7), many)
    assert len(figure.axes) == 2 * 2 * 4
    assert [len(ax.images) for ax in figure.axes] == ([1] * 7 + [0]) * 2
    np.testing.assert_array_equal(figure.axes[4].images[0].get_array(), sheet(2, 7)[0, 4])
    np.testing.assert_array_equal(figure.axes[8].images[0].get_array(), sheet(2, 7)[1, 0])
