"""Random formulas as people might write them, up to eight operations deep, and points at which to try them.

Any elementwise float function of the table on any other, comparisons inside `where`, reductions over rows; numbers of all
sizes, equal and nearly equal operands. A formula and its points follow from its seed and dtype alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import symdl
import symdl.tensor as T
from symdl.errors import SymdlError
from symdl.graph.expr import Expr, variable
from symdl.graph.walks import topological
from symdl.ops.declare import is_float

CANDIDATES, POINTS, ROW = 24, 4, 3
LARGEST = 16  # operations of a formula
NUMBERS = (1.0, 2.0, 0.5, 3.0, -1.0, 1.5, 10.0, 0.1)

# What formulas are made of, the common ones several times. `tests/test_formulas.py` keeps the table of ops whole.
UNARY: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "exp": (8, T.exp), "log": (8, T.log), "sqrt": (6, T.sqrt), "neg": (3, lambda a: -a), "sqr": (4, T.sqr), "reciprocal": (4, T.reciprocal),
    "expm1": (3, T.expm1), "log1p": (3, T.log1p), "tanh": (4, T.tanh), "sigmoid": (5, T.sigmoid), "softplus": (3, T.softplus), "abs": (3, abs),
    "sin": (3, T.sin), "cos": (3, T.cos), "tan": (2, T.tan), "arctan": (2, T.arctan), "arcsin": (1, T.arcsin), "arccos": (1, T.arccos),
    "sinh": (2, T.sinh), "cosh": (2, T.cosh), "arcsinh": (1, T.arcsinh), "arccosh": (1, T.arccosh), "arctanh": (1, T.arctanh),
    "erf": (2, T.erf), "erfc": (2, T.erfc), "erfcx": (1, T.erfcx), "erfinv": (1, T.erfinv), "gammaln": (1, T.gammaln), "digamma": (1, T.digamma),
    "exp2": (1, T.exp2), "log2": (1, T.log2), "log10": (1, T.log10), "log1mexp": (1, T.log1mexp),
    "deg2rad": (1, T.deg2rad), "rad2deg": (1, T.rad2deg), "sign": (1, T.sign), "floor": (1, T.floor), "ceil": (1, T.ceil), "trunc": (1, T.trunc),
    "round_half_even": (1, T.round), "add": (2, lambda a: a + 1), "sub": (4, lambda a: 1 - a), "pow": (2, lambda a: a**3),
}  # fmt: skip
BINARY: dict[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "add": (8, lambda a, b: a + b), "sub": (10, lambda a, b: a - b), "mul": (7, lambda a, b: a * b), "true_div": (7, lambda a, b: a / b),
    "pow": (2, lambda a, b: a**b), "maximum": (2, T.maximum), "minimum": (2, T.minimum), "arctan2": (1, T.arctan2),
    "logaddexp": (1, T.logaddexp), "xlogy": (1, T.xlogy), "mod": (1, lambda a, b: a % b), "floor_div": (1, lambda a, b: a // b),
    "clip_between": (1, lambda a, b: T.clip(a, b - 1, b + 2)),
}  # fmt: skip
COMPARISON = {"lt": T.lt, "le": T.le, "gt": T.gt, "ge": T.ge, "eq": T.eq, "ne": T.ne}
REDUCTION: tuple[Callable[[Any], Any], ...] = (
    lambda m: T.sum(m, axis=-1), lambda m: T.sum(m, axis=-1), lambda m: T.mean(m, axis=-1), lambda m: T.max(m, axis=-1), lambda m: T.min(m, axis=-1),
    lambda m: T.prod(m, axis=-1), lambda m: T.logsumexp(m, axis=-1), lambda m: T.var(m, axis=-1), lambda m: T.softmax(m, axis=-1)[:, 0],
    lambda m: T.log(T.sum(T.exp(m), axis=-1)), lambda m: T.sqrt(T.sum(m * m, axis=-1)),
)  # fmt: skip


def _drawn(rng: random.Random, table: dict[str, tuple[int, Any]]) -> Callable[..., Any]:
    found: Callable[..., Any] = rng.choices(
        [made for _, made in table.values()], [weight for weight, _ in table.values()]
    )[0]
    return found


def number(rng: random.Random) -> float:
    """One as people might use it, of any size."""
    match rng.randrange(7):
        case 0 | 1:
            return rng.uniform(-2, 2)
        case 2:
            return rng.uniform(0, 1)
        case 3:
            return rng.uniform(-40, 40)
        case 4:
            return float(rng.choice([0, 1, -1, 2, 0.5, 3, 1000, -1000, 1e-8]))
        case 5:
            return 10 ** rng.uniform(-12, 4)
        case _:
            return -(10 ** rng.uniform(-12, 4))


@dataclass(frozen=True)
class Formula:
    """A formula, one of its gradients, and candidates for the points."""

    seed: int
    leaves: list[Expr]
    outputs: list[Expr]  # the value, then the gradient of its sum in one of the leaves
    candidates: list[Any]

    def at(self, rows: list[int]) -> dict[Expr, Any]:
        """The leaves' values at some of the candidates."""
        return {x: array[rows] for x, array in zip(self.leaves, self.candidates, strict=True)}


