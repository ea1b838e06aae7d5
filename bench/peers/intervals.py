# SPDX-License-Identifier: MIT
"""The median of a few rounds and how sure it is, without a model of the noise."""
import math
import statistics


def median_interval(values, confidence=0.95):
    """(median, low, high): the narrowest pair of order statistics that covers the median of the rounds' distribution with
    this confidence. With fewer than 6 rounds there is none; low and high are then the extremes."""
    ordered = sorted(values)
    return statistics.median(ordered), *(ordered[i] for i in places(len(ordered), confidence))


def places(count, confidence=0.95):
    low = 0
    while low + 1 < count - 1 - (low + 1) and covered(count, low + 1) >= confidence:
        low += 1
    return low, count - 1 - low


def covered(count, low):
    """The chance that the median lies between order statistics low and count - 1 - low, counted from 0."""
    return 1 - 2 * sum(math.comb(count, i) for i in range(low + 1)) / 2**count
