# SPDX-License-Identifier: MIT
"""Random ONNX nodes and the library's words for them; onnx_calls and ort_calls run them.

A runtime is a function (model, inputs) -> outputs, or None where it refuses. `reference` leaves out what ONNX's reference
implementation is known to get wrong (named at each place). Without it ONNX Runtime answers: for its own preset, or in the
reference's stead for ONNX's text, where it departs from that (`deputy`).
"""
import math

import numpy as np
from onnx import TensorProto, helper

from calls import Call, data, integers, layout, whole

OPSETS = {"onnx-7": 7, "onnx-9": 9, "onnx-10": 10, "onnx-11": 11, "onnx-13": 13, "onnx-18": 18, "onnx-19": 19, "onnx": 22,
          "ort": 22}
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
COORDINATES = ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "tf_crop_and_resize"]


def model(op, opset, inputs, outputs, attributes):
    """Inputs that are None are left out of the node: ONNX Runtime's MaxUnpool counts even a last one without a name."""
    while inputs[-1] is None:
        inputs = inputs[:-1]
    names = [f"i{i}" if a is not None else "" for i, a in enumerate(inputs)]
    values = [helper.make_tensor_value_info(name, TYPES[str(a.dtype)], a.shape) for name, a in zip(names, inputs) if name]
    results = [helper.make_tensor_value_info(f"o{i}", TYPES[t], None) for i, t in enumerate(outputs)]
    node = helper.make_node(op, names, [f"o{i}" for i in range(len(outputs))], **attributes)
    graph = helper.make_graph([node], "call", values, results)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return made, {name: a for name, a in zip(names, inputs) if name}


