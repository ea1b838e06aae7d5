# SPDX-License-Identifier: MIT
"""ncnn: networks of one layer, f32 throughout, on the CPU."""
import os
import tempfile

import ncnn
import numpy as np

from calls import Call, data, integers, layout, whole


def VERSION():
    return ncnn.__version__


def infer(x, layer, parameters, weights=None, bias=None):
    """The layer's output for each image of x, or None where ncnn refuses it."""
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    words = []
    for key, value in parameters.items():
        if isinstance(value, list):  # an array: its key is -23300 - key, then the count
            words.append(f"{-23300 - key}={len(value)}," + ",".join(map(str, value)))
        else:
            words.append(f"{key}={value}")
    text = f"7767517\n2 2\nInput x 0 1 x\n{layer} y 1 1 x y {' '.join(words)}\n"
    if net.load_param_mem(text):
        return None
    with tempfile.NamedTemporaryFile(suffix=".bin", delete=False) as file:
        if weights is not None:
            file.write(np.int32(0).tobytes() + weights.tobytes())  # 0: raw f32
        if bias is not None:
            file.write(bias.tobytes())
    try:
        net.load_model(file.name)
    finally:
        os.unlink(file.name)
    images = []
    for image in x:
        extractor = net.create_extractor()
        extractor.input("x", ncnn.Mat(np.ascontiguousarray(image)).clone())
        status, y = extractor.extract("y")
        images.append(None if status or y.empty() else np.array(y))
        del y, extractor  # they lie in the network's memory
    return None if any(image is None for image in images) else np.stack(images)


def axes(values, keys):
    """Parameters of an axis each, outermost first, under ncnn's keys, innermost first."""
    return dict(zip(keys, reversed(values)))


# ---- pooling ----


