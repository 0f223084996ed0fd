"""Library calls as loop nests, one element of the result a round: convolutions, and products of integers and bools.

Each element of a result is a sum of its own, so that rounds are independent: also what is added to an image's gradient
is gathered, never scattered.
"""

from __future__ import annotations

from symdl.backends.llvm.library import indices, nest
from symdl.loops import Apply, Assign, Const, For, Guard, Index, Load, Local, Ref, Stmt, Store, Value, View
from symdl.program import Call, by_role
from symdl.types import Extent, Symbol, floor_divide

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
    x, f, y = by_role(call)
    groups, *rest = call.window
    axes = len(rest) // 2
    steps, spacing = rest[:axes], rest[axes:]
    outputs, channels = floor_divide(f.shape[0], groups), f.shape[1]
    names, at = indices("_q", 6 + 2 * axes)
    (n, o, c, inner), extra = at[:4], at[4:]
    number, output, channel, inside = names[:4]
    u, p = extra[:axes], extra[axes : 2 * axes]
    us, ps = names[4 : 4 + axes], names[4 + axes : 4 + 2 * axes]
    filters: Loops = list(zip(us, f.shape[2:], strict=True))
    result: Loops = list(zip(ps, y.shape[2:], strict=True))
    reach = [v * d if d > 0 else (m - 1 - v) * -d for v, d, m in zip(u, spacing, f.shape[2:], strict=True)]

    def product(left: Value, right: Value) -> Value:
        return Apply("mul", (left, right), y.dtype)

    if call.name == "convolve_images":
        group: Extent = floor_divide(c, channels) if groups != 1 else 0
        one = group * outputs + inner
        bounds: list[tuple[Extent, Extent]] = []
        back: list[Extent] = []
        for s, away, k, many in zip(p, reach, steps, y.shape[2:], strict=True):
            place = floor_divide(s - away, k)
            bounds.append((place, many))
            if k != 1:
                bounds.append((s - away - place * k, 1))  # a step of the window begins here
            back.append(place)
        term = Guard(
            tuple(bounds),
            product(Load(y, (n, one, *back)), Load(f, (one, c - group * channels, *u))),
            Const(0, y.dtype),
        )
        rounds = [(number, x.shape[0]), (channel, x.shape[1]), *zip(ps, x.shape[2:], strict=True)]
        return summed(x, (n, c, *p), rounds, [(inside, outputs), *filters], term, "add")
    group = floor_divide(o, outputs) if groups != 1 else 0
    spots = [q * k + away for q, k, away in zip(p, steps, reach, strict=True)]
    image = Load(x, (n, group * channels + c, *spots))
    if call.name == "convolve":
        rounds = [(number, y.shape[0]), (output, y.shape[1]), *result]
        return summed(
            y, (n, o, *p), rounds, [(channel, channels), *filters], product(image, Load(f, (o, c, *u))), "add"
        )
    rounds = [(output, f.shape[0]), (channel, channels), *filters]
    return summed(f, (o, c, *u), rounds, [(number, x.shape[0]), *result], product(image, Load(y, (n, o, *p))), "add")


def is_nest(body: tuple[Stmt, ...]) -> bool:
    """Whether statements are one loop."""
    return len(body) == 1 and isinstance(body[0], For)
