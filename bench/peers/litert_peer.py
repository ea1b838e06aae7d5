# SPDX-License-Identifier: MIT
"""LiteRT's interpreter (TFLite) with its default kernels, XNNPACK's where the delegate takes the operator: models of one
operator (and what an activation or a CRD shuffle adds), written as flatbuffers. It is channels last alone; a 1-D layer is a
picture of one row, as exporters write it. The source is set once; the call is invoke().

TRANSPOSE_CONV with k = s, SAME and an output below n s is left out: it crashes under the XNNPACK delegate (TensorFlow 2.21).
"""
import importlib.metadata

import flatbuffers
import numpy as np

try:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter

    PACKAGE = "ai-edge-litert"
except ImportError:  # TensorFlow has the same interpreter
    try:
        from tensorflow.lite.python import schema_py_generated as schema
        from tensorflow.lite.python.interpreter import Interpreter
    except ImportError:
        raise ImportError("No module named 'ai_edge_litert', nor 'tensorflow'") from None
    PACKAGE = "tensorflow"

from peer import Arm, NotOffered, alpha_of, need, only_by_sizes, to_first, to_last

VERSIONS = {"TRANSPOSE_CONV": 4, "RESIZE_BILINEAR": 3, "RESIZE_NEAREST_NEIGHBOR": 3, "TRANSPOSE": 5}  # else 1


def version():
    for package in (PACKAGE, "tensorflow_cpu"):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


class Model:
    """A chain of operators: each reads what the one before computed."""

    def __init__(self, shape):
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.description = 3, ""
        self.model.subgraphs, self.model.buffers, self.model.operatorCodes = [self.graph], [schema.BufferT()], []
        self.graph.tensors, self.graph.operators = [], []
        self.last = self.tensor(shape)
        self.graph.inputs = [self.last]

    def tensor(self, shape, content=None):
        t = schema.TensorT()
        t.name, t.shape, t.type, t.buffer = f"t{len(self.graph.tensors)}", list(shape), schema.TensorType.FLOAT32, 0
        if content is not None:
            if content.dtype == np.int32:
                t.type = schema.TensorType.INT32
            t.buffer = len(self.model.buffers)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(content).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def add(self, operator, shape, kind, constants=(None,), **options):
        """shape: of the result; constants: the inputs in order, None for the one from the chain."""
        code, node, told = schema.OperatorCodeT(), schema.OperatorT(), getattr(schema, kind + "OptionsT")()
        code.builtinCode = getattr(schema.BuiltinOperator, operator)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = VERSIONS.get(operator, 1)
        for name, value in options.items():
            setattr(told, name, value)
        node.opcodeIndex = len(self.model.operatorCodes)
        node.inputs = [self.last if c is None else self.tensor(c.shape, c) for c in constants]
        self.last = self.tensor(shape)
        node.outputs, node.builtinOptions = [self.last], told
        node.builtinOptionsType = getattr(schema.BuiltinOptions, kind + "Options")
        self.model.operatorCodes.append(code)
        self.graph.operators.append(node)

    def bytes(self):
        self.graph.outputs = [self.last]
        builder = flatbuffers.Builder(0)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def whole(values):
    return np.array(values, np.int32)