def pool(rng, quick, op):
    rank = int(rng.choice([1, 2, 2, 3]))
    kernel, strides = integers(rng, 1, 5, rank), integers(rng, 1, 5, rank)
    begin, end = ([int(rng.integers(0, k)) for k in kernel] for _ in range(2))
    size = integers(rng, 1, 8 if quick or rank == 3 else 20, rank)
    # no NaN: what ncnn's maximum does with one depends on the number of channels
    x = data(rng, [int(rng.integers(1, 3)), int(rng.choice([1, 2, 3, 4, 8])), *size])
    keys = {"kernel_shape": kernel, "strides": strides}
    pad_mode = int(rng.integers(0, 4))  # 0 ceil, 1 floor, 2 same_upper, 3 same_lower
    if pad_mode == 1:
        keys["ceil_mode"] = 0
    if pad_mode >= 2:
        keys["auto_pad"] = ["same_upper", "same_lower"][pad_mode - 2]
        begin = end = [0] * rank
        totals = [(n - 1) // s * s + k - n for n, s, k in zip(size, strides, kernel)]
        if min(totals) < 0 < max(totals):  # ncnn then makes a negative border and writes outside its memory
            return None
        if rank == 3 and pad_mode == 3 and totals[0] % 2:  # Pooling3D pads the first axis as pad_mode 2 does: a bug
            return None
    elif any(begin + end):
        keys["pads"] = begin + end
    if pad_mode < 2 and any(n + b + e < k for n, b, e, k in zip(size, begin, end, kernel)):
        return None
    count = int(rng.integers(2))
    parameters = {
        0: int(op == "avg_pool"),
        **axes(kernel, [1, 11, 21]),
        **axes(strides, [2, 12, 22]),
        **axes(begin, [3, 13, 23]),
        **axes(end, [14, 15, 16]),
        5: pad_mode,
    }
    if op == "avg_pool":
        parameters[6] = count
        if count or pad_mode >= 2:  # with pad_mode 2 and 3 ncnn knows of no padding, and counts the zeros it added
            keys["count_include_pad"] = "window"
    expected = infer(x, "Pooling" + {1: "1D", 2: "", 3: "3D"}[rank], parameters)
    if expected is None or np.isnan(expected).any():  # no tap counted: ncnn says 0/0, the library 0
        return None
    return Call(
        op=op,
        preset="ncnn",
        keys=keys,
        x=x,
        rank=rank,
        layout=layout(rng),
        expected=expected,
        bound=0 if op == "max_pool" else 3e-7 * float(np.abs(x).max()) * (2 + int(np.prod(kernel))),
        what=f"Pooling {parameters}",
    )


def max_pool(rng, quick):
    return pool(rng, quick, "max_pool")


def avg_pool(rng, quick):
    return pool(rng, quick, "avg_pool")


# ---- shuffles ----


def shuffle(rng, op):
    block, mode = int(rng.integers(1, 4)), int(rng.integers(2))
    channels, size = int(rng.choice([1, 2, 4])), integers(rng, 1, 6, 2)
    if op == "pixel_shuffle":
        shape, layer = [channels * block**2, *size], "PixelShuffle"
    else:
        shape, layer = [channels, *(n * block for n in size)], "Reorg"
    x = data(rng, [int(rng.integers(1, 3)), *shape])
    expected = infer(x, layer, {0: block, 1: mode})
    if expected is None:
        return None
    return Call(
        op=op,
        preset="ncnn",
        keys={"blocksize": block, **({"shuffle": "dcr"} if mode else {})},
        x=x,
        rank=2,
        layout=layout(rng),
        expected=expected,
        bound=0,
        what=f"{layer} mode={mode}",
    )


def pixel_shuffle(rng, quick):
    return shuffle(rng, "pixel_shuffle")


def pixel_unshuffle(rng, quick):
    return shuffle(rng, "pixel_unshuffle")


# ---- resizing ----


def resize(rng, quick):
    top = 10 if quick else 40
    rank, kind = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    size = integers(rng, 1, top, rank)
    x = data(rng, [int(rng.integers(1, 3)), int(rng.choice([1, 2, 3, 4, 8])), *size])
    keys = {"mode": ["nearest", "linear", "cubic"][kind - 1]}
    if kind == 1:
        del keys["mode"]
    parameters = {0: kind}
    if rng.random() < 0.6:
        target = integers(rng, 1, 2 * top, rank)
        keys["sizes"] = target
        parameters |= {3: 1, **axes(target, [4, 3])}  # ncnn takes sizes only if both are there
    else:
        scales = [float(np.float32(np.round(s, 2))) for s in rng.uniform(0.3, 3, rank)]
        keys["scales"] = scales
        parameters |= axes(scales, [2, 1])
    if kind > 1 and rng.random() < 0.3:
        parameters[6] = 1
        keys["coordinate_transformation_mode"] = "align_corners"
    expected = infer(x, "Interp", parameters)
    if expected is None or not expected.size:
        return None
    taps = {1: 0, 2: 2, 3: 4}[kind]
    return Call(
        op="resize",
        preset="ncnn",
        keys=keys,
        x=x,
        rank=rank,
        layout=layout(rng),
        expected=expected,
        bound=3e-7 * float(np.abs(x).max()) * (12 + taps * max(size)) if taps else 0,
        what=f"Interp {parameters}",
    )


# ---- transposed convolution ----

ACTIVATIONS = [
    (0, [], None),
    (1, [], "relu"),
    (2, [0.1], "leaky_relu:0.1"),
    (3, [-3.0, 5.0], "clip:-3,5"),
    (4, [], "sigmoid"),
]


def conv_transpose(rng, quick):
    rank = int(rng.choice([1, 2, 2, 3]))
    group = int(rng.choice([1, 1, 2, 3]))
    inputs, outputs = group * int(rng.choice([1, 2, 4])), group * int(rng.choice([1, 2, 4]))
    kernel, strides = integers(rng, 1, 5, rank), integers(rng, 1, 4, rank)
    dilations = integers(rng, 1, 3, rank) if rng.random() < 0.4 else [1] * rank
    size = integers(rng, 1, 6 if rank == 3 else 9, rank)
    begin, end, padding = [0] * rank, [0] * rank, [0] * rank
    keys = {
        "in_channels": inputs,
        "out_channels": outputs,
        "group": group,
        "kernel_shape": kernel,
        "strides": strides,
        "dilations": dilations,
    }
    extent = [d * (k - 1) + 1 for d, k in zip(dilations, kernel)]
    full = [(n - 1) * s + e for n, s, e in zip(size, strides, extent)]
    if rng.random() < 0.4:
        padding = [int(rng.integers(0, max(s, d))) for s, d in zip(strides, dilations)]
        keys["output_padding"] = padding
        full = [f + p for f, p in zip(full, padding)]
    wanted = None
    way = rng.random()
    if way < 0.4:
        begin, end = ([int(rng.integers(0, e)) for e in extent] for _ in range(2))
        if any(f - b - e < 1 for f, b, e in zip(full, begin, end)):
            return None
        keys["pads"] = begin + end
    elif way < 0.7 and rank < 3:
        wanted = [max(1, f - int(rng.integers(0, 5))) for f in full]
        upper = bool(rng.integers(2))
        begin = end = [-233 if upper else -234] * rank
        keys["auto_pad"] = "same_upper" if upper else "same_lower"
        keys["output_shape"] = wanted
    x = data(rng, [int(rng.integers(1, 3)), inputs, *size])
    weights = data(rng, [outputs, inputs // group, *kernel])
    bias = data(rng, [outputs]) if rng.random() < 0.5 else None
    activation, values, word = ACTIVATIONS[rng.integers(len(ACTIVATIONS)) if rng.random() < 0.5 else 0]
    if word:
        keys["activation"] = word
    parameters = {
        0: outputs,
        **axes(kernel, [1, 11, 21]),
        **axes(dilations, [2, 12, 22]),
        **axes(strides, [3, 13, 23]),
        **axes(begin, [4, 14, 24]),
        **axes(end, [15, 16, 17]),
        5: int(bias is not None),
        6: weights.size,
        9: activation,
        **axes(padding, [18, 19, 20]),
    }
    if wanted:
        parameters |= axes(wanted, [20, 21] if rank < 3 else [25, 26, 27])
    if values:
        parameters[10] = values
    layer = "Deconvolution"
    if group > 1:
        layer, parameters[7] = "DeconvolutionDepthWise", group
    expected = infer(x, layer + {1: "1D", 2: "", 3: "3D"}[rank], parameters, weights, bias)
    if expected is None:
        return None
    terms = inputs // group * int(np.prod(kernel)) + 1
    exact = whole(x, weights) and (bias is None or whole(bias)) and activation not in (2, 4)
    return Call(
        op="conv_transpose",
        preset="ncnn",
        keys=keys,
        x=x,
        rank=rank,
        layout=layout(rng),
        weights=weights,
        bias=bias,
        expected=expected,
        bound=0 if exact else 2e-6 * terms * max(1.0, float(np.abs(x).max() * np.abs(weights).max())),
        what=f"{layer} {parameters}",
    )


PRESETS = {
    "ncnn": {
        "max_pool": max_pool,
        "avg_pool": avg_pool,
        "pixel_shuffle": pixel_shuffle,
        "pixel_unshuffle": pixel_unshuffle,
        "resize": resize,
        "conv_transpose": conv_transpose,
    }
}
