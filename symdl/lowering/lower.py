"""Expressions to scalar formulas: the value of a node at given indices, as Loop IR.

A stored node is a load; anything else is computed where it is used, views being maps of indices. Memoised by (node,
indices), so what a kernel needs twice at one place it computes once.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from symdl.errors import InternalError
from symdl.graph.expr import CONSTANT, Expr
from symdl.ir.loops import Apply, Checked, Const, Guard, Index, Load, Position, Value, View, contiguous, is_value
from symdl.ir.program import FIRST_FAILURE, Buffer, Failure, Kind
from symdl.types import Extent, Symbol, symbol

At = tuple[Extent, ...]
Lent = tuple["Formulas", Expr, At]  # a node of the graph around, and its first indices
Read = tuple[Expr, At | None]  # a stored node and where it is read; None: anywhere
BOOL_FORM = {"add": "bitwise_or", "mul": "bitwise_and", "maximum": "bitwise_or", "minimum": "bitwise_and"}
STRIDED = ("spread", "slice", "squeeze")  # views that are windows on a buffer


class Memory:
    """The buffers and failures of one Program while it is being made."""

    def __init__(self, origins: Mapping[Expr, frozenset[int]]) -> None:
        self.buffers: dict[str, Buffer] = {}
        self.failures: list[Failure] = []
        self.routines: list[Expr] = []  # what Calls of routines compute, by number
        self.origins = origins
        self._codes: dict[Failure, int] = {}
        self._made = self._locals = self._counters = 0

    def buffer(self, kind: Kind, dtype: str, shape: tuple[Extent, ...]) -> View:
        name = f"{kind[0]}{self._made}"
        self._made += 1
        self.buffers[name] = Buffer(name, dtype, shape, kind)
        return contiguous(name, dtype, shape)

    def local(self) -> str:
        self._locals += 1
        return f"acc{self._locals}"

    def counter(self) -> Symbol:
        """A name for the counter of a Loop."""
        self._counters += 1
        return Symbol(f"t{self._counters - 1}")

    def failure(self, text: str, node: Expr) -> int:
        """The status for an index of node that data may put outside its axis."""
        failure = Failure(text, min(self.origins.get(node, ()), default=-1))
        if failure not in self._codes:
            self._codes[failure] = FIRST_FAILURE + len(self.failures)
            self.failures.append(failure)
        return self._codes[failure]

    def sources(self, *nodes: Expr) -> tuple[int, ...]:
        return tuple(sorted(set().union(*(self.origins.get(n, ()) for n in nodes))))


def index(k: int) -> Extent:
    """The k-th loop index of a kernel."""
    return symbol(f"i{k}")


def index_symbol(k: int) -> Symbol:
    """The name of the k-th loop index."""
    return Symbol(f"i{k}")


def indices(shape: tuple[Extent, ...]) -> At:
    """One loop index an axis; an axis of 1 has no loop."""
    return tuple(0 if n == 1 else index(k) for k, n in enumerate(shape))


class Formulas:
    """Values of nodes. views: where stored nodes lie; it grows as the caller stores more.

    Equal formulas are one Value, also where they come from different nodes: what is stored is written once.
    """

    def __init__(
        self, memory: Memory, views: dict[Expr, View], lent: Mapping[Expr, Lent] = MappingProxyType({})
    ) -> None:
        """lent: leaves that stand for formulas of the graph around."""
        self.memory, self.views, self.lent = memory, views, lent
        self.lent_reads: list[Read] = []  # what those read
        self.twins: dict[Expr, Expr] = {}  # a stored node -> the one that was stored first with its value
        self._memo: dict[Any, tuple[Value, tuple[Read, ...]]] = {}
        self._known: dict[Any, Value] = {}

    def value(self, n: Expr, at: At, reads: list[Read], fresh: bool = False) -> Value:
        """n at these indices; what it loads of stored nodes is entered in reads. fresh: compute n though it is stored."""
        key = (n, at, fresh)
        if key not in self._memo:
            mine: list[Read] = []
            found = self._value(n, at, mine, fresh)
            self._memo[key] = found, tuple(dict.fromkeys(mine))
        value, mine_ = self._memo[key]
        reads.extend(mine_)
        return value

    def _value(self, n: Expr, at: At, reads: list[Read], fresh: bool) -> Value:
        if n in self.views and not fresh:
            reads.append((self.twins.get(n, n), at))
            return self.once(Load(self.views[n], at))
        dtype, p = n.type.dtype, n.params
        if 0 in n.type.shape:  # no element is ever asked for, and an index map may divide by the extent
            return self.once(Const(0, dtype))
        match n.op.kind:
            case "leaf" if n.op is CONSTANT and not n.type.shape:
                return self.once(Const(p["value"].array.item(), dtype))
            case "leaf" if n in self.lent:
                outer, x, lead = self.lent[n]
                return outer.value(x, (*lead, *at), self.lent_reads)
            case "view":
                assert n.op.index_map is not None, n.op  # every view declares one
                (x,) = n.inputs
                where, bounds = n.op.index_map(at, x.type.shape, **p)
                value = self.value(x, where, reads)
                return self.once(Guard(bounds, value, self.once(Const(p["fill"], dtype)))) if bounds else value
            case "position":
                if n.op.name == "place":
                    steps = contiguous("", dtype, n.type.shape).strides
                    return self.once(Position(sum((i * s for i, s in zip(at, steps, strict=True)), 0), dtype))
                return self.once(Position(p["extent"] if n.op.name == "extent" else at[p["axis"]]))
            case "gather":
                return self._gather(n, at, reads)
            case "reshape":
                if not is_window(n):
                    return self.value(n.inputs[0], (), reads)
                reads.append((self.base(n), None))
                return self.once(Load(self.window(n), at))
            case "elementwise":
                args = tuple(self.operand(x, at, reads) for x in n.inputs)
                name = BOOL_FORM.get(n.op.name, n.op.name) if args[-1].dtype == "bool" else n.op.name
                if name == "abs" and dtype == "bool":
                    return args[0]
                return self.once(Apply(name, args, dtype))
        raise InternalError(f"lower: {n!r} has no formula")

    def operand(self, x: Expr, at: At, reads: list[Read]) -> Value:
        """x at the indices of a result to which it may be stretched."""
        own = at[len(at) - len(x.type.shape) :]
        return self.value(x, tuple(0 if n == 1 else i for n, i in zip(x.type.shape, own, strict=True)), reads)

    def once(self, value: Value) -> Value:
        """The one Value that is equal to this one, whose parts are such Values."""
        key: Any
        match value:
            case Load(view, at):
                key = Load, view, tuple(id(i) if is_value(i) else i for i in at)
            case Const(number, dtype):
                key = Const, repr(number), dtype  # 0.0 is not -0.0, and NaN is itself
            case Apply(primitive, args, dtype):
                key = Apply, primitive, dtype, *map(id, args)
            case Guard(bounds, inside, other):
                key = Guard, bounds, id(inside), id(other)
            case Checked(index_, extent, code):
                key = Checked, extent, code, id(index_)
            case Position(extent, dtype):
                key = Position, extent, dtype
            case _:
                return value
        return self._known.setdefault(key, value)

    def cast(self, value: Value, dtype: str) -> Value:
        """The value in a dtype."""
        return value if value.dtype == dtype else self.once(Apply("cast", (value,), dtype))

    def checked(self, n: Expr, position: Expr, at: At, extent: Extent, reads: list[Read]) -> Value:
        """An index from data, counted from the front and checked against its axis."""
        raw = self.operand(position, at, reads)
        from_end = self.once(Apply("add", (raw, self.once(Position(extent))), "int64"))
        negative = self.once(Apply("lt", (raw, self.once(Const(0, "int64"))), "bool"))
        code = self.memory.failure("getitem: an index lies outside its axis", n)
        return self.once(Checked(self.once(Apply("where", (negative, from_end, raw), "int64")), extent, code))

    def _gather(self, n: Expr, at: At, reads: list[Read]) -> Value:
        x, *positions = n.inputs
        axes, batch = n.params["axes"], n.params["batch"]
        own = len(positions[0].type.shape)
        rest = iter(at[own:])
        where: list[Index] = []
        for k, m in enumerate(x.type.shape):
            if k in axes:
                where.append(self.checked(n, positions[axes.index(k)], at[:own], m, reads))
            elif k < batch:
                where.append(0 if m == 1 else at[k])
            else:
                i = next(rest)
                where.append(0 if m == 1 else i)
        reads.append((self.base(x), None))
        return self.once(Load(self.window(x), tuple(where)))

    def covered(self, n: Expr) -> set[Expr]:
        """n and what is computed within its formula."""
        found = {n}
        stack = list(n.inputs)
        while stack:
            x = stack.pop()
            if x not in self.views and x not in found:
                found.add(x)
                stack += x.inputs
        return found

    # ---- windows ----

    def base(self, n: Expr) -> Expr:
        """The stored node whose buffer a window on n looks at."""
        while n not in self.views:
            n = n.inputs[0]
        return self.twins.get(n, n)

    def window(self, n: Expr) -> View:
        """n, which is stored or a strided view or reshape of what is, as a view of a buffer."""
        chain: list[Expr] = []
        while n not in self.views:
            chain.append(n)
            n = n.inputs[0]
        view = self.views[n]
        for node in reversed(chain):
            view = windowed(node, view)
        return view


LENT_NODES = 8  # of a formula that a body computes anew in each round


def is_lendable(n: Expr) -> bool:
    """Whether n is a small formula of its indices alone, which needs no memory."""
    stack, seen = [n], {n}
    while stack:
        x = stack.pop()
        is_number = x.op is CONSTANT and not x.type.shape
        if not is_number and x.op.kind not in ("view", "position") and x.op.name != "cast":
            return False
        new = [i for i in x.inputs if i not in seen]
        stack += new
        seen.update(new)
    return len(seen) <= LENT_NODES


def is_window(n: Expr) -> bool:
    """Whether n, its operand lying in memory, lies there too: as a strided view or a reshape of it."""
    if n.op.kind != "reshape" and n.op.name not in STRIDED:
        return False
    (x,) = n.inputs
    return x.op is not CONSTANT or bool(x.type.shape)  # a scalar constant is written into the code


def windowed(node: Expr, below: View) -> View:
    """A strided view of a window is a window."""
    p, shape = node.params, node.type.shape
    match node.op.name:
        case "spread":
            strides: list[Extent] = [0] * len(shape)
            for axis, n, stride in zip(p["axes"], below.shape, below.strides, strict=True):
                strides[axis] = 0 if n == 1 else stride
            return View(below.buffer, below.dtype, shape, tuple(strides), below.offset)
        case "slice":
            offset = below.offset
            for start, stride in zip(p["starts"], below.strides, strict=True):
                offset = offset + stride * start
            strides = [s * d for s, d in zip(below.strides, p["steps"], strict=True)]
            return View(below.buffer, below.dtype, shape, tuple(strides), offset)
        case "squeeze":
            kept = [s for k, s in enumerate(below.strides) if k not in p["axes"]]
            return View(below.buffer, below.dtype, shape, tuple(kept), below.offset)
        case "reshape":
            return contiguous(below.buffer, below.dtype, shape, below.offset)
    raise InternalError(f"lower: {node!r} is no window")
