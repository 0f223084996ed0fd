"""The CPU: object code in memory, called with NumPy arrays."""

from __future__ import annotations

import ctypes
import hashlib
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, MutableMapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from symdl.backends.balls import library as balls
from symdl.backends.balls.loading import link
from symdl.backends.base import Bound
from symdl.backends.convolve import library as convolve
from symdl.backends.cpu.assembler import Machine, assembly, at_once, object_code, objects_in, parts_of, quick_code
from symdl.backends.cpu.optimizing import Action, Job, ending, finish_all, held, later
from symdl.backends.cpu.streamed import Streamed
from symdl.backends.entry import tables
from symdl.backends.entry import text as entry
from symdl.backends.entry.objects import Arena, Entry, EntryCode, Held, Input, Turns
from symdl.backends.forks import gate, inside
from symdl.backends.gemm import library as gemm
from symdl.backends.interface import Interface
from symdl.backends.lifetime import when_freed
from symdl.backends.llvm import RUNTIME, emit
from symdl.backends.llvm.steps import all_steps, uses_library
from symdl.backends.pool import DIGEST as POOL_DIGEST
from symdl.backends.pool import Pool
from symdl.backends.pool import module_text as pool_text
from symdl.backends.routines import RAISED, Routine, Table
from symdl.config import config
from symdl.errors import ProgramError
from symdl.events import Stages
from symdl.ir.program import Call, Program
from symdl.types import Symbol, size_at

Array = np.ndarray[Any, Any]
REMEMBERED_SIZES = 64  # sets of sizes whose output shapes an Executable remembers
WORTH_WAITING = 5_000_000_000  # units of work, 50 ms: a longer run is not begun with code that is not optimized
_lock = threading.RLock()
_loaded: dict[str, Any] = {}
_loading: dict[str, threading.Lock] = {}
_prepared: set[str] = set()
_calling: dict[
    str, weakref.WeakSet[CpuExecutable]
] = {}  # by name in RUNTIME: whose tables hold an address of a library
_improving: dict[str, Job] = {}  # by name, too: what makes better code of a library
_retired: list[object] = []  # libraries' code that better code has replaced: a thread may be inside


class Engine:
    """Object code in memory: what `object_code` gave."""

    @inside
    def __init__(self, code: bytes, machine: Machine) -> None:
        holder = llvm.parse_assembly("", llvm.create_context())
        self.engine = llvm.create_mcjit_compiler(holder, machine.for_loading())
        self.engine.remove_module(holder)  # or it would be translated, which takes longer than all else here
        holder.close()
        for one in objects_in(code):
            self.engine.add_object_file(llvm.ObjectFileRef.from_data(one))
        self.engine.finalize_object()
        # Kept reachable until the end: a garbage collector that met the engine within a cycle would finalize its context
        # first, in no order, and crash.
        self._token = when_freed(self.engine.close)

    def address(self, name: str) -> int:
        found: int = self.engine.get_function_address(name)
        return found


def library(
    name: str, text: Callable[[], str], machine: Machine, store: MutableMapping[str, bytes] | None, runtime: str,
    quick: Callable[[], str] | None = None,
) -> Engine:  # fmt: skip
    """Routines that many Programs call, loaded at their first use in the process; compiled, if not in the store: then quick
    code runs until they are optimized. runtime: what `call_library` knows them by; quick: a shorter text of the same
    routines for that."""
    key = f"{name} {machine.fingerprint()}"
    with _lock:
        own = _loading.setdefault(key, threading.Lock())
    with own:
        found = _loaded.get(key)
        if found is None:
            code = None if store is None else store.get(key)
            if code is None and config.optimizing == "background":
                code = quick_code((quick or text)(), machine)
                job = later(lambda: object_code([text()], machine), lambda: store is not None or not ending())
                job.then(partial(_replaced, key, runtime, machine, store))
                _improving[runtime] = job
            elif code is None:
                code = object_code([text()], machine)
                if store is not None:
                    store[key] = code
            found = _loaded[key] = Engine(code, machine)
        return found


