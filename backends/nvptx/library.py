"""Library calls as loop nests, one element of the result a round: convolutions, and products of integers and bools.

Each element of a result is a sum of its own, so that rounds are independent: also what is added to an image's gradient
is gathered, never scattered.
"""

from __future__ import annotations

from dataclasses import replace

from symdl.backends.llvm.library import indices, nest
from symdl.ir.loops import (
    Apply,
    Assign,
    Const,
    Guard,
    Index,
    Load,
    Local,
    Ref,
    Stmt,
    Store,
    Value,
    View,
    contiguous,
)
from symdl.ir.program import Call, by_role, seen_extents
from symdl.ir.rebuilding import rebuilt
from symdl.types import Extent, Symbol, floor_divide, largest, product, smallest, symbol

PIECES, TILE = 192, 1024  # of the sums of a gradient of filters, at most; elements that a block of threads takes
Loops = list[tuple[Symbol, Extent]]


def summed(result: View, at: tuple[Index, ...], rounds: Loops, over: Loops, term: Value, plus: str) -> tuple[Stmt, ...]:
    """result[at] = the sum of terms, for each of the rounds."""
    total = Ref("_total", result.dtype)
    body: tuple[Stmt, ...] = (
        Local(total.name, Const(0, result.dtype)),
        *nest(over, (Assign(total.name, Apply(plus, (total, term), result.dtype)),)),
        Store(result, at, total),
    )
    return nest(rounds, body)


def matmul_nest(a: View, b: View, c: View) -> tuple[Stmt, ...]:
    """c[..., i, j] = sum over p of a[..., i, p] * b[..., p, j]; of bools, the or of the ands."""
    names, at = indices("_q", len(c.shape) + 1)
    *lead, i, j, p = at
    times, plus = ("bitwise_and", "bitwise_or") if c.dtype == "bool" else ("mul", "add")
    term = Apply(times, (Load(a, (*lead, i, p)), Load(b, (*lead, p, j))), c.dtype)
    rounds = list(zip(names[:-1], c.shape, strict=True))
    return summed(c, (*lead, i, j), rounds, [(names[-1], a.shape[-1])], term, plus)


def convolution_nest(call: Call) -> tuple[Stmt, ...]:
    """One of the three products of images, filters and results, see `symdl.convolution`."""
    rounds, over, store, term = convolution_parts(call)
    return summed(store.view, store.at, rounds, over, term, "add")


def convolution_parts(call: Call) -> tuple[Loops, Loops, Store, Value]:
    """(loops of the result, loops of its sums, where it goes, what is added up); the images of a gradient of filters are
    the first loop of its sums."""
    x, f, y = by_role(call)
    groups, *rest = call.window
    axes = len(rest) // 2
    steps, spacing = rest[:axes], rest[axes:]
    outputs, channels = floor_divide(f.shape[0], groups), f.shape[1]
    x, f, y = apart(x, 1, groups, channels), apart(f, 0, groups, outputs), apart(y, 1, groups, outputs)
    names, at = indices("_q", 4 + 2 * axes)
    (n, g, o, c), extra = at[:4], at[4:]
    number, group, output, channel = names[:4]
    u, p = extra[:axes], extra[axes:]
    filters: Loops = list(zip(names[4 : 4 + axes], f.shape[3:], strict=True))
    places = names[4 + axes :]
    grouped: Loops = [(group, groups)] if groups != 1 else []
    g = g if groups != 1 else 0
    reach = [v * d if d > 0 else (m - 1 - v) * -d for v, d, m in zip(u, spacing, f.shape[3:], strict=True)]

    def times(left: Value, right: Value) -> Value:
        return Apply("mul", (left, right), y.dtype)

    zero = Const(0, y.dtype)
    if call.name == "convolve_images":
        bounds: list[tuple[Extent, Extent]] = []
        back: list[Extent] = []
        for s, away, k, many in zip(p, reach, steps, y.shape[3:], strict=True):
            place = floor_divide(s - away, k)
            bounds.append((place, many))
            if k != 1:
                bounds.append((s - away - place * k, 1))  # a step of the window begins here
            back.append(place)
        term: Value = Guard(tuple(bounds), times(Load(y, (n, g, o, *back)), Load(f, (g, o, c, *u))), zero)
        rounds = [(number, x.shape[0]), *grouped, (channel, channels), *zip(places, x.shape[3:], strict=True)]
        return rounds, [(output, outputs), *filters], Store(x, (n, g, c, *p), zero), term
    result: Loops = list(zip(places, y.shape[3:], strict=True))
    image = Load(x, (n, g, c, *(q * k + away for q, k, away in zip(p, steps, reach, strict=True))))
    if call.name == "convolve":
        rounds = [(number, y.shape[0]), *grouped, (output, outputs), *result]
        term = times(image, Load(f, (g, o, c, *u)))
        return rounds, [(channel, channels), *filters], Store(y, (n, g, o, *p), zero), term
    rounds = [*grouped, (output, outputs), (channel, channels), *filters]
    term = times(image, Load(y, (n, g, o, *p)))
    return rounds, [(number, x.shape[0]), *result], Store(f, (g, o, c, *u), zero), term


