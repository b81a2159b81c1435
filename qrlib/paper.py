"""The paper's printed numbers as data: Tables 1 to 5, timings and settings.

Source: M. Takagi, A. Sakurai, M. Hagiwara, "Quality Recovery for Image Recognition", IEEE Access 7
(2019), https://doi.org/10.1109/ACCESS.2019.2932726.  Figures 4 to 7 print curves without numbers,
so there is nothing of theirs here: no value is read off a picture.

Where the paper's own arithmetic is off: of the seventeen averages it prints, one is not the mean
of its two rows to rounding.  Table 2, Caltech101, RecNet (multiple) prints 0.694, and its rows
0.819 and 0.571 have the mean 0.695.  Cutting digits off instead of rounding would explain it, but
then 0.434 (Table 2) and 0.474 (Table 4), which are rounded up, would be wrong.  `tests/test_paper.py`
checks all of them; `TABLE2` keeps the value as printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from qrlib.utils.errors import QrlibError

#: Our data set names -> the paper's.
DATASETS = {"caltech101": "Caltech101", "caltech256": "Caltech256"}


@dataclass(frozen=True)
class Layer:
    """One row of Table 1, in the paper's notation; "-" where the paper prints a dash."""

    layer: str
    channels: str = "-"
    filter: str = "-"
    stride: str = "-"


@dataclass(frozen=True)
class Printed:
    """One printed number: its place, then the keys by which our results know it.

    Attributes:
        table: number of the table.
        row: its heading as printed; the two parts of a heading in two parts are joined by " / ".
        column: the same for the column.
        value: accuracy and SSIM as fractions of 1, PSNR in dB.
        dataset: "Caltech101" or "Caltech256".
        distortion: "noise", "blur" or "average".
        method: key of `METHODS`.
        metric: "accuracy", "psnr" or "ssim".
    """

    table: int
    row: str
    column: str
    value: float
    dataset: str
    distortion: str
    method: str
    metric: str = "accuracy"

    @property
    def restorer(self) -> str:
        """Our restorer(s) that this number is about, joined by "+"."""
        restorers = METHODS[self.method]
        if self.distortion != "average":
            return restorers[self.distortion]
        return "+".join(dict.fromkeys(restorers.values()))


def _everywhere(restorer: str) -> dict[str, str]:
    return {"clean": restorer, "noise": restorer, "blur": restorer}


#: Method (a column of Tables 2 to 4, a line of Figures 4 to 7) -> our restorer for each distortion.
#: RecNet (single) is two networks, one a distortion (Section IV-B1), and so has no one answer for clean
#: images; nor has the classifier that was fine-tuned on a single distortion (Section IV-B2).
METHODS: dict[str, dict[str, str]] = {
    "none": _everywhere("none"),
    "recnet-single": {"noise": "recnet-noise", "blur": "recnet-blur"},
    "recnet-multiple": _everywhere("recnet-multiple"),
    "qrnet": _everywhere("qrnet-multiple"),
    "small_qrnet": _everywhere("small_qrnet-multiple"),
    # Table 4 trains the classifier's fully connected layers: alone, or together with QRNet.
    "finetuned-single": {"noise": "finetuned-noise", "blur": "finetuned-blur"},
    "finetuned-multiple": _everywhere("finetuned-multiple"),
    "end-to-end": _everywhere("end_to_end-multiple"),
    "mqrnet": _everywhere("mqrnet-multiple"),  # Figure 6
}


def _conv(channels: int, size: str = "3×3") -> Layer:
    return Layer("Conv.", str(channels), size)


def _encoder(channels: int) -> list[Layer]:
    return [_conv(channels), _conv(channels), Layer("Maxpool.", filter="2×2")]


def _decoder(channels: int, dropout: bool) -> list[Layer]:
    up = Layer("Transposed Conv.", str(channels), "2×2", "2")
    middle = [Layer("Dropout")] if dropout else []
    return [up, Layer("Concat."), _conv(channels), *middle, _conv(channels)]


#: Table 1, the structure of QRNet, in 34 rows, the number of layers that Section III-A states.
TABLE1: tuple[Layer, ...] = (
    *(row for channels in (16, 32, 64, 128) for row in _encoder(channels)),
    _conv(256),
    _conv(256),
    *_decoder(128, dropout=True),
    *_decoder(64, dropout=True),
    *_decoder(32, dropout=False),
    *_decoder(16, dropout=False),
    _conv(3, "1×1"),
    Layer("Sigmoid."),
)

