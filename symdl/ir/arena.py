"""The arena of a Program: when each temp is alive, and slots that temps share whose lives are apart."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from symdl.ir.loops import Load, Store, extents_in, walk
from symdl.ir.program import Call, Kernel, Loop, Program, Step, accesses, inner
from symdl.ir.renaming import all_within
from symdl.number_forms import item_bytes
from symdl.types import Atom, Extent, Symbol, at_most, product, size_at, symbols, terms_of

Room = tuple[Extent, ...]  # the sizes that a slot of the arena has room for, one at a time

LINE = 64  # bytes of a cache line, at which slots begin
FEW = 64  # temps that are placed in two ways
NOMINAL = 256  # an unknown size, where a number is needed to compare
TYPICAL = NOMINAL, 32  # a batch as large as layers are wide, and a small one


def nominal(extent: Extent, each: int = NOMINAL) -> int:
    """The extent if every size in it were this."""
    return max(size_at(extent, dict.fromkeys(symbols(extent), each)), 0)


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
