"""What a call on a GPU costs, kernel by kernel: a Profile whose times are between events on the device.

Rows are the steps as they are cut for the GPU; a step of several kernels is one row. Shares are of the device's own
figures: the bandwidth of its memory, its multiprocessors and clock. The emulated GPU has none, and its times are the emulator's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symdl.backends.base import GpuBackend
from symdl.backends.cpu.limits import Limits
from symdl.backends.llvm.steps import all_steps
from symdl.graph.expr import short
from symdl.ir.arena import arena_bytes, live_bytes
from symdl.ir.program import Loop, Step, inner
from symdl.pipeline.compilation import Lowered, routines_of
from symdl.profiling.costs import cost_of
from symdl.profiling.profile import Profile, Row, row_of, size_text, time_text
from symdl.types import Symbol, size_at

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class GpuProfile(Profile):
    """A Profile of a device. seconds: of the quickest call, transfers of inputs and outputs and the host's work included."""

    def __str__(self) -> str:
        in_kernels = sum(r.seconds for r in self.rows if r.depth == 0)
        bounds = [f"memory {rate / 1e9:.0f} GB/s" for _, rate in self.limits.copies]
        bounds += [f"{rate / 1e9:.0f} Gflop/s {dtype}" for dtype, rate in self.limits.flops.items()]
        return (
            f"{self.name}({', '.join(self.sizes)}) on {self.machine}\n"
            f"{time_text(self.seconds)} a call, {time_text(in_kernels)} of it in {len(self.rows)} steps; "
            f"best of {self.calls} calls, launched one by one\n"
            f"memory: arena {size_text(self.arena)} (at least {size_text(self.least)} live at once), outputs "
            f"{size_text(self.outputs)}; shared values {size_text(self.shareds)}\n"
            + (f"limits, by the device's own figures: {', '.join(bounds)}\n" if bounds else "")
            + f"\n{self.table()}"
        )


def gpu_profiled(
    form: Lowered, backend: GpuBackend, name: str, inputs: Sequence[Array], shareds: Sequence[Array], calls: int
) -> tuple[int, Mapping[Symbol, int], Profile | None]:
    """(status, sizes, profile) of a lowered function; no profile where a check of it does not hold. shareds: copies."""
    place = backend.place
    assert place is not None
    program = backend.as_run(form.program)
    form = replace(form, program=program)
    constants = [c.params["value"].array for c in form.constants]
    executable, clocks = backend.timed(form.program, constants, routines_of(form))
    best: dict[int, tuple[float, int]] = {}
    seconds = float("inf")
    outputs: Sequence[Any] = ()
    for call in range(calls + 1):  # the first, which loads code and makes the arena, does not count
        values = [place.uploaded(a) for a in shareds]
        bound = executable.bind(inputs, values)
        if bound.status:
            return bound.status, bound.sizes, None
        start = time.perf_counter()
        status, outputs = executable.execute(bound)
        taken = clocks.taken()
        took = time.perf_counter() - start
        if status:
            return status, bound.sizes, None
        if call:
            best = {k: min(t, best.get(k, t)) for k, t in taken.items()}
            seconds = min(seconds, took)
    bandwidth, flops = backend.limits()
    limits = Limits(0, ((1 << 62, bandwidth),) if bandwidth else (), flops)
    leaves = [*form.graph.inputs, *form.graph.shareds]
    sizes = [f"{short(e)}: {a.dtype}{list(a.shape)}" for e, a in zip(leaves, inputs, strict=False)]
    arena, least = arena_bytes(program, bound.sizes), live_bytes(program, bound.sizes)
    out = sum(a.nbytes for a in outputs)
    rows = tuple(_rows(form, bound.sizes, best, limits))
    return 0, bound.sizes, GpuProfile(
        name, backend.described(), 0, calls, tuple(sizes), seconds, rows, arena, least, out,
        sum(a.nbytes for a in shareds), arena + out, limits,
    )  # fmt: skip


def _rows(
    form: Lowered, sizes: Mapping[Symbol, int], taken: Mapping[int, tuple[float, int]], limits: Limits
) -> list[Row]:
    """One row a step, in the order of the text; a loop or branch has the time of all in it."""
    number = {id(s): k for k, s in enumerate(all_steps(form.program.steps))}
    out: list[Row] = []

    def visit(steps: Sequence[Step], depth: int, known: Mapping[Symbol, int]) -> float:
        total = 0.0
        for step in steps:
            seconds, calls = taken.get(number[id(step)], (0.0, 0))
            place = len(out)
            out.append(row_of(step, form, depth, seconds, calls, cost_of(step, form.program, known), limits))
            inside = known
            if isinstance(step, Loop):
                inside = {**known, step.counter: size_at(step.steps, known) // 2}
            if bodies := inner(step):
                seconds = sum(visit(body, depth + 1, inside) for body in bodies)
                out[place] = replace(out[place], seconds=seconds, calls=1)
            total += seconds
        return total

    visit(form.program.steps, 0, sizes)
    return out
