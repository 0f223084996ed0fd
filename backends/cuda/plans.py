"""Plan: what a GpuProgram does for one set of sizes, worked out once: memory, grids, packed parameters, in order.

The memory that only one call needs is one block, a Workspace:

    status word | outputs | inputs | arena slots           each part at a multiple of ALIGNMENT

so that small outputs come back together with the status word, and small inputs go there together. Pointers stand ready
in the parameter buffers of all launches; where a buffer lies elsewhere than at the call before (another shared value, an
input that is on the device already) they alone are written anew.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, Protocol

import numpy as np

from symdl.backends.cuda.code import GpuCode
from symdl.backends.cuda.cublas import Cublas, Job
from symdl.backends.cuda.device import Device
from symdl.backends.cuda.driver import ALIGNMENT, Grid, Packed, packed
from symdl.backends.cuda.driver import Function as KernelFunction
from symdl.backends.nvptx.launches import Choose, HostCall, Item, Launch, Number, Pointer, Product, Repeat
from symdl.backends.routines import Routine, run
from symdl.ir.loops import View
from symdl.ir.program import Call
from symdl.number_forms import item_bytes
from symdl.types import Extent, Symbol, size_at, symbols

Array = np.ndarray[Any, Any]
Action = Callable[[], None]
SMALL = 64 << 10  # bytes up to which an array travels together with others
STATUS_BYTES = 4
REMEMBERED_ROUNDS = 4096  # of one launch, whose parameters are worked out once
WORD = struct.Struct("<Q")


class Failed(Exception):
    """The status word says that a check in a kernel failed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Around(Protocol):
    """What wraps the launches of a step: clocks."""

    def __call__(self, step: int, name: str, action: Action) -> Action: ...


