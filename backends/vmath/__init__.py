"""Every scalar primitive as LLVM IR: straight-line text for scalars and vectors, without the C library.

`EMIT[name](builder, *operands, dtype=...)` appends the instructions and returns the result. What stands out of line
(long bodies, rare paths behind a branch) goes into `Builder.declarations` as an internal function.
"""

from __future__ import annotations

from collections.abc import Callable

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath import arithmetic as a
from symdl.backends.vmath.error_function import erf, erfc, erfcx, erfinv
from symdl.backends.vmath.exponential import cosh, exp, exp2, expm1, logistic_tail, sinh, tanh
from symdl.backends.vmath.forms import inlined
from symdl.backends.vmath.gamma import digamma, gammaln
from symdl.backends.vmath.inverse_trigonometric import arccos, arcsin, arctan, arctan2
from symdl.backends.vmath.logarithm import arccosh, arcsinh, arctanh, log, log1p, log2, log10
from symdl.backends.vmath.philox import SINGLE
from symdl.backends.vmath.power import power
from symdl.backends.vmath.trigonometric import cos, sin, tan

Emission = Callable[..., Reg]


def _typed(emit: Emission) -> Emission:
    """An emission whose result dtype follows from its operands, with the uniform signature of the table."""

    def call(b: Builder, *args: Reg, dtype: str) -> Reg:
        result = emit(b, *args)
        assert result.dtype == dtype, f"{result.dtype} computed where {dtype} is expected"
        return result

    return call


def _cast(b: Builder, x: Reg, *, dtype: str) -> Reg:
    return a.cast(b, x, dtype)


def _comparison(predicate: str) -> Emission:
    def compare(b: Builder, x: Reg, y: Reg) -> Reg:
        return b.compare(predicate, x, y)

    return compare


# long, frequent and without a branch: copied into the caller
_INLINED: dict[str, Emission] = {
    "exp": exp,
    "expm1": expm1,
    "exp2": exp2,
    "log": log,
    "log1p": log1p,
    "log2": log2,
    "log10": log10,
    "arcsin": arcsin,
    "arccos": arccos,
    "arctan": arctan,
    "tanh": tanh,
    "logistic_tail": logistic_tail,
    "erf": erf,
}

_BY_OPERANDS: dict[str, Emission] = {
    **{name: inlined(emit) for name, emit in _INLINED.items()},
    **{name: _comparison(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    "add": a.add,
    "sub": Builder.sub,
    "mul": a.mul,
    "true_div": Builder.div,
    "floor_div": a.floor_div,
    "mod": a.mod,
    "neg": Builder.neg,
    "abs": a.absolute,
    "maximum": a.maximum,
    "minimum": a.minimum,
    "pow": power,
    "bitwise_and": Builder.and_,
    "bitwise_or": Builder.or_,
    "bitwise_xor": Builder.xor,
    "invert": Builder.not_,
    "left_shift": a.left_shift,
    "right_shift": a.right_shift,
    "where": Builder.select,
    "floor": a.floor,
    "ceil": a.ceil,
    "trunc": a.trunc,
    "round_half_even": a.round_half_even,
    "isnan": a.isnan,
    "sqrt": Builder.sqrt,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "arctan2": arctan2,
    "sinh": sinh,
    "cosh": cosh,
    "arcsinh": arcsinh,
    "arccosh": arccosh,
    "arctanh": arctanh,
    "erfc": erfc,
    "erfcx": erfcx,
    "erfinv": erfinv,
    "gammaln": gammaln,
    "digamma": digamma,
    **SINGLE,
}

EMIT: dict[str, Emission] = {"cast": _cast, **{name: _typed(emit) for name, emit in _BY_OPERANDS.items()}}
