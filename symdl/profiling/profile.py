"""What a call costs, step by step: time, bytes, operations, against what the machine can do; and how much memory.

    print(f.profile(x, y))

A build of the function with a clock around each step runs on copies of the shared values: nothing is trained by looking.
The ordinary build has no clocks.
"""

from __future__ import annotations

import html
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.cpu.clocks import Clocks
from symdl.backends.cpu.libraries import threads_pool
from symdl.backends.cpu.limits import Limits, measured
from symdl.backends.llvm.steps import all_steps
from symdl.columns import aligned
from symdl.graph.expr import short
from symdl.ir.arena import arena_bytes, live_bytes
from symdl.ir.program import Call, Loop, Step, inner
from symdl.pipeline.compilation import Lowered, routines_of
from symdl.profiling.costs import Cost, cost_of
from symdl.profiling.titles import lines, title
from symdl.types import Symbol, size_at

Array = np.ndarray[Any, Any]
SHOWN_ROWS = 30  # of a table that is printed whole
SHOWN_LINES = 3  # of the user's, beside a step


@dataclass(frozen=True)
class Row:
    """One step. Numbers are of one call of the function, times those of its quickest run in any of the calls.

    bound: "memory", "arithmetic", or "" where nothing is known to take time. share: the least time that the machine's
    measured limits allow for the step's bytes and operations, divided by the time taken; near 1 nothing is left to win,
    and above 1 the data was in a nearer cache than a copy of so many bytes would be.
    """

    name: str
    kind: str  # kernel, matmul, copy, loop, if
    depth: int  # inside so many loops and branches
    seconds: float
    calls: int
    bytes_read: int
    bytes_written: int
    flops: int
    bound: str
    share: float
    lines: tuple[str, ...]

    @property
    def bandwidth(self) -> float:
        """Bytes in a second."""
        return (self.bytes_read + self.bytes_written) / self.seconds if self.seconds else 0.0

    @property
    def rate(self) -> float:
        """Floating-point operations in a second."""
        return self.flops / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Profile:
    """What `f.profile` found. print() it, or take rows, as_dict() or json().

    seconds: of the quickest call, without the checks of inputs in Python. arena: bytes of temporary values; least: those
    that are alive together at the worst step, below which no plan for this order of the steps can come. outputs, shareds:
    bytes of the results and of the shared values. peak: arena, scratch of the products and outputs together.
    """

    name: str
    machine: str
    threads: int
    calls: int
    sizes: tuple[str, ...]
    seconds: float
    rows: tuple[Row, ...]
    arena: int
    least: int
    outputs: int
    shareds: int
    peak: int
    limits: Limits

    def table(self, order: str = "time", limit: int | None = SHOWN_ROWS) -> str:
        """The steps, the slowest first or in the order of the program (order="program")."""
        rows, left = self._chosen(order, limit)
        head = ("", "time", "%", "calls", "bytes", "GB/s", "Gflop/s", "of limit", "lines")
        return aligned([head, *(self._cells(r) for r in rows)], range(1, 8)) + left

    def __str__(self) -> str:
        in_steps = sum(r.seconds for r in self.rows if r.depth == 0)
        copies = ", ".join(f"{rate / 1e9:.0f} GB/s up to {size_text(n)}" for n, rate in self.limits.copies)
        flops = ", ".join(f"{rate / 1e9:.0f} Gflop/s {dtype}" for dtype, rate in self.limits.flops.items())
        return (
            f"{self.name}({', '.join(self.sizes)})\n"
            f"{time_text(self.seconds)} a call, {time_text(in_steps)} of it in {len(self.rows)} steps; "
            f"best of {self.calls} calls, threads: {self.threads}\n"
            f"memory: {size_text(self.peak)} a call at most: arena {size_text(self.arena)} "
            f"(at least {size_text(self.least)} live at once), outputs {size_text(self.outputs)}; "
            f"shared values {size_text(self.shareds)}\n"
            f"limits of {self.machine}: copying {copies}; {flops}\n\n{self.table()}"
        )

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th>{h}</th>" for h in ("step", "time", "%", "calls", "bytes", "GB/s", "Gflop/s", "of limit", "")
        )
        rows, left = self._chosen("time", SHOWN_ROWS)
        text = html.escape(str(self).split("\n\n")[0]).replace("\n", "<br>")
        body = []
        for r in rows:
            name, *cells = self._cells(r)
            part = 100 * r.seconds / self.seconds if self.seconds else 0
            bar = f"background:linear-gradient(90deg,#cfe3ff {part:.0f}%,transparent {part:.0f}%)"
            tail = "".join(f"<td style='text-align:right'>{html.escape(c)}</td>" for c in cells[:-1])
            body.append(
                f"<tr><td style='text-align:left;{bar}'>{html.escape(name)}</td>{tail}"
                f"<td style='text-align:left'>{html.escape(cells[-1])}</td></tr>"
            )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        return f"<div><p>{text}</p>{table}<p>{html.escape(left)}</p></div>"

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, texts and lists, in SI units and bytes."""
        out = asdict(self)
        out["rows"] = [
            {**asdict(r), "bandwidth": r.bandwidth, "rate": r.rate, "lines": list(r.lines)} for r in self.rows
        ]
        out["sizes"] = list(self.sizes)
        out["limits"]["copies"] = [list(c) for c in self.limits.copies]
        return out

    def json(self) -> str:
        """as_dict as text."""
        return json.dumps(self.as_dict(), indent=1)

    def _chosen(self, order: str, limit: int | None) -> tuple[list[Row], str]:
        rows = sorted(self.rows, key=lambda r: -r.seconds) if order == "time" else list(self.rows)
        rest = rows[limit:] if limit is not None else []
        if not rest:
            return rows, ""
        took = time_text(sum(r.seconds for r in rest if r.depth == 0))
        return rows[:limit], f"and {len(rest)} more steps, {took} together: .table(limit=None)\n"

    def _cells(self, r: Row) -> tuple[str, ...]:
        shown = list(r.lines[:SHOWN_LINES]) + ([f"+{len(r.lines) - SHOWN_LINES}"] if len(r.lines) > SHOWN_LINES else [])
        return (
            "  " * r.depth + r.name,
            time_text(r.seconds),
            f"{100 * r.seconds / self.seconds:.1f}" if self.seconds else "",
            str(r.calls),
            size_text(r.bytes_read + r.bytes_written),
            f"{r.bandwidth / 1e9:.1f}" if r.bandwidth else "",
            f"{r.rate / 1e9:.1f}" if r.rate else "",
            f"{100 * r.share:.0f} % {r.bound}" if r.bound else "",
            " ".join(shown),
        )


def time_text(seconds: float) -> str:
    """With three digits: 4.82 ms."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def size_text(count: float) -> str:
    """With three digits, in powers of 1024: 26.7 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"


def profiled(
    form: Lowered, backend: CpuBackend, name: str, inputs: Sequence[Array], shareds: Sequence[Array], calls: int
) -> tuple[int, Mapping[Symbol, int], Profile | None]:
    """(status, sizes, profile) of a lowered function; no profile where a check of it does not hold.

    shareds: copies, which are put back before each call, so that all calls do the same work.
    """
    steps = list(all_steps(form.program.steps))
    constants = [c.params["value"].array for c in form.constants]
    executable = backend.compile(form.program, constants, timed=True, routines=routines_of(form))
    clocks = Clocks(executable, max(len(steps), 1))
    first = [a.copy() for a in shareds]
    begin, began = clocks.now(), time.perf_counter()
    best = [(0, 0)] * len(steps)
    seconds = float("inf")
    for call in range(calls + 1):  # the first, which touches all memory for the first time, does not count
        for a, b in zip(shareds, first, strict=True):
            np.copyto(a, b)
        bound = executable.bind(inputs, shareds)
        if bound.status:
            return bound.status, bound.sizes, None
        start = time.perf_counter()
        status, outputs = executable.execute(bound)
        took = time.perf_counter() - start
        if status:
            return status, bound.sizes, None
        taken = clocks.taken()
        if call:
            best = [min(a, b) if call > 1 else b for a, b in zip(best, taken, strict=False)]
            seconds = min(seconds, took)
    while time.perf_counter() - began < 2e-3:  # long enough to tell how long a tick is
        pass
    tick = (time.perf_counter() - began) / max(clocks.now() - begin, 1)
    threads = threads_pool(backend.machine, backend.store).threads
    limits = measured(backend.machine, threads)
    arena, least = arena_bytes(form.program, bound.sizes), live_bytes(form.program, bound.sizes)
    out = sum(a.nbytes for a in outputs)
    leaves = [*form.graph.inputs, *form.graph.shareds]
    sizes = [f"{short(e)}: {a.dtype}{list(a.shape)}" for e, a in zip(leaves, inputs, strict=False)]
    profile = Profile(
        name, backend.machine.cpu, threads, calls, tuple(sizes), seconds,
        tuple(_rows(form, bound.sizes, best, tick, limits)), arena, least, out, sum(a.nbytes for a in shareds),
        max(bound.machine[2], arena) + out, limits,
    )  # fmt: skip
    return 0, bound.sizes, profile


def _rows(
    form: Lowered, sizes: Mapping[Symbol, int], taken: Sequence[tuple[int, int]], tick: float, limits: Limits
) -> list[Row]:
    """One row a step, in the order of the text."""
    out: list[Row] = []
    number = {id(s): k for k, s in enumerate(all_steps(form.program.steps))}
    stack: list[tuple[Step, int, Mapping[Symbol, int]]] = [(s, 0, sizes) for s in reversed(form.program.steps)]
    while stack:
        step, depth, known = stack.pop()
        ticks, calls = taken[number[id(step)]]
        cost = cost_of(step, form.program, known)
        out.append(row_of(step, form, depth, ticks * tick, calls, cost, limits))
        if isinstance(step, Loop):
            rounds = size_at(step.steps, known)
            known = {**known, step.counter: rounds // 2}
        for body in reversed(inner(step)):
            stack += [(s, depth + 1, known) for s in reversed(body)]
    return out


def row_of(step: Step, form: Lowered, depth: int, seconds: float, calls: int, cost: Cost, limits: Limits) -> Row:
    """The row of a step that took so many seconds in so many runs, with as much of a share as the limits tell."""
    moved = cost.read + cost.written
    memory = moved / limits.bandwidth(moved) if limits.copies else 0.0
    work = sum(n / limits.flops[dtype] for dtype, n in cost.flops.items() if dtype in limits.flops)
    bound = "" if not max(memory, work) else "memory" if memory >= work else "arithmetic"
    share = max(memory, work) * calls / seconds if seconds else 0.0
    kind = step.name if isinstance(step, Call) else type(step).__name__.lower()
    places = lines(getattr(step, "sources", ()), form)
    return Row(
        title(step, form), kind, depth, seconds, calls, cost.read * calls, cost.written * calls,
        sum(cost.flops.values()) * calls, bound, share, tuple(places),
    )  # fmt: skip
