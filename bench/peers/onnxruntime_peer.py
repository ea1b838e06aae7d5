# SPDX-License-Identifier: MIT
"""ONNX Runtime's CPU provider: models of one node (and what an activation or an unshuffle adds), inputs and outputs bound
once. Its NCHW operators have no channels last; Resize of the spatial axes has."""
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from peer import Arm, NotOffered, alpha_of, from_layout, need, to_layout

TYPES = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("int64"): TensorProto.INT64}


class Peer:
    def __init__(self, threads, libupsample):
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.inter_op_num_threads = 1
        self.options.log_severity_level = 4
        self.version = onnxruntime.__version__

    def arm(self, case, layout):
        if case.op not in ("resize", "replicate"):
            need(layout == "first", "channels last: the operator is NCHW")
        nodes, inputs, constants, outputs = getattr(self, case.op)(case, layout)
        try:
            arm = self.bind(case, layout, nodes, inputs, constants, outputs)
            arm.run()  # some sizes are refused here alone
        except Exception as error:  # it raises a class for every status
            raise NotOffered("refused: " + " ".join(str(error).split())[:300]) from error
        return arm

    def bind(self, case, layout, nodes, inputs, constants, outputs):
        def info(name, array):
            return helper.make_tensor_value_info(name, TYPES[array.dtype], array.shape)

        graph = helper.make_graph(nodes, "layer", [info(*i) for i in inputs.items()], [info(*o) for o in outputs.items()],
                                  [numpy_helper.from_array(a, name) for name, a in constants.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
        session = onnxruntime.InferenceSession(model.SerializeToString(), self.options, ["CPUExecutionProvider"])
        binding = session.io_binding()
        values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(a) for name, a in {**inputs, **outputs}.items()}
        for name in inputs:
            binding.bind_ortvalue_input(name, values[name])
        for name in outputs:
            binding.bind_ortvalue_output(name, values[name])

        def result():
            indices = values["indices"].numpy() % int(np.prod(case.sizes)) if "indices" in outputs else None
            return from_layout(values["y"].numpy(), layout), indices

        return Arm(lambda: session.run_with_iobinding(binding), result)

    def output(self, case, layout="first"):
        y = np.zeros([case.n, case.out_channels, *case.out_sizes], np.float32)
        return {"y": to_layout(y, layout)}

    def conv_transpose(self, case, layout):
        alpha = alpha_of(case.activation)
        nodes = [helper.make_node("ConvTranspose", ["x", "weights", "bias"], ["y" if alpha is None else "sum"],
                                  kernel_shape=case.kernel, strides=case.strides, dilations=case.dilations,
                                  pads=case.begin + case.end, output_padding=case.output_padding, group=case.group)]
        if alpha is not None:
            nodes.append(helper.make_node("LeakyRelu", ["sum"], ["y"], alpha=alpha))
        return nodes, {"x": case.x}, {"weights": case.weights, "bias": case.bias}, self.output(case)

    def max_pool(self, case, layout):
        node = helper.make_node("MaxPool", ["x"], ["y", "indices"], kernel_shape=case.kernel, strides=case.strides,
                                dilations=case.dilations, pads=case.begin + case.end, ceil_mode=int(case.ceil))
        y = self.output(case)
        return [node], {"x": case.x}, {}, {**y, "indices": np.zeros(y["y"].shape, np.int64)}

    def avg_pool(self, case, layout):
        node = helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=case.kernel, strides=case.strides,
                                pads=case.begin + case.end, ceil_mode=int(case.ceil),
                                count_include_pad=int(case.count_include_pad))
        return [node], {"x": case.x}, {}, self.output(case)

    def max_unpool(self, case, layout):
        need(not case.inferred, "indices of another plane than the output")
        node = helper.make_node("MaxUnpool", ["x", "indices", "shape"], ["y"], kernel_shape=case.kernel, strides=case.strides,
                                pads=case.begin + case.end)
        y = self.output(case)
        planes = np.arange(case.n * case.channels).reshape(case.n, case.channels, *[1] * case.rank)
        indices = case.indices + planes * int(np.prod(case.out_sizes))
        return [node], {"x": case.x, "indices": indices}, {"shape": np.array(y["y"].shape, np.int64)}, y

    def replicate(self, case, layout):
        return self.resized(case, layout, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    def bed_of_nails(self, case, layout):
        raise NotOffered("no such operator")

    def pixel_shuffle(self, case, layout):
        need(case.rank == 2, "DepthToSpace is 2-D")
        node = helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=case.block, mode=case.shuffle.upper())
        return [node], {"x": case.x}, {}, self.output(case)

    def pixel_unshuffle(self, case, layout):
        """SpaceToDepth is DCR alone; exporters write CRD as three nodes."""
        need(case.rank == 2 and case.shuffle == "crd", "CRD of 2-D")
        n, c, b, (h, w) = case.n, case.channels, case.block, case.out_sizes
        split = np.array([n, c, h, b, w, b], np.int64)
        joined = np.array([n, c * b * b, h, w], np.int64)
        nodes = [helper.make_node("Reshape", ["x", "split"], ["s"]),
                 helper.make_node("Transpose", ["s"], ["t"], perm=[0, 1, 3, 5, 2, 4]),
                 helper.make_node("Reshape", ["t", "joined"], ["y"])]
        return nodes, {"x": case.x}, {"split": split, "joined": joined}, self.output(case)

    def resize(self, case, layout):
        options = {"mode": case.mode, "coordinate_transformation_mode": case.coordinates}
        if case.mode == "nearest":
            options["nearest_mode"] = case.nearest
        if case.mode == "cubic":
            options["cubic_coeff_a"] = case.cubic_a
        if case.antialias:
            options |= {"antialias": 1, "exclude_outside": 1}
        return self.resized(case, layout, **options)

    def resized(self, case, layout, **options):
        need(layout == "first" or options["mode"] != "cubic", "channels last: cubic Resize is NCHW")
        y = self.output(case, layout)
        constants = {"sizes": np.array(y["y"].shape, np.int64)}
        if case.op == "resize" and case.scales:
            ones = np.ones(2, np.float32)
            scales = np.array(case.scales, np.float32)
            constants = {"scales": np.concatenate([ones, scales] if layout == "first" else [ones[:1], scales, ones[:1]])}
        inputs = ["x", "", "scales"] if "scales" in constants else ["x", "", "", "sizes"]
        node = helper.make_node("Resize", inputs, ["y"], **options)
        return [node], {"x": to_layout(case.x, layout)}, constants, y
