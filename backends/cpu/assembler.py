"""IR text to object code for one machine: large texts in parts, on several threads at once."""

from __future__ import annotations

import ctypes
import re
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, TypeVar

import llvmlite
import llvmlite.binding as llvm

from symdl.backends.forks import inside
from symdl.backends.gemm.tiles import Tile, tile_for
from symdl.backends.llvm import Target
from symdl.config import config

PAIR_LINES = 900  # of a text for every two parts of it: some 50 ms of work, of which 2 or 3 are the price of a part
LENGTH = struct.Struct("<Q")
MOST_PARTS = 16
FUNCTIONS = re.compile(r"^(?=define )", re.MULTILINE)
HOT = re.compile(r'define [^\n]* "hot"')  # an attribute of ours, which LLVM does not know
HEADER = re.compile(r"define (?:internal )?(?P<signature>[^\n]*?@(?P<name>[\w.]+)\([^\n]*) \{$", re.MULTILINE)
NAME = re.compile(r"@([\w.]+)")
ADDERS_APART = re.compile(r"znver[3-9]")  # two units for sums beside two for products
ASKS = re.compile(r"znver5")  # long loops gain a quarter by asking for memory ahead; on Zen 4 they lose as much
NARROW = re.compile(r"znver4")  # units of 32 bytes: four float32 to float64 are one step, eight four; 32 KiB of cache
R = TypeVar("R")
_lock = threading.Lock()
_kept: dict[str, list[tuple[Any, Any, dict[int, Any]]]] = {}  # by machine: tools that no thread is using
_initialized = False


class Machine:
    """The instruction set that code is made for; by default this computer's."""

    def __init__(self, cpu: str = "", features: str | None = None) -> None:
        global _initialized
        with _lock:
            if not _initialized:
                llvm.initialize_native_target()
                llvm.initialize_native_asmprinter()
                _initialized = True
        self.cpu = cpu or llvm.get_host_cpu_name()
        known = llvm.get_host_cpu_features()
        self.features = (known.flatten() if not cpu else "") if features is None else features
        self.triple = llvm.get_process_triple()
        self.layout = str(self.for_loading().target_data)
        has = set(self.features.split(","))
        arm = self.triple.startswith(("aarch64", "arm64"))
        self.fma = arm or {"+fma", "+avx2"} <= has
        self.vector_bytes = 64 if "+avx512f" in has else 32 if self.fma and not arm else 16
        self.registers = 32 if arm or self.vector_bytes == 64 else 16

    def create(self, level: int = 1) -> Any:
        """A new llvmlite TargetMachine, of LLVM's level of optimization."""
        return self._created(cpu=self.cpu, features=self.features, opt=level)

    def for_loading(self) -> Any:
        """One that translates nothing, for an engine, which owns it: to read the features takes a third of the time of
        loading code."""
        return self._created()

    def _created(self, **what: Any) -> Any:
        target = llvm.Target.from_triple(self.triple)
        return target.create_target_machine(reloc="default", codemodel="jitdefault", jit=True, **what)

    def fingerprint(self) -> str:
        """What machine code depends on beside its IR text."""
        version = ".".join(map(str, llvm.llvm_version_info))
        return f"llvm {version} llvmlite {llvmlite.__version__} {self.triple} {self.cpu} {self.features}"

    def target(self) -> Target:
        """What the emitter must know."""
        narrow = NARROW.fullmatch(self.cpu) is not None
        return Target(
            triple=self.triple,
            data_layout=self.layout,
            fma=self.fma,
            vector_bytes=self.vector_bytes,
            spare=self.fma and ADDERS_APART.fullmatch(self.cpu) is not None,
            asks=ASKS.fullmatch(self.cpu) is not None,
            beside=1 << 13 if narrow else 1 << 14,
            halves=narrow and self.vector_bytes == 64,
        )

    def tile(self, dtype: str) -> Tile:
        """The GEMM register tile for these vectors."""
        return tile_for(dtype, self.vector_bytes, self.registers, self.fma)


# translation


