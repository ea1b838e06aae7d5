# SPDX-License-Identifier: MIT
"""libupsample through ctypes, by words alone. Arrays are N, C, spatial; channels last is tried by moving them in memory."""
import ctypes
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_void_p

import numpy as np

BAD_INDEX = 4
F32, U8, I32, I64 = 1, 4, 5, 6
DTYPES = {F32: np.float32, U8: np.uint8, I32: np.int32, I64: np.int64}
CODES = {"f32": F32, "u8": U8, "i32": I32, "i64": I64}
LAYOUTS = {"first": 1, "last": 2}
DST, INDICES = 2, 3


class Refused(Exception):
    """The library's sentence."""


class Tensor(Structure):
    _fields_ = [("size", c_uint32), ("dtype", c_int32), ("rank", c_int32), ("reserved", c_int32),
                ("dims", c_int64 * 5), ("strides", c_int64 * 5)]


class Buffers(Structure):
    _fields_ = [("size", c_uint32), ("reserved", c_uint32), ("src", c_void_p), ("dst", c_void_p),
                ("indices_in", c_void_p), ("indices_out", c_void_p), ("weights", c_void_p), ("bias", c_void_p),
                ("bad_count", c_int64), ("bad_first", c_int64), ("grad", c_void_p)]


class Library:
    def __init__(self, path):
        self.so = ctypes.CDLL(path)
        for name, result, *arguments in [
                ("ups_op_code", c_int32, c_char_p),
                ("ups_desc_size", c_size_t, c_int32),
                ("ups_desc_init", c_int32, c_void_p, c_size_t, c_int32, c_char_p),
                ("ups_desc_set", c_int32, c_void_p, c_char_p, c_char_p),
                ("ups_desc_get", c_int64, c_void_p, c_char_p, c_char_p, c_size_t),
                ("ups_preset", c_char_p, c_int32),
                ("ups_tensor_init", c_int32, c_void_p, c_size_t, c_int32, c_int32, c_int32, POINTER(c_int64)),
                ("ups_op_create", c_int32, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_void_p)),
                ("ups_op_destroy", None, c_void_p),
                ("ups_plan_create", c_int32, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_void_p)),
                ("ups_plan_destroy", None, c_void_p),
                ("ups_plan_tensor", c_int32, c_void_p, c_int32, c_void_p),
                ("ups_plan_workspace", c_size_t, c_void_p, c_int32),
                ("ups_buffers_init", c_int32, c_void_p, c_size_t),
                ("ups_run", c_int32, c_void_p, c_void_p, c_void_p, c_size_t),
                ("ups_last_error", c_char_p), ("ups_version", c_char_p)]:
            function = getattr(self.so, name)
            function.restype, function.argtypes = result, arguments

    def version(self):
        return self.so.ups_version().decode()

    def presets(self):
        names = []
        while (name := self.so.ups_preset(len(names))) is not None:
            names.append(name.decode())
        return names

    def check(self, status):
        if status:
            raise Refused(self.so.ups_last_error().decode())

    def describe(self, op, preset, rank=2, layout="first", keys=()):
        """A descriptor as bytes; Refused where the framework lacks the operation or a key is wrong."""
        code = self.so.ups_op_code(op.encode())
        desc = ctypes.create_string_buffer(self.so.ups_desc_size(code))
        self.check(self.so.ups_desc_init(desc, len(desc), code, preset.encode()))
        for name, value in [("rank", str(rank)), ("layout", layout), *dict(keys).items()]:
            self.check(self.so.ups_desc_set(desc, name.encode(), value.encode()))
        return desc

    def run(self, op, preset, keys, x, layout, weights=None, bias=None, indices=None, want_indices=False, out_sizes=None):
        """(y, indices or None)"""
        rank = x.ndim - 2
        desc = self.describe(op, preset, rank, layout, keys)
        handle, plan = c_void_p(), c_void_p()
        keep = [None if a is None else np.ascontiguousarray(a, np.float32) for a in (weights, bias)]
        self.check(self.so.ups_op_create(desc, *(pointer(a) for a in keep), None, byref(handle)))
        try:
            src = Tensor()
            dims = (c_int64 * 5)(*x.shape)
            self.check(self.so.ups_tensor_init(byref(src), ctypes.sizeof(src), F32, rank, LAYOUTS[layout], dims))
            sizes = None if out_sizes is None else (c_int64 * 3)(*out_sizes)
            self.check(self.so.ups_plan_create(handle, byref(src), None, sizes, byref(plan)))
            return self.run_plan(plan, op, x, layout, indices, want_indices)
        finally:
            self.so.ups_plan_destroy(plan)
            self.so.ups_op_destroy(handle)

    def new(self, plan, role, layout):
        tensor = Tensor(size=ctypes.sizeof(Tensor))
        self.check(self.so.ups_plan_tensor(plan, role, byref(tensor)))
        shape = list(tensor.dims[:tensor.rank + 2])
        return np.empty(shape if layout == "first" else shape[:1] + shape[2:] + shape[1:2], DTYPES[tensor.dtype])

    def run_plan(self, plan, op, x, layout, indices, want_indices):
        y = self.new(plan, DST, layout)
        switches = self.new(plan, INDICES, layout) if want_indices else None
        x = np.ascontiguousarray(to_memory(x, layout), np.float32)
        if indices is not None:
            indices = np.ascontiguousarray(to_memory(indices, layout), self.new(plan, INDICES, layout).dtype)
        work = ctypes.create_string_buffer(max(1, self.so.ups_plan_workspace(plan, 1)))
        buffers = Buffers()
        self.check(self.so.ups_buffers_init(byref(buffers), ctypes.sizeof(buffers)))
        buffers.src, buffers.dst = pointer(x), pointer(y)
        buffers.indices_in, buffers.indices_out = pointer(indices), pointer(switches)
        self.check(self.so.ups_run(plan, byref(buffers), work, len(work)))
        return from_memory(y, layout), None if switches is None else from_memory(switches, layout)


def pointer(array):
    return None if array is None else array.ctypes.data


def to_memory(array, layout):
    return np.moveaxis(array, 1, -1) if layout == "last" else array


def from_memory(array, layout):
    return np.moveaxis(array, -1, 1) if layout == "last" else array
