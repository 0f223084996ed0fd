"""Which loops of a Program may run on many threads: those marked "parallel", each alone in its kernel.

A loop over kernels' outermost axis whose rounds touch nothing in common is marked as it is; a machine cuts it where it
likes, since the numbers do not depend on it. A loop that carries sums, in variables or in rows of accumulators, or that
keeps a row from phase to phase of a round, becomes a loop over blocks of rounds:

    for i in 0:n: s = s + x[i]        for parallel c in 0:blocks
                                        var p = 0;  for r in 0:min(length, n - c*length): p = p + x[c*length + r]
                                        partial[c] = p
                                      for c in 0:blocks: s = s + partial[c]

The length of a block follows from sizes alone, so results depend neither on the machine nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import Any

from symdl.ir.column_choices import choice_in
from symdl.ir.column_choices import cut as choice_cut
from symdl.ir.column_sums import Fold, cut, few_rows, found_in
from symdl.ir.flat import flattened
from symdl.ir.loops import (
    Apply,
    Assign,
    Barrier,
    Checked,
    Const,
    For,
    Load,
    Local,
    Ref,
    Stmt,
    Store,
    View,
    contiguous,
    is_value,
    parts,
    walk,
)
from symdl.ir.narrow_rows import CHEAP, by_columns
from symdl.ir.program import Buffer, If, Kernel, Loop, Program, Step, accesses
from symdl.ir.rebuilding import rebuilt
from symdl.ir.renaming import unused, within
from symdl.ir.rounds import Inner, counted_on, independent, loops_in
from symdl.ir.short_columns import Columns, short_columns
from symdl.ir.whole_columns import whole_columns
from symdl.number_forms import WIDE
from symdl.records import mutable
from symdl.types import (
    Extent,
    Symbol,
    at_most,
    floor_divide,
    largest,
    product,
    replace_symbols,
    smallest,
    sole_symbol,
    symbol,
    symbols,
)

BLOCK = 1 << 14  # elements that a block of a sum visits, some microseconds of work
SMALL = 1 << 11  # elements of a loop that is known to be little work
ROWS = 16  # of a block at least, where it has a row of its own: such rows take little memory beside what is read
FOLDS = ("add", "mul", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor")
BLOCK_INDEX, ROUND = "_block", "_round"


def parallel(program: Program) -> Program:
    """The program with its parallel loops marked, sums being cut into blocks; it computes the same but for the order in
    which floats are added up."""
    users: dict[str, int] = {}  # how many kernels and calls touch a buffer
    for step in program.steps:
        for part in within(step):
            for name in {v.buffer for v, _ in accesses(part)}:
                users[name] = users.get(name, 0) + 1
    return Cutter(program, users).program()


@mutable
class Carried:
    """What the rounds of a loop hand on to one another."""

    sums: dict[str, tuple[str, Const]] = field(default_factory=dict)  # variable -> (primitive, its identity)
    rows: dict[str, tuple[str, Const, View]] = field(default_factory=dict)  # accumulators in a buffer, likewise
    temps: set[str] = field(default_factory=set)  # buffers of one row that each round writes anew


class Cutter:
    """One Program being rewritten."""

    by_columns = True  # whether sums of columns are cut by `column_sums`
    tries = True  # whether sums of exponentials are tried without their largest

    def __init__(self, program: Program, users: Mapping[str, int]) -> None:
        self.given, self.users, self.buffers = program, users, dict(program.buffers)
        self.sizes = {b.symbol for b in program.bindings}
        bounds = [(c.fact.left, sole_symbol(c.fact.right)) for c in program.checks if c.fact.relation == "<="]
        self.least = {
            n: symbol(n.name, n.serial) + k for k, n in bounds if n and not n.signed and isinstance(k, int) and k > 0
        }

    def program(self) -> Program:
        """The whole Program."""
        steps = self.steps(self.given.steps)
        return replace(self.given, steps=steps, buffers=self.buffers)

    def steps(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        out: list[Step] = []
        found: Sequence[Step | Columns] = steps
        if self.by_columns:
            found = short_columns(whole_columns(steps, self.buffers, self.users), self.buffers, self.users, self.sizes)
        for step in found:
            match step:
                case Columns():
                    out += self.columns(step)
                case Kernel():
                    out += self.kernels(step)
                case Loop():
                    out.append(replace(step, body=self.steps(step.body)))
                case If(condition, then, other):
                    out.append(If(condition, self.steps(then), self.steps(other)))
                case _:
                    out.append(step)
        return tuple(out)

    def columns(self, run: Columns) -> list[Step]:
        """The one loop for few rows, and the kernels for many."""
        if run.few == 1:
            for name in {v.buffer for k in run.kernels for v, _ in k.accesses} - {
                v.buffer for v, _ in run.kernel.accesses
            }:
                del self.buffers[name]
            return [run.kernel]
        out: list[Step] = [run.kernel]
        for kernel in run.kernels:
            fold = self.fold(flattened(kernel))
            for step in self.kernels(kernel) if fold is None else self.folded(kernel, fold, 0):
                assert isinstance(step, Kernel)
                loops = [
                    replace(s, extent=s.extent * (1 - run.few)) if isinstance(s, For) else s
                    for s in map(self.narrow, step.body)
                ]
                out.append(Kernel(tuple(loops), step.sources))
        return out

    def narrow(self, statement: Stmt) -> Stmt:
        """A parallel loop over rows as one over blocks of them, if narrow rows are better gone through by columns."""
        match statement:
            case For(i, n, body, "parallel") if i.name != BLOCK_INDEX:
                length = self.length(statement, Carried(temps={""}))
                here = symbol(BLOCK_INDEX) * length
                rounds = For(
                    Symbol(ROUND), smallest(length, n - here), rebuilt(body, symbols={i: here + symbol(ROUND)})
                )
                made = by_columns(rounds)
                if made != (rounds,):
                    return For(Symbol(BLOCK_INDEX), floor_divide(n + length - 1, length), made, "parallel")
        return statement

    def fold(self, joined: Kernel) -> Fold | None:
        """The sums of columns that a kernel is, if it is to be cut by `column_sums`. Columns of several axes are those of one
        in the flattened kernel."""
        if not self.by_columns:
            return None
        found = found_in(joined, lambda view: self.users[view.buffer] == 1)
        known = found is not None and symbols(found.rows.extent) | symbols(found.columns.extent) <= self.sizes
        return found if known else None

    def folded(self, kernel: Kernel, fold: Fold, few: Extent) -> list[Step]:
        """Sums of columns, cut. few: 1 if their rows are to be summed at once, else 0."""
        little = at_most(visits(fold.rows), SMALL)
        loops = cut(fold, self.temp, few)
        return [Kernel((replace(s, schedule="serial") if little else s,), kernel.sources) for s in loops]

    def kernels(self, kernel: Kernel) -> list[Step]:
        """The kernel, its parallel loops in kernels of their own.

        A statement that waits before such a loop goes behind it where neither touches what the other writes.
        """
        joined = flattened(kernel)
        fold = self.fold(joined)
        if fold is not None:
            return self.folded(kernel, fold, few_rows(fold.rows.extent))
        choice = choice_in(kernel) if self.by_columns else None
        if choice is not None and symbols(choice.rows.extent) | symbols(choice.columns.extent) <= self.sizes:
            loops = [] if at_most(visits(choice.columns), SMALL) else choice_cut(choice, self.temp)
            if loops:
                return [Kernel((loop,), kernel.sources) for loop in loops]
        out: list[Step] = []
        waiting: list[Stmt] = []
        body = by_lanes(joined.body)
        for k, statement in enumerate(body):
            found = None
            if isinstance(statement, For) and not (len(body) > 1 and fills(statement)):
                alone = not (self.tries and may_do_without(statement, body[k + 1 :]))
                found = self.cut(statement, waiting) if alone else None
            if found is None:
                waiting.append(statement)
                continue
            loop, combine = found
            if any(not apart(loop, s) for s in waiting):
                declared = {s.name for s in waiting if isinstance(s, Local)}
                little = not combine and depth(loop) < max(map(depth, waiting))
                if little or declared & variables(loop, *combine, *body[k + 1 :]):
                    waiting.append(statement)
                    continue
                out.append(Kernel(tuple(waiting), kernel.sources))
                waiting = []
            out.append(Kernel((loop,), kernel.sources))
            waiting += combine
        return [*out, Kernel(tuple(waiting), kernel.sources)] if waiting else out

    def cut(self, loop: For, waiting: list[Stmt]) -> tuple[For, list[Stmt]] | None:
        """(the loop made parallel, what combines its blocks), or None where it must run round by round."""
        carried = None if at_most(loop.extent, 1) or at_most(visits(loop), SMALL) else self.carried(loop, waiting)
        if carried is None:
            return None
        if not carried.sums and not carried.rows and not carried.temps:
            return replace(loop, schedule="parallel"), []
        length = self.length(loop, carried)
        if at_most(loop.extent, length) or not symbols(loop.extent) | symbols(length) <= self.sizes:
            return None  # one block, or blocks that vary from round to round of what is around
        return self.blocks(loop, carried, length)

    # ---- what is carried ----

    def carried(self, loop: For, waiting: list[Stmt]) -> Carried | None:
        """What the rounds of a loop carry, if nothing else does; None if more than that."""
        found = Carried()
        touching: dict[str, list[Load | Store]] = {}
        assigned: dict[str, list[Assign]] = {}
        declared: set[str] = set()
        stores: set[str] = set()
        for item in walk(loop):
            match item:
                case Load() | Store():
                    touching.setdefault(item.view.buffer, []).append(item)
                    if isinstance(item, Store):
                        stores.add(item.view.buffer)
                case Local():
                    declared.add(item.name)
                case Assign():
                    assigned.setdefault(item.name, []).append(item)
                case Barrier():
                    return None
        for name, sets in assigned.items():
            if name in declared:
                continue
            identity = next((s.value for s in waiting if isinstance(s, Local) and s.name == name), None)
            primitive = sum_of(loop, sets, name)
            if primitive is None or not isinstance(identity, Const):
                return None
            found.sums[name] = primitive, identity
        inner = loops_in(loop.body)
        for name in sorted(stores):
            uses = touching[name]
            if independent(loop.index, uses, inner) or self.proved(loop.index, uses, inner):
                continue
            if self.is_row(name, loop.index, uses):
                found.temps.add(name)
                continue
            view = uses[0].view
            identity = initial(waiting, view)
            own = [u for u in uses if isinstance(u, Store)]
            primitive = sum_of(loop, own, name)
            if primitive is None or identity is None or not self.is_whole(view) or any(u.view != view for u in uses):
                return None
            if any(is_value(i) or loop.index in symbols(i) for u in uses for i in u.at):
                return None
            found.rows[name] = primitive, identity, view
        return found

    def proved(self, index: Symbol, uses: list[Load | Store], inner: Inner) -> bool:
        """Whether rounds are independent by what is checked at entry: where a border is half a filter, that there is one."""
        if not self.least:
            return False
        known = {i: None if n is None else replace_symbols(n, self.least) for i, n in inner.items()}
        return independent(index, [counted_on(use, self.least) for use in uses], known)

    def is_row(self, name: str, index: Symbol, uses: list[Load | Store]) -> bool:
        """Whether a buffer is one row that every round writes anew: an axis of stride 0 counts the rounds."""
        if self.buffers[name].kind != "temp" or self.users[name] != 1:
            return False
        return all(
            any(i == symbol(index.name) and s == 0 for i, s in zip(u.at, u.view.strides, strict=True)) for u in uses
        )

    def is_whole(self, view: View) -> bool:
        """Whether the view is all of its buffer."""
        buffer = self.buffers[view.buffer]
        return view == contiguous(view.buffer, buffer.dtype, buffer.shape)

    # ---- blocks ----

    def length(self, loop: For, carried: Carried) -> Extent:
        """Rounds in a block: about BLOCK elements, and ROWS at least where rows are kept for each."""
        per_round: Extent = 0
        for item in loop.body:
            if isinstance(item, For):
                per_round = largest(per_round, visits(item))
        least = ROWS if carried.rows or carried.temps else 1
        return BLOCK if per_round == 0 else largest(floor_divide(BLOCK, largest(per_round, 1)), least)

    def blocks(self, loop: For, carried: Carried, length: Extent) -> tuple[For, list[Stmt]]:
        """The loop over blocks, and the statements that combine what the blocks have found."""
        count = floor_divide(loop.extent + length - 1, length)
        c, r = symbol(BLOCK_INDEX), symbol(ROUND)
        totals: dict[str, View] = {}  # of a variable, or of a row of accumulators in each block
        for name, (_, identity) in carried.sums.items():
            totals[name] = self.temp(identity.dtype, (count,))
        for name, (_, identity, view) in carried.rows.items():
            whole = self.temp(identity.dtype, (count, *view.shape))
            totals[name] = whole
        moved: dict[str, Callable[[View], View]] = {}
        for name in carried.rows:
            moved[name] = partial(row_of, totals[name], c)
        for name in carried.temps:
            shape = self.buffers[name].shape
            self.buffers[name] = replace(self.buffers[name], shape=(count, *shape))
            moved[name] = partial(shifted, c * product(shape))
        body = rebuilt(
            loop.body,
            views=lambda view: moved[view.buffer](view) if view.buffer in moved else view,
            symbols={loop.index: c * length + r},
        )
        rounds = For(Symbol(ROUND), smallest(length, loop.extent - c * length), body, loop.schedule)
        before: list[Stmt] = [Local(name, identity) for name, (_, identity) in carried.sums.items()]
        after: list[Stmt] = [
            Store(totals[name], (c,), Ref(name, identity.dtype)) for name, (_, identity) in carried.sums.items()
        ]
        combine: list[Stmt] = []
        for name, (primitive, identity, view) in carried.rows.items():
            row = totals[name].row(c)
            names, at = indices(len(view.shape))
            before += nest(names, view.shape, Store(row, at, identity))
            total = Apply(primitive, (Load(view, at), Load(row, at)), identity.dtype)
            combine.append(For(Symbol(BLOCK_INDEX), count, nest(names, view.shape, Store(view, at, total))))
        for name, (primitive, identity) in carried.sums.items():
            total = Apply(primitive, (Ref(name, identity.dtype), Load(totals[name], (c,))), identity.dtype)
            combine.append(For(Symbol(BLOCK_INDEX), count, (Assign(name, total),)))
        inside = by_columns(rounds) if self.by_columns and not carried.sums and not carried.temps else (rounds,)
        return For(Symbol(BLOCK_INDEX), count, (*before, *inside, *after), "parallel"), combine

    def temp(self, dtype: str, shape: tuple[Extent, ...]) -> View:
        name = unused("partial", self.buffers)
        self.buffers[name] = Buffer(name, dtype, shape, "temp")
        return contiguous(name, dtype, shape)


def visits(loop: For) -> Extent:
    """How many elements a loop visits."""
    inside: Extent = 0
    for s in loop.body:
        if isinstance(s, For):
            inside = largest(inside, visits(s))
    return loop.extent if inside == 0 else loop.extent * inside


def by_lanes(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The statements with the innermost loops marked that add up floats."""
    out: list[Stmt] = []
    for s in body:
        if isinstance(s, For):
            sums = any(adds_up(x) for x in s.body)
            innermost = not any(isinstance(x, For) for x in s.body)
            s = replace(s, schedule="vector") if sums and innermost else replace(s, body=by_lanes(s.body))
        out.append(s)
    return tuple(out)


