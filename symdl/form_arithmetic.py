"""What the scalar primitives mean on number forms: the exact result of the exact operands, rounded once into the limbs.

The oracle and the interpreter compute with it, element by element, in mpmath. Machine code agrees to its stated error
(2^-100 of the result, with little exception), not bit for bit. exp and what is made of it saturate beyond 2^50, unless
another bound is asked for.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from symdl.number_forms import LARGEST, LIMBS, WIDE, array_dtype, limbs_of, nearest

EXACT = 2400  # bits: sums and products of limbs as far apart as limbs may be
ROUNDED = 420  # bits of what has infinitely many
BEYOND = 1024  # sin, cos and tan know no number from 2^1024 on
ENDLESS = math.inf  # for exp's bound: none, but that an argument from 2^FARTHEST on counts as infinite
FARTHEST = 4096
_FLAT = 1 << 64  # from here on no precision tells erf from 1, and mpmath does not try


def _mp() -> Any:
    """mpmath, which is loaded on the first use."""
    return importlib.import_module("mpmath")


# elements: a float where it is 0, infinite or NaN, else an exact mpf


def exact(limbs: Sequence[float], dtype: str) -> Any:
    """An element of an array of this dtype as a number."""
    row = dict(zip(LIMBS[dtype], map(float, limbs), strict=True))
    high, low = row["high"], row.get("low", 0.0)
    if high == 0 or not math.isfinite(high):
        return high
    mp = _mp()
    total = mp.fadd(high, low, exact=True)
    return mp.ldexp(total, int(row["exponent"])) if "exponent" in row else total


def rounded(number: Any, dtype: str) -> tuple[float, ...]:
    """A float or mpf rounded into the limbs of a number form."""
    if type(number) is float or number == 0 or not _mp().isfinite(number):
        return limbs_of(float(number), dtype)
    sign, man, power, bits = number._mpf_
    if "exponent" in LIMBS[dtype]:
        return limbs_of(Fraction(-int(man) if sign else int(man), 1 << bits), dtype, int(power) + bits)
    exact_, size = _fraction(number), int(power) + bits
    return limbs_of(exact_ if exact_ is not None else _out_of_range(sign, size), dtype)


def _fraction(number: Any) -> Fraction | None:
    """An mpf as a Fraction, if float64 reaches so far."""
    sign, man, power, bits = number._mpf_
    if not -1200 < power + bits < 1100:
        return None
    return Fraction(-int(man) if sign else int(man)) * Fraction(2) ** int(power)


def _out_of_range(sign: int, size: int) -> float:
    return math.copysign(math.inf if size > 0 else 0.0, -1 if sign else 1)


def _nearest(number: Any) -> float:
    """The nearest float64, subnormal ones included."""
    found = _fraction(number)
    if found is None:
        sign, _, power, bits = number._mpf_
        return _out_of_range(sign, power + bits)
    return math.copysign(nearest(found), 1 if found > 0 else -1)


def elements(array: Any, dtype: str) -> np.ndarray[Any, Any]:
    """An array of any dtype as an array of exact numbers."""
    array = np.asarray(array)
    out = np.empty(array.shape, object)
    for at in np.ndindex(array.shape):
        out[at] = exact(array[at].tolist(), dtype) if dtype in WIDE else _plain(array[at], dtype)
    return out


def _plain(value: Any, dtype: str) -> Any:
    if not dtype.startswith("float"):
        return _mp().mpmathify(int(value)) if value else 0.0
    number = float(value)
    return number if number == 0 or not math.isfinite(number) else _mp().mpf(number)


def array_of(numbers: Any, dtype: str) -> Any:
    """Exact numbers as an array of a dtype, each rounded once; to integers toward 0, to bool as != 0."""
    numbers = np.asarray(numbers, object)
    out = np.empty(numbers.shape, array_dtype(dtype))
    for at in np.ndindex(numbers.shape):
        out[at] = _element(numbers[at], dtype)
    return out


def _element(number: Any, dtype: str) -> Any:
    if dtype in WIDE:
        return rounded(number, dtype)
    if dtype == "bool":
        return bool(number != 0)
    mp = _mp()
    if not dtype.startswith("float"):
        info = np.iinfo(dtype)
        if number != number:
            return 0
        if not mp.isfinite(number):
            return info.max if number > 0 else info.min
        return min(max(int(number), info.min), info.max)
    if number == 0 or not mp.isfinite(number):
        return float(number)
    if type(number) is float:
        number = mp.mpf(number)
    return _to_float32(number) if dtype == "float32" else _nearest(number)


def _to_float32(number: Any) -> Any:
    """The nearest float32: of the float64 rounded to odd, which has more than two bits to spare."""
    near = _nearest(number)
    if math.isfinite(near) and near != number and not int(np.float64(near).view(np.int64)) & 1:
        near = math.nextafter(near, math.inf if number > near else -math.inf)
    with np.errstate(all="ignore"):
        return np.float32(near)


# the primitives


def apply(name: str, plain: Callable[..., Any], operands: Sequence[Any], dtypes: Sequence[str], dtype: str) -> Any:
    """A primitive on arrays (records for number forms) of these dtypes, in the result dtype; plain is its meaning on
    float64, which decides at zeros, infinities and NaN."""
    if name == "where":
        condition, *sides = operands
        return np.where(condition, *(np.asarray(s) for s in sides))[()]
    columns = np.broadcast_arrays(*(elements(x, d) for x, d in zip(operands, dtypes, strict=True)))
    out = np.empty(columns[0].shape, object)
    for at in np.ndindex(out.shape):
        out[at] = number(name, plain, [c[at] for c in columns])
    return array_of(out, dtype)[()]


def computed(op: Any, arrays: Sequence[Any], dtypes: Sequence[str], params: Mapping[str, Any], result: Any) -> Any:
    """An op (name, kind, reference) of the oracle on arrays of these dtypes; result is its type, or its types. Sums and
    products of many elements are rounded once, at their end."""
    if op.kind == "elementwise":
        return apply(op.name, op.reference, arrays, dtypes, result.dtype)
    given = [elements(x, d) if d in WIDE else x for x, d in zip(arrays, dtypes, strict=True)]
    with _mp().workprec(EXACT):
        if op.name in ("max", "min"):
            found = np.apply_over_axes(_extreme(op.name), given[0], params["axes"])
            found = np.squeeze(found, params["axes"]) if params["axes"] else given[0]
        else:
            found = op.reference(*given, **params)
    if isinstance(found, tuple):
        return tuple(array_of(x, t.dtype) if t.dtype in WIDE else x for x, t in zip(found, result, strict=True))
    return array_of(found, result.dtype) if result.dtype in WIDE else np.asarray(found, result.dtype)


def _extreme(name: str) -> Callable[[Any, int], Any]:
    """The largest or smallest along an axis; NaN where there is one."""
    better = COMPARISONS["gt" if name == "max" else "lt"]

    def along(x: Any, axis: int) -> Any:
        best = np.take(x, 0, axis)
        for k in range(1, x.shape[axis]):
            row = np.take(x, k, axis)
            for at in np.ndindex(best.shape):
                if row[at] != row[at] or (best[at] == best[at] and better(row[at], best[at])):
                    best[at] = row[at]
        return best

    return along


ANGLES = frozenset(["arctan", "arctan2", "arcsin", "arccos"])


def number(
    name: str, plain: Callable[..., Any], operands: list[Any], bits: int = ROUNDED, bound: float = LARGEST
) -> Any:
    """A primitive at exact numbers, right to at least so many bits; exp answers beyond the bound as it does at it. Raises
    KeyError for a name that is no primitive."""
    mp = _mp()
    if name == "cast":
        return operands[0]
    special = [type(x) is float for x in operands]
    zeros = all(not s or x == 0 for s, x in zip(special, operands, strict=True))
    if any(special) and not (name in ("add", "sub", *COMPARISONS) and zeros and not all(special)):
        with np.errstate(all="ignore"):
            function: Callable[..., Any] = np.float_power if name == "pow" else plain  # np.power takes roots for 1/2
            found = float(function(*(np.float64(_standing_for(x)) for x in operands)))
        if name in ("maximum", "minimum") and found == found:
            return next(x for x in reversed(operands) if _standing_for(x) == found)
        if name == "mod" and math.isfinite(found):
            return operands[0] if found else found
        if name == "erfinv" and found == 0:
            return operands[0]
        if name in ANGLES and found and math.isfinite(found):
            with mp.workprec(ROUNDED):
                return round(found / (math.pi / 4)) * mp.pi / 4
        return mp.mpf(found) if found and math.isfinite(found) else found
    return _on_numbers(name, operands, bits, bound)


def _standing_for(x: Any) -> float:
    """A float on the same side of 0 and 1 and of every infinity."""
    if type(x) is float:
        return x
    near = min(max(_nearest(abs(x)), 5e-324), 1.7976931348623157e308)
    if near == 1 and abs(x) != 1:
        near = math.nextafter(1.0, 2.0 if abs(x) > 1 else 0.0)
    return near if x > 0 else -near


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
}


def _on_numbers(name: str, operands: list[Any], least: int, bound: float) -> Any:
    """A primitive on finite numbers, not all 0."""
    mp = _mp()
    if name in COMPARISONS:
        return float(COMPARISONS[name](*operands))
    operands = [mp.mpf(x) if type(x) is float else x for x in operands]
    bits = max(x._mpf_[3] for x in operands)  # the last of them may be all that counts
    with mp.workprec(EXACT if name in FEW else max(least, bits + 200)):
        try:
            found = _table(bound)[name](*operands)
        except ValueError:  # a pole
            return math.inf if name == "gammaln" else math.nan
        if isinstance(found, mp.mpc):
            return math.nan
        if found == 0:
            return -0.0 if _negative_zero(name, operands) else 0.0
        return +found if mp.isfinite(found) else float(found)


FEW = frozenset(
    "add sub mul true_div neg abs maximum minimum floor ceil trunc round_half_even sqrt floor_div mod".split()
)


def _negative_zero(name: str, operands: list[Any]) -> bool:
    """Whether a result 0 has a sign: only roundings and remainders give it one here."""
    if name in ("ceil", "trunc", "round_half_even"):
        return bool(operands[0] < 0)
    return name == "mod" and bool(operands[1] < 0)


Held = Callable[[Any], Any]  # what exp takes for its argument


def _held_at(bound: float) -> Held:
    mp = _mp()
    if bound == ENDLESS:
        return lambda x: x if abs(x) < mp.mpf(2) ** FARTHEST else mp.inf * mp.sign(x)
    return lambda x: max(min(x, mp.mpf(bound)), -mp.mpf(bound))


def _trigonometric(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: _mp().nan if abs(x) >= _mp().mpf(2) ** BEYOND else function(x)


def _scaled_erfc(x: Any, held: Held) -> Any:
    mp = _mp()
    if x > 2**20:
        total, term = mp.mpf(0), mp.mpf(1)
        for k in range(16):
            total, term = total + term, -term * (2 * k + 1) / (2 * x * x)
        return total / (x * mp.sqrt(mp.pi))
    return 2 * mp.exp(held(x * x)) if x < -100 else mp.exp(x * x) * mp.erfc(x)


def _erfc(x: Any, held: Held) -> Any:
    mp = _mp()
    return mp.exp(held(-x * x)) * _scaled_erfc(x, held) if x > 100 else mp.erfc(max(x, -_FLAT))


def _power(x: Any, y: Any, held: Held) -> Any:
    mp = _mp()
    if x < 0 and y != mp.floor(y):
        return mp.nan
    size = mp.mpf(2) ** held(y * mp.log(abs(x)) / mp.log(2))
    if y == mp.floor(y) and abs(y) <= 4096:
        size = abs(x) ** int(y)
    return -size if x < 0 and mp.floor(y / 2) * 2 != y else size


def _whole(x: Any) -> Any:
    """The nearest integer, of two equally near the even one."""
    mp = _mp()
    low = mp.floor(x)
    rest = x - low
    up = rest > 0.5 or (rest == 0.5 and mp.floor(low / 2) * 2 != low)
    return low + 1 if up else low


def _inverse_erf(x: Any) -> Any:
    mp = _mp()
    return mp.nan if abs(x) > 1 else math.copysign(math.inf, x) if abs(x) == 1 else mp.erfinv(x)


@cache
def _table(bound: float) -> dict[str, Callable[..., Any]]:
    """The functions of mpmath by the names of the primitives, with a bound for exp's arguments."""
    mp, held = _mp(), _held_at(bound)
    return {
        "add": lambda x, y: x + y,
        "sub": lambda x, y: x - y,
        "mul": lambda x, y: x * y,
        "true_div": lambda x, y: x / y,
        "floor_div": lambda x, y: mp.floor(x / y),
        "mod": lambda x, y: x - y * mp.floor(x / y),
        "neg": lambda x: -x,
        "abs": abs,
        "sign": mp.sign,
        "maximum": max,
        "minimum": min,
        "pow": lambda x, y: _power(x, y, held),
        "isnan": lambda x: mp.mpf(0),
        "floor": mp.floor,
        "ceil": mp.ceil,
        "trunc": lambda x: mp.floor(x) if x > 0 else mp.ceil(x),
        "round_half_even": _whole,
        "sqrt": mp.sqrt,
        "exp": lambda x: mp.exp(held(x)),
        "expm1": lambda x: mp.expm1(held(x)),
        "exp2": lambda x: mp.mpf(2) ** held(x),
        "log": mp.log,
        "log1p": lambda x: mp.log1p(x) if x > -1 else -math.inf if x == -1 else mp.nan,
        "log2": lambda x: mp.log(x) / mp.log(2),
        "log10": lambda x: mp.log(x) / mp.log(10),
        "sin": _trigonometric(mp.sin),
        "cos": _trigonometric(mp.cos),
        "tan": _trigonometric(mp.tan),
        "arcsin": mp.asin,
        "arccos": mp.acos,
        "arctan": mp.atan,
        "arctan2": mp.atan2,
        "sinh": lambda x: mp.sinh(held(x)),
        "cosh": lambda x: mp.cosh(held(x)),
        "logistic_tail": lambda x: 1 / (1 + mp.exp(held(abs(x)))),
        "tanh": lambda x: mp.tanh(x) if abs(x) < 1000 else mp.sign(x),
        "arcsinh": mp.asinh,
        "arccosh": mp.acosh,
        "arctanh": lambda x: mp.atanh(x) if abs(x) < 1 else mp.sign(x) * mp.inf if abs(x) == 1 else mp.nan,
        "erf": lambda x: mp.erf(max(min(x, _FLAT), -_FLAT)),
        "erfc": lambda x: _erfc(x, held),
        "erfcx": lambda x: _scaled_erfc(x, held),
        "erfinv": _inverse_erf,
        "gammaln": lambda x: mp.loggamma(x).real if x > 0 or x != mp.floor(x) else mp.inf,
        "digamma": lambda x: mp.digamma(x) if x > 0 or x != mp.floor(x) else mp.nan,
    }
