"""Sums of products over indices. The notation alone gives shapes, loops and gradients.

"i k, k j -> i j": each letter is an index; those that the result lacks are summed over. The gradient of an operand
swaps its indices with the result's. One op, contract, holds the notation as its parameter.
"""

from __future__ import annotations

import string
from functools import cache
from typing import Any

import numpy as np

from symdl.errors import ShapeError
from symdl.graph.expr import Expr, Inferred, Op, as_expr, described, make, register
from symdl.graph.methods import declared
from symdl.ops.declare import cast_to, common_dtype, differentiable, spread, stacked
from symdl.ops.elementwise import mul
from symdl.ops.shaping import flatten, transpose
from symdl.ops.views import reshape_to
from symdl.types import Extent, Fact, TensorType, equal

Letters = tuple[str, ...]


@cache
def parse(notation: str) -> tuple[tuple[Letters, ...], Letters]:
    """("i k, k j -> i j") as ((("i", "k"), ("k", "j")), ("i", "j"))."""
    left, right = notation.split("->")
    return tuple(tuple(part.split()) for part in left.split(",")), tuple(right.split())


def written(operands: tuple[Letters, ...], result: Letters) -> str:
    """The notation of parsed indices."""
    return f"{', '.join(' '.join(o) for o in operands)} -> {' '.join(result)}"


def _infer(*types: TensorType, notation: str) -> Inferred:
    operands, result = parse(notation)
    facts: list[Fact] = []
    sizes: dict[str, Extent] = {}
    owner: dict[str, int] = {}
    for j, (letters, t) in enumerate(zip(operands, types, strict=True)):
        if len(letters) != len(t.shape):
            raise ShapeError(f"dot: {{{j}}} has {len(t.shape)} axes where {len(letters)} are needed")
        for letter, n in zip(letters, t.shape, strict=True):
            if letter in sizes:
                what = _mismatch(notation, letter, owner[letter], j)
                sizes[letter] = _agree(sizes[letter], n, what, facts, types, notation)
            else:
                sizes[letter], owner[letter] = n, j
    return TensorType(types[0].dtype, tuple(sizes[letter] for letter in result)), tuple(facts)


def _mismatch(notation: str, letter: str, first: int, second: int) -> str:
    if notation == "i k, k j -> i j" and letter == "k":
        return "dot: {left} columns of {0} meet {right} rows of {1}"
    return f"dot: an axis of {{{first}}} has {{left}} entries, the one of {{{second}}} that it meets {{right}}"


def _agree(a: Extent, b: Extent, what: str, facts: list[Fact], types: tuple[TensorType, ...], notation: str) -> Extent:
    try:
        return equal(a, b, what, facts)
    except ShapeError as error:
        raise ShapeError(error.head, (), _transposed(types) if notation == "i k, k j -> i j" else "") from None


def _transposed(types: tuple[TensorType, ...]) -> str:
    """The remedy of a matrix product that fits once an operand is transposed, if just one does."""
    a, b = types[0].shape, types[1].shape
    fits = [k for k, good in enumerate((a[0] == b[0], a[1] == b[1])) if good]
    if len(fits) != 1 or not all(isinstance(n, int) for n in (types[fits[0]].shape)):
        return ""
    rows, columns = types[fits[0]].shape
    return f"{{{fits[0]}}}.T has shape ({columns}, {rows}) and would fit."


def _reference(*arrays: Any, notation: str) -> Any:
    operands, result = parse(notation)
    names = {letter: string.ascii_letters[k] for k, letter in enumerate(dict.fromkeys(x for o in operands for x in o))}
    text = ",".join("".join(names[x] for x in o) for o in operands) + "->" + "".join(names[x] for x in result)
    if arrays[0].dtype == bool:  # a product of bools says whether any pair holds
        return np.einsum(text, *(a.astype(np.int64) for a in arrays)) != 0
    return np.asarray(np.einsum(text, *arrays), arrays[0].dtype)


