# SPDX-License-Identifier: MIT
"""A JSON file of the bench, read: what the machine can do, and the rows by what their names say (bench_ops.cc, program.h)."""
import json
import math
import pathlib
import re
import statistics

TIERS = ["scalar", "neon", "avx2", "avx512"]  # slower first
APART = ("plan", "make", "make_hinted")  # rows that run no layer
OURS = "upsample"  # bench/peers' name for the library
FAST = "upsample_fast"  # and for the library under policy fast
OWN = "own"  # the layout of rows in formats of a peer's own
PLACES = ["L1", "L2", "L3", "memory"]
OPS = ["conv_transpose", "resize", "max_pool", "avg_pool", "max_unpool", "replicate", "bed_of_nails", "pixel_shuffle",
       "pixel_unshuffle"]


class Refusal(Exception):
    """What ends the program with a sentence."""


class Row:
    """One name; of its repetitions the median, and all of them in `times` (milliseconds)."""

    def __init__(self, name, samples):
        scale = {"ns": 1e-6, "us": 1e-3, "ms": 1, "s": 1e3}[samples[0]["time_unit"]]
        self.name = name
        self.times = [s["real_time"] * scale for s in samples]
        self.cpu_times = [s["cpu_time"] * scale for s in samples]
        self.ms = statistics.median(self.times)
        self.label = samples[0].get("label", "")
        self.peer, self.version = samples[0].get("peer", ""), samples[0].get("peer_version", "")
        # Of a peer's row in formats of its own: which, and the layout in which our row stands beside it.
        self.format, self.beside = samples[0].get("format", ""), samples[0].get("beside", "")
        self.numbers = {key: statistics.median(s[key] for s in samples)
                        for key, value in samples[0].items()
                        if isinstance(value, (int, float)) and all(isinstance(s.get(key), (int, float)) for s in samples)}
        parts = name.split("/")
        for part in parts:
            if part.startswith("peer:"):
                self.peer = self.peer or part[len("peer:"):]
        parts = [part for part in parts if not part.startswith("peer:")]
        self.threads = next((int(p[1:]) for p in parts[1:] if re.fullmatch(r"t\d+", p)), 1)
        self.kernel = len(parts) == 3 and parts[1] in TIERS
        if self.kernel:
            self.op, self.layer, (self.tier, self.place) = "kernel", parts[0], parts[1:]
            self.dtype = self.layout = self.algorithm = ""
            return
        parts = [p for p in parts if not re.fullmatch(r"t\d+", p)] + [""] * 6
        self.op, self.layer, self.dtype, self.layout, self.algorithm, self.tier = parts[:6]
        self.place = ""
        if self.tier not in TIERS and not self.peer:
            raise ValueError(f"{name} is no row of the bench")

    def __getattr__(self, key):  # the counters: gflops, gbps, macs, chosen …; None where there is none
        if key == "numbers":
            raise AttributeError(key)
        return self.numbers.get(key)

    @property
    def whole(self):
        """On the layer itself, not on a smaller source."""
        return "@" not in self.layer

    @property
    def title(self):
        """The layer as pictures and tables call it; channels first go without saying."""
        return self.layer + (" last" if self.layout == "last" else "")

    @property
    def base(self):
        return self.layer.split("@")[0]

    @property
    def call(self):
        """What a peer is asked for, too."""
        return self.op, self.layer, self.dtype, self.layout, self.threads

    @property
    def who(self):
        return f"{self.peer} {self.version}".strip()

    @property
    def where(self):
        """The layout as tables call it; formats of a library's own from the source's to the output's, often the same."""
        formats = " to ".join(dict.fromkeys(self.format.split(" to ")))
        return "its own" + (f": {formats}" if formats else "") if self.layout == OWN else self.layout

    @property
    def accurate(self):
        """Offered under policy accurate, which is the library's own where it chooses (bench_ops.cc says so in the label)."""
        return "policy fast" not in self.label

    @property
    def flops(self):
        return 2 * (self.macs or 0)

    @property
    def bytes(self):
        return (self.read_bytes or 0) + (self.written_bytes or 0)

    @property
    def rate(self):
        return self.gflops if self.macs else self.gbps

    @property
    def share(self):
        """Percent of the roof, which for a kernel is the peak or the copy."""
        return next((s for s in (self.roof_percent, self.fma_percent, self.copy_percent) if s is not None), None)

    @property
    def disturbed(self):
        """How much longer the clock went than this process had a CPU: 1 on a machine of one's own."""
        if self.threads != 1 or self.peer or not all(self.cpu_times):
            return None
        return statistics.median(t / c for t, c in zip(self.times, self.cpu_times))


