"""Rules about views, and about what is computed on them: views of views become one, stretched values are computed
once, reductions skip what only repeats."""

from __future__ import annotations

from collections.abc import Sequence

from symdl.graph.expr import CONSTANT, Expr, make
from symdl.number_forms import WIDE
from symdl.ops.declare import is_float, spread
from symdl.ops.elementwise import cast, eq, where
from symdl.ops.extents import expr_of
from symdl.ops.reductions import SUM
from symdl.ops.shaping import JOIN
from symdl.ops.views import DROP, PAD, RESHAPE, SLICE, SPREAD, dropped, reshape_to
from symdl.passes.rewrite import Change
from symdl.types import Extent, Shape

# ---- elementwise ops on stretched values ----


def _aligned(axes: tuple[int, ...], rank: int) -> bool:
    """Whether broadcasting by itself, aligned at the right, puts axis k at axes[k]."""
    return axes == tuple(range(rank - len(axes), rank))


def unstretched(node: Expr) -> Expr | None:
    """x + spread(b) as x + b, where broadcasting stretches b just so."""
    if node.op.kind != "elementwise" or len(node.inputs) < 2:
        return None
    inputs = list(node.inputs)
    rank = len(node.type.shape)
    for k, i in enumerate(inputs):
        if i.op is SPREAD and len(i.type.shape) == rank and _aligned(i.params["axes"], rank):
            shorter = [*inputs[:k], i.inputs[0], *inputs[k + 1 :]]
            if _broadcasts(shorter, node.type.shape):
                inputs = shorter
    return make(node.op, tuple(inputs), **node.params) if tuple(inputs) != node.inputs else None


def _broadcasts(inputs: Sequence[Expr], shape: Shape) -> bool:
    """Whether operands broadcast to a shape, every axis of which one of them has."""
    for back in range(1, len(shape) + 1):
        found = {i.type.shape[-back] for i in inputs if len(i.type.shape) >= back} - {1}
        if found != {shape[-back]} - {1}:
            return False
    return max((len(i.type.shape) for i in inputs), default=0) == len(shape)


def stretched_after(node: Expr) -> Expr | None:
    """f(spread(x)) as spread(f(x)): computed once for all copies."""
    if node.op.kind != "elementwise":
        return None
    spreads = [i for i in node.inputs if i.op is SPREAD]
    if not spreads:
        return None
    axes, shape, narrow = spreads[0].params["axes"], spreads[0].type.shape, spreads[0].inputs[0].type.shape
    if shape != node.type.shape or narrow == shape:
        return None
    operands = []
    for i in node.inputs:
        if i.op is SPREAD and i.params["axes"] == axes and i.type.shape == shape and i.inputs[0].type.shape == narrow:
            operands.append(i.inputs[0])
        elif i.op is CONSTANT and not i.type.shape:
            operands.append(i)
        else:
            return None
    return spread(make(node.op, tuple(operands), **node.params), shape, axes)


# ---- views of views ----


def spread_of_spread(node: Expr) -> Expr | None:
    """One view for two."""
    (inner,) = node.inputs
    if inner.op is not SPREAD:
        return None
    outer = node.params["axes"]
    return spread(inner.inputs[0], node.type.shape, tuple(outer[k] for k in inner.params["axes"]))


def whole_spread(node: Expr) -> Expr | None:
    """All axes in place, none stretched."""
    (x,) = node.inputs
    return x if node.type.shape == x.type.shape and node.params["axes"] == tuple(range(len(x.type.shape))) else None


def restored(node: Expr) -> Expr | None:
    """Axes of 1 dropped and put back at their places."""
    (inner,) = node.inputs
    if inner.op is not DROP:
        return None
    (x,) = inner.inputs
    left = tuple(k for k in range(len(x.type.shape)) if k not in inner.params["axes"])
    return x if node.params["axes"] == left and node.type.shape == x.type.shape else None


def drop_of_spread(node: Expr) -> Expr | None:
    """Axes that spread put in, or that x has as 1, are not made at all."""
    (inner,) = node.inputs
    if inner.op is not SPREAD:
        return None
    gone, axes, x = node.params["axes"], inner.params["axes"], inner.inputs[0]
    left = [k for k in range(len(inner.type.shape)) if k not in gone]
    narrow = dropped(x, tuple(k for k, a in enumerate(axes) if a in gone))
    return spread(narrow, node.type.shape, tuple(left.index(a) for a in axes if a not in gone))


def drop_of_drop(node: Expr) -> Expr | None:
    """One view for two."""
    (inner,) = node.inputs
    if inner.op is not DROP:
        return None
    (x,) = inner.inputs
    left = [k for k in range(len(x.type.shape)) if k not in inner.params["axes"]]
    return dropped(x, tuple(sorted((*inner.params["axes"], *(left[k] for k in node.params["axes"])))))