def adds_up(statement: Stmt) -> bool:
    """Whether a statement adds a float to a variable, or multiplies it by one."""
    match statement:
        case Assign(_, Apply("add" | "mul", _, dtype)):
            return dtype.startswith("float")
    return False


def depth(statement: Stmt) -> int:
    """How many loops stand inside one another."""
    return 1 + max(map(depth, statement.body)) if isinstance(statement, For) else 0


def fills(loop: For) -> bool:
    """Whether a loop only writes constants."""
    return all(
        fills(s) if isinstance(s, For) else isinstance(s, Store) and isinstance(s.value, Const) for s in loop.body
    )


def indices(count: int) -> tuple[list[Symbol], tuple[Extent, ...]]:
    """Loop indices for the axes of a row, and the same as extents."""
    names = [f"_column{k}" for k in range(count)]
    return [Symbol(n) for n in names], tuple(symbol(n) for n in names)


def may_do_without(loop: For, after: Sequence[Stmt]) -> bool:
    """Whether a loop finds the largest float32 for a sum of exponentials in number forms alone, which will be tried without it
    (`rungs/unshifted`) as long as both stand together."""
    match loop.body:
        case (Assign(name, Apply("maximum", _, "float32")),):
            pass
        case _:
            return False
    loops = [s for s in after if isinstance(s, For)]
    if len(loops) != 1 or loops[0].extent != loop.extent:
        return False
    sums = any(isinstance(s, Assign) and s.value.dtype in WIDE for s in loops[0].body)
    functions = {x.primitive for x in walk(loops[0]) if isinstance(x, Apply)} - CHEAP
    kept = any(isinstance(s, Store) and any(isinstance(x, Ref) and x.name == name for x in walk(s)) for s in after)
    return sums and functions == {"exp"} and not kept


