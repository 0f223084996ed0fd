"""Widening: the graph with every node in the number form that it needs, casts between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from symdl.graph.expr import CONSTANT, OPS, Expr, constant, make, number_of, rebuilt
from symdl.graph.origins import building
from symdl.graph.walks import topological
from symdl.meaning.exactness import INDEX, Known
from symdl.meaning.normal_form import base_of
from symdl.meaning.precision import WIDENED, Analysis, form_of
from symdl.meaning.whole_numbers import below_step, beside_step, whole_exponent
from symdl.number_forms import WIDE
from symdl.ops.declare import is_float
from symdl.ops.elementwise import (
    abs,
    add,
    bitwise_and,
    bitwise_or,
    cast,
    eq,
    gt,
    invert,
    lt,
    maximum,
    mul,
    neg,
    sub,
    true_div,
    where,
)
from symdl.ops.functions import exp, log1p, logistic_tail
from symdl.passes.rewrite import Origins
from symdl.types import TensorType

NOISE = {  # form -> how small a sum of inexact numbers is noise beside them, and in what dtype that is looked at
    "float64": (2.0**-49, "float64"), "float64e": (2.0**-49, "float64e"),
    "float64x2": (2.0**-97, "float64"), "float64x2e": (2.0**-97, "float64e"),
}  # fmt: skip
TWO_LIMBS = 106  # binary digits that two limbs hold
DEVIATING = 32.0  # how many times the largest of a row's terms what they were the difference of may be
NEAREST_ZERO = -1000.0  # binary logarithm of the least magnitude of a number whose reciprocal is looked at
MOST = 80.0  # the exponential of this is a float32
ORDERS = frozenset(["lt", "le", "gt", "ge"])
COMPARISONS = ORDERS | {"eq", "ne"}


def widened(
    roots: Sequence[Expr],
    known: Known,
    origins: Origins,
    told: Callable[[Analysis, Mapping[Expr, str]], None] | None = None,
) -> list[Expr]:
    """The roots with every node in the number form that it needs, casts between them. told: is given the analysis and
    the forms that it chose."""
    analysis = Analysis(roots, known)
    forms = {n: form_of(n.type.dtype, analysis.need(n)) for n in analysis.order if is_float(n.type.dtype)}
    if told is not None:
        told(analysis, forms)
    if all(forms[n] == n.type.dtype for n in forms):
        return list(roots)
    done: dict[Expr, Expr] = {}
    numbers: dict[tuple[Expr, str], Expr] = {}
    sizes: dict[Expr, Expr] = {}
    for n in topological(*roots):
        form, inputs = forms.get(n, ""), tuple(map(done.__getitem__, n.inputs))
        ordinary = not form or form == n.type.dtype
        if ordinary and inputs == n.inputs:
            done[n] = n
            continue
        with building(origins.get(n, frozenset()), origins):
            if ordinary and all(d is i or d.type == i.type for d, i in zip(inputs, n.inputs, strict=True)):
                done[n] = rebuilt(n, inputs)
            else:
                done[n] = _in_form(n, form, done, analysis, numbers, sizes)
    out = []
    for r in roots:
        with building(origins.get(r, frozenset()), origins):
            out.append(plain(done[r], r))
    return out


def plain(node: Expr, like: Expr) -> Expr:
    """A node in the dtype that it has for the user."""
    return node if node.type.dtype == like.type.dtype else cast(node, like.type.dtype)


def _in_form(
    n: Expr,
    form: str,
    done: Mapping[Expr, Expr],
    analysis: Analysis,
    numbers: dict[tuple[Expr, str], Expr],
    sizes: dict[Expr, Expr],
) -> Expr:
    """n in its form, computed in the widest of its own and those of the inputs of which it asks more than their dtype.
    numbers: constants in the forms that they were wanted in. sizes: of sums of two, how large their terms are where no more than errors is left."""
    if not n.inputs:
        return n
    asked = analysis.asking.get(n, ())
    inputs = tuple(
        done[i] if i in asked or n.op.name in COMPARISONS or not isinstance(i.type, TensorType) else plain(done[i], i)
        for i in n.inputs
    )
    extreme = n.op.name in ("eq", "ne") and any(base_of(i).op.name in ("max", "min") for i in n.inputs)
    if extreme and not _ordered_too(n, analysis):
        if all(has_more_digits(i.type.dtype, n.inputs[0].type.dtype) for i in inputs):
            return compared(n, *inputs)
        # One is among the other's, as rounded.
        inputs = tuple(plain(d, i) for d, i in zip(inputs, n.inputs, strict=True))
    if n.op.name in COMPARISONS and any(
        _is_rounded(i, d.type.dtype, analysis) and "x2" in d.type.dtype for i, d in zip(n.inputs, inputs, strict=True)
    ):
        return compared(n, *inputs)
    if n.op.name in COMPARISONS and _differently_rounded(n, inputs, analysis):
        inputs = tuple(plain(d, i) for d, i in zip(inputs, n.inputs, strict=True))
    floating = [i for i in inputs if isinstance(i.type, TensorType) and is_float(i.type.dtype)]
    floats = [i.type.dtype for i in floating]
    wide = widest([form, *floats] if form else floats) if floats else ""
    own_dtype = n.type.dtype if isinstance(n.type, TensorType) else ""
    same = wide not in WIDE and (wide == own_dtype or (n.op.name in COMPARISONS and len(set(floats)) == 1))
    elsewhere = n.op.name not in WIDENED | COMPARISONS or (n.op.name == "cast" and not form)
    if same or not wide or elsewhere:
        plain_inputs = (
            plain(d, i) if isinstance(i.type, TensorType) else d for d, i in zip(inputs, n.inputs, strict=True)
        )
        out = rebuilt(n, tuple(plain_inputs))
        return cast(out, form) if form in WIDE else out
    if n.op.name == "cast":
        return cast(inputs[0], form)
    if form == own_dtype and n.op.name in COMPENSATED and wide in ("float64", "float64x2"):
        return COMPENSATED[n.op.name](inputs[0], form, analysis.bounds[n.inputs[0]].high)
    if n.op.name in INDEX:
        wide = inputs[0].type.dtype if n.op.name != "join" else wide
    operands = tuple([_as(i, wide, numbers) if i in floating else i for i in inputs])
    if n.op.name == "pow" and analysis.bounds[n.inputs[0]].low < 0 and not analysis.exact[n.inputs[1]]:
        operands = (operands[0], whole_exponent(operands[1], operands[0]))
    if n.op.name in ("floor", "ceil", "trunc") and _is_rounded(n.inputs[0], wide, analysis):
        operands = (below_step(operands[0]),)
    if n.op.name == "true_div" and wide == "float64" and form == "float32" and _shares_divisor(n, analysis):
        return cast(mul(operands[0], true_div(_number(1, wide), operands[1])), form)
    if n.op.name == "true_div" and (inverse := _inverse_exponential(n.inputs[1], inputs[1], analysis)) is not None:
        out = mul(operands[0], cast(inverse, wide))
    else:
        out = make(n.op, operands, **n.params) if n.op.name != "mul" else product(n, operands, wide, analysis)
    if n.op.name in ("floor_div", "mod") and any(_is_rounded(i, wide, analysis) for i in n.inputs):
        out = beside_step(n.op.name, out, *operands)
    if n in analysis.noise and form:
        if n.op.name == "sum":  # of terms that have cancelled themselves
            dtype = NOISE.get(form, (0.0, form))[1]
            size = abs(cast(operands[0], dtype))
            if n.inputs[0] in sizes:
                size = maximum(size, cast(sizes[n.inputs[0]], dtype))
            largest = make(OPS["max"], (size,), **n.params)
            return without_noise(cast(out, form), mul(largest, _number(DEVIATING, dtype)), form)[0]
        out, sizes[n] = without_noise(cast(out, form), operands[0], wide)
        return out
    return cast(out, form) if form else out


def _is_rounded(x: Expr, form: str, analysis: Analysis) -> bool:
    """Whether the errors of a form decide where a number lies that would be whole without them."""
    if analysis.rounded[x]:
        return True
    return "x2" in form and analysis.coarse[x] and not analysis.exact[x] and analysis.digits[x] > TWO_LIMBS


def _as(x: Expr, form: str, numbers: dict[tuple[Expr, str], Expr]) -> Expr:
    """x in a form; a constant once, for it takes long to round it into limbs, and chains name it often."""
    if x.op is not CONSTANT:
        return cast(x, form)
    found = numbers.get((x, form))
    if found is None:
        found = numbers[x, form] = cast(x, form)
    return found


def product(n: Expr, operands: tuple[Expr, ...], wide: str, analysis: Analysis) -> Expr:
    """A product in the form wide; of a quotient of numbers, which no two limbs hold, the multiple divided: 3 (1/3) is 1. So is x (1/y)
    the quotient x / y, where nothing else takes 1/y."""
    for of, by in ((0, 1), (1, 0)) if "x2" in wide else ():
        fraction = n.inputs[by]
        if fraction.op.name == "true_div" and all(i.op is CONSTANT for i in fraction.inputs):
            above, below = (cast(i, wide) for i in fraction.inputs)
            multiple = operands[of] if number_of(fraction.inputs[0]) == 1 else mul(operands[of], above)
            return true_div(multiple, below)
        inverse = uncast(operands[by])
        if inverse.op.name == "reciprocal" and fraction not in analysis.stored and len(analysis.users[fraction]) == 1:
            return true_div(operands[of], cast(uncast(inverse.inputs[0]), wide))
    return make(n.op, operands)


def uncast(x: Expr) -> Expr:
    """x before it was brought into a form that holds it."""
    while x.op.name == "cast" and x.type.dtype in WIDE:
        x = x.inputs[0]
    return x


def _inverse_exponential(n: Expr, divisor: Expr, analysis: Analysis) -> Expr | None:
    """e^-x, of a divisor e^x that is nothing else: with an exponent beside the number neither leaves the range."""
    if n.op.name != "exp" or divisor.op is not n.op or n in analysis.stored:
        return None
    if not divisor.type.dtype.endswith("e"):
        return None
    if any(u.op.name != "true_div" or u.inputs[1] is not n or u.inputs[0] is n for u in analysis.users.get(n, ())):
        return None
    return exp(_negative(divisor.inputs[0]))


def _negative(x: Expr) -> Expr:
    """-x, in the least form that holds it."""
    if x.op.name == "cast" and is_float(x.inputs[0].type.dtype):
        return cast(_negative(x.inputs[0]), x.type.dtype)
    return neg(x)


def _shares_divisor(n: Expr, analysis: Analysis) -> bool:
    """Whether elements of a quotient have a divisor in common whose reciprocal is a float64: one ulp of that more is nothing
    beside a float32, and a division costs four to eight products."""
    divisor = n.inputs[1]
    if divisor.op is CONSTANT or analysis.bounds[divisor].least < NEAREST_ZERO:
        return False
    own, shape = n.type, divisor.type
    assert isinstance(own, TensorType)
    assert isinstance(shape, TensorType)
    whole = (1,) * (len(own.shape) - len(shape.shape)) + shape.shape
    return any(d == 1 != e for d, e in zip(whole, own.shape, strict=True))


def _differently_rounded(n: Expr, inputs: Sequence[Expr], analysis: Analysis) -> bool:
    """Whether one of two numbers that are compared is rounded to its dtype and the other has more digits: equal ones would not
    be. Range alone is kept."""
    rounded = [
        d.type.dtype == i.type.dtype and not analysis.exact.get(i, True) for i, d in zip(n.inputs, inputs, strict=True)
    ]
    return any(rounded) and any(
        has_more_digits(d.type.dtype, i.type.dtype) and not d.type.dtype.endswith("e")
        for i, d in zip(n.inputs, inputs, strict=True)
    )


def _ordered_too(n: Expr, analysis: Analysis) -> bool:
    """Whether what is compared for equality is also asked which is larger, as for slopes of a maximum: the answers must agree."""
    operands = set(n.inputs)
    return any(u.op.name in ORDERS and set(u.inputs) == operands for u in analysis.users.get(n.inputs[0], ()))


def without_noise(s: Expr, term: Expr, wide: str) -> tuple[Expr, Expr]:
    """(a sum s, computed in the form wide; 0 where it is so small beside a term that only its errors are left, how large
    the term is where they are not)."""
    if wide not in NOISE:
        return s, abs(term)
    least, dtype = NOISE[wide]
    size, zero = abs(cast(term, dtype)), _number(0, dtype)
    lost = lt(abs(cast(s, dtype)), mul(size, _number(least, dtype)))
    return where(lost, _number(0, s.type.dtype), s), where(lost, zero, size)


def has_more_digits(form: str, dtype: str) -> bool:
    """Whether a form holds more digits than a dtype, not range alone."""
    return form.startswith("float64x2") or (form.startswith("float64") and dtype == "float32")


def compared(n: Expr, x: Expr, y: Expr) -> Expr:
    """A comparison of numbers with more digits, which are equal where they are but for their errors."""
    form = widest([x.type.dtype, y.type.dtype])
    least, dtype = NOISE.get(form, (NOISE["float64"][0], form))
    a, b = cast(x, form), cast(y, form)
    off, size = (abs(cast(v, dtype)) for v in (sub(a, b), x))
    near = lt(off, mul(size, _number(least, dtype)))
    if n.op.name in ("eq", "ne"):
        same = bitwise_or(near, eq(a, b))  # of infinities, and of 0
        return invert(same) if n.op.name == "ne" else same
    told = make(n.op, (a, b))
    return bitwise_or(told, near) if n.op.name in ("le", "ge") else bitwise_and(told, invert(near))


@cache
def _number(number: float, dtype: str) -> Expr:
    """A number in a form: there are few, and sums that may cancel are many."""
    return cast(constant(number, "float64"), dtype)


def parts(x: Expr, dtype: str) -> tuple[Expr, Expr]:
    """(high, low) with x = high + low: x as the dtype holds it, and what that leaves; NaN beside infinities."""
    high = cast(x, dtype)
    return high, cast(sub(x, cast(high, x.type.dtype)), dtype)


def exp_of(x: Expr, dtype: str, most: float) -> Expr:
    """exp(x) of an x with more digits than the result, by one exponential in the result's dtype: e^h + l e^h. most: what x
    is at most."""
    high, low = parts(x, dtype)
    e = exp(high)
    inside = gt(e, constant(0, dtype))
    if most > MOST:
        inside = bitwise_and(inside, lt(e, constant(math.inf, dtype)))
    return where(inside, add(e, mul(e, low)), e)


def tail_of(x: Expr, dtype: str, most: float) -> Expr:
    """logistic_tail(x) likewise: its derivative is t (t - 1), away from 0."""
    high, low = parts(abs(x), dtype)
    t = logistic_tail(high)
    return where(gt(t, constant(0, dtype)), sub(t, mul(mul(t, sub(constant(1, dtype), t)), low)), t)


def sigmoid_of(x: Expr, dtype: str, most: float) -> Expr:
    """sigmoid(x) likewise."""
    t = tail_of(x, dtype, most)
    return where(lt(cast(x, dtype), constant(0, dtype)), t, sub(constant(1, dtype), t))


def softplus_of(x: Expr, dtype: str, most: float) -> Expr:
    """softplus(x) likewise."""
    return add(maximum(cast(x, dtype), constant(0, dtype)), log1p(exp_of(neg(abs(x)), dtype, 0.0)))


COMPENSATED = {"exp": exp_of, "logistic_tail": tail_of, "sigmoid": sigmoid_of, "softplus": softplus_of}


def widest(dtypes: Sequence[str]) -> str:
    """The form that holds all values of these."""
    bits, exponent = any("x2" in d for d in dtypes), any(d.endswith("e") for d in dtypes)
    if bits or exponent:
        return "float64" + ("x2" if bits else "") + ("e" if exponent else "")
    return "float64" if "float64" in dtypes else dtypes[0]
