"""Contractions brought to the form that is run: matrix products of one row, column and summed index each, convolutions.

What has no row or no column index becomes a sum of elementwise products, which fuses; groups of indices are run
together by transposing and reshaping.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from symdl.graph.expr import OPS, Expr, make
from symdl.graph.walks import topological
from symdl.ops.contractions import CONTRACT, Letters, parse, written
from symdl.ops.convolutions import CONVOLVE, CONVOLVE_IMAGES, bordered
from symdl.ops.declare import spread
from symdl.ops.shaping import transpose
from symdl.ops.views import PAD, SLICE, SPREAD, reshape_to
from symdl.passes.rewrite import Origins, Pass
from symdl.types import at_most, floor_divide, product


def matrix_products(roots: Sequence[Expr], origins: Origins) -> list[Expr]:
    """The roots with every contraction in the form that is run, and as it is read: who reads a product across, as the
    update of weights that stand in two layers, the second time transposed, waits for memory."""
    readers = Counter(i for n in topological(*roots) for i in dict.fromkeys(n.inputs))
    readers.update(roots)

    def form(n: Expr) -> Expr:
        if n.op is SPREAD and n.inputs[0].op is CONTRACT and readers[n.inputs[0]] == 1:
            return turned(n)
        return run_form(n)

    return Pass(form, origins)(roots)


def turned(n: Expr) -> Expr:
    """A transposed product as the product that lies so; left as it is if anything is stretched, or a batch would be last."""
    (z,), axes = n.inputs, n.params["axes"]
    (a, b), out = parse(z.params["notation"])
    if sorted(axes) != list(range(len(n.type.shape))) or any(
        n.type.shape[k] != z.type.shape[j] for j, k in enumerate(axes)
    ):
        return n
    order = tuple(out[axes.index(k)] for k in range(len(out)))
    return n if order[-1] in a and order[-1] in b else make(CONTRACT, z.inputs, notation=written((a, b), order))


def run_form(n: Expr) -> Expr:
    """A contraction, or the images that filters of single channels make, in the form that is run; all else as it is."""
    if n.op is CONTRACT:
        return matrix_form(n)
    if n.op is SLICE and n.inputs[0].op in (CONVOLVE, CONVOLVE_IMAGES):
        return cropped(n)
    return gathered(n) if n.op is CONVOLVE_IMAGES else n


FEW_OUTPUTS = 16  # of a group, whose sums cost less than adding them to their places
MOST_TURNED = 1 << 17  # numbers of filters that are turned where this saves but little


def cropped(n: Expr) -> Expr:
    """A part of a convolution of bordered images, the gradient of images within their border among them, as the convolution of
    images with less border; of many outputs where there are as many results as places, which then cost the same."""
    (z,) = n.inputs
    lead, lengths, starts = n.type.shape[:2], n.type.shape[2:], n.params["starts"]
    if z.op is CONVOLVE_IMAGES:
        f, y = z.inputs
        turned = product(f.type.shape)
        if lengths != y.type.shape[2:] or not (isinstance(turned, int) and turned <= MOST_TURNED):
            return n
        z = gathered(z, True)
    wide, filters = z.inputs
    if (
        z.op is not CONVOLVE
        or wide.op is not PAD
        or {*n.params["steps"], *z.params["steps"], *wide.params["steps"]} != {1}
    ):
        return n
    before = wide.params["starts"]
    if (
        starts[:2] != (0, 0)
        or lead != z.type.shape[:2]
        or before[:2] != (0, 0)
        or wide.type.shape[:2] != wide.inputs[0].type.shape[:2]
    ):
        return n
    (y,) = wide.inputs
    reach = [(u - 1) * abs(d) for u, d in zip(filters.type.shape[2:], z.params["spacing"], strict=True)]
    own = [b - a for a, b in zip(starts[2:], before[2:], strict=True)]
    extents = [m + r for m, r in zip(lengths, reach, strict=True)]
    ends = [b + m for b, m in zip(own, y.type.shape[2:], strict=True)]
    if not all(at_most(0, b) for b in own) or not all(at_most(e, m) for e, m in zip(ends, extents, strict=True)):
        return n
    shape = (*wide.type.shape[:2], *extents)
    less = make(PAD, (y,), starts=(0, 0, *own), steps=(1,) * len(shape), shape=shape, fill=wide.params["fill"])
    return make(CONVOLVE, (less, filters), **z.params)


def gathered(n: Expr, many: bool = False) -> Expr:
    """Images of filters of one channel a group, or of few outputs, as the convolution of their results, bordered, with filters
    that lie the other way: few products a number, which would cost less than adding each to its place. many: of others, too."""
    f, y = n.inputs
    p = n.params
    outputs, groups, (channels, *sides) = f.type.shape[0], p["groups"], f.type.shape[1:]
    each = floor_divide(outputs, groups)
    few = channels == 1 or (isinstance(each, int) and each <= FEW_OUTPUTS)
    if not (few or many) or any(step != 1 for step in p["steps"]):
        return n
    reach = [(u - 1) * abs(d) for u, d in zip(sides, p["spacing"], strict=True)]
    wide = bordered(y, tuple((r, r) for r in reach))
    apart = reshape_to(f, (groups, each, channels, *sides))
    turned = transpose(apart, (0, 2, 1, *range(3, apart.type.ndim)))
    filters = reshape_to(turned, (product((groups, channels)), each, *sides))
    how = {"steps": p["steps"], "spacing": tuple(-d for d in p["spacing"]), "groups": groups}
    out = make(CONVOLVE, (wide, filters), **how)
    return out if out.type == n.type else n


def matrix_form(n: Expr) -> Expr:
    """A contraction of two operands as one matrix product, or as elementwise products and a sum."""
    (a, b), out = parse(n.params["notation"])
    x, y = n.inputs
    x, a = _summed(x, a, b, out)
    y, b = _summed(y, b, a, out)
    batch = tuple(v for v in out if v in a and v in b)
    rows = tuple(v for v in a if v in out and v not in b)
    columns = tuple(v for v in b if v in out and v not in a)
    shared = tuple(v for v in a if v in b and v not in out)
    if not rows or not columns or not shared:
        return _elementwise(x, a, y, b, out, shared)
    if len(rows) == len(columns) == len(shared) == 1:
        return make(CONTRACT, (x, y), notation=written((a, b), out))
    left, own_a = _grouped(x, a, batch, (rows, shared))
    right, own_b = _grouped(y, b, batch, (shared, columns))
    z = make(CONTRACT, (left, right), notation=written((own_a, own_b), (*batch, rows[0], columns[0])))
    sizes = dict(zip(a, x.type.shape, strict=True)) | dict(zip(b, y.type.shape, strict=True))
    apart = (*batch, *rows, *columns)
    return transpose(reshape_to(z, tuple(sizes[v] for v in apart)), [apart.index(v) for v in out])


def _summed(x: Expr, own: Letters, other: Letters, out: Letters) -> tuple[Expr, Letters]:
    """x summed over the indices that stand nowhere else."""
    alone = tuple(k for k, v in enumerate(own) if v not in other and v not in out)
    if not alone:
        return x, own
    return make(OPS["sum"], (x,), axes=alone), tuple(v for k, v in enumerate(own) if k not in alone)


def _elementwise(x: Expr, a: Letters, y: Expr, b: Letters, out: Letters, shared: Letters) -> Expr:
    every = (*out, *shared)
    sizes = dict(zip(b, y.type.shape, strict=True)) | dict(zip(a, x.type.shape, strict=True))
    shape = tuple(sizes[v] for v in every)
    z = spread(x, shape, tuple(every.index(v) for v in a)) * spread(y, shape, tuple(every.index(v) for v in b))
    return make(OPS["sum"], (z,), axes=tuple(range(len(out), len(every)))) if shared else z


def _grouped(x: Expr, own: Letters, batch: Letters, groups: Sequence[Letters]) -> tuple[Expr, Letters]:
    """(x with the indices of each group run together, its indices then): a group goes by the name of its first. They stay
    where they are if each group's stand side by side, for then x need not be copied."""
    sizes = dict(zip(own, x.type.shape, strict=True))
    sizes |= {v[0]: product([sizes[letter] for letter in v]) for v in groups}
    if all(own[own.index(v[0]) :][: len(v)] == v for v in groups):
        inside = {letter for v in groups for letter in v[1:]}
        letters = tuple(v for v in own if v not in inside)
    else:
        x = transpose(x, [own.index(v) for v in (*batch, *(letter for v in groups for letter in v))])
        letters = (*batch, *(v[0] for v in groups))
    return reshape_to(x, tuple(sizes[v] for v in letters)), letters
