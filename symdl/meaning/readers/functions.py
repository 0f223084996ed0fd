"""Readers of exponentials, logarithms and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence

from symdl.graph.expr import Expr
from symdl.meaning.cancellation import simplify
from symdl.meaning.companions import known
from symdl.meaning.factoring import flattened, power
from symdl.meaning.logarithms import exponential, logarithm
from symdl.meaning.masks import (
    chosen,
    product,
)
from symdl.meaning.normal_form import FUNCTIONS, Atom, Forms, Poly
from symdl.meaning.rationals import HALF
from symdl.meaning.readers.arithmetic import multiply_number_log
from symdl.meaning.reading import Reading, reads
from symdl.ops.elementwise import bitwise_and, eq, invert, isnan
from symdl.ops.functions import log


@reads("exp")
def _exp(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return exponential(args[0])


@reads("expm1")
def _expm1(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return simplify(exponential(args[0]) - reading.forms.one)


@reads("exp2")
def _exp2(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return exponential(multiply_number_log(args[0], 2))


@reads("log")
def _log(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return logarithm(args[0])


@reads("log1p")
def _log1p(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    before = reading.forms.found
    out = logarithm(simplify(flattened(reading.forms.one + args[0])))
    bounded = args[0].single is not None and args[0].nonneg and args[0].single[0].expo.nonpos
    if not args[0].special or bounded:
        reading.forms.found = before  # log1p is what would be written
    return out


@reads("log2")
def _log2(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return product(logarithm(args[0]), reading.forms.of_atom(_log_of_number(reading.forms, 2), -1))


@reads("log10")
def _log10(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return product(logarithm(args[0]), reading.forms.of_atom(_log_of_number(reading.forms, 10), -1))


def _log_of_number(forms: Forms, k: int) -> Atom:
    return forms.atom("log", (forms.constant(k),))


@reads("xlogy")
def _xlogy(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    a, b = node.inputs
    logs = log(b) if args[1].nonneg else b  # where b cannot be negative, its logarithm is NaN where b is
    reading([logs])
    zero = bitwise_and(eq(a, 0), invert(isnan(logs)))
    return chosen(zero, reading.forms.zero, product(args[0], logarithm(args[1])))


INVERSES = {"cosh": "arccosh", "sinh": "arcsinh", "tanh": "arctanh", "erf": "erfinv"}


def _undone(reading: Reading, node: Expr) -> Poly | None:
    """What a function's inverse, of which it is taken, is of."""
    (x,) = node.inputs
    if x.op.name != INVERSES.get(node.op.name):
        return None
    reading.forms.found += 1
    return reading.polys[x.inputs[0]]


@reads(*sorted(FUNCTIONS))
def _known(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return _undone(reading, node) or _algebraic(node.op.name, args[0]) or known(node.op.name, args[0])


@reads("tan")
def _tan(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    (u,) = args
    return _algebraic("tan", u) or product(known("sin", u), power(known("cos", u), -1))


def _algebraic(op: str, u: Poly) -> Poly | None:
    """A function of the angle u that is algebra: u is the arctan or the arcsin of v, or minus that. The sine of the arctan
    is none: it is 1 at infinity, where v / sqrt(1 + v^2) is no number."""
    m, c = u.single or (u.forms.unit, 0)
    a = next(iter(m.factors)) if len(m.factors) == 1 and not m.expo.terms else None
    if a is None or m.factors[a] != 1 or c not in (1, -1):
        return None
    one, v = u.forms.one, a.args[0] if a.args else u
    match a.op, op:
        case ("arctan", "tan") | ("arcsin", "sin"):
            out = v.scale(c)
        case "arctan", "cos":
            out = power(one + power(v, 2), -HALF)
        case "arcsin", "cos":
            out = power(one - power(v, 2), HALF)
        case "arcsin", "tan":
            out = product(v.scale(c), power(one - power(v, 2), -HALF))
        case _:
            return None
    u.forms.found += 1
    return out


@reads("sigmoid")
def _sigmoid(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return power(reading.forms.one + exponential(args[0].scale(-1)), -1)


@reads("tanh")
def _tanh(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    if (found := _undone(reading, node)) is not None:
        return found
    e, one = exponential(args[0].scale(2)), reading.forms.one
    before = reading.forms.found
    out = product(e - one, power(e + one, -1))
    reading.forms.found = before
    return out


@reads("sinh")
def _sinh(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return _undone(reading, node) or (exponential(args[0]) - exponential(args[0].scale(-1))).scale(HALF)


@reads("cosh")
def _cosh(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return _undone(reading, node) or (exponential(args[0]) + exponential(args[0].scale(-1))).scale(HALF)


@reads("softplus")
def _softplus(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return logarithm(reading.forms.one + exponential(args[0]))


@reads("log1mexp")
def _log1mexp(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return logarithm(reading.forms.one - exponential(args[0]))


@reads("logaddexp")
def _logaddexp(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return logarithm(exponential(args[0]) + exponential(args[1]))
