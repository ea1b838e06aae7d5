# SPDX-License-Identifier: MIT
"""libupsample for `generate` and `draw`: descriptors by text, and small calls, through ctypes alone."""
import ctypes
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
I64 = ctypes.c_int64


class Tensor(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("reserved", ctypes.c_int32), ("dims", I64 * 5), ("strides", I64 * 5)]


class Buffers(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("reserved", ctypes.c_uint32), ("src", ctypes.c_void_p),
                ("dst", ctypes.c_void_p), ("indices_in", ctypes.c_void_p), ("indices_out", ctypes.c_void_p),
                ("weights", ctypes.c_void_p), ("bias", ctypes.c_void_p), ("bad_count", I64), ("bad_first", I64),
                ("grad", ctypes.c_void_p)]


class Refused(Exception):
    """A status that is not UPS_OK, with the library's sentence."""


def find_library(arguments):
    """--library PATH, or the newest libupsample.so below build/."""
    if "--library" in arguments:
        return arguments[arguments.index("--library") + 1]
    built = sorted(ROOT.glob("build/*/libupsample.so"), key=lambda path: path.stat().st_mtime)
    if not built:
        sys.exit("no build/*/libupsample.so: build the library, or say --library PATH")
    return str(built[-1])


class Library:
    def __init__(self, path):
        c = self.c = ctypes.CDLL(path)
        for name, result in (("ups_op_word", ctypes.c_char_p), ("ups_desc_size", ctypes.c_size_t),
                             ("ups_desc_get", I64), ("ups_desc_field", ctypes.c_char_p), ("ups_preset", ctypes.c_char_p),
                             ("ups_desc_explain", I64), ("ups_last_error", ctypes.c_char_p),
                             ("ups_plan_workspace", ctypes.c_size_t)):
            getattr(c, name).restype = result

    def check(self, status):
        if status:
            raise Refused(self.c.ups_last_error().decode())

    def list(self, function, *arguments):
        i = 0
        while True:
            name = function(*arguments, i)
            if name is None:
                return
            yield name.decode()
            i += 1

    def presets(self):
        return list(self.list(self.c.ups_preset))

    def operations(self):
        op = 1
        while self.c.ups_op_word(op):
            yield self.c.ups_op_word(op).decode()
            op += 1

    def fields(self, op):
        return list(self.list(self.c.ups_desc_field, self.c.ups_op_code(op.encode())))

    def explain(self, op, field):
        text = ctypes.create_string_buffer(8192)
        length = self.c.ups_desc_explain(self.c.ups_op_code(op.encode()), field.encode(), 2, text, ctypes.c_size_t(8192))
        assert 0 < length < 8192, length
        return json.loads(text.value)

    def describe(self, op, preset, words=""):
        """A descriptor: "rank=1 mode=cubic"."""
        code = self.c.ups_op_code(op.encode())
        size = self.c.ups_desc_size(code)
        desc = ctypes.create_string_buffer(size)
        self.check(self.c.ups_desc_init(desc, ctypes.c_size_t(size), code, preset.encode()))
        for word in words.split():
            field, value = word.split("=")
            self.check(self.c.ups_desc_set(desc, field.encode(), value.encode()))
        return desc

    def get(self, desc, field):
        text = ctypes.create_string_buffer(512)
        assert self.c.ups_desc_get(desc, field.encode(), text, ctypes.c_size_t(512)) >= 0, field
        return text.value.decode()

    def size(self, desc, lengths):
        """The standard output size."""
        standard = (I64 * 3)()
        self.check(self.c.ups_shape(desc, (I64 * 3)(*lengths), None, standard, None))
        return list(standard)[:len(lengths)]

    def pads(self, desc, lengths, want=None):
        """Begins, then ends."""
        pads = (I64 * 6)()
        want = (I64 * 3)(*want) if want else None
        self.check(self.c.ups_solve_pads(desc, (I64 * 3)(*lengths), want, pads, None))
        return list(pads)[:2 * len(lengths)]

    def run(self, op, preset, words, dims, x, weights=None, indices=None, sizes=None):
        """Dense lists in, (dims, values, switches) out; index types i64."""
        desc = self.describe(op, preset, f"rank={len(dims) - 2} {words}")
        floats = lambda values: (ctypes.c_float * len(values))(*values) if values is not None else None
        src, w, handle, plan = floats(x), floats(weights), ctypes.c_void_p(), ctypes.c_void_p()
        tensor = Tensor(size=ctypes.sizeof(Tensor))
        self.check(self.c.ups_tensor_init(ctypes.byref(tensor), ctypes.c_size_t(tensor.size), 1, len(dims) - 2, 1,
                                          (I64 * 5)(*dims)))
        self.check(self.c.ups_op_create(desc, w, None, None, ctypes.byref(handle)))
        self.check(self.c.ups_plan_create(handle, ctypes.byref(tensor), None, (I64 * 3)(*sizes) if sizes else None,
                                          ctypes.byref(plan)))
        out = Tensor(size=ctypes.sizeof(Tensor))
        self.check(self.c.ups_plan_tensor(plan, 2, ctypes.byref(out)))
        out_dims = list(out.dims)[:len(dims)]
        count = 1
        for length in out_dims:
            count *= length
        y, switches = (ctypes.c_float * count)(), (I64 * count)()
        given = (I64 * len(indices))(*indices) if indices else None
        address = lambda array: ctypes.cast(array, ctypes.c_void_p) if array is not None else None
        buffers = Buffers(size=ctypes.sizeof(Buffers), src=address(src), dst=address(y), indices_in=address(given),
                          indices_out=address(switches) if op == "max_pool" else None)
        room = self.c.ups_plan_workspace(plan, 1)
        self.check(self.c.ups_run(plan, ctypes.byref(buffers), ctypes.create_string_buffer(room + 1),
                                  ctypes.c_size_t(room)))
        self.c.ups_plan_destroy(plan)
        self.c.ups_op_destroy(handle)
        return out_dims, list(y), list(switches)