def _pullback(g: Expr, y: Expr, *inputs: Expr, notation: str) -> tuple[Expr | None, ...]:
    operands, result = parse(notation)
    out: list[Expr | None] = []
    for k, x in enumerate(inputs):
        if not differentiable(x):
            out.append(None)
            continue
        # The gradient keeps its place among the operands, so that d(a @ b) is g @ b.T and a.T @ g.
        others = [(g, result) if j == k else (inputs[j], operands[j]) for j in range(len(inputs))]
        met = tuple(v for v in operands[k] if any(v in o for _, o in others))
        h = contract(*(e for e, _ in others), notation=written(tuple(o for _, o in others), met))
        # an index that stands nowhere else was summed over x alone
        out.append(spread(h, x.type.shape, tuple(operands[k].index(v) for v in met)))
    return tuple(out)


CONTRACT = register(
    Op(
        "contract", "contraction", ("*xs",), _infer, "Sum of products over the indices that the result lacks.",
        reference=_reference, pullback=_pullback, meaning="Sum(Product(x))",
    )
)  # fmt: skip


def contract(*operands: Expr, notation: str) -> Expr:
    """A contraction by its notation. An index that one operand alone has, and not the result, is summed over."""
    return make(CONTRACT, operands, notation=notation)


def _pair(a: Any, b: Any) -> tuple[Expr, Expr]:
    a, b = (v if isinstance(v, Expr) else stacked(v) for v in (a, b))
    dtype = common_dtype([a, b])
    return cast_to(a, dtype), cast_to(b, dtype)


@declared("dot")
def dot(a: Any, b: Any) -> Expr:
    """NumPy's dot: the last axis of a against the last but one of b (its only one if b is a vector).

    out[i, j] = sum over k of a[i, k] * b[k, j]. A scalar multiplies. Raises ShapeError where the axes differ.
    """
    a, b = _pair(a, b)
    n, m = a.type.ndim, b.type.ndim
    if n == 0 or m == 0:
        return mul(a, b)
    if n <= 2 and m <= 2:
        left, right = ("k", "i k")[n - 1], ("k", "k j")[m - 1]
        return contract(
            a, b, notation=f"{left}, {right} -> {' '.join(x for x in (left + ' ' + right).split() if x != 'k')}"
        )
    return tensordot(a, b, [[n - 1], [max(m - 2, 0)]])


@declared("matmul")
def matmul(a: Any, b: Any) -> Expr:
    """a @ b: matrix products over the last two axes; leading axes broadcast."""
    a, b = _pair(a, b)
    n, m = a.type.ndim, b.type.ndim
    if n == 0 or m == 0:
        raise ShapeError("matmul: a scalar has no matrix product", [described(a), described(b)], "Multiply with *.")
    if n <= 2 and m <= 2:
        return dot(a, b)
    lead_a, lead_b = a.type.shape[:-2], b.type.shape[:-2]
    wide = max(len(lead_a), len(lead_b))
    names = [f"n{k}" for k in range(wide)]
    own_a = [x for x, s in zip(names[wide - len(lead_a) :], lead_a, strict=True) if s != 1]
    own_b = [x for x, s in zip(names[wide - len(lead_b) :], lead_b, strict=True) if s != 1]
    a, b = _without_ones(a, len(lead_a)), _without_ones(b, len(lead_b))
    core_a, core_b = (["k"] if n == 1 else ["i", "k"]), (["k"] if m == 1 else ["k", "j"])
    kept = [x for x in names if x in own_a or x in own_b]
    tail = [x for x in (*core_a, *core_b) if x != "k"]
    out = contract(a, b, notation=written((tuple(own_a + core_a), tuple(own_b + core_b)), tuple(kept + tail)))
    shape = iter(out.type.shape)
    full = [next(shape) if x in kept else 1 for x in names] + [next(shape) for _ in tail]
    return reshape_to(out, tuple(full))


def _without_ones(x: Expr, lead: int) -> Expr:
    return reshape_to(x, (*(n for n in x.type.shape[:lead] if n != 1), *x.type.shape[lead:]))


