# SPDX-License-Identifier: MIT
"""The documents: of one run, and of two runs side by side."""
import statistics

from . import charts
from .page import Page
from .runs import PLACES, geomean, ops_of, refuse_strangers, speed_over

SLOW = 50  # percent of the roof below which a layer is listed
FIRST = 20  # of a long table, those that are shown at once
WORSE = 1.05  # times the fastest algorithm from which the library's choice is listed


def number(value, digits=3):
    if value is None:
        return ""
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def percent(value):
    return "" if value is None else f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def about(run, rows=None):
    c = run.context
    build = f" by {c['compiler']}, {c.get('build_type', '?')}" if "compiler" in c else ""
    tiers = f"tiers {', '.join(run.tiers)}; " if run.tiers else ""
    return (f"{c.get('cpu', 'unknown CPU')}, {c.get('num_cpus', '?')} CPUs; {tiers}upsample {c.get('upsample_version', '?')}{build}; "
            f"{str(c.get('date', '?'))[:16].replace('T', ' ')}; {rows or len(run.rows)} rows.")


def noise(run):
    """How quiet the machine was, from what the rows themselves tell."""
    load = run.context.get("load_avg") or []
    sentences = []
    if load:
        sentences.append(f"Load average at the start: {load[0]:.1f} on {run.context.get('num_cpus', '?')} CPUs.")
    waits = sorted(r.disturbed for r in run.rows if r.disturbed)
    if waits:
        held = sum(w > 1.1 for w in waits)
        sentences.append(f"In the middle row the clock went ×{statistics.median(waits):.2f} of the time this process had a CPU, in "
                         f"the worst ×{waits[-1]:.2f}." + (f" In {held} of {len(waits)} rows it was more than a tenth longer: other "
                         "programs took the CPU, and these rows are slower here than alone." if held else ""))
    spreads = [max(r.times) / min(r.times) - 1 for r in run.rows if len(r.times) > 2]
    if spreads:
        sentences.append(f"Repetitions of a row lie {100 * statistics.median(spreads):.0f} % apart in the middle row, "
                         f"{100 * max(spreads):.0f} % in the worst; a row is their median.")
    elif run.context.get("rounds"):
        sentences.append(f"Each row is the median of {run.context['rounds']} rounds.")
    else:
        sentences.append("Each row was timed once.")
    return " ".join(sentences)


def machine_table(page, run):
    for threads in sorted({r.threads for r in run.rows}):
        rows = [[f"multiply-adds, {tier}", f"{run.fma(tier, threads):.0f} GFLOP/s"] for tier in run.tiers
                if run.fma(tier, threads)]
        for place in PLACES:
            if run.copy(place, threads):
                rows.append([f"copy, {place}", f"{run.copy(place, threads):.0f} GB/s"])
        page.table([f"this machine at most, {threads} thread{'s' if threads > 1 else ''}", "measured in the same run"], rows)


def family_table(page, run):
    rows = run.chosen()
    lines = []
    for op in ops_of(rows):
        found = [r for r in rows if r.op == op and r.share]
        if found:
            low = min(found, key=lambda r: r.share)
            lines.append([op, str(len(found)), percent(statistics.median(r.share for r in found)),
                          percent(geomean(r.share for r in found)), f"{percent(low.share)} % `{low.title}`"])
    page.table(["operation", "layers", "median % of roof", "geometric mean", "lowest"], lines)


def above(run):
    rows = [r for r in run.chosen() if r.share and r.share > 102]
    return (" More than 100 % (" + ", ".join(f"`{r.title}`" for r in rows) + ") means that the layer moved its bytes faster than "
            "the loop that the ceiling was measured with.") if rows else ""


def slow_section(page, run):
    rows = sorted((r for r in run.chosen() if r.share < SLOW), key=lambda r: r.share)
    page.heading("Where the library is slow")
    if rows:
        page.text(f"{len(rows)} of {len(run.chosen())} layers reach less than {SLOW} % of the roof on {run.tiers[-1]}, with the "
                  "algorithm that the library takes. The roof is every operand once at the rate of a copy and every useful "
                  "multiply-add at the peak, whichever takes longer.")
        header = ["layer", "shape", "algorithm", "ms", "% of roof"]
        lines = [[f"`{r.op}/{r.title}`", r.label, r.algorithm, number(r.ms), percent(r.share)] for r in rows]
        page.table(header, lines[:FIRST])
        page.table(header, lines[FIRST:], folded=f"{len(lines) - FIRST} more below {SLOW} %")
    else:
        page.text(f"No layer is below {SLOW} % of its roof on {run.tiers[-1]}.")
    wrong = []
    for call, rows in by_call(run).items():
        taken = [r for r in rows if r.chosen]
        best = min(rows, key=lambda r: r.ms)
        if taken and taken[0].ms > WORSE * best.ms:
            wrong.append((taken[0].ms / best.ms, taken[0], best))
    if wrong:
        page.text(f"In {len(wrong)} layers another algorithm was faster than the library's own choice by more than "
                  f"{100 * (WORSE - 1):.0f} % in this run:")
        lines = [[f"`{a.op}/{a.title}`", a.algorithm, b.algorithm, f"×{ratio:.2f}"]
                 for ratio, a, b in sorted(wrong, key=lambda w: -w[0])]
        page.table(["layer", "taken", "fastest", "times"], lines[:FIRST])
        page.table(["layer", "taken", "fastest", "times"], lines[FIRST:], folded=f"{len(lines) - FIRST} more")
    lower = []
    for below, tier in zip(run.tiers, run.tiers[1:]):
        found = {r.call: r for r in run.chosen(below)}
        lower += [(r.ms / found[r.call].ms, r, below) for r in run.chosen(tier)
                  if r.call in found and r.ms > WORSE * found[r.call].ms]
    if lower:
        page.text("Layers that a higher tier did more slowly than the one below it:")
        lines = [[f"`{r.op}/{r.title}`", r.tier, below, f"×{ratio:.2f}"]
                 for ratio, r, below in sorted(lower, key=lambda w: -w[0])]
        page.table(["layer", "tier", "below", "times"], lines[:FIRST])
        page.table(["layer", "tier", "below", "times"], lines[FIRST:], folded=f"{len(lines) - FIRST} more")