def object_code(texts: Sequence[str], machine: Machine) -> bytes:
    """Object files that link with one another, one for each IR text (see `parts_of`), as one piece for `objects_in`.

    They hold no addresses of this process and depend on nothing but texts and machine.
    """
    return together(at_once([partial(translated, text, machine) for text in texts], config.threads))


def quick_code(text: str, machine: Machine) -> bytes:
    """The same of a library's text, in a quarter of the time: only its functions with the attribute "hot" are optimized. Every
    number that it computes is the same, bit for bit: the texts ask LLVM for each operation by itself. By one thread, since
    others are at work when it is wanted."""
    hot = [HOT.match(f) is not None for f in FUNCTIONS.split(text)[1:]]
    if not any(hot) or all(hot):
        return together([translated(text, machine, int(any(hot)))])
    warm, rest = distributed(text, [int(not is_hot) for is_hot in hot], 2)
    return together([translated(rest, machine, 0), translated(warm, machine)])


def together(objects: Iterable[bytes]) -> bytes:
    """Object files that link with one another as one piece."""
    return b"".join(LENGTH.pack(len(one)) + one for one in objects)


def objects_in(code: bytes) -> Iterator[bytes]:
    """The object files that `together` has put together."""
    at = 0
    while at < len(code):
        (size,) = LENGTH.unpack_from(code, at)
        at += LENGTH.size + size
        yield code[at - size : at]


def assembly(text: str, machine: Machine) -> str:
    """The machine code of an IR text, as text."""
    return translated(text, machine, readable=True).decode()


@inside
def translated(text: str, machine: Machine, level: int = 1, readable: bool = False) -> bytes:
    """The object file of one text at a level of LLVM's optimization, or its assembly text.

    Vectors and hoisting are in the text already, so only what turns variables into registers runs before the machine
    code is made, and that at LLVM's level 1: its vectoriser and companions take as long again as everything else,
    combining instructions and the levels above 1 another fifth, and the code is no quicker for them (elementwise
    functions, number forms, products and training steps, Zen 3). At level 0 it does not pay: registers live for a block there.
    """
    context = llvm.create_context()
    with llvm.parse_assembly(text, context) as module:  # closed here: a garbage collector might free the context first
        module.verify()
        with _tools(machine) as (passes, builder, targets):
            if level not in targets:
                targets[level] = machine.create(level)
            if level:
                _cleaned(module, passes, builder)
            return _emitted(module, targets[level], readable)


@contextmanager
def _tools(machine: Machine) -> Iterator[tuple[Any, Any, dict[int, Any]]]:
    """The passes that run, their builder, and target machines by level, for one thread at a time. They are kept: to make
    them takes as long as to translate ten lines, and LLVM does not free all of a builder, but 1.7 KB at each compilation."""
    with _lock:
        kept = _kept.setdefault(machine.fingerprint(), [])
        found = kept.pop() if kept else None
    if found is None:
        passes = llvm.create_new_module_pass_manager()
        passes.add_sroa_pass()
        passes.add_simplify_cfg_pass()
        tuning = llvm.create_pipeline_tuning_options(speed_level=1)
        found = passes, llvm.create_pass_builder(machine.create(), tuning), {}
    try:
        yield found
    finally:
        kept.append(found)


def _cleaned(module: Any, passes: Any, builder: Any) -> None:
    free = _without_lock()
    if free:
        free["LLVMPY_RunNewModulePassManager"](passes, module, builder)
    else:
        passes.run(module, builder)


def _emitted(module: Any, target: Any, readable: bool) -> bytes:
    free = _without_lock()
    if not free:
        return target.emit_assembly(module).encode() if readable else bytes(target.emit_object(module))
    with llvm.ffi.OutputString() as trouble:
        memory = free["LLVMPY_TargetMachineEmitToMemory"](target, module, int(not readable), trouble)
        if not memory:
            raise RuntimeError(str(trouble))
    try:
        return ctypes.string_at(llvm.ffi.lib.LLVMPY_GetBufferStart(memory), llvm.ffi.lib.LLVMPY_GetBufferSize(memory))
    finally:
        llvm.ffi.lib.LLVMPY_DisposeMemoryBuffer(memory)


