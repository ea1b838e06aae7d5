# SPDX-License-Identifier: MIT
"""Two builds, alternating within one run: what got faster or slower beyond noise.

    screening      N rounds over all rows
    confirmation   2N fresh rounds, at least 20, over the rows that screening found suspicious

A round takes the rows in a random order. For a row it starts a process of each build (bench_ops --serve), both on one CPU where
the row has one thread, and lets them take turns of some milliseconds: A B, B A, A B …, who begins being a coin's matter. So
what slows the machine down for longer than a few turns (its clock, other programs, a neighbour's use of the shared cache)
meets both alike, and what a process has by luck (where its pages lie) is drawn anew in each round. A build's time in a round
is that of the fastest call in any of its turns: what disturbs a call only makes it slower. What is tested is the logarithm of
the ratio of the two, one for each round.
"""
import json
import math
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import time
from types import SimpleNamespace

from .runs import Refusal, refuse_strangers

LEAST = 1.03  # times: a smaller change is none
SCREEN_RATIO, SCREEN_P = 1.02, 0.25  # what screening lets pass: lenient, since confirmation starts anew
CONFIRMING = 20
LEVEL = 0.05  # of the confirmation, for all rows together
TURNS, TURN_MS = 8, 5  # of each build in a round
LEAST_TURNS, ENOUGH_S = 2, 1  # a row of slow calls has fewer turns: none after a second, but these

METHOD = (
    f"Test: Wilcoxon's signed-rank test, exact, two-sided, on the logarithms of the paired ratios B/A, one pair for each round. "
    f"Screening passes rows with p ≤ {SCREEN_P:g} by it or by the sign test, and a Hodges-Lehmann estimate of at least "
    f"{100 * (SCREEN_RATIO - 1):.0f} %. The verdict comes from the confirming rounds alone: Holm's correction over the rows that "
    f"got there, level {LEVEL:g} for all together, and an estimate of at least {100 * (LEAST - 1):.0f} %. In a round the builds "
    f"take {TURNS} turns of {TURN_MS} ms each, and the fastest call of each counts.")


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
    """What is known of a row. `ratio` is B's time over A's, `ms` the median of A's times and of B's."""

    def __init__(self, name, times):
        differences = [math.log(b / a) for a, b in times]
        self.name, self.rounds = name, len(differences)
        middle, low, high = estimate(differences)
        self.ratio, self.low, self.high = math.exp(middle), math.exp(low), math.exp(high)
        self.ms = [statistics.median(one) for one in zip(*times)]
        self.sign_p = sign_p(differences)
        self.p, self.adjusted, self.verdict = signed_rank_p(differences), 1.0, "no change"


