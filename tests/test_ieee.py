"""NaN, infinities, signed zeros and subnormals: what came in is never hidden, in every mode, precision and dtype."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.config import config
from symdl.errors import ConfigError, InputError
from symdl.graph.expr import Expr, variable
from symdl.graph.walks import topological
from symdl.semantics import DEVIATIONS, Deviation

INF, NAN, TINY = np.inf, np.nan, {"float32": 1e-40, "float64": 1e-310}
SPECIAL = [INF, -INF, NAN, 0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 0.5]
X, Y = (grid.ravel() for grid in np.meshgrid(SPECIAL, SPECIAL))
WAYS = [
    ("native", "plain"),
    ("native", "right"),
    ("interpreter", "plain"),
    ("interpreter", "right"),
    ("numpy", "plain"),
]


def kind(value: float) -> str:
    """A special value by name; "" for a number."""
    if np.isnan(value):
        return "nan"
    return str(value) if np.isinf(value) or value == 0 else ""


def kinds(values: Any) -> list[str]:
    return [kind(v) for v in np.ravel(values)]


# name -> formula, pairs of an argument and the value there: identities of IEEE arithmetic that every mode keeps
ONE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "x / x": (lambda x: x / x, "0.0 nan, -0.0 nan, inf nan, nan nan, 3.0 1.0"),
    "x - x": (lambda x: x - x, "inf nan, -inf nan, nan nan, 3.0 0.0"),
    "0 x": (lambda x: 0 * x, "inf nan, nan nan, 3.0 0.0, -3.0 -0.0"),
    "0 / x": (lambda x: 0 / x, "0.0 nan, nan nan, inf 0.0, -3.0 -0.0"),
    "0 x beside a logarithm": (lambda x: T.log(T.exp(0 * x + 1)), "inf nan, nan nan, 3.0 1.0"),
    "log - log": (lambda x: T.log(x) - T.log(x) + x, "-1.0 nan, 2.0 2.0, nan nan"),
    "sqrt - sqrt": (lambda x: T.sqrt(x) - T.sqrt(x) + x, "-1.0 nan, 2.0 2.0, inf nan"),
    "a NaN that cancels": (lambda x: x + T.constant(NAN) - T.constant(NAN), "1.0 nan"),
    "a NaN times 0": (lambda x: x + 0 * T.constant(NAN), "1.0 nan"),
    "an element that cancels": (lambda x: x[0] - x[0] + x, "nan nan, inf nan, 1.0 1.0"),
    "equality": (lambda x: T.cast(T.eq(x, x), x.dtype), "nan 0.0, inf 1.0"),
    "difference": (lambda x: T.cast(T.neq(x, x), x.dtype), "nan 1.0, inf 0.0"),
    "tanh": (lambda x: T.tanh(x), "inf 1.0, -inf -1.0, nan nan, -0.0 -0.0"),
    "1 - tanh": (lambda x: 1 - T.tanh(x), "inf 0.0, -inf 2.0, nan nan"),
    "sigmoid": (lambda x: T.sigmoid(x), "inf 1.0, -inf 0.0, nan nan"),
    "log sigmoid": (lambda x: T.log(T.sigmoid(x)), "-inf -inf, nan nan"),
    "1 - sigmoid": (lambda x: 1 - T.sigmoid(x), "inf 0.0, -inf 1.0, nan nan"),
    "softplus": (lambda x: T.log(1 + T.exp(x)), "inf inf, -inf 0.0, nan nan"),
    "sqrt": (lambda x: T.sqrt(x), "-0.0 -0.0, -1.0 nan, inf inf"),
    "1 / x": (lambda x: 1 / x, "-0.0 -inf, 0.0 inf, -inf -0.0"),
    "1 / sqrt": (lambda x: 1 / T.sqrt(x), "-0.0 -inf"),
    "1 / tanh": (lambda x: 1 / T.tanh(x), "-0.0 -inf"),
    "-0 + x": (lambda x: x + -0.0, "-0.0 -0.0, 0.0 0.0"),
    "1 x": (lambda x: 1 / (x * 1), "-0.0 -inf"),
    "x + 0": (lambda x: 1 / (x + 0.0), "-0.0 inf"),
    "-x": (lambda x: 1 / (-x), "0.0 -inf, -0.0 inf"),
    "0 - x": (lambda x: 1 / (0 - x), "0.0 inf, -0.0 inf"),
    "-0 in a view": (lambda x: 1 / x.reshape((1, -1)).T.reshape((-1,)), "-0.0 -inf"),
    "maximum": (lambda x: T.maximum(x, 1), "nan nan, -inf 1.0, inf inf"),
    "minimum": (lambda x: T.minimum(x, 1), "nan nan, -inf -inf, inf 1.0"),
    "clip": (lambda x: T.clip(x, -1, 1), "nan nan, -inf -1.0, inf 1.0"),
    "where": (lambda x: T.where(x > 0, T.log(x), 0.0), "-1.0 0.0, nan 0.0, 1.0 0.0"),
    "where's gradient": (lambda x: T.grad(T.where(x > 0, T.sqrt(x), 0.0).sum(), x), "-1.0 0.0, 4.0 0.25"),
    "the gradient of x / x": (lambda x: T.grad((x / x).sum(), x), "0.0 nan, nan nan, 2.0 0.0"),
    "the gradient of log": (lambda x: T.grad(T.log(x).sum(), x), "0.0 inf, -0.0 -inf, nan nan, inf 0.0"),
    "the gradient of log sigmoid": (lambda x: T.grad(T.log(T.sigmoid(x)).sum(), x), "inf 0.0, -inf 1.0, nan nan"),
    "the gradient of tanh": (lambda x: T.grad(T.tanh(x).sum(), x), "inf 0.0, -inf 0.0, nan nan"),
}  # fmt: skip
LIMITS = {"the gradient of log sigmoid", "where's gradient"}  # which the oracle, as written, has as NaN


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("mode", "precision"), WAYS)
def test_identities(mode: str, precision: str, dtype: str) -> None:
    x = variable("x", (None,), dtype)
    rows = [row for row in ONE if mode != "numpy" or row not in LIMITS]
    f = symdl.function([x], [ONE[row][0](x) for row in rows], mode=mode, precision=precision)
    pairs: list[tuple[int, str, str]] = []
    for k, row in enumerate(rows):
        for pair in ONE[row][1].split(", "):
            argument, value = pair.split()
            pairs.append((k, argument, value))
    arguments = {argument for _, argument, _ in pairs}
    found = {a: [v[0] for v in f(np.array([float(a)], dtype))] for a in sorted(arguments)}
    for k, argument, expected in pairs:
        got, true = found[argument][k], float(expected)
        assert kind(got) == kind(true), (rows[k], argument, got)
        assert kind(true) or got == pytest.approx(true, rel=1e-6), (rows[k], argument)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("mode", "precision"), WAYS)
def test_subnormal_numbers(mode: str, precision: str, dtype: str) -> None:
    """They are numbers like others, on the way in and out."""
    x = variable("x", (None,), dtype)
    outputs = [x * 1, x + x, -x, x * 0.5, T.sqrt(x), T.tanh(x), T.expm1(x), T.log1p(x), T.maximum(x, 0), 1 - (1 - x)]
    value = np.array([TINY[dtype]], dtype)
    got = [v[0] for v in symdl.function([x], outputs, mode=mode, precision=precision)(value)]
    t = value[0]
    expected = [t, 2 * t, -t, t * value.dtype.type(0.5), np.sqrt(t), t, t, t, t]
    assert got[:9] == expected
    assert got[9] in (0, t)  # 1 - x is rounded, unless the algebra saw through it


ROWS = [[INF, 0, 1], [-INF, 0, 1], [-INF] * 3, [INF, INF, 0], [NAN, 0, 1], [1, 2, 3]]
ODD = [0, 2, 3, 4]  # with inf, or -inf alone: inf / inf or 0 / 0, as SciPy and the formula have it


def by_hand(m: Any) -> Any:
    return T.exp(m) / T.exp(m).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("mode", "precision"), WAYS[:4])
def test_softmax_of_infinite_rows(mode: str, precision: str, dtype: str) -> None:
    m = variable("m", (None, 3), dtype)
    losses = [T.softmax(m)[:, 1], T.log_softmax(m)[:, 1], T.log(by_hand(m))[:, 1]]
    gradients = [T.grad(loss.sum(), m) for loss in losses]
    outputs = [T.softmax(m), by_hand(m), T.log_softmax(m), T.log(T.softmax(m)), T.logsumexp(m, axis=1),
               T.log(T.exp(m).sum(axis=1)), *gradients]  # fmt: skip
    got = symdl.function([m], outputs, mode=mode, precision=precision)(np.array(ROWS, dtype))
    for p in got[:4]:
        assert np.all(np.isnan(p[ODD]))
    for g in got[6:]:
        assert np.all(np.isnan(g[ODD][~np.isfinite(np.array(ROWS)[ODD])]))
    for p in got[:2]:
        np.testing.assert_allclose(p[1], [0, 0.26894142, 0.73105858], rtol=1e-6)
    for p in got[2:4]:
        np.testing.assert_allclose(p[1], [-INF, -1.31326169, -0.31326169], rtol=1e-6)
    for total in got[4:6]:
        np.testing.assert_allclose(total, [INF, 1.31326169, -INF, INF, NAN, 3.40760596], rtol=1e-6)
    for g in got[6:]:  # nothing flows to the logit of -inf
        assert g[1, 0] == 0
        assert np.all(np.isfinite(g[1]))


# ---- strict ----


def hyperbolic(x: Any) -> Any:
    return (T.exp(x) - T.exp(-x)) / (T.exp(x) + T.exp(-x))


FORMULAS: dict[str, Callable[[Any, Any], Any]] = {
    "x log x": lambda x, y: x * T.log(x),
    "x log y": lambda x, y: x * T.log(y),
    "a mask": lambda x, y: T.where(x > 0, 1.0, 0.0) * T.log(x),
    "log sigmoid": lambda x, y: T.log(T.sigmoid(x)),
    "sigmoid by hand": lambda x, y: T.exp(x) / (1 + T.exp(x)),
    "tanh by hand": lambda x, y: hyperbolic(x),
    "softplus less x": lambda x, y: T.log(1 + T.exp(x)) - x,
    "logaddexp": lambda x, y: T.log(T.exp(x) + T.exp(y)),
    "x - x beside": lambda x, y: x - x + T.exp(-x * x),
    "log - log": lambda x, y: T.log(x) - T.log(x) + x,
    "x y / x": lambda x, y: x * y / x,
    "expm1": lambda x, y: 1 / (T.exp(x) - 1),
    "difference of exps": lambda x, y: 1 / (T.exp(x) - T.exp(y)),
    "conjugate": lambda x, y: T.sqrt(x * x + 1) - x,
    "squares": lambda x, y: (x + y) ** 2 - x**2,
    "quotients": lambda x, y: 1 / (x + 1) - 1 / x,
    "binary cross entropy": lambda x, y: -(y * T.log(T.sigmoid(x)) + (1 - y) * T.log(1 - T.sigmoid(x))),
    "sine": lambda x, y: x - T.sin(x),
    "log of 1 - exp": lambda x, y: T.log(1 - T.exp(-x)),
    "branches": lambda x, y: T.where(x > 0, T.log(T.sigmoid(x)), y - y),
}  # fmt: skip


@pytest.mark.parametrize(("mode", "precision"), [("native", "plain"), ("interpreter", "right")])
@pytest.mark.parametrize("name", FORMULAS)
def test_strict_is_as_written(name: str, mode: str, precision: str) -> None:
    """Values and gradients have the oracle's NaN, infinities and signed zeros, at every pair of special values."""
    x, y = variable("x", (None,), "float64"), variable("y", (None,), "float64")
    value = FORMULAS[name](x, y)
    outputs = [value, *T.grad(value.sum(), [x, y], disconnected_inputs="ignore")]
    got = symdl.function([x, y], outputs, mode=mode, precision=precision, float_semantics="strict",
                         on_unused_input="ignore")(X, Y)  # fmt: skip
    written = symdl.function([x, y], outputs, mode="numpy", on_unused_input="ignore")(X, Y)
    for g, w in zip(got, written, strict=True):
        assert kinds(g) == kinds(w)
        np.testing.assert_allclose(g, w, rtol=1e-6)


