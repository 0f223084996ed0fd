"""Whole numbers that were computed: what is whole but for its errors counts as whole where a last bit decides, as an exponent
of a negative number and below a step."""

from __future__ import annotations

from symdl.graph.expr import Expr, constant
from symdl.ops.elementwise import abs, bitwise_and, cast, lt, mul, sub, true_div, where
from symdl.ops.functions import round_half_even

ERRORS = {  # form -> of what numbers may be off by, and in what dtype that is looked at
    "float32": (2.0**-18, "float32"), "float64": (2.0**-46, "float64"), "float64e": (2.0**-46, "float64e"),
    "float64x2": (2.0**-97, "float64"), "float64x2e": (2.0**-97, "float64e"),
}  # fmt: skip
# Functions that are off by a part of what they are: a sum, or tanh, tells more of a number just below 1.
ROUNDED = frozenset(
    ["log", "log2", "log10", "exp", "exp2", "pow", "sqrt", "tan", "arctan", "arcsin", "sinh", "arcsinh"]
)


def whole_exponent(exponent: Expr, base: Expr) -> Expr:
    """The exponent of a power; where the base is negative, the whole number that it is but for its errors."""
    whole, meant = _nearest(exponent)
    negative = lt(base, cast(constant(0, "float64"), base.type.dtype))
    return where(bitwise_and(negative, meant), whole, exponent)


def below_step(x: Expr) -> Expr:
    """What a step is taken of: the whole number that it is but for its errors."""
    whole, meant = _nearest(x)
    return where(meant, whole, x)


def beside_step(name: str, found: Expr, x: Expr, y: Expr) -> Expr:
    """x // y or x % y as found; where x / y is a whole number but for its errors, that or 0."""
    whole, meant = _nearest(true_div(x, y))
    return where(meant, whole if name == "floor_div" else mul(y, cast(constant(0, "float64"), y.type.dtype)), found)


def _nearest(x: Expr) -> tuple[Expr, Expr]:
    """(the whole number next to x, whether x is that but for its errors: none that are off by wholes)."""
    least, dtype = ERRORS[x.type.dtype]
    whole = round_half_even(x)
    off, size = cast(abs(sub(x, whole)), dtype), cast(abs(x), dtype)
    near = lt(off, mul(size, cast(constant(least, "float64"), dtype)))
    return whole, bitwise_and(near, lt(size, cast(constant(1 / least, "float64"), dtype)))
