"""Loop IR: what a kernel does, one scalar at a time. The last form that is the same on every machine.

    Stmt  = For(index, extent, body) | Local(name, value) | Assign(name, value) | Store(view, at, value) | Barrier()
    Value = Load(view, at) | Ref(name, dtype) | Const(number, dtype) | Position(extent) | Apply(primitive, args, dtype)
          | Guard(bounds, value, other)              value where 0 <= index < extent for every bound, else other
          | Checked(value, extent, code)             an index from data; outside 0..extent the kernel fails with code
    at    = one entry per axis: an extent over loop indices, counters and sizes, or a Value (a gathered index)

A View is a window on a buffer: offset and strides are extents too, so slices, transposes and rows of a scan are free.
Values form a DAG. A Value is what it reads at the moment of its use: a machine may compute a shared one (identity decides)
once per scope, and again where what it read has changed.
A Guard evaluates only the side that it takes. The rounds of a For run in order, unless its schedule says more: of a
"parallel" one in any order and at once, of a "vector" one in order, but sums of floats are added up in any order. Of a
"few" one they are in order, and too few to be taken at once: the loops inside are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from symdl.errors import ProgramError
from symdl.records import mutable
from symdl.types import Extent, Symbol, product, symbols

Schedule = Literal["serial", "parallel", "vector", "few"]


# Nobody changes a view, statement or value once it is made; frozen ones take three times as long to make, and passes make
# most anew.
@dataclass(unsafe_hash=True, slots=True)
class View:
    """A strided window on a buffer; strides and offset count elements."""

    buffer: str
    dtype: str
    shape: tuple[Extent, ...]
    strides: tuple[Extent, ...]
    offset: Extent = 0

    def row(self, at: Extent) -> View:
        """The view without its first axis, at one index of it."""
        return View(self.buffer, self.dtype, self.shape[1:], self.strides[1:], self.offset + at * self.strides[0])


def contiguous(buffer: str, dtype: str, shape: tuple[Extent, ...], offset: Extent = 0) -> View:
    """A view in C order."""
    return View(buffer, dtype, shape, tuple(product(shape[k + 1 :]) for k in range(len(shape))), offset)


@mutable(slots=True)
class Load:
    view: View
    at: tuple[Index, ...]

    @property
    def dtype(self) -> str:
        return self.view.dtype


@mutable(slots=True)
class Const:
    number: Any
    dtype: str


@mutable(slots=True)
class Position:
    extent: Extent
    dtype: str = "int64"


@mutable(slots=True)
class Ref:
    name: str
    dtype: str


@mutable(slots=True)
class Apply:
    primitive: str
    args: tuple[Value, ...]
    dtype: str


@mutable(slots=True)
class Guard:
    bounds: tuple[tuple[Extent, Extent], ...]  # (index, extent) each
    value: Value
    other: Value

    @property
    def dtype(self) -> str:
        return self.value.dtype


@mutable(slots=True)
class Checked:
    value: Value
    extent: Extent
    code: int
    dtype: str = "int64"


Value = Load | Const | Position | Ref | Apply | Guard | Checked
Index = Extent | Value


@mutable(slots=True)
class For:
    index: Symbol
    extent: Extent
    body: tuple[Stmt, ...]
    schedule: Schedule = "serial"


@mutable(slots=True)
class Local:
    """Declare a scalar variable of the value's dtype and set it."""

    name: str
    value: Value


@mutable(slots=True)
class Assign:
    name: str
    value: Value


@mutable(slots=True)
class Store:
    view: View
    at: tuple[Index, ...]
    value: Value


@mutable(slots=True)
class Barrier:
    """All threads of a block meet here; nothing on a machine that runs one thread."""


Stmt = For | Local | Assign | Store | Barrier


VALUES = frozenset([Load, Const, Position, Ref, Apply, Guard, Checked])


def place_of(view: View, at: tuple[Index, ...]) -> Extent:
    """The part of an element's place that is known without data."""
    place = view.offset
    for index, stride in zip(at, view.strides, strict=True):
        if isinstance(index, Extent):
            place = place + index * stride
    return place


def is_value(item: object) -> bool:
    """Whether an index is computed from data."""
    return type(item) in VALUES


def _of_value(item: Any) -> tuple[Any, ...]:
    return (item.value,)


