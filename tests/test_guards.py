"""Guards of stage 3: NaN, infinities, zeros and divisors that came in show in what comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_stabilize import BLOCK, SQUARE, hand, shifted

import symdl.tensor as T
from symdl.derivatives.gradient import grad
from symdl.graph.expr import variable
from symdl.meaning import stabilized
from symdl.passes.evaluate import evaluate

sig, log, exp = T.sigmoid, T.log, T.exp
SPECIAL = [np.inf, -np.inf, np.nan, 0.0, -0.0, 1.0, -1.0]
ODD: dict[str, Callable[[Any, Any], Any]] = {
    "x - x": lambda x, y: x - x,
    "x / x": lambda x, y: x / x,
    "0 x": lambda x, y: 0 * x,
    "x + y - x": lambda x, y: (x + y) - x,
    "x y / x": lambda x, y: x * y / x,
    "x / x + y": lambda x, y: x / x + y,
    "root squared": lambda x, y: T.sqrt(x) ** 2,
    "roots": lambda x, y: T.sqrt(x) * T.sqrt(x) - x,
    "roots below": lambda x, y: 1 / T.sqrt(x) / T.sqrt(x) + exp(y) - exp(x + y),
    "roots by a choice": lambda x, y: T.where(y > 0, T.sqrt(x) * T.sqrt(x), y) - y,
    "square": lambda x, y: x * x - 2 * x * y + y * y,
    "root beside": lambda x, y: T.sqrt(x * x + y) - x,
    "root of a product": lambda x, y: x - T.sqrt(x * x - x),
    "root of a square": lambda x, y: T.sqrt(x * x),
    "log of a square": lambda x, y: log(x * x),
    "exp log": lambda x, y: exp(log(x)),
    "log exp": lambda x, y: log(exp(x)),
    "difference of exps": lambda x, y: exp(x) - exp(y),
    "log1p": lambda x, y: log(1 + x),
    "sigmoid": lambda x, y: 1 - sig(x),
    "tanh": lambda x, y: 1 - T.tanh(x),
    "log sigmoid": lambda x, y: log(sig(x)),
    "softplus": lambda x, y: log(1 + exp(x)),
    "choice": lambda x, y: T.where(x > 0, log(sig(y)), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_what_is_not_finite_shows(name: str) -> None:
    """A number stays a number, an infinity one, and a NaN that came in comes out; only inf - inf or 0 / 0 inside the
    algebra may become the limit."""
    x, y = variable("x", (None,), "float64"), variable("y", (None,), "float64")
    grid = [a.ravel() for a in np.meshgrid(SPECIAL, SPECIAL)]
    f = ODD[name](x, y)
    (low,) = stabilized([f], {})
    written, got = (evaluate([g], dict(zip((x, y), grid, strict=True)))[0] for g in (f, low))
    known = ~np.isnan(written)
    assert not np.any(np.isnan(got[known]))
    assert np.all(np.isinf(got[known]) == np.isinf(written[known]))
    came_in = np.isnan(grid[0]) | np.isnan(grid[1])
    assert np.all(np.isnan(got[~known & came_in]))


@pytest.mark.parametrize("name", ["x - x", "x / x", "0 x", "x + y - x", "root squared"])
def test_plain_arithmetic_keeps_every_nan(name: str) -> None:
    x, y = variable("x", (None,), "float64"), variable("y", (None,), "float64")
    grid = [a.ravel() for a in np.meshgrid(SPECIAL, SPECIAL)]
    f = ODD[name](x, y)
    (low,) = stabilized([f], {})
    written, got = (evaluate([g], dict(zip((x, y), grid, strict=True)))[0] for g in (f, low))
    assert np.array_equal(np.isnan(written), np.isnan(got))


INF_ROWS = [[np.inf, 0, 1], [-np.inf, 0, 1], [-np.inf] * 3, [np.inf, np.inf, 0], [np.nan, 0, 1], [1, 2, 3]]


@pytest.mark.parametrize("by_hand", [T.softmax, hand, shifted])
def test_infinite_logits(by_hand: Callable[[Any], Any]) -> None:
    x = variable("x", (None, 3), "float64")
    low = stabilized([by_hand(x), log(by_hand(x))], {})
    p, logs = evaluate(low, {x: np.array(INF_ROWS)})
    np.testing.assert_allclose(
        p[[1, 5]], [[0, 0.26894142, 0.73105858], [0.09003057, 0.24472847, 0.66524096]], atol=1e-8
    )
    np.testing.assert_allclose(logs[[1, 5]], np.log(p[[1, 5]]), atol=1e-8)
    for odd in (p, logs):  # inf / inf or 0 / 0 in the row, as scipy.special has it
        assert np.all(np.isnan(odd[[0, 2, 3, 4]]))


def test_logsumexp_of_infinite_rows() -> None:
    x = variable("x", (None, 3), "float64")
    spellings = [T.logsumexp(x, axis=1), log(exp(x).sum(axis=1)), T.log2(exp(x).sum(axis=1)) * np.log(2)]
    for found in evaluate(stabilized(spellings, {}), {x: np.array(INF_ROWS)}):
        np.testing.assert_allclose(found, [np.inf, 1.31326169, -np.inf, np.inf, np.nan, 3.40760596], atol=1e-8)


def test_the_branch_not_taken_poisons_nothing() -> None:
    x = variable("x", (None,), "float64")
    y = T.where(x > 0, T.sqrt(x) * log(x), 0 * x)
    low = stabilized([y, grad(y.sum(), x)], {})
    value, gradient = evaluate(low, {x: np.array([-4.0, -0.0, 0.0, 4.0])})
    assert value[:3].tolist() == [0, 0, 0]
    assert np.all(np.isfinite(gradient))


def test_an_array_of_another_layout_guards_nothing() -> None:
    """What was divided by inside rows that were taken has a place there only: the node stays as written."""
    x = variable("x", (None, 3), "float64")
    y = T.softmax((x / (0.5 + x * x))[np.array([0, 0, 0])], axis=1)
    root = grad((y[1:] ** 2).sum(), x) / x * x
    values = {x: BLOCK[0, :2, :3]}
    got, expected = evaluate([*stabilized([root], {}), root], values)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


LOST: dict[str, Callable[[Any, Any], Any]] = {
    "turned": lambda x, z: log(exp((x - x + z).T)),
    "a row of it, as wide as it is high": lambda x, z: log(exp((x - x + z)[1])),
    "backwards": lambda x, z: log(exp((x - x + z)[::-1])),
    "a sum over rows": lambda x, z: log(exp((x - x + z).sum(axis=0))),
    "a sum over columns": lambda x, z: log(exp((x - x + z).sum(axis=1))),
    "laid under another": lambda x, z: log(exp(T.concatenate([x - x + z, z]))),
    "a root that is lost": lambda x, z: log(exp(T.sqrt(x - 1) - T.sqrt(x - 1) + z)),
    "a root of what stays": lambda x, z: log(exp(T.sqrt(x - 1) - T.sqrt(x - 1) + x)),
    "the softplus of a softmax of one": lambda x, z: log(1 + exp(T.softmax(T.sqrt(x - 1)[:, :, None], axis=2))),
    "a softmax of one": lambda x, z: T.log_softmax(T.sqrt(T.log_softmax(x, axis=0))[:, :, None], axis=2),
    "an inverse that is lost, turned": lambda x, z: log(exp((x / x + z).T)),
}


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_what_cancels_is_missed_only_at_its_place(name: str, bad: float) -> None:
    """A NaN that the formula loses shows where it came in, though the array was rearranged since."""
    x, z = variable("x", (4, 4), "float64"), variable("z", (4, 4), "float64")
    root = LOST[name](x, z)
    values = {x: SQUARE.copy(), z: SQUARE / 4}
    values[x][1, 2] = bad
    (low,) = stabilized([root], {})
    with np.errstate(all="ignore"):
        got, expected = evaluate([low, root], values)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_a_condition_that_is_known_may_cancel_a_divisor() -> None:
    """Where x is y, the rest of the sum would divide 0 by 0: it is written as a whole then, without that condition."""
    x, y = variable("x", (4,), "float32"), variable("y", (4,), "float32")
    value = (-T.sinh(T.log((y + x) - T.where(T.neq(x, y), x, y)))) ** x * x
    slope = grad(value.sum(), x)
    given = {x: np.array([1, 2, 3, 0.5], np.float32), y: np.array([0.5, 0.25, 0.125, 0.5], np.float32)}
    (made,) = stabilized([slope], {})
    (found,), (plain,) = evaluate([made], given), evaluate([slope], given)
    np.testing.assert_allclose(found, plain, rtol=1e-5)
    assert np.isfinite(found).all()


def test_what_is_lost_in_a_branch_that_is_not_taken_poisons_nothing() -> None:
    """The derivative of x log(y) where x is 0 asks for no logarithm, also where terms cancel (seeds 22384, 22726)."""
    x, y, z = T.dvectors("x", "y", "z")
    chosen = 3 * T.where(T.eq(x, 0), 0.0, log(y))
    roots = [chosen * z - chosen * z, chosen / z - chosen / z + x, grad(T.xlogy(log(z / z), y).sum(), z)]
    given = {x: np.array([0.0, 0.0, 2.0]), y: np.array([-1.0, np.nan, 2.0]), z: np.array([1.5, 2.0, 3.0])}
    for found, plain in zip(evaluate(stabilized(roots, {}), given), evaluate(roots, given), strict=True):
        np.testing.assert_array_equal(found, plain)
        assert np.isfinite(found).all()
    (kept,) = evaluate(stabilized(roots[:1], {}), given | {x: np.ones(3)})
    assert np.isnan(kept).tolist() == [True, True, False]
