"""The steps of a Program to internal functions of bounded size, called by `run`."""

from __future__ import annotations

from collections.abc import Iterator

from symdl.backends.llvm.across import SHORT, TOGETHER, across
from symdl.backends.llvm.chunks import cost, is_spread, multiple
from symdl.backends.llvm.clocks import now, passed
from symdl.backends.llvm.epilogues import epilogue
from symdl.backends.llvm.kernels import kernel
from symdl.backends.llvm.library import (
    convolution_loops,
    convolution_work,
    copy_loops,
    is_block,
    matmul_loops,
    merged_axes,
)
from symdl.backends.llvm.module import ITEM_BYTES, RUNTIME, Module, Writer
from symdl.errors import ProgramError
from symdl.ir.loops import For, Stmt, View
from symdl.ir.program import (
    CONVOLUTIONS,
    INTERRUPTED,
    Call,
    If,
    Kernel,
    Loop,
    Program,
    Step,
    accesses,
    by_role,
    inner,
    seen_extents,
)
from symdl.types import Extent, Symbol, at_most, floor_divide, product

STEPS_PER_FUNCTION = 32  # machine code generation is worse than linear in the size of a function
POLL_AFTER = 1 << 28  # units of work (see `chunks`), some milliseconds
PART = "(ptr %buffers, ptr %sizes, ptr %temps, ptr %counters, ptr %work, ptr %runtime)"
PASSED = PART  # the names are the same in every function
VISIT = """define internal i64 @visit(ptr %work, i64 %more, ptr %runtime) noinline nounwind {{
  %old = load i64, ptr %work
  %new = add i64 %old, %more
  %due = icmp ugt i64 %new, {limit}
  br i1 %due, label %look, label %go
go:
  store i64 %new, ptr %work
  ret i64 0
look:
  store i64 0, ptr %work
  %slot = getelementptr inbounds ptr, ptr %runtime, i64 {slot}
  %poll = load ptr, ptr %slot
  %found = call i32 %poll()
  %quiet = icmp eq i32 %found, 0
  %status = select i1 %quiet, i64 0, i64 {interrupted}
  ret i64 %status
}}"""


class Layout:
    """Where buffers, sizes and counters stand in the tables that every function of a Program receives."""

    def __init__(self, program: Program, timed: bool = False) -> None:
        self.program = program
        self.timed = {id(s): k for k, s in enumerate(all_steps(program.steps))} if timed else {}  # step -> its number
        given = program.of_kind("input", "shared", "constant", "output")
        self.given = {b.name: k for k, b in enumerate(given)}
        self.sizes = {b.symbol: k for k, b in enumerate(program.bindings)}
        self.counters: dict[Symbol, int] = {}
        for step in all_steps(program.steps):
            if isinstance(step, Loop):
                self.counters.setdefault(step.counter, len(self.counters))


