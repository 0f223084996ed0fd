"""Loops around reductions of two to four numbers, as points and colours have, written out for just so many: each number is then
loaded and converted once, however often it is read, and rows lie a known number of elements apart.

    for i in 0:n: { a = 0; for r in 0:m: a = a + x[r, i];          for i in 0:n: { a = 0; a = a + x[0, i]; a = a + x[1, i]
                    b = 0; for r in 0:m: b = b + f(x[r, i], a);                    b = 0; b = b + f(x[0, i], a); b = b + f(x[1, i], a)
                    o[i] = b }                                                     o[i] = b }

Which of them it is, is looked at when the kernel runs. The order of operations stays, and what takes their place gives the same
bits, so no number depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from symdl.backends.rungs.exchanges import FUSED
from symdl.ir.loops import Apply, Assign, Const, For, Load, Local, Position, Ref, Stmt, Store, Value, walk
from symdl.ir.narrow_rows import CHEAP
from symdl.ir.rebuilding import rebuilt
from symdl.number_forms import WIDE
from symdl.types import Extent, Symbol, symbol, symbols

COUNTS = 2, 3, 4
MOST = 40  # statements and values of a loop that is written so often
PLAIN = (For, Local, Assign, Store, Load, Const, Position, Ref, Apply)
DIVISIONS = frozenset({"true_div", "sqrt"})


def rounds_of(loop: For) -> Symbol | int | None:
    """The size that says how many rounds all loops inside have, or their number, if they may be written out; None for other
    loops."""
    inner = [s for s in loop.body if isinstance(s, For)]
    items = list(walk(*loop.body))
    if not inner or len(items) > MOST or sum(isinstance(x, For) for x in items) > len(inner):
        return None
    extent = inner[0].extent
    if any(s.extent != extent for s in inner) or not all(isinstance(x, PLAIN) for x in items):
        return None
    applied = [x for x in items if isinstance(x, Apply)]
    if any(x.primitive not in {*CHEAP, *DIVISIONS} or x.dtype in WIDE for x in applied):
        return None
    if isinstance(extent, int):
        return extent if extent in COUNTS else None
    (size, *others) = symbols(extent)
    return size if not others and extent == symbol(size.name, size.serial, size.signed) else None


def with_rounds(loop: For, size: Symbol, count: int) -> For:
    """The loop for so many rounds of those inside, which are still loops."""
    (found,) = rebuilt((loop,), symbols={size: count})
    assert isinstance(found, For)
    return found


def written_out(loop: For, fused: bool = False) -> For:
    """The loop with those inside written out; equal numbers are one. fused: whether the machine multiplies and adds in one
    rounding."""
    body: list[Stmt] = []
    for s in loop.body:
        if isinstance(s, For):
            assert isinstance(s.extent, int)
            for k in range(s.extent):
                body += rebuilt(s.body, symbols={s.index: k})
        else:
            body.append(s)
    return For(loop.index, loop.extent, begun(shared(multiplied(body) if fused else body)), loop.schedule)


def begun(body: Sequence[Stmt]) -> tuple[Stmt, ...]:
    """The statements with sums that begin with a square instead of 0 and a square; 0 and any number is another one where that
    is -0."""
    out: list[Stmt] = []
    empty: set[str] = set()  # sums to which nothing has been added
    for s in body:
        match s:
            case Local(name, Const(0)):
                empty.add(name)
            case Assign(name, Apply("add", (Ref(same), Apply("mul", (x, y)) as square))) if (
                name == same and name in empty
            ):
                s = Assign(name, square) if x is y else s
        if isinstance(s, Assign):
            empty.discard(s.name)
        out.append(s)
    return tuple(out)


def multiplied(body: Sequence[Stmt]) -> tuple[Stmt, ...]:
    """The statements with sums of float32, kept as float64, multiplied by a third instead of divided by 3, likewise by a half
    and a quarter: to the same bits.

    x / 3 lies a sixth of an ulp from the middle between two numbers, at least, and x high + x low, high + low being a third to
    2^-107, a part in 2^50 of an ulp from x / 3. high is less than a third and low above 0, so that infinities and zeros stay;
    nothing underflows, since such a sum is a multiple of 2^-149.
    """
    items = walk(*body)
    parts: dict[str, list[Value]] = {}
    for s in items:
        if isinstance(s, Local | Assign):
            parts.setdefault(s.name, []).append(s.value)
    changed: dict[int, Value] = {}
    for x in items:
        match x:
            case Apply("true_div", (Ref(name) as total, divisor), "float64") if count_of(divisor) in COUNTS:
                if not all(_adds_single(value, name) for value in parts[name]):
                    continue
                exact = Fraction(1, count_of(divisor) or 1)
                high = float(exact)
                low = float(exact - Fraction(high))
                product: Value = Apply("mul", (total, Const(low or high, "float64")), "float64")
                if low:
                    product = Apply(FUSED, (total, Const(high, "float64"), product), "float64")
                changed[id(x)] = product
    return rebuilt(tuple(body), changed)


def count_of(item: Value) -> int | None:
    """The whole number that a float is, if that is known."""
    while isinstance(item, Apply) and item.primitive == "cast":
        item = item.args[0]
    if isinstance(item, Position) and isinstance(item.extent, int):
        return item.extent
    return int(item.number) if isinstance(item, Const) and item.number in COUNTS else None


def _adds_single(value: Value, name: str) -> bool:
    """Whether a variable becomes 0, or has a float32 added to it."""
    match value:
        case Const(0):
            return True
        case Apply("add", (Ref(same), Apply("cast", (x,)))):
            return same == name and x.dtype == "float32"
    return False


def shared(body: Sequence[Stmt]) -> tuple[Stmt, ...]:
    """The statements, in which what is loaded from one place, and what is made of that alone, is one value."""
    items = walk(*body)
    stored = {x.view.buffer for x in items if isinstance(x, Store)}
    first: dict[Any, Value] = {}
    same: dict[int, Value] = {}

    def shared_value(x: Value) -> Value | None:
        """The first value that equals it, if it is made of such numbers."""
        if id(x) not in same:
            match x:
                case Load(view, at) if view.buffer not in stored and all(isinstance(i, Extent) for i in at):
                    same[id(x)] = first.setdefault((view, at), x)
                case Apply(primitive, args, dtype):
                    made = [shared_value(a) for a in args]
                    if None not in made:
                        same[id(x)] = first.setdefault((primitive, *map(id, made), dtype), x)
        return same.get(id(x))

    for x in items:
        if isinstance(x, Load | Apply):
            shared_value(x)
    return rebuilt(tuple(body), {number: x for number, x in same.items() if id(x) != number})