class Server:
    """A process of a build that times rows when it is asked."""

    def __init__(self, build, cpu):
        self.build = build
        pinned = {} if cpu is None else {"preexec_fn": lambda: os.sched_setaffinity(0, {cpu})}
        self.process = subprocess.Popen([str(build.program.resolve()), "--serve"], env=build.environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **pinned)
        line = self.process.stdout.readline()
        if not line:
            self.close()
            raise Refusal(f"{build.program}: has no --serve, by which two builds take turns: it is of before that")
        self.context = json.loads(line)

    def ask(self, *words):
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            return json.loads(line)
        code = self.process.wait()
        return {"wrong": f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"}

    def close(self):
        self.process.kill()
        self.process.communicate()


class Build:
    def __init__(self, letter, path, extra):
        path = pathlib.Path(path)
        self.letter, self.extra = letter, extra
        self.program = path if path.is_file() else path / "bench" / "bench_ops"
        if not os.access(self.program, os.X_OK):
            raise Refusal(f"{path}: has no bench/bench_ops, which is built by default with the library")
        # The library that was built with it, by the rpath of the build tree.
        self.environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}

    def library(self):
        """The file that the program loads."""
        lines = subprocess.run(["ldd", str(self.program.resolve())], env=self.environment, capture_output=True, text=True).stdout
        found = re.search(r"libupsample\S* => (\S+)", lines)
        return pathlib.Path(found[1]).resolve() if found else self.program.resolve()

    def names(self, pattern):
        done = subprocess.run([str(self.program.resolve()), "--list", *self.extra,
                               *([f"--benchmark_filter={pattern}"] if pattern else [])],
                              env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise Refusal(f"{self.program}: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
        return done.stdout.split()

    def serve(self, cpu=None):
        return Server(self, cpu)

    def context(self):
        server = self.serve()
        server.close()
        return SimpleNamespace(path=self.program, context=server.context)


class Comparison:
    def __init__(self, a, b, pattern, extra, seed, out=sys.stderr):
        self.builds, self.out, self.chance = (Build("A", a, extra), Build("B", b, extra)), out, random.Random(seed)
        names = [build.names(pattern) for build in self.builds]
        libraries = [build.library() for build in self.builds]
        if libraries[0] == libraries[1] and self.builds[0].program.resolve() != self.builds[1].program.resolve():
            raise Refusal(f"both programs load {libraries[0]}: a build tree that was copied or moved loads the library of the "
                          "place where it was built. Configure and build it where it is")
        contexts = [build.context() for build in self.builds]
        refuse_strangers(*contexts)
        self.context, self.tiers = contexts[0].context | {"date": time.strftime("%Y-%m-%dT%H:%M")}, []
        self.names = [n for n in names[0] if n in set(names[1])]
        self.alone = [[n for n in names[i] if n not in set(names[1 - i])] for i in (0, 1)]
        self.stopped, self.checked = {}, set()  # row: why; rows whose results are known to be right
        if not self.names:
            raise Refusal("no row is in both builds" + (f" and has a match of {pattern}" if pattern else ""))

    def pair(self, name):
        """The times of A and B in one round; None if one of them cannot be timed."""
        cpu = self.chance.choice(sorted(os.sched_getaffinity(0))) if name.endswith("/t1") else None
        servers = [build.serve(cpu) for build in self.builds]
        try:
            if name not in self.checked and any(self.wrong(server, name, server.ask("check", name)) for server in servers):
                return None
            self.checked.add(name)
            order, least, begin = self.chance.sample(servers, 2), {}, time.monotonic()
            for turn in range(TURNS):
                if turn >= LEAST_TURNS and time.monotonic() - begin > ENOUGH_S:
                    break
                for server in order:
                    answer = server.ask("time", name, TURN_MS)
                    if self.wrong(server, name, answer):
                        return None
                    least[server] = min(answer["ms"], least.get(server, math.inf))
                order.reverse()
            return [least[server] for server in servers]
        finally:
            for server in servers:
                server.close()

    def wrong(self, server, name, answer):
        if answer.get("wrong"):
            self.stopped[name] = f"{server.build.letter}: {answer['wrong']}"
        return answer.get("wrong")

    def rounds(self, names, count, what):
        """{name: Result} of `count` rounds."""
        seen, begin = {name: [] for name in names}, time.monotonic()
        for i in range(count):
            for name in self.chance.sample(names, len(names)):
                times = None if name in self.stopped else self.pair(name)
                if times:
                    seen[name].append(times)
            left = (time.monotonic() - begin) / (i + 1) * (count - i - 1)
            print(f"{what}: round {i + 1} of {count}, {len(names)} rows, {left:.0f} s left", file=self.out, flush=True)
        return {name: Result(name, times) for name, times in seen.items() if name not in self.stopped}

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
    keys = ("name", "rounds", "ratio", "low", "high", "ms", "p", "adjusted", "verdict")
    path.write_text(json.dumps({"method": METHOD, "context": comparison.context, "stopped": comparison.stopped,
                                "screening": [{k: getattr(r, k) for k in keys[:7]} for r in screened.values()],
                                "confirmation": [{k: getattr(r, k) for k in keys} for r in confirmed.values()]}, indent=1))