_PARTS: dict[type, Callable[[Any], tuple[Any, ...]]] = {  # a table, since every pass asks this of every item
    For: lambda item: item.body,
    Local: _of_value,
    Assign: _of_value,
    Checked: _of_value,
    Guard: lambda item: (item.value, item.other),
    Store: lambda item: (item.value, *[i for i in item.at if type(i) in VALUES]),
    Load: lambda item: tuple([i for i in item.at if type(i) in VALUES]),
    Apply: lambda item: item.args,
}


_SINGLE = frozenset([Const, Ref, Position])


def parts(item: Any) -> tuple[Any, ...]:
    """The statements and values right inside a statement or value."""
    inside = _PARTS.get(type(item))
    return inside(item) if inside else ()


@lru_cache(maxsize=64)  # the writers of a kernel ask some twenty times for the same, which nothing changes
def walk(*items: Any) -> tuple[Any, ...]:
    """Every statement and value once, outer before inner."""
    found: dict[int, Any] = {}
    stack = list(reversed(items))
    while stack:
        item = stack.pop()
        number = id(item)
        if number in found:
            continue
        found[number] = item
        kind = type(item)
        if kind is Apply:  # most of a body, and what a body is walked for most often: without a call
            stack.extend(item.args[::-1])
        elif kind not in _SINGLE and (inside := _PARTS.get(kind)) is not None:
            stack.extend(inside(item)[::-1])
    return tuple(found.values())


def extents_in(item: Any) -> tuple[Extent, ...]:
    """The extents that a statement or value names itself."""
    match item:
        case For():
            return (item.extent,)
        case Position():
            return (item.extent,)
        case Guard():
            return tuple(e for bound in item.bounds for e in bound)
        case Checked():
            return (item.extent,)
        case Load() | Store():
            v = item.view
            return (v.offset, *v.strides, *(e for e in item.at if isinstance(e, Extent)))
    return ()


def verify(body: tuple[Stmt, ...], known: set[Symbol]) -> None:
    """Every index and size is defined where it is used, every variable declared in its block or around it before it is
    read or set, an index (an integer) given for each axis, and what is stored or chosen has one dtype. Raises
    ProgramError."""
    sound: set[int] = set()  # values found in order: what holds in a block holds in the blocks inside it, too
    entered: list[int] = []  # the same, in the order in which they were found
    names: dict[Extent, frozenset[Symbol]] = {}

    def unknown_in(extents: Iterable[Extent], known: set[Symbol]) -> set[Symbol]:
        found: set[Symbol] = set()
        for e in extents:
            if not isinstance(e, int):
                if e not in names:
                    names[e] = symbols(e)
                if not names[e] <= known:
                    found |= names[e] - known
        return found

    def window(view: View, at: tuple[Index, ...], known: set[Symbol]) -> None:
        if not len(at) == len(view.shape) == len(view.strides):
            raise ProgramError(f"loop nest: {len(at)} indices for the {len(view.shape)} axes of {view.buffer}")
        if unknown := unknown_in(view.shape, known):
            raise ProgramError(
                f"loop nest: {sorted(map(str, unknown))} unknown in the shape of a view of {view.buffer}"
            )
        for i in at:
            if is_value(i) and "int" not in i.dtype:  # type: ignore[union-attr]  # is_value says so
                raise ProgramError(f"loop nest: {view.buffer} is indexed by a {i.dtype}")  # type: ignore[union-attr]  # likewise

    def value(root: Value, known: set[Symbol], declared: dict[str, str]) -> None:
        stack: list[Any] = [root]
        while stack:
            item = stack.pop()
            if id(item) in sound:
                continue
            sound.add(id(item))
            entered.append(id(item))
            stack.extend(reversed(parts(item)))
            if unknown := unknown_in(extents_in(item), known):
                raise ProgramError(f"loop nest: {sorted(map(str, unknown))} unknown in {text(root)}")
            if isinstance(item, Ref) and declared.get(item.name) != item.dtype:
                raise ProgramError(
                    f"loop nest: {item.name} is read as {item.dtype} but declared {declared.get(item.name)}"
                )
            if isinstance(item, Load):
                window(item.view, item.at, known)
            if isinstance(item, Guard) and item.other.dtype != item.dtype:
                raise ProgramError(f"loop nest: a guard chooses between {item.dtype} and {item.other.dtype}")

    def block(stmts: tuple[Stmt, ...], known: set[Symbol], around: dict[str, str]) -> None:
        declared, first = dict(around), len(entered)
        for s in stmts:
            match s:
                case For(index, extent, inner):
                    if unknown := unknown_in((extent,), known):
                        raise ProgramError(f"loop nest: {sorted(map(str, unknown))} unknown in the extent of {index}")
                    if index in known:
                        raise ProgramError(f"loop nest: index {index} is already in use")
                    block(inner, known | {index}, declared)
                case Local(name, v):
                    value(v, known, declared)
                    if (
                        declared.setdefault(name, v.dtype) != v.dtype
                    ):  # what read the other variable is wrong from here on
                        sound.clear()
                    declared[name] = v.dtype
                case Assign(name, v):
                    value(v, known, declared)
                    if declared.get(name) != v.dtype:
                        raise ProgramError(f"loop nest: {name} is set to {v.dtype} but declared {declared.get(name)}")
                case Store(view, at, v):
                    window(view, at, known)
                    if view.dtype != v.dtype:
                        raise ProgramError(f"loop nest: {v.dtype} is stored into {view.dtype} {view.buffer}")
                    value(v, known, declared)
                    for i in at:
                        if is_value(i):
                            value(i, known, declared)  # type: ignore[arg-type]  # is_value says so
                    if unknown := unknown_in(extents_in(s), known):
                        raise ProgramError(
                            f"loop nest: {sorted(map(str, unknown))} unknown in a store to {view.buffer}"
                        )
        sound.difference_update(entered[first:])
        del entered[first:]

    block(body, known, {})