class _Author:
    """Writes one formula."""

    def __init__(self, seed: int, dtype: str) -> None:
        self.rng = random.Random(f"{seed} {dtype}")
        self.left = self.rng.randint(2, LARGEST)
        self.scalars = [variable(f"{name}{seed}", (POINTS,), dtype) for name in "xyz"[: self.rng.randint(1, 3)]]
        self.row = variable(f"m{seed}", (POINTS, ROW), dtype)

    def written(self, depth: int, wide: bool) -> Any:
        """A tree of at most so many levels; wide: on rows."""
        rng = self.rng
        if depth == 0 or self.left <= 0 or rng.random() < 0.08:
            return self.leaf(wide)
        self.left -= 1
        draw = rng.random()
        if draw < 0.06 and not wide:
            return rng.choice(REDUCTION)(self.matrix(depth - 1))
        if draw < 0.47:
            a = self.written(depth - 1, wide)
            return a if isinstance(a, float) else _drawn(rng, UNARY)(a)
        a, b = self.written(depth - 1, wide), self.written(depth - 1, wide)
        if isinstance(a, float) and isinstance(b, float):
            return a
        if draw < 0.53:
            other = self.leaf(wide)
            at = a if isinstance(other, float) and isinstance(a, Expr) else other
            condition = rng.choice(list(COMPARISON.values()))(at, b if rng.random() < 0.5 else rng.choice(NUMBERS))
            return T.where(condition, a, b)
        made = _drawn(rng, BINARY)
        return made(a, b)

    def matrix(self, depth: int) -> Expr:
        found = self.written(depth, True)
        return found if isinstance(found, Expr) and found.type.ndim == 2 else self.row

    def leaf(self, wide: bool) -> Any:
        draw = self.rng.random()
        if draw < 0.2:
            return self.rng.choice(NUMBERS)
        if wide and draw < 0.75:
            return self.row
        x = self.rng.choice(self.scalars)
        return T.expand_dims(x, 1) if wide else x

    def near(self, first: float) -> float:
        """Sometimes the same number, or one close to it."""
        if self.rng.random() < 0.3:
            return first * (1 + self.rng.choice([0, 1e-9, 0.3, -1e-5, 1e-14]))
        return number(self.rng)

    def points(self) -> dict[Expr, Any]:
        """Candidates: some leaves equal others, exactly or nearly."""
        table: dict[Expr, list[Any]] = {x: [] for x in (*self.scalars, self.row)}
        for _ in range(CANDIDATES):
            first = number(self.rng)
            for x, column in table.items():
                if x is self.row:
                    column.append([self.near(first) for _ in range(ROW)])
                else:
                    column.append(first if x is self.scalars[0] else self.near(first))
        return {x: np.array(column, x.type.dtype) for x, column in table.items()}


def formula(seed: int, dtype: str) -> Formula:
    """The formula of a seed."""
    author = _Author(seed, dtype)
    while True:
        author.left = author.rng.randint(2, LARGEST)
        try:
            value = author.written(author.rng.randint(2, 8), False)
            if not isinstance(value, Expr):
                continue
            leaves = [x for x in topological(value) if x in author.scalars or x is author.row]
            if not leaves or not is_float(value.type.dtype):
                continue
            gradient = symdl.grad(value.sum(), author.rng.choice(leaves))
        except SymdlError:  # of trigamma, or of two numbers
            continue
        points = author.points()
        return Formula(seed, leaves, [value, gradient], [points[x] for x in leaves])
