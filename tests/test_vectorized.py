"""A batch of a graph is the graph for each of the batch: every case of the table, and Jacobians made of such batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agree import Case, leaf
from cases import CASES

import symdl
import symdl.tensor as T
from symdl.errors import ShapeError
from symdl.graph.expr import Expr
from symdl.graph.walks import levels
from symdl.passes.evaluate import evaluate
from symdl.passes.vectorized import NotBatched, vectorize_graph

WITHOUT = {"least_squares", "searchsorted", "convolve_filters", "ifelse"}  # ops that have no batched form, or not here


def batchable(case: Case) -> bool:
    arrays = case.arrays("float64" if case.floats else "int64")
    built = case.build(*(leaf(f"x{k}", a) for k, a in enumerate(arrays)))
    kinds = {n.op.kind for y in (built if isinstance(built, list | tuple) else [built]) for n in levels(y)}
    return "counted" not in kinds


@pytest.mark.parametrize("case", [c for c in CASES if batchable(c)], ids=repr)
def test_every_case_for_a_batch(case: Case) -> None:
    dtype = "float64" if case.floats else "int64"
    many = [case.arrays(dtype, seed) for seed in (1, 2, 3)]
    leaves = [leaf(f"x{k}", a) for k, a in enumerate(many[0])]
    built = case.build(*leaves)
    outputs = list(built) if isinstance(built, list | tuple) else [built]
    wanted = [evaluate(outputs, dict(zip(leaves, arrays, strict=True))) for arrays in many]
    for chosen in [{0}, set(range(len(leaves)))] + ([{len(leaves) - 1}] if len(leaves) > 1 else []):
        wide = {k: np.stack([arrays[k] for arrays in many]) for k in chosen}
        new = {k: leaf(f"b{k}", a) for k, a in wide.items()}
        replace = {leaves[k]: new[k] for k in chosen}
        names = {n.op.name for n in levels(*outputs)}
        if names & WITHOUT or ("convolve" in case.name and chosen != {0}):  # batches of filters
            with pytest.raises(NotBatched, match="has no batched form"):
                vectorize_graph(outputs, replace)
            continue
        batched = vectorize_graph(outputs, replace)
        values: dict[Any, Any] = {new[k]: wide[k] for k in chosen}
        values |= {x: many[0][k] for k, x in enumerate(leaves) if k not in chosen}
        found = evaluate(batched, values)
        for b in range(3):
            arrays = [many[b][k] if k in chosen else many[0][k] for k in range(len(leaves))]
            one = wanted[b] if len(chosen) == len(leaves) else evaluate(outputs, dict(zip(leaves, arrays, strict=True)))
            for y, f, w in zip(batched, found, one, strict=True):
                assert y.type.dtype == w.dtype.name
                part = f[b] if f.ndim > w.ndim else f  # it does not depend on what is batched
                np.testing.assert_allclose(part, w, rtol=1e-12, atol=1e-12)


def test_two_axes_of_batches_and_what_is_in_none() -> None:
    x, w = T.vector("x"), T.vector("w")
    y, z = T.dot(x, w) + T.softmax(x), T.sum(w)
    xs = T.tensor3("xs")
    batched = T.vectorize_graph([y, z], {x: xs})
    f = symdl.function([xs, w], batched)
    a, b = np.random.default_rng(0).standard_normal((2, 3, 4)), np.arange(4.0)
    softmax = np.exp(a) / np.exp(a).sum(-1, keepdims=True)
    np.testing.assert_allclose(f(a, b)[0], (a @ b)[..., None] + softmax, rtol=1e-13)
    assert f(a, b)[1] == 6.0
    assert T.vectorize_graph(y, {x: xs}).type.ndim == 3
    assert T.vectorize_graph([], {x: xs}) == []
    with pytest.raises(ShapeError, match="must have axes in front of its 1"):
        T.vectorize_graph(y, {x: w})
    with pytest.raises(ShapeError, match="1 leading axes, and 2 of another"):
        T.vectorize_graph(y, {x: xs, w: T.matrix("ws")})


@pytest.mark.parametrize("shape", [(None,), (3,), (0,)])
def test_jacobians_of_any_length(shape: Any) -> None:
    x = T.tensor("x", "float64", shape)
    y = T.outer(x, T.sin(x))
    f = symdl.function([x], T.jacobian(y, x))
    a = np.linspace(0.5, 1.5, shape[0] if shape[0] is not None else 3)
    n = len(a)
    wanted = np.zeros((n, n, n))
    for i in range(n):
        for j in range(n):
            wanted[i, j, i] += np.sin(a[j])
            wanted[i, j, j] += a[i] * np.cos(a[j])
    np.testing.assert_allclose(f(a), wanted, rtol=1e-14)
    h = symdl.function([x], T.hessian(T.sum(x**3), x))
    np.testing.assert_allclose(h(a), np.diag(6 * a), rtol=1e-14)


def test_jacobian_of_a_network_and_what_it_does_not_depend_on() -> None:
    x, w = T.matrix("x"), symdl.shared(np.random.default_rng(1).standard_normal((3, 2)), "w")
    y = T.softmax(T.tanh(x @ w))
    both = T.jacobian(y, [x, w])
    f = symdl.function([x], both)
    a = np.random.default_rng(2).standard_normal((4, 3))
    rows = symdl.function([x], [T.grad(y[i, j], [x, w])[k] for k in (0, 1) for i in range(4) for j in range(2)])(a)
    np.testing.assert_allclose(f(a)[0], np.reshape(rows[:8], (4, 2, 4, 3)), rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(f(a)[1], np.reshape(rows[8:], (4, 2, 3, 2)), rtol=1e-11, atol=1e-15)
    with pytest.raises(symdl.errors.GradientError, match="does not depend on"):
        T.jacobian(y, T.vector("other"))
    zero = T.jacobian(x[0], T.vector("other"), disconnected_inputs="ignore")
    assert isinstance(zero, Expr)
    assert zero.type.ndim == 2