def test_strict_is_as_stable() -> None:
    x, m = variable("x", (None,), "float64"), variable("m", (None, 3), "float64")
    outputs = [T.log(1 + T.exp(x)), T.log(T.sigmoid(x)), 1 - T.tanh(x) ** 2, T.log(T.exp(m).sum(axis=1)), by_hand(m)]
    f = symdl.function([x, m], outputs, float_semantics="strict")
    soft, log, square, total, p = f(np.array([1000.0, -1000.0]), np.array([[1000.0, 0, -1000], [INF, 0, 1]]))
    assert soft.tolist() == [1000, 0]
    assert log.tolist() == [0, -1000]
    assert square.tolist() == [0, 0]
    assert total.tolist() == [1000, INF]
    assert p[0].tolist() == [1, 0, 0]
    assert kinds(p[1]) == ["nan", "0.0", "0.0"]


@pytest.mark.parametrize("row", DEVIATIONS, ids=lambda row: row.name)
@pytest.mark.parametrize("precision", ["plain", "right"])
def test_deviations(row: Deviation, precision: str) -> None:
    """Every row of the list holds, and strict semantics do not have it."""
    names = {n: variable(n, (), "float64") for n in row.at}
    root: Expr = eval(row.formula, {"T": T, **names})
    inputs = list(names.values())
    for semantics in ("mathematical", "strict"):
        got = symdl.function(inputs, root, precision=precision, float_semantics=semantics)(*row.at.values())
        expected = getattr(row, semantics)
        assert kind(float(got)) == kind(expected)
        assert kind(expected) or got == expected


# ---- the option ----


def test_the_option() -> None:
    x = variable("x", (), "float64")
    y = x * T.log(x)
    with config.change(float_semantics="strict"):
        assert np.isnan(symdl.function([x], y)(0.0))
    assert symdl.function([x], y)(0.0) == 0
    with pytest.raises(InputError, match="float_semantics cannot be 'ieee'"):
        symdl.function([x], y, float_semantics="ieee")
    with pytest.raises(ConfigError, match="float_semantics"):
        config.float_semantics = "ieee"


def test_pickles_keep_it() -> None:
    x = variable("x", (), "float64")
    f = pickle.loads(pickle.dumps(symdl.function([x], x * T.log(x), float_semantics="strict")))
    assert np.isnan(f(0.0))


def test_what_needs_no_algebra_is_the_same_when_strict() -> None:
    x = variable("x", (None,), "float64")
    y = T.tanh(x) * x + 1
    assert symdl.meaning.stabilized([y], {}, strict=True)[0] is y
    assert y in set(topological(y))
