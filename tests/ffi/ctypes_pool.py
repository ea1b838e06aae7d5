#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The library from a language that knows no descriptor struct: ctypes_pool.py path/to/libupsample.so

Descriptors are made and filled by name. Of the structs only ups_tensor and ups_buffers are written out here.
"""
import ctypes
import json
import random
import sys
from ctypes import POINTER, Structure, byref, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint32, c_void_p

OK, INVALID, BAD_INDEX = 0, 1, 4
F32, I64 = 1, 6
CHANNELS_FIRST = 1
DST, INDICES = 2, 3
JSON = 2


class Tensor(Structure):
    _fields_ = [("size", c_uint32), ("dtype", c_int32), ("rank", c_int32), ("reserved", c_int32),
                ("dims", c_int64 * 5), ("strides", c_int64 * 5)]


class Buffers(Structure):
    _fields_ = [("size", c_uint32), ("reserved", c_uint32), ("src", c_void_p), ("dst", c_void_p),
                ("indices_in", c_void_p), ("indices_out", c_void_p), ("weights", c_void_p), ("bias", c_void_p),
                ("bad_count", c_int64), ("bad_first", c_int64), ("grad", c_void_p)]


def load(path):
    library = ctypes.CDLL(path)
    for name, result, *arguments in [
            ("ups_op_code", c_int32, c_char_p),
            ("ups_desc_size", c_size_t, c_int32),
            ("ups_desc_init", c_int32, c_void_p, c_size_t, c_int32, c_char_p),
            ("ups_desc_set", c_int32, c_void_p, c_char_p, c_char_p),
            ("ups_desc_get", c_int64, c_void_p, c_char_p, c_char_p, c_size_t),
            ("ups_tensor_init", c_int32, c_void_p, c_size_t, c_int32, c_int32, c_int32, POINTER(c_int64)),
            ("ups_op_create", c_int32, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_void_p)),
            ("ups_op_destroy", None, c_void_p),
            ("ups_plan_create", c_int32, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_void_p)),
            ("ups_plan_destroy", None, c_void_p),
            ("ups_plan_tensor", c_int32, c_void_p, c_int32, c_void_p),
            ("ups_plan_workspace", c_size_t, c_void_p, c_int32),
            ("ups_plan_describe", c_int64, c_void_p, c_int32, c_char_p, c_size_t),
            ("ups_cpu_info", c_int64, c_int32, c_char_p, c_size_t),
            ("ups_buffers_init", c_int32, c_void_p, c_size_t),
            ("ups_run", c_int32, c_void_p, c_void_p, c_void_p, c_size_t),
            ("ups_last_error", c_char_p)]:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def check(got, want, what):
    if got != want:
        sys.exit(f"ctypes_pool: {what}: got {got!r}, want {want!r} (last error: \"{ups.ups_last_error().decode()}\")")


def product(numbers):
    result = 1
    for n in numbers:
        result *= n
    return result


def floats(values):
    return (c_float * len(values))(*values)


def from_json(say, *arguments):
    """What a describing function says, parsed; like snprintf it tells the length first."""
    needed = say(*arguments, JSON, None, 0)
    text = ctypes.create_string_buffer(needed + 1)
    check(say(*arguments, JSON, text, needed + 1), needed, "length of a description")
    return json.loads(text.value)


class Desc:
    def __init__(self, word, **fields):
        code = ups.ups_op_code(word.encode())
        size = ups.ups_desc_size(code)
        if not size:
            sys.exit(f"ctypes_pool: no operation {word}")
        self.bytes = ctypes.create_string_buffer(size)
        check(ups.ups_desc_init(self.bytes, size, code, None), OK, f"ups_desc_init {word}")
        for name, value in fields.items():
            check(self.set(name, value), OK, f"{word}: {name}={value}")
            check(self.get(name), value, f"{word}: {name} read back")

    def set(self, name, value):
        return ups.ups_desc_set(self.bytes, name.encode(), value.encode())

    def get(self, name):
        needed = ups.ups_desc_get(self.bytes, name.encode(), None, 0)
        if needed < 0:
            return None
        text = ctypes.create_string_buffer(needed + 1)
        check(ups.ups_desc_get(self.bytes, name.encode(), text, needed + 1), needed, f"length of {name}")
        return text.value.decode()

    def run(self, x, dims, indices_in=None, want_indices=False, weights=None, bias=None, want=OK):
        """Output dims, values, indices (or None), bad_count."""
        tensor, op, plan = Tensor(), c_void_p(), c_void_p()
        check(ups.ups_tensor_init(byref(tensor), ctypes.sizeof(tensor), F32, len(dims) - 2, CHANNELS_FIRST,
                                  (c_int64 * len(dims))(*dims)), OK, "ups_tensor_init")
        check(ups.ups_op_create(self.bytes, weights, bias, None, byref(op)), OK, "ups_op_create")
        check(ups.ups_plan_create(op, byref(tensor), None, None, byref(plan)), OK, "ups_plan_create")
        out, buffers = Tensor(size=ctypes.sizeof(Tensor)), Buffers()
        check(ups.ups_plan_tensor(plan, DST, byref(out)), OK, "ups_plan_tensor")
        out_dims = list(out.dims[:len(dims)])
        y = (c_float * product(out_dims))()
        check(ups.ups_buffers_init(byref(buffers), ctypes.sizeof(buffers)), OK, "ups_buffers_init")
        source = floats(x)
        buffers.src, buffers.dst = ctypes.addressof(source), ctypes.addressof(y)
        taken = given = None
        if indices_in is not None:
            taken = (c_int64 * len(indices_in))(*indices_in)
            buffers.indices_in = ctypes.addressof(taken)
        if want_indices:
            shape = Tensor(size=ctypes.sizeof(Tensor))
            check(ups.ups_plan_tensor(plan, INDICES, byref(shape)), OK, "ups_plan_tensor of the indices")
            check((shape.dtype, list(shape.dims[:len(dims)])), (I64, out_dims), "shape of the indices")
            given = (c_int64 * len(y))()
            buffers.indices_out = ctypes.addressof(given)
        described = from_json(ups.ups_plan_describe, plan)
        check((described["src"], described["dst"]), (list(dims), out_dims), "sizes in the description")
        check(described["isa"] in from_json(ups.ups_cpu_info)["compiled"], True, "a tier of this build")
        needed = ups.ups_plan_workspace(plan, 1)
        work = ctypes.create_string_buffer(needed) if needed else None
        check(ups.ups_run(plan, byref(buffers), work, needed), want, "ups_run")
        ups.ups_op_destroy(op)  # in any order
        ups.ups_plan_destroy(plan)
        return out_dims, list(y), given and list(given), buffers.bad_count


def naive_pool(x, planes, height, width, kernel, stride, pad):
    rows, columns = ((n + 2 * pad - kernel) // stride + 1 for n in (height, width))
    values, indices = [], []
    for plane in range(planes):
        for i in range(rows):
            for j in range(columns):
                best, where = -float("inf"), -1
                for h in range(i * stride - pad, i * stride - pad + kernel):
                    for w in range(j * stride - pad, j * stride - pad + kernel):
                        if 0 <= h < height and 0 <= w < width and x[(plane * height + h) * width + w] > best:
                            best, where = x[(plane * height + h) * width + w], h * width + w
                values.append(best)
                indices.append(where)
    return [rows, columns], values, indices


def naive_unpool(x, indices, planes, height, width):
    y = [0.0] * (planes * height * width)
    each = len(x) // planes
    for i, value in enumerate(x):
        y[i // each * height * width + indices[i]] = value
    return y


def naive_conv_transpose(x, w, bias, batch, inputs, outputs, group, height, width, kernel, stride, pad, more):
    rows, columns = (stride * (n - 1) + kernel - 2 * pad + more for n in (height, width))
    y = [bias[i // (rows * columns) % outputs] for i in range(batch * outputs * rows * columns)]
    for n in range(batch):
        for ci in range(inputs):
            for co in range(outputs // group):
                to = ci // (inputs // group) * (outputs // group) + co
                for h in range(height):
                    for v in range(width):
                        for i in range(kernel):
                            for j in range(kernel):
                                r, c = h * stride + i - pad, v * stride + j - pad
                                if 0 <= r < rows and 0 <= c < columns:
                                    y[((n * outputs + to) * rows + r) * columns + c] += (
                                        x[((n * inputs + ci) * height + h) * width + v] *
                                        w[((ci * (outputs // group) + co) * kernel + i) * kernel + j])
    return [rows, columns], y


def integers(count, largest):
    return [float(numbers.randint(-largest, largest)) for _ in range(count)]


def pool_and_back():
    dims = [2, 3, 10, 14]
    x = integers(product(dims), 1000)

    pool = Desc("max_pool", rank="2", kernel_shape="3,3", strides="2,2", pads="1,1,1,1", index_type="i64")
    out, y, indices, _ = pool.run(x, dims, want_indices=True)
    sizes, values, places = naive_pool(x, 6, 10, 14, 3, 2, 1)
    check((out, y, indices), ([2, 3] + sizes, values, places), "max_pool with pads")

    pool = Desc("max_pool", rank="2", kernel_shape="2,2", index_type="i64")
    check(pool.get("strides"), "2,2", "strides resolved by the preset")
    out, y, indices, _ = pool.run(x, dims, want_indices=True)
    sizes, values, places = naive_pool(x, 6, 10, 14, 2, 2, 0)
    check((out, y, indices), ([2, 3] + sizes, values, places), "max_pool")

    unpool = Desc("max_unpool", rank="2", kernel_shape="2,2", index_type="i64")
    back, z, _, bad = unpool.run(y, out, indices_in=indices)
    check((back, z, bad), (dims, naive_unpool(y, indices, 6, 10, 14), 0), "max_unpool")
    again = pool.run([v if v else -float("inf") for v in z], dims, want_indices=True)
    kept = [v if v else -float("inf") for v in y]
    check(again[1], kept, "max_pool of max_unpool of max_pool")

    indices[7] = 10 * 14
    _, z, _, bad = unpool.run(y, out, indices_in=indices, want=BAD_INDEX)
    check(bad, 1, "indices outside the plane")


def conv_transpose():
    dims = [2, 4, 5, 6]
    x, w, bias = integers(product(dims), 8), integers(4 * 3 * 9, 8), integers(6, 8)
    desc = Desc("conv_transpose", rank="2", in_channels="4", out_channels="6", group="2", kernel_shape="3,3",
                strides="2,2", pads="1,1,1,1", output_padding="1,1")
    out, y, _, _ = desc.run(x, dims, weights=floats(w), bias=floats(bias))
    sizes, values = naive_conv_transpose(x, w, bias, 2, 4, 6, 2, 5, 6, 3, 2, 1, 1)
    check((out, y), ([2, 6] + sizes, values), "conv_transpose")


def errors():
    desc = Desc("max_pool", rank="2", kernel_shape="2,2")
    check(desc.set("kernel_shape", "0,2"), INVALID, "a kernel of no size")
    sentence = ups.ups_last_error().decode()
    if "kernel_shape" not in sentence or "0" not in sentence:
        sys.exit(f"ctypes_pool: the sentence does not name the field and its value: \"{sentence}\"")
    check(desc.get("kernel_shape"), "2,2", "the descriptor after a refused value")
    check(desc.set("kernel_size", "2"), INVALID, "a field there is not")
    if "kernel_size" not in ups.ups_last_error().decode():
        sys.exit(f"ctypes_pool: the sentence does not name the field: \"{ups.ups_last_error().decode()}\"")
    check(desc.get("kernel_size"), None, "a field there is not, read")

    empty, op = Desc("max_pool", rank="2"), c_void_p()
    check(ups.ups_op_create(empty.bytes, None, None, None, byref(op)), INVALID, "ups_op_create without a kernel")
    check(op.value, None, "the op of a failure")
    if "kernel_shape" not in ups.ups_last_error().decode():
        sys.exit(f"ctypes_pool: the sentence does not name the field: \"{ups.ups_last_error().decode()}\"")


if len(sys.argv) != 2:
    sys.exit("usage: ctypes_pool.py path/to/libupsample.so")
ups = load(sys.argv[1])
numbers = random.Random(1)
pool_and_back()
conv_transpose()
errors()
print("ctypes_pool: max_pool, max_unpool and conv_transpose are right, and so are the errors")
