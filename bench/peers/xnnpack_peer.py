# SPDX-License-Identifier: MIT
"""XNNPACK's operators by themselves, through ctypes: channels last, 2-D; a 1-D layer is a picture of one row. Creating an
operator packs its weights, setting it up takes sizes and addresses; the call is xnn_run_operator. In LiteRT (litert_peer.py)
a newer XNNPACK runs inside an interpreter.

The interface is that of Debian 12's package libxnnpack0, of February 2022: later ones have a reshape between create and setup
and other parameters. XNNPACK has no releases, so the version is the package's.

Of a max_pool it offers argmax pooling: windows side by side. It records the place in the window, counted down its columns.
"""
import ctypes
import pathlib
import subprocess
import sys
from ctypes import byref, c_float, c_size_t, c_uint32, c_void_p

import numpy as np

from peer import Arm, NotOffered, alpha_of, need, only_by_sizes, to_first, to_last, weights_by_group

EXTRACTED = pathlib.Path(sys.prefix) / "xnnpack"  # by setup
EXTRA_BYTES = 16  # it may read so many behind an input
STATUS = {1: "not initialized", 2: "invalid parameter", 3: "invalid state", 4: "unsupported parameter",
          5: "unsupported hardware", 6: "out of memory"}
ALIGN_CORNERS = 8
INFINITY = float("inf")


def environment(python_prefix, threads):
    """What its process needs: the libraries it is linked with lie beside it."""
    folders = sorted({str(file.parent) for file in (pathlib.Path(python_prefix) / "xnnpack").rglob("libXNNPACK.so.0")})
    return {"LD_LIBRARY_PATH": ":".join(folders)} if folders else {}


def version():
    try:
        return (EXTRACTED / "version").read_text().strip()
    except OSError:
        pass
    try:
        told = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "libxnnpack0"], capture_output=True, text=True)
        return told.stdout if told.returncode == 0 else "unknown"
    except OSError:
        return "unknown"


def convert(value):
    """As C passes what these functions take: every int of them is a size_t, or a u32 with the same bits in its register."""
    return {int: c_size_t, float: c_float}.get(type(value), lambda v: v)(value)


