# SPDX-License-Identifier: MIT
"""What an adapter is.

A module NAME_peer.py holds a class Peer, made once in a process of its own: Peer(threads, libupsample). Importing it imports
the library; an ImportError means the library is not installed. It has

    version                 of the library, as it says itself
    layouts                 ("first", "last") without it; "own" besides where the library has formats of its own, which its
                            networks use between their layers: into them and back is not timed
    arm(case, layout)       an Arm that computes the case with arrays in that layout, or raises NotOffered with the reason in
                            words

Everything that is done once in a network's life belongs in arm(): compiling, choosing, reordering and packing weights, and
bringing the source into the layout. Only Arm.run is timed.

What each library is told (its arguments, layouts, settings), and that a stopped process does not disturb the others, is taken
over from the peer suite, as are many of the layers. What a max_pool records is each library's own: i64 places in the plane or
tensor (PyTorch, ONNX Runtime), i32 (OpenVINO, and libupsample where the layer says so), u8 places in the window (oneDNN).

A case (cases.py) holds plain numbers, the same for each operation, and arrays: x in N, C, spatial order; weights in I, O/group,
kernel order; bias; indices of a max_unpool, of the plane, int64.
"""
import os
import tempfile

import numpy as np


class NotOffered(Exception):
    """The library has no such operation, or not with these parameters, or not in this layout."""


class Arm:
    """run() is one call. result() gives what the last one computed: values in N, C, spatial order, and for a max_pool the
    indices of the plane (else None). details go into the row of the JSON."""

    def __init__(self, run, result, **details):
        self.run, self.result, self.details = run, result, details


def to_last(array):
    return np.ascontiguousarray(np.moveaxis(array, 1, -1))


def to_first(array):
    return np.moveaxis(array, -1, 1)


def to_layout(array, layout):
    return to_last(array) if layout == "last" else np.ascontiguousarray(array)


def from_layout(array, layout):
    return to_first(array) if layout == "last" else array


def need(condition, otherwise):
    if not condition:
        raise NotOffered(otherwise)


def only_first(layout):
    need(layout == "first", "channels last: not offered")


def only_by_sizes(case):
    need(case.scales is None, "a scale that is not output over input")


def alpha_of(activation):
    """The slope below 0 of relu (0) and leaky_relu; None for no activation."""
    word, _, value = activation.partition(":")
    if word == "none":
        return None
    need(word in ("relu", "leaky_relu"), f"activation {activation}")
    return 0.0 if word == "relu" else float(value)


def weights_by_group(case):
    """group, I/group, O/group, kernel."""
    return case.weights.reshape(case.group, case.channels // case.group, *case.weights.shape[1:])


def scratch_file(data):
    """A file of these bytes, for libraries that read weights from nowhere else; the caller removes it."""
    descriptor, path = tempfile.mkstemp(prefix="peer-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return path
