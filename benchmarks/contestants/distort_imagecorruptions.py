"""imagecorruptions (Michaelis et al. 2019, after Hendrycks and Dietterich), an image at a time, on the
CPU.  Its levels are its own; the nearest is taken."""

from __future__ import annotations

import numpy as np
from imagecorruptions import corrupt

from benchmarks.contest import Absent, Ready
from benchmarks.contestants import batch
from benchmarks.settings import Settings

#: Sigmas of its five severities.
BLURS = (1, 2, 3, 4, 6)
NOISES = (0.08, 0.12, 0.18, 0.26, 0.38)


def _ready(settings: Settings, name: str, severity: int, sigma: str) -> Ready:
    images = batch.images(settings).permute(0, 2, 3, 1).mul(255).round().byte().numpy()

    def run() -> None:
        np.stack([corrupt(i, corruption_name=name, severity=severity) for i in images])

    try:
        run()
    except TypeError as error:  # it calls scikit-image as that was years ago
        raise Absent(f"imagecorruptions does not work with this scikit-image: {error}") from error
    return Ready(run, note=f"severity {severity}, sigma {sigma}; from and to uint8")


def blur(settings: Settings, *, sigma: float) -> Ready:
    severity = min(range(5), key=lambda i: abs(BLURS[i] - sigma))
    return _ready(settings, "gaussian_blur", severity + 1, str(BLURS[severity]))


def noise(settings: Settings, *, sigma: float) -> Ready:
    severity = min(range(5), key=lambda i: abs(NOISES[i] - sigma / 255))
    return _ready(settings, "gaussian_noise", severity + 1, f"{NOISES[severity] * 255:.0f} of 255")
