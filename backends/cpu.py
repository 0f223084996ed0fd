"""The CPU: IR text to an object file, the object file to code in memory, code called with NumPy arrays."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import MutableMapping, Sequence
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from symdl.backends import gemm
from symdl.backends.base import Bound
from symdl.backends.gemm_tiles import Tile, tile_for
from symdl.backends.llvm import RUNTIME, Target, emit
from symdl.backends.llvm.entries import ARENA_ALIGNMENT
from symdl.backends.llvm.steps import all_steps, uses_library
from symdl.errors import ProgramError
from symdl.program import Call, Program
from symdl.types import Symbol, size_at

Array = np.ndarray[Any, Any]
REMEMBERED_SIZES = 64  # sets of sizes whose output shapes an Executable remembers
KEPT_ARENA = 256 << 20  # bytes of scratch memory that an Executable keeps from call to call
_lock = threading.RLock()
_loaded: dict[str, Any] = {}

GLUE = """
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare i32 @PyGILState_Ensure()
declare void @PyGILState_Release(i32)
declare i32 @PyErr_CheckSignals()

define i64 @call(ptr %run, ptr %buffers, ptr %sizes, ptr %arena, ptr %runtime) nounwind {
  %thread = call ptr @PyEval_SaveThread()
  %status = call i64 %run(ptr %buffers, ptr %sizes, ptr %arena, ptr %runtime)
  call void @PyEval_RestoreThread(ptr %thread)
  ret i64 %status
}

; An exception of a signal handler stays set in the thread, and ctypes raises it when @call returns.
define i32 @poll() nounwind {
  %lock = call i32 @PyGILState_Ensure()
  %found = call i32 @PyErr_CheckSignals()
  call void @PyGILState_Release(i32 %lock)
  ret i32 %found
}
"""


class Machine:
    """The instruction set that code is made for; by default this computer's."""

    def __init__(self, cpu: str = "", features: str | None = None) -> None:
        with _lock:
            if "native" not in _loaded:
                llvm.initialize_native_target()
                llvm.initialize_native_asmprinter()
                _loaded["native"] = True
            self.cpu = cpu or llvm.get_host_cpu_name()
            known = llvm.get_host_cpu_features()
            self.features = (known.flatten() if not cpu else "") if features is None else features
            self.triple = llvm.get_process_triple()
            self.layout = str(self.create().target_data)
        has = set(self.features.split(","))
        arm = self.triple.startswith(("aarch64", "arm64"))
        self.fma = arm or {"+fma", "+avx2"} <= has
        self.vector_bytes = 64 if "+avx512f" in has else 32 if self.fma and not arm else 16
        self.registers = 32 if arm or self.vector_bytes == 64 else 16

    def create(self) -> Any:
        """A new llvmlite TargetMachine; an engine owns the one that it is given."""
        return llvm.Target.from_triple(self.triple).create_target_machine(
            cpu=self.cpu, features=self.features, opt=3, reloc="default", codemodel="jitdefault", jit=True
        )

    def fingerprint(self) -> str:
        """What machine code depends on beside its IR text."""
        version = ".".join(map(str, llvm.llvm_version_info))
        return f"llvm {version} llvmlite {llvmlite.__version__} {self.triple} {self.cpu} {self.features}"

    def target(self) -> Target:
        """What the emitter must know."""
        return Target(
            triple=self.triple,
            data_layout=self.layout,
            fma=self.fma,
            workspace=gemm.workspace(self.tile("float64")),
            vector_bytes=self.vector_bytes,
        )

    def tile(self, dtype: str) -> Tile:
        """The GEMM register tile for these vectors."""
        return tile_for(dtype, self.vector_bytes, self.registers, self.fma)