def _replaced(
    key: str, runtime: str, machine: Machine, store: MutableMapping[str, bytes] | None, code: bytes | None
) -> None:
    """Put a library's better code in place."""
    if code is None:
        return
    with gate:
        engine = Engine(code, machine)
        with _loading[key]:
            _retired.append(_loaded[key])
            _loaded[key] = engine
        with _lock:
            callers = list(_calling.get(runtime, ()))
        for executable in callers:
            executable.call_library(runtime)
        if store is not None:
            store[key] = code


def entry_code(machine: Machine, store: MutableMapping[str, bytes] | None = None) -> EntryCode:
    """The native way into functions, and what its tables need of Python and NumPy."""
    text, quick = (partial(entry.module_text, machine.triple, machine.layout, small) for small in (False, True))
    engine = library(f"entry {entry.DIGEST}", text, machine, store, "entry", quick)
    with _lock:
        found: EntryCode | None = _loaded.get("entry")
        if found is None or found.engine is not engine:
            _retired.append(found)
            found = _loaded["entry"] = EntryCode(engine)
        return found


def balls_code(machine: Machine, store: MutableMapping[str, bytes] | None = None) -> Engine:
    """What computes elements in balls."""
    text = balls.module_text(machine.triple, machine.layout)
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return library(f"balls {digest}", lambda: text, machine, store, "balls")


def threads_pool(machine: Machine, store: MutableMapping[str, bytes] | None = None) -> Pool:
    """The one pool of this process. Starts no thread."""
    text = partial(pool_text, machine.triple, machine.layout)
    engine = library(f"pool {POOL_DIGEST}", text, machine, store, "pool")
    with _lock:
        found: Pool | None = _loaded.get("pool")
        if found is None:
            found = _loaded["pool"] = Pool(engine, engine.address)
            config.watch("threads", found.resize)
        elif found.code is not engine:
            found.take(engine, engine.address)
        return found


def gemm_address(dtype: str, machine: Machine, store: MutableMapping[str, bytes] | None = None) -> int:
    """The product of matrices for a dtype."""
    tile = machine.tile(dtype)
    text, quick = (partial(gemm.module_text, one, machine.triple, machine.layout) for one in (tile, tile.small))
    return library(f"gemm {tile}", text, machine, store, f"gemm_{dtype}", quick).address(gemm.entry_name(dtype))


def convolve_address(dtype: str, machine: Machine, store: MutableMapping[str, bytes] | None = None) -> int:
    """Convolutions for a dtype."""
    tile = machine.tile(dtype)
    text, quick = (
        partial(convolve.module_text, tile, machine.triple, machine.layout, small) for small in (False, True)
    )
    found = library(f"convolve {tile}", text, machine, store, f"convolve_{dtype}", quick)
    return found.address(convolve.entry_name(dtype))


def library_address(name: str, machine: Machine, store: MutableMapping[str, bytes] | None = None) -> int:
    """What stands under a name in RUNTIME."""
    kind, dtype = name.split("_")
    return (gemm_address if kind == "gemm" else convolve_address)(dtype, machine, store)


def libraries(program: Program) -> list[str]:
    """The entries of RUNTIME, beside poll, that the code of a Program calls."""
    calls = [s for s in all_steps(program.steps) if isinstance(s, Call) and uses_library(s)]
    products = {f"gemm_{s.views[-1].dtype}" for s in calls}  # convolutions call them, too
    return sorted(products | {f"convolve_{s.views[-1].dtype}" for s in calls if s.name != "matmul"})


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
            with _lock:  # first: from here on it is told of better code
                _calling.setdefault(name, weakref.WeakSet()).add(self)
            self.call_library(name)
        self._expected = len(interface.of_kind("input")), len(interface.of_kind("shared"))
        self._symbols = tuple(b.symbol for b in interface.bindings)
        given = interface.of_kind("input", "shared", "constant", "output")
        place = {b.name: k for k, b in enumerate(given)}
        self._address_table = ctypes.c_void_p * len(given)
        self._size_table = ctypes.c_int64 * len(self._symbols)
        self._extent_table = ctypes.c_int64 * sum(len(b.shape) for b in interface.of_kind("input", "shared"))
        self._entered = [
            (b.name, np.dtype(b.dtype), len(b.shape), place[b.name], b.kind == "shared")
            for b in interface.of_kind("input", "shared")
        ]
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
        entry = _improving.get("entry")  # calls come by way of it

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
        given, held = iter(inputs), iter(shareds)
        for name, dtype, ndim, place, written in self._entered:
            array = fitting(name, dtype, ndim, next(held if written else given), written)
            arrays.append(array)
            addresses[place] = address_of(array)
            extents += array.shape
        table, sizes, measures = self._address_table(*addresses), self._size_table(), self._measure_table()
        native = self._native  # which is kept, whatever better code may come meanwhile
        status = native[1](self._extent_table(*extents), table, sizes, measures)
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


