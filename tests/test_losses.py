"""The losses that people write, in the spellings that they write them in: right in cost and gradient at extreme logits.

The truth is the loss in mpmath, written once for all its spellings, and its numeric derivative; nothing of symdl is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from quick_code import quickly
from ulps import distance

import symdl
import symdl.tensor as T
from symdl.graph.expr import variable

BITS = 3400  # e^-1000 beside 1, squared
EPSILON = 2.0**-20
DTYPES = ("float64", "float32")
Truth = Callable[..., Any]  # of mpmath numbers, or of rows of them: the loss of one sample


@dataclass(frozen=True)
class Loss:
    """A loss: samples, one a row, of the leaves, of which the first `moving` are differentiated; its truth, its spellings."""

    leaves: dict[str, Sequence[Any]]
    truth: Truth
    spellings: dict[str, Callable[..., Any]]
    moving: int = 1
    whole: tuple[str, ...] = ()  # the leaves that are integers


exp, log, sig, where = T.exp, T.log, T.sigmoid, T.where

# ---- softmax cross-entropy ----

# Every number here is exact in float32, too.
ROWS = [
    [1000.0, 0.0, -1000.0], [0.0, 1000.0, -1000.0], [40.0, 0.0, -40.0], [-40.0, 0.0, 40.0], [1.0, 2.0, 3.0], [100.0, 100.0, -3.0],
    [-1000.0, -1000.0, -1000.0], [2.0**-30, 0.0, -(2.0**-30)], [-700.5, -700.0, -701.0], [88.0, 90.0, -1000.0], [0.0, -50.0, -90.0], [1000.0, 999.5, 960.0],
]  # fmt: skip
LABELS = [0, 0, 0, 0, 1, 1, 2, 0, 1, 2, 2, 1]
HOT = np.eye(3)[LABELS].tolist()


def by_hand(x: Any) -> Any:
    return exp(x) / exp(x).sum(axis=-1, keepdims=True)


def shifted(x: Any) -> Any:
    e = exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def picked(p: Any, y: Any) -> Any:
    return p[T.arange(y.shape[0]), y]


SOFTMAX: dict[str, Callable[[Any], Any]] = {"T.softmax": T.softmax, "by hand": by_hand, "less its largest": shifted}
BY_LABELS: dict[str, Callable[[Any, Any], Any]] = {
    "log, then pick": lambda p, y: -picked(log(p), y),
    "pick, then log": lambda p, y: -log(picked(p, y)),
    "one-hot times log": lambda p, y: -(T.one_hot(y, 3, dtype=p.dtype) * log(p)).sum(axis=1),
    "log of one-hot times": lambda p, y: -log((T.one_hot(y, 3, dtype=p.dtype) * p).sum(axis=1)),
}
BY_ONE_HOT: dict[str, Callable[[Any, Any], Any]] = {
    "times log": lambda p, h: -(h * log(p)).sum(axis=1),
    "log of times": lambda p, h: -log((h * p).sum(axis=1)),
    "log of power": lambda p, h: -log((p**h).prod(axis=1)),
    "chosen": lambda p, h: -where(h > 0.5, log(p), 0).sum(axis=1),
}


def lse(x: Sequence[Any]) -> Any:
    return mpmath.log(mpmath.fsum(map(mpmath.exp, x)))


def both(truth: Truth, spelled: dict[str, Callable[[Any, Any], Any]], **leaves: Any) -> Loss:
    """Each spelling with each softmax."""
    made = {
        f"{name}, {kind}": lambda x, y, f=f, softmax=softmax: f(softmax(x), y)
        for name, f in spelled.items()
        for kind, softmax in SOFTMAX.items()
    }
    return Loss(leaves, truth, made, whole=("y",))


# ---- binary cross-entropy ----

LOGITS = [
    -1000.0,
    -100.0,
    -40.0,
    -18.5,
    -0.75,
    -(2.0**-30),
    0.0,
    2.0**-10,
    2.5,
    19.0,
    38.0,
    90.0,
    1000.0,
    40.0,
    -40.0,
    1000.0,
    -1000.0,
    0.0,
    0.5,
]
TARGETS = [0.0, 1.0, 0.0, 0.25, 0.5, 1.0, 0.0, 0.75, 1.0, 0.0, 1.0, 0.5, 0.0, 0.0, 1.0, 1.0, 1.0, 0.5, 0.0]
HARD = [float(t > 0.5) for t in TARGETS]


def clipped(p: Any) -> Any:
    return T.clip(p, EPSILON, 1 - EPSILON)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + mpmath.exp(-z))


def softplus(z: Any) -> Any:
    return mpmath.log(1 + mpmath.exp(z))


def _bounded(p: Any) -> Any:
    return min(max(p, mpf(EPSILON)), 1 - mpf(EPSILON))


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "textbook": lambda z, t: -(t * log(sig(z)) + (1 - t) * log(1 - sig(z))),
    "mirrored": lambda z, t: -(t * log(sig(z)) + (1 - t) * log(sig(-z))),
    "log1p": lambda z, t: -(t * log(sig(z)) + (1 - t) * T.log1p(-sig(z))),
    "sigmoid by hand": lambda z, t: -(t * log(1 / (1 + exp(-z))) + (1 - t) * log(1 - 1 / (1 + exp(-z)))),
    "with logits": lambda z, t: T.maximum(z, 0) - z * t + log(1 + exp(-abs(z))),
    "softplus": lambda z, t: T.softplus(z) - t * z,
    "xlogy": lambda z, t: -(T.xlogy(t, sig(z)) + T.xlogy(1 - t, 1 - sig(z))),
    "softmax of two": lambda z, t: -(t * log(T.softmax(T.stack([z, 0 * z], axis=1))[:, 0]) + (1 - t) * log(T.softmax(T.stack([z, 0 * z], axis=1))[:, 1])),
}  # fmt: skip
HARD_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "where of logs": lambda z, t: -where(t > 0.5, log(sig(z)), log(1 - sig(z))),
    "log of where": lambda z, t: -log(where(t > 0.5, sig(z), 1 - sig(z))),
    "signed": lambda z, t: log(1 + exp(-(2 * t - 1) * z)),
    "power": lambda z, t: -log(sig(z) ** t * (1 - sig(z)) ** (1 - t)),
    "mixed": lambda z, t: -log(t * sig(z) + (1 - t) * (1 - sig(z))),
}

# ---- the table ----

SCALES = [0.5, 1.0, 2.0, 0.125, 4.0, 1.5, 0.25, 8.0]
WHERE = [0.0, 0.5, -40.0, 1000.0, -1000.0, 2.0**-20, 3.0, 40.0]
COUNTS = [0.0, 1.0, 3.0, 20.0, 100.0, 7.0, 50.0, 2.0]
RATES = [-1000.0, -40.0, -1.5, 0.0, 2.0**-20, 3.0, 40.0, 80.0]
SIGNS = [1.0 if t > 0.5 else -1.0 for t in TARGETS]
PAIRS = [
    [1000.0, -1000.0, 40.0],
    [0.0, 0.5, 1.0],
    [-40.0, 40.0, 39.5],
    [2.0**-20, 0.0, -(2.0**-20)],
    [3.0, 3.0, 3.0],
    [-3.0, 90.0, 88.0],
]
OTHERS = [
    [-1000.0, 1000.0, 0.0],
    [0.5, 0.25, 1.0],
    [40.0, -40.0, 39.0],
    [2.0**-19, 2.0**-20, 0.0],
    [1.0, 2.0, 4.0],
    [90.0, -3.0, 88.0],
]


def normal(x: Any, m: Any, s: Any) -> Any:
    return -((x - m) ** 2) / (2 * s * s) - mpmath.log(s)


def softmax(x: Sequence[Any]) -> list[Any]:
    total = lse(x)
    return [mpmath.exp(v - total) for v in x]


def kl(p: Sequence[Any], q: Sequence[Any]) -> Any:
    return mpmath.fsum(a * mpmath.log(a / b) for a, b in zip(p, q, strict=True))


def kl_bernoulli(a: Any, b: Any) -> Any:
    p, q = sigmoid(a), sigmoid(b)
    return p * mpmath.log(p / q) + (1 - p) * mpmath.log((1 - p) / (1 - q))


LOSSES: dict[str, Loss] = {
    "cross-entropy by labels": both(lambda x, y: lse(x) - x[int(y)], BY_LABELS, x=ROWS, y=LABELS),
    "cross-entropy by one-hot": both(lambda x, h: lse(x) - mpmath.fdot(x, h), BY_ONE_HOT, x=ROWS, h=HOT),
    "cross-entropy without softmax": Loss(
        {"x": ROWS, "y": LABELS}, lambda x, y: lse(x) - x[int(y)],
        {
            "log_softmax": lambda x, y: -picked(T.log_softmax(x), y),
            "log of sum less pick": lambda x, y: log(exp(x).sum(axis=1)) - picked(x, y),
            "logsumexp": lambda x, y: T.logsumexp(x, axis=1) - picked(x, y),
            "of differences": lambda x, y: log(exp(x - picked(x, y)[:, None]).sum(axis=1)),
        },
        whole=("y",),
    ),
    "label smoothing": Loss(
        {"x": ROWS, "h": HOT}, lambda x, h: mpmath.fsum((0.75 * b + 0.0625) * (lse(x) - a) for a, b in zip(x, h, strict=True)),
        {
            "log": lambda x, h: -((0.75 * h + 0.0625) * log(T.softmax(x))).sum(axis=1),
            "by hand": lambda x, h: -((0.75 * h + 0.0625) * log(by_hand(x))).sum(axis=1),
            "log_softmax": lambda x, h: -((0.75 * h + 0.0625) * T.log_softmax(x)).sum(axis=1),
        },
    ),
    "temperature": Loss(
        {"x": ROWS, "y": LABELS}, lambda x, y: lse([4 * v for v in x]) - 4 * x[int(y)],
        {
            "softmax": lambda x, y: -log(picked(T.softmax(x / 0.25), y)),
            "by hand": lambda x, y: -log(picked(by_hand(x / 0.25), y)),
        },
        whole=("y",),
    ),
    "class weights": Loss(
        {"x": ROWS, "y": LABELS}, lambda x, y: (0.5, 1.0, 3.0)[int(y)] * (lse(x) - x[int(y)]),
        {"gathered": lambda x, y: -T.take(T.constant(np.array([0.5, 1.0, 3.0]), x.dtype), y) * log(picked(T.softmax(x), y))},
        whole=("y",),
    ),
    "binary cross-entropy": Loss({"z": LOGITS, "t": TARGETS}, lambda z, t: softplus(z) - t * z, BINARY),
    "binary cross-entropy, hard": Loss({"z": LOGITS, "t": HARD}, lambda z, t: softplus(z) - t * z, HARD_BINARY),
    "binary cross-entropy, clipped": Loss(
        {"z": LOGITS, "t": TARGETS},
        lambda z, t: -(t * mpmath.log(_bounded(sigmoid(z))) + (1 - t) * mpmath.log(1 - _bounded(sigmoid(z)))),
        {"clip": lambda z, t: -(t * log(clipped(sig(z))) + (1 - t) * log(1 - clipped(sig(z))))},
    ),
    "binary cross-entropy, at least": Loss(
        {"z": LOGITS, "t": TARGETS},
        lambda z, t: -(t * mpmath.log(max(sigmoid(z), mpf(EPSILON))) + (1 - t) * mpmath.log(max(1 - sigmoid(z), mpf(EPSILON)))),
        {"maximum": lambda z, t: -(t * log(T.maximum(sig(z), EPSILON)) + (1 - t) * log(T.maximum(1 - sig(z), EPSILON)))},
    ),
    "binary cross-entropy, and a little": Loss(
        {"z": LOGITS, "t": TARGETS},
        lambda z, t: -(t * mpmath.log(sigmoid(z) + EPSILON) + (1 - t) * mpmath.log(1 - sigmoid(z) + EPSILON)),
        {"added": lambda z, t: -(t * log(sig(z) + EPSILON) + (1 - t) * log(1 - sig(z) + EPSILON))},
    ),
    "binary cross-entropy of probabilities": Loss(
        {"p": [2.0**-40, 0.5, 0.25, 1 - 2.0**-20, 2.0**-100, 0.75, 0.125, 1 - 2.0**-23], "t": [1.0, 1.0, 0.5, 0.0, 0.0, 0.75, 1.0, 1.0]},
        lambda p, t: -(t * mpmath.log(p) + (1 - t) * mpmath.log(1 - p)),
        {
            "textbook": lambda p, t: -(t * log(p) + (1 - t) * log(1 - p)),
            "xlogy": lambda p, t: -(T.xlogy(t, p) + T.xlogy(1 - t, 1 - p)),
        },
    ),
    "focal": Loss(
        {"z": LOGITS, "t": HARD}, lambda z, t: sigmoid(z if t == 0 else -z) ** 2 * softplus(z if t == 0 else -z),
        {
            "chosen": lambda z, t: -((1 - where(t > 0.5, sig(z), 1 - sig(z))) ** 2) * log(where(t > 0.5, sig(z), 1 - sig(z))),
            "two terms": lambda z, t: -t * (1 - sig(z)) ** 2 * log(sig(z)) - (1 - t) * sig(z) ** 2 * log(1 - sig(z)),
            "mixed": lambda z, t: -((1 - (t * sig(z) + (1 - t) * (1 - sig(z)))) ** 2) * log(t * sig(z) + (1 - t) * (1 - sig(z))),
        },
    ),
    "focal by labels": Loss(
        {"x": ROWS, "y": LABELS}, lambda x, y: (1 - softmax(x)[int(y)]) ** 2 * (lse(x) - x[int(y)]),
        {"softmax": lambda x, y: -((1 - picked(T.softmax(x), y)) ** 2) * log(picked(T.softmax(x), y))},
        whole=("y",),
    ),
    "Gaussian": Loss(
        {"x": WHERE, "m": WHERE[::-1], "s": SCALES}, lambda x, m, s: normal(x, m, s), moving=3,
        spellings={
            "log-density": lambda x, m, s: -0.5 * ((x - m) / s) ** 2 - log(s),
            "log of density": lambda x, m, s: log(exp(-0.5 * ((x - m) / s) ** 2) / s),
            "log of variance": lambda x, m, s: -0.5 * log(s**2) - (x - m) ** 2 / (2 * s**2),
        },
    ),
    "Gaussian of log-variance": Loss(
        {"x": WHERE, "v": [-40.0, 0.5, 3.0, 80.0, 10.0, -3.0, 1.0, 20.0]}, lambda x, v: 0.5 * (v + x * x * mpmath.exp(-v)), moving=2,
        spellings={
            "quotient": lambda x, v: 0.5 * (v + x**2 / exp(v)),
            "log of density": lambda x, v: -log(exp(-(x**2) / (2 * exp(v))) / T.sqrt(exp(v))),
        },
    ),
    "Laplace": Loss(
        {"x": WHERE, "m": [0.5, 1.0, 40.0, -1000.0, 1000.0, 0.0, 3.5, -40.0], "b": SCALES}, lambda x, m, b: -abs(x - m) / b - mpmath.log(2 * b), moving=3,
        spellings={
            "log-density": lambda x, m, b: -abs(x - m) / b - log(2 * b),
            "log of density": lambda x, m, b: log(exp(-abs(x - m) / b) / (2 * b)),
        },
    ),
    "Student": Loss(
        {"x": [0.0, 0.5, -40.0, 1000.0, -1000.0, 2.0**-20, 3.0, 2.0**80]}, lambda x: -2.5 * mpmath.log(1 + x * x / 4),
        {
            "log-density": lambda x: -2.5 * log(1 + x**2 / 4),
            "log of density": lambda x: log((1 + x**2 / 4) ** -2.5),
        },
    ),
    "Student of degrees": Loss(
        {"x": [0.5, -40.0, 1000.0, 2.0**-20, 3.0], "n": [1.0, 3.0, 30.0, 1024.0, 2.0**20]},
        lambda x, n: mpmath.loggamma((n + 1) / 2) - mpmath.loggamma(n / 2) - 0.5 * mpmath.log(n) - (n + 1) / 2 * mpmath.log(1 + x * x / n),
        {"log-density": lambda x, n: T.gammaln((n + 1) / 2) - T.gammaln(n / 2) - 0.5 * log(n) - (n + 1) / 2 * log(1 + x**2 / n)},
    ),
    "mixture of Gaussians": Loss(
        {"m": [[0.0, 40.0, -40.0], [1000.0, 990.0, 1010.0], [0.5, 0.25, -0.5], [3.0, 3.0, 3.0]], "s": [[1.0, 2.0, 0.5], [1.0, 8.0, 4.0], [0.5, 0.5, 0.25], [1.0, 1.0, 1.0]]},
        lambda m, s: -mpmath.log(mpmath.fsum(0.25 * mpmath.exp(-0.5 * ((0.5 - a) / b) ** 2) / b for a, b in zip(m, s, strict=True))),
        {
            "log of sum": lambda m, s: -log((0.25 * exp(-0.5 * ((0.5 - m) / s) ** 2) / s).sum(axis=1)),
            "mean": lambda m, s: -log(0.75 * (exp(-0.5 * ((0.5 - m) / s) ** 2) / s).mean(axis=1)),
            "logsumexp": lambda m, s: -T.logsumexp(log(0.25 / s) - 0.5 * ((0.5 - m) / s) ** 2, axis=1),
        },
    ),
    "mixture by logits": Loss(
        {"w": [[1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0], [40.0, -40.0, 2.0], [-3.0, 1.0, 2.0]], "m": [[0.0, 40.0, -40.0], [30.0, 9.0, 10.0], [0.5, 0.25, -0.5], [3.0, 3.0, 3.0]]},
        lambda w, m: -mpmath.log(mpmath.fsum(p * mpmath.exp(-0.5 * (0.5 - a) ** 2) for a, p in zip(m, softmax(w), strict=True))), moving=2,
        spellings={"softmax": lambda w, m: -log((T.softmax(w) * exp(-0.5 * (0.5 - m) ** 2)).sum(axis=1))},
    ),
    "divergence of Bernoullis": Loss(
        {"a": [-1000.0, 40.0, 0.5, 2.0**-20, -40.0, 3.0], "b": [1000.0, -40.0, 0.25, 0.0, 40.0, 3.5]}, kl_bernoulli, moving=2,
        spellings={
            "quotients": lambda a, b: sig(a) * log(sig(a) / sig(b)) + (1 - sig(a)) * log((1 - sig(a)) / (1 - sig(b))),
            "differences": lambda a, b: sig(a) * (log(sig(a)) - log(sig(b))) + (1 - sig(a)) * (log(1 - sig(a)) - log(1 - sig(b))),
        },
    ),
    "divergence of categories": Loss(
        {"a": PAIRS, "b": OTHERS}, lambda a, b: kl(softmax(a), softmax(b)), moving=2,
        spellings={
            "difference": lambda a, b: (T.softmax(a) * (log(T.softmax(a)) - log(T.softmax(b)))).sum(axis=1),
            "quotient": lambda a, b: (T.softmax(a) * log(T.softmax(a) / T.softmax(b))).sum(axis=1),
            "log_softmax": lambda a, b: (T.softmax(a) * (T.log_softmax(a) - T.log_softmax(b))).sum(axis=1),
        },
    ),
    "entropy of a softmax": Loss(
        {"a": PAIRS}, lambda a: -mpmath.fsum(p * mpmath.log(p) for p in softmax(a)),
        {"p log p": lambda a: -(T.softmax(a) * log(T.softmax(a))).sum(axis=1), "by hand": lambda a: -(by_hand(a) * log(by_hand(a))).sum(axis=1)},
    ),
    "divergence of Gaussians": Loss(
        {"m": WHERE, "s": SCALES}, lambda m, s: -mpmath.log(s) + (s * s + m * m) / 2 - 0.5, moving=2,
        spellings={
            "from one": lambda m, s: -log(s) + (s**2 + m**2) / 2 - 0.5,
            "of variance": lambda m, s: -0.5 * (1 + log(s**2) - m**2 - s**2),
        },
    ),
    "divergence of a variational autoencoder": Loss(
        {"m": [0.0, 2.0**-20, 3.0, -40.0, 1.0], "v": [2.0**-20, -(2.0**-15), 40.0, -40.0, 0.0]}, lambda m, v: -0.5 * (1 + v - m * m - mpmath.exp(v)), moving=2,
        spellings={"textbook": lambda m, v: -0.5 * (1 + v - m**2 - exp(v)), "halves": lambda m, v: 0.5 * (exp(v) + m**2 - 1 - v)},
    ),
    "Poisson": Loss(
        {"l": RATES, "k": COUNTS}, lambda l, k: mpmath.exp(l) - k * l + mpmath.loggamma(k + 1),
        {
            "log rate": lambda l, k: exp(l) - k * l + T.gammaln(k + 1),
            "log of probability": lambda l, k: -log(exp(l) ** k * exp(-exp(l)) / exp(T.gammaln(k + 1))),
        },
    ),
    "negative binomial": Loss(
        {"z": RATES, "k": COUNTS}, lambda z, k: k * softplus(-z) + 3 * softplus(z),
        {
            "sigmoid": lambda z, k: -k * log(sig(z)) - 3 * log(1 - sig(z)),
            "power": lambda z, k: -log(sig(z) ** k * (1 - sig(z)) ** 3),
        },
    ),
    "geometric": Loss({"z": RATES, "k": COUNTS}, lambda z, k: softplus(-z) + k * softplus(z), {"log of product": lambda z, k: -log(sig(z) * (1 - sig(z)) ** k)}),
    "logistic": Loss(
        {"z": LOGITS, "t": SIGNS}, lambda z, t: softplus(-t * z),
        {"log": lambda z, t: log(1 + exp(-t * z)), "log1p": lambda z, t: T.log1p(exp(-t * z)), "log sigmoid": lambda z, t: -log(sig(t * z)), "softplus": lambda z, t: T.softplus(-t * z)},
    ),
    "hinge": Loss(
        {"z": LOGITS, "t": SIGNS}, lambda z, t: max(mpf(0), 1 - t * z),
        {"maximum": lambda z, t: T.maximum(0, 1 - t * z), "relu": lambda z, t: T.relu(1 - t * z), "where": lambda z, t: where(t * z < 1, 1 - t * z, 0)},
    ),
    "smooth hinge": Loss(
        {"z": LOGITS, "t": SIGNS}, lambda z, t: softplus(8 * (1 - t * z)) / 8,
        {"log": lambda z, t: log(1 + exp(8 * (1 - t * z))) / 8, "softplus": lambda z, t: T.softplus(8 * (1 - t * z)) / 8},
    ),
    "log cosh": Loss(
        {"x": WHERE}, lambda x: mpmath.log(mpmath.cosh(x)),
        {"cosh": lambda x: log(T.cosh(x)), "exp": lambda x: log((exp(x) + exp(-x)) / 2)},
    ),
    "pseudo-Huber": Loss(
        {"x": [*WHERE, 2.0**90]}, lambda x: 4 * (mpmath.sqrt(1 + (x / 2) ** 2) - 1),
        {"root": lambda x: 4 * (T.sqrt(1 + (x / 2) ** 2) - 1)},
    ),
    "contrast": Loss(
        {"x": ROWS}, lambda x: -mpmath.log(mpmath.exp(8 * x[0]) / mpmath.fsum(mpmath.exp(8 * v) for v in x)),
        {
            "exponentials": lambda x: -log(exp(x[:, 0] / 0.125) / exp(x / 0.125).sum(axis=1)),
            "softmax": lambda x: -log(T.softmax(x / 0.125)[:, 0]),
            "of others": lambda x: log(1 + exp((x[:, 1:] - x[:, :1]) / 0.125).sum(axis=1)),
        },
    ),
    "preference": Loss(
        {"a": [1000.0, 40.0, 0.5, -40.0, -1000.0, 3.0], "b": [-1000.0, -40.0, 0.5, 40.0, 1000.0, 2.0]}, lambda a, b: softplus(b - a), moving=2,
        spellings={"sigmoid": lambda a, b: -log(sig(a - b)), "quotient": lambda a, b: -log(exp(a) / (exp(a) + exp(b)))},
    ),
}  # fmt: skip


@cache
def truth_of(name: str) -> tuple[Any, tuple[Any, ...]]:
    """The loss of each sample, and the derivatives of their sum in each moving leaf."""
    loss = LOSSES[name]
    columns = [_reals(c) for c in loss.leaves.values()]
    samples = list(zip(*columns, strict=True))
    with mpmath.workprec(BITS):
        values = np.array([loss.truth(*s) for s in samples], object)
        return values, tuple(np.array([_slope(loss.truth, s, k) for s in samples], object) for k in range(loss.moving))


def _reals(column: Sequence[Any]) -> list[Any]:
    return [[mpf(v) for v in one] if isinstance(one, list) else mpf(one) for one in column]


def _slope(truth: Truth, sample: tuple[Any, ...], which: int) -> Any:
    """The derivative of one sample's loss in one leaf, a number or a row."""

    def moved(step: Any, at: int | None) -> Any:
        given = list(sample)
        if at is None:
            given[which] = sample[which] + step
        else:
            given[which] = [v + step if k == at else v for k, v in enumerate(sample[which])]
        return truth(*given)

    step = mpmath.ldexp(1, -BITS // 4)

    def slope(at: int | None) -> Any:
        return (moved(step, at) - moved(-step, at)) / (2 * step)

    return [slope(k) for k in range(len(sample[which]))] if isinstance(sample[which], list) else slope(None)


CASES = [(name, spelling) for name, loss in LOSSES.items() for spelling in loss.spellings]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "spelling"), CASES, ids=lambda part: part)
def test_cost_and_gradient(name: str, spelling: str, dtype: str) -> None:
    loss = LOSSES[name]
    leaves = [
        variable(k, (None,) if np.ndim(v) == 1 else (None, 3), "int32" if k in loss.whole else dtype)
        for k, v in loss.leaves.items()
    ]
    y = loss.spellings[spelling](*leaves)
    outputs = [y, *symdl.grad(y.sum(), leaves[: loss.moving])]
    arrays = [np.array(v, x.type.dtype) for x, v in zip(leaves, loss.leaves.values(), strict=True)]
    got = quickly(leaves, outputs)(arrays)
    values, slopes = truth_of(name)
    for g, t in zip(got, (values, *slopes), strict=True):
        assert g.dtype == dtype
        np.testing.assert_array_less(distance(g, t), 4.001, err_msg=f"{g}")
