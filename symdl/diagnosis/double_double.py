"""Arithmetic of shadows on large arrays: pairs of float64, some 106 bits, in the range of float64.

Sums and products are Dekker's (1971) and Knuth's in NumPy; products of matrices are sums of slices that BLAS multiplies
without rounding (Ozaki, Ogita, Oishi and Rump 2012); other functions are compiled with symdl's own number forms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from symdl.backends.cpu.executable import CpuExecutable
from symdl.backends.wide.primitives import EMIT
from symdl.graph.expr import OPS, Op, make, variable
from symdl.graph.origins import building
from symdl.ops.contractions import parse
from symdl.ops.elementwise import add, cast, sub
from symdl.pipeline.compilation import Graph, compiled, lowered
from symdl.runtime.runs import native

Array = np.ndarray[Any, Any]
Limbs = tuple[Array, ...]
FORM = "float64x2e"
PAIR = np.dtype([("high", np.float64), ("low", np.float64)])
SLICES = 4  # of a matrix in a product: some 84 bits of its rows
MOVED = 40  # `moved` moves a number by so many binary places below it


def normal(high: Array, low: Array) -> Limbs:
    """A pair whose low limb is at most half an ulp of the high one; none beside what is not finite."""
    s = high + low
    return s, np.where(np.isfinite(s), low - (s - high), 0.0)


def added(x: Limbs, y: Limbs) -> Limbs:
    """x + y."""
    s, e = _two_sum(x[0], y[0])
    t, f = _two_sum(x[1], y[1])
    s, e = normal(s, e + t)
    return normal(s, e + f)


def _two_sum(a: Array, b: Array) -> Limbs:
    s = a + b
    t = s - a
    left = (a - (s - t)) + (b - t)
    return s, np.where(np.isfinite(s), left, 0.0)


def multiplied(x: Limbs, y: Limbs) -> Limbs:
    """x * y."""
    p, e = _two_product(x[0], y[0])
    return normal(p, e + np.where(np.isfinite(p), x[0] * y[1] + x[1] * y[0], 0.0))


def _two_product(a: Array, b: Array) -> Limbs:
    p = a * b
    (a1, a2), (b1, b2) = _split(a), _split(b)
    left = ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2
    return p, np.where(np.isfinite(left), left, 0.0)  # beyond 2^996 there is no splitting


def _split(a: Array) -> Limbs:
    c = 134217729.0 * a  # 2^27 + 1
    high = c - (c - a)
    return high, a - high


def negated(x: Limbs) -> Limbs:
    """-x."""
    return -x[0], -x[1]


def divided(x: Limbs, y: Limbs) -> Limbs:
    """x / y: long division of three digits."""
    x, y = _broadcast(x, y)
    first = x[0] / y[0]
    zero = np.zeros_like(first)
    rest = added(x, negated(multiplied(y, (first, zero))))
    second = rest[0] / y[0]
    third = added(rest, negated(multiplied(y, (second, zero))))[0] / y[0]
    out = added(normal(first, second), (third, zero))
    return _where(np.isfinite(first) & np.isfinite(out[0]), out, (first, zero))


def root(x: Limbs) -> Limbs:
    """sqrt(x), by one step of Newton's."""
    s = np.sqrt(x[0])
    zero = np.zeros_like(s)
    rest = added(x, negated(multiplied((s, zero), (s, zero))))
    return _where(np.isfinite(s) & (s > 0), normal(s, rest[0] / (2 * s)), (s, zero))


def _where(condition: Array, x: Limbs, y: Limbs) -> Limbs:
    return np.where(condition, x[0], y[0]), np.where(condition, x[1], y[1])


def _broadcast(*numbers: Limbs) -> list[Limbs]:
    shape = np.broadcast_shapes(*(x[0].shape for x in numbers))
    return [tuple(np.broadcast_to(limb, shape) for limb in x) for x in numbers]


def less(x: Limbs, y: Limbs) -> Array:
    """x < y."""
    return np.asarray((x[0] < y[0]) | ((x[0] == y[0]) & (x[1] < y[1])))


