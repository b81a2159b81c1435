"""What a record holds, as a JSON schema; `qrlib.records.store` checks every record against it."""

from __future__ import annotations

from typing import Any

SCHEMA = 1
KINDS = (
    "classifier",
    "recovery",
    "evaluation",
    "timing",
    "conventions",
    "corruptions",
    "attacks",
    "adaptation",
)
#: Kind of record -> the metrics of its results.
METRICS = {
    "evaluation": ("accuracy", "psnr", "ssim"),
    "timing": ("milliseconds_per_image", "seconds_per_epoch"),
    "corruptions": ("accuracy",),
    "attacks": ("accuracy",),
    "adaptation": ("accuracy",),
}

#: Names of runs and profiles are parts of paths: letters, digits and ``. _ + -``, nothing behind them.
_NAME = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._+-]*(?![\s\S])"}
_DISTORTION = {"enum": ["clean", "noise", "blur"]}
_RESULT = {
    "type": "object",
    "required": "dataset restorer classifier distortion level strength seed metric value n".split(),
    "additionalProperties": False,
    "properties": {
        "dataset": {"type": "string"},
        "restorer": {"type": "string"},
        "classifier": {"type": "string"},
        "distortion": {"type": "string", "pattern": r"^[a-z_]+(?![\s\S])"},
        "level": {"type": "integer", "minimum": 0},
        "strength": {"type": "number", "minimum": 0},
        "seed": {"type": "integer"},
        "metric": {"enum": sorted({metric for metrics in METRICS.values() for metric in metrics})},
        "value": {"type": "number"},
        "n": {"type": "integer", "minimum": 1},
        "error": {"type": "number", "minimum": 0},
        # `qrlib.records.per_image`; older records have no confidence and no images.
        "right": {"type": "string", "pattern": r"^([0-9a-f]{2})+(?![\s\S])"},
        "confidence": {"type": "string", "contentEncoding": "base64"},
        "images": {"type": "string", "contentEncoding": "base64"},
    },
}
_TEXTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_SAMPLES = {
    "type": "object",
    "required": "file sha256 side ids labels cases answers".split(),
    "additionalProperties": False,
    "properties": {
        "file": {
            "type": "string",
            "pattern": r"^samples/[A-Za-z0-9][A-Za-z0-9._+-]*\.webp(?![\s\S])",
        },
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "side": {"type": "integer", "minimum": 1},
        "ids": _TEXTS,
        "labels": _TEXTS,
        "cases": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["distortion", "level", "strength"],
                "additionalProperties": False,
                "properties": {
                    "distortion": _DISTORTION,
                    "level": _RESULT["properties"]["level"],  # type: ignore[index]
                    "strength": _RESULT["properties"]["strength"],  # type: ignore[index]
                },
            },
        },
        "answers": {
            "type": "array",
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["answer", "confidence"],
                    "additionalProperties": False,
                    "properties": {
                        "answer": {"type": "string"},
                        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
                    },
                },
            },
        },
    },
}
#: `qrlib.evaluation.check_precision`.
_PRECISION_CHECK = {
    "type": "object",
    "required": "precision decisions agreement".split(),
    "additionalProperties": False,
    "properties": {
        "precision": {"type": "string"},
        "decisions": {"type": "integer", "minimum": 1},
        "agreement": {"type": "number", "minimum": 0, "maximum": 1},
    },
}
_CONVENTION = {
    "type": "object",
    "required": "convention factor distortion level strength metric value error n".split(),
    "additionalProperties": False,
    "properties": {
        "convention": {"type": "string", "minLength": 1},
        "factor": {"type": "string", "minLength": 1},
        "distortion": {"enum": ["noise", "blur"]},
        "level": {"type": "integer", "minimum": 1},
        "strength": {"type": "number", "minimum": 0},
        "metric": {"enum": ["psnr", "ssim"]},
        "value": {"type": "number"},
        "error": {"type": "number", "minimum": 0},
        "n": {"type": "integer", "minimum": 1},
    },
}

#: Its number, seconds and losses.
_EPOCH = {
    "type": "object",
    "required": ["epoch"],
    "properties": {"epoch": {"type": "integer", "minimum": 1}},
    "additionalProperties": {"type": "number"},
}


def _of(
    kind: str, then: dict[str, Any] | None = None, otherwise: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A rule for the records of one kind, and one for all others."""
    is_kind = {"properties": {"kind": {"const": kind}}}
    return {"if": is_kind, "then": then or {}, "else": otherwise or {}}


RECORD: dict[str, Any] = {
    "type": "object",
    "required": "schema kind name profile config provenance results training".split(),
    "additionalProperties": False,
    "properties": {
        "schema": {"const": SCHEMA},
        "kind": {"enum": list(KINDS)},
        "name": _NAME,
        "profile": _NAME,
        "config": {"type": "object"},
        "provenance": {
            "type": "object",
            "required": (
                "git_commit git_dirty code behaviour versions device seconds manifest weights".split()
            ),
            "properties": {"behaviour": {"type": "integer", "minimum": 0}},
        },
        "results": {"type": "array", "items": _RESULT},
        "conventions": {"type": "array", "items": _CONVENTION, "minItems": 1},
        "training": {
            "type": ["object", "null"],
            "properties": {
                "epochs": {"type": "array", "items": _EPOCH},
                "best_epoch": {"type": "integer", "minimum": 1},
            },
        },
        "samples": _SAMPLES,
        "precision_check": _PRECISION_CHECK,
    },
    "allOf": [
        *(
            _of(kind, then={"properties": {"results": {"items": {"properties": {"metric": only}}}}})
            for kind, metrics in METRICS.items()
            for only in [{"enum": list(metrics)}]
        ),
        # The standard error of a time; older records have none.
        _of(
            "timing",
            otherwise={"properties": {"results": {"items": {"properties": {"error": False}}}}},
        ),
        _of("evaluation", otherwise={"properties": {"samples": False}}),
        *(
            _of(
                kind,
                then={
                    "properties": {
                        "results": {"items": {"properties": {"distortion": _DISTORTION}}}
                    }
                },
            )
            for kind in KINDS
            if kind not in ("corruptions", "attacks")
        ),
        _of(
            "conventions",
            then={"required": ["conventions"]},
            otherwise={"properties": {"conventions": False}},
        ),
    ],
}
