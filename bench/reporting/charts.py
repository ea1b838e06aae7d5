# SPDX-License-Identifier: MIT
"""The pictures of the report. Each takes runs or rows and returns a figure, or None where there is nothing to show."""
import math
import random
import statistics

import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from .runs import PLACES, geomean, ops_of, speed_over

plt.rcParams.update({"svg.hashsalt": "libupsample", "font.size": 10, "font.family": "DejaVu Sans", "axes.spines.top": False,
                     "axes.spines.right": False, "axes.edgecolor": "#9aa3b0", "axes.labelcolor": "#3a4250",
                     "xtick.color": "#57606e", "ytick.color": "#57606e", "axes.titlesize": 11, "axes.titleweight": "bold",
                     "axes.titlelocation": "left", "legend.frameon": False})
ON_WHITE = {"bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}, "zorder": 4}
INK, GREY, LINES = "#1d2430", "#9aa3b0", "#e6e9ef"
OP_COLOURS = {"conv_transpose": "#0072B2", "resize": "#E69F00", "max_pool": "#009E73", "avg_pool": "#56B4E9",
              "max_unpool": "#D55E00", "replicate": "#CC79A7", "bed_of_nails": "#7f7f7f", "pixel_shuffle": "#7a5c1e",
              "pixel_unshuffle": "#b59a57"}
TIER_COLOURS = {"scalar": "#9aa3b0", "neon": "#009E73", "avx2": "#56B4E9", "avx512": "#0b4f8a"}
PLACE_COLOURS = {"L1": "#0b4f8a", "L2": "#56B4E9", "L3": "#E69F00", "memory": "#D55E00"}
ALGORITHM_COLOURS = {"phase": "#0072B2", "gemm": "#E69F00", "winograd": "#D55E00", "planar": "#009E73", "scatter": "#CC79A7",
                     "depthwise": "#56B4E9", "direct": "#7f7f7f"}


def plain(axis):
    """A logarithmic axis, whose ends are known, with a few numbers as people write them."""
    low, high = axis.get_view_interval()
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)):
        ticks = [step * 10.0 ** decade for decade in decades for step in steps if low <= step * 10.0 ** decade <= high]
        if len(ticks) > 3:
            break
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def escaped(tip):
    return tip.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def dot(axes, x, y, colour, tip, **more):
    axes.plot([x], [y], **{"marker": "o", "linestyle": "", "color": colour, "markeredgecolor": "white",
                           "markeredgewidth": 0.6, "markersize": 7,
                                "gid": "tip:" + escaped(tip), **more})


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
            axes.annotate(f"{' and '.join(names)} multiply-adds {level}", (high, level), xytext=(0, 4),
                          textcoords="offset points", ha="right", fontsize=8.5, color=TIER_COLOURS[tier],
                          weight="bold", **ON_WHITE)
    for r in rows:
        shape = {"marker": "D", "markersize": 6} if r.algorithm == "winograd" else {}
        dot(axes, r.flops / r.bytes, r.gflops, OP_COLOURS.get(r.op, INK), tip_of(r), **shape)
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
                          textcoords="offset points", ha="center", fontsize=8, color="#57606e", **ON_WHITE)
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
    """Names beside the dots; one that would lie on another, or on a dot, gives way downwards."""
    points = {id(r): axes.transData.transform((x(r), y(r))) for r in rows}
    taken = [(u - 5, u + 5, v) for u, v in points.values()]  # from, to, height
    for r in sorted((r for r in rows if r.share and r.share < 60), key=lambda r: r.share)[:count]:
        text, (u, v), shift = f"{r.title} {r.share:.2g} %", points[id(r)], -4
        begin, end = u + 7, u + 7 + 6 * len(text)
        while any(begin < b and a < end and abs(v + shift - w) < 11 for a, b, w in taken):
            shift -= 4
        taken.append((begin, end, v + shift))
        axes.annotate(text, (x(r), y(r)), xytext=(6, shift * 72 / axes.figure.dpi), textcoords="offset points", fontsize=8,
                      color=INK, va="center")


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


