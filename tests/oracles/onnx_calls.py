# SPDX-License-Identifier: MIT
"""ONNX's reference implementation, and ONNX Runtime for what it lacks: models of one node, an opset for each preset."""
import onnx
from onnx.reference import ReferenceEvaluator

from onnx_nodes import OPSETS, Nodes
from ort_calls import run as run_ort


def VERSION():
    return onnx.__version__


def run(model, inputs):
    try:
        return ReferenceEvaluator(model).run(None, inputs)
    except Exception:  # it raises whatever numpy does
        return None


def resize_11(rng, quick):
    """The reference has no tf_half_pixel_for_nn, which opset 13 dropped."""
    if rng.random() < 0.1:
        return Nodes("onnx-11", run_ort, False).resize(rng, quick, "tf_half_pixel_for_nn")
    return Nodes("onnx-11", run, True).resize(rng, quick)


PRESETS = {preset: Nodes(preset, run, True).generators() for preset in OPSETS if preset != "ort"}
for preset in ("onnx-7", "onnx-9", "onnx-10"):  # the reference has no Upsample, and no Resize by scales alone
    PRESETS[preset]["resize"] = Nodes(preset, run_ort, False).resize
PRESETS["onnx-11"]["resize"] = resize_11
