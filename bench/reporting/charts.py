# SPDX-License-Identifier: MIT
"""The pictures of the report. Each takes runs or rows and returns a figure, or None where there is nothing to show."""
import math
import random
import statistics

import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .runs import PLACES, geomean, ops_of, speed_over

plt.rcParams.update({"svg.hashsalt": "libupsample", "font.size": 10, "font.family": "DejaVu Sans", "axes.spines.top": False,
                     "axes.spines.right": False, "axes.edgecolor": "#9aa3b0", "axes.labelcolor": "#3a4250",
                     "xtick.color": "#57606e", "ytick.color": "#57606e", "axes.titlesize": 11, "axes.titleweight": "bold",
                     "axes.titlelocation": "left", "legend.frameon": False})
INK, GREY, LINES = "#1d2430", "#9aa3b0", "#e6e9ef"
OP_COLOURS = {"conv_transpose": "#0072B2", "resize": "#E69F00", "max_pool": "#009E73", "avg_pool": "#56B4E9",
              "max_unpool": "#D55E00", "replicate": "#CC79A7", "bed_of_nails": "#7f7f7f", "pixel_shuffle": "#7a5c1e",
              "pixel_unshuffle": "#b59a57"}
TIER_COLOURS = {"scalar": "#9aa3b0", "neon": "#009E73", "avx2": "#56B4E9", "avx512": "#0b4f8a"}
PLACE_COLOURS = {"L1": "#0b4f8a", "L2": "#56B4E9", "L3": "#E69F00", "memory": "#D55E00"}
SERIES = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#7f7f7f"]