def families_against_peers(pairs, over):
    """(our row, the best peer's row): pairs in the same layout, over layouts in `over`. Right of 1 we are faster."""
    bars = []
    for op in ops_of([ours for ours, _ in over]):
        for kind, some in (("same layout", pairs), ("over layouts", over)):
            found = [(speed_over(*p)[0], p[1], p[0].title) for p in some if p[0].op == op]
            if found:
                bars.append((f"{op}, {kind} ({len(found)})", op, kind, found))
    figure, axes = plt.subplots(figsize=(11, 0.9 + 0.42 * len(bars)))
    for i, (_, op, kind, found) in enumerate(bars):
        mean = geomean(ratio for ratio, _, _ in found)
        axes.barh(i, mean - 1, left=1, height=0.6, color=OP_COLOURS.get(op, INK), alpha=0.85 if kind == "same layout" else 0.5,
                  zorder=1)
        for ratio, peer, layer in found:
            dot(axes, ratio, i, INK, f"{layer}: ×{ratio:.2f} of {peer.who}, {peer.where}", markersize=4.5, alpha=0.7)
        axes.annotate(f"×{mean:.2f}", (max(1, mean, *(f[0] for f in found)), i), xytext=(8, 0), textcoords="offset points",
                      va="center", fontsize=10, weight="bold", color=INK)
    axes.axvline(1, color=INK, lw=1.2)
    axes.set_xscale("log", base=2)
    plain(axes.xaxis)
    axes.set_yticks(range(len(bars)), [bar[0] for bar in bars], color=INK)
    axes.set_ylim(len(bars) - 0.5, -0.5)
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


# What a layer is made of, in columns: up to so many.
COLUMNS = [("kernel", "points of the kernel", (4, 9, 16, 64, math.inf)),
           ("stride", "product of the strides", (1, 4, 16, math.inf)),
           ("channels", "input channels of a group", (1, 16, 64, 256, math.inf))]


def algorithms(run, layers):
    """For each algorithm, over what the layer is made of: the median of its time over the fastest's, how often it is fastest."""
    calls = {}
    for r in run.ours:
        if r.tier == run.tiers[-1] and r.whole and (r.op, r.base) in layers:
            calls.setdefault(r.call, []).append(r)
    calls = [rows for rows in calls.values() if len(rows) > 1]
    if not calls:
        return None
    names = sorted({r.algorithm for rows in calls for r in rows})
    figure, axes = plt.subplots(1, 3, figsize=(13, 1.1 + 0.62 * len(names)), sharey=True,
                                width_ratios=[len(ends) for _, _, ends in COLUMNS])
    for a, (key, label, ends) in zip(axes, COLUMNS):
        cells = {}
        for rows in calls:
            best, value = min(r.ms for r in rows), layers[rows[0].op, rows[0].base][key]
            for r in rows:
                column = next(i for i, end in enumerate(ends) if value <= end)
                cells.setdefault((names.index(r.algorithm), column), []).append((r.ms / best, r))
        for (row, column), found in cells.items():
            draw_cell(a, row, column, found)
        words = [f"over {below}" if end == math.inf else f"{end}" if below + 1 == end else f"{below + 1} to {end}"
                 for below, end in zip((0, *ends), ends)]
        a.set_xticks(range(len(ends)), words)
        a.set_xlim(-0.5, len(ends) - 0.5), a.set_ylim(len(names) - 0.5, -0.5)
        a.set_yticks(range(len(names)), names, color=INK)
        a.set_xlabel(label)
        a.tick_params(length=0)
        a.spines[:].set_visible(False)
    figure.tight_layout()
    return figure


