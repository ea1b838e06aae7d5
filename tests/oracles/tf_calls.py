# SPDX-License-Identifier: MIT
"""TensorFlow's CPU kernels (tf), their legacy flags (tf1), and TFLite's reference kernels (tflite)."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import flatbuffers
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from calls import Call, data, integers, layout, whole

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


def VERSION():
    return tf.__version__


def channels_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def channels_first(y):
    return np.moveaxis(np.asarray(y), -1, 1)


def run(function, *arguments, **named):
    """The outputs, N C spatial, or None where TensorFlow refuses the call."""
    try:
        y = function(*arguments, **named)
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, ValueError):
        return None
    return [channels_first(a) for a in y] if isinstance(y, (tuple, list)) else channels_first(y)


# ---- TFLite: a model of one operator ----


def lite(operator, options, x, constants=()):
    """Runs one builtin operator on x (N spatial C) and constant inputs, by the reference kernels. None: refused."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description = 3, ""
    model.subgraphs, model.buffers = [graph], [schema.BufferT()]
    graph.tensors, types = [], {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32}

    def tensor(name, shape, dtype, content=None):
        t = schema.TensorT()
        t.name, t.shape, t.type, t.buffer = name, list(shape), types[str(dtype)], 0
        if content is not None:
            t.buffer = len(model.buffers)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(content).tobytes(), np.uint8)
            model.buffers.append(buffer)
        graph.tensors.append(t)
        return len(graph.tensors) - 1

    source = tensor("x", x.shape, x.dtype)
    inputs = [source if c is None else tensor(f"c{i}", c.shape, c.dtype, c) for i, c in enumerate(constants or [None])]
    result = tensor("y", [], np.dtype("float32"))
    code, node = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = getattr(schema.BuiltinOperator, operator)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = 3 if operator in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "TRANSPOSE_CONV") else 1
    node.opcodeIndex, node.inputs, node.outputs = 0, inputs, [result]
    node.builtinOptions = options
    node.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    model.operatorCodes, graph.operators = [code], [node]
    graph.inputs, graph.outputs = [source], [result]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    try:
        interpreter = tf.lite.Interpreter(
            model_content=bytes(builder.Output()),
            num_threads=1,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
        )
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
    except (RuntimeError, ValueError):
        return None
    return channels_first(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def options(kind, **fields):
    made = getattr(schema, kind + "OptionsT")()
    for name, value in fields.items():
        assert hasattr(made, name), name
        setattr(made, name, value)
    return made


def padding_of(auto_pad):
    return schema.Padding.SAME if auto_pad == "SAME" else schema.Padding.VALID


# ---- pooling ----

VALUES = {
    "max_pool": {1: tf.nn.max_pool1d, 2: tf.nn.max_pool2d, 3: tf.nn.max_pool3d},
    "avg_pool": {1: tf.nn.avg_pool1d, 2: tf.nn.avg_pool2d, 3: tf.nn.avg_pool3d},
}


def pool(rng, quick, op, preset):
    rank = int(rng.integers(1, 4)) if preset == "tf" else 2
    kernel, strides = integers(rng, 1, 5, rank), integers(rng, 1, 5, rank)
    if rng.random() < 0.3:
        strides = kernel
    size = integers(rng, 1, 8 if quick or rank == 3 else 20, rank)
    padding = str(rng.choice(["SAME", "VALID"]))
    if padding == "VALID" and any(n < k for n, k in zip(size, kernel)):
        return None
    keys = {"kernel_shape": kernel}
    if strides != kernel:
        keys["strides"] = strides
    if padding == "SAME":
        keys["auto_pad"] = "same_upper"
    special = 0.4 if op == "max_pool" and rank < 3 else 0  # max_pool3d promises nothing about NaN
    x = data(rng, [int(rng.integers(1, 3)), int(rng.integers(1, 5)), *size], special)
    if preset == "tflite":
        x[x == np.inf] = 5  # its activation none still cuts at the largest float
    source, indices = channels_last(x), None
    arguments, what = padding, VALUES[op][rank].__name__
    if preset == "tflite":
        what = op.upper() + "_2D" if op == "max_pool" else "AVERAGE_POOL_2D"
        expected = lite(
            what,
            options(
                "Pool2D",
                padding=padding_of(padding),
                strideH=strides[0],
                strideW=strides[1],
                filterHeight=kernel[0],
                filterWidth=kernel[1],
            ),
            source,
        )
    elif op == "max_pool" and rank == 2 and rng.random() < 0.5:
        batch, index_type = bool(rng.integers(2)), str(rng.choice(["i64", "i32"]))
        keys |= {"nan": "seed", "index": "nhwc_batch" if batch else "nhwc"}
        if index_type == "i32":
            keys["index_type"] = index_type
        what = f"max_pool_with_argmax include_batch_in_index={batch}"
        outputs = run(
            tf.nn.max_pool_with_argmax,
            source,
            kernel,
            strides,
            padding,
            output_dtype=tf.int64 if index_type == "i64" else tf.int32,
            include_batch_in_index=batch,
        )
        if outputs is None:
            return None
        expected, indices = outputs
    else:
        short = any((n - 1) // s * s + k < n for n, s, k in zip(size, strides, kernel))
        if rank == 3 and padding == "SAME" and short:
            return None  # the 3-D kernels shift its windows by half of the negative padding: a bug
        if op == "max_pool" and rank == 2 and rng.random() < 0.3:
            begin, end = ([int(rng.integers(0, k)) for k in kernel] for _ in range(2))
            if any(n + b + e < k for n, b, e, k in zip(size, begin, end, kernel)):
                return None
            keys |= {"auto_pad": "notset", "pads": begin + end}
            arguments = [[0, 0], [begin[0], end[0]], [begin[1], end[1]], [0, 0]]
        expected = run(VALUES[op][rank], source, kernel, strides, arguments)
    if expected is None:
        return None
    return Call(
        op=op,
        preset=preset,
        keys=keys,
        x=x,
        rank=rank,
        layout=layout(rng),
        expected=expected,
        expected_indices=indices,
        bound=0 if op == "max_pool" else 3e-7 * float(np.abs(x).max()) * (2 + int(np.prod(kernel))),
        what=f"{what} {arguments}",
    )


# ---- shuffles ----


def shuffle(rng, quick, op, preset):
    block, channels, size = int(rng.integers(2, 4)), int(rng.integers(1, 4)), integers(rng, 1, 5, 2)
    if op == "pixel_shuffle":
        shape, function, operator, kind = (
            [channels * block**2, *size],
            tf.nn.depth_to_space,
            "DEPTH_TO_SPACE",
            "DepthToSpace",
        )
    else:
        shape, function, operator, kind = (
            [channels, *(n * block for n in size)],
            tf.nn.space_to_depth,
            "SPACE_TO_DEPTH",
            "SpaceToDepth",
        )
    x = data(rng, [int(rng.integers(1, 3)), *shape], special=0.4)
    if preset == "tflite":
        expected = lite(operator, options(kind, blockSize=block), channels_last(x))
    else:
        expected = run(function, channels_last(x), block)
    if expected is None:
        return None
    return Call(
        op=op,
        preset=preset,
        keys={"blocksize": block},
        x=x,
        rank=2,
        layout=layout(rng),
        expected=expected,
        bound=0,
        what=operator if preset == "tflite" else f"tf.nn {operator.lower()}",
    )


# ---- resizing ----

# tf.image.resize's method: the library's keys, support, whether antialias means something
METHODS = {
    "nearest": ({"mode": "nearest"}, 0, False),
    "bilinear": ({}, 1, True),  # TensorFlow's default and the preset's
    "bicubic": ({"mode": "cubic"}, 2, True),
    "area": ({"mode": "area"}, 0.5, False),
    "lanczos3": ({"mode": "lanczos"}, 3, True),
    "lanczos5": ({"mode": "lanczos", "lanczos_radius": 5}, 5, True),
}
RAW = {
    "nearest": tf.raw_ops.ResizeNearestNeighbor,
    "bilinear": tf.raw_ops.ResizeBilinear,
    "bicubic": tf.raw_ops.ResizeBicubic,
    "area": tf.raw_ops.ResizeArea,
}
LITE = {"nearest": ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor"), "bilinear": ("RESIZE_BILINEAR", "ResizeBilinear")}


def flags(rng, preset, method, keys):
    """Random align_corners and half_pixel_centers of the raw operators; sets the key that says the same."""
    align, half = bool(rng.random() < 0.3), preset != "tf1"
    if method == "area":  # has no centres; corners do not say what they mean elsewhere
        return {"align_corners": False}
    if rng.random() < 0.3:
        half = not half
        coordinates = "asymmetric"
        if half:
            coordinates = "tf_half_pixel_for_nn" if method == "nearest" else "half_pixel"
        keys["coordinate_transformation_mode"] = coordinates
    if align:
        half = False  # both are refused
        keys["coordinate_transformation_mode"] = "align_corners"
    return {"align_corners": align, "half_pixel_centers": half}


def resize(rng, quick, preset):
    top = 12 if quick else 50
    whole_image = preset == "tf" and rng.random() < 0.6
    method = str(rng.choice(list(METHODS if whole_image else LITE if preset == "tflite" else RAW)))
    rank = int(rng.choice([1, 2, 2, 2]))
    size = [1] * (2 - rank) + integers(rng, 1, top, rank)
    target = [1] * (2 - rank) + integers(rng, 1, 2 * top, rank)
    x = data(rng, [int(rng.integers(1, 3)), int(rng.integers(1, 5)), *size]) * np.float32(4)
    keys, support, filtered = METHODS[method]
    keys = dict(keys)
    source, antialias = channels_last(x), False
    if whole_image:
        antialias = bool(rng.integers(2))
        if antialias and filtered:
            keys["antialias"] = 1
        what = f"tf.image.resize {method} antialias={antialias}"
        expected = run(tf.image.resize, source, target, method, antialias=antialias)
    else:
        given = flags(rng, preset, method, keys)
        what = f"{method} {given}"
        if preset == "tflite":
            operator, kind = LITE[method]
            named = {"alignCorners": given["align_corners"], "halfPixelCenters": given["half_pixel_centers"]}
            sizes = np.array(target, np.int32)
            expected = lite(operator, options(kind, **named), source, [None, sizes])
        else:
            expected = run(RAW[method], images=source, size=target, **given)
    if expected is None:
        return None
    taps = [2 * support * (max(1.0, n / m) if antialias or method == "area" else 1) + 1 for n, m in zip(size, target)]
    bound = 2e-7 * float(np.abs(x).max()) * (8 + max(size) * 2 * support + float(np.prod(taps)))
    if method == "area":  # where it grows, positions of f32 are divided by a length below 1
        bound = 4e-7 * float(np.abs(x).max()) * (8 + max(size + target))
    if rank == 1:
        x, expected = x[:, :, 0], expected[:, :, 0]
    return Call(
        op="resize",
        preset=preset,
        keys={**keys, "sizes": target[2 - rank :]},
        x=x,
        rank=rank,
        layout=layout(rng),
        expected=expected,
        bound=bound if support else 0,
        what=f"{what} {size} -> {target}",
    )


# ---- transposed convolution ----

TRANSPOSE = {1: tf.nn.conv1d_transpose, 2: tf.nn.conv2d_transpose, 3: tf.nn.conv3d_transpose}


def conv_transpose(rng, quick, preset):
    rank = int(rng.integers(1, 4)) if preset == "tf" else 2
    inputs, outputs = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    kernel, strides = integers(rng, 1, 5, rank), integers(rng, 1, 4, rank)
    if rank == 1:
        strides = [int(strides[0])]
    size = integers(rng, 1, 6 if rank == 3 else 9, rank)
    padding = str(rng.choice(["SAME", "VALID"]))
    keys = {"in_channels": inputs, "out_channels": outputs, "kernel_shape": kernel, "strides": strides}
    arguments = padding
    explicit = preset == "tf" and rank == 2 and rng.random() < 0.2
    slack = [int(rng.integers(0, s)) for s in strides]
    if explicit:
        begin, end = ([int(rng.integers(0, k)) for k in kernel] for _ in range(2))
        wanted = [(n - 1) * s + k - b - e + t for n, s, k, b, e, t in zip(size, strides, kernel, begin, end, slack)]
        keys |= {"auto_pad": "notset", "pads": begin + end}
        arguments = [[0, 0], [begin[0], end[0]], [begin[1], end[1]], [0, 0]]
    elif padding == "SAME":
        wanted = [n * s - t for n, s, t in zip(size, strides, slack)]
    else:
        wanted = [(n - 1) * s + k + t for n, s, k, t in zip(size, strides, kernel, slack)]
        keys["auto_pad"] = "valid"
    if min(wanted) < 1:
        return None
    keys["output_shape"] = wanted
    x = data(rng, [int(rng.integers(1, 3)), inputs, *size])
    shape = [len(x), *wanted, outputs]
    bias = None
    if preset == "tflite":
        weights = data(rng, [outputs, *kernel, inputs])
        constants = [np.array(shape, np.int32), weights, None]
        if rng.random() < 0.5:
            bias = data(rng, [outputs])
            constants.append(bias)
        made = options("TransposeConv", padding=padding_of(padding), strideH=strides[0], strideW=strides[1])
        expected = lite("TRANSPOSE_CONV", made, channels_last(x), constants)
    else:
        weights = data(rng, [*kernel, outputs, inputs])
        expected = run(TRANSPOSE[rank], channels_last(x), weights, shape, strides, arguments)
    if expected is None:
        return None
    exact = whole(x, weights) and (bias is None or whole(bias))
    bound = 2e-6 * (inputs * int(np.prod(kernel)) + 1) * max(1.0, float(np.abs(x).max() * np.abs(weights).max()))
    return Call(
        op="conv_transpose",
        preset=preset,
        keys=keys,
        x=x,
        rank=rank,
        layout=layout(rng),
        weights=weights,
        bias=bias,
        expected=expected,
        bound=0 if exact else bound,
        what=f"{arguments} output_shape={wanted}",
    )


def operations(preset):
    return {
        "max_pool": lambda rng, quick: pool(rng, quick, "max_pool", preset),
        "avg_pool": lambda rng, quick: pool(rng, quick, "avg_pool", preset),
        "pixel_shuffle": lambda rng, quick: shuffle(rng, quick, "pixel_shuffle", preset),
        "pixel_unshuffle": lambda rng, quick: shuffle(rng, quick, "pixel_unshuffle", preset),
        "resize": lambda rng, quick: resize(rng, quick, preset),
        "conv_transpose": lambda rng, quick: conv_transpose(rng, quick, preset),
    }


PRESETS = {
    "tf": operations("tf"),
    "tf1": {"resize": operations("tf1")["resize"]},  # TensorFlow 1 differs in these alone
    "tflite": operations("tflite"),
}