def _window(x: Expr, starts: Shape, steps: Sequence[int], lengths: Shape) -> Expr:
    whole = lengths == x.type.shape and not any(starts) and all(d == 1 for d in steps)
    return x if whole else make(SLICE, (x,), starts=starts, steps=tuple(steps), lengths=lengths)


def whole_slice(node: Expr) -> Expr | None:
    """All of x, in order."""
    p = node.params
    return _window(node.inputs[0], p["starts"], p["steps"], p["lengths"])


def slice_of_slice(node: Expr) -> Expr | None:
    """One view for two; flip(flip(x)) is x."""
    (inner,) = node.inputs
    if inner.op is not SLICE:
        return None
    p, q = inner.params, node.params
    starts = tuple(s + d * t for s, d, t in zip(p["starts"], p["steps"], q["starts"], strict=True))
    steps = [d * e for d, e in zip(p["steps"], q["steps"], strict=True)]
    return _window(inner.inputs[0], starts, steps, q["lengths"])


def slice_of_spread(node: Expr) -> Expr | None:
    """What repeats is sliced once."""
    (inner,) = node.inputs
    if inner.op is not SPREAD:
        return None
    (x,) = inner.inputs
    axes, q = inner.params["axes"], node.params
    own = [
        (q["starts"][a], q["steps"][a], q["lengths"][a]) if n != 1 else (0, 1, 1)
        for a, n in zip(axes, x.type.shape, strict=True)
    ]
    starts, steps, lengths = ([t[j] for t in own] for j in range(3))
    return spread(_window(x, tuple(starts), steps, tuple(lengths)), node.type.shape, axes)


def slice_of_pad(node: Expr) -> Expr | None:
    """What pad wrote is read back."""
    (inner,) = node.inputs
    if inner.op is not PAD:
        return None
    p, q = inner.params, node.params
    same = (p["starts"], p["steps"]) == (q["starts"], q["steps"]) and q["lengths"] == inner.inputs[0].type.shape
    return inner.inputs[0] if same else None


def slice_of_join(node: Expr) -> Expr | None:
    """A window that lies in one of the pieces."""
    (inner,) = node.inputs
    if inner.op is not JOIN:
        return None
    axis, q = inner.params["axis"], node.params
    start, step, length = q["starts"][axis], q["steps"][axis], q["lengths"][axis]
    begin: Extent = 0
    for piece in inner.inputs:
        n = piece.type.shape[axis]
        at = start - begin
        inside = at == 0 and step == 1 and length == n
        if isinstance(at, int) and isinstance(n, int) and isinstance(length, int) and length > 0:
            inside = min(at, at + (length - 1) * step) >= 0 and max(at, at + (length - 1) * step) < n
        if inside:
            return _window(piece, (*q["starts"][:axis], at, *q["starts"][axis + 1 :]), q["steps"], q["lengths"])
        begin = begin + n
    return None


def whole_pad(node: Expr) -> Expr | None:
    """A border of nothing."""
    p, x = node.params, node.inputs[0]
    return x if p["shape"] == x.type.shape and not any(p["starts"]) and all(d == 1 for d in p["steps"]) else None


def single_copy(node: Expr) -> Expr | None:
    """x once."""
    return node.inputs[0] if node.params["count"] == 1 else None


def reshaped_once(node: Expr) -> Expr | None:
    """reshape of what keeps the elements in C order: another reshape, axes of 1 dropped or put in."""
    (inner,) = node.inputs
    if inner.op is SPREAD:
        axes, x = inner.params["axes"], inner.inputs[0]
        new = [n for k, n in enumerate(inner.type.shape) if k not in axes]
        keeps = list(axes) == sorted(axes) and all(n == 1 for n in new)
        if not x.type.shape:  # one number, repeated
            return spread(x, node.type.shape, ())
        if not keeps or any(inner.type.shape[a] != n for a, n in zip(axes, x.type.shape, strict=True)):
            return None
    elif inner.op not in (RESHAPE, DROP):
        return None
    return reshape_to(inner.inputs[0], node.type.shape)


def drop_of_reshape(node: Expr) -> Expr | None:
    """One view for two."""
    (inner,) = node.inputs
    return reshape_to(inner.inputs[0], node.type.shape) if inner.op is RESHAPE else None


# ---- reductions ----