def plain(axis):
    """A logarithmic axis with numbers as people write them."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def dot(axes, x, y, colour, tip, **more):
    tip = tip.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    axes.plot([x], [y], "o", **{"color": colour, "markeredgecolor": "white", "markeredgewidth": 0.6, "markersize": 7,
                                "gid": "tip:" + tip, **more})


def keys(axes, colours, **where):
    axes.legend(handles=[Line2D([], [], marker="o", linestyle="", color=c, label=name) for name, c in colours.items()],
                **{"fontsize": 9, "handletextpad": 0.2, **where})


def tip_of(row):
    rate = f"{row.rate:.4g} {'GFLOP/s' if row.macs else 'GB/s'}"
    return f"{row.name}: {rate}, {row.share:.0f} % of the roof, {row.ms:.4g} ms"


def roofline(run):
    """Left: multiply-adds over bytes; right: what only moves, over the bytes it moves."""
    rows = run.chosen()
    if not rows:
        return None
    threads = rows[0].threads
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 6.3), width_ratios=[3, 2])
    draw_flops(left, run, [r for r in rows if r.macs], threads)
    draw_moves(right, run, [r for r in rows if not r.macs], threads)
    figure.tight_layout(w_pad=3)
    return figure


def draw_flops(axes, run, rows, threads):
    axes.set_title(f"Layers that multiply and add, {run.tiers[-1]}")
    axes.set_xlabel("useful flops for each byte of the operands")
    axes.set_ylabel("GFLOP/s")
    axes.set_xscale("log"), axes.set_yscale("log")
    if not rows:
        return
    intensity = [r.flops / r.bytes for r in rows]
    low, high = min(intensity) / 2, max(intensity) * 3
    peak = run.fma(run.tiers[-1], threads)
    for place in PLACES:
        slope = run.copy(place, threads)
        if slope and peak:
            end = peak / slope
            if end <= low:
                continue
            axes.plot([low, end], [low * slope, peak], color=GREY, lw=1.2, zorder=1)
            axes.annotate(f"{place} {slope:.0f} GB/s", (low, low * slope), xytext=(2, 7), textcoords="offset points", fontsize=8,
                          color="#57606e")
    levels = {}
    for tier in run.tiers:  # tiers with one peak share a line
        if run.fma(tier, threads):
            levels.setdefault(round(run.fma(tier, threads)), []).append(tier)
    for level, names in levels.items():
        slope, tier = run.copy("L1", threads), names[-1]
        if slope:
            axes.plot([level / slope, high], [level, level], color=TIER_COLOURS[tier], lw=1.8, zorder=1)
            axes.annotate(f"{' and '.join(names)} multiply-adds {level}", (high, level), xytext=(0, 4), textcoords="offset points",
                          ha="right", fontsize=8.5, color=TIER_COLOURS[tier], weight="bold")
    for r in rows:
        dot(axes, r.flops / r.bytes, r.gflops, OP_COLOURS.get(r.op, INK), tip_of(r))
    axes.set_xlim(low, high)
    name_lowest(axes, rows, lambda r: r.flops / r.bytes, lambda r: r.gflops)
    axes.grid(True, color=LINES, lw=0.7)
    axes.set_axisbelow(True)
    plain(axes.xaxis), plain(axes.yaxis)
    keys(axes, {op: OP_COLOURS.get(op, INK) for op in ops_of(rows)}, loc="upper center",
         bbox_to_anchor=(0.5, -0.12), ncols=4)


def draw_moves(axes, run, rows, threads):
    axes.set_title("Layers that only move or compare")
    axes.set_xlabel("MB of the operands, each once")
    axes.set_ylabel("GB/s")
    axes.set_xscale("log"), axes.set_yscale("log")
    if not rows:
        return
    low, high = min(r.bytes for r in rows) / 2e6, max(r.bytes for r in rows) / 1e6 * 2
    edges = [0] + [(run.figure(f"cache_bytes/{p}") or 0) / 1e6 * (threads if p != "L3" else 1) for p in PLACES[:3]] + [math.inf]
    for place, begin, end in zip(PLACES, edges, edges[1:]):
        begin, end, rate = max(begin, low), min(end, high), run.copy(place, threads)
        if rate and begin < end:
            axes.plot([begin, end], [rate, rate], color=GREY, lw=1.8, zorder=1)
        if rate and 1.2 * begin < end:
            axes.annotate(f"copy {place} {rate:.0f}", (math.sqrt(begin * end), rate), xytext=(0, 4),
                          textcoords="offset points", ha="center", fontsize=8, color="#57606e")
    for r in rows:
        dot(axes, r.bytes / 1e6, r.gbps, OP_COLOURS.get(r.op, INK), tip_of(r))
    axes.set_xlim(low, high)
    name_lowest(axes, rows, lambda r: r.bytes / 1e6, lambda r: r.gbps)
    axes.grid(True, color=LINES, lw=0.7)
    axes.set_axisbelow(True)
    plain(axes.xaxis), plain(axes.yaxis)
    keys(axes, {op: OP_COLOURS.get(op, INK) for op in ops_of(rows)}, loc="upper center",
         bbox_to_anchor=(0.5, -0.12), ncols=4)


def name_lowest(axes, rows, x, y, count=5):
    """Names beside the dots; one that would lie on another gives way downwards."""
    taken = []
    for r in sorted((r for r in rows if r.share and r.share < 60), key=lambda r: r.share)[:count]:
        at = axes.transData.transform((x(r), y(r)))
        shift = 0
        while any(abs(at[0] - u) < 110 and abs(at[1] + shift - v) < 11 for u, v in taken):
            shift -= 4
        taken.append((at[0], at[1] + shift))
        axes.annotate(f"{r.title} {r.share:.2g} %", (x(r), y(r)), xytext=(6, -4 + shift * 72 / axes.figure.dpi),
                      textcoords="offset points", fontsize=8, color=INK)


def strips(axes, groups, colour, scatter=0.26):
    """Names from top to bottom, each with its dots and a bar at their median: groups = {name: [(value, tip)]}."""
    chance = random.Random(1)
    for i, (name, dots) in enumerate(groups.items()):
        for value, tip in dots:
            dot(axes, value, i + chance.uniform(-scatter, scatter), colour(name), tip, markersize=6, alpha=0.85)
        middle = statistics.median(v for v, _ in dots)
        axes.plot([middle, middle], [i - 0.4, i + 0.4], color=INK, lw=2, zorder=3)
    axes.set_yticks(range(len(groups)), list(groups), color=INK)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.grid(True, axis="x", color=LINES, lw=0.7)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def shares(run):
    rows = run.chosen()
    if not rows:
        return None
    groups = {op: [(r.share, tip_of(r)) for r in rows if r.op == op] for op in ops_of(rows)}
    figure, axes = plt.subplots(figsize=(11, 0.6 + 0.5 * len(groups)))
    strips(axes, groups, lambda op: OP_COLOURS.get(op, INK))
    axes.axvline(100, color=INK, lw=1, ls=":")
    axes.set_xlim(0, max(105, max(r.share for r in rows) + 3))
    axes.set_xlabel("percent of what this machine's multiply-adds and copies allow")
    return figure


def families_against_peers(pairs):
    """pairs: (our row, the best peer's row), one for each layer. Right of 1 we are faster."""
    if not pairs:
        return None
    groups = {}
    for ours, peer in pairs:
        groups.setdefault(ours.op, []).append((speed_over(ours, peer)[0], peer.who, ours.layer))
    groups = {op: groups[op] for op in ops_of([ours for ours, _ in pairs])}
    figure, axes = plt.subplots(figsize=(11, 0.9 + 0.55 * len(groups)))
    for i, (op, found) in enumerate(groups.items()):
        mean = geomean(ratio for ratio, _, _ in found)
        axes.barh(i, mean - 1, left=1, height=0.55, color=OP_COLOURS.get(op, INK), alpha=0.85, zorder=1)
        for ratio, peer, layer in found:
            dot(axes, ratio, i, INK, f"{layer}: ×{ratio:.2f} of {peer}", markersize=4.5, alpha=0.7)
        axes.annotate(f"×{mean:.2f}", (max(1, mean, *(f[0] for f in found)), i), xytext=(8, 0), textcoords="offset points",
                      va="center", fontsize=10, weight="bold", color=INK)
    axes.axvline(1, color=INK, lw=1.2)
    axes.set_xscale("log", base=2)
    plain(axes.xaxis)
    axes.set_yticks(range(len(groups)), [f"{op} ({len(found)})" for op, found in groups.items()], color=INK)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.margins(x=0.1)
    axes.grid(True, axis="x", color=LINES, lw=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel("speed over the best peer's: bars the geometric mean, dots the layers")
    return figure


def tiers(run):
    """Each tier's rate over that of the tier below it, on the library's own choice for that tier."""
    steps = []
    for below, tier in zip(run.tiers, run.tiers[1:]):
        rates = {(r.op, r.base, r.layout): r for r in run.ours if r.tier == below and r.chosen and r.rate}
        found = [(r, rates[r.op, r.base, r.layout]) for r in run.chosen(tier)
                 if r.rate and (r.op, r.base, r.layout) in rates]
        if found:
            steps.append((below, tier, found))
    if not steps:
        return None
    count = max(len(ops_of([r for r, _ in found])) for _, _, found in steps)
    figure, axes = plt.subplots(1, len(steps), figsize=(6.2 * len(steps), 0.9 + 0.5 * count), squeeze=False)
    for a, (below, tier, found) in zip(axes[0], steps):
        groups = {op: [(r.rate / other.rate, f"{r.op}/{r.base}: ×{r.rate / other.rate:.2f}")
                       for r, other in found if r.op == op] for op in ops_of([r for r, _ in found])}
        strips(a, groups, lambda op: OP_COLOURS.get(op, INK))
        a.axvline(1, color=INK, lw=1, ls=":")
        a.set_xscale("log", base=2)
        plain(a.xaxis)
        a.set_title(f"{tier} over {below}")
        a.set_xlabel("times the rate")
    figure.tight_layout(w_pad=2.5)
    return figure


def algorithms(run, layers):
    """Time over the fastest algorithm's, against what the layer is made of."""
    calls = {}
    for r in run.ours:
        if r.tier == run.tiers[-1] and r.whole and (r.op, r.base) in layers:
            calls.setdefault(r.call, []).append(r)
    calls = [rows for rows in calls.values() if len(rows) > 1]
    if not calls:
        return None
    names = sorted({r.algorithm for rows in calls for r in rows})
    colours = dict(zip(names, SERIES * 3))
    chance = random.Random(1)
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.8), sharey=True)
    for a, key, label in zip(axes, ("kernel", "stride", "channels"),
                             ("points of the kernel", "product of the strides", "input channels of a group")):
        for rows in calls:
            best = min(r.ms for r in rows)
            for r in rows:
                x = layers[r.op, r.base][key] * math.exp(chance.uniform(-0.12, 0.12))
                chosen = {} if r.chosen else {"markerfacecolor": "white", "markeredgecolor": colours[r.algorithm],
                                              "markeredgewidth": 1.2, "alpha": 0.75}
                dot(a, x, r.ms / best, colours[r.algorithm],
                    f"{r.title}, {r.algorithm}: {r.ms:.4g} ms, ×{r.ms / best:.2f} of the fastest", **{"markersize": 6, "zorder": 2 + bool(r.chosen), **chosen})
        for name in names:
            middles = binned([(layers[r.op, r.base][key], r.ms / min(q.ms for q in rows))
                              for rows in calls for r in rows if r.algorithm == name])
            a.plot(*zip(*middles), color=colours[name], lw=2, alpha=0.55, zorder=1)
        a.set_xscale("log", base=2), a.set_yscale("log", base=2)
        a.xaxis.set_major_locator(LogLocator(base=4, numticks=8))
        plain(a.xaxis), plain(a.yaxis)
        a.set_xlabel(label)
        a.grid(True, color=LINES, lw=0.7)
        a.set_axisbelow(True)
    axes[0].set_ylabel("time over the fastest algorithm's")
    handles = [Line2D([], [], marker="o", linestyle="", color=colours[n], label=n) for n in names]
    handles.append(Line2D([], [], marker="o", linestyle="", color=GREY, label="filled: the library takes it"))
    handles.append(Line2D([], [], color=GREY, lw=2, label="median"))
    figure.tight_layout()
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), bbox_to_anchor=(0.5, 1.0), fontsize=9.5)
    return figure


