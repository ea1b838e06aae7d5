# SPDX-License-Identifier: MIT
"""Pillow: Image.resize of mode F images, without its box argument."""
import numpy as np
import PIL
from PIL import Image

from calls import Call, layout

# the filter, the library's keys, support
METHODS = [
    (Image.Resampling.NEAREST, {"mode": "nearest", "antialias": 0}, 0),
    (Image.Resampling.BOX, {"mode": "box"}, 0.5),
    (Image.Resampling.BILINEAR, {"mode": "linear"}, 1),
    (Image.Resampling.HAMMING, {"mode": "hamming"}, 1),
    (Image.Resampling.BICUBIC, {}, 2),  # Pillow's default and the preset's
    (Image.Resampling.LANCZOS, {"mode": "lanczos"}, 3),
]


def VERSION():
    return PIL.__version__


def resize(rng, quick):
    top = 12 if quick else 50
    method, keys, support = METHODS[rng.integers(len(METHODS))]
    rank = int(rng.choice([1, 2, 2, 2]))
    size = [1] * (2 - rank) + [int(n) for n in rng.integers(1, top, rank)]
    target = [1] * (2 - rank) + [int(m) for m in rng.integers(1, 2 * top, rank)]
    x = (rng.standard_normal((int(rng.integers(1, 3)), int(rng.integers(1, 4)), *size)) * 8).astype(np.float32)
    if rng.random() < 0.3:
        x = np.rint(x)
    expected = np.stack(
        [[np.asarray(Image.fromarray(c).resize(tuple(target[::-1]), method)) for c in image] for image in x]
    )
    if rank == 1:
        x, expected = x[:, :, 0], expected[:, :, 0]
    taps = sum(2 * support * max(1.0, n / m) + 1 for n, m in zip(size, target))
    return Call(
        op="resize",
        preset="pillow",
        keys={**keys, "sizes": target[2 - rank :]},
        x=x,
        rank=rank,
        layout=layout(rng),
        expected=expected,
        bound=0 if support == 0 else 1.2e-7 * float(np.abs(x).max()) * (4 + taps),
        what=f"Image.resize({size} -> {target}, {method.name})",
    )


PRESETS = {"pillow": {"resize": resize}}
