# SPDX-License-Identifier: MIT
"""libupsample through ctypes: what the bench needs of it. Operations and fields are named by words, as on the command line."""
import ctypes
import json
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_void_p

import numpy as np

F32, U8, I32, I64 = 1, 4, 5, 6
DTYPES = {F32: np.float32, U8: np.uint8, I32: np.int32, I64: np.int64}
LAYOUTS = {"first": 1, "last": 2}
DST, INDICES = 2, 3
JSON = 2
WEIGHTS_AT_RUN = 1


class Tensor(Structure):
    _fields_ = [("size", c_uint32), ("dtype", c_int32), ("rank", c_int32), ("reserved", c_int32),
                ("dims", c_int64 * 5), ("strides", c_int64 * 5)]


class Buffers(Structure):
    _fields_ = [("size", c_uint32), ("reserved", c_uint32), ("src", c_void_p), ("dst", c_void_p),
                ("indices_in", c_void_p), ("indices_out", c_void_p), ("weights", c_void_p), ("bias", c_void_p),
                ("bad_count", c_int64), ("bad_first", c_int64), ("grad", c_void_p)]


class Options(Structure):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("policy", c_int32), ("reserved", c_int32),
                ("max_isa", c_char_p), ("algorithm", c_char_p), ("allocate", c_void_p), ("release", c_void_p),
                ("context", c_void_p), ("error", c_void_p), ("error_capacity", c_size_t)]


class Parallel(Structure):
    _fields_ = [("size", c_uint32), ("parts", c_int32), ("parallel_for", c_void_p), ("context", c_void_p)]


FUNCTIONS = [
    ("ups_version", c_char_p),
    ("ups_last_error", c_char_p),
    ("ups_op_code", c_int32, c_char_p),
    ("ups_desc_size", c_size_t, c_int32),
    ("ups_desc_init", c_int32, c_void_p, c_size_t, c_int32, c_char_p),
    ("ups_desc_set", c_int32, c_void_p, c_char_p, c_char_p),
    ("ups_desc_get", c_int64, c_void_p, c_char_p, c_char_p, c_size_t),
    ("ups_tensor_init", c_int32, c_void_p, c_size_t, c_int32, c_int32, c_int32, POINTER(c_int64)),
    ("ups_options_init", c_int32, c_void_p, c_size_t),
    ("ups_op_create", c_int32, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_void_p)),
    ("ups_op_destroy", None, c_void_p),
    ("ups_plan_create", c_int32, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_void_p)),
    ("ups_plan_destroy", None, c_void_p),
    ("ups_plan_tensor", c_int32, c_void_p, c_int32, c_void_p),
    ("ups_plan_workspace", c_size_t, c_void_p, c_int32),
    ("ups_plan_describe", c_int64, c_void_p, c_int32, c_char_p, c_size_t),
    ("ups_buffers_init", c_int32, c_void_p, c_size_t),
    ("ups_run", c_int32, c_void_p, c_void_p, c_void_p, c_size_t),
    ("ups_run_parallel", c_int32, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p),
    ("ups_threads_create", c_int32, c_int32, POINTER(c_void_p)),
    ("ups_threads_parallel", POINTER(Parallel), c_void_p),
]


def text(function, *arguments):
    """Of a function that answers as snprintf does."""
    length = function(*arguments, None, 0)
    if length < 0:
        raise KeyError(arguments)
    room = ctypes.create_string_buffer(length + 1)
    function(*arguments, room, len(room))
    return room.value.decode()


def pointer(array):
    return None if array is None else array.ctypes.data


