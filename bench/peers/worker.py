# SPDX-License-Identifier: MIT
"""The process of one library: worker.py NAME THREADS CPUS LIBUPSAMPLE. run starts it, and stops it whenever it has answered.

JSON lines, a request on stdin, an answer on a copy of stdout (libraries print to stdout what they like: it goes to stderr):

                                            {"version", "layouts"}, or {"missing": sentence} and the end
    {"prepare": directory, "layouts": L}    {"arms": [{"layout", "details"}, or {"layout", "wrong" or "not_offered": sentence}]}
    {"time": layout, "ms": M}               {"calls", "real_ms", "cpu_ms"}: the median of the calls made in M ms or a little
                                            more, and processor time of one
"""
import ctypes
import importlib
import json
import os
import pathlib
import signal
import sys
import time


# oneDNN's SYCL runtime (2026.1) crashes in resampling when it starts on one CPU; it is told the number of threads, and pinned
# when it has started.
PINNED_LATE = {"onednn"}


def set_up():
    """Ends with its parent, even while it is stopped."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides


def pin(cpus):
    """This process runs on these CPUs alone."""
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), cpus)


def one_line(error):
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:300]}"


class Worker:
    def __init__(self, peer):
        self.peer, self.arms = peer, {}

    def prepare(self, directory, layouts):
        from cases import load

        for arm in self.arms.values():
            getattr(arm, "close", lambda: None)()
        self.arms = {}
        case = load(pathlib.Path(directory))
        return {"arms": [{"layout": layout, **self.prepare_arm(case, layout)} for layout in layouts]}

    def prepare_arm(self, case, layout):
        from cases import difference
        from peer import NotOffered

        try:
            arm = self.peer.arm(case, layout)
            arm.run()
            wrong = difference(case, *arm.result())
            if wrong:
                getattr(arm, "close", lambda: None)()
        except NotOffered as reason:
            return {"not_offered": str(reason)}
        except Exception as error:  # whatever a library raises
            return {"wrong": one_line(error)}
        if wrong:
            return {"wrong": wrong}
        self.arms[layout] = arm
        return {"details": arm.details}

    def time(self, layout, ms):
        run, clock = self.arms[layout].run, time.perf_counter_ns
        run()  # wakes what slept: threads, caches
        times, end, cpu = [], clock() + int(ms * 1e6), time.process_time_ns()
        while not times or after < end:
            before = clock()
            run()
            after = clock()
            times.append(after - before)
        cpu = time.process_time_ns() - cpu
        times.sort()
        middle = (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2
        return {"calls": len(times), "real_ms": middle * 1e-6, "cpu_ms": cpu / len(times) * 1e-6}


def main():
    name, threads, cpus, library = sys.argv[1:]
    cpus = [int(cpu) for cpu in cpus.split(",")]
    set_up()
    if name not in PINNED_LATE:
        pin(cpus)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**members):
        answers.write(json.dumps(members) + "\n")
        answers.flush()

    try:
        peer = importlib.import_module(name + "_peer").Peer(int(threads), library)
    except Exception as error:
        return answer(missing=one_line(error))
    worker = Worker(peer)
    answer(version=peer.version, layouts=getattr(peer, "layouts", ("first", "last")))
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            arms = worker.prepare(request["prepare"], request["layouts"])
            pin(cpus)
            answer(**arms)
        else:
            answer(**worker.time(request["time"], request["ms"]))


if __name__ == "__main__":
    main()
