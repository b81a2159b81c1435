"""Table 1 as a picture, and Figures 2 and 3: drawn from a model, and from a training's loss.

Nothing is placed by hand for one network or one training: `network` takes the layers of a model,
`training` takes the classifiers and their lambda_i from a `qrlib.losses.RecoveryLoss`.
"""

from __future__ import annotations

from fractions import Fraction

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qrlib.classifiers import ARCHITECTURES
from qrlib.losses import RecoveryLoss
from qrlib.models import QRNet
from qrlib.report.figures.drawing import GREY, WIDTH, Point, arrow, box, canvas, polygon, text
from qrlib.report.figures.layers import Layer, layers
from qrlib.utils.errors import QrlibError, choose

# Kind of layer -> tint and outline, from Okabe and Ito's palette; all carry black text.
KINDS = {
    "conv": ("#cfe5f3", "#0072B2"),
    "pool": ("#fdf0d5", "#E69F00"),
    "up": ("#cdebe1", "#009E73"),
    "concat": ("#e6e6e6", GREY),
    "dropout": ("#f6e3ed", "#CC79A7"),
    "sigmoid": ("#fbe3d6", "#D55E00"),
}

# Sizes of the picture of a network, in inches.
BOX, PITCH, JOINT, INSET = 0.26, 0.37, 0.44, 0.15
LEFT, RIGHT, BREADTH, BETWEEN = 0.72, WIDTH - 0.08, 2.37, 0.3


def network(model: QRNet) -> Figure:
    """Table 1 as a picture: the encoder goes down on the left, the decoder up on the right.

    A box is a layer, with the channels of its output; a band is a size of the feature maps, with their
    side as a fraction of the input's; arrows between the columns are skip connections.

    Raises:
        QrlibError: not a `QRNet`.
    """
    every = layers(model)
    places, bands = _places(every)
    with canvas(bands[-1][2] + 0.08) as (figure, ax):
        for side, top, bottom in bands:
            corners = [(0.04, top), (WIDTH - 0.04, top), (WIDTH - 0.04, bottom), (0.04, bottom)]
            polygon(ax, corners, {"fc": "#f4f4f4", "ec": "none"})
            text(ax, 0.36, (top + bottom) / 2, str(side), weight="bold")
        text(ax, 0.36, 0.44, "side")
        total = sum(layer.parameters for layer in every)
        centre = LEFT + BREADTH / 2
        text(ax, centre, 0.2, f"{total:,} parameters", weight="bold")
        text(ax, centre, 0.44, "numbers: channels")
        for i, (layer, (x, y, width)) in enumerate(zip(every, places, strict=True)):
            fill, edge = KINDS[layer.kind]
            look = {"fc": fill, "ec": edge, "lw": 1.5}
            box(ax, (x, y), (width, BOX), "", look, f"layer-{i + 1}-{layer.kind}")
            text(ax, x + 0.07, y, layer.text, ha="left", size=13)
            text(ax, x + width - 0.07, y, str(layer.channels), ha="right", weight="bold", size=13)
            if i:
                arrow(ax, _link(places[i - 1], places[i]))
            if layer.kind == "concat":
                source = _last(every, layer.side)
                start, _, breadth = places[source]
                ends = [(start + breadth, y), (x, y)]
                arrow(ax, ends, color=edge, name=f"skip-{every[source].channels}")
                text(ax, (ends[0][0] + x) / 2, y - 0.16, "skip", size=12)
        x, y, width = places[0]
        text(ax, x + width / 2, y - 0.55, "image, 3 channels")
        arrow(ax, [(x + width / 2, y - 0.44), (x + width / 2, y - BOX / 2)])
        x, y, width = places[-1]
        text(ax, x + width / 2, y - 0.45, f"recovered, {every[-1].channels} channels")
        arrow(ax, [(x + width / 2, y - BOX / 2), (x + width / 2, y - 0.34)])
    return figure