def binned(points):
    """The median of each factor of four that holds some points, in order."""
    bins = {}
    for x, y in points:
        bins.setdefault(round(math.log(x, 4)), []).append((x, y))
    return [(geomean(x for x, _ in found), statistics.median(y for _, y in found)) for _, found in sorted(bins.items())]


def kernels(run):
    best = {}
    for r in run.kernels:
        if r.share is not None:
            tier, place = run.tiers.index(r.tier), r.place
            if best.get((r.layer, place), (-1,))[0] <= tier:
                best[r.layer, place] = tier, r
    if not best:
        return None
    names = list(dict.fromkeys(name for name, _ in best))
    figure, axes = plt.subplots(figsize=(11, 1 + 0.32 * len(names)))
    for (name, place), (_, r) in best.items():
        dot(axes, r.share, names.index(name), PLACE_COLOURS[place], f"{r.name}: {r.share:.0f} %")
    axes.axvline(100, color=INK, lw=1, ls=":")
    axes.set_yticks(range(len(names)), names, color=INK)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.grid(True, color=LINES, lw=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel("tiles: percent of the multiply-add peak; the others: of a copy in the same place")
    keys(axes, {p: c for p, c in PLACE_COLOURS.items() if any(place == p for _, place in best)}, loc="upper right",
         bbox_to_anchor=(1, 1.06), ncols=4)
    return figure


def two_runs(pairs, name_a, name_b):
    """Shares of the roofs of two runs: a layer on the diagonal is as near to its roof in both."""
    figure, axes = plt.subplots(figsize=(7, 6.6))
    most = max(max(a.share, b.share) for a, b in pairs) * 1.05
    axes.plot([0, most], [0, most], color=GREY, lw=1)
    for a, b in pairs:
        dot(axes, a.share, b.share, OP_COLOURS.get(a.op, INK), f"{a.name}: {a.share:.0f} % then {b.share:.0f} %")
    axes.set_xlim(0, most), axes.set_ylim(0, most)
    axes.set_xlabel(f"percent of the roof, A: {name_a}")
    axes.set_ylabel(f"percent of the roof, B: {name_b}")
    axes.grid(True, color=LINES, lw=0.7)
    axes.set_axisbelow(True)
    keys(axes, {op: OP_COLOURS.get(op, INK) for op in ops_of([a for a, _ in pairs])}, loc="upper left")
    return figure


def forest(results):
    """The rows of an A/B run that were measured twice: B's time over A's with its interval."""
    if not results:
        return None
    results = sorted(results, key=lambda r: r.ratio)
    figure, axes = plt.subplots(figsize=(11, 1 + 0.34 * len(results)))
    for i, r in enumerate(results):
        colour = {"slower": "#D55E00", "faster": "#009E73"}.get(r.verdict, GREY)
        axes.plot([r.low, r.high], [i, i], color=colour, lw=2.2, solid_capstyle="round")
        dot(axes, r.ratio, i, colour, f"{r.name}: ×{r.ratio:.3f}, p {r.p:.2g}")
    axes.axvline(1, color=INK, lw=1)
    axes.set_yticks(range(len(results)), [r.name for r in results], color=INK, fontsize=8.5)
    axes.set_ylim(len(results) - 0.5, -0.5)
    axes.grid(True, axis="x", color=LINES, lw=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel("B's time over A's, with the 95 % interval of the confirming rounds")
    return figure
