"""Stage 3 against the exact meaning: every spelling of the families, values and gradients, at extreme points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ulps import distance

import symdl.tensor as T
from symdl.evaluate import evaluate
from symdl.expr import Expr, variable
from symdl.gradient import grad
from symdl.meaning import stabilized
from symdl.verify import exact

DIGITS = 420  # 1 - sigmoid(-800) keeps its 1e-348
LOGITS = [-800.0, -707.25, -104.0, -40.5, -18.5, -3.0, -0.75, -1e-3, -1e-9, 0.0, 1e-9, 1e-3, 0.5, 2.5, 19.0, 38.0, 90.0, 720.0, 801.0]
ROWS = [
    [1000.0, 0.0, -1000.0], [0.0, 1000.0, -1000.0], [-1000.0, 0.0, 1000.0], [40.0, 0.0, -40.0], [40.0, 0.0, -40.0],
    [1.0, 2.0, 3.0], [5.0, 5.0, 5.0], [100.0, 100.0, -3.0], [-700.5, -700.0, -701.0], [0.0, -50.0, -90.0], [720.0, 719.0, 0.5],
]  # fmt: skip
LABELS = [0, 0, 0, 0, 1, 1, 2, 1, 0, 0, 2]
TARGETS = [0.0, 1.0, 1.0, 0.0, 0.25, 0.5, 1.0, 0.0, 1.0, 0.0, 0.75, 1.0, 0.0, 1.0, 1.0, 0.0, 0.5, 1.0, 0.0]

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
    "clipped above": (lambda z: log(T.minimum(sig(z), 1.0)), 4),
    "reshaped": (lambda z: log(sig(z.reshape((-1, 1))).reshape((-1,))), 4),
    "expanded": (lambda z: log(T.squeeze(T.expand_dims(sig(z), 0), 0)), 4),
    "sliced": (lambda z: log(sig(z)[1:]), 4),
    "reversed": (lambda z: log(sig(z)[::-1]), 4),
    "transposed": (lambda z: log(sig(z.reshape((1, -1))).T), 4),
    "joined": (lambda z: log(T.concatenate([sig(z), 1 - sig(z)])), 4),
    "stacked": (lambda z: log(T.stack([sig(z), 1 - sig(z)], axis=1)), 4),
    "taken": (lambda z: log(T.take(sig(z), [0, 3, 5, 17])), 4),
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


def measured(outputs: list[Expr], values: dict[Expr, Any]) -> list[Any]:
    lowered = stabilized(outputs, {})
    assert [o.type for o in lowered] == [o.type for o in outputs]
    truth = exact(outputs, values, DIGITS)
    return [distance(got, want) for got, want in zip(evaluate(lowered, values), truth, strict=True)]


def total(loss: Expr) -> Expr:
    return loss.sum() if loss.type.ndim else loss


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", SCALARS)
def test_scalars(name: str, dtype: str) -> None:
    formula, bound = SCALARS[name]
    z = variable("z", (None,), dtype)
    y = formula(z)
    points = [v for v in LOGITS if v or not name.startswith("away from 0")]
    value, gradient = measured([y, grad(total(y), z)], {z: np.array(points, dtype)})
    assert np.max(value) <= bound
    assert np.max(gradient) <= bound


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", BINARY)
def test_binary_cross_entropy(name: str, dtype: str) -> None:
    z, t = variable("z", (None,), dtype), variable("t", (None,), dtype)
    y = BINARY[name](z, t)
    value, gradient = measured([y, grad(y.sum(), z)], {z: np.array(LOGITS, dtype), t: np.array(TARGETS, dtype)})
    assert np.max(value) <= 4
    assert np.max(gradient) <= 8


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", LABELLED)
def test_cross_entropy_by_labels(name: str, dtype: str) -> None:
    x, y, h = variable("x", (None, 3), dtype), variable("y", (None,), "int32"), variable("h", (None, 3), dtype)
    loss = LABELLED[name](x, y, h)
    values = {x: np.array(ROWS, dtype), y: np.array(LABELS, "int32"), h: np.eye(3, dtype=dtype)[LABELS]}
    value, gradient = measured([loss, grad(loss.sum(), x)], values)
    assert np.max(value) <= 4
    assert np.max(gradient) <= 4


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", SOFTMAXES)
def test_softmax(name: str, dtype: str) -> None:
    formula, bound = SOFTMAXES[name]
    x = variable("x", (None, 3), dtype)
    y = formula(x)
    (value,) = measured([y], {x: np.array(ROWS, dtype)})
    assert np.max(value) <= bound
