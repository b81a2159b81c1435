"""Runs whose answers are known image by image."""

from __future__ import annotations

import numpy as np

from qrlib.records import per_image
from support.frames import run, runs

#: Test images.
N = 400


def rows(restorer, right, confidence):
    """One run: each case has these answers and confidences, one an image."""
    frame = run(restorer, 0, right.mean(), right.mean(), right.mean(), n=N)
    known = {"entropy": 1 - confidence, "feature_distance": (1 - confidence) / 2}
    kept = per_image.pack(right, "accuracy", confidence=confidence, **known)
    more = [frame.assign(images=None, **kept)]
    for metric in ("psnr", "ssim"):
        values = {"images": per_image.pack_values(confidence, metric)}
        more.append(frame.assign(metric=metric, **dict.fromkeys(kept), **values))
    return runs(*more)


def halves():
    """Without a restorer and with QRNet some half of the images each is recognised; it is surer there."""
    rng = np.random.default_rng(0)
    raw, restored = rng.random(N) < 0.5, rng.random(N) < 0.5
    sure = [np.where(right, 0.8, 0.3) + 0.1 * rng.random(N) for right in (raw, restored)]
    return runs(rows("none", raw, sure[0]), rows("qrnet-multiple", restored, sure[1]))
