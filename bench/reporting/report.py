# SPDX-License-Identifier: MIT
"""The documents: of one run, and of two runs side by side."""
import statistics

from . import charts
from .page import Page
from .runs import OWN, PLACES, Refusal, geomean, ops_of, refuse_strangers, speed_over

SLOW = 50  # percent of the roof below which a layer is listed
FIRST = 20  # of a long table, those that are shown at once
WORSE = 1.1  # times the fastest algorithm, or the lower tier, from which a layer is listed


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
    date = str(c.get("date", "?"))[:16].replace("T", " ")
    return (f"{c.get('cpu', 'unknown CPU')}, {c.get('num_cpus', '?')} CPUs; {tiers}"
            f"upsample {c.get('upsample_version', '?')}{build}; {date}; {rows or len(run.rows)} rows.")


def noise(run):
    """How quiet the machine was, from what the rows themselves tell."""
    load = run.context.get("load_avg") or []
    sentences = []
    if load:
        sentences.append(f"Load average at the start: {load[0]:.1f} on {run.context.get('num_cpus', '?')} CPUs.")
    waits = sorted(r.disturbed for r in run.rows if r.disturbed)
    if waits:
        held = sum(w > 1.1 for w in waits)
        sentences.append(f"In the middle row the clock went ×{statistics.median(waits):.2f} of the time this process had a CPU, "
                         f"in the worst ×{waits[-1]:.2f}." + (
                             f" In {held} of {len(waits)} rows it was more than a tenth longer: other programs took the CPU, and "
                             "these rows are slower here than alone." if held else ""))
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
    """Why some layers are above their roof."""
    rows = [r for r in run.chosen() if r.share and r.share > 102]
    said = ""
    for winograd, why in ((True, "has fewer multiplications than the useful ones, Winograd's"),
                          (False, "moved its bytes faster than the loop that the ceiling was measured with")):
        names = [f"`{r.title}`" for r in rows if (r.algorithm == "winograd") == winograd]
        if names:
            more = f" and {len(names) - 8} more" if len(names) > 8 else ""
            said += f" Above 100 % ({', '.join(names[:8])}{more}) is a layer that {why}."
    return said


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


def choice_section(page, run):
    """Where another algorithm was faster than the library's own choice."""
    choices = run.choices()
    if not choices:
        return
    page.heading("Wrong choices")
    wrong = sorted(((taken.ms / best.ms, taken, best) for taken, best in choices if taken.ms > WORSE * best.ms),
                   key=lambda w: -w[0])
    share = lambda part, whole: f"{part} of {whole} ({100 * part / whole:.0f} %)"
    tiers = "; ".join(f"{tier} " + share(sum(w[1].tier == tier for w in wrong), sum(c[0].tier == tier for c in choices))
                      for tier in run.tiers if any(c[0].tier == tier for c in choices))
    page.text(f"In {share(len(wrong), len(choices))} of the calls that were timed by more than one algorithm, the library's own "
              f"choice took more than {100 * (WORSE - 1):.0f} % longer than the fastest: {tiers}. Over all of these calls its "
              f"choices took ×{geomean(taken.ms / best.ms for taken, best in choices):.3f} of the time of the fastest, "
              "geometric mean. Algorithms that policy accurate does not offer are left out.")
    lines = [[f"`{a.op}/{a.title}`", a.tier, str(a.threads), a.algorithm, number(a.ms), b.algorithm, number(b.ms),
              f"×{ratio:.2f}"] for ratio, a, b in wrong]
    header = ["layer", "tier", "threads", "taken", "ms", "fastest", "ms", "times"]
    page.table(header, lines[:FIRST])
    page.table(header, lines[FIRST:], folded=f"{len(lines) - FIRST} more")


def choices(run):
    """What --choices prints."""
    page = Page("The library's choices")
    page.text(about(run))
    page.text(noise(run))
    if not run.choices():
        raise Refusal(f"{run.path}: no call was timed by more than one algorithm; bench_ops --algorithm all does that")
    choice_section(page, run)
    return page


def plan_section(page, run):
    """What a new shape costs, beside a run of it."""
    runs = {(r.layer, r.layout, r.tier): r for r in run.chosen()}
    plans = [(r.ms / r.plans, runs.get((r.layer, r.layout, r.tier)), r) for r in run.ours if r.op == "plan" and r.plans]
    if not plans:
        return
    share = lambda ms, beside: 100 * ms / beside.ms if beside else 0
    plans.sort(key=lambda p: -share(*p[:2]))
    page.heading("What a plan costs")
    page.text("An op is made once, a plan for each new size of the source: the mean of 200 lengths of the first "
              "axis, beside a run at the layer's own.")
    lines = [[f"`{r.title}`", r.algorithm, number(1e3 * ms), percent(share(ms, beside)) if beside else ""]
             for ms, beside, r in plans]
    header = ["layer", "algorithm", "µs a plan", "% of a run"]
    page.table(header, lines[:FIRST])
    page.table(header, lines[FIRST:], folded=f"{len(lines) - FIRST} more")


