"""Profiles: every step is measured, nothing is changed by looking, and costs and memory are what can be counted by hand."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.backends.cpu.clocks import Clocks
from symdl.backends.cpu.limits import Limits, measured
from symdl.backends.llvm import Target, emit
from symdl.errors import IndexRangeError, InputError, ShapeError
from symdl.functions import Function
from symdl.ir.arena import arena_bytes, live_bytes
from symdl.ir.loops import contiguous
from symdl.ir.program import Binding, Buffer, Call, Kernel, Loop, Program
from symdl.pipeline.compilation import lowered
from symdl.profiling.costs import cost_of
from symdl.profiling.profile import size_text, time_text
from symdl.runtime.runs import native
from symdl.types import Symbol, symbol

LIMITS = Limits(1, ((1 << 20, 1e10), (1 << 30, 5e9)), {"float32": 1e11, "float64": 5e10})


def step_and_data() -> tuple[Function, list[Any], list[Any]]:
    rng = np.random.default_rng(0)
    x, y = T.fmatrix("x"), T.ivector("y")
    W = symdl.shared(rng.standard_normal((30, 10)).astype("f4"), "W")
    b = symdl.shared(np.zeros(10, "f4"), "b")
    loss = -T.log(T.softmax(T.tanh(x) @ W + b)[T.arange(y.shape[0]), y]).mean()
    updates = [(p, p - 0.1 * g) for p, g in zip((W, b), symdl.grad(loss, [W, b]), strict=True)]
    f = symdl.function([x, y], loss, updates=updates, name="step")
    return f, [rng.standard_normal((64, 30)).astype("f4"), rng.integers(0, 10, 64).astype("i4")], [W, b]


@pytest.fixture(scope="module")
def found() -> Any:
    f, data, _ = step_and_data()
    return f, f.profile(*data, calls=3)


def test_every_step_is_a_row(found: Any) -> None:
    f, p = found
    assert len(p.rows) == len(f.lowered.program.steps)
    assert all(r.calls == 1 and r.seconds >= 0 for r in p.rows)
    assert sum(r.seconds for r in p.rows) <= p.seconds
    assert p.calls == 3


def test_rows_say_what_they_are_and_from_where(found: Any) -> None:
    _, p = found
    names = [r.name for r in p.rows]
    assert any(n.startswith("matmul") and "W" in n for n in names)
    assert any(n.startswith("softmax+crossentropy") for n in names)
    assert any(n.endswith(("-> W", "-> W, b")) for n in names)
    assert {line for r in p.rows for line in r.lines} >= {f"test_profile.py:{k}" for k in lines_of("softmax(T.tanh(x)")}


def lines_of(text: str) -> list[int]:
    with open(__file__, encoding="utf-8") as file:
        return [k for k, line in enumerate(file, 1) if text in line][:1]


def test_memory_is_that_of_the_plan(found: Any) -> None:
    f, p = found
    program = f.lowered.program
    sizes = {b.symbol: 30 if b.axis == 1 else 64 for b in program.bindings}
    assert (p.arena, p.least) == (arena_bytes(program, sizes), live_bytes(program, sizes))
    assert p.least <= p.arena <= p.peak
    assert p.outputs == 4
    assert p.shareds == 4 * (300 + 10)


def test_a_profile_prints_and_becomes_json(found: Any) -> None:
    _, p = found
    text = str(p)
    assert text.startswith("step(x: float32[64, 30], y: int32[64])\n")
    assert f"at least {size_text(p.least)} live at once" in text
    assert all(r.name in text for r in p.rows)
    data = json.loads(p.json())
    assert [r["name"] for r in data["rows"]] == [r.name for r in p.rows]
    assert data["rows"][0]["bytes_read"] == p.rows[0].bytes_read
    shown = p._repr_html_()
    assert shown.count("<tr>") == 1 + len(p.rows)
    assert "softmax+crossentropy" in shown


def test_a_table_may_be_cut_and_in_the_order_of_the_program(found: Any) -> None:
    _, p = found
    lines = p.table("program", limit=2).splitlines()
    assert [line.split("  ")[0] for line in lines[1:3]] == [r.name for r in p.rows[:2]]
    assert lines[3].startswith(f"and {len(p.rows) - 2} more steps, ")


def test_profiling_trains_nothing() -> None:
    f, data, shareds = step_and_data()
    before = [s.get_value() for s in shareds]
    f.profile(*data, calls=2)
    for s, old in zip(shareds, before, strict=True):
        np.testing.assert_array_equal(s.get_value(), old)
    g, _, others = step_and_data()
    assert f(*data) == g(*data)
    np.testing.assert_array_equal(shareds[0].get_value(), others[0].get_value())


@pytest.mark.parametrize("mode", ["numpy", "interpreter"])
def test_other_modes_are_profiled_as_native_code(mode: str) -> None:
    x = T.dvector("x")
    (row,) = symdl.function([x], T.exp(x) + 1, mode=mode).profile(np.ones(100), calls=1).rows
    assert (row.name, row.bytes_read, row.bytes_written) == ("exp", 800, 800)


def test_inputs_are_checked_as_in_a_call() -> None:
    x, y = T.dvector("x"), T.lvector("y")
    f = symdl.function([x, y], x[y])
    assert f.profile([1.0, 2.0], y=[1]).outputs == 8
    with pytest.raises(IndexRangeError):
        f.profile([1.0, 2.0], [2])
    with pytest.raises(InputError):
        f.profile([1.0])
    with pytest.raises(InputError, match="calls must be at least 1"):
        f.profile([1.0], [0], calls=0)
    a, b = T.dvector("a"), T.dvector("b")
    with pytest.raises(ShapeError):
        symdl.function([a, b], a + b).profile([1.0, 2.0], [1.0, 2.0, 3.0])


def test_a_function_without_steps() -> None:
    p = symdl.function([], []).profile()
    assert p.rows == ()
    assert "0 steps" in str(p)


def test_the_ordinary_build_has_no_clocks() -> None:
    x = T.dvector("x")
    text = symdl.function([x], T.exp(x)).source("llvm")
    assert "cyclecounter" not in text
    assert "@times" not in text


@pytest.mark.parametrize(
    ("triple", "clock"), [("x86_64-unknown-linux-gnu", "rdtsc"), ("aarch64-unknown-linux-gnu", "cntvct_el0")]
)
def test_the_clock_is_one_that_programs_may_read(triple: str, clock: str) -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    x = T.dvector("x")
    program = program_of(x + 1, x)
    module = llvm.parse_assembly(emit(program, Target(triple=triple), timed=True), llvm.create_context())
    module.verify()
    machine = llvm.Target.from_triple(triple).create_target_machine()
    text = machine.emit_assembly(module)
    assert text.lower().count(clock) == 3  # before the step, after it, and the clock alone


# ---- costs ----

n = symbol("n")


def program_of(outputs: Any, *inputs: Any) -> Program:
    return symdl.function(list(inputs), outputs, mode="interpreter", precision="plain").lowered.program


def sizes_of(program: Program, n: int) -> dict[Symbol, int]:
    return {b.symbol: n for b in program.bindings}


def test_the_cost_of_a_formula() -> None:
    x, y = T.fvector("x"), T.fvector("y")
    p = program_of(T.exp(x) * y + x, x, y)
    (step,) = p.steps
    cost = cost_of(step, p, sizes_of(p, 1000))
    assert (cost.read, cost.written, cost.flops) == (8000, 4000, {"float32": 1000 * (12 + 2)})


def test_a_row_that_is_read_again_and_again_moves_once() -> None:
    x, b = T.dmatrix("x"), T.dvector("b")
    p = program_of(x + b, x, b)
    (step,) = p.steps
    cost = cost_of(step, p, sizes_of(p, 50))
    assert (cost.read, cost.written, cost.flops) == (8 * (2500 + 50), 8 * 2500, {"float64": 2500})


def test_the_cost_of_a_product() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    p = program_of(x @ y, x, y)
    (step,) = p.steps
    cost = cost_of(step, p, sizes_of(p, 20))
    assert (cost.read, cost.written, cost.flops) == (2 * 8 * 400, 8 * 400, {"float64": 2 * 8000})


def test_a_product_of_integers_has_no_floating_point_operations() -> None:
    k = T.lmatrix("k")
    (row,) = symdl.function([k], k @ k).profile(np.ones((5, 5), np.int64), calls=1).rows
    assert (row.flops, row.bytes_read, row.bound) == (0, 400, "memory")


def test_a_gather_may_touch_all_of_its_operand_but_no_more() -> None:
    x, k = T.dvector("x"), T.lvector("k")
    p = program_of(x[k], x, k)
    sizes = {b.symbol: 10 if b.buffer == p.of_kind("input")[0].name else 1000 for b in p.bindings}
    cost = [cost_of(s, p, sizes) for s in p.steps if isinstance(s, Kernel)]
    assert sum(c.read for c in cost) == 8 * (10 + 1000)


def test_steps_inside_a_loop_are_counted_with_their_rounds() -> None:
    """A Program by hand, for no function has loops yet."""
    x, out = (Buffer(name, "float64", (n,), kind) for name, kind in (("x", "input"), ("out", "output")))  # type: ignore[arg-type]
    a, b = contiguous("x", "float64", (n,)), contiguous("out", "float64", (n,))
    (size,) = n.terms[0][0]
    loop = Loop(Symbol("t"), 5, (Call("copy", (a, b)),))
    program = Program({"x": x, "out": out}, (Binding(size, "x", 0),), (), (loop,))  # type: ignore[arg-type]
    executable = native().compile(program, timed=True)
    clocks = Clocks(executable, 2)
    bound = executable.bind([np.ones(7)])
    assert executable.execute(bound)[0] == 0
    (outer, rounds), (inner_, calls) = clocks.taken()
    assert (rounds, calls) == (1, 5)
    assert inner_ <= outer
    assert [c for _, c in clocks.taken()] == [0, 0]
    cost = cost_of(loop.body[0], program, {size: 7})  # type: ignore[dict-item]
    assert (cost.read, cost.written) == (56, 56)


# ---- the machine ----


def test_the_limits_of_this_machine() -> None:
    limits = measured(native().machine)
    assert measured(native().machine) is limits
    assert all(1e8 < rate < 1e13 for _, rate in limits.copies)
    assert 1e8 < limits.flops["float64"] < 1e13


def test_bandwidth_is_that_of_the_next_larger_copy() -> None:
    assert [LIMITS.bandwidth(k) for k in (1, 1 << 20, (1 << 20) + 1, 1 << 40)] == [1e10, 1e10, 5e9, 5e9]


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.5 s"), (0.00482, "4.82 ms"), (3.21e-6, "3.21 us"), (4e-9, "4 ns"), (0, "0 ns")]
)
def test_times(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(4, "4 B"), (999, "999 B"), (1000, "0.977 KiB"), (28e6, "26.7 MiB")])
def test_sizes(count: int, text: str) -> None:
    assert size_text(count) == text


# ---- sources and events ----


@pytest.mark.parametrize("form", ["program", "llvm", "asm"])
def test_sources_say_what_a_kernel_computes_and_from_which_line(form: str) -> None:
    f, _, _ = step_and_data()
    lines = f.source(form).splitlines()
    mark = ";" if form == "llvm" else "//|#" if form == "asm" else "#"
    begin = {"program": r" *kernel$", "llvm": r"define internal i64 @kernel_", "asm": r"_?kernel_\w+:"}[form]
    places = [k for k, line in enumerate(lines) if re.match(begin, line)]
    assert places
    for k in places:
        assert re.match(rf" *({mark}) .*\(test_profile\.py:\d+", lines[k - 1]), lines[k - 1]


def test_kernel_functions_are_named_for_what_they_do() -> None:
    x = T.dmatrix("x")
    text = symdl.function([x], T.exp(x).sum(axis=1)).source("llvm")
    assert re.search(r"@kernel_(exp_sum|sum_exp)_\d+\(", text)


def test_compiling_tells_the_logger(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    x = T.dvector("x")
    y = T.tanh(x) * 3 + T.exp(x * 0.123)
    with caplog.at_level(logging.DEBUG, "symdl"):
        symdl.function([x], y)
        symdl.function([x], y)
    stages = [m[1] for r in caplog.records if (m := re.match(r"stage ([a-z ]+): [\d.]+ ms", r.getMessage()))]
    assert stages == ["sizes", "stabilize", "simplify", "fuse and order", "emit", "machine code", "load"]
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.INFO]
    assert re.match(
        r"compiled test_profile.py:\d+ in [\d.]+ ms: 1 steps, \d+ bytes of code \(not in the cache\)", told[0]
    )
    assert re.match(r"loaded test_profile.py:\d+ in [\d.]+ ms: \d+ bytes of code from the cache", told[1])


def test_symdl_installs_no_handler_and_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    assert logging.getLogger("symdl").handlers == []
    x = T.dvector("x")
    lowered(symdl.function([x], x * 1.5, mode="numpy").graph)
    assert [r for r in caplog.records if r.levelno < logging.WARNING] == []


def test_number_forms_count_as_what_they_are_made_of() -> None:
    x = T.vector("x")
    f = symdl.function([x], T.log(T.sum(T.exp(x * x)) / 3), precision="right")
    found = f.profile(np.linspace(0, 40, 100))
    assert sum(r.flops for r in found.rows) > 0
    assert "Gflop/s" in str(found)
