"""The two functions that a compiled Program offers: enter and run."""

from __future__ import annotations

from symdl.backends.builder import Reg
from symdl.backends.llvm.module import Module
from symdl.backends.llvm.steps import PASSED, Layout, SizeWriter, part

ARENA_ALIGNMENT = 64  # bytes: a cache line, and the widest vector


class EntryWriter(SizeWriter):
    """Writes functions that find sizes themselves."""

    def slot_ends(self) -> list[str]:
        """Where each slot of the arena starts, in bytes, and last the end of all."""
        starts, end = [], "0"
        for sizes in self.layout.program.slots:
            starts.append(end)
            needed = self.size(sizes[0])
            for other in sizes[1:]:
                needed = self.extreme("max", needed, self.size(other))
            end = self.round_up(self.arithmetic("add", end, needed))
        return [*starts, end]

    def round_up(self, size: str) -> str:
        more = self.arithmetic("add", size, str(ARENA_ALIGNMENT - 1))
        return self.arithmetic("and", more, str(-ARENA_ALIGNMENT))


def enter(module: Module, layout: Layout) -> None:
    """i64 enter(shapes, buffers, sizes, arena_bytes): bind sizes, check facts, measure the arena.

    shapes holds the extents of the axes of all input and shared buffers, buffers the addresses of all that are not
    temporary; sizes (one per binding) and arena_bytes are written. Returns 0, or 1 + k for check k that fails.
    """
    program = layout.program
    writer = EntryWriter(module, layout)
    first: dict[str, int] = {}
    count = 0
    for buffer in program.of_kind("input", "shared"):
        first[buffer.name] = count
        count += len(buffer.shape)
    bound = {}
    for k, binding in enumerate(program.bindings):
        if binding.axis is not None:
            place = writer.word_at("%shapes", first[binding.buffer] + binding.axis)
            found = writer.emit(f"load {writer.word}, ptr {place}", "int64").text
        else:
            dtype = program.buffers[binding.buffer].dtype
            number: Reg = writer.load(writer.pointer_at("%buffers", layout.given[binding.buffer]), dtype)
            found = writer.as_word(number)
        writer.line(f"store {writer.word} {found}, ptr {writer.word_at('%sizes', k)}")
        bound[binding.symbol] = found
    writer.open_scope().symbols.update(bound)
    for k, check in enumerate(program.checks):
        left, right = writer.size(check.fact.left), writer.size(check.fact.right)
        relation = "eq" if check.fact.relation == "==" else "sle"
        writer.stop_unless(writer.emit(f"icmp {relation} {writer.word} {left}, {right}", "bool").text, str(1 + k))
    end = writer.slot_ends()[-1]
    if layout.needs_workspace:
        end = writer.arithmetic("add", end, str(module.target.workspace))
    writer.line(f"store {writer.word} {end}, ptr %arena_bytes")
    writer.line("ret i64 0")
    signature = "(ptr %shapes, ptr %buffers, ptr %sizes, ptr %arena_bytes)"
    module.add(f"define i64 @enter{signature} nounwind {writer.finished()}", writer)


def run(module: Module, layout: Layout) -> None:
    """i64 run(buffers, sizes, arena, runtime): everything after enter.

    Returns 0, the status of a check that failed in a kernel, or INTERRUPTED.
    """
    place = EntryWriter(module, layout)
    starts = place.slot_ends()
    for name, k in layout.temps.items():
        address = place.emit(
            f"getelementptr inbounds i8, ptr %arena, {place.word} {starts[layout.program.offsets[name]]}", "int64"
        ).text
        to = place.emit(f"getelementptr inbounds ptr, ptr %temps, i64 {k}", "int64").text
        place.line(f"store ptr {address}, ptr {to}")
    place.line(f"ret {place.word} {starts[-1]}")
    signature = "(ptr %sizes, ptr %arena, ptr %temps)"
    module.add(f"define internal {place.word} @place{signature} nounwind {place.finished()}", place)
    writer = EntryWriter(module, layout)
    writer.line(f"%temps = alloca ptr, i64 {max(len(layout.temps), 1)}")
    writer.line(f"%counters = alloca {writer.word}, i64 {max(len(layout.counters), 1)}")
    writer.line("%work = alloca i64")
    writer.line("store i64 0, ptr %work")
    writer.line(f"%end = call {writer.word} @place(ptr %sizes, ptr %arena, ptr %temps)")
    writer.line(f"%scratch = getelementptr inbounds i8, ptr %arena, {writer.word} %end")
    name = part(module, layout, layout.program.steps, quiet=False, attributes="nounwind")
    status = writer.emit(f"call i64 @{name}{PASSED}", "int64").text
    writer.line(f"ret i64 {status}")
    signature = "(ptr %buffers, ptr %sizes, ptr %arena, ptr %runtime)"
    module.add(f"define i64 @run{signature} nounwind {writer.finished()}", writer)
