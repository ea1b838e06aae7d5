# SPDX-License-Identifier: MIT
"""The layers of layers.json as plain numbers with their arrays, and what is right for them.

What a layer's fields mean (pads by preset, sizes) is the library's to say; its scalar tier computes what is expected.
"""
import json
import pathlib
import re
import zlib
from types import SimpleNamespace

import numpy as np

from libupsample import WEIGHTS_AT_RUN, Call

ARRAYS = ("x", "weights", "bias", "indices", "expected", "expected_indices")
EPSILON = float(np.finfo(np.float32).eps)


def read_layers(path, selection, ops):
    """Layers marked quick ("quick"), or whose name a regular expression finds; of these operations, or all but gradients.
    Weights of a known structure are for libraries that look for it."""
    layers = [layer for layer in json.loads(pathlib.Path(path).read_text())
              if "_grad_" not in layer["op"] and "weights" not in layer]
    quick = selection == "quick"
    return [layer for layer in layers
            if (layer["quick"] if quick else re.search(selection, layer["name"])) and (not ops or layer["op"] in ops)]


def name_of(library, layer, layout, threads):
    """As bench_ops names what the library chooses."""
    case = resolve(library, layer)
    desc = library.descriptor(case.op, case.rank, layout, case.fields)
    plan = library.plan(desc, [case.n, case.channels, *case.sizes], layout,
                        flags=WEIGHTS_AT_RUN if case.op == "conv_transpose" else 0)
    told = library.told(plan)
    library.so.ups_plan_destroy(plan)
    return f"{case.op}/{case.name}/f32/{layout}/{told['algorithm']}/{told['isa']}/t{threads}"


def numbers(text):
    return [int(value) for value in text.split(",")]


def resolve(library, layer):
    """A case without arrays."""
    rank, op = len(layer["sizes"]), layer["op"]
    fields = [word.split("=", 1) for word in layer["keys"].split()]
    if op == "conv_transpose":
        fields.insert(0, ["in_channels", str(layer["channels"])])
    case = SimpleNamespace(name=layer["name"], op=op, n=layer["N"], channels=layer["channels"], sizes=layer["sizes"],
                           rank=rank, fields=fields, out_channels=layer["channels"])
    desc = library.descriptor(op, rank, "first", fields)
    get = lambda name: library.field(desc, name)
    if op in ("conv_transpose", "max_pool", "avg_pool", "max_unpool"):
        case.kernel, case.strides = numbers(get("kernel_shape")), numbers(get("strides"))
        case.dilations = numbers(get("dilations"))
        pads = numbers(get("pads"))
        case.begin, case.end = pads[:rank], pads[rank:]
    if op == "max_unpool":  # indices of another plane than the output
        case.inferred = get("index_space") == "inferred" and "output_shape" in dict(fields)
    if op == "conv_transpose":
        case.out_channels, case.group = int(get("out_channels")), int(get("group"))
        case.output_padding, case.activation = numbers(get("output_padding")), get("activation")
    elif op in ("max_pool", "avg_pool"):
        case.ceil = get("round") != "floor"
        if op == "avg_pool":
            case.count_include_pad = int(get("count_include_pad"))
    elif op in ("replicate", "bed_of_nails"):
        case.factor = numbers(get("factor"))
        if op == "bed_of_nails":
            case.offset = numbers(get("offset"))
    elif op in ("pixel_shuffle", "pixel_unshuffle"):
        case.block, case.shuffle = int(get("blocksize")), get("shuffle").lower()
        power = case.block**rank
        case.out_channels = case.channels // power if op == "pixel_shuffle" else case.channels * power
    elif op == "resize":
        case.mode, case.coordinates = get("mode"), get("coordinate_transformation_mode")
        case.nearest, case.antialias = get("nearest_mode"), int(get("antialias"))
        case.cubic_a = float(get("cubic_coeff_a"))
        case.scales = scales_that_matter(case, dict(fields).get("scales"))
    return case


def scales_that_matter(case, text):
    """Scales that are given and are not output over input, by which positions then go; else None."""
    if text is None or case.coordinates == "align_corners":
        return None
    scales = [float(value) for value in text.split(",")]
    scales *= case.rank if len(scales) == 1 else 1
    return None if all((n * s).is_integer() for n, s in zip(case.sizes, scales)) else scales


UNPOOL_ONLY = ("output_shape", "size_rule", "overlap", "index_space")  # what a pooling does not have


