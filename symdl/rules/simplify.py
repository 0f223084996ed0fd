"""Simplification: rules that make a graph smaller and keep every number that it computes, NaN, infinities and -0 too.

What is no identity of floats is left out: x * 0 -> 0, x - x -> 0, x / x -> 1, x + 0 -> x (wrong at -0), eq(x, x) ->
True, -(a - b) -> b - a. Where a rule changes a rounding, it is to fewer roundings, and its row says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from symdl.graph.expr import CONSTANT, OPS, Expr, constant, number_of, wildcard
from symdl.number_forms import digits
from symdl.ops.declare import is_float
from symdl.ops.elementwise import (
    CAST,
    bitwise_and,
    bitwise_or,
    cast,
    invert,
    maximum,
    minimum,
    mul,
    neg,
    pow,
    true_div,
    where,
)
from symdl.ops.functions import ceil, exp, floor, round_half_even, sqrt, trunc
from symdl.passes.rewrite import Bindings, Change, Origins, Rule, RulePass
from symdl.records import record
from symdl.rules.views import VIEW_RULES

x, y, c = wildcard("x"), wildcard("y"), wildcard("c")


def _integers(bound: Bindings) -> bool:
    return not is_float(bound[x].type.dtype)


def _not_negative(bound: Bindings) -> bool:
    """Whether a value cannot be below 0 (nor -0), as its op says."""
    e = bound[x]
    return e.op in (exp, OPS["abs"]) or (e.op is mul and e.inputs[0] is e.inputs[1])


PATTERNS = [
    Rule("times_one", x * 1, x),
    Rule("times_minus_one", x * -1, -x),
    Rule("over_one", true_div(x, 1), x),
    Rule("over_minus_one", true_div(x, -1), -x),
    Rule("minus_zero", x - 0, x),
    Rule("integer_plus_zero", x + 0, x, if_=_integers),
    Rule("double_negation", neg(neg(x)), x),
    Rule("plus_negative", x + (-y), x - y),
    Rule("minus_negative", x - (-y), x + y),
    Rule("product_of_negatives", (-x) * (-y), x * y),
    Rule("quotient_of_negatives", true_div(-x, -y), true_div(x, y)),
    Rule("abs_of_negative", abs(-x), abs(x), if_=lambda bound: not bound[x].type.dtype.startswith("uint")),
    Rule("abs_of_abs", abs(abs(x)), abs(x)),
    Rule("square_of_negative", (-x) * (-x), x * x),
    Rule("power_one", pow(x, 1), x),
    Rule("square", pow(x, 2), x * x),
    Rule("cube", pow(x, 3), x * x * x),  # two roundings for the one or two ulp of a power
    Rule("fourth_power", pow(x, 4), (x * x) * (x * x)),
    Rule("power_minus_one", pow(x, -1), true_div(1, x), if_=lambda bound: not _integers(bound)),
    # sqrt is NaN at -inf and -0 at -0, where a power is inf and 0: only for what cannot be negative.
    Rule("square_root", pow(x, 0.5), sqrt(x), where="x >= 0", if_=_not_negative),
    Rule("same_branches", where(c, x, x), x),
    Rule("inverted_condition", where(invert(c), x, y), where(c, y, x)),
    Rule("larger_of_same", maximum(x, x), x),
    Rule("smaller_of_same", minimum(x, x), x),
    Rule("double_inversion", invert(invert(c)), c),
    Rule("and_of_same", bitwise_and(c, c), c),
    Rule("or_of_same", bitwise_or(c, c), c),
    *[
        Rule(f"{outer}_of_{inner}", outer(inner(x)), inner(x))  # already a whole number
        for outer in (floor, ceil, trunc, round_half_even)
        for inner in (floor, ceil, trunc, round_half_even)
    ],
]


# ---- what a pattern does not say ----


def _over_power_of_two(node: Expr) -> Expr | None:
    """x / 2^k as x * 2^-k, which is exact and faster; not where 2^-k is no normal number."""
    above, below = node.inputs
    number = number_of(below)
    if not isinstance(number, float) or number == 0 or not math.isfinite(number) or abs(math.frexp(number)[0]) != 0.5:
        return None
    info = np.finfo(below.type.dtype)
    factor = 1 / number
    if not info.tiny <= abs(factor) <= info.max or abs(number) in (1.0, 0.0):
        return None
    return mul(above, constant(factor, below.type.dtype))


def embeds(small: str, large: str) -> bool:
    """Whether every value of one dtype is one of another, which may be a number form."""
    if small == large or small == "bool":
        return True
    if large == "bool":
        return False
    if is_float(small):
        return small == "float32" and large == "float64"
    a = np.iinfo(small)
    if is_float(large):
        return bool(max(-int(a.min), int(a.max)) <= 2 ** digits(large))
    b = np.iinfo(large)
    return int(b.min) <= int(a.min) and int(a.max) <= int(b.max)


def _cast_of_cast(node: Expr) -> Expr | None:
    (inner,) = node.inputs
    if inner.op is not CAST:
        return None
    first, middle, last = inner.inputs[0].type.dtype, inner.type.dtype, node.type.dtype
    if not embeds(first, middle):
        return None
    if is_float(middle) and not is_float(first) and not is_float(last) and not embeds(first, last):
        return None  # an integer wraps around, a float that is too large does not
    return cast(inner.inputs[0], last)


def _chosen(node: Expr) -> Expr | None:
    """where with a condition known while compiling."""
    condition, yes, no = node.inputs
    if condition.op is not CONSTANT or condition.params["value"].array.size == 0:
        return None
    array = condition.params["value"].array
    if array.all():
        return yes
    return None if array.any() else no


SCALAR_RULES: list[Rule | Change] = [
    *PATTERNS,
    Change("over_power_of_two", ("true_div",), _over_power_of_two),
    Change("cast_of_cast", ("cast",), _cast_of_cast),
    Change("known_condition", ("where",), _chosen),
]
SIMPLIFY: list[Rule | Change] = [*SCALAR_RULES, *VIEW_RULES]


@record
class Simplified:
    """The roots rewritten, and how often each rule did something."""

    roots: list[Expr]
    fired: dict[str, int]


def simplification(roots: Sequence[Expr], origins: Origins | None = None) -> Simplified:
    """simplified, with a count of the rules that fired."""
    rules = RulePass(SIMPLIFY, origins)
    return Simplified(rules(roots), rules.fired)


def simplified(roots: Sequence[Expr], origins: Origins | None = None) -> list[Expr]:
    """The roots, equal in every number and smaller where a rule of SIMPLIFY fits."""
    return simplification(roots, origins).roots
