# SPDX-License-Identifier: MIT
"""Two builds, alternating within one run: what got faster or slower beyond noise.

    screening      N rounds over all rows
    confirmation   2N fresh rounds, at least 20, over the rows that screening found suspicious

A round takes the rows in a random order, some to a process, and runs each handful by both builds, one straight after the other,
which first being a coin's matter. So a pair has the same minute of the machine, and what one process has by luck (where its
pages lie) is drawn anew in each round. A sample is the fastest of three repetitions: what disturbs one only makes it slower.
For rows on one thread it is the time this process had a CPU, so that what else runs does not count.

Both builds of a round stand under the same roof, the best that any process of the round measured. It cancels in their ratio;
what is tested is the logarithm of the ratio of a row's shares of it, one for each round.
"""
import json
import math
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

from .runs import Refusal, Row, Run, refuse_strangers

LEAST = 1.03  # times: a smaller change is none
SCREEN_RATIO, SCREEN_P = 1.02, 0.25  # what screening lets pass: lenient, since confirmation starts anew
CONFIRMING = 20
LEVEL = 0.05  # of the confirmation, for all rows together
HANDFUL = 8  # rows of a process: each costs the measuring of the machine
REPETITIONS, MIN_SECONDS = 3, 0.02

METHOD = (
    f"Test: Wilcoxon's signed-rank test, exact, two-sided, on the logarithms of the paired ratios B/A, one pair for each round. "
    f"Screening passes rows with p ≤ {SCREEN_P:g} by it or by the sign test, and a Hodges-Lehmann estimate of at least {100 * (SCREEN_RATIO - 1):.0f} %. "
    f"The verdict comes from the confirming rounds alone: Holm's correction over the rows that got there, level {LEVEL:g} for all "
    f"together, and an estimate of at least {100 * (LEAST - 1):.0f} %. A sample is the fastest of {REPETITIONS} repetitions, in "
    "CPU time on one thread, in real time on more.")


# ---- the test ----

def rank_sums(n):
    """How many of the 2^n choices of signs give each sum of the positive ranks."""
    ways = [1]
    for rank in range(1, n + 1):
        longer = ways + [0] * rank
        for i, count in enumerate(ways):
            longer[i + rank] += count
        ways = longer
    return ways


