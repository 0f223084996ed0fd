"""Memory of a Program: updates written in place where nobody can tell, and temps that share arena slots.

Both passes map a Program to an equal one; in_place comes first, plan last.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from symdl.errors import ProgramError
from symdl.loops import (
    Apply,
    Assign,
    Checked,
    For,
    Guard,
    Index,
    Load,
    Local,
    Ref,
    Stmt,
    Store,
    Value,
    View,
    contiguous,
    extents_in,
    is_value,
    parts,
    walk,
)
from symdl.number_forms import item_bytes
from symdl.program import Buffer, Call, If, Kernel, Loop, Program, Step, accesses, inner, may_fail
from symdl.types import Atom, Extent, Symbol, at_most, product, size_at, sole_symbol, symbols, terms_of

Commit = tuple[View, View]  # (view of the new value, view of the shared buffer)
Room = tuple[Extent, ...]  # the sizes that a slot of the arena has room for, one at a time


LINE = 64  # bytes of a cache line, at which slots begin
FEW = 64  # temps that are placed in two ways
NOMINAL = 256  # an unknown size, where a number is needed to compare
TYPICAL = NOMINAL, 32  # a batch as large as layers are wide, and a small one


def nominal(extent: Extent, each: int = NOMINAL) -> int:
    """The extent if every size in it were this."""
    return max(size_at(extent, dict.fromkeys(symbols(extent), each)), 0)


# ---- updates ----


def in_place(program: Program, commits: Sequence[Commit]) -> Program:
    """The program followed by its updates: shared buffer = new value for each commit, all with old values read.

    A commit vanishes where the one step that makes the new value may write straight into the shared buffer: nobody
    reads the old value later, the step itself reads it only where it is about to write, and no check that can fail
    comes then or later. Other commits are copies at the very end, ordered so that each reads before it is overwritten;
    a cycle (two shared values swapped) is broken by a temp.
    """
    targets = [shared.buffer for _, shared in commits]
    if len(set(targets)) < len(targets):
        raise ProgramError("a shared buffer has two updates")
    steps, buffers = list(program.steps), dict(program.buffers)
    first_safe = 1 + max((k for k, s in enumerate(steps) if may_fail(s)), default=-1)
    touching: dict[str, list[int]] = {}  # buffer -> places of the top-level steps that touch it
    used_by = [{(v.buffer, w) for s in within(step) for v, w in accesses(s)} for step in steps]
    for k, used in enumerate(used_by):
        for name in {name for name, _ in used}:
            touching.setdefault(name, []).append(k)
    sources = {new.buffer for new, _ in commits}
    renamed: dict[str, str] = {}
    copies: list[Commit] = []
    for new, shared in commits:
        old = program.buffers[shared.buffer]
        uses = touching.get(new.buffer, [])
        makers = [
            k for k in uses if any(w and v.buffer == new.buffer for s in within(steps[k]) for v, w in accesses(s))
        ]
        legal = (
            program.buffers[new.buffer].kind == "temp"
            and shared == contiguous(shared.buffer, old.dtype, old.shape)
            and new == replace(shared, buffer=new.buffer)
            and program.buffers[new.buffer].shape == old.shape
            and len(makers) == 1
            and makers[0] >= first_safe
            and shared.buffer not in sources
            and max(touching.get(shared.buffer, [-1])) <= makers[0]
        )
        made = overwriting(steps[makers[0]], new.buffer, shared.buffer) if legal else None
        made = made and rename(made, {new.buffer: shared.buffer})
        if made is None:
            copies.append((new, shared))
            continue
        renamed[new.buffer] = shared.buffer
        del buffers[new.buffer]
        for k in uses:
            steps[k] = made if k == makers[0] else rename(steps[k], {new.buffer: shared.buffer})
    copies = [(renamed_view(new, renamed), shared) for new, shared in copies]
    steps += ordered_copies(copies, buffers)
    offsets = {name: slot for name, slot in program.offsets.items() if name in buffers}
    return replace(program, buffers=buffers, steps=tuple(steps), offsets=offsets)


def ordered_copies(copies: Sequence[Commit], buffers: dict[str, Buffer]) -> list[Step]:
    """The copies in an order in which each source is read before it is overwritten; adds temps to buffers."""
    pending = [c for c in copies if c[0] != c[1]]
    readers: dict[str, set[str]] = {}  # buffer -> targets of the pending copies that read it
    for new, shared in pending:
        readers.setdefault(new.buffer, set()).add(shared.buffer)
    by_target = {shared.buffer: (new, shared) for new, shared in pending}
    free = [t for t in by_target if not readers.get(t)]
    out: list[Step] = []
    while by_target:
        if not free:  # a cycle: keep what its first target holds for those who still read it
            blocked = next(iter(by_target))
            for target in sorted(readers.pop(blocked)):
                new, shared = by_target[target]
                kept = fresh_temp(new, buffers)
                out.append(Call("copy", (new, kept)))
                by_target[target] = (kept, shared)
            free.append(blocked)
        target = free.pop(0)
        new, shared = by_target.pop(target)
        out.append(Call("copy", (new, shared)))
        left = readers.get(new.buffer, set())
        left.discard(target)
        if not left and new.buffer in by_target and new.buffer not in free:
            free.append(new.buffer)
    return out


def fresh_temp(like: View, buffers: dict[str, Buffer]) -> View:
    """A view of a new temp of the same shape."""
    name = unused("kept", buffers)
    buffers[name] = Buffer(name, like.dtype, like.shape, "temp")
    return contiguous(name, like.dtype, like.shape)


def overwriting(step: Step, new: str, old: str) -> Step | None:
    """The step as it is once the buffer new lies on the memory of old, but for the name, or None where that could
    change what is computed.

    It could not if old is read before the store that overwrites: by the loops that surround both, a round reads only
    elements that the same round writes. What a round reads of its own element after the store is kept in a variable.
    """
    if isinstance(step, Call):
        return None if any(v.buffer == old for v, _ in accesses(step)) else step
    if not isinstance(step, Kernel):
        return None
    if not any(v.buffer == old for v, _ in accesses(step)):
        return step
    stores: list[tuple[Store, tuple[For, ...]]] = []
    before: list[tuple[Load, tuple[For, ...]]] = []
    own: list[Load] = []  # in the store's statement, or later in the same round
    after = False
    for statement, around, loads in statements(step.body):
        reads = [x for x in loads if x.view.buffer == old]
        if isinstance(statement, Store) and statement.view.buffer == old:
            return None
        if isinstance(statement, Store) and statement.view.buffer == new:
            stores.append((statement, around))
            own += reads
        elif not stores:
            before += [(x, around) for x in reads]
        elif reads:
            above = stores[0][1]
            if any(a is not b for a, b in zip(around, above, strict=False)):
                return None
            own += reads
            after = True
    if len(stores) != 1:
        return None
    ((store, above),) = stores
    window = replace(store.view, buffer=old)
    dense = window.strides == contiguous(old, window.dtype, window.shape).strides
    axes = {sole_symbol(e): axis for axis, e in enumerate(store.at) if isinstance(e, Extent)}

    def same(load: Load, loops: list[For]) -> bool:
        """Whether rounds of these loops touch elements apart, and the load only those of its own round."""
        if not loops:
            return True
        return (
            dense
            and load.view == window
            and all(f.index in axes and load.at[axes[f.index]] == store.at[axes[f.index]] for f in loops)
        )

    for load, around in before:
        if not same(load, [a for a, b in zip(around, above, strict=False) if a is b]):
            return None
    if not all(same(load, list(above)) and load.view == window and load.at == store.at for load in own):
        return None
    if own and any(map(is_value, store.at)):
        return None
    body = step.body
    if after:
        name = unused("kept", {x.name for x in step.items if isinstance(x, Local)})
        saved = (Local(name, Load(window, store.at)), {id(x): Ref(name, x.dtype) for x in own})
        body = with_saved(body, above, store, *saved)
    return Kernel(body, step.sources) if body is not step.body else step


def with_saved(
    body: tuple[Stmt, ...], path: tuple[For, ...], store: Store, saved: Local, reads: Mapping[int, Value]
) -> tuple[Stmt, ...]:
    """The body with a variable declared right before the store, which lies down the path of loops; the store and what
    follows it in its block read the variable."""
    if not path:
        place = next(k for k, s in enumerate(body) if s is store)
        return (*body[:place], saved, *rebuild(body[place:], lambda view: view, reads))
    loop = path[0]
    inside = replace(loop, body=with_saved(loop.body, path[1:], store, saved, reads))
    return tuple(inside if s is loop else s for s in body)


def unused(stem: str, names: Container[str]) -> str:
    """The first of stem0, stem1, ... that is no name yet."""
    return next(name for k in itertools.count() if (name := f"{stem}{k}") not in names)


def statements(
    body: tuple[Stmt, ...], around: tuple[For, ...] = ()
) -> Iterator[tuple[Stmt, tuple[For, ...], list[Load]]]:
    """Each statement but For in the order of the text, with the loops around it and the Loads in it."""
    for s in body:
        if isinstance(s, For):
            yield from statements(s.body, (*around, s))
        else:
            yield s, around, [x for x in walk(s) if type(x) is Load]


# ---- temps over temps ----


def reused(program: Program) -> Program:
    """The program with temps laid on temps of their type that the step which makes them is the last to use, where each
    element is read before it is overwritten."""
    steps, buffers = list(program.steps), dict(program.buffers)
    used_by = [used(step) for step in steps]
    last: dict[str, int] = {}
    makers: dict[str, list[int]] = {}
    for k, touched in enumerate(used_by):
        for name, writes in touched.items():
            if buffers[name].kind == "temp":
                last[name] = k
                if writes:
                    makers.setdefault(name, []).append(k)
    renamed: dict[str, str] = {}
    for k, step in enumerate(steps):
        if isinstance(step, Kernel):
            dying = [b for b in used_by[k] if last.get(b) == k and makers[b][-1] < k]
            made = [b for b in used_by[k] if makers.get(b) == [k] and last[b] > k]
            where = places(step) if dying and made else {}
            for new in made:
                like = program.buffers[new]
                old = next((b for b in dying if alike(program.buffers[b], like) and where[b] == where[new]), None)
                over = overwriting(step, new, old) if old is not None and where[new] is not None else None
                if old is not None and over is not None:
                    step = over
                    renamed[new] = renamed.get(old, old)
                    dying.remove(old)
                    del buffers[new]
        names = {b: renamed[b] for b in used_by[k] if b in renamed}
        steps[k] = rename(step, names) if names else step
    return replace(program, buffers=buffers, steps=tuple(steps))


def alike(one: Buffer, other: Buffer) -> bool:
    """Whether two buffers hold arrays of one dtype and shape."""
    return (one.dtype, one.shape) == (other.dtype, other.shape)


def used(step: Step) -> dict[str, bool]:
    """The buffers that a step and those inside it touch, and whether they write them."""
    found: dict[str, bool] = {}
    for s in within(step):
        for v, writes in accesses(s):
            found[v.buffer] = found.get(v.buffer, False) or writes
    return found


def places(step: Kernel) -> dict[str, tuple[Index, ...] | None]:
    """For each buffer that a kernel touches, the indices of the one element that a round touches; None for several, or
    where the buffer is not seen as a whole, as a row is not that each round writes anew."""
    found: dict[str, tuple[Index, ...] | None] = {}
    for x in step.items:
        if isinstance(x, Load | Store):
            plain = x.view == contiguous(x.view.buffer, x.view.dtype, x.view.shape)
            one = x.at if plain and not any(map(is_value, x.at)) else None
            found[x.view.buffer] = one if found.setdefault(x.view.buffer, one) == one else None
    return found


# ---- renaming of buffers ----


def within(step: Step) -> Iterator[Step]:
    """A step and all steps inside it."""
    yield step
    for body in inner(step):
        for s in body:
            yield from within(s)


def renamed_view(view: View, names: Mapping[str, str]) -> View:
    """The view, on another buffer where its own has a new name."""
    return replace(view, buffer=names[view.buffer]) if view.buffer in names else view


def rename(step: Step, names: Mapping[str, str]) -> Step:
    """The step on other buffers of the same shapes."""
    match step:
        case Kernel(body, sources):
            return Kernel(rebuild(body, lambda v: renamed_view(v, names), {}), sources)
        case Call():
            epilogue = rebuild(step.epilogue, lambda v: renamed_view(v, names), {})
            return replace(step, views=tuple(renamed_view(v, names) for v in step.views), epilogue=epilogue)
        case Loop(counter, extent, steps):
            stop = None if step.stop is None else renamed_view(step.stop, names)
            return Loop(counter, extent, tuple(rename(s, names) for s in steps), stop)
        case If(condition, then, other):
            branches = [tuple(rename(s, names) for s in branch) for branch in (then, other)]
            return If(renamed_view(condition, names), *branches)


def rebuild(body: tuple[Stmt, ...], change: Callable[[View], View], replaced: Mapping[int, Value]) -> tuple[Stmt, ...]:
    """The statements with other views, and with Values replaced by identity. What is shared stays shared, and what does
    not change stays itself."""
    done: dict[int, Any] = dict(replaced)

    def at(item: Load | Store) -> tuple[Any, ...]:
        return tuple(done[id(i)] if is_value(i) else i for i in item.at)

    stack: list[Any] = list(reversed(body))
    while stack:
        item = stack[-1]
        if id(item) in done:
            stack.pop()
            continue
        kind = type(item)
        inside = item.args if kind is Apply else parts(item)
        waiting, same = len(stack), True
        for p in inside:
            made = done.get(id(p))
            if made is None:
                stack.append(p)
            elif made is not p:
                same = False
        if len(stack) > waiting:
            stack[waiting:] = stack[: waiting - 1 : -1]
            continue
        stack.pop()
        done[id(item)] = item
        if same and not ((kind is Load or kind is Store) and change(item.view) is not item.view):
            continue
        match item:
            case For(index, extent, statements, schedule):
                done[id(item)] = For(index, extent, tuple(done[id(s)] for s in statements), schedule)
            case Local(name, value) | Assign(name, value):
                done[id(item)] = type(item)(name, done[id(value)])
            case Store(view, _, value):
                done[id(item)] = Store(change(view), at(item), done[id(value)])
            case Load(view, _):
                done[id(item)] = Load(change(view), at(item))
            case Apply(primitive, args, dtype):
                done[id(item)] = Apply(primitive, tuple(done[id(a)] for a in args), dtype)
            case Guard(bounds, value, other):
                done[id(item)] = Guard(bounds, done[id(value)], done[id(other)])
            case Checked(value, extent, code, dtype):
                done[id(item)] = Checked(done[id(value)], extent, code, dtype)
    return tuple(done[id(s)] for s in body)


# ---- lifetimes and the arena ----


def lifetimes(program: Program) -> dict[str, tuple[int, int]]:
    """First and last place at which each temp that lies in memory is in use, places being numbered in the order of the text.

    A temp that only the steps inside a Loop use is made and used up within one round, since nothing is read before it
    is written, and lives there; not so if it is addressed by the counter, as the rows of a trace are. Every other temp
    of a Loop lives as long as the whole Loop: a round may read what an earlier one has left.
    """
    touches: dict[str, list[tuple[int, tuple[int, ...], set[Symbol]]]] = {}  # (place, Loops around it, addressed by)
    spans: list[tuple[int, int]] = []  # of each Loop
    counters: list[set[Symbol]] = []
    clock = 0

    def block(steps: tuple[Step, ...], around: tuple[int, ...]) -> None:
        nonlocal clock
        for s in steps:
            for name, by in addressing(s).items():
                if program.buffers[name].kind == "temp":
                    touches.setdefault(name, []).append((clock, around, by))
            start, clock = clock, clock + 1
            if isinstance(s, Loop):
                number = len(spans)
                spans.append((start, start))
                counters.append({s.counter})
                block(s.body, (*around, number))
                spans[number] = (start, clock - 1)
            else:
                for body in inner(s):
                    block(body, around)

    block(program.steps, ())
    lives: dict[str, tuple[int, int]] = {}
    for name, uses in touches.items():
        low, high = uses[0][0], uses[-1][0]
        inside: dict[int, list[set[Symbol]]] = {}
        for _, around, by in uses:
            for loop in around:
                inside.setdefault(loop, []).append(by)
        for loop, there in inside.items():
            if len(there) < len(uses) or any(by & counters[loop] for by in there):
                low, high = min(low, spans[loop][0]), max(high, spans[loop][1])
        lives[name] = (low, high)
    for name in passing(program):
        del lives[name]
    return lives


def addressing(step: Step) -> dict[str, set[Symbol]]:
    """For each buffer that a step touches itself, the symbols that say where."""
    found: dict[str, set[Symbol]] = {}
    nest = step.body if isinstance(step, Kernel) else step.epilogue if isinstance(step, Call) else ()
    for item in step.items if isinstance(step, Kernel) else walk(*nest):
        if isinstance(item, Load | Store):
            found.setdefault(item.view.buffer, set()).update(*map(symbols, extents_in(item)))
    if not isinstance(step, Kernel):
        for view in step.views if isinstance(step, Call) else [v for v, _ in accesses(step)]:
            found.setdefault(view.buffer, set()).update(*map(symbols, (view.offset, *view.strides)))
    return found


def passing(program: Program) -> set[str]:
    """Temps that need no memory: products that their own epilogues use up."""
    users = Counter(name for s in all_within(program.steps) for name in {v.buffer for v, _ in accesses(s)})
    found = set()
    for s in all_within(program.steps):
        if isinstance(s, Call) and s.epilogue:
            made = s.views[-1].buffer
            writes = sum(w and v.buffer == made for v, w in accesses(s))
            if users[made] == 1 and writes == 1 and program.buffers[made].kind == "temp":
                found.add(made)
    return found


def all_within(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps and all steps inside them."""
    for s in steps:
        yield from within(s)


