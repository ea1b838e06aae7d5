# SPDX-License-Identifier: MIT
"""PyTorch, eager, under inference_mode. Channels last is its memory format: channels_last of 2-D, channels_last_3d of 3-D.

Eager transposed convolution brings weights into oneDNN's format with each call, which for 16 MB of them takes longer than the
rest. A compiled and frozen model does it once, by two operators that are called here for 2-D and 3-D; the faster of the two
ways is timed, and the row says which.
"""
import time

import torch
import torch.nn.functional as F

from peer import Arm, NotOffered, alpha_of, need

FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


def by_rank(rank, *functions):
    return functions[rank - 1]


def faster(eager, packed):
    """Of two ways to the same result: the least of a few calls, in turn."""
    if packed is None:
        return eager
    with torch.inference_mode():
        if not torch.allclose(eager(), packed(), rtol=1e-3, atol=1e-3):
            return eager
        times = {eager: [], packed: []}
        for _ in range(5):
            for call, spent in times.items():
                start = time.perf_counter()
                call()
                spent.append(time.perf_counter() - start)
    return min(times, key=lambda call: min(times[call]))


class Peer:
    def __init__(self, threads, libupsample):
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.version = torch.__version__

    def arm(self, case, layout):
        need(layout == "first" or case.rank in FORMATS, "channels last of 1-D: PyTorch has no such memory format")
        self.format = FORMATS[case.rank] if layout == "last" else torch.contiguous_format
        call = getattr(self, case.op)(case)
        last, way = [None], getattr(call, "way", "eager")

        def run():
            with torch.inference_mode():
                last[0] = call()

        def result():
            values, indices = last[0] if isinstance(last[0], tuple) else (last[0], None)
            return values.contiguous().numpy(), None if indices is None else indices.contiguous().numpy()

        return Arm(run, result, way=way)

    def put(self, array):
        return torch.from_numpy(array).contiguous(memory_format=self.format)

    def conv_transpose(self, case):
        # PyTorch has one pad for both ends; a difference is output padding.
        padding = [o + b - e for o, b, e in zip(case.output_padding, case.begin, case.end)]
        for p, s, d in zip(padding, case.strides, case.dilations):
            need(0 <= p < max(s, d), f"pads {case.begin}, {case.end}")
        function = by_rank(case.rank, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
        weights = self.put(case.weights)
        arguments = (self.put(case.x), weights, torch.from_numpy(case.bias), case.strides, case.begin, padding, case.group,
                     case.dilations)
        alpha = alpha_of(case.activation)

        def eager():
            y = function(*arguments)
            return y if alpha is None else F.leaky_relu_(y, alpha)

        return faster(eager, self.packed(case, padding, arguments, alpha)) if case.rank > 1 else eager

    def packed(self, case, padding, arguments, alpha):
        """The operators that the compiler puts into a frozen model; None where they do not take this layer."""
        x, weights, bias = arguments[:3]
        geometry = case.begin, padding, case.strides, case.dilations, case.group
        attribute = ("none", []) if alpha is None else ("leaky_relu", [alpha]) if alpha else ("relu", [])
        try:
            weights = torch.ops.mkldnn._reorder_convolution_transpose_weight(weights, *geometry, list(x.shape))
            function = torch.ops.mkldnn._convolution_transpose_pointwise
            call = lambda: function(x, weights, bias, *geometry, *attribute, "")
            with torch.inference_mode():
                call()
        except (AttributeError, NotImplementedError, RuntimeError):
            return None
        call.way = "packed"
        return call

    def max_pool(self, case):
        need(case.begin == case.end, "pads that differ at begin and end")
        function = by_rank(case.rank, F.max_pool1d, F.max_pool2d, F.max_pool3d)
        arguments = (self.put(case.x), case.kernel, case.strides, case.begin, case.dilations, case.ceil, True)
        return lambda: function(*arguments)

    def avg_pool(self, case):
        need(case.begin == case.end, "pads that differ at begin and end")
        function = by_rank(case.rank, F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
        arguments = (self.put(case.x), case.kernel, case.strides, case.begin, case.ceil, bool(case.count_include_pad))
        return lambda: function(*arguments)

    def max_unpool(self, case):
        need(not case.inferred, "indices of another plane than the output")
        need(case.begin == case.end, "pads that differ at begin and end")
        function = by_rank(case.rank, F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)
        arguments = (self.put(case.x), self.put(case.indices), case.kernel, case.strides, case.begin, case.out_sizes)
        return lambda: function(*arguments)

    def replicate(self, case):
        x = self.put(case.x)
        return lambda: F.interpolate(x, size=case.out_sizes, mode="nearest")

    def bed_of_nails(self, case):
        need(not any(case.offset), "an offset")
        x = self.put(case.x)
        y = torch.empty(case.n, case.channels, *case.out_sizes).contiguous(memory_format=self.format)
        nails = y[(slice(None), slice(None), *(slice(None, None, f) for f in case.factor))]

        def call():
            y.zero_()
            nails.copy_(x)
            return y

        return call

    def pixel_shuffle(self, case):
        need(case.rank == 2 and case.shuffle == "crd", "pixel_shuffle is 2-D, CRD")
        x = self.put(case.x)
        return lambda: F.pixel_shuffle(x, case.block)

    def pixel_unshuffle(self, case):
        need(case.rank == 2 and case.shuffle == "crd", "pixel_unshuffle is 2-D, CRD")
        x = self.put(case.x)
        return lambda: F.pixel_unshuffle(x, case.block)

    def resize(self, case):
        mode = {"nearest": "nearest", "linear": by_rank(case.rank, "linear", "bilinear", "trilinear"),
                "cubic": "bicubic" if case.rank == 2 else None}.get(case.mode)
        if mode is None:
            raise NotOffered(f"mode {case.mode} of {case.rank}-D")
        options = {"scale_factor": case.scales} if case.scales else {"size": case.out_sizes}
        options["mode"] = mode
        if case.mode == "nearest":
            need((case.coordinates, case.nearest) == ("asymmetric", "floor"), f"nearest by {case.coordinates}, {case.nearest}")
        else:
            need(case.coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners"), case.coordinates)
            options["align_corners"] = case.coordinates == "align_corners"
            if case.antialias:
                options["antialias"] = True
        x = self.put(case.x)
        return lambda: F.interpolate(x, **options)
