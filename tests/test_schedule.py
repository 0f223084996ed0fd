"""Steps in an order that needs little memory: what they compute stays, and training steps come near the minimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_fuse import updated
from test_memory import straight

import symdl
import symdl.tensor as T
from symdl.backends.interpreter.backend import interpret
from symdl.functions import Function
from symdl.ir import schedule
from symdl.ir.arena import arena_bytes, live_bytes, plan
from symdl.ir.memory import reused
from symdl.ir.program import Call, Kernel, Program, accesses, may_fail, verify
from symdl.ir.schedule import scheduled
from symdl.pipeline.compilation import lowered
from symdl.types import Symbol


def network(width: int, layers: int, activation: Any = lambda h: T.where(h > 0, h, 0)) -> tuple[list[Any], Any, Any]:
    """Inputs, loss and plain updates of an MLP with labels."""
    rng = np.random.default_rng(0)
    x, y = T.fmatrix("x"), T.ivector("y")
    params: list[Any] = []
    h: Any = x
    for k in range(layers):
        W = rng.standard_normal((width, width)).astype("f4") / np.float32(width**0.5)
        params += [symdl.shared(W, f"W{k}"), symdl.shared(np.zeros(width, "f4"), f"b{k}")]
        h = h @ params[-2] + params[-1]
        h = activation(h) if k < layers - 1 else T.softmax(h)
    loss = -T.log(h[T.arange(y.shape[0]), y]).mean()
    return [x, y], loss, [(p, p - 0.1 * g) for p, g in zip(params, symdl.grad(loss, params), strict=True)]


def program_of(inputs: list[Any], outputs: Any, updates: Any = ()) -> Program:
    return symdl.function(inputs, outputs, updates=updates, mode="interpreter").lowered.program


def batch(program: Program, n: int) -> dict[Symbol, int]:
    return {b.symbol: n for b in program.bindings}


@pytest.mark.parametrize(("rows", "arrays"), [(64, 24), (8, 6)])
def test_a_deep_training_step_needs_little_more_than_its_activations(rows: int, arrays: int) -> None:
    """The outputs of 20 layers, two gradients, some rows; with few rows all gradients of weights would be most."""
    program = program_of(*network(64, 20))
    sizes = {b.symbol: 64 if b.axis == 1 else rows for b in program.bindings}
    least = live_bytes(program, sizes)
    assert least <= arena_bytes(program, sizes) <= 1.05 * least
    assert arena_bytes(program, sizes) <= arrays * 64 * 64 * 4


def test_a_weight_is_updated_when_its_gradient_is_there() -> None:
    program = program_of(*network(64, 20))
    commits = [
        k
        for k, s in enumerate(program.steps)
        if any(w and program.buffers[v.buffer].kind == "shared" for v, w in accesses(s))
    ]
    assert commits[-1] - commits[0] > len(commits) + 20
    assert commits[0] > max(k for k, s in enumerate(program.steps) if may_fail(s))


def test_a_shallow_step_writes_last() -> None:
    """No memory to be won is worth the interrupts that are not answered after the first write."""
    program = program_of(*network(64, 2))
    writes = [any(w and program.buffers[v.buffer].kind == "shared" for v, w in accesses(s)) for s in program.steps]
    assert writes == sorted(writes)


def test_a_value_lies_over_one_that_dies() -> None:
    x = T.matrix("x")
    program = program_of([x], T.tanh(x @ x) @ x)
    assert len(program.of_kind("temp")) == 1


def test_what_is_read_later_is_kept() -> None:
    x = T.matrix("x")
    y = x @ x
    program = program_of([x], T.tanh(y) @ y)
    assert len(program.of_kind("temp")) == 2


def test_a_sum_of_rows_is_not_laid_over_what_its_row_still_reads() -> None:
    x = T.matrix("x")
    y = x @ x
    f = symdl.function([x], T.softmax(y) @ x)
    a = np.random.default_rng(0).standard_normal((5, 5))
    e = np.exp(a @ a - (a @ a).max(axis=1, keepdims=True))
    np.testing.assert_allclose(f(a), e / e.sum(axis=1, keepdims=True) @ a, rtol=1e-12)


@given(straight(), st.integers(0, 3), st.integers(0, 3))
def test_another_order_and_less_memory_compute_the_same(p: Program, rows: int, columns: int) -> None:
    better = plan(reused(scheduled(p)))
    verify(better)
    arrays = {"x": np.arange(1.0, rows + 1), "y": -np.arange(1.0, columns + 1)}
    expected, found = interpret(p, arrays).outputs, interpret(better, arrays).outputs
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_any_order_that_is_found_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random updates of shared values by one another, with every order taken that the search finds."""
    monkeypatch.setattr(schedule, "WORTH_IT", 10.0)
    for seed in range(100, 130):
        for expected, got in zip(updated(seed, "numpy"), updated(seed, "interpreter"), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12, err_msg=f"seed {seed}")