@declared("tensordot")
def tensordot(a: Any, b: Any, axes: Any = 2) -> Expr:
    """Sum of products over pairs of axes: axes=2 means the last two of a with the first two of b, or two lists."""
    a, b = _pair(a, b)
    n, m = a.type.ndim, b.type.ndim
    if isinstance(axes, int | np.integer):
        left, right = list(range(n - int(axes), n)), list(range(int(axes)))
    else:
        left, right = ([int(v) for v in np.atleast_1d(x)] for x in axes)
    if len(left) != len(right) or any(not -n <= k < n for k in left) or any(not -m <= k < m for k in right):
        raise ShapeError(f"tensordot: axes {axes} do not pair axes of both operands", [described(a), described(b)])
    left, right = [k % n for k in left], [k % m for k in right]
    names_a, names_b = [f"i{k}" for k in range(n)], [f"j{k}" for k in range(m)]
    for s, (i, j) in enumerate(zip(left, right, strict=True)):
        names_a[i] = names_b[j] = f"k{s}"
    result = tuple(x for x in (*names_a, *names_b) if not x.startswith("k"))
    return contract(a, b, notation=written((tuple(names_a), tuple(names_b)), result))


def batched_dot(a: Any, b: Any) -> Expr:
    """out[n] = dot(a[n], b[n]) for each n of the first axes, which must agree."""
    a, b = _pair(a, b)
    if not 2 <= a.type.ndim <= 3 or not 2 <= b.type.ndim <= 3:
        raise ShapeError("batched_dot: takes stacks of vectors or matrices", [described(a), described(b)])
    left, right = ("n k", "n i k")[a.type.ndim - 2], ("n k", "n k j")[b.type.ndim - 2]
    rest = [x for x in (left + " " + right).split() if x not in ("n", "k")]
    return contract(a, b, notation=f"{left}, {right} -> {' '.join(['n', *rest])}")


@declared("outer")
def outer(a: Any, b: Any) -> Expr:
    """out[i, j] = a[i] * b[j], both flattened first."""
    a, b = _pair(a, b)
    a, b = (x if x.type.ndim == 1 else flatten(x) for x in (a, b))
    shape = (*a.type.shape, *b.type.shape)
    return spread(a, shape, (0,)) * spread(b, shape, (1,))


@declared("inner")
def inner(a: Any, b: Any) -> Expr:
    """Sum of products over the last axes of both."""
    a, b = _pair(a, b)
    return a * b if a.type.ndim == 0 or b.type.ndim == 0 else tensordot(a, b, [[-1], [-1]])


@declared("vdot")
def vdot(a: Any, b: Any) -> Expr:
    """Sum of products of all elements."""
    return dot(flatten(as_expr(a)), flatten(as_expr(b)))


@declared("einsum")
def einsum(subscripts: str, *operands: Any) -> Expr:
    """NumPy's einsum of one or two operands without repeated letters or ellipses: "ij,jk->ik"."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    parts = left.split(",")
    if any(len(set(p)) != len(p) or "." in p for p in parts) or len(parts) != len(operands) or len(operands) > 2:
        raise ShapeError(
            f"einsum: {subscripts!r} is not supported: one or two operands, no repeated letter, no ellipsis"
        )
    if not arrow:
        letters = sorted(x for x in set(left) - {","} if left.count(x) == 1)
        right = "".join(letters)
    if set(right) - set(left) or len(set(right)) != len(right):
        raise ShapeError(f"einsum: the result of {subscripts!r} has letters that no operand has, or one twice")
    if len(parts) == 1:
        x = as_expr(operands[0])
        gone = [k for k, letter in enumerate(parts[0]) if letter not in right]
        x = x.sum(axis=tuple(gone)) if gone else x
        kept = [letter for letter in parts[0] if letter in right]
        return transpose(x, [kept.index(letter) for letter in right])
    a, b = _pair(*operands)
    return contract(a, b, notation=written((tuple(parts[0]), tuple(parts[1])), tuple(right)))