class CpuBackend:
    """This computer's processor, through LLVM.

    store keeps the object code of libraries from process to process (that of GEMM takes 0.1 s to compile per dtype): any
    mapping of texts to bytes. Without it a library is compiled at its first use in the process.
    """

    name = "cpu"
    cut = True
    place = None  # shared arrays lie on the host

    def __init__(
        self, cpu: str = "", features: str | None = None, store: MutableMapping[str, bytes] | None = None
    ) -> None:
        self.machine, self.store = Machine(cpu, features), store

    @property
    def entry_code(self) -> EntryCode:
        """The native way into functions."""
        return entry_code(self.machine, self.store)

    def fingerprint(self) -> str:
        """LLVM and processor."""
        return f"cpu {self.machine.fingerprint()}"

    def compile(
        self,
        program: Program,
        constants: Sequence[Array] = (),
        timed: bool = False,
        routines: Sequence[Routine] = (),
    ) -> CpuExecutable:
        """Machine code for a verified Program. timed: with a clock around each step, for `clocks`. routines: what Calls of
        routines call, by number."""
        stages, target = Stages(), self.machine.target()
        quick = config.optimizing == "background" and not timed
        with Streamed(target.head, self.machine, config.threads) as streamed:
            text = emit(program, target, timed, streamed.take if quick else None)
            stages.done("emit", lambda: f"{text.count(chr(10))} lines of LLVM IR")
            code = streamed.code() if quick else object_code(parts_of(text), self.machine)
        stages.done("machine code", lambda: f"{len(code)} bytes")
        if timed:  # nor are the libraries quick ones
            finish_all()
        executable = self.load(Interface.of(program, libraries(program)), code, constants, routines)
        if quick:
            executable.improve(lambda: object_code(parts_of(text), self.machine))
        stages.done("load")
        return executable

    @contextmanager
    def preparing(self, names: Collection[str]) -> Iterator[None]:
        """While a Program is made inside, a thread loads the libraries, with those of these names in RUNTIME.

        LLVM works without Python's lock: the first process of a machine, which has to compile them, hardly waits for
        them.
        """
        machine, store = self.machine, self.store
        served = sorted(name for name in names if name in RUNTIME)
        tasks: list[Callable[[], object]] = [partial(library_address, name, machine, store) for name in served]
        tasks += [partial(entry_code, machine, store), partial(threads_pool, machine, store)]
        with _lock:
            mine = machine.fingerprint()
            new = [key for name in ("entry", *served) if (key := f"{name} {mine}") not in _prepared]
            _prepared.update(new)
        with held():
            if not new:
                yield
                return
            thread = threading.Thread(target=at_once, args=(tasks, config.threads - 1), name="symdl-libraries")
            thread.start()
            try:
                yield
            finally:  # a child that is forked later must not find its locks taken
                thread.join()

    def load(
        self,
        interface: Interface,
        code: bytes,
        constants: Sequence[Array] = (),
        routines: Sequence[Routine] = (),
    ) -> CpuExecutable:
        """The same from the interface and code of an earlier Executable of this or another process."""
        return CpuExecutable(interface, code, constants, self.machine, self.store, routines)

    def text(self, program: Program) -> str:
        """The LLVM IR text that the code is made from."""
        return emit(program, self.machine.target())

    def assembly(self, program: Program) -> str:
        """The machine code as text."""
        return assembly(self.text(program), self.machine)
