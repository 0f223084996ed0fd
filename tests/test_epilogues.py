"""Epilogues: which kernels join the product that they read, and that they compute the same everywhere."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from agree import agree
from programs import calls, kernels, program_of, temps

import symdl
import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.cpu.libraries import threads_pool
from symdl.backends.interpreter.backend import interpret
from symdl.errors import ProgramError
from symdl.ir.arena import passing, plan
from symdl.ir.epilogues import with_epilogues
from symdl.ir.loops import Apply, Const, For, Load, Store, contiguous
from symdl.ir.program import Binding, Buffer, Call, Kernel, Program, is_epilogue, verify
from symdl.pipeline import compilation
from symdl.pipeline.compilation import Graph, lowered
from symdl.runtime.runs import native
from symdl.types import Symbol, symbol

m, n, k, i, j = map(symbol, "mnkij")
SIZES = [(1, 1, 1), (0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 40, 7), (7, 1, 5), (5, 10, 3), (33, 17, 9), (70, 75, 600)]


def dense(dtype: str) -> tuple[list[Any], list[Any]]:
    """A layer whose sum before the activation is used as well, so that the product must be kept, and one whose is not."""
    x, w, b, v = T.matrix("x", dtype), T.matrix("w", dtype), T.vector("b", dtype), T.matrix("v", dtype)
    h = x @ w
    return [x, w, b, v], [T.tanh(h + b), h * 2, T.maximum(x @ v + b, 0)]


def arrays(sizes: tuple[int, int, int], dtype: str) -> list[Any]:
    """Multiples of 1/16, so that sums are exact in any order."""
    rng = np.random.default_rng(0)
    rows, columns, inner = sizes
    shapes = ((rows, inner), (inner, columns), (columns,), (inner, columns))
    return [(rng.integers(-4, 5, s) / 16).astype(dtype) for s in shapes]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_three_ways(sizes: tuple[int, int, int], dtype: str) -> None:
    inputs, outputs = dense(dtype)
    agree(outputs, dict(zip(inputs, arrays(sizes, dtype), strict=True)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_instruction_sets(lesser: CpuBackend, dtype: str) -> None:
    inputs, outputs = dense(dtype)
    form = lowered(Graph(tuple(inputs), (), tuple(outputs), ()))
    executable = lesser.compile(form.program)
    for sizes in SIZES:
        values = arrays(sizes, dtype)
        status, found = executable.execute(executable.bind(values))
        assert status == 0
        result = interpret(
            form.program, dict(zip([b.name for b in form.program.of_kind("input")], values, strict=True))
        )
        for got, expected in zip(found, result.outputs.values(), strict=True):
            np.testing.assert_allclose(got, expected, rtol=float(8 * np.finfo(dtype).eps), atol=0.0)


def test_a_layer_is_one_step_and_needs_no_memory_beside_its_result() -> None:
    inputs, outputs = dense("float64")
    program = program_of(inputs, outputs[2:])
    assert calls(program) == ["matmul"]
    assert not kernels(program)
    assert not temps(program)
    assert calls(program_of(inputs, outputs)) == ["matmul", "matmul"]
    assert kernels(program_of(inputs, outputs)) == []


def sgd(beyond: int) -> Program:
    """A step whose weight is updated; products of so many bytes need no memory of their own."""
    x, y = T.matrix("x"), T.matrix("y")
    w = symdl.shared(np.zeros((5, 70)), "w")
    loss = T.sqr(x @ w - y).sum()
    graph = Graph((x, y), (w,), (loss,), ((w, w - 0.1 * symdl.grad(loss, w)),))
    whole = lowered(graph, blocks=False).program
    return plan(with_epilogues(replace(whole, offsets={}, slots=()), beyond))


def test_the_gradient_of_a_large_weight_that_is_updated_needs_no_memory() -> None:
    program = sgd(2800)
    (last,) = [s for s in program.steps if isinstance(s, Call) and s.epilogue]
    assert passing(program) == {last.views[-1].buffer}
    assert last.views[-1].buffer not in program.offsets
    assert not passing(sgd(2801))
    verify(program)
    rng = np.random.default_rng(0)
    x, y, w = (rng.integers(-4, 5, s).astype("float64") for s in ((30, 5), (30, 70), (5, 70)))
    found = []
    for each in (program, sgd(2801)):
        executable = native().compile(each)
        by_machine, by_interpreter = w.copy(), w.copy()
        status, _ = executable.execute(executable.bind([x, y], [by_machine]))
        names = [b.name for b in each.of_kind("input", "shared")]
        assert status == interpret(each, dict(zip(names, (x, y, by_interpreter), strict=True))).status == 0
        found += [by_machine, by_interpreter]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("adam", [False, True])
def test_updates(adam: bool, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three steps in every mode, all updates joined; the first weight's gradient needs the second weight's old value."""
    monkeypatch.setattr(compilation, "with_epilogues", partial(with_epilogues, beyond=0))
    rng = np.random.default_rng(0)
    values = rng.normal(size=(33, 20)).astype(dtype), rng.normal(size=(33, 9)).astype(dtype)
    found: list[list[Any]] = []
    for mode in ("numpy", "interpreter", "native"):
        x, y = T.matrix("x", dtype), T.matrix("y", dtype)
        ws = [symdl.shared(np.full((a, b), 0.1, dtype), "w") for a, b in ((20, 70), (70, 9))]
        loss = T.sqr(T.tanh(x @ ws[0]) @ ws[1] - y).mean()
        updates = []
        for w, g in zip(ws, symdl.grad(loss, ws), strict=True):
            if adam:
                first, second = (symdl.shared(np.zeros(w.get_value().shape, dtype), s) for s in "mv")
                new_first, new_second = 0.9 * first + 0.1 * g, 0.99 * second + 0.01 * g * g
                updates += [(first, new_first), (second, new_second)]
                updates.append((w, w - 0.01 * new_first / (T.sqrt(new_second) + 1e-6)))
            else:
                updates.append((w, w - 0.1 * g))
        step = symdl.function([x, y], loss, updates=updates, mode=mode)
        losses = [float(step(*values)) for _ in range(3)]
        found.append([losses, *(w.get_value() for w in ws)])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4 if dtype == "float32" else 1e-9, atol=1e-6)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    """Large enough for several blocks with and without a packed left operand."""
    x, w = T.matrix("x", "float32"), symdl.shared(np.full((300, 200), 0.01, "float32"), "w")
    h = T.tanh(x @ w)
    step = symdl.function([x], h, updates=[(w, w - 0.1 * symdl.grad((h * h).sum(), w))])
    values = np.random.default_rng(0).normal(size=(500, 300)).astype("float32")
    pool, start = threads_pool(native().machine), w.get_value()
    before, found = pool.threads, []
    try:
        for count in (1, 2, 3):
            pool.resize(count)
            w.set_value(start)
            found.append((step(values), w.get_value()))
    finally:
        pool.resize(before)
    for h_, w_ in found[1:]:
        np.testing.assert_array_equal(h_, found[0][0])
        np.testing.assert_array_equal(w_, found[0][1])


