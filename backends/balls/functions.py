"""Elementary functions of balls: a few digits by float64's functions, the others by Taylor's polynomials."""

from __future__ import annotations

import math
from fractions import Fraction

from symdl.backends.balls import error_function, gamma, steps
from symdl.backends.balls.formula import LOG2, LOG10, PI, Formula, Written, rounded

HALVINGS = 8  # of an exponential's argument
LARGE = 40  # binary exponent of arguments from which on exponentials are not computed
FAR_ANGLE = 50  # likewise angles, less whole turns: how many is asked of a float64
TURNS = (150, 100, 50)  # binary exponents of so many turns at once as are taken off, one after the other
_FACTORIALS = [Fraction(1, math.factorial(k)) for k in range(60)]
_NEAR_LOG = [Fraction((-1) ** k, k + 1) for k in range(6)]  # log(1 + d)/d of a d below 2^-50
_NEAR_ARCTAN = [Fraction((-1) ** k, 2 * k + 1) for k in range(4)]


def _expm1(f: Formula, x: str) -> tuple[str, str]:
    """(u, 2^n) with e^x = 2^n (1 + u)"""
    f.within(x, LARGE)
    n = f.whole(f.mul(x, f.constant(rounded(1 / LOG2), False)))
    rest = f.sub(x, f.mul(f.of_whole(n), f.constant(LOG2, False)))
    r = f.scale(rest, -HALVINGS)
    u = f.mul(r, f.polynomial(r, _FACTORIALS[1:24]))
    for _ in range(HALVINGS):
        u = f.mul(u, f.add(u, f.constant(2)))
    return u, f.scale(f.constant(1), n)


def expm1(f: Formula, x: str, _: str) -> str:
    """2^n u + (2^n - 1)"""
    u, power = _expm1(f, x)
    return f.add(f.mul(u, power), f.sub(power, f.constant(1)))


def exp(f: Formula, x: str, _: str) -> str:
    """2^n u + 2^n"""
    u, power = _expm1(f, x)
    return f.add(f.mul(u, power), power)


def exp2(f: Formula, x: str, _: str) -> str:
    """e^(x log 2)"""
    return f.op("exp", f.mul(x, f.constant(LOG2, False)))


def near_log(f: Formula, t: str) -> str:
    """log(1 + t) of a moderate t: y + log(1 + d) with d = (1 + t) e^-y - 1"""
    y = f.approximately("near.log1p", t)
    e = f.op("expm1", f.op("neg", y))
    d = f.add(f.add(t, e), f.mul(t, e))
    return f.add(y, f.mul(d, f.polynomial(d, _NEAR_LOG)))


def log1p(f: Formula, t: str, _: str) -> str:
    """As it is where 1 + t lies between 1/2 and 2, else by log"""
    near = f.emit(f"icmp sle i64 {f.exponent(t)}, -2")
    return f.either(near, lambda: near_log(f, t), lambda: f.op("log", f.add(f.constant(1), t)))


def log(f: Formula, x: str, _: str) -> str:
    """log(m) + k log(2), m from 3/4 to 3/2"""
    f.only_if(f.emit(f"icmp eq i64 {f.order(x, f.constant(0))}, 1"))
    mantissa = f.emit(f"load i256, ptr {x}, align 8")
    upper = f.emit(f"icmp uge i256 {mantissa}, {3 << 254}")
    k = f.emit(f"add i64 {f.exponent(x)}, {f.emit(f'zext i1 {upper} to i64')}")
    t = f.sub(f.scale(x, f.emit(f"sub i64 0, {k}")), f.constant(1))
    return f.add(near_log(f, t), f.mul(f.of_whole(k), f.constant(LOG2, False)))


def log2(f: Formula, x: str, _: str) -> str:
    """log(x)/log(2)"""
    return f.mul(f.op("log", x), f.constant(rounded(1 / LOG2), False))


def log10(f: Formula, x: str, _: str) -> str:
    """log(x)/log(10)"""
    return f.mul(f.op("log", x), f.constant(rounded(1 / LOG10), False))