def peer_section(page, run):
    page.heading("Against the libraries people use")
    pairs, over = run.against_peers(), run.over_layouts()
    if not over:
        page.text("No row of a peer is in this file; `bench/peers` times them in the same run.")
        return
    speed = {id(pair): speed_over(*pair) for pair in (*pairs, *over)}
    slower = lambda some: sorted((p for p in some if speed[id(p)][0] < 1), key=lambda p: speed[id(p)][0])
    page.text(f"{len(pairs)} layers and layouts were timed with peers too: {', '.join(sorted({r.who for r in run.peers}))}. The "
              f"best of them is faster on {len(slower(pairs))}. Over layouts, all in the one that suits them best, it is faster "
              f"on {len(slower(over))} of {len(over)} layers.")
    page.figure("peers", charts.families_against_peers(pairs, over), "Speed over the best peer's, for each layer the best of all "
                "peers: in the same layout, and over layouts.")
    header = ["layer", "layout", "ms", "best peer's ms", "peer", "speed over it", "over the rounds"]
    line = lambda p: [f"`{p[0].op}/{p[0].layer}`", p[0].layout, number(p[0].ms), number(p[1].ms), p[1].who,
                      f"×{speed[id(p)][0]:.2f}", speed[id(p)][1], *under_fast(p)]

    def under_fast(p):
        """The same call under policy fast, against the same peer; nothing where the policy changes nothing."""
        if not run.fast:
            return []
        fast = run.fast.get(p[0].call)
        return [number(fast.ms), f"×{p[1].ms / fast.ms:.2f}"] if fast else ["", ""]

    if run.fast:
        header += ["ms, policy fast", "speed over it"]
    if slower(pairs):
        page.text("Where a peer is faster:")
        page.table(header, [line(p) for p in slower(pairs)])
    page.table(header, [line(p) for p in pairs], folded="Every layer against its best peer")
    own = sorted({r.who for r in run.peers if r.layout == OWN})
    page.text("Over layouts" + (f"; {', '.join(own)} also in formats of its own, which a network of its layers uses in between "
                                "and into which nothing is brought in the time:" if own else ":"))
    header = ["layer", "ours in", "ms", "best peer's ms", "peer", "in", "speed over it", "over the rounds"]
    line = lambda p: [f"`{p[0].op}/{p[0].layer}`", p[0].where, number(p[0].ms), number(p[1].ms), p[1].who, p[1].where,
                      f"×{speed[id(p)][0]:.2f}", speed[id(p)][1]]
    page.table(header, [line(p) for p in sorted(over, key=lambda p: speed[id(p)][0])][:FIRST])
    page.table(header, [line(p) for p in sorted(over, key=lambda p: speed[id(p)][0])][FIRST:],
               folded=f"{len(over) - FIRST} more layers over layouts")


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
        page.figure("roofline", charts.roofline(run), f"A dot is a layer by the library's own choice on {run.tiers[-1]}, a "
                    "diamond by Winograd's minimal filtering, which has fewer multiplications than the useful ones; of each kind "
                    "the five farthest below their roof have their names. Where multiply-adds are few for each byte the slope of "
                    "the cache that the operands fit is the roof, where they are many the line of the tier.")
        page.figure("shares", charts.shares(run), "The same layers by operation; the bar is the median." + above(run))
        family_table(page, run)
        slow_section(page, run)
        choice_section(page, run)
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
            page.figure("algorithms", found, f"Every algorithm on {run.tiers[-1]}, over the size of the kernel, the stride, "
                        "and the channels: the median of its time over the fastest algorithm's, and below it in how many of the "
                        "layers that it was timed on it is the fastest.")
        found = charts.flatness(run, layers)
        if found:
            page.heading("Size against size")
            page.figure("flatness", found, f"What a useful multiply-add of one layer costs on {run.tiers[-1]}, by the library's "
                        "own choice and by Winograd's minimal filtering, over the size of a square map, over the batch, and of "
                        "another layer over its length. A level line is the aim.")
    if run.kernels:
        page.heading("Kernels alone")
        page.figure("kernels", charts.kernels(run), "Each kernel of the highest tier that has one of its own, by where the "
                    "operands lie.")
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
    line = lambda r: [f"`{r.name}`", r.verdict, f"{100 * (r.ratio - 1):+.1f} %", 
                      f"{100 * (r.low - 1):+.1f} to {100 * (r.high - 1):+.1f} %",
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
    page.table(header, [line(r) for r in doubtful], 
               folded=f"Suspected by screening and not confirmed: {len(doubtful)}")
    page.figure("ab", charts.forest(list(confirmed.values())), "Rows that were measured again.")
    spread = [r.high / r.low - 1 for r in screened.values()]
    if spread:
        page.text(f"Noise: after {rounds} rounds the 95 % interval of the middle row is "
                  f"{100 * statistics.median(spread):.1f} % wide; a change much smaller than that is not found in it.")
    return page
