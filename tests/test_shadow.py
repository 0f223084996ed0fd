"""The arithmetics of shadows against mpmath, and which elements a sample demands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import symdl.tensor as T
from symdl.diagnosis.demand import demanded, shapes_of
from symdl.diagnosis.double_double import (
    DoubleDouble,
    added,
    compiled_function,
    divided,
    less,
    multiplied,
    normal,
    root,
)
from symdl.diagnosis.exact_numbers import ExactNumbers
from symdl.diagnosis.shadow import shadow
from symdl.graph.expr import OPS
from symdl.graph.walks import topological
from symdl.passes.evaluate import bind, evaluate
from symdl.passes.rewrite import expanded

Array = np.ndarray[Any, Any]
D, E = DoubleDouble(), ExactNumbers()


def number(x: Any, at: Any) -> Any:
    return sum((mpmath.mpf(float(limb[at])) for limb in x), mpmath.mpf(0))


def pairs(rng: np.random.Generator, count: int = 60) -> tuple[Array, Array]:
    high = rng.normal(size=count) * 10.0 ** rng.uniform(-30, 30, count)
    return normal(high, high * rng.normal(size=count) * 2.0**-54)  # type: ignore[return-value]  # two limbs


def worst(found: Any, exact: Callable[[int], Any]) -> float:
    with mpmath.workprec(400):
        return max(
            float(abs((number(found, k) - exact(k)) / exact(k))) if exact(k) else abs(float(number(found, k)))
            for k in range(len(found[0]))
        )


def test_arithmetic_of_pairs(rng: np.random.Generator) -> None:
    x, y = pairs(rng), pairs(rng)
    with mpmath.workprec(400):
        assert worst(multiplied(x, y), lambda k: number(x, k) * number(y, k)) < 2.0**-101
        assert worst(divided(x, y), lambda k: number(x, k) / number(y, k)) < 2.0**-101
        size = tuple(np.where(x[0] < 0, -limb, limb) for limb in x)
        assert worst(root(size), lambda k: mpmath.sqrt(number(size, k))) < 2.0**-101
        near = x[0] * (1 + 1e-12), x[1]
        total = added(x, tuple(-limb for limb in near))
        gap = [abs(number(total, k) - (number(x, k) - number(near, k))) / abs(number(x, k)) for k in range(len(x[0]))]
        assert max(gap) < 2.0**-101


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "erf"])
def test_functions_of_pairs(name: str, rng: np.random.Generator) -> None:
    x = normal(np.abs(rng.normal(size=40)) + 0.1, rng.normal(size=40) * 2.0**-56)
    with mpmath.workprec(400):
        assert worst(D.elementwise(OPS[name], [x]), lambda k: getattr(mpmath, name)(number(x, k))) < 2.0**-95


def test_special_values_of_pairs() -> None:
    one = D.lift(np.array([1.0, 0.0, np.inf, -1.0, np.nan]))
    zero = D.lift(np.zeros(5))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(divided(one, zero)[0], [np.inf, np.nan, np.inf, -np.inf, np.nan])
        np.testing.assert_array_equal(root(one)[0], [1, 0, np.inf, np.nan, np.nan])
        np.testing.assert_array_equal(multiplied(one, D.lift(np.full(5, 1e308)))[0], [1e308, 0, np.inf, -1e308, np.nan])
        assert not any(np.isnan(limb[:4]).any() for limb in added(one, D.lift(np.ones(5))))
        np.testing.assert_array_equal(less(zero, one), [True, False, True, False, False])
    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        plain = OPS[name].reference
        assert plain is not None
        np.testing.assert_array_equal(D.compare(name, one, zero), plain(one[0], zero[0]))


def test_no_function_without_a_formula() -> None:
    with pytest.raises(KeyError):
        compiled_function("no_such_op", 1)


@pytest.mark.parametrize(
    "notation", ["i k, k j -> i j", "k i, k j -> j i", "b i k, b k j -> b i j", "i, j -> i j", "k, k -> "]
)
def test_products_of_pairs(notation: str, rng: np.random.Generator) -> None:
    size = dict(zip("bijk", (2, 3, 4, 90), strict=True))
    shapes = [[size[a] for a in part.split()] for part in notation.split("->")[0].split(",")]
    x, y = (normal(rng.normal(size=s), rng.normal(size=s) * 2.0**-55) for s in shapes)
    found = D.contract(notation, [x, y])
    exact = E.contract(notation, [(_numbers(x),), (_numbers(y),)])[0]
    size_of = np.einsum(notation.replace(" ", ""), np.abs(x[0]), np.abs(y[0]))
    with mpmath.workprec(400):
        for at in np.ndindex(exact.shape):
            assert float(abs(number(found, at) - exact[at])) <= 2.0**-70 * size_of[at]


def _numbers(x: Any) -> Array:
    out = np.empty(x[0].shape, object)
    for at in np.ndindex(out.shape):
        with mpmath.workprec(400):
            out[at] = number(x, at)
    return out


def test_a_product_near_a_known_one(rng: np.random.Generator) -> None:
    x, y = D.lift(rng.normal(size=(3, 50))), D.lift(rng.normal(size=(50, 2)))
    known = D.contract("i k, k j -> i j", [x, y])
    moved = D.moved(x, rng.choice([-1.0, 1.0], size=(3, 50)))
    near = D.contract_near("i k, k j -> i j", [moved, y], [x, y], known, "float64")
    straight = D.contract("i k, k j -> i j", [moved, y])
    np.testing.assert_allclose((near[0] - straight[0]) + (near[1] - straight[1]), 0, atol=1e-24)


def test_sums_and_products_over_axes(rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 5, 7))
    for axes in ((0,), (1, 2), (0, 1, 2), ()):
        for fold in ("sum", "prod"):
            pair, exact = getattr(D, fold)(D.lift(x), axes), getattr(E, fold)(E.lift(x), axes)[0]
            with mpmath.workprec(400):
                for at in np.ndindex(exact.shape):
                    assert float(abs(number(pair, at) - exact[at])) <= 1e-28 * max(1.0, abs(float(exact[at])))
    assert (
        D.sum(D.lift(np.zeros((0, 2))), (0,))[0].tolist() == [0, 0] == E.sum(E.lift(np.zeros((0, 2))), (0,))[0].tolist()
    )


@pytest.mark.parametrize("arithmetic", [D, E])
def test_distances_in_ulp(arithmetic: Any) -> None:
    exact = np.array([1.0, 1.0, 1.5, 0.0, np.inf, 1.0, np.nan, 1.7976931348623157e308])
    found = np.array([1.0, 1 + 2.0**-52, 1.5 - 2.0**-51, 5e-324, np.inf, np.nan, np.nan, np.inf])
    ulps = arithmetic.distance(arithmetic.lift(exact), arithmetic.lift(found), "float64")
    np.testing.assert_array_equal(ulps[:7], [0, 1, 2, 1, 0, np.inf, 0])
    assert ulps[7] == np.inf  # the largest float is none
    single = arithmetic.distance(arithmetic.lift(np.array([1.0])), arithmetic.lift(np.array([1 + 2.0**-23])), "float32")
    assert single == [1]


# ---- demand ----


def test_a_sample_demands_what_it_is_made_of_and_no_more() -> None:
    x, w = T.dmatrix("x"), T.dvector("w")
    y = T.exp(x * w)[::-1].T + 1
    (root_,) = expanded([y])
    sizes = bind({x: np.zeros((30, 40)), w: np.zeros(40)})
    shapes = shapes_of(list(topological(root_)), sizes)
    found = demanded({root_: np.array([5 * 30 + 2])}, shapes, sizes)  # y[5, 2] is made of x[27, 5]
    np.testing.assert_array_equal(found[x], [27 * 40 + 5])
    np.testing.assert_array_equal(found[w], [5])


def test_a_sampled_shadow_is_the_whole_one_there(rng: np.random.Generator) -> None:
    x, w = T.dmatrix("x"), T.dvector("w")
    y = T.concatenate([T.exp(x * w), T.pad(x, 1)[1:-1, 1:-1] / 3], axis=1)[:, ::2].reshape((-1,)) - w.sum()
    values = {x: rng.normal(size=(30, 40)), w: rng.normal(size=40)}
    (root_,) = expanded([y])
    sizes = bind(values)
    whole = shadow({root_: None}, values, sizes, D)
    some = np.array([0, 7, 333, 1199])
    part = shadow({root_: some}, values, sizes, D)
    np.testing.assert_array_equal(whole.run[root_], evaluate([y], values)[0])
    np.testing.assert_array_equal(whole.run[root_][some], part.run[root_])
    for k in range(2):
        np.testing.assert_array_equal(whole.exact[root_][k][some], part.exact[root_][k])
    assert [part.index(root_, k) for k in range(4)] == [(0,), (7,), (333,), (1199,)]


def test_branches_not_taken_are_not_used() -> None:
    x = T.dvector("x")
    (root_,) = expanded([T.where(x > 0, T.log(x), x * 2)])
    values = {x: np.array([1.0, -1.0, 2.0])}
    seen = shadow({root_: None}, values, bind(values), E)
    used = {n.op.name: seen.used[n].tolist() for n in topological(root_) if n.inputs}
    assert used["log"] == [True, False, True]
    assert used["mul"] == [False, True, False]