class Nodes:
    def __init__(self, preset, run, reference):
        self.preset, self.opset, self.run, self.reference = preset, OPSETS[preset], run, reference
        self.deputy = not reference and preset != "ort"

    def call(self, op, node, inputs, outputs, attributes):
        return self.run(*model(node, self.opset, inputs, outputs, attributes))

    # ---- pooling ----

    def window(self, rng, quick, rank, dilated):
        kernel, strides = integers(rng, 1, 5, rank), integers(rng, 1, 5, rank)
        dilations = integers(rng, 1, 4, rank) if dilated and rng.random() < 0.4 else [1] * rank
        size = integers(rng, 1, 8 if quick or rank == 3 else 20, rank)
        attributes = {"kernel_shape": kernel, "strides": strides}
        if dilated:
            attributes["dilations"] = dilations
        kind = rng.random()
        if kind < 0.6:
            attributes["pads"] = [int(rng.integers(0, k)) for k in kernel + kernel]
        else:
            # the reference floors the size for SAME_LOWER
            same = ["SAME_UPPER"] if self.reference else ["SAME_UPPER", "SAME_LOWER"]
            attributes["auto_pad"] = str(rng.choice([*same, "VALID"]))
        if self.opset >= 10 and "auto_pad" not in attributes:
            attributes["ceil_mode"] = int(rng.integers(2))
        extent = [d * (k - 1) + 1 for d, k in zip(dilations, kernel)]
        if attributes.get("auto_pad", "").startswith("SAME") and any(s > e for s, e in zip(strides, extent)):
            return None  # a negative total: ORT moves the windows or fails
        if "auto_pad" in attributes and max(dilations) > 1:
            return None  # ORT and the reference compute pads or sizes as if the dilation were 1, against the text
        pads = attributes.get("pads", [0] * 2 * rank)
        if any(n + b + e < x for n, b, e, x in zip(size, pads[:rank], pads[rank:], extent)):
            return None
        return attributes, size, dilations

    @staticmethod
    def words(attributes):
        keys = {k: v for k, v in attributes.items() if k not in ("storage_order", "auto_pad")}
        if "auto_pad" in attributes:
            keys["auto_pad"] = attributes["auto_pad"]
        return keys

    def empty_windows(self, attributes, size, dilations, out):
        """Dilated windows may hold padding alone; their value is nobody's rule."""
        rank = len(size)
        pads = attributes.get("pads")
        for a in range(rank):
            k, s, d = attributes["kernel_shape"][a], attributes["strides"][a], dilations[a]
            pad = pads[a] if pads else 0
            if "auto_pad" in attributes and attributes["auto_pad"] != "VALID":
                total = max(0, (out[a] - 1) * s + d * (k - 1) + 1 - size[a])
                pad = total // 2 if attributes["auto_pad"] == "SAME_UPPER" else total - total // 2
            if any(not any(0 <= o * s - pad + t * d < size[a] for t in range(k)) for o in range(out[a])):
                return True
        return False

    def max_pool(self, rng, quick):
        rank = int(rng.integers(1, 4))
        drawn = self.window(rng, quick, rank, self.opset >= 10)
        if drawn is None:
            return None
        attributes, size, dilations = drawn
        # the reference takes another, wrong path where all steps are 1
        if self.reference and all(s == 1 for s in attributes["strides"] + dilations):
            return None
        keys = self.words(attributes)
        indexed = self.opset >= 8
        if indexed and rng.random() < 0.3:
            attributes["storage_order"] = 1
            keys["index"] = "tensor_column"
        x = data(rng, [int(rng.integers(1, 3)), int(rng.integers(1, 5)), *size], special=0.3 if indexed else 0)
        y = self.call("max_pool", "MaxPool", [x], ["float32", "int64"][: 1 + indexed], attributes)
        if y is None or self.empty_windows(attributes, size, dilations, y[0].shape[2:]):
            return None
        return Call("max_pool", self.preset, keys, x, rank, layout(rng), y[0], 0, f"MaxPool-{self.opset}({attributes})",
                    expected_indices=y[1] if indexed else None)

    def avg_pool(self, rng, quick):
        rank = int(rng.integers(1, 4))
        drawn = self.window(rng, quick, rank, self.opset >= 19)
        if drawn is None:
            return None
        attributes, size, dilations = drawn
        if self.reference and attributes.get("ceil_mode"):
            return None  # the reference gives half of the tail that rounding adds to the head
        attributes["count_include_pad"] = int(rng.integers(2))
        if self.reference and attributes["count_include_pad"] and "auto_pad" in attributes:
            return None
        x = data(rng, [int(rng.integers(1, 3)), int(rng.integers(1, 5)), *size])
        y = self.call("avg_pool", "AveragePool", [x], ["float32"], attributes)
        if y is None or (self.reference and self.empty_windows(attributes, size, dilations, y[0].shape[2:])):
            return None
        bound = 1.2e-7 * (int(np.prod(attributes["kernel_shape"])) + 2) * float(np.abs(x).max())
        return Call("avg_pool", self.preset, self.words(attributes), x, rank, layout(rng), y[0], bound,
                    f"AveragePool-{self.opset}({attributes})")

    def max_unpool(self, rng, quick):
        rank = int(rng.integers(1, 4))
        kernel, pooled = integers(rng, 1, 4, rank), integers(rng, 1, 5, rank)
        strides = integers(rng, 1, 4, rank) if rng.random() < 0.3 else kernel
        pads = [int(rng.integers(0, k)) for k in kernel + kernel] if rng.random() < 0.4 else [0] * 2 * rank
        size = [(n - 1) * s + k - b - e for n, s, k, b, e in zip(pooled, strides, kernel, pads, pads[rank:])]
        if min(size) < 1:
            return None
        outer = [int(rng.integers(1, 3)), int(rng.integers(1, 4))]
        plane, count = int(np.prod(size)), int(np.prod(pooled))
        indices = np.stack([rng.choice(plane, count, replace=rng.random() < 0.2 or count > plane) + p * plane
                            for p in range(outer[0] * outer[1])]).reshape(outer + pooled)
        x = data(rng, outer + pooled, special=0.3)
        attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads}
        keys, shape = dict(attributes), None
        if rng.random() < 0.5:
            wanted = [n + int(rng.integers(0, 3)) for n in size]
            shape = np.array(outer + wanted, np.int64)
            keys["output_shape"] = wanted
        y = self.call("max_unpool", "MaxUnpool", [x, indices.astype(np.int64), shape], ["float32"], attributes)
        if y is None:
            return None
        return Call("max_unpool", self.preset, keys, x, rank, layout(rng), y[0], 0,
                    f"MaxUnpool-{self.opset}({attributes}, output_shape={shape})", indices=indices)

    # ---- shuffles ----

    def shuffle(self, rng, unshuffle):
        block, channels, size = int(rng.integers(1, 4)), int(rng.integers(1, 5)), integers(rng, 1, 6, 2)
        shape = [channels, *(block * n for n in size)] if unshuffle else [channels * block * block, *size]
        x = data(rng, [int(rng.integers(1, 3)), *shape])
        attributes, keys = {"blocksize": block}, {"blocksize": block}
        if not unshuffle and self.opset >= 11 and rng.random() < 0.6:
            attributes["mode"] = keys["shuffle"] = str(rng.choice(["CRD", "DCR"]))
        y = self.call("", "SpaceToDepth" if unshuffle else "DepthToSpace", [x], ["float32"], attributes)
        op = "pixel_unshuffle" if unshuffle else "pixel_shuffle"
        return y and Call(op, self.preset, keys, x, 2, layout(rng), y[0], 0,
                          f"{'SpaceToDepth' if unshuffle else 'DepthToSpace'}({attributes})")

    # ---- resize ----

    def resize(self, rng, quick, nearest_rule=None):
        """nearest_rule: only mode nearest with these coordinates."""
        rank = int(rng.integers(1, 4))
        top = 8 if quick or rank == 3 else 40
        size = integers(rng, 1, top, rank)
        x = data(rng, [int(rng.integers(1, 3)), int(rng.integers(1, 4)), *size])
        if self.opset < 11:
            return self.resize_by_scales(rng, rank, x)
        mode = "nearest" if nearest_rule else str(rng.choice(["nearest", "nearest", "linear", "linear", "cubic"]))
        attributes, keys = {"mode": mode}, {"mode": mode}
        rule = nearest_rule or str(rng.choice(COORDINATES + ["half_pixel_symmetric"] * (self.opset >= 19)))
        if nearest_rule or rng.random() < 0.8:
            attributes["coordinate_transformation_mode"] = keys["coordinate_transformation_mode"] = rule
        else:
            rule = "half_pixel"
        if mode == "nearest" and rng.random() < 0.8:
            modes = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
            attributes["nearest_mode"] = keys["nearest_mode"] = str(rng.choice(modes))
        if mode == "cubic" and rng.random() < 0.4:
            attributes["cubic_coeff_a"] = keys["cubic_coeff_a"] = float(rng.choice([-0.5, -0.75, -1.0]))
        crop = rule == "tf_crop_and_resize"
        if mode != "nearest" and not crop and rng.random() < 0.3:
            attributes["exclude_outside"] = keys["exclude_outside"] = 1
            if mode == "linear" and not self.reference:
                attributes.pop("exclude_outside"), keys.pop("exclude_outside")  # ORT takes it for cubic alone
        if mode != "nearest" and self.opset >= 18 and rule != "half_pixel_symmetric" and not crop and rng.random() < 0.3:
            attributes["antialias"] = keys["antialias"] = 1
        axes = list(range(rank))
        if self.opset >= 18 and rng.random() < 0.4:
            axes = [int(a) for a in rng.permutation(rank)[: rng.integers(1, rank + 1)]]
            attributes["axes"] = [2 + a for a in axes]
            keys["axes"] = sorted(axes)
        named = (lambda v: v) if "axes" in attributes else (lambda v: [1, 1, *v])  # without axes N and C are among them
        roi = scales = sizes = None
        if crop:
            begins, ends = rng.uniform(-0.1, 0.4, len(axes)).round(2), rng.uniform(0.6, 1.1, len(axes)).round(2)
            outer = [] if "axes" in attributes else [0, 0]
            roi = np.array([*outer, *begins, *(1 + o for o in outer), *ends], np.float32)
            keys["roi"] = spread(axes, np.float32(begins), 0, rank) + spread(axes, np.float32(ends), 1, rank)
            attributes["extrapolation_value"] = keys["extrapolation_value"] = 7.5
        if rng.random() < 0.5:
            factors = rng.uniform(0.3, 3, len(axes)).round(2).astype(np.float32)
            scales = np.array(named(factors), np.float32)
            keys["scales"] = spread(axes, factors, 1, rank)
        else:
            target = integers(rng, 1, 2 * top, len(axes))
            sizes = np.array(target if "axes" in attributes else [*x.shape[:2], *target], np.int64)
            keys["sizes"] = spread(axes, target, 1, rank)
            if "axes" in attributes and not crop and rng.random() < 0.6:
                policy = str(rng.choice(["not_larger", "not_smaller"]))
                attributes["keep_aspect_ratio_policy"] = keys["keep_aspect_ratio_policy"] = policy
        return self.resized(rng, keys, x, rank, [x, roi, scales, sizes], attributes, "Resize", rule)

    def resize_by_scales(self, rng, rank, x):
        mode = str(rng.choice(["nearest", "linear"]))
        factors = (rng.uniform(0.3, 3, rank) if self.opset == 10 else rng.uniform(1, 3, rank)).round(2).astype(np.float32)
        scales = np.array([1, 1, *factors], np.float32)
        keys = {"mode": mode, "scales": [float(f) for f in factors]}
        node = "Resize" if self.opset == 10 else "Upsample"
        if self.opset == 7:
            return self.resized(rng, keys, x, rank, [x], {"mode": mode, "scales": scales.tolist()}, node, "asymmetric")
        return self.resized(rng, keys, x, rank, [x, scales], {"mode": mode}, node, "asymmetric")

    def resized(self, rng, keys, x, rank, inputs, attributes, node, rule):
        y = self.call("resize", node, inputs, ["float32"], attributes)
        if y is None or not y[0].size or self.unclear(keys, x.shape[2:], y[0].shape[2:], rule):
            return None
        spread = 8 if keys["mode"] == "cubic" or "antialias" in keys else 2
        bound = (3e-7 * max(8, *x.shape[2:]) * spread * float(np.abs(x).max())) if keys["mode"] != "nearest" else 0
        return Call("resize", self.preset, keys, x, rank, layout(rng), y[0], bound, f"{node}-{self.opset}({attributes})")

    def unclear(self, keys, size, out, rule):
        """What the runtime answers otherwise than the preset does."""
        if self.reference and rule == "pytorch_half_pixel" and 1 in out:
            return True  # the reference tests the length that scale*n gives, and takes -0.5
        texts = [int(n * s) for n, s in zip(size, keys["scales"])] if "scales" in keys else list(out)
        if self.deputy and (tuple(size) == tuple(out) or texts != list(out)):
            return True  # ONNX Runtime copies what keeps its shape, and rounds n*scale to f32 before it cuts
        axes = keys.get("axes", range(len(size)))
        return any(self.unclear_axis(keys, size, out, rule, a) for a in axes)

    def unclear_axis(self, keys, size, out, rule, a):
        """Coordinates an ulp beside a pixel, a tie, or the edge of a crop: the reference reads a neighbour there, its regions are
        f32, and what is outside a crop turns on that ulp."""
        nearest, crop = keys["mode"] == "nearest", rule == "tf_crop_and_resize"
        n, m, scale = size[a], out[a], scale_of(keys, size, a, out[a])
        for o in range(m):
            x = coordinate(rule, o, n, m, scale, keys.get("roi"), a, len(size), not self.reference)
            pixel, tie = abs(x - round(x)), min(abs(x * 2 - round(x * 2)), abs(x - round(x)))
            if self.reference and 0 < pixel < 1e-9:
                return True
            if nearest and (self.deputy or self.reference and crop) and tie < 3e-5 and (tie or crop):
                return True
            if nearest and self.reference and 0 < tie < 1e-9:
                return True
            if crop and self.preset != "ort" and min(abs(x), abs(x - (n - 1))) < 1e-4:
                return True
            if self.reference and keys.get("exclude_outside") and not -2 < x < n + 1:
                return True  # all taps outside: 0/0
        return False

    # ---- transposed convolution ----

    def conv_transpose(self, rng, quick):
        rank, group = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2]))
        inputs, outputs = group * int(rng.integers(1, 4)), int(rng.integers(1, 4))
        if self.reference and group > 1:
            inputs, outputs = group, 1  # the reference is wrong for other groups
        kernel, strides = integers(rng, 1, 5, rank), integers(rng, 1, 5, rank)
        dilations = integers(rng, 1, 3, rank) if rng.random() < 0.4 else [1] * rank
        size = integers(rng, 1, 5 if quick or rank == 3 else 10, rank)
        attributes = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "group": group}
        full = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(size, strides, dilations, kernel)]
        if rng.random() < 0.4:
            attributes["output_padding"] = [int(rng.integers(0, s)) for s in strides]
        auto_pad = str(rng.choice(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
        if auto_pad != "NOTSET":
            attributes["auto_pad"] = auto_pad
        # the reference is wrong for VALID with a size, and takes no pads for NOTSET with one
        if rng.random() < 0.4 and auto_pad != "VALID" and not (self.reference and auto_pad == "NOTSET"):
            attributes["output_shape"] = [max(1, f - int(rng.integers(0, 4))) for f in full]
        elif auto_pad == "NOTSET":
            attributes["pads"] = [int(rng.integers(0, 3)) for _ in range(2 * rank)]
        x, w = data(rng, [int(rng.integers(1, 3)), inputs, *size]), data(rng, [inputs, outputs, *kernel])
        biased = rng.random() < 0.5 and not (self.reference and group > 1)  # there the reference adds the bias of the wrong group
        bias = data(rng, [group * outputs]) if biased else None
        y = self.call("conv_transpose", "ConvTranspose", [x, w] + ([] if bias is None else [bias]), ["float32"], attributes)
        if y is None or not y[0].size:
            return None
        keys = {"in_channels": inputs, "out_channels": group * outputs, **attributes}
        terms = inputs // group * math.prod(kernel) + 1
        exact = whole(x, w, *([] if bias is None else [bias]))
        bound = 0 if exact else 2e-6 * terms * float(np.abs(x).max() * np.abs(w).max() + 1)
        return Call("conv_transpose", self.preset, keys, x, rank, layout(rng), y[0], bound,
                    f"ConvTranspose-{self.opset}({attributes})", weights=w, bias=bias)

    def generators(self):
        made = {"max_pool": self.max_pool, "avg_pool": self.avg_pool, "max_unpool": self.max_unpool,
                "pixel_shuffle": lambda rng, quick: self.shuffle(rng, False),
                "pixel_unshuffle": lambda rng, quick: self.shuffle(rng, True),
                "resize": self.resize, "conv_transpose": self.conv_transpose}
        if self.opset < 9:
            del made["max_unpool"]
        return made


def spread(axes, values, other, rank):
    """Values of some axes, in the axes' order, as one for every axis."""
    every = [other] * rank
    for a, value in zip(axes, values):
        every[a] = value.item() if hasattr(value, "item") else value
    return every


def scale_of(keys, size, axis, out):
    if "keep_aspect_ratio_policy" in keys:
        pick = min if keys["keep_aspect_ratio_policy"] == "not_larger" else max
        return pick(keys["sizes"][a] / size[a] for a in keys.get("axes", range(len(size))))
    return keys["scales"][axis] if "scales" in keys else out / size[axis]


def coordinate(rule, o, n, m, scale, roi, axis, rank, whole_length):
    length = m if whole_length else scale * n
    if rule == "align_corners":
        return 0 if length == 1 else o * (n - 1) / (length - 1)
    if rule == "asymmetric":
        return o / scale
    if rule == "tf_half_pixel_for_nn":
        return (o + 0.5) / scale
    if rule == "tf_crop_and_resize":
        begin, end = roi[axis], roi[rank + axis]
        return (begin + end) / 2 * (n - 1) if length == 1 else begin * (n - 1) + o * (end - begin) * (n - 1) / (length - 1)
    if rule == "pytorch_half_pixel" and length == 1:
        return -0.5 if not whole_length else 0
    x = (o + 0.5) / scale - 0.5
    return x + n / 2 * (1 - m / (scale * n)) if rule == "half_pixel_symmetric" else x