SIMPLE: dict[str, Callable[..., Limbs]] = {
    "add": added,
    "sub": lambda x, y: added(x, negated(y)),
    "mul": multiplied,
    "true_div": divided,
    "neg": negated,
    "sqrt": root,
    "cast": lambda x: x,
    "abs": lambda x: _where((x[0] < 0) | ((x[0] == 0) & (x[1] < 0)), negated(x), x),
    "maximum": lambda x, y: _where(less(x, y) | np.isnan(y[0]), *_broadcast(y, x)),
    "minimum": lambda x, y: _where(less(y, x) | np.isnan(y[0]), *_broadcast(y, x)),
}
COMPARE: dict[str, Callable[[Limbs, Limbs], Array]] = {
    "lt": less,
    "gt": lambda x, y: less(y, x),
    "le": lambda x, y: ~less(y, x) & ~np.isnan(x[0]) & ~np.isnan(y[0]),
    "ge": lambda x, y: ~less(x, y) & ~np.isnan(x[0]) & ~np.isnan(y[0]),
    "eq": lambda x, y: (x[0] == y[0]) & (x[1] == y[1]),
    "ne": lambda x, y: (x[0] != y[0]) | (x[1] != y[1]),
}


@lru_cache(maxsize=256)
def compiled_function(name: str, count: int) -> CpuExecutable:
    """Machine code for a primitive of so many operands on pairs: high and low limbs in, the result's limbs out."""
    if name not in EMIT:
        raise KeyError(name)
    with building((), {}):
        first = variable(None, (None,), "float64")
        limbs = [first, *(variable(None, first.type.shape, "float64") for _ in range(2 * count - 1))]
        pairs = zip(limbs[::2], limbs[1::2], strict=True)
        y = make(OPS[name], tuple(add(cast(h, FORM), cast(low, FORM)) for h, low in pairs))
        high = cast(y, "float64")
        rest = cast(sub(y, cast(high, FORM)), "float64")
    backend = native()
    made = compiled(lowered(Graph(tuple(limbs), (), (high, rest), ()), stable=False), backend)
    assert isinstance(made, CpuExecutable)  # what native() makes
    return made


