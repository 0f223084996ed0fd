"""Statements for a group of threads that works together: one warp, or all threads of a block.

Variables and the statements that set them are the same in every thread. A loop of independent rounds is dealt out, its sums
brought together by exchanges within warps and, between the warps of a block, through shared memory, always in one order. A
single store is made by the first thread; so is what is serial, after which the others are told what variables hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from symdl.backends.builder import BITS, LLVM_TYPE, Reg
from symdl.backends.llvm.module import Module
from symdl.backends.llvm.plans import Plan
from symdl.backends.llvm.statements import Nest, changed_in, varying_in
from symdl.backends.nvptx.carried import carried_of
from symdl.backends.nvptx.hazards import Fold, Hazards, Touch, folds_of, has_dealt, nested
from symdl.backends.nvptx.independence import uses_in
from symdl.backends.nvptx.writer import SHARED, GpuWriter
from symdl.backends.wide import emit, numbers
from symdl.ir.loops import Assign, Barrier, For, Local, Stmt, Store, walk
from symdl.number_forms import LIMBS, WIDE
from symdl.types import Symbol

Plus = Callable[[Sequence[Reg], Sequence[Reg]], list[Reg]]  # of all values of two threads
WARP, THREADS = 32, 256  # of a warp, and of a block
INTRINSICS = {
    "tid": "declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()",
    "ctaid": "declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()",
    "nctaid": "declare i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()",
    "ctaid.y": "declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()",
    "ctaid.z": "declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.z()",
    "barrier": "declare void @llvm.nvvm.barrier0()",
    "warp": "declare void @llvm.nvvm.bar.warp.sync(i32)",
    "bfly": "declare i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)",
    "idx": "declare i32 @llvm.nvvm.shfl.sync.idx.i32(i32, i32, i32, i32)",
}


def identity(primitive: str, dtype: str) -> float:
    """What a fold may begin with, and nothing is changed."""
    kind = dtype.rstrip("0123456789")
    whole = (1 << (BITS[dtype] - (kind == "int"))) - 1 if "int" in kind or dtype == "bool" else 0
    least = -whole - 1 if kind == "int" else 0
    is_float = dtype.startswith("float")
    match primitive:
        case "mul":
            return 1
        case "maximum":
            return -np.inf if is_float else least
        case "minimum":
            return np.inf if is_float else whole
        case "bitwise_and":
            return -1 if kind == "int" else whole
    return 0


class GroupWriter(GpuWriter):
    """A GpuWriter for groups of `size` threads, `threads` of them in a block."""

    def __init__(
        self, module: Module, pointers: dict[str, str], indices: set[Symbol], size: int = 1, threads: int = THREADS
    ) -> None:
        super().__init__(module, pointers, indices)
        self.size_of_group, self.threads = size, threads
        self.hazards = Hazards()
        self.words = 0  # of shared memory that sums pass through
        self.in_group = self.leader = ""  # the number of the thread in its group, and whether it is the first
        self.scratch = ""

    # threads

    def special(self, name: str) -> str:
        """A special register, as a number of the size type."""
        self.declarations.add(INTRINSICS[name])
        found = self.emit(f"call i32 @llvm.nvvm.read.ptx.sreg.{name}{'' if '.' in name else '.x'}()", "int32").text
        return self.emit(f"zext i32 {found} to {self.word}", "int64").text

    def begin(self, size: int, block: str, blocks: str) -> tuple[str, str]:
        """(the number of this thread's group, how many groups there are) from here on, where groups have so many threads and
        this is one block of so many."""
        self.size_of_group = size
        self.hazards.clear()
        thread = self.special("tid")
        if size == 1:
            first = self.arithmetic("mul", block, str(self.threads))
            return self.arithmetic("add", first, thread), self.arithmetic("mul", blocks, str(self.threads))
        in_block = self.threads // size
        group, groups, self.in_group = block, blocks, thread
        if in_block > 1:
            self.in_group = self.arithmetic("and", thread, str(size - 1))
            group = self.arithmetic("mul", block, str(in_block))
            group = self.arithmetic("add", group, self.arithmetic("lshr", thread, str(size.bit_length() - 1)))
            groups = self.arithmetic("mul", blocks, str(in_block))
        self.leader = self.emit(f"icmp eq {self.word} {self.in_group}, 0", "bool").text
        return group, groups

    def meet(self) -> None:
        """All threads of the group come here before any goes on; what they have written is seen by all."""
        if self.size_of_group == WARP:
            self.declarations.add(INTRINSICS["warp"])
            self.line("call void @llvm.nvvm.bar.warp.sync(i32 -1)")
        else:
            self.declarations.add(INTRINSICS["barrier"])
            self.line("call void @llvm.nvvm.barrier0()")
        self.hazards.clear()

    # statements

    def cooperate(self, body: Sequence[Stmt]) -> None:
        """Statements of the whole group."""
        for statement in body:
            self.together(statement)

    def together(self, statement: Stmt) -> None:
        """One statement of the whole group."""
        match statement:
            case Barrier():
                self.meet()
            case For() if (folds := folds_of(statement)) is not None:
                self.deal(statement, folds)
            case For() if has_dealt(statement.body):
                self.in_step(statement)
            case For() | Store():
                self.alone(statement)
            case Local() | Assign():
                self.before(self.touches(statement, Touch("all", ())))
                self.statement(statement)

    def before(self, touches: dict[str, list[Touch]]) -> None:
        """What is about to be touched."""
        if self.hazards.clash(touches):
            self.meet()
        self.hazards.add(touches)

    def touches(self, statement: Stmt, how: Touch) -> dict[str, list[Touch]]:
        return {name: [replace(how, uses=tuple(uses))] for name, uses in uses_in(statement).items()}

    def alone(self, statement: Stmt) -> None:
        """The first thread does it."""
        self.before(self.touches(statement, Touch("first", ())))
        changed = changed_in((statement,))
        self.forget(changed)
        go, join = self.fresh("first"), self.fresh("join")
        self.branch(self.leader, go, join)
        self.label(go)
        self.open_scope()
        self.statement(statement)
        self.close_scope()
        self.jump(join)
        self.label(join)
        self.forget(changed)
        own = {x.name for x in walk(statement) if isinstance(x, Local)}
        names = sorted(name for kind, name in changed if kind == "variable" and name not in own)
        if names:
            self.tell(names)

    def tell(self, names: Sequence[str]) -> None:
        """Variables as the first thread has them."""
        values = [self.get(name) for name in names]
        words = [self.as_words(v) for v in values]
        if self.size_of_group == WARP:
            found = [[self.exchange("idx", w, "0") for w in each] for each in words]
        else:
            go, join = self.fresh("first"), self.fresh("join")
            self.branch(self.leader, go, join)
            self.label(go)
            flat = [w for each in words for w in each]
            for k, w in enumerate(flat):
                self.line(f"store i32 {w}, {self.typed(self.shared_word(k))}, align 4")
            self.jump(join)
            self.label(join)
            self.meet()
            kept = [
                self.emit(f"load i32, {self.typed(self.shared_word(k))}, align 4", "int32").text
                for k in range(len(flat))
            ]
            self.meet()
            found, at = [], 0
            for each in words:
                found.append(kept[at : at + len(each)])
                at += len(each)
        for name, value, each in zip(names, values, found, strict=True):
            self.set(name, self.from_words(each, value.dtype))

    def in_step(self, loop: For) -> None:
        """A loop whose rounds run in order, all threads in each."""
        everything = self.all_touches(loop.body)
        if self.hazards.clash(everything):
            self.meet()
        self.forget(changed_in(loop.body))
        opened = self.open_loop(self.size(loop.extent))
        self.nests.append(Nest(opened.before, varying_in(loop)))
        self.scopes[-1].symbols[loop.index] = opened.index
        outside = self.hazards.pending
        self.hazards.pending = {name: list(t) for name, t in outside.items()}
        self.cooperate(loop.body)
        again = Hazards(everything)
        if again.clash(everything):
            self.meet()
        self.nests.pop()
        self.close_loop(opened)
        self.hazards.pending = outside  # the loop may not have been entered
        self.hazards.add(everything)

    def all_touches(self, body: Sequence[Stmt]) -> dict[str, list[Touch]]:
        """How statements touch buffers, whatever loops they stand in."""
        found: dict[str, list[Touch]] = {}
        for s in body:
            match s:
                case For() if (folds := folds_of(s)) is not None:
                    loops, plan = self.dealt(s, folds)
                    new = self.touches(s, self.how(loops, plan))
                case For() if carried_of(s) is not None:
                    new = self.touches(s, Touch("dealt", ()))
                case For() if has_dealt(s.body):
                    new = self.all_touches(s.body)
                case For() | Store():
                    new = self.touches(s, Touch("first", ()))
                case _:
                    new = self.touches(s, Touch("all", ()))
            for name, touches in new.items():
                found.setdefault(name, []).extend(touches)
        return found

    def dealt(self, loop: For, folds: dict[str, Fold]) -> tuple[list[For], Plan | None]:
        """The loops that are dealt out together, and how a thread takes neighbouring rounds."""
        loops = nested(loop)
        inner = replace(loops[-1], schedule="vector")
        return [*loops[:-1], inner], self.vectors_of(inner)

    def how(self, loops: Sequence[For], plan: Plan | None) -> Touch:
        alone = len(loops) == 1
        index = loops[0].index if alone else None
        return Touch("dealt", (), index, loops[0].body, loops[0].extent, plan.lanes if plan else 1)

    def deal(self, loop: For, folds: dict[str, Fold]) -> None:
        """Rounds dealt out to the threads, their sums brought together."""
        loops, plan = self.dealt(loop, folds)
        self.before(self.touches(loop, self.how(loops, plan)))
        self.forget(changed_in(loop.body))
        before = {}
        for name, fold in folds.items():
            before[name] = self.get(name)
            self.set(name, self.const(identity(fold.primitive, fold.dtype), fold.dtype))
        self.shared_out(loops, self.in_group, str(self.size_of_group), plan)
        if not folds:
            return
        totals = self.reduced([(self.get(name), fold.primitive) for name, fold in folds.items()])
        for (name, fold), total in zip(folds.items(), totals, strict=True):
            self.set(name, emit(self, fold.primitive, before[name], total, dtype=fold.dtype))

    def finished(self) -> str:
        """The function's body; what it needs beside it is declared then."""
        if self.words:
            room = f"[{self.words} x i32] undef, align 16"
            self.declarations.add(f"{self.scratch} = internal addrspace({SHARED}) global {room}")
        return super().finished()

    # exchanges

    def reduced(self, values: Sequence[tuple[Reg, str]]) -> list[Reg]:
        """Each value of all threads as one, the same in every thread."""

        def plus(one: Sequence[Reg], two: Sequence[Reg]) -> list[Reg]:
            each = zip(one, two, values, strict=True)
            return [emit(self, primitive, x, y, dtype=x.dtype) for x, y, (_, primitive) in each]

        return self.combined([value for value, _ in values], plus)

    def combined(self, values: Sequence[Reg], plus: Plus) -> list[Reg]:
        """Values of all threads as one, the same in every thread, in the one order of a tree."""
        found = self.over_warp(values, plus, WARP)
        warps = self.size_of_group // WARP
        if warps > 1:
            number = self.emit(f"trunc {self.word} {self.arithmetic('lshr', self.in_group, '5')} to i32", "int32").text
            low = self.arithmetic("and", self.in_group, str(WARP - 1))
            head = self.emit(f"icmp eq {self.word} {low}, 0", "bool").text
            words = [self.as_words(v) for v in found]
            self.words = max(self.words, sum(map(len, words)) * warps)
            go, join = self.fresh("head"), self.fresh("join")
            self.branch(head, go, join)
            self.label(go)
            flat = [w for each in words for w in each]
            for k, w in enumerate(flat):
                place = self.shared_word(k * warps, number)
                self.line(f"store i32 {w}, {self.typed(place)}, align 4")
            self.jump(join)
            self.label(join)
            self.meet()
            which = self.emit(f"trunc {self.word} {low} to i32", "int32").text
            which = self.emit(f"and i32 {which}, {warps - 1}", "int32").text
            kept = []
            for k in range(len(flat)):
                place = self.shared_word(k * warps, which)
                kept.append(self.emit(f"load i32, {self.typed(place)}, align 4", "int32").text)
            self.meet()
            at, all_of = 0, []
            for value, each in zip(found, words, strict=True):
                all_of.append(self.from_words(kept[at : at + len(each)], value.dtype))
                at += len(each)
            found = self.over_warp(all_of, plus, warps)
        return [self.from_words([self.exchange("idx", w, "0") for w in self.as_words(v)], v.dtype) for v in found]

    def over_warp(self, values: Sequence[Reg], plus: Plus, lanes: int) -> list[Reg]:
        """The values of so many neighbouring threads as one."""
        found = list(values)
        while lanes > 1:
            lanes //= 2
            others = [
                self.from_words([self.exchange("bfly", w, str(lanes)) for w in self.as_words(v)], v.dtype)
                for v in found
            ]
            found = plus(found, others)
        return found

    def exchange(self, kind: str, word: str, lane: str) -> str:
        """A word of another thread of the warp."""
        self.declarations.add(INTRINSICS[kind])
        return self.emit(
            f"call i32 @llvm.nvvm.shfl.sync.{kind}.i32(i32 -1, i32 {word}, i32 {lane}, i32 31)", "int32"
        ).text

    def shared_word(self, first: int, index: str = "0") -> str:
        """The address of a word of the shared memory that sums pass through."""
        self.words = max(self.words, first + 1)
        if not self.scratch:
            self.scratch = f"@scratch{len(self.module.kernels)}"
        base = self.emit(
            f"getelementptr inbounds i32, ptr addrspace({SHARED}) {self.scratch}, i32 {first}", "int64"
        ).text
        self.spaces[base] = SHARED
        if index == "0":
            return base
        place = self.emit(f"getelementptr inbounds i32, ptr addrspace({SHARED}) {base}, i32 {index}", "int64").text
        self.spaces[place] = SHARED
        return place

    def as_words(self, value: Reg) -> list[str]:
        """A value in words of 32 bits."""
        if value.dtype in WIDE:
            return [w for limb in numbers.split(self, value) for w in self.as_words(limb)]
        bits, kind = BITS[value.dtype], LLVM_TYPE[value.dtype]
        if bits < 32:
            return [self.emit(f"zext {kind} {value.text} to i32", "int32").text]
        text = value.text
        if value.dtype.startswith("float"):
            text = self.emit(f"bitcast {kind} {text} to i{bits}", f"int{bits}").text
        if bits == 32:
            return [text]
        high = self.emit(f"lshr i64 {text}, 32", "int64").text
        return [self.emit(f"trunc i64 {part} to i32", "int32").text for part in (text, high)]

    def from_words(self, words: Sequence[str], dtype: str) -> Reg:
        """The value that words of 32 bits are."""
        if dtype in WIDE:
            pairs = (words[k : k + 2] for k in range(0, 2 * len(LIMBS[dtype]), 2))
            return numbers.join(self, dtype, *(self.from_words(pair, "float64") for pair in pairs))
        bits, kind = BITS[dtype], LLVM_TYPE[dtype]
        if bits < 32:
            return self.emit(f"trunc i32 {words[0]} to {kind}", dtype)
        text = words[0]
        if bits == 64:
            low, high = (self.emit(f"zext i32 {w} to i64", "int64").text for w in words)
            text = self.emit(f"or i64 {low}, {self.emit(f'shl i64 {high}, 32', 'int64').text}", "int64").text
        return self.emit(f"bitcast i{bits} {text} to {kind}", dtype)