def plan_section(page, run):
    """What a new shape costs, beside a run of it."""
    runs = {(r.layer, r.layout, r.tier): r for r in run.chosen()}
    plans = [(r.ms / r.plans, runs.get((r.layer, r.layout, r.tier)), r) for r in run.ours if r.op == "plan" and r.plans]
    if not plans:
        return
    share = lambda ms, beside: 100 * ms / beside.ms if beside else 0
    plans.sort(key=lambda p: -share(*p[:2]))
    page.heading("What a plan costs")
    page.text("An op is made once, a plan for each new size of the source: the mean of 200 lengths of the first axis, beside a run at the layer's own.")
    lines = [[f"`{r.title}`", r.algorithm, number(1e3 * ms), percent(share(ms, beside)) if beside else ""] for ms, beside, r in plans]
    header = ["layer", "algorithm", "µs a plan", "% of a run"]
    page.table(header, lines[:FIRST])
    page.table(header, lines[FIRST:], folded=f"{len(lines) - FIRST} more")


def by_call(run):
    calls = {}
    for r in run.ours:
        if r.tier == run.tiers[-1] and r.whole:
            calls.setdefault(r.call, []).append(r)
    return calls


def against_peers(run):
    """(our row, the best peer's row) for each call that a peer was timed on."""
    best = {}
    for r in run.peers:
        if r.call not in best or r.ms < best[r.call].ms:
            best[r.call] = r
    ours = {r.call: r for r in run.chosen()} | run.beside
    return [(r, best[call]) for call, r in ours.items() if call in best]


def peer_section(page, run):
    page.heading("Against the libraries people use")
    pairs = against_peers(run)
    if not pairs:
        page.text("No row of a peer is in this file; `bench/peers` times them in the same run.")
        return
    over = {ours.name: speed_over(ours, peer) for ours, peer in pairs}
    lost = [p for p in pairs if over[p[0].name][0] < 1]
    page.text(f"{len(pairs)} layers and layouts were timed with peers too: {', '.join(sorted({r.who for r in run.peers}))}. The best of them "
              f"is faster on {len(lost)}.")
    page.figure("peers", charts.families_against_peers(pairs), "Speed over the best peer's, for each layer the best of all peers.")
    line = lambda o, p: [f"`{o.op}/{o.layer}`", o.layout, number(o.ms), number(p.ms), p.who, f"×{over[o.name][0]:.2f}", over[o.name][1]]
    header = ["layer", "layout", "ms", "best peer's ms", "peer", "speed over it", "over the rounds"]
    if lost:
        page.text("Where a peer is faster:")
        page.table(header, [line(o, p) for o, p in sorted(lost, key=lambda q: over[q[0].name][0])])
    page.table(header, [line(o, p) for o, p in pairs], folded="Every layer against its best peer")


