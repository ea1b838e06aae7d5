# SPDX-License-Identifier: MIT
"""OpenCV: cv2.resize on f32 images, IPP off."""
import cv2
import numpy as np

from calls import Call, layout

cv2.ipp.setUseIPP(False)
cv2.setNumThreads(1)

# cv2's flag, the library's keys, taps of the filter; None: the output is a pixel
METHODS = [
    (cv2.INTER_NEAREST, {"mode": "nearest"}, None),
    (
        cv2.INTER_NEAREST_EXACT,
        {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "coordinate_arithmetic": "accumulated"},
        None,
    ),
    (cv2.INTER_LINEAR, {"mode": "linear"}, 2),
    (cv2.INTER_CUBIC, {"mode": "cubic"}, 4),
    (cv2.INTER_AREA, {"mode": "area"}, 2),
    (cv2.INTER_LANCZOS4, {"mode": "lanczos"}, 8),
]


def VERSION():
    return cv2.__version__


def resize(rng, quick):
    top = 12 if quick else 40
    method, keys, taps = METHODS[rng.integers(len(METHODS))]
    rank = int(rng.choice([1, 2, 2, 2]))
    channels = int(rng.integers(1, 5))
    size = [1] * (2 - rank) + [int(n) for n in rng.integers(1, top, rank)]
    x = (rng.standard_normal((int(rng.integers(1, 3)), channels, *size)) * 8).astype(np.float32)
    if rng.random() < 0.3:
        x = np.rint(x)
    keys = dict(keys)
    target = [1] * (2 - rank) + [int(m) for m in rng.integers(1, 2 * top, rank)]
    fx = fy = 0.0
    if rng.random() < 0.4:
        fy, fx = (float(np.round(f, 3)) for f in rng.uniform(0.3, 3, 2))
        if rank == 1:
            fy = 1.0
        target = None

    def one(image):
        y = cv2.resize(np.ascontiguousarray(image.transpose(1, 2, 0)), target and target[::-1], None, fx, fy, method)
        return y.reshape(*y.shape[:2], -1).transpose(2, 0, 1)

    try:
        expected = np.stack([one(image) for image in x])
    except cv2.error:  # a factor that leaves no pixel
        return None
    got = expected.shape[2:]
    if target is None:
        keys["scales"] = [fy, fx][2 - rank :]
    else:
        keys["sizes"] = list(got[2 - rank :])
    if rank == 1:
        x, expected = x[:, :, 0], expected[:, :, 0]
    if taps is None:
        bound = 0
    else:
        shrink = [max(1.0, n / m) for n, m in zip(size, got)]
        terms = taps * max(size) if keys["mode"] != "area" else 2 + np.prod(np.ceil(shrink) + 1)
        bound = 1.5e-7 * float(np.abs(x).max()) * (8 + float(terms))
    return Call(
        op="resize",
        preset="opencv",
        keys=keys,
        x=x,
        rank=rank,
        layout=layout(rng),
        expected=expected,
        bound=bound,
        what=f"cv2.resize({size} -> {list(got)}, fx={fx}, fy={fy}, interpolation={method})",
    )


PRESETS = {"opencv": {"resize": resize}}