def all_steps(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Every step, also inside loops and branches."""
    stack = list(reversed(steps))
    while stack:
        step = stack.pop()
        yield step
        for body in inner(step):
            stack += reversed(body)


def uses_library(call: Call) -> bool:
    """Whether the call is served by a library of ours, not by loops of its own."""
    return call.name in ("matmul", *CONVOLUTIONS) and call.views[-1].dtype in ("float32", "float64")


class SizeWriter(Writer):
    """A Writer that finds sizes and counters in the tables."""

    def __init__(self, module: Module, layout: Layout) -> None:
        super().__init__(module.target)
        self.module, self.layout = module, layout

    def unknown(self, symbol: Symbol) -> str:
        if symbol in self.layout.sizes:
            place = self.word_at("%sizes", self.layout.sizes[symbol])
        elif symbol in self.layout.counters:
            place = self.word_at("%counters", self.layout.counters[symbol])
        else:
            raise ProgramError(f"the size {symbol} is not bound")
        return self.emit(f"load {self.word}, ptr {place}", "int64").text


class PartWriter(SizeWriter):
    """Writes consecutive steps as one function."""

    def __init__(self, module: Module, layout: Layout, quiet: bool) -> None:
        super().__init__(module, layout)
        self.context_words = 0
        self.quiet = quiet  # no polls: a shared value may have been written
        self.last = False  # whether nothing comes after the step: then Python looks, as after any call

    def steps(self, steps: tuple[Step, ...]) -> None:
        """Few steps in place, many as calls of functions of their own."""
        if len(steps) <= STEPS_PER_FUNCTION:
            for step in steps:
                self.clocked(step)
            return
        for at in range(0, len(steps), STEPS_PER_FUNCTION):
            group = steps[at : at + STEPS_PER_FUNCTION]
            name = part(self.module, self.layout, group, self.quiet)
            self.quiet = self.quiet or any(map(self.commits, group))
            self.stop_on(self.emit(f"call i64 @{name}{PASSED}", "int64").text)

    def clocked(self, step: Step) -> None:
        """The step, between two looks at the clock where it is to be profiled."""
        self.last = step is self.layout.program.steps[-1]
        start = now(self) if self.layout.timed else ""
        self.step(step)
        if start:
            passed(self, start, self.layout.timed[id(step)])

    def step(self, step: Step) -> None:
        commits = self.commits(step)
        match step:
            case Kernel(body):
                self.kernel(body, self.layout.program.may_be_single(step))
                self.poll(commits, cost(body))
            case Call("matmul", (a, b, c)) if uses_library(step):
                self.matmul(a, b, c, step.epilogue, self.layout.program.may_be_single(step))
                self.poll(commits, product((*c.shape, a.shape[-1])), shift=2)
            case Call("matmul", (a, b, c)):
                loops = matmul_loops(a, b, c)
                self.kernel(loops)
                self.poll(commits, cost(loops))
            case Call(name, _) if name in CONVOLUTIONS and uses_library(step):
                self.convolution(step)
                self.poll(commits, convolution_work(step), shift=2)
            case Call(name, _) if name in CONVOLUTIONS:
                loops = convolution_loops(step)
                self.kernel(loops)
                self.poll(commits, cost(loops))
            case Call("copy", (a, c)):
                self.copy(a, c)
                self.poll(commits, product(c.shape) * 4)
            case Call("routine", views):
                self.routine(step)
                self.poll(commits, product(views[-1].shape) * 4 if views else 1)
            case Loop():
                self.loop(step, commits)
            case If(condition, then, other):
                self.choose(condition, then, other)
            case _:
                raise ProgramError(f"no library call {step.name} of {len(step.views)} views")
        self.quiet = self.quiet or commits

    def commits(self, step: Step) -> bool:
        """Whether the step writes a shared buffer."""
        kinds = self.layout.program.buffers
        return any(writes and kinds[v.buffer].kind == "shared" for s in all_steps((step,)) for v, writes in accesses(s))

    def poll(self, commits: bool, work: Extent, shift: int = 0) -> None:
        """Count the work of the step before this place, and look for an interrupt when there was much."""
        if self.quiet or commits or self.last:
            return
        self.declarations.add(VISIT.format(limit=POLL_AFTER, slot=RUNTIME.index("poll"), interrupted=INTERRUPTED))
        visits = self.size(work)
        if self.word != "i64":
            visits = self.emit(f"zext {self.word} {visits} to i64", "int64").text
        if shift:
            visits = self.emit(f"lshr i64 {visits}, {shift}", "int64").text
        self.stop_on(self.emit(f"call i64 @visit(ptr %work, i64 {visits}, ptr %runtime)", "int64").text)

    def pointer(self, buffer: str) -> str:
        if buffer in self.layout.given:
            return self.pointer_at("%buffers", self.layout.given[buffer])
        slot = self.layout.program.offsets.get(buffer)
        if slot is None:
            raise ProgramError(f"{buffer} has no place in memory")
        return self.pointer_at("%temps", slot)

    def is_passing(self, buffer: str) -> bool:
        """Whether a product is used up by its epilogue, so that it has no place in memory."""
        return buffer not in self.layout.given and buffer not in self.layout.program.offsets

    def kernel(self, body: tuple[Stmt, ...], ranged: bool = False) -> None:
        name, buffers, sizes = kernel(self.module, body, ranged)
        self.module.kernel_of[id(body)] = name
        passed = [f"ptr {self.pointer(b)}" for b in buffers]
        passed += [f"{self.word} {self.register(s)}" for s in sizes]
        if is_spread(body):
            assert isinstance(body[0], For)
            status = self.spread(body[0], name, passed)
        else:
            status = self.emit(f"call i64 @{name}({', '.join(passed)})", "int64").text
        self.stop_on(status)

    def spread(self, loop: For, name: str, passed: list[str]) -> str:
        """The status of a parallel loop, run here or in chunks."""
        context = self.context(len(passed))
        for k, argument in enumerate(passed):
            self.line(f"store {argument}, ptr {self.entry(context, k)}")
        numbers = f"i64 {self.wide(self.size(loop.extent))}, i64 {self.wide(self.size(cost((loop,))))}, i64 {self.together(loop)}"
        spread = self.pointer_at("%runtime", RUNTIME.index("spread"))
        return self.emit(f"call i64 {spread}(ptr @{name}, ptr {context}, {numbers}, ptr %runtime)", "int64").text

    def together(self, loop: For) -> str:
        """How many rounds a chunk is a multiple of: whole vectors of them where a lane takes a round."""
        plan = across(loop, self.target.vector_bytes)
        if plan is None:
            return str(multiple(loop))
        if plan.longest is None or at_most(plan.longest, SHORT - 1):
            return str(TOGETHER)
        short = self.emit(f"icmp slt i64 {self.wide(self.size(plan.longest))}, {SHORT}", "bool").text
        return self.emit(f"select i1 {short}, i64 {TOGETHER}, i64 {multiple(loop)}", "int64").text

    def context(self, words: int) -> str:
        """Memory for so many words, the same for all kernels of the function."""
        landing = self.scopes[0].landing
        if not self.context_words:
            landing.insert(0, "")
        self.context_words = max(self.context_words, words)
        landing[0] = f"  %context = alloca [{self.context_words} x i64]"
        return "%context"

    # control

    def loop(self, step: Loop, commits: bool) -> None:
        outside = self.quiet
        self.quiet = self.quiet or commits  # what one step writes stands before the polls of the next
        loop = self.open_loop(self.size(step.steps))
        self.define(step.counter, loop.index)
        self.steps(step.body)
        self.poll(False, 1)
        if step.stop is not None:
            place = self.element(self.pointer(step.stop.buffer), "bool", self.size(step.stop.offset))
            more = self.fresh("more")
            self.branch(self.load(place, "bool").text, loop.after, more)
            self.label(more)
        self.close_loop(loop)
        self.quiet = outside

    def define(self, symbol: Symbol, register: str) -> None:
        """A counter is known to what follows in the scope, and to functions called from there."""
        self.scopes[-1].symbols[symbol] = register
        self.line(f"store {self.word} {register}, ptr {self.word_at('%counters', self.layout.counters[symbol])}")

    def choose(self, condition: View, then: tuple[Step, ...], other: tuple[Step, ...]) -> None:
        place = self.element(self.pointer(condition.buffer), "bool", self.size(condition.offset))
        yes, no, join = self.fresh("then"), self.fresh("else"), self.fresh("join")
        self.branch(self.load(place, "bool").text, yes, no)
        quiet = self.quiet
        for label, steps in ((yes, then), (no, other)):
            self.label(label)
            self.open_scope()
            self.quiet = quiet
            self.steps(steps)
            self.close_scope()
            self.jump(join)
        self.quiet = quiet
        self.label(join)

    # library calls

    def at(self, view: View, offset: Extent) -> str:
        return self.element(self.pointer(view.buffer), view.dtype, self.size(offset))

    def matmul(self, a: View, b: View, c: View, body: tuple[Stmt, ...], ranged: bool) -> None:
        last = "ptr null, ptr null"
        if body:
            name, buffers, sizes = epilogue(self.module, body, c, ranged)
            words = [f"ptr {self.pointer(b)}" for b in buffers] + [f"i64 {self.wide(self.register(s))}" for s in sizes]
            context = self.context(max(len(words), 1))
            for k, word in enumerate(words):
                self.line(f"store {word}, ptr {self.entry(context, k)}")
            last = f"ptr @{name}, ptr {context}"
        a, b, c = stacked_rows(a, b, c)
        loops = [self.open_loop(self.size(n)) for n in c.shape[:-2]]
        offsets = []
        for view in (a, b, c):
            place = self.size(view.offset)
            for loop, stride in zip(loops, view.strides, strict=False):
                step = self.emit(f"mul {self.word} {loop.index}, {self.size(stride)}", "int64").text
                place = self.emit(f"add {self.word} {place}, {step}", "int64").text
            offsets.append(place)
        passed = []
        for view, place in zip((a, b, c), offsets, strict=True):
            nowhere = view is c and self.is_passing(view.buffer)
            passed.append(
                "ptr null" if nowhere else f"ptr {self.element(self.pointer(view.buffer), view.dtype, place)}"
            )
            passed += [f"i64 {self.wide(self.size(s))}" for s in view.strides[-2:]]
        passed += [f"i64 {self.wide(self.size(n))}" for n in (c.shape[-2], c.shape[-1], a.shape[-1])]
        gemm = self.pointer_at("%runtime", RUNTIME.index(f"gemm_{c.dtype}"))
        self.line(f"call void {gemm}({', '.join(passed)}, {last}, ptr %runtime)")
        for loop in reversed(loops):
            self.close_loop(loop)

    def wide(self, word: str) -> str:
        return word if self.word == "i64" else self.emit(f"zext {self.word} {word} to i64", "int64").text

    def convolution(self, step: Call) -> None:
        """A call of the library of convolutions, with all sizes as words; missing axes count one place."""
        x, f, y = by_role(step)
        groups, *rest = step.window
        axes = len(rest) // 2
        ones = (1,) * (3 - axes)
        extents = (x.shape[0], groups, f.shape[1], floor_divide(f.shape[0], groups))
        spatial = [n for sides in (seen_extents(step), f.shape[2:], y.shape[2:]) for n in (*ones, *sides)]
        lies = (*ones, *x.shape[2:])[1:]
        before = (0, 0, *step.borders)[-2:]
        words = [*extents, *spatial, *ones, *rest[:axes], *ones, *rest[axes:], *lies, *before]
        context = self.context(len(words))
        for k, n in enumerate(words):
            self.line(f"store i64 {self.signed(self.size(n))}, ptr {self.entry(context, k)}")
        passed = ", ".join(f"ptr {self.at(v, v.offset)}" for v in step.views)
        function = self.pointer_at("%runtime", RUNTIME.index(f"convolve_{y.dtype}"))
        number = CONVOLUTIONS.index(step.name)
        self.line(f"call void {function}(i64 {number}, {passed}, ptr {context}, ptr %runtime)")

    def routine(self, step: Call) -> None:
        """A call back, with the address, extents and strides of each view."""
        words = []
        for v in step.views:
            words.append(f"ptr {self.at(v, v.offset)}")
            words += [f"i64 {self.signed(self.size(n))}" for n in (*v.shape, *v.strides)]
        context = self.context(max(len(words), 1))
        for k, word in enumerate(words):
            self.line(f"store {word}, ptr {self.entry(context, k)}")
        function = self.pointer_at("%runtime", RUNTIME.index("routine"))
        self.stop_on(self.emit(f"call i64 {function}(i64 {step.routine}, ptr {context})", "int64").text)

    def signed(self, word: str) -> str:
        """A word that may be below 0 as 64 bits."""
        return word if self.word == "i64" else self.emit(f"sext {self.word} {word} to i64", "int64").text

    def copy(self, a: View, c: View) -> None:
        a, c = merged_axes(a, c)
        if not is_block(a, c):
            self.kernel(copy_loops(a, c))
            return
        count = self.size(product(c.shape) * ITEM_BYTES[c.dtype])
        name = f"llvm.memcpy.p0.p0.{self.word}"
        self.declarations.add(f"declare void @{name}(ptr, ptr, {self.word}, i1)")
        target, source = self.at(c, c.offset), self.at(a, a.offset)
        self.line(f"call void @{name}(ptr {target}, ptr {source}, {self.word} {count}, i1 false)")


def stacked_rows(a: View, b: View, c: View) -> tuple[View, View, View]:
    """The same products with leading axes taken as rows, where all of them multiply one matrix b."""
    while len(c.shape) > 2:
        n, m = c.shape[-3], c.shape[-2]
        if b.strides[-3] != 0 or a.strides[-3] != m * a.strides[-2] or c.strides[-3] != m * c.strides[-2]:
            break
        a, c = (
            View(v.buffer, v.dtype, (*v.shape[:-3], n * m, v.shape[-1]), (*v.strides[:-3], *v.strides[-2:]), v.offset)
            for v in (a, c)
        )
        b = View(b.buffer, b.dtype, (*b.shape[:-3], *b.shape[-2:]), (*b.strides[:-3], *b.strides[-2:]), b.offset)
    return a, b, c


def part(module: Module, layout: Layout, steps: tuple[Step, ...], quiet: bool) -> str:
    """The name of a new function that takes these steps."""
    writer = PartWriter(module, layout, quiet)
    writer.steps(steps)
    writer.line("ret i64 0")
    return module.share("part", PART, writer.finished(), writer, "noinline nounwind")
