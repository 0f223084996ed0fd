"""Which innermost loops can be taken several elements at a time, by which steps memory is walked, and what sums up.

A loop qualifies if its iterations do not depend on one another except through sums and the like: every store walks by a
constant per iteration, a buffer that is stored is touched at one place per iteration, or at several that never meet, and
no check or guard depends on the iteration. Then whole vectors give the very numbers that one element after the other gives; sums of
floats are still added up element by element, in order, unless the loop is marked "vector".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field

from symdl.backends.builder import FLOATS
from symdl.backends.llvm.module import ITEM_BYTES
from symdl.backends.primitives import FOLDS
from symdl.ir.loops import (
    Apply,
    Assign,
    Barrier,
    Checked,
    For,
    Guard,
    Load,
    Local,
    Position,
    Ref,
    Store,
    Value,
    extents_in,
    is_value,
    parts,
    place_of,
    walk,
)
from symdl.ir.narrow_rows import CHEAP
from symdl.number_forms import WIDE
from symdl.records import mutable, record
from symdl.types import Extent, Symbol, at_most, repeats, slope, symbols

MOST_LANES = 16
REPEATED = (2, 4)  # rounds that read the same element, as parts of a vector
FEWEST = 4  # rounds of a loop that are taken by a vector with lanes to spare
SUMS = 8  # partial sums of floats that are enough; with more, short rows would have no whole vector
AHEAD = 4096  # bytes further, long sums ask for what they will read: a processor foresees nothing across the borders of pages
ALONE = 4 * AHEAD  # the same where one array is read; several have no room for so much in a first-level cache
ORDERED = {"add": "fadd", "mul": "fmul"}  # of floats: their order is the result
IDENTITY = {"add": 0, "mul": 1, "bitwise_xor": 0}  # the others may begin with what the variable holds in every lane


@record
class Sum:
    """variable = primitive(variable, value), once per iteration."""

    variable: str
    primitive: str
    value: Value
    dtype: str
    ordered: bool  # element by element


@record
class Choice:
    """chosen = better(value, best);  at = where(chosen, position, at);  best = where(chosen, value, best)."""

    at: str
    best: str
    better: Value
    place: Extent
    value: Value
    dtype: str
    greatest: bool


@mutable
class Plan:
    """How a loop is taken in vectors."""

    lanes: int
    own: set[str] = field(default_factory=set)  # variables declared in the body
    sums: dict[str, Sum] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)  # sums whose totals so far are used in each round
    choice: Choice | None = None
    piece: int = 0  # lanes of the vectors by which a round goes, one after the other; 0: all lanes are one
    asks: int = 0  # how many bytes further what will be read is asked for, where memory is the bound; 0: not at all

    def undeclared(self, loop: For) -> set[str]:
        """Variables that the body declares, but has not yet."""
        return {s.name for s in loop.body if isinstance(s, Local)} - self.own


def ahead(loop: For) -> int:
    """How far ahead a loop asks for what it will read, in bytes."""
    loads = [item for item in walk(*loop.body) if isinstance(item, Load)]
    places = {(x.view.buffer, place_of(x.view, x.at)) for x in loads}
    return ALONE if sum(slope(place, loop.index) == 1 for _, place in places) == 1 else AHEAD


def plan_for(loop: For, vector_bytes: int, running: bool = False, some: bool = False) -> Plan | None:
    """The plan, or None if the loop must be taken one element at a time. running: whether sums may be used on the way. some:
    whether a vector may have lanes that are left out."""
    index, plan = loop.index, Plan(0)
    if any(not isinstance(s, Local | Assign | Store) for s in loop.body):
        return None
    costly = any(isinstance(x, Apply) and x.primitive not in CHEAP for x in walk(*loop.body))
    repeated = 1
    bytes_, stored = 1, {s.view.buffer for s in loop.body if isinstance(s, Store)}
    places: dict[str, list[tuple[Extent, Extent, list[Value]]]] = {}  # each with its step and its indices from data
    for item in walk(*loop.body):
        if isinstance(item, For | Barrier) or (isinstance(item, Checked) and _changes(item, index, stored, loop)):
            return None
        if isinstance(item, Position) and slope(item.extent, index) is None:
            return None
        if isinstance(item, Guard) and any(index in symbols(e) for bound in item.bounds for e in bound):
            return None
        if isinstance(item, Load | Store):
            place = place_of(item.view, item.at)
            step = slope(place, index)
            if step is None and isinstance(item, Load) and (times := repeats(place, index)) in REPEATED:
                if item.view.buffer in stored or loop.schedule == "parallel" or any(map(is_value, item.at)):
                    return None  # rounds of a parallel loop may begin anywhere
                if item.view.dtype in WIDE:
                    return None
                repeated = max(repeated, times)
                step = 1
            gathered = [i for i in item.at if not isinstance(i, Extent)]
            if step is None or (isinstance(item, Store) and step != 1 and not _strided(item, step, costly)):
                return None
            if any(_changes(i, index, stored, loop) for i in gathered):
                return None
            if item.view.buffer in stored:
                known = places.setdefault(item.view.buffer, [])
                if not all(
                    (place is p and gathered == others)
                    or (step == q and not gathered and not others and _apart(place - p, step, loop.extent))
                    for p, q, others in known
                ):
                    return None
                known.append((place, step, gathered))
            if step != 0:  # else it is one number for all lanes
                bytes_ = max(bytes_, min(ITEM_BYTES[item.view.dtype], 8))  # limbs of number forms go by themselves
        if isinstance(item, Apply) and item.dtype in WIDE:
            bytes_ = 8
    plan.choice = _choice(loop)
    if plan.choice is None and not _sums(loop, plan, running):
        return None
    plan.lanes = min(vector_bytes // bytes_, MOST_LANES)
    few = loop.extent if isinstance(loop.extent, int) else MOST_LANES
    added = [s for s in plan.sums.values() if s.variable not in plan.running]
    if any(not s.ordered and s.primitive in ORDERED for s in added) and 2 * plan.lanes <= min(few, SUMS):
        plan.lanes *= 2  # two vectors: an addition starts before the one before it has ended
    if some and FEWEST <= few < 2 * plan.lanes and few % plan.lanes and few <= MOST_LANES:
        plan.lanes = 1 << (few - 1).bit_length()  # all rounds at once
    elif plan.lanes < 2 or few < plan.lanes:
        return None
    return plan if plan.lanes >= repeated else None


def _strided(store: Store, step: Extent, costly: bool) -> bool:
    """Whether a store, whose elements lie so far apart, is written lane by lane. A stride that is known at run time only is
    worth it where much is computed; it is never 0 where there are elements."""
    if store.view.dtype in WIDE:
        return False
    if isinstance(step, int):
        return step > 1
    return costly and at_most(0, step) and step in store.view.strides


def _apart(gap: Extent, step: Extent, rounds: Extent) -> bool:
    """Whether two places that move on by so much in each round, this far from one another, never meet."""
    if isinstance(gap, int) and isinstance(step, int) and step > 1 and gap % step != 0:
        return True
    return at_most(0, step) and (at_most(step * rounds, gap) or at_most(step * rounds, -gap))


def _changes(value: Value, index: Symbol, stored: set[str], loop: For) -> bool:
    """Whether a gathered index may differ from one iteration to the next."""
    written = {s.name for s in loop.body if isinstance(s, Local | Assign)}
    for item in walk(value):
        if any(index in symbols(e) for e in extents_in(item)):
            return True
        if (isinstance(item, Load) and item.view.buffer in stored) or (isinstance(item, Ref) and item.name in written):
            return True
    return False


def _choice(loop: For) -> Choice | None:
    """The choice that is all that a loop does, if it is."""
    match loop.body:
        case (
            Assign(chosen, Apply(test, (compared, *_)) as better),
            Assign(at, Apply("where", (Ref(c), Position(here), Ref(a)))),
            Assign(best, Apply("where", (Ref(d), value, Ref(b)), dtype)),
        ) if c == d == chosen and a == at and b == best and slope(here, loop.index) == 1:
            pass
        case _:
            return None
    if test == "bitwise_and" and isinstance(compared, Apply) and isinstance(compared.args[0], Apply):
        test = compared.args[0].primitive  # not less or equal, and there was a number
    read = {x.name for x in walk(value) if isinstance(x, Ref)}
    others = {x.name for x in walk(better) if isinstance(x, Ref)} - read - {best}
    if others or not read.isdisjoint((chosen, at, best)) or test not in ("gt", "lt", "le", "ge"):
        return None
    return Choice(at, best, better, here, value, dtype, test in ("gt", "le"))


def _sums(loop: For, plan: Plan, running: bool) -> bool:
    """Find the variables that sum up; False if a variable is used in another way than its own sum, or, if they may be
    running sums, before it in a round."""
    uses = Counter(id(part) for item in walk(*loop.body) for part in parts(item))
    adding: set[int] = set()
    for statement in loop.body:
        if isinstance(statement, Assign) and statement.name not in plan.own:
            found = _sum(statement, loop.schedule == "vector")
            if found is None or statement.name in plan.sums or uses[id(statement.value)] != 1:
                return False
            plan.sums[statement.name] = found
            adding.add(id(statement.value))
        undeclared = plan.undeclared(loop)
        if undeclared and any(isinstance(item, Ref) and item.name in undeclared for item in walk(statement)):
            return False
        if isinstance(statement, Local):
            plan.own.add(statement.name)
    if not plan.sums:
        return True
    summed: set[str] = set()
    for statement in loop.body:
        for item in walk(statement):
            read = [part.name for part in parts(item) if isinstance(part, Ref) and part.name in plan.sums]
            if read and id(item) in adding and len(read) == 1:
                continue
            if read and not (running and all(name in summed and _may_run(plan.sums[name]) for name in read)):
                return False
            plan.running.update(read)
        if isinstance(statement, Assign):
            summed.add(statement.name)
    return plan.own.isdisjoint(plan.sums)


def _may_run(sum_: Sum) -> bool:
    """Whether totals so far can be had for all lanes at once: from those of halves of a vector, in another order."""
    return not sum_.ordered and sum_.dtype not in WIDE and sum_.primitive in FOLDS


def _sum(statement: Assign, free: bool) -> Sum | None:
    """The statement as a sum, if it is one. free: floats may be added up in any order, too."""
    match statement.value:
        case Apply(primitive, (Ref(name, dtype), value), _) if name == statement.name and primitive in FOLDS:
            pass
        case Apply(primitive, (value, Ref(name, dtype)), _) if name == statement.name and primitive in FOLDS:
            pass
        case _:
            return None
    return Sum(name, primitive, value, dtype, not free and dtype in FLOATS and primitive in ORDERED)
