"""Routines: whole-array functions between the steps of a Program, and parts of a graph whose sizes data decide."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.errors import ProgramError, ShapeError
from symdl.graph.expr import OPS, Expr, Op, make, register, results
from symdl.ir.loops import contiguous
from symdl.ir.program import Buffer, Call, Kind, Program, verify
from symdl.ops.counted import nonzero_of, unique_of
from symdl.types import Results, TensorType

MODES = ["native", "interpreter", "numpy"]
SEEN: list[bool] = []


def spectrum(a: np.ndarray, *, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and vectors, to have two results and a param; looks at what it is given."""
    SEEN.append(a.flags.writeable)
    values, vectors = np.linalg.eigh(a)
    return values * scale, vectors


@pytest.fixture(scope="module", autouse=True)
def ops() -> Iterator[None]:
    """Ops of this kind, for as long as these tests run."""

    def square(t: TensorType) -> Any:
        return t, ()

    def pair(t: TensorType, *, scale: int) -> Any:
        return Results((TensorType(t.dtype, t.shape[:1]), t)), ()

    register(Op("lower_root", "routine", ("a",), square, "", reference=np.linalg.cholesky))
    register(Op("spectrum", "routine", ("a",), pair, "", reference=spectrum))
    register(Op("misshapen", "routine", ("a",), square, "", reference=lambda a: a[0]))
    yield
    for name in ("lower_root", "spectrum", "misshapen"):
        del OPS[name]


def root(a: Expr) -> Expr:
    return make(OPS["lower_root"], (a,))


@pytest.mark.parametrize("mode", MODES)
def test_results_go_on_into_the_graph(mode: str) -> None:
    x, w = T.matrix("x"), symdl.shared(np.eye(3), "w")
    s = x.T @ x + np.eye(3)
    values, vectors = results(make(OPS["spectrum"], (s[::-1, ::-1],), scale=2))
    outputs = [root(s) + 1, vectors @ T.diag(values / 2) @ vectors.T, values[-1]]
    f = symdl.function([x], outputs, updates={w: w + root(s)}, mode=mode)
    a = np.random.default_rng(0).standard_normal((5, 3))
    truth = a.T @ a + np.eye(3)
    for _ in range(2):
        lower, again, largest = f(a)
    np.testing.assert_allclose(lower - 1, np.linalg.cholesky(truth), rtol=1e-13)
    np.testing.assert_allclose(again, truth[::-1, ::-1], rtol=1e-13)
    np.testing.assert_allclose(largest, 2 * np.linalg.eigvalsh(truth)[-1], rtol=1e-13)
    np.testing.assert_allclose(w.get_value(), np.eye(3) + 2 * np.linalg.cholesky(truth), rtol=1e-13)
    assert not any(SEEN) or mode == "numpy"  # what a routine is given cannot be changed by it


@pytest.mark.parametrize("mode", ["native", "interpreter"])
def test_what_a_routine_raises_reaches_the_caller(mode: str) -> None:
    x, w = T.matrix("x"), symdl.shared(np.ones(2), "w")
    f = symdl.function([x], root(x - 1), updates={w: 2 * w}, mode=mode)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite") as caught:
        f(np.zeros((2, 2)))
    assert caught.value.__notes__[0].startswith("symdl: in lower_root(x - 1), test_routines.py:")
    np.testing.assert_array_equal(w.get_value(), np.ones(2))  # all or nothing
    np.testing.assert_array_equal(f(np.eye(2) + 1), np.eye(2))
    np.testing.assert_array_equal(w.get_value(), 2 * np.ones(2))
    g = symdl.function([x], make(OPS["misshapen"], (x,)), mode=mode)
    with pytest.raises(ValueError, match=r"returned an array of shape \(2,\), not \(2, 2\)"):
        g(np.eye(2))


def test_code_from_the_cache_calls_them_too(tmp_path: Path) -> None:
    x = T.matrix("x")

    def made() -> Any:
        return symdl.function([x], results(make(OPS["spectrum"], (x + 1,), scale=3))[0])

    with symdl.config.change(cache_dir=str(tmp_path)):
        first, second = made(), made()
    assert first._main.form is not None
    assert second._main.form is None
    for f in (first, second, pickle.loads(pickle.dumps(first))):
        np.testing.assert_allclose(f(np.eye(2) - 1), [3, 3])


def test_the_program_is_verified() -> None:
    kinds: dict[str, Kind] = {"x": "input", "s": "shared", "o": "output"}
    buffers = {k: Buffer(k, "float64", (3,), kind) for k, kind in kinds.items()}
    x, s, o = (contiguous(k, "float64", (3,)) for k in "xso")

    def program(*steps: Call) -> Program:
        return Program(buffers, (), (), steps)

    verify(program(Call("routine", (x, o), routine=0)))
    for wrong, what in [
        ((Call("routine", (x, o)),), "routine -1"),
        ((Call("routine", (o, o), routine=0),), "read before"),
        ((Call("copy", (x, s)), Call("routine", (x, o), routine=0)), "comes after a shared value was written"),
        ((Call("routine", (x, s), routine=0), Call("copy", (x, o))), "comes after a shared value was written"),
    ]:
        with pytest.raises(ProgramError, match=what):
            verify(program(*wrong))


# ---- sizes that data decide ----


@pytest.mark.parametrize("mode", MODES)
def test_places_and_distinct_values(mode: str) -> None:
    x, w = T.vector("x"), symdl.shared(np.zeros(3), "w")
    (places,) = nonzero_of(x > 0)
    chosen = x[places]
    first, numbers, counts = unique_of(T.round(x))
    outputs = [chosen, symdl.grad(T.sum(chosen**3), x), T.round(x[first]), numbers, counts, nonzero_of(x[first] > 2)[0]]
    f = symdl.function([x], outputs, updates={w: w + T.sum(chosen)}, mode=mode)
    for a in ([-1.0, 2.0, 3.0, 2.2, -4.0], [], [-1.0, -1.0]):
        values = np.array(a)
        old = w.get_value()
        found = f(values)
        distinct, again, often = np.unique(np.round(values), return_inverse=True, return_counts=True)
        np.testing.assert_array_equal(found[0], values[values > 0])
        np.testing.assert_allclose(found[1], np.where(values > 0, 3 * values**2, 0), rtol=1e-15)
        for mine, theirs in zip(found[2:5], (distinct, again, often), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_array_equal(found[5], np.nonzero(distinct > 2)[0])
        np.testing.assert_allclose(w.get_value(), old + values[values > 0].sum())


def test_a_fact_about_such_sizes_is_checked() -> None:
    x, v = T.vector("x"), T.vector("v")
    (places,) = nonzero_of(x > 0)
    f = symdl.function([x, v], x[places] * v)
    np.testing.assert_array_equal(f([1.0, -1.0, 2.0], [10.0, 20.0]), [10.0, 40.0])
    with pytest.raises(ShapeError, match=r"2.*3|3.*2"):
        f([1.0, -1.0, 2.0], [10.0, 20.0, 30.0])
