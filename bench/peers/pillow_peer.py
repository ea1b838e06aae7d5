# SPDX-License-Identifier: MIT
"""Pillow's resize of f32 pictures: planes, one by one, on one thread."""
import numpy as np
import PIL
from PIL import Image

from peer import Arm, need, only_by_sizes, only_first

MOST_PLANES = 4  # of a picture; nobody resizes feature maps with Pillow


class Peer:
    def __init__(self, threads, libupsample):
        self.threads = threads
        self.version = PIL.__version__

    def arm(self, case, layout):
        need(case.op in ("resize", "replicate"), "no such function")
        only_first(layout)
        need(case.rank == 2, "2-D alone")
        need(case.n * case.channels <= MOST_PLANES, f"{case.n * case.channels} planes: pictures alone are compared")
        kind = Image.Resampling.NEAREST if case.op == "replicate" else self.kind(case)
        planes = [Image.fromarray(case.x[i, c]) for i in range(case.n) for c in range(case.channels)]
        size = (case.out_sizes[1], case.out_sizes[0])
        last = [None]

        def run():
            last[0] = [plane.resize(size, kind) for plane in planes]

        def result():
            return np.stack([np.asarray(y) for y in last[0]]).reshape(case.n, case.channels, *case.out_sizes), None

        return Arm(run, result, used_threads=1)

    def kind(self, case):
        only_by_sizes(case)
        grows = all(m >= n for n, m in zip(case.sizes, case.out_sizes))
        if case.mode == "nearest":  # takes the pixel at the middle: the same for whole factors alone
            whole = all(m % n == 0 for n, m in zip(case.sizes, case.out_sizes))
            need(whole and case.coordinates == "asymmetric", "nearest takes other pixels at this scale")
            return Image.Resampling.NEAREST
        need(case.mode == "linear" and case.coordinates in ("half_pixel", "pytorch_half_pixel"),
             "its cubic has a = -0.5" if case.mode == "cubic" else f"{case.mode}, {case.coordinates}")
        need(grows or case.antialias, "it shrinks with antialias alone")
        return Image.Resampling.BILINEAR