def one(run, layers, note=""):
    page = Page("How fast libupsample is")
    page.text(about(run))
    if note:
        page.text(note)
    page.text("Made by `bench/report` of a JSON file of the bench; every percentage refers to ceilings measured in the same run. "
              + noise(run))
    if run.errors:
        page.text(f"**{len(run.errors)} rows were stopped and not timed:**")
        page.table(["row", "why"], [[f"`{name}`", why] for name, why in run.errors])
    if run.ours:
        machine_table(page, run)
        page.heading("Every layer under its roof")
        page.figure("roofline", charts.roofline(run), f"A dot is a layer by the library's own choice on {run.tiers[-1]}; of each "
                    "kind the five farthest below their roof have their names. Where multiply-adds are few for each byte the slope of the cache "
                    "that the operands fit is the roof, where they are many the line of the tier.")
        page.figure("shares", charts.shares(run), "The same layers by operation; the bar is the median." + above(run))
        family_table(page, run)
        slow_section(page, run)
        plan_section(page, run)
    if run.ours or run.peers:
        peer_section(page, run)
    if run.ours:
        if len(run.tiers) > 1:
            page.heading("Tier against tier")
            page.figure("tiers", charts.tiers(run), "The rate of a tier over that of the tier below, each by its own choice. The "
                        "scalar tier is timed on smaller sources (`unet2@14x14`), which may lie in a nearer cache.")
        found = charts.algorithms(run, layers)
        if found:
            page.heading("Algorithm against algorithm")
            page.figure("algorithms", found, f"Every algorithm on {run.tiers[-1]}, over the size of the kernel, the stride, and the "
                        "channels; at 1 is the fastest.")
    if run.kernels:
        page.heading("Kernels alone")
        page.figure("kernels", charts.kernels(run), "Each kernel of the highest tier that has one of its own, by where the operands lie.")
    page.heading("Every row")
    page.table(["row", "ms", "GFLOP/s", "GB/s", "% of roof", "workspace KB", "taken"],
               [[f"`{r.name}`", number(r.ms), number(r.gflops), number(r.gbps), percent(r.share),
                 number(r.workspace_bytes and r.workspace_bytes / 1e3), "yes" if r.chosen else ""] for r in run.rows],
               folded=f"{len(run.rows)} rows", page_only=len(run.rows) > 200)
    return page


def two(a, b):
    refuse_strangers(a, b)
    rows = {r.name: r for r in b.rows}
    pairs = [(r, rows[r.name]) for r in a.rows if r.name in rows and r.share and rows[r.name].share]
    page = Page("Two runs side by side")
    page.text(f"**A** `{a.path.name}`: {about(a)} {noise(a)}")
    page.text(f"**B** `{b.path.name}`: {about(b)} {noise(b)}")
    page.text("Each row is over the roof of its own run, so that a machine that was slower as a whole does not count. Two runs "
              "are two moments: what differs by less than the noise above is no finding, and `bench/report --ab` is what tells a "
              "change from noise.")
    if not pairs:
        page.text("No row is in both files.")
        return page
    page.figure("two_runs", charts.two_runs(pairs, a.path.name, b.path.name), f"{len(pairs)} rows that are in both.")
    changes = sorted(pairs, key=lambda p: p[1].share / p[0].share)
    page.table(["row", "A ms", "B ms", "A % of roof", "B % of roof", "B over A, of the roofs"],
               [[f"`{x.name}`", number(x.ms), number(y.ms), f"{x.share:.1f}", f"{y.share:.1f}", f"×{y.share / x.share:.2f}"]
                for x, y in changes])
    for mine, other, name in ((a, b, "A"), (b, a, "B")):
        alone = sorted({r.name for r in mine.rows} - {r.name for r in other.rows})
        if alone:
            page.table([f"only in {name}"], [[f"`{row}`"] for row in alone], folded=f"{len(alone)} rows are only in {name}")
    return page


def ab(comparison, screened, confirmed, rounds):
    """What --ab prints, and its page: the verdicts, then how they came about."""
    from .ab import METHOD
    changed = [r for r in confirmed.values() if r.verdict != "no change"]
    page = Page("Build B over build A")
    page.text(f"A is `{comparison.builds[0].program}`, B is `{comparison.builds[1].program}`. "
              f"{about(comparison, len(screened))}")
    counts = {v: sum(r.verdict == v for r in changed) for v in ("slower", "faster")}
    same = len(screened) - len(changed)
    page.text(f"**{counts['slower']} rows slower, {counts['faster']} faster, {same} of {len(screened)} without a change "
              f"({100 * same / max(len(screened), 1):.1f} %).**")
    line = lambda r: [f"`{r.name}`", r.verdict, f"{100 * (r.ratio - 1):+.1f} %", f"{100 * (r.low - 1):+.1f} to {100 * (r.high - 1):+.1f} %",
                      *map(number, r.ms), f"{r.adjusted:.2g}"]
    header = ["row", "B is", "time", "95 % interval", "A ms", "B ms", "p, corrected"]
    page.table(header, [line(r) for r in sorted(changed, key=lambda r: -abs(r.ratio - 1))])
    page.text(f"{METHOD} Here: {rounds} rounds, then {len(confirmed)} rows confirmed in "
              f"{max((r.rounds for r in confirmed.values()), default=0)}.")
    for name, why in comparison.stopped.items():
        page.text(f"Stopped, not timed: `{name}`, {why}")
    for letter, names in zip("AB", comparison.alone):
        if names:
            page.text(f"Only in {letter}: {len(names)} rows.")
    doubtful = [r for r in confirmed.values() if r.verdict == "no change"]
    page.table(header, [line(r) for r in doubtful], folded=f"{len(doubtful)} rows that screening suspected and confirmation did not")
    page.figure("ab", charts.forest(list(confirmed.values())), "Rows that were measured again.")
    spread = [r.high / r.low - 1 for r in screened.values()]
    if spread:
        page.text(f"Noise: after {rounds} rounds the 95 % interval of the middle row is {100 * statistics.median(spread):.1f} % wide; a "
                  "change much smaller than that is not found in it.")
    return page