_ROWS = {"noise": "Gaussian Noise", "blur": "Gaussian Blur", "average": "Average"}

_TABLE2 = {
    ("Caltech101", "noise"): (0.642, 0.828, 0.819, 0.832),
    ("Caltech101", "blur"): (0.259, 0.684, 0.571, 0.705),
    ("Caltech101", "average"): (0.450, 0.756, 0.694, 0.768),
    ("Caltech256", "noise"): (0.346, 0.496, 0.473, 0.521),
    ("Caltech256", "blur"): (0.098, 0.328, 0.242, 0.346),
    ("Caltech256", "average"): (0.222, 0.412, 0.357, 0.434),
}
_TABLE4 = {
    ("Caltech101", "noise"): (0.642, 0.831, 0.842, 0.861),
    ("Caltech101", "blur"): (0.259, 0.741, 0.745, 0.807),
    ("Caltech101", "average"): (0.450, 0.786, 0.793, 0.834),
    ("Caltech256", "noise"): (0.346, 0.545, 0.533, 0.582),
    ("Caltech256", "blur"): (0.098, 0.402, 0.414, 0.497),
    ("Caltech256", "average"): (0.222, 0.474, 0.473, 0.539),
}
_COLUMNS2 = {
    "none": "VGG16",
    "recnet-single": "RecNet (single) + VGG16",
    "recnet-multiple": "RecNet (multiple) + VGG16",
    "qrnet": "QRNet + VGG16",
}
_COLUMNS4 = {
    "none": "VGG16",
    "finetuned-single": "Fine-tuned VGG16 (single)",
    "finetuned-multiple": "Fine-tuned VGG16 (multiple)",
    "end-to-end": "QRNet + VGG16 (end-to-end)",
}


def _accuracies(table: int, values: dict, columns: dict[str, str]) -> Iterator[Printed]:
    for (dataset, distortion), row in values.items():
        for (method, column), value in zip(columns.items(), row, strict=True):
            name = f"{dataset} / {_ROWS[distortion]}"
            yield Printed(table, name, column, value, dataset, distortion, method)


#: Table 2, accuracy of VGG16 with and without a restorer in front of it.
TABLE2: tuple[Printed, ...] = tuple(_accuracies(2, _TABLE2, _COLUMNS2))

#: Table 3, accuracy with small QRNet; the paper's table has one row and no name for it.
TABLE3: tuple[Printed, ...] = tuple(
    Printed(3, "Caltech101", column, value, "Caltech101", distortion, "small_qrnet")
    for column, distortion, value in (
        ("Gaussian noise", "noise", 0.828),
        ("Gaussian blur", "blur", 0.694),
        ("Average", "average", 0.761),
    )
)

#: Table 4, accuracy with a fine-tuned classifier, and with QRNet and classifier trained together.
TABLE4: tuple[Printed, ...] = tuple(_accuracies(4, _TABLE4, _COLUMNS4))

#: Table 5, image quality before (method "none") and after QRNet; PSNR in dB.
TABLE5: tuple[Printed, ...] = tuple(
    Printed(5, metric.upper(), column, value, "Caltech101", distortion, method, metric)
    for metric, values in (
        ("psnr", (15.29, 23.30, 19.77, 20.85)),
        ("ssim", (0.330, 0.823, 0.656, 0.700)),
    )
    for (column, distortion, method), value in zip(
        (
            ("Gaussian noise / distorted image", "noise", "none"),
            ("Gaussian noise / recovered image", "noise", "qrnet"),
            ("Gaussian blur / distorted image", "blur", "none"),
            ("Gaussian blur / recovered image", "blur", "qrnet"),
        ),
        values,
        strict=True,
    )
)

_TABLES: dict[int, tuple[Printed, ...]] = {2: TABLE2, 3: TABLE3, 4: TABLE4, 5: TABLE5}


@dataclass(frozen=True)
class Fact:
    """A number in the paper's text: its value, its unit ("" for none) and its place."""

    name: str
    value: Any
    unit: str
    where: str


