"""GpuCode: what is left of a GpuProgram when its kernels are compiled, and the same as bytes to be kept in a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from symdl.backends.interface import extent_of, plain_extent
from symdl.backends.llvm.steps import all_steps
from symdl.backends.nvptx.launches import Choose, GpuProgram, HostCall, Item, Launch, Number, Pointer, Product, Repeat
from symdl.errors import ProgramError
from symdl.ir.loops import View
from symdl.ir.program import Binding, Buffer, Call, Check, Kernel, Program, accesses, may_fail
from symdl.types import Extent, Fact, Symbol


@dataclass(frozen=True)
class GpuCode:
    """program has no steps. text is what the driver loads: LLVM IR or PTX. commits: the numbers of the steps that write a
    shared value; fails: of those whose kernels may set the status word (none where the GpuProgram has no status)."""

    program: Program
    items: tuple[Item, ...]
    text: str
    commits: frozenset[int] = frozenset()
    fails: frozenset[int] = frozenset()

    @classmethod
    def of(cls, gpu: GpuProgram, text: str) -> GpuCode:
        """The GpuProgram with its kernels as the driver loads them."""
        shared = {b.name for b in gpu.program.of_kind("shared")}
        commits, fails = set(), set()
        for number, step in enumerate(all_steps(gpu.program.steps)):
            if any(writes and v.buffer in shared for v, writes in accesses(step)):
                commits.add(number)
            if gpu.status and isinstance(step, Kernel | Call) and may_fail(step):
                fails.add(number)
        items = tuple(map(_without_nests, gpu.items))
        p = gpu.program
        bare = Program(p.buffers, p.bindings, p.checks, (), (), p.offsets, p.slots)  # an Interface knows the rest
        return cls(bare, items, text, frozenset(commits), frozenset(fails))

    def packed(self) -> bytes:
        """JSON."""
        p = self.program
        data = {
            "buffers": [[b.name, b.dtype, _plain(b.shape), b.kind] for b in p.buffers.values()],
            "bindings": [[*_plain_symbol(b.symbol), b.buffer, b.axis] for b in p.bindings],
            "checks": [
                [plain_extent(c.fact.left), c.fact.relation, plain_extent(c.fact.right), c.fact.why, c.source]
                for c in p.checks
            ],
            "offsets": p.offsets, "slots": [_plain(slot) for slot in p.slots],
            "items": [_plain_item(i) for i in self.items], "text": self.text,
            "commits": sorted(self.commits), "fails": sorted(self.fails),
        }  # fmt: skip
        return json.dumps(data, separators=(",", ":")).encode()

    @classmethod
    def unpacked(cls, code: bytes) -> GpuCode:
        """What `packed` gave. Raises KeyError, TypeError, ValueError or ProgramError for anything else."""
        data = json.loads(code)
        buffers = {name: Buffer(name, dtype, _extents(shape), kind) for name, dtype, shape, kind in data["buffers"]}
        program = Program(
            buffers,
            tuple(Binding(Symbol(n, serial, signed), b, axis) for n, serial, signed, b, axis in data["bindings"]),
            tuple(
                Check(Fact(relation, extent_of(left), extent_of(right), why), source)
                for left, relation, right, why, source in data["checks"]
            ),
            (),
            (),
            data["offsets"],
            tuple(map(_extents, data["slots"])),
        )
        items = tuple(map(_item, data["items"]))
        return cls(program, items, data["text"], frozenset(data["commits"]), frozenset(data["fails"]))


def _without_nests(item: Item) -> Item:
    """The item without the loops of a product's epilogue, which its launches do."""
    match item:
        case Product():
            return replace(item, call=replace(item.call, epilogue=(), sources=()))
        case Repeat():
            return replace(item, body=tuple(map(_without_nests, item.body)))
        case Choose():
            return replace(
                item, then=tuple(map(_without_nests, item.then)), other=tuple(map(_without_nests, item.other))
            )
    return item


def _plain(extents: tuple[Extent, ...]) -> list[Any]:
    return [plain_extent(e) for e in extents]


def _extents(data: Any) -> tuple[Extent, ...]:
    return tuple(map(extent_of, data))


def _plain_symbol(symbol: Symbol) -> list[Any]:
    return [symbol.name, symbol.serial, symbol.signed]


def _plain_view(view: View) -> list[Any]:
    return [view.buffer, view.dtype, _plain(view.shape), _plain(view.strides), plain_extent(view.offset)]


def _view(data: Any) -> View:
    buffer, dtype, shape, strides, offset = data
    return View(buffer, dtype, _extents(shape), _extents(strides), extent_of(offset))


def _plain_call(call: Call) -> list[Any]:
    return [
        call.name, [_plain_view(v) for v in call.views], list(call.sources), call.routine, call.results,
        list(call.window),
    ]  # fmt: skip


def _call(data: Any) -> Call:
    name, views, sources, routine, results, window = data
    return Call(name, tuple(map(_view, views)), tuple(sources), (), routine, results, tuple(window))


def _plain_argument(argument: Pointer | Number) -> list[Any]:
    if isinstance(argument, Pointer):
        return ["pointer", argument.buffer, plain_extent(argument.offset)]
    return ["number", argument.dtype, plain_extent(argument.value)]


def _argument(data: Any) -> Pointer | Number:
    kind, name, value = data
    extent = extent_of(value)
    return Pointer(name, extent) if kind == "pointer" else Number(name, extent)


def _plain_item(item: Item) -> list[Any]:
    match item:
        case Launch():
            arguments = [_plain_argument(a) for a in item.arguments]
            return ["launch", item.kernel, _plain(item.grid), item.block, arguments, item.step, item.shared]
        case HostCall(step, call):
            return ["host", step, _plain_call(call)]
        case Product(step, call, own, alone):
            return ["product", step, _plain_call(call), list(map(_plain_item, own)), alone]
        case Repeat(counter, steps, body, stop):
            ends = None if stop is None else _plain_view(stop)
            return ["repeat", _plain_symbol(counter), plain_extent(steps), list(map(_plain_item, body)), ends]
        case Choose(condition, then, other):
            return ["choose", _plain_view(condition), list(map(_plain_item, then)), list(map(_plain_item, other))]


def _item(data: Any) -> Item:
    match data:
        case ["launch", kernel, grid, block, arguments, step, shared]:
            x, y, z = _extents(grid)
            return Launch(kernel, (x, y, z), block, tuple(map(_argument, arguments)), step, shared)
        case ["host", step, call]:
            return HostCall(step, _call(call))
        case ["product", step, call, own, alone]:
            return Product(step, _call(call), _launches(own), alone)
        case ["repeat", counter, steps, body, stop]:
            ends = None if stop is None else _view(stop)
            return Repeat(Symbol(*counter), extent_of(steps), tuple(map(_item, body)), ends)
        case ["choose", condition, then, other]:
            return Choose(_view(condition), tuple(map(_item, then)), tuple(map(_item, other)))
    raise ProgramError(f"{data!r:.60} is no item of a GPU's program")


def _launches(data: Any) -> tuple[Launch, ...]:
    found = tuple(map(_item, data))
    if not all(isinstance(i, Launch) for i in found):
        raise ProgramError("a product is made of launches only")
    return found  # type: ignore[return-value]  # all() has looked
