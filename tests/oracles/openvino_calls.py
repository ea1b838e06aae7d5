# SPDX-License-Identifier: MIT
"""OpenVINO: the CPU plugin in f32, one operation per model."""
import numpy as np
import openvino
import openvino.opset11 as opset11
import openvino.opset14 as opset14

from calls import Call, data, integers, layout, whole

CORE = openvino.Core()
CONFIG = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}


def VERSION():
    return openvino.__version__


def infer(x, build):
    """The outputs of the operation build(parameter), or None where OpenVINO refuses it."""
    parameter = opset14.parameter(list(x.shape), np.float32)
    try:
        node = build(parameter)
        model = openvino.Model(node.outputs(), [parameter])
        run = CORE.compile_model(model, "CPU", CONFIG).create_infer_request()
        run.infer([x])
    except RuntimeError:
        return None
    outputs = [run.get_output_tensor(i).data.copy() for i in range(node.get_output_size())]
    return outputs if outputs[0].size else None


# ---- pooling ----


def windows(rng, quick):
    """Random geometry: rank, shape of x, the library's keys, OpenVINO's arguments, and whether a window may be empty."""
    rank = int(rng.integers(1, 4))
    kernel, strides = integers(rng, 1, 5, rank), integers(rng, 1, 5, rank)
    dilations = integers(rng, 1, 3, rank) if rng.random() < 0.3 else [1] * rank
    size = integers(rng, 1, 8 if quick or rank == 3 else 20, rank)
    keys = {"kernel_shape": kernel, "strides": strides}
    if dilations != [1] * rank:
        keys["dilations"] = dilations
    begin, end = [0] * rank, [0] * rank
    auto_pad = str(rng.choice(["explicit", "explicit", "same_upper", "same_lower", "valid"]))
    if auto_pad == "explicit":
        begin, end = ([int(rng.integers(0, k)) for k in kernel] for _ in range(2))
        if any(begin + end):
            keys["pads"] = begin + end
    else:
        keys["auto_pad"] = auto_pad
    rounding = str(rng.choice(["floor", "ceil", "ceil_torch"]))
    if auto_pad != "explicit":
        rounding = "floor"
    if rounding == "ceil":
        keys["ceil_mode"] = 1
    elif rounding == "ceil_torch":
        keys["round"] = "ceil_clip"
    shape = [int(rng.integers(1, 3)), int(rng.integers(1, 5)), *size]
    return rank, shape, keys, (kernel, strides, dilations, begin, end, rounding, auto_pad)


def max_pool(rng, quick):
    rank, shape, keys, (kernel, strides, dilations, begin, end, rounding, auto_pad) = windows(rng, quick)
    x = data(rng, shape, special=0.4)
    axis = int(rng.integers(0, 3))
    index_type = str(rng.choice(["i64", "i32"]))
    outputs = infer(
        x,
        lambda p: opset14.max_pool(
            p, strides, dilations, begin, end, kernel, rounding, auto_pad, index_type, axis
        ),
    )
    if outputs is None:
        return None
    values, indices = outputs
    # The index of a window in which nothing is taken is not modelled: the library says -1.
    with_indices = not (values == np.finfo(np.float32).min).any()
    if with_indices:
        keys["index"] = ["tensor", "channel", "plane"][axis]
        if index_type != "i64":
            keys["index_type"] = index_type
    return Call(
        op="max_pool",
        preset="openvino",
        keys=keys,
        x=x,
        rank=rank,
        layout=layout(rng),
        expected=values,
        expected_indices=indices if with_indices else None,
        bound=0,
        what=f"MaxPool-14 axis={axis} rounding_type={rounding}",
    )


