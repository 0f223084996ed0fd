"""What a step has to do at given sizes: bytes read and written, floating-point operations.

Bytes are those that must move: each element that a step touches, read once and written once, however often its loops
come by. Operations are additions, multiplications, comparisons and choices of floats, a function such as exp being
counted as FUNCTION of them; what several statements share is done once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from symdl.ir.loops import Apply, For, Load, Stmt, Store, View, extents_in, is_value, parts, walk
from symdl.ir.program import CONVOLUTIONS, Call, Kernel, Program, Step, by_role
from symdl.number_forms import WIDE, item_bytes
from symdl.types import Extent, Symbol, size_at, symbols

FUNCTION = 12  # a transcendental function in operations, about
CHEAP = frozenset(
    "add sub mul neg abs maximum minimum eq ne lt le gt ge where floor ceil trunc round_half_even isnan sqrt true_div".split()
)


@dataclass
class Cost:
    """Of one run of a step; flops by dtype."""

    read: int = 0
    written: int = 0
    flops: dict[str, int] = field(default_factory=dict)


def cost_of(step: Step, program: Program, sizes: Mapping[Symbol, int]) -> Cost:
    """The cost of a step itself, not of steps inside it. sizes: of all symbols, counters of Loops included."""
    match step:
        case Kernel(body):
            return _Kernel(program, sizes).cost(body)
        case Call("matmul", (a, b, c)):
            work = 2 * prod(size_at(n, sizes) for n in (*c.shape, a.shape[-1]))
            flops = {c.dtype: work} if c.dtype.startswith("float") else {}
            out = Cost(_bytes(a, sizes) + _bytes(b, sizes), _bytes(c, sizes), flops)
            return _with_epilogue(out, step, program, sizes) if step.epilogue else out
        case Call(name, views) if name in CONVOLUTIONS:
            _, f, y = by_role(step)
            moved = Cost(sum(_bytes(v, sizes) for v in step.operands), _bytes(views[-1], sizes))
            if y.dtype.startswith("float"):
                moved.flops[y.dtype] = 2 * prod(size_at(n, sizes) for n in (*y.shape, *f.shape[1:]))
            return moved
        case Call():
            made = step.views[len(step.operands) :]
            return Cost(sum(_bytes(v, sizes) for v in step.operands), sum(_bytes(v, sizes) for v in made))
    return Cost()


def _with_epilogue(cost: Cost, call: Call, program: Program, sizes: Mapping[Symbol, int]) -> Cost:
    """The cost of a product and of the nest that takes it block by block, out of the cache."""
    c = call.views[-1]
    more = _Kernel(program, sizes).cost(call.epilogue, c.buffer)
    for dtype, n in more.flops.items():
        cost.flops[dtype] = cost.flops.get(dtype, 0) + n
    kept = program.buffers[c.buffer].kind != "temp" or c.buffer in program.offsets
    return Cost(cost.read + more.read, cost.written * kept + more.written, cost.flops)


def _bytes(view: View, sizes: Mapping[Symbol, int]) -> int:
    """Of the elements in a view, each counted once."""
    lengths = [size_at(n, sizes) for n, s in zip(view.shape, view.strides, strict=True) if s != 0]
    return prod(lengths) * item_bytes(view.dtype)


class _Kernel:
    """One loop nest being counted."""

    def __init__(self, program: Program, sizes: Mapping[Symbol, int]) -> None:
        self.program, self.sizes = program, dict(sizes)
        self.touched: dict[tuple[str, bool], dict[Any, int]] = {}  # (buffer, is it written) -> place -> elements
        self.flops: dict[str, int] = {}

    def cost(self, body: tuple[Stmt, ...], but: str = "") -> Cost:
        """but: a buffer that is not counted."""
        self.block(body, {}, set())
        out = Cost(flops=self.flops)
        for (name, writes), places in self.touched.items():
            if name == but:
                continue
            buffer = self.program.buffers[name]
            whole = prod(size_at(n, self.sizes) for n in buffer.shape)
            moved = min(sum(places.values()), whole) * item_bytes(buffer.dtype)
            if writes:
                out.written += moved
            else:
                out.read += moved
        return out

    def block(self, body: tuple[Stmt, ...], around: dict[Symbol, int], known: set[int]) -> None:
        """around: the rounds of the loops around; known: values that were computed before, in this round."""
        known = set(known)
        for s in body:
            if isinstance(s, For):
                rounds = max(size_at(s.extent, self.sizes), 0)
                self.sizes[s.index] = rounds // 2  # what varies with the index is taken in the middle
                self.block(s.body, {**around, s.index: rounds}, known)
                continue
            times = prod(around.values())
            for item in walk(s):
                if id(item) in known:
                    continue
                known.add(id(item))
                if isinstance(item, Apply):
                    self.apply(item, times)
                elif isinstance(item, Load | Store):
                    self.touch(item, around)

    def apply(self, item: Apply, times: int) -> None:
        dtype = item.dtype if item.dtype.startswith("float") else item.args[0].dtype if item.args else ""
        if dtype.startswith("float") and item.primitive != "cast":
            each = 1 if item.primitive in CHEAP else FUNCTION
            kind = "float64" if dtype in WIDE else dtype  # what number forms are made of
            self.flops[kind] = self.flops.get(kind, 0) + each * times

    def touch(self, item: Load | Store, around: dict[Symbol, int]) -> None:
        by: set[Symbol] = set()
        for index in item.at:
            inner = walk(index) if is_value(index) else ()
            extents: list[Extent] = [index] if isinstance(index, Extent) else []
            extents += [e for x in inner for e in extents_in(x)]
            by.update(*map(symbols, extents))
            if any(isinstance(x, Load) or parts(x) for x in inner):  # a place from data: any element
                by.update(around)
        place = (item.view.offset, item.at if not any(map(is_value, item.at)) else id(item))
        places = self.touched.setdefault((item.view.buffer, isinstance(item, Store)), {})
        places[place] = max(places.get(place, 0), prod(n for s, n in around.items() if s in by))
