"""The order of a Program's steps: what is made is used up soon, so that little memory is alive at once.

A step comes as soon as it may if it frees at least as much as it takes; a result and the steps that serve only it count
as one, so that a weight is updated when its gradient is there and not at the end. Otherwise the order stays. Of two
equal Programs the one with the lower peak is taken, measured at typical sizes.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import field, replace

from symdl.ir.arena import TYPICAL, nominal
from symdl.ir.program import Program, Step, accesses, may_fail
from symdl.ir.renaming import within
from symdl.number_forms import item_bytes
from symdl.records import mutable
from symdl.types import product

LONGEST = 8  # steps that serve one result alone and are taken together with it
WORTH_IT = 0.8  # shared values are written early, which ends the polls for interrupts, only for so much lower peaks


@mutable
class Unit:
    """Steps that are taken together."""

    steps: list[int]
    awaited: int = 0  # units that must come first and have not
    then: list[int] = field(default_factory=list)
    taken: int = 0  # bytes of the temps that it makes and others use
    freed: int = 0  # bytes of the temps that only it still needs


def scheduled(program: Program) -> Program:
    """The program with its steps in the order of the lowest peak that is found, each check still before the first
    write to a shared value."""
    if len(program.steps) < 3:
        return program
    touched = [touches(s) for s in program.steps]
    temps = [b for b in program.buffers.values() if b.kind == "temp"]
    size, fewer = ({b.name: nominal(product(b.shape), each) * item_bytes(b.dtype) for b in temps} for each in TYPICAL)

    def cost(order: Sequence[int]) -> int:
        return peak(order, touched, size) * peak(order, touched, fewer)

    after = dependencies(program, touched)
    commits = {k for k, used in enumerate(touched) if any(w and program.buffers[b].kind == "shared" for b, w in used)}
    best = list(range(len(touched)))
    least = cost(best)
    for late in (commits, set[int]()):
        order = ordered(after, touched, size, late)
        found = cost(order)
        if found < least * (1 if late or not commits else WORTH_IT):
            best, least = order, found
    return replace(program, steps=tuple(program.steps[k] for k in best))


def touches(step: Step) -> set[tuple[str, bool]]:
    """(buffer, is it written) of a step and of those inside it."""
    return {(v.buffer, writes) for s in within(step) for v, writes in accesses(s)}


def peak(order: Sequence[int], touched: Sequence[set[tuple[str, bool]]], size: dict[str, int]) -> int:
    """The most bytes of temps that are alive at once."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for at, k in enumerate(order):
        for name in {b for b, _ in touched[k] if b in size}:
            first.setdefault(name, at)
            last[name] = at
    change: Counter[int] = Counter()
    for name, at in first.items():
        change[at] += size[name]
        change[last[name] + 1] -= size[name]
    most = alive = 0
    for at in sorted(change):
        alive += change[at]
        most = max(most, alive)
    return most


def dependencies(program: Program, touched: Sequence[set[tuple[str, bool]]]) -> list[dict[int, bool]]:
    """For each step those that must come before it, and whether it reads what they write."""
    after: list[dict[int, bool]] = [{} for _ in touched]
    writer: dict[str, int] = {}
    readers: defaultdict[str, list[int]] = defaultdict(list)
    check = -1  # the last check that may fail
    for k, (step, used) in enumerate(zip(program.steps, touched, strict=True)):
        written = {b for b, w in used if w}
        for name in sorted({b for b, _ in used}):
            if name in writer:
                after[k][writer[name]] = True
            if name in written:
                after[k].update((r, after[k].get(r, False)) for r in readers.pop(name, ()) if r != k)
                writer[name] = k
            else:
                readers[name].append(k)
        if check >= 0 and (may_fail(step) or any(program.buffers[b].kind == "shared" for b in written)):
            after[k].setdefault(check, False)  # the first failure stays the first
        if may_fail(step):
            check = k
    return after


def units(after: Sequence[dict[int, bool]], late: set[int]) -> list[int]:
    """The unit of each step, named by its last step: a result takes the steps that serve it alone with it."""
    users: list[list[int]] = [[] for _ in after]
    for k, before in enumerate(after):
        for j, reads in before.items():
            if reads:
                users[j].append(k)
    owner = list(range(len(after)))
    count = Counter[int]()
    for k in range(len(after) - 1, -1, -1):
        owners = {owner[u] for u in users[k]}
        if len(owners) == 1:
            (one,) = owners
            serves = not users[one] and one not in late and count[one] < LONGEST
            owner[k] = one if serves else k
        count[owner[k]] += 1
    return owner


def ordered(
    after: Sequence[dict[int, bool]], touched: Sequence[set[tuple[str, bool]]], size: dict[str, int], late: set[int]
) -> list[int]:
    """The steps in a better order, or in the old one where units wait for one another. late: steps to be taken last."""
    owner = units(after, late)
    made: dict[int, Unit] = {}
    for k, one in enumerate(owner):
        made.setdefault(one, Unit([])).steps.append(k)
    edges: set[tuple[int, int]] = set()
    for k, before in enumerate(after):
        for j in before:
            if owner[j] != owner[k] and (owner[j], owner[k]) not in edges:
                edges.add((owner[j], owner[k]))
                made[owner[j]].then.append(owner[k])
                made[owner[k]].awaited += 1
    users: defaultdict[str, list[int]] = defaultdict(list)  # temp -> units that touch it, its maker first
    for k, used in enumerate(touched):
        for name in sorted({b for b, _ in used if b in size}):
            if owner[k] not in users[name]:
                users[name].append(owner[k])
    waiting = {name: len(mine) for name, mine in users.items()}
    left = {name: sum(mine) for name, mine in users.items()}  # the numbers of the units that wait, added up
    uses: defaultdict[int, list[str]] = defaultdict(list)
    for name, mine in users.items():
        for one in mine:
            uses[one].append(name)
        if len(mine) > 1:
            made[mine[0]].taken += size[name]
    done: set[int] = set()
    ready: list[tuple[bool, int, int]] = []  # (late, first step, unit)
    cheap: list[tuple[bool, int, int]] = []

    def enter(one: int) -> None:
        unit = made[one]
        if not unit.awaited:
            soon = unit.freed >= unit.taken and one not in late
            heapq.heappush(cheap if soon else ready, (one in late, unit.steps[0], one))

    for one in made:
        enter(one)
    out: list[int] = []
    while cheap or ready:
        one = heapq.heappop(cheap or ready)[-1]
        if one in done:
            continue
        done.add(one)
        out += made[one].steps
        for name in uses[one]:
            waiting[name] -= 1
            left[name] -= one
            if waiting[name] == 1:
                made[left[name]].freed += size[name]
                enter(left[name])
        for following in made[one].then:
            made[following].awaited -= 1
            enter(following)
    return out if len(out) == len(after) else list(range(len(after)))
