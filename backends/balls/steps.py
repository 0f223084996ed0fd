"""Steps of balls: known where no jump lies within the error."""

from __future__ import annotations

from fractions import Fraction

from symdl.backends.balls.formula import Formula, Written

WHOLE = 50  # binary exponent of the parts that are rounded to whole numbers


def _parted(f: Formula, x: str) -> tuple[str, str]:
    """(a multiple of 2^WHOLE, the rest of x)"""
    large = f.coarse(x, WHOLE)
    return large, f.sub(x, large)


def round_half_even(f: Formula, x: str, _: str) -> str:
    """Unknown half-way between two whole numbers"""
    large, rest = _parted(f, x)
    n = f.of_whole(f.whole(rest))
    f.only_if(f.emit(f"icmp eq i64 {f.order(f.op('abs', f.sub(rest, n)), f.constant(Fraction(1, 2)))}, -1"))
    return f.add(large, n)


def _beside(f: Formula, x: str, side: int) -> str:
    """The whole number next to x on a side, -1 or 1, or x."""
    large, rest = _parted(f, x)
    n = f.whole(rest)
    order = f.order(f.of_whole(n), rest)
    f.only_if(f.emit(f"icmp ne i64 {order}, 2"))
    beyond = f.emit(f"icmp eq i64 {order}, {-side}")
    return f.add(large, f.of_whole(f.emit(f"add i64 {n}, {f.emit(f'select i1 {beyond}, i64 {side}, i64 0')}")))


def floor(f: Formula, x: str, _: str) -> str:
    """The nearest whole number, or the one below"""
    return _beside(f, x, -1)


def ceil(f: Formula, x: str, _: str) -> str:
    """The nearest whole number, or the one above"""
    return _beside(f, x, 1)


def trunc(f: Formula, x: str, _: str) -> str:
    """floor |x| with the sign of x"""
    return f.op("signed", f.op("floor", f.op("abs", x)), x)


def floor_div(f: Formula, x: str, y: str) -> str:
    """floor(x/y)"""
    return f.op("floor", f.div(x, y))


def mod(f: Formula, x: str, y: str) -> str:
    """x - y floor(x/y)"""
    return f.sub(x, f.mul(y, f.op("floor_div", x, y)))


FUNCTIONS: dict[str, Written] = {
    "round_half_even": round_half_even, "floor": floor, "ceil": ceil, "trunc": trunc, "floor_div": floor_div, "mod": mod,
}  # fmt: skip
