"""Taylor: sums whose terms cancel to some order at 0, such as x - sin x, exp(x) - 1 - x, 1/x - cot x, log(1 + x)/x - 1.

Every function of a multiple of one t becomes its polynomial up to a degree and a remainder, a series of its own. Where
the polynomials cancel exactly, and what is left is led by terms that do not cancel, the sum is known for small t.
"""

from __future__ import annotations

from symdl.meaning.cancellation import denominator, expand, expand_atoms, product_of
from symdl.meaning.fading import LETTER, in_exponential, in_letter, leaves_beside, letters_of
from symdl.meaning.far import distant, over
from symdl.meaning.normal_form import Atom, Mono, Poly, Unsafe
from symdl.meaning.rationals import Rational, magnitude, quotient
from symdl.meaning.series import Function, coefficient, first_left, function_of, reach
from symdl.records import record

DEGREES = (1, 2, 3, 4, 5)  # of the polynomials that are tried
# A size, of arguments in what their functions' series reach, below which these are used: beyond little cancels.
REACH = 1
SUMMANDS = 8  # longer sums are left alone
LETTERS = ("leaf", LETTER)
TERMS = 64  # ... and so is what grows longer than this


@record
class Small:
    """A sum where |size| < REACH, and what must be positive and finite is, as a form with remainders."""

    form: Poly
    size: Poly
    positive: Poly | None = None


def small(poly: Poly) -> Small | None:
    """What a sum is near 0 of all its functions' arguments, if it cancels there and this does not."""
    memo, key = poly.forms.memo, ("small", poly)
    if key not in memo:
        try:
            memo[key] = _small(poly) or _faded(poly) or _far(poly)
        except Unsafe:
            memo[key] = None
    return memo[key]  # type: ignore[no-any-return]  # memos are Any


def _faded(poly: Poly) -> Small | None:
    """What a sum is where an exponential within its functions is near 0."""
    if not 2 <= len(poly.terms) <= SUMMANDS:
        return None
    for t in letters_of(poly):
        if _alone(poly, t):
            continue
        try:
            found = _small(in_letter(poly, t))
            if found is not None:
                return Small(in_exponential(found.form, t), in_exponential(found.size, t))
        except Unsafe:
            continue
    return None


def _far(poly: Poly) -> Small | None:
    """What a sum is where a leaf of its roots and logarithms is far out; of two terms more is known."""
    flat = expand(poly) if len(poly.terms) > 2 else None
    if flat is None or not 3 <= len(flat.terms) <= SUMMANDS:
        return None
    poly = flat
    for x in distant(poly):
        form, rest = over(poly, x)
        found = _small(form) if form.terms else None
        if found is not None:
            return Small(found.form.times(rest), found.size, poly.forms.of_atom(x))
    return None


def _alone(poly: Poly, t: Atom) -> bool:
    """Whether a term is a product of leaves of which one stands nowhere else, but in the letter's exponent: nothing is like it,
    so the sum does not cancel near 0 of the letter."""
    (exponent,) = t.args[0].terms
    for m in poly.terms:
        if m.factors and not m.expo.terms and all(a.op == "leaf" for a in m.factors):
            elsewhere = set[Atom]().union(*(leaves_beside(n, exponent) for n in poly.terms if n is not m))
            if not m.factors.keys() <= elsewhere:
                return True
    return False


def _small(poly: Poly) -> Small | None:
    forms = poly.forms
    if not 2 <= len(poly.terms) <= SUMMANDS or (len(poly.terms) == 2 and all(not m.factors for m in poly.terms)):
        return None  # exp(E) - 1 is a function of its own, exp(E) - exp(F) a multiple of one
    steps = _steps(poly)
    if _common(steps) is None:
        return next(
            (found for step in sorted(steps, key=lambda t: t.order) if (found := _in_one(poly, step)) is not None), None
        )
    flat = _multiplied_out(poly, forms.unit)  # sums may hold quotients of their own
    if flat is None or (len(flat.terms) == 2 and all(map(_of_roots, flat.terms))):
        return None  # a root beside a number or a root is known by the other root, or by its logarithm
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


