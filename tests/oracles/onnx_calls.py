# SPDX-License-Identifier: MIT
"""ONNX's reference implementation, for Upsample ONNX Runtime: models of one node, an opset for each preset."""
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


PRESETS = {preset: Nodes(preset, run, True).generators() for preset in OPSETS if preset != "ort"}
for preset in ("onnx-7", "onnx-9", "onnx-10"):  # the reference has no Upsample, and no Resize by scales alone
    PRESETS[preset]["resize"] = Nodes(preset, run_ort, False).resize
