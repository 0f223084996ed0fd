"""Powers of negative numbers, which only whole exponents have: an exponent that was computed is whole if it is but for its errors."""

from __future__ import annotations

from symdl.expr import Expr, constant
from symdl.ops.elementwise import abs, bitwise_and, cast, lt, mul, sub, where
from symdl.ops.functions import round_half_even

ERRORS = {  # form -> of what exponents may be off by, and in what dtype that is looked at
    "float32": (2.0**-18, "float32"), "float64": (2.0**-46, "float64"), "float64e": (2.0**-46, "float64e"),
    "float64x2": (2.0**-97, "float64"), "float64x2e": (2.0**-97, "float64e"),
}  # fmt: skip


def whole_exponent(exponent: Expr, base: Expr) -> Expr:
    """The exponent of a power; where the base is negative, the whole number next to it, if it is as good as that."""
    least, dtype = ERRORS[exponent.type.dtype]
    whole = round_half_even(exponent)
    off, size = cast(abs(sub(exponent, whole)), dtype), cast(abs(exponent), dtype)
    meant = lt(off, mul(size, cast(constant(least, "float64"), dtype)))
    negative = lt(base, cast(constant(0, "float64"), base.type.dtype))
    return where(bitwise_and(negative, meant), whole, exponent)
