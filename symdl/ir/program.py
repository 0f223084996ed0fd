"""Program: what is computed, in which order, in which memory. Holds no Expr, no file name and no address.

    Step = Kernel(body) | Call(name, views) | Loop(counter, steps, body) | If(condition, then, other)

Sizes are Symbols of serial 0, bound at entry from the axes (or the values) of inputs and shared buffers. Symbols of
extents are such sizes, loop indices inside a kernel, and the counter t of an enclosing Loop.
A Call writes its last views, one where it does not say how many.
Numbers of the user's nodes ("sources") stand for names and lines, which live beside the Program, never in it.
"""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from typing import Any, Literal

from symdl.convolution import PRODUCTS, ROLES
from symdl.errors import ProgramError
from symdl.ir import loops
from symdl.ir.loops import Barrier, Checked, For, Guard, Load, Stmt, Store, View, walk
from symdl.number_forms import WIDE
from symdl.records import record
from symdl.types import Extent, Fact, Symbol, largest, polynomial, symbols

Kind = Literal["input", "shared", "constant", "output", "temp"]
CONVOLUTIONS = tuple(PRODUCTS)
CALLS = {"matmul": 3, "copy": 2, **dict.fromkeys(CONVOLUTIONS, 3)}  # library calls and their numbers of views


@record
class Buffer:
    """A piece of memory in C order."""

    name: str
    dtype: str
    shape: tuple[Extent, ...]
    kind: Kind


@record
class Kernel:
    """One loop nest, compiled to one native function."""

    body: tuple[Stmt, ...]
    sources: tuple[int, ...] = ()

    @cached_property
    def accesses(self) -> tuple[tuple[View, bool], ...]:
        """(view, is it written), outer before inner."""
        return tuple([(x.view, type(x) is Store) for x in self.items if type(x) is Load or type(x) is Store])

    @cached_property
    def items(self) -> tuple[Any, ...]:
        """Every statement and value once, outer before inner."""
        return tuple(walk(*self.body))


@record
class Call:
    """A library call with a NumPy meaning.

    matmul(a[..., m, k], b[..., k, n], c[..., m, n]): c = a @ b, any strides, equal leading axes (a stride may be 0);
    copy(a, c): c = a, of one shape;
    routine(a, ..., c, ...): the function that is number `routine` of those given beside the constants, of arrays of any
    shapes, which stand in the views, to `results` of them. It may fail;
    convolve(x, f, y), convolve_filters(x, y, f), convolve_images(f, y, x): as symdl.convolution says, of views in C order of
    one to three spatial axes, window being (groups, a step an axis, a spacing an axis). With borders, of one or two spatial
    axes of floats, convolve sees so many zeros before x along each of them, and as many behind it as the results ask for.

    epilogue is a loop nest over the rows and columns of c, which runs when c is there, or on each part of c that is; see
    is_epilogue. A temp c that nothing else touches then needs no place in the arena.
    """

    name: str
    views: tuple[View, ...]
    sources: tuple[int, ...] = ()
    epilogue: tuple[Stmt, ...] = ()
    routine: int = -1
    results: int = 1
    window: tuple[int, ...] = ()
    borders: tuple[Extent, ...] = ()

    @property
    def operands(self) -> tuple[View, ...]:
        """What it reads."""
        return self.views[: len(self.views) - self.results]

    @cached_property
    def accesses(self) -> tuple[tuple[View, bool], ...]:
        """(view, is it written) of the call, then of its epilogue."""
        first = len(self.views) - self.results
        own = tuple((v, k >= first) for k, v in enumerate(self.views))  # one view may be read and written
        return own + Kernel(self.epilogue).accesses


@record
class Loop:
    counter: Symbol
    steps: Extent
    body: tuple[Step, ...]
    stop: View | None = None  # one bool that the body writes: the Loop ends after a round in which it is True


@record
class If:
    condition: View  # one bool
    then: tuple[Step, ...]
    other: tuple[Step, ...]


Step = Kernel | Call | Loop | If


@record
class Binding:
    """symbol is the extent of an axis of a buffer, or (axis None) the value of an integer scalar buffer."""

    symbol: Symbol
    buffer: str
    axis: int | None


@record
class Check:
    """A fact to be checked at entry, and the user's node whose type rule needs it (-1: an input's own type)."""

    fact: Fact
    source: int


@record
class Failure:
    """What a Checked of code FIRST_FAILURE + k means, k being its place in the list."""

    text: str
    source: int


