"""What an own case is equal to: its formula over mpmath's reals, in as many bits as settle it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import reduce
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np

from own_cases.case import Case

BITS = ((500, 800), (1600, 2400), (4000, 5000))  # pairs of precisions whose truths must agree


class _Reals(np.ndarray[Any, Any]):
    """Reals beside which a Python number is what it is beside an array of the case's dtype."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(i, object) if isinstance(i, _Reals) else _typed(i) for i in inputs]
        out = getattr(ufunc, method)(*plain, **options)
        return out.view(_Reals) if isinstance(out, np.ndarray) and out.dtype == object else out


DTYPE: ContextVar[str] = ContextVar("the dtype of the case", default="float64")


def _typed(number: Any) -> Any:
    return float(np.dtype(DTYPE.get()).type(number)) if type(number) is float else number


def _elementwise(function: Callable[..., Any], operands: int = 1) -> Callable[..., Any]:
    """On arrays; NaN outside of its domain."""

    def one(*arguments: Any) -> Any:
        try:
            found = function(*arguments)
        except (ValueError, ZeroDivisionError):
            return mpmath.nan
        return mpmath.nan if isinstance(found, mpmath.mpc) else found

    found: Callable[..., Any] = np.frompyfunc(one, operands, 1)
    return found


def _over_rows(function: Callable[[Any], Any]) -> Callable[..., Any]:
    def reduced(x: Any, axis: int = -1, keepdims: bool = False) -> Any:
        out = np.empty(x.shape[:-1], object).view(_Reals)
        for at in np.ndindex(out.shape):
            out[at] = function(x[at])
        return out[..., None] if keepdims else out

    return reduced


def _along_rows(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis=-1: function(np.asarray(x), axis=axis).view(_Reals)


def _slope(f: Callable[[Any], Any], x: Any) -> Any:
    """The derivative of f at the numbers x, each by itself."""
    step = mpmath.ldexp(1, -mpmath.mp.prec // 5)
    near = [x + sign * (abs(x) + (x == 0)) * step for sign in (1, -1)]
    return (f(near[0]) - f(near[1])) / (near[0] - near[1])


REALS = SimpleNamespace(
    **{name: _elementwise(getattr(mpmath, name)) for name in "exp log sqrt sin cos tan sinh cosh tanh log1p expm1 erf erfc digamma".split()},
    **{name: _elementwise(getattr(mpmath, f"a{name[3:]}")) for name in "arctan arcsin arccos".split()},
    arctan2=_elementwise(mpmath.atan2, 2),
    gammaln=_elementwise(mpmath.loggamma),
    sigmoid=_elementwise(lambda x: 1 / (1 + mpmath.exp(-x))),
    where=lambda condition, *branches: np.where(condition, *(_typed(b) for b in branches)),
    concatenate=np.concatenate,
    stack=np.stack,
    reshape=np.reshape,
    cumsum=_along_rows(np.cumsum),
    sort=_along_rows(np.sort),
    abs=_elementwise(abs),
    sign=_elementwise(mpmath.sign),
    maximum=_elementwise(lambda a, b: max(mpmath.mpf(_typed(a)), _typed(b)), 2),
    minimum=_elementwise(lambda a, b: min(mpmath.mpf(_typed(a)), _typed(b)), 2),
    clip=_elementwise(lambda x, a, b: min(max(x, mpmath.mpf(_typed(a))), mpmath.mpf(_typed(b))), 3),
    slope=lambda f, x: _slope(f, x),
    rounds=lambda step, state, given: reduce(step, given, state),
    given=lambda f, like, value: f(value),
    max=_over_rows(max),
    min=_over_rows(min),
    sum=_over_rows(mpmath.fsum),
    mean=_over_rows(lambda row: mpmath.fsum(row) / len(row)),
    prod=_over_rows(mpmath.fprod),
)  # fmt: skip


def _reals(array: Any) -> Any:
    out = np.empty(array.shape, object)
    for at in np.ndindex(array.shape):
        out[at] = mpmath.mpf(float(array[at]))
    return out.view(_Reals)


def truth(one: Case, arrays: Sequence[Any]) -> list[Any]:
    """The value at every point and the derivative of the sum in each leaf of wrt, by two precisions that agree.

    Raises ArithmeticError where 5,000 bits do not settle one.
    """
    DTYPE.set(str(arrays[0].dtype))
    for pair in BITS:
        try:
            coarse, fine = (_truth(one, arrays, bits) for bits in pair)
        except ZeroDivisionError:  # by what these bits do not hold
            continue
        flat = [
            (u, v) for a, b in zip(coarse, fine, strict=True) for u, v in zip(a.reshape(-1), b.reshape(-1), strict=True)
        ]
        settled = all(abs(u - v) <= max(abs(v) * mpmath.mpf(10) ** -25, mpmath.ldexp(1, -1200)) for u, v in flat)
        if settled and (pair is BITS[-1] or all(v != 0 for _, v in flat)):  # a 0 may be a number that few bits lose
            return fine
    raise ArithmeticError(f"{one.name} is not settled by {BITS[-1][1]} bits")


def _truth(one: Case, arrays: Sequence[Any], bits: int) -> list[Any]:
    with mpmath.workprec(bits):
        given = [_reals(a) for a in arrays]
        out = [one.formula(REALS, *given)]
        step = mpmath.ldexp(1, -bits // 5)
        for name in one.wrt:
            k = list(one.leaves).index(name)
            slope = np.empty(given[k].shape, object)
            for column in range(given[k].shape[1]) if given[k].ndim == 2 else (None,):
                sides = []
                for sign in (1, -1):
                    moved = given[k].copy()
                    where = (slice(None), column) if column is not None else slice(None)
                    moved[where] = np.array([v * (1 + sign * step) if v else sign * step for v in moved[where]], object)
                    sides.append((one.formula(REALS, *given[:k], moved, *given[k + 1 :]), moved[where]))
                (above, x), (below, y) = sides
                slope[where] = (above - below) / (x - y)
            out.append(slope)
        return out
