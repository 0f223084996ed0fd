"""Taylor: sums whose terms cancel to some order at 0, such as x - sin x, exp(x) - 1 - x, 1/x - cot x, x - tanh x.

Every exp, sin and cos of a multiple of one t becomes its polynomial up to a degree and a remainder, a series of its own.
Where the polynomials cancel exactly, and what is left is led by terms that do not cancel, the sum is known for small t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from symdl.meaning.cancellation import denominator, expand_atoms, product_of
from symdl.meaning.normal_form import Atom, Mono, Poly, Unsafe
from symdl.meaning.rationals import Rational, magnitude, quotient

DEGREES = (1, 2, 3, 4, 5)  # of the polynomials that are tried
REACH = 1  # the series are used for arguments below: from here on little cancels
SUMMANDS = 8  # longer sums are left alone
TERMS = 64  # ... and so is what grows longer than this
FUNCTIONS = frozenset(["sin", "cos"])


@dataclass(frozen=True)
class Small:
    """A sum where |size| < REACH, as a form with remainders."""

    form: Poly
    size: Poly


def small(poly: Poly) -> Small | None:
    """What a sum is near 0 of all its functions' arguments, if it cancels there and this does not."""
    memo, key = poly.forms.memo, ("small", poly)
    if key not in memo:
        try:
            memo[key] = _small(poly)
        except Unsafe:
            memo[key] = None
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def _small(poly: Poly) -> Small | None:
    forms = poly.forms
    if not 2 <= len(poly.terms) <= SUMMANDS or (len(poly.terms) == 2 and all(not m.factors for m in poly.terms)):
        return None  # exp(E) - 1 is a function of its own, exp(E) - exp(F) a multiple of one
    steps = _steps(poly)
    if len(steps) != 1:
        return next(
            (found for step in sorted(steps, key=lambda t: t.order) if (found := _in_one(poly, step)) is not None), None
        )
    flat = _multiplied_out(poly, forms.unit)  # sums may hold quotients of their own
    if flat is None:
        return None
    below = forms.mono(forms.zero, denominator(flat.terms))
    numerator = _multiplied_out(flat, below)
    if numerator is None:
        return None
    step = _argument(numerator)
    before = None if step is None else _leads(numerator, step)
    if step is None or before is None:  # which no degree changes
        return None
    for degree in DEGREES:
        out = forms.zero
        largest: Rational = 0
        for m, c in numerator.terms.items():
            part, q = _expanded(m, step, degree)
            out, largest = out + part.scale(c), max(largest, q)
            if len(out.terms) > TERMS:
                return None
        if out.terms and _sound(before, _leads(out, step)):
            return Small(out.times(below.inverse), forms.term(step, largest))
    return None


def _in_one(poly: Poly, step: Mono) -> Small | None:
    """A sum in which functions of other arguments are factors of what cancels near 0 of this one."""
    forms = poly.forms
    groups: dict[Mono, Poly] = {}
    for m, c in poly.terms.items():
        others = {a: p for a, p in m.factors.items() if a.op != "leaf" and step not in _steps(forms.of_atom(a))}
        beside = forms.mono(m.expo - forms.term(step, m.expo.terms.get(step, 0)), others)
        groups[beside] = groups.get(beside, forms.zero) + forms.term(m * beside.inverse, c)
    form, size = forms.zero, None
    for beside, part in groups.items():
        found = small(part) if _steps(part) == {step} else None
        if found is None or size not in (None, found.size):
            return None
        form, size = form + found.form.times(beside), found.size
    return Small(form, size) if size is not None else None


def _multiplied_out(poly: Poly, by: Mono) -> Poly | None:
    """The terms times by with their sums multiplied out; None if that grows too far."""
    out = poly.forms.zero
    for m, c in poly.terms.items():
        part = expand_atoms(m * by)
        if part is None or len(out.terms) + len(part.terms) > TERMS:
            return None
        out = out + part.scale(c)
    return out


def _steps(poly: Poly) -> set[Mono]:
    """What the arguments of the functions in a sum are made of, those in sums of its factors too."""
    found: set[Mono] = set()
    for m in poly.terms:
        found.update(m.expo.terms, m.inner_exponents)
        for a in m.factors:
            if a.op in FUNCTIONS:
                found.update(a.args[0].terms)
    return found


def near_log(m: Mono, c: Rational) -> Poly | None:
    """log(c m) where c m - 1 is known near 0, such as log(sin(x) / x)."""
    forms = m.forms
    below = forms.mono(forms.zero, denominator([m]))
    above = _multiplied_out(forms.term(m, c), below)
    if below.bare or above is None:
        return None
    gap = above - forms.term(below)
    if small(gap) is None:
        return None
    return forms.function("log1p", product_of(gap, forms.term(below.inverse)))