# ---- what may be an epilogue ----

A, B, C = (contiguous(name, "float64", shape) for name, shape in zip("abc", ((m, k), (k, n), (m, n)), strict=True))
OUT = contiguous("out", "float64", (m, n))
TURNED = contiguous("turned", "float64", (n, m))
ROW = contiguous("row", "float64", (n,))


def product(*body: Any, rows: Any = m, columns: Any = n) -> Call:
    return Call("matmul", (A, B, C), (), (For(Symbol("i"), rows, (For(Symbol("j"), columns, body),)),))


def doubled(value: Any) -> Apply:
    return Apply("add", (value, value), "float64")


GOOD = [
    product(Store(OUT, (i, j), doubled(Load(C, (i, j))))),
    product(Store(C, (i, j), doubled(Load(C, (i, j)))), Store(TURNED, (j, i), Load(ROW, (j,)))),
    product(Store(OUT, (i, j), Apply("add", (Load(OUT, (i, j)), Load(A, (0, 0))), "float64"))),
]
BAD = {
    "another element of the product": product(Store(OUT, (i, j), Load(C, (0, j)))),
    "one place for many rounds": product(Store(ROW, (j,), Load(C, (i, j)))),
    "an operand is overwritten": product(Store(A, (i, j), Load(C, (i, j)))),
    "another element of what is written": product(Store(OUT, (i, j), Load(OUT, (i, 0)))),
    "two places": product(Store(OUT, (i, j), Load(C, (i, j))), Store(OUT, (i, 0), Const(0.0, "float64"))),
    "other rows": product(Store(OUT, (i, j), Load(C, (i, j))), rows=k),
    "an inner loop": product(For(Symbol("p"), k, (Store(OUT, (i, j), Load(C, (i, j))),))),
    "not a product": replace(GOOD[0], name="copy", views=(A, C)),
    "not in C order": replace(GOOD[0], views=(A, B, replace(C, strides=(1, m)))),
}


@pytest.mark.parametrize("call", GOOD)
def test_what_may_be_an_epilogue(call: Call) -> None:
    assert is_epilogue(call)


@pytest.mark.parametrize("why", BAD)
def test_what_may_not(why: str) -> None:
    assert not is_epilogue(BAD[why])


def test_the_verifier_refuses_an_epilogue_whose_rounds_depend_on_one_another() -> None:
    buffers = {v.buffer: Buffer(v.buffer, v.dtype, v.shape, "input") for v in (A, B)}
    buffers |= {v.buffer: Buffer(v.buffer, v.dtype, v.shape, "temp") for v in (C, OUT)}
    bindings = tuple(Binding(Symbol(s), b, axis) for s, b, axis in (("m", "a", 0), ("k", "a", 1), ("n", "b", 1)))
    verify(Program(buffers, bindings, (), (GOOD[0],)))
    with pytest.raises(ProgramError, match="depends on the order of its rounds"):
        verify(Program(buffers, bindings, (), (BAD["another element of the product"],)))


def test_a_kernel_between_keeps_product_and_user_apart() -> None:
    """What overwrites an operand or reads the product stands between: neither may pass it."""
    x, y = T.matrix("x"), T.matrix("y")
    z = x @ y
    program = program_of([x, y], [z + z.sum(), z])
    assert all(not s.epilogue for s in program.steps if isinstance(s, Call))
    assert any(isinstance(s, Kernel) for s in program.steps)
