"""CpuExecutable: a Program's machine code, called with NumPy arrays."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

from symdl.backends.balls.loading import link
from symdl.backends.base import Bound
from symdl.backends.cpu.assembler import Machine
from symdl.backends.cpu.engine import Engine
from symdl.backends.cpu.libraries import balls_code, entry_code, improving, library_address, tell, threads_pool
from symdl.backends.cpu.optimizing import Action, Job, ending, held, later
from symdl.backends.entry import tables
from symdl.backends.entry.objects import Arena, Entry, Held, Input, Turns
from symdl.backends.forks import gate
from symdl.backends.interface import Interface
from symdl.backends.llvm import RUNTIME
from symdl.backends.routines import RAISED, Routine, Table
from symdl.errors import ProgramError
from symdl.types import Symbol, size_at

Array = np.ndarray[Any, Any]
REMEMBERED_SIZES = 64  # sets of sizes whose output shapes an Executable remembers
WORTH_WAITING = 5_000_000_000  # units of work, 50 ms: a longer run is not begun with code that is not optimized


class CpuExecutable:
    """A Program in machine code, known by its Interface. See symdl.backends.base for how it is used."""

    def __init__(
        self,
        interface: Interface,
        code: bytes,
        constants: Sequence[Array],
        machine: Machine,
        store: MutableMapping[str, bytes] | None = None,
        routines: Sequence[Routine] = (),
    ) -> None:
        self.interface, self.machine, self.store = interface, machine, store
        self._job: Job | None = None
        self._first = False  # whether it is to be called for the first time, with code that was quickly made
        self._take(code)
        self.arena = Arena()
        self._runtime = (ctypes.c_void_p * len(RUNTIME))()
        self.runtime_address = ctypes.addressof(self._runtime)
        self._routines = Table(routines, interface.routines)
        if routines:
            self._runtime[RUNTIME.index("routine")] = self._routines.address
        for name in ("pool", "entry", *interface.libraries):
            tell(name, self)
        self._expected = len(interface.of_kind("input")), len(interface.of_kind("shared"))
        self._symbols = tuple(b.symbol for b in interface.bindings)
        given = interface.of_kind("input", "shared", "constant", "output")
        place = {b.name: k for k, b in enumerate(given)}
        self._address_table = ctypes.c_void_p * len(given)
        self._size_table = ctypes.c_int64 * len(self._symbols)
        leaves = *interface.of_kind("input"), *interface.of_kind("shared")
        ndims = [len(b.shape) for b in leaves]
        self._extent_table, self._shape_table = ctypes.c_int64 * sum(ndims), ctypes.c_void_p * len(leaves)
        self._shape_places = [8 * sum(ndims[:k]) for k in range(len(leaves))]  # in bytes, of the table of extents
        self._entered = [(b.name, np.dtype(b.dtype), len(b.shape), place[b.name], b.kind == "shared") for b in leaves]
        self._outputs = [(b, np.dtype(b.dtype), place[b.name]) for b in interface.of_kind("output")]
        self._measure_table = ctypes.c_int64 * (2 + sum(len(b.shape) for b, _, _ in self._outputs))
        self._addresses = [0] * len(given)
        self._constants = []
        held = interface.of_kind("constant")
        if len(held) != len(constants):
            raise ProgramError(f"{len(constants)} constants given for {len(held)}")
        for buffer, array in zip(held, constants, strict=True):
            kept = fitting(buffer.name, np.dtype(buffer.dtype), len(buffer.shape), array, written=False)
            self._constants.append(kept)
            self._addresses[place[buffer.name]] = address_of(kept)
        self.constant_addresses = [self._addresses[place[b.name]] for b in held]
        self._known: dict[tuple[int, ...], tuple[dict[Symbol, int], list[tuple[int, ...]]]] = {}
        self._own_lock = threading.Lock()

    def _take(self, code: bytes) -> None:
        """Run this code from here on. Who is inside the code of before keeps it alive."""
        link(code, partial(balls_code, self.machine, self.store))
        engine = Engine(code, self.machine)
        enter = ctypes.PYFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 4)(engine.address("enter"))
        self.code, self._native = code, (engine, enter, engine.address("run"))

    def call_library(self, name: str) -> None:
        """Run this library's code as it is now."""
        if name == "entry":
            self._entry_code = entry_code(self.machine, self.store)
            self._runtime[RUNTIME.index("poll")] = self._entry_code.poll
            return
        if name == "pool":
            pool = threads_pool(self.machine, self.store)
            for word, address in (("parallel", pool.parallel), ("spread", pool.spread), ("pool", pool.address)):
                self._runtime[RUNTIME.index(word)] = address
            return
        self._runtime[RUNTIME.index(name)] = library_address(name, self.machine, self.store)

    def address(self, name: str) -> int:
        """Where a function of the code is."""
        return self._native[0].address(name)

    def improve(self, make: Callable[[], bytes]) -> None:
        """Let a thread make better code, and run that when it is there."""
        itself = weakref.ref(self)

        def take(code: bytes | None) -> None:
            executable = itself()
            if executable is not None and code is not None:
                with gate:
                    executable._take(code)

        self._first = not self.interface.routines  # Python's functions may take as long as they like
        self._job = later(make, lambda: itself() is not None and not ending())
        self._job.then(take)

    def when_optimized(self, action: Action, keep: bool = False) -> None:
        entry = improving("entry")  # calls come by way of it

        def go_on(code: bytes | None) -> None:
            if entry is None:
                action(code)
            else:
                entry.then(lambda _: action(code))

        if self._job is None:
            go_on(self.code)
        else:
            self._job.then(go_on, keep)

    def bind(self, inputs: Sequence[Array], shareds: Sequence[Array] = ()) -> Bound:
        """Find the sizes in the arrays and check the program's facts."""
        if (len(inputs), len(shareds)) != self._expected:
            raise ProgramError(f"{len(inputs)} inputs and {len(shareds)} shared arrays given for {self._expected}")
        addresses = self._addresses.copy()
        extents: list[int] = []
        arrays = []
        for (name, dtype, ndim, place, written), given in zip(self._entered, (*inputs, *shareds), strict=True):
            array = fitting(name, dtype, ndim, given, written)
            arrays.append(array)
            addresses[place] = address_of(array)
            extents += array.shape
        table, sizes, measures = self._address_table(*addresses), self._size_table(), self._measure_table()
        native = self._native  # which is kept, whatever better code may come meanwhile
        extent_table = self._extent_table(*extents)
        first = ctypes.addressof(extent_table)
        shape_table = self._shape_table(*[first + place for place in self._shape_places])
        status = native[1](shape_table, table, sizes, measures)
        found = tuple(sizes)
        if self._job is not None and measures[1] > WORTH_WAITING and not self._job.over and not status:
            self._job.finish()
        if status:
            return Bound(status, dict(zip(self._symbols, found, strict=True)))
        named, shapes = self._sizes_and_shapes(found)
        return Bound(status, named, tuple(arrays), (table, sizes, measures[0], shapes))

    def execute(self, bound: Bound) -> tuple[int, tuple[Array, ...]]:
        """Run it: (0, new output arrays), or (status, ()) where a check in a kernel failed.

        Raises RoutineRaised where a routine raises, and MemoryError.
        """
        if bound.status:
            raise ProgramError(f"execute after check {bound.status - 1} has failed")
        table, sizes, arena_bytes, shapes = bound.machine
        outputs = []
        for (_, dtype, place), shape in zip(self._outputs, shapes, strict=True):
            array = np.empty(shape, dtype)
            outputs.append(array)
            table[place] = address_of(array)
        native, way_in = self._native, self._entry_code  # as in `bind`
        first, self._first = self._first, False
        with held() if first else nullcontext():
            status = way_in.work(self.arena.address, native[2], self.runtime_address, table, sizes, arena_bytes, 1)
        if status == tables.NO_MEMORY:
            raise MemoryError(f"the run needs {arena_bytes} bytes beside its outputs")
        if status == RAISED:
            raise self._routines.raised()
        return status, tuple(outputs) if status == 0 else ()

    def _sizes_and_shapes(self, found: tuple[int, ...]) -> tuple[dict[Symbol, int], list[tuple[int, ...]]]:
        """Sizes by name and the shapes of the outputs, remembered for the sizes of the last calls."""
        known = self._known.get(found)
        if known is None:
            named = dict(zip(self._symbols, found, strict=True))
            known = named, [tuple(size_at(n, named) for n in b.shape) for b, _, _ in self._outputs]
            with self._own_lock:
                if len(self._known) >= REMEMBERED_SIZES:
                    self._known.clear()
                self._known[found] = known
        return known

    def keep(self, stay: Sequence[bool]) -> None:
        """All outputs are NumPy arrays."""

    def entry(
        self, inputs: Sequence[Input], shareds: Sequence[Held], turns: Turns, kind: Any, limit: int
    ) -> Entry | None:
        """The native way in, described as Entry says; None where calls must take the way of bind and execute."""
        code = self._entry_code
        if not code.usable or (shareds and tables.FREE_THREADED) or self.interface.routines:
            return None
        entry = Entry(code, self, inputs, shareds, turns, kind, limit)
        return entry if entry.scratch <= tables.MOST_SCRATCH else None


def fitting(name: str, dtype: np.dtype[Any], ndim: int, array: Array, written: bool) -> Array:
    """The array itself, or a copy in C order of one that is only read."""
    if (array.dtype is not dtype and array.dtype != dtype) or array.ndim != ndim:
        raise ProgramError(f"{name} must be {dtype} with {ndim} axes, not {array.dtype} with {array.ndim}")
    flags = array.flags
    if flags.carray or (flags.c_contiguous and flags.aligned and not written):
        return array
    if written:
        raise ProgramError(f"the shared array {name} must be writable, aligned and in C order")
    return np.array(array, dtype=dtype, order="C", ndmin=ndim)


def address_of(array: Array) -> int:
    """Where the first element is."""
    found: int = array.ctypes.data
    return found