def _last(every: list[Layer], side: Fraction) -> int:
    """Index of the encoder's last layer of one size, whose output is skipped across."""
    return max(i for i, n in enumerate(every) if (n.part, n.side) == ("encoder", side))


def _places(
    every: list[Layer],
) -> tuple[list[tuple[float, float, float]], list[tuple[Fraction, float, float]]]:
    """Left edge, y and width of each layer's box; side, top and bottom of each band."""
    sides = sorted({layer.side for layer in every}, reverse=True)
    joints = ("pool", "up")  # stand between the bands
    places: dict[int, tuple[float, float, float]] = {}
    bands = []
    top = 0.62
    for level, side in enumerate(sides):
        here = [i for i, n in enumerate(every) if n.side == side and n.kind not in joints]
        down = [i for i in here if every[i].part == "encoder"]
        up = [i for i in here if every[i].part != "encoder"]
        low, high = LEFT + level * INSET, RIGHT - level * INSET
        for i, layer in enumerate(every):
            if layer.side == side and layer.kind == "pool":
                places[i] = (low - INSET / 2, top - JOINT / 2, BREADTH)
        if level == len(sides) - 1:  # the bottleneck lies across
            each = (high - low - BETWEEN * (len(down) - 1)) / len(down)
            for k, i in enumerate(down):
                places[i] = (low + k * (each + BETWEEN), top + PITCH / 2, each)
            bands.append((side, top, top + PITCH))
            break
        bottom = top + max(len(down), len(up)) * PITCH
        for k, i in enumerate(reversed(down)):
            places[i] = (low, bottom - (k + 0.5) * PITCH, BREADTH)
        for k, i in enumerate(up):
            places[i] = (high - BREADTH, bottom - (k + 0.5) * PITCH, BREADTH)
        before = up[0] - 1  # the transposed convolution
        places[before] = (high - INSET / 2 - BREADTH, bottom + JOINT / 2, BREADTH)
        bands.append((side, top, bottom))
        top = bottom + JOINT
    return [places[i] for i in range(len(every))], bands


def _link(one: tuple[float, float, float], other: tuple[float, float, float]) -> list[Point]:
    """From box to box: to the right if they stand level, else up or down where they overlap."""
    if one[1] == other[1]:
        return [(one[0] + one[2], one[1]), (other[0], other[1])]
    x = (max(one[0], other[0]) + min(one[0] + one[2], other[0] + other[2])) / 2
    way = BOX / 2 if other[1] > one[1] else -BOX / 2
    return [(x, one[1] + way), (x, other[1] - way)]


# Columns of the picture of a training: left edge and width, in inches.
BATCH, RESTORER, RESTORED = (0.06, 0.9), (1.24, 1.05), (2.58, 0.46)
CLASSIFIER, LOSS = (3.62, 1.85), (5.83, 1.11)
ROW, FIRST = 1.2, 1.96
GRADIENT = {"color": "#D55E00", "line": (0, (1.2, 1)), "width": 2.2}
FROZEN = {"fc": "#eeeeee", "ec": GREY, "ls": (0, (3, 2)), "lw": 1.8}
TRAINED = {"fc": "#cfe5f3", "ec": "#0072B2", "ls": "-", "lw": 2.4}
DATA = {"fc": "#f4f4f4", "ec": GREY, "lw": 1.2}
JUDGE = {"fc": "#fbe3d6", "ec": "#D55E00", "lw": 1.2}
# What the paper calls network and loss, with no, one and several classifiers.
CALLED = (
    ("RecNet", r"$Loss = L_q$"),
    ("QRNet", r"$Loss_{single} = L_q + \lambda L_r$   (equation 4)"),
    ("MQRNet", r"$Loss_{multi} = L_q + \sum_i \lambda_i L_{C_i}$   (equation 5)"),
)


