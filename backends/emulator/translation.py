"""LLVM IR for a GPU becomes LLVM IR for the CPU in which each kernel is one thread's coroutine, with its memory watched.

The text is brought into LLVM's own form first, then rewritten line by line, so that what runs is what the GPU's compiler
is given:

    kernel          start(frame, parameters): parameters come from the packed buffer that a driver gets
    barrier         a suspension; shuffles, votes, tensor cores: show values, a suspension, look at the others' values
    load, store     through emu.check, where pointers are not known to be the thread's own
    special registers, approximations      calls of the run-time module, or small functions (`intrinsics`)
    shared memory   pieces of one global, with gaps between them
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import llvmlite.binding as llvm

from symdl.backends.emulator.intrinsics import (
    BLOCK_BARRIERS,
    COROUTINE_CALLS,
    FENCES,
    FUNCTIONS,
    REGISTERS,
    RUNTIME_CALLS,
    SHUFFLES,
    TENSOR_PRODUCT,
    VOTES,
    WARP_BARRIERS,
    defined,
)
from symdl.backends.emulator.layout import (
    ANY_POINTER,
    ATOMIC,
    BLOCK_SYNC,
    FRAME,
    GENERIC,
    SHARED,
    WARP_SYNC,
    WRITES,
)
from symdl.errors import CudaError

GAP = 256  # bytes between two variables of shared memory, and the alignment of each
MOST_SHARED = 232_448  # bytes of dynamic shared memory at most (the largest of current GPUs)
BYTES = {"half": 2, "bfloat": 2, "float": 4, "double": 8, "ptr": 8}

DEFINE = re.compile(
    r"define (?P<head>.*?)(?P<type>void|i1|i\d+|float|double|ptr|<[^>]*>|\{[^}]*\}|\[[^]]*\]) @(?P<name>[\w.$\"-]+)\((?P<parameters>.*)\)(?P<tail>[^)]*)\{$"
)
SHARED_GLOBAL = re.compile(r"@(?P<name>[\w.$]+) = (?P<linkage>[\w ]*?)addrspace\(3\) global (?P<rest>.*)")
CALL = re.compile(
    r"\s*(?:(?P<result>%[\w.]+) = )?(?:tail |musttail |notail )?call (?P<type>.*?) ?@llvm\.nvvm\.(?P<name>[\w.]+)\((?P<arguments>.*)\)"
)
LOAD = re.compile(r"\s*(?P<result>%[\w.]+) = load (?P<how>atomic |volatile )*(?P<rest>.*)")
STORE = re.compile(r"\s*store (?P<how>atomic |volatile )*(?P<rest>.*)")
EXCHANGE = re.compile(
    r"\s*(?P<result>%[\w.]+) = (?P<how>atomicrmw (?:volatile )?\w+|cmpxchg (?:weak )?(?:volatile )?)\s*(?P<rest>ptr.*)"
)
POINTER = re.compile(r"ptr(?: addrspace\((?P<space>\d+)\))? (?P<value>.*)")
ORDERING = re.compile(r'( syncscope\("\w*"\))?( (?:unordered|monotonic|acquire|release|acq_rel|seq_cst))+$')
METADATA = re.compile(r", ![\w.]+ !\d+")
BULK = re.compile(r"call [^@]*@llvm\.(?:mem(?:cpy|set|move)|masked\.\w+)\.[^(]*p[13]\b")  # of many bytes at once
MOVES = frozenset({"alloca", "getelementptr", "addrspacecast", "bitcast"})
MOVE = re.compile(r"\s*(%[\w.]+) = (\w+)\b(.*)")
ACCESSES = frozenset({"load", "store", "atomicrmw", "cmpxchg"})
NUMBERED = re.compile(r"%(\d+)\b")


@dataclass(frozen=True)
class Site:
    """An instruction that a fault may be noted for."""

    function: str
    line: str


@dataclass(frozen=True)
class KernelShape:
    """What a launch must know of a kernel: bytes of each parameter, the shared variables that it uses, and its limit of
    threads a block (0: none)."""

    parameters: tuple[int, ...]
    shared: tuple[str, ...]
    most_threads: int


@dataclass
class Translation:
    """Text for the CPU, and what belongs to it. shared: name -> (offset, bytes); 0 bytes are as many as a launch gives."""

    text: str
    kernels: dict[str, KernelShape]
    shared: dict[str, tuple[int, int]]
    sites: list[Site]


def pieces(text: str) -> list[str]:
    """A list of operands, cut at the commas that stand outside of brackets."""
    if not any(sign in text for sign in "([{<"):
        return [part.strip() for part in text.split(",")] if text.strip() else []
    found, depth, start = [], 0, 0
    for k, sign in enumerate(text):
        if sign in "([{<":
            depth += 1
        elif sign in ")]}>":
            depth -= 1
        elif sign == "," and depth == 0:
            found.append(text[start:k].strip())
            start = k + 1
    rest = text[start:].strip()
    return [*found, rest] if rest else found


@cache
def bytes_of(kind: str) -> int:
    """The size of an IR type in memory, where elements lie without gaps."""
    kind = kind.strip()
    if found := re.fullmatch(r"[<\[](\d+) x (.+)[>\]]", kind):
        return int(found[1]) * bytes_of(found[2])
    if kind.startswith("{"):
        return sum(bytes_of(part) for part in pieces(kind[1:-1]))
    if kind.startswith("ptr"):
        return 8
    if found := re.fullmatch(r"i(\d+)", kind):
        return (int(found[1]) + 7) // 8
    if kind not in BYTES:
        raise CudaError(f"the emulator does not know the size of {kind}")
    return BYTES[kind]


def type_of(operand: str) -> str:
    """The type at the start of `TYPE VALUE`."""
    depth = 0
    for k, sign in enumerate(operand):
        if sign in "([{<":
            depth += 1
        elif sign in ")]}>":
            depth -= 1
        elif sign == " " and depth == 0 and not operand[k:].startswith(" addrspace"):
            return operand[:k]
    return operand


def value_of(operand: str) -> str:
    """The value at the end of `TYPE VALUE`."""
    return operand[len(type_of(operand)) :].strip()


def canonical(text: str) -> str:
    """The text as LLVM prints it. Raises CudaError where LLVM does not read it."""
    try:
        with llvm.parse_assembly(text, llvm.create_context()) as module:
            module.verify()
            return str(module)
    except RuntimeError as error:
        raise CudaError("LLVM does not read the code of the kernels", (), str(error)) from None


def translate(text: str, checks: bool) -> Translation:
    """Code for the CPU. checks: with emu.check before each access; otherwise only synchronization is looked at."""
    return _Writer(checks).translated(canonical(text))


@dataclass
class _Writer:
    checks: bool
    lines: list[str] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    kernels: dict[str, KernelShape] = field(default_factory=dict)
    shared: dict[str, tuple[int, int]] = field(default_factory=dict)
    needed: dict[str, int] = field(default_factory=dict)  # functions of FUNCTIONS -> operands
    function: str = ""
    is_kernel: bool = False
    based_on: dict[str, int | None] = field(default_factory=dict)  # pointers of this function: None is its own memory
    only_read: set[int] = field(default_factory=set)  # what based_on says of pointers that are promised to be only read
    count: int = 0

    def translated(self, text: str) -> Translation:
        head, functions = _split(text)
        most_threads = _thread_limits(text)
        self._globals(head)
        uses = {f.name: f for f in functions}
        suspending = any(_suspends(f.lines) for f in functions)
        for f in functions:
            if not f.kernel and _suspends(f.lines):
                raise CudaError(
                    f"the emulator runs barriers and shuffles in kernels only, not in the function {f.name}",
                    (),
                    "Let LLVM inline it: alwaysinline.",
                )
        for f in functions:
            self._function(f)
            if f.kernel:
                parameters = tuple(bytes_of(_parameter(p)[0]) for p in pieces(f.parameters))
                self.kernels[f.name] = KernelShape(
                    parameters, _reached(f, uses, self.shared), most_threads.get(f.name, 0)
                )
        definitions, declared = [], set()
        for name, operands in sorted(self.needed.items()):
            definition, declaration = defined(name, operands)
            definitions.append(definition)
            declared.add(declaration)
        body = "\n".join(self.lines)
        present = set(re.findall(r"declare [^\n]*?(@[\w.]+)\(", body))
        extra = [d for d in sorted(declared) if d and re.search(r"@[\w.]+", d)[0] not in present]  # type: ignore[index]
        parts = [RUNTIME_CALLS, *([COROUTINE_CALLS, _coro_end()] if suspending else []), *extra, *definitions]
        if not suspending:
            parts.append("%emu.yielded = type { ptr, i32 }")
        text = "\n".join([*parts, self._shared_memory(), body, ""])
        return Translation(text, self.kernels, self.shared, self.sites)

    # globals

    def _globals(self, head: list[str]) -> None:
        """Everything outside of functions; shared variables get their places."""
        at = 0
        for line in head:
            if line.startswith(("target ", "source_filename", "!", "declare ")) and not _kept(line):
                continue
            if found := SHARED_GLOBAL.match(line):
                size = bytes_of(type_of(pieces(found["rest"])[0]))
                if "external" in found["linkage"] or size == 0:
                    size = 0
                self.shared[found["name"]] = at, size
                at += (size or MOST_SHARED) + GAP
                at += -at % GAP
                continue
            if line.startswith("attributes "):
                line = re.sub(r'"[^"]*"(="[^"]*")?', "", line).replace("{", "{ nounwind", 1)  # none may be empty
            self.lines.append(line)

    def _shared_memory(self) -> str:
        total = max((at + (size or MOST_SHARED) + GAP for at, size in self.shared.values()), default=0)
        if not total:
            return ""
        lines = [f"@emu.shared = internal addrspace(3) global [{total} x i8] zeroinitializer, align {GAP}"]
        for name, (at, size) in self.shared.items():
            place = f"ptr addrspace(3) getelementptr (i8, ptr addrspace(3) @emu.shared, i64 {at})"
            lines.append(f"@{name} = internal alias [{size} x i8], {place}")
        lines.append("define ptr @emu.shared.address() {")
        lines.append("  ret ptr addrspacecast (ptr addrspace(3) @emu.shared to ptr)\n}")
        return "\n".join(lines)

    # functions

    def _function(self, f: _Function) -> None:
        self.function, self.is_kernel, self.based_on = f.name, f.kernel, {}
        self.only_read = set()
        body = f.lines
        parameters = [_parameter(p) for p in pieces(f.parameters)]
        for k, (kind, name, attributes) in enumerate(parameters):
            if kind.startswith("ptr"):
                alone = f.kernel and "noalias" in attributes
                self.based_on[name] = min(k + 1, ANY_POINTER - 1) if alone else 0 if f.kernel else ANY_POINTER
                if alone and "readonly" in attributes:
                    self.only_read.add(self.based_on[name] or 0)
        if not f.kernel:
            self.lines.append(NUMBERED.sub(r"%emu.v\1", f.header))
            for line in body:
                self._line(line)
            self.lines.append("}")
            return
        suspends = _suspends(body)
        how = "presplitcoroutine" if suspends else "nounwind"
        self.lines.append(f"define %emu.yielded @emu.start.{f.name}(ptr %emu.frame, ptr %emu.parameters) {how} {{")
        first = re.match(r"([\w.$\"]+):", body[0])
        unnamed = sum(1 for _, name, _ in parameters if re.fullmatch(r"%emu.v\d+", name))
        self.lines.append(f"{first[1]}:" if first else f"emu.v{unnamed}:")
        if suspends:
            self.lines.append(
                f"  %emu.id = call token @llvm.coro.id.retcon(i32 {FRAME}, i32 64, ptr %emu.frame, ptr @emu.proto, "
                "ptr @emu.alloc, ptr @free)\n  %emu.handle = call ptr @llvm.coro.begin(token %emu.id, ptr null)"
            )
        at = 0
        for k, (kind, name, _) in enumerate(parameters):
            size = bytes_of(kind)
            at += -at % size
            self.lines.append(f"  %emu.p{k} = getelementptr i8, ptr %emu.parameters, i64 {at}")
            self.lines.append(f"  {name} = load {kind}, ptr %emu.p{k}")
            at += size
        for line in body[1:] if first else body:
            if line.strip().startswith("ret void"):
                self.lines.append("  br label %emu.exit")
            else:
                self._line(line)
        self.lines.append("emu.exit:")
        if suspends:
            result = "void" if llvm.llvm_version_info[0] >= 22 else "i1"
            self.lines.append(
                f"  call {result} @llvm.coro.end(ptr %emu.handle, i1 false, token none)\n  unreachable\n}}"
            )
        else:
            self.lines.append("  ret %emu.yielded zeroinitializer\n}")

    def _line(self, line: str) -> None:
        if ", !" in line:
            line = METADATA.sub("", line)
        if " asm " in line:
            raise CudaError(f"the emulator does not know this instruction of {self.function}", (), line.strip())
        if self.checks and BULK.search(line):
            raise CudaError(f"the emulator does not watch this instruction of {self.function}", (), line.strip())
        if "@llvm.nvvm." in line:
            found = CALL.match(line)
            if not found:
                raise CudaError(f"the emulator cannot read this line of {self.function}", (), line.strip())
            self._intrinsic(line, found["result"], found["name"], pieces(found["arguments"]))
            return
        _, defines, rest = line.partition(" = ")
        opcode = (rest if defines else line).split(None, 1)[0]
        if opcode in MOVES:
            self._follow(line)
        if not (self.checks and opcode in ACCESSES and self._checked(line)):
            self.lines.append(line)

    def _follow(self, line: str) -> None:
        """Remember what a pointer is based on."""
        found = MOVE.match(line)
        if not found:
            return
        if found[2] == "alloca":
            self.based_on[found[1]] = None
            return
        base = re.search(r"ptr(?: addrspace\(\d+\))? ([%@][\w.$]+)", found[3])
        self.based_on[found[1]] = self.based_on.get(base[1], ANY_POINTER) if base else ANY_POINTER

    def _site(self, line: str) -> int:
        self.sites.append(Site(self.function, line.strip()))
        return len(self.sites) - 1

    def _fresh(self) -> str:
        self.count += 1
        return str(self.count)

    # memory

    def _checked(self, line: str) -> bool:
        """Write an access with its check; False where it is none, or one of the thread's own memory."""
        if found := LOAD.match(line):
            kind, pointer, *tail = pieces(found["rest"])
            how = 0 if not found["how"] else ATOMIC
            return self._access(line, kind, pointer, tail, how)
        if found := STORE.match(line):
            value, pointer, *tail = pieces(found["rest"])
            how = WRITES | (ATOMIC if found["how"] else 0)
            return self._access(line, type_of(value), pointer, tail, how)
        if found := EXCHANGE.match(line):
            pointer, value, *tail = pieces(found["rest"])
            return self._access(line, type_of(value), pointer, tail, WRITES | ATOMIC)
        return False

    def _access(self, line: str, kind: str, pointer: str, tail: list[str], how: int) -> bool:
        found = POINTER.fullmatch(ORDERING.sub("", pointer) if how & ATOMIC else pointer)
        if not found:
            raise CudaError(f"the emulator cannot read this line of {self.function}", (), line.strip())
        space, value = int(found["space"] or 0), found["value"]
        base = self.based_on.get(value, ANY_POINTER)
        if base is None or (space == 0 and value.startswith("@")) or space in (4, 5):
            return False
        if how & WRITES and base in self.only_read:
            raise CudaError(f"{self.function} writes through a pointer that it promises only to read", (), line.strip())
        size = bytes_of(kind)
        aligned = [t for t in tail if t.startswith("align ")]
        alignment = int(aligned[0].split()[1]) if aligned else size
        kinds = how | (SHARED if space == 3 else GENERIC if space == 0 else 0) | (base << 8)
        if space == 3:
            kinds |= ANY_POINTER << 8
        n, site = self._fresh(), self._site(line)
        cast = f"  %emu.c{n} = addrspacecast ptr addrspace({space}) {value} to ptr"
        source = f"%emu.c{n}" if space else value
        if space:
            self.lines.append(cast)
        self.lines.append(
            f"  %emu.d{n} = call ptr @emu.check(ptr {source}, i64 {size}, i64 {alignment}, i32 {kinds}, i32 {site})"
        )
        written = f"ptr addrspace({space}) {value}" if space else f"ptr {value}"
        at = line.rindex(written) if how & WRITES and not how & ATOMIC else line.index(written)
        self.lines.append(line[:at] + f"ptr %emu.d{n}" + line[at + len(written) :])
        return True

    # intrinsics

    def _intrinsic(self, line: str, result: str | None, name: str, arguments: list[str]) -> None:
        if name.startswith("read.ptx.sreg."):
            register = REGISTERS.get(name.removeprefix("read.ptx.sreg."))
            if register:
                self.lines.append(f"  {result} = {register}")
                return
        elif name in BLOCK_BARRIERS:
            if arguments and value_of(arguments[0]) != "0":
                raise CudaError(f"the emulator knows barrier 0 only: {self.function}", (), line.strip())
            self.lines.append(f"  call void @emu.arrive(i32 {self._site(line)})")
            self._suspend(BLOCK_SYNC)
            return
        elif name in WARP_BARRIERS:
            n = self._fresh()
            self.lines.append(f"  %emu.w{n} = call ptr @emu.show({arguments[0]}, i32 {self._site(line)})")
            self._suspend(WARP_SYNC)
            self.lines.append("  call void @emu.passed()")
            return
        elif found := re.fullmatch(r"shfl\.sync\.(up|down|bfly|idx)\.(i32|f32)(p?)", name):
            self._shuffle(line, result, found[1], found[2], bool(found[3]), arguments)
            return
        elif found := re.fullmatch(r"vote\.(all|any|uni|ballot)\.sync", name):
            n = self._show(line, arguments[0], "i1", value_of(arguments[1]))
            self._suspend(WARP_SYNC)
            what = "i32 @emu.ballot()" if found[1] == "ballot" else f"i1 @emu.vote(i32 {VOTES.index(found[1])})"
            self.lines.append(f"  {result or f'%emu.u{n}'} = call {what}")
            return
        elif name == TENSOR_PRODUCT:
            self._multiply(line, result, arguments)
            return
        elif name in FENCES:
            return
        elif name in FUNCTIONS:
            kind = FUNCTIONS[name][0]
            self.needed[name] = len(arguments)
            self.lines.append(f"  {result} = call {kind} @emu.n.{name}({', '.join(arguments)})")
            return
        raise CudaError(f"the emulator does not know llvm.nvvm.{name}, which {self.function} calls", (), line.strip())

    def _show(self, line: str, mask: str, kind: str, value: str) -> str:
        """What a lane brings to its warp, as 32 bits; the number of the names that were used."""
        n = self._fresh()
        self.lines.append(f"  %emu.w{n} = call ptr @emu.show({mask}, i32 {self._site(line)})")
        if kind == "i1":
            self.lines.append(f"  %emu.z{n} = zext i1 {value} to i32")
            kind, value = "i32", f"%emu.z{n}"
        self.lines.append(f"  store {kind} {value}, ptr %emu.w{n}")
        return n

    def _suspend(self, kind: int) -> None:
        self.lines.append(f"  %emu.s{self._fresh()} = call i1 (...) @llvm.coro.suspend.retcon.i1(i32 {kind})")

    def _shuffle(self, line: str, result: str | None, mode: str, kind: str, told: bool, arguments: list[str]) -> None:
        mask, value, by, clamp = arguments
        kind = "float" if kind == "f32" else "i32"
        n = self._show(line, mask, kind, value_of(value))
        self._suspend(WARP_SYNC)
        site = len(self.sites) - 1
        self.lines += [
            f"  %emu.x{n} = call i64 @emu.shuffle(i32 {SHUFFLES.index(mode)}, {by}, {clamp}, i32 {site})",
            f"  %emu.y{n} = trunc i64 %emu.x{n} to i32",
        ]
        if not result:
            return
        if not told:
            self.lines.append(f"  {result} = bitcast i32 %emu.y{n} to {kind}")
            return
        self.lines += [
            f"  %emu.b{n} = bitcast i32 %emu.y{n} to {kind}",
            f"  %emu.h{n} = lshr i64 %emu.x{n}, 32",
            f"  %emu.i{n} = trunc i64 %emu.h{n} to i1",
            f"  %emu.j{n} = insertvalue {{ {kind}, i1 }} undef, {kind} %emu.b{n}, 0",
            f"  {result} = insertvalue {{ {kind}, i1 }} %emu.j{n}, i1 %emu.i{n}, 1",
        ]

    def _multiply(self, line: str, result: str | None, arguments: list[str]) -> None:
        """Tensor cores: each lane shows its six words of the operands, and adds up its four elements of the product."""
        n = self._fresh()
        self.lines.append(f"  %emu.w{n} = call ptr @emu.show(i32 -1, i32 {self._site(line)})")
        for k, word in enumerate(arguments[:6]):
            self.lines.append(f"  %emu.o{n}.{k} = getelementptr i32, ptr %emu.w{n}, i32 {k}")
            self.lines.append(f"  store {word}, ptr %emu.o{n}.{k}")
        self._suspend(WARP_SYNC)
        kind = "{ float, float, float, float }"
        self.lines.append(f"  {result or f'%emu.u{n}'} = call {kind} @emu.multiplied({', '.join(arguments[6:])})")


