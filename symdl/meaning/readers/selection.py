"""Readers of choices: where, absolute values, clips, casts."""

from __future__ import annotations

from collections.abc import Sequence

from symdl.graph.expr import Expr, number_of
from symdl.meaning.index_maps import settled
from symdl.meaning.masks import chosen, is_no_choice
from symdl.meaning.normal_form import Poly, base_of
from symdl.meaning.reading import Reading, is_float_node, reads
from symdl.meaning.terms import magnitude_of
from symdl.ops.elementwise import gt, lt

BESIDE_ZERO = {"eq": False, "ne": True, "lt": True, "gt": True, "le": False, "ge": False}  # what it is where x is not 0


@reads("where")
def _where(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    if is_no_choice(node):
        return args[1]
    if args[1] is args[2]:
        return reading.as_leaf(node)
    _note_nonzero(reading, node.inputs[0])
    return chosen(node.inputs[0], args[1], args[2])


def _note_nonzero(reading: Reading, condition: Expr) -> None:
    """What a comparison with 0 says about the factors of what is compared."""
    if condition.op.name not in BESIDE_ZERO:
        return
    for x, zero in (condition.inputs, condition.inputs[::-1]):
        if number_of(base_of(zero)) == 0 and x in reading.polys and (single := reading.polys[x].single):
            factors = frozenset(a for a, p in single[0].factors.items() if p > 0)
            reading.forms.nonzero[settled(condition), BESIDE_ZERO[condition.op.name]] = factors


@reads("abs")
def _abs(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return magnitude_of(args[0])


@reads("sign")
def _sign(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    return reading.forms.function("sign", args[0]) if args[0].terms else reading.as_leaf(node)


@reads("maximum")
def _maximum(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    a, b = node.inputs
    if is_no_choice(node):
        return args[0]
    return (
        _bounded(reading, args[0], args[1], None)
        or _bounded(reading, args[1], args[0], None)
        or _branches(args[0], a, args[1], b, None, None)
        or _branches(args[1], b, args[0], a, None, None)
        or reading.as_leaf(node)
    )


@reads("minimum")
def _minimum(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    a, b = node.inputs
    if is_no_choice(node):
        return args[0]
    return (
        _bounded(reading, args[0], None, args[1])
        or _bounded(reading, args[1], None, args[0])
        or _branches(args[0], a, None, None, args[1], b)
        or _branches(args[1], b, None, None, args[0], a)
        or reading.as_leaf(node)
    )


@reads("clip_between")
def _clip(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    x, low, high = node.inputs
    return (
        _bounded(reading, args[0], args[1], args[2])
        or _branches(args[0], x, args[1], low, args[2], high)
        or reading.as_leaf(node)
    )


def _branches(
    form: Poly, x: Expr, low: Poly | None, low_node: Expr | None, high: Poly | None, high_node: Expr | None
) -> Poly | None:
    """x between two numbers as a choice: inside them it is x itself, of which the algebra knows the logarithm."""
    if not form.special or any(p is not None and p.number is None for p in (low, high)):
        return None
    out = form
    if high is not None and high_node is not None:
        out = chosen(gt(x, high_node), high, out)
    if low is not None and low_node is not None:
        out = chosen(lt(x, low_node), low, out)
    return out


def _bounded(reading: Reading, x: Poly, low: Poly | None, high: Poly | None) -> Poly | None:
    """x where clipping it to these numbers changes nothing: a product of sigmoids, tanhs or softmaxes lies within 0 and 1."""
    a, b = (low.number if low is not None else -1), (high.number if high is not None else 2)
    if a is None or b is None or not x.special or not within_unit(x):
        return None
    if a <= 0 and b >= 1:
        reading.forms.found += 1
        return x
    return None


def within_unit(poly: Poly) -> bool:
    """Whether 0 <= poly <= 1 is plain: softmax, or powers of exp(E) / (1 + exp(E)) alone."""
    found = poly.single
    if not found or not 0 <= found[1] <= 1 or not found[0].nonneg:
        return False
    m = found[0]
    if any(p > 0 for p in m.factors.values()):
        return False
    tops = {m.expo}
    for a, p in m.factors.items():
        terms = a.args[0].terms if a.op in ("sum_of", "sum") and a.nonneg else {}
        tops = {e + n.expo.scale(p) for e in tops for n, c in terms.items() if c >= 1 and not n.factors}
    return any(not e.terms for e in tops)


@reads("assumed")
def _assumed(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    """What the user knows stays with a leaf; of what the algebra sees through it knows more itself."""
    return args[0] if is_float_node(node) and args[0].special else reading.as_leaf(node)


@reads("cast")
def _cast(reading: Reading, node: Expr, args: Sequence[Poly]) -> Poly:
    x = node.inputs[0]
    if not node.type.shape and node.type.dtype < x.type.dtype:
        return reading.as_leaf(node)  # a number rounded by the user: arrays that use it stay of their own dtype
    if is_float_node(x) and args[0].special:
        return args[0]
    return reading.as_leaf(node)