class DoubleDouble:
    """Pairs of float64 arrays."""

    name = "double-double"

    def lift(self, array: Array) -> Limbs:
        """Plain numbers as they are."""
        array = np.asarray(array)
        high = array.astype(float)
        if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
            return high, (array - high.astype(array.dtype)).astype(float)
        return high, np.zeros_like(high)

    def fraction(self, value: Fraction) -> Limbs:
        """One number."""
        high = float(value)
        return np.asarray(high), np.asarray(float(value - Fraction(high)))

    def of_form(self, array: Array, dtype: str) -> Limbs:
        """An array of a number form, as far as its range goes."""
        names = array.dtype.names or ()
        power = np.clip(array["exponent"], -2000, 2000).astype(int) if "exponent" in names else 0
        low = array["low"] if "low" in names else np.zeros(array.shape)
        return normal(np.ldexp(array["high"], power), np.ldexp(low, power))

    def single(self, x: Limbs) -> Limbs:
        """Numbers of 53 bits."""
        return x[0], np.zeros_like(x[0])

    def elementwise(self, op: Op, operands: Sequence[Limbs]) -> Limbs:
        """An elementwise op on numbers. Raises KeyError for an op that no formula is known of."""
        if op.name in SIMPLE:
            return SIMPLE[op.name](*operands)
        executable = compiled_function(op.name, len(operands))
        whole = _broadcast(*operands)
        shape = whole[0][0].shape
        flat = [np.array(limb, float, order="C").reshape(-1) for x in whole for limb in x]
        _, found = executable.execute(executable.bind(flat, []))
        high, low = (x.reshape(shape) for x in found)
        return high, np.where(np.isfinite(high) & np.isfinite(low), low, 0.0)

    def compare(self, name: str, x: Limbs, y: Limbs) -> Array:
        """A comparison, as bools."""
        return np.asarray(COMPARE[name](x, y))

    def sum(self, x: Limbs, axes: tuple[int, ...]) -> Limbs:
        """A sum over axes, by halves."""
        return self._folded(added, 0.0, x, axes)

    def prod(self, x: Limbs, axes: tuple[int, ...]) -> Limbs:
        """A product over axes, by halves."""
        return self._folded(multiplied, 1.0, x, axes)

    def _folded(self, fold: Callable[[Limbs, Limbs], Limbs], unit: float, x: Limbs, axes: tuple[int, ...]) -> Limbs:
        kept = [k for k in range(x[0].ndim) if k not in axes]
        shape = tuple(x[0].shape[k] for k in kept)
        count = math.prod(x[0].shape[k] for k in axes)
        rows = tuple(np.transpose(limb, [*axes, *kept]).reshape(count, *shape) for limb in x)
        if not count:
            return np.full(shape, unit), np.zeros(shape)
        while len(rows[0]) > 1:
            half = len(rows[0]) // 2
            folded = fold(tuple(r[:half] for r in rows), tuple(r[half : 2 * half] for r in rows))
            rows = tuple(np.concatenate([f, r[2 * half :]]) for f, r in zip(folded, rows, strict=True))
        return tuple(r[0] for r in rows)

    def cumsum(self, x: Limbs, axis: int) -> Limbs:
        """Running sums along an axis, in as many steps as the length has bits."""
        rows = tuple(np.moveaxis(limb, axis, 0) for limb in x)
        by = 1
        while by < len(rows[0]):
            more = added(tuple(r[by:] for r in rows), tuple(r[:-by] for r in rows))
            rows = tuple(np.concatenate([r[:by], m]) for r, m in zip(rows, more, strict=True))
            by *= 2
        return tuple(np.moveaxis(r, 0, axis) for r in rows)

    def referred(self, op: Op, operands: Sequence[Array], params: Mapping[str, Any]) -> Array:
        """What an op's reference makes of arrays of numbers: references know no pairs, so KeyError."""
        raise KeyError(op.name)

    def packed(self, x: Limbs) -> Array:
        """Pairs as one array, whose rows may be stacked."""
        out = np.empty(x[0].shape, PAIR)
        out["high"], out["low"] = x
        return out

    def unpacked(self, array: Any) -> Limbs | None:
        """The pairs of a packed array; None for an array of something else."""
        array = np.asarray(array)
        return (array["high"], array["low"]) if array.dtype == PAIR else None

    def contract(self, notation: str, operands: Sequence[Limbs], dtype: str = "float64") -> Limbs:
        """A sum of products over indices, good for the ulps of a dtype. Raises KeyError for one that is no product of two
        operands."""
        slices = SLICES if dtype == "float64" else SLICES // 2
        return self._product(notation, operands, lambda a, b: matrix_product(a, b, slices))

    def contract_near(
        self, notation: str, operands: Sequence[Limbs], others: Sequence[Limbs], product: Limbs, dtype: str
    ) -> Limbs:
        """contract(notation, operands), operands near others, whose product is known: only what differs is multiplied."""
        (a, b), (c, d) = operands, others
        first, second = added(a, negated(c))[0], added(b, negated(d))[0]
        out = product
        for x, y in (((first,), (b[0],)), ((c[0],), (second,))):
            if np.any(x[0]) and np.any(y[0]):
                part = self._product(notation, [x, y], lambda m, n: (np.matmul(m[0], n[0]),))[0]
                out = added(out, (part, np.zeros_like(part)))
        return out

    def _product(self, notation: str, operands: Sequence[Limbs], multiply: Callable[[Limbs, Limbs], Limbs]) -> Limbs:
        letters, result = parse(notation)
        if len(letters) != 2 or any(len({*part}) < len(part) for part in letters):
            raise KeyError(notation)
        a, b = letters
        if any(k not in result and (k not in a or k not in b) for k in (*a, *b)):
            raise KeyError(notation)
        both = [k for k in a if k in b and k in result]
        inner = [k for k in a if k in b and k not in result]
        left, right = [k for k in a if k not in b], [k for k in b if k not in a]
        size = dict(zip((*a, *b), (*operands[0][0].shape, *operands[1][0].shape), strict=True))

        def matrices(x: Limbs, own: Sequence[str], *groups: Sequence[str]) -> Limbs:
            order = [own.index(k) for group in groups for k in group]
            shape = [*(size[k] for k in both), *(math.prod(size[k] for k in group) for group in groups[1:])]
            return tuple(np.transpose(limb, order).reshape(shape) for limb in x)

        found = multiply(matrices(operands[0], a, both, left, inner), matrices(operands[1], b, both, inner, right))
        order = [*both, *left, *right]
        turned = [order.index(k) for k in result]
        return tuple(np.transpose(limb.reshape([size[k] for k in order]), turned) for limb in found)

    def moved(self, x: Limbs, scale: Array) -> Limbs:
        """x (1 + scale 2^-40)."""
        step = scale * 2.0**-MOVED
        return added(x, multiplied(x, (step, np.zeros_like(step))))

    def change(self, before: Limbs, after: Limbs) -> Array:
        """How far two lie apart, of the first's size, in units of what `moved` moves: NaN where that says nothing."""
        gap = np.abs(added(after, negated(before))[0])
        out = np.where(gap == 0, 0.0, gap / np.abs(before[0]) * 2.0**MOVED)
        return np.where(np.isfinite(before[0]) & np.isfinite(after[0]), out, np.nan)

    def distance(self, exact: Limbs, found: Limbs, dtype: str) -> Array:
        """|found - exact| in units in the last place of exact in a dtype; 0 where both are NaN or one infinity, infinite
        where exact is a number and found is none; NaN where exact has left the range of a pair."""
        e, f = _broadcast(exact, found)
        info = np.finfo(dtype)
        least = info.minexp - info.nmant
        place = np.where(e[0] == 0, least, np.maximum(np.frexp(e[0])[1] - (info.nmant + 1), least))
        gap = np.abs(added(e, negated(f))[0])
        out = np.minimum(np.ldexp(gap, -place), np.finfo(float).max)
        known, number = np.isfinite(e[0]), np.isfinite(f[0])
        over = known & ~number & (np.abs(e[0]) > float(info.max)) & (np.sign(e[0]) == np.sign(f[0]))
        out = np.where(known & number, out, np.where(over, 0.0, np.inf))
        same = (np.isnan(e[0]) & np.isnan(f[0])) | (e[0] == f[0])
        return np.where(known, out, np.where(same, 0.0, np.nan))

    def rounded(self, x: Limbs) -> Array:
        """The nearest float64s."""
        return x[0]

    def text(self, x: Limbs, at: Any) -> str:
        """One number, for a reader."""
        return f"{x[0][at]:.17g}"


