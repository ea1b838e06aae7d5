# SPDX-License-Identifier: MIT
"""ncnn in f32: networks of one layer, image by image, as it has no batch. It has channels first, and its own packing of
channels inside a network, into which a lone layer brings its input within the call."""
import os

import ncnn
import numpy as np

from peer import Arm, NotOffered, alpha_of, need, only_by_sizes, only_first, scratch_file, weights_by_group


def axes(values, *keys):
    """Parameters of each axis, outermost first, under ncnn's keys, innermost first."""
    return dict(zip(keys, reversed(values)))


class Peer:
    def __init__(self, threads, libupsample):
        self.threads = threads
        self.version = ncnn.__version__

    def arm(self, case, layout):
        only_first(layout)
        layer, parameters, data = getattr(self, case.op)(case)
        net = self.net(layer, parameters, data)
        sources = [np.ascontiguousarray(image) for image in case.x]
        mats = [ncnn.Mat(source) for source in sources]
        last = [None] * case.n

        def run():
            for i, mat in enumerate(mats):
                last[i] = None  # lies in the memory of its extractor
                extractor = net.create_extractor()
                extractor.input("x", mat)
                last[i] = (extractor, extractor.extract("y")[1])

        def result():
            shape = [case.n, case.out_channels, *case.out_sizes]
            values = np.stack([np.array(mat) for _, mat in last])
            return values.reshape(shape) if values.size == np.prod(shape) else values, None

        arm = Arm(run, result)
        arm.keep = sources
        return arm

    def net(self, layer, parameters, data):
        net = ncnn.Net()
        net.opt.num_threads = self.threads
        net.opt.use_vulkan_compute = False
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
        words = [f"{-23300 - k}={len(v)},{','.join(map(str, v))}" if isinstance(v, list) else f"{k}={v}"
                 for k, v in sorted(parameters.items())]
        text = f"7767517\n2 2\nInput x 0 1 x\n{layer} y 1 1 x y {' '.join(words)}\n"
        need(not net.load_param_mem(text), f"no layer {layer}")
        path = scratch_file(data)
        try:
            need(not net.load_model(path), f"{layer}: the weights are not accepted")
        finally:
            os.unlink(path)
        return net

    def conv_transpose(self, case):
        layer = "Deconvolution" + ("DepthWise" if case.group > 1 else "") + {1: "1D", 2: "", 3: "3D"}[case.rank]
        weights = np.ascontiguousarray(np.swapaxes(weights_by_group(case), 1, 2))
        parameters = {0: case.out_channels, 5: 1, 6: weights.size, **axes(case.kernel, 1, 11, 21),
                      **axes(case.dilations, 2, 12, 22), **axes(case.strides, 3, 13, 23), **axes(case.begin, 4, 14, 24),
                      **axes(case.end, 15, 16, 17), **axes(case.output_padding, 18, 19, 20)}
        if case.group > 1:
            parameters[7] = case.group
        alpha = alpha_of(case.activation)
        if alpha is not None:
            parameters |= {9: 2, 10: [alpha]} if alpha else {9: 1}
        return layer, parameters, np.int32(0).tobytes() + weights.tobytes() + case.bias.tobytes()  # 0: raw f32

    def avg_pool(self, case):
        need(not (case.ceil or (case.count_include_pad and any(case.begin + case.end))), "this way to count padding")
        parameters = {0: 1, 5: 1, **axes(case.kernel, 1, 11, 21), **axes(case.strides, 2, 12, 22),
                      **axes(case.begin, 3, 13, 23), **axes(case.end, 14, 15, 16)}
        return "Pooling" + {1: "1D", 2: "", 3: "3D"}[case.rank], parameters, b""

    def max_pool(self, case):
        raise NotOffered("pooling gives no indices")

    def max_unpool(self, case):
        raise NotOffered("no such layer")

    bed_of_nails = max_unpool

    def pixel_shuffle(self, case):
        need(case.rank == 2, "2-D alone")
        return "PixelShuffle", {0: case.block, 1: int(case.shuffle != "crd")}, b""

    def pixel_unshuffle(self, case):
        need(case.rank == 2, "2-D alone")
        return "Reorg", {0: case.block, 1: int(case.shuffle != "crd")}, b""

    def replicate(self, case):
        return self.interp(case, 1, False)

    def resize(self, case):
        only_by_sizes(case)
        kind = {"nearest": 1, "linear": 2, "cubic": 3}.get(case.mode)
        need(kind and not case.antialias, f"mode {case.mode}{', antialias' if case.antialias else ''}")
        return self.interp(case, kind, case.coordinates == "align_corners")

    def interp(self, case, kind, align_corners):
        need(case.rank == 2, "2-D alone")
        return "Interp", {0: kind, 3: case.out_sizes[0], 4: case.out_sizes[1], 6: int(align_corners)}, b""