def training(loss: RecoveryLoss, *, unseen: str | None = None) -> Figure:
    """Figures 2 and 3: which networks and losses a training has, and where its gradients go.

    One classifier in `loss` gives Figure 2, several Figure 3, none the training of RecNet.  What is
    trained has a solid outline, what is frozen a dashed one.  Dotted arrows are gradients: they pass
    through what is frozen, and a classifier whose lambda is 0 sends none.

    Args:
        loss: its weights name the classifiers C_i, keys of `qrlib.classifiers.ARCHITECTURES`.
        unseen: a classifier that only evaluates what Q has learnt, as ResNet does in Figure 3.

    Raises:
        QrlibError: an unknown classifier, or an unseen one that the loss has seen.
    """
    weights = loss.weights
    for name in [*weights, *([] if unseen is None else [unseen])]:
        choose("classifier", name, ARCHITECTURES)
    if unseen in weights:
        raise QrlibError(f"{unseen} is not unseen: it has a weight in the loss; choose another")
    rows = len(weights) + (unseen is not None)
    ys = [FIRST + ROW * i for i in range(max(rows, 1))]
    y = (ys[0] + ys[max(len(weights), 1) - 1]) / 2
    called, formula = CALLED[min(len(weights), 2)]
    bottom = max(y + 1.42, ys[-1] + (0.86 if unseen else 0.56))
    with canvas(bottom + 0.86) as (figure, ax):
        _data(ax, y)
        _restorer(ax, y, called)
        for number, (name, weight) in enumerate(weights.items(), start=1):
            place = ys[number - 1]
            many = len(weights) > 1
            label = f"$C_{{{number}}}$ {name}" if many else f"$C$ {name}"
            _classifier(ax, place, name, label)
            _judged(ax, place, y, name, weight, number if many else None)
        if unseen is not None:
            _evaluated(ax, ys[-1], y, unseen)
        _legend(ax, bottom, formula, frozen=bool(rows))
    return figure


def _pair(ax: Axes, start: Point, end: Point, name: str | None) -> None:
    """An arrow of what is computed, and, if `name` is given, one of the gradient beside it."""
    upright = start[0] == end[0]
    dx, dy = (0.08, 0) if upright else (0, 0.08)
    if name is None:
        arrow(ax, [start, end])
        return
    arrow(ax, [(start[0] - dx, start[1] - dy), (end[0] - dx, end[1] - dy)])
    back = [(end[0] + dx, end[1] + dy), (start[0] + dx, start[1] + dy)]
    arrow(ax, back, name=f"gradient:{name}", **GRADIENT)  # type: ignore[arg-type]


def _leaving(source: float, y: float, limit: float) -> Point:
    """Where the way to a classifier at height y leaves the recovered images: ways do not cross."""
    return RESTORED[0] + RESTORED[1], source + max(-limit, min(limit, 0.27 * (y - source)))


def _data(ax: Axes, y: float) -> None:
    """Clean images and their distorted copies make a batch."""
    x, width = BATCH
    box(ax, (x, 0.38), (width, 0.6), "clean\n$x^*$", DATA)
    arrow(ax, [(x + width, 0.38), (1.36, 0.38)])
    distortion = {**DATA, "fc": KINDS["pool"][0], "ec": KINDS["pool"][1]}
    box(
        ax,
        (1.36, 0.38),
        (2.94, 0.6),
        "noise or blur of one level,\ndrawn for each batch",
        distortion,
    )
    arrow(ax, [(4.3, 0.38), (4.7, 0.38)])
    box(ax, (4.7, 0.38), (1.1, 0.6), "distorted\n$x$", DATA)
    arrow(ax, [(x + 0.25, 0.68), (x + 0.25, y - 0.35)])
    arrow(ax, [(5.25, 0.68), (5.25, 0.94), (x + 0.65, 0.94), (x + 0.65, y - 0.35)])
    box(ax, (x, y), (width, 0.7), "batch\n$x^*$, $x$", DATA)
    arrow(ax, [(x + width, y), (RESTORER[0], y)])


