"""Arithmetic of shadows, element by element in mpmath: exact sums, products and quotients to hundreds of bits, any range.

Arrays of exact numbers are arrays of objects: mpmath's numbers, or floats for 0, infinities and NaN.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from symdl.form_arithmetic import COMPARISONS, ENDLESS, elements, number
from symdl.graph.expr import Op
from symdl.ops.contractions import parse

Array = np.ndarray[Any, Any]
Limbs = tuple[Array, ...]  # one array of objects here, two of floats in double_double
SLACK = 4  # bits that a distance is computed with beyond a float's


class ExactNumbers:
    """mpmath on arrays of objects. bits: kept of every result that is not exact."""

    name = "mpmath"

    def __init__(self, bits: int = 600) -> None:
        self.bits = bits
        self.mp: Any = importlib.import_module("mpmath")

    def lift(self, array: Array) -> Limbs:
        """Plain numbers as they are."""
        array = np.asarray(array)
        return (elements(array, str(array.dtype)),)

    def fraction(self, value: Fraction) -> Limbs:
        """One number."""
        with self.mp.workprec(self.bits):
            return (self._objects(self.mp.mpf(value.numerator) / value.denominator),)

    def of_form(self, array: Array, dtype: str) -> Limbs:
        """An array of a number form."""
        return (elements(array, dtype),)

    def single(self, x: Limbs) -> Limbs:
        """Numbers of 53 bits, of any range."""
        with self.mp.workprec(53):
            return (self._objects(np.frompyfunc(lambda v: v if type(v) is float else +v, 1, 1)(x[0])),)

    def elementwise(self, op: Op, operands: Sequence[Limbs]) -> Limbs:
        """An elementwise op on numbers. Raises KeyError for an op that no formula is known of."""
        plain: Callable[..., Any] = op.reference or (lambda *_: math.nan)

        def one(*operands: Any) -> Any:
            return self._short(number(op.name, plain, list(operands), self.bits, ENDLESS))

        return (self._objects(np.frompyfunc(one, len(operands), 1)(*(x for (x,) in operands))),)

    def compare(self, name: str, x: Limbs, y: Limbs) -> Array:
        """A comparison, as bools."""
        return np.asarray(np.frompyfunc(lambda a, b: bool(COMPARISONS[name](a, b)), 2, 1)(x[0], y[0])).astype(bool)

    def sum(self, x: Limbs, axes: tuple[int, ...]) -> Limbs:
        """A sum over axes."""
        with self.mp.workprec(self.bits):
            return (
                (self._objects(np.sum(x[0], axis=axes)),)
                if x[0].size
                else self.lift(np.sum(np.empty(x[0].shape), axes))
            )

    def prod(self, x: Limbs, axes: tuple[int, ...]) -> Limbs:
        """A product over axes."""
        with self.mp.workprec(self.bits):
            return (
                (self._objects(np.prod(x[0], axis=axes)),)
                if x[0].size
                else self.lift(np.prod(np.empty(x[0].shape), axes))
            )

    def cumsum(self, x: Limbs, axis: int) -> Limbs:
        """Running sums along an axis."""
        with self.mp.workprec(self.bits):
            return (self._objects(np.cumsum(x[0], axis=axis)),)

    def referred(self, op: Op, operands: Sequence[Array], params: Mapping[str, Any]) -> Array:
        """What an op's reference makes of arrays, those of numbers among them. Raises KeyError where it needs floats."""
        if op.reference is None:
            raise KeyError(op.name)
        with self.mp.workprec(self.bits):
            try:
                made = op.reference(*operands, **params)
            except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
                raise KeyError(op.name) from error
        if not isinstance(made, np.ndarray) or made.dtype != object:
            raise KeyError(op.name)  # it has rounded
        return self._objects(made)

    def packed(self, x: Limbs) -> Array:
        """Numbers as one array, whose rows may be stacked."""
        return x[0]

    def unpacked(self, array: Any) -> Limbs | None:
        """The numbers of a packed array; None for an array of something else."""
        array = np.asarray(array)
        return (array,) if array.dtype == object else None

    def contract(self, notation: str, operands: Sequence[Limbs], dtype: str = "float64") -> Limbs:
        """A sum of products over indices."""
        with self.mp.workprec(self.bits):
            return (self._objects(summed_products(notation, [x for (x,) in operands])),)

    def contract_near(
        self, notation: str, operands: Sequence[Limbs], others: Sequence[Limbs], product: Limbs, dtype: str
    ) -> Limbs:
        """contract(notation, operands): that of others helps little here."""
        return self.contract(notation, operands)

    def moved(self, x: Limbs, scale: Array) -> Limbs:
        """x (1 + scale 2^-60)."""
        with self.mp.workprec(self.bits):
            step = self.mp.ldexp(1, -60)
            return (self._objects(np.frompyfunc(lambda v, s: v * (1 + int(s) * step), 2, 1)(x[0], scale)),)

    def change(self, before: Limbs, after: Limbs) -> Array:
        """How far two lie apart, of the first's size, in units of what `moved` moves: NaN where that says nothing."""

        def one(a: Any, b: Any) -> float:
            with self.mp.workprec(self.bits):
                if not self.mp.isfinite(a) or not self.mp.isfinite(b):
                    return math.nan
                if a == 0:
                    return 0.0 if b == 0 else math.inf
                return float(self.mp.ldexp(abs((b - a) / a), 60))

        return np.asarray(np.frompyfunc(one, 2, 1)(before[0], after[0])).astype(float)

    def distance(self, exact: Limbs, found: Limbs, dtype: str) -> Array:
        """|found - exact| in units in the last place of exact in a dtype; 0 where both are NaN or one infinity, and where
        exact rounds to the infinity found; infinite where only one of the two is a finite number."""
        info = np.finfo(dtype)
        digits, least = info.nmant + 1, info.minexp - info.nmant
        with self.mp.workprec(self.bits):
            largest = self.mp.mpf(float(info.max)) * (1 + self.mp.ldexp(1, -digits - 1))  # from here on it is infinite

        def one(e: Any, f: Any) -> float:
            if e != e or f != f:
                return 0.0 if e != e and f != f else math.inf
            with self.mp.workprec(self.bits):
                if e == f or (not self.mp.isfinite(f) and abs(e) >= largest and (e > 0) == (f > 0)):
                    return 0.0
                if not self.mp.isfinite(e) or not self.mp.isfinite(f):
                    return math.inf
                place = least if e == 0 else max(self.mp.frexp(e)[1] - digits, least)
                return min(float(self.mp.ldexp(abs(f - e), -place)), 1.7976931348623157e308)

        return np.asarray(np.frompyfunc(one, 2, 1)(exact[0], found[0])).astype(float)

    def rounded(self, x: Limbs) -> Array:
        """The nearest float64s."""
        return np.asarray(np.frompyfunc(float, 1, 1)(x[0])).astype(float)

    def text(self, x: Limbs, at: Any) -> str:
        """One number, for a reader."""
        return str(self.mp.nstr(self.mp.mpf(x[0][at]), 17))

    def _short(self, x: Any) -> Any:
        """A number with no more bits than are kept."""
        if type(x) is float or x._mpf_[3] <= self.bits:
            return x
        with self.mp.workprec(self.bits):
            return +x

    def _objects(self, x: Any) -> Array:
        """An array of exact numbers: 0 and what is not finite as floats."""
        out = np.empty(np.shape(x), object)
        out[...] = np.frompyfunc(self._element, 1, 1)(x)
        return out

    def _element(self, x: Any) -> Any:
        return x if type(x) is not float and x and self.mp.isfinite(x) else float(x)


def summed_products(notation: str, operands: Sequence[Array]) -> Array:
    """What a contraction means, term by term, for arrays of objects."""
    letters, result = parse(notation)
    size = {a: n for part, x in zip(letters, operands, strict=True) for a, n in zip(part, x.shape, strict=True)}
    order = [*result, *(a for a in size if a not in result)]
    whole: Any = 1
    for part, x in zip(letters, operands, strict=True):
        own = [a for a in order if a in part]
        turned = np.transpose(x, [part.index(a) for a in own])
        whole = whole * turned.reshape([size[a] if a in part else 1 for a in order])
    summed = tuple(range(len(result), len(order)))
    return np.asarray(np.sum(whole, axis=summed)) if summed else np.asarray(whole)