def signed_rank_p(differences):
    """Two-sided, exact where no two differences are alike in size; of those that are, the ranks in the given order, which
    real times all but never need. Differences of 0 are left out."""
    values = sorted((d for d in differences if d), key=abs)
    n = len(values)
    if not n:
        return 1.0
    positive = sum(rank for rank, value in enumerate(values, 1) if value > 0)
    ways = rank_sums(n)
    return min(1.0, 2 * sum(ways[:min(positive, n * (n + 1) // 2 - positive) + 1]) / 2 ** n)


def sign_p(differences):
    """Two-sided, of how many are positive alone: one wild round of six does not hide a change from it."""
    n = len(differences)
    fewer = min(sum(d > 0 for d in differences), sum(d < 0 for d in differences))
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2 ** n)


def estimate(differences):
    """Hodges-Lehmann: the median of the means of all pairs, and the interval that belongs to the test, 95 %."""
    n = len(differences)
    means = sorted((differences[i] + differences[j]) / 2 for i in range(n) for j in range(i, n))
    cut, below, ways = 0, 0, rank_sums(n)
    while 2 * (below + ways[cut]) / 2 ** n <= 0.05:
        below += ways[cut]
        cut += 1
    cut = max(cut - 1, 0)
    return statistics.median(means), means[cut], means[-1 - cut]


def holm(ps):
    """Each p-value as it counts among the others."""
    adjusted, worst = [0.0] * len(ps), 0.0
    for place, i in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        worst = max(worst, min(1.0, (len(ps) - place) * ps[i]))
        adjusted[i] = worst
    return adjusted


# ---- the measuring ----

class Result:
    """What is known of a row. `ratio` is B's time over A's."""

    def __init__(self, name, differences):
        self.name, self.rounds = name, len(differences)
        middle, low, high = estimate(differences)
        self.ratio, self.low, self.high = math.exp(middle), math.exp(low), math.exp(high)
        self.sign_p = sign_p(differences)
        self.p, self.adjusted, self.verdict, self.share = signed_rank_p(differences), 1.0, "no change", (None, None)


class Build:
    def __init__(self, letter, path, extra):
        path = pathlib.Path(path)
        self.letter, self.extra, self.context = letter, extra, None
        self.program = path if path.is_file() else path / "bench" / "bench_ops"
        if not os.access(self.program, os.X_OK):
            raise Refusal(f"{path}: has no bench/bench_ops, which is built by default with the library")
        # The library that was built with it, by the rpath of the build tree.
        self.environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}

    def call(self, *arguments):
        return subprocess.run([str(self.program.resolve()), *arguments, *self.extra], env=self.environment, capture_output=True,
                              text=True)

    def library(self):
        """The file that the program loads."""
        lines = subprocess.run(["ldd", str(self.program.resolve())], env=self.environment, capture_output=True, text=True).stdout
        found = re.search(r"libupsample\S* => (\S+)", lines)
        return pathlib.Path(found[1]).resolve() if found else self.program.resolve()

    def names(self, pattern):
        done = self.call("--list", *([f"--benchmark_filter={pattern}"] if pattern else []))
        if done.returncode:
            raise Refusal(f"{self.program}: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
        return done.stdout.split()

    def run(self, names, folder):
        """The rows of one process, by name."""
        out = pathlib.Path(folder) / f"{self.letter}.json"
        out.unlink(missing_ok=True)
        done = self.call(f"--benchmark_filter=^({'|'.join(map(escaped, names))})$", f"--benchmark_min_time={MIN_SECONDS:g}",
                         f"--benchmark_repetitions={REPETITIONS}", f"--benchmark_out={out}", "--benchmark_out_format=json")
        try:
            return Run(out, may_be_empty=True)  # where every row was stopped
        except Refusal:
            raise Refusal(f"{self.program}: did not come to its end: {done.stderr.strip()[-300:]}")


def escaped(name):
    """For an extended regular expression."""
    return "".join("\\" + c if c in ".[]{}()*+?^$|\\" else c for c in name)


def sample(row: Row):
    return min(row.cpu_times if row.threads == 1 and all(row.cpu_times) else row.times)


class Comparison:
    def __init__(self, a, b, pattern, extra, seed, out=sys.stderr):
        self.builds, self.out, self.chance = (Build("A", a, extra), Build("B", b, extra)), out, random.Random(seed)
        names = [build.names(pattern) for build in self.builds]
        if self.builds[0].library() == self.builds[1].library() and self.builds[0].program.resolve() != self.builds[1].program.resolve():
            raise Refusal(f"both programs load {self.builds[0].library()}: a build tree that was copied or moved loads the library "
                          "of the place where it was built. Configure and build it where it is")
        self.names = [n for n in names[0] if n in set(names[1])]
        self.alone = [[n for n in names[i] if n not in set(names[1 - i])] for i in (0, 1)]
        self.stopped = {}  # row: why
        if not self.names:
            raise Refusal("no row is in both builds" + (f" and has a match of {pattern}" if pattern else ""))

    def round(self, names, folder):
        """{name: (log(B's time / A's), A's share of the round's roof, B's)}."""
        names, found, roofs = self.chance.sample(names, len(names)), {}, {}
        for at in range(0, len(names), HANDFUL):
            pair = {}
            for build in self.chance.sample(self.builds, 2):
                run = build.run(names[at:at + HANDFUL], folder)
                for name, why in run.errors:
                    self.stopped[name] = f"{build.letter}: {why}"
                build.context = build.context or run
                for row in run.rows:
                    pair[row.name, build.letter] = sample(row)
                    if row.share:  # the least time that the roof allows, by this process
                        least = row.share / 100 * row.ms
                        roofs[row.name] = min(roofs.get(row.name, least), least)
            for name in names[at:at + HANDFUL]:
                if (name, "A") in pair and (name, "B") in pair:
                    found[name] = pair[name, "A"], pair[name, "B"]
            if all(b.context for b in self.builds):
                refuse_strangers(self.builds[0].context, self.builds[1].context)
        return {name: (math.log(b / a), roofs.get(name, 0) / a, roofs.get(name, 0) / b) for name, (a, b) in found.items()}

    def rounds(self, names, count, what):
        """{name: Result} of `count` rounds."""
        seen, begin = {}, time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            for i in range(count):
                for name, values in self.round(names, folder).items():
                    seen.setdefault(name, []).append(values)
                left = (time.monotonic() - begin) / (i + 1) * (count - i - 1)
                print(f"{what}: round {i + 1} of {count}, {len(names)} rows, {left:.0f} s left", file=self.out, flush=True)
        results = {}
        for name, values in seen.items():
            if name not in self.stopped:
                results[name] = Result(name, [v[0] for v in values])
                results[name].share = tuple(100 * statistics.median(v[i] for v in values) for i in (1, 2))
        return results

    def decide(self, rounds):
        """All rows as screening saw them, and the confirmed ones, of which some have a verdict."""
        screened = self.rounds(self.names, rounds, "screening")
        suspects = [r.name for r in screened.values()
                    if min(r.p, r.sign_p) <= max(SCREEN_P, 2.0 ** (1 - rounds)) and max(r.ratio, 1 / r.ratio) >= SCREEN_RATIO]
        confirmed = self.rounds(suspects, max(2 * rounds, CONFIRMING), "confirmation") if suspects else {}
        for r, p in zip(confirmed.values(), holm([r.p for r in confirmed.values()])):
            r.adjusted = p
            if p <= LEVEL and max(r.ratio, 1 / r.ratio) >= LEAST:
                r.verdict = "slower" if r.ratio > 1 else "faster"
        return screened, confirmed


def save(path, comparison, screened, confirmed):
    """The figures, for whoever wants another test."""
    keys = ("name", "rounds", "ratio", "low", "high", "p", "adjusted", "verdict", "share")
    path.write_text(json.dumps({"method": METHOD, "context": comparison.builds[0].context.context,
                                "stopped": comparison.stopped,
                                "screening": [{k: getattr(r, k) for k in keys[:6]} for r in screened.values()],
                                "confirmation": [{k: getattr(r, k) for k in keys} for r in confirmed.values()]}, indent=1))
