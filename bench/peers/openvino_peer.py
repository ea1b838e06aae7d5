# SPDX-License-Identifier: MIT
"""OpenVINO's CPU plugin in f32: compiled models of one operation (and an activation), hint LATENCY, one stream. Channels last
is the layout of the model's inputs and outputs: what the plugin reorders for it is part of the call."""
import numpy as np
import openvino
import openvino.opset14 as ops

from peer import Arm, NotOffered, alpha_of, from_layout, need, to_layout, weights_by_group

LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


class Peer:
    def __init__(self, threads, libupsample):
        self.core = openvino.Core()
        self.config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
                       "ENABLE_CPU_PINNING": False, "INFERENCE_PRECISION_HINT": "f32"}
        self.version = openvino.__version__.split("-")[0]

    def arm(self, case, layout):
        parameter = ops.parameter(list(case.x.shape), np.float32)
        node = getattr(self, case.op)(case, parameter)
        model = openvino.Model(node.outputs(), [parameter])
        if layout == "last":
            model = self.channels_last(model, case.rank)
        request = self.core.compile_model(model, "CPU", self.config).create_infer_request()
        x = to_layout(case.x, layout)
        source = openvino.Tensor(x, shared_memory=True)  # which does not keep x
        request.set_input_tensor(0, source)

        def run():
            request.start_async()
            request.wait()

        def result():
            values = from_layout(request.get_output_tensor(0).data, layout)
            indices = from_layout(request.get_output_tensor(1).data, layout) if case.op == "max_pool" else None
            return values, indices

        arm = Arm(run, result)
        arm.keep = x, source
        return arm

    def channels_last(self, model, rank):
        steps = openvino.preprocess.PrePostProcessor(model)
        first, last = (openvino.Layout(text) for text in LAYOUTS[rank])
        ends = [steps.input(0)] + [steps.output(i) for i in range(len(model.outputs))]
        for end in ends:
            end.tensor().set_layout(last)
            end.model().set_layout(first)
        return steps.build()

    def conv_transpose(self, case, x):
        operation, weights = ops.convolution_backprop_data, case.weights
        if case.group > 1:
            operation, weights = ops.group_convolution_backprop_data, weights_by_group(case)
        y = operation(x, ops.constant(weights), case.strides, None, case.begin, case.end, case.dilations, "explicit",
                      case.output_padding)
        y = ops.add(y, ops.constant(case.bias.reshape(1, -1, *[1] * case.rank)))
        alpha = alpha_of(case.activation)
        if alpha is None:
            return y
        return ops.prelu(y, ops.constant(np.array([alpha], np.float32))) if alpha else ops.relu(y)

    def max_pool(self, case, x):
        rounding = "ceil_torch" if case.ceil else "floor"
        return ops.max_pool(x, case.strides, case.dilations, case.begin, case.end, case.kernel, rounding, "explicit", "i32", 2)

    def avg_pool(self, case, x):
        rounding = "ceil_torch" if case.ceil else "floor"
        return ops.avg_pool(x, case.strides, case.begin, case.end, case.kernel, not case.count_include_pad, rounding, "explicit")

    def max_unpool(self, case, x):
        raise NotOffered("no such operation")

    bed_of_nails = max_unpool

    def pixel_shuffle(self, case, x):
        return ops.depth_to_space(x, "depth_first" if case.shuffle == "crd" else "blocks_first", case.block)

    def pixel_unshuffle(self, case, x):
        return ops.space_to_depth(x, "depth_first" if case.shuffle == "crd" else "blocks_first", case.block)

    def replicate(self, case, x):
        return self.interpolate(case, x, "nearest", "asymmetric", "floor", -0.75)

    def resize(self, case, x):
        mode = {"nearest": "nearest", "linear": "linear_onnx", "cubic": "cubic"}.get(case.mode)
        need(mode and not case.antialias, f"mode {case.mode}{', antialias' if case.antialias else ''}")
        return self.interpolate(case, x, mode, case.coordinates, case.nearest, case.cubic_a)

    def interpolate(self, case, x, mode, coordinates, nearest, cubic_a):
        if mode != "nearest":
            nearest = "round_prefer_floor"
        scales = case.scales if case.op == "resize" else None
        shape = ops.constant(np.array(scales, np.float32) if scales else np.array(case.out_sizes, np.int64))
        axes = ops.constant(np.arange(2, 2 + case.rank, dtype=np.int64))
        return ops.interpolate(x, shape, mode, "scales" if scales else "sizes", [0], [0], coordinates, nearest, False, cubic_a,
                               axes)