class Run:
    def __init__(self, path, may_be_empty=False):
        self.path = pathlib.Path(path)
        try:
            data = json.loads(self.path.read_text())
            self.context, samples, self.errors = dict(data["context"]), {}, []
            for entry in data["benchmarks"]:
                if entry.get("error_occurred") or entry.get("skipped"):
                    self.errors.append((entry["name"], entry.get("error_message") or entry.get("skip_message", "")))
                elif entry.get("run_type", "iteration") == "iteration":
                    samples.setdefault(entry.get("run_name", entry["name"]), []).append(entry)
            self.rows = [Row(name, s) for name, s in samples.items()]
        except OSError as error:
            raise Refusal(f"{path}: {error.strerror}")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = f": {error}" if type(error) is ValueError else ""
            raise Refusal(f"{path}: no JSON of the bench{why}; `upsample bench --json FILE` writes it")
        if not self.rows and not may_be_empty:
            raise Refusal(f"{path}: has no timed row" + "".join(f"; {name}, {why}" for name, why in self.errors[:3]))
        self.ours = [r for r in self.rows if not r.peer and not r.kernel]
        self.add_peers(self.rows)
        self.kernels = [r for r in self.rows if r.kernel]
        tiers = {r.tier for r in self.ours + self.kernels}
        self.tiers = [t for t in TIERS if t in tiers]

    def add_peers(self, rows):
        """bench/peers times the library, too, in the rounds of the peers: these rows are what theirs are compared with."""
        self.peers = [r for r in rows if r.peer and r.peer not in (OURS, FAST)]
        self.fast = {r.call: r for r in rows if r.peer == FAST}
        self.beside = {r.call: r for r in rows if r.peer == OURS}

    def figure(self, key):
        """A figure of the context, or None."""
        try:
            return float(self.context[key])
        except (KeyError, ValueError):
            return None

    def fma(self, tier, threads=1):
        return self.figure(f"fma_gflops/{tier}/t{threads}")

    def copy(self, place, threads=1):
        kinds = [self.figure(f"{kind}_gbps/{place}/t{threads}") for kind in ("copy", "copy_nt")]
        return max((k for k in kinds if k is not None), default=None)

    def choices(self):
        """[(the row of the algorithm that the library takes, the fastest of those it may take)], of calls by several."""
        calls = {}
        for r in self.ours:
            if r.op not in APART and r.accurate:
                calls.setdefault((r.tier, *r.call), []).append(r)
        found = []
        for rows in calls.values():
            taken = next((r for r in rows if r.chosen), None)
            if taken and len(rows) > 1:
                found.append((taken, min(rows, key=lambda r: r.ms)))
        return found

    def chosen(self, tier=None):
        """The library's own choice on whole layers, on the best tier or on one."""
        tier = tier or (self.tiers[-1] if self.tiers else None)
        return [r for r in self.ours if r.tier == tier and r.whole and r.chosen and r.share is not None]


    def beside_peers(self):
        """Our rows that peers' are compared with."""
        return {r.call: r for r in self.chosen()} | self.beside

    def against_peers(self):
        """[(our row, the best peer's row)] for each call that a peer was timed on, in the same layout."""
        best = fastest(self.peers, lambda r: r.call)
        return [(r, best[call]) for call, r in self.beside_peers().items() if call in best]

    def over_layouts(self):
        """The same for each layer, all in the layout that suits them best, which may be a format of a peer's own."""
        key = lambda r: (r.op, r.layer, r.dtype, r.threads)
        ours, best = fastest(self.beside_peers().values(), key), fastest(self.peers, key)
        return [(r, best[k]) for k, r in ours.items() if k in best]


def fastest(rows, key):
    """{key(row): the fastest row of that key}."""
    found = {}
    for r in rows:
        if key(r) not in found or r.ms < found[key(r)].ms:
            found[key(r)] = r
    return found


def ops_of(rows):
    there = {r.op for r in rows}
    return [op for op in OPS if op in there] + sorted(there - set(OPS))


def geomean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values))


def speed_over(ours, other):
    """Times the other's speed, the median over the rounds, and its interval: as bench/peers found them in its rounds; else
    from repetitions, where both have as many, their range; else "". The rounds' is over our row in one layout."""
    if other.ratio is not None and ours.layout == (other.beside or other.layout):
        return other.ratio, f"{other.ratio_low:.2f} to {other.ratio_high:.2f}"
    if len(ours.times) != len(other.times):
        return other.ms / ours.ms, ""
    ratios = sorted(o / t for t, o in zip(ours.times, other.times))
    return statistics.median(ratios), f"{ratios[0]:.2f} to {ratios[-1]:.2f}" if len(ratios) > 2 else ""


def refuse_strangers(a, b):
    """Shares of a roof tell nothing across machines, and a compiler is a change of its own."""
    for key, what in (("cpu", "CPUs"), ("num_cpus", "numbers of CPUs"), ("cache_bytes/L1", "level 1 caches"),
                      ("cache_bytes/L2", "level 2 caches"), ("cache_bytes/L3", "level 3 caches"), ("compiler", "compilers"),
                      ("build_type", "build types")):
        x, y = a.context.get(key, "unknown"), b.context.get(key, "unknown")
        if x != y:
            raise Refusal(f"{a.path} and {b.path} are of different {what}, {x} and {y}: their rows are not compared")


def layers(bench):
    """Sizes, kernel, stride and channels of each layer, from layers.json."""
    table = {}
    for layer in json.loads((bench / "layers.json").read_text()):
        keys = dict(word.split("=", 1) for word in layer["keys"].split())
        product = lambda key: math.prod(int(v) for v in keys.get(key, "1").split(","))
        table[layer["op"], layer["name"]] = {
            "network": layer["network"], "batch": layer["N"], "points": math.prod(layer["sizes"]),
            "kernel": product("kernel_shape"), "stride": product("strides"),
            "channels": layer["channels"] // int(keys.get("group", 1))}
    return table