def nest(names: list[Symbol], shape: tuple[Extent, ...], statement: Stmt) -> tuple[Stmt, ...]:
    """A statement inside one loop per axis."""
    body: tuple[Stmt, ...] = (statement,)
    for name, extent in reversed(list(zip(names, shape, strict=True))):
        body = (For(name, extent, body),)
    return body


def row_of(rows: View, at: Extent, _: View) -> View:
    """One row of accumulators, for the view of the only one that there was."""
    return rows.row(at)


def shifted(by: Extent, view: View) -> View:
    """The view, further on in its buffer."""
    return replace(view, offset=view.offset + by)


def sum_of(loop: For, sets: Sequence[Assign | Store], name: str) -> str | None:
    """The primitive of the one statement `total = primitive(total, value)` that touches a variable, or a buffer, of this
    name within the loop."""
    if len(sets) != 1:
        return None
    (statement,) = sets

    def is_total(item: Any) -> bool:
        if isinstance(statement, Assign):
            return isinstance(item, Ref) and item.name == name
        return isinstance(item, Load) and item.view.buffer == name

    value = statement.value
    if not isinstance(value, Apply) or value.primitive not in FOLDS or len(value.args) != 2:
        return None
    reads = [x for x in walk(loop) if is_value(x) and is_total(x)]
    users = [x for x in walk(loop) if any(is_total(p) for p in parts(x) if is_value(p))]
    whole = [x for x in walk(loop) if any(p is value for p in parts(x))]
    if len(reads) != 1 or users != [value] or whole != [statement] or sum(a is reads[0] for a in value.args) != 1:
        return None
    if isinstance(statement, Store):
        read = reads[0]
        assert isinstance(read, Load)
        if read.at != statement.at:
            return None
    return value.primitive


