"""Statements for one thread of many: memory in its own address spaces, checks that go into the status word, and loops whose
rounds are dealt out to threads, a few neighbouring elements at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from symdl.backends.builder import Reg
from symdl.backends.llvm.attempts import AttemptWriter
from symdl.backends.llvm.draws import in_order
from symdl.backends.llvm.module import ITEM_BYTES, Landing, Module, Target
from symdl.backends.llvm.plans import Plan, plan_for
from symdl.backends.llvm.statements import Dependency, KernelWriter, Nest, changed_in
from symdl.backends.llvm.whole_loops import Whole
from symdl.backends.vmath.philox import DRAWS, block_of, elements
from symdl.ir.loops import (
    Apply,
    Checked,
    For,
    Index,
    Load,
    Local,
    Stmt,
    Store,
    Value,
    View,
    is_value,
    place_of,
    walk,
)
from symdl.number_forms import WIDE
from symdl.philox import LANES
from symdl.types import Extent, Symbol, floor_divide, replace_symbols, slope, terms_of

TRIPLE = "nvptx64-nvidia-cuda"
VECTOR_BYTES = 16  # the widest access of one thread
GPU = Target(TRIPLE, "", True, VECTOR_BYTES)
GLOBAL, SHARED = 1, 3  # address spaces
STATUS = "%status"


@dataclass
class GpuModule(Module):
    """A module of kernels, each with the most threads that a block of it has, and how many blocks a multiprocessor shall
    hold at least: one, so that no register is spilled for the sake of more."""

    threads: dict[str, tuple[int, int]] = field(default_factory=dict)
    made: dict[Any, Any] = field(default_factory=dict)  # what has been written for a loop nest, by what it does
    checks: bool = False  # whether any kernel may set the status word
    tensor_cores: bool = False  # whether products of float32 are theirs, their operands rounded to tf32

    def multiplies(self, dtype: str) -> str:
        """In what products of a dtype are computed."""
        return "tf32" if self.tensor_cores and dtype == "float32" else dtype

    def entry(self, stem: str, parameters: str, body: str, writer: GpuWriter, threads: int, blocks: int = 1) -> str:
        """The name of a kernel with this body, written only once."""
        name = self.share(stem, parameters, body, writer, f"; {threads} threads\n", "ptx_kernel")
        self.threads[name] = threads, blocks
        return name

    def __str__(self) -> str:
        text = super().__str__().replace("define internal ptx_kernel @", "define ptx_kernel void @")
        facts = [f'ptr @{name}, !"maxntidx", i32 {n}' for name, (n, _) in self.threads.items()]
        facts += [f'ptr @{name}, !"minctasm", i32 {least}' for name, (_, least) in self.threads.items()]
        marks = [f"!{k} = !{{{fact}}}" for k, fact in enumerate(facts)]
        listed = ", ".join(f"!{k}" for k in range(len(marks)))
        return "\n".join([text, f"!nvvm.annotations = !{{{listed}}}", *marks, ""])


class GpuWriter(AttemptWriter):
    """Writes the statements of one thread. Addresses of buffers are those of global memory."""

    everywhere = (STATUS,)
    close = 1  # a thread reads what it needs, and no more

    def __init__(self, module: Module, pointers: dict[str, str], indices: set[Symbol]) -> None:
        super().__init__(module, pointers, indices)
        self.spaces: dict[str, int] = dict.fromkeys(pointers.values(), GLOBAL) | {STATUS: GLOBAL}
        self.checks = False
        self.aligned_at: set[Extent] = set()  # places that begin a whole aligned vector

    # memory

    def element(self, pointer: str, dtype: str, index: str) -> str:
        found = super().element(pointer, dtype, index)
        if pointer in self.spaces:
            self.spaces[found] = self.spaces[pointer]
        return found

    def typed(self, pointer: str) -> str:
        space = self.spaces.get(pointer, 0)
        return f"ptr addrspace({space}) {pointer}" if space else f"ptr {pointer}"

    def lanes_aligned(self, view: View, at: tuple[Index, ...]) -> int:
        size = ITEM_BYTES[view.dtype]
        start = replace_symbols(place_of(view, at), {self.index: 0})
        whole = slope(place_of(view, at), self.index) == 1 and start in self.aligned_at
        return size * self.lanes if whole else size

    # checks

    def compute(self, item: Value) -> Reg:
        match item:
            case Checked(value, extent, code):
                index = self.as_word(self.value(value))
                good = self.emit(f"icmp ult {self.word} {index}, {self.size(extent)}", "bool").text
                self.report(good, code)
                safe = self.emit(f"select i1 {good}, {self.word} {index}, {self.word} 0", "int64").text
                return self.position(safe, item.dtype)
            case Load(view, at) if not self.lanes and (empty := self.may_be_empty(at)):
                return self.guarded_load(view, at, empty)
        return super().compute(item)

    def report(self, good: str, code: int) -> None:
        """The first code that is written stays."""
        self.checks = True
        go, bad = self.fresh("go"), self.fresh("bad")
        self.branch(good, go, bad)
        self.label(bad)
        self.emit(f"cmpxchg {self.typed(STATUS)}, i32 0, i32 {code} monotonic monotonic", "int32")
        self.jump(go)
        self.label(go)

    def may_be_empty(self, at: tuple[Index, ...]) -> list[Extent]:
        """Extents of checked indices that may be 0, so that not even the first element is there."""
        checked = (x for i in at if is_value(i) for x in walk(i) if isinstance(x, Checked))
        return [x.extent for x in checked if not isinstance(x.extent, int) or x.extent < 1]

    def all_there(self, extents: Sequence[Extent]) -> str:
        """Whether none of the extents is 0."""
        found = ""
        for extent in dict.fromkeys(extents):
            one = self.emit(f"icmp sgt {self.word} {self.size(extent)}, 0", "bool").text
            found = self.emit(f"and i1 {found}, {one}", "bool").text if found else one
        return found

    def guarded_load(self, view: View, at: tuple[Index, ...], extents: Sequence[Extent]) -> Reg:
        """The element, or 0 where there is none."""
        place = self.address(view, at)
        yes, join, before = self.fresh("there"), self.fresh("join"), ""
        there = self.all_there(extents)
        before = self.block
        self.branch(there, yes, join)
        self.label(yes)
        found, after = self.load(place, view.dtype), self.block
        self.jump(join)
        self.label(join)
        kind, zero = self.type(view.dtype), self.const(0, view.dtype).text
        return self.emit(f"phi {kind} [ {found.text}, %{after} ], [ {zero}, %{before} ]", view.dtype)

    def guarded_store(self, store: Store, extents: Sequence[Extent]) -> None:
        """Store where there is an element."""
        found, place = self.value(store.value), self.address(store.view, store.at)
        yes, join = self.fresh("there"), self.fresh("join")
        self.branch(self.all_there(extents), yes, join)
        self.label(yes)
        self.store(found, place)
        self.jump(join)
        self.label(join)
        self.forget({("buffer", store.view.buffer)})

    # statements of one thread

    def statement(self, statement: Stmt) -> None:
        if isinstance(statement, Store) and (extents := self.may_be_empty(statement.at)):
            self.guarded_store(statement, extents)
        else:
            KernelWriter.statement(self, statement)

    def plan_of(self, loop: For) -> Plan | None:
        return None  # a loop of one thread goes by single elements

    def as_whole(self, loop: For) -> Whole | None:
        return None

    # loops whose rounds are dealt out

    def vectors_of(self, loop: For) -> Plan | None:
        """How a thread takes neighbouring rounds of an innermost loop together, if it does."""
        items = walk(*loop.body)
        if any(x.view.dtype in WIDE for x in items if isinstance(x, Load | Store)):
            return None
        if self.attempt(loop) is None and any(getattr(x, "dtype", "") in WIDE for x in items):
            return None
        if any(isinstance(item, Checked) for item in items):
            return None  # where an index fails, what is read instead is read by single elements
        plan = plan_for(replace(loop, schedule="vector"), VECTOR_BYTES)
        if plan is None or plan.choice is not None:
            return None
        bytes_ = max(ITEM_BYTES[x.view.dtype] for x in items if isinstance(x, Load | Store)) if has_uses(loop) else 8
        plan.lanes = min(VECTOR_BYTES // bytes_, 8)  # a plan of sums has twice as many
        few = loop.extent if isinstance(loop.extent, int) else plan.lanes
        return plan if 2 <= plan.lanes <= few else None

    def shared_out(self, loops: Sequence[For], first: str, step: str, vectors: Plan | None) -> None:
        """All rounds of loops right inside one another, in which units first, first + step, ... are this thread's.

        A unit is one round of the innermost loop, or as many as a vector has lanes. Sums go into the thread's own variables.
        """
        if draws := self.runs_of(loops[-1]):
            self.runs_shared_out(loops, draws, first, step)
            return
        inner, lanes = loops[-1], vectors.lanes if vectors else 1
        varying = changed_in(inner.body) | {("index", str(loop.index)) for loop in loops}
        partial: dict[str, str] = {}
        if vectors is not None:
            partial = {s.variable: self.partial_sum(s, lanes) for s in vectors.sums.values()}
            assert not any(s.ordered for s in vectors.sums.values())
        count = units(loops, lanes)
        whole = self.pointers_aligned() if vectors is not None else ""
        opened = self.open_loop(self.size(count), first, step)
        self.nests.append(Nest(opened.before, varying))
        start = self.define_indices(loops, opened.index, lanes)
        if vectors is None:
            self.scopes[-1].symbols[inner.index] = start
            self.round(inner)
        else:
            self.unit(inner, vectors, partial, start, whole)
        self.nests.pop()
        self.close_loop(opened)
        if vectors is not None:
            for name, pointer in partial.items():
                self.finish_sum(vectors.sums[name], pointer, lanes)

    def runs_of(self, loop: For) -> list[tuple[Apply, Extent]]:
        """The draws in an innermost loop of which a thread takes all that one block of words makes, with their places;
        none where the rounds do not begin with a run, or must be taken in order."""
        items = walk(*loop.body)
        if not all(isinstance(s, Local | Store) for s in loop.body) or self.attempt(loop) is not None:
            return []
        if any(getattr(x, "dtype", "") in WIDE for x in items):
            return []
        found = in_order(loop, changed_in(loop.body))
        starts = [(DRAWS[draw.primitive].run, replace_symbols(place, {loop.index: 0})) for draw, place in found]
        return found if all(k % run == 0 for run, start in starts for _, k in terms_of(start)) else []

    def taken(self, loop: For) -> int:
        """How many rounds of an innermost loop a thread of many takes at once."""
        if draws := self.runs_of(loop):
            return sharing(draws)
        plan = self.vectors_of(loop)
        return plan.lanes if plan else 1

    def runs_shared_out(
        self, loops: Sequence[For], draws: Sequence[tuple[Apply, Extent]], first: str, step: str
    ) -> None:
        """All rounds of loops of which the innermost draws: a unit is the rounds of a run that lie LANES apart, for which
        each block of words is computed once. Neighbouring threads touch neighbouring memory."""
        inner, each = loops[-1], sharing(draws)
        run = each * LANES
        dealt = [*loops[:-1], replace(inner, extent=floor_divide(inner.extent + (run - 1), run) * LANES)]
        varying = changed_in(inner.body) | {("index", str(loop.index)) for loop in loops}
        opened = self.open_loop(self.size(units(dealt, 1)), first, step)
        self.nests.append(Nest(opened.before, varying))
        unit = self.define_indices(dealt, opened.index, 1)
        lane = self.arithmetic("and", unit, str(LANES - 1))
        start = self.arithmetic("add", self.arithmetic("mul", self.arithmetic("sub", unit, lane), str(each)), lane)
        self.open_scope().symbols[inner.index] = start
        drawn = [(draw, self.drawn(draw, self.size(place), each)) for draw, place in draws]
        self.close_scope()
        end = self.size(inner.extent)
        for k in range(each):
            here, past = self.fresh("drawn"), self.fresh("past")
            at = self.arithmetic("add", start, str(k * LANES))
            self.branch(self.arithmetic("icmp slt", at, end), here, past)
            self.label(here)
            self.open_scope().symbols[inner.index] = at
            for draw, found in drawn:
                self.remember(draw, found[k])
            self.round(inner)
            self.close_scope()
            self.jump(past)
            self.label(past)
        self.forget(varying)
        self.nests.pop()
        self.close_loop(opened)

    def drawn(self, draw: Apply, place: str, many: int) -> list[Reg]:
        """So many elements of a draw, LANES apart, from a place in the first part of a run on."""
        kind = DRAWS[draw.primitive]
        key, count, serial = map(self.value, draw.args[:3])
        found: list[Reg] = []
        while len(found) < many:
            at = Reg(self.arithmetic("add", place, str(len(found) * LANES)), "uint64")
            found += elements(self, kind, key, count, serial, block_of(self, kind, at))
        return found

    def define_indices(self, loops: Sequence[For], unit: str, lanes: int) -> str:
        """Indices of all loops but the innermost from the number of a unit; returns where that begins in the innermost."""
        extents = [loop.extent for loop in loops[:-1]]
        extents.append(units(loops[-1:], lanes))
        numbers = [self.size(extent) for extent in extents[1:]]
        rest, places = unit, []
        with Landing(self, self.scopes[-1]):  # where indices are known, what depends on them alone may stand, too
            for n in reversed(numbers):
                places.append(self.arithmetic("urem", rest, n))
                rest = self.arithmetic("udiv", rest, n)
            places.append(rest)
            start = places[0] if lanes == 1 else self.arithmetic("mul", places[0], str(lanes))
        for loop, place in zip(loops[:-1], reversed(places), strict=False):
            self.scopes[-1].symbols[loop.index] = place
        return start

    def unit(self, loop: For, plan: Plan, partial: dict[str, str], start: str, whole: str) -> None:
        """Neighbouring rounds: as one vector if they are all there and lie well, else one by one."""
        lanes, end = plan.lanes, self.size(loop.extent)
        after = self.arithmetic("add", start, str(lanes))
        fits = self.emit(f"icmp sle {self.word} {after}, {end}", "bool").text
        unsure, self.aligned_at = self.alignments(loop, lanes)
        if self.aligned_at:
            fits = self.emit(f"and i1 {fits}, {whole}", "bool").text
        for extent in unsure:
            low = self.arithmetic("and", self.size(extent), str(lanes - 1))
            fits = self.emit(f"and i1 {fits}, {self.arithmetic('icmp eq', low, '0')}", "bool").text
        together, single, body, join = (self.fresh(name) for name in ("together", "single", "vector", "join"))
        self.branch(fits, together, single)
        self.label(together)
        before = self.open_scope()
        before.block = together
        self.jump(body)
        self.label(body)
        self.open_scope().symbols[loop.index] = start
        self.nests.append(Nest(before, varying_of(loop)))
        self.own, self.index = {}, loop.index
        self.take(lanes)
        self.vector_round(loop, plan, partial)
        self.take(0)
        self.nests.pop()
        self.close_scope()
        self.close_scope()
        self.jump(join)
        self.label(single)
        self.open_scope()
        self.forget(changed_in(loop.body))
        some = self.open_loop(self.extreme("min", after, end), start)
        self.nests.append(Nest(some.before, varying_of(loop)))
        self.scopes[-1].symbols[loop.index] = some.index
        self.round(loop)
        self.nests.pop()
        self.close_loop(some)
        self.close_scope()
        self.jump(join)
        self.label(join)

    def alignments(self, loop: For, lanes: int) -> tuple[list[Extent], set[Extent]]:
        """(places that must be multiples of the lanes, found at run time; all that then are) of vectors in a loop's body."""
        unsure: dict[Extent, None] = {}
        aligned: set[Extent] = set()
        for item in walk(*loop.body):
            if not isinstance(item, Load | Store) or any(map(is_value, item.at)) or item.view.dtype in WIDE:
                continue
            place = place_of(item.view, item.at)
            start = replace_symbols(place, {loop.index: 0})
            if slope(place, loop.index) != 1 or is_odd(start, lanes):
                continue
            aligned.add(start)
            if any(k % lanes for _, k in terms_of(start)):
                unsure[start] = None
        return list(unsure), aligned

    def pointers_aligned(self) -> str:
        """Whether every buffer begins where a whole vector may."""
        found = ""
        for pointer in self.pointers.values():
            if self.spaces[pointer] != GLOBAL:
                continue
            one = self.emit(f"ptrtoint {self.typed(pointer)} to i64", "int64").text
            found = self.emit(f"or i64 {found}, {one}", "int64").text if found else one
        low = self.emit(f"and i64 {found}, {VECTOR_BYTES - 1}", "int64").text
        return self.emit(f"icmp eq i64 {low}, 0", "bool").text


def sharing(draws: Sequence[tuple[Apply, Extent]]) -> int:
    """How many elements of the longest runs one block of words makes."""
    return max(DRAWS[draw.primitive].run for draw, _ in draws) // LANES


def units(loops: Sequence[For], lanes: int) -> Extent:
    """How many units the rounds of loops right inside one another are."""
    found: Extent = floor_divide(loops[-1].extent + (lanes - 1), lanes)
    for loop in loops[:-1]:
        found = found * loop.extent
    return found


def is_odd(place: Extent, lanes: int) -> bool:
    """Whether it is known that no aligned vector begins at a place."""
    terms = terms_of(place)
    return all(k % lanes == 0 for atoms, k in terms if atoms) and any(k % lanes for atoms, k in terms if not atoms)


def has_uses(loop: For) -> bool:
    """Whether a loop loads or stores."""
    return any(isinstance(x, Load | Store) for x in walk(*loop.body))


def varying_of(loop: For) -> set[Dependency]:
    """What may differ from one round of an innermost loop to the next."""
    return changed_in(loop.body) | {("index", str(loop.index))}