def framed(call: Call, buffer: str) -> tuple[View, tuple[Stmt, ...], Call]:
    """(where the images of a convolution stand with their borders, loops that put them there, the convolution of these)."""
    x, *others = call.views
    shape = (*x.shape[:2], *seen_extents(call))
    made = contiguous(buffer, x.dtype, shape)
    names, at = indices("_q", len(shape))
    inside = [p - before for p, before in zip(at[2:], call.borders, strict=True)]
    bounds = tuple(zip(inside, x.shape[2:], strict=True))
    value = Guard(bounds, Load(x, (*at[:2], *inside)), Const(0, x.dtype))
    making = nest(list(zip(names, shape, strict=True)), (Store(made, tuple(at), value),))
    return made, making, replace(call, views=(made, *others), borders=())


def apart(view: View, axis: int, groups: int, each: Extent) -> View:
    """The view with an axis as two: groups, and what is in each."""
    shape = (*view.shape[:axis], groups, each, *view.shape[axis + 1 :])
    strides = (*view.strides[:axis], each * view.strides[axis], *view.strides[axis:])
    return View(view.buffer, view.dtype, shape, strides, view.offset)


def in_pieces(call: Call, buffer: str) -> tuple[View, tuple[Stmt, ...], tuple[Stmt, ...]] | None:
    """A gradient of filters, which has few elements and long sums, as sums over some of the images each, and their sum:
    (where the pieces are, loops that make them, loops that add them up). None where one piece is enough."""
    rounds, over, store, term = convolution_parts(call)
    rows = product(n for _, n in rounds)
    (number, images), places = over[0], over[1:]
    many = max(PIECES // -(-rows // TILE), 1) if isinstance(rows, int) else PIECES // 4
    length = largest(floor_divide(images + (many - 1), many), 1)
    pieces = floor_divide(images + (length - 1), length)
    if isinstance(pieces, int) and pieces < 2:
        return None
    (piece,), (k,) = indices("_piece", 1)
    shape = tuple(n for _, n in rounds)
    made = contiguous(buffer, store.view.dtype, (pieces, *shape))
    here = tuple(symbol(str(name)) for name, _ in rounds)
    (moved,) = rebuilt((Store(store.view, store.at, term),), symbols={number: k * length + symbol(str(number))})
    assert isinstance(moved, Store)
    some: Loops = [(number, smallest(length, images - k * length)), *places]
    making = summed(made, (k, *here), [(piece, pieces), *rounds], some, moved.value, "add")
    adding = summed(store.view, store.at, rounds, [(piece, pieces)], Load(made, (k, *here)), "add")
    return made, making, adding