class Engine:
    """Object code in memory."""

    def __init__(self, code: bytes, machine: Machine) -> None:
        with _lock:
            holder = llvm.parse_assembly("", llvm.create_context())
            self.engine = llvm.create_mcjit_compiler(holder, machine.create())
            self.engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            self.engine.finalize_object()
        # Closed when this object dies, and kept reachable until then: a garbage collector that met the engine within a
        # cycle would finalize its context first, in no order, and crash.
        weakref.finalize(self, self.engine.close).atexit = False

    def address(self, name: str) -> int:
        found: int = self.engine.get_function_address(name)
        return found


def compile_text(text: str, machine: Machine, assembly: bool = False) -> bytes:
    """IR text to the bytes of an object file (or of the assembly text). Holds no addresses of this process.

    Vectors and hoisting are in the text already, so only the passes that clean up run: LLVM's own vectoriser and
    companions make code that is no quicker and take as long again as everything else.
    """
    with _lock:
        module = llvm.parse_assembly(text, llvm.create_context())
        module.verify()
        target = machine.create()
        builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=1))
        passes = llvm.create_new_module_pass_manager()
        passes.add_sroa_pass()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
        passes.run(module, builder)
        return target.emit_assembly(module).encode() if assembly else bytes(target.emit_object(module))


def glue(machine: Machine) -> tuple[Any, int]:
    """(call, address of poll): how Python enters native code that lets go of the interpreter's lock."""
    with _lock:
        if "glue" not in _loaded:
            engine = Engine(compile_text(GLUE, machine), machine)
            kind = ctypes.PYFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 5)
            _loaded["glue"] = kind(engine.address("call")), engine.address("poll"), engine
        call, poll, _ = _loaded["glue"]
        return call, poll


def gemm_address(dtype: str, machine: Machine, store: MutableMapping[str, bytes] | None = None) -> int:
    """The product of matrices for a dtype, loaded at its first use in the process; compiled, if not in the store."""
    tile = machine.tile(dtype)
    key = f"gemm {machine.fingerprint()} {tile}"
    with _lock:
        if key not in _loaded:
            code = None if store is None else store.get(key)
            if code is None:
                text = gemm.module_text(tile, machine.triple, machine.layout)
                code = compile_text(text, machine)
                if store is not None:
                    store[key] = code
            _loaded[key] = Engine(code, machine)
        found: int = _loaded[key].address(gemm.entry_name(dtype))
        return found