class Peer:
    def __init__(self, threads, libupsample):
        self.threads, self.version = threads, version()

    def arm(self, case, layout):
        need(layout == "last", "channels first: not offered")
        need(case.rank < 3, "3-D: not offered")
        rows = [1] * (2 - case.rank)
        x = to_last(case.x).reshape(case.n, *rows, *case.sizes, case.channels)
        model = Model(x.shape)
        getattr(self, case.op)(case, model, [case.n, *rows, *case.out_sizes, case.out_channels])
        content = model.bytes()
        try:
            interpreter = Interpreter(model_content=content, num_threads=self.threads)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise NotOffered("refused: " + " ".join(str(error).split())[:300]) from error
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        y = interpreter.get_output_details()[0]["index"]

        def result():
            return to_first(interpreter.get_tensor(y).reshape(case.n, *case.out_sizes, case.out_channels)), None

        arm = Arm(interpreter.invoke, result)
        arm.keep = content
        return arm

    def conv_transpose(self, case, model, shape):
        need(case.group == 1, "TRANSPOSE_CONV has no groups")
        need(set(case.dilations) == {1}, "TRANSPOSE_CONV has no dilations")
        rows = [1] * (2 - case.rank)
        strides, padding = rows + case.strides, self.padding(case)
        weights = np.moveaxis(case.weights, 0, -1)  # O, kernel, I
        weights = weights.reshape(case.out_channels, *rows, *case.kernel, case.channels)
        alpha = alpha_of(case.activation)
        relu = schema.ActivationFunctionType.RELU if alpha == 0 else schema.ActivationFunctionType.NONE
        model.add("TRANSPOSE_CONV", shape, "TransposeConv", [whole(shape), weights, None, case.bias], padding=padding,
                  strideH=strides[0], strideW=strides[1], fusedActivationFunction=relu)
        if alpha:
            model.add("LEAKY_RELU", shape, "LeakyRelu", alpha=alpha)

    def padding(self, case):
        """What TRANSPOSE_CONV cuts off is for its output what a convolution would pad: none, or half of it before."""
        axes = list(zip(case.sizes, case.out_sizes, case.kernel, case.strides, case.begin))
        cut = lambda n, m, k, s: (n - 1) * s + k - m
        if all(b == 0 and cut(n, m, k, s) <= 0 and (m - k) // s + 1 == n for n, m, k, s, b in axes):
            return schema.Padding.VALID
        same = all(max(cut(n, m, k, s), 0) // 2 == b and -(-m // s) == n for n, m, k, s, b in axes)
        need(same, "TRANSPOSE_CONV has the pads of SAME and VALID alone")
        need(not any(k == s and m < n * s for n, m, k, s, _ in axes), "left out: it crashes (k = s, SAME, a smaller output)")
        return schema.Padding.SAME

    def max_pool(self, case, model, shape):
        raise NotOffered("MAX_POOL_2D has no indices")

    def avg_pool(self, case, model, shape):
        padded = [max((m - 1) * s + k - n, 0) for n, m, k, s in zip(case.sizes, case.out_sizes, case.kernel, case.strides)]
        valid = all((n - k) // s + 1 == m and b == 0
                    for n, m, k, s, b in zip(case.sizes, case.out_sizes, case.kernel, case.strides, case.begin))
        same = all(p // 2 == b and -(-n // s) == m
                   for n, m, s, b, p in zip(case.sizes, case.out_sizes, case.strides, case.begin, padded))
        need(valid or same, "AVERAGE_POOL_2D has the pads of SAME and VALID alone")
        need(valid or not (case.count_include_pad and any(padded)), "AVERAGE_POOL_2D does not count pads")
        rows = [1] * (2 - case.rank)
        kernel, strides = rows + case.kernel, rows + case.strides
        model.add("AVERAGE_POOL_2D", shape, "Pool2D", padding=schema.Padding.VALID if valid else schema.Padding.SAME,
                  strideH=strides[0], strideW=strides[1], filterHeight=kernel[0], filterWidth=kernel[1])

    def max_unpool(self, case, model, shape):
        raise NotOffered("no such operator")

    def bed_of_nails(self, case, model, shape):
        raise NotOffered("no single operator")

    def replicate(self, case, model, shape):
        self.nearest(model, shape)

    def resize(self, case, model, shape):
        only_by_sizes(case)
        need(not case.antialias, "antialias")
        need(case.mode in ("nearest", "linear"), f"mode {case.mode}")
        if case.mode == "nearest":
            need((case.coordinates, case.nearest) == ("asymmetric", "floor"), f"nearest {case.coordinates} {case.nearest}")
            return self.nearest(model, shape)
        half = "half_pixel" if case.coordinates == "pytorch_half_pixel" and 1 not in case.out_sizes else case.coordinates
        need(half in ("half_pixel", "align_corners", "asymmetric"), case.coordinates)
        model.add("RESIZE_BILINEAR", shape, "ResizeBilinear", [None, whole(shape[1:3])],
                  alignCorners=half == "align_corners", halfPixelCenters=half == "half_pixel")

    def nearest(self, model, shape):
        model.add("RESIZE_NEAREST_NEIGHBOR", shape, "ResizeNearestNeighbor", [None, whole(shape[1:3])])

    def pixel_shuffle(self, case, model, shape):
        """DEPTH_TO_SPACE is DCR alone, as SPACE_TO_DEPTH; CRD is three operators."""
        need(case.rank == 2, "2-D alone")
        b, (h, w), c = case.block, case.sizes, case.out_channels
        if case.shuffle == "dcr" or c == 1:
            return model.add("DEPTH_TO_SPACE", shape, "DepthToSpace", blockSize=b)
        self.moved(model, [case.n, h, w, c, b, b], [0, 1, 4, 2, 5, 3], shape)

    def pixel_unshuffle(self, case, model, shape):
        need(case.rank == 2, "2-D alone")
        b, (h, w), c = case.block, case.out_sizes, case.channels
        if case.shuffle == "dcr" or c == 1:
            return model.add("SPACE_TO_DEPTH", shape, "SpaceToDepth", blockSize=b)
        self.moved(model, [case.n, h, b, w, b, c], [0, 1, 3, 5, 2, 4], shape)

    def moved(self, model, split, order, shape):
        model.add("RESHAPE", split, "Reshape", [None, whole(split)], newShape=split)
        model.add("TRANSPOSE", [split[i] for i in order], "Transpose", [None, whole(order)])
        model.add("RESHAPE", shape, "Reshape", [None, whole(shape)], newShape=shape)
