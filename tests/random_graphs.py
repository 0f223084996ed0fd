"""Random graphs for fuzzing: any op on any other, with extents known or not, and values on which they are well behaved.

exact graphs hold small whole numbers, on which every machine must give the same bits in any order of summing; smooth
ones hold floats of magnitude one and differentiable functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import SymdlError
from symdl.graph.expr import Expr, variable
from symdl.passes.evaluate import bind, concrete
from symdl.types import Symbol

LARGEST = 512.0  # of the numbers in an exact graph: products of two, summed over an axis, stay whole in float32


class Graph:
    """A pool of expressions over a few variables that grows op by op."""

    def __init__(self, seed: int, smooth: bool) -> None:
        self.rng = np.random.default_rng([seed, smooth])
        self.smooth = smooth
        self.values: dict[Expr, Any] = {}
        self.pool: list[Expr] = []
        self.bounds: dict[Expr, float] = {}  # of |element|, in exact graphs
        self.sizes: dict[Symbol, int] = {}
        self.steps = 0
        axes = [int(n) for n in self.rng.choice([1, 2, 3, 4, 5, 0], 3, p=[0.2, 0.25, 0.25, 0.15, 0.1, 0.05])]
        self.floats = str(self.rng.choice(["float64", "float32"]))
        for k in range(int(self.rng.integers(2, 5))):
            self.leaf(f"v{seed}_{k}", axes)

    def leaf(self, name: str, axes: list[int]) -> None:
        rng = self.rng
        ndim = int(rng.integers(0, 4))
        shape = tuple(int(rng.choice(axes)) for _ in range(ndim))
        known = [
            bool(rng.integers(3)) or n == 1 for n in shape
        ]  # an axis of 1 that is not known to be 1 never broadcasts
        if self.smooth:
            array, dtype = rng.uniform(0.3, 2, shape).astype(self.floats), self.floats
        else:
            dtype = str(rng.choice([self.floats, self.floats, "int64", "int32", "bool"]))
            array = (
                rng.integers(0, 2, shape).astype(bool) if dtype == "bool" else rng.integers(-4, 5, shape).astype(dtype)
            )
        x = variable(name, tuple(n if k else None for n, k in zip(shape, known, strict=True)), dtype)
        self.values[x] = array
        self.sizes.update(bind({x: array}))
        self.bounds[x] = 4.0
        self.pool.append(x)

    def shape(self, x: Expr) -> tuple[int, ...]:
        found: tuple[int, ...] = concrete(x.type.shape, self.sizes)
        return found

    def pick(self, *kinds: str) -> Expr:
        """A node, newer ones more often; of a dtype that starts with one of kinds."""
        able = [x for x in self.pool if not kinds or x.type.dtype.startswith(kinds)]
        return able[-1 - int(len(able) * self.rng.random() ** 2)] if able else self.pool[0]

    def fits(self, a: Expr, b: Expr) -> bool:
        """Whether two broadcast: axes known to be 1 stretch, others agree when called."""
        for k in range(1, 1 + min(a.type.ndim, b.type.ndim)):
            n, m = self.shape(a)[-k], self.shape(b)[-k]
            if n != m and a.type.shape[-k] != 1 and b.type.shape[-k] != 1:
                return False
            if (
                n == m
                and isinstance(a.type.shape[-k], int) != isinstance(b.type.shape[-k], int)
                and 1 in (a.type.shape[-k], b.type.shape[-k])
            ):
                return (
                    False  # one is known to be 1 and the other is 1 by chance: the former stretches, which is right too
                )
        return True

    def partner(self, a: Expr, *kinds: str) -> Expr:
        able = [x for x in self.pool if self.fits(a, x) and (not kinds or x.type.dtype.startswith(kinds))]
        return able[int(self.rng.integers(len(able)))] if able else a

    def grow(self, steps: int) -> None:
        ops = SMOOTH if self.smooth else EXACT
        tries = 0
        while self.steps < steps and tries < 20 * steps:
            tries += 1
            op = ops[int(self.rng.integers(len(ops)))]
            try:
                made = op(self)
            except SymdlError:  # this op does not take what was drawn
                continue
            if made is None:
                continue
            y, bound = made
            if int(np.prod(self.shape(y))) > 400:
                continue
            if not self.smooth and y.type.dtype != "bool" and bound > LARGEST:
                y, bound = T.mod(y, 17), 17.0
            self.pool.append(y)
            self.bounds[y] = bound
            self.steps += 1

    def outputs(self) -> list[Expr]:
        """The newest nodes, which the others lead to."""
        last = self.pool[-1 - min(2, self.steps) :]
        return list(dict.fromkeys(last))


Made = tuple[Expr, float] | None
Step = Callable[[Graph], Made]


def _bound(g: Graph, x: Expr) -> float:
    return g.bounds.get(x, 4.0)


# ---- on whole numbers ----


def _arithmetic(g: Graph) -> Made:
    a = g.pick("float", "int")
    b = g.partner(a, "float", "int")
    p, q = _bound(g, a), _bound(g, b)
    match int(g.rng.integers(6)):
        case 0:
            return a + b, p + q
        case 1:
            return a - b, p + q
        case 2:
            return a * b, p * q
        case 3:
            return T.maximum(a, b), max(p, q)
        case 4:
            return T.minimum(b, a), max(p, q)
        case _:
            return a * int(g.rng.integers(-3, 4)) - 1, 3 * p + 1


def _unary(g: Graph) -> Made:
    a = g.pick("float", "int")
    p = _bound(g, a)
    match int(g.rng.integers(7)):
        case 0:
            return -a, p
        case 1:
            return abs(a), p
        case 2:
            return T.sign(a), 1
        case 3:
            return T.sqr(a), p * p
        case 4:
            return T.clip(a, -3, 5), 5
        case 5:
            return a // int(g.rng.choice([2, 3, -2])), p
        case _:
            return T.relu(a), p


def _comparison(g: Graph) -> Made:
    a = g.pick("float", "int")
    b = g.partner(a, "float", "int")
    op = [T.lt, T.le, T.gt, T.ge, T.eq, T.ne][int(g.rng.integers(6))]
    return op(a, b if g.rng.integers(2) else 1), 1


def _logic(g: Graph) -> Made:
    a = g.pick("bool")
    b = g.partner(a, "bool")
    if a.type.dtype != "bool" or b.type.dtype != "bool":
        return None
    return [a & b, a | ~b, a ^ b, T.logical_and(b, a)][int(g.rng.integers(4))], 1


def _choice(g: Graph) -> Made:
    a = g.pick("float", "int")
    b, c = g.partner(a, "float", "int"), g.partner(a, "bool")
    y = a if not g.fits(b, c) else b
    return T.where(c if c.type.dtype == "bool" else a > 0, a, y), max(_bound(g, a), _bound(g, b))


def _cast(g: Graph) -> Made:
    a = g.pick()
    to = str(g.rng.choice([g.floats, "int64", "int32", "bool"]))
    return T.cast(a, to), _bound(g, a)


def _view(g: Graph) -> Made:
    a = g.pick()
    n, p, shape, rng = a.type.ndim, _bound(g, a), g.shape(a), g.rng
    axis = int(rng.integers(n)) if n else 0
    match int(rng.integers(12)):
        case 0:
            return a.transpose(*(int(k) for k in rng.permutation(n))) if n else a.T, p
        case 1:
            return T.expand_dims(a, int(rng.integers(n + 1))), p
        case 2 if n:
            low, step = (None, -1) if rng.integers(2) else (int(rng.integers(-2, 3)), int(rng.choice([1, 2, -1, -2])))
            high = None if rng.integers(2) else int(rng.integers(-3, 4))
            return a[(slice(None),) * axis + (slice(low, high, step),)], p
        case 3 if n and shape[axis]:
            return a[(slice(None),) * axis + (int(rng.integers(-shape[axis], shape[axis])),)], p
        case 4:
            return a.flatten(), p
        case 5 if n > 1:
            return a.reshape((*a.shape[:-2], -1)) if shape[-1] and shape[-2] and 0 not in shape else a.flatten(), p
        case 6 if n:
            return T.tile(a, [int(rng.integers(1, 3)) for _ in range(n)]), p
        case 7 if n:
            return a.repeat(int(rng.integers(1, 4)), axis), p
        case 8 if n and a.type.dtype != "bool":
            return T.pad(a, [(int(rng.integers(2)), int(rng.integers(3))) for _ in range(n)]), p
        case 9:
            return T.broadcast_to(a, (int(rng.integers(1, 4)), *a.shape)), p
        case 10 if n:
            return T.roll(a, int(rng.integers(-3, 4)), axis), p
        case 11:
            return a.squeeze(), p
    return None


def _index(g: Graph) -> Made:
    a, at = g.pick(), g.pick("int")
    if not a.type.ndim or at.type.ndim > 2 or not at.type.dtype.startswith("int"):
        return None
    axis = int(g.rng.integers(a.type.ndim))
    n = g.shape(a)[axis]
    if not n:
        return None
    index = T.mod(at, n) - (n if g.rng.integers(2) else 0)
    items: list[Any] = [slice(None)] * a.type.ndim
    items[axis] = index
    if g.rng.integers(4) == 0 and a.type.ndim > 1:
        other = (axis + 1) % a.type.ndim
        if g.shape(a)[other]:
            items[other] = T.mod(at, g.shape(a)[other])
    return a[tuple(items)], _bound(g, a)


def _assign(g: Graph) -> Made:
    a = g.pick("float", "int64")
    if not a.type.ndim or not g.shape(a)[0]:
        return None
    n = g.shape(a)[0]
    place = [
        a[int(g.rng.integers(-n, n))],
        a[:: int(g.rng.choice([1, 2, -1]))],
        a[g.rng.permutation(n)[: max(1, n // 2)]],
        a[..., :1],
    ][int(g.rng.integers(4))]
    v = g.pick(a.type.dtype)
    value: Any = 3
    if (
        v.type.dtype == a.type.dtype
        and v.type.ndim <= place.type.ndim
        and g.fits(place, v)
        and g.shape(v) == g.shape(place)
    ):
        value = v
    change = T.set_subtensor if g.rng.integers(2) else T.inc_subtensor
    return change(place, value), _bound(g, a) + max(_bound(g, v), 3)


def _join(g: Graph) -> Made:
    a = g.pick()
    able = [x for x in g.pool if x.type.ndim == a.type.ndim and g.shape(x) == g.shape(a)]
    b = able[int(g.rng.integers(len(able)))]
    p = max(_bound(g, a), _bound(g, b))
    if g.rng.integers(2) or not a.type.ndim:
        return T.stack([a, b], int(g.rng.integers(a.type.ndim + 1))), p
    return T.concatenate([a, b, a], int(g.rng.integers(a.type.ndim))), p


def _reduce(g: Graph) -> Made:
    a = g.pick()
    n, p = a.type.ndim, _bound(g, a)
    axes = tuple(k for k in range(n) if g.rng.integers(2))
    axis = None if g.rng.integers(4) == 0 else axes
    count = int(np.prod([g.shape(a)[k] for k in (range(n) if axis is None else axes)], initial=1))
    keepdims = bool(g.rng.integers(2))
    match int(g.rng.integers(6)):
        case 0 | 1:
            return T.sum(a, axis=axis, keepdims=keepdims), p * max(count, 1)
        case 2 if count:
            return T.max(a, axis=axis, keepdims=keepdims), p
        case 3 if count:
            return T.min(a, axis=axis, keepdims=keepdims), p
        case 4:
            return [T.any, T.all][int(g.rng.integers(2))](a, axis=axis, keepdims=keepdims), 1
        case 5 if n and a.type.dtype != "bool":
            k = int(g.rng.integers(n))
            if g.rng.integers(2) and g.shape(a)[k]:
                return [T.argmax, T.argmin][int(g.rng.integers(2))](a, axis=k, keepdims=keepdims), float(g.shape(a)[k])
            return T.cumsum(a, axis=k), p * max(g.shape(a)[k], 1)
    return None


def _product(g: Graph) -> Made:
    a = g.pick("float", "int64")
    if not a.type.ndim:
        return None
    able = [
        x
        for x in g.pool
        if x.type.ndim and x.type.dtype != "bool" and g.shape(x)[max(x.type.ndim - 2, 0)] == g.shape(a)[-1]
    ]
    if not able:
        return None
    b = able[int(g.rng.integers(len(able)))]
    if g.rng.integers(3) == 0:
        return T.outer(a, b), _bound(g, a) * _bound(g, b)
    y = (
        T.dot(a, b)
        if max(a.type.ndim, b.type.ndim) <= 2 or g.rng.integers(2)
        else T.tensordot(a, b, [[-1], [max(b.type.ndim - 2, 0)]])
    )
    return y, _bound(g, a) * _bound(g, b) * max(g.shape(a)[-1], 1)


def _position(g: Graph) -> Made:
    a = g.pick()
    if not a.type.ndim:
        return T.arange(3) + T.cast(a, "int64"), _bound(g, a) + 3
    n = a.shape[int(g.rng.integers(a.type.ndim))]
    return [T.arange(n), T.eye(n, dtype=g.floats), T.cast(n, "int64") + T.zeros((2,), "int64")][
        int(g.rng.integers(3))
    ], 8.0


EXACT: list[Step] = [
    _arithmetic, _arithmetic, _arithmetic, _unary, _unary, _comparison, _logic, _choice, _cast, _view, _view, _view, _view,
    _index, _index, _assign, _assign, _join, _reduce, _reduce, _reduce, _product, _position,
]  # fmt: skip


# ---- on floats of magnitude one ----


def _smooth_unary(g: Graph) -> Made:
    a = g.pick()
    made: list[Callable[[Expr], Expr]] = [
        T.tanh, T.sigmoid, T.softplus, T.sin, T.cos, T.arctan, T.erf, T.arcsinh, lambda v: T.exp(-abs(v)), lambda v: T.log1p(v * v),
        lambda v: T.sqrt(1 + v * v), lambda v: 1 / (2 + T.cos(v)), lambda v: T.log(1 + T.exp(v)), lambda v: v / (1 + abs(v)),
        lambda v: T.tanh(v) ** 2, lambda v: T.where(v > 0.7, v, T.exp(T.minimum(v, 0.7)) / 3), lambda v: T.expm1(T.tanh(v)),
    ]  # fmt: skip
    return made[int(g.rng.integers(len(made)))](a), 1


def _smooth_binary(g: Graph) -> Made:
    a = g.pick()
    b = g.partner(a)
    made: list[Callable[[Expr, Expr], Expr]] = [
        lambda u, v: u + v, lambda u, v: u - v, lambda u, v: T.tanh(u) * v, lambda u, v: u / (1 + v * v), lambda u, v: T.maximum(u, v * 1.01),
        lambda u, v: T.logaddexp(u, v), lambda u, v: T.arctan2(u, 1 + v * v), lambda u, v: (1 + u * u) ** T.tanh(v), lambda u, v: T.where(v > 0.5, u, v),
    ]  # fmt: skip
    return made[int(g.rng.integers(len(made)))](a, b), 1


def _smooth_reduce(g: Graph) -> Made:
    a = g.pick()
    n = a.type.ndim
    axes = tuple(k for k in range(n) if g.rng.integers(2))
    if not axes or 0 in g.shape(a):
        return None
    made: list[Callable[[Expr], Expr]] = [
        lambda v: T.mean(v, axis=axes), lambda v: T.sum(v, axis=axes, keepdims=True) / 4, lambda v: T.max(v, axis=axes), lambda v: T.var(v, axis=axes),
        lambda v: T.logsumexp(v, axis=axes), lambda v: T.softmax(v, axis=axes), lambda v: T.log_softmax(v, axis=axes), lambda v: T.prod(T.tanh(v), axis=axes),
        lambda v: T.cumsum(v, axis=axes[0]) / 3, lambda v: T.min(v, axis=axes, keepdims=True),
    ]  # fmt: skip
    return made[int(g.rng.integers(len(made)))](a), 1


def _smooth_product(g: Graph) -> Made:
    made = _product(g)
    return None if made is None else (T.tanh(made[0] / 4), 1)


SMOOTH: list[Step] = [
    _smooth_unary, _smooth_unary, _smooth_unary, _smooth_binary, _smooth_binary, _smooth_binary, _view, _view, _view, _smooth_reduce,
    _smooth_reduce, _assign, _join, _smooth_product,
]  # fmt: skip