def avg_pool(rng, quick):
    rank, shape, keys, (kernel, strides, dilations, begin, end, rounding, auto_pad) = windows(rng, quick)
    if dilations != [1] * rank:  # AvgPool-14 has none
        return None
    exclude = bool(rng.integers(2))
    # With a pad OpenVINO divides by the whole kernel, also what rounding up adds; with none it ignores exclude-pad.
    if not exclude and (auto_pad != "explicit" or any(begin + end)):
        keys["count_include_pad"] = "window"
    x = data(rng, shape)
    outputs = infer(
        x, lambda p: opset14.avg_pool(p, strides, begin, end, kernel, exclude, rounding, auto_pad)
    )
    if outputs is None or np.isnan(outputs[0]).any():  # no tap counted: OpenVINO says 0/0, the library 0
        return None
    return Call(
        op="avg_pool",
        preset="openvino",
        keys=keys,
        x=x,
        rank=rank,
        layout=layout(rng),
        expected=outputs[0],
        bound=3e-7 * float(np.abs(x).max()) * (2 + int(np.prod(kernel))),
        what=f"AvgPool-14 exclude-pad={exclude} rounding_type={rounding}",
    )


# ---- shuffles ----


def depth_to_space(rng, quick, op):
    rank, block = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    mode = str(rng.choice(["blocks_first", "depth_first"]))
    channels, size = int(rng.integers(1, 4)), integers(rng, 1, 5, rank)
    if op == "pixel_shuffle":
        shape, build = [channels * block**rank, *size], opset14.depth_to_space
    else:
        shape, build = [channels, *(n * block for n in size)], opset14.space_to_depth
    x = data(rng, [int(rng.integers(1, 3)), *shape], special=0.4)
    outputs = infer(x, lambda p: build(p, mode, block))
    if outputs is None:
        return None
    return Call(
        op=op,
        preset="openvino",
        keys={"blocksize": block, **({"shuffle": "crd"} if mode == "depth_first" else {})},
        x=x,
        rank=rank,
        layout=layout(rng),
        expected=outputs[0],
        bound=0,
        what=f"{build.__name__} mode={mode}",
    )


def pixel_shuffle(rng, quick):
    return depth_to_space(rng, quick, "pixel_shuffle")


def pixel_unshuffle(rng, quick):
    return depth_to_space(rng, quick, "pixel_unshuffle")


# ---- resizing ----

COORDINATES = ["half_pixel", "pytorch_half_pixel", "asymmetric", "tf_half_pixel_for_nn", "align_corners"]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "simple"]


def resize(rng, quick):
    top = 10 if quick else 30
    mode = str(rng.choice(["nearest", "nearest", "linear_onnx", "linear", "cubic", "bilinear_pillow", "bicubic_pillow"]))
    pillow = mode.endswith("_pillow")
    rank = 2 if pillow else int(rng.integers(1, 4))
    size = integers(rng, 1, top, rank)
    x = data(rng, [int(rng.integers(1, 3)), int(rng.integers(1, 4)), *size])
    coordinates, nearest, coefficient = "half_pixel", "round_prefer_floor", -0.75
    keys = {"mode": mode.removesuffix("_onnx")}
    if pillow:
        keys = {"mode": "linear" if mode == "bilinear_pillow" else "cubic", "antialias": 1, "exclude_outside": 1}
        if mode == "bicubic_pillow":
            coefficient = keys["cubic_coeff_a"] = -0.5
    elif rng.random() < 0.8:
        coordinates = keys["coordinate_transformation_mode"] = str(rng.choice(COORDINATES))
    if mode == "nearest":
        del keys["mode"]  # OpenVINO has no default, the preset has this one
        nearest = keys["nearest_mode"] = str(rng.choice(NEAREST))
    if mode == "cubic" and rng.random() < 0.3:
        coefficient = keys["cubic_coeff_a"] = -0.5
    if rng.random() < 0.6 or pillow:
        rule, target = "sizes", np.array(integers(rng, 1, 2 * top, rank), np.int64)
        keys["sizes"] = [int(m) for m in target]
    else:
        rule, target = "scales", np.round(rng.uniform(0.3, 3, rank), 2).astype(np.float32)
        keys["scales"] = [float(s) for s in target]
    axes = np.arange(2, 2 + rank, dtype=np.int64)
    outputs = infer(
        x,
        lambda p: opset11.interpolate(
            p,
            opset11.constant(target),
            mode,
            rule,
            [0],
            [0],
            coordinates,
            nearest,
            False,
            coefficient,
            opset11.constant(axes),
        ),
    )
    if outputs is None:
        return None
    got = outputs[0].shape[2:]
    taps = {"nearest": 0, "linear_onnx": 2, "linear": 2, "cubic": 4, "bilinear_pillow": 4, "bicubic_pillow": 8}[mode]
    terms = taps * (max(size) + max(max(1.0, n / m) for n, m in zip(size, got)))
    return Call(
        op="resize",
        preset="openvino",
        keys=keys,
        x=x,
        rank=rank,
        layout=layout(rng),
        expected=outputs[0],
        bound=2e-7 * float(np.abs(x).max()) * (8 + terms) if taps else 0,
        what=f"Interpolate-11 mode={mode} {rule}={target.tolist()} {coordinates} {nearest}",
    )


