#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Records what ncnn itself makes of a small picture, for tests/test_enlarge.c.

    python3 -m venv build/record
    build/record/bin/pip install ncnn==1.0.20261020 numpy==2.4.6 pillow==13.0.0
    tools/fetch-model build/model
    build/record/bin/python tests/golden/record_enlarge.py build/model

Reads enlarge.png beside this file and writes enlarge.npy beside it: float32, little endian, [3, 2H, 2W],
the network's output before it is rounded, 0 to 1. ncnn computes in float32: its half-precision ways are off.

With a photo as second argument, enlarge.png is cut out of it first (it was: chelsea.png of scikit-image 0.26.0).
"""
import pathlib
import platform
import sys

import ncnn
import numpy
import PIL
from PIL import Image

HERE = pathlib.Path(__file__).parent
EYE = (139, 88, 139 + 26, 88 + 19)  # left, upper, right, lower: 26 x 19 pixels of fur, an edge, and the eye
HALO = 7


def enlarge(pixels, model):
    net = ncnn.Net()
    options = net.opt
    options.use_vulkan_compute = False
    options.num_threads = 1
    for name in dir(options):
        if name.startswith(("use_fp16", "use_bf16", "use_int8")):
            setattr(options, name, False)
    if net.load_param(f"{model}/scale2.0x_model.param") or net.load_model(f"{model}/scale2.0x_model.bin"):
        sys.exit(f"{model}: no model")
    planes = pixels.astype(numpy.float32).transpose(2, 0, 1) * numpy.float32(1 / 255)
    planes = numpy.pad(planes, ((0, 0), (HALO, HALO), (HALO, HALO)), mode="edge")
    extractor = net.create_extractor()
    extractor.input("Input1", ncnn.Mat(numpy.ascontiguousarray(planes)))
    status, result = extractor.extract("Eltwise4")
    if status:
        sys.exit(f"ncnn: status {status}")
    return numpy.array(result, dtype="<f4")


def main():
    model = sys.argv[1]
    if len(sys.argv) > 2:
        cut = numpy.asarray(Image.open(sys.argv[2]).convert("RGB").crop(EYE))
        Image.fromarray(cut).save(HERE / "enlarge.png", optimize=True)
    pixels = numpy.asarray(Image.open(HERE / "enlarge.png"))
    result = enlarge(pixels, model)
    assert result.shape == (3, 2 * pixels.shape[0], 2 * pixels.shape[1]), result.shape
    numpy.save(HERE / "enlarge.npy", result)
    print(f"ncnn {ncnn.__version__}, numpy {numpy.__version__}, pillow {PIL.__version__}, "
          f"python {platform.python_version()}, {platform.machine()}: {result.shape}, "
          f"{result.min():.6f} to {result.max():.6f}, sum {result.sum(dtype='f8'):.6f}")


if __name__ == "__main__":
    main()