class CpuExecutable:
    """A Program in machine code. See symdl.backends.base for how it is used."""

    def __init__(
        self,
        program: Program,
        code: bytes,
        constants: Sequence[Array],
        machine: Machine,
        store: MutableMapping[str, bytes] | None = None,
    ) -> None:
        self.program, self.code, self.machine = program, code, machine
        self._engine = Engine(code, machine)
        self._enter = ctypes.PYFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 4)(self._engine.address("enter"))
        self._run = self._engine.address("run")
        self._call, poll = glue(machine)
        self._runtime = (ctypes.c_void_p * len(RUNTIME))()
        self._runtime[RUNTIME.index("poll")] = poll
        for step in all_steps(program.steps):
            if isinstance(step, Call) and uses_library(step):
                dtype = step.views[-1].dtype
                self._runtime[RUNTIME.index(f"gemm_{dtype}")] = gemm_address(dtype, machine, store)
        self._expected = len(program.of_kind("input")), len(program.of_kind("shared"))
        self._symbols = tuple(b.symbol for b in program.bindings)
        given = program.of_kind("input", "shared", "constant", "output")
        place = {b.name: k for k, b in enumerate(given)}
        self._address_table = ctypes.c_void_p * len(given)
        self._size_table = ctypes.c_int64 * len(self._symbols)
        self._extent_table = ctypes.c_int64 * sum(len(b.shape) for b in program.of_kind("input", "shared"))
        self._entered = [
            (b.name, np.dtype(b.dtype), len(b.shape), place[b.name], b.kind == "shared")
            for b in program.of_kind("input", "shared")
        ]
        self._outputs = [(b, np.dtype(b.dtype), place[b.name]) for b in program.of_kind("output")]
        self._addresses = [0] * len(given)
        self._constants = []
        held = program.of_kind("constant")
        if len(held) != len(constants):
            raise ProgramError(f"{len(constants)} constants given for {len(held)}")
        for buffer, array in zip(held, constants, strict=True):
            kept = fitting(buffer.name, np.dtype(buffer.dtype), len(buffer.shape), array, written=False)
            self._constants.append(kept)
            self._addresses[place[buffer.name]] = address_of(kept)
        self._known: dict[tuple[int, ...], tuple[dict[Symbol, int], list[tuple[int, ...]]]] = {}
        self._arenas: list[tuple[int, Array, int]] = []  # (bytes, memory, aligned start)
        self._own_lock = threading.Lock()

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
        table, sizes, arena = self._address_table(*addresses), self._size_table(), ctypes.c_int64()
        status = self._enter(self._extent_table(*extents), table, sizes, ctypes.byref(arena))
        found = tuple(sizes)
        if status:
            return Bound(status, dict(zip(self._symbols, found, strict=True)))
        named, shapes = self._sizes_and_shapes(found)
        return Bound(status, named, tuple(arrays), (table, sizes, arena.value, shapes))

    def execute(self, bound: Bound) -> tuple[int, tuple[Array, ...]]:
        """Run it: (0, new output arrays), or (status, ()) where a check in a kernel failed."""
        if bound.status:
            raise ProgramError(f"execute after check {bound.status - 1} has failed")
        table, sizes, arena_bytes, shapes = bound.machine
        outputs = []
        for (_, dtype, place), shape in zip(self._outputs, shapes, strict=True):
            array = np.empty(shape, dtype)
            outputs.append(array)
            table[place] = address_of(array)
        arena = self._take_arena(arena_bytes)
        try:
            status = self._call(self._run, table, sizes, arena[2], self._runtime)
        finally:
            self._give_arena(arena)
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

    def _take_arena(self, needed: int) -> tuple[int, Array, int]:
        with self._own_lock:
            if self._arenas and self._arenas[-1][0] >= needed:
                return self._arenas.pop()
        memory = np.empty(needed + ARENA_ALIGNMENT, np.uint8)
        start = address_of(memory)
        return needed, memory, start + -start % ARENA_ALIGNMENT

    def _give_arena(self, arena: tuple[int, Array, int]) -> None:
        """Keep one for the next call: fresh memory costs a page fault per page."""
        with self._own_lock:
            if arena[0] <= KEPT_ARENA and (not self._arenas or self._arenas[-1][0] < arena[0]):
                self._arenas[:] = [arena]

    def ir(self) -> str:
        """The LLVM IR text that the code was made from."""
        return emit(self.program, self.machine.target())

    def assembly(self) -> str:
        """The machine code as text."""
        return compile_text(self.ir(), self.machine, assembly=True).decode()


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

    store keeps the object code of the GEMM library from process to process (0.2 s to compile per dtype): any mapping of
    texts to bytes. Without it the library is compiled at its first use in the process.
    """

    name = "cpu"

    def __init__(
        self, cpu: str = "", features: str | None = None, store: MutableMapping[str, bytes] | None = None
    ) -> None:
        self.machine, self.store = Machine(cpu, features), store

    def fingerprint(self) -> str:
        """LLVM and processor."""
        return f"cpu {self.machine.fingerprint()}"

    def compile(self, program: Program, constants: Sequence[Array] = ()) -> CpuExecutable:
        """Machine code for a verified Program."""
        return self.load(program, compile_text(emit(program, self.machine.target()), self.machine), constants)

    def load(self, program: Program, code: bytes, constants: Sequence[Array] = ()) -> CpuExecutable:
        """The same from code that an earlier Executable of an equal Program had."""
        return CpuExecutable(program, code, constants, self.machine, self.store)