# ---- transposed convolution ----


def conv_transpose(rng, quick):
    rank = int(rng.integers(1, 4))
    group = int(rng.choice([1, 1, 2, 3]))
    inputs, outputs_per_group = group * int(rng.integers(1, 4)), int(rng.integers(1, 4))
    kernel, strides = integers(rng, 1, 5, rank), integers(rng, 1, 4, rank)
    dilations = integers(rng, 1, 3, rank) if rng.random() < 0.4 else [1] * rank
    size = integers(rng, 1, 6 if rank == 3 else 9, rank)
    begin, end, padding, wanted = [0] * rank, [0] * rank, [0] * rank, None
    keys = {
        "in_channels": inputs,
        "out_channels": group * outputs_per_group,
        "group": group,
        "kernel_shape": kernel,
        "strides": strides,
        "dilations": dilations,
    }
    auto_pad = str(rng.choice(["explicit", "explicit", "same_upper", "same_lower", "valid"]))
    full = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(size, strides, dilations, kernel)]
    if rng.random() < 0.4:
        padding = [int(rng.integers(0, max(s, d))) for s, d in zip(strides, dilations)]
        keys["output_padding"] = padding
    if rng.random() < 0.5:
        wanted = [max(1, f + int(rng.integers(-4, 3))) for f in full]
        keys["output_shape"] = wanted
    elif auto_pad == "explicit":
        begin, end = ([int(rng.integers(0, d * (k - 1) + 1)) for d, k in zip(dilations, kernel)] for _ in range(2))
        keys["pads"] = begin + end
    if auto_pad != "explicit":
        keys["auto_pad"] = auto_pad
    x = data(rng, [int(rng.integers(1, 3)), inputs, *size])
    weights = data(rng, [inputs, outputs_per_group, *kernel])

    def build(p):
        filters, operation = weights, opset14.convolution_backprop_data
        if group > 1:
            filters = weights.reshape(group, inputs // group, *weights.shape[1:])
            operation = opset14.group_convolution_backprop_data
        shape = None if wanted is None else opset14.constant(np.array(wanted, np.int64))
        return operation(p, opset14.constant(filters), strides, shape, begin, end, dilations, auto_pad, padding)

    outputs = infer(x, build)
    if outputs is None:
        return None
    terms = inputs // group * int(np.prod(kernel))
    bound = 2e-6 * terms * float(np.abs(x).max() * np.abs(weights).max())
    return Call(
        op="conv_transpose",
        preset="openvino",
        keys=keys,
        x=x,
        rank=rank,
        layout=layout(rng),
        weights=weights,
        expected=outputs[0],
        bound=0 if whole(x, weights) else bound,
        what=f"ConvolutionBackpropData auto_pad={auto_pad} output_shape={wanted} output_padding={padding}",
    )


PRESETS = {
    "openvino": {
        "max_pool": max_pool,
        "avg_pool": avg_pool,
        "pixel_shuffle": pixel_shuffle,
        "pixel_unshuffle": pixel_unshuffle,
        "resize": resize,
        "conv_transpose": conv_transpose,
    }
}