def draw_cell(axes, row, column, found):
    """The darker, the faster: white from eight times the fastest's time on."""
    middle, first = statistics.median(ratio for ratio, _ in found), sum(ratio == 1 for ratio, _ in found)
    depth = max(0.0, 1 - math.log(middle, 8))
    worst = max(found, key=lambda f: f[0])
    tip = (f"{worst[1].algorithm}: median ×{middle:.2f} of the fastest's time, fastest in {first} of {len(found)}, at worst "
           f"×{worst[0]:.2f} ({worst[1].title})")
    axes.add_patch(Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=plt.get_cmap("Blues")(0.04 + 0.7 * depth),
                             gid="tip:" + escaped(tip)))
    ink = {"ha": "center", "va": "center", "color": "white" if depth > 0.7 else INK}
    axes.text(column, row - 0.14, f"×{middle:.3g}" if middle < 10 else f"×{middle:.0f}", fontsize=10.5, weight="bold", **ink)
    axes.text(column, row + 0.24, f"{first} of {len(found)}", fontsize=8, **ink)


def in_thousands(value, _):
    """Of powers of two: 65536 is 64K."""
    return f"{value / 1024:g}K" if value >= 1024 else f"{value:g}"


FLAT = [("flat_", "points", lambda layer: layer["batch"] == 1, "points of the map, batch 1"),
        ("flat_32", "batch", lambda layer: True, "batch, 32x32 maps"), ("flat1d_", "points", lambda layer: True, "length, 1-D")]


def pen(name):
    return {"lw": 4, "alpha": 0.4} if name.startswith("auto") else {"lw": 1.4}


def flatness(run, layers):
    """Picoseconds for each useful multiply-add of a layer over its size, as the library chooses and by Winograd."""
    rows = [r for r in run.ours if r.tier == run.tiers[-1] and r.whole and r.macs and (r.op, r.base) in layers]
    groups = []
    for prefix, key, wanted, label in FLAT:
        lines = {}
        for r in rows:
            layer = layers[r.op, r.base]
            if r.base.startswith(prefix) and wanted(layer):
                for word in ("auto",) * bool(r.chosen) + ("winograd",) * (r.algorithm == "winograd"):
                    name = word if r.layout == "first" else f"{word}, channels last"
                    lines.setdefault(name, []).append((layer[key], 1e9 * r.ms / r.macs, r))
        lines = {name: sorted(points, key=lambda p: p[0]) for name, points in lines.items() if len(points) > 1}
        if lines:
            groups.append((label, lines))
    if not groups:
        return None
    colours = {"auto": INK, "winograd": ALGORITHM_COLOURS["winograd"], "auto, channels last": GREY,
               "winograd, channels last": "#f4a582"}
    figure, all_axes = plt.subplots(1, len(groups), figsize=(13, 4), squeeze=False, sharey=True)
    for axes, (label, lines) in zip(all_axes[0], groups):
        for name, points in lines.items():
            axes.plot([x for x, _, _ in points], [y for _, y, _ in points], color=colours[name], zorder=1, **pen(name))
            for x, y, r in points:
                dot(axes, x, y, colours[name], f"{r.title}, {r.algorithm}: {y:.3g} ps a multiply-add, {r.ms:.4g} ms",
                    markersize=9 if name.startswith("auto") else 5)
        if run.fma(run.tiers[-1], 1):
            axes.axhline(2e3 / run.fma(run.tiers[-1], 1), color=GREY, lw=1, ls=":")
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted({x for points in lines.values() for x, _, _ in points}))
        axes.xaxis.set_major_formatter(FuncFormatter(in_thousands)), axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(label)
        axes.grid(True, color=LINES, lw=0.7)
        axes.set_axisbelow(True)
    all_axes[0][0].set_ylim(0, 1.1 * max(y for _, lines in groups for points in lines.values() for _, y, _ in points))
    all_axes[0][0].set_ylabel("ps for a useful multiply-add")
    names = [name for name in colours if any(name in lines for _, lines in groups)]
    handles = [Line2D([], [], color=colours[n], marker="o", label=n, **pen(n)) for n in names]
    handles.append(Line2D([], [], color=GREY, lw=1, ls=":", label="every multiply-add at the peak"))
    figure.tight_layout()
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), bbox_to_anchor=(0.5, 1.0), fontsize=9.5)
    return figure


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
