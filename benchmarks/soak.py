"""A long run of many threads over shared functions and values, while another process clears the cache of compiled code.

    python -m benchmarks.soak [--minutes 30] [--threads 8] [--store]

Each thread draws its work at random: elementwise functions and reductions of arrays of all sizes, whose results are
checked against NumPy; updates of shared values that all threads add to, whose sums must come out; training steps on
values of its own, which must follow the same course in every thread; scalars; errors, which must be raised and change
nothing; and graphs compiled anew, found on disk or not. It ends with the number of calls, of wrong numbers (0), and of
bytes that the process grew by after its first tenth.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import symdl
import symdl.tensor as T
from benchmarks.machine import store

CLEARING = """
import sys, time
from symdl.cli import main
while True:
    try:
        main(["cache", "clear"])
    except SystemExit:
        pass
    time.sleep(float(sys.argv[1]))
"""
COUNTERS = 4
STEPS = 20  # of a training course
Job = Callable[[random.Random], None]


class Wrong(Exception):
    """A number is not what it must be."""


def resident() -> int:
    """Bytes of memory that the process holds; 0 where the system does not tell."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0


def check(name: str, got: Any, wanted: Any, tolerance: float = 0.0) -> None:
    """Raises Wrong unless the arrays agree, to the bit or to a relative tolerance."""
    if not np.allclose(got, wanted, rtol=tolerance, atol=tolerance, equal_nan=True):
        raise Wrong(f"{name}: {np.ravel(got)[:4]} for {np.ravel(wanted)[:4]}")


class Work:
    """Functions that all threads call, and what their results must be."""

    def __init__(self) -> None:
        x, s, m = T.dvector("x"), T.dscalar("s"), T.fmatrix("m")
        self.scaled = symdl.function([x, s], [T.exp(-x * x) * s, x.sum()])
        self.rows = symdl.function([m], {"soft": T.softmax(m), "largest": m.max(axis=1)})
        self.plus = symdl.function([s], s + 1)
        i = T.lvector("i")
        self.picked = symdl.function([x, i], x[i])
        n = T.lscalar("n")
        self.counters = [symdl.shared(np.zeros(64, np.int64), f"c{k}") for k in range(COUNTERS)]
        self.add = symdl.function([n], updates=[(c, c + n) for c in self.counters])
        self.add_one = symdl.function([n], updates=[(self.counters[0], self.counters[0] + n)])
        self.read = symdl.function([], [c.sum() for c in self.counters])
        self.added, self.alone, self.lock = 0, 0, threading.Lock()
        self.kinds: list[Job] = [self.elementwise, self.softmax, self.scalar, self.error, self.update, self.look]

    def elementwise(self, rng: random.Random) -> None:
        a = np.linspace(-2, 2, rng.choice([0, 1, 7, 100, 1000, 50_000]))
        found, total = self.scaled(a, 1.5)
        check("exp", found, np.exp(-a * a) * 1.5, 1e-14)
        check("sum", total, a.sum(), 1e-10)

    def softmax(self, rng: random.Random) -> None:
        m = np.arange(rng.choice([1, 8, 64]) * 10, dtype=np.float32).reshape(-1, 10) % 7
        e = np.exp(m - m.max(axis=1, keepdims=True))
        found = self.rows(m)
        check("softmax", found["soft"], e / e.sum(axis=1, keepdims=True), 1e-6)
        check("max", found["largest"], m.max(axis=1))

    def scalar(self, rng: random.Random) -> None:
        v = rng.random()
        for _ in range(200):
            check("plus", self.plus(v), v + 1)

    def error(self, rng: random.Random) -> None:
        try:
            self.picked(np.arange(5.0), np.array([rng.randrange(5, 9)]))
        except symdl.errors.IndexRangeError:
            return
        raise Wrong("an index out of range was taken")

    def update(self, rng: random.Random) -> None:
        n = rng.randrange(1, 10)
        alone = rng.random() < 0.5
        (self.add_one if alone else self.add)(n)
        with self.lock:
            self.added, self.alone = self.added + n * (not alone), self.alone + n * alone

    def look(self, rng: random.Random) -> None:
        sums = [int(v) for v in self.read()]
        if any(v % 64 for v in sums) or len(set(sums[1:])) > 1 or sums[0] < sums[1]:
            raise Wrong(f"counters half updated: {sums}")

    def compiled(self, rng: random.Random) -> None:
        """A graph that is new or was compiled before, here or by others, and maybe is on disk."""
        k = rng.randrange(40)
        x = T.dvector("x")
        y = x
        for step in range(1 + k % 5):
            y = T.tanh(y * (1 + k)) + step
        found = symdl.function([x], y)(np.array([0.25, -3.0]))
        wanted = np.array([0.25, -3.0])
        for step in range(1 + k % 5):
            wanted = np.tanh(wanted * (1 + k)) + step
        check("compiled", found, wanted, 1e-13)

    def end(self) -> None:
        """The counters must hold all that was added."""
        sums = [int(v) for v in self.read()]
        if sums != [64 * (self.added + self.alone), *[64 * self.added] * (COUNTERS - 1)]:
            raise Wrong(f"counters {sums}, added {self.added} and {self.alone}")


