"""The module under construction: its target, its functions as text, and a writer that knows where values may stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Set
from dataclasses import field
from functools import cache

from symdl.backends.builder import BITS, LLVM_TYPE, UNSIGNED, Builder, Reg, vector_type
from symdl.records import mutable, record
from symdl.types import Compound, Extent, Symbol, nonnegative, symbols, terms_of

MEMORY_TYPE = {**LLVM_TYPE, "bool": "i8"}
ITEM_BYTES = {dtype: max(bits // 8, 1) for dtype, bits in BITS.items()}
ALIGNED = {dtype: min(size, 8) for dtype, size in ITEM_BYTES.items()}  # where an element may begin
# The order of addresses in the run-time table.
RUNTIME = (
    "poll",
    "gemm_float32",
    "gemm_float64",
    "parallel",
    "pool",
    "spread",
    "routine",
    "convolve_float32",
    "convolve_float64",
)

EXTREME = {"max": "gt", "min": "lt"}  # the comparison that the left number wins by
PACKS, REGISTER = " = insertvalue ", re.compile(r"%[\w.]+")
Told = Callable[[str, Set[str]], None]  # is given a finished function, and what it needs beside it


@cache
def types_of(lanes: int) -> dict[str, str]:
    """The IR type of a register, by dtype."""
    return {dtype: vector_type(dtype, lanes) if lanes else kind for dtype, kind in LLVM_TYPE.items()}


@record
class Target:
    """The machine that text is emitted for. No text depends on anything else than the Program and this.

    size_type is the IR type of extents and strides; fma says that the machine multiplies and adds in one rounding;
    vector_bytes is the width of the vectors that inner loops are written for, 0 for none; spare: see `Builder`; asks: whether
    long loops over one row of memory ask for what they will read; halves: whether float32 is read as float64 in less time by
    vectors of half the width; beside: how many bytes columns ask for ahead, in all their rows together.
    """

    triple: str = ""
    data_layout: str = ""
    fma: bool = False
    vector_bytes: int = 0
    size_type: str = "i64"
    spare: bool = False
    asks: bool = False
    halves: bool = False
    beside: int = 1 << 14

    @property
    def head(self) -> str:
        """What a text begins with."""
        named = ("triple", self.triple), ("datalayout", self.data_layout)
        return "\n".join(f'target {name} = "{value}"' for name, value in named if value)


@mutable
class Module:
    """Texts of declarations and functions. Two functions of one text are one."""

    target: Target
    declarations: set[str] = field(default_factory=set)
    functions: list[str] = field(default_factory=list)
    kernel_of: dict[int, str] = field(default_factory=dict)  # id of a loop nest -> its function
    kernels: dict[Hashable, str] = field(default_factory=dict)  # what a loop nest does -> the function that does it
    told: Told | None = None  # is given each function, and what it needs beside it
    _names: dict[str, str] = field(default_factory=dict)

    def add(self, text: str, builder: Builder) -> None:
        """A finished function and what it needs beside it."""
        self.functions.append(text)
        self.declarations |= builder.declarations
        if self.told is not None:
            self.told(text, builder.declarations)

    def share(
        self,
        stem: str,
        signature: str,
        body: str,
        builder: Builder,
        attributes: str = "noinline nounwind",
        result: str = "i64",
    ) -> str:
        """The name of an internal function with this signature, body and attributes, written only once."""
        key = f"{result} {signature} {attributes} {body}"
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"{stem}{len(self._names)}"
            self.add(f"define internal {result} @{name}{signature} {attributes} {body}", builder)
        return name

    def __str__(self) -> str:
        head = [self.target.head] if self.target.head else []
        return "\n".join([*head, *sorted(self.declarations), *self.functions]) + "\n"


@mutable
class Scope:
    """What is known from one place of a function on: symbols, and extents and values already computed.

    Code that must come before everything else in the scope goes to `landing`, which stands at the scope's start.
    """

    marker: str
    symbols: dict[Symbol, str] = field(default_factory=dict)
    extents: dict[Extent, str] = field(default_factory=dict)
    atoms: dict[Compound, str] = field(default_factory=dict)
    values: dict[int, Reg] = field(default_factory=dict)
    vectors: dict[int, Reg] = field(default_factory=dict)
    landing: list[str] = field(default_factory=list)
    block: str = ""  # where the landing ends, if it branches


class Writer(Builder):
    """A Builder with scopes, extents and loops.

    An extent is computed at the start of the innermost scope that defines one of its symbols, so outside every loop
    that does not change it.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(lanes=0, fma=target.fma, permutes=target.vector_bytes == 64, spare=target.spare)
        self.target = target
        self.word = target.size_type
        self.scopes: list[Scope] = []
        self.block = "entry"
        self._landings: dict[str, list[str]] = {}
        self.label("entry")
        self.open_scope()

    def take(self, lanes: int) -> int:
        """Write vectors of so many lanes from here on, or scalars (0); returns what it was before."""
        before, self.lanes, self._types = self.lanes, lanes, types_of(lanes)
        return before

    def label(self, name: str) -> None:
        super().label(name)
        self.block = name

    def open_scope(self) -> Scope:
        """Everything from here to close_scope is dominated by this place."""
        scope = Scope(f"; scope {len(self._landings)}")
        self._landings[scope.marker] = scope.landing
        self.lines.append(scope.marker)
        self.scopes.append(scope)
        return scope

    def close_scope(self) -> None:
        self.scopes.pop()

    def finished(self) -> str:
        """The function's body in braces, what has been hoisted standing where it belongs."""
        out = ["{"]
        for line in self.lines:
            out += self._landings.get(line, (line,))
        return "\n".join([*_read_structs(out), "}"])

    # symbols and extents

    def unknown(self, symbol: Symbol) -> str:
        """The register of a symbol that no scope defines, by code in the outermost scope's landing."""
        raise KeyError(symbol)

    def _depth(self, extent: Extent) -> int:
        """The innermost scope that defines a symbol of the extent."""
        if isinstance(extent, int):
            return 0
        names = symbols(extent)
        for depth in range(len(self.scopes) - 1, 0, -1):
            defined = self.scopes[depth].symbols
            if defined and not names.isdisjoint(defined):
                return depth
        return 0

    def register(self, symbol: Symbol) -> str:
        """The symbol in a register of the size type."""
        return self._symbol(symbol)[1]

    def _symbol(self, symbol: Symbol) -> tuple[int, str]:
        for depth in range(len(self.scopes) - 1, -1, -1):
            if symbol in self.scopes[depth].symbols:
                return depth, self.scopes[depth].symbols[symbol]
        with Landing(self, self.scopes[0]):
            found = self.scopes[0].symbols[symbol] = self.unknown(symbol)
        return 0, found

    def size(self, extent: Extent) -> str:
        """The extent in a register of the size type (or the text of a constant)."""
        if isinstance(extent, int):
            return str(int(extent))
        scope = self.scopes[self._depth(extent)]
        found = scope.extents.get(extent)
        if found is None:
            # Terms that change least come first, so that their sum is found outside the loops over the others.
            terms = [(self._depth_of_atoms(atoms), atoms, k) for atoms, k in terms_of(extent)]
            terms.sort(key=lambda t: t[0])
            total = ""
            for depth, atoms, k in terms:
                with Landing(self, self.scopes[depth]):
                    factors = [self._atom(a) for a in atoms]
                    if k != 1 or not factors:
                        factors.append(str(k))
                    term = factors[0]
                    for factor in factors[1:]:
                        term = self.arithmetic("mul", term, factor)
                    total = self.arithmetic("add", total, term) if total else term
            found = scope.extents[extent] = total
        return found

    def _depth_of_atoms(self, atoms: tuple[Symbol | Compound, ...]) -> int:
        depths = [0]
        for atom in atoms:
            depths += (
                [self._symbol(atom)[0]]
                if isinstance(atom, Symbol)
                else [self._depth(atom.left), self._depth(atom.right)]
            )
        return max(depths)

    def extreme(self, function: str, left: str, right: str) -> str:
        """The max or min of two numbers of the size type. No intrinsic: quick code takes each by a way of its own, 20 us."""
        left_is_it = self.arithmetic(f"icmp s{EXTREME[function]}", left, right)
        return self.emit(f"select i1 {left_is_it}, {self.word} {left}, {self.word} {right}", "int64").text

    def arithmetic(self, instruction: str, left: str, right: str) -> str:
        """One instruction on numbers of the size type."""
        return self.emit(f"{instruction} {self.word} {left}, {right}", "int64").text

    def _atom(self, atom: Symbol | Compound) -> str:
        if isinstance(atom, Symbol):
            return self._symbol(atom)[1]
        scope = self.scopes[max(self._depth(atom.left), self._depth(atom.right))]
        found = scope.atoms.get(atom)
        if found is None:
            with Landing(self, scope):
                found = scope.atoms[atom] = self._compound(atom)
        return found

    def _compound(self, atom: Compound) -> str:
        left, right = self.size(atom.left), self.size(atom.right)
        if atom.function != "floordiv":
            return self.extreme(atom.function, left, right)
        zero = ""
        if not isinstance(atom.right, int):  # a divisor that is 0 at run time must not trap: the quotient is then 0
            zero = self.arithmetic("icmp eq", right, "0")
            right = self.emit(f"select i1 {zero}, {self.word} 1, {self.word} {right}", "int64").text
        quotient = self.arithmetic("sdiv", left, right)
        if not (nonnegative(atom.left) and nonnegative(atom.right)):
            rest = self.arithmetic("srem", left, right)
            signs = self.arithmetic("xor", rest, right)
            uneven, differ = self.arithmetic("icmp ne", rest, "0"), self.arithmetic("icmp slt", signs, "0")
            lower = self.emit(f"and i1 {uneven}, {differ}", "bool").text
            quotient = self.arithmetic("add", quotient, self.emit(f"sext i1 {lower} to {self.word}", "int64").text)
        if zero:
            quotient = self.emit(f"select i1 {zero}, {self.word} 0, {self.word} {quotient}", "int64").text
        return quotient

    def as_word(self, value: Reg) -> str:
        """An integer register in the size type."""
        have, want = LLVM_TYPE[value.dtype], self.word
        if have == want:
            return value.text
        narrower = int(have[1:]) < int(want[1:])
        how = "trunc" if not narrower else "zext" if value.dtype in UNSIGNED else "sext"
        return self.emit(f"{how} {have} {value.text} to {want}", "int64").text

    # memory and control

    def element(self, pointer: str, dtype: str, index: str) -> str:
        """The address of one element."""
        if index == "0":
            return pointer
        place = f"{MEMORY_TYPE[dtype]}, {self.typed(pointer)}, {self.word} {index}"
        return self.emit(f"getelementptr inbounds {place}", "int64").text

    def typed(self, pointer: str) -> str:
        """An address with its type, which says in which memory it is."""
        return f"ptr {pointer}"

    def load(self, pointer: str, dtype: str) -> Reg:
        """The value of a dtype in memory."""
        kind = MEMORY_TYPE[dtype]
        found = self.emit(f"load {kind}, {self.typed(pointer)}, align {ALIGNED[dtype]}", dtype)
        return self.emit(f"icmp ne i8 {found.text}, 0", "bool") if dtype == "bool" else found

    def store(self, value: Reg, pointer: str) -> None:
        if value.dtype == "bool":
            value = self.emit(f"zext i1 {value.text} to i8", "uint8")
        self.line(f"store {MEMORY_TYPE[value.dtype]} {value.text}, {self.typed(pointer)}, align {ALIGNED[value.dtype]}")

    def entry(self, table: str, index: int) -> str:
        """Where entry `index` of a table of addresses stands."""
        return self.emit(f"getelementptr inbounds ptr, ptr {table}, i64 {index}", "int64").text if index else table

    def pointer_at(self, table: str, index: int) -> str:
        """Entry `index` of a table of addresses."""
        return self.emit(f"load ptr, ptr {self.entry(table, index)}", "int64").text

    def word_at(self, table: str, index: int) -> str:
        """The address of entry `index` of a table of numbers of the size type."""
        if not index:
            return table
        return self.emit(f"getelementptr inbounds {self.word}, ptr {table}, i64 {index}", "int64").text

    def branch(self, condition: str, yes: str, no: str) -> None:
        self.line(f"br i1 {condition}, label %{yes}, label %{no}")

    def jump(self, to: str) -> None:
        self.line(f"br label %{to}")

    def stop_unless(self, good: str, status: str) -> None:
        """Return the status at once where the condition does not hold."""
        go, stop = self.fresh("go"), self.fresh("stop")
        self.branch(good, go, stop)
        self.label(stop)
        self.line(f"ret i64 {status}")
        self.label(go)

    def stop_on(self, status: str) -> None:
        """Return a status that is not 0."""
        self.stop_unless(self.emit(f"icmp eq i64 {status}, 0", "bool").text, status)

    def open_loop(
        self, count: str, start: str = "0", step: int | str = 1, certain: bool = False, once: bool = False
    ) -> OpenLoop:
        """Begin a loop from start while below count, in registers as the step may be; certain says that it is entered, once
        that it has one round at most.

        Opens two scopes: what stands before the loop when it is entered at all, and its body.
        """
        ahead, body, after = self.fresh("ahead"), self.fresh("loop"), self.fresh("after")
        if certain:
            self.jump(ahead)
        else:
            self.branch(self.emit(f"icmp slt {self.word} {start}, {count}", "bool").text, ahead, after)
        self.label(ahead)
        before = self.open_scope()
        before.block = ahead
        self.jump(body)
        self.label(body)
        if once:
            self.open_scope()
            return OpenLoop(start, "", count, start, step, before, body, after, 0)
        index, following = f"%{self.fresh('i')}", f"%{self.fresh('n')}"
        at = len(self.lines)
        self.lines.append("")  # the phi, completed when the blocks that jump here are known
        self.open_scope()
        return OpenLoop(index, following, count, start, step, before, body, after, at)

    def close_loop(self, loop: OpenLoop) -> None:
        """End the loop; goes on behind it."""
        self.close_scope()
        self.close_scope()
        if not loop.following:
            self.jump(loop.after)
            self.label(loop.after)
            return
        self.line(f"{loop.following} = add nuw nsw {self.word} {loop.index}, {loop.step}")
        more = self.emit(f"icmp slt {self.word} {loop.following}, {loop.count}", "bool").text
        came_from = f"[ {loop.start}, %{loop.before.block} ], [ {loop.following}, %{self.block} ]"
        self.lines[loop.at] = f"  {loop.index} = phi {self.word} {came_from}"
        self.line(f"br i1 {more}, label %{loop.body}, label %{loop.after}")
        self.label(loop.after)


