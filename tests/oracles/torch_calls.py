# SPDX-License-Identifier: MIT
"""PyTorch on the CPU, in f32."""
import numpy as np
import torch
import torch.nn.functional as F

from calls import Call, data, integers, layout, whole

torch.set_num_threads(1)
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
LAYOUTS = ["OIHW", "HWOI", "OHWI", "HWIO"]


def VERSION():
    return torch.__version__


def of_rank(name, rank):
    return getattr(F, f"{name}{rank}d")


def accepted(function, *arguments, **options):
    """The function's answer as numpy, or None where PyTorch refuses."""
    try:
        y = function(*arguments, **options)
    except (RuntimeError, ValueError):
        return None
    return [t.numpy() for t in y] if isinstance(y, tuple) else y.numpy()


def window(rng, quick, rank):
    kernel = integers(rng, 1, 5, rank)
    keys = {"kernel_shape": kernel, "pads": [0] * 2 * rank, "ceil_mode": int(rng.integers(2))}
    pads = [int(rng.integers(0, k // 2 + 1)) for k in kernel]
    keys["pads"] = pads + pads
    if rng.random() < 0.7:
        keys["strides"] = integers(rng, 1, 5, rank)
    return keys, pads, integers(rng, 1, 8 if quick or rank == 3 else 20, rank)


def max_pool(rng, quick):
    rank = int(rng.integers(1, 4))
    keys, pads, size = window(rng, quick, rank)
    keys["dilations"] = integers(rng, 1, 4, rank) if rng.random() < 0.4 else [1] * rank
    keys["index_type"] = str(rng.choice(["i64", "i32"]))
    extent = [d * (k - 1) + 1 for k, d in zip(keys["kernel_shape"], keys["dilations"])]
    x = data(rng, [int(rng.integers(1, 3)), int(rng.integers(1, 10)), *size], special=0.3)
    strides = keys.get("strides", keys["kernel_shape"])
    y = accepted(of_rank("max_pool", rank), torch.from_numpy(x), keys["kernel_shape"], strides, pads, keys["dilations"],
                 bool(keys["ceil_mode"]), True)
    if y is None or any(e > n + 2 * p for e, n, p in zip(extent, size, pads)):
        return None
    starts = [[o * s - p for o in range(m)] for m, s, p in zip(y[0].shape[2:], strides, pads)]
    taps = [[any(0 <= start + t * d < n for t in range(k)) for start in axis]
            for axis, d, k, n in zip(starts, keys["dilations"], keys["kernel_shape"], size)]
    if not all(map(all, taps)):  # a dilated window of padding alone: PyTorch's index there may lie outside the plane
        return None
    return Call("max_pool", "torch", keys, x, rank, layout(rng), y[0], 0, f"max_pool{rank}d(return_indices=True)",
                expected_indices=y[1])


def avg_pool(rng, quick):
    rank = int(rng.integers(1, 4))
    keys, pads, size = window(rng, quick, rank)
    keys["count_include_pad"] = int(rng.integers(2))
    options = {"padding": pads, "ceil_mode": bool(keys["ceil_mode"]), "count_include_pad": bool(keys["count_include_pad"])}
    if rank > 1 and rng.random() < 0.3:
        options["divisor_override"] = keys["divisor"] = int(rng.integers(1, 9))
    x = data(rng, [int(rng.integers(1, 3)), int(rng.integers(1, 10)), *size])
    y = accepted(of_rank("avg_pool", rank), torch.from_numpy(x), keys["kernel_shape"],
                 keys.get("strides", keys["kernel_shape"]), **options)
    if y is None:
        return None
    terms = int(np.prod(keys["kernel_shape"])) + 2
    return Call("avg_pool", "torch", keys, x, rank, layout(rng), y, 1.2e-7 * terms * float(np.abs(x).max()),
                f"avg_pool{rank}d({options})")


def max_unpool(rng, quick):
    rank = int(rng.integers(1, 4))
    kernel, size = integers(rng, 1, 4, rank), integers(rng, 3, 7 if quick or rank == 3 else 15, rank)
    strides = integers(rng, 1, 4, rank) if rng.random() < 0.3 else kernel
    pads = [int(rng.integers(0, k // 2 + 1)) for k in kernel] if rng.random() < 0.4 else [0] * rank
    channels = int(rng.integers(1, 6))
    full = data(rng, [int(rng.integers(1, 3)), channels, *size], special=0.3)
    pooled = accepted(of_rank("max_pool", rank), torch.from_numpy(full), kernel, strides, pads, return_indices=True)
    if pooled is None:
        return None
    keys = {"kernel_shape": kernel, "strides": strides, "pads": pads + pads}
    if rng.random() < 0.6:
        keys["output_shape"] = size
    else:
        size = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(pooled[0].shape[2:], strides, pads, kernel)]
    if min(size) < 1:
        return None
    if rng.random() < 0.4:  # any indices of the output
        pooled[1] = rng.integers(0, int(np.prod(size)), pooled[1].shape)
    y = accepted(of_rank("max_unpool", rank), torch.from_numpy(pooled[0]), torch.from_numpy(pooled[1]), kernel, strides, pads,
                 keys.get("output_shape"))
    if y is None:
        return None
    what = f"max_unpool{rank}d(padding={pads}, output_size={keys.get('output_shape')})"
    return Call("max_unpool", "torch", keys, pooled[0], rank, layout(rng), y, 0, what, indices=pooled[1])


def shuffle(rng, quick, unshuffle):
    block, channels = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    size = integers(rng, 1, 6, 2)
    shape = [channels, *(block * n for n in size)] if unshuffle else [channels * block * block, *size]
    x = data(rng, [int(rng.integers(1, 3)), *shape], special=0.3)
    y = (F.pixel_unshuffle if unshuffle else F.pixel_shuffle)(torch.from_numpy(x), block).numpy()
    op = "pixel_unshuffle" if unshuffle else "pixel_shuffle"
    return Call(op, "torch", {"blocksize": block}, x, 2, layout(rng), y, 0, f"{op}({block})")


def rearranged(w, group, name):
    """PyTorch's [I, O/G, k…] in another layout: of I and O the one named first counts all channels, the other those of a
    group."""
    rank = w.ndim - 2
    if name.index("O") < name.index("I"):
        w = w.reshape(group, -1, *w.shape[1:])  # G I/G O/G k…
        w = w.swapaxes(1, 2).reshape(-1, w.shape[1], *w.shape[3:])  # O I/G k…
    axes = {"O": 0, "I": 1} if name.index("O") < name.index("I") else {"I": 0, "O": 1}
    order = [a for letter in name.replace("HW", "S") for a in (range(2, 2 + rank) if letter == "S" else [axes[letter]])]
    return np.ascontiguousarray(w.transpose(order))


def resize(rng, quick):
    kind = str(rng.choice(["nearest", "nearest-exact", "linear", "linear", "cubic", "area", "antialias"]))
    rank = 2 if kind in ("cubic", "antialias") else int(rng.integers(1, 4))
    top = 8 if quick or rank == 3 else 60
    size, target = integers(rng, 1, top, rank), integers(rng, 1, 2 * top, rank)
    keys, options = {}, {}
    if kind != "nearest" and kind != "nearest-exact" and kind != "area" and rng.random() < 0.3:
        options["align_corners"] = True
        keys["coordinate_transformation_mode"] = "align_corners"
    if rng.random() < 0.4:
        # some keep a length though they are not 1: there PyTorch copies, or does not, by mode, rank and size
        scales = [float(np.round(1 + rng.random() / n, 4)) if rng.random() < 0.15 else float(np.round(rng.uniform(0.3, 3), 3))
                  for n in size]
        target = [int(n * f) for n, f in zip(size, scales)]
        options["scale_factor"] = scales
        if rng.random() < 0.3:  # the scale gives the size alone
            options["recompute_scale_factor"] = True
            keys["sizes"] = target
        elif kind != "area":
            keys["scales"] = scales
        else:
            keys["sizes"] = target
    else:
        options["size"] = keys["sizes"] = target
    if min(target) < 1:
        return None
    if kind == "antialias":
        # a width of 1 beside another height: PyTorch repeats the first value down the column (reported, not imitated)
        if target[1] == 1 and size[0] != target[0]:
            return None
        linear = rng.random() < 0.5
        options.update(mode="bilinear" if linear else "bicubic", antialias=True)
        keys.update(mode="linear" if linear else "cubic", antialias=1)
    else:
        options["mode"] = {"linear": LINEAR[rank], "cubic": "bicubic"}.get(kind, kind)
        keys["mode"] = "nearest" if kind == "nearest-exact" else kind
    if kind == "nearest-exact":
        keys.update(coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_ceil")
    x = data(rng, [int(rng.integers(1, 3)), int(rng.integers(1, 5)), *size], special=0.3 if "nearest" in kind else 0)
    y = accepted(F.interpolate, torch.from_numpy(x), **options)
    if y is None:
        return None
    bound = 3e-7 * max(8, *size) * float(np.abs(x).max()) * (8 if kind in ("cubic", "antialias") else 1)
    return Call("resize", "torch", keys, x, rank, layout(rng), y, 0 if "nearest" in kind else bound, f"interpolate({options})")


def conv_transpose(rng, quick):
    rank, group = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))
    inputs, outputs = group * int(rng.integers(1, 4 if quick else 9)), int(rng.integers(1, 4 if quick else 7))
    kernel, strides = integers(rng, 1, 5, rank), integers(rng, 1, 5, rank)
    dilations = integers(rng, 1, 4, rank) if rng.random() < 0.4 else [1] * rank
    pads, size = integers(rng, 0, 4, rank), integers(rng, 1, 5 if quick or rank == 3 else 12, rank)
    padding = [int(rng.integers(0, max(s, d))) for s, d in zip(strides, dilations)]
    keys = {"in_channels": inputs, "out_channels": group * outputs, "group": group, "kernel_shape": kernel, "strides": strides,
            "dilations": dilations, "pads": pads + pads}
    x, w = data(rng, [int(rng.integers(1, 3)), inputs, *size]), data(rng, [inputs, outputs, *kernel])
    bias = data(rng, [group * outputs]) if rng.random() < 0.5 else None
    tensors = [None if a is None else torch.from_numpy(a).double() for a in (x, w, bias)]
    y = accepted(of_rank("conv_transpose", rank), *tensors, strides, pads, padding, group, dilations)
    if y is None:
        return None
    # the output padding by itself, or as the output_size that gives it, which reaches less than a stride
    sized = rng.random() < 0.5 and all(p < s for p, s in zip(padding, strides))
    keys.update({"output_shape": list(y.shape[2:])} if sized else {"output_padding": padding})
    if rng.random() < 0.4:
        keys["weights_layout"] = str(rng.choice(LAYOUTS))
        w = rearranged(w, group, keys["weights_layout"])
    terms = inputs // group * int(np.prod(kernel)) + 1
    exact = whole(x, w, *([] if bias is None else [bias]))
    bound = 0 if exact else 2e-7 * terms * float(np.abs(x).max() * np.abs(w).max()) + 1e-7
    return Call("conv_transpose", "torch", keys, x, rank, layout(rng), y.astype(np.float32), bound,
                f"conv_transpose{rank}d(output_padding={padding})", weights=w, bias=bias)


def gradient(forward):
    """What autograd makes of a forward call, drawn by its own generator."""

    def draw(rng, quick):
        call = forward(rng, quick)
        if call is None or not np.isfinite(call.x).all():
            return None
        rank, keys = call.rank, call.keys
        window = [keys.get("kernel_shape"), keys.get("strides", keys.get("kernel_shape"))]
        pads = keys["pads"][:rank] if "pads" in keys else None
        x = torch.from_numpy(call.x).requires_grad_()
        indices, terms = call.indices, 0
        if call.op == "max_pool":
            y, indices = of_rank(call.op, rank)(x, *window, pads, keys["dilations"], bool(keys["ceil_mode"]), True)
            indices = indices.numpy()
        elif call.op == "avg_pool":
            options = {"divisor_override": keys["divisor"]} if "divisor" in keys else {}
            y = of_rank(call.op, rank)(x, *window, pads, bool(keys["ceil_mode"]), bool(keys["count_include_pad"]), **options)
            terms = int(np.prod(keys["kernel_shape"])) + 2
        elif call.op == "max_unpool":
            y = of_rank(call.op, rank)(x, torch.from_numpy(indices), *window, pads, keys.get("output_shape"))
        else:
            y = getattr(F, call.op)(x, keys["blocksize"])
        gy = data(rng, y.shape)
        y.backward(torch.from_numpy(gy))
        exact = whole(gy) and call.op != "avg_pool" or call.op not in ("max_pool", "avg_pool")
        bound = 0 if exact else 1.2e-7 * max(terms, 8) * float(np.abs(gy).max())
        return Call(f"{call.op}_grad", "torch", keys, gy, rank, call.layout, x.grad.numpy(), bound, f"backward of {call.what}",
                    indices=indices)

    return draw


PRESETS = {
    "torch": {
        "max_pool": max_pool,
        "avg_pool": avg_pool,
        "max_unpool": max_unpool,
        "pixel_shuffle": lambda rng, quick: shuffle(rng, quick, False),
        "pixel_unshuffle": lambda rng, quick: shuffle(rng, quick, True),
        "resize": resize,
        "conv_transpose": conv_transpose,
        "max_pool_grad": gradient(max_pool),
        "avg_pool_grad": gradient(avg_pool),
        "max_unpool_grad": gradient(max_unpool),
        "pixel_shuffle_grad": gradient(lambda rng, quick: shuffle(rng, quick, False)),
        "pixel_unshuffle_grad": gradient(lambda rng, quick: shuffle(rng, quick, True)),
    }
}
