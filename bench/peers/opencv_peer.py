# SPDX-License-Identifier: MIT
"""OpenCV's resize: pictures with channels last, or plane by plane where channels are first."""
import cv2
import numpy as np

from peer import Arm, NotOffered, need, only_by_sizes, to_first, to_last


class Peer:
    def __init__(self, threads, libupsample):
        cv2.setNumThreads(threads)
        self.version = cv2.__version__

    def arm(self, case, layout):
        need(case.op in ("resize", "replicate"), "no such function")
        need(case.rank == 2, "2-D alone")
        kind = cv2.INTER_NEAREST if case.op == "replicate" else self.kind(case)
        size = (case.out_sizes[1], case.out_sizes[0])
        if layout == "last":
            y = np.zeros([case.n, *case.out_sizes, case.channels], np.float32)
            x = to_last(case.x)
            if case.channels == 1:
                x, y = x[..., 0], y[..., 0]
            pairs = list(zip(x, y))
        else:
            y = np.zeros([case.n, case.channels, *case.out_sizes], np.float32)
            pairs = [(case.x[i, c], y[i, c]) for i in range(case.n) for c in range(case.channels)]

        def run():
            for source, destination in pairs:
                cv2.resize(source, size, dst=destination, interpolation=kind)

        try:
            run()
        except cv2.error as error:
            raise NotOffered(f"{case.channels} channels: {' '.join(str(error).split())[:120]}") from error
        result = lambda: (to_first(y.reshape(case.n, *case.out_sizes, case.channels)) if layout == "last" else y, None)
        return Arm(run, result)

    def kind(self, case):
        only_by_sizes(case)
        kind = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}.get(case.mode)
        need(kind is not None and not case.antialias, f"mode {case.mode}{', antialias' if case.antialias else ''}")
        wanted = ("asymmetric",) if case.mode == "nearest" else ("half_pixel", "pytorch_half_pixel")
        need(case.coordinates in wanted, case.coordinates)
        need(case.mode != "cubic" or case.cubic_a == -0.75, f"cubic with a = {case.cubic_a}")
        return kind
