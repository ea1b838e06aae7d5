# SPDX-License-Identifier: MIT
"""One random call of a framework, in the library's words, with the framework's answer.

A framework's module has VERSION() and PRESETS: preset -> operation -> generator(rng, quick), which returns a Call, or None when
what was drawn is nothing the framework accepts. Arrays are N, C, spatial in float32 whatever the layout.
"""
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Call:
    op: str
    preset: str
    keys: dict  # field -> text, number or list: what a user of the framework would say
    x: np.ndarray
    rank: int
    layout: str  # "first" or "last": how the library is called
    expected: np.ndarray
    bound: Any  # absolute error, one or per element; 0: bit-equal, NaN equal to NaN
    what: str  # the framework's call
    weights: np.ndarray = None
    bias: np.ndarray = None
    indices: np.ndarray = None
    expected_indices: np.ndarray = None
    order: tuple = field(default=(), repr=False)

    def texts(self):
        """The keys as ups_desc_set takes them; rank-dependent ones come after rank and layout, which are set first."""
        return {name: text_of(value) for name, value in self.keys.items()}


def text_of(value):
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, np.ndarray)):
        return ",".join(text_of(v) for v in value)
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    return repr(float(value))


# ---- what the generators draw from ----


def layout(rng):
    return str(rng.choice(["first", "last"]))


def integers(rng, low, high, count):
    """count numbers in [low, high)."""
    return [int(i) for i in rng.integers(low, high, count)]


def data(rng, shape, special=0.0):
    """Small whole numbers, which tie and sum exactly, or gaussians; by the chance `special` with NaN, infinities and signed
    zeros."""
    x = (rng.integers(-4, 5, shape) if rng.random() < 0.5 else rng.standard_normal(shape)).astype(np.float32)
    if rng.random() < special:
        for value in (np.nan, np.inf, -np.inf, -0.0):
            x[rng.random(x.shape) < 0.07] = value
    return x


def whole(*arrays):
    """Sums of products of these are exact."""
    return all((a == np.rint(a)).all() for a in arrays)