def text(item: Any, pad: str = "") -> str:
    """As a person reads it. What a statement uses more than once stands before it as `let`, numbered anew in each."""
    if isinstance(item, For):
        mark = "" if item.schedule == "serial" else f" {item.schedule}"
        return f"{pad}for{mark} {item.index} in 0:{item.extent}\n" + "".join(text(s, pad + "  ") for s in item.body)
    uses: dict[int, int] = {}
    for x in walk(item):
        for p in parts(x):
            uses[id(p)] = uses.get(id(p), 0) + 1
    lets: list[str] = []
    done: dict[int, str] = {}
    stack = [item]
    while stack:
        x = stack[-1]
        if id(x) not in done and (missing := [p for p in parts(x) if id(p) not in done]):
            stack += reversed(missing)
            continue
        stack.pop()
        if id(x) in done:
            continue
        done[id(x)] = _line(x, done)
        if uses.get(id(x), 0) > 1 and isinstance(x, Apply | Guard | Checked):
            lets.append(f"let v{len(lets)} = {done[id(x)]}")
            done[id(x)] = f"v{len(lets) - 1}"
    if is_value(item):
        return "; ".join([*lets, done[id(item)]])
    return "".join(f"{pad}{line}\n" for line in [*lets, done[id(item)]])


def _line(item: Any, done: dict[int, str]) -> str:
    """One statement or value, its parts being written already."""

    def place(v: View, index: tuple[Index, ...]) -> str:
        start = "" if v.offset == 0 else f"@{v.offset}"
        return f"{v.buffer}{start}[{', '.join(done[id(i)] if is_value(i) else str(i) for i in index)}]"

    match item:
        case Local(name, v):
            return f"var {name}: {v.dtype} = {done[id(v)]}"
        case Assign(name, v):
            return f"{name} = {done[id(v)]}"
        case Store(view, at, v):
            return f"{place(view, at)} = {done[id(v)]}"
        case Barrier():
            return "barrier"
        case Load(view, at):
            return place(view, at)
        case Const(number):
            return str(number)
        case Position(e):
            return f"({e})"
        case Ref(name):
            return str(name)
        case Apply("cast", (x,), dtype):
            return f"{dtype}({done[id(x)]})"
        case Apply(primitive, args):
            return f"{primitive}({', '.join(done[id(a)] for a in args)})"
        case Guard(bounds, v, other):
            inside = " and ".join(f"0 <= {i} < {n}" for i, n in bounds)
            return f"guard({inside}, {done[id(v)]}, {done[id(other)]})"
        case Checked(v, n):
            return f"checked({done[id(v)]} < {n})"
    raise TypeError(item)
