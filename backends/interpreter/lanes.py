"""Runs a loop nest with all iterations of its outer loops in lockstep, one lane of NumPy arrays for each.

Legal only where no two iterations touch one element that the nest writes, and no check fails. Both are found out
while running: NotIndependent then says that the nest was undone and must be run one iteration at a time, which also
gives the right status and message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symdl.backends.interpreter.evaluator import MISSING, Evaluator, Failure, Memory, typed
from symdl.errors import InternalError
from symdl.ir.loops import Assign, Barrier, For, Guard, Load, Local, Stmt, Store, Value, View, walk
from symdl.number_forms import array_dtype
from symdl.types import Extent, Symbol, size_at, symbols, terms_of


class NotIndependent(Exception):
    """The nest was not run: its iterations depend on one another, or one of them fails."""


class Nest:
    """A chain of perfectly nested loops and the body that its lanes run."""

    def __init__(self, outer: For) -> None:
        self.loops = [outer]
        while len(body := self.loops[-1].body) == 1 and isinstance(body[0], For):
            if symbols(body[0].extent) & {x.index for x in self.loops}:
                break
            self.loops.append(body[0])
        self.body = self.loops[-1].body
        items = list(walk(*self.body))
        self.written = {x.view.buffer for x in items if isinstance(x, Store)}
        self.touched = self.written | {x.view.buffer for x in items if isinstance(x, Load)}
        declared = {x.name for x in items if isinstance(x, Local)}
        self.closed = all(x.name in declared for x in items if isinstance(x, Assign))

    def separate(self, memory: Memory) -> bool:
        """Whether what it writes shares no memory with another buffer that it touches."""
        homes = [memory.home[name] for name in self.touched]
        return all(homes.count(memory.home[name]) == 1 for name in self.written)


class Lanes(Evaluator):
    """Evaluates Values for all lanes at once: an array of one entry per lane, or one scalar where all agree."""

    def __init__(
        self,
        memory: Memory,
        sizes: dict[Symbol, int],
        indices: dict[Symbol, np.ndarray],
        numbers: np.ndarray,
        owners: dict[str, np.ndarray],
        above: Callable[[Value], Any],
        variable: Callable[[str], Any],
    ) -> None:
        """numbers: of the lanes; owners: of each written buffer, the lane that touched an element, or -1; above and
        variable look up what a larger set of lanes has computed and declared."""
        super().__init__(memory)
        self.sizes, self.indices, self.numbers, self.owners = sizes, indices, numbers, owners
        self.above, self.variable = above, variable

    def name(self, name: str) -> Any:
        return self.names[name] if name in self.names else self.variable(name)

    def find(self, item: Value) -> Any:
        found = super().find(item)
        return self.above(item) if found is MISSING else found

    def extent(self, extent: Extent) -> Any:
        if isinstance(extent, int):
            return extent
        if self.indices.keys().isdisjoint(symbols(extent)):
            return size_at(extent, self.sizes)
        total: Any = 0
        for atoms, k in terms_of(extent):
            term: Any = k
            for a in atoms:
                if isinstance(a, Symbol):
                    term = term * (self.indices[a] if a in self.indices else self.sizes[a])
                    continue
                combine = {"floordiv": np.floor_divide, "max": np.maximum, "min": np.minimum}[a.function]
                left, right = self.extent(a.left), self.extent(a.right)
                if a.function == "floordiv" and np.any(right == 0):
                    raise NotIndependent
                term = term * combine(left, right)
            total = total + term
        return total

    def within(self, place: Any, extent: Any) -> bool:
        return bool(np.all((place >= 0) & (place < extent)))

    def integer(self, found: Any) -> Any:
        return found.astype(np.int64)

    def loaded(self, view: View, address: Any) -> Any:
        if view.buffer in self.owners:
            self.claim(view.buffer, address)
        return super().loaded(view, address)

    def claim(self, buffer: str, address: Any) -> None:
        """Elements of a written buffer belong to the first lane that touches them."""
        owner = self.owners[buffer]
        before = owner[address]
        if np.any((before != -1) & (before != self.numbers)):
            raise NotIndependent
        owner[address] = self.numbers if isinstance(address, np.ndarray) else self.numbers[-1]  # one for all lanes
        if np.any(owner[address] != self.numbers):
            raise NotIndependent

    def guard(self, item: Guard) -> Any:
        inside: Any = np.True_
        for index, limit in item.bounds:
            place = self.extent(index)
            inside = inside & (place >= 0) & (place < self.extent(limit))
        if np.all(inside) or not np.any(inside):
            self.scopes.append({})
            found = self.value(item.value if np.all(inside) else item.other)
            self.scopes.pop()
            return found
        out = np.empty(len(self.numbers), array_dtype(item.dtype))
        out[inside] = self.some(inside).value(item.value)
        out[~inside] = self.some(~inside).value(item.other)
        return out

    def some(self, chosen: np.ndarray) -> Lanes:
        """Only the chosen lanes."""

        def pick(found: Any) -> Any:
            return found[chosen] if isinstance(found, np.ndarray) and found.ndim else found

        indices = {s: i[chosen] for s, i in self.indices.items()}
        numbers = self.numbers[chosen]
        return Lanes(
            self.memory,
            self.sizes,
            indices,
            numbers,
            self.owners,
            lambda item: pick(self.find(item)),
            lambda name: pick(self.name(name)),
        )

    def run(self, body: tuple[Stmt, ...]) -> None:
        """The statements, one after the other in all lanes."""
        for s in body:
            self.begin()
            match s:
                case Local(name, value) | Assign(name, value):
                    self.names[name] = self.value(value)
                case Store(view, at, value):
                    found = self.value(value)
                    address = np.broadcast_to(self.address(view, at), self.numbers.shape)
                    self.claim(view.buffer, address)
                    self.memory.flat[view.buffer][address] = typed(found, view.dtype)
                case For(index, extent, inner):
                    steps = self.extent(extent)
                    if isinstance(steps, np.ndarray):
                        raise NotIndependent  # a triangle: lanes would go out of step
                    for k in range(steps):
                        self.sizes[index] = k
                        self.run(inner)
                    self.sizes.pop(index, None)
                case Barrier():
                    pass


def run_nest(nest: Nest, memory: Memory, sizes: dict[Symbol, int], variable: Callable[[str], Any]) -> None:
    """The whole nest at once; raises NotIndependent, and leaves memory as it was, where that is not legal."""
    if not nest.closed or not nest.separate(memory):
        raise NotIndependent
    extents = [max(0, size_at(x.extent, sizes)) for x in nest.loops]
    count = int(np.prod(extents))
    if count == 0:
        return
    grids = np.unravel_index(np.arange(count), extents)
    indices = {x.index: grid for x, grid in zip(nest.loops, grids, strict=True)}
    owners = {name: np.full(memory.flat[name].size, -1) for name in nest.written}
    before = {name: memory.flat[name].copy() for name in nest.written}
    lanes = Lanes(memory, dict(sizes), indices, np.arange(count), owners, lambda item: MISSING, variable)
    try:
        lanes.run(nest.body)
    except (NotIndependent, Failure, InternalError):
        for name, old in before.items():
            memory.flat[name][...] = old
        raise NotIndependent from None