def _argument(poly: Poly) -> Mono | None:
    """t, if every function's argument in the terms is a multiple of the one t and there is a term beside them."""
    step: Mono | None = None
    plain = False
    for m in poly.terms:
        arguments = [m.expo] if m.expo.terms else []
        for a, p in m.factors.items():
            if a.op in FUNCTIONS and p > 0 and p.denominator == 1:
                arguments.append(a.args[0])
            elif a.op != "leaf":
                return None
        plain = plain or not arguments
        for u in arguments:
            if u.single is None or (step is not None and u.single[0] is not step):
                return None
            step = u.single[0]
    if step is None or not step.factors or step.expo.terms or any(a.op != "leaf" for a in step.factors):
        return None
    return step if plain or len(poly.terms) > 1 else None


def _expanded(m: Mono, step: Mono, degree: int) -> tuple[Poly, Rational]:
    """(m with polynomials and remainders for its functions, the largest multiple of t in them)."""
    forms = m.forms
    out = forms.one
    largest: Rational = 0
    rest: dict[Atom, Rational] = {}
    parts = [("exp", m.expo)] if m.expo.terms else []
    for a, p in m.factors.items():
        if a.op in FUNCTIONS:
            parts += [(a.op, a.args[0])] * int(p)
        else:
            rest[a] = p
    for op, u in parts:
        assert u.single is not None
        q = u.single[1]
        largest = max(largest, magnitude(q))
        series = {step_power(step, j): _coefficient(op, j) * q**j for j in range(degree + 1) if _coefficient(op, j)}
        remainder = forms.function("rem", u, param=(op, degree))
        out = out.multiplied_out(forms.poly(series) + remainder)
    return out.times(forms.mono(forms.zero, rest)), largest


def step_power(step: Mono, j: int) -> Mono:
    """step**j, for j = 0 too."""
    return step**j if j else step.forms.unit


def _coefficient(op: str, j: int) -> Rational:
    """Of t^j in the function's series."""
    if (op == "sin" and j % 2 == 0) or (op == "cos" and j % 2):
        return 0
    sign = 1 if op == "exp" or j % 4 < 2 else -1
    return quotient(sign, math.factorial(j))


def first_left(op: str, degree: int) -> int:
    """The degree that a remainder begins with."""
    return next(j for j in range(degree + 1, degree + 4) if _coefficient(op, j))


def _level(m: Mono, step: Mono) -> tuple[Rational, Rational, Mono] | None:
    """(degree in t, coefficient, what is beside t) of what a term with functions or remainders begins with near 0."""
    mark, weight = next(iter(step.factors.items()))
    level: Rational = 0
    lead: Rational = 1
    rest = m.forms.mono(m.forms.zero, m.factors)  # an exponential begins with 1
    for a, p in m.factors.items():
        if a.op == "rem" or a.op in FUNCTIONS:
            op, degree = a.param if a.op == "rem" else (a.op, -1)
            first = first_left(op, degree)
            assert a.args[0].single is not None
            lead = lead * (_coefficient(op, first) * a.args[0].single[1] ** first) ** int(p)
            level = level + first * p
            rest = rest.without(a, p)
    own = quotient(rest.factors.get(mark, 0), weight)
    if own.denominator != 1:
        return None
    return level + own, lead, rest * step**-own if own else rest


Leads = dict[Rational, list[Rational]]  # degree in t -> the coefficients of the terms that begin with it


def _leads(poly: Poly, step: Mono) -> Leads | None:
    """What the terms of a sum begin with near 0; None where that is not known, or not all is one number of powers of t."""
    leads: Leads = {}
    beside: Mono | None = None
    for m, c in poly.terms.items():
        found = _level(m, step)
        if found is None or (beside is not None and found[2] is not beside):
            return None
        leads.setdefault(found[0], []).append(c * found[1])
        beside = found[2]
    return leads


def _sound(before: Leads, after: Leads | None) -> bool:
    """Whether the sum's lowest terms cancelled and those that are left do not."""
    if after is None or min(after) <= min(before):
        return False
    first = after[min(after)]
    return 2 * magnitude(sum(first)) >= sum(map(magnitude, first))


def series_of(a: Atom, bits: int) -> tuple[int, int, list[Rational]]:
    """(first degree, step, coefficients) of a remainder in its argument, as many as |argument| < REACH needs for so many
    bits."""
    op, degree = a.param
    first = first_left(op, degree)
    step = 1 if op == "exp" else 2
    found = [_coefficient(op, first)]
    while magnitude(found[-1]) * 2 ** (bits + 3) > magnitude(found[0]):
        found.append(_coefficient(op, first + step * len(found)))
    return first, step, found