class Library:
    """Raises RuntimeError with the library's sentence."""

    def __init__(self, path):
        self.so = ctypes.CDLL(path)
        for name, result, *arguments in FUNCTIONS:
            function = getattr(self.so, name)
            function.restype, function.argtypes = result, arguments
        self.version = self.so.ups_version().decode()

    def check(self, status):
        if status:
            raise RuntimeError(self.so.ups_last_error().decode())

    def descriptor(self, op, rank, layout, fields):
        code = self.so.ups_op_code(op.encode())
        desc = ctypes.create_string_buffer(self.so.ups_desc_size(code))
        self.check(self.so.ups_desc_init(desc, len(desc), code, None))
        for name, value in [("rank", str(rank)), ("layout", layout), *fields]:
            self.check(self.so.ups_desc_set(desc, name.encode(), value.encode()))
        return desc

    def field(self, desc, name):
        return text(self.so.ups_desc_get, desc, name.encode())

    def parallel(self, threads):
        """NULL for one thread, which runs without. The pool lives as long as the process."""
        if threads == 1:
            return None
        pool = c_void_p()
        self.check(self.so.ups_threads_create(threads, byref(pool)))
        return self.so.ups_threads_parallel(pool)


    def plan(self, desc, dims, layout, weights=None, bias=None, max_isa=None, flags=0, policy=0):
        """A plan for a source of dims N, C, spatial; the caller destroys it."""
        options, op, plan, source = Options(), c_void_p(), c_void_p(), Tensor()
        self.check(self.so.ups_options_init(byref(options), ctypes.sizeof(options)))
        options.max_isa, options.flags = max_isa, flags
        options.policy = policy or options.policy
        self.check(self.so.ups_op_create(desc, pointer(weights), pointer(bias), byref(options), byref(op)))
        try:
            self.check(self.so.ups_tensor_init(byref(source), ctypes.sizeof(source), F32, len(dims) - 2, LAYOUTS[layout],
                                               (c_int64 * 5)(*dims)))
            self.check(self.so.ups_plan_create(op, byref(source), None, None, byref(plan)))
        finally:
            self.so.ups_op_destroy(op)
        return plan

    def told(self, plan):
        """What the library says of a plan: algorithm, isa …"""
        return json.loads(text(self.so.ups_plan_describe, plan, JSON))


class Call:
    """An op and a plan with their arrays: x in the layout, as are the outputs y and indices (None but of a max_pool)."""

    def __init__(self, library, desc, x, layout, weights=None, bias=None, indices_in=None, max_isa=None, parallel=None,
                 policy=0):
        self.so, self.library, self.parallel = library.so, library, parallel
        dims = x.shape if layout == "first" else x.shape[:1] + x.shape[-1:] + x.shape[1:-1]
        self.plan = library.plan(desc, dims, layout, weights, bias, max_isa, policy=policy)
        self.told = library.told(self.plan)
        self.y = self.tensor(DST, layout)
        self.indices = self.tensor(INDICES, layout) if self.told["op"] == "max_pool" else None
        if indices_in is not None:
            indices_in = np.ascontiguousarray(indices_in, self.tensor(INDICES, layout).dtype)
        self.keep = x, indices_in
        parts = parallel.contents.parts if parallel else 1
        self.work = np.zeros(max(1, self.so.ups_plan_workspace(self.plan, parts)), np.uint8)
        self.buffers = Buffers()
        library.check(self.so.ups_buffers_init(byref(self.buffers), ctypes.sizeof(self.buffers)))
        self.buffers.src, self.buffers.dst = pointer(x), pointer(self.y)
        self.buffers.indices_in, self.buffers.indices_out = pointer(indices_in), pointer(self.indices)

    def tensor(self, role, layout):
        """What the library forgets to write stays NaN, or -1."""
        tensor = Tensor(size=ctypes.sizeof(Tensor))
        self.library.check(self.so.ups_plan_tensor(self.plan, role, byref(tensor)))
        shape = list(tensor.dims[:tensor.rank + 2])
        array = np.empty(shape if layout == "first" else shape[:1] + shape[2:] + shape[1:2], DTYPES[tensor.dtype])
        array.view(np.uint8)[...] = 0xFF
        return array

    def runner(self):
        """run(): one call, whose arguments are made once."""
        arguments = [self.plan, byref(self.buffers), c_void_p(pointer(self.work)), c_size_t(self.work.size)]
        function, check = self.so.ups_run, self.library.check
        if self.parallel:
            function = self.so.ups_run_parallel
            arguments.append(self.parallel)

        def run():
            status = function(*arguments)
            if status:
                check(status)

        return run

    def close(self):
        self.so.ups_plan_destroy(self.plan)
        self.plan = None