FIRST_FAILURE = 1000  # statuses from here on are failures while running; below, 1 + k is the k-th check; 0 is success
INTERRUPTED = -1


@record
class Program:
    buffers: dict[str, Buffer]
    bindings: tuple[Binding, ...]
    checks: tuple[Check, ...]
    steps: tuple[Step, ...]
    failures: tuple[Failure, ...] = ()
    offsets: dict[str, int] = field(default_factory=dict)  # temp -> its arena slot
    slots: tuple[tuple[Extent, ...], ...] = ()  # arena slots, each as large as the largest of these, in bytes
    ranged: bool = False  # float32 whose range does not do is computed in float64, and may be tried as float32
    doubles: frozenset[int] = frozenset()  # sources that are float64 themselves: what computes them is not so tried

    def may_be_single(self, step: Kernel | Call) -> bool:
        """Whether the float64 of a step is there for the range of float32 only."""
        return self.ranged and self.doubles.isdisjoint(step.sources)

    def of_kind(self, *kinds: Kind) -> list[Buffer]:
        return [b for b in self.buffers.values() if b.kind in kinds]

    def __str__(self) -> str:
        lines = [f"{b.kind} {b.name}: {b.dtype}[{', '.join(map(str, b.shape))}]" for b in self.buffers.values()]
        lines += [f"{b.symbol} = {b.buffer}" + ("" if b.axis is None else f".shape[{b.axis}]") for b in self.bindings]
        lines += [f"check {c.fact.left} {c.fact.relation} {c.fact.right}" for c in self.checks]
        return "\n".join(lines) + "\n" + show(self.steps)


def show(steps: tuple[Step, ...], pad: str = "") -> str:
    """The steps as a person reads them."""
    out = ""
    for s in steps:
        match s:
            case Kernel(body):
                out += f"{pad}kernel\n" + "".join(loops.text(b, pad + "  ") for b in body)
            case Call(name, views):
                named = ", ".join(v.buffer + ("" if v.offset == 0 else f"@{v.offset}") for v in views)
                out += f"{pad}{name}({named})\n" + "".join(loops.text(b, pad + "  ") for b in s.epilogue)
            case Loop(t, n, body):
                until = f" until {s.stop.buffer}" if s.stop is not None else ""
                out += f"{pad}loop {t} in 0:{n}{until}\n" + show(body, pad + "  ")
            case If(c, a, b):
                out += f"{pad}if {c.buffer}\n{show(a, pad + '  ')}{pad}else\n{show(b, pad + '  ')}"
    return out


def accesses(step: Step) -> tuple[tuple[View, bool], ...]:
    """(view, is it written) of one step, bodies not entered."""
    match step:
        case Kernel() | Call():
            return step.accesses
        case If(condition, _, _):
            return ((condition, False),)
        case Loop() if step.stop is not None:
            return ((step.stop, False),)
    return ()


def inner(step: Step) -> tuple[tuple[Step, ...], ...]:
    """The bodies of a step."""
    match step:
        case Loop(_, _, body):
            return (body,)
        case If(_, then, other):
            return (then, other)
    return ()


def by_role(call: Call) -> tuple[View, View, View]:
    """(images, filters, results) of a convolution."""
    views = dict(zip(ROLES[call.name], call.views, strict=True))
    return views["x"], views["f"], views["y"]


def seen_extents(call: Call) -> tuple[Extent, ...]:
    """The extents of the images that a convolution sees: with borders as many places as its results ask for, at least one."""
    x, f, y = by_role(call)
    if not call.borders:
        return x.shape[2:]
    axes = len(call.borders)
    steps, spacing = call.window[1 : 1 + axes], call.window[1 + axes :]
    return tuple(
        largest(p - 1, 0) * k + (u - 1) * abs(d) + 1
        for p, k, u, d in zip(y.shape[2:], steps, f.shape[2:], spacing, strict=True)
    )


