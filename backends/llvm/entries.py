"""The two functions that a compiled Program offers: enter and run."""

from __future__ import annotations

from symdl.backends.builder import Reg
from symdl.backends.llvm.measures import extents_of, work
from symdl.backends.llvm.module import Module
from symdl.backends.llvm.steps import Layout, PartWriter, SizeWriter
from symdl.ir.arena import LINE

SLOTS_PER_FUNCTION = 64  # machine code generation is worse than linear in the size of a function


def place(module: Module, layout: Layout) -> None:
    """size place(sizes, arena, temps): write the address of every slot of the arena to temps, return the arena's bytes.
    Without slots there is no such function: a call of it took a fifteenth of the shortest runs."""
    program, word = layout.program, module.target.size_type
    if not program.slots:
        return
    writer, end = SizeWriter(module, layout), "0"
    for first in range(0, len(program.slots), SLOTS_PER_FUNCTION):
        group = SizeWriter(module, layout)
        at = "%start"
        for k, sizes in enumerate(program.slots[first : first + SLOTS_PER_FUNCTION]):
            address = group.emit(f"getelementptr i8, ptr %arena, {word} {at}", "int64").text
            group.line(f"store ptr {address}, ptr {group.entry('%temps', k)}")
            needed = group.size(sizes[0])
            for other in sizes[1:]:
                needed = group.extreme("max", needed, group.size(other))
            more = group.arithmetic("add", group.arithmetic("add", at, needed), str(LINE - 1))
            at = group.arithmetic("and", more, str(-LINE))
        group.line(f"ret {word} {at}")
        signature = f"(ptr %sizes, ptr %arena, ptr %temps, {word} %start)"
        name = module.share("slots", signature, group.finished(), group, result=word)
        passed = f"(ptr %sizes, ptr %arena, ptr {writer.entry('%temps', first)}, {word} {end})"
        end = writer.emit(f"call {word} @{name}{passed}", "int64").text
    writer.line(f"ret {word} {end}")
    module.add(
        f"define internal {word} @place(ptr %sizes, ptr %arena, ptr %temps) nounwind {writer.finished()}", writer
    )


def placed(writer: SizeWriter, arena: str) -> str:
    """The bytes of the arena, when %temps holds the addresses of its slots."""
    if not writer.layout.program.slots:
        return "0"
    return writer.emit(f"call {writer.word} @place(ptr %sizes, ptr {arena}, ptr %temps)", "int64").text


def enter(module: Module, layout: Layout) -> None:
    """i64 enter(shapes, buffers, sizes, measures): bind sizes, check facts, measure what a run needs and gives.

    shapes holds where the extents of each input stand, then of each shared buffer, buffers the addresses of all that are
    not temporary. Written are sizes (one per binding) and measures: the bytes of the arena, the work of a run (see
    `measures`), the extents of all outputs. Returns 0, or 1 + k for check k that fails.
    """
    program = layout.program
    writer = SizeWriter(module, layout)
    writer.line(f"%temps = alloca ptr, i64 {max(len(program.slots), 1)}")
    leaves = *program.of_kind("input"), *program.of_kind("shared")
    number = {buffer.name: k for k, buffer in enumerate(leaves)}
    shapes: dict[str, str] = {}
    bound = {}
    for k, binding in enumerate(program.bindings):
        if binding.axis is not None:
            if binding.buffer not in shapes:
                shapes[binding.buffer] = writer.pointer_at("%shapes", number[binding.buffer])
            axis = writer.word_at(shapes[binding.buffer], binding.axis)
            found = writer.emit(f"load {writer.word}, ptr {axis}", "int64").text
        else:
            dtype = program.buffers[binding.buffer].dtype
            value: Reg = writer.load(writer.pointer_at("%buffers", layout.given[binding.buffer]), dtype)
            found = writer.as_word(value)
        writer.line(f"store {writer.word} {found}, ptr {writer.word_at('%sizes', k)}")
        bound[binding.symbol] = found
    writer.open_scope().symbols.update(bound)
    for k, check in enumerate(program.checks):
        left, right = writer.size(check.fact.left), writer.size(check.fact.right)
        relation = "eq" if check.fact.relation == "==" else "sle"
        writer.stop_unless(writer.emit(f"icmp {relation} {writer.word} {left}, {right}", "bool").text, str(1 + k))
    measured = [placed(writer, "null"), *map(writer.size, (work(program), *extents_of(program)))]
    for k, words in enumerate(measured):
        writer.line(f"store {writer.word} {words}, ptr {writer.word_at('%measures', k)}")
    writer.line("ret i64 0")
    signature = "(ptr %shapes, ptr %buffers, ptr %sizes, ptr %measures)"
    module.add(f"define i64 @enter{signature} nounwind {writer.finished()}", writer)


def run(module: Module, layout: Layout) -> None:
    """i64 run(buffers, sizes, arena, runtime): everything after enter.

    Returns 0, the status of a check that failed in a kernel, or INTERRUPTED.
    """
    writer = PartWriter(module, layout, quiet=False)
    writer.line(f"%temps = alloca ptr, i64 {max(len(layout.program.slots), 1)}")
    writer.line(f"%counters = alloca {writer.word}, i64 {max(len(layout.counters), 1)}")
    writer.line("%work = alloca i64")
    writer.line("store i64 0, ptr %work")
    placed(writer, "%arena")
    writer.steps(layout.program.steps)
    writer.line("ret i64 0")
    signature = "(ptr %buffers, ptr %sizes, ptr %arena, ptr %runtime)"
    module.add(f"define i64 @run{signature} nounwind {writer.finished()}", writer)