TIMINGS: tuple[Fact, ...] = (
    Fact("training epoch, QRNet with VGG16, Caltech101", 167, "s", "Section IV-B1"),
    Fact("classify a distorted image, QRNet with VGG16", 8.29, "ms", "Section IV-B1"),
    Fact("classify a distorted image, VGG16", 5.51, "ms", "Section IV-B1"),
    Fact("GPU", "GeForce GTX TITAN X", "", "Section IV-B1"),
)

SETTINGS: tuple[Fact, ...] = (
    Fact("noise sigma", (20, 40, 60, 80, 100), "of 255", "Section IV-A"),
    Fact("blur sigma", (2, 4, 6, 8, 10), "pixels", "Section IV-A"),
    Fact("blur kernel", (7, 15, 23, 31, 39), "pixels", "Section IV-A"),
    Fact("optimizer", "Adam", "", "Section IV-A"),
    Fact("learning rate", 1e-3, "", "Section IV-A"),
    Fact("dropout", 0.2, "", "Section IV-A"),
    Fact("batch size", 32, "images", "Section IV-A"),
    Fact("epochs at most", 200, "epochs", "Section IV-A"),
    Fact("early stopping patience", 5, "epochs", "Section IV-A"),
    Fact("lambda", 0.01, "", "Section IV-A, Eq. 4"),
    Fact("lambda tried", (0.1, 0.01, 0.001), "", "Section IV-A, Eq. 4"),
    Fact("lambda_i (VGG16, Inception V3)", (0.01, 0.01), "", "Section IV-A, Eq. 5"),
    Fact("test share", 0.2, "of all images", "Section IV-A"),
    Fact("validation share", 0.2, "of the training images", "Section IV-A"),
    Fact("layers of QRNet", 34, "layers", "Section III-A"),
)


def setting(name: str) -> Any:
    """Value of the entry `name` of `SETTINGS` or `TIMINGS`.

    >>> setting("blur kernel")
    (7, 15, 23, 31, 39)
    """
    facts = {fact.name: fact.value for fact in (*SETTINGS, *TIMINGS)}
    if name not in facts:
        raise QrlibError(f"the paper prints no setting {name!r}; it prints: {', '.join(facts)}")
    return facts[name]


def frame(table: int) -> pd.DataFrame:
    """Table 1 to 5 as a data frame, one printed number (Table 1: one layer) a row.

    Returns:
        Table 1: columns table, row (1 to 34), layer, channels, filter, stride.
        Others: the fields of `Printed`, with `dataset` in our spelling, and `restorer`.
    """
    if table == 1:
        layers = [{"table": 1, "row": i, **asdict(row)} for i, row in enumerate(TABLE1, start=1)]
        return pd.DataFrame(layers)
    if table not in _TABLES:
        raise QrlibError(f"the paper has no table {table!r}; it has tables 1, 2, 3, 4 and 5")
    rows = [asdict(cell) | {"restorer": cell.restorer} for cell in _TABLES[table]]
    ours = {theirs: ours for ours, theirs in DATASETS.items()}
    return pd.DataFrame(rows).replace({"dataset": ours})


def printed(
    table: int, dataset: str, distortion: str, method: str, metric: str = "accuracy"
) -> float:
    """The one printed number with these keys; `dataset` in the paper's spelling or in ours.

    >>> printed(2, "caltech101", "blur", "qrnet")
    0.705
    """
    wanted = (DATASETS.get(dataset, dataset), distortion, method, metric)
    for cell in _TABLES.get(table, ()):
        if (cell.dataset, cell.distortion, cell.method, cell.metric) == wanted:
            return cell.value
    raise QrlibError(
        f"Table {table} of the paper prints no number for {', '.join(wanted)}; "
        f"qrlib.paper.frame({table}) lists those it prints"
    )


def find(dataset: str, distortion: str, method: str, metric: str = "accuracy") -> float | None:
    """As `printed`, from whichever of Tables 2 to 5 prints it; None if none does.

    >>> find("caltech101", "blur", "small_qrnet"), find("caltech101", "clean", "none")
    (0.694, None)
    """
    wanted = (DATASETS.get(dataset, dataset), distortion, method, metric)
    for cell in (cell for table in _TABLES.values() for cell in table):
        if (cell.dataset, cell.distortion, cell.method, cell.metric) == wanted:
            return cell.value
    return None