def sqrt(f: Formula, x: str, _: str) -> str:
    """Newton's iteration; 0 of an exact 0"""
    zero = f.constant(0)
    order = f.order(x, zero)
    f.only_if(f.emit(f"icmp ult i64 {order}, 2"))
    positive = f.emit(f"icmp eq i64 {order}, 1")
    k = f.emit(f"ashr i64 {f.exponent(x)}, 1")
    k = f.emit(f"select i1 {positive}, i64 {k}, i64 0")
    one = f.where(positive, x, f.constant(1))
    scaled = f.op("centre", f.scale(one, f.emit(f"mul i64 {k}, -2")))
    s = f.approximately("near.sqrt", scaled)
    for _step in range(3):
        s = f.op("centre", f.scale(f.add(s, f.div(scaled, s)), -1))
    root = f.scale(s, k)
    out = f.ball()
    f.line(f"call void @ball.blurred(ptr {out}, ptr {root}, ptr {one}, i64 {k})")
    return f.where(positive, out, zero)


def _less_turns(f: Formula, x: str) -> str:
    """x less whole turns; the digits that are left are those of x."""
    f.within(x, TURNS[0] + FAR_ANGLE)
    for k in TURNS:
        n = f.whole(f.scale(f.mul(x, f.constant(rounded(1 / (2 * PI)), False)), -k))
        x = f.sub(x, f.scale(f.mul(f.of_whole(n), f.constant(2 * PI, False)), k))
    return x


def _circle(f: Formula, x: str) -> tuple[str, str]:
    """(sin x, cos x)"""
    far = f.emit(f"icmp sgt i64 {f.exponent(x)}, {FAR_ANGLE}")
    x = f.either(far, lambda: _less_turns(f, x), lambda: x)
    n = f.whole(f.mul(x, f.constant(rounded(2 / PI), False)))
    r = f.sub(x, f.mul(f.of_whole(n), f.constant(PI / 2, False)))
    square = f.mul(r, r)
    s = f.mul(r, f.polynomial(square, [(-1) ** k * _FACTORIALS[2 * k + 1] for k in range(29)]))
    c = f.polynomial(square, [(-1) ** k * _FACTORIALS[2 * k] for k in range(29)])
    odd = f.emit(f"icmp ne i64 {f.emit(f'and i64 {n}, 1')}, 0")
    after = f.emit(f"add i64 {n}, 1")
    signs = [f.emit(f"icmp ne i64 {f.emit(f'and i64 {m}, 2')}, 0") for m in (n, after)]
    sides = [f.where(odd, c, s), f.where(odd, s, c)]
    sine, cosine = (f.where(sign, f.op("neg", side), side) for sign, side in zip(signs, sides, strict=True))
    return sine, cosine


def sin(f: Formula, x: str, _: str) -> str:
    """The first of a point on the circle."""
    return _circle(f, x)[0]


def cos(f: Formula, x: str, _: str) -> str:
    """The second of it."""
    return _circle(f, x)[1]


def tan(f: Formula, x: str, _: str) -> str:
    """The one by the other."""
    return f.div(*_circle(f, x))


def arctan(f: Formula, x: str, _: str) -> str:
    """y + arctan(d) with d = (x cos y - sin y)/(cos y + x sin y)"""
    y = f.approximately("near.arctan", x)
    s, c = _circle(f, y)
    d = f.div(f.sub(f.mul(x, c), s), f.add(c, f.mul(x, s)))
    return f.add(y, f.mul(d, f.polynomial(f.mul(d, d), _NEAR_ARCTAN)))


def arcsin(f: Formula, x: str, _: str) -> str:
    """arctan(x/sqrt((1 - x)(1 + x))); unknown at -1 and 1"""
    one = f.constant(1)
    return f.op("arctan", f.div(x, f.op("sqrt", f.mul(f.sub(one, x), f.add(one, x)))))


def arccos(f: Formula, x: str, _: str) -> str:
    """2 arctan sqrt((1 - x)/(1 + x))"""
    one = f.constant(1)
    return f.scale(f.op("arctan", f.op("sqrt", f.div(f.sub(one, x), f.add(one, x)))), 1)


def sinh(f: Formula, x: str, _: str) -> str:
    """(u + u/(1 + u))/2 with u = e^x - 1"""
    u = f.op("expm1", x)
    return f.scale(f.add(u, f.div(u, f.add(u, f.constant(1)))), -1)


