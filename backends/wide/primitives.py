"""Every float primitive in the number forms, as LLVM IR: EMIT[name](builder, *operands, dtype=...), as in vmath.

A function written once for float64x2e serves the other two forms by widening and narrowing; those met most often are
written for each, and float64e takes those of float64 where its range allows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.forms import Pair, outlined
from symdl.backends.wide import arithmetic as a
from symdl.backends.wide import (
    error_function,
    exponential,
    gamma,
    inverse_trigonometric,
    logarithm,
    mixed,
    numbers,
    pairs,
    power,
    thin,
    trigonometric,
)
from symdl.backends.wide.numbers import Number

Emission = Callable[..., Reg]
OnNumbers = Callable[..., Number]
OnPairs = Callable[..., Pair]


def _by_numbers(emit: OnNumbers, full: bool = False) -> Emission:
    """From what is written for high, low and exponent. full: with a low limb even for float64e."""

    def call(b: Builder, *args: Reg) -> Reg:
        given = [numbers.number(b, x) for x in args]
        if full and args[0].dtype == "float64e":
            given = [replace(x, low=b.const(0.0, "float64")) for x in given]
        found = emit(b, *given)
        if args[0].dtype == "float64x2":
            return numbers.join(b, "float64x2", *numbers.ordinary(b, found))
        return numbers.packed(b, found, args[0].dtype)

    return call


def _by_pairs(emit: OnPairs) -> Emission:
    """From what is written for pairs."""

    def call(b: Builder, *args: Reg) -> Reg:
        return numbers.join(b, "float64x2", *emit(b, *(numbers.pair(b, x) for x in args)))

    return call


def _row(
    name: str,
    each: OnNumbers,
    two: OnPairs | None = None,
    single: OnNumbers | None = None,
    out: bool = True,
    full: bool = False,
) -> Emission:
    """One primitive from what it is for numbers, perhaps another for pairs and for a single limb; out: out of line."""
    general = _by_numbers(each, full)
    forms = {
        "float64x2e": general,
        "float64x2": _by_pairs(two) if two else general,
        "float64e": _by_numbers(single) if single else general,
    }
    if out:
        forms = {dtype: outlined(name, emit) for dtype, emit in forms.items()}

    def call(b: Builder, *args: Reg, dtype: str) -> Reg:
        source = args[0].dtype
        if source == dtype in forms:
            return forms[dtype](b, *args)
        if source in ("float64x2", "float64"):
            found = mixed.emit(b, name, *args)
            return found if found.dtype == dtype else b.convert("fptrunc", found, dtype)  # a sum of two float64
        return a.cast(b, forms[source](b, *args), dtype)

    return call


def _comparison(predicate: str) -> Emission:
    def call(b: Builder, x: Reg, y: Reg, *, dtype: str) -> Reg:
        if x.dtype == "float64x2":
            return a.pair_compare(b, predicate, numbers.pair(b, x), numbers.pair(b, y))
        return a.compare(b, predicate, numbers.number(b, x), numbers.number(b, y))

    return call


def _where(b: Builder, condition: Reg, x: Reg, y: Reg, *, dtype: str) -> Reg:
    if dtype == "float64x2":
        return numbers.join(b, dtype, *pairs.choose(b, condition, numbers.pair(b, x), numbers.pair(b, y)))
    return numbers.packed(b, a.choose(b, condition, numbers.number(b, x), numbers.number(b, y)), dtype)


def _isnan(b: Builder, x: Reg, *, dtype: str) -> Reg:
    high = numbers.split(b, x)[0]
    return b.compare("uno", high, high)


def _cast(b: Builder, x: Reg, *, dtype: str) -> Reg:
    return a.cast(b, x, dtype)


EMIT: dict[str, Emission] = {
    "cast": _cast,
    **{name: _comparison(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    "add": _row("add", a.add, a.pair_add, out=False),
    "sub": _row("sub", a.sub, a.pair_sub, out=False),
    "mul": _row("mul", a.mul, a.pair_mul, out=False),
    "true_div": _row("div", a.div, a.pair_div, out=False),
    "floor_div": _row("floor_div", a.floor_div, full=True),
    "mod": _row("mod", a.mod, full=True),
    "neg": _row("neg", a.negative, pairs.negative, out=False),
    "abs": _row("abs", a.absolute, a.pair_absolute, out=False),
    "maximum": _row("maximum", a.maximum, a.pair_maximum, out=False),
    "minimum": _row("minimum", a.minimum, a.pair_minimum, out=False),
    "where": _where,
    "isnan": _isnan,
    "floor": _row("floor", a.by_pairs(a.pair_floor), a.pair_floor),
    "ceil": _row("ceil", a.by_pairs(a.pair_ceil), a.pair_ceil),
    "trunc": _row("trunc", a.by_pairs(a.pair_trunc), a.pair_trunc),
    "round_half_even": _row("round_half_even", a.by_pairs(a.pair_round), a.pair_round),
    "pow": _row("pow", power.power),
    "erf": _row("erf", error_function.erf, None, thin.erf),
    "erfc": _row("erfc", error_function.erfc),
    "erfcx": _row("erfcx", error_function.erfcx),
    "erfinv": _row("erfinv", error_function.erfinv),
    "gammaln": _row("gammaln", gamma.gammaln, full=True),
    "digamma": _row("digamma", gamma.digamma, full=True),
    "sqrt": _row("sqrt", a.sqrt, a.pair_sqrt),
    "exp": _row("exp", exponential.exp, exponential.pair_exp, exponential.thin_exp),
    "exp2": _row("exp2", exponential.exp2, exponential.pair_exp2, thin.exp2),
    "expm1": _row("expm1", exponential.expm1, None, thin.expm1),
    "log": _row("log", logarithm.log, logarithm.pair_log, logarithm.thin_log),
    "log1p": _row("log1p", logarithm.log1p, None, thin.log1p),
    "log2": _row("log2", logarithm.log2, None, thin.log2),
    "log10": _row("log10", logarithm.log10, None, thin.log10),
    "sin": _row("sin", trigonometric.sin, trigonometric.pair_sin, thin.by_plain("sin")),
    "cos": _row("cos", trigonometric.cos, trigonometric.pair_cos, thin.by_plain("cos", False)),
    "tan": _row("tan", trigonometric.tan, trigonometric.pair_tan, thin.by_plain("tan")),
    "arctan": _row("arctan", inverse_trigonometric.arctan, None, thin.by_plain("arctan")),
    "arctan2": _row("arctan2", inverse_trigonometric.arctan2),
    "arcsin": _row("arcsin", inverse_trigonometric.arcsin, None, thin.by_plain("arcsin")),
    "arccos": _row("arccos", inverse_trigonometric.arccos, None, thin.by_plain("arccos", False)),
    "logistic_tail": _row("logistic_tail", exponential.logistic_tail, None, thin.logistic_tail),
    "sinh": _row("sinh", exponential.sinh, None, thin.sinh),
    "cosh": _row("cosh", exponential.cosh, None, thin.cosh),
    "tanh": _row("tanh", exponential.tanh, None, thin.by_plain("tanh")),
    "arcsinh": _row("arcsinh", logarithm.arcsinh, None, thin.arcsinh),
    "arccosh": _row("arccosh", logarithm.arccosh, None, thin.arccosh),
    "arctanh": _row("arctanh", logarithm.arctanh, None, thin.by_plain("arctanh")),
}