def is_epilogue(call: Call) -> bool:
    """Whether the epilogue may run on parts of the product, in any order or at once.

    It is one nest over the rows and columns of a product of float matrices in C order; a round reads only its own element
    of the product, and only its own element of what the epilogue writes, each of which belongs to one round and is no
    operand. Nothing in it can fail.
    """
    *operands, c = call.views
    if call.name != "matmul" or not c.dtype.startswith("float") or c != loops.contiguous(c.buffer, c.dtype, c.shape):
        return False
    match call.epilogue:
        case (For(row, m, (For(column, n, body),)),) if (m, n) == c.shape:
            own = tuple(polynomial([((s,), 1)]) for s in (row, column))
        case _:
            return False
    places: dict[str, tuple[View, tuple[Any, ...]]] = {c.buffer: (c, own)}
    loads: list[Load] = []
    stored = {v.buffer for v in operands}
    for x in walk(*body):
        match x:
            case Store(view, at, _):
                if any(map(loops.is_value, at)) or view.buffer in stored:
                    return False
                if places.setdefault(view.buffer, (view, at)) != (view, at):
                    return False
                stored.add(view.buffer)
                dense = view.strides == loops.contiguous(view.buffer, view.dtype, view.shape).strides
                if not dense or sorted((i for i in at if i != 0), key=str) != sorted(own, key=str):
                    return False
            case Load():
                loads.append(x)
            case For() | Barrier() | Guard() | Checked():
                return False
    return all(
        places.get(x.view.buffer, (x.view, x.at)) == (x.view, x.at) and not any(map(loops.is_value, x.at))
        for x in loads
    )


def may_fail(step: Step) -> bool:
    """Whether a step, or one inside it, has a check that can stop the run."""
    if isinstance(step, Kernel):
        return any(isinstance(x, Checked) for x in step.items)
    if isinstance(step, Call):
        return step.name == "routine"
    return any(may_fail(s) for body in inner(step) for s in body)


