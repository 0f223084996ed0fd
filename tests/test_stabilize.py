"""Stage 3 against the exact meaning: every spelling of the families, values and gradients, at extreme points."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from quick_code import quickly
from truths import DIGITS, errors
from ulps import distance

import symdl.tensor as T
from symdl.derivatives.gradient import grad
from symdl.graph.expr import Expr, variable
from symdl.graph.walks import topological
from symdl.meaning import stabilized
from symdl.passes.evaluate import evaluate
from symdl.verify import exact

# Exact in float32 too, so that one truth serves both dtypes.
LOGITS = [-800.0, -88.0, -40.5, -18.5, -0.75, -(2.0**-30), 0.0, 2.0**-10, 2.5, 19.0, 38.0, 90.0, 801.0]
ROWS = [
    [1000.0, 0.0, -1000.0], [0.0, 1000.0, -1000.0], [40.0, 0.0, -40.0], [40.0, 0.0, -40.0],
    [1.0, 2.0, 3.0], [100.0, 100.0, -3.0], [-700.5, -700.0, -701.0], [0.0, -50.0, -90.0],
]  # fmt: skip
LABELS = [0, 0, 0, 1, 1, 1, 0, 2]
TARGETS = [0.0, 1.0, 0.0, 0.25, 0.5, 1.0, 0.0, 0.75, 1.0, 0.0, 1.0, 0.5, 0.0]

sig, log, exp = T.sigmoid, T.log, T.exp

# name -> formula of the logits z; the bound is in ulp
SCALARS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "sigmoid": (lambda z: sig(z), 4),
    "sigmoid by hand": (lambda z: 1 / (1 + exp(-z)), 4),
    "sigmoid by exp": (lambda z: exp(z) / (1 + exp(z)), 4),
    "one minus sigmoid": (lambda z: 1 - sig(z), 4),
    "variance": (lambda z: sig(z) * (1 - sig(z)), 4),
    "twice less one": (lambda z: 2 * sig(z) - 1, 4),
    "log sigmoid": (lambda z: log(sig(z)), 4),
    "log sigmoid by hand": (lambda z: log(1 / (1 + exp(-z))), 4),
    "minus log1p": (lambda z: -T.log1p(exp(-z)), 4),
    "log of one minus": (lambda z: log(1 - sig(z)), 4),
    "log1p of minus": (lambda z: T.log1p(-sig(z)), 4),
    "softplus": (lambda z: log(1 + exp(z)), 4),
    "softplus log1p": (lambda z: T.log1p(exp(z)), 4),
    "softplus op": (lambda z: T.softplus(z), 4),
    "softplus expert": (lambda z: T.maximum(z, 0) + T.log1p(exp(-abs(z))), 4),
    "odds": (lambda z: (1 - sig(z)) / sig(z), 4),
    "half": (lambda z: log(0.5 * sig(z)), 4),
    "square": (lambda z: log(sig(z) * sig(z)), 4),
    "cube": (lambda z: log(sig(z) ** 3), 4),
    "root": (lambda z: log(T.sqrt(sig(z))), 4),
    "log2": (lambda z: T.log2(sig(z)), 4),
    "log10": (lambda z: T.log10(1 - sig(z)), 4),
    "quotient": (lambda z: log(sig(z) / sig(-z)), 4),
    "clipped": (lambda z: log(T.clip(sig(z), 0, 1)), 4),
    "reshaped": (lambda z: log(sig(z.reshape((-1, 1))).reshape((-1,))), 4),
    "expanded": (lambda z: log(T.squeeze(T.expand_dims(sig(z), 0), 0)), 4),
    "sliced": (lambda z: log(sig(z)[1:]), 4),
    "reversed": (lambda z: log(sig(z)[::-1]), 4),
    "transposed": (lambda z: log(sig(z.reshape((1, -1))).T), 4),
    "joined": (lambda z: log(T.concatenate([sig(z), 1 - sig(z)])), 4),
    "stacked": (lambda z: log(T.stack([sig(z), 1 - sig(z)], axis=1)), 4),
    "taken": (lambda z: log(T.take(sig(z), [0, 3, 5, 11])), 4),
    "chosen": (lambda z: log(T.where(z > 1, sig(z), 1 - sig(z))), 4),
    "one minus tanh squared": (lambda z: 1 - T.tanh(z) ** 2, 6),
    "one minus tanh": (lambda z: 1 - T.tanh(z), 4),
    "tanh by sigmoid": (lambda z: 2 * sig(2 * z) - 1, 4),
    "away from 0: log one minus exp": (lambda z: log(1 - exp(-abs(z))), 4),
    "away from 0: log1p minus exp": (lambda z: T.log1p(-exp(-abs(z))), 4),
    "log cosh": (lambda z: log(T.cosh(z)), 6),
    "logaddexp": (lambda z: log(exp(z) + exp(-z)), 4),
    "logaddexp of three": (lambda z: log(exp(z) + exp(-z) + exp(z / 2)), 4),
    "log of exp": (lambda z: log(3 * exp(z)), 4),
    "focal": (lambda z: -((1 - sig(z)) ** 2) * log(sig(z)), 8),
    "swish": (lambda z: z * sig(z), 4),
    "mish": (lambda z: z * T.tanh(log(1 + exp(z))), 8),
    "entropy": (lambda z: -(sig(z) * log(sig(z)) + (1 - sig(z)) * log(1 - sig(z))), 8),
    "squared": (lambda z: (T.sigmoid(z) - 1) ** 2, 4),
}

# name -> formula of logits z and targets t in [0, 1]
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "textbook": lambda z, t: -(t * log(sig(z)) + (1 - t) * log(1 - sig(z))),
    "mirrored": lambda z, t: -(t * log(sig(z)) + (1 - t) * log(sig(-z))),
    "log1p": lambda z, t: -(t * log(sig(z)) + (1 - t) * T.log1p(-sig(z))),
    "xlogy": lambda z, t: -(T.xlogy(t, sig(z)) + T.xlogy(1 - t, 1 - sig(z))),
    "chosen": lambda z, t: -log(T.where(t > 0.5, sig(z), 1 - sig(z))),
    "logs chosen": lambda z, t: -T.where(t > 0.5, log(sig(z)), log(1 - sig(z))),
    "signed": lambda z, t: log(1 + exp(-(2 * (t > 0.5) - 1.0) * z)),
    "by hand": lambda z, t: -(t * log(1 / (1 + exp(-z))) + (1 - t) * log(1 - 1 / (1 + exp(-z)))),
    "reshaped": lambda z, t: -(t * log(sig(z.reshape((-1, 1)))[:, 0]) + (1 - t) * log(1 - sig(z))),
}


def hand(x: Any) -> Any:
    return exp(x) / exp(x).sum(axis=-1, keepdims=True)


def shifted(x: Any) -> Any:
    e = exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# name -> losses, one a row, of logits x, integer labels y and one-hot rows h
LABELLED: dict[str, Callable[[Any, Any, Any], Any]] = {
    "log of pick": lambda x, y, h: -log(T.softmax(x)[T.arange(y.shape[0]), y]),
    "pick of log": lambda x, y, h: -log(T.softmax(x))[T.arange(y.shape[0]), y],
    "by hand": lambda x, y, h: -log(hand(x)[T.arange(y.shape[0]), y]),
    "log by hand": lambda x, y, h: -log(hand(x))[T.arange(y.shape[0]), y],
    "less its largest": lambda x, y, h: -log(shifted(x)[T.arange(y.shape[0]), y]),
    "log_softmax": lambda x, y, h: -T.log_softmax(x)[T.arange(y.shape[0]), y],
    "logsumexp less pick": lambda x, y, h: log(exp(x).sum(axis=1)) - x[T.arange(y.shape[0]), y],
    "logsumexp op": lambda x, y, h: T.logsumexp(x, axis=1) - x[T.arange(y.shape[0]), y],
    "scaled": lambda x, y, h: -2 * log(0.5 * T.softmax(x)[T.arange(y.shape[0]), y]),
    "columns": lambda x, y, h: -log(T.softmax(x.T, axis=0).T[T.arange(y.shape[0]), y]),
    "one-hot": lambda x, y, h: -(h * log(T.softmax(x))).sum(axis=1),
    "one-hot log_softmax": lambda x, y, h: -(h * T.log_softmax(x)).sum(axis=1),
    "one-hot by hand": lambda x, y, h: -(h * log(hand(x))).sum(axis=1),
    "one-hot inside": lambda x, y, h: -log((h * T.softmax(x)).sum(axis=1)),
    "one-hot of labels": lambda x, y, h: -(T.one_hot(y, 3, dtype=x.dtype) * log(T.softmax(x))).sum(axis=1),
    "x less log sum": lambda x, y, h: -(h * (x - log(exp(x).sum(axis=1, keepdims=True)))).sum(axis=1),
    "log2": lambda x, y, h: -T.log2(T.softmax(x))[T.arange(y.shape[0]), y],
}

# name -> arrays of logits x
SOFTMAXES: dict[str, tuple[Callable[[Any], Any], float]] = {
    "softmax": (lambda x: T.softmax(x), 4),
    "by hand": (lambda x: hand(x), 4),
    "less its largest": (lambda x: shifted(x), 4),
    "columns": (lambda x: exp(x.T) / exp(x.T).sum(axis=0), 4),
    "all": (lambda x: exp(x / 8) / exp(x / 8).sum(), 4),
    "log": (lambda x: log(T.softmax(x)), 4),
    "log by hand": (lambda x: log(hand(x)), 4),
    "log2": (lambda x: T.log2(T.softmax(x)), 4),
    "flat": (lambda x: log(T.softmax(x).reshape((-1,))), 4),
    "sliced": (lambda x: log(T.softmax(x)[:, 1:]), 4),
    "x less log sum": (lambda x: x - log(exp(x).sum(axis=1, keepdims=True)), 4),
    "logsumexp": (lambda x: log(exp(x).sum(axis=1)), 4),
    "logmeanexp": (lambda x: log(exp(x).mean(axis=1)), 4),
    "one minus": (lambda x: 1 - T.softmax(x), 4),
    "log of one minus": (lambda x: log(1 - T.softmax(x)), 4),
}


def total(loss: Expr) -> Expr:
    return loss.sum() if loss.type.ndim else loss


@pytest.mark.parametrize("name", SCALARS)
def test_scalars(name: str) -> None:
    formula, bound = SCALARS[name]

    def build(dtype: str) -> tuple[list[Expr], list[Expr]]:
        z = variable("z", (None,), dtype)
        y = formula(z)
        return [z], [y, grad(total(y), z)]

    points = [v for v in LOGITS if v or not name.startswith("away from 0")]
    value, gradient = errors(build, [points])
    assert value <= bound
    assert gradient <= bound


@pytest.mark.parametrize("name", BINARY)
def test_binary_cross_entropy(name: str) -> None:
    def build(dtype: str) -> tuple[list[Expr], list[Expr]]:
        z, t = variable("z", (None,), dtype), variable("t", (None,), dtype)
        y = BINARY[name](z, t)
        return [z, t], [y, grad(y.sum(), z)]

    value, gradient = errors(build, [LOGITS, TARGETS])
    assert value <= 4
    assert gradient <= 8


@pytest.mark.parametrize("name", LABELLED)
def test_cross_entropy_by_labels(name: str) -> None:
    def build(dtype: str) -> tuple[list[Expr], list[Expr]]:
        x, y, h = variable("x", (None, 3), dtype), variable("y", (None,), "int32"), variable("h", (None, 3), dtype)
        loss = LABELLED[name](x, y, h)
        return [x, y, h], [loss, grad(loss.sum(), x)]

    value, gradient = errors(build, [ROWS, LABELS, np.eye(3)[LABELS]])
    assert value <= 4
    assert gradient <= 4


@pytest.mark.parametrize("name", SOFTMAXES)
def test_softmax(name: str) -> None:
    formula, bound = SOFTMAXES[name]

    def build(dtype: str) -> tuple[list[Expr], list[Expr]]:
        x = variable("x", (None, 3), dtype)
        return [x], [formula(x)]

    rows = ROWS[2:] if name == "log of one minus" else ROWS  # e^-1000, all that 1 - p is there, is below every float
    (value,) = errors(build, [rows])
    assert value <= bound


SECOND = {
    "sigmoid": lambda z: sig(z),
    "log sigmoid": lambda z: log(sig(z)),
    "softplus": lambda z: log(1 + exp(z)),
    "softplus op": lambda z: T.softplus(z),
    "log cosh": lambda z: log(T.cosh(z)),
    "tanh": lambda z: T.tanh(z),
}


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives(name: str) -> None:
    def build(dtype: str) -> tuple[list[Expr], list[Expr]]:
        z = variable("z", (None,), dtype)
        return [z], [grad(grad(SECOND[name](z).sum(), z).sum(), z)]

    (second,) = errors(build, [LOGITS])
    assert second <= 8


def test_mixed_dtypes() -> None:
    """A cast between log and sigmoid changes neither the range nor the type."""
    z = variable("z", (None,), "float32")
    y = log(T.cast(sig(z), "float64"))
    values = {z: np.array(LOGITS, "float32")}
    (truth,) = exact([y], values, DIGITS)
    (low,) = stabilized([y], {})
    assert low.type == y.type
    assert np.max(distance(evaluate([low], values)[0], truth)) <= 4


def test_a_constant_is_not_folded_first() -> None:
    y = log(1 + exp(T.constant(800.0)))
    (low,) = stabilized([y], {})
    assert evaluate([low], {})[0] == 800.0


@pytest.mark.parametrize("shape", [(None,), (1, 3), (1, 1), (None, None)])
def test_what_is_not_read_stands_above_what_is(shape: tuple[int | None, ...]) -> None:
    """maximum, sin and a product of matrices over a rewritten region are leaves of the next."""
    x = variable("x", shape, "float64")
    y = log(1 + exp(T.maximum(log(sig(x)), -50.0))) + T.sin(log(sig(x)))
    low = stabilized([y, grad(y.sum(), x)], {})
    (value, gradient) = evaluate(low, {x: np.full([n or 2 for n in shape], -800.0)})
    np.testing.assert_allclose(value, np.exp(-50.0) + np.sin(-800.0), rtol=1e-14)
    np.testing.assert_allclose(gradient, np.cos(-800.0), rtol=1e-14)


# ---- what gains nothing stays ----


def relu_step() -> list[Expr]:
    x, t = variable("x", (None, 64), "float32"), variable("t", (None, 10), "float32")
    w, b = variable("w", (64, 32), "float32"), variable("b", (32,), "float32")
    v, c = variable("v", (32, 10), "float32"), variable("c", (10,), "float32")
    h = T.maximum(x @ w + b, 0)
    loss = ((h @ v + c - t) ** 2).mean()
    return [loss, *grad(loss, [w, b, v, c])]


def plain(build: Callable[[Any, Any, Any], Any]) -> Callable[[], list[Expr]]:
    def made() -> list[Expr]:
        x, y = variable("x", (None,), "float64"), variable("y", (None,), "float64")
        return [build(x, y, variable("m", (None, None), "float64"))]

    return made


BENIGN: dict[str, Callable[[], list[Expr]]] = {
    "MLP with relu": relu_step,
    "x x - y": plain(lambda x, y, m: x * x - y),
    "roots": plain(lambda x, y, m: T.sqrt(x) * T.sqrt(x) + 1 / T.sqrt(y) / T.sqrt(y)),
    "exp": plain(lambda x, y, m: exp(x)),
    "sigmoid": plain(lambda x, y, m: sig(x)),
    "softmax": plain(lambda x, y, m: T.softmax(m)),
    "gate": plain(lambda x, y, m: sig(x) * T.tanh(y)),
    "swish": plain(lambda x, y, m: x * sig(x)),
    "log with a margin": plain(lambda x, y, m: log(x + 1e-7)),
    "norm": plain(lambda x, y, m: T.sqrt((m * m).sum(axis=1))),
    "layer norm": plain(lambda x, y, m: (m - m.mean(axis=1, keepdims=True)) / T.sqrt(T.var(m, axis=1, keepdims=True) + 1e-5)),
    "product of exps": plain(lambda x, y, m: exp(x) * exp(y)),
    "elu": plain(lambda x, y, m: T.where(x > 0, x, T.expm1(x))),
    "careful softplus": plain(lambda x, y, m: T.maximum(x, 0) + T.log1p(exp(-abs(x)))),
    "careful hypot": plain(lambda x, y, m: T.maximum(x, y) * T.sqrt((x / T.maximum(x, y)) ** 2 + (y / T.maximum(x, y)) ** 2)),
    "adam": plain(lambda x, y, m: x - 0.001 * (0.9 * x + 0.1 * y) / (T.sqrt(0.999 * x + 0.001 * y * y) + 1e-8)),
}  # fmt: skip


@pytest.mark.parametrize("name", BENIGN)
def test_what_gains_nothing_is_the_same_object(name: str) -> None:
    roots = BENIGN[name]()
    lowered = stabilized(roots, {})
    assert all(a is b for a, b in zip(roots, lowered, strict=True))


# ---- layouts: what is read keeps its place ----

BLOCK = 0.25 + np.arange(24.0).reshape(2, 3, 4) % 7
SQUARE = 0.25 + np.arange(16.0).reshape(4, 4) % 5
LINE = np.array([0.25, 3.0, 1.5, -2.0])


def odds(c: Any) -> Any:
    return c / (1 + c * c)


def widened(p: Any) -> Any:
    return T.broadcast_to(p, (3, p.shape[0]))


REARRANGED: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "a sum over the first axis, turned": (lambda x: x.sum(axis=0).T, BLOCK),
    "a logsumexp, turned": (lambda x: T.logsumexp(x, axis=0).T, BLOCK),
    "a weighted sum, turned": (lambda x: (exp(x) * (x - x[::-1])).sum(axis=0).T / exp(x).sum(axis=0).T, BLOCK),
    "a sum over the middle axis, turned": (lambda x: exp(x).sum(axis=1).T, BLOCK),
    "divided by a sum that stands up": (lambda x: x / x.sum(axis=0)[:, None], SQUARE),
    "exponentials over a sum that stands up": (lambda x: exp(x).T / exp(x).sum(axis=0)[:, None], SQUARE),
    "the rest of a softmax over all, turned": (lambda x: log(1 - exp(x) / exp(x).sum()).T, BLOCK[0]),
    "a pad beside a pad that stands up": (lambda v: T.pad(v, 1)[:, None] * T.pad(v, 1), LINE),
    "a pad times more rows": (lambda v: T.pad(v, 1) * exp(widened(T.pad(v, 1)) * np.array([[1.0], [2.0], [-1.0]])), LINE),
    "pieces laid side by side": (
        lambda v: T.log_softmax(T.sqrt(1 + T.concatenate([odds(v), T.logaddexp(odds(v), odds(v)), odds(v)]) ** 2)), LINE,
    ),
    "a base and an exponent of one variable": (lambda v: (1 + v * v) ** (T.tanh(v) - 1), LINE),
}  # fmt: skip


@pytest.mark.parametrize("name", REARRANGED)
@pytest.mark.parametrize("known", [False, True])
def test_what_is_rearranged_keeps_its_place(name: str, known: bool) -> None:
    build, array = REARRANGED[name]
    x = variable("x", tuple(n if known else None for n in array.shape), "float64")
    y = build(x)
    roots = [y, grad((y * y).sum(), x)]
    for low, root in zip(stabilized(roots, {}), roots, strict=True):
        got, expected = (evaluate([f], {x: array})[0] for f in (low, root))
        assert low.type == root.type
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


def test_what_a_maximum_is_compared_with_is_one_of_its_elements() -> None:
    """The pullback of max looks for it with eq: both must be written alike."""
    x = variable("x", (None,), "float64")
    y = 1 - T.sqrt(1 + log(1 + exp(-1 / x)) ** 2)
    (gradient,) = stabilized([grad(y.max(), x)], {})
    got, expected = evaluate([gradient, grad(y.max(), x)], {x: LINE})
    assert np.count_nonzero(got) == 1
    np.testing.assert_allclose(got, expected, rtol=1e-12)


# ---- size, time and origins ----


def test_growth_is_linear() -> None:
    """Chains that never end a region, and a deep network: no recursion, a bounded cost a node."""
    x, y = variable("x", (None,), "float64"), variable("y", (None,), "float64")
    z = x
    for k in range(3000):
        z = z * 1.0001 + k * y
    (low,) = stabilized([z], {})
    assert low is z
    z = x
    for _ in range(300):
        z = log(1 + exp(z * 0.5 + y))
    roots = [z, grad(z.sum(), x)]
    written = stabilized(roots, {})
    assert len(list(topological(*written))) < 2 * len(list(topological(*roots)))


def test_what_is_made_knows_the_lines_that_it_stands_for() -> None:
    x = variable("x", (None,), "float64")
    s = sig(x)
    y = log(s)
    origins = {s: frozenset([1]), y: frozenset([2])}
    (low,) = stabilized([y], origins)
    assert low is not y
    assert origins[low] == {1, 2}
    assert all(origins.get(n) for n in topological(low) if n.inputs)


# ---- random formulas: never worse than as written ----


def formula(draw: random.Random, x: Expr, y: Expr, depth: int) -> Any:
    if depth == 0 or draw.random() < 0.1:
        return draw.choice([x, x, y, x * 0.5, y + 1.0, x - 2.0])
    kind = draw.random()
    if kind < 0.5:
        one: Any = draw.choice([exp, log, sig, T.softplus, T.tanh, T.log1p, T.expm1, T.sqrt, T.cosh, lambda a: -a])
        return one(formula(draw, x, y, depth - 1))
    a, b = formula(draw, x, y, depth - 1), formula(draw, x, y, depth - 1)
    two: Any = draw.choice(
        [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b, T.logaddexp]
    )
    return two(a, b)


@pytest.mark.parametrize("seed", range(40))
def test_never_much_worse_than_as_written(seed: int) -> None:
    """64 ulp: exponents that meet are rounded once more, which an exponential magnifies by their size."""
    x, y = variable("x", (None,), "float64"), variable("y", (None,), "float64")
    f = formula(random.Random(seed), x, y, 3)
    roots = [f, grad(f.sum(), x, disconnected_inputs="ignore")]
    lowered = stabilized(roots, {})
    grid = np.meshgrid([-30.0, -1.5, -1e-5, 0.25, 3.0, 25.0], [-20.0, 0.75])
    values = {x: grid[0].ravel(), y: grid[1].ravel()}
    for root, low in zip(roots, lowered, strict=True):
        if low is root:
            continue
        try:
            (truth,) = exact([root], values, 60)
        except (ArithmeticError, MemoryError):  # a zero that no precision settles; exp of exp of exp
            continue
        before, after = (distance(evaluate([g], values)[0], truth) for g in (root, low))
        known = np.array([not mpmath.isnan(t) for t in truth])
        assert np.all(after[known] <= 4 * before[known] + 64)


def test_a_root_meets_what_it_is_divided_by() -> None:
    """sqrt(x^2 + 1) - x shares x^2 with its square only over the common denominator."""
    x = T.dscalar("x")
    (out,) = evaluate(stabilized([T.sqrt(x**2 + 1) - x], {}), {x: np.asarray(1e9)})
    assert out == pytest.approx(5e-10, rel=1e-15)


APART: dict[
    str, tuple[Callable[[Any, Any], Any], float, float, bool]
] = {  # formula, x, y, whether its slope in x is meant
    "reciprocal roots": (lambda x, y: 1 / T.sqrt(x) - 1 / T.sqrt(x + y), 1e100, 0.5, True),
    "x over a root": (lambda x, y: x / T.sqrt(x * x - y), 1e80, 2.0, True),
    "root of a difference": (lambda x, y: x - T.sqrt(x * x - x * y), 1e120, 1.5, False),
    "two numbers' variance": (
        lambda x, y: (x * x + y * y) / 2 - ((x + y) / 2) ** 2,
        14.312693894016213,
        14.312693840697273,
        False,
    ),
    "a square written out": (lambda x, y: 4 * x * x * y - 12 * x * y + 9 * y, 1.5 * (1 + 2.0**-48), 1e-3, False),
    "root above a square": (lambda x, y: T.sqrt(1 + ((x - y) / 0.1) ** 2) - 1, 3.0, 3 * (1 + 2.0**-40), False),
    "sines far apart": (lambda x, y: T.sin(x + y) - T.sin(x), 10.69018012811826, 0.5635716887312139, False),
    "cosines of large angles": (lambda x, y: T.cos(x + y) - T.cos(x), 40184.12071530477, 4.300920820351884e-05, False),
    "a mean of powers": (lambda x, y: (abs(x) ** y + abs(3 * x) ** y) ** (1 / y), 1e131, 3.0, False),
    "a long product": (lambda x, y: math.prod(x - k * y for k in range(1, 21)), 2.113599984972267, 1.0, False),
    "a power of ten": (lambda x, y: 10 ** (x * x * y - 12.575), 13.0, 0.875, False),
}


@pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, "float64") for name in APART), ("sines far apart", "float32"), ("cosines of large angles", "float32")],
)
def test_differences_have_their_digits(name: str, dtype: str) -> None:
    formula, *point, slope = APART[name]
    values = [np.array([v], dtype) for v in point]
    x, y = leaves = [variable(n, (None,), dtype) for n in "xy"]
    out = formula(x, y)
    root = grad(out.sum(), x) if slope else out
    (truth,) = exact([root], dict(zip(leaves, values, strict=True)), 500)
    assert distance(quickly(leaves, [root])(values)[0], truth).max() <= 4


@pytest.mark.parametrize("root", [T.sqrt, lambda s: s ** (1 / 3), lambda s: 1 / T.sqrt(s)])
@pytest.mark.parametrize("choice", ["where", "join"])
def test_no_root_is_drawn_of_the_sign_of_a_choice(choice: str, root: Callable[[Expr], Expr]) -> None:
    """sqrt(-where(c, x, sin x)) is where(c, sqrt(-x), sqrt(-sin x)), not sqrt(-1) where(c, sqrt(x), sqrt(sin x))."""
    x = T.dvector("x")
    chosen = T.where(T.ge(x, -2), x, T.sin(x)) if choice == "where" else T.concatenate([x, T.sin(x)])
    value = root(-3 * chosen)
    roots = [value, grad(value.sum(), x)]
    given = {x: np.array([-3.0, -2.5, -1.0])}
    for found, plain in zip(evaluate(stabilized(roots, {}), given), evaluate(roots, given), strict=True):
        assert np.isfinite(plain).all()
        np.testing.assert_allclose(found, plain, rtol=1e-13)


def test_the_gradient_of_a_bias_adds_up_differences() -> None:
    """Softmax and labels are not added up apart: near the optimum both sums are large and their difference small."""
    z, b = variable("z", (None, 3), "float64"), variable("b", (3,), "float64")
    y = T.constant(np.array([0, 0, 1, 2]))
    p = T.softmax(z + b)
    loss = -T.log(p[T.arange(4), y]).mean()
    root = grad(loss, b)
    values = {z: 30.0 * np.eye(3)[[0, 0, 1, 2]] + np.arange(12.0).reshape(4, 3) / 8, b: np.array([0.5, 0.25, 0.125])}
    (low,) = stabilized([root], {})
    (truth,) = exact([root], values, 60)
    assert distance(evaluate([low], values)[0], truth).max() <= 16


@pytest.mark.parametrize("near", [T.tanh, T.erf, lambda u: sig(2 * u)])
def test_what_is_left_of_one_is_known_however_large_the_argument_is(near: Callable[[Expr], Expr]) -> None:
    """Where its form is more than a form may hold, a function is one of its argument as a leaf (seed 9269)."""
    x = T.dvector("x")
    given = {x: np.array([0.5, 2.0])}
    deep = x
    for _ in range(20):
        deep = 1 + T.sin(deep) / 2
        left = 1 - near(10 * deep)
        (low,) = stabilized([left], {})
        (truth,) = exact([left], given)
        assert distance(evaluate([low], given)[0], truth).max() <= 1000  # the argument is rounded


def test_a_leaf_is_not_a_multiple_divided_again() -> None:
    """x is x, though the user has a node for 0.1 x: ten times that is another number (seed 4698)."""
    x, y = T.dvectors("x", "y")
    root = T.sin(0.1 * x) + log(exp(x) * y)
    (made,) = stabilized([root], {})
    given = {x: np.linspace(0.1, 0.9, 9), y: np.ones(9)}
    np.testing.assert_array_equal(evaluate([made], given)[0], np.sin(0.1 * given[x]) + given[x])
    assert not any(n.params["value"].array == 10.0 for n in topological(made) if n.op.name == "constant")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_place_is_sought_below_functions_that_increase(dtype: str) -> None:
    """Where exp, sigmoid or softmax have saturated, the largest of x is the largest all the same."""
    x = variable("x", (None, 3), dtype)
    given = {x: np.array([[800, 801, 799], [40, 41, 39], [-900, -800, -850], [1, 3, 2], [2, 2, 1]], dtype)}
    steep = [exp(x), sig(x), T.softmax(x), T.tanh(exp(x)), 2 * sig(x)]
    places = [T.argmax(y, axis=1) for y in steep]
    low = stabilized(places, {})
    for found in evaluate(low[:-1], given):
        assert found.tolist() == [1, 1, 1, 1, 0]
    assert low[-1] is places[-1]
    written = stabilized(places, {}, strict=True)
    assert [a is b for a, b in zip(written, places, strict=True)] == [True, True, True, True, True]
    (slope,) = evaluate(stabilized([grad(T.max(T.sqrt(T.tanh(abs(x))), axis=1).sum(), x)], {}), given)
    assert (slope[:2, 0] == 0).all()  # no share for what tanh has made equal
    assert np.isfinite(slope).all()


def test_a_difference_of_exponentials_takes_one_of_them() -> None:
    """e^x - e^y is the larger one's share that is left: one exponential and one expm1, wherever the numbers lie."""
    x, y = T.dvector("x"), T.dvector("y")
    (root,) = stabilized([T.exp(x) - T.exp(y)], {})
    names = [n.op.name for n in topological(root)]
    assert (names.count("exp"), names.count("expm1")) == (1, 1)
    run = quickly([x, y], [T.exp(x) - T.exp(y)])
    numbers = [0.0, -0.0, 1.0, 1 + 2**-50, -1.0, 700.0, 710.0, -750.0, math.inf, -math.inf, math.nan]
    a, b = (grid.ravel() for grid in np.meshgrid(numbers, numbers))
    with mpmath.workprec(200):
        true = [float(mpmath.exp(p) - mpmath.exp(q)) for p, q in zip(a, b, strict=True)]
    np.testing.assert_allclose(run([a, b])[0], true, rtol=2.0**-50)
