"""Images in figures: strips, and samples with the classifier's answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qrlib.report import labels
from qrlib.report.figures import style

#: Sign and colour of an answer under an image; the sign alone tells as well.
RIGHT, WRONG = ("✓", "#00588a"), ("✗", "#a84300")
#: More images than this in a row are too small on a phone.
MOST_COLUMNS = 5
#: Letters over and under images, and about the width of one, in points.
SIZE, LETTER = 13, 8.0


def image_strip(
    images: Sequence[Any],
    titles: Sequence[str] = (),
    *,
    row_titles: Sequence[str] = (),
    captions: Sequence[str] = (),
    columns: int | None = None,
) -> Figure:
    """Images in a grid, each shown with its own pixels.

    Args:
        images: arrays (H, W, 3) in [0, 1], row by row.
        titles: headings of the columns, row_titles of the rows.
        captions: a text under each image, as many as there are images.
        columns: images a row; default: as many as there are titles, else all in one row.
    """
    arrays = [np.asarray(image) for image in images]
    columns = columns or len(titles) or len(arrays)
    rows = -(-len(arrays) // columns)
    ratio = arrays[0].shape[0] / arrays[0].shape[1]
    side = (7.0 - (0.3 if row_titles else 0)) / columns  # inches
    height = rows * ((side - 0.08) * ratio + (0.31 if captions else 0.08))
    height += 0.3 if titles else 0
    with style.canvas(rows, columns, (7.0, height)) as (figure, axes):
        for i, ax in enumerate(axes.flat):
            _show(ax, arrays[i] if i < len(arrays) else None)
            if i < columns and titles:
                ax.set_title(titles[i], fontsize=SIZE)
            if i % columns == 0 and row_titles:
                ax.set_ylabel(row_titles[i // columns])
            if captions and i < len(captions):
                ax.set_xlabel(captions[i])
    return figure


def _show(ax: Axes, image: np.ndarray | None) -> None:
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)
    if image is not None:
        # As floats, and without smoothing or a pixel more: what is shown is what the classifier got.
        ax.imshow(image.astype(float), vmin=0, vmax=1, interpolation="none")


def samples(
    tiles: Any,
    samples: Mapping[str, Any],
    *,
    images: Sequence[int] | None = None,
    cases: Sequence[int] | None = None,
    title: str = "",
) -> Figure:
    """Test images as the classifier got them, its answer and confidence under each.

    An answer is marked ✓ where it is the image's label and ✗ where it is not, and coloured.  The cases
    of an image that do not fit beside each other go on in a further row.

    Args:
        tiles: images (rows, cases, S, S, 3) in [0, 1], cut from the sheet of an evaluation's record.
        samples: what the record says of them, its "samples": labels, cases, answers.
        images, cases: which rows and columns of the sheet to show, by position; default: all.
    """
    sheet = np.asarray(tiles)
    images = list(range(len(sheet)) if images is None else images)
    cases = list(range(sheet.shape[1]) if cases is None else cases)
    lines = -(-len(cases) // MOST_COLUMNS)  # rows that one image takes
    columns = -(-len(cases) // lines)
    side = 6.7 / columns  # inches
    height = len(images) * lines * (side + 0.72) + (0.35 if title else 0)
    letters = int(side * 72 / LETTER)
    with style.canvas(len(images) * lines, columns, (7.0, height)) as (figure, axes):
        for ax in axes.flat:
            _show(ax, None)
        for ax, i, j in _places(axes, images, cases, lines):
            _show(ax, sheet[i, j])
            ax.set_title(_case(samples["cases"][j]), fontsize=SIZE, pad=3)
            label, answer = samples["labels"][i], samples["answers"][i][j]
            sign, color = RIGHT if answer["answer"] == label else WRONG
            said = _short(labels.image_class(answer["answer"]), letters)
            text = f"{said}\n{sign} {answer['confidence']:.0%}"
            ax.set_xlabel(text, color=color, labelpad=3)
            if j == cases[0]:
                ax.set_ylabel(_short(labels.image_class(label), letters))
        if title:
            figure.suptitle(title)
    return figure


def _places(
    axes: np.ndarray, images: Sequence[int], cases: Sequence[int], lines: int
) -> Iterator[tuple[Axes, int, int]]:
    for row, i in enumerate(images):
        block = axes[row * lines : (row + 1) * lines].flat
        for ax, j in zip(block, cases, strict=False):  # the last line may have room to spare
            yield ax, i, j


def _case(case: Mapping[str, Any]) -> str:
    if case["distortion"] == "clean":
        return "clean"
    return f"{case['distortion']} σ={round(case['strength'], 1):g}"


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: max(1, letters - 1)] + "…"