@pytest.mark.parametrize("activation", [lambda h: T.where(h > 0, h, 0), lambda h: T.maximum(0, h), T.tanh, T.sigmoid])
def test_a_training_step_is_the_oracles(activation: Any) -> None:
    results = []
    rng = np.random.default_rng(1)
    images, labels = rng.standard_normal((6, 9)).astype("f4"), rng.integers(0, 9, 6).astype("i4")
    for mode in ("numpy", "interpreter", "native"):
        inputs, loss, updates = network(9, 3, activation)
        f = symdl.function(inputs, loss, updates=updates, mode=mode)
        results.append([f(images, labels), f(images, labels), *(p.get_value() for p, _ in updates)])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(b, a, rtol=2e-5, atol=1e-6)


def masked(function: Function) -> int:
    """How many temps the kernels of a function read."""
    program = function.lowered.program
    return len({v.buffer for s in program.steps if isinstance(s, Kernel) for v, w in accesses(s) if not w})


def test_a_mask_is_asked_of_the_result() -> None:
    """The same numbers where x is NaN, infinite or a zero of either sign, and x itself is not kept."""
    x, v = T.dmatrix("x"), T.dmatrix("v")
    z = x * 1.5 + 0.25 * x
    h = T.where(z > 0, z, 0)
    outputs = [h @ v, T.where(z > 0, v, -v)]
    a = np.array([[1.0, -1.0], [0.0, -0.0], [np.nan, np.inf], [-np.inf, 5e-324]])
    f = symdl.function([x, v], outputs)
    (gt,) = {n for n in f.lowered.final[1].inputs if n.op.name == "gt"}
    assert gt.inputs[0] is f.lowered.final[0].inputs[0]
    with np.errstate(all="ignore"):
        for p, q in zip(f(a[:2], a[:2]), symdl.function([x, v], outputs, mode="numpy")(a[:2], a[:2]), strict=True):
            np.testing.assert_array_equal(p, q)
        mask = symdl.function([x, v], outputs[1])
        np.testing.assert_array_equal(f(a[2:], a[:2])[1], mask(a[2:], a[:2]))


@pytest.mark.parametrize(
    "rectifier", [lambda z: T.where(z > 0, z, 0), lambda z: T.where(z <= 0, 0, z), lambda z: T.maximum(z, 0)]
)
@pytest.mark.parametrize("mask", [lambda z: z > 0, lambda z: z <= 0])
def test_masks_of_rectifiers_say_what_they_said(rectifier: Any, mask: Any) -> None:
    """Of all values, NaN too, whichever of the two comparisons stands in the rectifier and which is asked."""
    x, v = T.dmatrix("x"), T.dmatrix("v")
    a = np.array([[1.0, -1.0, 0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, -5e-324, 3.0]])
    z = x * 1.0 + 0.0
    f = symdl.function([x, v], [rectifier(z) @ v, T.where(mask(z), 1.0, 2.0)])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(f(a, np.ones((10, 1)))[1], np.where(a > 0 if mask(1) else a <= 0, 1.0, 2.0))


def test_the_gradient_of_relu_needs_its_output_alone() -> None:
    program = program_of(*network(64, 6, T.relu))
    sizes = {b.symbol: 64 for b in program.bindings}
    assert arena_bytes(program, sizes) <= 10 * 64 * 64 * 4
    x = T.dvector("x")
    values = np.array([-1.0, -0.0, 0.0, 2.0, np.nan])
    y, g = symdl.function([x], [T.relu(x), symdl.grad(T.relu(x).sum(), x)])(values)
    np.testing.assert_array_equal(y, [0, 0, 0, 2, np.nan])
    np.testing.assert_array_equal(g[:4], [0, 0, 0, 1])


def test_a_mask_of_what_is_used_otherwise_stays() -> None:
    x, v = T.dmatrix("x"), T.dmatrix("v")
    h = T.where(x > 0, x, 0)
    f = symdl.function([x, v], [h @ v, T.where(x > 0, v, -v), T.exp(x)])
    (gt,) = {n for n in f.lowered.final[1].inputs if n.op.name == "gt"}
    assert gt.inputs[0].name == "x" or gt.inputs[0].op.name == "variable"


def test_a_function_of_calls_alone_is_scheduled() -> None:
    x = T.dmatrix("x")
    form = lowered(symdl.function([x], [x @ x @ x, x @ x], mode="numpy").graph)
    assert [type(s) for s in form.program.steps] == [Call] * len(form.program.steps)