def cosh(f: Formula, x: str, _: str) -> str:
    """(e^x + e^-x)/2"""
    e = f.op("exp", x)
    return f.scale(f.add(e, f.div(f.constant(1), e)), -1)


def tanh(f: Formula, x: str, _: str) -> str:
    """-+ u/(u + 2) with u = e^(-2|x|) - 1"""
    u = f.op("expm1", f.scale(f.op("neg", f.op("abs", x)), 1))
    size = f.op("neg", f.div(u, f.add(u, f.constant(2))))
    return f.op("signed", size, x)


def arcsinh(f: Formula, x: str, _: str) -> str:
    """log(1 + |x| + x^2/(1 + sqrt(1 + x^2))) with the sign of x"""
    one, square = f.constant(1), f.mul(x, x)
    beyond = f.div(square, f.add(one, f.op("sqrt", f.add(one, square))))
    return f.op("signed", f.op("log1p", f.add(f.op("abs", x), beyond)), x)


def arccosh(f: Formula, x: str, _: str) -> str:
    """log(1 + t + sqrt(t (x + 1))) with t = x - 1"""
    one = f.constant(1)
    t = f.sub(x, one)
    return f.op("log1p", f.add(t, f.op("sqrt", f.mul(t, f.add(x, one)))))


def arctanh(f: Formula, x: str, _: str) -> str:
    """log(1 + 2 |x|/(1 - |x|))/2 with the sign of x"""
    size = f.op("abs", x)
    ratio = f.div(f.scale(size, 1), f.sub(f.constant(1), size))
    return f.op("signed", f.scale(f.op("log1p", ratio), -1), x)


def logistic_tail(f: Formula, x: str, _: str) -> str:
    """1/(1 + e^|x|)"""
    one = f.constant(1)
    return f.div(one, f.add(one, f.op("exp", f.op("abs", x))))


def power(f: Formula, x: str, y: str) -> str:
    """e^(y log|x|); of a negative x where y is whole. Unknown at 0."""
    n = f.whole(y)
    same = f.emit(f"icmp eq i64 {f.order(y, f.of_whole(n))}, 0")
    order = f.order(x, f.constant(0))
    positive = f.emit(f"icmp eq i64 {order}, 1")
    negative = f.emit(f"icmp eq i64 {order}, -1")
    f.only_if(f.emit(f"or i1 {positive}, {f.emit(f'and i1 {negative}, {same}')}"))
    size = f.op("exp", f.mul(y, f.op("log", f.op("abs", x))))
    odd = f.emit(f"icmp ne i64 {f.emit(f'and i64 {n}, 1')}, 0")
    return f.where(f.emit(f"and i1 {negative}, {odd}"), f.op("neg", size), size)


def arctan2(f: Formula, y: str, x: str) -> str:
    """arctan(y/x) of a positive x, else -+ pi/2 - arctan(x/y); unknown where y may be 0 there"""
    positive = f.emit(f"icmp eq i64 {f.order(x, f.constant(0))}, 1")

    def other() -> str:
        quarter = f.op("signed", f.constant(PI / 2, False), y)
        return f.sub(quarter, f.op("arctan", f.div(x, y)))

    return f.either(positive, lambda: f.op("arctan", f.div(y, x)), other)


def exclusive(f: Formula, x: str, y: str) -> str:
    """|x - y| of truth values"""
    return f.op("abs", f.sub(x, y))


FUNCTIONS: dict[str, Written] = error_function.FUNCTIONS | gamma.FUNCTIONS | steps.FUNCTIONS | {
    "exp": exp, "expm1": expm1, "exp2": exp2, "log": log, "log1p": log1p, "log2": log2, "log10": log10, "sqrt": sqrt,
    "sin": sin, "cos": cos, "tan": tan, "arctan": arctan, "arcsin": arcsin, "arccos": arccos, "sinh": sinh,
    "cosh": cosh, "tanh": tanh, "arcsinh": arcsinh, "arccosh": arccosh, "arctanh": arctanh,
    "logistic_tail": logistic_tail, "pow": power, "arctan2": arctan2, "bitwise_xor": exclusive,
}  # fmt: skip