@record
class OpenLoop:
    """A loop under construction."""

    index: str
    following: str  # of the next round; empty where there is none
    count: str
    start: str
    step: int | str
    before: Scope
    body: str
    after: str
    at: int


def _read_structs(lines: list[str]) -> list[str]:
    """The lines of a function without structs that nobody reads: numbers of several limbs of which the limbs were taken."""
    read: set[str] = set()
    packing = [PACKS in line and "\n" not in line for line in lines]  # a function's text is one item
    for line, packs in zip(lines, packing, strict=True):
        if not packs and "{ " in line:  # all that reads a struct names its type
            read.update(REGISTER.findall(line))
    kept = []
    for line, packs in zip(reversed(lines), reversed(packing), strict=True):
        if packs:
            name, _, parts = line.partition(PACKS)
            if name.strip() not in read:
                continue
            read.update(REGISTER.findall(parts))
        kept.append(line)
    return kept[::-1]


class Landing:
    """While open, what the writer writes goes to a scope's start."""

    def __init__(self, writer: Writer, scope: Scope) -> None:
        self.writer, self.scope = writer, scope

    def __enter__(self) -> None:
        self.saved = self.writer.lines, self.writer.block, self.writer.in_block
        self.writer.lines, self.writer.block, self.writer.in_block = self.scope.landing, self.scope.block, {}

    def __exit__(self, *_: object) -> None:
        self.scope.block = self.writer.block
        self.writer.lines, self.writer.block, self.writer.in_block = self.saved