def _restorer(ax: Axes, y: float, called: str) -> None:
    """Q, the recovered images, and L_q, which compares them with the clean ones."""
    x, width = RESTORER
    half = width / 2
    outline = [(0, -0.5), (half, -0.28), (width, -0.5), (width, 0.5), (half, 0.28), (0, 0.5)]
    polygon(ax, [(x + dx, y + dy) for dx, dy in outline], TRAINED, "trained:Q")
    text(ax, x + half, y, "Q", weight="bold", size=17)
    text(ax, x + half, y - 0.64, called, weight="bold")
    text(ax, x + half, y + 0.64, "trained")
    box(ax, (RESTORED[0], y), (RESTORED[1], 0.6), r"$\tilde{x}$", DATA)
    _pair(ax, (x + width, y), (RESTORED[0], y), "Q")
    middle, low = RESTORED[0] + RESTORED[1] / 2, y + 1.15
    start = RESTORED[0] + RESTORED[1] - 1.75
    box(ax, (start, low), (1.75, 0.44), r"$L_q$: $\tilde{x}$ against $x^*$", JUDGE)
    _pair(ax, (middle, y + 0.3), (middle, low - 0.22), "quality")
    centre = BATCH[0] + BATCH[1] / 2
    arrow(ax, [(centre, y + 0.35), (centre, low), (start, low)])


def _classifier(ax: Axes, y: float, name: str, label: str) -> None:
    x, width = CLASSIFIER
    text(ax, x + width / 2, y - 0.58, label, weight="bold")
    corners = [(x, y - 0.42), (x + width, y - 0.3), (x + width, y + 0.3), (x, y + 0.42)]
    polygon(ax, corners, FROZEN, f"frozen:{name}")
    text(ax, x + width / 2, y, "frozen")


def _judged(
    ax: Axes, y: float, source: float, name: str, weight: float, number: int | None
) -> None:
    """lambda_i L_Ci of a classifier, and the ways there and back."""
    x, width = LOSS
    index = "" if number is None else f"_{{{number}}}"
    term = "L_r" if number is None else f"L_{{C_{{{number}}}}}"
    words = rf"$\lambda{index}\,{term}$" + "\n" + rf"$\lambda{index} = {weight:g}$"
    box(ax, (x, y), (width, 0.62), words, JUDGE, f"loss:{name}")
    text(ax, x + width / 2, y - 0.6, "labels $t$")
    arrow(ax, [(x + width / 2, y - 0.5), (x + width / 2, y - 0.31)])
    _pair(ax, _leaving(source, y, 0.2), (CLASSIFIER[0], y), name if weight else None)
    ends = (CLASSIFIER[0] + CLASSIFIER[1], y), (x, y)
    _pair(ax, *ends, f"loss of {name}" if weight else None)


def _evaluated(ax: Axes, y: float, source: float, name: str) -> None:
    """A classifier that Q has not met in training: nothing comes back from it."""
    _classifier(ax, y, name, name)
    arrow(ax, [_leaving(source, y, 0.28), (CLASSIFIER[0], y)])
    arrow(ax, [(CLASSIFIER[0] + CLASSIFIER[1], y), (LOSS[0], y)])
    box(ax, (LOSS[0], y), (LOSS[1], 0.44), "accuracy", DATA, f"unseen:{name}")
    text(ax, (CLASSIFIER[0] + LOSS[0] + LOSS[1]) / 2, y + 0.6, "evaluation, after training")


def _legend(ax: Axes, y: float, formula: str, frozen: bool) -> None:
    text(ax, 0.08, y + 0.2, formula, ha="left")
    y += 0.62
    arrow(ax, [(0.08, y), (0.5, y)])
    text(ax, 0.58, y, "computed", ha="left")
    arrow(ax, [(2.2, y), (1.78, y)], **GRADIENT)  # type: ignore[arg-type]
    text(ax, 2.28, y, "gradient", ha="left")
    looks = [("trained", TRAINED), *([("frozen", FROZEN)] if frozen else [])]
    for x, (state, look) in zip((3.62, 5.35), looks, strict=False):
        box(ax, (x, y), (0.42, 0.24), "", look)
        text(ax, x + 0.5, y, state, ha="left")