# reading


@dataclass(frozen=True)
class _Function:
    header: str
    name: str
    kernel: bool
    parameters: str
    lines: list[str]  # between the header and the closing brace


def _split(text: str) -> tuple[list[str], list[_Function]]:
    """What stands outside of functions, and the functions. Values and blocks without names get some."""
    head: list[str] = []
    functions = []
    lines = iter(text.splitlines())
    for line in lines:
        if not line.startswith("define "):
            head.append(line)
            continue
        found = DEFINE.match(line)
        if not found:
            raise CudaError("the emulator cannot read this function", (), line)
        body = [_named(inner) for inner in _until_brace(lines)]
        kernel = "ptx_kernel" in found["head"]
        parameters = NUMBERED.sub(r"%emu.v\1", found["parameters"])
        functions.append(_Function(line, found["name"], kernel, parameters, [b for b in body if b]))
    return head, functions


def _until_brace(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line == "}":
            return
        yield line


def _named(line: str) -> str:
    line = line.split(" ; ", 1)[0].rstrip() if '"' not in line else line
    return re.sub(r"^(\d+):", r"emu.v\1:", NUMBERED.sub(r"%emu.v\1", line))


def _parameter(text: str) -> tuple[str, str, str]:
    """(type, name, attributes)"""
    kind = type_of(text)
    rest = text[len(kind) :].split()
    return kind, rest[-1], " ".join(rest[:-1])


def _suspends(lines: list[str]) -> bool:
    return any(
        "@llvm.nvvm." in line and re.search(r"@llvm\.nvvm\.(bar|shfl\.sync|vote\.\w+\.sync|mma)", line)
        for line in lines
    )


def _reached(f: _Function, functions: dict[str, _Function], names: dict[str, tuple[int, int]]) -> tuple[str, ...]:
    """The shared variables that a kernel, or a function that it calls, names."""
    seen, todo, found = {f.name}, [f], set()
    while todo:
        for name in set(re.findall(r"@([\w.$]+)", "\n".join(todo.pop().lines))):
            if name in names:
                found.add(name)
            elif name in functions and name not in seen:
                seen.add(name)
                todo.append(functions[name])
    return tuple(sorted(found, key=lambda name: names[name]))


def _thread_limits(text: str) -> dict[str, int]:
    """maxntid of each kernel, from metadata or attributes."""
    found = re.findall(r'!\{ptr @([\w.$]+), !"maxntidx", i32 (\d+)\}', text)
    groups = dict(re.findall(r"^attributes #(\d+) = \{(.*)\}$", text, re.MULTILINE))
    for name, group in re.findall(
        r"^define [^\n]*ptx_kernel void @([\w.$]+)\([^\n]*\) [^\n]*?#(\d+)", text, re.MULTILINE
    ):
        if limit := re.search(r'"nvvm.maxntid"="(\d+)', groups.get(group, "")):
            found.append((name, limit[1]))
    return {name: int(limit) for name, limit in found}


def _kept(line: str) -> bool:
    return line.startswith("declare ") and "@llvm.nvvm." not in line


def _coro_end() -> str:
    result = "void" if llvm.llvm_version_info[0] >= 22 else "i1"
    return f"declare {result} @llvm.coro.end(ptr, i1, token)"
