"""What a record holds; `qrlib.records.store` checks every record by it, on the way in and out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = 1
#: Kind of record -> the metrics of its results.
METRICS: dict[str, tuple[str, ...]] = {
    "evaluation": ("accuracy", "psnr", "ssim"),
    "timing": ("milliseconds_per_image", "seconds_per_epoch"),
    "corruptions": ("accuracy",),
    "attacks": ("accuracy",),
    "adaptation": ("accuracy",),
}
KINDS = ("classifier", "recovery", "conventions", *METRICS)
#: The kinds whose results are of other distortions than these, and one that has a stream of all three.
_OF_OTHERS, _DISTORTIONS = ("corruptions", "attacks"), ("clean", "noise", "blur")
_MIXED = ("adaptation", "mixed")

_Count = Annotated[int, Field(ge=1)]
_Natural = Annotated[int, Field(ge=0)]
_Size = Annotated[float, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Text = Annotated[str, Field(min_length=1)]
_Texts = Annotated[list[str], Field(min_length=1)]
#: Names of runs and profiles are parts of paths: letters, digits and ``. _ + -``, nothing behind them.
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]


class _Closed(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class _Open(BaseModel):
    """May hold more than is named."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class Result(_Closed):
    """One number; what is known of its images is for `qrlib.records.per_image`, and not in older records."""

    dataset: str
    restorer: str
    classifier: str
    distortion: Annotated[str, Field(pattern="^[a-z_]+$")]
    level: _Natural
    strength: _Size
    seed: int
    metric: str
    value: float
    n: _Count
    error: _Size | None = None  # standard error, of a time
    right: Annotated[str, Field(pattern="^([0-9a-f]{2})+$")] | None = None
    confidence: str | None = None
    entropy: str | None = None
    feature_distance: str | None = None
    images: str | None = None
    found: dict[str, _Share] | None = None  # kind -> in how many images a detector finds it


class Convention(_Closed):
    """One number of `qrlib.experiments.conventions`."""

    convention: _Text
    factor: _Text
    distortion: Literal["noise", "blur"]
    level: _Count
    strength: _Size
    metric: Literal["psnr", "ssim"]
    value: float
    error: _Size
    n: _Count


class Case(_Closed):
    """How the images of a column were distorted."""

    distortion: Literal["clean", "noise", "blur"]
    level: _Natural
    strength: _Size


class Answer(_Closed):
    """What the classifier said of a tile."""

    answer: str
    confidence: _Share


class Samples(_Closed):
    """A sheet of `qrlib.experiments.samples`."""

    file: Annotated[str, Field(pattern=r"^samples/[A-Za-z0-9][A-Za-z0-9._+-]*\.webp$")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    side: _Count
    ids: _Texts
    labels: _Texts
    cases: Annotated[list[Case], Field(min_length=1)]
    answers: list[list[Answer]]


class PrecisionCheck(_Closed):
    """What `qrlib.evaluation.check_precision` returns."""

    precision: str
    decisions: _Count
    agreement: _Share


class Provenance(_Open):
    """Where a record comes from (`qrlib.experiments.train.provenance_of`)."""

    git_commit: str | None
    git_dirty: bool | None
    code: str
    behaviour: _Natural
    versions: dict[str, str]
    device: str
    seconds: float
    manifest: str
    weights: dict[str, str]


class Epoch(_Open):
    """Its number, seconds and losses."""

    epoch: _Count
    __pydantic_extra__: dict[str, float]


class Training(_Open):
    """Its epochs, and which was kept."""

    epochs: list[Epoch] = []
    best_epoch: _Count | None = None


class Record(_Closed):
    """One run."""

    version: Literal[1] = Field(alias="schema")
    kind: Literal[KINDS]  # type: ignore[valid-type]
    name: _Name
    profile: _Name
    config: dict[str, Any]
    provenance: Provenance
    results: list[Result]
    training: Training | None
    conventions: Annotated[list[Convention], Field(min_length=1)] | None = None
    samples: Samples | None = None
    precision_check: PrecisionCheck | None = None

    def misfits(self) -> Iterator[tuple[str, str]]:
        """Where and how its parts do not fit each other."""
        for i, row in enumerate(self.results):
            if row.metric not in METRICS.get(self.kind, ()):
                yield f"results/{i}/metric", f"{row.metric!r} is no metric of its kind"
            known = row.distortion in _DISTORTIONS or (self.kind, row.distortion) == _MIXED
            if self.kind not in _OF_OTHERS and not known:
                yield f"results/{i}/distortion", f"{row.distortion!r} is no distortion of its kind"
            if self.kind != "timing" and row.error is not None:
                yield f"results/{i}/error", "only a time has one"
        if (self.conventions is None) == (self.kind == "conventions"):
            yield "conventions", "they are in records of that kind, and in no others"
        if self.samples is None:
            return
        images, cases = len(self.samples.ids), len(self.samples.cases)
        if self.kind != "evaluation":
            yield "samples", "only an evaluation has a sheet"
        if len(self.samples.labels) != images or len(self.samples.answers) != images:
            yield "samples", f"{images} ids need as many labels and rows of answers"
        if any(len(row) != cases for row in self.samples.answers):
            yield "samples", f"{cases} cases need as many answers an image"