def verify(program: Program) -> None:
    """Raises ProgramError unless buffers and symbols are known where they are used, nothing is read before it is
    written, inputs and constants are never written, every output is, calls have operands apart from their result,
    failures and arena slots exist, and no check can fail after the first write to a shared value (so that a call is
    all or nothing)."""
    buffers = program.buffers
    sizes = {b.symbol for b in program.bindings}
    for b in program.bindings:
        bound = buffers.get(b.buffer)
        if bound is None or bound.kind not in ("input", "shared", "constant"):
            raise ProgramError(f"{b.symbol} is bound to {b.buffer}, which is not known at entry")
        if b.axis not in range(len(bound.shape)) if b.axis is not None else bound.shape or "int" not in bound.dtype:
            raise ProgramError(f"{b.symbol} is bound to axis {b.axis} of {b.buffer}")
    for name, buffer in buffers.items():
        if buffer.kind != "temp" and buffer.dtype in WIDE:
            raise ProgramError(f"{buffer.kind} {name} is {buffer.dtype}, which only temps may be")
        if name != buffer.name:
            raise ProgramError(f"{buffer.name} is listed as {name}")
        if unknown := frozenset(s for e in buffer.shape for s in symbols(e)) - sizes:
            raise ProgramError(f"{sorted(map(str, unknown))} unknown in the shape of {name}")
    for check in program.checks:
        if unknown := (symbols(check.fact.left) | symbols(check.fact.right)) - sizes:
            raise ProgramError(f"{sorted(map(str, unknown))} unknown in a check")
    for name, slot in program.offsets.items():
        if name not in buffers or buffers[name].kind != "temp" or slot not in range(len(program.slots)):
            raise ProgramError(f"{name} has no place in arena slot {slot}")

    shared = {b.name for b in program.of_kind("shared")}

    def commits(steps: tuple[Step, ...]) -> bool:
        """Whether a shared buffer is written in these steps."""
        return any(any(w and v.buffer in shared for v, w in accesses(s)) or any(map(commits, inner(s))) for s in steps)

    def access(view: View, writes: bool, known: set[Symbol] | None, readable: set[str]) -> None:
        if view.buffer not in buffers:
            raise ProgramError(f"unknown buffer {view.buffer}")
        if view.dtype != buffers[view.buffer].dtype:
            raise ProgramError(f"{view.buffer} is viewed as {view.dtype}")
        if writes and buffers[view.buffer].kind in ("input", "constant"):
            raise ProgramError(f"{view.buffer} must not be written")
        if not writes and view.buffer not in readable:
            raise ProgramError(f"{view.buffer} is read before it is written")
        if known is not None:  # else in a loop nest, which has its own verifier
            if len(view.shape) != len(view.strides):
                raise ProgramError(f"{len(view.strides)} strides for the {len(view.shape)} axes of {view.buffer}")
            for e in (view.offset, *view.strides, *view.shape):
                if unknown := symbols(e) - known:
                    raise ProgramError(f"{sorted(map(str, unknown))} unknown in a view of {view.buffer}")

    def call(step: Call) -> None:
        if step.name == "routine":
            if not 0 <= step.results <= len(step.views) or step.routine < 0 or step.epilogue:
                raise ProgramError(f"routine {step.routine} with {step.results} of {len(step.views)} views as results")
            written = {v.buffer for v in step.views[len(step.operands) :]}
            if len(written) < step.results or written & {v.buffer for v in step.operands}:
                raise ProgramError(f"routine {step.routine} writes what it reads, or one buffer twice")
            return
        *operands, result = step.views
        if CALLS.get(step.name) != len(step.views):
            raise ProgramError(f"no library call {step.name} of {len(step.views)} views")
        if len({len(v.shape) for v in step.views}) > 1 or (step.name == "matmul" and len(result.shape) < 2):
            raise ProgramError(f"{step.name} of views of {[len(v.shape) for v in step.views]} axes")
        if step.name in CONVOLUTIONS:
            if len(result.shape) not in (3, 4, 5) or len(step.window) != 2 * len(result.shape) - 3:
                raise ProgramError(f"{step.name} of {len(result.shape)} axes with the window {step.window}")
            if any(v != loops.contiguous(v.buffer, v.dtype, v.shape, v.offset) for v in step.views):
                raise ProgramError(f"{step.name} of views that are not in C order")
        if step.borders and (step.name != "convolve" or len(step.borders) != len(result.shape) - 2 > 2):
            raise ProgramError(f"{step.name} of {len(result.shape)} axes with the borders {step.borders}")
        if len({v.dtype for v in step.views}) > 1:
            raise ProgramError(f"{step.name} of views of {[v.dtype for v in step.views]}")
        if step.name != "copy" and any(v.buffer == result.buffer for v in operands):
            raise ProgramError(f"{step.name} writes {result.buffer}, which it reads")
        if step.epilogue and not is_epilogue(step):
            raise ProgramError(
                f"{step.name} into {result.buffer} has an epilogue that depends on the order of its rounds"
            )

    def block(steps: tuple[Step, ...], known: set[Symbol], written: set[str], committed: bool) -> set[str]:
        """The buffers written after the steps; committed: a shared value may have been written before them."""
        written, known = set(written), set(known)
        for s in steps:
            views = list(accesses(s))
            stores = {v.buffer for v, writes in views if writes}
            outer = () if isinstance(s, Kernel) else s.views if isinstance(s, Call) else views
            for view, writes in () if isinstance(s, Loop) else views[: len(outer)]:
                access(view, writes, known, written)
            for view, writes in views[len(outer) :]:
                access(view, writes, None, written | stores)
            match s:
                case Kernel(body):
                    loops.verify(body, known)
                    codes = [item.code for item in s.items if isinstance(item, Checked)]
                    for code in codes:
                        if code - FIRST_FAILURE not in range(len(program.failures)):
                            raise ProgramError(f"no failure has the code {code}")
                    if codes and (committed or stores & shared):
                        raise ProgramError("a check that can fail comes after a shared value was written")
                case Call():
                    if may_fail(s) and (committed or stores & shared):
                        raise ProgramError("a routine, which can fail, comes after a shared value was written")
                    call(s)
                    loops.verify(s.epilogue, known)
                case Loop(counter, extent, body):
                    if unknown := symbols(extent) - known:
                        raise ProgramError(f"{sorted(map(str, unknown))} unknown in the steps of loop {counter}")
                    if counter in known:
                        raise ProgramError(f"counter {counter} is already in use")
                    # a later round comes after the writes of an earlier one
                    written |= block(body, known | {counter}, written, committed or commits(body))
                    if s.stop is not None:
                        access(s.stop, False, known, written)
                        if any(n != 1 for n in s.stop.shape) or s.stop.dtype != "bool":
                            raise ProgramError(f"the condition {s.stop.buffer} to end a loop is not one bool")
                case If(condition, then, other):
                    if any(n != 1 for n in condition.shape) or condition.dtype != "bool":
                        raise ProgramError(f"the condition {condition.buffer} is not one bool")
                    written |= block(then, known, written, committed) & block(other, known, written, committed)
            committed = committed or bool(stores & shared) or any(map(commits, inner(s)))
            written |= stores
        return written

    done = block(program.steps, sizes, {b.name for b in program.of_kind("input", "shared", "constant")}, False)
    if missing := {b.name for b in program.of_kind("output")} - done:
        raise ProgramError(f"outputs never written: {sorted(missing)}")
