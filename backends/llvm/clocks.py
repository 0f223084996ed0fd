"""Clocks around steps: code that is emitted to be profiled adds up the ticks and the calls of each step.

The table @times holds two numbers for each step of `all_steps`: ticks and calls. ticks() is the clock alone, by which the
caller finds how long a tick is. Code that is not to be profiled has none of this.
"""

from __future__ import annotations

from symdl.backends.llvm.module import Module, Writer

CYCLES = "call i64 @llvm.readcyclecounter()"
VIRTUAL_TIME = "call i64 @llvm.read_volatile_register.i64(metadata !0)"  # the cycle counter is not a program's to read
DECLARED = {
    CYCLES: ["declare i64 @llvm.readcyclecounter()"],
    VIRTUAL_TIME: ["declare i64 @llvm.read_volatile_register.i64(metadata)", '!0 = !{!"cntvct_el0"}'],
}


def clock(triple: str) -> str:
    """The instruction that reads a counter of even pace."""
    return VIRTUAL_TIME if triple.startswith(("aarch64", "arm64")) else CYCLES


def clock_table(module: Module, steps: int) -> None:
    """Declare the table for so many steps, and the clock."""
    module.declarations |= {
        f"@times = global [{2 * max(steps, 1)} x i64] zeroinitializer",
        *DECLARED[clock(module.target.triple)],
        f"define i64 @ticks() nounwind {{\n  %now = {clock(module.target.triple)}\n  ret i64 %now\n}}",
    }


def now(writer: Writer) -> str:
    """The clock in a register."""
    return writer.emit(clock(writer.target.triple), "int64").text


def passed(writer: Writer, start: str, number: int) -> None:
    """Add one call and the ticks since start to a step's numbers."""
    ticks = writer.emit(f"sub i64 {now(writer)}, {start}", "int64").text
    for place, more in ((2 * number, ticks), (2 * number + 1, "1")):
        at = writer.emit(f"getelementptr inbounds i64, ptr @times, i64 {place}", "int64").text
        old = writer.emit(f"load i64, ptr {at}", "int64").text
        new = writer.emit(f"add i64 {old}, {more}", "int64").text
        writer.line(f"store i64 {new}, ptr {at}")
