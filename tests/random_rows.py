"""Random formulas along rows: what is left of a sum, shares and softmax, labels and one-hots, slices, orders and pieces.

As those of `random_formulas`, which give a number a point: here a point is a row of numbers, with a label, and nodes see it
whole. One formula in three has a second derivative.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from random_formulas import CANDIDATES, NUMBERS, POINTS, ROW, Formula, number

import symdl
import symdl.tensor as T
from symdl.errors import SymdlError
from symdl.graph.expr import Expr, variable
from symdl.graph.walks import topological

LARGEST = 10  # operations of a formula
Rows = Callable[[Any], Any]

UNARY: tuple[Rows, ...] = (
    T.exp, T.exp, T.exp, T.log, T.log, T.sqrt, T.sqr, T.sqr, abs, T.neg, T.reciprocal, T.sigmoid, T.tanh, T.softplus, T.log1p,
    T.expm1, T.sin, T.cos, lambda r: 1 - r, lambda r: 1 - r, lambda r: r**3,
)  # fmt: skip
BINARY: tuple[Callable[[Any, Any], Any], ...] = (
    lambda a, b: a + b, lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a * b,
    lambda a, b: a / b, T.maximum, T.logaddexp, lambda a, b: T.where(a > b, a, b * b),
)  # fmt: skip
WHOLE: tuple[Rows, ...] = (  # each element sees its row
    T.softmax, T.softmax, T.log_softmax, lambda r: T.cumsum(r, axis=-1),
    lambda r: r - r.sum(axis=-1, keepdims=True), lambda r: r.sum(axis=-1, keepdims=True) - r,
    lambda r: r - r.mean(axis=-1, keepdims=True), lambda r: r - r.max(axis=-1, keepdims=True),
    lambda r: r / r.sum(axis=-1, keepdims=True), lambda r: r / T.sqrt((r * r).sum(axis=-1, keepdims=True)),
    lambda r: T.exp(r) / T.exp(r).sum(axis=-1, keepdims=True), lambda r: r - T.logsumexp(r, axis=-1, keepdims=True),
    lambda r: r[:, ::-1], lambda r: r[:, [2, 0, 0]], lambda r: T.concatenate([r[:, 1:], r[:, :1]], axis=1),
    lambda r: T.stack([r[:, 1], r[:, 0], r[:, 2]], axis=1), lambda r: (r.T - r[:, 1]).T, lambda r: r - r[:, :1],
    lambda r: r.reshape((-1,)).reshape((POINTS, ROW)), lambda r: T.clip(r, -2, 3), lambda r: T.sort(r, axis=-1),
)  # fmt: skip
LABELLED: tuple[Callable[[Any, Any, Any], Any], ...] = (
    lambda r, hot, _: hot * r, lambda r, hot, _: r - hot, lambda r, hot, _: (1 - hot) * r, lambda r, hot, _: T.where(hot > 0.5, r, 1 - r),
    lambda r, _, k: r - T.expand_dims(r[T.arange(POINTS), k], 1), lambda r, hot, _: T.where(hot > 0.5, r, 0),
)  # fmt: skip
ENDS: tuple[Callable[[Any, Any, Any], Any], ...] = (
    lambda r, *_: r.sum(axis=-1), lambda r, *_: r.sum(axis=-1), lambda r, *_: r.mean(axis=-1), lambda r, *_: r.max(axis=-1),
    lambda r, *_: T.logsumexp(r, axis=-1), lambda r, *_: T.var(r, axis=-1), lambda r, *_: r.prod(axis=-1), lambda r, *_: r[:, 0],
    lambda r, _, k: r[T.arange(POINTS), k], lambda r, _, k: r[T.arange(POINTS), k], lambda r, hot, _: (hot * r).sum(axis=-1),
    lambda r, hot, _: T.log((hot * r).sum(axis=-1)), lambda r, hot, _: -(hot * T.log(r)).sum(axis=-1),
    lambda r, _, k: 1 - r[T.arange(POINTS), k], lambda r, *_: T.sqrt((r * r).sum(axis=-1)),
)  # fmt: skip


class _Author:
    """Writes one formula."""

    def __init__(self, seed: int, dtype: str) -> None:
        self.rng = random.Random(f"rows {seed} {dtype}")
        self.row = variable(f"m{seed}", (POINTS, ROW), dtype)
        self.scalar = variable(f"x{seed}", (POINTS,), dtype)
        self.label = variable(f"k{seed}", (POINTS,), "int64")
        self.hot = T.one_hot(self.label, ROW, dtype=dtype)
        self.left = 0

    def written(self, depth: int) -> Any:
        """A tree on rows of at most so many levels."""
        rng = self.rng
        if depth == 0 or self.left <= 0:
            return self.leaf()
        self.left -= 1
        draw = rng.random()
        if draw < 0.35:
            a = self.written(depth - 1)
            return a if isinstance(a, float) else rng.choice(UNARY)(a)
        if draw < 0.65:
            return rng.choice(WHOLE)(self.whole(depth - 1))
        if draw < 0.75:
            return rng.choice(LABELLED)(self.whole(depth - 1), self.hot, self.label)
        a, b = self.whole(depth - 1), self.written(depth - 1)
        return rng.choice(BINARY)(*((a, b) if rng.random() < 0.5 or isinstance(b, float) else (b, a)))

    def whole(self, depth: int) -> Expr:
        """A tree that has a number of its own for each place."""
        found = self.written(depth)
        return found if isinstance(found, Expr) and found.type.shape == (POINTS, ROW) else self.row

    def leaf(self) -> Any:
        draw = self.rng.random()
        if draw < 0.12:
            return self.rng.choice(NUMBERS)
        return T.expand_dims(self.scalar, 1) if draw < 0.25 else self.row

    def points(self) -> dict[Expr, Any]:
        """Candidates: the numbers of a row are sometimes equal, or nearly, or of one size."""
        rng = self.rng
        table: dict[Expr, list[Any]] = {self.row: [], self.scalar: [], self.label: []}
        for _ in range(CANDIDATES):
            first = number(rng)
            size = abs(first)

            def other(first: float = first, size: float = size) -> float:
                draw = rng.random()
                if draw < 0.25:
                    return first * (1 + rng.choice([0, 1e-9, 0.3, -1e-5, 1e-14]))
                return rng.uniform(-size, size) if draw < 0.5 else number(rng)

            table[self.row].append([first, other(), other()])
            table[self.scalar].append(other())
            table[self.label].append(rng.randrange(ROW))
        return {x: np.array(column, x.type.dtype) for x, column in table.items()}


def formula(seed: int, dtype: str) -> Formula:
    """The formula of a seed."""
    author = _Author(seed, dtype)
    rng = author.rng
    while True:
        author.left = rng.randint(1, LARGEST)
        try:
            value = rng.choice(ENDS)(author.whole(rng.randint(1, 6)), author.hot, author.label)
            leaves = [x for x in topological(value) if x in (author.row, author.scalar, author.label)]
            moving = [x for x in leaves if x is not author.label]
            if not moving:
                continue
            outputs = [value, symdl.grad(value.sum(), rng.choice(moving))]
            if rng.random() < 1 / 3:
                outputs.append(symdl.grad(outputs[1].sum(), rng.choice(moving), disconnected_inputs="ignore"))
        except SymdlError:  # what has no derivative
            continue
        points = author.points()
        return Formula(seed, leaves, outputs, [points[x] for x in leaves])