def reduction_of_ones(node: Expr) -> Expr | None:
    """Axes of extent 1 are dropped, not reduced."""
    (x,) = node.inputs
    axes = node.params["axes"]
    ones = tuple(k for k in axes if x.type.shape[k] == 1)
    if not ones:
        return None
    left = [k for k in range(len(x.type.shape)) if k not in ones]
    rest = tuple(left.index(k) for k in axes if k not in ones)
    narrow = dropped(x, ones)
    return make(node.op, (narrow,), axes=rest) if rest else narrow


def reduction_of_reduction(node: Expr) -> Expr | None:
    """Both at once; a float32 sum is then rounded once instead of twice."""
    (inner,) = node.inputs
    if inner.op is not node.op:
        return None
    (x,) = inner.inputs
    left = [k for k in range(len(x.type.shape)) if k not in inner.params["axes"]]
    return make(node.op, (x,), axes=tuple(sorted((*inner.params["axes"], *(left[k] for k in node.params["axes"])))))


def reduction_of_copies(node: Expr) -> Expr | None:
    """Of n copies: their sum is n times one of them (rounded once, not n times); their extreme is any of them."""
    (inner,) = node.inputs
    if inner.op is not SPREAD:
        return None
    (x,) = inner.inputs
    axes, shape, reduced = inner.params["axes"], inner.type.shape, node.params["axes"]
    source = {a: k for k, a in enumerate(axes) if x.type.shape[k] != 1 or shape[a] == 1}
    copies = [a for a in reduced if a not in source and shape[a] != 1]
    if not copies:
        return None
    count: Extent = 1
    for a in copies:
        count = count * shape[a]
    if node.op is not SUM and not (isinstance(count, int) and count > 0):
        return None
    own = tuple(source[a] for a in reduced if a in source)
    narrow = make(node.op, (x,), axes=own) if own else x
    left = [k for k in range(len(x.type.shape)) if k not in own]
    gone = tuple(j for j, k in enumerate(left) if axes[k] in reduced)
    narrow = dropped(narrow, gone)
    kept = [a for a in range(len(shape)) if a not in reduced]
    if node.op is SUM:
        narrow = _times(narrow, count)
    places = tuple(kept.index(axes[k]) for j, k in enumerate(left) if j not in gone)
    return spread(narrow, node.type.shape, places)


def _times(x: Expr, count: Extent) -> Expr:
    dtype = x.type.dtype
    wide = "float64" if is_float(dtype) and dtype not in WIDE else dtype
    number = expr_of(count)
    times = cast(cast(number, "float64"), wide) if wide in WIDE else cast(number, wide)
    product = cast(cast(x, wide) * times, dtype)
    # 0 copies of an infinity add up to 0
    return product if isinstance(count, int) and count else where(eq(number, 0), cast(0, dtype), product)


def running_sum_of_one(node: Expr) -> Expr | None:
    """Along an axis of 1 it is x."""
    (x,) = node.inputs
    return x if x.type.shape[node.params["axis"]] == 1 else None


FOLDED = ("sum", "prod", "max", "min", "any", "all")
ELEMENTWISE = (
    "add sub mul true_div floor_div mod neg abs maximum minimum pow eq ne lt le gt ge isnan bitwise_and bitwise_or "
    "bitwise_xor invert left_shift right_shift where cast floor ceil trunc round_half_even exp expm1 exp2 log log1p log2 "
    "log10 sqrt sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh erf erfc erfcx erfinv "
    "gammaln digamma logistic_tail"
).split()
VIEW_RULES = [
    Change("stretched_after", tuple(ELEMENTWISE), stretched_after),
    Change("unstretched", tuple(ELEMENTWISE), unstretched),
    Change("whole_spread", ("spread",), whole_spread),
    Change("spread_of_spread", ("spread",), spread_of_spread),
    Change("restored", ("spread",), restored),
    Change("drop_of_spread", ("squeeze",), drop_of_spread),
    Change("drop_of_drop", ("squeeze",), drop_of_drop),
    Change("whole_slice", ("slice",), whole_slice),
    Change("slice_of_slice", ("slice",), slice_of_slice),
    Change("slice_of_spread", ("slice",), slice_of_spread),
    Change("slice_of_pad", ("slice",), slice_of_pad),
    Change("slice_of_join", ("slice",), slice_of_join),
    Change("whole_pad", ("pad",), whole_pad),
    Change("single_copy", ("tile_axis", "repeat_each"), single_copy),
    Change("reshaped_once", ("reshape",), reshaped_once),
    Change("drop_of_reshape", ("squeeze",), drop_of_reshape),
    Change("reduction_of_ones", FOLDED, reduction_of_ones),
    Change("reduction_of_reduction", FOLDED, reduction_of_reduction),
    Change("reduction_of_copies", ("sum", "max", "min", "any", "all"), reduction_of_copies),
    Change("running_sum_of_one", ("cumsum",), running_sum_of_one),
]
