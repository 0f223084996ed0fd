"""What this machine can do at most: bytes copied and floating-point operations done in a second, measured on demand.

    limits = measured(machine, threads)     # 0.1 s, once per process and number of threads
    limits.bandwidth(4 << 20), limits.flops["float32"]

Copies are measured at several sizes, since caches are faster than memory; operations with as many sums of products in
flight as there are registers for, all in registers.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from symdl.backends.builder import LLVM_TYPE
from symdl.backends.cpu.assembler import Machine, object_code
from symdl.backends.cpu.engine import Engine
from symdl.backends.cpu.executable import address_of
from symdl.records import record

SIZES = (32 << 10, 512 << 10, 4 << 20, 16 << 20, 64 << 20)  # bytes read and written by a copy
AT_ONCE = 2e-3  # seconds of one measurement, about
REPEATED = 3  # measurements, of which the best counts: others may use the machine
# The processor's time, since others may use the machine, where it is not counted in ticks.
_own_time = time.thread_time if time.get_clock_info("thread_time").resolution < AT_ONCE / 1000 else time.perf_counter
_lock = threading.Lock()
_known: dict[tuple[str, int], Limits] = {}
_engines: dict[str, Engine] = {}

COPY = """
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
define void @copy(ptr %to, ptr %from, i64 %bytes, i64 %rounds) nounwind {
entry:
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %next, %loop ]
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 true)
  %next = add i64 %k, 1
  %more = icmp slt i64 %next, %rounds
  br i1 %more, label %loop, label %out
out:
  ret void
}
"""


@record
class Limits:
    """copies: (bytes read and written, bytes in a second), by size; flops: operations in a second, by dtype."""

    threads: int
    copies: tuple[tuple[int, float], ...]
    flops: dict[str, float]

    def bandwidth(self, bytes_: int) -> float:
        """Bytes in a second for a kernel that touches so many: those of the smallest copy that is as large."""
        return next((rate for size, rate in self.copies if bytes_ <= size), self.copies[-1][1])


def measured(machine: Machine, threads: int = 1) -> Limits:
    """The limits of the machine for so many threads, measured at the first use."""
    with _lock:
        key = machine.fingerprint(), threads
        if key not in _known:
            _known[key] = _measured(machine, threads)
        return _known[key]


def peak_text(machine: Machine, dtype: str) -> str:
    """void peak_<dtype>(values, rounds): sums of products in registers, peak_operations of them in a round."""
    lanes = machine.vector_bytes // np.dtype(dtype).itemsize
    kind = f"<{lanes} x {LLVM_TYPE[dtype]}>"
    name = f"llvm.fma.v{lanes}f{8 * np.dtype(dtype).itemsize}"
    chains = _chains(machine)
    lines = [f"define void @peak_{dtype}(ptr %values, i64 %rounds) nounwind {{", "entry:"]
    lines += [f"  %x = load {kind}, ptr %values, align 8", "  br label %loop", "loop:"]
    lines += ["  %k = phi i64 [ 0, %entry ], [ %next, %loop ]"]
    lines += [f"  %a{c} = phi {kind} [ %x, %entry ], [ %b{c}, %loop ]" for c in range(chains)]
    for c in range(chains):
        if machine.fma:
            lines.append(f"  %b{c} = call {kind} @{name}({kind} %a{c}, {kind} %x, {kind} %x)")
        else:
            lines += [f"  %m{c} = fmul {kind} %a{c}, %x", f"  %b{c} = fadd {kind} %m{c}, %x"]
    lines += ["  %next = add i64 %k, 1", "  %more = icmp slt i64 %next, %rounds"]
    lines += ["  br i1 %more, label %loop, label %out", "out:"]
    for c in range(chains):
        lines += [f"  %p{c} = getelementptr {kind}, ptr %values, i64 {c + 1}"]
        lines += [f"  store {kind} %b{c}, ptr %p{c}, align 8"]
    head = [f"declare {kind} @{name}({kind}, {kind}, {kind})"] if machine.fma else []
    return "\n".join([*head, *lines, "  ret void", "}", ""])


def peak_operations(machine: Machine, dtype: str) -> int:
    """Additions and multiplications in a round of peak_text."""
    return 2 * _chains(machine) * machine.vector_bytes // np.dtype(dtype).itemsize


def _chains(machine: Machine) -> int:
    return machine.registers - 4


class Probe:
    """One of the limits, measured as often as asked: beside work whose share of it is wanted, in the same moments."""

    def __init__(self, jobs: Sequence[Callable[[int], Any]], amount: float, kept: Any) -> None:
        """Each job takes a number of rounds on a thread of its own, of so many bytes or operations; kept: their memory."""
        self._jobs, self._amount, self._kept = jobs, amount, kept
        rounds = 1
        while (taken := _seconds(jobs[:1], rounds)) < AT_ONCE / 4:
            rounds *= 4 if taken < AT_ONCE / 16 else 2
        self._rounds = max(1, int(rounds * AT_ONCE / taken))

    def rate(self) -> float:
        """Bytes or operations in a second."""
        return len(self._jobs) * self._rounds * self._amount / _seconds(self._jobs, self._rounds)


def copying(machine: Machine, threads: int, size: int) -> Probe:
    """Of copies that read and write so many bytes together, all threads' memory counted."""
    copy = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 2)(_engine(machine).address("copy"))
    own = max(size // threads // 2, 1)
    pairs = [(np.ones(own, np.uint8), np.ones(own, np.uint8)) for _ in range(threads)]
    jobs = [partial(copy, address_of(to), address_of(source), own) for to, source in pairs]
    return Probe(jobs, 2 * own, pairs)


def multiplying(machine: Machine, threads: int, dtype: str) -> Probe:
    """Of additions and multiplications in registers."""
    peak = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(_engine(machine).address(f"peak_{dtype}"))
    room = [np.full(machine.vector_bytes * (_chains(machine) + 1) // 4, 0.5, dtype) for _ in range(threads)]
    return Probe([partial(peak, address_of(own)) for own in room], peak_operations(machine, dtype), room)


def _engine(machine: Machine) -> Engine:
    key = machine.fingerprint()
    if key not in _engines:
        head = f'target triple = "{machine.triple}"\ntarget datalayout = "{machine.layout}"\n'
        text = head + COPY + peak_text(machine, "float32") + peak_text(machine, "float64")
        _engines[key] = Engine(object_code([text], machine), machine)
    return _engines[key]


def _measured(machine: Machine, threads: int) -> Limits:
    def best(probe: Probe) -> float:
        return max(probe.rate() for _ in range(REPEATED))

    copies = tuple((size, best(copying(machine, threads, size))) for size in SIZES)
    return Limits(threads, copies, {d: best(multiplying(machine, threads, d)) for d in ("float32", "float64")})


def _seconds(jobs: Sequence[Callable[[int], Any]], rounds: int) -> float:
    """From the first thread's begin to the last one's end; the code lets go of the interpreter's lock."""
    if len(jobs) == 1:
        start = _own_time()
        jobs[0](rounds)
        return _own_time() - start
    spans: list[tuple[float, float]] = []
    together = threading.Barrier(len(jobs))

    def one(job: Callable[[int], Any]) -> None:
        together.wait()
        start = time.perf_counter()
        job(rounds)
        spans.append((start, time.perf_counter()))

    workers = [threading.Thread(target=one, args=(job,)) for job in jobs]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    return max(end for _, end in spans) - min(start for start, _ in spans)