def course() -> list[float]:
    """Losses of a small training run on values of its own."""
    rng = np.random.default_rng(0)
    x, y = T.dmatrix("x"), T.ivector("y")
    w = symdl.shared(rng.standard_normal((16, 4)), "w")
    loss = -T.log(T.softmax(x @ w)[T.arange(y.shape[0]), y]).mean()
    step = symdl.function([x, y], loss, updates=[(w, w - 0.5 * symdl.grad(loss, w))])
    data, labels = rng.standard_normal((32, 16)), rng.integers(0, 4, 32).astype(np.int32)
    return [float(step(data, labels)) for _ in range(STEPS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/soak.json")
    options = parser.parse_args()
    scratch = tempfile.TemporaryDirectory()
    symdl.config.cache_dir = scratch.name
    work, losses = Work(), course()
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    begin = time.monotonic()
    end = begin + 60 * options.minutes

    def run(seed: int) -> None:
        rng, mine = random.Random(seed), Counter[str]()
        for k in itertools.count():
            if time.monotonic() > end or wrong:
                break
            job = work.compiled if k % 500 == 499 else rng.choice(work.kinds)
            try:
                job(rng)
                if k % 2000 == 1999:
                    check("course", course(), losses)
            except Exception as error:  # noqa: BLE001  # whatever goes wrong ends the run and is shown
                wrong.append(f"{type(error).__name__}: {error}")
            mine[job.__name__] += 200 if job == work.scalar else 1
        with work.lock:
            counts.update(mine)

    environment = os.environ | {"SYMDL_CACHE_DIR": scratch.name}
    clearing = subprocess.Popen([sys.executable, "-c", CLEARING, "0.5"], env=environment, stdout=subprocess.DEVNULL)
    threads = [threading.Thread(target=run, args=(k,)) for k in range(options.threads)]
    for thread in threads:
        thread.start()
    early = 0
    while any(t.is_alive() for t in threads):
        time.sleep(min(5.0, max(end - begin, 1) / 100))
        passed = time.monotonic() - begin
        if not early and passed > (end - begin) / 10:
            early = resident()
        print(f"\r{passed:6.0f} s, {resident() / 2**20:.0f} MiB", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    clearing.kill()
    clearing.wait()
    try:
        work.end()
    except Wrong as error:
        wrong.append(str(error))
    grown = resident() - early
    row = {"minutes": options.minutes, "threads": options.threads, "calls": sum(counts.values()), **counts,
           "wrong": len(wrong), "grown_bytes": grown, "resident_bytes": resident()}  # fmt: skip
    for name, value in row.items():
        print(f"{name:<16} {value:,}")
    for text in wrong:
        print("WRONG", text)
    scratch.cleanup()
    if options.store:
        print("record:", store("soak", [row]).name)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