def initial(waiting: list[Stmt], view: View) -> Const | None:
    """The constant that the statements before fill a view with, if they do and nothing else to its buffer."""
    touching = [x for x in walk(*waiting) if isinstance(x, Load | Store) and x.view.buffer == view.buffer]
    if len(touching) != 1 or touching[0].view != view or not isinstance(touching[0], Store):
        return None
    value = touching[0].value
    return value if isinstance(value, Const) else None


def variables(*body: Stmt) -> set[str]:
    """The variables that statements read or set, each without those that it declares itself."""
    found: set[str] = set()
    for s in body:
        items = list(walk(s))
        found |= {x.name for x in items if isinstance(x, Ref | Assign)} - {
            x.name for x in items if isinstance(x, Local)
        }
    return found


def apart(a: Stmt, b: Stmt) -> bool:
    """Whether two statements may be exchanged."""
    touched: list[tuple[set[str], set[str]]] = []
    for s in (a, b):
        reads = {x.view.buffer for x in walk(s) if isinstance(x, Load)}
        writes = {x.view.buffer for x in walk(s) if isinstance(x, Store)}
        reads |= {f"variable {x.name}" for x in walk(s) if isinstance(x, Ref)}
        writes |= {f"variable {x.name}" for x in walk(s) if isinstance(x, Local | Assign)}
        if s is a:  # variables that it declares end with it
            own = {f"variable {x.name}" for x in walk(s) if isinstance(x, Local)}
            reads, writes = reads - own, writes - own
        touched.append((reads, writes))
    (reads, writes), (others, changes) = touched
    fails = [any(isinstance(x, Checked) for x in walk(s)) for s in (a, b)]  # the first failure stays the first
    return not (writes & (others | changes) or reads & changes or all(fails))
