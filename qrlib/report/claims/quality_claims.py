"""The sentences of Section IV-D, on image quality and accuracy; data for `qrlib.report.claims.paper_claims`."""

from __future__ import annotations

from collections.abc import Iterator

from qrlib.report import tables
from qrlib.report.claims.comparisons import HIGH, SIMILAR, AtEqualQuality, Bend, Comparison, beats
from qrlib.report.claims.evidence import Side
from qrlib.report.claims.rule import Claim

_FIGURE7 = "Section IV-D, Figure 7"
_TABLE5 = "Section IV-D, Table 5"


def on_quality() -> Iterator[Claim]:
    """The claims of Section IV-D, in its order."""
    lines = tuple(tables.FIGURE7_METHODS)
    yield Claim(
        "psnr-accuracy-not-linear",
        "Under noise, accuracy does not follow PSNR on a straight line.",
        _FIGURE7,
        tuple(Bend(method, "noise", "psnr", SIMILAR) for method in lines),
    )
    differing = tuple((a, b) for i, a in enumerate(lines) for b in lines[i + 1 :])
    yield Claim(
        "psnr-accuracy-differs",
        "Under noise, how accuracy follows PSNR differs between QRNet, RecNet and no restoration.",
        _FIGURE7,
        tuple(AtEqualQuality(a, b, "noise", "psnr", "differs", SIMILAR) for a, b in differing),
    )
    yield Claim(
        "ssim-accuracy-similar-restored",
        "Under noise, accuracy follows SSIM alike for QRNet and RecNet.",
        _FIGURE7,
        (AtEqualQuality("qrnet", "recnet-multiple", "noise", "ssim", "similar", SIMILAR),),
    )
    yield Claim(
        "ssim-accuracy-differs-unrestored",
        "Under noise, accuracy follows SSIM differently without restoration.",
        _FIGURE7,
        tuple(
            AtEqualQuality(method, "none", "noise", "ssim", "differs", SIMILAR)
            for method in ("qrnet", "recnet-multiple")
        ),
    )
    yield Claim(
        "qrnet-beats-recnet-multiple-high-blur",
        "QRNet keeps its accuracy where blur leaves image quality low, better than RecNet.",
        _FIGURE7,
        (beats("qrnet", "recnet-multiple", "blur", HIGH),),
    )
    for quality in ("psnr", "ssim"):
        yield Claim(
            f"equal-{quality}-recnet-less-accurate-blur",
            f"Under blur, at equal {quality.upper()}, RecNet's images are classified less accurately "
            "than QRNet's.",
            _FIGURE7,
            (AtEqualQuality("qrnet", "recnet-multiple", "blur", quality),),
        )
    for distortion in ("noise", "blur"):
        yield Claim(
            f"qrnet-improves-quality-{distortion}",
            f"QRNet raises PSNR and SSIM, on {distortion}.",
            _TABLE5,
            tuple(beats("qrnet", "none", distortion, metric=m) for m in ("psnr", "ssim")),
        )
    yield Claim(
        "quality-gain-larger-on-noise",
        "QRNet raises PSNR and SSIM less on blur than on noise.",
        _TABLE5,
        tuple(
            Comparison(
                Side("qrnet", "noise", metric=metric, over="none"),
                Side("qrnet", "blur", metric=metric, over="none"),
            )
            for metric in ("psnr", "ssim")
        ),
    )