class Peer:
    def __init__(self, threads, libupsample):
        try:
            self.so = ctypes.CDLL("libXNNPACK.so.0")
        except OSError as error:
            raise ImportError(str(error)) from error
        if hasattr(self.so, "xnn_reshape_deconvolution2d_nhwc_f32"):
            raise ImportError("this libXNNPACK.so.0 has a later interface than Debian 12's")
        self.version = version()
        need(not self.so.xnn_initialize(None), "xnn_initialize fails")
        self.pool = None
        if threads > 1:
            create = ctypes.CDLL("libpthreadpool.so.0").pthreadpool_create
            create.restype = c_void_p
            self.pool = c_void_p(create(c_size_t(threads)))

    def arm(self, case, layout):
        need(case.rank < 3, "3-D: not offered")
        need(layout == "last" or case.op == "resize", "channels first: not offered")
        rows = [1] * (2 - case.rank)
        self.case, self.layout, self.keep, self.operators = case, layout, [], []
        self.sizes, self.out_sizes = rows + case.sizes, rows + case.out_sizes
        x = case.x.reshape(case.n, case.channels, *self.sizes)
        self.x = self.array(to_last(x) if layout == "last" else x)
        self.y = self.array(np.zeros(self.shape(), np.float32))
        indices = getattr(self, case.op)(case)
        y, run_operator, pool, arguments = self.y, self.so.xnn_run_operator, self.pool, [c_void_p(o) for o in self.operators]

        def run():
            for operator in arguments:
                run_operator(operator, pool)

        def result():
            values = to_first(y) if layout == "last" else y
            shape = [case.n, case.out_channels, *case.out_sizes]
            return values.reshape(shape), None if indices is None else indices().reshape(shape)

        arm = Arm(run, result)
        arm.keep, arm.close = self.keep, lambda: [self.so.xnn_delete_operator(o) for o in arguments]
        return arm

    def shape(self):
        if self.layout == "first":
            return [self.case.n, self.case.out_channels, *self.out_sizes]
        return [self.case.n, *self.out_sizes, self.case.out_channels]

    def array(self, content):
        """A copy that may be read a little too far, and that lives as long as the arm."""
        room = np.zeros(content.nbytes + EXTRA_BYTES + 64, np.uint8)
        start = -room.ctypes.data % 64
        array = room[start:start + content.nbytes].view(content.dtype).reshape(content.shape)
        array[...] = content
        self.keep.append(array)
        return array

    def operator(self, name, created, set_up):
        """created and set_up: the arguments of the two functions, between them the operator, after them the pool."""
        operator = c_void_p()
        status = getattr(self.so, "xnn_create_" + name)(*map(convert, created), c_uint32(self.flags), byref(operator))
        need(not status, f"create: {STATUS.get(status, status)}")
        self.operators.append(operator.value)
        status = getattr(self.so, "xnn_setup_" + name)(operator, *map(convert, set_up), self.pool)
        need(not status, f"setup: {STATUS.get(status, status)}")

    flags = 0

    def pointers(self, *arrays):
        return [c_void_p(array.ctypes.data) for array in arrays]

    def in_two(self, values, otherwise):
        return [otherwise] * (2 - self.case.rank) + list(values)

    def pads(self, case):
        """Top, right, bottom, left."""
        (top, left), (bottom, right) = self.in_two(case.begin, 0), self.in_two(case.end, 0)
        return [top, right, bottom, left]

    def conv_transpose(self, case):
        kernel = self.in_two(case.kernel, 1)
        weights = weights_by_group(case).reshape(case.group, case.channels // case.group, -1, *kernel)
        weights = np.ascontiguousarray(np.moveaxis(weights, 1, -1))  # group, O/group, kernel, I/group
        bias = np.ascontiguousarray(case.bias)
        alpha = alpha_of(case.activation)
        self.operator(
            "deconvolution2d_nhwc_f32",
            [*self.pads(case), *kernel, *self.in_two(case.strides, 1), *self.in_two(case.dilations, 1), case.group,
             case.channels // case.group, case.out_channels // case.group, case.channels, case.out_channels,
             *self.pointers(weights, bias), 0.0 if alpha == 0 else -INFINITY, INFINITY],
            [case.n, *self.sizes, *self.in_two(case.output_padding, 0), *self.pointers(self.x, self.y)])
        if alpha:
            c = case.out_channels
            self.operator("leaky_relu_nc_f32", [c, c, c, alpha], [self.y.size // c, *self.pointers(self.y, self.y)])

    def windows_side_by_side(self, case):
        """The window of argmax pooling and of unpooling; their larger map is a whole number of them."""
        need(case.kernel == case.strides and not any(case.begin + case.end) and set(case.dilations) == {1},
             "argmax pooling and unpooling have windows side by side alone")
        kernel = self.in_two(case.kernel, 1)
        large = self.sizes if case.op == "max_pool" else self.out_sizes
        need(all(n % k == 0 for n, k in zip(large, kernel)), "argmax pooling and unpooling have whole windows alone")
        return kernel

    def max_pool(self, case):
        (kh, kw), c = self.windows_side_by_side(case), case.channels
        place = self.array(np.zeros(self.shape(), np.uint32))
        self.operator("argmax_pooling2d_nhwc_f32", [0, 0, 0, 0, kh, kw, c, c, c],
                      [case.n, *self.sizes, *self.pointers(self.x, self.y, place)])

        def indices():
            at = to_first(place).astype(np.int64)
            h, w = np.ogrid[:self.out_sizes[0], :self.out_sizes[1]]
            return (h * kh + at % kh) * self.sizes[1] + w * kw + at // kh

        return indices

    def max_unpool(self, case):
        (kh, kw), c = self.windows_side_by_side(case), case.channels
        h, w = np.divmod(case.indices.reshape(case.n, c, *self.sizes), self.out_sizes[1])
        place = self.array(to_last(w % kw * kh + h % kh).astype(np.uint32))
        self.operator("unpooling2d_nhwc_x32", [0, 0, 0, 0, kh, kw, c, c, c],
                      [case.n, *self.sizes, *self.pointers(self.x, place, self.y)])

    def avg_pool(self, case):
        need(not case.ceil, "rounding up")
        need(not (case.count_include_pad and any(case.begin + case.end)), "pads that count")
        c = case.channels
        self.operator("average_pooling2d_nhwc_f32",
                      [*self.pads(case), *self.in_two(case.kernel, 1), *self.in_two(case.strides, 1), c, c, c, -INFINITY,
                       INFINITY], [case.n, *self.sizes, *self.pointers(self.x, self.y)])

    def resize(self, case):
        only_by_sizes(case)
        need(case.mode == "linear" and not case.antialias, f"mode {case.mode}{', antialias' if case.antialias else ''}")
        corners = case.coordinates == "align_corners"
        need(corners or case.coordinates == "half_pixel" or 1 not in self.out_sizes, case.coordinates)
        need(corners or case.coordinates in ("half_pixel", "pytorch_half_pixel"), case.coordinates)
        c, self.flags = case.channels, ALIGN_CORNERS if corners else 0
        name = "resize_bilinear2d_nhwc_f32" if self.layout == "last" else "resize_bilinear2d_nchw_f32"
        try:
            self.operator(name, [c, c, c], [case.n, *self.sizes, *self.out_sizes, *self.pointers(self.x, self.y)])
        finally:
            self.flags = 0

    def pixel_shuffle(self, case):
        need(case.rank == 2, "2-D alone")
        need(case.shuffle == "dcr" or case.out_channels == 1, "depth to space is DCR")
        self.operator("depth_to_space_nhwc_x32", [case.out_channels, case.channels, case.out_channels, case.block],
                      [case.n, *self.sizes, *self.pointers(self.x, self.y)])

    def nothing(self, case):
        raise NotOffered("no such operator")

    replicate = bed_of_nails = pixel_unshuffle = nothing
