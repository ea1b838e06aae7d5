# SPDX-License-Identifier: MIT
"""oneDNN's primitives, through onednn_shim.cc: in plain channels first and channels last, and in its own formats ("own"),
which a network of its layers uses in between; bringing arrays into them and back is not timed. A max_pool records the place
in the window, as in training."""
import ctypes
import pathlib
import sys
from ctypes import POINTER, Structure, byref, c_char_p, c_double, c_int64, c_void_p

import numpy as np

from peer import Arm, NotOffered, alpha_of, from_layout, need, only_by_sizes, to_layout, weights_by_group

LAYOUTS = ("first", "last", "own")
LIBRARIES = pathlib.Path(sys.prefix) / "lib"
CONV_TRANSPOSE, AVG_POOL, AVG_POOL_WITH_PADS, MAX_POOL, RESIZE_NEAREST, RESIZE_LINEAR = range(6)


class Layer(Structure):
    _fields_ = [(name, c_int64) for name in ("operation", "rank", "layout", "n", "channels", "out_channels", "group")] + [
        (name, c_int64 * 3) for name in ("in_", "out", "kernel", "strides", "dilations", "begin", "end")] + [
        ("alpha", c_double)]


def environment(python_prefix, threads):
    """What its process needs: the SYCL runtime of its wheels finds its CPU driver by this, and makes so many threads."""
    lib = pathlib.Path(python_prefix) / "lib"
    return {"LD_LIBRARY_PATH": str(lib), "OCL_ICD_FILENAMES": str(lib / "libintelocl.so"),
            "DPCPP_CPU_NUM_CUS": str(threads)}


class Peer:
    layouts = LAYOUTS

    def __init__(self, threads, libupsample):
        try:
            self.so = ctypes.CDLL(str(LIBRARIES / "libonednn_shim.so"))
        except OSError as error:
            raise ImportError("its wheels, or the shim that setup builds of onednn_shim.cc") from error
        for name, result, *arguments in [("peer_failure", c_char_p), ("peer_version", c_char_p),
                                         ("peer_create", c_void_p, POINTER(Layer), *[c_void_p] * 4),
                                         ("peer_run", ctypes.c_int, c_void_p), ("peer_destroy", None, c_void_p),
                                         ("peer_implementation", c_char_p, c_void_p),
                                         ("peer_format", c_char_p, c_void_p), ("peer_fetch", ctypes.c_int, c_void_p),
                                         ("peer_workspace", c_void_p, c_void_p, POINTER(c_int64))]:
            function = getattr(self.so, name)
            function.restype, function.argtypes = result, arguments
        self.version = self.so.peer_version().decode()

    def arm(self, case, layout):
        layer = Layer(rank=case.rank, layout=LAYOUTS.index(layout), n=case.n, channels=case.channels,
                      out_channels=case.out_channels, group=1, alpha=1)
        layer.in_[:case.rank], layer.out[:case.rank] = case.sizes, case.out_sizes
        layer.operation = getattr(self, case.op)(case, layer)
        x = to_layout(case.x, layout)
        y = to_layout(np.zeros([case.n, case.out_channels, *case.out_sizes], np.float32), layout)
        weights = None
        if case.weights is not None:
            weights = np.ascontiguousarray(np.swapaxes(weights_by_group(case), 1, 2))
        pointer = lambda array: None if array is None else array.ctypes.data
        handle = self.so.peer_create(byref(layer), pointer(x), pointer(y), pointer(weights), pointer(case.bias))
        need(handle, self.so.peer_failure().decode())
        run, argument = self.so.peer_run, c_void_p(handle)

        def result():
            if self.so.peer_fetch(argument):
                raise RuntimeError(self.so.peer_failure().decode())
            indices = self.plane_indices(case, argument, y.shape, layout) if case.op == "max_pool" else None
            return from_layout(y, layout), indices

        told = {"implementation": self.so.peer_implementation(handle).decode()}
        if layout == "own":
            told["format"] = self.so.peer_format(handle).decode()
        arm = Arm(lambda: run(argument), result, **told)
        arm.keep, arm.close = x, lambda: self.so.peer_destroy(handle)
        return arm

    def plane_indices(self, case, handle, shape, layout):
        size = c_int64()
        address = self.so.peer_workspace(handle, byref(size))
        kind = ctypes.c_uint8 if size.value == 1 else ctypes.c_int32
        window = np.ctypeslib.as_array((kind * int(np.prod(shape))).from_address(address)).reshape(shape)
        tap = list(np.unravel_index(from_layout(window, layout).astype(np.int64), case.kernel))
        plane = 0
        for i in range(case.rank):
            start = np.arange(case.out_sizes[i]) * case.strides[i] - case.begin[i]
            at = tap[i] * case.dilations[i] + start.reshape(-1, *[1] * (case.rank - 1 - i))
            plane = plane * case.sizes[i] + at
        return plane

    def windows(self, case, layer):
        for name in ("kernel", "strides", "dilations", "begin"):
            getattr(layer, name)[:case.rank] = getattr(case, name)

    def conv_transpose(self, case, layer):
        self.windows(case, layer)
        layer.end[:case.rank] = [e - o for e, o in zip(case.end, case.output_padding)]
        layer.group = case.group
        alpha = alpha_of(case.activation)
        layer.alpha = 1 if alpha is None else alpha
        return CONV_TRANSPOSE

    def pool(self, case, layer):
        self.windows(case, layer)
        for i in range(case.rank):  # what rounding up adds is an end pad
            extent = case.dilations[i] * (case.kernel[i] - 1) + 1
            layer.end[i] = (case.out_sizes[i] - 1) * case.strides[i] + extent - case.sizes[i] - case.begin[i]

    def max_pool(self, case, layer):
        self.pool(case, layer)
        return MAX_POOL

    def avg_pool(self, case, layer):
        need(not case.ceil, "rounding up")
        self.pool(case, layer)
        return AVG_POOL_WITH_PADS if case.count_include_pad else AVG_POOL

    def nothing(self, case, layer):
        raise NotOffered("no such primitive")

    max_unpool = bed_of_nails = pixel_shuffle = pixel_unshuffle = nothing

    def replicate(self, case, layer):
        return RESIZE_NEAREST

    def resize(self, case, layer):
        only_by_sizes(case)
        need(not case.antialias and case.mode in ("nearest", "linear"), f"mode {case.mode}, or antialias")
        if case.mode == "linear":
            need(case.coordinates in ("half_pixel", "pytorch_half_pixel"), case.coordinates)
            return RESIZE_LINEAR
        # It takes the pixel at the middle of an output: the same for whole factors.
        whole = all(m % n == 0 for n, m in zip(case.sizes, case.out_sizes))
        need(whole and case.coordinates == "asymmetric", "nearest takes other pixels at this scale")
        return RESIZE_NEAREST