def aligned(bytes_: int) -> int:
    """Up to the next multiple of ALIGNMENT."""
    return -(-bytes_ // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Layout:
    """Where the parts of a Workspace lie for these sizes, in bytes from its start."""

    places: Mapping[str, int]  # of outputs, inputs and temps
    extents: Mapping[str, tuple[int, ...]]  # the shapes of outputs
    sizes: Mapping[str, int]  # the bytes of outputs
    given: Mapping[str, int]  # the bytes of inputs
    down: int  # the status word and the small outputs end here
    up: tuple[int, int]  # where the small inputs begin and end
    small: frozenset[str]
    slots: tuple[tuple[int, int], ...]  # (place, bytes) of the arena's slots
    bytes_: int

    @classmethod
    def of(cls, code: GpuCode, sizes: Mapping[Symbol, int], given: Mapping[str, int]) -> Layout:
        """given: the bytes of each input."""
        program, places, at = code.program, {}, ALIGNMENT
        shapes = {b.name: tuple(max(0, size_at(n, sizes)) for n in b.shape) for b in program.of_kind("output")}
        bytes_ = {b.name: prod(shapes[b.name]) * np.dtype(b.dtype).itemsize for b in program.of_kind("output")}
        small = frozenset(name for name, n in (*bytes_.items(), *given.items()) if n <= SMALL)
        for name in sorted(bytes_, key=lambda n: n not in small):
            places[name], at = at, at + aligned(bytes_[name])
            if name in small:
                down = at
        down = max((places[n] + aligned(bytes_[n]) for n in bytes_ if n in small), default=ALIGNMENT)
        begin = at
        for name in sorted(given, key=lambda n: n not in small):
            places[name], at = at, at + aligned(given[name])
        end = max((places[n] + aligned(given[n]) for n in given if n in small), default=begin)
        slots = []
        for room in program.slots:
            need = max(0, *(size_at(e, sizes) for e in room))
            slots.append((at, need))
            at += aligned(need)
        places |= {name: slots[slot][0] for name, slot in program.offsets.items()}
        return cls(places, shapes, bytes_, given, down, (begin, end), small, tuple(slots), at)


class Plan:
    """The actions of one call, in two lists: before the first write to a shared value, and from it on.

    sizes: of the axes of arrays. loose: values of inputs that occur in extents, too; a plan is right for all that give the
    same shapes. These, which `set` gives for each call, and counters are looked at as the actions run.
    """

    def __init__(
        self,
        code: GpuCode,
        device: Device,
        functions: Mapping[str, KernelFunction],
        routines: Sequence[Routine],
        sizes: Mapping[Symbol, int],
        given: Mapping[str, int],
        around: Around | None = None,
        loose: Mapping[Symbol, int] | None = None,
        library: Cublas | None = None,
    ) -> None:
        self.code, self.device, self.functions, self.routines = code, device, functions, routines
        self.sizes, self.around, self.library = dict(sizes), around, library
        self.layout = Layout.of(code, {**sizes, **(loose or {})}, given)
        self.addresses: dict[str, int] = {}
        self._status = np.zeros(1, np.int32)
        self._status_address = 0
        self._placed = False
        self._place: tuple[int, Mapping[str, int]] = (0, {})  # where all lay at the call before
        self._patches: dict[str, list[tuple[Packed, int, int]]] = {}  # by buffer: (parameters, place, bytes behind it)
        self._status_patches: list[Packed] = []
        self._env: dict[Symbol, int] = dict(sizes)
        self._shared = {b.name for b in code.program.of_kind("shared")}
        first = next((k for k, item in enumerate(code.items) if self._commits(item)), len(code.items))
        self.waits = False  # set where an action waits for the device, so that no CUDA graph can hold it
        self.before, unseen = self._actions(code.items[:first])
        self.waits_before, self.waits = self.waits, False
        self.after, late = self._actions(code.items[first:])
        self.waits_after = self.waits
        self.checked = unseen and first < len(code.items)  # the status word must be looked at between the two
        self.writes_at_once = len(self.after) == 1 and isinstance(code.items[first], Launch)
        self.fails = late or (unseen and not self.checked)  # ... and in the end

    def set(self, loose: Mapping[Symbol, int]) -> None:
        """The values of this call that the plan is not made for."""
        self._env.update(loose)

    # ---- addresses ----

    def place(self, base: int, outside: Mapping[str, int]) -> bool:
        """Write the addresses of a Workspace at `base` and of buffers elsewhere into all parameters; whether any differs
        from those of the call before."""
        if self._placed and (base, outside) == self._place:
            return False
        if not self._placed:  # the first time, or broken off
            self.addresses.clear()
        self._placed, moved = False, not self.addresses
        if self._status_address != base or moved:
            self._status_address, moved = base, True
            for parameters in self._status_patches:
                WORD.pack_into(parameters, 0, base)
        known = self.addresses
        for name, place in self.layout.places.items():
            address = outside[name] if name in outside else base + place
            if known.get(name) != address:
                moved = True
                self._move(name, address)
        for name, address in outside.items():
            if known.get(name) != address:
                moved = True
                self._move(name, address)
        self._placed, self._place = True, (base, dict(outside))
        return moved

    def _move(self, name: str, address: int) -> None:
        self.addresses[name] = address
        for parameters, at, offset in self._patches.get(name, ()):
            WORD.pack_into(parameters, at, address + offset)

    def label(self, base: int) -> None:
        """Tell a driver that checks what lies where in the Workspace."""
        say, layout = self.device.driver.label, self.layout
        say(base, STATUS_BYTES, "the status word")
        for kind, sizes in (("output", layout.sizes), ("input", layout.given)):
            for name, bytes_ in sizes.items():
                if bytes_:
                    say(base + layout.places[name], bytes_, f"{kind} {name}")
        users: dict[int, list[str]] = {}
        for name, slot in self.code.program.offsets.items():
            users.setdefault(slot, []).append(name)
        for slot, (place, bytes_) in enumerate(layout.slots):
            if not bytes_:
                continue
            say(base + place, bytes_, f"temp {', '.join(users.get(slot, ())) or 'of no step'}")

    def launched(self) -> int:
        """How many kernels a call launches at most."""
        return self._count(self.code.items)

    def _count(self, items: Sequence[Item]) -> int:
        total = 0
        for item in items:
            match item:
                case Product():
                    total += len(item.own)
                case Repeat():
                    known = symbols(item.steps) <= self._env.keys()
                    total += (max(0, size_at(item.steps, self._env)) if known else 1 << 30) * self._count(item.body)
                case Choose():
                    total += max(self._count(item.then), self._count(item.other))
                case Launch():
                    total += 1
        return total

    # ---- what is done ----

    def check(self) -> None:
        """Raises Failed where a kernel so far has set the status word."""
        self.device.driver.download(self._status, self._status_address, self.device.stream)
        if self._status[0]:
            raise Failed(int(self._status[0]))

    def _commits(self, item: Item) -> bool:
        """Whether an item may write a shared value."""
        match item:
            case Launch():
                return item.step in self.code.commits and any(
                    isinstance(a, Pointer) and a.buffer in self._shared for a in item.arguments
                )
            case Product():
                return any(map(self._commits, item.own))
            case Repeat():
                return any(map(self._commits, item.body))
            case Choose():
                return any(map(self._commits, (*item.then, *item.other)))
        return False

    def _sees(self, item: Item) -> bool:
        """Whether an item must not come after a failure that nobody has seen: it writes a shared value, calls a routine,
        or goes by what was computed."""
        match item:
            case HostCall() | Choose():
                return True
            case Repeat():
                return item.stop is not None or any(map(self._sees, item.body))
        return self._commits(item)

    def _actions(self, items: Sequence[Item]) -> tuple[list[Action], bool]:
        """The actions of these items, and whether a failure may be unseen after them. None is before them."""
        out: list[Action] = []
        unseen = False
        for item in items:
            if unseen and self._sees(item):
                self.waits, unseen = True, False
                out.append(self.check)
            match item:
                case Launch():
                    out += self._launch(item)
                    unseen |= item.step in self.code.fails
                case Product():
                    out += self._product(item)
                case HostCall():
                    self.waits = True
                    out.append(self._clocked(item.step, "routine", partial(self._routine, item)))
                case Repeat():
                    body, late = self._actions(item.body)
                    if late and self._sees(item):  # its next round
                        self.waits, late = True, False
                        body.append(self.check)
                    self.waits |= item.stop is not None
                    out.append(partial(self._repeat, item, body))
                    unseen |= late
                case Choose():
                    self.waits = True
                    then, one = self._actions(item.then)
                    other, two = self._actions(item.other)
                    out.append(partial(self._choose, item, then, other))
                    unseen |= one or two
        return out, unseen

    def _launch(self, item: Launch, clocked: bool = True) -> list[Action]:
        """No action where the grid is empty at any counter's value; one otherwise."""
        words = [0]
        pointers: list[tuple[int, Pointer]] = []
        for k, argument in enumerate(item.arguments, 1):
            moves = (
                not symbols(argument.offset if isinstance(argument, Pointer) else argument.value) <= self.sizes.keys()
            )
            if isinstance(argument, Pointer):
                pointers.append((k, argument))
                words.append(0)
            else:
                words.append(0 if moves else size_at(argument.value, self.sizes))
        parameters = packed(words)
        self._status_patches.append(parameters)
        moving: list[tuple[int, str, Extent]] = []  # (place, buffer or "", what is evaluated in each round)
        for k, pointer in pointers:
            if symbols(pointer.offset) <= self.sizes.keys():
                self._patches.setdefault(pointer.buffer, []).append(
                    (parameters, 8 * k, size_at(pointer.offset, self.sizes))
                )
            else:
                moving.append((8 * k, pointer.buffer, pointer.offset))
        for k, argument in enumerate(item.arguments, 1):
            if isinstance(argument, Number) and not symbols(argument.value) <= self.sizes.keys():
                moving.append((8 * k, "", argument.value))
        driver, stream, function = self.device.driver, self.device.stream, self.functions[item.kernel]
        if not moving and all(symbols(e) <= self.sizes.keys() for e in item.grid):
            grid = self._grid(item)
            if 0 in grid:
                return []
            action: Action = partial(driver.launch, function, grid, item.block, item.shared, parameters, stream)
        else:
            action = self._moving(item, function, parameters, moving)
        return [self._clocked(item.step, item.kernel, action) if clocked else action]

    def _product(self, item: Product) -> list[Action]:
        """By a library, where one takes it, else by our own kernels."""
        job = self.library.product(item.call, self.sizes) if self.library is not None and item.alone else None
        own = [action for launch in item.own for action in self._launch(launch, clocked=job is None)]
        if job is None:
            return own
        return [self._clocked(item.step, "cuBLASLt", partial(self._by_library, job, item.call, own))]

    def _by_library(self, job: Job, call: Call, own: Sequence[Action]) -> None:
        places = [self.addresses[v.buffer] + size_at(v.offset, self._env) * item_bytes(v.dtype) for v in call.views]
        if not job((places[0], places[1], places[2])):
            for action in own:
                action()

    def _clocked(self, step: int, name: str, action: Action) -> Action:
        return action if self.around is None else self.around(step, name, action)

    def _grid(self, item: Launch) -> Grid:
        x, y, z = (max(0, size_at(e, self._env)) for e in item.grid)
        return x, y, z

    def _moving(
        self, item: Launch, function: KernelFunction, parameters: Packed, moving: Sequence[tuple[int, str, Extent]]
    ) -> Action:
        """A launch with parameters or a grid that depend on a counter or on a value of the call."""
        env, device = self._env, self.device
        found = {s for *_, e in moving for s in symbols(e)} | {s for e in item.grid for s in symbols(e)}
        needed = sorted(found - self.sizes.keys(), key=lambda s: s.order)
        known: dict[tuple[int, ...], tuple[Grid, list[tuple[int, str, int]]]] = {}  # by the values of these symbols

        def launch() -> None:
            key = tuple([env[s] for s in needed])
            worked_out = known.get(key)
            if worked_out is None:
                if len(known) >= REMEMBERED_ROUNDS:
                    known.clear()
                numbers = [(at, buffer, size_at(value, env)) for at, buffer, value in moving]
                worked_out = known[key] = self._grid(item), numbers
            grid, numbers = worked_out
            if 0 in grid:
                return
            for at, buffer, number in numbers:
                word = number + self.addresses[buffer] if buffer else number & 0xFFFF_FFFF_FFFF_FFFF
                WORD.pack_into(parameters, at, word)
            device.driver.launch(function, grid, item.block, item.shared, parameters, device.stream)

        return launch

    def _repeat(self, item: Repeat, body: Sequence[Action]) -> None:
        env, counter, stop = self._env, item.counter, item.stop
        for round_ in range(max(0, size_at(item.steps, env))):
            env[counter] = round_
            for action in body:
                action()
            if stop is not None and self._bool(stop):
                break
        env.pop(counter, None)

    def _choose(self, item: Choose, then: Sequence[Action], other: Sequence[Action]) -> None:
        for action in then if self._bool(item.condition) else other:
            action()

    def _bool(self, view: View) -> bool:
        found = np.empty(1, np.bool_)
        place = self.addresses[view.buffer] + size_at(view.offset, self._env)
        self.device.driver.download(found, place, self.device.stream)
        return bool(found[0])

    def _routine(self, item: HostCall) -> None:
        """A routine of the host: operands come down, results go up."""
        call = item.call
        operands = [self._window(v)[0] for v in call.operands]
        results = [self._window(v, read=not self._dense(v)) for v in call.views[len(operands) :]]
        windows = [window for window, _, _ in results]
        lock = self.device.lock
        lock.release()  # a routine may be the user's own, and call whatever it likes
        try:
            run(self.routines[call.routine], operands, windows, min(call.sources, default=-1))
        finally:
            lock.acquire()
        for _, memory, address in results:
            if memory.nbytes:
                self.device.driver.upload(address, memory, self.device.stream)

    def _dense(self, view: View) -> bool:
        """Whether the elements of a view fill the memory that they span, each once."""
        env = self._env
        axes = sorted((abs(size_at(s, env)), size_at(n, env)) for s, n in zip(view.strides, view.shape, strict=True))
        reach = 1
        for stride, count in axes:
            if count != 1 and stride != reach:
                return False
            reach *= count
        return True

    def _window(self, view: View, read: bool = True) -> tuple[Array, Array, int]:
        """(a view's elements on the host, the memory that they lie in, the address that it is a copy of)."""
        env, kind = self._env, np.dtype(view.dtype)
        shape = [max(0, size_at(n, env)) for n in view.shape]
        if 0 in shape:
            return np.empty(shape, kind), np.empty(0, kind), 0
        strides = [size_at(s, env) for s in view.strides]
        reach = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
        low = sum(min(r, 0) for r in reach)
        memory = np.empty(sum(max(r, 0) for r in reach) - low + 1, kind)
        address = self.addresses[view.buffer] + (size_at(view.offset, env) + low) * kind.itemsize
        if read:
            self.device.driver.download(memory, address, self.device.stream)
        steps = [s * kind.itemsize for s in strides]
        return np.ndarray(shape, kind, memory, -low * kind.itemsize, steps), memory, address


def host_calls(items: Sequence[Item]) -> list[Call]:
    """The routines that stay on the host, in order."""
    found: list[Call] = []
    stack = list(reversed(items))
    while stack:
        match stack.pop():
            case HostCall(_, call):
                found.append(call)
            case Repeat(body=body):
                stack += reversed(body)
            case Choose(then=then, other=other):
                stack += reversed((*then, *other))
    return found