def plan(program: Program) -> Program:
    """Give every temp an arena slot and drop the temps that no step uses.

    Temps whose lives are apart may share a slot, those of one size before others. They are placed in the order of time;
    if there are few, also the largest first, and the smaller of the two arenas is taken.
    """
    lives, passing_by = lifetimes(program), passing(program)
    size = {name: product(b.shape) * item_bytes(b.dtype) for name, b in program.buffers.items() if name in lives}
    arena, offsets = Arena(), {}
    for name, (low, high) in sorted(lives.items(), key=lambda item: item[1]):
        offsets[name] = arena.place(size[name], low, high)
    slots = arena.slots
    if len(lives) <= FEW:
        other, others = arena.largest_first(lives, size)
        if typical_bytes(others) < typical_bytes(slots):
            offsets, slots = other, others
    buffers = {
        name: b for name, b in program.buffers.items() if b.kind != "temp" or name in lives or name in passing_by
    }
    return replace(program, buffers=buffers, offsets=offsets, slots=tuple(slots))


def typical_bytes(slots: Sequence[Room]) -> int:
    """Of an arena with these slots, for a size that is typical and for a small one, multiplied."""
    return prod(sum(max(nominal(e, each) for e in room) for room in slots) for each in TYPICAL)


def arena_bytes(program: Program, sizes: Mapping[Symbol, int]) -> int:
    """The bytes of all slots for these sizes, each slot beginning at a cache line."""
    return sum(-(-max(size_at(e, sizes) for e in room) // LINE) * LINE for room in program.slots)


def live_bytes(program: Program, sizes: Mapping[Symbol, int]) -> int:
    """The bytes of the temps that are alive together where these are most: no arena for this order of the steps is
    smaller."""
    change: Counter[int] = Counter()
    for name, (low, high) in lifetimes(program).items():
        b = program.buffers[name]
        bytes_ = size_at(product(b.shape), sizes) * item_bytes(b.dtype)
        change[low] += bytes_
        change[high + 1] -= bytes_
    return max(itertools.accumulate(n for _, n in sorted(change.items())), default=0)


class Arena:
    """Slots in the order of time: temps come sorted by their first place.

    A slot has room for several sizes that no proof compares; it is as large as the largest of them.
    """

    KINDS = 4  # sizes that a slot has room for
    NEIGHBOURS = 8  # so many slots of other sizes are tried: with 3,000 sizes the search stays linear

    def __init__(self) -> None:
        self.slots: list[Room] = []
        self.idle: dict[Room, list[tuple[int, int]]] = {}  # by room: heap of (last place in use, slot)
        self.typical: dict[Room, int] = {}
        self.added: dict[Extent, frozenset[tuple[Atom, ...]]] = {}  # monomials that a size adds up

    def place(self, size: Extent, low: int, high: int) -> int:
        """A slot for the places low to high: of this very size, or the narrowest wider one, or the widest narrower one
        that grows, or one of another kind, that then has room for both."""
        room: Room = (size,)
        found = self.free(room, low)
        if found is None:
            others = [
                r
                for r in itertools.islice(reversed(self.idle), self.NEIGHBOURS)
                if r != room and self.idle[r][0][0] < low
            ]
            wider = [r for r in others if self.fits(room, r)]
            narrower = [r for r in others if self.fits(r, room)]
            if wider:
                best = wider[0]
                for r in wider:
                    best = r if self.fits(r, best) else best
                room = best
            elif narrower:
                best = narrower[0]
                for r in narrower:
                    best = r if self.fits(best, r) else best
            elif others := [
                r for r in others if len(r) < self.KINDS
            ]:  # as large as it needs to be, for typical sizes; else as little growth as can be
                need = self.nominal(room)
                best = min(others, key=lambda r: (self.nominal(r) < need, abs(self.nominal(r) - need)))
                room = tuple(e for e in best if not self.at_most(e, size)) + room
            found = self.free(best, low) if others else None
        if found is None:
            found = len(self.slots)
            self.slots.append(room)
        self.slots[found] = room
        heapq.heappush(self.idle.setdefault(room, []), (high, found))
        return found

    def largest_first(
        self, lives: Mapping[str, tuple[int, int]], size: Mapping[str, Extent]
    ) -> tuple[dict[str, int], list[Room]]:
        """(the slot of each temp, the slots): each in the narrowest slot that is idle all its life."""
        slots: list[Room] = []
        taken: list[list[tuple[int, int]]] = []
        offsets: dict[str, int] = {}
        for name in sorted(lives, key=lambda n: (-self.nominal((size[n],)), lives[n])):
            (low, high), own = lives[name], size[name]
            idle = [k for k, used in enumerate(taken) if all(high < a or b < low for a, b in used)]
            proved = [k for k in idle if self.fits((own,), slots[k])]
            found = proved or [k for k in idle if len(slots[k]) < self.KINDS]
            if found:
                at = min(found, key=lambda k: (slots[k] != (own,), self.nominal(slots[k])))
                if not proved:
                    slots[at] = (*(e for e in slots[at] if not self.at_most(e, own)), own)
            else:
                at = len(slots)
                slots.append((own,))
                taken.append([])
            taken[at].append((low, high))
            offsets[name] = at
        return offsets, slots

    def free(self, room: Room, low: int) -> int | None:
        """Take the slot with this room that has been idle longest before low."""
        heap = self.idle.get(room)
        if not heap or heap[0][0] >= low:
            return None
        slot = heapq.heappop(heap)[1]
        if not heap:
            del self.idle[room]
        return slot

    def nominal(self, room: Room) -> int:
        """The bytes of a room if every unknown size were NOMINAL."""
        if room not in self.typical:
            self.typical[room] = max(nominal(e) for e in room)
        return self.typical[room]

    def fits(self, inner: Room, outer: Room) -> bool:
        """Whether inner is proved to be no larger than outer."""
        return all(any(self.at_most(e, f) for f in outer) for e in inner)

    def at_most(self, size: Extent, slot: Extent) -> bool:
        """Whether size <= slot is proved."""
        for e in (size, slot):
            if e not in self.added:
                self.added[e] = frozenset(atoms for atoms, k in terms_of(e) if k > 0 and atoms)
        return self.added[size] <= self.added[slot] and at_most(size, slot)  # the first, cheap, follows from the second
