#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints what the frameworks make of the calls in tests/test_traps.c, row by row: the values recorded there.

    python3 -m venv build/record
    build/record/bin/pip install numpy torch onnx onnxruntime openvino ncnn opencv-python-headless pillow tensorflow
    build/record/bin/python tests/golden/record_traps.py

A framework that is not installed is named and left out. XNNPACK's values are those of xnn_create_argmax_pooling2d_nhwc_f32 in
Debian's libxnnpack0 0.0~git20220216, called from C. Recorded with PyTorch 2.15.0, ONNX 1.23.2 (its reference),
ONNX Runtime 1.32.0, TensorFlow 2.21.0, OpenVINO 2026.4.1, ncnn 1.0.20261020, OpenCV 5.0.0, Pillow 13.0.0, on x86-64.
"""
import importlib
import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
warnings.filterwarnings("ignore")
import numpy as np

X4 = np.array([0, 10, 20, 30], "f4")
X5 = np.array([0, 10, 20, 30, 40], "f4")
NAN = np.float32("nan")


def missing(name):
    try:
        importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed: its rows are left out")
        return True
    return False


def show(row, who, value):
    arrays = value if isinstance(value, (list, tuple)) else [value]
    text = " | ".join(", ".join(np.format_float_positional(np.float32(v), trim="-") if a.dtype.kind == "f" and
                                np.abs(v) < 1e9 else str(v) for v in a.ravel()) for a in map(np.asarray, arrays))
    print(f"{row:>3}  {who:58} {text}")


# ---- PyTorch ----

def pytorch():
    import torch
    import torch.nn.functional as F
    torch.set_num_threads(1)

    def line(row, x, who="", **how):
        """Along a row of an image of height 2, whose lines are equal; rank 1 where said."""
        rank = how.pop("rank", 2)
        t = torch.tensor(x).reshape(1, 1, *(1,) * (rank - 1), -1).expand(1, 1, *(2,) * (rank - 1), -1)
        if "size" in how and rank > 1:
            how["size"] = (2,) * (rank - 1) + (how["size"],)
        if "scale_factor" in how and rank > 1:
            how["scale_factor"] = (1.0,) * (rank - 1) + (how["scale_factor"],)
        y = F.interpolate(t.contiguous(), **how)
        show(row, f"torch {who or how}"[:58], y.reshape(-1, y.shape[-1])[0].numpy())

    line(1, X4, mode="bilinear", size=8)
    line(1, X4, mode="bilinear", size=8, align_corners=True)
    line(2, X4, mode="bilinear", size=2)
    line(2, X4, mode="bilinear", size=2, antialias=True)
    line(3, X4, mode="nearest", size=3)
    line(3, X4, mode="nearest-exact", size=3)
    line(4, X4, mode="nearest", size=2)
    line(4, X4, mode="nearest-exact", size=2)
    line(5, X5, mode="nearest", scale_factor=.6)
    line(6, X5, mode="bilinear", scale_factor=1.3)
    line(6, X5, mode="bilinear", scale_factor=1.3, recompute_scale_factor=True)
    line(8, np.array([90, 0, 0], "f4"), mode="bicubic", size=6)
    line(8, np.array([90, 0, 0], "f4"), mode="bicubic", size=6, antialias=True)
    line(9, X4, mode="bicubic", size=1)
    for x in ([NAN, 1], [1, NAN], [3, NAN, NAN, 1], [1, 3, 3, 1]):
        t = torch.tensor(np.array(x, "f4")).reshape(1, 1, -1)
        y = F.max_pool1d(t, len(x), return_indices=True)
        show({0: 10, 1: 11}.get(int(np.isnan(x[1])), 0) if len(x) == 2 else 12 if np.isnan(x[1]) else 13,
             f"torch max_pool1d {x}"[:58], [v.numpy() for v in y])
    y = F.max_pool2d(torch.tensor([[[[1., 3.], [3., 1.]]]]), 2, return_indices=True)
    show(13, "torch max_pool2d [1 3; 3 1]", [v.numpy() for v in y])
    y = F.max_pool1d(torch.tensor(X5).reshape(1, 1, -1), 1, 3, 0, ceil_mode=True, return_indices=True)
    show(14, "torch max_pool1d k1 s3 ceil", [v.numpy() for v in y])
    show(15, "torch avg_pool1d k3 s3 p1 ceil", F.avg_pool1d(torch.arange(1., 6).reshape(1, 1, -1), 3, 3, 1, True).numpy())
    show(17, "torch max_unpool2d to 5x5", F.max_unpool2d(torch.tensor([[[[1., 2.], [3., 4.]]]]),
         torch.tensor([[[[0, 5], [10, 15]]]]), 2, output_size=(5, 5)).numpy())
    show(18, "torch max_unpool2d, index 6 four times", F.max_unpool2d(torch.tensor([[[[1., 2.], [3., 4.]]]]),
         torch.tensor([[[[6, 6], [6, 6]]]]), 2).numpy())
    w = torch.tensor([[[1., 2, 3]]])
    one = torch.ones(1, 1, 3)
    show(20, "torch conv_transpose1d k3 s2 p1 op1", F.conv_transpose1d(one, w, None, 2, 1, 1).numpy())
    show(22, "torch conv_transpose1d k1 s4", F.conv_transpose1d(one, w[..., :1], None, 4).numpy())
    x8 = torch.arange(8.).reshape(1, 8, 1, 1)
    show(23, "torch pixel_shuffle 2", F.pixel_shuffle(x8, 2).numpy())
    try:
        F.max_unpool2d(torch.ones(1, 2, 1, 1), torch.tensor([5, 9]).reshape(1, 2, 1, 1), 2)
    except RuntimeError as e:
        print(f" 24  torch max_unpool2d by onnx indices: {str(e).splitlines()[0]}")
    for rank in 1, 2, 3:
        line(25, np.array([0, 1, 2], "f4"), f"nearest 1.3, rank {rank}", mode="nearest", scale_factor=1.3, rank=rank)
    show(27, "torch max_unpool1d n2 k2 s2", F.max_unpool1d(torch.tensor([[[1., 2.]]]), torch.tensor([[[0, 2]]]), 2).numpy())


# ---- ONNX's reference and ONNX Runtime ----

def onnx_both():
    import onnx
    import onnx.helper as H
    import onnxruntime
    from onnx.reference import ReferenceEvaluator
    onnxruntime.set_default_logger_severity(4)
    types = {"f": 1, "i": 7}

    def model(op, opset, inputs, outputs, attrs):
        names = [f"i{i}" if a is not None else "" for i, a in enumerate(inputs)]
        given = [(n, a) for n, a in zip(names, inputs) if a is not None]
        node = H.make_node(op, names, outputs, **attrs)
        graph = H.make_graph(
            [node], "g", [H.make_tensor_value_info(n, types[a.dtype.kind], a.shape) for n, a in given],
            [H.make_tensor_value_info(o, 7 if o == "indices" else 1, None) for o in outputs])
        return H.make_model(graph, opset_imports=[H.make_opsetid("", opset)], ir_version=8), dict(given)

    def run(row, who, op, opset, inputs, engines="ref ort", outputs=("y",), **attrs):
        m, feed = model(op, opset, inputs, list(outputs), attrs)
        for engine in engines.split():
            try:
                if engine == "ref":
                    y = ReferenceEvaluator(m).run(None, feed)
                else:
                    y = onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)
                show(row, f"{engine} {who}"[:58], y)
            except Exception as e:
                print(f"{row:>3}  {engine + ' ' + who:58} {str(e).splitlines()[0][:110]}")

    def resize(row, x, m=None, scale=None, opset=19, engines="ref ort", who="", **attrs):
        x = x.reshape(1, 1, 1, -1)
        f = lambda v: np.array(v, "f4")
        scales = f([1, 1, 1, scale]) if scale else None
        sizes = np.array([1, 1, 1, m], "i8") if m else None
        inputs = [x, scales] if opset == 10 else [x, None, scales] if sizes is None else [x, None, None, sizes]
        if opset == 11:
            inputs[1] = f([0] * 4 + [1] * 4)
            if sizes is not None:
                inputs[2] = f([])
        run(row, who or f"Resize-{opset} {m or scale} {attrs}", "Resize", opset, inputs, engines, **attrs)

    resize(1, X4, 8, mode="linear")
    resize(1, X4, scale=2, opset=10, mode="linear", engines="ort")
    run(1, "Upsample-9 linear 2", "Upsample", 9, [X4.reshape(1, 1, 1, 4), np.array([1, 1, 1, 2], "f4")], "ort", mode="linear")
    resize(1, X4, 8, mode="linear", coordinate_transformation_mode="align_corners")
    resize(2, X4, 2, mode="linear")
    resize(2, X4, 2, mode="linear", antialias=1)
    resize(2, X4, 2, mode="linear", antialias=1, exclude_outside=1)
    resize(3, X4, 3, mode="nearest")
    resize(4, X4, 2, mode="nearest")
    resize(5, X5, scale=.6, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    resize(5, X5, scale=.6, opset=10, mode="nearest", engines="ort")
    resize(5, X5, scale=.6, opset=11, mode="nearest")
    resize(6, X5, scale=1.3, mode="linear")
    resize(6, X5, 6, mode="linear")
    resize(7, np.arange(6, dtype="f4"), scale=.6, mode="linear", coordinate_transformation_mode="align_corners")
    resize(8, np.array([90, 0, 0], "f4"), 6, mode="cubic")
    resize(8, np.array([90, 0, 0], "f4"), 6, mode="cubic", exclude_outside=1)
    resize(9, X4, 1, mode="cubic", coordinate_transformation_mode="pytorch_half_pixel")
    both = ("y", "indices")
    for row, x in (10, [NAN, 1]), (11, [1, NAN]), (12, [3, NAN, NAN, 1]), (13, [1, 3, 3, 1]):
        a = np.array(x, "f4").reshape(1, 1, 1, -1)
        k = dict(kernel_shape=[1, len(x)], strides=[1, len(x)])
        run(row, f"MaxPool {x}", "MaxPool", 12, [a], outputs=both, **k)
        run(row, f"MaxPool {x} values", "MaxPool", 12, [a], **k)
    run(13, "MaxPool [1 3; 3 1]", "MaxPool", 12, [np.array([1, 3, 3, 1], "f4").reshape(1, 1, 2, 2)], outputs=both,
        kernel_shape=[2, 2], strides=[2, 2])
    run(14, "MaxPool k1 s3 ceil", "MaxPool", 12, [X5.reshape(1, 1, 5)], outputs=both, kernel_shape=[1], strides=[3], ceil_mode=1)
    x5 = np.arange(1, 6, dtype="f4").reshape(1, 1, 5)
    run(15, "AveragePool k3 s3 p1 ceil counted", "AveragePool", 19, [x5], kernel_shape=[3], strides=[3], pads=[1, 1],
        ceil_mode=1, count_include_pad=1)
    for auto in "SAME_LOWER", "SAME_UPPER":
        run(16, f"AveragePool k2 s2 {auto}", "AveragePool", 19, [np.arange(1, 8, dtype="f4").reshape(1, 1, 7)],
            kernel_shape=[2], strides=[2], auto_pad=auto)
    x4 = np.array([1, 2, 3, 4], "f4").reshape(1, 1, 2, 2)
    at = np.array([0, 5, 10, 15], "i8").reshape(1, 1, 2, 2)
    shape = np.array([1, 1, 5, 5], "i8")
    run(17, "MaxUnpool to 5x5", "MaxUnpool", 11, [x4, at, shape], kernel_shape=[2, 2], strides=[2, 2])
    run(18, "MaxUnpool, index 6 four times", "MaxUnpool", 11, [x4, np.full_like(at, 6)], kernel_shape=[2, 2], strides=[2, 2])
    one = np.ones((1, 1, 3), "f4")
    w4, w3 = (np.arange(1, k + 1, dtype="f4").reshape(1, 1, k) for k in (4, 3))
    for auto in "NOTSET", "SAME_UPPER", "SAME_LOWER":
        run(19, f"ConvTranspose k4 s2 output_shape 7 {auto}", "ConvTranspose", 11, [one, w4], strides=[2],
            output_shape=[7], auto_pad=auto)
    for auto in "SAME_UPPER", "SAME_LOWER":
        run(20, f"ConvTranspose k3 s2 {auto}", "ConvTranspose", 11, [one, w3], strides=[2], auto_pad=auto)
    run(22, "ConvTranspose k1 s4 SAME_UPPER", "ConvTranspose", 11, [one, w3[..., :1]], strides=[4], auto_pad="SAME_UPPER")
    x8 = np.arange(8, dtype="f4").reshape(1, 8, 1, 1)
    run(23, "DepthToSpace 2", "DepthToSpace", 13, [x8], blocksize=2)
    run(23, "DepthToSpace 2 CRD", "DepthToSpace", 13, [x8], blocksize=2, mode="CRD")
    x = np.zeros((2, 2, 2, 2), "f4")
    x.reshape(4, 4)[:, 1] = [1, 2, 3, 4]
    run(24, "MaxPool, indices of 2 x 2 planes", "MaxPool", 12, [x], outputs=both, kernel_shape=[2, 2])


# ---- TensorFlow ----

def tensorflow():
    import tensorflow as tf
    raw = tf.raw_ops

    def row_of(x):
        return tf.constant(np.asarray(x, "f4").reshape(1, 1, -1, 1))

    def resize(row, op, x, m, **how):
        show(row, f"tf {op} {m} {how}"[:58], getattr(raw, op)(images=row_of(x), size=[1, m], **how).numpy())

    hp, ac = dict(half_pixel_centers=True), dict(align_corners=True)
    resize(1, "ResizeBilinear", X4, 8)
    resize(1, "ResizeBilinear", X4, 8, **hp)
    resize(1, "ResizeBilinear", X4, 8, **ac)
    show(1, "tf.image.resize 8 bilinear", tf.image.resize(row_of(X4), [1, 8]).numpy())
    show(2, "tf.image.resize 2 bilinear antialias", tf.image.resize(row_of(X4), [1, 2], antialias=True).numpy())
    for row, m in (3, 3), (4, 2):
        for how in {}, hp, ac:
            resize(row, "ResizeNearestNeighbor", X4, m, **how)
    for how in {}, hp:
        resize(8, "ResizeBicubic", [90, 0, 0], 6, **how)
    for row, x in (10, [NAN, 1]), (11, [1, NAN]), (12, [3, NAN, NAN, 1]), (13, [1, 3, 3, 1]):
        k = [1, 1, len(x), 1]
        show(row, f"tf max_pool2d {x}"[:58], tf.nn.max_pool2d(row_of(x), k, k, "VALID").numpy())
        show(row, f"tf max_pool_with_argmax {x}"[:58], [v.numpy() for v in tf.nn.max_pool_with_argmax(row_of(x), k, k, "VALID")])
    y = tf.nn.max_pool_with_argmax(tf.constant(np.array([1, 3, 3, 1], "f4").reshape(1, 2, 2, 1)), 2, 2, "VALID")
    show(13, "tf max_pool_with_argmax [1 3; 3 1]", [v.numpy() for v in y])
    show(16, "tf avg_pool2d k2 s2 SAME", tf.nn.avg_pool2d(row_of(range(1, 8)), [1, 2], [1, 2], "SAME").numpy())

    show(18, "tf scatter_nd, index 6 four times", tf.scatter_nd([[6]] * 4, [1., 2, 3, 4], [16]).numpy())

    def deconv(row, k, s, m, pad="SAME"):
        w = tf.constant(np.arange(1, k + 1, dtype="f4").reshape(1, k, 1, 1))
        y = tf.nn.conv2d_transpose(row_of([1, 1, 1]), w, [1, 1, m, 1], [1, s], pad)
        show(row, f"tf conv2d_transpose k{k} s{s} {pad} output {m}", y.numpy())

    deconv(20, 3, 2, 6)
    deconv(21, 3, 2, 5)
    deconv(22, 1, 4, 12)
    layer = tf.keras.layers.Conv1DTranspose(1, 1, 4, "same", kernel_initializer="ones")
    show(22, "keras Conv1DTranspose k1 s4 same", layer(tf.ones((1, 3, 1))).numpy())
    show(23, "tf depth_to_space 2", tf.nn.depth_to_space(tf.reshape(tf.range(8.), (1, 1, 1, 8)), 2).numpy().transpose(0, 3, 1, 2))


# ---- OpenCV, Pillow ----

def opencv():
    import cv2
    cv2.ipp.setUseIPP(False)

    def resize(row, x, m, how):
        show(row, f"opencv {how} {m}", cv2.resize(np.asarray(x, "f4").reshape(1, -1), (m, 1), interpolation=getattr(cv2, how)))

    resize(1, X4, 8, "INTER_LINEAR")
    resize(2, X4, 2, "INTER_LINEAR")
    resize(3, X4, 3, "INTER_NEAREST")
    resize(3, X4, 3, "INTER_NEAREST_EXACT")
    resize(4, X4, 2, "INTER_NEAREST")
    resize(4, X4, 2, "INTER_NEAREST_EXACT")
    resize(8, [90, 0, 0], 6, "INTER_CUBIC")


def pillow():
    from PIL import Image

    def resize(row, x, m, how):
        image = Image.fromarray(np.asarray(x, "f4").reshape(1, -1))
        show(row, f"pillow {how} {m}", np.asarray(image.resize((m, 1), getattr(Image.Resampling, how))))

    resize(1, X4, 8, "BILINEAR")
    resize(2, X4, 2, "BILINEAR")
    resize(3, X4, 3, "NEAREST")
    resize(4, X4, 2, "NEAREST")
    resize(8, [90, 0, 0], 6, "BICUBIC")


# ---- OpenVINO, ncnn ----

def openvino_all():
    import openvino as ov
    import openvino.opset14 as op
    core = ov.Core()

    def run(row, who, node, feed):
        model = ov.Model([node], feed[0])
        compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        y = compiled(feed[1])
        show(row, f"openvino {who}", [np.asarray(y[i]) for i in range(len(y))])

    def param(a):
        return op.parameter(list(a.shape), a.dtype)

    a = X4.reshape(1, 1, 1, 4)
    for mode in "linear_onnx", "linear":
        p = param(a)
        node = op.interpolate(p, np.array([1, 8]), mode, "sizes", axes=np.array([2, 3]))
        run(1, f"interpolate {mode} 8", node, ([p], [a]))
    for row, x in (10, [NAN, 1]), (11, [1, NAN]):
        a = np.array(x, "f4").reshape(1, 1, 1, -1)
        p = param(a)
        run(row, f"max_pool {x}", op.max_pool(p, [1, 2], [1, 1], [0, 0], [0, 0], [1, 2]), ([p], [a]))
    a = X5.reshape(1, 1, 5)
    for rounding in "ceil", "ceil_torch":
        p = param(a)
        run(14, f"max_pool k1 s3 {rounding}", op.max_pool(p, [3], [1], [0], [0], [1], rounding), ([p], [a]))
    a = np.arange(1, 6, dtype="f4").reshape(1, 1, 5)
    for rounding in "ceil", "ceil_torch":
        for exclude in False, True:
            p = param(a)
            run(15, f"avg_pool k3 s3 p1 {rounding} exclude {exclude}", op.avg_pool(p, [3], [1], [1], [3], exclude, rounding),
                ([p], [a]))
    a = np.ones((1, 1, 3), "f4")
    w = np.arange(1, 5, dtype="f4").reshape(1, 1, 4)
    for auto in "explicit", "same_upper", "same_lower", "valid":
        p = param(a)
        node = op.convolution_backprop_data(p, op.constant(w), [2], op.constant(np.array([7])), [0], [0], [1], auto)
        run(19, f"convolution_backprop k4 s2 output 7 {auto}", node, ([p], [a]))


def ncnn_all():
    import ncnn

    def run(row, who, layer, settings, x):
        net = ncnn.Net()
        net.opt.num_threads = 1
        for name in dir(net.opt):
            if name.startswith(("use_fp16", "use_bf16", "use_int8", "use_packing", "use_vulkan")):
                setattr(net.opt, name, False)
        net.load_param_mem("7767517\n2 2\nInput in 0 1 x\n" + f"{layer} it 1 1 x y " +
                           " ".join(f"{k}={v}" for k, v in settings.items()) + "\n")
        net.load_model_mem(b"\0" * 64)
        extractor = net.create_extractor()
        extractor.input("x", ncnn.Mat(np.ascontiguousarray(x)))
        show(row, f"ncnn {who}", np.array(extractor.extract("y")[1]))

    a = X5.reshape(1, 1, 5)
    run(14, "Pooling max k1 s3 pad_mode 0", "Pooling", {0: 0, 1: 1, 2: 3, 5: 0}, a)
    a = np.arange(1, 6, dtype="f4").reshape(1, 1, 5)
    for count in 0, 1:
        run(15, f"Pooling average k3 s3 p1, count_include_pad {count}", "Pooling",
            {0: 1, 1: 3, 11: 1, 2: 3, 12: 1, 3: 1, 13: 0, 14: 1, 15: 0, 5: 0, 6: count}, a)


for name, part in (("torch", pytorch), ("onnxruntime", onnx_both), ("tensorflow", tensorflow), ("cv2", opencv),
                   ("PIL", pillow), ("openvino", openvino_all), ("ncnn", ncnn_all)):
    if not missing(name):
        part()