def matrix_product(a: Limbs, b: Limbs, slices: int = SLICES) -> Limbs:
    """a @ b of matrices or stacks of them, right to some 21 bits a slice of the largest entries of a's rows and b's
    columns."""
    count = a[0].shape[-1]
    if not count:
        shape = np.matmul(a[0], b[0]).shape
        return np.zeros(shape), np.zeros(shape)
    bits = (53 - math.ceil(math.log2(count))) // 2
    left, right = _slices(a[0], -1, bits, slices), _slices(b[0], -2, bits, slices)
    rest = np.zeros((*np.broadcast_shapes(a[0].shape[:-2], b[0].shape[:-2]), a[0].shape[-2], b[0].shape[-1]))
    for x, y in ((a[0], b[1]), (a[1], b[0])):
        if np.any(x) and np.any(y):
            rest = rest + np.matmul(x, y)
    out: Limbs = (rest, np.zeros_like(rest))
    for order in range(slices + 1, 1, -1):  # the smallest first
        for k in range(1, order):
            part = np.matmul(left[k - 1], right[order - k - 1])
            out = added(out, (part, np.zeros_like(part)))
    plain = np.matmul(a[0], b[0])
    return _where(np.isfinite(out[0]), out, (plain, np.zeros_like(plain)))


def _slices(x: Array, axis: int, bits: int, slices: int) -> list[Array]:
    """x as a sum of matrices of so many bits each, below the largest entry along an axis."""
    out = []
    largest = np.max(np.abs(x), axis=axis, keepdims=True)
    place = np.frexp(np.where(np.isfinite(largest), largest, 0.0))[1]
    for k in range(1, slices + 1):
        # Adding it rounds to multiples of 2^(place - k bits).
        grid = np.ldexp(0.75, np.minimum(place - k * bits + 53, 1023))
        part = (x + grid) - grid
        out.append(part)
        x = x - part
    return out