def pooled_indices(library, case, rng):
    """As a max_pool records them, each in its window, as in a network: over the unpooled size, or over the size that indices
    address where that is another one."""
    fields = [field for field in case.fields if field[0] != "output_shape" or not case.inferred]
    probe = Call(library, library.descriptor(case.op, case.rank, "first", fields), case.x, "first")
    shape = probe.y.shape
    probe.close()
    fields = [[name, value] for name, value in case.fields if name not in (*UNPOOL_ONLY, "index_type")]
    for ceil_mode in "01":
        desc = library.descriptor("max_pool", case.rank, "first", [*fields, ["ceil_mode", ceil_mode]])
        call = Call(library, desc, rng.uniform(-1, 1, shape).astype(np.float32), "first")
        if call.y.shape == case.x.shape:
            call.runner()()
            return call.indices
    raise RuntimeError(f"{case.name}: no pooling gives these sizes")


def add_arrays(library, case):
    """Values in [-1, 1), the same for the same layer; expected: by the scalar tier, channels first."""
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    uniform = lambda *shape: rng.uniform(-1, 1, shape).astype(np.float32)
    case.weights = case.bias = case.indices = None
    case.x = uniform(case.n, case.channels, *case.sizes)
    if case.op == "conv_transpose":
        case.weights = uniform(case.channels, case.out_channels // case.group, *case.kernel)
        case.bias = uniform(case.out_channels)
    if case.op == "max_unpool":
        case.indices = pooled_indices(library, case, rng)
    desc = library.descriptor(case.op, case.rank, "first", case.fields)
    call = Call(library, desc, case.x, "first", case.weights, case.bias, case.indices, max_isa=b"scalar")
    if call.told["isa"] != "scalar":
        raise RuntimeError(f"{case.name}: expected by tier {call.told['isa']}")
    call.runner()()
    case.expected, case.expected_indices, case.out_sizes = call.y, call.indices, list(call.y.shape[2:])
    call.close()
    case.tolerance = tolerance(case)


def tolerance(case):
    """What two right results may differ by, |x| <= 1.

    Pooling, unpooling, shuffles and nearest copy. Averages round a few times. Libraries compute resize's coordinates in f32:
    an error of half a place of the largest coordinate, times a slope of 2, twice for two axes. A transposed convolution of n
    products: 2 (n + 16) 2^-24 is more than two chains of them differ by (bench/problem.cc); four times that leaves room for
    Winograd's transforms, and is for n = 4096 still less than a hundredth of one forgotten product.
    """
    if case.op == "conv_transpose":
        terms = case.channels // case.group * int(np.prod(case.kernel))
        return 4 * EPSILON * (terms + 16)
    if case.op == "resize" and case.mode != "nearest":
        return 1e-5 + 2 * EPSILON * max(case.sizes + case.out_sizes)
    return 1e-5 if case.op == "avg_pool" else 0


def difference(case, values, indices):
    """"" if a result is right, else a sentence with the first difference."""
    for what, got, wanted, allowed in [("", values, case.expected, case.tolerance),
                                       ("index ", indices, case.expected_indices, 0)]:
        if wanted is None:
            continue
        if got is None:
            return "no indices"
        if list(got.shape) != list(wanted.shape):
            return f"{what}shape {list(got.shape)}, must be {list(wanted.shape)}"
        wrong = (got != wanted) if allowed == 0 else ~(np.abs(got.astype(np.float64) - wanted) <= allowed)
        if wrong.any():
            at = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
            return (f"{int(wrong.sum())} of {wrong.size} differ from the scalar reference, the first at n, c, spatial "
                    f"{','.join(map(str, at))}: {what}{got[at]:.9g}, must be {wanted[at]:.9g}"
                    + (f" within {allowed:.2g}" if allowed else ""))
    return ""


def save(case, directory):
    """What load reads: for another process."""
    plain = {name: value for name, value in vars(case).items() if name not in ARRAYS}
    (directory / "case.json").write_text(json.dumps(plain))
    for name in ARRAYS:
        (directory / f"{name}.npy").unlink(missing_ok=True)
        if getattr(case, name) is not None:
            np.save(directory / f"{name}.npy", getattr(case, name))


def load(directory):
    case = SimpleNamespace(**json.loads((directory / "case.json").read_text()))
    for name in ARRAYS:
        path = directory / f"{name}.npy"
        setattr(case, name, np.load(path) if path.exists() else None)
    return case