def _of_roots(m: Mono) -> bool:
    """Whether a term holds no function but roots."""
    return not m.special and all(a.op in ("leaf", "sum_of") for a in m.factors)


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
        if found is None or found.positive is not None or size not in (None, found.size):
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
        for a, p in m.factors.items():
            if (known := function_of(a, p)) is not None:
                found.update(known.argument.terms)
            elif a.op == "sum_of":
                found |= _steps(a.args[0])
    return found


def _common(steps: set[Mono]) -> Mono | None:
    """Of which all of these are whole powers."""
    least = min(steps, key=lambda t: sum(t.factors.values()), default=None)
    return least if least is not None and all(_exponent(t, least) for t in steps) else None


def _exponent(mono: Mono, step: Mono) -> int:
    """k where mono is step^k; 0 where that is none."""
    if mono is step:
        return 1
    if not step.factors or step.expo.terms:
        return 0
    mark, weight = next(iter(step.factors.items()))
    k = quotient(mono.factors.get(mark, 0), weight)
    return int(k) if k > 0 and k.denominator == 1 and step**k is mono else 0


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
    plain, found = False, set()
    for m in poly.terms:
        arguments = [m.expo] if m.expo.terms else []
        for a, p in m.factors.items():
            known = function_of(a, p)
            if known is not None and known.count > 0:
                arguments.append(known.argument)
            elif a.op not in LETTERS:
                return None
        plain = plain or not arguments
        for u in arguments:
            if u.single is None:
                return None
            found.add(u.single[0])
    step = _common(found)
    if step is None or not step.factors or step.expo.terms or any(a.op not in LETTERS for a in step.factors):
        return None
    return step if plain or len(poly.terms) > 1 else None


def _expanded(m: Mono, step: Mono, degree: int) -> tuple[Poly, Rational]:
    """(m with polynomials and remainders for its functions, the largest multiple of t in them)."""
    forms = m.forms
    out = forms.one
    largest: Rational = 0
    rest: dict[Atom, Rational] = {}
    parts = [Function("exp", m.expo)] if m.expo.terms else []
    for a, p in m.factors.items():
        if (known := function_of(a, p)) is not None:
            parts += [known] * known.count
        else:
            rest[a] = p
    for part in parts:
        kind, u = part.kind, part.argument
        assert u.single is not None
        mono, q = u.single
        k = _exponent(mono, step)
        far = quotient(magnitude(q), reach(kind))
        largest = max(largest, far if k == 1 else max(far, 1))
        terms = range(degree // k + 1)
        series = {step_power(step, j * k): c * q**j for j in terms if (c := coefficient(kind, j))}
        remainder = forms.function("rem", u, param=(kind, degree // k))
        out = out.multiplied_out(forms.poly(series) + remainder)
    return out.times(forms.mono(forms.zero, rest)), largest


def step_power(step: Mono, j: int) -> Mono:
    """step**j, for j = 0 too."""
    return step**j if j else step.forms.unit


def _level(m: Mono, step: Mono) -> tuple[Rational, Rational, Mono] | None:
    """(degree in t, coefficient, what is beside t) of what a term with functions or remainders begins with near 0."""
    mark, weight = next(iter(step.factors.items()))
    level: Rational = 0
    lead: Rational = 1
    rest = m.forms.mono(m.forms.zero, m.factors)  # an exponential begins with 1
    for a, p in m.factors.items():
        known = Function(a.param[0], a.args[0], int(p)) if a.op == "rem" else function_of(a, p)
        if known is not None:
            first = first_left(known.kind, a.param[1] if a.op == "rem" else -1)
            assert known.argument.single is not None
            mono, q = known.argument.single
            lead = lead * (coefficient(known.kind, first) * q**first) ** known.count
            level = level + first * _exponent(mono, step) * known.count
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