@cache
def _without_lock() -> Mapping[str, Callable[..., Any]]:
    """The two calls that take long, without the lock that llvmlite holds around every call; nothing, where llvmlite is
    built otherwise than is known here.

    LLVM allows it: modules of different contexts, with target machines of their own, share nothing.
    """
    names = "LLVMPY_RunNewModulePassManager", "LLVMPY_TargetMachineEmitToMemory"
    try:
        return {name: getattr(llvm.ffi.lib, name)._cfn for name in names}
    except AttributeError:
        return {}


# threads


def at_once(calls: Sequence[Callable[[], R]], threads: int) -> list[R]:
    """The results of calls, in order, worked out by so many threads at most, of which the caller is one. Raises what one
    of the calls raises."""
    todo = deque(enumerate(calls))
    results: dict[int, R] = {}
    errors: list[BaseException] = []

    def work() -> None:
        while todo:
            try:
                place, call = todo.popleft()
            except IndexError:  # another thread was quicker
                return
            try:
                results[place] = call()
            except BaseException as error:  # noqa: BLE001  # raised again, in the caller
                errors.append(error)
                todo.clear()

    others: list[threading.Thread] = []
    for _ in range(min(threads, len(calls)) - 1):
        other = threading.Thread(target=work, name="symdl-compile")
        try:
            other.start()
        except RuntimeError:  # no thread is left to be had, or the interpreter is going down
            break
        others.append(other)
    work()
    for other in others:  # a child that is forked later must not find their locks taken
        other.join()
    try:
        if errors:
            raise errors[0]
    finally:
        errors.clear()  # or the error would hold itself, by way of `work`
    return [results[k] for k in range(len(calls))]


# parts


def parts_of(text: str) -> list[str]:
    """An IR text as texts of about equal size whose object files link with one another; a short one, or one with
    variables, as it is. They depend on nothing but the text."""
    count = min(2 * (text.count("\n") // PAIR_LINES), MOST_PARTS)
    head, *functions = FUNCTIONS.split(text)
    if count < 2 or "= global" in head:
        return [text]
    return distributed(text, _balanced([f.count("\n") for f in functions], count), count)


def distributed(text: str, part_of: Sequence[int], count: int) -> list[str]:
    """An IR text as so many texts, each function in the part that is told for it. A function that another part calls
    becomes visible to it; constants go to each part that names them."""
    head, *functions = FUNCTIONS.split(text)
    place, signature = {}, {}
    for function, part in zip(functions, part_of, strict=True):
        found = HEADER.match(function)
        assert found, function.partition("\n")[0]
        place[found["name"]], signature[found["name"]] = part, f"declare {found['signature']}\n"
    constants = {
        in_line[0]: set(in_line)
        for line in head.splitlines()
        if line.startswith("@") and (in_line := NAME.findall(line))
    }
    named = []  # by each function, also through constants
    for function in functions:
        names = set(NAME.findall(function))
        named.append(names.union(*(constants[name] for name in names & constants.keys())))
    callers: dict[str, set[int]] = {name: set() for name in place}
    for names, part in zip(named, place.values(), strict=True):
        for name in names & place.keys():
            callers[name].add(part)
    target = [line for line in head.splitlines(keepends=True) if line.startswith("target ")]
    texts = []
    for part in range(count):
        used = set().union(*(names for names, its in zip(named, place.values(), strict=True) if its == part))
        lines = [x for x in head.splitlines(keepends=True) if (name := NAME.search(x)) and name[1] in used]
        lines += [s for name, s in signature.items() if name in used and place[name] != part]
        for function, (name, its) in zip(functions, place.items(), strict=True):
            if its == part:
                shown = callers[name] - {part}
                lines.append(function.replace("define internal ", "define ", 1) if shown else function)
        texts.append("".join([*target, *lines]))
    return texts


def _balanced(sizes: Sequence[int], count: int) -> list[int]:
    """The part of each piece: the largest pieces first, each to the part that is lightest so far."""
    weights, part_of = [0] * count, [0] * len(sizes)
    for k in sorted(range(len(sizes)), key=lambda k: -sizes[k]):
        part_of[k] = weights.index(min(weights))
        weights[part_of[k]] += sizes[k]
    return part_of
